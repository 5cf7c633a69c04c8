// SPDX-License-Identifier: GPL-2.0

//! A limit on how often something is done.

use crate::proto::time::{
    Instant,
    Nanos, //
};

/// Allows something at most `N` times in any second.
///
/// It remembers the last `N` times, so no second has more, wherever it starts.
#[derive(Clone, Debug)]
pub struct RateLimit<const N: usize> {
    /// The last times, in a ring; none where nothing was allowed yet.
    times: [Option<Instant>; N],
    oldest: usize,
}

impl<const N: usize> RateLimit<N> {
    /// A limit that nothing was counted against yet.
    pub const fn new() -> Self {
        Self {
            times: [None; N],
            oldest: 0,
        }
    }

    /// Whether it may be done at `now`; if so, it counts as done.
    pub fn allow(&mut self, now: Instant) -> bool {
        let Some(slot) = self.times.get_mut(self.oldest) else {
            return false;
        };
        if slot.is_some_and(|then| now < then.after(Nanos::from_secs(1))) {
            return false;
        }
        *slot = Some(now);
        self.oldest = self.oldest.wrapping_add(1) % N;
        true
    }
}

impl<const N: usize> Default for RateLimit<N> {
    fn default() -> Self {
        Self::new()
    }
}
