// SPDX-License-Identifier: GPL-2.0

//! The nodes that this one knows.

use serde::Serialize;

use crate::{
    netlink::{
        Attr,
        Client,
        Command,
        Row, //
    },
    problem::Problem,
    show::{
        or_dash,
        Table, //
    },
};

/// A node.
#[derive(Debug, Serialize)]
pub(crate) struct Node {
    nd: u32,
    name: String,
    domain: String,
    interface: String,
    mac: Option<String>,
    /// Milliseconds since it was last heard; none for this node.
    age_ms: Option<u64>,
    state: &'static str,
}

impl From<&Row> for Node {
    fn from(row: &Row) -> Self {
        let state = row.u32(Attr::State);
        Self {
            nd: row.u32(Attr::Nd),
            name: row.text(Attr::Name),
            domain: row.text(Attr::Domain),
            interface: row.text(Attr::Ifname),
            mac: row.mac(Attr::Mac),
            age_ms: match state {
                qnet_sys::QNET_NODE_LOCAL => None,
                _ => row.u64(Attr::AgeMs),
            },
            state: match state {
                qnet_sys::QNET_NODE_LOCAL => "local",
                qnet_sys::QNET_NODE_KNOWN => "known",
                qnet_sys::QNET_NODE_OPENING => "opening",
                qnet_sys::QNET_NODE_UP => "up",
                _ => "unknown",
            },
        }
    }
}

impl Table for Node {
    const HEAD: &'static [&'static str] = &["ND", "NODE", "INTERFACE", "MAC", "HEARD", "STATE"];

    fn cells(&self) -> Vec<String> {
        let name = if self.domain.is_empty() {
            self.name.clone()
        } else {
            format!("{}.{}", self.name, self.domain)
        };
        vec![
            self.nd.to_string(),
            name,
            or_dash(&self.interface),
            or_dash(self.mac.as_deref().unwrap_or_default()),
            or_dash(&self.age_ms.map(age).unwrap_or_default()),
            self.state.to_owned(),
        ]
    }
}

/// A time in words that are read at a glance.
fn age(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms ago"),
        1_000..120_000 => format!("{} s ago", ms / 1_000),
        120_000..7_200_000 => format!("{} min ago", ms / 60_000),
        _ => format!("{} h ago", ms / 3_600_000),
    }
}

/// All nodes.
pub(crate) fn all(client: &Client) -> Result<Vec<Node>, Problem> {
    let rows = client.dump("listing the nodes", Command::NodeGet)?;
    Ok(rows.iter().map(Node::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(age(0), "0 ms ago");
        assert_eq!(age(999), "999 ms ago");
        assert_eq!(age(30_500), "30 s ago");
        assert_eq!(age(180_000), "3 min ago");
        assert_eq!(age(10_000_000), "2 h ago");
    }

    #[test]
    fn cells() {
        let node = Node {
            nd: 3,
            name: "beta".into(),
            domain: "example.org".into(),
            interface: String::new(),
            mac: None,
            age_ms: Some(5),
            state: "up",
        };
        let cells = node.cells();
        assert_eq!(cells.len(), Node::HEAD.len());
        assert_eq!(cells, ["3", "beta.example.org", "-", "-", "5 ms ago", "up"]);
    }
}
