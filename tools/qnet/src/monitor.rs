// SPDX-License-Identifier: GPL-2.0

//! What happens on the node, as it happens.

use serde::Serialize;

use crate::{
    netlink::{
        Attr,
        Heard,
        Listener,
        Row, //
    },
    node,
    problem::Problem,
    show, //
};

/// Something that has happened.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Event {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifindex: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Why a session has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Event {
    const fn new(event: &'static str) -> Self {
        Self {
            event,
            interface: None,
            ifindex: None,
            nd: None,
            node: None,
            reason: None,
        }
    }
}

impl From<&Row> for Event {
    fn from(row: &Row) -> Self {
        let name = row.text(Attr::Name);
        let this = Self::new(name_of(row.u32(Attr::Event)));
        if name.is_empty() {
            return Self {
                interface: Some(row.text(Attr::Ifname)),
                ifindex: Some(row.u32(Attr::Ifindex)),
                ..this
            };
        }
        Self {
            nd: Some(row.u32(Attr::Nd)),
            node: Some(node::full_name(&name, &row.text(Attr::Domain))),
            reason: row.has(Attr::Reason).then(|| reason(row.u32(Attr::Reason))),
            ..this
        }
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<15}", self.event)?;
        if let Some(interface) = &self.interface {
            write!(f, " {interface}")?;
        }
        if let (Some(node), Some(nd)) = (&self.node, self.nd) {
            write!(f, " {node} (nd {nd:#x})")?;
        }
        if let Some(reason) = self.reason {
            write!(f, ": {reason}")?;
        }
        Ok(())
    }
}

fn name_of(event: u32) -> &'static str {
    match event {
        qnet_sys::QNET_EVENT_LINK_BOUND => "link-bound",
        qnet_sys::QNET_EVENT_LINK_UP => "link-up",
        qnet_sys::QNET_EVENT_LINK_DOWN => "link-down",
        qnet_sys::QNET_EVENT_LINK_UNBOUND => "link-unbound",
        qnet_sys::QNET_EVENT_SESSION_OPENED => "session-opened",
        qnet_sys::QNET_EVENT_NODE_UP => "node-up",
        qnet_sys::QNET_EVENT_NODE_CHANGED => "node-changed",
        qnet_sys::QNET_EVENT_NODE_DOWN => "node-down",
        qnet_sys::QNET_EVENT_SESSION_ENDED => "session-ended",
        _ => "unknown",
    }
}

fn reason(reason: u32) -> &'static str {
    match reason {
        qnet_sys::QNET_END_LOCAL => "closed by this node",
        qnet_sys::QNET_END_UNREACHABLE => "the node does not answer",
        qnet_sys::QNET_END_LINK_FAILED => "the link has failed",
        qnet_sys::QNET_END_PEER_DOWN => "closed by the other node",
        qnet_sys::QNET_END_PEER_RESTARTED => "the other node was started anew",
        _ => "unknown",
    }
}

/// Shows what happens, a line or an object each, until nobody reads it any more.
pub(crate) fn run(json: bool) -> Result<(), Problem> {
    let mut listener = Listener::open()?;
    if !json {
        show::line("EVENT           OF")?;
    }
    loop {
        let event = match listener.next()? {
            Heard::Event(row) => Event::from(&row),
            Heard::Lost => Event::new("events-lost"),
        };
        let shown = match json {
            true => show::json_line(&event)?,
            false => show::line_if_read(event.to_string().trim_end())?,
        };
        if !shown {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let link = Event {
            interface: Some("eth0".into()),
            ifindex: Some(2),
            ..Event::new("link-up")
        };
        assert_eq!(link.to_string(), "link-up         eth0");
        let session = Event {
            nd: Some(1),
            node: Some("beta.example.org".into()),
            reason: Some(reason(qnet_sys::QNET_END_LOCAL)),
            ..Event::new(name_of(qnet_sys::QNET_EVENT_SESSION_ENDED))
        };
        assert_eq!(
            session.to_string(),
            "session-ended   beta.example.org (nd 0x1): closed by this node"
        );
        let json = serde_json::to_value(&link).unwrap();
        let wanted = serde_json::json!({ "event": "link-up", "interface": "eth0", "ifindex": 2 });
        assert_eq!(json, wanted);
    }
}
