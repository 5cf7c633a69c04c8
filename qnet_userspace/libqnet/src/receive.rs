// SPDX-License-Identifier: LGPL-2.1-or-later

//! MsgReceive() and MsgReceivePulse() in all their forms, and qnet_reply_receive().

use std::ffi::{
    c_int,
    c_long,
    c_void, //
};

use qnet::{
    raw::{
        self,
        Answer,
        Received,
        Source, //
    },
    Error,
    Result, //
};

use crate::{
    answer::calls,
    buffer::{
        pulse_bytes,
        Room, //
    },
    channels::CHANNELS,
    info::_msg_info,
    timer, //
};

/// An answer that goes out before the next message is received: `struct qnet_answer` of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct qnet_answer {
    /// The message, or 0: there is none to answer.
    pub rcvid: c_int,
    /// Out: 0, or why it could not be answered.
    pub error: c_int,
    /// What MsgSend() returns.
    pub status: c_long,
    /// The parts of the reply.
    pub iov: *const libc::iovec,
    /// How many there are.
    pub parts: usize,
}

/// # Safety
///
/// The room must be the caller's to write, and `info` null or valid to write.
unsafe fn receive(chid: c_int, room: Room, info: *mut _msg_info) -> Result<c_int> {
    let timeout = timer::take();
    let stay = CHANNELS.enter(chid)?;
    // SAFETY: The caller promises what is asked for.
    let received = raw::receive(stay.fd(), unsafe { room.sink() }?, timeout)?;
    // SAFETY: As above.
    unsafe { tell(received, room, info) }
}

/// # Safety
///
/// As [`receive`]; `answer` must be null or valid to write, and what it points to the caller's to
/// read.
unsafe fn reply_receive(
    chid: c_int,
    answer: *mut qnet_answer,
    room: Room,
    info: *mut _msg_info,
) -> Result<c_int> {
    // SAFETY: The caller says that it is null or valid.
    let answer = unsafe { answer.as_mut() }.ok_or(Error::EFAULT)?;
    answer.error = 0;
    if answer.rcvid == 0 {
        // SAFETY: The caller promises what is asked for.
        return unsafe { receive(chid, room, info) };
    }
    let timeout = timer::take();
    let stay = CHANNELS.enter(chid)?;
    // SAFETY: The caller promises what is asked for.
    let (data, sink) = unsafe {
        (
            Source::from_raw_parts(answer.iov, answer.parts)?,
            room.sink()?,
        )
    };
    let reply = Answer {
        rcvid: answer.rcvid,
        status: answer.status,
        data,
    };
    let (received, answered) = raw::reply_receive(stay.fd(), reply, sink, timeout);
    answer.error = answered.err().map_or(0, |error| error.errno());
    // SAFETY: As above.
    unsafe { tell(received?, room, info) }
}

/// # Safety
///
/// As [`receive`].
unsafe fn receive_pulse(chid: c_int, room: Room) -> Result<c_int> {
    let timeout = timer::take();
    let stay = CHANNELS.enter(chid)?;
    // SAFETY: The caller promises what is asked for. What is no buffer is said before a pulse is
    // taken from the queue.
    unsafe { room.sink() }?;
    let pulse = raw::receive_pulse(stay.fd(), timeout)?;
    // SAFETY: The caller promises what is asked for.
    unsafe { room.store(&pulse_bytes(pulse)) }?;
    Ok(0)
}

/// Stores what the caller is told of a message, or the pulse. For a pulse, which has no sender to
/// reply to, Neutrino leaves the information as it is; one that finds no room is lost.
///
/// # Safety
///
/// As [`receive`].
unsafe fn tell(received: Received, room: Room, info: *mut _msg_info) -> Result<c_int> {
    match received {
        Received::Message(rcvid, told) => {
            // SAFETY: The caller says that it is null or valid.
            if let Some(info) = unsafe { info.as_mut() } {
                *info = told;
            }
            Ok(rcvid)
        }
        Received::Pulse(pulse) => {
            // SAFETY: The caller says that the room is his.
            unsafe { room.store(&pulse_bytes(pulse)) }?;
            Ok(0)
        }
    }
}

calls! {
    /// Waits for a message or a pulse; see MsgReceive(3).
    pointers fn MsgReceive MsgReceive_r
        (chid: c_int, msg: *mut c_void, bytes: usize, info: *mut _msg_info) -> c_int
        = receive(chid, Room::Piece(msg, bytes), info);
    /// Waits for a message or a pulse and scatters it; see MsgReceive(3).
    pointers fn MsgReceivev MsgReceivev_r
        (chid: c_int, iov: *const libc::iovec, parts: usize, info: *mut _msg_info) -> c_int
        = receive(chid, Room::Parts(iov, parts), info);
    /// Waits for a pulse; see MsgReceivePulse(3).
    pointers fn MsgReceivePulse MsgReceivePulse_r
        (chid: c_int, pulse: *mut c_void, bytes: usize, _info: *mut _msg_info) -> c_int
        = receive_pulse(chid, Room::Piece(pulse, bytes));
    /// Waits for a pulse and scatters it; see MsgReceivePulse(3).
    pointers fn MsgReceivePulsev MsgReceivePulsev_r
        (chid: c_int, piov: *const libc::iovec, parts: usize, _info: *mut _msg_info) -> c_int
        = receive_pulse(chid, Room::Parts(piov, parts));
    /// Replies and waits for the next message or pulse; see qnet_reply_receive(3).
    pointers fn qnet_reply_receive qnet_reply_receive_r
        (chid: c_int, answer: *mut qnet_answer, msg: *mut c_void, bytes: usize,
         info: *mut _msg_info) -> c_int
        = reply_receive(chid, answer, Room::Piece(msg, bytes), info);
    /// Replies and waits for the next message or pulse, scattered; see qnet_reply_receive(3).
    pointers fn qnet_reply_receivev qnet_reply_receivev_r
        (chid: c_int, answer: *mut qnet_answer, iov: *const libc::iovec, parts: usize,
         info: *mut _msg_info) -> c_int
        = reply_receive(chid, answer, Room::Parts(iov, parts), info);
}
