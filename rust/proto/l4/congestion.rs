// SPDX-License-Identifier: GPL-2.0

//! How much may be under way, and how fast it leaves, both in fragments.
//!
//! The window grows while it is what holds the sender back: doubled each round trip up to a
//! threshold, by a fragment each round trip above it. A fragment lost now and then is repaired and
//! changes nothing, because a link that loses one frame in a hundred is not thereby full. When a
//! round trip loses a larger part the window shrinks, and when nothing comes back in time it starts
//! from two fragments. If that happens again and again it is remembered for `slow_mode` ticks how
//! far it is safe to double.
//!
//! What the window allows leaves in small bursts at twice the speed at which it is acknowledged, so
//! that no queue on the way has to take all of it at once.

use crate::proto::time::{
    Instant,
    Nanos, //
};

/// What a connection begins with: more than the longest message has over Ethernet.
const BEGIN: u32 = 64;

/// The window never allows less.
const LEAST: u32 = 2;

/// A window that shrinks by loss, and not by silence, does not fall below. Queues on the way are seldom
/// shorter, so that what is still lost at this size is the link's doing, and less would not mend it.
const LEAST_SHRUNK: u32 = 24;

/// A round trip counts as one of loss when at least so many fragments were lost, ...
const LOSSES: u32 = 3;

/// ... and at least one in so many of those that were sent.
const LOSS_SHARE: u32 = 20;

/// What may leave at once, however slow the link.
const BURST: u32 = 64;

/// The window never allows more bytes, whatever the options say.
const MOST_BYTES: u32 = 4 << 20;

/// No timer is set for less, because it would cost more than the burst that it prevents.
const LEAST_PAUSE: Nanos = Nanos::from_micros(100);

/// A second in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// How much may be under way, and how fast it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Congestion {
    /// Fragments that may be under way.
    window: u32,
    /// Up to here the window doubles; without a limit it has no value.
    threshold: Option<u32>,
    /// The most that may be under way.
    ceiling: u32,
    /// The peer has room for so many, if it said so.
    room: Option<u32>,
    /// When the present round trip is over.
    round_end: Instant,
    /// Fragments acknowledged and lost in it.
    arrived: u32,
    lost: u32,
    /// Fragments acknowledged since the window last grew by one.
    earned: u32,
    /// The window before the last silence, while that may have been a mere delay.
    before: Option<u32>,
    /// Until when the threshold is remembered.
    slow_until: Option<Instant>,
    /// Fragments that may leave now, and when that was last counted.
    budget: u32,
    counted: Instant,
}

impl Congestion {
    /// The window of a connection that begins.
    pub const fn new() -> Self {
        Self {
            window: BEGIN,
            threshold: None,
            ceiling: u32::MAX,
            room: None,
            round_end: Instant::from_nanos(0),
            arrived: 0,
            lost: 0,
            earned: 0,
            before: None,
            slow_until: None,
            budget: BURST,
            counted: Instant::from_nanos(0),
        }
    }

    /// Not more than `most` fragments may be under way; a fragment has `each` bytes.
    pub fn limit(&mut self, most: u32, each: u32) {
        let bytes = MOST_BYTES.checked_div(each).unwrap_or(MOST_BYTES);
        self.ceiling = most.min(bytes).max(LEAST);
    }

    /// The peer has room for so many fragments; [`None`]: it has plenty.
    pub fn set_room(&mut self, room: Option<u32>) {
        self.room = room;
    }

    /// Fragments that may be under way now.
    pub fn window(&self) -> u32 {
        let room = self.room.unwrap_or(u32::MAX).max(1);
        self.window.min(self.ceiling).max(LEAST).min(room)
    }

    /// `n` fragments have arrived. `held_back`: the window was what kept more from being sent.
    pub fn arrived(&mut self, n: u32, held_back: bool) {
        self.arrived = self.arrived.saturating_add(n);
        if !held_back {
            return;
        }
        let doubles = self
            .threshold
            .is_none_or(|threshold| self.window < threshold);
        if doubles {
            self.window = self.window.saturating_add(n);
        } else {
            self.earned = self.earned.saturating_add(n);
            if self.earned >= self.window {
                self.earned = 0;
                self.window = self.window.saturating_add(1);
            }
        }
        self.window = self.window.min(self.ceiling);
    }

    /// `n` fragments were lost.
    pub fn lost(&mut self, n: u32) {
        self.lost = self.lost.saturating_add(n);
    }

    /// Judges the round trip, if it is over. To be called with each answer.
    pub fn turn(&mut self, now: Instant, round_trip: Nanos) {
        if self.slow_until.is_some_and(|until| until <= now) {
            self.slow_until = None;
            self.threshold = None;
        }
        if now < self.round_end {
            return;
        }
        let sent = self.arrived.saturating_add(self.lost);
        if self.lost >= LOSSES && self.lost.saturating_mul(LOSS_SHARE) >= sent {
            let shrunk = self.window.saturating_sub(self.window / 4);
            self.window = shrunk.max(LEAST_SHRUNK).min(self.window);
            self.threshold = Some(self.window);
        }
        self.arrived = 0;
        self.lost = 0;
        self.round_end = now.after(round_trip);
    }

    /// Nothing came back in time while `flight` fragments were under way, which are counted as lost. `in_vain`: nor had it the
    /// time before; `slow` is how long that is remembered.
    pub fn silence(&mut self, flight: u32, in_vain: bool, now: Instant, slow: Nanos) {
        if slow == Nanos::ZERO {
            self.threshold = None;
        } else if in_vain {
            self.slow_until = Some(now.after(slow));
        } else {
            self.threshold = Some((flight / 2).max(LEAST_SHRUNK));
            self.before = Some(self.window);
            // A single silence is forgotten soon.
            let soon = now.after(Nanos::from_secs(1));
            self.slow_until = Some(self.slow_until.map_or(soon, |until| until.max(soon)));
        }
        self.window = LEAST;
        // What was lost has been answered for.
        self.arrived = 0;
        self.lost = 0;
        self.earned = 0;
    }

    /// The silence was a delay and no loss: the window is what it was.
    pub fn not_silent(&mut self) {
        if let Some(before) = self.before.take() {
            self.window = self.window.max(before).min(self.ceiling);
            self.threshold = None;
        }
    }

    /// Fragments that may leave at once, and if there are none, when there will be.
    pub fn allowance(&mut self, now: Instant, round_trip: Nanos) -> Result<u32, Instant> {
        // Two windows a round trip. What is longer than both a second and a round trip earns no more
        // than a burst; without that limit the product would not fit.
        let speed = u64::from(self.window()).saturating_mul(2).max(1);
        let span = round_trip.as_nanos().max(1);
        let passed = now.since(self.counted).as_nanos().min(span.max(SECOND));
        let earned = passed.saturating_mul(speed) / span;
        if earned > 0 {
            let budget = earned.saturating_add(u64::from(self.budget));
            self.budget = u32::try_from(budget).unwrap_or(BURST).min(BURST);
            // What did not earn a whole fragment yet counts the next time.
            self.counted = match budget < u64::from(BURST) {
                true => self
                    .counted
                    .after(Nanos(earned.saturating_mul(span) / speed)),
                false => now,
            };
        }
        if self.budget > 0 {
            return Ok(self.budget);
        }
        let one = Nanos(span.div_ceil(speed));
        Err(self.counted.after(one.max(LEAST_PAUSE)))
    }

    /// A fragment leaves.
    pub fn leaves(&mut self) {
        self.budget = self.budget.saturating_sub(1);
    }
}

impl Default for Congestion {
    fn default() -> Self {
        Self::new()
    }
}
