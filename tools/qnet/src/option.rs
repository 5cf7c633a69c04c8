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

/// Options that QNX has and this module refuses, and why. Documentation/options.md lists them.
const REFUSED: &[(&str, &str)] = &[
    (
        "no_ack",
        "Qnet here always acknowledges: without that a message could be lost",
    ),
    (
        "qos_per_pri",
        "there is no thread whose priority this could be: periodic work is done in softirqs",
    ),
    (
        "qos_tx_pri",
        "there is no thread whose priority this could be: programs and softirqs transmit",
    ),
    (
        "bind=ip",
        "Qnet over IP is not built; 'qnet bind INTERFACE' binds an Ethernet interface",
    ),
];

/// Whether an assignment is the one that is refused: `NAME=VALUE`, or any value of `NAME`.
fn refuses(text: &str, what: &str) -> bool {
    text == what || text.split_once('=').is_some_and(|(name, _)| name == what)
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, why)) = REFUSED.iter().find(|(what, _)| refuses(text, what)) {
            return Err((*why).to_owned());
        }
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
    fn refused_options_say_why() {
        for text in ["no_ack=1", "qos_tx_pri=10", "qos_per_pri=20", "bind=ip"] {
            let why = text.parse::<Assignment>().unwrap_err();
            assert!(why.len() > 30, "{text}: {why}");
        }
        assert!("auto_add=0".parse::<Assignment>().is_ok());
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
