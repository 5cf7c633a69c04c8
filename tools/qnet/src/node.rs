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
        self,
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
        vec![
            self.nd.to_string(),
            full_name(&self.name, &self.domain),
            or_dash(&self.interface),
            or_dash(self.mac.as_deref().unwrap_or_default()),
            or_dash(
                &self
                    .age_ms
                    .map_or(String::new(), |ms| format!("{} ago", show::time(ms))),
            ),
            self.state.to_owned(),
        ]
    }
}

/// A node's name, with its domain if it has one.
pub(crate) fn full_name(name: &str, domain: &str) -> String {
    match domain {
        "" => name.to_owned(),
        _ => format!("{name}.{domain}"),
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
