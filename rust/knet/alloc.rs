// SPDX-License-Identifier: GPL-2.0

//! Memory: for values that are too big to pass through a kernel stack, whom it is charged to, and
//! what leaves a list without being dropped under its lock.

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

/// Takes the first value that `wanted` holds for out of a list. The caller drops it where it may:
/// what has a reference, behind the lock that the list lies under.
pub(crate) fn take_first<T>(list: &mut KVec<T>, wanted: impl FnMut(&T) -> bool) -> Option<T> {
    let place = list.iter().position(wanted)?;
    list.remove(place).ok()
}

/// `GFP_ATOMIC` for what a program makes the module keep: charged to its memory cgroup. In softirq
/// nobody is charged.
pub(crate) fn atomic_account() -> Flags {
    GFP_ATOMIC | (GFP_KERNEL_ACCOUNT & !GFP_KERNEL)
}
