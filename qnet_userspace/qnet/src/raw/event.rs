// SPDX-License-Identifier: LGPL-2.1-or-later

//! Pulses, events and signals; and the clients that they go to.

use std::ffi::c_int;

use qnet_sys::{
    qnet_client_info,
    qnet_deliver,
    qnet_event,
    qnet_free_scoid,
    qnet_send_pulse,
    qnet_signal, //
};

use super::{
    control,
    fd_of,
    ioctl, //
};
use crate::{
    Result,
    Timeout, //
};

/// Sends a pulse on a connection, without waiting; `priority` -1 is the caller's.
pub fn send_pulse(coid: c_int, priority: i32, code: i32, value: i64) -> Result<()> {
    let fd = fd_of(coid)?;
    let mut argument = qnet_send_pulse {
        size: size_of::<qnet_send_pulse>() as u32,
        flags: 0,
        priority,
        code,
        value,
    };
    // SAFETY: The number is this structure's, and it has no pointers.
    unsafe { ioctl(fd, qnet_sys::QNET_IOC_SEND_PULSE, &mut argument) }
}

/// Delivers an event to the sender of a message that this process received and may have answered;
/// `rcvid` 0 is the process itself. `flags` are `QNET_DELIVER_*`.
pub fn deliver(rcvid: i32, flags: u32, event: qnet_event) -> Result<()> {
    let mut argument = qnet_deliver {
        size: size_of::<qnet_deliver>() as u32,
        flags,
        rcvid,
        event,
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_DELIVER, &mut argument) }
    })
}

/// Sends a signal to a process of any node. The sizes and reserved fields of `argument` are filled
/// in here.
pub fn signal(argument: qnet_signal, timeout: Timeout) -> Result<()> {
    let mut argument = qnet_signal {
        size: size_of::<qnet_signal>() as u32,
        flags: 0,
        reserved: 0,
        timeout: timeout.to_raw(),
        ..argument
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_SIGNAL, &mut argument) }
    })
}

/// Gives back the number of a client that has left.
pub fn free_scoid(scoid: i32) -> Result<()> {
    let mut argument = qnet_free_scoid {
        size: size_of::<qnet_free_scoid>() as u32,
        scoid,
    };
    control(|fd| {
        // SAFETY: The number is this structure's, and it has no pointers.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_FREE_SCOID, &mut argument) }
    })
}

/// Who a client is: its ids, and as many of its groups as `groups` has room for; `ngroups` of the
/// result tells how many there are. `scoid` -1 is the caller.
pub fn client_info(scoid: i32, groups: &mut [u32]) -> Result<qnet_client_info> {
    let mut argument = qnet_client_info {
        size: size_of::<qnet_client_info>() as u32,
        scoid,
        ngroups: u32::try_from(groups.len()).unwrap_or(u32::MAX),
        groups: match groups {
            [] => 0,
            groups => groups.as_mut_ptr() as u64,
        },
        ..Default::default()
    };
    control(|fd| {
        // SAFETY: The number is this structure's; the kernel writes at most `ngroups` numbers into
        // the slice.
        unsafe { ioctl(fd, qnet_sys::QNET_IOC_CLIENT_INFO, &mut argument) }
    })?;
    Ok(argument)
}
