// SPDX-License-Identifier: LGPL-2.1-or-later

//! ConnectServerInfo() and ConnectFlags(): the connections of a process, by their numbers.

use std::{
    ffi::{
        c_int,
        c_uint, //
    },
    fs,
    io,
    os::fd::{
        AsFd,
        AsRawFd,
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
    path::PathBuf, //
};

use qnet::{
    raw,
    Error,
    Result, //
};

use crate::{
    answer::calls,
    info::_msg_info,
    timer, //
};

/// `_NTO_COF_DEAD` of the header.
const DEAD: i16 = 0x2;
/// `_NTO_COF_CLOEXEC` of the header.
const CLOEXEC: c_uint = qnet_sys::QNET_COF_CLOEXEC;

/// A connection that was found.
struct Found {
    coid: c_int,
    info: qnet_sys::qnet_connection_info,
}

impl Found {
    /// The connection behind `socket`, which its process has as the descriptor `fd`.
    fn of(socket: BorrowedFd<'_>, fd: c_int) -> Option<Self> {
        // A file of another kind would not know what it is asked.
        let index = raw::peer_name(socket).ok()?.sq_index;
        let info = raw::connection_info(socket).ok()?;
        Some(Self {
            coid: fd | index as c_int,
            info,
        })
    }

    fn is_dead(&self) -> bool {
        self.info.flags & qnet_sys::QNET_CONNECTION_DEAD != 0
    }

    fn told(&self) -> _msg_info {
        _msg_info {
            nd: self.info.nd,
            pid: self.info.pid,
            chid: self.info.chid,
            scoid: self.info.scoid,
            coid: self.coid,
            flags: if self.is_dead() { DEAD } else { 0 },
            ..Default::default()
        }
    }
}

/// Whose connections are looked at.
enum Owner {
    /// This process.
    Own,
    /// Another one, by a descriptor of it.
    Other(libc::pid_t, OwnedFd),
}

impl Owner {
    fn find(pid: libc::pid_t) -> Result<Self> {
        // SAFETY: This call takes nothing and cannot fail.
        if pid == 0 || pid == unsafe { libc::getpid() } {
            return Ok(Self::Own);
        }
        // SAFETY: This call takes numbers and gives a new descriptor.
        match unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } {
            -1 => Err(Error::ESRCH),
            fd => {
                // SAFETY: The descriptor is new, so this is its only owner.
                let process = unsafe { OwnedFd::from_raw_fd(fd as c_int) };
                match has_ended(&process) {
                    true => Err(Error::ESRCH),
                    false => Ok(Self::Other(pid, process)),
                }
            }
        }
    }

    /// The connection that the process has as the descriptor `fd`, if it is one.
    fn connection(&self, fd: c_int) -> Option<Found> {
        match self {
            // SAFETY: The number is not -1; what is behind it, the module says.
            Self::Own if raw::is_ours(fd) => Found::of(unsafe { BorrowedFd::borrow_raw(fd) }, fd),
            Self::Own => None,
            Self::Other(_, process) => {
                let socket = copy_of(process, fd).ok()?;
                raw::is_ours(socket.as_raw_fd()).then(|| Found::of(socket.as_fd(), fd))?
            }
        }
    }

    /// The numbers of the process's sockets.
    fn sockets(&self) -> Result<Vec<c_int>> {
        let folder = match self {
            Self::Own => PathBuf::from("/proc/self/fd"),
            Self::Other(pid, _) => PathBuf::from(format!("/proc/{pid}/fd")),
        };
        let entries = fs::read_dir(folder).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Error::EPERM,
            _ => Error::ESRCH,
        })?;
        let is_socket = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|target| {
                target
                    .as_os_str()
                    .as_encoded_bytes()
                    .starts_with(b"socket:")
            })
        };
        Ok(entries
            .flatten()
            .filter(is_socket)
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }
}

/// Whether a process has ended, and only waits for its parent to hear of it.
fn has_ended(process: &OwnedFd) -> bool {
    let mut poll = libc::pollfd {
        fd: process.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: It is one structure.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 }
}

/// A descriptor of this process for what another one has as `fd`; needs the right to trace it.
fn copy_of(process: &OwnedFd, fd: c_int) -> Result<OwnedFd> {
    // SAFETY: This call takes numbers and gives a new descriptor.
    match unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) } {
        -1 => Err(Error::EPERM),
        // SAFETY: The descriptor is new, so this is its only owner.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) }),
    }
}

/// The connection `coid`, or the one with the next higher number.
fn find(pid: libc::pid_t, coid: c_int, with_dead: bool) -> Result<Found> {
    let wanted = |found: &Found| found.coid >= coid && (with_dead || !found.is_dead());
    let owner = Owner::find(pid)?;
    // Most ask for one that there is.
    let exact = raw::fd_of(coid).ok().and_then(|fd| owner.connection(fd));
    if let Some(found) = exact.filter(|found| found.coid == coid && wanted(found)) {
        return Ok(found);
    }
    owner
        .sockets()?
        .into_iter()
        .filter_map(|fd| owner.connection(fd))
        .filter(wanted)
        .min_by_key(|found| found.coid)
        .ok_or(Error::EINVAL)
}

/// # Safety
///
/// `info` must be null or valid to write.
unsafe fn server_info(pid: libc::pid_t, coid: c_int, info: *mut _msg_info) -> Result<c_int> {
    timer::drop_armed();
    let found = find(pid, coid, !info.is_null())?;
    // SAFETY: The caller says that it is null or valid.
    if let Some(info) = unsafe { info.as_mut() } {
        *info = found.told();
    }
    Ok(found.coid)
}

fn flags(pid: libc::pid_t, coid: c_int, mask: c_uint, bits: c_uint) -> Result<c_int> {
    timer::drop_armed();
    if mask & !CLOEXEC != 0 {
        return Err(Error::EINVAL);
    }
    if let Owner::Other(..) = Owner::find(pid)? {
        return Err(Error::EPERM);
    }
    let fd = raw::fd_of(coid)?;
    if !raw::is_connection(fd) {
        return Err(Error::EBADF);
    }
    let old = if close_at_exec(fd)? { CLOEXEC } else { 0 };
    if mask != 0 {
        set_close_at_exec(fd, bits & CLOEXEC != 0)?;
    }
    Ok(old as c_int)
}

fn close_at_exec(fd: c_int) -> Result<bool> {
    // SAFETY: This call takes numbers and changes nothing.
    match unsafe { libc::fcntl(fd, libc::F_GETFD) } {
        -1 => Err(Error::EBADF),
        flags => Ok(flags & libc::FD_CLOEXEC != 0),
    }
}

fn set_close_at_exec(fd: c_int, close: bool) -> Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: This call takes numbers.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, flags) } {
        -1 => Err(Error::EBADF),
        _ => Ok(()),
    }
}

calls! {
    /// Tells what a connection leads to; see ConnectServerInfo(3).
    pointers fn ConnectServerInfo ConnectServerInfo_r
        (pid: libc::pid_t, coid: c_int, info: *mut _msg_info) -> c_int
        = server_info(pid, coid, info);
    /// Changes the flags of a connection; see ConnectFlags(3).
    fn ConnectFlags ConnectFlags_r
        (pid: libc::pid_t, coid: c_int, mask: c_uint, bits: c_uint) -> c_int
        = flags(pid, coid, mask, bits);
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn other_sockets_are_no_connections() {
        let (one, _two) = UnixStream::pair().unwrap();
        let sockets = Owner::Own.sockets().unwrap();
        assert!(sockets.contains(&one.as_raw_fd()), "{sockets:?}");
        assert!(Owner::Own.connection(one.as_raw_fd()).is_none());
        assert!(Owner::Own.connection(-1).is_none());
        assert_eq!(flags(0, one.as_raw_fd(), 0, 0), Err(Error::EBADF));
        assert_eq!(flags(0, -1, 0, 0), Err(Error::EBADF));
        assert_eq!(flags(0, one.as_raw_fd(), 0x40, 0), Err(Error::EINVAL));
    }

    #[test]
    fn other_processes() {
        assert!(matches!(find(i32::MAX, 0, true).err(), Some(Error::ESRCH)));
        assert_eq!(flags(i32::MAX, 0, 0, 0), Err(Error::ESRCH));
        // The parent of this process is there, and its flags are not ours to change.
        let parent = std::os::unix::process::parent_id() as i32;
        assert_eq!(flags(parent, 0, 0, 0), Err(Error::EPERM));
    }
}
