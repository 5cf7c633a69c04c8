// SPDX-License-Identifier: GPL-2.0

//! The paths of a session, and which of them a message takes.
//!
//! A path is one interface here and one address of the peer. The caller numbers them; the machine
//! knows whether each still lives. A path is trusted once a frame of the session came by it: what
//! the LAN resolver says is a claim, and may be that of another machine of the same name. A path
//! that was silent for `conn_up_idle` ticks is asked by a ping each tick, and has failed when
//! `conn_up_retries` of them stay without answer. One on which messages time out again and again is
//! under suspicion: others are preferred, and it is asked at once.
//!
//! What comes by a path shows that the peer reaches us, and not that we reach it: one direction of a
//! cable may fail alone. So a path leaves suspicion, or returns after a failure, when something went
//! there and was answered: a message by its acknowledgement, or a ping by its reply. A frame that
//! comes by a failed path makes us ask; without one it is asked now and then.
//!
//! The session is dead when every path has failed and nothing was heard by any for as long as an
//! idle one is allowed, however soon its messages timed out.

use crate::proto::l4::timers::Timers;
use crate::proto::l4::tx::MAX_PATHS;
use crate::proto::names::Policy;
use crate::proto::time::{
    earliest,
    Instant,
    Nanos, //
};

/// A path on which messages timed out so often, and none arrived, is under suspicion.
const SUSPICION: u32 = 3;

/// Where a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    /// There is none of that number.
    Absent,
    /// It was told of, and no frame of the session has come by it yet.
    Claimed,
    /// Frames come by it.
    Up,
    /// Messages time out on it.
    Suspect,
    /// Nobody answers on it, or its interface has no carrier.
    Failed,
}

#[derive(Clone, Copy, Debug)]
struct Path {
    state: PathState,
    /// Whether a frame of the session ever came by it.
    trusted: bool,
    /// Whether its interface can send.
    carrier: bool,
    /// When a frame last came by it.
    heard: Instant,
    /// Messages that timed out on it since one last arrived.
    timeouts: u32,
    /// Pings without answer.
    pings: u32,
    /// When the next ping is due.
    ping_at: Instant,
    /// Whether one is wanted before the path has been idle for long.
    asked: bool,
}

impl Path {
    const ABSENT: Self = Self {
        state: PathState::Absent,
        trusted: false,
        carrier: false,
        heard: Instant::from_nanos(0),
        timeouts: 0,
        pings: 0,
        ping_at: Instant::from_nanos(0),
        asked: false,
    };
}

/// The paths of a session.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    paths: [Path; MAX_PATHS],
    policy: Policy,
    /// The paths over the interface that the policy names, by bit.
    named: u8,
    /// By which path a frame last came.
    last: u8,
    /// Where the search for a path goes on.
    turn: u8,
    /// Pings that were sent, and paths that have failed, since that was last asked.
    counters: LinkCounters,
}

/// What happened to the paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Pings that were sent.
    pub pings: u32,
    /// Paths that failed, or came under suspicion.
    pub failed: u32,
    /// Paths that came back.
    pub returned: u32,
}

impl Links {
    /// No path yet, and load balance.
    pub const fn new() -> Self {
        Self {
            paths: [Path::ABSENT; MAX_PATHS],
            policy: Policy::LoadBalance,
            named: 0,
            last: 0,
            turn: 0,
            counters: LinkCounters {
                pings: 0,
                failed: 0,
                returned: 0,
            },
        }
    }

    /// Goes by `policy` from now on; `named` are the paths over the interface that it names, by bit.
    pub fn set_policy(&mut self, policy: Policy, named: u8) {
        self.policy = policy;
        self.named = named;
    }

    /// What it goes by.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Where a path stands.
    pub fn state(&self, path: u8) -> PathState {
        self.get(path).state
    }

    /// There is a path of that number, so it is told. One that is there already stays as it is.
    pub fn add(&mut self, path: u8, carrier: bool, now: Instant) {
        if let Some(it) = self.paths.get_mut(usize::from(path)) {
            if it.state == PathState::Absent {
                *it = Path {
                    state: PathState::Claimed,
                    carrier,
                    heard: now,
                    ping_at: now,
                    ..Path::ABSENT
                };
            }
        }
    }

    /// The path is gone.
    pub fn remove(&mut self, path: u8) {
        if let Some(it) = self.paths.get_mut(usize::from(path)) {
            *it = Path::ABSENT;
        }
    }

    /// The path's interface can send, or can not.
    pub fn set_carrier(&mut self, path: u8, carrier: bool, now: Instant) {
        let Some(it) = self.paths.get_mut(usize::from(path)) else {
            return;
        };
        if it.state == PathState::Absent || it.carrier == carrier {
            return;
        }
        it.carrier = carrier;
        it.ping_at = now;
        it.pings = 0;
        if !carrier && it.state != PathState::Failed {
            it.state = PathState::Failed;
            self.counters.failed = self.counters.failed.wrapping_add(1);
        }
    }

    /// A frame of the session came by the path.
    pub fn heard(&mut self, path: u8, now: Instant) {
        let Some(it) = self.paths.get_mut(usize::from(path)) else {
            return;
        };
        match it.state {
            PathState::Absent => return,
            PathState::Claimed if it.carrier => it.state = PathState::Up,
            PathState::Claimed | PathState::Up => {}
            PathState::Suspect | PathState::Failed => {
                if !it.asked {
                    it.asked = true;
                    it.pings = 0;
                    it.ping_at = now;
                }
            }
        }
        it.trusted = true;
        it.heard = now;
        if it.state == PathState::Up {
            it.pings = 0;
            it.asked = false;
        }
        self.last = path;
    }

    /// Something that went by the path was answered: it reaches the peer.
    pub fn arrived(&mut self, path: u8) {
        let Some(it) = self.paths.get_mut(usize::from(path)) else {
            return;
        };
        if it.state == PathState::Absent || !it.carrier {
            return;
        }
        if matches!(it.state, PathState::Failed | PathState::Suspect) {
            self.counters.returned = self.counters.returned.wrapping_add(1);
        }
        it.state = PathState::Up;
        it.timeouts = 0;
        it.pings = 0;
        it.asked = false;
    }

    /// The connection is a new one: what was trusted before is only claimed now.
    pub fn distrust(&mut self, now: Instant) {
        for it in &mut self.paths {
            if it.state != PathState::Absent {
                *it = Path {
                    state: PathState::Claimed,
                    carrier: it.carrier,
                    heard: now,
                    ping_at: now,
                    ..Path::ABSENT
                };
            }
        }
    }

    /// Whether a frame of the session ever came by the path.
    pub fn is_trusted(&self, path: u8) -> bool {
        self.get(path).trusted
    }

    /// When the peer was last heard, by whichever path.
    pub fn last_heard(&self) -> Instant {
        let trusted = self.paths.iter().filter(|it| it.trusted);
        let heard = trusted.map(|it| it.heard);
        heard.max().unwrap_or(Instant::from_nanos(0))
    }

    /// Asks on every path, now, whether the peer lives.
    pub fn ask_all(&mut self, now: Instant) {
        for it in &mut self.paths {
            if it.state != PathState::Absent {
                it.asked = true;
                it.pings = 0;
                it.ping_at = it.ping_at.min(now);
            }
        }
    }

    /// The oldest message timed out on `path`. Tells the path that it should take instead, if there
    /// is a better one.
    pub fn timed_out(&mut self, path: u8, flight: &[u32; MAX_PATHS], now: Instant) -> Option<u8> {
        let it = self.paths.get_mut(usize::from(path))?;
        it.timeouts = it.timeouts.saturating_add(1);
        if it.state == PathState::Up {
            if it.timeouts < SUSPICION {
                return None;
            }
            it.state = PathState::Suspect;
            it.pings = 0;
            it.ping_at = now;
            self.counters.failed = self.counters.failed.wrapping_add(1);
        }
        self.choose(flight).filter(|other| *other != path)
    }

    /// The path that a message takes that begins now. `flight` is what is under way on each.
    pub fn choose(&mut self, flight: &[u32; MAX_PATHS]) -> Option<u8> {
        let named = |at: usize| self.is_named(at);
        let up = |at: usize| {
            self.paths
                .get(at)
                .is_some_and(|it| it.state == PathState::Up)
        };
        match self.policy {
            Policy::Exclusive => return self.best(flight, named),
            Policy::Preferred => {
                if let Some(path) = self.best(flight, |at| named(at) && up(at)) {
                    return Some(path);
                }
            }
            Policy::LoadBalance | Policy::Redundant => {}
        }
        self.best(flight, |_| true)
    }

    /// The best of the paths that may be taken: one that is in the best state, and of several the
    /// one with the least under way.
    fn best(&self, flight: &[u32; MAX_PATHS], may: impl Fn(usize) -> bool) -> Option<u8> {
        let rank = |it: &Path| match it.state {
            PathState::Absent => None,
            PathState::Up => Some(0u32),
            PathState::Suspect => Some(1),
            PathState::Claimed => Some(2),
            PathState::Failed => Some(3),
        };
        let paths = self.paths.iter().zip(flight).enumerate();
        let known = paths.filter(|(at, _)| may(*at));
        let ranked = known.filter_map(|(at, (it, flight))| Some((rank(it)?, *flight, at)));
        let (.., at) = ranked.min()?;
        u8::try_from(at).ok()
    }

    /// The path by which an ACK goes: where the peer was last heard, unless that path is known not
    /// to reach it.
    pub fn back(&self) -> u8 {
        let reaches = |path: &u8| self.state(*path) == PathState::Up;
        let none = [0; MAX_PATHS];
        match Some(self.last).filter(reaches) {
            Some(last) => last,
            None => self.best(&none, |_| true).unwrap_or(self.last),
        }
    }

    /// The paths, by bit, that take part when something goes by every path; `message`: it is one,
    /// and goes only where the peer was heard, unless that is nowhere.
    pub fn every(&self, message: bool) -> u8 {
        let mask = |may: &dyn Fn(&Path) -> bool| {
            let taken = self.paths.iter().enumerate().filter(|(_, it)| may(it));
            taken.fold(0u8, |mask, (at, _)| mask | (1 << (at & 7)))
        };
        let present = mask(&|it| it.state != PathState::Absent && it.carrier);
        let heard = mask(&|it| matches!(it.state, PathState::Up | PathState::Suspect));
        // What is lost anyway if no interface can send: it may be going just now.
        let any = mask(&|it| it.state != PathState::Absent);
        match message && heard != 0 {
            true => heard,
            false if present != 0 => present,
            false => any,
        }
    }

    /// A path for a frame of the handshake: each time the next, those that can send first, and of
    /// those the ones that the policy names.
    pub fn next_in_turn(&mut self) -> Option<u8> {
        let count = MAX_PATHS as u8;
        let order = |from: u8| (0..count).map(move |step| (from.wrapping_add(step)) % count);
        let from = self.turn;
        let can = |at: &u8| {
            let it = self.get(*at);
            let named = self.policy != Policy::Exclusive || self.is_named(usize::from(*at));
            it.state != PathState::Absent && it.carrier && named
        };
        let present = |at: &u8| self.state(*at) != PathState::Absent;
        let preferred = |at: &u8| {
            let sound = !matches!(self.state(*at), PathState::Suspect | PathState::Failed);
            self.policy == Policy::Preferred && self.is_named(usize::from(*at)) && can(at) && sound
        };
        let path = order(from)
            .find(preferred)
            .or_else(|| order(from).find(can))
            .or_else(|| order(from).find(present))?;
        self.turn = path.wrapping_add(1) % count;
        Some(path)
    }

    /// The path on which a ping is due; it counts as sent.
    pub fn poll_ping(&mut self, now: Instant, timers: &Timers) -> Option<u8> {
        let due = |it: &Path| Self::ping_due(it, timers).is_some_and(|due| due <= now);
        let at = self.paths.iter().position(due)?;
        let it = self.paths.get_mut(at)?;
        it.pings = it.pings.saturating_add(1);
        let pause = match it.pings > timers.pings {
            true => timers.idle.max(timers.tick),
            false => timers.tick,
        };
        it.ping_at = now.after(pause);
        self.counters.pings = self.counters.pings.wrapping_add(1);
        u8::try_from(at).ok()
    }

    /// Finds the paths on which the last ping stayed without answer. To be called before
    /// [`Self::poll_ping`].
    pub fn expire(&mut self, now: Instant, timers: &Timers) {
        for it in &mut self.paths {
            let due = Self::ping_due(it, timers).is_some_and(|due| due <= now);
            if !due || it.pings != timers.pings {
                continue;
            }
            it.pings = it.pings.saturating_add(1);
            it.ping_at = now.after(timers.idle.max(timers.tick));
            it.asked = false;
            if it.state != PathState::Failed {
                it.state = PathState::Failed;
                self.counters.failed = self.counters.failed.wrapping_add(1);
            }
        }
    }

    /// Whether no path is left on which the peer answers.
    pub fn are_dead(&self, now: Instant, timers: &Timers) -> bool {
        self.death(timers).is_some_and(|at| at <= now)
    }

    /// When the session is dead, if no path answers until then.
    fn death(&self, timers: &Timers) -> Option<Instant> {
        let usable = self.paths.iter().enumerate().filter(|(at, it)| {
            let may = self.policy != Policy::Exclusive || self.is_named(*at);
            it.state != PathState::Absent && may
        });
        // Without any path there is nothing to wait for.
        let mut heard = Instant::from_nanos(0);
        let mut allowed = Nanos::ZERO;
        for (_, it) in usable {
            if it.carrier && it.pings <= timers.pings {
                return None;
            }
            heard = heard.max(it.heard);
            allowed = timers.idle.plus(timers.tick.times(timers.pings));
        }
        Some(heard.after(allowed))
    }

    /// When [`Self::poll_ping`] or [`Self::are_dead`] has something new to tell.
    pub fn deadline(&self, timers: &Timers) -> Option<Instant> {
        let due = self.paths.iter().map(|it| Self::ping_due(it, timers));
        due.fold(self.death(timers), earliest)
    }

    /// What happened since this was last called.
    pub fn take_counters(&mut self) -> LinkCounters {
        core::mem::take(&mut self.counters)
    }

    fn ping_due(it: &Path, timers: &Timers) -> Option<Instant> {
        match it.state {
            PathState::Absent => None,
            _ if !it.carrier => None,
            PathState::Up if !it.asked => Some(it.heard.after(timers.idle).max(it.ping_at)),
            _ => Some(it.ping_at),
        }
    }

    fn is_named(&self, at: usize) -> bool {
        (self.named >> (at & 7)) & 1 != 0
    }

    fn get(&self, path: u8) -> Path {
        let it = self.paths.get(usize::from(path));
        it.copied().unwrap_or(Path::ABSENT)
    }
}

impl Default for Links {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a peer of the same name that was not heard may keep its name, in ticks.
const NAME_TICKS: u32 = 3;

/// After what time without a sign of life the name of a peer is free.
pub fn name_is_free_after(tick: Nanos) -> Nanos {
    tick.times(NAME_TICKS)
}
