// SPDX-License-Identifier: LGPL-2.1-or-later

//! What a call says when it fails: an errno number with Neutrino's name.

use std::{
    fmt,
    io, //
};

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// An errno number of Linux, or one that only QNX has, as calls of this crate fail with.
///
/// A server may fail a client's send with any number, so this is a number with names and not a
/// closed list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(i32);

macro_rules! errors {
    ($($name:ident = $number:expr, $text:literal;)*) => {
        impl Error {
            $(
                #[doc = $text]
                pub const $name: Error = Error($number);
            )*

            /// Every error that has a name.
            pub const NAMED: &'static [Error] = &[$(Error::$name),*];

            /// The error's name, such as `ESRCH`, when it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $( Error::$name => Some(stringify!($name)), )*
                    _ => None,
                }
            }

            const fn text(self) -> Option<&'static str> {
                match self {
                    $( Error::$name => Some($text), )*
                    _ => None,
                }
            }
        }
    };
}

errors! {
    EPERM = libc::EPERM, "operation not permitted";
    ENOENT = libc::ENOENT, "no such name";
    ESRCH = libc::ESRCH, "no such process, channel or message, or it went away";
    EINTR = libc::EINTR, "interrupted by a signal";
    EIO = libc::EIO, "input or output error";
    ENXIO = libc::ENXIO, "the process is going away";
    E2BIG = libc::E2BIG, "the module is older than the caller";
    EBADF = libc::EBADF, "no such connection, or its channel is gone";
    EAGAIN = libc::EAGAIN, "out of resources, or the call would block";
    ENOMEM = libc::ENOMEM, "out of memory";
    EACCES = libc::EACCES, "permission denied";
    EFAULT = libc::EFAULT, "a buffer is outside of the program's memory";
    EBUSY = libc::EBUSY, "busy";
    EEXIST = libc::EEXIST, "it exists";
    ENODEV = libc::ENODEV, "no such device";
    EINVAL = libc::EINVAL, "an argument is not valid";
    ENFILE = libc::ENFILE, "the system has too many open files";
    EMFILE = libc::EMFILE, "the process has too many open files";
    ENOTTY = libc::ENOTTY, "not a call of this object";
    ENOSPC = libc::ENOSPC, "no space left";
    EPIPE = libc::EPIPE, "broken pipe";
    ERANGE = libc::ERANGE, "the result does not fit";
    EDEADLK = libc::EDEADLK, "it would wait for itself";
    ENAMETOOLONG = libc::ENAMETOOLONG, "the name is too long";
    ENOSYS = libc::ENOSYS, "there is no such function";
    ENOTEMPTY = libc::ENOTEMPTY, "not empty";
    ELOOP = libc::ELOOP, "too many links";
    ENODATA = libc::ENODATA, "no data";
    EBADMSG = libc::EBADMSG, "a bad message";
    EOVERFLOW = libc::EOVERFLOW, "the buffers are longer than a number can say";
    EILSEQ = libc::EILSEQ, "an illegal sequence of bytes";
    ERESTART = libc::ERESTART, "the call should be made again";
    EMSGSIZE = libc::EMSGSIZE, "the message is too long";
    EPROTONOSUPPORT = libc::EPROTONOSUPPORT, "no such protocol";
    ESOCKTNOSUPPORT = libc::ESOCKTNOSUPPORT, "no such type of socket";
    ENOTSUP = libc::ENOTSUP, "not supported: Qnet is not running, or not this version of it";
    EAFNOSUPPORT = libc::EAFNOSUPPORT, "no such address family: the module qnet is not loaded";
    EADDRINUSE = libc::EADDRINUSE, "the address is in use";
    ENETDOWN = libc::ENETDOWN, "the network is down";
    ENETUNREACH = libc::ENETUNREACH, "the network cannot be reached";
    ECONNABORTED = libc::ECONNABORTED, "the connection was aborted";
    ECONNRESET = libc::ECONNRESET, "the connection was reset";
    ENOBUFS = libc::ENOBUFS, "no buffer space";
    EISCONN = libc::EISCONN, "it is connected";
    ENOTCONN = libc::ENOTCONN, "it is not connected";
    ESHUTDOWN = libc::ESHUTDOWN, "it is shut down";
    ETIMEDOUT = libc::ETIMEDOUT, "the time-out passed";
    ECONNREFUSED = libc::ECONNREFUSED, "the connection was refused";
    EHOSTDOWN = libc::EHOSTDOWN, "the node went down";
    EHOSTUNREACH = libc::EHOSTUNREACH, "the node cannot be reached";
    EINPROGRESS = libc::EINPROGRESS, "in progress";
    ESTALE = libc::ESTALE, "a stale handle";
    ECANCELED = libc::ECANCELED, "cancelled: the server gave the message up";
    ENOREMOTE = qnet_sys::QNET_ENOREMOTE, "there is no network manager: the module qnet is not loaded";
    EMORE = 309, "more to do";
    ENOLIC = 311, "no licence";
    ESRVRFAULT = qnet_sys::QNET_ESRVRFAULT, "a buffer is outside of the server's memory";
    EENDIAN = 313, "the other byte order";
}

impl Error {
    /// The error with the given errno number.
    pub const fn from_errno(errno: i32) -> Self {
        Self(errno)
    }

    /// The errno number.
    pub const fn errno(self) -> i32 {
        self.0
    }

    /// The error of the C library's call that just failed in this thread.
    pub(crate) fn last() -> Self {
        Self(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.text()) {
            (Some(name), Some(text)) => write!(f, "{text} ({name})"),
            _ => write!(f, "{}", io::Error::from_raw_os_error(self.0)),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}"),
            None => write!(f, "Error({})", self.0),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::from_raw_os_error(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn names() {
        assert_eq!(Error::from_errno(3), Error::ESRCH);
        assert_eq!(Error::ENOREMOTE.errno(), 300);
        assert_eq!(format!("{:?}", Error::ETIMEDOUT), "ETIMEDOUT");
        assert_eq!(
            Error::ETIMEDOUT.to_string(),
            "the time-out passed (ETIMEDOUT)"
        );
        assert_eq!(format!("{:?}", Error::from_errno(4000)), "Error(4000)");
    }

    #[test]
    fn each_number_has_one_name() {
        for error in Error::NAMED {
            let same = Error::NAMED.iter().filter(|other| *other == error).count();
            assert_eq!(same, 1, "{error:?}");
        }
    }
}
