// SPDX-License-Identifier: GPL-2.0

//! What is shown of messages between processes of one node, to who taps its loopback device.
//!
//! A message is shown as MSGSEND when it is sent, its answer as MSGREPLY or MSGERROR with the same
//! handle, a program's pulse as PULSE. Message and reply have their first [`MOST`] bytes; `srcmsglen`
//! tells the whole length of a message.

use super::{
    pulse::Pulse,
    transaction::{
        Client,
        Outcome,
        Payload,
        Transaction, //
    },
    Channel, //
};
use crate::{
    knet::{
        pid::Pid,
        skb::TxSkb, //
    },
    node::Node,
    proto::wire::{
        errno,
        kif::{
            self,
            Message,
            MsgSend,
            PulseInfo,
            Transfer,
            Vtid, //
        },
    },
};
/// The most bytes of data that are shown: as many as Neutrino sends along with a message.
const MOST: usize = 8192;

/// Shows a message that is about to be queued, if it stays on this node and somebody looks. No lock
/// may be held.
pub(super) fn sent(node: &Node, transaction: &Transaction) {
    if node.is_tapped() {
        show_sent(node, transaction);
    }
}

#[cold]
fn show_sent(node: &Node, transaction: &Transaction) {
    let (Some((client, server, chid)), Some(payload)) = (ends(transaction), transaction.payload())
    else {
        return;
    };
    let handle = node.next_shown();
    transaction.is_shown_as(handle);
    let data = shown(&payload);
    let sender = &transaction.sender;
    let clipped = |length: i64| i32::try_from(length).unwrap_or(i32::MAX);
    let message = Message::MsgSend(MsgSend {
        server_id: chid as u32,
        client_handle: handle,
        vtid: Vtid {
            tid: sender.tid,
            coid: sender.coid,
            priority: i32::from(sender.priority),
            srcmsglen: clipped(sender.srcmsglen),
            keydata: 0,
            srcnd: 0,
            dstmsglen: clipped(sender.dstmsglen),
        },
        nbytes: data.len() as u32,
        credentials: None,
    });
    show(node, client, server, &message, data);
}

/// What shows the answer to a message that was shown, should it be the one that counts. No lock may be
/// held.
#[cold]
pub(super) fn answer(transaction: &Transaction, handle: u32, outcome: &Outcome) -> Option<TxSkb> {
    let (client, server, _) = ends(transaction)?;
    let (message, data) = match outcome {
        Outcome::Reply {
            status,
            data,
            offset,
        } => {
            let data = shown(data);
            let reply = Message::MsgReply(Transfer {
                status: i32::try_from(*status).unwrap_or(i32::MAX),
                handle,
                offset: u32::try_from(*offset).unwrap_or(u32::MAX),
                nbytes: data.len() as u32,
            });
            (reply, data)
        }
        Outcome::Error(error) => {
            let error = Message::MsgError(Transfer {
                status: errno::to_wire(-error),
                handle,
                ..Transfer::default()
            });
            (error, &[][..])
        }
        // The sender gave up by itself, which no message tells.
        Outcome::Abandoned(_) | Outcome::Busy | Outcome::Again { .. } => return None,
    };
    frame(transaction.node(), server, client, &message, data)
}

/// Shows a pulse of the process `from` that was queued, if somebody looks. No lock may be held.
pub(super) fn pulsed(node: &Node, from: &Pid, channel: &Channel, pulse: &Pulse) {
    if node.is_tapped() {
        show_pulse(node, from, channel, pulse);
    }
}

#[cold]
fn show_pulse(node: &Node, from: &Pid, channel: &Channel, pulse: &Pulse) {
    let priority = i32::from(pulse.priority);
    let message = Message::Pulse(kif::Pulse {
        server_id: channel.chid as u32,
        vtid: Vtid {
            priority,
            ..Vtid::default()
        },
        pulse: PulseInfo {
            code: pulse.code,
            // The network has 32 bits for it.
            value: pulse.value as i32,
            scoid: pulse.scoid,
            ..PulseInfo::default()
        },
        priority,
        ..kif::Pulse::default()
    });
    show(node, from, &channel.process.pid, &message, &[]);
}

/// Client, server and channel of a message that stays on this node.
fn ends(transaction: &Transaction) -> Option<(&Pid, &Pid, i32)> {
    let Client::Thread { process, .. } = &transaction.client else {
        return None;
    };
    let channel = transaction.channel()?;
    Some((process, &channel.process.pid, channel.chid))
}

fn shown(payload: &Payload) -> &[u8] {
    let bytes = match payload {
        Payload::Copied(bytes) => &bytes[..],
        Payload::Frame { .. } => &[],
    };
    bytes.get(..MOST).unwrap_or(bytes)
}

fn show(node: &Node, from: &Pid, to: &Pid, message: &Message, data: &[u8]) {
    if let Some(frame) = frame(node, from, to, message, data) {
        node.show(frame);
    }
}

fn frame(node: &Node, from: &Pid, to: &Pid, message: &Message, data: &[u8]) -> Option<TxSkb> {
    let pids = node.wire_pids();
    node.shown(from.nr_in(&pids), to.nr_in(&pids), message, data)
}
