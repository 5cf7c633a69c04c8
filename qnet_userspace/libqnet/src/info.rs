// SPDX-License-Identifier: LGPL-2.1-or-later

//! MsgInfo(), MsgCurrent() and MsgKeyData(): what a server is told of a message, for whom its thread
//! works, and keys that it gives to clients.

use std::ffi::c_int;

use qnet::{
    raw::{
        self,
        Source, //
    },
    Error,
    Result, //
};

use crate::{
    answer::calls,
    msg::answer_to_nobody,
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

impl From<qnet_sys::qnet_msg_info> for _msg_info {
    fn from(told: qnet_sys::qnet_msg_info) -> Self {
        Self {
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
        }
    }
}

/// # Safety
///
/// `info` must be null or valid to write.
unsafe fn info(rcvid: c_int, info: *mut _msg_info) -> Result<c_int> {
    timer::drop_armed();
    let told = raw::info(rcvid).map_err(answer_to_nobody)?;
    // SAFETY: The caller says that it is null or valid.
    *unsafe { info.as_mut() }.ok_or(Error::EFAULT)? = told.into();
    Ok(0)
}

fn current(rcvid: c_int) -> Result<c_int> {
    timer::drop_armed();
    match raw::current(rcvid) {
        // Without the module the thread works for nobody as it is.
        Err(Error::EAFNOSUPPORT) if rcvid == 0 => Ok(0),
        result => result.map_err(answer_to_nobody).map(|()| 0),
    }
}

/// # Safety
///
/// `data` must be readable as far as it is mapped, and `newkey` null or valid to write.
unsafe fn key_data(
    rcvid: c_int,
    op: c_int,
    key: u32,
    newkey: *mut u32,
    data: Result<Source<'_>>,
) -> Result<c_int> {
    timer::drop_armed();
    let op = u32::try_from(op).map_err(|_| Error::EINVAL)?;
    let made = raw::key_data(rcvid, op, key, data?).map_err(answer_to_nobody)?;
    // SAFETY: The caller says that it is null or valid.
    *unsafe { newkey.as_mut() }.ok_or(Error::EFAULT)? = made;
    Ok(0)
}

calls! {
    /// Tells once more who sent a message; see MsgInfo(3).
    pointers fn MsgInfo MsgInfo_r (rcvid: c_int, info_: *mut _msg_info) -> c_int
        = info(rcvid, info_);
    /// Says for which message the thread works; see MsgCurrent(3).
    fn MsgCurrent MsgCurrent_r (rcvid: c_int) -> c_int = current(rcvid);
    /// Makes a key for data, or checks one; see MsgKeyData(3).
    pointers fn MsgKeyData MsgKeyData_r
        (rcvid: c_int, op: c_int, key: u32, newkey: *mut u32, iov: *const libc::iovec,
         parts: usize) -> c_int
        = key_data(rcvid, op, key, newkey, Source::from_raw_parts(iov, parts));
}
