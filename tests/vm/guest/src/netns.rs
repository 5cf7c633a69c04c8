// SPDX-License-Identifier: GPL-2.0

//! Network namespaces by name, as `ip netns` keeps them.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::PathBuf, //
};

use crate::Outcome;

/// Moves the calling thread, and what it starts, into the namespace `name`: one that
/// `ip netns add` made, or a path.
pub fn enter(name: &str) -> Outcome {
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        PathBuf::from("/run/netns").join(name)
    };
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // SAFETY: This call takes numbers, of which the descriptor is open.
    if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
        return Err(format!("{}: {}", path.display(), io::Error::last_os_error()).into());
    }
    Ok(())
}
