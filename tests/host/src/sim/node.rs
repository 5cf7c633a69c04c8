// SPDX-License-Identifier: GPL-2.0

//! A node as the kernel's shell makes one: a session for each peer, and the messages that belong to
//! its sequence numbers.

use std::boxed::Box;
use std::collections::{
    BTreeMap,
    VecDeque, //
};
use std::ops::{
    Index,
    IndexMut, //
};
use std::sync::OnceLock;
use std::vec::Vec;

use crate::proto::l4::reassembly::Reassembly;
use crate::proto::l4::tx::{
    TxCounters,
    COMMON_PAYLOAD, //
};
use crate::proto::names::Policy;
use crate::proto::qos::config::Config;
use crate::proto::qos::limit::RateLimit;
use crate::proto::qos::session::{
    ControlDrop,
    ControlVerdict,
    DownReason,
    Event,
    LinkCounters,
    LocalIds,
    Piece,
    RxDrop,
    RxVerdict,
    Session,
    State,
    Transmit,
    Via,
    MAX_PATHS, //
};
use crate::proto::time::Instant;
use crate::proto::wire::ack::{
    emit_ranges,
    emit_room,
    parse_room,
    Ranges,
    MAX_RANGES,
    RANGE_LEN, //
};
use crate::proto::wire::l4::{
    self,
    Flags,
    Header,
    Layer,
    PacketType,
    HEADER_LEN, //
};
use crate::proto::wire::nr;

use super::rng::Rng;

/// Pad bytes in front of a header.
const PAD: usize = 2;

/// What of an MTU is not payload: the header, and the longest pad.
pub const HEAD: usize = HEADER_LEN + l4::MAX_PAD;

/// Contents are cut out of so many random bytes.
const BYTES: usize = 1 << 20;

/// Bytes that hardly repeat, from a place that depends on `id`.
fn content(id: u64, length: usize) -> &'static [u8] {
    static ALL: OnceLock<Vec<u8>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut rng = Rng::new(7);
        (0..BYTES / 4)
            .flat_map(|_| (rng.draw() as u32).to_le_bytes())
            .collect()
    });
    let start = (id as usize).wrapping_mul(4099) % (BYTES - l4::MAX_MESSAGE);
    &all[start..start + length]
}

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

/// A message. Machines see only its number and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unlike that of any other message, ever.
    pub id: u64,
    /// What it is for.
    pub kind: Kind,
    /// How many bytes it has.
    pub length: u32,
    /// The connection over which it went first, as its sender calls it.
    pub conn_id: u32,
    /// How many went over that one before.
    pub index: u64,
    /// Whether it was given up: then only its number arrives, unless the rest did before.
    pub given_up: bool,
}

impl Message {
    /// Its bytes.
    pub fn content(&self) -> &'static [u8] {
        content(self.id, self.length as usize)
    }
}

/// A frame: the header as it travels, its payload, and the message of which that is a part.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Pad and header.
    pub bytes: [u8; PAD + HEADER_LEN],
    /// What follows the header, in a frame that is no message.
    own: Vec<u8>,
    /// What follows the header, in one that is.
    part: &'static [u8],
    /// The message.
    pub message: Option<Message>,
}

impl Frame {
    fn new(h: &Header, own: Vec<u8>) -> Self {
        let mut header = [0; HEADER_LEN];
        h.emit(&mut header);
        let mut bytes = [0; PAD + HEADER_LEN];
        bytes[PAD..].copy_from_slice(&header);
        assert!(h.length as usize == own.len() || h.ptype.is_data());
        Self {
            bytes,
            own,
            part: &[],
            message: None,
        }
    }

    fn with_message(self, message: Message, part: &'static [u8]) -> Self {
        Self {
            part,
            message: Some(message),
            ..self
        }
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        match self.message {
            Some(_) => self.part,
            None => &self.own,
        }
    }

    /// Pad, header and payload.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.payload().len()
    }

    /// Never: there is a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The header, as the receiver reads it.
    pub fn header(&self) -> Header {
        let (pad, h) = l4::parse(&self.bytes, self.len()).expect("a node sends good headers");
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
        /// By which path.
        path: u8,
        /// What it sent.
        frame: Frame,
        /// Whether it is a part of a message that was sent before.
        again: bool,
    },
    /// A message was delivered to it.
    Delivered {
        /// From which node.
        from: usize,
        /// What came.
        message: Message,
        /// Whether only its number came, because it had been given up.
        hole: bool,
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
    /// Something happened to a session.
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
    /// It was a fragment that contradicts others.
    pub fragment: u32,
    /// It was a fragment that would have opened one gap too many.
    pub gap: u32,
    /// It was an INIT of the past.
    pub stale: u32,
    /// It was an INIT that crossed ours.
    pub crossed: u32,
    /// It was a DOWN by a path that is only claimed.
    pub path: u32,
    /// It was another frame of the handshake that made no sense.
    pub control: u32,
    /// It was an ACK that told nothing new, or something impossible.
    pub ack: u32,
}

/// A message of which a part has arrived.
#[derive(Clone, Debug)]
struct Partial {
    parts: Reassembly,
    fragments: Vec<(u32, &'static [u8])>,
}

impl Partial {
    /// The bytes, as the kernel puts them together: by offset, without what overlaps.
    fn assemble(mut self) -> Vec<u8> {
        self.fragments.sort_by_key(|(offset, _)| *offset);
        let mut bytes = Vec::new();
        for (offset, part) in self.fragments {
            let known = bytes
                .len()
                .checked_sub(offset as usize)
                .expect("no byte is missing");
            bytes.extend_from_slice(part.get(known..).unwrap_or(&[]));
        }
        bytes
    }

    fn bytes(&self) -> usize {
        self.fragments.iter().map(|(_, part)| part.len()).sum()
    }
}

/// A message that waits for its turn.
#[derive(Clone, Debug)]
struct Held {
    message: Message,
    hole: bool,
}

/// What a node keeps for a peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The session with it.
    pub session: Session,
    /// Sent and not acknowledged.
    sent: BTreeMap<u32, Message>,
    /// Arrived before its turn.
    held: BTreeMap<u32, Held>,
    /// Arrived in part.
    partial: BTreeMap<u32, Partial>,
    /// Waits for room in the window, with the number of the request that it answers.
    backlog: VecDeque<(Kind, u64, u32, Option<u32>)>,
    /// How many messages went over the connection of that id.
    pushed: (u32, u64),
    /// What failed, by the reason, because the connection went down.
    pub failed: Vec<(u64, DownReason)>,
    /// The most messages that were held at any time.
    pub most_held: usize,
    /// The most bytes that were kept of messages which were not delivered, at any time.
    pub most_bytes: usize,
    /// The most fragments that were kept of one message, at any time.
    pub most_fragments: usize,
    /// The most fragments that were under way at any time.
    pub most_flight: u32,
    /// Whether a timer event is in the world's queue: for when, and which.
    pub armed: Option<(Instant, u64)>,
    /// What the sender did.
    pub counters: TxCounters,
    /// What happened to the paths.
    pub links: LinkCounters,
}

/// The peers of a node, by place. Those that were never talked to take no room.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeMap<usize, Box<Peer>>);

impl Index<usize> for Peers {
    type Output = Peer;

    fn index(&self, with: usize) -> &Peer {
        self.0.get(&with).expect("they have talked")
    }
}

impl IndexMut<usize> for Peers {
    fn index_mut(&mut self, with: usize) -> &mut Peer {
        self.0.get_mut(&with).expect("they have talked")
    }
}

impl Peers {
    /// The peer, if it was ever talked to.
    pub fn get(&self, with: usize) -> Option<&Peer> {
        self.0.get(&with).map(|peer| &**peer)
    }

    /// All of them, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Peer)> {
        self.0.iter().map(|(with, peer)| (*with, &**peer))
    }
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
    /// What it keeps for each node.
    pub peers: Peers,
    /// Whether it opens a connection anew when one went down while messages wait.
    pub reopen: bool,
    /// How many paths lead to each other node.
    pub paths: u8,
    /// The policy of its sessions, and by bit the paths over the interface that it names.
    pub policy: (Policy, u8),
    /// The payload with which sessions begin.
    pub payload: u32,
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
            partial: BTreeMap::new(),
            backlog: VecDeque::new(),
            pushed: (0, 0),
            failed: Vec::new(),
            most_held: 0,
            most_bytes: 0,
            most_fragments: 0,
            most_flight: 0,
            armed: None,
            counters: TxCounters::default(),
            links: LinkCounters::default(),
        }
    }

    /// Nothing is under way and nothing waits.
    pub fn is_quiet(&self) -> bool {
        self.sent.is_empty()
            && self.backlog.is_empty()
            && self.held.is_empty()
            && self.partial.is_empty()
    }

    /// How many messages were sent and are not acknowledged, or wait to be sent.
    pub fn waiting(&self) -> usize {
        self.sent.len() + self.backlog.len()
    }

    /// What a message is for that was pushed and neither freed nor given up.
    pub fn kind_of(&self, id: u64) -> Option<Kind> {
        let mut sent = self.sent.values();
        sent.find(|it| it.id == id && !it.given_up)
            .map(|it| it.kind)
    }

    /// The number of a message that was pushed and not freed.
    pub fn seq_of(&self, id: u64) -> Option<u32> {
        let mut sent = self.sent.iter();
        sent.find(|(_, it)| it.id == id).map(|(seq, _)| *seq)
    }
}

impl Node {
    /// Starts node `me`.
    pub fn new(me: usize, first_seq: u32, rng: &mut Rng) -> Self {
        Self {
            me,
            life: 1 + rng.below(0xffff) as u16,
            counter: 0,
            cfg: Config::DEFAULT,
            peers: Peers::default(),
            reopen: false,
            paths: 1,
            policy: (Policy::LoadBalance, 0),
            payload: COMMON_PAYLOAD,
            drops: Drops::default(),
            down_limit: RateLimit::new(),
            first_seq,
        }
    }

    /// Starts it anew, in another life: it has forgotten everything but its options.
    pub fn restart(&mut self, rng: &mut Rng) {
        let old = self.life;
        while self.life == old {
            self.life = 1 + rng.below(0xffff) as u16;
        }
        self.counter = 0;
        self.peers = Peers::default();
        self.drops = Drops::default();
        self.down_limit = RateLimit::new();
    }

    /// What it keeps for a node, from the first time on.
    pub fn peer(&mut self, with: usize, now: Instant) -> &mut Peer {
        let (first_seq, paths, policy, payload) =
            (self.first_seq, self.paths, self.policy, self.payload);
        self.peers.0.entry(with).or_insert_with(|| {
            let mut peer = Box::new(Peer::new(first_seq));
            peer.session.set_policy(policy.0, 0, policy.1);
            peer.session.set_payload(payload);
            for path in 0..paths {
                peer.session.add_path(path, true, now);
            }
            peer
        })
    }

    /// Sends a message, as soon as there is a connection and room for it.
    pub fn send(&mut self, to: usize, kind: Kind, id: u64, length: u32, now: Instant) -> Vec<Did> {
        self.open(to, now);
        self.peers[to].backlog.push_back((kind, id, length, None));
        self.settle(to, now)
    }

    /// Answers a request, if the connection over which it came is still the one.
    pub fn answer(
        &mut self,
        to: usize,
        (conn_id, seq): (u32, u32),
        request: u64,
        (id, length): (u64, u32),
        now: Instant,
    ) -> Vec<Did> {
        let peer = self.peer(to, now);
        if peer.session.state() != State::Up || peer.session.local().conn_id != conn_id {
            return Vec::new();
        }
        let answer = (Kind::Answer(request), id, length, Some(seq));
        peer.backlog.push_back(answer);
        self.settle(to, now)
    }

    /// Gives a message up. Says whether it could be.
    pub fn give_up(&mut self, to: usize, id: u64, now: Instant) -> (bool, Vec<Did>) {
        let peer = &mut self.peers[to];
        let Some(seq) = peer.seq_of(id) else {
            return (false, Vec::new());
        };
        let could = peer.session.give_up(seq);
        if could {
            let message = peer.sent.get_mut(&seq).expect("it was found");
            message.given_up = true;
        }
        (could, self.settle(to, now))
    }

    /// Changes something about the session with a peer, as the shell does.
    pub fn change(
        &mut self,
        with: usize,
        now: Instant,
        change: impl FnOnce(&mut Session),
    ) -> Vec<Did> {
        change(&mut self.peer(with, now).session);
        self.settle(with, now)
    }

    /// Uses up ids, as connections with other nodes do.
    pub fn skip_ids(&mut self, n: u16) {
        self.counter = self.counter.wrapping_add(n);
    }

    /// Takes the connection with a node down.
    pub fn close(&mut self, to: usize, now: Instant) -> Vec<Did> {
        self.peer(to, now).session.close(now);
        self.settle(to, now)
    }

    /// The timer of a peer fires.
    pub fn timer(&mut self, with: usize, now: Instant) -> Vec<Did> {
        self.peers[with].session.on_timer(now);
        self.settle(with, now)
    }

    /// A frame arrives. `from` and `path` are what its interface and MAC address tell.
    pub fn receive(
        &mut self,
        from: usize,
        path: u8,
        frame: &Frame,
        corrupt: bool,
        now: Instant,
    ) -> Vec<Did> {
        if corrupt {
            self.drops.corrupt += 1;
            return Vec::new();
        }
        let h = frame.header();
        let mut did = Vec::new();
        self.peer(from, now);
        let session = &mut self.peers[from].session;
        match h.ptype {
            PacketType::TcsInit => self.init(from, path, &h, now),
            PacketType::User if h.layer == Layer::Nr => {
                let is_reply = match nr::Message::parse(frame.payload()) {
                    Ok(nr::Message::Ping) => false,
                    Ok(nr::Message::PingReply) => true,
                    other => panic!("{other:?} is no heartbeat"),
                };
                if session.matches(&h) {
                    session.on_ping(&h, is_reply, path, now);
                } else {
                    self.unknown(from, path, &h, now, &mut did);
                }
            }
            PacketType::User => self.data(from, path, &h, frame, now, &mut did),
            PacketType::Ack => {
                let room = parse_room(frame.payload()).expect("a node sends good ACKs");
                if session.on_ack(&h, room, path, now).is_err() {
                    self.drops.ack += 1;
                }
            }
            PacketType::Nack => {
                let ranges = Ranges::parse(frame.payload()).expect("a node sends good NACKs");
                if session.on_nack(&h, ranges, path, now).is_err() {
                    self.drops.ack += 1;
                }
            }
            _ => {
                let verdict = session.on_control(&h, path, now);
                self.count_control(verdict);
            }
        }
        did.extend(self.settle(from, now));
        did
    }

    fn open(&mut self, to: usize, now: Instant) {
        let ids = self.fresh_ids(to);
        let cfg = self.cfg;
        self.peer(to, now).session.open(ids, now, &cfg);
        self.keep_ids(to, ids);
    }

    fn init(&mut self, from: usize, path: u8, h: &Header, now: Instant) {
        let ids = self.fresh_ids(from);
        let cfg = self.cfg;
        let smaller = self.me < from;
        let session = &mut self.peers[from].session;
        let verdict = session.on_init(ids, h, smaller, path, now, &cfg);
        self.keep_ids(from, ids);
        self.count_control(verdict);
    }

    /// A frame of no connection that we know: its sender has to notice that we have lost it.
    fn unknown(&mut self, from: usize, path: u8, h: &Header, now: Instant, did: &mut Vec<Did>) {
        self.drops.unknown += 1;
        let session = &self.peers[from].session;
        let ours = session.local().conn_id == h.dst_conn_id;
        let known = ours && session.state() != State::Closed;
        if !known && self.down_limit.allow(now) {
            did.push(self.down_for(from, path, h));
        }
    }

    fn data(
        &mut self,
        from: usize,
        path: u8,
        h: &Header,
        frame: &Frame,
        now: Instant,
        did: &mut Vec<Did>,
    ) {
        let message = frame.message.expect("data has a payload");
        let peer = &mut self.peers[from];
        if !peer.session.matches(h) {
            return self.unknown(from, path, h, now, did);
        }
        let before = peer.partial.remove(&h.seq);
        let known = before.is_some();
        let mut partial = before.unwrap_or_else(|| Partial {
            parts: Reassembly::new(),
            fragments: Vec::new(),
        });
        let whole = h.flags.contains(Flags::WHOLE);
        let parts = (!whole).then_some(&mut partial.parts);
        let verdict = peer.session.on_data(h, path, parts, now);
        if !matches!(verdict, RxVerdict::Drop(_)) {
            if whole {
                partial.fragments.clear();
            }
            partial.fragments.push((h.offset, frame.part));
            peer.most_fragments = peer.most_fragments.max(partial.fragments.len());
        }
        let hole = h.layer == Layer::Seq;
        match verdict {
            RxVerdict::Keep => {
                peer.partial.insert(h.seq, partial);
            }
            RxVerdict::Deliver => {
                check_content(&message, hole, partial);
                self.deliver(from, h.seq, Held { message, hole }, now, did);
                while let Some(seq) = self.peers[from].session.next_ready() {
                    let held = self.peers[from].held.remove(&seq);
                    let held = held.expect("what is ready was held");
                    self.deliver(from, seq, held, now, did);
                }
            }
            RxVerdict::Hold => {
                check_content(&message, hole, partial);
                let before = peer.held.insert(h.seq, Held { message, hole });
                assert!(before.is_none(), "held twice");
            }
            RxVerdict::Drop(reason) => {
                if known {
                    peer.partial.insert(h.seq, partial);
                }
                match reason {
                    RxDrop::Duplicate => self.drops.duplicate += 1,
                    RxDrop::Window => self.drops.window += 1,
                    RxDrop::State => self.drops.unknown += 1,
                    RxDrop::Fragment => self.drops.fragment += 1,
                    RxDrop::Gap => self.drops.gap += 1,
                }
            }
        }
        self.peers[from].measure();
    }

    fn deliver(&mut self, from: usize, seq: u32, it: Held, now: Instant, did: &mut Vec<Did>) {
        let Held { message, hole } = it;
        did.push(Did::Delivered {
            from,
            message,
            hole,
        });
        let peer = &mut self.peers[from];
        match message.kind {
            _ if hole => {}
            Kind::Pulse => {}
            Kind::Request => did.push(Did::Asked {
                from,
                conn_id: peer.session.local().conn_id,
                seq,
                id: message.id,
            }),
            Kind::Answer(request) => {
                if let Some(seq) = peer.seq_of(request) {
                    peer.session.on_answered(seq, now);
                }
            }
        }
    }

    fn down_for(&self, to: usize, path: u8, h: &Header) -> Did {
        let down = Header {
            ptype: PacketType::TcsDown,
            src_conn_id: h.dst_conn_id,
            dst_conn_id: h.src_conn_id,
            src_nd_for_dst: h.dst_nd_for_src,
            dst_nd_for_src: h.src_nd_for_dst,
            layer: Layer::Kif,
            flags: Flags::WHOLE,
            seq: 0,
            offset: 0,
            length: 0,
            ..*h
        };
        Did::Sent {
            to,
            path,
            frame: Frame::new(&down, Vec::new()),
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
        while let Some((transmit, via)) = peer.session.poll_transmit(now) {
            peer.transmit(with, transmit, via, &mut did);
        }
        assert!(peer.session.is_sound(), "{:?}", peer.session);
        let (_, flight) = peer.session.window();
        peer.most_flight = peer.most_flight.max(flight);
        assert!(
            !peer.sent.is_empty() || flight == 0,
            "{flight} of nothing are under way"
        );
        let counters = peer.session.take_counters();
        peer.counters.resent += counters.resent;
        peer.counters.timeouts += counters.timeouts;
        peer.counters.overtaken += counters.overtaken;
        peer.counters.answered += counters.answered;
        peer.counters.nacked += counters.nacked;
        peer.counters.recut += counters.recut;
        let links = peer.session.take_link_counters();
        peer.links.pings += links.pings;
        peer.links.failed += links.failed;
        peer.links.returned += links.returned;
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
            peer.partial.clear();
            // An answer goes over the connection of its request or not at all.
            peer.backlog.retain(|(_, _, _, answers)| answers.is_none());
            if !self.reopen {
                let waiting = core::mem::take(&mut peer.backlog);
                peer.failed
                    .extend(waiting.iter().map(|(_, id, ..)| (*id, reason)));
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
        while let Some(&(kind, id, length, answers)) = peer.backlog.front() {
            let Some(seq) = peer.session.push(length) else {
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
                length,
                conn_id,
                index: peer.pushed.1,
                given_up: false,
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
            ControlVerdict::Drop(ControlDrop::Path) => self.drops.path += 1,
            ControlVerdict::Drop(_) => self.drops.control += 1,
        }
    }
}

fn check_content(message: &Message, hole: bool, partial: Partial) {
    let bytes = partial.assemble();
    let expected = if hole { &[] } else { message.content() };
    assert!(bytes == expected, "other bytes: {message:?}");
}

impl Peer {
    /// What is kept stays within its bounds.
    fn measure(&mut self) {
        self.most_held = self.most_held.max(self.held.len());
        assert_eq!(self.held.len() as u32, self.session.held());
        assert_eq!(self.partial.len() as u32, self.session.partial());
        let held: usize = self
            .held
            .values()
            .map(|it| it.message.length as usize)
            .sum();
        let partial: usize = self.partial.values().map(Partial::bytes).sum();
        self.most_bytes = self.most_bytes.max(held + partial);
    }

    fn transmit(&self, to: usize, transmit: Transmit, via: Via, did: &mut Vec<Did>) {
        let (frame, again) = self.frame(transmit);
        let paths = match via {
            Via::Path(path) => 1 << path,
            Via::Every(paths) => paths,
        };
        for path in (0..MAX_PATHS as u8).filter(|path| paths >> path & 1 != 0) {
            did.push(Did::Sent {
                to,
                path,
                frame: frame.clone(),
                again,
            });
        }
    }

    fn frame(&self, transmit: Transmit) -> (Frame, bool) {
        let header = |layer, length: usize| {
            let length = u32::try_from(length).expect("it is short");
            self.session.header(&transmit, layer, length)
        };
        let plain = |payload: Vec<u8>| {
            let h = header(Layer::Kif, payload.len());
            (Frame::new(&h, payload), false)
        };
        match transmit {
            Transmit::Piece(piece) => self.piece(piece),
            Transmit::Init => plain(std::vec![0; 43]),
            Transmit::Control(_) => plain(Vec::new()),
            Transmit::Ack { room, .. } => {
                plain(room.map_or(Vec::new(), |room| emit_room(room).to_vec()))
            }
            Transmit::Nack { seq } => {
                let parts = &self.partial.get(&seq).expect("a part has come").parts;
                let mut payload = [0; MAX_RANGES * RANGE_LEN];
                let length = emit_ranges(parts.missing(), &mut payload);
                let length = length.expect("something is missing");
                plain(payload[..length].to_vec())
            }
            Transmit::Ping | Transmit::PingReply => {
                let message = match transmit {
                    Transmit::Ping => nr::Message::Ping,
                    _ => nr::Message::PingReply,
                };
                let mut payload = [0; nr::MAX_LEN];
                let length = message.emit(&mut payload).expect("it has room");
                plain(payload[..length].to_vec())
            }
        }
    }

    fn piece(&self, piece: Piece) -> (Frame, bool) {
        let message = self.sent.get(&piece.seq);
        let message = *message.unwrap_or_else(|| panic!("{piece:?} is not there any more"));
        let part = piece.fragment;
        let (layer, content): (_, &'static [u8]) = match message.given_up {
            true => (Layer::Seq, &[]),
            false => (Layer::Kif, message.content()),
        };
        let (start, end) = (part.offset as usize, (part.offset + part.length) as usize);
        let h = self.session.header(&Transmit::Piece(piece), layer, 0);
        let frame = Frame::new(&h, Vec::new()).with_message(message, &content[start..end]);
        (frame, piece.again)
    }
}
