// SPDX-License-Identifier: LGPL-2.1-or-later

//! Messages: sent, received, read, answered.

use std::ffi::c_int;

use qnet_sys::{
    qnet_buf,
    qnet_current,
    qnet_error,
    qnet_keydata,
    qnet_msg_info,
    qnet_pulse,
    qnet_rcvid_info,
    qnet_receive,
    qnet_reply,
    qnet_send,
    qnet_transfer, //
};

use super::{
    control,
    fd_of,
    ioctl,
    Sink,
    Source, //
};
use crate::{
    Error,
    Result,
    Timeout, //
};

/// What a reply brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The status that the server replied.
    pub status: i64,
    /// Bytes put into the reply buffer.
    pub replied: u64,
}

/// Sends a message on a connection and waits for the reply.
pub fn send(coid: c_int, message: Source<'_>, reply: Sink<'_>, timeout: Timeout) -> Result<Sent> {
    let fd = fd_of(coid)?;
    let mut argument = qnet_send {
        size: size_of::<qnet_send>() as u32,
        send: message.0,
        reply: reply.0,
        timeout: timeout.to_raw(),
        coid,
        ..Default::default()
    };
    // SAFETY: The number is this structure's, and `Source` and `Sink` answer for the buffers.
    unsafe { ioctl(fd, qnet_sys::QNET_IOC_SEND, &mut argument) }?;
    Ok(Sent {
        status: argument.status,
        replied: argument.replied,
    })
}

/// What came on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message: its rcvid, and who sent it.
    Message(i32, qnet_msg_info),
    /// A pulse, of which nothing is in the buffer.
    Pulse(qnet_pulse),
}

/// The answer to a message, which goes out before the next is received.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Which message.
    pub rcvid: i32,
    /// What the client's send returns.
    pub status: i64,
    /// The reply.
    pub data: Source<'a>,
}

/// Receives a message or a pulse on a channel.
#[inline]
pub fn receive(fd: c_int, buffer: Sink<'_>, timeout: Timeout) -> Result<Received> {
    let mut argument = receive_argument(buffer, timeout);
    // SAFETY: `Sink` answers for the buffer.
    unsafe { receive_with(fd, &mut argument) }
}

/// Receives a pulse on a channel; messages stay in the queue.
pub fn receive_pulse(fd: c_int, timeout: Timeout) -> Result<qnet_pulse> {
    let mut argument = qnet_receive {
        flags: qnet_sys::QNET_RECEIVE_PULSE,
        ..receive_argument(Sink::new(&mut []), timeout)
    };
    // SAFETY: There is no buffer.
    match unsafe { receive_with(fd, &mut argument) }? {
        Received::Pulse(pulse) => Ok(pulse),
        Received::Message(..) => Err(Error::EBADMSG),
    }
}

/// Answers a message and receives the next one, or a pulse, in one system call: what came, and what
/// became of the answer. The one may fail and the other not.
pub fn reply_receive(
    fd: c_int,
    answer: Answer<'_>,
    buffer: Sink<'_>,
    timeout: Timeout,
) -> (Result<Received>, Result<()>) {
    let mut argument = qnet_receive {
        rcvid: answer.rcvid,
        status: answer.status,
        reply: answer.data.0,
        ..receive_argument(buffer, timeout)
    };
    // SAFETY: `Sink` and `Source` answer for the buffers.
    let received = unsafe { receive_with(fd, &mut argument) };
    let answered = match argument.reply_error {
        0 => Ok(()),
        errno => Err(Error::from_errno(errno)),
    };
    (received, answered)
}

fn receive_argument(buffer: Sink<'_>, timeout: Timeout) -> qnet_receive {
    qnet_receive {
        size: size_of::<qnet_receive>() as u32,
        buf: buffer.0,
        timeout: timeout.to_raw(),
        ..Default::default()
    }
}

/// # Safety
///
/// The buffers of `argument` must be the caller's: `buf` to write, `reply` to read.
#[inline]
unsafe fn receive_with(fd: c_int, argument: &mut qnet_receive) -> Result<Received> {
    // SAFETY: The number is this structure's, and the caller answers for the buffers.
    unsafe { ioctl(fd, qnet_sys::QNET_IOC_RECEIVE, argument) }?;
    Ok(match argument.rcvid {
        0 => Received::Pulse(argument.pulse),
        rcvid => Received::Message(rcvid, argument.info),
    })
}

/// Replies to a message that this process received.
pub fn reply(rcvid: i32, status: i64, data: Source<'_>) -> Result<()> {
    let mut argument = qnet_reply {
        size: size_of::<qnet_reply>() as u32,
        rcvid,
        status,
        buf: data.0,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and `Source` answers for the buffer.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_REPLY, &mut argument) }
    })
}

/// Copies bytes of a message that this process received, from `offset` on: how many there were.
pub fn read(rcvid: i32, offset: usize, buffer: Sink<'_>, timeout: Timeout) -> Result<usize> {
    // SAFETY: `Sink` answers for the buffer.
    unsafe { transfer(qnet_sys::QNET_IOC_READ, rcvid, offset, buffer.0, timeout) }
}

/// Copies bytes into the reply area of a message's client, from `offset` on: how many it has room
/// for.
pub fn write(rcvid: i32, offset: usize, data: Source<'_>, timeout: Timeout) -> Result<usize> {
    // SAFETY: `Source` answers for the buffer.
    unsafe { transfer(qnet_sys::QNET_IOC_WRITE, rcvid, offset, data.0, timeout) }
}

/// # Safety
///
/// `number` must be one of a [`qnet_transfer`], and `buf` the caller's, to write or to read as the
/// call does.
unsafe fn transfer(
    number: u32,
    rcvid: i32,
    offset: usize,
    buf: qnet_buf,
    timeout: Timeout,
) -> Result<usize> {
    let mut argument = qnet_transfer {
        size: size_of::<qnet_transfer>() as u32,
        rcvid,
        offset: offset as u64,
        buf,
        timeout: timeout.to_raw(),
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and the caller answers for the buffer.
        unsafe { ioctl(fd, number, &mut argument) }
    })?;
    Ok(argument.done as usize)
}

/// Fails the send of a message that this process received.
pub fn error(rcvid: i32, error: i32) -> Result<()> {
    let mut argument = qnet_error {
        size: size_of::<qnet_error>() as u32,
        rcvid,
        error,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_ERROR, &mut argument) }
    })
}

/// Who sent a message that this process received, whose client is blocked.
pub fn info(rcvid: i32) -> Result<qnet_msg_info> {
    let mut argument = qnet_rcvid_info {
        size: size_of::<qnet_rcvid_info>() as u32,
        rcvid,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_INFO, &mut argument) }
    })?;
    Ok(argument.info)
}

/// Says that the thread works for the client of this message from now on; 0: for nobody.
pub fn current(rcvid: i32) -> Result<()> {
    let mut argument = qnet_current {
        size: size_of::<qnet_current>() as u32,
        rcvid,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_CURRENT, &mut argument) }
    })
}

/// Makes a key for data, or checks one: `op` is one of `QNET_KEYDATA_*`.
pub fn key_data(rcvid: i32, op: u32, key: u32, data: Source<'_>) -> Result<u32> {
    let mut argument = qnet_keydata {
        size: size_of::<qnet_keydata>() as u32,
        rcvid,
        op,
        key,
        data: data.0,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and `Source` answers for the buffer.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_KEYDATA, &mut argument) }
    })?;
    Ok(argument.newkey)
}
