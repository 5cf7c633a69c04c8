// SPDX-License-Identifier: LGPL-2.1-or-later

//! ConnectAttach() and ConnectDetach().

use std::{
    ffi::{
        c_int,
        c_uint, //
    },
    os::fd::{
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
};

use qnet::{
    raw,
    Address,
    Connection,
    ConnectionOptions,
    Error,
    Node,
    Result, //
};

use crate::{
    answer::calls,
    timer, //
};

fn attach(nd: u32, pid: c_int, chid: c_int, index: c_uint, flags: c_int) -> Result<c_int> {
    timer::drop_armed();
    let side = index & qnet_sys::QNET_SIDE_CHANNEL;
    let lowest = c_int::try_from(index & !side).map_err(|_| Error::EINVAL)?;
    let cloexec = flags as u32 & qnet_sys::QNET_COF_CLOEXEC != 0;
    ConnectionOptions::new()
        // Neutrino hands no side channel on to another program.
        .cloexec(cloexec || side != 0)
        .side_channel(side != 0)
        .lowest(lowest)
        .flags(flags as u32)
        .attach(Address {
            node: Node::from_raw(nd),
            pid,
            chid,
        })
        .map(Connection::into_coid)
}

/// The bits of a client's number, of which a descriptor never has the lower.
const SCOID: c_int = 0x6000_0000;

fn detach(coid: c_int) -> Result<c_int> {
    timer::drop_armed();
    if coid >= 0 && coid & SCOID == SCOID {
        // A server that has been told that a client is gone.
        raw::free_scoid(coid).map_err(|_| Error::EINVAL)?;
        return Ok(0);
    }
    let fd = raw::fd_of(coid).map_err(|_| Error::EINVAL)?;
    // SAFETY: The number is not -1. Whether it is open, and a connection, the module says.
    raw::detach(unsafe { BorrowedFd::borrow_raw(fd) }).map_err(|_| Error::EINVAL)?;
    // SAFETY: It was a connection until now, and its owner gave it up with this call.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(0)
}

calls! {
    /// Attaches to a channel; see ConnectAttach(3).
    fn ConnectAttach ConnectAttach_r
        (nd: u32, pid: libc::pid_t, chid: c_int, index: c_uint, flags: c_int) -> c_int
        = attach(nd, pid, chid, index, flags);
    /// Ends a connection; see ConnectAttach(3).
    fn ConnectDetach ConnectDetach_r (coid: c_int) -> c_int = detach(coid);
}
