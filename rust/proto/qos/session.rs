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

use crate::proto::l4::rx::Rx;
use crate::proto::l4::timers::Timers;
use crate::proto::l4::tx::{
    Tx,
    TxCounters, //
};
use crate::proto::time::{
    earliest,
    Instant,
    Nanos, //
};
use crate::proto::wire::ack::Range;
use crate::proto::wire::l4::{
    Flags,
    Header,
    Layer,
    PacketType, //
};

use super::config::Config;
use super::tcs::{
    Accepted,
    Change,
    Tcs, //
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
pub use crate::proto::l4::tx::AckDrop;

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
    /// The message that was pushed as `seq`.
    Message {
        /// Its sequence number.
        seq: u32,
        /// Whether it was never transmitted before.
        first_time: bool,
    },
    /// What arrived.
    Ack {
        /// The message that caused it.
        seq: u32,
        /// The number wanted next: all before it arrived.
        next: u32,
    },
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
#[derive(Clone, Debug)]
pub struct Session {
    tcs: Tcs,
    tx: Tx,
    rx: Rx,
    timers: Timers,
    first_seq: u32,
    /// Events that the caller has not taken; a Down comes before an Up.
    down: Option<DownReason>,
    up: bool,
}

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
            timers: Timers::UNSET,
            first_seq,
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
            self.begin(cfg);
            self.tcs.open(ids, now, &self.timers);
        }
    }

    /// TCS_INIT of the peer, whose names are those that the session is for. `ids` are used if it
    /// needs new ones, which [`Self::local`] tells. `we_are_smaller`: our name comes before the
    /// peer's, bytewise.
    pub fn on_init(
        &mut self,
        ids: LocalIds,
        h: &Header,
        we_are_smaller: bool,
        now: Instant,
        cfg: &Config,
    ) -> ControlVerdict {
        let timers = Timers::new(cfg);
        match self.tcs.on_init(ids, h, we_are_smaller, now, &timers) {
            Err(reason) => return ControlVerdict::Drop(reason),
            Ok(Accepted::Again | Accepted::Instead) => {}
            Ok(Accepted::Anew(ended)) => {
                self.begin(cfg);
                if let Some(reason) = ended {
                    self.tell_down(reason);
                }
            }
        }
        ControlVerdict::Taken
    }

    /// TCS_REM_UP, TCS_UP, TCS_DOWN or TCS_REM_DOWN of the peer.
    pub fn on_control(&mut self, h: &Header, now: Instant) -> ControlVerdict {
        match self.tcs.on_control(h, now) {
            Err(reason) => return ControlVerdict::Drop(reason),
            Ok(change) => self.changed(change),
        }
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

    /// Takes the number for a message that fits one frame, unless the window is full or there is
    /// no connection. It is transmitted once the connection is up.
    pub fn push(&mut self) -> Option<u32> {
        if !self.can_push() {
            return None;
        }
        self.tx.push()
    }

    /// How many messages were pushed and are not acknowledged.
    pub fn unacknowledged(&self) -> u32 {
        self.tx.unacknowledged()
    }

    /// A message of the peer, or a fragment of one.
    pub fn on_data(&mut self, h: &Header, now: Instant) -> RxVerdict {
        if self.down.is_some() || !self.matches(h) {
            return RxVerdict::Drop(RxDrop::State);
        }
        let change = self.tcs.on_sign_of_peer(now);
        self.changed(change);
        if self.state() != State::Up {
            return RxVerdict::Drop(RxDrop::State);
        }
        self.rx.arrived(h, now, self.timers.hold)
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

    /// An ACK of the peer.
    pub fn on_ack(&mut self, h: &Header, now: Instant) -> Result<(), AckDrop> {
        if self.state() != State::Up || !self.matches(h) {
            return Err(AckDrop::State);
        }
        self.tx.acknowledged(h.seq, h.offset, now)
    }

    /// A NACK of the peer, with the ranges that it lists. A message is one fragment, so whichever
    /// range is missing, all of the message is sent again.
    pub fn on_nack(
        &mut self,
        h: &Header,
        mut ranges: impl Iterator<Item = Range>,
    ) -> Result<(), AckDrop> {
        if self.state() != State::Up || !self.matches(h) {
            return Err(AckDrop::State);
        }
        match ranges.next() {
            Some(_) => self.tx.missed(h.seq),
            None => Ok(()),
        }
    }

    /// The peer answered our message `seq`, which acknowledges that one.
    pub fn on_answered(&mut self, seq: u32, now: Instant) {
        self.tx.answered(seq, now);
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
        if self.state() == State::Up && self.tx.timed_out(now, &self.timers) {
            self.tcs.abort(now);
            self.drop_all(DownReason::LinkFailed);
        }
    }

    /// The next frame to transmit.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        match self.tcs.poll() {
            Some(PacketType::TcsInit) => return Some(Transmit::Init),
            Some(packet) => return Some(Transmit::Control(packet)),
            None => {}
        }
        if self.state() != State::Up {
            return None;
        }
        if let Some((seq, next)) = self.rx.poll_ack(now) {
            return Some(Transmit::Ack { seq, next });
        }
        let (seq, first_time) = self.tx.poll(now)?;
        Some(Transmit::Message { seq, first_time })
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
        earliest(handshake, delivery)
    }

    /// The header of a frame to transmit. `layer` and `length` are those of its payload; they count
    /// for INIT and for messages only, as nothing else has one.
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
            qos_type: 0,
            src_qos_idx: 0,
            offset: 0,
            length: 0,
            crc: 0,
        };
        match *t {
            Transmit::Control(packet) => h.ptype = packet,
            Transmit::Init => {
                h.ptype = PacketType::TcsInit;
                h.length = length;
            }
            Transmit::Message { seq, .. } => {
                h.layer = layer;
                h.seq = seq;
                h.length = length;
            }
            Transmit::Ack { seq, next } => {
                h.ptype = PacketType::Ack;
                h.seq = seq;
                h.offset = next;
            }
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

    /// What the sender did since this was last called, over all connections.
    pub fn take_counters(&mut self) -> TxCounters {
        self.tx.take_counters()
    }

    /// Makes ready for a new connection.
    fn begin(&mut self, cfg: &Config) {
        self.timers = Timers::new(cfg);
        self.tx.restart(self.first_seq);
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
        self.tx.restart(self.first_seq);
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
