// SPDX-License-Identifier: GPL-2.0

//! What went wrong, in words that say what to do.

use std::{
    fmt,
    io,
    path::Path, //
};

/// A sentence or two for the person who gave the command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Problem {
    /// Any words.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// There is no module, or it is not the one whose interface this program has.
    pub(crate) fn no_module() -> Self {
        if Path::new("/sys/module/qnet").exists() {
            Self::new(
                "the loaded module qnet has no netlink family of this name: install the module \
                 and this command of one release",
            )
        } else {
            Self::new(
                "the module qnet is not loaded: load it with 'modprobe qnet', or with 'insmod \
                 qnet.ko' from where it was built",
            )
        }
    }

    /// A network namespace could not be entered.
    pub(crate) fn namespace(name: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self(format!(
                "there is no network namespace '{name}': 'ip netns' lists those that have names"
            )),
            io::ErrorKind::PermissionDenied => Self(format!(
                "entering the network namespace '{name}' needs root: use sudo"
            )),
            _ => Self(format!("the network namespace '{name}': {error}")),
        }
    }

    /// The module refused to do `what`, with an errno number and perhaps with words.
    pub(crate) fn refused(what: &str, errno: i32, words: Option<&str>) -> Self {
        let reason = match (words, errno) {
            (Some(words), _) => words.to_owned(),
            (None, libc_errno::EPERM | libc_errno::EACCES) => {
                "it needs the capability CAP_NET_ADMIN of the initial user namespace: use sudo \
                 (or load the module with userns=1 to let the owners of namespaces configure them)"
                    .to_owned()
            }
            (None, libc_errno::ENODEV) => {
                "there is no such interface: 'ip link' lists them".to_owned()
            }
            (None, libc_errno::ENOENT) => "there is none of this name: see 'qnet get' for options \
                                           and 'qnet links' for interfaces"
                .to_owned(),
            (None, libc_errno::EEXIST) => "it is so already".to_owned(),
            (None, libc_errno::ERANGE) => "the value is out of the option's range".to_owned(),
            (None, libc_errno::EINVAL) => "the value is not one that it can have".to_owned(),
            (None, libc_errno::ENOSPC) => "the node has as many of them as it can have".to_owned(),
            (None, errno) => io::Error::from_raw_os_error(errno).to_string(),
        };
        Self(format!("{what}: {reason}"))
    }
}

/// Linux's numbers for the errors that are explained above.
mod libc_errno {
    use rustix::io::Errno;

    pub(super) const EPERM: i32 = Errno::PERM.raw_os_error();
    pub(super) const EACCES: i32 = Errno::ACCESS.raw_os_error();
    pub(super) const ENODEV: i32 = Errno::NODEV.raw_os_error();
    pub(super) const ENOENT: i32 = Errno::NOENT.raw_os_error();
    pub(super) const EEXIST: i32 = Errno::EXIST.raw_os_error();
    pub(super) const ERANGE: i32 = Errno::RANGE.raw_os_error();
    pub(super) const EINVAL: i32 = Errno::INVAL.raw_os_error();
    pub(super) const ENOSPC: i32 = Errno::NOSPC.raw_os_error();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let problem = Problem::refused("setting auto_add", libc_errno::EPERM, None);
        assert!(problem.to_string().contains("CAP_NET_ADMIN"), "{problem}");
        let problem = Problem::refused("binding x", libc_errno::EINVAL, Some("not an Ethernet"));
        assert_eq!(problem.to_string(), "binding x: not an Ethernet");
        let missing = io::Error::from_raw_os_error(libc_errno::ENOENT);
        let problem = Problem::namespace("alpha", &missing);
        assert!(problem.to_string().contains("'alpha'"), "{problem}");
    }
}
