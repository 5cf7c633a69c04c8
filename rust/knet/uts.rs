// SPDX-License-Identifier: GPL-2.0

//! The host's name.
//!
//! C header: [`include/linux/utsname.h`](srctree/include/linux/utsname.h)

use crate::sys::bindings;

/// Copies the host name of the caller's UTS namespace, without a NUL. Process context.
///
/// Gives its length; what does not fit is left out. Host names have at most 64 bytes.
pub(crate) fn hostname(buffer: &mut [u8]) -> usize {
    // SAFETY: The helper writes no more than the length it is given.
    unsafe { bindings::qnet_helper_hostname(buffer.as_mut_ptr().cast(), buffer.len()) }
}
