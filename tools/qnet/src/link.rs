// SPDX-License-Identifier: GPL-2.0

//! The interfaces that the node is bound to.

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

/// A link.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    interface: String,
    /// The interface's number, when there is such an interface now.
    ifindex: Option<u32>,
    mac: Option<String>,
    mtu: Option<u32>,
    state: &'static str,
}

impl From<&Row> for Link {
    fn from(row: &Row) -> Self {
        let positive = |wanted| Some(row.u32(wanted)).filter(|number| *number != 0);
        Self {
            interface: row.text(Attr::Ifname),
            ifindex: positive(Attr::Ifindex),
            mac: row.mac(Attr::Mac),
            mtu: positive(Attr::Mtu),
            state: match row.u32(Attr::State) {
                qnet_sys::QNET_LINK_ABSENT => "absent",
                qnet_sys::QNET_LINK_DOWN => "down",
                qnet_sys::QNET_LINK_UP => "up",
                _ => "unknown",
            },
        }
    }
}

impl Table for Link {
    const HEAD: &'static [&'static str] = &["INTERFACE", "INDEX", "MAC", "MTU", "STATE"];

    fn cells(&self) -> Vec<String> {
        let number =
            |number: Option<u32>| or_dash(&number.map_or(String::new(), |n| n.to_string()));
        vec![
            self.interface.clone(),
            number(self.ifindex),
            or_dash(self.mac.as_deref().unwrap_or_default()),
            number(self.mtu),
            self.state.to_owned(),
        ]
    }
}

/// All links.
pub(crate) fn all(client: &Client) -> Result<Vec<Link>, Problem> {
    let rows = client.dump("listing the links", Command::LinkGet)?;
    Ok(rows.iter().map(Link::from).collect())
}

/// Binds an interface.
pub(crate) fn bind(client: &Client, interface: &str) -> Result<(), Problem> {
    let attributes = [(Attr::Ifname, interface)];
    client.tell(
        &format!("binding {interface}"),
        Command::LinkAdd,
        &attributes,
    )
}

/// Unbinds an interface.
pub(crate) fn unbind(client: &Client, interface: &str) -> Result<(), Problem> {
    let attributes = [(Attr::Ifname, interface)];
    client.tell(
        &format!("unbinding {interface}"),
        Command::LinkDel,
        &attributes,
    )
}
