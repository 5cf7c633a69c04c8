// SPDX-License-Identifier: LGPL-2.1-or-later

//! TimerTimeout(): a time-out for the next call of the thread.

use std::{
    cell::Cell,
    ffi::c_int,
    mem::MaybeUninit,
    time::Duration, //
};

use qnet::{
    Error,
    Result,
    States,
    Timeout, //
};

use crate::{
    answer::calls,
    event::sigevent, //
};

/// A time-out that waits for the thread's next call.
#[derive(Clone, Copy)]
struct Armed {
    /// What TimerTimeout() was given; 0 when nothing is armed.
    states: u32,
    /// When the time has passed, by CLOCK_MONOTONIC.
    deadline: u64,
}

const DISARMED: Armed = Armed {
    states: 0,
    deadline: 0,
};

thread_local! {
    static ARMED: Cell<Armed> = const { Cell::new(DISARMED) };
}

/// The states that Neutrino knows a time-out for, of which other calls than ours have the rest.
const STATES: u32 = 0x7fff_fffe;

/// Takes the time-out that is armed for this call.
#[inline]
pub(crate) fn take() -> Timeout {
    let armed = ARMED.with(Cell::get);
    if armed.states == 0 {
        return Timeout::NEVER;
    }
    ARMED.with(|cell| cell.set(DISARMED));
    // What our calls are never blocked in cannot time them out.
    match armed.states & States::ALL.bits() {
        0 => Timeout::NEVER,
        states => Timeout::after(remaining(armed)).in_states(States::from_bits(states)),
    }
}

/// Takes the time-out in a call that never blocks.
pub(crate) fn drop_armed() {
    ARMED.with(|cell| cell.set(DISARMED));
}

fn remaining(armed: Armed) -> Duration {
    // This clock cannot fail, so a failure means that the time has passed.
    let now = now(libc::CLOCK_MONOTONIC).unwrap_or(u64::MAX);
    Duration::from_nanos(armed.deadline.saturating_sub(now))
}

fn now(clock: libc::clockid_t) -> Result<u64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: The place is as large as what is written there.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return Err(Error::EINVAL);
    }
    // SAFETY: The call succeeded, so it wrote the time.
    let time = unsafe { time.assume_init() };
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Arms a time-out: the states of the one that was armed before, and how long it had to go.
fn arm(clock: libc::clockid_t, flags: u32, time: u64) -> Result<(u32, u64)> {
    if !matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC) {
        return Err(Error::EINVAL);
    }
    let absolute = flags & libc::TIMER_ABSTIME as u32 != 0;
    let states = flags & !(libc::TIMER_ABSTIME as u32);
    if states & !STATES != 0 {
        return Err(Error::EINVAL);
    }
    let duration = if absolute {
        time.saturating_sub(now(clock)?)
    } else {
        time
    };
    let armed = Armed {
        states,
        deadline: now(libc::CLOCK_MONOTONIC)?.saturating_add(duration),
    };
    let before = ARMED.with(|cell| cell.replace(armed));
    let left = match before.states {
        0 => 0,
        _ => remaining(before).as_nanos() as u64,
    };
    Ok((before.states, left))
}

/// # Safety
///
/// The pointers must be null or valid: `notify` and `ntime` to read, `otime` to write.
unsafe fn timeout(
    clock: libc::clockid_t,
    flags: c_int,
    notify: *const sigevent,
    ntime: *const u64,
    otime: *mut u64,
) -> Result<c_int> {
    // SAFETY: The caller says that it is null or valid.
    if let Some(notify) = unsafe { notify.as_ref() } {
        // Nothing else can happen when the time has passed.
        if notify.kind()? != qnet_sys::QNET_SIGEV_UNBLOCK {
            return Err(Error::EINVAL);
        }
    }
    // SAFETY: The caller says that it is null or valid.
    let time = unsafe { ntime.as_ref() }.copied().unwrap_or(0);
    let (states, left) = arm(clock, flags as u32, time)?;
    // SAFETY: The caller says that it is null or valid.
    if let Some(otime) = unsafe { otime.as_mut() } {
        *otime = left;
    }
    Ok(states as c_int)
}

calls! {
    /// Arms a time-out for the next call of the thread; see TimerTimeout(3).
    pointers fn TimerTimeout TimerTimeout_r
        (id: libc::clockid_t, flags: c_int, notify: *const sigevent, ntime: *const u64,
         otime: *mut u64) -> c_int
        = timeout(id, flags, notify, ntime, otime);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn one_call_takes_it() {
        assert_eq!(arm(libc::CLOCK_MONOTONIC, 0x50, 10 * SECOND), Ok((0, 0)));
        let first = take();
        assert_ne!(first, Timeout::NEVER);
        assert!(first != Timeout::NOW.in_states(States::from_bits(0x50)));
        assert_eq!(take(), Timeout::NEVER);
    }

    #[test]
    fn tells_the_one_before() {
        arm(libc::CLOCK_REALTIME, 0x20, 100 * SECOND).unwrap();
        let (states, left) = arm(libc::CLOCK_REALTIME, 0x10, 0).unwrap();
        assert_eq!(states, 0x20);
        assert!((90 * SECOND..=100 * SECOND).contains(&left));
        assert_eq!(take(), Timeout::NOW.in_states(States::SEND));
    }

    #[test]
    fn absolute_times() {
        let absolute = libc::TIMER_ABSTIME as u32;
        let at = now(libc::CLOCK_REALTIME).unwrap() + 100 * SECOND;
        arm(libc::CLOCK_REALTIME, 0x20 | absolute, at).unwrap();
        let (states, left) = arm(libc::CLOCK_REALTIME, 0x20 | absolute, 1).unwrap();
        assert_eq!(states, 0x20);
        assert!((90 * SECOND..=100 * SECOND).contains(&left), "{left}");
        // A moment long ago.
        assert_eq!(take(), Timeout::NOW.in_states(States::RECEIVE));
    }

    #[test]
    fn other_states_do_not_concern_us() {
        arm(libc::CLOCK_MONOTONIC, 1 << 12, 0).unwrap();
        assert_eq!(take(), Timeout::NEVER);
    }

    #[test]
    fn bad_arguments() {
        assert_eq!(
            arm(libc::CLOCK_PROCESS_CPUTIME_ID, 0x20, 0),
            Err(Error::EINVAL)
        );
        assert_eq!(arm(libc::CLOCK_MONOTONIC, 1 << 31, 0), Err(Error::EINVAL));
        let mut event = sigevent::default();
        let null = std::ptr::null_mut();
        // SAFETY: The pointer to the event is valid, the others are null.
        let call = |event: &sigevent| unsafe {
            TimerTimeout_r(libc::CLOCK_MONOTONIC, 0x20, event, null, null)
        };
        assert_eq!(call(&event), -libc::EINVAL);
        event.sigev_notify = qnet_sys::QNET_SIGEV_UNBLOCK;
        assert_eq!(call(&event), 0);
        assert_eq!(take(), Timeout::NOW.in_states(States::RECEIVE));
    }
}
