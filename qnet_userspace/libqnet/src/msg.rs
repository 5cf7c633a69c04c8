// SPDX-License-Identifier: LGPL-2.1-or-later

//! MsgSend(), MsgReceive(), MsgRead(), MsgWrite(), MsgReply() and MsgError() in all their forms.

use std::ffi::{
    c_int,
    c_long,
    c_void, //
};

use qnet::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Error,
    Result, //
};

use crate::{
    answer,
    channels::CHANNELS,
    timer, //
};

/// What a receiver is told of a message: `struct _msg_info` of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct _msg_info {
    /// The client's node, as the server numbers it.
    pub nd: u32,
    /// The server's node, as the client numbers it.
    pub srcnd: u32,
    /// The client's process.
    pub pid: i32,
    /// The client's thread.
    pub tid: i32,
    /// The channel it was received on.
    pub chid: i32,
    /// The server's number for the client process.
    pub scoid: i32,
    /// The client's number for the connection.
    pub coid: i32,
    /// The client's priority.
    pub priority: i16,
    /// `_NTO_MI_*`.
    pub flags: i16,
    /// Bytes received.
    pub msglen: isize,
    /// Bytes sent by the client.
    pub srcmsglen: isize,
    /// The client's room for a reply.
    pub dstmsglen: isize,
    /// Zero.
    pub type_id: u32,
    /// Zero.
    pub reserved: u32,
}

/// The longest buffer there is: longer ones are not a number of bytes that a call can return.
const LONGEST: usize = isize::MAX as usize;

/// # Safety
///
/// As [`Source::from_raw`].
unsafe fn source<'a>(base: *const c_void, length: usize) -> Result<Source<'a>> {
    if length > LONGEST {
        return Err(Error::EOVERFLOW);
    }
    // SAFETY: The caller promises what is asked for.
    Ok(unsafe { Source::from_raw(base.cast(), length) })
}

/// # Safety
///
/// As [`Sink::from_raw`].
unsafe fn sink<'a>(base: *mut c_void, length: usize) -> Result<Sink<'a>> {
    if length > LONGEST {
        return Err(Error::EOVERFLOW);
    }
    // SAFETY: The caller promises what is asked for.
    Ok(unsafe { Sink::from_raw(base.cast(), length) })
}

fn send(coid: c_int, message: Result<Source<'_>>, reply: Result<Sink<'_>>) -> Result<c_long> {
    let timeout = timer::take();
    match raw::send(coid, message?, reply?, timeout) {
        Ok(sent) => Ok(sent.status),
        // What other files and sockets say to the call. A server may answer with these numbers
        // too, so they are changed only when there is no server.
        Err(Error::ENOTTY | Error::ENOTCONN | Error::EINVAL)
            if !raw::is_connection(raw::fd_of(coid)?) =>
        {
            Err(Error::EBADF)
        }
        Err(error) => Err(error),
    }
}

/// # Safety
///
/// `info` must be null or valid to write.
unsafe fn receive(chid: c_int, buffer: Result<Sink<'_>>, info: *mut _msg_info) -> Result<c_int> {
    let timeout = timer::take();
    let stay = CHANNELS.enter(chid)?;
    let (rcvid, told) = raw::receive(stay.fd(), buffer?, timeout)?;
    // For a pulse, which has no sender to reply to, Neutrino leaves the structure as it is.
    // SAFETY: The caller says that it is null or valid.
    if let Some(info) = unsafe { info.as_mut() }.filter(|_| rcvid != 0) {
        *info = _msg_info {
            nd: told.nd,
            srcnd: told.srcnd,
            pid: told.pid,
            tid: told.tid,
            chid: told.chid,
            scoid: told.scoid,
            coid: told.coid,
            priority: told.priority,
            flags: told.flags,
            msglen: told.msglen as isize,
            srcmsglen: told.srcmsglen as isize,
            dstmsglen: told.dstmsglen as isize,
            type_id: told.type_id,
            reserved: 0,
        };
    }
    Ok(rcvid)
}

fn reply(rcvid: c_int, status: c_long, data: Result<Source<'_>>) -> Result<c_int> {
    timer::drop_armed();
    raw::reply(rcvid, status, data?).map_err(answer_to_nobody)?;
    Ok(0)
}

fn error(rcvid: c_int, error: c_int) -> Result<c_int> {
    timer::drop_armed();
    raw::error(rcvid, error).map_err(answer_to_nobody)?;
    Ok(0)
}

fn read(rcvid: c_int, buffer: Result<Sink<'_>>, offset: usize) -> Result<isize> {
    let timeout = timer::take();
    copied(raw::read(rcvid, offset, buffer?, timeout))
}

fn write(rcvid: c_int, data: Result<Source<'_>>, offset: usize) -> Result<isize> {
    let timeout = timer::take();
    copied(raw::write(rcvid, offset, data?, timeout))
}

fn copied(bytes: Result<usize>) -> Result<isize> {
    let bytes = bytes.map_err(answer_to_nobody)?;
    isize::try_from(bytes).map_err(|_| Error::EOVERFLOW)
}

/// Without the module nothing was received that could be answered.
fn answer_to_nobody(error: Error) -> Error {
    match error {
        Error::EAFNOSUPPORT => Error::ESRCH,
        other => other,
    }
}

/// Defines the four forms of a send: with and without `errno`, and the names of those that are no
/// cancellation points, which none of ours is.
macro_rules! sends {
    ($(
        $name:ident $name_r:ident $name_nc:ident $name_nc_r:ident
        ($($argument:ident: $type:ty),*) = $message:expr, $reply:expr;
    )*) => { $(
        sends! { @one classic $name ($($argument: $type),*) = $message, $reply }
        sends! { @one plain $name_r ($($argument: $type),*) = $message, $reply }
        sends! { @one classic $name_nc ($($argument: $type),*) = $message, $reply }
        sends! { @one plain $name_nc_r ($($argument: $type),*) = $message, $reply }
    )* };
    (@one $answer:ident $name:ident ($($argument:ident: $type:ty),*)
        = $message:expr, $reply:expr) => {
        /// Sends a message and waits for the reply; see MsgSend(3).
        ///
        /// # Safety
        ///
        /// The buffers must be the caller's: the message to read, the reply to write.
        #[no_mangle]
        pub unsafe extern "C" fn $name(coid: c_int, $($argument: $type),*) -> c_long {
            // SAFETY: The caller promises what is asked for.
            let (message, reply) = unsafe { ($message, $reply) };
            answer::$answer(|| send(coid, message, reply))
        }
    };
}

sends! {
    MsgSend MsgSend_r MsgSendnc MsgSendnc_r
        (smsg: *const c_void, sbytes: usize, rmsg: *mut c_void, rbytes: usize)
        = source(smsg, sbytes), sink(rmsg, rbytes);
    MsgSendv MsgSendv_r MsgSendvnc MsgSendvnc_r
        (siov: *const libc::iovec, sparts: usize, riov: *const libc::iovec, rparts: usize)
        = Source::from_raw_parts(siov, sparts), Sink::from_raw_parts(riov, rparts);
    MsgSendsv MsgSendsv_r MsgSendsvnc MsgSendsvnc_r
        (smsg: *const c_void, sbytes: usize, riov: *const libc::iovec, rparts: usize)
        = source(smsg, sbytes), Sink::from_raw_parts(riov, rparts);
    MsgSendvs MsgSendvs_r MsgSendvsnc MsgSendvsnc_r
        (siov: *const libc::iovec, sparts: usize, rmsg: *mut c_void, rbytes: usize)
        = Source::from_raw_parts(siov, sparts), sink(rmsg, rbytes);
}

/// Defines the two forms of a call that takes a buffer.
macro_rules! calls {
    ($(
        #[doc = $doc:literal]
        $name:ident $name_r:ident ($($argument:ident: $type:ty),*) -> $result:ty = $call:expr;
    )*) => { $(
        calls! { @one #[doc = $doc] classic $name ($($argument: $type),*) -> $result = $call }
        calls! { @one #[doc = $doc] plain $name_r ($($argument: $type),*) -> $result = $call }
    )* };
    (@one #[doc = $doc:literal] $answer:ident $name:ident ($($argument:ident: $type:ty),*)
        -> $result:ty = $call:expr) => {
        #[doc = $doc]
        ///
        /// # Safety
        ///
        /// The buffers must be the caller's: what is sent to read, what is received to write.
        #[no_mangle]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            answer::$answer(|| {
                // SAFETY: The caller promises what is asked for.
                unsafe { $call }
            })
        }
    };
}

calls! {
    #[doc = "Waits for a message; see MsgReceive(3)."]
    MsgReceive MsgReceive_r
        (chid: c_int, msg: *mut c_void, bytes: usize, info: *mut _msg_info) -> c_int
        = receive(chid, sink(msg, bytes), info);
    #[doc = "Waits for a message and scatters it; see MsgReceive(3)."]
    MsgReceivev MsgReceivev_r
        (chid: c_int, iov: *const libc::iovec, parts: usize, info: *mut _msg_info) -> c_int
        = receive(chid, Sink::from_raw_parts(iov, parts), info);
    #[doc = "Replies to a message; see MsgReply(3)."]
    MsgReply MsgReply_r
        (rcvid: c_int, status: c_long, msg: *const c_void, bytes: usize) -> c_int
        = reply(rcvid, status, source(msg, bytes));
    #[doc = "Replies to a message with gathered data; see MsgReply(3)."]
    MsgReplyv MsgReplyv_r
        (rcvid: c_int, status: c_long, iov: *const libc::iovec, parts: usize) -> c_int
        = reply(rcvid, status, Source::from_raw_parts(iov, parts));
    #[doc = "Copies bytes of a blocked client's message; see MsgRead(3)."]
    MsgRead MsgRead_r
        (rcvid: c_int, msg: *mut c_void, bytes: usize, offset: usize) -> isize
        = read(rcvid, sink(msg, bytes), offset);
    #[doc = "Copies bytes of a blocked client's message and scatters them; see MsgRead(3)."]
    MsgReadv MsgReadv_r
        (rcvid: c_int, iov: *const libc::iovec, parts: usize, offset: usize) -> isize
        = read(rcvid, Sink::from_raw_parts(iov, parts), offset);
    #[doc = "Copies bytes into a blocked client's reply area; see MsgWrite(3)."]
    MsgWrite MsgWrite_r
        (rcvid: c_int, msg: *const c_void, bytes: usize, offset: usize) -> isize
        = write(rcvid, source(msg, bytes), offset);
    #[doc = "Copies gathered bytes into a blocked client's reply area; see MsgWrite(3)."]
    MsgWritev MsgWritev_r
        (rcvid: c_int, iov: *const libc::iovec, parts: usize, offset: usize) -> isize
        = write(rcvid, Source::from_raw_parts(iov, parts), offset);
}

/// Fails a client's send; see MsgReply(3).
#[no_mangle]
pub extern "C" fn MsgError(rcvid: c_int, err: c_int) -> c_int {
    answer::classic(|| error(rcvid, err))
}

/// Fails a client's send; see MsgReply(3).
#[no_mangle]
pub extern "C" fn MsgError_r(rcvid: c_int, err: c_int) -> c_int {
    answer::plain(|| error(rcvid, err))
}
