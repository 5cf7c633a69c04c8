// SPDX-License-Identifier: GPL-2.0

//! A node as the kernel's shell makes one: a session for each peer, and the messages that belong to
//! its sequence numbers.

use std::collections::{
    BTreeMap,
    VecDeque, //
};
use std::vec::Vec;

use crate::proto::l4::tx::TxCounters;
use crate::proto::qos::config::Config;
use crate::proto::qos::limit::RateLimit;
use crate::proto::qos::session::{
    ControlDrop,
    ControlVerdict,
    DownReason,
    Event,
    LocalIds,
    RxDrop,
    RxVerdict,
    Session,
    State,
    Transmit, //
};
use crate::proto::time::Instant;
use crate::proto::wire::l4::{
    self,
    Header,
    Layer,
    PacketType,
    HEADER_LEN, //
};

use super::rng::Rng;

/// Pad bytes in front of a header.
const PAD: usize = 2;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It wants no answer.
    Pulse,
    /// It wants one.
    Request,
    /// It answers the request of that id.
    Answer(u64),
}

/// A message. Machines see only its number; the simulator checks by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unlike that of any other message, ever.
    pub id: u64,
    /// What it is for.
    pub kind: Kind,
    /// The connection over which it went first, as its sender calls it.
    pub conn_id: u32,
    /// How many went over that one before.
    pub index: u64,
}

/// A frame: the header as it travels, and the payload if it is a message.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Pad and header.
    pub bytes: [u8; PAD + HEADER_LEN],
    /// Bytes of payload.
    pub length: usize,
    /// The message.
    pub message: Option<Message>,
}

impl Frame {
    fn new(h: &Header, message: Option<Message>) -> Self {
        let mut header = [0; HEADER_LEN];
        h.emit(&mut header);
        let mut bytes = [0; PAD + HEADER_LEN];
        bytes[PAD..].copy_from_slice(&header);
        Self {
            bytes,
            length: h.length as usize,
            message,
        }
    }

    /// The header, as the receiver reads it.
    pub fn header(&self) -> Header {
        let total = self.bytes.len() + self.length;
        let (pad, h) = l4::parse(&self.bytes, total).expect("a node sends good headers");
        assert_eq!(pad, PAD);
        h
    }
}

/// What a node did that the world has to know.
#[derive(Clone, Debug)]
pub enum Did {
    /// It sent a frame.
    Sent {
        /// To which node.
        to: usize,
        /// What it sent.
        frame: Frame,
        /// Whether it is a message that was sent before.
        again: bool,
    },
    /// A message was delivered to it.
    Delivered {
        /// From which node.
        from: usize,
        /// What came.
        message: Message,
    },
    /// A message of it was acknowledged.
    Freed {
        /// What is done with.
        message: Message,
    },
    /// A request was delivered to it, which it should answer.
    Asked {
        /// From which node.
        from: usize,
        /// Our connection over which it came.
        conn_id: u32,
        /// The number of the request.
        seq: u32,
        /// Its id.
        id: u64,
    },
    /// A session went up or down.
    Event {
        /// With which node.
        with: usize,
        /// What happened.
        event: Event,
    },
}

/// What a node dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Its CRC was wrong.
    pub corrupt: u32,
    /// Its ids were unknown, or the session was not up.
    pub unknown: u32,
    /// It had arrived before.
    pub duplicate: u32,
    /// Its number was out of the window.
    pub window: u32,
    /// It was an INIT of the past.
    pub stale: u32,
    /// It was an INIT that crossed ours.
    pub crossed: u32,
    /// It was another frame of the handshake that made no sense.
    pub control: u32,
    /// It was an ACK that told nothing new, or something impossible.
    pub ack: u32,
}

/// What a node keeps for a peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The session with it.
    pub session: Session,
    /// Sent and not acknowledged.
    sent: BTreeMap<u32, Message>,
    /// Arrived before its turn.
    held: BTreeMap<u32, Message>,
    /// Waits for room in the window, with the number of the request that it answers.
    backlog: VecDeque<(Kind, u64, Option<u32>)>,
    /// How many messages went over the connection of that id.
    pushed: (u32, u64),
    /// What failed, by the reason, because the connection went down.
    pub failed: Vec<(u64, DownReason)>,
    /// The most messages that were held at any time.
    pub most_held: usize,
    /// Whether a timer event is in the world's queue, and for when.
    pub armed: Option<Instant>,
    /// What the sender did.
    pub counters: TxCounters,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its place in the world, which is also its name.
    me: usize,
    life: u16,
    counter: u16,
    /// Its options.
    pub cfg: Config,
    /// What it keeps for each node, itself included to keep the places simple.
    pub peers: Vec<Peer>,
    /// Whether it opens a connection anew when one went down while messages wait.
    pub reopen: bool,
    /// What it dropped.
    pub drops: Drops,
    down_limit: RateLimit<10>,
    first_seq: u32,
}

impl Peer {
    fn new(first_seq: u32) -> Self {
        Self {
            session: Session::numbered_from(first_seq),
            sent: BTreeMap::new(),
            held: BTreeMap::new(),
            backlog: VecDeque::new(),
            pushed: (0, 0),
            failed: Vec::new(),
            most_held: 0,
            armed: None,
            counters: TxCounters::default(),
        }
    }

    /// Nothing is under way and nothing waits.
    pub fn is_quiet(&self) -> bool {
        self.sent.is_empty() && self.backlog.is_empty() && self.held.is_empty()
    }
}

impl Node {
    /// Starts node `me` of `n`.
    pub fn new(me: usize, n: usize, first_seq: u32, rng: &mut Rng) -> Self {
        Self {
            me,
            life: 1 + rng.below(0xffff) as u16,
            counter: 0,
            cfg: Config::DEFAULT,
            peers: (0..n).map(|_| Peer::new(first_seq)).collect(),
            reopen: false,
            drops: Drops::default(),
            down_limit: RateLimit::new(),
            first_seq,
        }
    }

    /// Starts it anew, in another life: it has forgotten everything.
    pub fn restart(&mut self, rng: &mut Rng) {
        let n = self.peers.len();
        let old = self.life;
        let (cfg, reopen) = (self.cfg, self.reopen);
        while self.life == old {
            *self = Self::new(self.me, n, self.first_seq, rng);
        }
        self.cfg = cfg;
        self.reopen = reopen;
    }

    /// Sends a message, as soon as there is a connection and room for it.
    pub fn send(&mut self, to: usize, kind: Kind, id: u64, now: Instant) -> Vec<Did> {
        self.open(to, now);
        self.peers[to].backlog.push_back((kind, id, None));
        self.settle(to, now)
    }

    /// Answers a request, if the connection over which it came is still the one.
    pub fn answer(
        &mut self,
        to: usize,
        conn_id: u32,
        seq: u32,
        request: u64,
        id: u64,
        now: Instant,
    ) -> Vec<Did> {
        let peer = &mut self.peers[to];
        if peer.session.state() != State::Up || peer.session.local().conn_id != conn_id {
            return Vec::new();
        }
        let answer = (Kind::Answer(request), id, Some(seq));
        peer.backlog.push_back(answer);
        self.settle(to, now)
    }

    /// Uses up ids, as connections with other nodes do.
    pub fn skip_ids(&mut self, n: u16) {
        self.counter = self.counter.wrapping_add(n);
    }

    /// Takes the connection with a node down.
    pub fn close(&mut self, to: usize, now: Instant) -> Vec<Did> {
        self.peers[to].session.close(now);
        self.settle(to, now)
    }

    /// The timer of a peer fires.
    pub fn timer(&mut self, with: usize, now: Instant) -> Vec<Did> {
        self.peers[with].session.on_timer(now);
        self.settle(with, now)
    }

    /// A frame arrives. `from` is what the MAC address tells.
    pub fn receive(&mut self, from: usize, frame: &Frame, corrupt: bool, now: Instant) -> Vec<Did> {
        if corrupt {
            self.drops.corrupt += 1;
            return Vec::new();
        }
        let h = frame.header();
        let mut did = Vec::new();
        match h.ptype {
            PacketType::TcsInit => self.init(from, &h, now),
            PacketType::User => self.data(from, &h, frame, now, &mut did),
            PacketType::Ack => {
                if self.peers[from].session.on_ack(&h, now).is_err() {
                    self.drops.ack += 1;
                }
            }
            _ => {
                let verdict = self.peers[from].session.on_control(&h, now);
                self.count_control(verdict);
            }
        }
        did.extend(self.settle(from, now));
        did
    }

    fn open(&mut self, to: usize, now: Instant) {
        let ids = self.fresh_ids(to);
        let cfg = self.cfg;
        self.peers[to].session.open(ids, now, &cfg);
        self.keep_ids(to, ids);
    }

    fn init(&mut self, from: usize, h: &Header, now: Instant) {
        let ids = self.fresh_ids(from);
        let cfg = self.cfg;
        let smaller = self.me < from;
        let session = &mut self.peers[from].session;
        let verdict = session.on_init(ids, h, smaller, now, &cfg);
        self.keep_ids(from, ids);
        self.count_control(verdict);
    }

    fn data(&mut self, from: usize, h: &Header, frame: &Frame, now: Instant, did: &mut Vec<Did>) {
        let message = frame.message.expect("data has a payload");
        let peer = &mut self.peers[from];
        if !peer.session.matches(h) {
            self.drops.unknown += 1;
            // The sender has to notice that we have lost the connection.
            let ours = peer.session.local().conn_id == h.dst_conn_id;
            let known = ours && peer.session.state() != State::Closed;
            if !known && self.down_limit.allow(now) {
                did.push(self.down_for(from, h));
            }
            return;
        }
        match peer.session.on_data(h, now) {
            RxVerdict::Deliver => {
                self.deliver(from, h.seq, message, now, did);
                while let Some(seq) = self.peers[from].session.next_ready() {
                    let held = self.peers[from].held.remove(&seq);
                    let message = held.expect("what is ready was held");
                    self.deliver(from, seq, message, now, did);
                }
            }
            RxVerdict::Hold => {
                let before = peer.held.insert(h.seq, message);
                assert_eq!(before, None, "held twice");
                peer.most_held = peer.most_held.max(peer.held.len());
                assert_eq!(peer.held.len() as u32, peer.session.held());
            }
            RxVerdict::Drop(RxDrop::Duplicate) => self.drops.duplicate += 1,
            RxVerdict::Drop(RxDrop::Window) => self.drops.window += 1,
            RxVerdict::Drop(RxDrop::State) => self.drops.unknown += 1,
            RxVerdict::Drop(RxDrop::Fragment) => panic!("nobody sends fragments"),
        }
    }

    fn deliver(
        &mut self,
        from: usize,
        seq: u32,
        message: Message,
        now: Instant,
        did: &mut Vec<Did>,
    ) {
        did.push(Did::Delivered { from, message });
        let peer = &mut self.peers[from];
        match message.kind {
            Kind::Pulse => {}
            Kind::Request => did.push(Did::Asked {
                from,
                conn_id: peer.session.local().conn_id,
                seq,
                id: message.id,
            }),
            Kind::Answer(request) => {
                let asked = peer.sent.iter().find(|(_, sent)| sent.id == request);
                if let Some(seq) = asked.map(|(seq, _)| *seq) {
                    peer.session.on_answered(seq, now);
                }
            }
        }
    }

    fn down_for(&self, to: usize, h: &Header) -> Did {
        let down = Header {
            ptype: PacketType::TcsDown,
            src_conn_id: h.dst_conn_id,
            dst_conn_id: h.src_conn_id,
            src_nd_for_dst: h.dst_nd_for_src,
            dst_nd_for_src: h.src_nd_for_dst,
            layer: Layer::Kif,
            seq: 0,
            offset: 0,
            length: 0,
            ..*h
        };
        Did::Sent {
            to,
            frame: Frame::new(&down, None),
            again: false,
        }
    }

    /// Asks the session what there is to do, as after each of its calls.
    fn settle(&mut self, with: usize, now: Instant) -> Vec<Did> {
        let mut did = Vec::new();
        self.take_events(with, now, &mut did);
        self.take_freed(with, &mut did);
        self.push_backlog(with);
        let peer = &mut self.peers[with];
        while let Some(transmit) = peer.session.poll_transmit(now) {
            did.push(peer.transmit(with, transmit));
        }
        let counters = peer.session.take_counters();
        peer.counters.resent += counters.resent;
        peer.counters.timeouts += counters.timeouts;
        peer.counters.overtaken += counters.overtaken;
        peer.counters.answered += counters.answered;
        did
    }

    fn take_events(&mut self, with: usize, now: Instant, did: &mut Vec<Did>) {
        while let Some(event) = self.peers[with].session.poll_event() {
            did.push(Did::Event { with, event });
            let Event::Down(reason) = event else {
                continue;
            };
            let peer = &mut self.peers[with];
            let sent = core::mem::take(&mut peer.sent);
            peer.failed
                .extend(sent.values().map(|message| (message.id, reason)));
            peer.held.clear();
            // An answer goes over the connection of its request or not at all.
            peer.backlog.retain(|(_, _, answers)| answers.is_none());
            if !self.reopen {
                let waiting = core::mem::take(&mut peer.backlog);
                peer.failed
                    .extend(waiting.iter().map(|(_, id, _)| (*id, reason)));
            } else if !peer.backlog.is_empty() {
                self.open(with, now);
            }
        }
    }

    fn take_freed(&mut self, with: usize, did: &mut Vec<Did>) {
        let peer = &mut self.peers[with];
        while let Some(seq) = peer.session.poll_freed() {
            let message = peer.sent.remove(&seq).expect("what is freed was sent");
            did.push(Did::Freed { message });
        }
    }

    fn push_backlog(&mut self, with: usize) {
        let peer = &mut self.peers[with];
        while let Some(&(kind, id, answers)) = peer.backlog.front() {
            let Some(seq) = peer.session.push() else {
                break;
            };
            peer.backlog.pop_front();
            if let Some(request) = answers {
                peer.session.answering(request);
            }
            let conn_id = peer.session.local().conn_id;
            if peer.pushed.0 != conn_id {
                peer.pushed = (conn_id, 0);
            }
            let message = Message {
                id,
                kind,
                conn_id,
                index: peer.pushed.1,
            };
            peer.pushed.1 += 1;
            let before = peer.sent.insert(seq, message);
            assert_eq!(before, None, "a number in use was given again");
        }
    }

    /// Ids for a new connection; they are used up only if the session takes them.
    fn fresh_ids(&self, with: usize) -> LocalIds {
        LocalIds {
            conn_id: (u32::from(self.life) << 16) | u32::from(self.counter.wrapping_add(1)),
            nd: with as u16 + 1,
        }
    }

    fn keep_ids(&mut self, with: usize, ids: LocalIds) {
        if self.peers[with].session.local() == ids {
            self.counter = self.counter.wrapping_add(1);
        }
    }

    fn count_control(&mut self, verdict: ControlVerdict) {
        match verdict {
            ControlVerdict::Taken => {}
            ControlVerdict::Drop(ControlDrop::Stale) => self.drops.stale += 1,
            ControlVerdict::Drop(ControlDrop::Crossed) => self.drops.crossed += 1,
            ControlVerdict::Drop(_) => self.drops.control += 1,
        }
    }
}

impl Peer {
    fn transmit(&self, to: usize, transmit: Transmit) -> Did {
        let (message, length) = match transmit {
            Transmit::Message { seq, .. } => (self.sent.get(&seq).copied(), 16),
            Transmit::Init => (None, 43),
            Transmit::Control(_) | Transmit::Ack { .. } => (None, 0),
        };
        let again = match transmit {
            Transmit::Message { first_time, .. } => {
                assert!(message.is_some(), "{transmit:?} is not there any more");
                !first_time
            }
            _ => false,
        };
        let h = self.session.header(&transmit, Layer::Kif, length);
        Did::Sent {
            to,
            frame: Frame::new(&h, message),
            again,
        }
    }
}
