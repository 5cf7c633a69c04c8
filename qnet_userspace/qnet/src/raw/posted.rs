// SPDX-License-Identifier: LGPL-2.1-or-later

//! `sendmsg()` and `recvmsg()` on the sockets of the family, for programs that poll.

use std::{
    ffi::c_int,
    mem,
    os::fd::{
        AsRawFd,
        BorrowedFd, //
    },
    ptr, //
};

use qnet_sys::{
    qnet_cm_answer,
    qnet_cm_post,
    qnet_cm_received,
    qnet_cm_reply,
    QNET_CM_ANSWER,
    QNET_CM_POST,
    QNET_CM_RECEIVED,
    QNET_CM_REPLY,
    SOL_QNET, //
};

use crate::{
    Error,
    Result, //
};

mod sealed {
    pub trait Sealed {}
}

/// A structure that travels as a control message.
pub trait Control: sealed::Sealed + Copy + Default {
    /// The type of the control message.
    const TYPE: c_int;
}

macro_rules! control {
    ($($name:ident = $number:ident,)*) => {
        $(
            impl sealed::Sealed for $name {}
            impl Control for $name {
                const TYPE: c_int = $number;
            }
        )*
    };
}

control! {
    qnet_cm_post = QNET_CM_POST,
    qnet_cm_answer = QNET_CM_ANSWER,
    qnet_cm_received = QNET_CM_RECEIVED,
    qnet_cm_reply = QNET_CM_REPLY,
}

/// Bytes of a buffer for a control message.
const ROOM: usize = 256;

/// A buffer for one control message, aligned as its head must be.
#[repr(align(8))]
struct Room([u8; ROOM]);

/// What `recvmsg()` got.
#[derive(Clone, Copy, Debug)]
pub struct Got<T> {
    /// How many bytes it stored; with `MSG_TRUNC`, how many there were.
    pub len: usize,
    /// The control message, if there was one.
    pub control: Option<T>,
    /// `MSG_TRUNC`, if there was more than fitted.
    pub flags: c_int,
}

/// `sendmsg()` with `MSG_*` flags, and perhaps a control message.
pub fn sendmsg<T: Control>(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    control: Option<&T>,
    flags: c_int,
) -> Result<usize> {
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut room = Room([0; ROOM]);
    // SAFETY: All zero is a valid header, without anything.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    if let Some(control) = control {
        header.msg_control = room.0.as_mut_ptr().cast();
        // SAFETY: These only compute; the buffer has room for the longest control message.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(mem::size_of::<T>() as u32) as _;
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = SOL_QNET;
            (*first).cmsg_type = T::TYPE;
            (*first).cmsg_len = libc::CMSG_LEN(mem::size_of::<T>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(first).cast::<T>(), *control);
        }
    }
    // SAFETY: The header and what it points to are valid, and the kernel only reads the bytes.
    match unsafe { libc::sendmsg(fd.as_raw_fd(), &header, flags) } {
        -1 => Err(Error::last()),
        sent => Ok(sent as usize),
    }
}

/// `recvmsg()` with `MSG_*` flags, and room for a control message.
pub fn recvmsg<T: Control>(fd: BorrowedFd<'_>, bytes: &mut [u8], flags: c_int) -> Result<Got<T>> {
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut room = Room([0; ROOM]);
    // SAFETY: All zero is a valid header, without anything.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    header.msg_control = room.0.as_mut_ptr().cast();
    header.msg_controllen = ROOM as _;
    // SAFETY: The header and what it points to are valid.
    let len = match unsafe { libc::recvmsg(fd.as_raw_fd(), &mut header, flags) } {
        -1 => return Err(Error::last()),
        len => len as usize,
    };
    Ok(Got {
        len,
        control: first_of(&header),
        flags: header.msg_flags & libc::MSG_TRUNC,
    })
}

/// The control message of this type, if it is the first.
fn first_of<T: Control>(header: &libc::msghdr) -> Option<T> {
    // SAFETY: The kernel has filled the buffer that the header points to; the length is looked at
    // before the structure, of which any bytes are valid, is read.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        let is_ours = !first.is_null()
            && (*first).cmsg_level == SOL_QNET
            && (*first).cmsg_type == T::TYPE
            && (*first).cmsg_len as usize == libc::CMSG_LEN(mem::size_of::<T>() as u32) as usize;
        is_ours.then(|| ptr::read_unaligned(libc::CMSG_DATA(first).cast::<T>()))
    }
}
