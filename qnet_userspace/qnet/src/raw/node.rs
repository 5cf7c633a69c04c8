// SPDX-License-Identifier: LGPL-2.1-or-later

//! Nodes: their names and their numbers.

use qnet_sys::{
    qnet_node_name,
    qnet_remote_nd, //
};

use super::{
    control,
    ioctl, //
};
use crate::{
    Error,
    Result,
    Timeout, //
};

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

/// Asks the node `remote` which number it has for the node that this one calls `local`.
pub fn remote_nd(remote: u32, local: u32, timeout: Timeout) -> Result<u32> {
    let mut argument = qnet_remote_nd {
        size: size_of::<qnet_remote_nd>() as u32,
        remote_nd: remote,
        local_nd: local,
        timeout: timeout.to_raw(),
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_REMOTE_ND, &mut argument) }
    })?;
    Ok(argument.nd)
}
