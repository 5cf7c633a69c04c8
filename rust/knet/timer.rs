// SPDX-License-Identifier: GPL-2.0

//! One-shot timers that run in softirq context and keep their owner alive while they are armed.
//!
//! An armed timer holds a reference to the [`Arc`] it lives in, and so does a call of
//! [`TimerOwner::expired`] that is under way. Whoever takes an owner out of its tables calls
//! [`Timer::shutdown`]; that also is what makes the module safe to unload.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use crate::sys::bindings;
use core::{
    marker::PhantomPinned,
    mem::size_of,
    ptr, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Tells the time that deadlines and timers are given in: nanoseconds of `CLOCK_MONOTONIC`.
#[inline]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_now_ns() }
}

/// Tells the same time as it was at the last tick, which costs less.
#[inline]
pub(crate) fn tick_ns() -> u64 {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_tick_ns() }
}

/// A type with a [`Timer`] inside; made by [`impl_timer!`].
pub(crate) trait HasTimer {
    /// The timer: a field of the value itself.
    fn timer(&self) -> &Timer;
}

/// What to do when a timer expires.
pub(crate) trait TimerOwner: HasTimer + Send + Sync + Sized + 'static {
    /// The time has come. Softirq context; the timer may be armed again in here.
    fn expired(self: &Arc<Self>);
}

/// Names the timer of a type: `impl_timer! { impl Timer for Peer { self.timer } }`.
macro_rules! impl_timer {
    (impl Timer for $owner:ty { self.$($field:tt).+ }) => {
        impl $crate::knet::timer::HasTimer for $owner {
            #[inline]
            fn timer(&self) -> &$crate::knet::timer::Timer {
                &self.$($field).+
            }
        }
    };
}
pub(crate) use impl_timer;

/// A timer, to be a pinned field of its owner.
///
/// # Invariants
///
/// While it is armed, or `expired` runs, it owns a reference to the `Arc` that contains it.
#[pin_data]
pub(crate) struct Timer {
    #[pin]
    inner: Opaque<bindings::qnet_timer>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A `struct qnet_timer` may be used by any thread, and its owner is `Send`.
unsafe impl Send for Timer {}
// SAFETY: It has its own lock, so any number of threads may use it at a time.
unsafe impl Sync for Timer {}

impl Timer {
    /// Makes a timer that is not armed.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` may be written, and is pinned.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::qnet_helper_timer_init(slot) }),
            _pin: PhantomPinned,
        })
    }

    /// Lets the owner's timer expire at `at`; moves it if it is armed.
    ///
    /// Process or softirq context, also under locks that are taken in
    /// [`expired`](TimerOwner::expired), and in there itself. Does nothing after
    /// [`shutdown`](Self::shutdown).
    pub(crate) fn arm<T: TimerOwner>(owner: &Arc<T>, at: u64) {
        let timer: *const Timer = owner.timer();
        let object = Arc::as_ptr(owner);
        // The reference must be to the allocation that contains the timer; else the timer could be
        // freed while it is queued.
        let inside = (timer.addr().wrapping_sub(object.addr())) < size_of::<T>();
        if !inside {
            kernel::pr_err!("a timer outside of its owner is not armed\n");
            return;
        }
        // One reference for the timer. It comes back if none was needed.
        let reference = Arc::into_raw(owner.clone());
        // SAFETY: The timer was initialised and is inside the object that `reference` keeps alive.
        // INVARIANT: The helper keeps the reference when the timer becomes armed.
        let surplus = unsafe {
            bindings::qnet_helper_timer_arm(
                Opaque::cast_into(ptr::addr_of!((*timer).inner)),
                at,
                reference.cast(),
                Some(expired::<T>),
                Some(put::<T>),
            )
        };
        if surplus {
            // SAFETY: The reference was not taken over, so it is the one of `into_raw` above.
            drop(unsafe { Arc::from_raw(reference) });
        }
    }

    /// Ends the timer for good, and waits until [`expired`](TimerOwner::expired) has returned.
    ///
    /// Process context; no lock held that `expired` takes. Not for `expired` itself.
    pub(crate) fn shutdown(&self) {
        // SAFETY: The timer was initialised. If the helper drops the timer's reference, it is not
        // the last one, since the caller's borrow rests on another.
        unsafe { bindings::qnet_helper_timer_shutdown(self.inner.get()) }
    }
}

/// Called by C when the time has come.
///
/// # Safety
///
/// `owner` is a reference of an `Arc<T>`, which this function takes over.
unsafe extern "C" fn expired<T: TimerOwner>(owner: *const c_void) {
    // SAFETY: As the caller promises; the pointer is the one of `arm`.
    let owner: Arc<T> = unsafe { Arc::from_raw(owner.cast()) };
    owner.expired();
}

/// Called by C to drop the reference of a timer that was taken back.
///
/// # Safety
///
/// As for [`expired`].
unsafe extern "C" fn put<T: TimerOwner>(owner: *const c_void) {
    // SAFETY: As the caller promises; the pointer is the one of `arm`.
    drop(unsafe { Arc::<T>::from_raw(owner.cast()) });
}

#[kunit_tests(qnet_knet_timer)]
mod tests {
    use super::*;
    use kernel::{
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    #[pin_data]
    struct Clock {
        ticks: Atomic<u32>,
        again: u32,
        #[pin]
        timer: Timer,
    }

    impl_timer! { impl Timer for Clock { self.timer } }

    impl TimerOwner for Clock {
        fn expired(self: &Arc<Self>) {
            if self.ticks.fetch_add(1, Relaxed) < self.again {
                Timer::arm(self, now_ns() + 1_000_000);
            }
        }
    }

    fn clock(again: u32) -> Result<Arc<Clock>> {
        Arc::pin_init(
            pin_init!(Clock {
                ticks: Atomic::new(0),
                again,
                timer <- Timer::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn wait_for(clock: &Clock, ticks: u32) -> bool {
        for _ in 0..1000 {
            if clock.ticks.load(Relaxed) >= ticks {
                return true;
            }
            fsleep(Delta::from_millis(5));
        }
        false
    }

    #[test]
    fn expires_and_rearms_itself() -> Result {
        let clock = clock(2)?;
        Timer::arm(&clock, now_ns() + 1_000_000);
        assert!(wait_for(&clock, 3));
        clock.timer.shutdown();
        assert_eq!(clock.ticks.load(Relaxed), 3);
        assert!(Arc::into_unique_or_drop(clock).is_some());
        Ok(())
    }

    #[test]
    fn armed_timer_keeps_its_owner() -> Result {
        let clock = clock(0)?;
        let later = now_ns() + 3_600_000_000_000;
        Timer::arm(&clock, later);
        // Moving it takes no further reference.
        Timer::arm(&clock, later + 1);
        Timer::arm(&clock, later + 1);
        Timer::arm(&clock, later);
        clock.timer.shutdown();
        Timer::arm(&clock, now_ns());
        fsleep(Delta::from_millis(10));
        assert_eq!(clock.ticks.load(Relaxed), 0);
        assert!(Arc::into_unique_or_drop(clock).is_some());
        Ok(())
    }

    /// Arms itself twice whenever it expires, and takes its time over it.
    #[pin_data]
    struct Busy {
        rounds: Atomic<u32>,
        running: Atomic<u32>,
        met: Atomic<u32>,
        #[pin]
        timer: Timer,
    }

    impl_timer! { impl Timer for Busy { self.timer } }

    impl TimerOwner for Busy {
        fn expired(self: &Arc<Self>) {
            self.running.store(1, Relaxed);
            let begin = now_ns();
            Timer::arm(self, begin + 600_000);
            // Another thread may arm it now, if it is on another CPU.
            while now_ns() < begin + 200_000 && self.met.load(Relaxed) == 0 {
                core::hint::spin_loop();
            }
            self.met.store(0, Relaxed);
            self.running.store(0, Relaxed);
            Timer::arm(self, now_ns() + 300_000);
            self.rounds.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn arming_twice_takes_one_reference() -> Result {
        let busy = Arc::pin_init(
            pin_init!(Busy {
                rounds: Atomic::new(0),
                running: Atomic::new(0),
                met: Atomic::new(0),
                timer <- Timer::new(),
            }),
            GFP_KERNEL,
        )?;
        Timer::arm(&busy, now_ns());
        let end = now_ns() + 300_000_000;
        let mut nap = end - 290_000_000;
        while now_ns() < end {
            if busy.running.load(Relaxed) != 0 {
                Timer::arm(&busy, now_ns() + 400_000);
                Timer::arm(&busy, now_ns() + 100_000);
                busy.met.store(1, Relaxed);
            }
            // Waking up again may move this thread to another CPU than the timer's.
            if now_ns() > nap {
                fsleep(Delta::from_millis(1));
                // The timer may be expiring just now.
                Timer::arm(&busy, now_ns());
                nap = now_ns() + 10_000_000;
            }
        }
        assert!(busy.rounds.load(Relaxed) > 1);
        busy.timer.shutdown();
        assert!(Arc::into_unique_or_drop(busy).is_some());
        Ok(())
    }

    /// Counts how often one was dropped.
    struct Grave(Arc<Atomic<u32>>);

    impl Drop for Grave {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[pin_data]
    struct Lonely {
        _grave: Grave,
        #[pin]
        timer: Timer,
    }

    impl_timer! { impl Timer for Lonely { self.timer } }

    impl TimerOwner for Lonely {
        fn expired(self: &Arc<Self>) {}
    }

    #[test]
    fn last_reference_may_go_in_the_callback() -> Result {
        let dropped = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
        let grave = Grave(dropped.clone());
        let owner = Arc::pin_init(
            pin_init!(Lonely {
                _grave: grave,
                timer <- Timer::new(),
            }),
            GFP_KERNEL,
        )?;
        Timer::arm(&owner, now_ns() + 2_000_000);
        drop(owner);
        for _ in 0..1000 {
            if dropped.load(Relaxed) != 0 {
                break;
            }
            fsleep(Delta::from_millis(5));
        }
        assert_eq!(dropped.load(Relaxed), 1);
        Ok(())
    }
}
