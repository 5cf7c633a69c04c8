// SPDX-License-Identifier: GPL-2.0

//! Memory: for values that are too big to pass through a kernel stack, and whom it is charged to.

use core::ptr;
use kernel::{
    alloc::Flags,
    prelude::*, //
};

/// A copy of `value`, made where it will be. Process or softirq context, as `flags` say.
///
/// Errors: `ENOMEM`.
pub(crate) fn boxed_copy<T: Copy>(value: &'static T, flags: Flags) -> Result<KBox<T>> {
    let mut place = KBox::<T>::new_uninit(flags)?;
    // SAFETY: Both are valid for one `T`, and the new one overlaps nothing. A `Copy` type may be
    // copied byte by byte, after which the place holds a value.
    unsafe {
        ptr::copy_nonoverlapping(value, place.as_mut_ptr(), 1);
        Ok(place.assume_init())
    }
}

/// `GFP_ATOMIC` for what a program makes the module keep: charged to its memory cgroup. In softirq
/// nobody is charged.
pub(crate) fn atomic_account() -> Flags {
    GFP_ATOMIC | (GFP_KERNEL_ACCOUNT & !GFP_KERNEL)
}
