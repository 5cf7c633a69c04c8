// SPDX-License-Identifier: GPL-2.0

//! Processes, their numbers in pid namespaces, and the calling thread.
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use crate::sys::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A process, alive or dead.
///
/// # Invariants
///
/// It owns a reference to a `struct pid`.
pub(crate) struct Pid(NonNull<bindings::pid>);

// SAFETY: A `struct pid` may be used and dropped by any thread.
unsafe impl Send for Pid {}
// SAFETY: All that is done with it is safe to do by any number of threads at a time.
unsafe impl Sync for Pid {}

impl Pid {
    /// The caller's process. Process context.
    pub(crate) fn of_caller() -> Self {
        // SAFETY: A running task has a process; the helper takes a reference.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_tgid()) })
    }

    /// The caller's thread. Process context.
    pub(crate) fn of_calling_thread() -> Self {
        // SAFETY: A running task has a pid; the helper takes a reference.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_thread()) })
    }

    /// The process with this number in the caller's pid namespace. Process context.
    pub(crate) fn from_nr(nr: i32) -> Option<Self> {
        // SAFETY: The helper takes a reference.
        let pid = unsafe { bindings::qnet_helper_find_process(nr) };
        NonNull::new(pid).map(Self)
    }

    /// The pointer for the C side.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::pid {
        self.0.as_ptr()
    }

    /// A process that lives for `ms` milliseconds: a thread of the kernel, which dies as any other.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(super) fn for_test(ms: u32) -> Option<Self> {
        // SAFETY: Process context; the helper takes a reference.
        NonNull::new(unsafe { bindings::qnet_helper_test_process(ms) }).map(Self)
    }

    /// Its number in the caller's pid namespace; 0 if it has none there. Process context.
    pub(crate) fn nr(&self) -> i32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::pid_vnr(self.0.as_ptr()) }
    }

    /// Its number in a pid namespace; 0 if it has none there.
    pub(crate) fn nr_in(&self, pids: &PidNs) -> i32 {
        // SAFETY: Both are held.
        unsafe { bindings::pid_nr_ns(self.0.as_ptr(), pids.0.as_ptr()) }
    }

    /// Its number in the initial pid namespace, which no other process has while this one lives.
    pub(crate) fn number(&self) -> i32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_pid_number(self.0.as_ptr()) }
    }

    /// Whether it was made in this pid namespace, so that its threads call themselves by their
    /// numbers there.
    pub(crate) fn is_in(&self, pids: &PidNs) -> bool {
        // SAFETY: Both are held; the helper only compares.
        unsafe { bindings::qnet_helper_pid_is_in(self.0.as_ptr(), pids.0.as_ptr()) }
    }

    /// The same for the caller's pid namespace. Process context.
    #[inline]
    pub(crate) fn is_in_callers(&self) -> bool {
        // SAFETY: `self` holds it; the helper only compares.
        unsafe { bindings::qnet_helper_pid_is_in_current(self.0.as_ptr()) }
    }

    /// Whether it is the first process of a pid namespace, initial or not.
    pub(crate) fn is_init(&self) -> bool {
        // SAFETY: `self` holds it; the helper only looks at its numbers.
        unsafe { bindings::qnet_helper_pid_is_init(self.0.as_ptr()) }
    }

    /// Whether both are the same process.
    #[inline]
    pub(crate) fn same(&self, other: &Pid) -> bool {
        self.0 == other.0
    }

    /// Whether the caller belongs to it. Process context.
    #[inline]
    pub(crate) fn is_caller(&self) -> bool {
        // SAFETY: `self` holds it; the helper only compares.
        unsafe { bindings::qnet_helper_is_current_tgid(self.0.as_ptr()) }
    }

    /// Whether it still has a thread.
    pub(crate) fn alive(&self) -> bool {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_pid_alive(self.0.as_ptr()) }
    }
}

impl Clone for Pid {
    fn clone(&self) -> Self {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_get_pid(self.0.as_ptr()) };
        // INVARIANT: The reference was just taken.
        Self(self.0)
    }
}

impl Drop for Pid {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::put_pid(self.0.as_ptr()) }
    }
}

/// A pid namespace.
///
/// # Invariants
///
/// It owns a reference.
pub(crate) struct PidNs(NonNull<bindings::pid_namespace>);

// SAFETY: A pid namespace may be used and dropped by any thread.
unsafe impl Send for PidNs {}
// SAFETY: All that is done with it is safe to do by any number of threads at a time.
unsafe impl Sync for PidNs {}

impl PidNs {
    /// The pointer for the C side.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::pid_namespace {
        self.0.as_ptr()
    }

    /// The caller's. Process context.
    pub(crate) fn of_caller() -> Self {
        // SAFETY: A running task has one; the helper takes a reference.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_pid_ns()) })
    }
}

impl Clone for PidNs {
    fn clone(&self) -> Self {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_get_pid_ns(self.0.as_ptr()) };
        // INVARIANT: The reference was just taken.
        Self(self.0)
    }
}

impl Drop for PidNs {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::qnet_helper_put_pid_ns(self.0.as_ptr()) }
    }
}

/// The caller's thread: its number in its own pid namespace. Process context.
pub(crate) fn caller_tid() -> i32 {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_current_tid() }
}

/// The caller's priority as Neutrino counts, with what was lent to it: 1 to 20 for an ordinary
/// thread (10 at nice 0), 20 and its real-time priority for a real-time one. Process context.
pub(crate) fn caller_priority() -> i16 {
    // CAST: It is 1 to 120.
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_current_effective() as i16 }
}

#[kunit_tests(qnet_knet_pid)]
mod tests {
    use super::*;

    #[test]
    fn caller_is_found_by_number() -> Result {
        let me = Pid::of_caller();
        let pids = PidNs::of_caller();
        assert!(me.is_caller() && me.alive());
        assert_eq!(me.nr(), me.nr_in(&pids));
        let found = Pid::from_nr(me.nr()).ok_or(ESRCH)?;
        assert!(found.same(&me) && found.same(&found.clone()));
        assert!(found.is_caller());
        assert!(me.is_in(&pids) && me.is_in_callers());
        assert_eq!(found.number(), me.number());
        assert!(Pid::from_nr(-1).is_none() && Pid::from_nr(0).is_none());
        let init = Pid::from_nr(1).ok_or(ESRCH)?;
        assert!(!init.is_caller());
        assert!(init.is_init() && !me.is_init());
        Ok(())
    }
}
