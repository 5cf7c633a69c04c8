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

use std::collections::{
    BTreeMap,
    BTreeSet, //
};
use std::vec::Vec;

use crate::proto::qos::session::Event;
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
        frame: Frame,
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
    },
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
    /// What.
    pub frame: Frame,
    /// Whether it is a message that was sent before.
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
    links: BTreeMap<(usize, usize), Link>,
    /// How long a node takes to answer, at most.
    pub think: Nanos,
    /// How late timers fire, at most.
    pub lateness: Nanos,
    /// Every frame that was sent.
    pub sent: Vec<Sent>,
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
            .map(|me| Node::new(me, n, first_seq, &mut rng))
            .collect();
        let pairs = (0..n).flat_map(|a| (0..n).map(move |b| (a, b)));
        let links = pairs.map(|pair| (pair, Link::perfect(delay))).collect();
        Self {
            now: Instant::from_nanos(1_000_000_000),
            todo: BTreeMap::new(),
            planned: 0,
            rng,
            nodes,
            links,
            think: Nanos::ZERO,
            lateness: Nanos::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            delivered: BTreeSet::new(),
            order: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// One direction of a link.
    pub fn link(&mut self, from: usize, to: usize) -> &mut Link {
        self.links.get_mut(&(from, to)).expect("nodes are linked")
    }

    /// Changes every link.
    pub fn each_link(&mut self, change: impl Fn(&mut Link)) {
        self.links.values_mut().for_each(change);
    }

    /// Sends a message and returns its id.
    pub fn send(&mut self, from: usize, to: usize, kind: Kind) -> u64 {
        let id = self.new_id();
        let did = self.nodes[from].send(to, kind, id, self.now);
        self.note(from, did);
        id
    }

    /// Takes a connection down.
    pub fn close(&mut self, node: usize, with: usize) {
        let did = self.nodes[node].close(with, self.now);
        self.note(node, did);
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

    /// Lets a frame that was sent before arrive once more.
    pub fn replay(&mut self, sent: &Sent, after: Nanos) {
        let arrive = Todo::Arrive {
            from: sent.from,
            to: sent.to,
            frame: sent.frame.clone(),
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
        self.run_until(self.now.after(limit), |world| world.is_quiet());
        self.is_quiet()
    }

    /// Lets time pass until `done`, or `end`.
    pub fn run_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        let mut steps = 0u32;
        while !done(self) {
            let Some((&(at, serial), _)) = self.todo.first_key_value() else {
                break;
            };
            if at > end {
                break;
            }
            let todo = self.todo.remove(&(at, serial)).expect("it was there");
            assert!(at >= self.now, "time does not go back");
            self.now = at;
            self.perform(todo);
            steps += 1;
            assert!(steps < 10_000_000, "the nodes do not come to rest");
        }
    }

    /// Nothing is sent, held or waits to be sent, anywhere.
    pub fn is_quiet(&self) -> bool {
        let mut peers = self.nodes.iter().flat_map(|node| &node.peers);
        let thinking = |todo: &Todo| matches!(todo, Todo::Answer { .. });
        peers.all(|peer| peer.is_quiet()) && !self.todo.values().any(thinking)
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

    fn perform(&mut self, todo: Todo) {
        match todo {
            Todo::Arrive {
                from,
                to,
                frame,
                corrupt,
            } => {
                let did = self.nodes[to].receive(from, &frame, corrupt, self.now);
                self.note(to, did);
            }
            Todo::Fire { node, with } => {
                self.nodes[node].peers[with].armed = None;
                let did = self.nodes[node].timer(with, self.now);
                self.note(node, did);
            }
            Todo::Answer {
                node,
                to,
                conn_id,
                seq,
                request,
            } => {
                let id = self.new_id();
                let did = self.nodes[node].answer(to, conn_id, seq, request, id, self.now);
                self.note(node, did);
            }
        }
    }

    fn note(&mut self, node: usize, did: Vec<Did>) {
        for did in did {
            match did {
                Did::Sent { to, frame, again } => self.transmit(node, to, frame, again),
                Did::Delivered { from, message } => self.check_delivered(from, message),
                Did::Freed { message } => {
                    let arrived = self.delivered.contains(&message.id);
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
        for with in 0..self.nodes.len() {
            self.arm(node, with);
        }
    }

    fn transmit(&mut self, from: usize, to: usize, frame: Frame, again: bool) {
        let link = self.links.get_mut(&(from, to)).expect("nodes are linked");
        for arrival in link.send(self.now, &mut self.rng) {
            let arrive = Todo::Arrive {
                from,
                to,
                frame: frame.clone(),
                corrupt: arrival.corrupt,
            };
            self.plan(arrival.at, arrive);
        }
        let at = self.now;
        self.sent.push(Sent {
            at,
            from,
            to,
            frame,
            again,
        });
    }

    fn check_delivered(&mut self, from: usize, message: Message) {
        let first = self.delivered.insert(message.id);
        assert!(first, "delivered twice: {message:?}");
        let index = self.order.entry((from, message.conn_id)).or_default();
        assert_eq!(message.index, *index, "out of order: {message:?}");
        *index += 1;
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
        };
        self.plan(self.now.after(time), answer);
    }

    /// Arms the timer for a peer, unless it fires early enough as it is.
    fn arm(&mut self, node: usize, with: usize) {
        let peer = &mut self.nodes[node].peers[with];
        let Some(at) = peer.session.poll_timeout() else {
            return;
        };
        if peer.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        peer.armed = Some(at);
        let late = Nanos(self.rng.below(self.lateness.as_nanos()));
        let at = at.max(self.now).after(late);
        self.plan(at, Todo::Fire { node, with });
    }

    fn plan(&mut self, at: Instant, todo: Todo) {
        self.planned += 1;
        self.todo.insert((at, self.planned), todo);
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
