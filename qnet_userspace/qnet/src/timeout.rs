// SPDX-License-Identifier: LGPL-2.1-or-later

//! When a blocked call gives up.

use std::{
    ops::BitOr,
    time::{
        Duration,
        Instant, //
    },
};

/// States in which a call may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States(u32);

impl States {
    /// Sending a message that no server has received yet.
    pub const SEND: States = States(qnet_sys::QNET_TIMEOUT_SEND);
    /// Waiting for a message.
    pub const RECEIVE: States = States(qnet_sys::QNET_TIMEOUT_RECEIVE);
    /// Waiting for the reply to a message that a server has received.
    pub const REPLY: States = States(qnet_sys::QNET_TIMEOUT_REPLY);
    /// All of them.
    pub const ALL: States = States(Self::SEND.0 | Self::RECEIVE.0 | Self::REPLY.0);

    /// The states with these bits, which are Neutrino's `_NTO_TIMEOUT_*`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for States {
    type Output = States;

    fn bitor(self, other: States) -> States {
        States(self.0 | other.0)
    }
}

/// When a blocked call gives up with [`ETIMEDOUT`](crate::Error::ETIMEDOUT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    ns: u64,
    states: States,
}

impl Timeout {
    /// Never.
    pub const NEVER: Timeout = Timeout {
        ns: 0,
        states: States(0),
    };

    /// At once, if the call would block.
    pub const NOW: Timeout = Timeout {
        ns: 0,
        states: States::ALL,
    };

    /// After `duration`, whatever the call is blocked in.
    pub fn after(duration: Duration) -> Self {
        Self {
            ns: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            states: States::ALL,
        }
    }

    /// The same time, but only while the call is in one of `states`.
    pub fn in_states(self, states: States) -> Self {
        Self { states, ..self }
    }

    /// What is left of it, when it began to count then.
    pub(crate) fn since(self, began: Instant) -> Self {
        let passed = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Self {
            ns: self.ns.saturating_sub(passed),
            ..self
        }
    }

    /// The time-out as the module takes it. It is told until when, since a call that is interrupted
    /// by a signal without a handler is made again, and would wait as long once more.
    pub(crate) fn to_raw(self) -> qnet_sys::qnet_timeout {
        let mut raw = qnet_sys::qnet_timeout {
            ns: self.ns,
            states: self.states.0,
            reserved: 0,
        };
        // One that passes at once is not made later by the time that the call takes to get there.
        if raw.states != 0 && raw.ns != 0 {
            raw.ns = raw.ns.saturating_add(monotonic()).min(LATEST);
            raw.states |= qnet_sys::QNET_TIMEOUT_ABSOLUTE;
        }
        raw
    }
}

/// The latest time that the kernel can say.
const LATEST: u64 = i64::MAX as u64;

/// CLOCK_MONOTONIC, in nanoseconds.
fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: The place for the time is valid, and this clock cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Self::after(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw() {
        assert_eq!(Timeout::NEVER.to_raw(), Default::default());
        assert_eq!(Timeout::NOW.to_raw().states, 0x70);
        assert_eq!(Timeout::NOW.to_raw().ns, 0);
        let before = monotonic();
        let raw = Timeout::after(Duration::from_millis(2))
            .in_states(States::SEND | States::REPLY)
            .to_raw();
        assert_eq!(raw.states, 0x8000_0050);
        assert!((before + 2_000_000..=monotonic() + 2_000_000).contains(&raw.ns));
        assert_eq!(Timeout::after(Duration::MAX).to_raw().ns, LATEST);
    }

    #[test]
    fn what_is_left() {
        let past = Instant::now() - Duration::from_secs(5);
        assert_eq!(Timeout::NEVER.since(past), Timeout::NEVER);
        assert_eq!(
            Timeout::after(Duration::from_secs(4)).since(past),
            Timeout::NOW
        );
        assert!(Timeout::after(Duration::from_secs(1000)).since(past).ns <= 995_000_000_000);
    }
}
