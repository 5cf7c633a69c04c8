// SPDX-License-Identifier: GPL-2.0

//! Notice of a process's death, when its last thread has ended, whoever has inherited its files.
//!
//! A watch that was started holds a reference to the [`Arc`] it lies in, and holds this module,
//! until the process has died or the watch is stopped. The callbacks run in a workqueue of their
//! own, which the module has as long as its [`Registration`].
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use super::pid::Pid;
use crate::sys::bindings;
use core::{
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    mem::size_of,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// A type with a [`DeathWatch`] inside; made by [`impl_death_watch!`].
pub(crate) trait HasDeathWatch {
    /// The watch: a field of the value itself.
    fn death_watch(&self) -> &DeathWatch;
}

/// What to do when a process has died.
pub(crate) trait DeathWatcher: HasDeathWatch + Send + Sync + Sized + 'static {
    /// The process is dead: none of its threads runs any more. Process context; it may sleep.
    fn died(self: &Arc<Self>);
}

/// Names the watch of a type: `impl_death_watch! { impl DeathWatch for Process { self.watch } }`.
macro_rules! impl_death_watch {
    (impl DeathWatch for $owner:ty { self.$($field:tt).+ }) => {
        impl $crate::knet::death::HasDeathWatch for $owner {
            #[inline]
            fn death_watch(&self) -> &$crate::knet::death::DeathWatch {
                &self.$($field).+
            }
        }
    };
}
pub(crate) use impl_death_watch;

/// The workqueue of the callbacks. Made before, and dropped after, all that starts watches.
pub(crate) struct Registration(PhantomData<*const ()>);

// SAFETY: It may be dropped by any thread.
unsafe impl Send for Registration {}
// SAFETY: It has no methods.
unsafe impl Sync for Registration {}

impl Registration {
    /// Makes it. Called by the module's initialisation.
    ///
    /// Errors: `EBUSY` if there is one, `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: It has no preconditions: the initialisation of a module is one thread.
        to_result(unsafe { bindings::qnet_helper_death_begin() })?;
        Ok(Self(PhantomData))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: It was made by `new`. The module is being unloaded, or was not loaded: a started
        // watch would hold it.
        unsafe { bindings::qnet_helper_death_end() }
    }
}

/// A watch on one process, to be a pinned field of its owner.
///
/// # Invariants
///
/// While it is in the queue of a process, or its work is queued, or `died` runs, it owns a
/// reference to the `Arc` that contains it.
#[pin_data(PinnedDrop)]
pub(crate) struct DeathWatch {
    #[pin]
    inner: Opaque<bindings::qnet_death>,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A `struct qnet_death` may be used by any thread, and its owner is `Send`.
unsafe impl Send for DeathWatch {}
// SAFETY: It has its own locks, so any number of threads may use it at a time.
unsafe impl Sync for DeathWatch {}

impl DeathWatch {
    /// Makes a watch that watches nothing.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` may be written, and is pinned.
            inner <- Opaque::ffi_init(|slot| unsafe { bindings::qnet_helper_death_init(slot) }),
            _pin: PhantomPinned,
        })
    }

    /// Watches a process: [`died`](DeathWatcher::died) is called once when it has died, and soon if
    /// it is dead already. Process context.
    ///
    /// Errors: `EBUSY` if the watch was started before, `ESHUTDOWN` if it was stopped, `ENODEV`
    /// without a [`Registration`], `EINVAL` if the watch is not a field of its owner.
    pub(crate) fn start<T: DeathWatcher>(owner: &Arc<T>, pid: &Pid) -> Result {
        let watch: *const DeathWatch = owner.death_watch();
        let object = Arc::as_ptr(owner);
        // The reference must be to the allocation that contains the watch; else the watch could be
        // freed while it is queued.
        if watch.addr().wrapping_sub(object.addr()) >= size_of::<T>() {
            return Err(EINVAL);
        }
        let reference = Arc::into_raw(owner.clone());
        // SAFETY: The watch was initialised and is inside the object that `reference` keeps alive;
        // `pid` is held.
        // INVARIANT: The helper keeps the reference if it succeeds.
        let result = to_result(unsafe {
            bindings::qnet_helper_death_start(
                Opaque::cast_into(ptr::addr_of!((*watch).inner)),
                pid.as_ptr(),
                reference.cast(),
                Some(died::<T>),
                Some(put::<T>),
            )
        });
        if result.is_err() {
            // SAFETY: The reference was not taken over, so it is the one of `into_raw` above.
            drop(unsafe { Arc::from_raw(reference) });
        }
        result
    }

    /// Ends the watch for good, and waits until [`died`](DeathWatcher::died) has returned, should
    /// it be running.
    ///
    /// Process context; no lock held that `died` takes. In `died` itself it does not wait.
    pub(crate) fn stop(&self) {
        // SAFETY: The watch was initialised. If the helper drops the watch's reference, it is not
        // the last one, since the caller's borrow rests on another.
        unsafe { bindings::qnet_helper_death_stop(self.inner.get()) }
    }
}

#[pinned_drop]
impl PinnedDrop for DeathWatch {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The watch was initialised. By the invariant its owner would be alive if the watch
        // were in any queue.
        unsafe { bindings::qnet_helper_death_destroy(self.inner.get()) }
    }
}

/// Called by C when the process is dead.
///
/// # Safety
///
/// `owner` is a reference of an `Arc<T>`, which this function takes over.
unsafe extern "C" fn died<T: DeathWatcher>(owner: *const c_void) {
    // SAFETY: As the caller promises; the pointer is the one of `start`.
    let owner: Arc<T> = unsafe { Arc::from_raw(owner.cast()) };
    owner.died();
}

/// Called by C to drop the reference of a watch that was stopped.
///
/// # Safety
///
/// As for [`died`].
unsafe extern "C" fn put<T: DeathWatcher>(owner: *const c_void) {
    // SAFETY: As the caller promises; the pointer is the one of `start`.
    drop(unsafe { Arc::<T>::from_raw(owner.cast()) });
}

#[kunit_tests(qnet_knet_death)]
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
    struct Heir {
        deaths: Atomic<u32>,
        /// Whether `died` stops the watch.
        stops: bool,
        /// How long `died` takes, in milliseconds.
        takes: i64,
        #[pin]
        watch: DeathWatch,
    }

    impl_death_watch! { impl DeathWatch for Heir { self.watch } }

    impl DeathWatcher for Heir {
        fn died(self: &Arc<Self>) {
            fsleep(Delta::from_millis(self.takes));
            if self.stops {
                self.watch.stop();
            }
            self.deaths.fetch_add(1, Relaxed);
        }
    }

    fn heir(stops: bool, takes: i64) -> Result<Arc<Heir>> {
        Arc::pin_init(
            pin_init!(Heir {
                deaths: Atomic::new(0),
                stops,
                takes,
                watch <- DeathWatch::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn wait_for_death(heir: &Heir) -> bool {
        for _ in 0..1000 {
            if heir.deaths.load(Relaxed) != 0 {
                return true;
            }
            fsleep(Delta::from_millis(5));
        }
        false
    }

    fn is_last(heir: Arc<Heir>) -> bool {
        // The callback may be about to drop its reference.
        heir.watch.stop();
        Arc::into_unique_or_drop(heir).is_some()
    }

    #[test]
    fn process_that_lives_is_not_dead() -> Result {
        let heir = heir(false, 0)?;
        let me = Pid::of_caller();
        DeathWatch::start(&heir, &me)?;
        assert!(DeathWatch::start(&heir, &me) == Err(EBUSY));
        fsleep(Delta::from_millis(20));
        heir.watch.stop();
        heir.watch.stop();
        assert_eq!(heir.deaths.load(Relaxed), 0);
        assert!(is_last(heir));
        Ok(())
    }

    #[test]
    fn stopped_watch_does_not_start() -> Result {
        let heir = heir(false, 0)?;
        heir.watch.stop();
        assert!(DeathWatch::start(&heir, &Pid::of_caller()) == Err(ESHUTDOWN));
        assert!(is_last(heir));
        Ok(())
    }

    #[test]
    fn death_is_told_once() -> Result {
        for stops in [false, true] {
            let heir = heir(stops, 0)?;
            let pid = Pid::for_test(30).ok_or(ENOMEM)?;
            DeathWatch::start(&heir, &pid)?;
            assert_eq!(heir.deaths.load(Relaxed), 0);
            assert!(wait_for_death(&heir));
            // It is reaped meanwhile, which wakes its queue once more.
            fsleep(Delta::from_millis(20));
            assert!(!pid.alive());
            assert_eq!(heir.deaths.load(Relaxed), 1);
            assert!(is_last(heir));
        }
        Ok(())
    }

    #[test]
    fn dead_process_is_told_at_once() -> Result {
        let heir = heir(false, 0)?;
        let pid = Pid::for_test(0).ok_or(ENOMEM)?;
        for _ in 0..1000 {
            if !pid.alive() {
                break;
            }
            fsleep(Delta::from_millis(5));
        }
        DeathWatch::start(&heir, &pid)?;
        assert!(wait_for_death(&heir));
        assert!(is_last(heir));
        Ok(())
    }

    #[test]
    fn stopping_waits_for_the_callback() -> Result {
        let heir = heir(false, 100)?;
        let pid = Pid::for_test(10).ok_or(ENOMEM)?;
        DeathWatch::start(&heir, &pid)?;
        fsleep(Delta::from_millis(60));
        heir.watch.stop();
        let deaths = heir.deaths.load(Relaxed);
        fsleep(Delta::from_millis(200));
        // It had begun and was waited for, or does not come any more.
        assert_eq!(heir.deaths.load(Relaxed), deaths);
        assert!(is_last(heir));
        Ok(())
    }

    #[test]
    fn start_and_stop_race_with_death() -> Result {
        for round in 0..50 {
            let heir = heir(round % 2 == 0, 0)?;
            let pid = Pid::for_test(round % 3).ok_or(ENOMEM)?;
            if round % 5 == 0 {
                fsleep(Delta::from_millis(2));
            }
            DeathWatch::start(&heir, &pid)?;
            fsleep(Delta::from_micros(i64::from(round) * 100));
            heir.watch.stop();
            assert!(is_last(heir));
        }
        Ok(())
    }
}
