// SPDX-License-Identifier: GPL-2.0

//! Time as the machines of the protocol see it.
//!
//! Nothing in `proto` reads a clock: the caller says what time it is. Arithmetic saturates, so that
//! no configured value and no odd clock can make it panic.

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any machine runs.
    pub const MAX: Self = Self(u64::MAX);

    /// Makes a length of `n` microseconds.
    pub const fn from_micros(n: u64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// Makes a length of `n` milliseconds.
    pub const fn from_millis(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }

    /// Makes a length of `n` seconds.
    pub const fn from_secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000_000))
    }

    /// The length in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The sum of two lengths.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This length without `other`, or nothing when `other` is longer.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This length `n` times.
    pub const fn times(self, n: u32) -> Self {
        // A `u32` always fits; `u64::from` is not const yet.
        Self(self.0.saturating_mul(n as u64))
    }

    /// One of `n` equal parts of this length; all of it for none.
    pub const fn part(self, n: u32) -> Self {
        match self.0.checked_div(n as u64) {
            Some(part) => Self(part),
            None => self,
        }
    }

    /// This length doubled `n` times.
    pub const fn doubled(self, n: u32) -> Self {
        match 1u64.checked_shl(n) {
            Some(factor) => Self(self.0.saturating_mul(factor)),
            None if self.0 == 0 => Self::ZERO,
            None => Self::MAX,
        }
    }
}

/// A moment in nanoseconds of a clock that never goes back; the kernel gives `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The moment `ns` nanoseconds after the clock began.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the clock began.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `length` later.
    pub const fn after(self, length: Nanos) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// How long ago `earlier` was; nothing when it lies ahead.
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The earlier of two moments, either of which may be missing.
pub fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
