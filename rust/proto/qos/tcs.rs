// SPDX-License-Identifier: GPL-2.0

//! The handshake: how two nodes agree that a connection exists, and that it does no more.
//!
//! ```text
//!   opener                answerer
//!   Opening  -- INIT -->              the opener's names and number for the peer
//!            <-- REM_UP -- Accepted   both connection ids and both numbers are known now
//!   Up       --- UP --->   Up         data does as well as UP
//!   Closing  -- DOWN -->   Closed     either side
//!   Closed   <- REM_DOWN -
//! ```
//!
//! A step without its answer is tried again `conn_est_retries` times, and each attempt sends its frame
//! three times. An INIT or a DOWN that the
//! network delivers twice or late does no harm: what an old INIT could replace is remembered.

use crate::proto::time::{
    Instant,
    Nanos, //
};
use crate::proto::wire::l4::{
    Header,
    PacketType, //
};

use super::super::l4::timers::Timers;

/// No frame is under way for longer than this.
const FRAME_LIFE: Nanos = Nanos::from_secs(30);

/// How many frames an attempt has. One and its answer are lost too easily: on a link that loses a tenth
/// of either, one set-up in 25 would fail of two frames, and fails of six once in 10,000.
const FRAMES: u32 = 3;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Closed,
    /// We sent INIT and wait for REM_UP.
    Opening,
    /// We sent REM_UP and wait for UP, or data.
    Accepted,
    /// It carries messages both ways.
    Up,
    /// We sent DOWN and wait for REM_DOWN.
    Closing,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The peer does not answer the handshake: `EHOSTUNREACH`.
    Unreachable,
    /// A message went without acknowledgement for too long: `EHOSTDOWN`.
    LinkFailed,
    /// The peer took it down, or has lost it: `EHOSTDOWN`.
    PeerDown,
    /// The peer was started anew: `EHOSTDOWN`.
    PeerRestarted,
    /// We took it down.
    Local,
}

/// Why a frame of the handshake is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlDrop {
    /// Its ids belong to no connection that lives.
    Ids,
    /// It is from an earlier connection or an earlier life of the peer.
    Stale,
    /// The peer opens while we do, and ours is the connection that stays.
    Crossed,
    /// It makes no sense in this state.
    State,
    /// It is not a frame of the handshake.
    Type,
    /// It came by a path by which the peer was never heard.
    Path,
}

/// What we call a connection: our id for it, and our number for the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalIds {
    /// `life << 16 | counter`.
    pub conn_id: u32,
    /// Our number for the peer.
    pub nd: u16,
}

/// What a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that matters outside.
    Nothing,
    /// The connection is up; the round trip, if the handshake measured it.
    Up(Option<Nanos>),
    /// The connection is down.
    Down(DownReason),
}

/// What became of an INIT that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It was seen before.
    Again,
    /// Its connection takes the place of one that was being made: what waits goes over it.
    Instead,
    /// It begins a connection, after the end of another one if there was one.
    Anew(Option<DownReason>),
}

/// The random half of a connection id, which a node draws when it starts.
const fn life(conn_id: u32) -> u32 {
    conn_id >> 16
}

/// Whether `a` was drawn after `b`, both in the same life.
const fn newer(a: u32, b: u32) -> bool {
    // The casts are the point: half of the counters are ahead, half are behind.
    (a as u16).wrapping_sub(b as u16) as i16 > 0
}

/// A connection of the peer that ended a short while ago.
#[derive(Clone, Copy, Debug)]
struct Past {
    conn_id: u32,
    /// When frames of it have died out.
    until: Instant,
    /// Whether its life is over as well.
    whole_life: bool,
}

/// The handshake of one connection with a peer, and of those that follow it.
#[derive(Clone, Copy, Debug)]
pub struct Tcs {
    state: State,
    local: LocalIds,
    peer_conn_id: u32,
    peer_nd: u16,
    /// Whether the connection that is up is the one that we asked for.
    opener: bool,
    /// Whether an INIT with our current id went out.
    asked: bool,
    /// What is to be transmitted.
    send: Option<PacketType>,
    /// How many frames the current step has sent, when the last, and when the next is due.
    tries: u32,
    tried: Instant,
    retry: Option<Instant>,
    /// When the peer's id became known.
    since: Instant,
    /// What ended lately, in a ring.
    past: [Option<Past>; 4],
    past_next: usize,
}

impl Tcs {
    /// No connection.
    pub const fn new() -> Self {
        Self {
            state: State::Closed,
            local: LocalIds { conn_id: 0, nd: 0 },
            peer_conn_id: 0,
            peer_nd: 0,
            opener: false,
            asked: false,
            send: None,
            tries: 0,
            tried: Instant::from_nanos(0),
            retry: None,
            since: Instant::from_nanos(0),
            past: [None; 4],
            past_next: 0,
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// What we call it.
    pub fn local(&self) -> LocalIds {
        self.local
    }

    /// The peer's id for it; 0 while unknown.
    pub fn peer_conn_id(&self) -> u32 {
        self.peer_conn_id
    }

    /// The peer's number for us; 0 while unknown.
    pub fn peer_nd(&self) -> u16 {
        self.peer_nd
    }

    /// Whether a frame belongs to this connection.
    pub fn matches(&self, h: &Header) -> bool {
        let known = matches!(self.state, State::Accepted | State::Up | State::Closing);
        known && h.dst_conn_id == self.local.conn_id && h.src_conn_id == self.peer_conn_id
    }

    /// Starts to open a connection.
    pub fn open(&mut self, ids: LocalIds, now: Instant, timers: &Timers) {
        self.forget_peer(ids);
        self.asked = true;
        self.state = State::Opening;
        self.begin_step(now, timers);
    }

    /// The peer wants to open a connection. `ids` are for a new one of ours; `we_are_smaller` tells
    /// whose name comes first, which decides when both open at once.
    pub fn on_init(
        &mut self,
        ids: LocalIds,
        h: &Header,
        we_are_smaller: bool,
        now: Instant,
        timers: &Timers,
    ) -> Result<Accepted, ControlDrop> {
        if life(h.src_conn_id) == 0 || h.dst_conn_id != 0 {
            return Err(ControlDrop::Ids);
        }
        if self.is_past(h.src_conn_id, now) {
            return Err(ControlDrop::Stale);
        }
        match self.state {
            State::Closed => {
                self.accept(Some(ids), h, now, timers);
                Ok(Accepted::Anew(None))
            }
            State::Opening if we_are_smaller => Err(ControlDrop::Crossed),
            State::Opening => {
                self.accept(None, h, now, timers);
                Ok(Accepted::Instead)
            }
            _ if h.src_conn_id == self.peer_conn_id => self.init_again(),
            _ => self.replace(ids, h, now, timers),
        }
    }

    /// Any other frame of the handshake.
    pub fn on_control(&mut self, h: &Header, now: Instant) -> Result<Change, ControlDrop> {
        match h.ptype {
            PacketType::TcsRemUp => self.on_rem_up(h, now),
            PacketType::TcsUp => self.on_up(h, now),
            PacketType::TcsDown => self.on_down(h, now),
            PacketType::TcsRemDown => self.on_rem_down(h),
            _ => Err(ControlDrop::Type),
        }
    }

    /// Data of this connection arrived, which shows that the peer has our REM_UP.
    pub fn on_sign_of_peer(&mut self, now: Instant) -> Change {
        if self.state != State::Accepted {
            return Change::Nothing;
        }
        self.state = State::Up;
        Change::Up(self.end_step(now))
    }

    /// Takes the connection down. Tells whether there was one.
    pub fn close(&mut self, now: Instant, timers: &Timers) -> bool {
        match self.state {
            State::Closed | State::Closing => false,
            State::Opening => {
                self.finish();
                self.send = None;
                true
            }
            State::Accepted | State::Up => {
                self.remember(false, now);
                self.state = State::Closing;
                self.begin_step(now, timers);
                true
            }
        }
    }

    /// Ends the connection at once; the peer is told, once.
    pub fn abort(&mut self, now: Instant) {
        self.remember(false, now);
        self.finish();
        self.send = Some(PacketType::TcsDown);
    }

    /// The time has come that [`Self::deadline`] told, or not yet.
    pub fn timed_out(&mut self, now: Instant, timers: &Timers) -> Change {
        if self.retry.is_none_or(|at| at > now) {
            return Change::Nothing;
        }
        if self.tries < timers.attempts.saturating_mul(FRAMES) {
            self.try_step(now, timers);
            return Change::Nothing;
        }
        let state = self.state;
        self.finish();
        match state {
            State::Opening => Change::Down(DownReason::Unreachable),
            State::Accepted => {
                self.send = Some(PacketType::TcsDown);
                Change::Down(DownReason::Unreachable)
            }
            // The end of the connection was told when it began to close.
            State::Closing | State::Closed | State::Up => Change::Nothing,
        }
    }

    /// When [`Self::timed_out`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// What is to be transmitted.
    pub fn poll(&mut self) -> Option<PacketType> {
        self.send.take()
    }

    fn on_rem_up(&mut self, h: &Header, now: Instant) -> Result<Change, ControlDrop> {
        if h.dst_conn_id != self.local.conn_id || life(h.src_conn_id) == 0 {
            return Err(ControlDrop::Ids);
        }
        match self.state {
            State::Opening => {}
            // The INIT that we answered was older than this answer to ours.
            State::Accepted if self.asked && self.supersedes(h.src_conn_id, now) => {}
            State::Up if self.opener && h.src_conn_id == self.peer_conn_id => {
                // It did not hear our UP.
                self.send = Some(PacketType::TcsUp);
                return Ok(Change::Nothing);
            }
            State::Closed => return Err(ControlDrop::Ids),
            State::Accepted | State::Up | State::Closing => return Err(ControlDrop::State),
        }
        let rtt = match self.state {
            State::Opening => self.end_step(now),
            _ => None,
        };
        self.learn(h, now);
        self.retry = None;
        self.opener = true;
        self.state = State::Up;
        self.send = Some(PacketType::TcsUp);
        Ok(Change::Up(rtt))
    }

    fn on_up(&mut self, h: &Header, now: Instant) -> Result<Change, ControlDrop> {
        if !self.matches(h) {
            return Err(ControlDrop::Ids);
        }
        match self.state {
            State::Accepted => Ok(self.on_sign_of_peer(now)),
            State::Up if !self.opener => Ok(Change::Nothing),
            _ => Err(ControlDrop::State),
        }
    }

    fn on_down(&mut self, h: &Header, now: Instant) -> Result<Change, ControlDrop> {
        if !self.matches(h) {
            return Err(ControlDrop::Ids);
        }
        let told = self.state == State::Closing;
        self.remember(false, now);
        self.finish();
        self.send = Some(PacketType::TcsRemDown);
        if told {
            return Ok(Change::Nothing);
        }
        Ok(Change::Down(DownReason::PeerDown))
    }

    fn on_rem_down(&mut self, h: &Header) -> Result<Change, ControlDrop> {
        if !self.matches(h) {
            return Err(ControlDrop::Ids);
        }
        if self.state != State::Closing {
            return Err(ControlDrop::State);
        }
        self.finish();
        Ok(Change::Nothing)
    }

    /// The INIT of the connection that we have arrived again.
    fn init_again(&mut self) -> Result<Accepted, ControlDrop> {
        match self.state {
            State::Accepted => {}
            State::Up if !self.opener => {}
            // It used the id of its own INIT when it answered ours.
            State::Up => return Err(ControlDrop::Crossed),
            _ => return Err(ControlDrop::State),
        }
        self.send = Some(PacketType::TcsRemUp);
        Ok(Accepted::Again)
    }

    /// The peer opens another connection than the one that we have with it.
    fn replace(
        &mut self,
        ids: LocalIds,
        h: &Header,
        now: Instant,
        timers: &Timers,
    ) -> Result<Accepted, ControlDrop> {
        if !self.supersedes(h.src_conn_id, now) {
            return Err(ControlDrop::Stale);
        }
        let restarted = life(h.src_conn_id) != life(self.peer_conn_id);
        self.remember(restarted, now);
        let state = self.state;
        if state == State::Accepted {
            // Nothing went over the old one yet.
            self.accept(None, h, now, timers);
            return Ok(Accepted::Instead);
        }
        self.accept(Some(ids), h, now, timers);
        Ok(Accepted::Anew(match state {
            State::Up if restarted => Some(DownReason::PeerRestarted),
            State::Up => Some(DownReason::PeerDown),
            _ => None,
        }))
    }

    /// Answers an INIT, under new ids or under those that we have.
    fn accept(&mut self, ids: Option<LocalIds>, h: &Header, now: Instant, timers: &Timers) {
        if let Some(ids) = ids {
            self.forget_peer(ids);
        }
        self.learn(h, now);
        self.opener = false;
        self.state = State::Accepted;
        self.begin_step(now, timers);
    }

    fn learn(&mut self, h: &Header, now: Instant) {
        self.peer_conn_id = h.src_conn_id;
        self.peer_nd = h.src_nd_for_dst;
        self.since = now;
    }

    fn forget_peer(&mut self, ids: LocalIds) {
        self.local = ids;
        self.peer_conn_id = 0;
        self.peer_nd = 0;
        self.opener = false;
        self.asked = false;
    }

    /// The connection is over. The ids stay, for the frame that tells the peer.
    fn finish(&mut self) {
        self.state = State::Closed;
        self.retry = None;
    }

    fn begin_step(&mut self, now: Instant, timers: &Timers) {
        self.tries = 0;
        self.try_step(now, timers);
    }

    fn try_step(&mut self, now: Instant, timers: &Timers) {
        self.send = match self.state {
            State::Opening => Some(PacketType::TcsInit),
            State::Accepted => Some(PacketType::TcsRemUp),
            State::Closing => Some(PacketType::TcsDown),
            State::Closed | State::Up => None,
        };
        self.tries = self.tries.saturating_add(1);
        self.tried = now;
        // Half of an attempt is for an answer that is slow; who repeats sooner measures no round trip.
        let part = if self.tries % FRAMES == 1 { 2 } else { 4 };
        self.retry = Some(now.after(timers.step.part(part)));
    }

    /// The step was answered. Tells the round trip, unless it was tried more than once.
    fn end_step(&mut self, now: Instant) -> Option<Nanos> {
        self.retry = None;
        (self.tries == 1).then(|| now.since(self.tried))
    }

    /// Whether `conn_id` can be a later connection of the peer than the one that we have. Its
    /// counter serves all of its peers, so it says little about a connection that is old.
    fn supersedes(&self, conn_id: u32, now: Instant) -> bool {
        life(conn_id) != life(self.peer_conn_id)
            || newer(conn_id, self.peer_conn_id)
            || now > self.since.after(FRAME_LIFE)
    }

    /// Whether `conn_id` is from before the end of a connection that ended lately.
    fn is_past(&self, conn_id: u32, now: Instant) -> bool {
        self.past.iter().flatten().any(|past| {
            now < past.until
                && life(conn_id) == life(past.conn_id)
                && (past.whole_life || !newer(conn_id, past.conn_id))
        })
    }

    /// Remembers the connection that we have as one of the past; with its whole life, if the peer
    /// was started anew.
    fn remember(&mut self, whole_life: bool, now: Instant) {
        if self.peer_conn_id == 0 {
            return;
        }
        // Within one life an INIT that could be mistaken is as old as the connection.
        let last = if whole_life { now } else { self.since };
        let past = Past {
            conn_id: self.peer_conn_id,
            until: last.after(FRAME_LIFE),
            whole_life,
        };
        let known = |slot: &&mut Option<Past>| slot.is_some_and(|it| it.conn_id == past.conn_id);
        if let Some(slot) = self.past.iter_mut().find(known) {
            *slot = Some(past);
            return;
        }
        if let Some(slot) = self.past.get_mut(self.past_next) {
            *slot = Some(past);
        }
        self.past_next = self.past_next.wrapping_add(1) % self.past.len();
    }
}

impl Default for Tcs {
    fn default() -> Self {
        Self::new()
    }
}
