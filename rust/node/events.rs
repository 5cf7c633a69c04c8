// SPDX-License-Identifier: GPL-2.0

//! What the listeners of a namespace are told: links, nodes and sessions that come and go.
//!
//! It is told where it is decided, after the locks are dropped; RTNL may be held, as it is when the
//! kernel tells of interfaces. Without a listener it costs a look.

use super::{
    link::Link,
    peer::Peer,
    Node, //
};
use crate::{
    knet::{
        genl::{
            EndReason,
            Event,
            LinkEvent,
            NodeEvent, //
        },
        netdev::DevName,
    },
    proto::qos::session::DownReason,
};

impl Node {
    fn tell(&self, event: impl FnOnce() -> Event) {
        // A namespace that ends has no listeners any more.
        let _ = self.home.with(|net| Event::tell(net, event));
    }
}

impl Link {
    /// Tells what has happened to the link that was bound by this name. Any context, without a lock of
    /// this module.
    pub(super) fn tell(&self, what: LinkEvent, name: &DevName) {
        let ifindex = self.dev.ifindex();
        self.node.tell(|| Event::of_link(what, name, ifindex));
    }

    /// Tells whether frames can leave by it, if that has changed. Under RTNL.
    pub(super) fn tell_carrier(&self, carrier: bool) {
        if self.carrier_is_news(carrier) {
            let what = match carrier {
                true => LinkEvent::Up,
                false => LinkEvent::Down,
            };
            self.tell(what, &self.dev.name());
        }
    }
}

impl Peer {
    /// Tells what has happened to the node, or to a session with it. Any context, without a lock of
    /// this module.
    pub(super) fn tell(&self, what: NodeEvent) {
        let fqnn = &self.fqnn;
        self.node
            .tell(|| Event::of_node(what, self.descriptor(), fqnn.name(), fqnn.domain()));
    }

    /// Tells that a session is over.
    pub(super) fn tell_end(&self, reason: DownReason) {
        let (reason, lost) = match reason {
            DownReason::Local => (EndReason::Local, false),
            DownReason::Unreachable => (EndReason::Unreachable, true),
            DownReason::LinkFailed => (EndReason::LinkFailed, true),
            DownReason::PeerDown => (EndReason::PeerDown, true),
            DownReason::PeerRestarted => (EndReason::PeerRestarted, true),
        };
        self.tell(NodeEvent::Ended(reason));
        if lost {
            self.tell(NodeEvent::Down);
        }
    }
}
