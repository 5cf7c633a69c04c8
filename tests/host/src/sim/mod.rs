// SPDX-License-Identifier: GPL-2.0

//! A world of nodes on a virtual clock, with links that lose, double, delay and reorder frames.
//!
//! Each [`node::Node`] drives the machines of `proto` as the kernel's shell does. The world moves
//! frames and time, and checks at each step what must hold whatever the links do: a message is
//! delivered once, in the order of its connection, and acknowledged only after that. A run depends
//! on nothing but its seed.

pub mod link;
pub mod node;
pub mod rng;

use std::boxed::Box;
use std::collections::{
    BTreeMap,
    BTreeSet, //
};
use std::vec::Vec;

use crate::proto::qos::session::{
    DownReason,
    Event,
    Session, //
};
use crate::proto::time::{
    Instant,
    Nanos, //
};
use crate::proto::wire::l4::PacketType;

use link::Link;
use node::{
    Did,
    Frame,
    Kind,
    Message,
    Node, //
};
use rng::Rng;

/// What the world will do at some time.
#[derive(Clone, Debug)]
enum Todo {
    /// A frame reaches a node.
    Arrive {
        from: usize,
        to: usize,
        path: u8,
        frame: Box<Frame>,
        corrupt: bool,
    },
    /// A node's timer for a peer fires.
    Fire { node: usize, with: usize },
    /// A node answers a request.
    Answer {
        node: usize,
        to: usize,
        conn_id: u32,
        seq: u32,
        request: u64,
        length: u32,
    },
}

/// What a node takes for a path to a peer leads to another node.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// The node that is mistaken.
    pub at: usize,
    /// Whom it takes it for.
    pub claimed: usize,
    /// The path.
    pub path: u8,
    /// Who it is.
    pub real: usize,
}

/// A frame that was sent, for those who count and replay.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// By which node.
    pub from: usize,
    /// To which node.
    pub to: usize,
    /// By which path.
    pub path: u8,
    /// What.
    pub frame: Frame,
    /// Whether it is a part of a message that was sent before.
    pub again: bool,
}

/// A number of nodes, the links between them, and the time.
pub struct World {
    now: Instant,
    /// By time, and then in the order in which it was planned.
    todo: BTreeMap<(Instant, u64), Todo>,
    planned: u64,
    rng: Rng,
    /// The nodes.
    pub nodes: Vec<Node>,
    links: BTreeMap<(usize, usize, u8), Link>,
    /// What a link is like that was not used or changed yet.
    template: Link,
    /// Paths that lead elsewhere.
    pub aliases: Vec<Alias>,
    /// How long a node takes to answer, at most.
    pub think: Nanos,
    /// How late timers fire, at most.
    pub lateness: Nanos,
    /// How long answers are.
    pub answer_length: u32,
    /// Whether frames and deliveries are remembered.
    pub records: bool,
    /// Every frame that was sent.
    pub sent: Vec<Sent>,
    /// How many that were.
    pub frames: u64,
    /// Every message that was delivered: when, which, and how long it was.
    pub deliveries: Vec<(Instant, u64, u32)>,
    /// Ids of messages that were given up and did not arrive.
    pub holes: BTreeSet<u64>,
    /// Every event of a session: when, at which node, with which, what.
    pub events: Vec<(Instant, usize, usize, Event)>,
    /// Answers that arrived: when, and for which request.
    pub answers: Vec<(Instant, u64)>,
    /// Ids of what was delivered.
    pub delivered: BTreeSet<u64>,
    /// How many were delivered of each connection, by sender and its connection id.
    order: BTreeMap<(usize, u32), u64>,
    next_id: u64,
}

impl World {
    /// `n` nodes, each joined to each by a link that takes `delay`.
    pub fn new(n: usize, delay: Nanos, seed: u64) -> Self {
        Self::numbered_from(n, delay, seed, 1)
    }

    /// The same, with sequence numbers from `first_seq` on.
    pub fn numbered_from(n: usize, delay: Nanos, seed: u64, first_seq: u32) -> Self {
        let mut rng = Rng::new(seed);
        let nodes = (0..n)
            .map(|me| Node::new(me, first_seq, &mut rng))
            .collect();
        Self {
            now: Instant::from_nanos(1_000_000_000),
            todo: BTreeMap::new(),
            planned: 0,
            rng,
            nodes,
            links: BTreeMap::new(),
            template: Link::perfect(delay),
            aliases: Vec::new(),
            think: Nanos::ZERO,
            lateness: Nanos::ZERO,
            answer_length: 16,
            records: true,
            sent: Vec::new(),
            frames: 0,
            deliveries: Vec::new(),
            holes: BTreeSet::new(),
            events: Vec::new(),
            answers: Vec::new(),
            delivered: BTreeSet::new(),
            order: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// The same, with so many links between any two nodes, which are paths to their sessions.
    pub fn with_paths(n: usize, paths: u8, delay: Nanos, seed: u64) -> Self {
        let mut world = Self::new(n, delay, seed);
        world.nodes.iter_mut().for_each(|node| node.paths = paths);
        world
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// One direction of the first link between two nodes.
    pub fn link(&mut self, from: usize, to: usize) -> &mut Link {
        self.path(from, to, 0)
    }

    /// One direction of a link between two nodes.
    pub fn path(&mut self, from: usize, to: usize, path: u8) -> &mut Link {
        let template = &self.template;
        let new = || template.clone();
        self.links.entry((from, to, path)).or_insert_with(new)
    }

    /// Changes every link.
    pub fn each_link(&mut self, change: impl Fn(&mut Link)) {
        change(&mut self.template);
        self.links.values_mut().for_each(change);
    }

    /// Cuts both directions of a link, or mends them.
    pub fn cut(&mut self, a: usize, b: usize, path: u8, cut: bool) {
        self.path(a, b, path).cut = cut;
        self.path(b, a, path).cut = cut;
    }

    /// Sends a short message and returns its id.
    pub fn send(&mut self, from: usize, to: usize, kind: Kind) -> u64 {
        self.send_long(from, to, kind, 16)
    }

    /// Sends a message of `length` bytes and returns its id.
    pub fn send_long(&mut self, from: usize, to: usize, kind: Kind, length: u32) -> u64 {
        let id = self.new_id();
        let did = self.nodes[from].send(to, kind, id, length, self.now);
        self.note(from, to, did);
        id
    }

    /// The id of the message that was sent last.
    pub fn last_id(&self) -> u64 {
        self.next_id
    }

    /// Whether a message is under way that wants no answer and is none.
    pub fn is_pulse(&self, from: usize, to: usize, id: u64) -> bool {
        let peer = self.nodes[from].peers.get(to);
        let kind = peer.and_then(|peer| peer.kind_of(id));
        kind == Some(Kind::Pulse)
    }

    /// Gives a message up, and says whether that could be.
    pub fn give_up(&mut self, from: usize, to: usize, id: u64) -> bool {
        let (could, did) = self.nodes[from].give_up(to, id, self.now);
        self.note(from, to, did);
        could
    }

    /// Changes something about a session, as the shell does.
    pub fn change(&mut self, node: usize, with: usize, change: impl FnOnce(&mut Session, Instant)) {
        let now = self.now;
        let did = self.nodes[node].change(with, now, |session| change(session, now));
        self.note(node, with, did);
    }

    /// Takes a connection down.
    pub fn close(&mut self, node: usize, with: usize) {
        let did = self.nodes[node].close(with, self.now);
        self.note(node, with, did);
    }

    /// Starts a node anew.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart(&mut self.rng);
        let its = |todo: &Todo| match todo {
            Todo::Arrive { .. } => false,
            Todo::Fire { node: at, .. } | Todo::Answer { node: at, .. } => *at == node,
        };
        self.todo.retain(|_, todo| !its(todo));
    }

    /// Why and when the sessions of a node ended.
    pub fn downs(&self, node: usize) -> Vec<(Instant, DownReason)> {
        let mine = self.events.iter().filter(|(_, who, ..)| *who == node);
        mine.filter_map(|(at, _, _, event)| match event {
            Event::Down(reason) => Some((*at, *reason)),
            Event::Up => None,
        })
        .collect()
    }

    /// Opens a connection by a message, lets it come to rest and forgets what was recorded.
    pub fn connect(&mut self, from: usize, to: usize) {
        self.send(from, to, Kind::Pulse);
        assert!(self.run_to_rest(Nanos::from_secs(60)));
        self.run_for(Nanos::from_millis(5));
        self.forget();
    }

    /// Forgets what was recorded.
    pub fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
        self.deliveries.clear();
        self.answers.clear();
        self.frames = 0;
    }

    /// Lets a frame that was sent before arrive once more.
    pub fn replay(&mut self, sent: &Sent, after: Nanos) {
        let arrive = Todo::Arrive {
            from: sent.from,
            to: sent.to,
            path: sent.path,
            frame: Box::new(sent.frame.clone()),
            corrupt: false,
        };
        self.plan(self.now.after(after), arrive);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Nanos) {
        let end = self.now.after(time);
        self.run_until(end, |_| false);
        self.now = end;
    }

    /// Lets time pass until nothing is under way between any nodes, or `limit` is over. Tells
    /// whether it came to rest.
    pub fn run_to_rest(&mut self, limit: Nanos) -> bool {
        let end = self.now.after(limit);
        // Looking at all nodes takes time.
        let pause = Nanos(if self.nodes.len() > 20 {
            100_000_000
        } else {
            0
        });
        while self.now < end && !self.is_quiet() {
            let next = self.now.after(pause);
            self.run_until(end, |world| match pause {
                Nanos::ZERO => world.is_quiet(),
                _ => world.now >= next,
            });
            if self.todo.is_empty() {
                break;
            }
            if self
                .todo
                .first_key_value()
                .is_some_and(|((at, _), _)| *at > end)
            {
                break;
            }
        }
        self.is_quiet()
    }

    /// Lets time pass until `done`, or `end`.
    pub fn run_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        let mut steps = 0u32;
        let mut busy = 0u32;
        while !done(self) {
            let Some((&(at, serial), _)) = self.todo.first_key_value() else {
                break;
            };
            if at > end {
                break;
            }
            let todo = self.todo.remove(&(at, serial)).expect("it was there");
            assert!(at >= self.now, "time does not go back");
            busy = if at == self.now { busy + 1 } else { 0 };
            assert!(busy < 100_000, "the clock stands still: {todo:?}");
            self.now = at;
            self.perform(serial, todo);
            steps += 1;
            assert!(steps < 50_000_000, "the nodes do not come to rest");
        }
    }

    /// Nothing is sent, held or waits to be sent, anywhere.
    pub fn is_quiet(&self) -> bool {
        let mut peers = self.nodes.iter().flat_map(|node| node.peers.iter());
        let thinking = |todo: &Todo| matches!(todo, Todo::Answer { .. });
        peers.all(|(_, peer)| peer.is_quiet()) && !self.todo.values().any(thinking)
    }

    /// How many frames of a type were sent.
    pub fn count(&self, ptype: PacketType) -> usize {
        let of_type = |sent: &&Sent| sent.frame.header().ptype == ptype;
        self.sent.iter().filter(of_type).count()
    }

    /// How many messages were sent again.
    pub fn resent(&self) -> usize {
        self.sent.iter().filter(|sent| sent.again).count()
    }

    fn perform(&mut self, serial: u64, todo: Todo) {
        match todo {
            Todo::Arrive {
                from,
                to,
                path,
                frame,
                corrupt,
            } => {
                let did = self.nodes[to].receive(from, path, &frame, corrupt, self.now);
                self.note(to, from, did);
            }
            Todo::Fire { node, with } => {
                let armed = self.nodes[node].peers[with].armed;
                if armed.is_some_and(|(_, which)| which == serial) {
                    self.nodes[node].peers[with].armed = None;
                    let did = self.nodes[node].timer(with, self.now);
                    self.note(node, with, did);
                }
            }
            Todo::Answer {
                node,
                to,
                conn_id,
                seq,
                request,
                length,
            } => {
                let id = self.new_id();
                let over = (conn_id, seq);
                let did = self.nodes[node].answer(to, over, request, (id, length), self.now);
                self.note(node, to, did);
            }
        }
    }

    fn note(&mut self, node: usize, with: usize, did: Vec<Did>) {
        for did in did {
            match did {
                Did::Sent {
                    to,
                    path,
                    frame,
                    again,
                } => self.transmit(node, to, path, frame, again),
                Did::Delivered {
                    from,
                    message,
                    hole,
                } => self.check_delivered(from, message, hole),
                Did::Freed { message } => {
                    let id = &message.id;
                    let arrived = self.delivered.contains(id) || self.holes.contains(id);
                    assert!(arrived, "acknowledged and not delivered: {message:?}");
                }
                Did::Asked {
                    from,
                    conn_id,
                    seq,
                    id,
                } => self.think(node, from, conn_id, seq, id),
                Did::Event { with, event } => self.events.push((self.now, node, with, event)),
            }
        }
        self.arm(node, with);
    }

    fn transmit(&mut self, from: usize, to: usize, path: u8, frame: Frame, again: bool) {
        self.frames += 1;
        let (now, length) = (self.now, frame.len());
        let template = &self.template;
        let link = self.links.entry((from, to, path));
        let link = link.or_insert_with(|| template.clone());
        let arrivals = link.send(length, now, &mut self.rng);
        let leads = |it: &&Alias| (it.at, it.claimed, it.path) == (from, to, path);
        let comes = |it: &&Alias| (it.real, it.at, it.path) == (from, to, path);
        let receiver = self.aliases.iter().find(leads).map_or(to, |it| it.real);
        let sender = self
            .aliases
            .iter()
            .find(comes)
            .map_or(from, |it| it.claimed);
        for arrival in arrivals {
            let arrive = Todo::Arrive {
                from: sender,
                to: receiver,
                path,
                frame: Box::new(frame.clone()),
                corrupt: arrival.corrupt,
            };
            self.plan(arrival.at, arrive);
        }
        if self.records {
            self.sent.push(Sent {
                at: now,
                from,
                to,
                path,
                frame,
                again,
            });
        }
    }

    fn check_delivered(&mut self, from: usize, message: Message, hole: bool) {
        let first = match hole {
            true => message.given_up && self.holes.insert(message.id),
            false => self.delivered.insert(message.id),
        };
        assert!(first, "delivered twice: {message:?}");
        let index = self.order.entry((from, message.conn_id)).or_default();
        assert_eq!(message.index, *index, "out of order: {message:?}");
        *index += 1;
        if hole {
            return;
        }
        if self.records {
            self.deliveries.push((self.now, message.id, message.length));
        }
        if let Kind::Answer(request) = message.kind {
            self.answers.push((self.now, request));
        }
    }

    fn think(&mut self, node: usize, to: usize, conn_id: u32, seq: u32, request: u64) {
        let time = Nanos(self.rng.below(self.think.as_nanos()));
        let answer = Todo::Answer {
            node,
            to,
            conn_id,
            seq,
            request,
            length: self.answer_length,
        };
        self.plan(self.now.after(time), answer);
    }

    /// Arms the timer for a peer, unless it fires early enough as it is.
    fn arm(&mut self, node: usize, with: usize) {
        let Some(peer) = self.nodes[node].peers.get(with) else {
            return;
        };
        let Some(at) = peer.session.poll_timeout() else {
            return;
        };
        if peer.armed.is_some_and(|(armed, _)| armed <= at) {
            return;
        }
        let late = Nanos(self.rng.below(self.lateness.as_nanos()));
        let serial = self.plan(at.max(self.now).after(late), Todo::Fire { node, with });
        self.nodes[node].peers[with].armed = Some((at, serial));
    }

    fn plan(&mut self, at: Instant, todo: Todo) -> u64 {
        self.planned += 1;
        self.todo.insert((at, self.planned), todo);
        self.planned
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
