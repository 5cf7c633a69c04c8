// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/qnetstats`: what the node has counted.

use std::{
    fmt,
    fs,
    io, //
};

use serde::Serialize;

use crate::problem::Problem;

// The process's own namespace, which --netns may have changed.
const FILE: &str = "/proc/thread-self/net/qnetstats";

/// The file, as it is and taken apart.
#[derive(Debug)]
pub(crate) struct Stats {
    /// The file as it is.
    pub(crate) text: String,
    title: String,
    entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Entry {
    name: String,
    #[serde(flatten)]
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Value {
    /// Events so far.
    Counter { count: u64 },
    /// What is in use now, and the most that ever was.
    Level { now: u64, peak: u64 },
    /// What this version of the command cannot read.
    Other { text: String },
}

impl Value {
    fn parse(text: &str) -> Self {
        let numbers: Option<Vec<u64>> = text
            .split(',')
            .map(|number| number.trim().parse().ok())
            .collect();
        match numbers.as_deref() {
            Some([count]) => Value::Counter { count: *count },
            Some([now, peak]) => Value::Level {
                now: *now,
                peak: *peak,
            },
            _ => Value::Other {
                text: text.to_owned(),
            },
        }
    }

    fn is_zero(&self) -> bool {
        matches!(
            self,
            Value::Counter { count: 0 } | Value::Level { now: 0, peak: 0 }
        )
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Counter { count } => write!(f, "{count}"),
            Value::Level { now, peak } => write!(f, "{now},{peak}"),
            Value::Other { text } => write!(f, "{text}"),
        }
    }
}

/// What was asked for of it.
#[derive(Debug, Serialize)]
pub(crate) struct Chosen {
    title: String,
    stats: Vec<Entry>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.stats {
            writeln!(f, "{:<24}: {}", entry.name, entry.value)?;
        }
        Ok(())
    }
}

impl Stats {
    fn parse(text: String) -> Self {
        let mut lines = text.lines();
        let title = lines.next().unwrap_or_default().to_owned();
        let entries = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| Entry {
                name: name.trim().to_owned(),
                value: Value::parse(value.trim()),
            })
            .collect();
        Self {
            text,
            title,
            entries,
        }
    }

    /// The lines whose name contains one of the words, or all; perhaps without the zeroes.
    pub(crate) fn chosen(&self, words: &[String], nonzero: bool) -> Chosen {
        let wanted = |entry: &&Entry| {
            let named = words.is_empty() || words.iter().any(|word| entry.name.contains(word));
            named && !(nonzero && entry.value.is_zero())
        };
        Chosen {
            title: self.title.clone(),
            stats: self.entries.iter().filter(wanted).cloned().collect(),
        }
    }
}

/// Reads the file.
pub(crate) fn read() -> Result<Stats, Problem> {
    match fs::read_to_string(FILE) {
        Ok(text) => Ok(Stats::parse(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Problem::no_module()),
        Err(error) => Err(Problem::new(format!("{FILE}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "**** Qnet compiled on Jun  3 2008 at 14:08:23 running on EAdd3528\n\
                        kif net_server          : 0,3 \n\
                        drop short              : 0\n\
                        rxd ok                  : 2027\n\
                        kif strange             : some words\n";

    #[test]
    fn parts() {
        let stats = Stats::parse(TEXT.to_owned());
        assert!(stats.title.ends_with("EAdd3528"));
        let all = stats.chosen(&[], false);
        assert_eq!(all.stats.len(), 4);
        assert_eq!(all.stats[0].value, Value::Level { now: 0, peak: 3 });
        let some = stats.chosen(&["drop".into(), "rxd".into()], true);
        assert_eq!(some.to_string(), "rxd ok                  : 2027\n");
        let json = serde_json::to_value(stats.chosen(&["kif".into()], false)).unwrap();
        assert_eq!(
            json["stats"],
            serde_json::json!([
                { "name": "kif net_server", "now": 0, "peak": 3 },
                { "name": "kif strange", "text": "some words" },
            ])
        );
    }
}
