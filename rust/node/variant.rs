// SPDX-License-Identifier: GPL-2.0

//! The QoS by which a session's messages take their paths.
//!
//! The same node is dealt with in one session a QoS, and has a node descriptor for each: its number
//! is in the low 16 bits, that of the QoS in the high ones. What a node string asks for has its
//! number here; what another node opened with a QoS of its own is known by the number there, and has
//! no descriptor.

use super::paths::Paths;
use crate::proto::names::{
    Policy,
    Qos, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Whose number a QoS goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Here,
    There,
}

/// The QoS of one session.
pub(crate) struct Variant {
    pub(super) policy: Policy,
    /// This node's number for it; 0: load balance, or it is not this node's.
    pub(super) index: u16,
    origin: Origin,
    /// The number under which it is known where it comes from.
    number: u16,
    /// What a node string asked for.
    qos: Option<Qos>,
    /// The paths by which the peer itself sends, by bit: those that it prefers.
    came: Atomic<u32>,
}

impl Variant {
    /// Load balance over all links.
    pub(super) fn plain() -> Self {
        Self {
            policy: Policy::LoadBalance,
            index: 0,
            origin: Origin::Here,
            number: 0,
            qos: None,
            came: Atomic::new(0),
        }
    }

    /// What a node string asked for, under this node's number `index`.
    pub(super) fn asked(qos: &Qos, index: u16) -> Self {
        Self {
            policy: qos.policy,
            index,
            number: index,
            qos: Some(*qos),
            ..Self::plain()
        }
    }

    /// What another node opened a session with, under its own number.
    pub(super) fn of_peer(policy: Policy, number: u16) -> Self {
        Self {
            policy,
            origin: Origin::There,
            number,
            ..Self::plain()
        }
    }

    /// Whether another node chose it.
    pub(super) fn is_of_peer(&self) -> bool {
        self.origin == Origin::There
    }

    /// Whether it is the one of this node with that number.
    pub(super) fn is_ours(&self, index: u16) -> bool {
        self.origin == Origin::Here && self.number == index
    }

    /// Whether it is the one that another node has under that number.
    pub(super) fn is_theirs(&self, policy: Policy, number: u16) -> bool {
        self.origin == Origin::There && self.policy == policy && self.number == number
    }

    /// The number that goes into headers.
    pub(super) fn wire_index(&self) -> u16 {
        self.number
    }

    /// What a node string has to say to get it; `None` for the default.
    pub(crate) fn qos(&self) -> Option<&Qos> {
        self.qos.as_ref()
    }

    /// The peer opened its session, or sent a message, by `path`. Says whether that is news: then the
    /// policy has to be applied anew.
    pub(super) fn came_by(&self, path: u8) -> bool {
        let bit = 1 << (path & 7);
        self.origin == Origin::There && self.came.xchg(bit, Relaxed) != bit
    }

    /// The paths over the interface that the policy names, by bit. Without a name it is the first.
    pub(super) fn named(&self, paths: &Paths) -> u8 {
        if self.origin == Origin::There {
            return (self.came.load(Relaxed) & 0xff) as u8;
        }
        let interface = self.qos.as_ref().and_then(|qos| qos.interface.as_ref());
        match interface {
            Some(name) => paths.by(|link| link.dev.name().as_bytes() == name.as_bytes()),
            None => paths.first().map_or(0, |first| {
                let link = first.link.clone();
                paths.by(|other| other.is(&link))
            }),
        }
    }
}
