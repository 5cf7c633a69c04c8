// SPDX-License-Identifier: GPL-2.0

//! Priorities of messages, and of the threads that serve them.
//!
//! Neutrino's scale: 1 is the lowest that a message has, 10 an ordinary thread's. 1 to 20 are Linux's
//! niceness, 10 at nice 0 and one step for two of it; 20 and p is the real-time priority p. A number
//! from the network is brought into the range here, because a peer may claim any.
//!
//! A receiver runs at the priority of the message that it serves ([`Sched::at`]), as far as it may
//! ([`Sched::clipped`]), and gets its own back ([`Sched::given_back`]). What the program itself
//! changes meanwhile is its own.

/// The lowest priority of a message.
pub const MIN: i16 = 1;
/// The highest priority of a message; Neutrino's own maximum.
pub const MAX: i16 = 255;

/// The priority of an ordinary thread at nice 0, and of the module's own pulses.
pub const ORDINARY: i16 = 10;

/// The priority that a claim of a peer counts as.
pub fn clamp(claimed: i32) -> i16 {
    match i16::try_from(claimed) {
        Ok(priority) => priority.clamp(MIN, MAX),
        Err(_) if claimed < 0 => MIN,
        Err(_) => MAX,
    }
}

/// How a thread is scheduled, in Linux's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sched {
    /// The policy, `SCHED_*`.
    pub policy: u32,
    /// The priority in real time, 1 to 99; otherwise 0.
    pub real_time: u32,
    /// The niceness, which has no effect in real time.
    pub nice: i32,
}

/// An ordinary thread's policy.
const NORMAL: u32 = 0;
/// Real time: first in, first out.
const FIFO: u32 = 1;
/// Real time: equals take turns, as on Neutrino if nothing else is said.
const ROUND_ROBIN: u32 = 2;
/// An ordinary thread that computes much.
const BATCH: u32 = 3;
/// Where real time begins on Neutrino's scale.
const REAL_TIME: i32 = 20;
/// The highest priority in real time.
const MOST_REAL_TIME: u32 = 99;
/// The least and the greatest niceness.
const NICE: core::ops::RangeInclusive<i32> = -20..=19;

/// How far a thread may go without privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The highest priority in real time; 0: none.
    pub real_time: u32,
    /// The least niceness.
    pub nice: i32,
}

impl Sched {
    fn is_real_time(&self) -> bool {
        matches!(self.policy, FIFO | ROUND_ROBIN)
    }

    /// Whether it can have the priority of a message: a thread with a deadline, one for idle times
    /// and one of a loaded scheduler cannot.
    fn is_lent_to(&self) -> bool {
        self.is_real_time() || matches!(self.policy, NORMAL | BATCH)
    }

    /// The priority on Neutrino's scale.
    pub fn priority(&self) -> i32 {
        if self.is_real_time() {
            REAL_TIME + self.real_time.min(MOST_REAL_TIME) as i32
        } else {
            (i32::from(ORDINARY) - self.nice.clamp(*NICE.start(), *NICE.end()) / 2)
                .clamp(1, REAL_TIME)
        }
    }

    /// The same thread at the priority of a message.
    pub fn at(self, priority: i16) -> Sched {
        let priority = i32::from(priority);
        if !self.is_lent_to() || priority == self.priority() {
            return self;
        }
        if priority > REAL_TIME {
            let real_time = (priority - REAL_TIME).unsigned_abs().min(MOST_REAL_TIME);
            let policy = if self.is_real_time() {
                self.policy
            } else {
                ROUND_ROBIN
            };
            return Sched {
                policy,
                real_time,
                ..self
            };
        }
        self.ordinary(2 * (i32::from(ORDINARY) - priority))
    }

    /// The same thread, not in real time.
    fn ordinary(self, nice: i32) -> Sched {
        Sched {
            policy: if self.is_real_time() {
                NORMAL
            } else {
                self.policy
            },
            real_time: 0,
            nice: nice.clamp(*NICE.start(), *NICE.end()),
        }
    }

    /// As much of this as the thread `own` may have. What it has itself it may have in any case.
    pub fn clipped(self, own: Sched, limits: Limits) -> Sched {
        if !self.is_lent_to() {
            return self;
        }
        let least_nice = limits.nice.min(own.nice);
        if !self.is_real_time() {
            return Sched {
                nice: self.nice.max(least_nice),
                ..self
            };
        }
        match self.real_time.min(limits.real_time.max(own.real_time)) {
            0 => self.ordinary(least_nice),
            real_time => Sched { real_time, ..self },
        }
    }

    /// What a thread that is as `now` gets when `lent` is taken from it, whose own was this. What is
    /// not as it was lent, the program has changed, and it stays.
    pub fn given_back(self, lent: Sched, now: Sched) -> Sched {
        let untouched = now.policy == lent.policy && now.real_time == lent.real_time;
        let class = if untouched { self } else { now };
        let nice = if now.nice == lent.nice { self } else { now };
        Sched {
            nice: nice.nice,
            ..class
        }
    }
}
