// SPDX-License-Identifier: GPL-2.0

//! A peer: another node, how to reach it, and the session with it.
//!
//! The machines of `proto` decide; this file keeps what they speak of. A message to be sent lies in
//! the slot of its sequence number until it is acknowledged. A message received lies in the slot of
//! its number until all before it have been delivered. All of it is under the peer's lock;
//! transmitting, delivering and waking happen after the lock is dropped.

use super::{
    charge::Charge,
    frame::{
        self,
        Draft, //
    },
    link::Link,
    now,
    Node, //
};
use crate::{
    ipc,
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh,
        skb::{
            Context,
            RxSkb,
            TxSkb, //
        },
        timer::{
            impl_timer,
            now_ns,
            Timer,
            TimerOwner, //
        },
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    proto::{
        l4::window::{
            self,
            SLOTS as WINDOW, //
        },
        names::Fqnn,
        qos::session::{
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
        },
        time::Instant,
        wire::{
            kif::Message,
            l4::{
                Header,
                Layer,
                PacketType, //
            },
            tcs::Init, //
        },
    },
    stats::{
        Counter,
        Gauge, //
    },
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use pin_init::init_array_from_fn;

/// Messages that may wait for a place in the window before a program that sends is made to wait.
const PENDING_SOFT: usize = 64;
/// Messages that may wait in all: what is sent from softirq (answers to a CONNECT, refusals) is
/// taken beyond [`PENDING_SOFT`], because nobody there can wait.
const PENDING_HARD: usize = 1024;
/// Messages that tell of an end (DISCONNECT, CONNECT_DEATH) are taken beyond [`PENDING_HARD`]: there
/// is one at most for each connection.
const PENDING_LAST: usize = 8192;
/// How long who ends something waits for room to tell of it, in nanoseconds.
const FAREWELL: u64 = 1_000_000_000;

/// Until when who ends something, or many things at once, waits for room to tell of it.
#[derive(Clone, Copy)]
pub(crate) struct Patience(u64);

impl Patience {
    /// A second from now.
    pub(crate) fn begin() -> Self {
        Self(now_ns().saturating_add(FAREWELL))
    }
}

/// Frames that are collected under the lock at a time.
const BATCH: usize = 8;

/// How to reach a peer.
#[derive(Clone)]
pub(crate) struct Path {
    pub(crate) link: Arc<Link>,
    pub(crate) mac: [u8; 6],
}

/// What a message is, so that its answer can acknowledge it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Nothing that is answered.
    None,
    /// The send with this client handle.
    Send(u32),
    /// The CONNECT of the connection with this client id.
    Connect(u32),
    /// The end of a connection.
    Farewell,
}

/// A message on its way out.
struct Outgoing {
    draft: Draft,
    tag: Tag,
    /// The number of the peer's message that it answers, and so acknowledges.
    answers: Option<u32>,
}

/// A message in the window: sent, not yet acknowledged.
struct Unacknowledged {
    seq: u32,
    outgoing: Outgoing,
}

/// A message that came, not yet delivered.
struct Undelivered {
    seq: u32,
    layer: Layer,
    skb: RxSkb,
    /// Paid while it waits for an earlier one.
    _charge: Option<Charge>,
}

/// A session with what it has under way.
struct Transport {
    session: Session,
    tx: [Option<Unacknowledged>; WINDOW],
    rx: [Option<Undelivered>; WINDOW],
    pending: KVec<Outgoing>,
    /// The next sequence number to deliver, and the one after the last that may be delivered.
    deliver: u32,
    deliver_end: u32,
    /// One CPU delivers at a time, so that the order holds.
    delivering: bool,
}

impl Transport {
    /// An empty one, made in place: it is far too big for a kernel stack.
    fn new() -> Result<KBox<Self>> {
        KBox::init(
            try_init!(Self {
                session: Session::new(),
                tx <- init_array_from_fn(|_| None),
                rx <- init_array_from_fn(|_| None),
                pending: KVec::new(),
                deliver: 1,
                deliver_end: 1,
                delivering: false,
            }),
            GFP_ATOMIC | __GFP_NOWARN,
        )
    }

    fn slot(seq: u32) -> usize {
        window::slot(seq)
    }

    /// Forgets every message, when the session they belong to has ended.
    fn clear(&mut self) -> u64 {
        let mut lost = self.pending.len() as u64;
        self.pending.clear();
        for slot in &mut self.tx {
            lost += u64::from(slot.take().is_some());
        }
        for slot in &mut self.rx {
            *slot = None;
        }
        self.deliver = 1;
        self.deliver_end = 1;
        // A CPU that is delivering sees that the connection is another, and leaves.
        self.delivering = false;
        lost
    }

    /// Moves messages from the queue into the window while there is room.
    fn fill_window(&mut self) {
        while !self.pending.is_empty() && self.session.can_push() {
            let Some(seq) = self.session.push() else {
                return;
            };
            let Ok(outgoing) = self.pending.remove(0) else {
                return;
            };
            if let Some(seq) = outgoing.answers {
                self.session.answering(seq);
            }
            if let Some(slot) = self.tx.get_mut(Self::slot(seq)) {
                *slot = Some(Unacknowledged { seq, outgoing });
            }
        }
    }

    /// The sequence number of the message with this tag, while it is unacknowledged.
    fn seq_of(&self, tag: Tag) -> Option<u32> {
        self.tx
            .iter()
            .flatten()
            .find(|sent| sent.outgoing.tag == tag)
            .map(|sent| sent.seq)
    }

    /// Takes the next message whose turn it is.
    fn take_ready(&mut self) -> Option<Undelivered> {
        if self.deliver == self.deliver_end {
            return None;
        }
        let held = self.rx.get_mut(Self::slot(self.deliver))?.take();
        self.deliver = self.deliver.wrapping_add(1);
        held
    }
}

/// What a peer is, under its lock.
struct Inner {
    path: Option<Path>,
    /// When a packet of its own last told where it is.
    heard: Instant,
    /// The local id of the session's connection; 0: there is none that is of use.
    connection: u32,
    /// The local id of a connection that has ended and whose end the peer has not confirmed; 0:
    /// there is none.
    closing: u32,
    /// Whether this node opened the session.
    opener: bool,
    transport: Option<KBox<Transport>>,
    /// When the timer goes off; `None`: it does not.
    armed: Option<Instant>,
    /// The node has ended: nothing begins any more.
    retired: bool,
}

/// The session that an INIT replaced.
struct Adopted {
    /// The local id of its connection; 0: there was none.
    old: u32,
    /// Whether this node had opened it.
    opener: bool,
    /// How many messages were lost with it.
    lost: u64,
    /// Why it ended.
    reason: DownReason,
}

impl Inner {
    /// If the session answered an INIT under the id `fresh`, what it replaced.
    fn adopt(&mut self, fresh: u32) -> Option<Adopted> {
        let transport = self.transport.as_mut()?;
        if transport.session.local().conn_id != fresh || self.connection == fresh {
            return None;
        }
        let mut reason = DownReason::PeerRestarted;
        while let Some(event) = transport.session.poll_event() {
            // What has ended is the session before; the fresh one has nothing to tell yet.
            if let Event::Down(told) = event {
                reason = told;
            }
        }
        let lost = transport.clear();
        Some(Adopted {
            reason,
            old: core::mem::replace(&mut self.connection, fresh),
            opener: core::mem::replace(&mut self.opener, false),
            lost,
        })
    }
}

/// Another node.
#[pin_data]
pub(crate) struct Peer {
    pub(crate) node: Arc<Node>,
    /// This node's number for it.
    pub(crate) nd: u16,
    pub(crate) fqnn: Fqnn,
    /// Connections of programs here that lead to it.
    users: Atomic<i32>,
    /// Connections of its clients that lead here.
    clients: Atomic<i32>,
    /// Bytes of its frames that wait here.
    pub(super) waiting: Atomic<i64>,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Woken when there is room for messages, or the session has ended.
    #[pin]
    room: WaitQueue,
    #[pin]
    timer: Timer,
}

impl_timer! { impl Timer for Peer { self.timer } }

impl TimerOwner for Peer {
    fn expired(self: &Arc<Self>) {
        {
            let mut inner = self.inner.lock();
            inner.armed = None;
            if let Some(transport) = inner.transport.as_mut() {
                transport.session.on_timer(now());
            }
        }
        self.pump();
    }
}

/// What was collected under the lock and is done after it.
struct Harvest {
    frames: [Option<Leaving>; BATCH],
    count: usize,
    path: Option<Path>,
    event: Option<Ended>,
    /// A connection id whose end the peer has confirmed, or no longer needs to; 0: none.
    closed: u32,
    /// The one before it, whose end nobody confirmed; 0: none.
    replaced: u32,
    came_up: bool,
    made_room: bool,
}

/// A frame that leaves.
enum Leaving {
    Message(TxSkb),
    Control(Header),
    Init(Header),
}

/// A session that has ended.
struct Ended {
    connection: u32,
    reason: DownReason,
}

impl Harvest {
    fn new() -> Self {
        Self {
            frames: [const { None }; BATCH],
            count: 0,
            path: None,
            event: None,
            closed: 0,
            replaced: 0,
            came_up: false,
            made_room: false,
        }
    }

    fn is_full(&self) -> bool {
        self.count >= BATCH
    }

    fn add(&mut self, leaving: Leaving) {
        if let Some(place) = self.frames.get_mut(self.count) {
            *place = Some(leaving);
            self.count += 1;
        }
    }
}

impl Peer {
    pub(super) fn new(node: &Arc<Node>, nd: u16, fqnn: &Fqnn) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                node: node.clone(),
                nd,
                fqnn: fqnn.clone(),
                users: Atomic::new(0),
                clients: Atomic::new(0),
                waiting: Atomic::new(0),
                inner <- new_spinlock_bh!(Inner {
                    path: None,
                    heard: now(),
                    connection: 0,
                    closing: 0,
                    opener: false,
                    transport: None,
                    armed: None,
                    retired: false,
                }),
                room <- WaitQueue::new(),
                timer <- Timer::new(),
            }),
            GFP_ATOMIC,
        )
    }

    /// Whether it is known where the peer is.
    pub(crate) fn is_located(&self) -> bool {
        self.inner.lock().path.is_some()
    }

    /// A connection begins to lead to the peer.
    ///
    /// Errors: `EHOSTUNREACH` when the node has forgotten it meanwhile.
    pub(crate) fn enter(&self) -> Result {
        let inner = self.inner.lock();
        if inner.retired {
            return Err(EHOSTUNREACH);
        }
        self.users.add(1, Relaxed);
        Ok(())
    }

    /// A connection ends.
    pub(crate) fn leave(&self) {
        self.users.fetch_sub(1, Relaxed);
    }

    /// One more connection of the peer's clients, if there are fewer than `limit`.
    pub(crate) fn admit_client(&self, limit: i32) -> bool {
        let admitted = self.clients.fetch_add(1, Relaxed) < limit;
        if !admitted {
            self.clients.fetch_sub(1, Relaxed);
        }
        admitted
    }

    /// One connection of the peer's clients less.
    pub(crate) fn dismiss_client(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }

    /// Ends the peer, if no connection leads to it and there is no session with it: says whether.
    /// Legal in softirq.
    pub(super) fn retire_if_unused(&self) -> bool {
        let path = {
            let mut inner = self.inner.lock();
            let used = self.users.load(Relaxed) != 0
                || inner.connection != 0
                || inner.closing != 0
                // Who has left the table is not waited for at unload, and a timer may not outlive it.
                || inner.armed.is_some();
            if used || inner.retired {
                return false;
            }
            inner.retired = true;
            inner.path.take()
        };
        drop(path);
        true
    }

    /// Whether the peer is reached by `link`.
    pub(super) fn is_behind(&self, link: &Link) -> bool {
        let inner = self.inner.lock();
        inner.path.as_ref().is_some_and(|path| path.link.is(link))
    }

    /// A packet told where the peer is. A session that is up keeps to the address that it was made
    /// with; if that has gone stale, the session fails and the name is asked for again.
    pub(super) fn locate(&self, link: &Arc<Link>, mac: [u8; 6]) {
        let path = Path {
            link: link.clone(),
            mac,
        };
        let mut inner = self.inner.lock();
        inner.heard = now();
        let same = |old: &Path| old.mac == mac && old.link.is(link);
        let old = match &inner.path {
            Some(old) if same(old) || inner.connection != 0 => Some(path),
            Some(_) => {
                self.node.stats.count(Counter::NdChanged);
                inner.path.replace(path)
            }
            None => inner.path.replace(path),
        };
        drop(inner);
        // A path may hold the last reference on a link.
        drop(old);
    }

    /// The link is gone: so is the way to the peer.
    pub(super) fn forget_link(&self, link: &Link) {
        let mut inner = self.inner.lock();
        let old = match &inner.path {
            Some(path) if path.link.is(link) => inner.path.take(),
            _ => None,
        };
        drop(inner);
        drop(old);
    }

    /// Where the peer is, when it was last heard of, and how its session stands; for a listing.
    pub(crate) fn describe(&self) -> (Option<Path>, Instant, State) {
        let inner = self.inner.lock();
        (
            inner.path.clone(),
            inner.heard,
            inner
                .transport
                .as_ref()
                .map_or(State::Closed, |transport| transport.session.state()),
        )
    }

    /// The longest L4 payload that reaches the peer in one frame, in bytes.
    pub(crate) fn payload_limit(&self) -> usize {
        let inner = self.inner.lock();
        inner
            .path
            .as_ref()
            .map_or(1500 - frame::OVERHEAD, |path| path.link.payload_limit())
    }

    /// The local id of the session's connection; 0 without one.
    pub(crate) fn connection(&self) -> u32 {
        self.inner.lock().connection
    }

    /// Sees to it that there is a session, or that one is being opened. Process context.
    ///
    /// Errors: `ENOMEM`, `ENOSPC`, `EHOSTDOWN` when the node has ended.
    pub(crate) fn open(self: &Arc<Self>) -> Result<u32> {
        let current = self.connection();
        if current != 0 {
            return Ok(current);
        }
        let spare = Transport::new()?;
        let connection = self.node.reserve_connection(self)?;
        let config = self.node.options.session();

        let mut inner = self.inner.lock();
        if inner.connection != 0 || inner.retired {
            let current = inner.connection;
            drop(inner);
            self.node.release_connection(connection);
            return if current != 0 {
                Ok(current)
            } else {
                Err(EHOSTDOWN)
            };
        }
        let mut unused = None;
        let transport = match inner.transport.as_mut() {
            Some(transport) => {
                unused = Some(spare);
                transport
            }
            None => inner.transport.insert(spare),
        };
        let ids = LocalIds {
            conn_id: connection,
            nd: self.nd,
        };
        transport.session.open(ids, now(), &config);
        inner.connection = connection;
        inner.opener = true;
        drop(inner);
        drop(unused);
        self.node.stats.count(Counter::TxConnCreated);
        self.node.stats.enter(Gauge::Sessions);
        // The timer runs and the INIT goes, whatever becomes of the message that wanted it.
        self.pump();
        Ok(connection)
    }

    /// Waits until a program may queue another message. Process context, interruptible.
    ///
    /// Errors: `EINTR`; `EHOSTDOWN` when the session `connection` has ended; `ETIMEDOUT` after
    /// `deadline`.
    pub(crate) fn wait_for_room(&self, connection: u32, deadline: Option<u64>) -> Result {
        let mut inner = self.inner.lock();
        loop {
            if inner.connection != connection {
                return Err(EHOSTDOWN);
            }
            let waiting = inner
                .transport
                .as_ref()
                .map_or(0, |transport| transport.pending.len());
            if waiting < PENDING_SOFT {
                return Ok(());
            }
            match self.room.wait(&mut inner, deadline) {
                Wait::Woken => {}
                Wait::TimedOut => return Err(ETIMEDOUT),
                Wait::Signal => return Err(EINTR),
            }
        }
    }

    /// Sends a message over the session `connection`. Legal in softirq; no lock may be held.
    /// `answers` is the sequence number of the peer's message that this one answers, whose
    /// acknowledgement it is too.
    ///
    /// Errors: `EHOSTDOWN` when that session has ended, `ENOBUFS` when too much waits already,
    /// `ENOMEM`.
    pub(crate) fn send(
        self: &Arc<Self>,
        connection: u32,
        draft: Draft,
        tag: Tag,
        answers: Option<u32>,
    ) -> Result {
        let outgoing = Outgoing {
            draft,
            tag,
            answers,
        };
        {
            let mut inner = self.inner.lock();
            if inner.connection != connection {
                return Err(EHOSTDOWN);
            }
            let transport = inner.transport.as_mut().ok_or(EHOSTDOWN)?;
            let limit = match tag {
                Tag::Farewell => PENDING_LAST,
                Tag::None | Tag::Send(_) | Tag::Connect(_) => PENDING_HARD,
            };
            if transport.pending.len() >= limit {
                self.node.stats.count(Counter::DropLimit);
                return Err(ENOBUFS);
            }
            transport
                .pending
                .push(outgoing, GFP_ATOMIC | __GFP_NOWARN)?;
            transport.fill_window();
        }
        self.pump();
        Ok(())
    }

    /// Waits like [`Self::wait_for_room`], as long as the patience lasts.
    pub(crate) fn wait_with(&self, connection: u32, until: Patience) -> Result {
        self.wait_for_room(connection, Some(until.0))
    }

    /// Tells the peer of the end of a connection that was made over the session `connection`; if
    /// that cannot be, the session ends, which tells it. Process context.
    pub(crate) fn farewell(self: &Arc<Self>, connection: u32, message: &Message, until: Patience) {
        // Without room by then, or with a signal pending, it goes without.
        let _ = self.wait_with(connection, until);
        let sent = Draft::new(&self.node, message, 0, Context::Sleep)
            .and_then(|draft| self.send(connection, draft, Tag::Farewell, None));
        match sent {
            Ok(()) => {}
            // The session has ended, and the connection with it.
            Err(error) if error == EHOSTDOWN => {}
            Err(_) => self.close_session(connection),
        }
    }

    /// In the session `connection` the peer answered the message with this tag, which acknowledges
    /// it.
    pub(crate) fn answered(&self, connection: u32, tag: Tag) {
        let mut inner = self.inner.lock();
        if inner.connection != connection {
            return;
        }
        let Some(transport) = inner.transport.as_mut() else {
            return;
        };
        if let Some(seq) = transport.seq_of(tag) {
            transport.session.on_answered(seq, now());
        }
    }

    /// Ends the session, if it is `connection`, and tells the peer. No lock may be held.
    pub(crate) fn close_session(self: &Arc<Self>, connection: u32) {
        {
            let mut inner = self.inner.lock();
            if inner.connection != connection {
                return;
            }
            if let Some(transport) = inner.transport.as_mut() {
                transport.session.close(now());
            }
        }
        self.pump();
    }

    /// Ends the session there is and tells the peer. No lock may be held.
    pub(super) fn close(self: &Arc<Self>) {
        self.close_session(self.connection());
    }

    /// The node ends: nothing begins any more. Process context; sleeps until the timer is done.
    pub(super) fn retire(self: &Arc<Self>) {
        let opener;
        let (connection, closing, path, garbage) = {
            let mut inner = self.inner.lock();
            inner.retired = true;
            opener = inner.opener;
            let connection = core::mem::replace(&mut inner.connection, 0);
            let closing = core::mem::replace(&mut inner.closing, 0);
            (
                connection,
                closing,
                inner.path.take(),
                inner.transport.take(),
            )
        };
        self.timer.shutdown();
        drop(path);
        drop(garbage);
        if closing != 0 {
            self.node.release_connection(closing);
        }
        if connection != 0 {
            self.count_end(opener);
            self.node.release_connection(connection);
            self.session_ended(Ended {
                connection,
                reason: DownReason::Local,
            });
        }
    }

    /// Takes an INIT in, which came over `link` from `mac`. Softirq.
    pub(super) fn on_init(
        self: &Arc<Self>,
        link: &Arc<Link>,
        mac: [u8; 6],
        header: &Header,
        we_are_smaller: bool,
    ) -> Result {
        let spare = Transport::new()?;
        let fresh = self.node.reserve_connection(self)?;
        let config = self.node.options.session();
        let ids = LocalIds {
            conn_id: fresh,
            nd: self.nd,
        };
        let mut unused = None;
        let mut old_path = None;
        let (verdict, adopted) = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            if inner.retired || self.node.is_ending() {
                drop(guard);
                self.node.release_connection(fresh);
                return Err(EHOSTDOWN);
            }
            let transport = match inner.transport.as_mut() {
                Some(transport) => {
                    unused = Some(spare);
                    transport
                }
                None => inner.transport.insert(spare),
            };
            let verdict = transport
                .session
                .on_init(ids, header, we_are_smaller, now(), &config);
            let adopted = inner.adopt(fresh);
            if adopted.is_some() {
                old_path = inner.path.replace(Path {
                    link: link.clone(),
                    mac,
                });
                inner.heard = now();
            }
            (verdict, adopted)
        };
        drop(unused);
        drop(old_path);
        if let ControlVerdict::Drop(_) = verdict {
            self.node.stats.count(Counter::DropState);
        }
        match adopted {
            None => self.node.release_connection(fresh),
            Some(adopted) => self.adopted(adopted),
        }
        self.pump();
        Ok(())
    }

    /// The session has taken the id of an INIT's answer; one before it has ended.
    fn adopted(self: &Arc<Self>, adopted: Adopted) {
        self.node.stats.add(Counter::TxFailed, adopted.lost);
        self.node.stats.count(Counter::RxConnCreated);
        self.node.stats.enter(Gauge::Sessions);
        if adopted.old != 0 {
            self.count_end(adopted.opener);
            self.session_ended(Ended {
                connection: adopted.old,
                reason: adopted.reason,
            });
            self.node.release_connection(adopted.old);
        }
    }

    /// Whether a frame comes from where the peer is, and is of the session's connection. The answer
    /// to an INIT is what tells the other end's id, so the ids of session control are judged by the
    /// session itself.
    pub(super) fn is_from(&self, link: &Link, mac: [u8; 6], header: &Header) -> bool {
        let inner = self.inner.lock();
        let from_there = inner
            .path
            .as_ref()
            .is_some_and(|path| path.mac == mac && path.link.is(link));
        let is_control = !matches!(
            header.ptype,
            PacketType::User | PacketType::UserData | PacketType::Ack
        );
        let matches = |transport: &KBox<Transport>| transport.session.matches(header);
        from_there && (is_control || inner.transport.as_ref().is_some_and(matches))
    }

    /// Takes a REM_UP, UP, DOWN or REM_DOWN in. Softirq.
    pub(super) fn on_control(self: &Arc<Self>, header: &Header) {
        let verdict = {
            let mut inner = self.inner.lock();
            inner
                .transport
                .as_mut()
                .map(|transport| transport.session.on_control(header, now()))
        };
        match verdict {
            Some(ControlVerdict::Taken) => {}
            Some(ControlVerdict::Drop(ControlDrop::Ids)) => {
                self.node.stats.count(Counter::DropWrongPeer);
            }
            Some(ControlVerdict::Drop(_)) | None => self.node.stats.count(Counter::DropState),
        }
        self.pump();
    }

    /// Takes an acknowledgement in. Softirq.
    pub(super) fn on_ack(self: &Arc<Self>, header: &Header) {
        let taken = {
            let mut inner = self.inner.lock();
            let now = now();
            inner.heard = now;
            inner
                .transport
                .as_mut()
                .is_some_and(|transport| transport.session.on_ack(header, now).is_ok())
        };
        if !taken {
            self.node.stats.count(Counter::DropAck);
        }
        self.pump();
    }

    /// Takes a message in: holds it, and delivers what has its turn. Softirq.
    pub(super) fn on_data(self: &Arc<Self>, header: &Header, skb: RxSkb) {
        if let Some(connection) = self.hold(header, skb) {
            self.deliver(connection);
        }
        self.pump();
    }

    /// Puts a message into its slot. The session's connection if this CPU is to deliver.
    fn hold(self: &Arc<Self>, header: &Header, skb: RxSkb) -> Option<u32> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let now = now();
        inner.heard = now;
        let transport = inner.transport.as_mut()?;
        let slot = Transport::slot(header.seq);
        if let Some(Some(held)) = transport.rx.get(slot) {
            if held.seq != header.seq {
                // The message before it in this slot waits for delivery; the sender will repeat.
                self.node.stats.count(Counter::DropWindow);
                return None;
            }
        }
        let early = header.seq != transport.deliver_end;
        let charge = match early.then(|| Charge::pay(self, &skb)) {
            Some(None) => {
                // The sender will repeat it.
                self.node.stats.count(Counter::DropLimit);
                return None;
            }
            Some(charge) => charge,
            None => None,
        };
        match transport.session.on_data(header, now) {
            RxVerdict::Deliver => {
                transport.deliver_end = header.seq.wrapping_add(1);
            }
            RxVerdict::Hold => self.node.stats.count(Counter::RxSeqOrder),
            RxVerdict::Drop(reason) => {
                self.node.stats.count(drop_counter(reason));
                return None;
            }
        }
        if let Some(place) = transport.rx.get_mut(slot) {
            *place = Some(Undelivered {
                seq: header.seq,
                layer: header.layer,
                skb,
                _charge: charge,
            });
        }
        while let Some(seq) = transport.session.next_ready() {
            transport.deliver_end = seq.wrapping_add(1);
        }
        if transport.delivering || transport.deliver == transport.deliver_end {
            return None;
        }
        transport.delivering = true;
        Some(inner.connection)
    }

    /// Delivers what has its turn, one message after the other, each without the lock.
    fn deliver(self: &Arc<Self>, connection: u32) {
        loop {
            let next = {
                let mut inner = self.inner.lock();
                if inner.connection != connection {
                    // The session ended meanwhile, and its messages with it.
                    return;
                }
                let Some(transport) = inner.transport.as_mut() else {
                    return;
                };
                let next = transport.take_ready();
                transport.delivering = next.is_some();
                next
            };
            match next {
                Some(message) => self.hand_up(connection, message),
                None => return,
            }
        }
    }

    /// Gives a message to whom its layer belongs.
    fn hand_up(self: &Arc<Self>, connection: u32, message: Undelivered) {
        match message.layer {
            Layer::Kif => ipc::input::message(self, connection, message.seq, message.skb),
            // The place of a message that its sender gave up.
            Layer::Seq => {}
            // The node resolver is served by no call of this version.
            Layer::Nr => self.node.stats.count(Counter::DropNr),
            Layer::Lr => self.node.stats.count(Counter::DropLayer),
        }
    }

    /// Transmits what is to be transmitted, arms the timer, and tells of the session's end. No lock
    /// may be held.
    pub(super) fn pump(self: &Arc<Self>) {
        loop {
            let mut harvest = Harvest::new();
            self.harvest(&mut harvest);
            let full = harvest.is_full();
            self.act(&mut harvest);
            if !full {
                return;
            }
        }
    }

    /// Collects what there is to do.
    fn harvest(self: &Arc<Self>, harvest: &mut Harvest) {
        let do_crc = self.node.options.do_crc.load(Relaxed) != 0;
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let Some(transport) = inner.transport.as_deref_mut() else {
            return;
        };
        while let Some(event) = transport.session.poll_event() {
            match event {
                Event::Up => harvest.came_up = true,
                Event::Down(reason) => {
                    let lost = transport.clear();
                    self.node.stats.add(Counter::TxFailed, lost);
                    harvest.event = Some(Ended {
                        connection: core::mem::replace(&mut inner.connection, 0),
                        reason,
                    });
                }
            }
        }
        while let Some(seq) = transport.session.poll_freed() {
            harvest.made_room = true;
            if let Some(place) = transport.tx.get_mut(Transport::slot(seq)) {
                *place = None;
            }
        }
        let now = now();
        transport.fill_window();
        while !harvest.is_full() {
            let Some(transmit) = transport.session.poll_transmit(now) else {
                break;
            };
            if let Some(leaving) = self.prepare(transport, &transmit, do_crc) {
                harvest.add(leaving);
            }
        }
        harvest.path = inner.path.clone();
        if let Some(at) = transport.session.poll_timeout() {
            if inner.armed.is_none_or(|armed| armed > at) {
                inner.armed = Some(at);
                Timer::arm(self, at.as_nanos());
            }
        }
        if let Some(ended) = &harvest.event {
            self.count_end(inner.opener);
            harvest.replaced = core::mem::replace(&mut inner.closing, ended.connection);
        }
        let closing = transport.session.state() == State::Closing
            && transport.session.local().conn_id == inner.closing;
        if !closing {
            harvest.closed = core::mem::replace(&mut inner.closing, 0);
        }
    }

    /// Makes what `transmit` asks for ready to leave.
    fn prepare(
        &self,
        transport: &mut Transport,
        transmit: &Transmit,
        do_crc: bool,
    ) -> Option<Leaving> {
        match transmit {
            Transmit::Message { seq, first_time } => {
                let sent = transport.tx.get_mut(Transport::slot(*seq))?.as_mut()?;
                let draft = &mut sent.outgoing.draft;
                if *first_time {
                    let length = u32::try_from(draft.payload_len()).ok()?;
                    let header = transport.session.header(transmit, Layer::Kif, length);
                    draft.seal(header, do_crc);
                } else {
                    self.node.stats.count(Counter::Retransmitted);
                }
                match draft.frame() {
                    Ok(frame) => Some(Leaving::Message(frame)),
                    Err(_) => {
                        self.node.stats.count(Counter::DropNoMemory);
                        None
                    }
                }
            }
            Transmit::Init => {
                let header = transport.session.header(transmit, Layer::Kif, 0);
                Some(Leaving::Init(header))
            }
            _ => {
                let header = transport.session.header(transmit, Layer::Kif, 0);
                Some(Leaving::Control(header))
            }
        }
    }

    /// Does what was collected.
    fn act(self: &Arc<Self>, harvest: &mut Harvest) {
        if let Some(path) = harvest.path.take() {
            for leaving in harvest.frames.iter_mut().filter_map(Option::take) {
                match self.build(leaving) {
                    Ok(frame) => frame::transmit(&path.link, frame, path.mac),
                    Err(_) => self.node.stats.count(Counter::DropNoMemory),
                }
            }
        }
        if harvest.came_up {
            self.node.stats.count(Counter::NdUp);
        }
        if harvest.came_up || harvest.made_room {
            self.room.wake_all();
        }
        if let Some(ended) = harvest.event.take() {
            self.session_ended(ended);
        }
        // An id is given to another session only when nobody looks for the old one any more.
        for id in [harvest.closed, harvest.replaced] {
            if id != 0 {
                self.node.release_connection(id);
            }
        }
    }

    fn build(&self, leaving: Leaving) -> Result<TxSkb> {
        match leaving {
            Leaving::Message(frame) => Ok(frame),
            Leaving::Control(header) => frame::control(&self.node, header, 0, |_| true),
            Leaving::Init(mut header) => {
                let me = self.node.fqnn().ok_or(EHOSTUNREACH)?;
                let init = Init {
                    src_name: me.name(),
                    src_domain: me.domain(),
                    dst_name: self.fqnn.name(),
                    dst_domain: self.fqnn.domain(),
                };
                let length = init.emitted_len();
                header.length = u32::try_from(length).map_err(|_| EINVAL)?;
                frame::control(&self.node, header, length, |out| init.emit(out).is_some())
            }
        }
    }

    fn count_end(&self, opener: bool) {
        self.node.stats.leave(Gauge::Sessions);
        self.node.stats.count(if opener {
            Counter::TxConnDeleted
        } else {
            Counter::RxConnDeleted
        });
    }

    /// A session has ended: who depends on it is told.
    fn session_ended(self: &Arc<Self>, ended: Ended) {
        match ended.reason {
            DownReason::Local => {}
            DownReason::Unreachable | DownReason::LinkFailed => {
                self.node.stats.count(Counter::NdDown);
                // The address may have gone stale: the next who wants the peer asks for it again.
                let path = {
                    let mut inner = self.inner.lock();
                    if inner.connection == 0 {
                        inner.path.take()
                    } else {
                        None
                    }
                };
                drop(path);
            }
            DownReason::PeerDown | DownReason::PeerRestarted => {
                self.node.stats.count(Counter::NdDown);
            }
        }
        self.room.wake_all();
        ipc::session_ended(self, ended.connection, ended.reason);
    }
}

/// Under which name a message that was not taken is counted.
fn drop_counter(reason: RxDrop) -> Counter {
    match reason {
        RxDrop::Duplicate => Counter::DropDuplicate,
        RxDrop::Window => Counter::DropWindow,
        RxDrop::Fragment => Counter::DropFragment,
        RxDrop::State => Counter::DropState,
    }
}
