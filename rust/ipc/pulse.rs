// SPDX-License-Identifier: GPL-2.0

//! Pulses: small messages that nobody waits for.
//!
//! A program sends them with MsgSendPulse, on this node or from another; the module itself sends
//! those by which a server learns that a client wants to leave, or has left, and a client that its
//! server is gone.

use super::{
    channel::{
        Channel,
        Room, //
    },
    priority::Lender,
    process::Process, //
};
use crate::{
    node::Node,
    proto::kif::priority,
    stats::Counter,
    uapi, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A pulse in the queue of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// On Neutrino's scale.
    pub(crate) priority: i16,
    /// Who has chosen it.
    pub(crate) lender: Lender,
    /// A program's own are not negative.
    pub(crate) code: i8,
    /// What the code is about.
    pub(crate) value: i64,
    /// The receiver's number for the client; -1 when there is none.
    pub(crate) scoid: i32,
}

impl Pulse {
    /// A client wants to leave whose message was received as `rcvid`.
    pub(super) fn unblock(rcvid: i32, scoid: i32, (priority, lender): (i16, Lender)) -> Self {
        Self {
            priority,
            lender,
            code: uapi::QNET_PULSE_UNBLOCK,
            value: i64::from(rcvid),
            scoid,
        }
    }

    /// All connections of a client to the channel are gone.
    pub(super) fn disconnect(scoid: i32) -> Self {
        Self {
            priority: priority::ORDINARY,
            lender: Lender::Here,
            code: uapi::QNET_PULSE_DISCONNECT,
            value: 0,
            scoid,
        }
    }

    /// A thread of the receiver's process has ended.
    pub(super) fn thread_death(tid: i32) -> Self {
        Self {
            priority: priority::ORDINARY,
            lender: Lender::Here,
            code: uapi::QNET_PULSE_THREADDEATH,
            value: i64::from(tid),
            scoid: -1,
        }
    }

    /// The server behind a connection of the receiver's process is gone.
    pub(super) fn coid_death(coid: i32) -> Self {
        Self {
            priority: priority::ORDINARY,
            lender: Lender::Here,
            code: uapi::QNET_PULSE_COIDDEATH,
            value: i64::from(coid),
            scoid: -1,
        }
    }

    /// Whether it is about the client of that rcvid.
    pub(super) fn is_unblock_of(&self, rcvid: i32) -> bool {
        self.code == uapi::QNET_PULSE_UNBLOCK && self.value == i64::from(rcvid)
    }
}

/// Sends a pulse of the module's own; one that cannot be queued is counted, and nothing else can be
/// done. Legal in softirq; no lock may be held.
pub(super) fn notify(channel: &Channel, pulse: Pulse) {
    match channel.queue_pulse(pulse, Room::Notice) {
        Ok(()) => {}
        // Whom it was for has ended the channel.
        Err(error) if error == ESRCH => {}
        Err(_) => channel.process.node.stats.count(Counter::PulsesLost),
    }
}

/// The server of that coid of `process` is gone: if the process wants to know, it is told.
pub(super) fn coid_died(process: &Process, coid: i32) {
    if let Some(channel) = process.channel_with(uapi::QNET_CHF_COID_DISCONNECT) {
        notify(&channel, Pulse::coid_death(coid));
    }
}

/// A thread of the process has ended: if the process wants to know, it is told.
pub(super) fn thread_died(process: &Process, tid: i32) {
    if let Some(channel) = process.channel_with(uapi::QNET_CHF_THREAD_DEATH) {
        notify(&channel, Pulse::thread_death(tid));
    }
}

/// A channel was destroyed: processes of this node that have connections to it are told, by what they
/// poll, and by a pulse if they want to know. Process context; no lock is held.
pub(super) fn channel_died(node: &Node, gone: &Arc<Channel>) {
    for process in Process::all(node) {
        let channel = process.channel_with(uapi::QNET_CHF_COID_DISCONNECT);
        process.for_each_connection(
            |connection| connection.is_to_channel(gone) && !connection.is_dead(),
            |connection| {
                connection.ring();
                if let Some(channel) = &channel {
                    notify(channel, Pulse::coid_death(connection.coid()));
                }
            },
        );
    }
}
