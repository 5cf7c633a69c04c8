// SPDX-License-Identifier: GPL-2.0

//! The session with a peer: the one connection that there is with it, handshake and delivery.
//!
//! The caller keeps one [`Session`] a peer under the peer's lock, and what belongs to its sequence
//! numbers: messages that are not freed yet, messages that wait for their turn. After each call
//! that takes the time it asks, until there is nothing more: [`Session::poll_event`],
//! [`Session::poll_freed`], [`Session::poll_transmit`], and then [`Session::poll_timeout`] once.
//!
//! After [`Event::Down`] nothing is left: the caller drops every message that it keeps for the
//! session, and no sequence number or connection id of before means anything. Until it has taken
//! that event the session neither sends nor takes messages, so the two can not be mixed up.

use crate::proto::l4::reassembly::Reassembly;
use crate::proto::l4::rx::{
    Report,
    Rx, //
};
use crate::proto::l4::timers::Timers;
use crate::proto::l4::tx::{
    TimedOut,
    Tx,
    TxCounters, //
};
use crate::proto::names::Policy;
use crate::proto::time::{
    earliest,
    Instant,
    Nanos, //
};
use crate::proto::wire::ack::{
    Range,
    ROOM_LEN, //
};
use crate::proto::wire::l4::{
    Flags,
    Header,
    Layer,
    PacketType, //
};

use super::config::Config;
use super::links::Links;
use super::tcs::{
    Accepted,
    Change,
    Tcs, //
};

pub use super::links::{
    LinkCounters,
    PathState, //
};
pub use super::tcs::{
    ControlDrop,
    DownReason,
    LocalIds,
    State, //
};
pub use crate::proto::l4::rx::{
    RxDrop,
    RxVerdict, //
};
pub use crate::proto::l4::tx::{
    AckDrop,
    Piece,
    MAX_PATHS, //
};

/// The number of the first message of a connection.
const FIRST_SEQ: u32 = 1;

/// What the caller has to know, and the programs above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is up: what was pushed will be transmitted.
    Up,
    /// The connection is down: what was not acknowledged has failed, or may have.
    Down(DownReason),
}

/// One frame that the caller has to transmit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// A frame of the handshake without payload.
    Control(PacketType),
    /// TCS_INIT: the caller adds the names.
    Init,
    /// A fragment of a message that was pushed.
    Piece(Piece),
    /// What arrived.
    Ack {
        /// The message that caused it.
        seq: u32,
        /// The number wanted next: all before it arrived.
        next: u32,
        /// How many bytes there is room for, if that is little.
        room: Option<u32>,
    },
    /// What is missing of a message: the caller adds the ranges, which the message's
    /// [`Reassembly`] knows.
    Nack {
        /// Its number.
        seq: u32,
    },
    /// The heartbeat's question.
    Ping,
    /// The heartbeat's answer.
    PingReply,
}

/// By which way a frame leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By one path.
    Path(u8),
    /// By each of these paths, by bit.
    Every(u8),
}

/// What became of a frame of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlVerdict {
    /// It was for us and meant something.
    Taken,
    /// It is dropped, and counted.
    Drop(ControlDrop),
}

/// The session with a peer.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    tcs: Tcs,
    tx: Tx,
    rx: Rx,
    links: Links,
    timers: Timers,
    first_seq: u32,
    /// Number of the policy and of its instance, as headers carry them.
    qos: (u16, u16),
    /// The bytes that there is room for here, if that is little.
    room: Option<u32>,
    /// Paths by which a ping came that is not answered yet, by bit.
    pongs: u8,
    /// Events that the caller has not taken; a Down comes before an Up.
    down: Option<DownReason>,
    up: bool,
}

/// A session without a connection, to be copied from where it lies: it is too big for a kernel stack.
pub static BLANK: Session = Session::new();

impl Session {
    /// A session without a connection.
    pub const fn new() -> Self {
        Self::numbered_from(FIRST_SEQ)
    }

    /// A session whose messages are numbered from `first_seq` on, both ways. Peers agree on 1;
    /// other values are for those who test what happens when the numbers wrap.
    pub const fn numbered_from(first_seq: u32) -> Self {
        Self {
            tcs: Tcs::new(),
            tx: Tx::new(first_seq),
            rx: Rx::new(first_seq),
            links: Links::new(),
            timers: Timers::UNSET,
            first_seq,
            qos: (0, 0),
            room: None,
            pongs: 0,
            down: None,
            up: false,
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        self.tcs.state()
    }

    /// What we call the connection. It may be looked up under `conn_id` until [`Event::Down`].
    pub fn local(&self) -> LocalIds {
        self.tcs.local()
    }

    /// The peer's id for the connection; 0 while unknown.
    pub fn peer_conn_id(&self) -> u32 {
        self.tcs.peer_conn_id()
    }

    /// The peer's number for us; 0 while unknown.
    pub fn peer_nd_for_us(&self) -> u16 {
        self.tcs.peer_nd()
    }

    /// Whether a frame belongs to this connection, by its ids.
    pub fn matches(&self, h: &Header) -> bool {
        self.tcs.matches(h)
    }

    /// Starts to open a connection, unless there is one or one is being made. `ids` are new.
    pub fn open(&mut self, ids: LocalIds, now: Instant, cfg: &Config) {
        if matches!(self.state(), State::Closed | State::Closing) {
            self.begin(cfg, now);
            self.tcs.open(ids, now, &self.timers);
        }
    }

    /// The policy by which messages take their paths, the number of its instance, and by bit the
    /// paths over the interface that it names.
    pub fn set_policy(&mut self, policy: Policy, index: u16, named: u8) {
        self.qos = (policy.to_wire(), index);
        self.links.set_policy(policy, named);
    }

    /// The paths of the session.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// There is a path of that number; its interface has a `carrier`, or has not.
    pub fn add_path(&mut self, path: u8, carrier: bool, now: Instant) {
        self.links.add(path, carrier, now);
    }

    /// A path is gone. What went by it takes another one. Without any path the connection ends, so
    /// one that replaces it is to be added first.
    pub fn remove_path(&mut self, path: u8, now: Instant) {
        self.links.remove(path);
        self.leave_path(path, now);
    }

    /// A path's interface can send, or can not any more.
    pub fn set_carrier(&mut self, path: u8, carrier: bool, now: Instant) {
        self.links.set_carrier(path, carrier, now);
        if !carrier {
            self.leave_path(path, now);
        }
    }

    /// Asks on every path whether the peer lives.
    pub fn ask(&mut self, now: Instant) {
        self.links.ask_all(now);
    }

    /// When a frame of the session last came.
    pub fn last_heard(&self) -> Instant {
        self.links.last_heard()
    }

    /// The longest payload that a frame may have on every path. What is under way in longer ones is
    /// cut anew.
    pub fn set_payload(&mut self, bytes: u32) {
        self.tx.set_fragment(bytes, &self.timers);
    }

    /// How many bytes there is room for here, if that is little: the peer is told.
    pub fn set_room(&mut self, room: Option<u32>) {
        self.room = room;
    }

    /// TCS_INIT of the peer, whose names are those that the session is for. `ids` are used if it
    /// needs new ones, which [`Self::local`] tells. `we_are_smaller`: our name comes before the
    /// peer's, bytewise. It came by `path`.
    pub fn on_init(
        &mut self,
        ids: LocalIds,
        h: &Header,
        we_are_smaller: bool,
        path: u8,
        now: Instant,
        cfg: &Config,
    ) -> ControlVerdict {
        let timers = Timers::new(cfg);
        match self.tcs.on_init(ids, h, we_are_smaller, now, &timers) {
            Err(reason) => return ControlVerdict::Drop(reason),
            Ok(Accepted::Again) => {}
            Ok(Accepted::Instead) => self.links.distrust(now),
            Ok(Accepted::Anew(ended)) => {
                self.begin(cfg, now);
                if let Some(reason) = ended {
                    self.tell_down(reason);
                }
            }
        }
        self.links.heard(path, now);
        ControlVerdict::Taken
    }

    /// TCS_REM_UP, TCS_UP, TCS_DOWN or TCS_REM_DOWN of the peer, by `path`.
    pub fn on_control(&mut self, h: &Header, path: u8, now: Instant) -> ControlVerdict {
        // What the LAN resolver told may be the address of another machine, which knows nothing of
        // this connection and says so.
        if h.ptype == PacketType::TcsDown && !self.links.is_trusted(path) {
            return ControlVerdict::Drop(ControlDrop::Path);
        }
        match self.tcs.on_control(h, now) {
            Err(reason) => return ControlVerdict::Drop(reason),
            Ok(change) => self.changed(change),
        }
        self.links.heard(path, now);
        ControlVerdict::Taken
    }

    /// Takes the connection down. The caller is told so at once; the peer is told by frames that
    /// are still to be transmitted, and may be left to it if it does not answer.
    pub fn close(&mut self, now: Instant) {
        if self.tcs.close(now, &self.timers) {
            self.drop_all(DownReason::Local);
        }
    }

    /// Whether [`Self::push`] would take a message.
    pub fn can_push(&self) -> bool {
        let open = matches!(self.state(), State::Opening | State::Accepted | State::Up);
        open && self.down.is_none() && self.tx.can_push()
    }

    /// Whether a message should be pushed now, and not wait where a more urgent one can overtake
    /// it.
    pub fn wants_more(&self) -> bool {
        self.can_push() && self.tx.is_hungry()
    }

    /// Takes the number for a message of `length` bytes, unless the window is full or there is no
    /// connection. It is transmitted once the connection is up.
    pub fn push(&mut self, length: u32) -> Option<u32> {
        if !self.can_push() {
            return None;
        }
        self.tx.push(length)
    }

    /// The message that was pushed as `seq` is given up, if it is not acknowledged: from now on an
    /// empty one of layer SEQ takes its place. Says whether that is so.
    pub fn give_up(&mut self, seq: u32) -> bool {
        self.tx.give_up(seq)
    }

    /// How many messages were pushed and are not acknowledged.
    pub fn unacknowledged(&self) -> u32 {
        self.tx.unacknowledged()
    }

    /// A message of the peer, or a fragment of one, by `path`. `parts` tells what came of that
    /// message before, if it is in several pieces.
    pub fn on_data(
        &mut self,
        h: &Header,
        path: u8,
        parts: Option<&mut Reassembly>,
        now: Instant,
    ) -> RxVerdict {
        if !self.takes_data(h, path, now) {
            return RxVerdict::Drop(RxDrop::State);
        }
        self.rx.arrived(h, parts, now, self.timers.hold)
    }

    /// A ping of the peer, or the answer to one of ours, by `path`. Says whether it was taken.
    pub fn on_ping(&mut self, h: &Header, is_reply: bool, path: u8, now: Instant) -> bool {
        if !self.takes_data(h, path, now) {
            return false;
        }
        match is_reply {
            true => self.links.arrived(path),
            false => self.pongs |= 1 << (path & 7),
        }
        true
    }

    /// Whether data of the peer are for the connection there is. They show that it has our REM_UP.
    fn takes_data(&mut self, h: &Header, path: u8, now: Instant) -> bool {
        if self.down.is_some() || !self.matches(h) {
            return false;
        }
        let change = self.tcs.on_sign_of_peer(now);
        self.changed(change);
        self.links.heard(path, now);
        self.state() == State::Up
    }

    /// A held message whose turn has come; it counts as delivered. To be called after
    /// [`RxVerdict::Deliver`] until there is none.
    pub fn next_ready(&mut self) -> Option<u32> {
        self.rx.next_ready()
    }

    /// How many messages are held until their turn comes.
    pub fn held(&self) -> u32 {
        self.rx.held()
    }

    /// How many messages have come in part.
    pub fn partial(&self) -> u32 {
        self.rx.partial()
    }

    /// An ACK of the peer, by `path`, with the room that it tells.
    pub fn on_ack(
        &mut self,
        h: &Header,
        room: Option<u32>,
        path: u8,
        now: Instant,
    ) -> Result<(), AckDrop> {
        if self.state() != State::Up || !self.matches(h) {
            return Err(AckDrop::State);
        }
        self.links.heard(path, now);
        let verdict = self.tx.acknowledged(h.seq, h.offset, now);
        if verdict.is_ok() {
            self.tx.set_room(room);
        }
        self.note_arrived();
        verdict
    }

    /// A NACK of the peer, by `path`, with the ranges that it lists.
    pub fn on_nack(
        &mut self,
        h: &Header,
        ranges: impl Iterator<Item = Range>,
        path: u8,
        now: Instant,
    ) -> Result<(), AckDrop> {
        if self.state() != State::Up || !self.matches(h) {
            return Err(AckDrop::State);
        }
        self.links.heard(path, now);
        let verdict = self.tx.missed(h.seq, ranges, now, self.timers.hold);
        self.note_arrived();
        verdict
    }

    /// The peer answered our message `seq`, which acknowledges that one.
    pub fn on_answered(&mut self, seq: u32, now: Instant) {
        self.tx.answered(seq, now);
        self.note_arrived();
    }

    /// What arrived shows which paths reach the peer.
    fn note_arrived(&mut self) {
        let mut paths = self.tx.take_arrived();
        while paths != 0 {
            self.links.arrived(paths.trailing_zeros() as u8);
            paths &= paths.wrapping_sub(1);
        }
    }

    /// We are about to send an answer to the peer's message `seq`, in a message that was pushed:
    /// its ACK need not go.
    pub fn answering(&mut self, seq: u32) {
        self.rx.answering(seq);
    }

    /// The time has come that [`Self::poll_timeout`] told. It does no harm to call this early.
    pub fn on_timer(&mut self, now: Instant) {
        let change = self.tcs.timed_out(now, &self.timers);
        self.changed(change);
        if self.state() != State::Up {
            return;
        }
        self.links.expire(now, &self.timers);
        if self.links.are_dead(now, &self.timers) {
            return self.fail(now);
        }
        match self.tx.timed_out(now, &self.timers) {
            TimedOut::No => {}
            TimedOut::Failed => self.fail(now),
            TimedOut::Retry { path } => {
                if let Some(other) = self.links.timed_out(path, self.tx.flight(), now) {
                    self.tx.move_path(path, other, now);
                }
            }
        }
    }

    /// There is no way to the peer.
    fn fail(&mut self, now: Instant) {
        self.tcs.abort(now);
        self.drop_all(DownReason::LinkFailed);
    }

    /// What went by `path` takes another one, if there is one.
    fn leave_path(&mut self, path: u8, now: Instant) {
        if let Some(other) = self.links.choose(self.tx.flight()) {
            if other != path {
                self.tx.move_path(path, other, now);
            }
        }
    }

    /// The next frame to transmit, and by which way.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<(Transmit, Via)> {
        if let Some(packet) = self.tcs.poll() {
            return Some(self.control(packet));
        }
        if self.state() != State::Up {
            return None;
        }
        let back = Via::Path(self.links.back());
        match self.rx.poll(now, self.timers.hold) {
            Some(Report::Ack { cause, next }) => {
                let ack = Transmit::Ack {
                    seq: cause,
                    next,
                    room: self.room,
                };
                return Some((ack, back));
            }
            Some(Report::Nack { seq }) => return Some((Transmit::Nack { seq }, back)),
            None => {}
        }
        if let Some(heartbeat) = self.poll_heartbeat(now) {
            return Some(heartbeat);
        }
        let path = self.links.choose(self.tx.flight());
        let piece = self.tx.poll(now, path)?;
        let via = match self.links.policy() {
            Policy::Redundant => Via::Every(self.links.every(true)),
            _ => Via::Path(piece.path),
        };
        Some((Transmit::Piece(piece), via))
    }

    fn poll_heartbeat(&mut self, now: Instant) -> Option<(Transmit, Via)> {
        if self.pongs != 0 {
            let path = self.pongs.trailing_zeros();
            self.pongs &= self.pongs.wrapping_sub(1);
            return Some((Transmit::PingReply, Via::Path((path & 7) as u8)));
        }
        let path = self.links.poll_ping(now, &self.timers)?;
        Some((Transmit::Ping, Via::Path(path)))
    }

    /// A frame of the handshake.
    fn control(&mut self, packet: PacketType) -> (Transmit, Via) {
        let back = Via::Path(self.links.back());
        match packet {
            PacketType::TcsInit => {
                let path = self.links.next_path().unwrap_or(self.links.back());
                (Transmit::Init, Via::Path(path))
            }
            PacketType::TcsDown => {
                let every = Via::Every(self.links.every(false));
                (Transmit::Control(packet), every)
            }
            _ => (Transmit::Control(packet), back),
        }
    }

    /// A message that is acknowledged: the caller frees what it keeps of it.
    pub fn poll_freed(&mut self) -> Option<u32> {
        self.tx.poll_freed()
    }

    /// What happened to the connection.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(reason) = self.down.take() {
            return Some(Event::Down(reason));
        }
        core::mem::take(&mut self.up).then_some(Event::Up)
    }

    /// When [`Self::on_timer`] and [`Self::poll_transmit`] have something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let handshake = self.tcs.deadline();
        if self.state() != State::Up {
            return handshake;
        }
        let delivery = earliest(self.rx.deadline(), self.tx.deadline(&self.timers));
        let heartbeat = self.links.deadline(&self.timers);
        earliest(earliest(handshake, delivery), heartbeat)
    }

    /// The header of a frame to transmit. `layer` is that of a message, and `length` that of a
    /// payload which the caller makes: of INIT, NACK, and the heartbeat.
    pub fn header(&self, t: &Transmit, layer: Layer, length: u32) -> Header {
        let LocalIds { conn_id, nd } = self.local();
        let mut h = Header {
            ptype: PacketType::User,
            flags: Flags::WHOLE,
            layer: Layer::Kif,
            src_nd_for_dst: nd,
            dst_nd_for_src: self.peer_nd_for_us(),
            src_conn_id: conn_id,
            dst_conn_id: self.peer_conn_id(),
            seq: 0,
            qos_type: self.qos.0,
            src_qos_idx: self.qos.1,
            offset: 0,
            length,
            crc: 0,
        };
        match *t {
            Transmit::Control(packet) => {
                h.ptype = packet;
                h.length = 0;
            }
            Transmit::Init => h.ptype = PacketType::TcsInit,
            Transmit::Piece(piece) => {
                let part = piece.fragment;
                h.layer = layer;
                h.flags = Flags::of_fragment(part.first, part.last);
                h.seq = piece.seq;
                h.offset = part.offset;
                h.length = part.length;
            }
            Transmit::Ack { seq, next, room } => {
                h.ptype = PacketType::Ack;
                h.seq = seq;
                h.offset = next;
                h.length = 0;
                if room.is_some() {
                    h.layer = Layer::Seq;
                    h.length = ROOM_LEN as u32;
                }
            }
            Transmit::Nack { seq } => {
                h.ptype = PacketType::Nack;
                h.layer = Layer::Seq;
                h.seq = seq;
            }
            Transmit::Ping | Transmit::PingReply => h.layer = Layer::Nr,
        }
        h
    }

    /// The round trip as measured, if it was.
    pub fn rtt(&self) -> Option<Nanos> {
        self.tx.rtt().smoothed()
    }

    /// After what time the oldest message is sent again.
    pub fn retransmit_timeout(&self) -> Nanos {
        self.tx.timeout(&self.timers)
    }

    /// Fragments that may be under way, and those that are.
    pub fn window(&self) -> (u32, u32) {
        let sum = |total: u32, n: &u32| total.saturating_add(*n);
        (self.tx.window(), self.tx.flight().iter().fold(0, sum))
    }

    /// What happened to the paths since this was last called.
    pub fn take_link_counters(&mut self) -> LinkCounters {
        self.links.take_counters()
    }

    /// What the sender did since this was last called, over all connections.
    pub fn take_counters(&mut self) -> TxCounters {
        self.tx.take_counters()
    }

    /// Whether the sender's books are in order; for tests.
    pub fn is_sound(&self) -> bool {
        self.tx.is_sound()
    }

    /// Makes ready for a new connection.
    fn begin(&mut self, cfg: &Config, now: Instant) {
        self.timers = Timers::new(cfg);
        self.links.distrust(now);
        self.pongs = 0;
        self.tx.restart(self.first_seq, &self.timers);
        self.rx = Rx::new(self.first_seq);
        self.up = false;
    }

    fn changed(&mut self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::Up(rtt) => {
                if let Some(rtt) = rtt {
                    self.tx.measured(rtt);
                }
                self.up = true;
            }
            Change::Down(reason) => self.drop_all(reason),
        }
    }

    fn drop_all(&mut self, reason: DownReason) {
        self.tx.restart(self.first_seq, &self.timers);
        self.rx = Rx::new(self.first_seq);
        self.tell_down(reason);
    }

    fn tell_down(&mut self, reason: DownReason) {
        self.up = false;
        self.down = self.down.or(Some(reason));
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
