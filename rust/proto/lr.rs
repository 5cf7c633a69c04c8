// SPDX-License-Identifier: GPL-2.0

//! The LAN resolver: how a name becomes an address, and how others learn ours.

use crate::proto::time::{
    Instant,
    Nanos, //
};
use crate::proto::wire::lr::Kind;

/// The options that the LAN resolver goes by, under the names that Qnet's users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LrConfig {
    /// The housekeeping tick: one second divided by `periodic_ticks` (5).
    pub tick: Nanos,
    /// How often an unanswered request is repeated (2).
    pub res_retries: u32,
    /// Ticks between two of them (1).
    pub res_ticks: u32,
    /// Ticks between two announcements of ourselves (150); 0: none, and those of others are not
    /// listened to.
    pub auto_add: u32,
}

impl LrConfig {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        tick: Nanos::from_millis(200),
        res_retries: 2,
        res_ticks: 1,
        auto_add: 150,
    };
}

impl Default for LrConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the one who resolves a name has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveStep {
    /// Broadcast a request.
    Ask,
    /// The name does not exist. There is nothing more to do.
    GiveUp,
}

/// The search for one name. It ends when the caller drops it, or by [`ResolveStep::GiveUp`].
#[derive(Clone, Copy, Debug)]
pub struct Resolution {
    interval: Nanos,
    asks_left: u32,
    /// When the next step is; none after the last one.
    due: Option<Instant>,
}

impl Resolution {
    /// Begins a search: the first request is due now.
    pub fn start(now: Instant, cfg: &LrConfig) -> Self {
        Self {
            interval: cfg.tick.times(cfg.res_ticks),
            asks_left: cfg.res_retries.saturating_add(1),
            due: Some(now),
        }
    }

    /// The step that is due.
    pub fn poll(&mut self, now: Instant) -> Option<ResolveStep> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        let Some(left) = self.asks_left.checked_sub(1) else {
            self.due = None;
            return Some(ResolveStep::GiveUp);
        };
        self.asks_left = left;
        self.due = Some(now.after(self.interval));
        Some(ResolveStep::Ask)
    }

    /// When the next step is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

/// When to announce ourselves on a link: once at the start, and then every `auto_add` ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announcer {
    /// The last announcement; none before the first.
    last: Option<Instant>,
}

impl Announcer {
    /// One that has not announced anything.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Whether to announce ourselves now; if so, it counts as done.
    pub fn poll(&mut self, now: Instant, cfg: &LrConfig) -> bool {
        let due = self.poll_timeout(now, cfg).is_some_and(|at| at <= now);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// When the next announcement is due, if ever. The options may change between two calls.
    pub fn poll_timeout(&self, now: Instant, cfg: &LrConfig) -> Option<Instant> {
        if cfg.auto_add == 0 {
            return None;
        }
        match self.last {
            Some(last) => Some(last.after(cfg.tick.times(cfg.auto_add))),
            None => Some(now),
        }
    }
}

/// What to do with a packet of the LAN resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LrAction {
    /// Remember where its sender is.
    Learn,
    /// Tell its sender where we are, and remember where it is.
    ReplyAndLearn,
    /// Drop it, and count why.
    Ignore(LrIgnore),
}

/// Why a packet of the LAN resolver is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LrIgnore {
    /// Its sender has our name.
    OwnName,
    /// Nobody asked, and `auto_add` is 0.
    Unsolicited,
}

/// Decides about a packet of the LAN resolver. `dst_is_us`: it asks for our name. `src_is_us`: it
/// says that it comes from our name. `solicited`: a search for the sender's name is going on.
///
/// A request tells where its sender is as well as an announcement does, and counts as one if it
/// asks for somebody else. One who asks for us is about to open a connection, and is remembered
/// even when announcements are not listened to.
pub fn decide(
    kind: Kind,
    dst_is_us: bool,
    src_is_us: bool,
    solicited: bool,
    auto_add: u32,
) -> LrAction {
    if src_is_us {
        return LrAction::Ignore(LrIgnore::OwnName);
    }
    match kind {
        Kind::Request if dst_is_us => LrAction::ReplyAndLearn,
        Kind::Request | Kind::Reply if solicited || auto_add != 0 => LrAction::Learn,
        Kind::Request | Kind::Reply => LrAction::Ignore(LrIgnore::Unsolicited),
    }
}
