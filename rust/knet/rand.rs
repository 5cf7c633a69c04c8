// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::sys::bindings;

/// Gives 32 bits that nobody can guess. Any context.
#[inline]
pub(crate) fn u32() -> u32 {
    // SAFETY: It has no preconditions.
    unsafe { bindings::get_random_u32() }
}
