// SPDX-License-Identifier: GPL-2.0

//! What a listing shows of message passing: the channels of a node, and who is blocked on whom.
//!
//! A listing is made a row at a time, with a [`Place`] that says where it goes on. No lock is held
//! from one row to the next, so that it may take as long as its reader likes. The price: what comes
//! and goes meanwhile may be missing, or be shown twice. Anybody may ask, so that no row takes long: of
//! a channel's receivers the first 256 are shown. Processes are shown by number and channels
//! by theirs, so a listing ends however much comes and goes.
//!
//! Numbers of processes and threads are those of the reader's pid namespace.

use super::{
    handles::place_behind,
    transaction::{
        Client,
        Transaction, //
    },
    Channel,
    Process, //
};
use crate::{
    knet::{
        genl::{
            BlockedRow,
            ChannelRow,
            Place, //
        },
        pid::PidNs,
        timer::tick_ns,
        wait::WaitQueue, //
    },
    node::Node,
    uapi, //
};

/// Stands behind all channels of a process, for what it has received on any.
const RECEIVED: i32 = i32::MAX;
/// The places of a channel's receivers begin here, behind those of its queue.
const RECEIVERS: u64 = 1 << 32;

// Process 0 is what waits for other nodes, which comes first.
impl Place {
    /// The same process, at the beginning of a channel.
    fn at_channel(self, chid: i32) -> Self {
        Self {
            chid,
            at: 0,
            ..self
        }
    }

    /// The beginning of a process.
    fn at_process(process: i32) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }
}

/// The next channel, which `place` is moved behind. Process context.
pub(crate) fn next_channel(node: &Node, place: &mut Place, reader: &PidNs) -> Option<ChannelRow> {
    loop {
        let process = Process::from_number(node, place.process)?;
        let number = process.pid.number();
        if number != place.process {
            *place = Place::at_process(number);
        }
        if let Some(channel) = process.channel_from(place.chid) {
            *place = place.at_channel(channel.chid.checked_add(1)?);
            return Some(row_of(&channel, reader));
        }
        *place = Place::at_process(number.checked_add(1)?);
    }
}

fn row_of(channel: &Channel, reader: &PidNs) -> ChannelRow {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (messages, pulses) = channel.queued();
    ChannelRow {
        pid: channel.process.pid.nr_in(reader),
        chid: channel.chid,
        flags: channel.flags,
        messages: count(messages),
        pulses: count(pulses),
        waiting: channel.receivers().map(WaitQueue::waiters).iter().sum(),
    }
}

/// The next thread that is blocked, which `place` is moved behind. Process context.
pub(crate) fn next_blocked(node: &Node, place: &mut Place, reader: &PidNs) -> Option<BlockedRow> {
    if place.process == 0 {
        if let Some(row) = for_other_nodes(node, place, reader) {
            return Some(row);
        }
        *place = Place::at_process(1);
    }
    loop {
        let process = Process::from_number(node, place.process)?;
        let number = process.pid.number();
        if number != place.process {
            *place = Place::at_process(number);
        }
        if let Some(row) = in_process(&process, place, reader) {
            return Some(row);
        }
        *place = Place::at_process(number.checked_add(1)?);
    }
}

/// The next thread of this node that waits for another one.
fn for_other_nodes(node: &Node, place: &mut Place, reader: &PidNs) -> Option<BlockedRow> {
    loop {
        let (handle, transaction) = {
            let waiting = node.ipc.waiting.lock();
            let (handle, transaction) = waiting.find_from(index(place)?, |_| true)?;
            (handle, transaction.clone())
        };
        place.at = place_behind(handle) as u64;
        // No packet tells when a server there receives a message. Once it is with the session, the
        // sender waits for nothing but the reply.
        let state = match transaction.has_session() {
            true => uapi::QNET_BLOCKED_REPLY,
            false => uapi::QNET_BLOCKED_SEND,
        };
        if let Some(row) = sender(&transaction, state, reader) {
            return Some(row);
        }
    }
}

/// The next thread that is blocked on a process, or of it on one of its own channels.
fn in_process(process: &Process, place: &mut Place, reader: &PidNs) -> Option<BlockedRow> {
    while place.chid < RECEIVED {
        let Some(channel) = process.channel_from(place.chid) else {
            *place = place.at_channel(RECEIVED);
            break;
        };
        if channel.chid != place.chid {
            *place = place.at_channel(channel.chid);
        }
        if let Some(row) = on_channel(&channel, place, reader) {
            return Some(row);
        }
        *place = place.at_channel(channel.chid.saturating_add(1));
    }
    loop {
        let (rcvid, transaction) = process.received_from(index(place)?)?;
        place.at = place_behind(rcvid) as u64;
        if let Some(row) = sender(&transaction, uapi::QNET_BLOCKED_REPLY, reader) {
            return Some(row);
        }
    }
}

/// The next thread whose message waits in a channel, or that receives there.
fn on_channel(channel: &Channel, place: &mut Place, reader: &PidNs) -> Option<BlockedRow> {
    while place.at < RECEIVERS {
        let Some(queued) = channel.queued_at(index(place)?) else {
            place.at = RECEIVERS;
            break;
        };
        place.at += 1;
        let row = queued.and_then(|it| sender(&it, uapi::QNET_BLOCKED_SEND, reader));
        if row.is_some() {
            return row;
        }
    }
    let n = u32::try_from(place.at - RECEIVERS).ok()?;
    let [for_any, for_pulses] = channel.receivers();
    let waiter = for_any.waiter_at(n, reader).or_else(|| {
        let n = n.checked_sub(for_any.waiters())?;
        for_pulses.waiter_at(n, reader)
    })?;
    place.at += 1;
    let pid = channel.process.pid.nr_in(reader);
    Some(BlockedRow {
        state: uapi::QNET_BLOCKED_RECEIVE,
        age_ms: age_ms(waiter.since),
        bytes: 0,
        client_nd: 0,
        client_pid: pid,
        tid: waiter.tid,
        coid: 0,
        nd: 0,
        pid,
        chid: channel.chid,
    })
}

/// The sender of a message, if it still waits.
fn sender(transaction: &Transaction, state: u32, reader: &PidNs) -> Option<BlockedRow> {
    if transaction.is_finished() {
        return None;
    }
    let (client_nd, client_pid, tid) = match &transaction.client {
        Client::Thread { process, .. } => {
            // Its own name for the thread is as good, if it lives where the reader does.
            let own = process.is_in(reader).then_some(transaction.sender.tid);
            let tid = transaction.blocked_thread(reader).or(own);
            (0, process.nr_in(reader), tid.unwrap_or(0))
        }
        Client::Remote { server, .. } => (
            u32::from(server.peer.nd),
            server.client_pid,
            transaction.sender.tid,
        ),
    };
    let (nd, pid, chid) = server_of(transaction, reader)?;
    Some(BlockedRow {
        state,
        age_ms: age_ms(transaction.since),
        bytes: u64::try_from(transaction.sender.srcmsglen).unwrap_or(0),
        client_nd,
        client_pid,
        tid,
        coid: transaction.sender.coid,
        nd,
        pid,
        chid,
    })
}

/// Node, process and channel that a message is for.
fn server_of(transaction: &Transaction, reader: &PidNs) -> Option<(u32, i32, i32)> {
    if let Some(channel) = transaction.channel() {
        return Some((0, channel.process.pid.nr_in(reader), channel.chid));
    }
    match &transaction.client {
        Client::Thread { connection, .. } => {
            let address = &connection.address;
            Some((address.nd, address.pid, address.chid))
        }
        Client::Remote { .. } => None,
    }
}

fn index(place: &Place) -> Option<usize> {
    usize::try_from(place.at).ok()
}

fn age_ms(since: u64) -> u64 {
    tick_ns().saturating_sub(since) / 1_000_000
}
