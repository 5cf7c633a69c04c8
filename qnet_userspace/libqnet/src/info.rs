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

/// What a receiver is told of a message: `struct _msg_info` of the header, whose lengths have 64 bits
/// as well.
pub use qnet_sys::qnet_msg_info as _msg_info;

use crate::{
    answer::calls,
    msg::answer_to_nobody,
    timer, //
};

/// # Safety
///
/// `info` must be null or valid to write.
unsafe fn tell_again(rcvid: c_int, info: *mut _msg_info) -> Result<c_int> {
    timer::drop_armed();
    let told = raw::info(rcvid).map_err(answer_to_nobody)?;
    // SAFETY: The caller says that it is null or valid.
    *unsafe { info.as_mut() }.ok_or(Error::EFAULT)? = told;
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
    pointers fn MsgInfo MsgInfo_r (rcvid: c_int, info: *mut _msg_info) -> c_int
        = tell_again(rcvid, info);
    /// Says for which message the thread works; see MsgCurrent(3).
    fn MsgCurrent MsgCurrent_r (rcvid: c_int) -> c_int = current(rcvid);
    /// Makes a key for data, or checks one; see MsgKeyData(3).
    pointers fn MsgKeyData MsgKeyData_r
        (rcvid: c_int, op: c_int, key: u32, newkey: *mut u32, iov: *const libc::iovec,
         parts: usize) -> c_int
        = key_data(rcvid, op, key, newkey, Source::from_raw_parts(iov, parts));
}
