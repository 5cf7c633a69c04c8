// SPDX-License-Identifier: GPL-2.0

//! `sendmsg()`, `recvmsg()` and `poll()`: messages of programs that wait for several things at a
//! time, or have io_uring wait for them.
//!
//! On a connection a message is sent, and its answer received later; on a channel messages and pulses
//! are received, and messages answered.

use super::{
    ioctl::{
        describe,
        next,
        told,
        Fill, //
    },
    QnetSocket,
    Role, //
};
use crate::{
    ipc::{
        connection::{
            Request,
            Unsent, //
        },
        parked::Call,
        transaction::{
            Outcome,
            Timeout, //
        },
        Channel,
        Connection, //
    },
    knet::{
        msg::Msg,
        sock::{
            of_wait,
            Ready, //
        },
        user::UserBuf,
        wait::{
            pending_signal,
            Signal, //
        }, //
    },
    proto::kif::transaction::TimeoutStates,
    uapi, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

/// The flags of `sendmsg()` that are understood: how long to wait is in the deadline, no signal is
/// ever sent, and each message is a record of its own, of which all is sent.
const SEND_FLAGS: u32 =
    bindings::MSG_DONTWAIT | bindings::MSG_NOSIGNAL | bindings::MSG_EOR | bindings::MSG_WAITALL;
/// Those of `recvmsg()`. With `MSG_WAITALL`, io_uring would put one record behind another.
const RECEIVE_FLAGS: u32 = bindings::MSG_DONTWAIT
    | bindings::MSG_NOSIGNAL
    | bindings::MSG_TRUNC
    | bindings::MSG_CMSG_CLOEXEC
    | bindings::MSG_CMSG_COMPAT;

/// `sendmsg()`. Process context.
///
/// Errors: `ENOTCONN` on a control socket, `EISCONN` for an address, `EOPNOTSUPP` for flags that are
/// not understood, `EINVAL` for other control messages than the one; otherwise those of MsgSend, of
/// MsgReply and of MsgError.
#[inline(never)]
pub(super) fn sendmsg(socket: &QnetSocket, msg: &Msg<'_>, deadline: Option<u64>) -> Result<usize> {
    if msg.flags() & !SEND_FLAGS != 0 {
        return Err(EOPNOTSUPP);
    }
    if msg.has_name() {
        return Err(super::errno(bindings::EISCONN));
    }
    match socket.role.as_ref() {
        Some(Role::Connection(connection)) => post(connection, msg, deadline),
        Some(Role::Channel(_)) => reply(socket, msg, deadline),
        None => Err(ENOTCONN),
    }
}

/// `recvmsg()`. Process context.
///
/// Errors: `ENOTCONN` on a control socket, `EOPNOTSUPP` for flags that are not understood, `EINVAL`
/// on a channel without room for the control message; otherwise those of MsgReceive, and of the
/// message that was answered.
#[inline(never)]
pub(super) fn recvmsg(
    socket: &QnetSocket,
    msg: &mut Msg<'_>,
    flags: u32,
    deadline: Option<u64>,
) -> Result<usize> {
    if flags & !RECEIVE_FLAGS != 0 {
        return Err(EOPNOTSUPP);
    }
    let whole = flags & bindings::MSG_TRUNC != 0;
    let got = match socket.role.as_ref() {
        Some(Role::Connection(connection)) => collect(connection, msg, deadline)?,
        Some(Role::Channel(_)) if whole => return Err(EOPNOTSUPP),
        Some(Role::Channel(_)) => receive(socket.own_channel()?, msg, deadline)?,
        None => return Err(ENOTCONN),
    };
    if got.stored < got.length {
        msg.was_truncated();
    }
    Ok(if whole { got.length } else { got.stored })
}

/// `poll()`. A control socket is as one that was hung up.
pub(super) fn poll(socket: &QnetSocket) -> Ready {
    match socket.role.as_ref() {
        Some(Role::Connection(connection)) => connection.ready(),
        Some(Role::Channel(channel)) => channel.ready(),
        None => Ready {
            hung_up: true,
            ..Ready::default()
        },
    }
}

/// What was received.
struct Got {
    /// The bytes that the program has.
    stored: usize,
    /// How many there were.
    length: usize,
}

/// A time-out that ends at `deadline`, whatever the call is blocked in.
fn until(deadline: Option<u64>, states: u32) -> Result<Timeout> {
    let states = if deadline.is_some() { states } else { 0 };
    Ok(Timeout {
        states: TimeoutStates::new(states).ok_or(EINVAL)?,
        ns: 0,
        deadline,
    })
}

/// Sends a message, and does not wait for the answer.
fn post(connection: &Arc<Connection>, msg: &Msg<'_>, deadline: Option<u64>) -> Result<usize> {
    let post = msg.control(uapi::QNET_CM_POST)?.unwrap_or(uapi::Post {
        cookie: 0,
        room: uapi::QNET_POST_ROOM,
        coid: connection.coid(),
    });
    let message = msg.buffer()?;
    let length = message.len();
    let request = Request {
        message,
        // How long it is counts; its bytes are kept in the kernel.
        reply: UserBuf::from_parts(0, u64::from(post.room), 0)?,
        timeout: until(deadline, uapi::QNET_TIMEOUT_SEND)?,
        coid: post.coid,
        call: Call::new(0, uapi::Send::default()),
    };
    connection
        .post(&request, post.cookie)
        .map_err(|unsent| match unsent {
            Unsent::Waited(error) => of_wait(error, deadline),
            Unsent::Refused(error) => error,
        })?;
    Ok(length)
}

/// Gets the answer of a message that was sent so.
fn collect(connection: &Arc<Connection>, msg: &mut Msg<'_>, deadline: Option<u64>) -> Result<Got> {
    let into = msg.buffer()?;
    let (posted, outcome) = connection
        .collect(deadline)
        .map_err(|error| of_wait(error, deadline))?;
    let mut answer = uapi::Answer {
        cookie: posted.cookie,
        ..uapi::Answer::default()
    };
    let mut got = Got {
        stored: 0,
        length: 0,
    };
    let failed = match outcome {
        Outcome::Reply {
            status,
            data,
            offset,
        } => {
            answer.status = status;
            let ahead = posted.request.reply.copy_written_to(&into)?;
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            let stored = data.copy_range(0, data.len(), &into, at)?;
            posted.count_copied(&data, stored);
            got.length = ahead.max(at.saturating_add(data.len()));
            got.stored = got.length.min(into.len());
            None
        }
        Outcome::Error(error) | Outcome::Abandoned(error) => Some(Error::from_errno(error)),
        // The program itself is to try again.
        Outcome::Busy | Outcome::Again { .. } => Some(EAGAIN),
    };
    if let Some(error) = failed {
        if !msg.has_room_for::<uapi::Answer>() {
            // EAGAIN would say that there is no answer.
            return Err(if error == EAGAIN { ENOBUFS } else { error });
        }
        answer.error = -error.to_errno();
    }
    if msg.has_room_for::<uapi::Answer>() {
        msg.put_control(uapi::QNET_CM_ANSWER, &answer)?;
    }
    Ok(got)
}

/// MsgReceive.
fn receive(channel: &Arc<Channel>, msg: &mut Msg<'_>, deadline: Option<u64>) -> Result<Got> {
    // Without its rcvid nobody could answer a message.
    if !msg.has_room_for::<uapi::Received>() {
        return Err(EINVAL);
    }
    let into = msg.buffer()?;
    let timeout = until(deadline, uapi::QNET_TIMEOUT_RECEIVE)?;
    channel.process.thread_calls()?;
    // Who only looks whether there is more goes on with what it has.
    let waits = deadline != Some(0);
    if waits {
        channel.process.lent.give_back_mine();
    }
    let fill = match waits {
        true => Fill::Whole(deadline),
        false => Fill::Nothing,
    };
    let next =
        next(channel, &timeout, false, &into, fill).map_err(|error| of_wait(error, deadline))?;
    if !waits {
        channel.process.lent.give_back_mine();
    }
    let mut received = uapi::Received::default();
    let place = (&mut received.rcvid, &mut received.info, &mut received.pulse);
    describe(channel, &next, place);
    let put = msg.put_control(uapi::QNET_CM_RECEIVED, &received);
    told(channel, &next, put)?;
    Ok(Got {
        stored: usize::try_from(received.info.msglen).unwrap_or(0),
        length: usize::try_from(received.info.srcmsglen).unwrap_or(0),
    })
}

/// MsgReply and MsgError.
fn reply(socket: &QnetSocket, msg: &Msg<'_>, deadline: Option<u64>) -> Result<usize> {
    let reply: uapi::Replied = msg.control(uapi::QNET_CM_REPLY)?.ok_or(EINVAL)?;
    let data = msg.buffer()?;
    let process = socket.caller()?;
    let replied = match reply.error {
        0 => process.reply(reply.rcvid, reply.status, &data),
        _ if data.len() != 0 || reply.status != 0 => return Err(EINVAL),
        error => super::ioctl::fail(&process, reply.rcvid, error),
    };
    process.lent.give_back(reply.rcvid);
    replied
        .map(|()| data.len())
        .map_err(|error| again(error, deadline))
}

/// What a program is told of the error that ended an answer: one that a signal ended has answered
/// nothing, and is given again unless a handler wants to know.
fn again(error: Error, deadline: Option<u64>) -> Error {
    match (error, pending_signal()) {
        // What io_uring tries at once, it tries again when its own work is done.
        (EINTR, Signal::Other) if deadline == Some(0) => EAGAIN,
        // The client's node has said so.
        (EINTR, Signal::None) => EINTR,
        (EINTR, _) => ERESTARTSYS,
        (error, _) => error,
    }
}
