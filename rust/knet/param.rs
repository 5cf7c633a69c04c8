// SPDX-License-Identifier: GPL-2.0

//! The module parameters that are strings or can be read in sysfs. Their definitions are in
//! `sys/param.c`.

use crate::sys::bindings;

/// The parameter `bind=`: names of interfaces, separated by commas; may be empty.
pub(crate) fn bind() -> &'static [u8] {
    // SAFETY: The helper returns a string that is not changed while the module is loaded.
    unsafe { bytes(bindings::qnet_helper_param_bind()) }
}

/// The parameter `host=`: the name of this node; may be empty.
pub(crate) fn host() -> &'static [u8] {
    // SAFETY: The helper returns a string that is not changed while the module is loaded.
    unsafe { bytes(bindings::qnet_helper_param_host()) }
}

/// The parameter `remote=`: a word.
pub(crate) fn remote() -> &'static [u8] {
    // SAFETY: The helper returns a string that is not changed while the module is loaded.
    unsafe { bytes(bindings::qnet_helper_param_remote()) }
}

/// The parameter `family=`: the number of the address family.
pub(crate) fn family() -> u16 {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_param_family() }
}

/// The parameter `userns=`: whether the owner of a network namespace may configure its node.
pub(crate) fn userns() -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_param_userns() }
}

/// # Safety
///
/// `string` is closed by a NUL and stays unchanged while the module is loaded.
unsafe fn bytes(string: *const kernel::ffi::c_char) -> &'static [u8] {
    use kernel::str::CStrExt as _;
    // SAFETY: As the caller promises.
    unsafe { kernel::prelude::CStr::from_char_ptr(string) }.to_bytes()
}
