// SPDX-License-Identifier: LGPL-2.1-or-later

//! Sockets: how they become channels and connections, what they are, and how they end.

use std::{
    ffi::c_int,
    os::fd::{
        AsRawFd,
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
};

use qnet_sys::{
    qnet_access,
    qnet_coid,
    qnet_connection_info,
    qnet_version,
    sockaddr_qnet, //
};

use super::{
    command,
    family,
    ioctl, //
};
use crate::{
    Error,
    Result, //
};

/// The descriptor behind a coid, which has one bit more when it names a side channel.
#[inline]
pub fn fd_of(coid: c_int) -> Result<c_int> {
    // A negative number has the highest bit, which is not taken off.
    match coid & !(qnet_sys::QNET_SIDE_CHANNEL as c_int) {
        fd if fd >= 0 => Ok(fd),
        _ => Err(Error::EBADF),
    }
}

/// Ends a connection: who is blocked on it gets EBADF.
pub fn detach(fd: BorrowedFd<'_>) -> Result<()> {
    command(fd, qnet_sys::QNET_IOC_DETACH)
}

/// Ends a channel: who is blocked on it gets ESRCH.
pub fn destroy(fd: BorrowedFd<'_>) -> Result<()> {
    command(fd, qnet_sys::QNET_IOC_DESTROY)
}

/// Says by which number the process calls a connection.
pub fn set_coid(fd: BorrowedFd<'_>, coid: c_int) -> Result<()> {
    let mut argument = qnet_coid {
        size: size_of::<qnet_coid>() as u32,
        coid,
    };
    // SAFETY: The number is this structure's, and it has no pointers.
    unsafe { ioctl(fd.as_raw_fd(), qnet_sys::QNET_IOC_COID, &mut argument) }
}

/// What the module knows of a connection.
pub fn connection_info(fd: BorrowedFd<'_>) -> Result<qnet_connection_info> {
    let mut argument = qnet_connection_info {
        size: size_of::<qnet_connection_info>() as u32,
        ..Default::default()
    };
    let number = qnet_sys::QNET_IOC_CONNECTION_INFO;
    // SAFETY: The number is this structure's, and it has no pointers.
    unsafe { ioctl(fd.as_raw_fd(), number, &mut argument) }?;
    Ok(argument)
}

/// Says who may connect to a channel; `u32::MAX` leaves the owner or the group as it was.
pub fn set_access(fd: BorrowedFd<'_>, uid: u32, gid: u32, mode: u32) -> Result<()> {
    let mut argument = qnet_access {
        size: size_of::<qnet_access>() as u32,
        uid,
        gid,
        mode,
        ..Default::default()
    };
    // SAFETY: The number is this structure's, and it has no pointers.
    unsafe { ioctl(fd.as_raw_fd(), qnet_sys::QNET_IOC_ACCESS, &mut argument) }
}

/// What the module behind a socket says of itself.
pub fn version(fd: BorrowedFd<'_>) -> Result<qnet_version> {
    let mut argument = qnet_version {
        size: size_of::<qnet_version>() as u32,
        ..Default::default()
    };
    // SAFETY: The number is this structure's, and it has no pointers.
    unsafe { ioctl(fd.as_raw_fd(), qnet_sys::QNET_IOC_VERSION, &mut argument) }?;
    Ok(argument)
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<sockaddr_qnet>() as libc::socklen_t;

/// Makes a socket a channel.
pub fn bind(fd: BorrowedFd<'_>, address: &sockaddr_qnet) -> Result<()> {
    let address: *const sockaddr_qnet = address;
    // SAFETY: `address` points to as many bytes as are told.
    match unsafe { libc::bind(fd.as_raw_fd(), address.cast(), ADDRESS_LENGTH) } {
        -1 => Err(Error::last()),
        _ => Ok(()),
    }
}

/// Makes a socket a connection.
pub fn connect(fd: BorrowedFd<'_>, address: &sockaddr_qnet) -> Result<()> {
    let address: *const sockaddr_qnet = address;
    // SAFETY: `address` points to as many bytes as are told.
    match unsafe { libc::connect(fd.as_raw_fd(), address.cast(), ADDRESS_LENGTH) } {
        -1 => Err(Error::last()),
        _ => Ok(()),
    }
}

/// The address of a channel.
pub fn socket_name(fd: BorrowedFd<'_>) -> Result<sockaddr_qnet> {
    ask_address(fd, libc::getsockname)
}

/// The address that a connection is attached to.
pub fn peer_name(fd: BorrowedFd<'_>) -> Result<sockaddr_qnet> {
    ask_address(fd, libc::getpeername)
}

fn ask_address(
    fd: BorrowedFd<'_>,
    ask: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
) -> Result<sockaddr_qnet> {
    let mut address = sockaddr_qnet::default();
    let mut length = ADDRESS_LENGTH;
    let place: *mut sockaddr_qnet = &mut address;
    // SAFETY: The kernel writes at most `length` bytes, which is the size of `address`, and any
    // bytes make a valid one.
    match unsafe { ask(fd.as_raw_fd(), place.cast(), &mut length) } {
        -1 => Err(Error::last()),
        _ if length != ADDRESS_LENGTH => Err(Error::EINVAL),
        _ => Ok(address),
    }
}

/// Moves `fd` to the lowest free number that is `lowest` or above, if it is below.
pub fn raise(fd: OwnedFd, lowest: c_int, cloexec: bool) -> Result<OwnedFd> {
    if fd.as_raw_fd() >= lowest {
        return Ok(fd);
    }
    let call = if cloexec {
        libc::F_DUPFD_CLOEXEC
    } else {
        libc::F_DUPFD
    };
    // SAFETY: This call takes numbers and gives a new descriptor.
    match unsafe { libc::fcntl(fd.as_raw_fd(), call, lowest) } {
        -1 => Err(Error::last()),
        // SAFETY: The descriptor is new, so this is its only owner.
        new => Ok(unsafe { OwnedFd::from_raw_fd(new) }),
    }
}

/// Whether a descriptor is a socket of Qnet's family.
pub fn is_ours(fd: c_int) -> bool {
    let mut domain: c_int = 0;
    let mut length = size_of::<c_int>() as libc::socklen_t;
    let place: *mut c_int = &mut domain;
    // SAFETY: The kernel writes at most `length` bytes, which is the size of `domain`.
    let status = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            place.cast(),
            &mut length,
        )
    };
    status == 0 && domain == family()
}

/// Whether a descriptor is a connection.
pub fn is_connection(fd: c_int) -> bool {
    // SAFETY: A number of one of ours is not -1, and asking for a name neither keeps nor closes
    // the descriptor.
    is_ours(fd) && peer_name(unsafe { BorrowedFd::borrow_raw(fd) }).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors() {
        assert_eq!(fd_of(5), Ok(5));
        assert_eq!(fd_of(5 | 0x4000_0000), Ok(5));
        assert_eq!(fd_of(-1), Err(Error::EBADF));
        assert_eq!(fd_of(c_int::MIN), Err(Error::EBADF));
    }

    #[test]
    fn other_files_are_not_ours() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!is_ours(file.as_raw_fd()));
        assert!(!is_ours(-1));
        assert!(!is_connection(file.as_raw_fd()));
    }
}
