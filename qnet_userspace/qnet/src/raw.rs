// SPDX-License-Identifier: LGPL-2.1-or-later

//! One function for each call of the module, on file descriptors: what the rest of this crate and
//! `libqnet` are made of. Most programs want [`Channel`](crate::Channel) and
//! [`Connection`](crate::Connection) instead.

use std::{
    ffi::c_int,
    io::{
        IoSlice,
        IoSliceMut, //
    },
    marker::PhantomData,
    os::fd::{
        AsRawFd,
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
};

use qnet_sys::{
    qnet_buf,
    qnet_error,
    qnet_msg_info,
    qnet_node_name,
    qnet_receive,
    qnet_reply,
    qnet_send,
    qnet_transfer,
    qnet_version,
    sockaddr_qnet, //
};

pub use crate::process::{
    control,
    family,
    open_socket, //
};
use crate::{
    Error,
    Result,
    Timeout, //
};

// A part of a scattered buffer is passed to the kernel as the C library's struct iovec, which has
// the layout of struct qnet_iov only where a pointer has 64 bits.
const _: () = assert!(
    size_of::<usize>() == 8
        && size_of::<libc::iovec>() == size_of::<qnet_sys::qnet_iov>()
        && align_of::<libc::iovec>() == align_of::<qnet_sys::qnet_iov>(),
    "this crate is for 64-bit programs"
);

/// Bytes, in one piece or scattered, that the kernel reads.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a>(qnet_buf, PhantomData<&'a [u8]>);

impl<'a> Source<'a> {
    /// One piece.
    pub fn new(bytes: &'a [u8]) -> Self {
        // SAFETY: A slice is readable for its whole length and lifetime.
        unsafe { Self::from_raw(bytes.as_ptr(), bytes.len()) }
    }

    /// Several pieces, one behind the other.
    pub fn scattered(parts: &'a [IoSlice<'_>]) -> Result<Self> {
        // SAFETY: `IoSlice` has the layout of `struct iovec` and each is a readable slice.
        unsafe { Self::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
    }

    /// One piece at an address that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of `length` bytes at `base` must be the caller's to read for `'a`.
    pub unsafe fn from_raw(base: *const u8, length: usize) -> Self {
        Self(piece(base as u64, length), PhantomData)
    }

    /// Pieces whose array and contents are at addresses that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of the `count` structures at `parts`, and of what they point to, must be
    /// the caller's to read for `'a`.
    pub unsafe fn from_raw_parts(parts: *const libc::iovec, count: usize) -> Result<Self> {
        Ok(Self(pieces(parts, count)?, PhantomData))
    }
}

/// Room, in one piece or scattered, that the kernel writes into.
#[derive(Debug)]
pub struct Sink<'a>(qnet_buf, PhantomData<&'a mut [u8]>);

impl<'a> Sink<'a> {
    /// One piece.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        // SAFETY: A mutable slice is writable, and nobody else's, for its length and lifetime.
        unsafe { Self::from_raw(bytes.as_mut_ptr(), bytes.len()) }
    }

    /// Several pieces, one behind the other.
    pub fn scattered(parts: &'a mut [IoSliceMut<'_>]) -> Result<Self> {
        // SAFETY: `IoSliceMut` has the layout of `struct iovec` and each is a writable slice.
        unsafe { Self::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
    }

    /// One piece at an address that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of `length` bytes at `base` must be the caller's to write for `'a`.
    pub unsafe fn from_raw(base: *mut u8, length: usize) -> Self {
        Self(piece(base as u64, length), PhantomData)
    }

    /// Pieces whose array and contents are at addresses that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of the `count` structures at `parts` must be the caller's to read, and of
    /// what they point to the caller's to write, for `'a`.
    pub unsafe fn from_raw_parts(parts: *const libc::iovec, count: usize) -> Result<Self> {
        Ok(Self(pieces(parts, count)?, PhantomData))
    }
}

fn piece(base: u64, length: usize) -> qnet_buf {
    qnet_buf {
        base,
        len: length as u64,
        parts: 0,
        reserved: 0,
    }
}

/// A scattered buffer; one without parts is an empty piece, since `parts` 0 means one piece.
fn pieces(parts: *const libc::iovec, count: usize) -> Result<qnet_buf> {
    if count == 0 {
        return Ok(qnet_buf::default());
    }
    Ok(qnet_buf {
        base: parts as u64,
        len: 0,
        parts: u32::try_from(count).map_err(|_| Error::EINVAL)?,
        reserved: 0,
    })
}

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

/// What a reply brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The status that the server replied.
    pub status: i64,
    /// Bytes put into the reply buffer.
    pub replied: u64,
}

/// The descriptor behind a coid, which has one bit more when it names a side channel.
#[inline]
pub fn fd_of(coid: c_int) -> Result<c_int> {
    // A negative number has the highest bit, which is not taken off.
    match coid & !(qnet_sys::QNET_SIDE_CHANNEL as c_int) {
        fd if fd >= 0 => Ok(fd),
        _ => Err(Error::EBADF),
    }
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

/// Receives a message on a channel: its rcvid, and who sent it.
pub fn receive(fd: c_int, buffer: Sink<'_>, timeout: Timeout) -> Result<(i32, qnet_msg_info)> {
    let mut argument = qnet_receive {
        size: size_of::<qnet_receive>() as u32,
        buf: buffer.0,
        timeout: timeout.to_raw(),
        ..Default::default()
    };
    // SAFETY: The number is this structure's, and `Sink` answers for the buffer.
    unsafe { ioctl(fd, qnet_sys::QNET_IOC_RECEIVE, &mut argument) }?;
    Ok((argument.rcvid, argument.info))
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

/// Ends a connection: who is blocked on it gets EBADF.
pub fn detach(fd: BorrowedFd<'_>) -> Result<()> {
    command(fd, qnet_sys::QNET_IOC_DETACH)
}

/// Ends a channel: who is blocked on it gets ESRCH.
pub fn destroy(fd: BorrowedFd<'_>) -> Result<()> {
    command(fd, qnet_sys::QNET_IOC_DESTROY)
}

/// Finds the node that `string` names, and tells how many bytes of it are the name.
pub fn strtond(string: &[u8], timeout: Timeout) -> Result<(u32, usize)> {
    let mut argument = qnet_node_name {
        size: size_of::<qnet_node_name>() as u32,
        string: string.as_ptr() as u64,
        len: u32::try_from(string.len()).map_err(|_| Error::ENAMETOOLONG)?,
        timeout: timeout.to_raw(),
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's; the kernel reads `len` bytes of the slice.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_STRTOND, &mut argument) }
    })?;
    Ok((argument.nd, argument.used as usize))
}

/// Writes the name of a node into `buffer` as far as it fits, and tells its whole length.
pub fn ndtostr(nd: u32, buffer: &mut [u8]) -> Result<usize> {
    let mut argument = qnet_node_name {
        size: size_of::<qnet_node_name>() as u32,
        string: buffer.as_mut_ptr() as u64,
        len: u32::try_from(buffer.len()).unwrap_or(u32::MAX),
        nd,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's; the kernel writes at most `len` bytes, the
        // closing NUL included, into the slice.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_NDTOSTR, &mut argument) }
    })?;
    Ok(argument.used as usize)
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
    fn buffers() {
        assert_eq!(
            Source::scattered(&[]).unwrap().0,
            qnet_buf::default(),
            "no parts are an empty message"
        );
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        let buffer = Source::scattered(&parts).unwrap().0;
        assert_eq!((buffer.parts, buffer.len), (2, 0));
        // SAFETY: Nothing is read: the count is refused.
        let many = unsafe { Source::from_raw_parts(std::ptr::null(), usize::MAX) };
        assert_eq!(many.err(), Some(Error::EINVAL));
    }

    #[test]
    fn other_files_are_not_ours() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!is_ours(file.as_raw_fd()));
        assert!(!is_ours(-1));
        assert!(!is_connection(file.as_raw_fd()));
    }
}
