// SPDX-License-Identifier: LGPL-2.1-or-later

//! What a process keeps: the family's number, and one hidden control socket.
//!
//! Calls that name a message or a node carry no descriptor of their own, so they are made on a
//! socket that the process opens when it first needs it. It is closed at exec, and a child of fork
//! closes it and opens its own, since the module knows messages by the process that received them.

use std::{
    env,
    ffi::c_int,
    fs,
    os::fd::{
        AsFd,
        FromRawFd,
        IntoRawFd,
        OwnedFd, //
    },
    sync::{
        atomic::{
            AtomicBool,
            AtomicI32,
            Ordering, //
        },
        Once,
    },
};

use crate::{
    raw,
    Error,
    Result, //
};

/// Where the module says which family it has.
const FAMILY_FILE: &str = "/sys/module/qnet/parameters/family";
/// The variable that overrides it, except in privileged programs.
const FAMILY_VARIABLE: &str = "QNET_FAMILY";

/// The family's number, or 0 while nobody asked.
static FAMILY: AtomicI32 = AtomicI32::new(0);
/// Whether the version of the module was compared and is ours.
static CHECKED: AtomicBool = AtomicBool::new(false);
/// The control socket, or -1.
static CONTROL: AtomicI32 = AtomicI32::new(-1);

/// The number of the address family: `QNET_FAMILY` of the environment, else what the loaded
/// module says, else [`qnet_sys::AF_QNET`].
pub fn family() -> c_int {
    match FAMILY.load(Ordering::Relaxed) {
        0 => {
            let number = find_family();
            FAMILY.store(number, Ordering::Relaxed);
            number
        }
        number => number,
    }
}

fn find_family() -> c_int {
    family_of_environment()
        .or_else(|| parse_family(&fs::read(FAMILY_FILE).ok()?))
        .unwrap_or(qnet_sys::AF_QNET)
}

fn family_of_environment() -> Option<c_int> {
    // SAFETY: This call takes a number and reads what the kernel gave the program at its start.
    let privileged = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if privileged {
        return None;
    }
    parse_family(env::var_os(FAMILY_VARIABLE)?.as_encoded_bytes())
}

fn parse_family(text: &[u8]) -> Option<c_int> {
    let number = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    (1..=255).contains(&number).then_some(number)
}

/// Opens a socket of the family and checks, once, that the module speaks our version.
///
/// The error is EAFNOSUPPORT when the module is not there and ENOTSUP when it speaks another
/// version; the latter is also said in words on the standard error output, once.
pub fn open_socket(cloexec: bool) -> Result<OwnedFd> {
    let socket = match new_socket(family(), cloexec) {
        Err(Error::EAFNOSUPPORT) => {
            // The module may have been loaded, with another number, since the last look.
            let again = find_family();
            if FAMILY.swap(again, Ordering::Relaxed) == again {
                return Err(Error::EAFNOSUPPORT);
            }
            new_socket(again, cloexec)?
        }
        other => other?,
    };
    if !CHECKED.load(Ordering::Relaxed) {
        check_version(raw::version(socket.as_fd()))?;
        CHECKED.store(true, Ordering::Relaxed);
    }
    Ok(socket)
}

fn new_socket(family: c_int, cloexec: bool) -> Result<OwnedFd> {
    let flags = if cloexec { libc::SOCK_CLOEXEC } else { 0 };
    // SAFETY: This call takes numbers and gives a new descriptor.
    match unsafe { libc::socket(family, libc::SOCK_SEQPACKET | flags, 0) } {
        -1 => Err(Error::last()),
        // SAFETY: The descriptor is new, so this is its only owner.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

fn check_version(version: Result<qnet_sys::qnet_version>) -> Result<()> {
    let what = match version {
        Ok(version) if version.abi == qnet_sys::QNET_ABI_VERSION => return Ok(()),
        Ok(version) => format!(
            "the loaded module qnet has ABI version {}, and this program was built for version {}: \
             install module and library of one release",
            version.abi,
            qnet_sys::QNET_ABI_VERSION
        ),
        Err(Error::ENOTTY) => format!(
            "address family {} is not qnet's: set QNET_FAMILY to the number that qnet.ko has",
            family()
        ),
        Err(error) => format!("the loaded module qnet does not tell its ABI version: {error}"),
    };
    static SAID: Once = Once::new();
    SAID.call_once(|| eprintln!("qnet: {what}"));
    Err(Error::ENOTSUP)
}

/// Makes a call on the process's control socket.
pub fn control<T>(mut call: impl FnMut(c_int) -> Result<T>) -> Result<T> {
    let fd = control_socket()?;
    match call(fd) {
        // A program that closes all descriptors closes this one too, and another file may have
        // its number by now. An event whose connection is gone is EBADF as well.
        Err(Error::EBADF | Error::ENOTTY) if !raw::is_ours(fd) => {
            // Whoever wins the exchange lets the number go; it is not ours to close any more.
            let _ = CONTROL.compare_exchange(fd, -1, Ordering::Relaxed, Ordering::Relaxed);
            call(control_socket()?)
        }
        other => other,
    }
}

fn control_socket() -> Result<c_int> {
    let fd = CONTROL.load(Ordering::Relaxed);
    if fd >= 0 {
        return Ok(fd);
    }
    renew_after_fork();
    // Above the standard streams: a program that closed one of them expects its next open() there.
    let socket = raw::raise(open_socket(true)?, 3, true)?;
    let new = socket.into_raw_fd();
    match CONTROL.compare_exchange(-1, new, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Ok(new),
        Err(other) => {
            // SAFETY: The descriptor was just made here and nobody else knows its number.
            drop(unsafe { OwnedFd::from_raw_fd(new) });
            Ok(other)
        }
    }
}

fn renew_after_fork() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: The handler does only what is allowed in a child of fork.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// Runs in the child of a fork, where only async-signal-safe calls are allowed.
extern "C" fn in_child() {
    let fd = CONTROL.swap(-1, Ordering::Relaxed);
    if fd >= 0 {
        // SAFETY: The number was the control socket's, which nobody else closes.
        unsafe { libc::close(fd) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_numbers() {
        assert_eq!(parse_family(b"18\n"), Some(18));
        assert_eq!(parse_family(b" 29"), Some(29));
        for bad in [&b""[..], b"0", b"256", b"-1", b"x", b"18x", b"\xff"] {
            assert_eq!(parse_family(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn versions() {
        let version = |abi| {
            Ok(qnet_sys::qnet_version {
                abi,
                ..Default::default()
            })
        };
        assert_eq!(check_version(version(qnet_sys::QNET_ABI_VERSION)), Ok(()));
        assert_eq!(
            check_version(version(qnet_sys::QNET_ABI_VERSION + 1)),
            Err(Error::ENOTSUP)
        );
        assert_eq!(check_version(Err(Error::ENOTTY)), Err(Error::ENOTSUP));
        assert_eq!(check_version(Err(Error::EINVAL)), Err(Error::ENOTSUP));
    }
}
