// SPDX-License-Identifier: GPL-2.0

//! The ioctls that tell what a message or a connection is.

use super::{
    argument::{
        buffer,
        reserved,
        Argument, //
    },
    QnetSocket, //
};
use crate::{
    ipc::{
        transaction::{
            Client,
            Transaction, //
        },
        Channel, //
    },
    knet::cred,
    uapi, //
};
use kernel::prelude::*;

/// What the receiver of a message is told of it.
pub(super) fn message_info(channel: &Channel, transaction: &Transaction) -> uapi::MsgInfo {
    let sender = &transaction.sender;
    let (nd, pid, tid) = match &transaction.client {
        // In another pid namespace the thread has another number than the one it calls itself by.
        Client::Thread { process, .. } => match process.is_in_callers() {
            true => (0, process.nr(), sender.tid),
            false => (0, process.nr(), 0),
        },
        Client::Remote { server, .. } => (u32::from(server.peer.nd), server.client_pid, sender.tid),
    };
    let mut flags = 0;
    if transaction.leaving().is_some() {
        flags |= uapi::QNET_MI_UNBLOCK_REQ;
    }
    if sender.client_changed {
        flags |= uapi::QNET_MI_NET_CRED_DIRTY;
    }
    uapi::MsgInfo {
        nd,
        srcnd: sender.srcnd,
        pid,
        tid,
        chid: channel.chid,
        scoid: transaction.scoid(),
        coid: sender.coid,
        priority: sender.priority,
        flags,
        msglen: transaction.msglen() as i64,
        srcmsglen: sender.srcmsglen,
        dstmsglen: sender.dstmsglen,
        type_id: 0,
        reserved: 0,
    }
}

/// MsgInfo.
#[inline(never)]
pub(super) fn info(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::RcvidInfo = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let transaction = socket.caller()?.blocked(call.rcvid)?;
    let channel = transaction.channel().ok_or(ESRCH)?;
    call.info = message_info(channel, &transaction);
    argument.write(&call)
}

/// MsgKeyData.
#[inline(never)]
pub(super) fn key_data(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::KeyData = argument.read()?;
    reserved(call.flags == 0)?;
    let data = buffer(&call.data)?;
    if !cred::is_administrator() {
        return Err(EPERM);
    }
    let key = socket.caller()?.key_of(call.rcvid, &data)?;
    call.newkey = match call.op {
        uapi::QNET_KEYDATA_CALCULATE | uapi::QNET_KEYDATA_CALCULATE_REUSE => key,
        uapi::QNET_KEYDATA_VERIFY if key == call.key => 0,
        uapi::QNET_KEYDATA_VERIFY => u32::MAX,
        _ => return Err(EINVAL),
    };
    argument.write(&call)
}

/// What ConnectServerInfo tells.
#[inline(never)]
pub(super) fn connection_info(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::ConnectionInfo = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let connection = socket.connection()?;
    let address = &connection.address;
    call.flags = match connection.is_cut_off() {
        true => uapi::QNET_CONNECTION_DEAD,
        false => 0,
    };
    call.nd = address.nd;
    call.pid = connection.server_pid();
    call.chid = address.chid;
    call.scoid = connection.scoid_of_caller();
    call.coid = connection.coid();
    argument.write(&call)
}

/// The number by which the process calls a connection.
#[inline(never)]
pub(super) fn coid(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::Coid = argument.read()?;
    reserved(call.coid >= 0)?;
    let connection = socket.connection()?;
    if !connection.owner().is_caller() {
        return Err(ESRCH);
    }
    connection.call_it(call.coid);
    Ok(())
}

/// ConnectDetach of a server.
#[inline(never)]
pub(super) fn free_scoid(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::FreeScoid = argument.read()?;
    socket.caller()?.free_scoid(call.scoid)
}
