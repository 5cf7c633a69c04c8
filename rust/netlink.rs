// SPDX-License-Identifier: GPL-2.0

//! What the generic-netlink family `qnet` does: options, links, nodes, channels and blocked threads
//! of a namespace.

#![forbid(unsafe_code)]

use crate::{
    config::Value,
    ipc::listing,
    knet::{
        genl::{
            BlockedRow,
            ChannelRow,
            DomainName,
            GenlOps,
            LinkRow,
            NodeName,
            NodeRow,
            OptName,
            OptValue,
            Place, //
        },
        net::{
            per_net,
            Net, //
        },
        param,
        pid::PidNs, //
    },
    node::{
        now,
        Node,
        Nodes,
        Peer, //
    },
    proto::{
        names::Fqnn,
        qos::session::State, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// The family's commands.
pub(crate) struct Configuration;

impl GenlOps for Configuration {
    fn userns() -> bool {
        param::userns()
    }

    fn set_option(net: &Net, name: &[u8], value: &[u8]) -> Result {
        let node = node_of(net)?;
        if name == HOST {
            node.rename(value)
        } else {
            node.options.set(name, value)?;
            node.options_changed();
            Ok(())
        }
    }

    fn option_at(net: &Net, at: usize) -> Option<(OptName, OptValue)> {
        let node = node_of(net).ok()?;
        let Some(at) = at.checked_sub(1) else {
            let fqnn = node.fqnn();
            let host = fqnn.as_ref().map_or(&b""[..], Fqnn::as_bytes);
            return Some((OptName::new(HOST), OptValue::new(host)));
        };
        let (name, value) = node.options.get(at)?;
        let value = match value {
            Value::Number(number) => {
                OptValue::new(CString::try_from_fmt(fmt!("{number}")).ok()?.to_bytes())
            }
            Value::Word(word) => OptValue::new(word.as_bytes()),
        };
        Some((OptName::new(name.as_bytes()), value))
    }

    fn bind(net: &Net, ifname: &[u8]) -> Result {
        node_of(net)?.bind(net, ifname)
    }

    fn unbind(net: &Net, ifname: &[u8]) -> Result {
        node_of(net)?.unbind(ifname)
    }

    fn link_at(net: &Net, at: usize) -> Option<LinkRow> {
        let (ifname, link) = node_of(net).ok()?.binding_at(at)?;
        Some(match link {
            None => LinkRow {
                ifname,
                ifindex: 0,
                mac: [0; 6],
                mtu: 0,
                state: uapi::QNET_LINK_ABSENT,
            },
            Some(link) => LinkRow {
                ifname,
                ifindex: link.dev.ifindex(),
                mac: link.dev.mac(),
                mtu: link.dev.mtu(),
                state: if link.dev.is_up() && link.dev.has_carrier() {
                    uapi::QNET_LINK_UP
                } else {
                    uapi::QNET_LINK_DOWN
                },
            },
        })
    }

    fn node_at(net: &Net, from: u32) -> Option<(u32, NodeRow)> {
        let node = node_of(net).ok()?;
        if from == 0 {
            if let Some(fqnn) = node.fqnn() {
                return Some((1, own_row(&node, &fqnn)));
            }
        }
        let peer = node.peer_from(u16::try_from(from).ok()?)?;
        Some((u32::from(peer.nd) + 1, peer_row(&peer)))
    }

    fn channel_at(net: &Net, place: &mut Place) -> Option<ChannelRow> {
        listing::next_channel(&*node_of(net).ok()?, place, &PidNs::of_caller())
    }

    fn blocked_at(net: &Net, place: &mut Place) -> Option<BlockedRow> {
        listing::next_blocked(&*node_of(net).ok()?, place, &PidNs::of_caller())
    }
}

/// The option that is no number: the node's name.
const HOST: &[u8] = b"host";

fn node_of(net: &Net) -> Result<Arc<Node>> {
    per_net::<Nodes>(net).ok_or(ENETDOWN)
}

/// This node, by its first link.
fn own_row(node: &Node, fqnn: &Fqnn) -> NodeRow {
    let link = node.links().into_iter().flatten().next();
    NodeRow {
        nd: 0,
        name: NodeName::new(fqnn.name()),
        domain: DomainName::new(fqnn.domain()),
        ifname: link.as_ref().map(|link| link.dev.name()),
        mac: link.map_or([0; 6], |link| link.dev.mac()),
        age_ms: 0,
        state: uapi::QNET_NODE_LOCAL,
    }
}

fn peer_row(peer: &Peer) -> NodeRow {
    let (path, heard, state) = peer.describe();
    let age = now().as_nanos().saturating_sub(heard.as_nanos());
    NodeRow {
        nd: peer.descriptor(),
        name: NodeName::new(peer.fqnn.name()),
        domain: DomainName::new(peer.fqnn.domain()),
        ifname: path.as_ref().map(|path| path.link.dev.name()),
        mac: path.map_or([0; 6], |path| path.mac),
        age_ms: age / 1_000_000,
        state: match state {
            State::Closed | State::Closing => uapi::QNET_NODE_KNOWN,
            State::Opening | State::Accepted => uapi::QNET_NODE_OPENING,
            State::Up => uapi::QNET_NODE_UP,
        },
    }
}
