// SPDX-License-Identifier: GPL-2.0

//! The options of the node.

use std::str::FromStr;

use serde::Serialize;

use crate::{
    netlink::{
        Attr,
        Client,
        Command, //
    },
    problem::Problem,
    show::{
        or_dash,
        Table, //
    },
};

/// An option and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

impl Table for Setting {
    const HEAD: &'static [&'static str] = &["OPTION", "VALUE"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), or_dash(&self.value)]
    }
}

/// An option and what it is to be, as `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment(Setting);

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(Setting {
                name: name.to_owned(),
                value: value.to_owned(),
            })),
            _ => Err("write NAME=VALUE, without spaces around the '='".to_owned()),
        }
    }
}

/// All options.
pub(crate) fn all(client: &Client) -> Result<Vec<Setting>, Problem> {
    let rows = client.dump("listing the options", Command::OptionGet)?;
    Ok(rows
        .iter()
        .map(|row| Setting {
            name: row.text(Attr::Option),
            value: row.text(Attr::Value),
        })
        .collect())
}

/// The options with these names, in the order of the names; all when there are none.
pub(crate) fn chosen(options: Vec<Setting>, names: &[String]) -> Result<Vec<Setting>, Problem> {
    if names.is_empty() {
        return Ok(options);
    }
    let find = |name: &String| {
        let found = options.iter().find(|option| option.name == *name).cloned();
        found.ok_or_else(|| {
            Problem::new(format!(
                "there is no option '{name}': 'qnet get' lists them all"
            ))
        })
    };
    names.iter().map(find).collect()
}

/// Sets an option.
pub(crate) fn set(client: &Client, Assignment(setting): &Assignment) -> Result<(), Problem> {
    let Setting { name, value } = setting;
    let attributes = [(Attr::Option, name.as_str()), (Attr::Value, value.as_str())];
    client.tell(
        &format!("setting {name}={value}"),
        Command::OptionSet,
        &attributes,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting {
            name: name.into(),
            value: value.into(),
        }
    }

    #[test]
    fn assignments() {
        let parsed: Assignment = "mount=/net:a=b".parse().unwrap();
        assert_eq!(parsed, Assignment(setting("mount", "/net:a=b")));
        assert_eq!("host=".parse(), Ok(Assignment(setting("host", ""))));
        assert!("host".parse::<Assignment>().is_err());
        assert!("=1".parse::<Assignment>().is_err());
    }

    #[test]
    fn choice() {
        let options = vec![setting("a", "1"), setting("b", "2")];
        assert_eq!(chosen(options.clone(), &[]).unwrap(), options);
        let names = ["b".to_owned()];
        assert_eq!(
            chosen(options.clone(), &names).unwrap(),
            [setting("b", "2")]
        );
        let names = ["c".to_owned()];
        assert!(chosen(options, &names).is_err());
    }
}
