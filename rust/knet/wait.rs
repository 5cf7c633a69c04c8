// SPDX-License-Identifier: GPL-2.0

//! A queue of sleeping threads beside a [`SpinLockBh`](super::lock::SpinLockBh).
//!
//! The condition is changed under the lock, the wake-up comes after it. A waiter is queued before
//! it lets the lock go, so no wake-up is lost; and a waiter that was woken says so, whatever else
//! has happened to it, so that a wake-up meant for one thread never vanishes.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use super::{
    lock::{
        BhBackend,
        SpinLockBhGuard, //
    },
    pid::PidNs, //
};
use crate::sys::bindings;
use core::{
    marker::PhantomPinned,
    ptr, //
};
use kernel::{prelude::*, sync::lock::Lock, types::Opaque};

/// How a wait ended. The condition is to be looked at again after [`Woken`](Wait::Woken).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Somebody woke us, or it seems so.
    Woken,
    /// The deadline has come.
    TimedOut,
    /// A signal is pending.
    Signal,
}

/// A thread that waits.
pub(crate) struct Waiter {
    /// Its number in the pid namespace of who asks; 0 if it has none there.
    pub(crate) tid: i32,
    /// When it began to wait: a time of [`tick_ns`](super::timer::tick_ns).
    pub(crate) since: u64,
}

/// Whether the calling thread has a signal pending, which ends its waits.
#[inline]
pub(crate) fn signal_pending() -> bool {
    kernel::current!().signal_pending()
}

/// What a pending signal will do to the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// There is none.
    None,
    /// Run a handler of the program's.
    Handler,
    /// Something that the program does not see, as to stop it for a while.
    Other,
    /// End it.
    Fatal,
}

/// Looks at the signals of the calling thread. Process context.
pub(crate) fn pending_signal() -> Signal {
    if !signal_pending() {
        return Signal::None;
    }
    // SAFETY: Process context.
    match unsafe { bindings::qnet_helper_pending_signal() } {
        bindings::qnet_signal_kind_QNET_SIGNAL_FATAL => Signal::Fatal,
        bindings::qnet_signal_kind_QNET_SIGNAL_HANDLER => Signal::Handler,
        bindings::qnet_signal_kind_QNET_SIGNAL_OTHER => Signal::Other,
        _ => Signal::None,
    }
}

/// Threads that wait, first come first served.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A `struct wait_queue_head` may be used by any thread.
unsafe impl Send for WaitQueue {}
// SAFETY: It has its own lock, so any number of threads may use it at a time.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// Makes an empty queue. All queues share a lock class: their own lock is held only for a
    /// moment, with no other taken in it.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` may be written; name and key are static.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(
                    slot,
                    c"qnet_wait_queue".as_char_ptr(),
                    kernel::static_lock_class!().as_ptr().cast(),
                )
            }),
            _pin: PhantomPinned,
        })
    }

    /// Releases the lock, sleeps until woken, and takes the lock again.
    ///
    /// `deadline` is a time of [`now_ns`](super::timer::now_ns). Any signal ends the wait. Process
    /// context, with no other lock held.
    pub(crate) fn wait<T: ?Sized>(
        &self,
        guard: &mut SpinLockBhGuard<'_, T>,
        deadline: Option<u64>,
    ) -> Wait {
        self.sleep(guard, deadline, false)
    }

    /// As [`wait`](Self::wait), but of the signals only a fatal one ends it.
    pub(crate) fn wait_killable<T: ?Sized>(
        &self,
        guard: &mut SpinLockBhGuard<'_, T>,
        deadline: Option<u64>,
    ) -> Wait {
        self.sleep(guard, deadline, true)
    }

    fn sleep<T: ?Sized>(
        &self,
        guard: &mut SpinLockBhGuard<'_, T>,
        deadline: Option<u64>,
        killable: bool,
    ) -> Wait {
        let lock: &Lock<T, BhBackend> = guard.lock_ref();
        // CAST: `Lock` is `repr(C)` and begins with the C lock.
        let lock: *mut bindings::spinlock_t = ptr::from_ref(lock).cast_mut().cast();
        let deadline = deadline.unwrap_or(bindings::QNET_WAIT_FOREVER as u64);
        // SAFETY: `head` was initialised; the guard proves that this thread holds the lock, and is
        // borrowed exclusively, so that nobody looks at the data while it is not held. The helper
        // returns with the lock held again.
        let result =
            unsafe { bindings::qnet_helper_wait(self.head.get(), lock, deadline, killable) };
        match result as u32 {
            bindings::qnet_wait_result_QNET_WAIT_SIGNAL => Wait::Signal,
            bindings::qnet_wait_result_QNET_WAIT_TIMED_OUT => Wait::TimedOut,
            _ => Wait::Woken,
        }
    }

    /// How many threads wait; more than 256 are not counted. Any context.
    pub(crate) fn waiters(&self) -> u32 {
        // SAFETY: `head` was initialised.
        unsafe { bindings::qnet_helper_waiters(self.head.get()) }
    }

    /// The `n`th of the threads that wait, as who is in the pid namespace `pids` knows it; of the
    /// first 256 only. Any context.
    pub(crate) fn waiter_at(&self, n: u32, pids: &PidNs) -> Option<Waiter> {
        let mut info = bindings::qnet_waiter_info::default();
        // SAFETY: `head` was initialised; `pids` is held.
        let found = unsafe {
            bindings::qnet_helper_waiter_at(self.head.get(), n, pids.as_ptr(), &mut info)
        };
        found.then_some(Waiter {
            tid: info.tid,
            since: info.since,
        })
    }

    /// Wakes the thread that has waited longest.
    ///
    /// To be called after the condition was changed under the lock that the waiters gave to
    /// [`wait`](Self::wait); any context, locked or not.
    #[inline]
    pub(crate) fn wake_one(&self) {
        // SAFETY: `head` was initialised.
        unsafe { bindings::qnet_helper_wake_one(self.head.get()) }
    }

    /// Wakes all; otherwise as [`wake_one`](Self::wake_one).
    #[inline]
    pub(crate) fn wake_all(&self) {
        // SAFETY: `head` was initialised.
        unsafe { bindings::qnet_helper_wake_all(self.head.get()) }
    }
}

#[kunit_tests(qnet_knet_wait)]
mod tests {
    use super::*;
    use crate::knet::{
        lock::{
            new_spinlock_bh,
            SpinLockBh, //
        },
        timer::{
            impl_timer,
            now_ns,
            Timer,
            TimerOwner, //
        },
    };
    use kernel::sync::Arc;

    #[pin_data]
    struct Bell {
        #[pin]
        rung: SpinLockBh<u32>,
        #[pin]
        queue: WaitQueue,
        #[pin]
        timer: Timer,
    }

    impl_timer! { impl Timer for Bell { self.timer } }

    impl TimerOwner for Bell {
        fn expired(self: &Arc<Self>) {
            *self.rung.lock() += 1;
            self.queue.wake_one();
        }
    }

    fn bell() -> Result<Arc<Bell>> {
        Arc::pin_init(
            pin_init!(Bell {
                rung <- new_spinlock_bh!(0, "qnet_test_bell"),
                queue <- WaitQueue::new(),
                timer <- Timer::new(),
            }),
            GFP_KERNEL,
        )
    }

    #[test]
    fn deadline_ends_a_wait_on_time() -> Result {
        let bell = bell()?;
        let mut guard = bell.rung.lock();
        let start = now_ns();
        let result = bell.queue.wait(&mut guard, Some(start + 20_000_000));
        assert!(result == Wait::TimedOut);
        assert!(now_ns() >= start + 20_000_000);
        // A deadline in the past does not hang.
        let result = bell.queue.wait(&mut guard, Some(1));
        assert!(result == Wait::TimedOut);
        Ok(())
    }

    #[test]
    fn deadline_beyond_the_clock_is_none() -> Result {
        for deadline in [1 << 63, u64::MAX - 1] {
            let bell = bell()?;
            Timer::arm(&bell, now_ns() + 20_000_000);
            let mut guard = bell.rung.lock();
            let result = bell.queue.wait(&mut guard, Some(deadline));
            assert!(result == Wait::Woken);
            assert_eq!(*guard, 1);
            drop(guard);
            bell.timer.shutdown();
        }
        Ok(())
    }

    #[test]
    fn nobody_waits_who_does_not() -> Result {
        let bell = bell()?;
        assert_eq!(bell.queue.waiters(), 0);
        assert!(bell.queue.waiter_at(0, &PidNs::of_caller()).is_none());
        Ok(())
    }

    #[test]
    fn softirq_wakes_a_waiter() -> Result {
        let bell = bell()?;
        // Waking nobody does nothing.
        bell.queue.wake_one();
        bell.queue.wake_all();
        Timer::arm(&bell, now_ns() + 5_000_000);
        let deadline = now_ns() + 10_000_000_000;
        let mut guard = bell.rung.lock();
        let mut result = Wait::Woken;
        while *guard == 0 && result == Wait::Woken {
            result = bell.queue.wait(&mut guard, Some(deadline));
        }
        assert!(result == Wait::Woken);
        assert_eq!(*guard, 1);
        drop(guard);
        bell.timer.shutdown();
        Ok(())
    }
}
