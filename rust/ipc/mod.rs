// SPDX-License-Identifier: GPL-2.0

//! Message passing: processes, channels, connections and transactions of one node.
//!
//! A [`Process`] has [`Channel`]s and rcvids; a client has [`Connection`]s; each message under way
//! is a [`Transaction`], in the queue of a channel, in the rcvid table of the process that received
//! it, or in the table of those that wait for another node.
//!
//! # Lock order
//!
//! All locks here are leaves: none is held while another is taken. What spans two objects is done in
//! an order that leaves no gap instead. A transaction that waits for another node is put into the
//! table first and its connection is looked at after that, while who ends a connection marks it
//! first and searches the table after that: one of the two sees the other.

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod handles;
pub(crate) mod input;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod transaction;

pub(crate) use self::{
    channel::Channel,
    connection::Connection,
    process::Process,
    transaction::Transaction, //
};

use self::{
    handles::Handles,
    server::ServerConnection,
    transaction::Outcome, //
};
use crate::{
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh, //
    },
    node::Peer,
    proto::{
        kif::transaction::Event,
        qos::session::DownReason, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The most sends to other nodes that wait at a time in a namespace.
const MAX_WAITING: usize = 65536;
/// The most connections to other nodes that a namespace has.
const MAX_CLIENTS: usize = 65536;
/// The most connections that other nodes have to channels of a namespace.
const MAX_SERVERS: usize = 65536;

/// A node's tables of message passing.
#[pin_data]
pub(crate) struct Ipc {
    /// Processes that have sockets.
    #[pin]
    pub(crate) processes: SpinLockBh<KVec<process::Entry>>,
    /// Sends that wait for another node, by client handle.
    #[pin]
    pub(crate) waiting: SpinLockBh<Handles<Arc<Transaction>>>,
    /// Connections to channels on other nodes, by client id.
    #[pin]
    pub(crate) clients: SpinLockBh<Handles<Arc<Connection>>>,
    /// Connections that other nodes have to channels here, by server id.
    #[pin]
    pub(crate) servers: SpinLockBh<Handles<Arc<ServerConnection>>>,
}

impl Ipc {
    /// Empty tables.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            processes <- new_spinlock_bh!(KVec::new()),
            waiting <- new_spinlock_bh!(Handles::new(MAX_WAITING)),
            clients <- new_spinlock_bh!(Handles::new(MAX_CLIENTS)),
            servers <- new_spinlock_bh!(Handles::new(MAX_SERVERS)),
        })
    }
}

/// The session `session` with `peer` has ended: who waits for that node is released, and its own
/// clients are gone. Softirq or process context; no lock is held.
pub(crate) fn session_ended(peer: &Arc<Peer>, session: u32, reason: DownReason) {
    let ipc = &peer.node.ipc;
    // Connections first, so that nobody begins anew on what has ended.
    connection::session_ended(peer, session);
    let error = match reason {
        DownReason::Unreachable => EHOSTUNREACH,
        DownReason::LinkFailed
        | DownReason::PeerDown
        | DownReason::PeerRestarted
        | DownReason::Local => EHOSTDOWN,
    };
    loop {
        let lost = ipc
            .waiting
            .lock()
            .remove_if(|transaction| transaction.is_out_by(peer, session));
        let Some(transaction) = lost else {
            break;
        };
        // Who came first, the answer or the end, has decided already.
        let _ = transaction.finish(Event::ServerGone, Outcome::Error(error.to_errno()));
    }
    loop {
        let gone = ipc
            .servers
            .lock()
            .remove_if(|server| server.is_of(peer, session));
        let Some(server) = gone else {
            break;
        };
        server.ended();
    }
}
