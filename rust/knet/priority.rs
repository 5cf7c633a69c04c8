// SPDX-License-Identifier: GPL-2.0

//! Threads, and how they are scheduled.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::{
    proto::kif::priority::{
        Limits,
        Sched, //
    },
    sys::bindings, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A thread, alive or dead.
///
/// # Invariants
///
/// It owns a reference to a `struct task_struct`.
pub(crate) struct Thread(NonNull<bindings::task_struct>);

// SAFETY: A reference to a task may be used and dropped by any thread.
unsafe impl Send for Thread {}
// SAFETY: All that is done with it is safe to do by any number of threads at a time.
unsafe impl Sync for Thread {}

/// How a thread is scheduled, and what the kernel forgets in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheduled {
    /// How.
    pub(crate) sched: Sched,
    /// How late its timers may be, in nanoseconds; 0 in real time.
    pub(crate) slack: u64,
}

impl Thread {
    /// The calling one. Process context.
    pub(crate) fn of_caller() -> Self {
        // INVARIANT: The helper takes a reference.
        // SAFETY: A running task is not null.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_task()) })
    }

    /// Whether it is the calling one. Process context.
    pub(crate) fn is_caller(&self) -> bool {
        // SAFETY: `self` holds it; the helper only compares.
        unsafe { bindings::qnet_helper_is_current_task(self.0.as_ptr()) }
    }

    /// Whether it has ended.
    pub(crate) fn is_dead(&self) -> bool {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_task_is_dead(self.0.as_ptr()) }
    }

    /// How it is scheduled.
    pub(crate) fn scheduled(&self) -> Scheduled {
        let mut raw = bindings::qnet_sched::default();
        // SAFETY: `self` holds it, and `raw` can be written.
        unsafe { bindings::qnet_helper_sched_get(self.0.as_ptr(), &mut raw) };
        Scheduled {
            sched: Sched {
                policy: raw.policy,
                real_time: raw.rt_priority,
                nice: raw.nice,
            },
            slack: raw.slack,
        }
    }

    /// Changes how it is scheduled, whatever it may do itself. Process context; no spinlock is held.
    /// A dead thread is no error.
    ///
    /// Errors: what the scheduler says, `EINVAL` or `EBUSY`.
    pub(crate) fn schedule(&self, to: &Scheduled) -> Result {
        let raw = bindings::qnet_sched {
            policy: to.sched.policy,
            rt_priority: to.sched.real_time,
            nice: to.sched.nice,
            reserved: 0,
            slack: to.slack,
        };
        // SAFETY: `self` holds the task, and the caller is in process context without spinlocks.
        to_result(unsafe { bindings::qnet_helper_sched_set(self.0.as_ptr(), &raw) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::qnet_helper_put_task(self.0.as_ptr()) }
    }
}

/// The calling thread's own priority as Neutrino counts: without what the waiters of a mutex lend to
/// it for as long as it has that. Process context.
pub(crate) fn caller_own_priority() -> i16 {
    // CAST: It is 1 to 119.
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_current_own() as i16 }
}

/// How far the calling thread may go by its resource limits. Process context.
pub(crate) fn caller_limits() -> Limits {
    // SAFETY: They have no preconditions.
    unsafe {
        Limits {
            real_time: bindings::qnet_helper_rlimit_rtprio(),
            nice: bindings::qnet_helper_rlimit_nice(),
        }
    }
}

/// Whether the calling thread may go beyond its limits. Process context.
pub(crate) fn caller_may_raise() -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_may_raise() }
}

#[kunit_tests(qnet_knet_priority)]
mod tests {
    use super::*;
    use crate::knet::pid::caller_priority;

    #[test]
    fn a_thread_is_scheduled_and_gets_its_own_back() -> Result {
        let me = Thread::of_caller();
        assert!(me.is_caller() && !me.is_dead());
        let own = me.scheduled();
        assert_eq!(i32::from(caller_priority()), own.sched.priority());
        for priority in [10, 25, 40, 3, 19, 119] {
            let lent = own.sched.at(priority);
            me.schedule(&Scheduled { sched: lent, ..own })?;
            assert_eq!(me.scheduled().sched, lent);
            assert_eq!(caller_priority(), priority);
            assert_eq!(caller_own_priority(), priority);
        }
        me.schedule(&own)?;
        assert_eq!(me.scheduled(), own);
        Ok(())
    }

    #[test]
    fn limits_are_in_range() {
        let limits = caller_limits();
        assert!(limits.real_time <= 99);
        assert!((-20..=20).contains(&limits.nice));
    }
}
