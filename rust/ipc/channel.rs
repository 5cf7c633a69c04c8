// SPDX-License-Identifier: GPL-2.0

//! A channel: where a process receives.
//!
//! Messages and pulses wait by priority, and among equals in the order in which they came. A
//! channel belongs to the process that made it.

use super::{
    process::Process,
    pulse::{
        self,
        Pulse, //
    },
    rights::Door,
    server,
    transaction::{
        Outcome,
        Payload,
        Timeout,
        Transaction, //
    },
    users::Owned, //
};
use crate::{
    knet::{
        atomic_account,
        cred::Cred,
        lock::SpinLockBh,
        new_spinlock_bh,
        sock::{
            Bell,
            Ready, //
        },
        trace,
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    node::Patience,
    proto::kif::transaction::Event,
    stats::{
        Counter,
        Gauge, //
    },
    uapi, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::Arc, //
};

/// The most messages that other nodes may have waiting in one channel. Those of this node are limited
/// with their users.
const MAX_REMOTE_QUEUED: usize = 1024;
/// The most pulses that wait in one channel when a program of another node sends one, ...
const MAX_PULSES_REMOTE: usize = 2048;
/// ... one of this node, ...
const MAX_PULSES: usize = 4096;
/// ... or the module tells that somebody is gone. That a client wants to leave is always told: there
/// are not more of those than messages.
const MAX_PULSES_NOTICE: usize = 16384;

/// How much room a pulse may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// That of a program on another node.
    Remote,
    /// That of a program.
    Program,
    /// That of the module's notices.
    Notice,
    /// Its own.
    Own,
}

impl Room {
    fn limit(self) -> usize {
        match self {
            Room::Remote => MAX_PULSES_REMOTE,
            Room::Program => MAX_PULSES,
            Room::Notice => MAX_PULSES_NOTICE,
            Room::Own => usize::MAX,
        }
    }
}

/// What a message costs in addition to its bytes, in bytes.
const MESSAGE_COST: usize = 512;

/// What there is of a kind.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// How many pulses.
    pulses: usize,
    /// How many messages of other nodes.
    remote: usize,
    /// How much those take of the room that there is for them.
    cost: usize,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.pulses += other.pulses;
        self.remote += other.remote;
        self.cost += other.cost;
    }

    fn subtract(&mut self, other: Counts) {
        self.pulses -= other.pulses;
        self.remote -= other.remote;
        self.cost -= other.cost;
    }
}

/// What waits in a channel.
enum Item {
    /// A message, and how much it takes of the room for those of other nodes; 0 for one of this node.
    Message(Arc<Transaction>, usize),
    Pulse(Pulse),
}

impl Item {
    fn priority(&self) -> i16 {
        match self {
            Item::Message(transaction, _) => transaction.sender.priority,
            Item::Pulse(pulse) => pulse.priority,
        }
    }

    /// What it adds.
    fn counts(&self) -> Counts {
        match self {
            Item::Message(_, cost) => Counts {
                pulses: 0,
                remote: usize::from(*cost != 0),
                cost: *cost,
            },
            Item::Pulse(_) => Counts {
                pulses: 1,
                ..Counts::default()
            },
        }
    }
}

/// What a receiver gets.
pub(crate) enum Received {
    /// A message, and what came with it.
    Message(Arc<Transaction>, Arc<Payload>),
    /// A pulse.
    Pulse(Pulse),
}

/// What changes, under the channel's lock.
struct Inner {
    /// What is to be received next is the last: the lowest priority comes first, and among equals
    /// the newest.
    queue: KVec<Item>,
    counts: Counts,
    destroyed: bool,
}

impl Inner {
    fn insert(&mut self, item: Item) -> Result {
        self.queue.reserve(1, atomic_account() | __GFP_NOWARN)?;
        let priority = item.priority();
        let counts = item.counts();
        let place = self
            .queue
            .partition_point(|other| other.priority() < priority);
        self.queue
            .insert_within_capacity(place, item)
            .map_err(|_| ENOMEM)?;
        self.counts.add(counts);
        Ok(())
    }

    /// Takes what is at that place.
    fn take(&mut self, place: usize) -> Option<Item> {
        let item = self.queue.remove(place).ok()?;
        self.counts.subtract(item.counts());
        Some(item)
    }

    /// Takes what is to be received next, of pulses alone if `only_pulses`.
    fn take_next(&mut self, only_pulses: bool) -> Option<Item> {
        let place = match only_pulses {
            false => self.queue.len().checked_sub(1)?,
            true if self.counts.pulses == 0 => return None,
            true => self
                .queue
                .iter()
                .rposition(|item| matches!(item, Item::Pulse(_)))?,
        };
        self.take(place)
    }
}

/// Where a process receives.
#[pin_data]
pub(crate) struct Channel {
    pub(crate) process: Arc<Process>,
    pub(crate) chid: i32,
    pub(crate) flags: u32,
    /// Who made it.
    pub(super) maker: Cred,
    /// Wakes who polls the socket.
    bell: Option<Bell>,
    _charged: Owned,
    /// Who may connect.
    #[pin]
    pub(crate) door: Door,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Receivers of messages and pulses wait here.
    #[pin]
    arrivals: WaitQueue,
    /// Receivers of pulses alone wait here.
    #[pin]
    pulse_arrivals: WaitQueue,
}

impl Channel {
    /// A channel of `process`, which is to put it into its table under `chid`.
    pub(super) fn new(
        process: &Arc<Process>,
        chid: i32,
        flags: u32,
        charged: Owned,
        bell: Option<Bell>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                process: process.clone(),
                chid,
                flags,
                maker: Cred::of_caller(),
                bell,
                _charged: charged,
                door <- Door::new(),
                inner <- new_spinlock_bh!(Inner {
                    queue: KVec::new(),
                    counts: Counts::default(),
                    destroyed: false,
                }),
                arrivals <- WaitQueue::new(),
                pulse_arrivals <- WaitQueue::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Whether it was made with one of these flags.
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Whether only its own process may connect to it.
    pub(crate) fn is_private(&self) -> bool {
        self.has(uapi::QNET_CHF_PRIVATE)
    }

    /// Whether other nodes may connect to it when not all channels are open to them.
    pub(crate) fn is_marked(&self) -> bool {
        self.has(uapi::QNET_CHF_REMOTE)
    }

    /// Whether a receiver gets the priority of what it receives.
    pub(crate) fn lends(&self) -> bool {
        !self.has(uapi::QNET_CHF_FIXED_PRIORITY)
    }

    /// Whether it has been destroyed.
    pub(crate) fn is_destroyed(&self) -> bool {
        self.inner.lock().destroyed
    }

    /// Puts a message into the queue and wakes a receiver. Legal in softirq; no lock may be held.
    ///
    /// Errors: `ESRCH` when the channel is destroyed, `ENOMEM`; for a message from another node
    /// also `EAGAIN` when too many wait.
    pub(crate) fn queue(&self, transaction: &Arc<Transaction>, remote: bool) -> Result {
        let cost = match remote {
            false => 0,
            true => transaction.bytes_from_there() + MESSAGE_COST,
        };
        {
            let mut inner = self.inner.lock();
            if inner.destroyed {
                return Err(ESRCH);
            }
            if remote && inner.counts.remote >= MAX_REMOTE_QUEUED {
                return Err(EAGAIN);
            }
            // One message has room always.
            if remote && inner.counts.cost != 0 && inner.counts.cost + cost > self.rcvbuf() {
                return Err(EAGAIN);
            }
            inner.insert(Item::Message(transaction.clone(), cost))?;
        }
        self.process.node.stats.count(Counter::ServerMsgs);
        self.arrivals.wake_one();
        self.ring(false);
        Ok(())
    }

    /// How much the messages of other nodes may take that wait.
    fn rcvbuf(&self) -> usize {
        match &self.bell {
            Some(bell) => bell.rcvbuf(),
            None => uapi::QNET_RCVBUF,
        }
    }

    /// Wakes who polls the socket. Legal in softirq; no lock may be held.
    fn ring(&self, hung_up: bool) {
        if let Some(bell) = &self.bell {
            bell.ring(Ready {
                receive: true,
                send: false,
                hung_up,
            });
        }
    }

    /// What may be done without waiting: receive a message or a pulse; and answer, for which no other
    /// answer has to be awaited.
    pub(crate) fn ready(&self) -> Ready {
        let inner = self.inner.lock();
        Ready {
            receive: !inner.queue.is_empty(),
            send: !inner.destroyed,
            hung_up: inner.destroyed,
        }
    }

    /// How many messages and how many pulses wait to be received, for a listing.
    pub(super) fn queued(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        let pulses = inner.counts.pulses;
        (inner.queue.len() - pulses, pulses)
    }

    /// What is at a place of the queue, for a listing: whether there is anything, and the message if
    /// it is one.
    pub(super) fn queued_at(&self, place: usize) -> Option<Option<Arc<Transaction>>> {
        match self.inner.lock().queue.get(place)? {
            Item::Message(transaction, _) => Some(Some(transaction.clone())),
            Item::Pulse(_) => Some(None),
        }
    }

    /// Who waits for a message or a pulse, and who for a pulse alone.
    pub(super) fn receivers(&self) -> [&WaitQueue; 2] {
        [&self.arrivals, &self.pulse_arrivals]
    }

    /// Puts a pulse into the queue and wakes a receiver. Legal in softirq; no lock may be held.
    ///
    /// Errors: `ESRCH` when the channel is destroyed, `EAGAIN` when too many wait, `ENOMEM`.
    pub(crate) fn queue_pulse(&self, pulse: Pulse, room: Room) -> Result {
        {
            let mut inner = self.inner.lock();
            if inner.destroyed {
                return Err(ESRCH);
            }
            if inner.counts.pulses >= room.limit() {
                return Err(EAGAIN);
            }
            inner.insert(Item::Pulse(pulse))?;
        }
        self.process.node.stats.count(Counter::Pulses);
        trace::Pulse::trace(|| trace::Pulse {
            pid: self.process.pid.number(),
            chid: self.chid,
            scoid: pulse.scoid,
            code: pulse.code,
            value: pulse.value,
            priority: pulse.priority,
        });
        // Either kind of receiver takes it; who comes too late waits on.
        self.pulse_arrivals.wake_one();
        self.arrivals.wake_one();
        self.ring(false);
        Ok(())
    }

    /// Takes a message out of the queue that its sender has given up. It may be gone already.
    pub(crate) fn forget(&self, transaction: &Arc<Transaction>) {
        let forgotten = {
            let mut inner = self.inner.lock();
            let place = inner.queue.iter().position(
                |item| matches!(item, Item::Message(other, _) if Arc::ptr_eq(other, transaction)),
            );
            place.and_then(|place| inner.take(place))
        };
        drop(forgotten);
    }

    /// The client of that rcvid is answered: a pulse that says that it wants to leave is no more
    /// true.
    pub(super) fn withdraw_unblock(&self, rcvid: i32) {
        let mut inner = self.inner.lock();
        let place = inner
            .queue
            .iter()
            .position(|item| matches!(item, Item::Pulse(pulse) if pulse.is_unblock_of(rcvid)));
        // A pulse has nothing that is dropped.
        let _ = place.and_then(|place| inner.take(place));
    }

    /// The message, queued or received, that `wanted` holds for.
    pub(super) fn find(&self, wanted: impl Fn(&Transaction) -> bool) -> Option<Arc<Transaction>> {
        let queued = {
            let inner = self.inner.lock();
            inner.queue.iter().find_map(|item| match item {
                Item::Message(transaction, _) if wanted(transaction) => Some(transaction.clone()),
                _ => None,
            })
        };
        queued.or_else(|| self.process.find_received(wanted))
    }

    /// Takes a message that `wanted` holds for out of the queue.
    fn take_if(&self, wanted: impl Fn(&Transaction) -> bool) -> Option<Arc<Transaction>> {
        let mut inner = self.inner.lock();
        let place = inner.queue.iter().position(
            |item| matches!(item, Item::Message(transaction, _) if wanted(transaction)),
        )?;
        match inner.take(place) {
            Some(Item::Message(transaction, _)) => Some(transaction),
            _ => None,
        }
    }

    /// Blocks until there is a message or a pulse, and takes it; or a pulse, if `only_pulses`.
    /// Process context.
    ///
    /// Errors: `ESRCH` when the channel is destroyed, `EINTR`, `ETIMEDOUT`.
    pub(crate) fn receive(&self, timeout: &Timeout, only_pulses: bool) -> Result<Received> {
        let deadline = timeout.states.runs_in_receive().then(|| timeout.deadline());
        loop {
            match self.next(deadline, only_pulses)? {
                Item::Pulse(pulse) => return Ok(Received::Pulse(pulse)),
                // A message that was given up a moment ago is passed over.
                Item::Message(transaction, _) => {
                    if let Ok(payload) = transaction.receive() {
                        return Ok(Received::Message(transaction, payload));
                    }
                }
            }
        }
    }

    fn next(&self, deadline: Option<u64>, only_pulses: bool) -> Result<Item> {
        let arrivals = match only_pulses {
            false => &self.arrivals,
            true => &self.pulse_arrivals,
        };
        let mut inner = self.inner.lock();
        let mut ended = None;
        loop {
            if inner.destroyed {
                return Err(ESRCH);
            }
            // A wake-up that came together with the end of the wait belongs to this thread: if it
            // left without what came, no other would come for it.
            if let Some(item) = inner.take_next(only_pulses) {
                return Ok(item);
            }
            if let Some(error) = ended {
                return Err(error);
            }
            ended = match arrivals.wait(&mut inner, deadline) {
                Wait::Woken => None,
                Wait::TimedOut => Some(ETIMEDOUT),
                Wait::Signal => Some(EINTR),
            };
        }
    }

    /// Fails every message that `wanted` holds for, queued or received.
    pub(crate) fn fail_if(
        &self,
        wanted: impl Fn(&Transaction) -> bool,
        event: Event,
        error: Error,
    ) {
        while let Some(transaction) = self.take_if(&wanted) {
            // Who finished it before has told its sender.
            let _ = transaction.finish(event, Outcome::Error(error.to_errno()));
        }
        self.process.fail_received(self, wanted, event, error);
    }

    /// Destroys the channel: who is blocked on it gets `ESRCH`, and connections to it are dead.
    /// Process context. Says whether there was anything to destroy: the second time there is not.
    /// `until` is how long it may take to tell other nodes.
    pub(crate) fn destroy(self: &Arc<Self>, until: Patience) -> bool {
        let pulses = {
            let mut inner = self.inner.lock();
            if inner.destroyed {
                return false;
            }
            inner.destroyed = true;
            inner.counts.pulses
        };
        self.arrivals.wake_all();
        self.pulse_arrivals.wake_all();
        self.ring(true);
        self.process.remove_channel(self);
        // Who is on this node need not wait for the others. Other nodes are told before their sends
        // are failed here, because their clients learn the end of their sends from it.
        self.fail_if(Transaction::is_local, Event::ServerGone, ESRCH);
        pulse::channel_died(&self.process.node, self);
        server::channel_gone(self, until);
        self.fail_if(|_| true, Event::ServerGone, ESRCH);
        self.process.lent.channel_gone(self.chid);
        if pulses != 0 {
            self.drop_pulses();
        }
        self.process.node.stats.leave(Gauge::Channels);
        true
    }

    /// Drops what is left in the queue of a channel that takes nothing any more.
    fn drop_pulses(&self) {
        let mut inner = self.inner.lock();
        inner.queue.retain(|item| !matches!(item, Item::Pulse(_)));
        inner.counts.pulses = 0;
    }
}
