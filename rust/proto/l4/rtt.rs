// SPDX-License-Identifier: GPL-2.0

//! The round trip as measured, and the time after which an answer is overdue.

use crate::proto::time::Nanos;

/// The time-out before anything was measured. A session measures its handshake, so this counts
/// only where that lost a frame: long for a LAN, yet far below the 200 ms of a tick.
const UNMEASURED: Nanos = Nanos::from_millis(20);

/// The smoothed round trip and its deviation, with the weights of RFC 6298.
///
/// Karn's rule is the caller's: a message that was sent twice gives no sample.
#[derive(Clone, Copy, Debug)]
pub struct Rtt {
    smoothed: Nanos,
    deviation: Nanos,
    measured: bool,
}

impl Rtt {
    /// An estimate that rests on nothing yet.
    pub const fn new() -> Self {
        Self {
            smoothed: Nanos::ZERO,
            deviation: Nanos::ZERO,
            measured: false,
        }
    }

    /// Takes one measured round trip into account.
    pub fn sample(&mut self, rtt: Nanos) {
        if !self.measured {
            self.measured = true;
            self.smoothed = rtt;
            self.deviation = Nanos(rtt.0 / 2);
            return;
        }
        let error = rtt.0.abs_diff(self.smoothed.0);
        self.deviation = weigh(self.deviation, Nanos(error), 4);
        self.smoothed = weigh(self.smoothed, rtt, 8);
    }

    /// The smoothed round trip, once there is one.
    pub fn smoothed(&self) -> Option<Nanos> {
        self.measured.then_some(self.smoothed)
    }

    /// When an acknowledgement is overdue: the round trip plus four deviations, or plus `margin`
    /// when that is more. The margin covers the time for which the peer may hold an ACK back;
    /// answers are not held back, so a run of them leaves no trace of it in the deviation.
    pub fn timeout(&self, margin: Nanos) -> Nanos {
        if !self.measured {
            return margin.max(UNMEASURED);
        }
        self.smoothed.plus(margin.max(self.deviation.times(4)))
    }
}

impl Default for Rtt {
    fn default() -> Self {
        Self::new()
    }
}

/// `old` with one part in `n` of `new`.
fn weigh(old: Nanos, new: Nanos, n: u64) -> Nanos {
    Nanos((old.0 - old.0 / n).saturating_add(new.0 / n))
}
