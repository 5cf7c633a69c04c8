// SPDX-License-Identifier: GPL-2.0

//! The ioctls of a socket: each a call of Neutrino's.

use super::{
    access::{
        access,
        client_info, //
    },
    argument::{
        buffer,
        reserved,
        timeout,
        Argument, //
    },
    current::{
        current,
        works_for, //
    },
    events,
    info,
    QnetSocket, //
};
use crate::{
    ipc::{
        channel::Received,
        connection::Request,
        parked::Call,
        pulse::Pulse,
        server_fault,
        transaction::{
            self,
            Payload,
            Timeout,
            Transaction, //
        },
        Channel,
        Process, //
    },
    knet::{
        param, trace,
        user::UserBuf,
        wait::{
            pending_signal,
            Signal, //
        },
    },
    node::{
        Node,
        Patience, //
    },
    proto::names::{
        self,
        Fqnn, //
    },
    uapi, //
};
use core::mem::offset_of;
use kernel::{
    ioctl::{
        _IOC_NR,
        _IOC_SIZE,
        _IOC_TYPE, //
    },
    prelude::*,
    sync::Arc, //
};

/// The longest string that is looked at for the name of a node, in bytes.
const LONGEST_STRING: usize = 1024;

/// Serves an ioctl. Process context, may sleep. Each call is a function of its own that is not
/// inlined, so that none pays for the stack of the others.
pub(super) fn ioctl(socket: &QnetSocket, cmd: u32, arg: usize) -> Result<isize> {
    if _IOC_TYPE(cmd) != uapi::QNET_IOC_MAGIC {
        return Err(ENOTTY);
    }
    let argument = Argument::new(arg, _IOC_SIZE(cmd));
    let nr = _IOC_NR(cmd);
    let result = serve(socket, nr, &argument);
    // What sends something decides for itself whether it may be repeated; what else a signal ends of
    // which no handler runs is done again as if nothing had been.
    if !matches!(nr, SEND | SIGNAL) && is_repeated(result) {
        return Err(ERESTARTNOINTR);
    }
    result.map(|()| 0)
}

/// Whether a signal ended the call of which no handler runs.
fn is_repeated(result: Result) -> bool {
    result.is_err_and(|error| error == EINTR) && pending_signal() == Signal::Other
}

/// The number of the ioctl that sends a message.
const SEND: u32 = 1;
/// The number of the one that sends a signal.
const SIGNAL: u32 = 20;

fn serve(socket: &QnetSocket, nr: u32, argument: &Argument) -> Result {
    match nr {
        0 => version(argument)?,
        SEND => send(socket, argument)?,
        2 => receive(socket, argument)?,
        3 => reply(socket, argument)?,
        4 => error(socket, argument)?,
        5 => socket.connection()?.detach()?,
        6 if !socket.own_channel()?.destroy(Patience::begin()) => return Err(EINVAL),
        6 => {}
        7 => strtond(socket, argument)?,
        8 => ndtostr(socket, argument)?,
        9 => read(socket, argument)?,
        10 => write(socket, argument)?,
        11 => events::send_pulse(socket, argument)?,
        12 => info::info(socket, argument)?,
        13 => current(socket, argument)?,
        14 => info::key_data(socket, argument)?,
        15 => events::deliver(socket, argument)?,
        16 => client_info(socket, argument)?,
        17 => info::connection_info(socket, argument)?,
        18 => info::coid(socket, argument)?,
        19 => access(socket, argument)?,
        SIGNAL => events::signal_kill(socket, argument)?,
        21 => remote_nd(socket, argument)?,
        22 => info::free_scoid(socket, argument)?,
        _ => return Err(ENOTTY),
    }
    Ok(())
}

#[inline(never)]
fn version(argument: &Argument) -> Result {
    let mut version: uapi::Version = argument.read()?;
    reserved(version.reserved == 0)?;
    version.abi = uapi::QNET_ABI_VERSION;
    version.family = u32::from(param::family());
    argument.write(&version)
}

#[inline(never)]
fn send(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut send: uapi::Send = argument.read()?;
    reserved(send.flags == 0 && send.reserved == 0)?;
    let request = Request {
        message: buffer(&send.send)?,
        reply: buffer(&send.reply)?,
        timeout: timeout(&send.timeout)?,
        coid: send.coid,
        call: Call::new(argument.address(), send),
    };
    let (status, replied) = socket.connection()?.send(&request)?;
    send.status = status;
    send.replied = replied as u64;
    argument.write(&send)
}

#[inline(never)]
fn receive(socket: &QnetSocket, argument: &Argument) -> Result {
    // At first there were neither pulses nor a reply in it.
    let mut receive: uapi::Receive = argument.read_since(offset_of!(uapi::Receive, pulse))?;
    let known = receive.flags & !uapi::QNET_RECEIVE_PULSE == 0;
    reserved(known && receive.reserved == 0 && receive.reserved2 == 0)?;
    reserved(receive.reply_error == 0 || receive.rcvid == 0)?;
    let into = buffer(&receive.buf)?;
    let answer = buffer(&receive.reply)?;
    // Messages that fail here do not prolong the wait for the next.
    let timeout = timeout(&receive.timeout)?.fixed_in_receive();
    let only_pulses = receive.flags & uapi::QNET_RECEIVE_PULSE != 0;
    let channel = socket.own_channel()?;
    channel.process.thread_calls()?;
    if receive.rcvid != 0 {
        // The call goes on, because nobody would come back for the next message otherwise.
        let replied = channel
            .process
            .reply(receive.rcvid, receive.status, &answer);
        channel.process.lent.give_back(receive.rcvid);
        // Not answered yet, and the server has no reason to try once more: the whole call is made again.
        if is_repeated(replied) {
            return replied;
        }
        receive.reply_error = replied.err().map_or(0, |error| -error.to_errno());
    }
    channel.process.lent.give_back_mine();
    let next =
        next(channel, &timeout, only_pulses, &into, Fill::Whole(None)).inspect_err(|_| {
            if receive.rcvid != 0 {
                // The call may come back, and must not answer twice. If it cannot be told that, it does
                // not come back either.
                let answered = uapi::Receive {
                    rcvid: 0,
                    ..receive
                };
                let _ = argument.write(&answered);
            }
        })?;
    let place = (&mut receive.rcvid, &mut receive.info, &mut receive.pulse);
    describe(channel, &next, place);
    told(channel, &next, argument.write(&receive))
}

/// What the caller got, as it is told: the rcvid and the message's information, or 0 and a pulse. Process
/// context.
#[inline]
pub(super) fn describe(
    channel: &Channel,
    next: &Next,
    (rcvid, info, pulse): (&mut i32, &mut uapi::MsgInfo, &mut uapi::Pulse),
) {
    match next {
        Next::Pulse(got) => {
            (*rcvid, *info) = (0, uapi::MsgInfo::default());
            *pulse = pulse_of(got);
        }
        Next::Message(transaction, number) => {
            (*rcvid, *pulse) = (*number, uapi::Pulse::default());
            *info = info::message_info(channel, transaction);
            trace::Receive::trace(|| traced(*rcvid, info, transaction));
        }
    }
}

/// The caller was told what it got, and works for the sender from now on; or could not be told. Process
/// context.
///
/// Errors: why it could not be told. Then the sender of a message gets an error, and a pulse is lost, as on
/// Neutrino.
#[inline]
pub(super) fn told(channel: &Channel, next: &Next, told: Result) -> Result {
    match next {
        Next::Pulse(pulse) => {
            told?;
            works_for(channel, 0, (pulse.priority, pulse.lender));
        }
        Next::Message(transaction, rcvid) => {
            told.inspect_err(|_| channel.process.withdraw(*rcvid, server_fault()))?;
            works_for(channel, *rcvid, transaction.priority());
        }
    }
    Ok(())
}

/// How much of a message a receive stores that its sender still has.
#[derive(Clone, Copy)]
pub(super) enum Fill {
    /// What there is room for, if the sender is there to copy it, until this moment at the latest.
    Whole(Option<u64>),
    /// Nothing: the receive waits for nobody.
    Nothing,
}

/// What a receiver got.
pub(super) enum Next {
    /// A pulse.
    Pulse(Pulse),
    /// A message, which has been copied, and its rcvid.
    Message(Arc<Transaction>, i32),
}

/// Waits for a pulse, or for a message whose bytes can be copied. Process context.
///
/// Errors: those of [`Channel::receive`], `EFAULT` for the server's memory, `ENOMEM`.
pub(super) fn next(
    channel: &Arc<Channel>,
    timeout: &Timeout,
    only_pulses: bool,
    into: &UserBuf,
    fill: Fill,
) -> Result<Next> {
    loop {
        let (transaction, payload) = match channel.receive(timeout, only_pulses)? {
            Received::Pulse(pulse) => return Ok(Next::Pulse(pulse)),
            Received::Message(transaction, payload) => (transaction, payload),
        };
        let msglen = match copy(&transaction, &payload, into, fill) {
            Ok(Some(msglen)) => msglen,
            // Only the sender's memory was at fault, or the sender is gone.
            Ok(None) => continue,
            Err(error) => return Err(failed(&transaction, error)),
        };
        drop(payload);
        let rcvid = deliver(channel, &transaction, msglen)?;
        return Ok(Next::Message(transaction, rcvid));
    }
}

/// A pulse as programs see it.
fn pulse_of(pulse: &Pulse) -> uapi::Pulse {
    uapi::Pulse {
        code: pulse.code,
        value: pulse.value,
        scoid: pulse.scoid,
        ..uapi::Pulse::default()
    }
}

/// The message has left the queue and cannot be given to the server, which its sender is told.
fn failed(transaction: &Transaction, error: Error) -> Error {
    // If the channel ended meanwhile, it has been told.
    let _ = transaction.fail(server_fault());
    error
}

/// Copies the message to the server, and says how many bytes; `None` when the sender is the one
/// whose call fails.
fn copy(
    transaction: &Arc<Transaction>,
    payload: &Payload,
    into: &UserBuf,
    fill: Fill,
) -> Result<Option<usize>> {
    let pushed = payload.copy_to(into)?;
    payload.count_copied(transaction.node(), pushed);
    let Fill::Whole(limit) = fill else {
        return Ok(Some(pushed));
    };
    match transaction.fill(into, pushed, limit) {
        Ok(rest) => Ok(Some(pushed + rest)),
        // The server can go on with what there is, and read the rest itself.
        Err(EINTR | ENOMEM | EAGAIN | ETIMEDOUT) => Ok(Some(pushed)),
        Err(error) if error == EFAULT => {
            // If the sender is gone already, there is nobody to tell.
            let _ = transaction.fail(-EFAULT.to_errno());
            Ok(None)
        }
        Err(error) if error == ESRCH => Ok(None),
        // The server's own memory.
        Err(_) => Err(EFAULT),
    }
}

/// Gives a message that was copied its rcvid.
fn deliver(channel: &Channel, transaction: &Arc<Transaction>, msglen: usize) -> Result<i32> {
    let rcvid = channel
        .process
        .received(transaction.clone())
        .map_err(|error| failed(transaction, error))?;
    if channel.is_destroyed() {
        // Destroyed in between: who did it may have searched the table before it was there. If it is not
        // there any more, he has taken it, and tells its sender.
        channel.process.withdraw(rcvid, -ESRCH.to_errno());
        transaction.check_sender();
        return Err(ESRCH);
    }
    transaction.given(rcvid, msglen);
    transaction.check_sender();
    Ok(rcvid)
}

#[cold]
fn traced(rcvid: i32, info: &uapi::MsgInfo, transaction: &Transaction) -> trace::Receive {
    let pid = match &transaction.client {
        transaction::Client::Thread { process, .. } => process.number(),
        transaction::Client::Remote { server, .. } => server.client_pid,
    };
    trace::Receive {
        chid: info.chid,
        rcvid,
        nd: info.nd,
        pid,
        tid: transaction.sender.tid,
        priority: info.priority,
        bytes: u64::try_from(info.msglen).unwrap_or(0),
    }
}

#[inline(never)]
fn reply(socket: &QnetSocket, argument: &Argument) -> Result {
    let reply: uapi::Reply = argument.read()?;
    reserved(reply.flags == 0 && reply.reserved == 0)?;
    let data = buffer(&reply.buf)?;
    let process = socket.caller()?;
    let replied = process.reply(reply.rcvid, reply.status, &data);
    // Nobody waits any more, or the message is still to be answered: then MsgCurrent lends again.
    process.lent.give_back(reply.rcvid);
    replied
}

#[inline(never)]
fn error(socket: &QnetSocket, argument: &Argument) -> Result {
    let error: uapi::MsgError = argument.read()?;
    reserved(error.flags == 0)?;
    let process = socket.caller()?;
    let told = fail(&process, error.rcvid, error.error);
    process.lent.give_back(error.rcvid);
    told
}

/// MsgError, of an error number that a program may pass.
///
/// Errors: `EINVAL` for others, and those of [`Process::error`].
pub(super) fn fail(process: &Process, rcvid: i32, error: c_int) -> Result {
    if !(-1..=transaction::MAX_ERRNO).contains(&error) {
        return Err(EINVAL);
    }
    process.error(rcvid, error)
}

/// What MsgRead and MsgWrite take.
fn transfer(argument: &Argument) -> Result<(uapi::Transfer, UserBuf, Timeout)> {
    let transfer: uapi::Transfer = argument.read()?;
    reserved(transfer.flags == 0 && transfer.reserved == 0)?;
    let buf = buffer(&transfer.buf)?;
    let timeout = timeout(&transfer.timeout)?;
    Ok((transfer, buf, timeout))
}

#[inline(never)]
fn read(socket: &QnetSocket, argument: &Argument) -> Result {
    let (mut call, into, timeout) = transfer(argument)?;
    let done = socket
        .caller()?
        .read(call.rcvid, call.offset, &into, &timeout)?;
    call.done = done as u64;
    argument.write(&call)
}

#[inline(never)]
fn write(socket: &QnetSocket, argument: &Argument) -> Result {
    let (mut call, from, timeout) = transfer(argument)?;
    let done = socket
        .caller()?
        .write(call.rcvid, call.offset, &from, &timeout)?;
    call.done = done as u64;
    argument.write(&call)
}

#[inline(never)]
fn strtond(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::NodeName = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let length = call.len as usize;
    if length > LONGEST_STRING {
        return Err(ENAMETOOLONG);
    }
    let timeout = timeout(&call.timeout)?;
    let mut string = KVVec::new();
    UserBuf::from_parts(call.string, length as u64, 0)?.read_all(&mut string, length)?;

    let node = &socket.node;
    let (fqnn, qos, used) = parse_name(node, &string)?;
    call.used = u32::try_from(used).map_err(|_| EINVAL)?;
    call.nd = if node.is_me(fqnn.name(), fqnn.domain()) {
        0
    } else {
        let runs = call.timeout.states & !uapi::QNET_TIMEOUT_ABSOLUTE != 0;
        let deadline = runs.then(|| timeout.deadline());
        let base = node.resolve(&fqnn, deadline)?;
        match qos {
            Some(qos) => node.variant(&base, &qos)?.descriptor(),
            None => base.descriptor(),
        }
    };
    argument.write(&call)
}

#[inline(never)]
fn remote_nd(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::RemoteNd = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let deadline = timeout(&call.timeout)?.in_transfer();
    call.nd = socket
        .node
        .remote_nd(call.remote_nd, call.local_nd, deadline)?;
    argument.write(&call)
}

/// The name that a string begins with, in this node's domain if it names none, the QoS if it is not
/// the default, and how many bytes of the string it is.
#[inline(never)]
fn parse_name(node: &Node, string: &[u8]) -> Result<(Fqnn, Option<names::Qos>, usize)> {
    let parsed = names::parse_node_string(string).map_err(|_| EINVAL)?;
    let own = node.fqnn();
    let domain = own.as_ref().map_or(names::Domain::EMPTY, own_domain);
    let fqnn = parsed.fqnn(&domain).map_err(|_| EINVAL)?;
    // Load balance takes every link, whichever it names.
    let qos = parsed
        .qos
        .filter(|qos| qos.policy != names::Policy::LoadBalance);
    Ok((fqnn, qos, parsed.used))
}

fn own_domain(fqnn: &Fqnn) -> names::Domain {
    // A node's own domain was a domain when the name was made.
    names::Domain::new(fqnn.domain()).unwrap_or(names::Domain::EMPTY)
}

#[inline(never)]
fn ndtostr(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::NodeName = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    timeout(&call.timeout)?;
    let name = name_of(&socket.node, call.nd)?;
    let name = &name[..];
    call.used = u32::try_from(name.len()).map_err(|_| EINVAL)?;

    let room = (call.len as usize).min(name.len() + 1);
    let out = UserBuf::from_parts(call.string, room as u64, 0)?;
    out.write(name.get(..room.min(name.len())).unwrap_or(name))?;
    if room > name.len() {
        out.write_at(name.len(), &[0])?;
    }
    argument.write(&call)
}

/// The name of the node with that descriptor, with the QoS if it is not the default.
///
/// Errors: `EINVAL` for a descriptor that is not in use.
fn name_of(node: &Node, nd: u32) -> Result<KVec<u8>> {
    let mut name = KVec::new();
    if nd == 0 {
        let fqnn = node.fqnn().ok_or(EINVAL)?;
        name.extend_from_slice(fqnn.as_bytes(), GFP_KERNEL)?;
        return Ok(name);
    }
    let peer = node.peer_by_nd(nd).ok_or(EINVAL)?;
    name.extend_from_slice(peer.fqnn.as_bytes(), GFP_KERNEL)?;
    if let Some(qos) = peer.variant.qos() {
        name.extend_from_slice(b"~", GFP_KERNEL)?;
        name.extend_from_slice(qos.policy.as_bytes(), GFP_KERNEL)?;
        if let Some(interface) = &qos.interface {
            name.extend_from_slice(b":", GFP_KERNEL)?;
            name.extend_from_slice(interface.as_bytes(), GFP_KERNEL)?;
        }
    }
    Ok(name)
}
