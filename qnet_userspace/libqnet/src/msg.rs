// SPDX-License-Identifier: LGPL-2.1-or-later

//! MsgSend(), MsgRead(), MsgWrite(), MsgReply() and MsgError() in all their forms.

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
    answer::{
        self,
        calls, //
    },
    buffer::{
        sink,
        source, //
    },
    timer, //
};

fn send(coid: c_int, message: Result<Source<'_>>, reply: Result<Sink<'_>>) -> Result<c_long> {
    let timeout = timer::take();
    match raw::send(coid, message?, reply?, timeout) {
        Ok(sent) => Ok(sent.status),
        Err(error) => Err(on_connection(coid, error)),
    }
}

/// What a call on a connection says: EBADF instead of what other files and sockets say to it. A
/// server may answer with these numbers too, so they are changed only when there is no server.
pub(crate) fn on_connection(coid: c_int, error: Error) -> Error {
    match error {
        Error::ENOTTY | Error::ENOTCONN | Error::EINVAL
            if !raw::fd_of(coid).is_ok_and(raw::is_connection) =>
        {
            Error::EBADF
        }
        error => error,
    }
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
pub(crate) fn answer_to_nobody(error: Error) -> Error {
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

calls! {
    /// Replies to a message; see MsgReply(3).
    pointers fn MsgReply MsgReply_r
        (rcvid: c_int, status: c_long, msg: *const c_void, bytes: usize) -> c_int
        = reply(rcvid, status, source(msg, bytes));
    /// Replies to a message with gathered data; see MsgReply(3).
    pointers fn MsgReplyv MsgReplyv_r
        (rcvid: c_int, status: c_long, iov: *const libc::iovec, parts: usize) -> c_int
        = reply(rcvid, status, Source::from_raw_parts(iov, parts));
    /// Copies bytes of a blocked client's message; see MsgRead(3).
    pointers fn MsgRead MsgRead_r
        (rcvid: c_int, msg: *mut c_void, bytes: usize, offset: usize) -> isize
        = read(rcvid, sink(msg, bytes), offset);
    /// Copies bytes of a blocked client's message and scatters them; see MsgRead(3).
    pointers fn MsgReadv MsgReadv_r
        (rcvid: c_int, iov: *const libc::iovec, parts: usize, offset: usize) -> isize
        = read(rcvid, Sink::from_raw_parts(iov, parts), offset);
    /// Copies bytes into a blocked client's reply area; see MsgRead(3).
    pointers fn MsgWrite MsgWrite_r
        (rcvid: c_int, msg: *const c_void, bytes: usize, offset: usize) -> isize
        = write(rcvid, source(msg, bytes), offset);
    /// Copies gathered bytes into a blocked client's reply area; see MsgRead(3).
    pointers fn MsgWritev MsgWritev_r
        (rcvid: c_int, iov: *const libc::iovec, parts: usize, offset: usize) -> isize
        = write(rcvid, Source::from_raw_parts(iov, parts), offset);
    /// Fails with ENOSYS, or with ENOREMOTE for a client on another node; see MsgRead(3). The header
    /// declares arguments of any kind behind the first, which nobody looks at.
    fn MsgReadwritev MsgReadwritev_r (rcvid: c_int) -> isize = {
        timer::drop_armed();
        match raw::info(rcvid) {
            Ok(info) if info.nd != 0 => Err(Error::ENOREMOTE),
            _ => Err(Error::ENOSYS),
        }
    };
    /// Fails a client's send; see MsgReply(3).
    fn MsgError MsgError_r (rcvid: c_int, err: c_int) -> c_int = error(rcvid, err);
}
