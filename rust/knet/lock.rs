// SPDX-License-Identifier: GPL-2.0

//! A spinlock for data that softirqs touch, too: softirqs are off on this CPU while it is held.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::sys::bindings;
use kernel::{
    prelude::*,
    sync::lock::{
        Backend,
        Guard,
        Lock, //
    },
    types::NotThreadSafe, //
};

/// A spinlock that keeps softirqs of this CPU out.
///
/// It may be taken in process and in softirq context, not in hard interrupts.
pub(crate) type SpinLockBh<T> = Lock<T, BhBackend>;

/// What taking a [`SpinLockBh`] gives.
pub(crate) type SpinLockBhGuard<'a, T> = Guard<'a, T, BhBackend>;

/// Makes a [`SpinLockBh`] initialiser with a lock class of its own.
///
/// The name is optional, as in the kernel's `new_spinlock!`.
macro_rules! new_spinlock_bh {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::knet::lock::SpinLockBh::new(
            $inner,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock_bh;

/// The `spin_lock_bh()` backend.
pub(crate) struct BhBackend;

// The lock is made by the `kernel` crate and used by our helpers: both mean the same C type.
const _: () =
    assert!(size_of::<kernel::bindings::spinlock_t>() == size_of::<bindings::spinlock_t>());

// SAFETY: `spin_lock_bh()` gives mutual exclusion between CPUs, and keeps the softirqs of this CPU
// away while it is held. `relock` is the default one, which locks in the same way.
unsafe impl Backend for BhBackend {
    type State = kernel::bindings::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(
        ptr: *mut Self::State,
        name: *const c_char,
        key: *mut kernel::bindings::lock_class_key,
    ) {
        // SAFETY: The caller promises that `ptr` may be written, and that `name` and `key` stay.
        unsafe { kernel::bindings::__spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The caller promises that `ptr` was initialised.
        unsafe { bindings::qnet_helper_spin_lock_bh(ptr.cast()) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: The caller promises that `ptr` was initialised.
        (unsafe { bindings::qnet_helper_spin_trylock_bh(ptr.cast()) } != 0).then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: The caller promises that it owns the lock.
        unsafe { bindings::qnet_helper_spin_unlock_bh(ptr.cast()) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that `ptr` was initialised.
        unsafe { kernel::bindings::spin_assert_is_held(ptr) }
    }
}

/// Keeps softirqs, and other threads, off this CPU until it is dropped. Nestable; process or softirq
/// context.
pub(crate) struct SoftirqsOff(NotThreadSafe);

impl SoftirqsOff {
    /// Begins.
    #[inline]
    pub(crate) fn new() -> Self {
        // SAFETY: It has no preconditions, and `drop` undoes it on the same CPU, because the value
        // cannot leave the thread and the thread cannot leave the CPU meanwhile.
        unsafe { bindings::qnet_helper_local_bh_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for SoftirqsOff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `new` disabled them on this CPU.
        unsafe { bindings::qnet_helper_local_bh_enable() }
    }
}

#[kunit_tests(qnet_knet_lock)]
mod tests {
    use super::*;
    use kernel::sync::Arc;

    #[test]
    fn excludes_and_releases() -> Result {
        let lock = Arc::pin_init(new_spinlock_bh!(1u32, "qnet_test"), GFP_KERNEL)?;
        {
            let mut guard = lock.lock();
            *guard += 1;
            assert!(lock.try_lock().is_none());
        }
        let guard = lock.try_lock();
        assert!(guard.is_some_and(|value| *value == 2));
        assert_eq!(*lock.lock(), 2);
        Ok(())
    }
}
