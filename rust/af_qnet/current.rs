// SPDX-License-Identifier: GPL-2.0

//! For whom a thread works: MsgCurrent (`QNET_IOC_CURRENT`), and what a receive and a reply do to
//! the priority of the thread.

use super::{
    argument::{
        reserved,
        Argument, //
    },
    QnetSocket, //
};
use crate::{
    ipc::{
        priority::Lender,
        Channel,
        Process, //
    },
    uapi, //
};
use kernel::prelude::*;

/// The calling thread works for the client of a message, or for nobody. Process context.
///
/// Errors: `ESRCH` when nobody waits under that rcvid.
#[inline(never)]
pub(super) fn current(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::Current = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let process = socket.caller()?;
    if call.rcvid == 0 {
        process.lent.give_back_mine();
        return Ok(());
    }
    let transaction = process.blocked(call.rcvid)?;
    let channel = transaction.channel().ok_or(ESRCH)?;
    works_for(channel, call.rcvid, transaction.priority());
    Ok(())
}

/// The calling thread works for the sender of the message `rcvid` (0: of a pulse) of `channel`.
pub(super) fn works_for(channel: &Channel, rcvid: i32, priority: (i16, Lender)) {
    let process: &Process = &channel.process;
    let lent = &process.lent;
    if !channel.lends() {
        lent.give_back_mine();
        return;
    }
    if !lent.lend(&process.node, rcvid, channel.chid, priority) {
        return;
    }
    // Who destroyed the channel or answered the message meanwhile may have looked before there was
    // anything to give back.
    if channel.is_destroyed() {
        lent.channel_gone(channel.chid);
    }
    if rcvid != 0 && process.blocked(rcvid).is_err() {
        lent.give_back(rcvid);
    }
}
