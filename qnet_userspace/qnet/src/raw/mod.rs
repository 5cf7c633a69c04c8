// SPDX-License-Identifier: LGPL-2.1-or-later

//! One function for each call of the module, on file descriptors: what the rest of this crate and
//! `libqnet` are made of. Most programs want [`Channel`](crate::Channel) and
//! [`Connection`](crate::Connection) instead.

mod buffer;
mod event;
mod message;
mod node;
mod posted;
mod socket;

use std::{
    ffi::c_int,
    os::fd::{
        AsRawFd,
        BorrowedFd, //
    },
};

pub use self::{
    buffer::{
        Sink,
        Source, //
    },
    event::{
        client_info,
        deliver,
        free_scoid,
        send_pulse,
        signal, //
    },
    message::{
        current,
        error,
        info,
        key_data,
        read,
        receive,
        receive_pulse,
        reply,
        reply_receive,
        send,
        write,
        Answer,
        Received,
        Sent, //
    },
    node::{
        ndtostr,
        remote_nd,
        strtond, //
    },
    posted::{
        recvmsg,
        sendmsg,
        Control,
        Got, //
    },
    socket::{
        bind,
        connect,
        connection_info,
        destroy,
        detach,
        fd_of,
        is_connection,
        is_ours,
        peer_name,
        raise,
        set_access,
        set_coid,
        socket_name,
        version, //
    },
};
pub use crate::process::{
    control,
    family,
    open_socket, //
};
use crate::{
    Error,
    Result, //
};

/// Makes an ioctl whose argument is `argument`.
///
/// # Safety
///
/// `T` must be what the kernel takes with `number`, and whatever `argument` points to must be the
/// caller's to give for the length of the call.
unsafe fn ioctl<T>(fd: c_int, number: u32, argument: &mut T) -> Result<()> {
    // SAFETY: `argument` is a valid structure; the caller answers for its kind and its pointers.
    match unsafe { libc::ioctl(fd, number as _, argument as *mut T) } {
        -1 => Err(Error::last()),
        _ => Ok(()),
    }
}

/// Makes an ioctl that has no argument.
fn command(fd: BorrowedFd<'_>, number: u32) -> Result<()> {
    // SAFETY: The ioctls of the interface that have no argument touch no memory, and neither
    // does one of another kind of file with a number of type 'q' and size 0.
    match unsafe { libc::ioctl(fd.as_raw_fd(), number as _, 0) } {
        -1 => Err(Error::last()),
        _ => Ok(()),
    }
}
