// SPDX-License-Identifier: GPL-2.0

//! A peer: another node, how to reach it, and the session with it.
//!
//! The machines of `proto` decide; [`super::transport`] keeps the messages that they speak of, and
//! [`super::transmit`] does what they say. All of it is under the peer's lock; transmitting,
//! delivering and waking happen after the lock is dropped.

use super::{
    charge::Accounts,
    frame::{
        Draft,
        OVERHEAD, //
    },
    link::Link,
    now,
    nr,
    paths::{
        Path,
        Paths, //
    },
    transmit::Ended,
    transport::{
        Outgoing,
        Transport,
        Undelivered, //
    },
    variant::Variant,
    Complaint,
    Node, //
};
use crate::{
    ipc,
    knet::{
        genl::NodeEvent,
        lock::SpinLockBh,
        new_spinlock_bh,
        pages::{
            PinnedUse,
            TxPages, //
        },
        skb::{
            Context,
            RxSkb, //
        },
        timer::{
            impl_timer,
            now_ns,
            Timer,
            TimerOwner, //
        },
        user::UserBuf,
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    proto::{
        names::Fqnn,
        qos::{
            links::name_is_free_after,
            session::{
                ControlDrop,
                ControlVerdict,
                DownReason,
                Event,
                LocalIds,
                PathState,
                RxDrop,
                Session,
                State, //
            }, //
        },
        time::{
            Instant,
            Nanos, //
        },
        wire::{
            ack::Range,
            kif::Message,
            l4::{
                Header,
                Layer,
                MAX_MESSAGE, //
            }, //
        },
    },
    stats::{
        Counter,
        Gauge, //
    },
};
use kernel::{
    prelude::*,
    str::BStr,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

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

/// A program's pages are pinned for messages of at least so many bytes; shorter ones are copied,
/// which costs less. Documentation/performance.md has the measurement.
const PIN_FROM: usize = 16 << 10;

/// Until when who ends something, or many things at once, waits for room to tell of it.
#[derive(Clone, Copy)]
pub(crate) struct Patience(u64);

impl Patience {
    /// A second from now.
    pub(crate) fn begin() -> Self {
        Self(now_ns().saturating_add(FAREWELL))
    }
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
    /// A message that belongs to the send with this client handle, and that nothing answers.
    Piece {
        /// The handle.
        handle: u32,
        /// Its number among those of the send.
        n: u32,
    },
    /// The end of a connection.
    Farewell,
}

/// What a peer is, under its lock.
pub(super) struct Inner {
    pub(super) paths: Paths,
    /// When a packet of its own last told where it is.
    heard: Instant,
    /// The local id of the session's connection; 0: there is none that is of use.
    pub(super) connection: u32,
    /// The local id of a connection that has ended and whose end the peer has not confirmed; 0:
    /// there is none.
    pub(super) closing: u32,
    /// Whether this node opened the session.
    pub(super) opener: bool,
    pub(super) transport: Option<KBox<Transport>>,
    /// When the timer goes off; `None`: it does not.
    pub(super) armed: Option<Instant>,
    /// A CPU is transmitting. The others leave that to it, so that frames leave in order; `again`
    /// tells it that there is more.
    pub(super) pumping: bool,
    pub(super) again: bool,
    /// When the peer was asked whether it lives, because another machine claims its name.
    challenged: Option<Instant>,
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

/// Another node; or, with a QoS of its own, another way to deal with it.
#[pin_data]
pub(crate) struct Peer {
    pub(crate) node: Arc<Node>,
    /// This node's number for it, the same for every QoS.
    pub(crate) nd: u16,
    pub(crate) fqnn: Fqnn,
    /// By which policy messages take their paths.
    pub(crate) variant: Variant,
    /// Connections of programs here that lead to it.
    users: Atomic<i32>,
    /// Connections of its clients that lead here.
    clients: Atomic<i32>,
    /// Bytes of its frames that wait here.
    pub(super) accounts: Accounts,
    /// Frames to it are copied on their way, as by a virtual link.
    copies: AtomicFlag,
    #[pin]
    pub(super) inner: SpinLockBh<Inner>,
    /// Woken when there is room for messages, or the session has ended.
    #[pin]
    pub(super) room: WaitQueue,
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

/// How a session stands, for a listing.
pub(crate) struct Status {
    pub(crate) state: State,
    /// Fragments that may be under way, and that are.
    pub(crate) window: (u32, u32),
    /// The round trip as measured, if it was.
    pub(crate) round_trip: Option<Nanos>,
    /// After what time a message is sent again.
    pub(crate) timeout: Nanos,
    /// Messages that wait for a place in the window, and those that are not acknowledged.
    pub(crate) waiting: usize,
    pub(crate) unacknowledged: u32,
    /// Messages that came before their turn, and those that came in part.
    pub(crate) held: u32,
    pub(crate) partial: u32,
}

impl Peer {
    pub(super) fn new(
        node: &Arc<Node>,
        nd: u16,
        fqnn: &Fqnn,
        variant: Variant,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                node: node.clone(),
                nd,
                fqnn: fqnn.clone(),
                variant,
                users: Atomic::new(0),
                clients: Atomic::new(0),
                accounts: Accounts::new(),
                copies: AtomicFlag::new(false),
                inner <- new_spinlock_bh!(Inner {
                    paths: Paths::new(),
                    heard: now(),
                    connection: 0,
                    closing: 0,
                    opener: false,
                    transport: None,
                    armed: None,
                    pumping: false,
                    again: false,
                    challenged: None,
                    retired: false,
                }),
                room <- WaitQueue::new(),
                timer <- Timer::new(),
            }),
            GFP_ATOMIC,
        )
    }

    /// The number by which programs name the node, with this QoS.
    pub(crate) fn descriptor(&self) -> u32 {
        u32::from(self.variant.index) << 16 | u32::from(self.nd)
    }

    /// Whether it is known where the peer is.
    pub(crate) fn is_located(&self) -> bool {
        !self.inner.lock().paths.is_empty()
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
        let paths = {
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
            core::mem::replace(&mut inner.paths, Paths::new())
        };
        drop(paths);
        true
    }

    /// A packet told where the peer is. A session takes a path that is new to it only when the peer
    /// has answered on it.
    pub(super) fn locate(self: &Arc<Self>, link: &Arc<Link>, mac: [u8; 6]) {
        let known;
        let (added, old) = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            inner.heard = now();
            if inner.retired {
                return;
            }
            known = !inner.paths.is_empty();
            match inner.tell(link, mac) {
                Some((_, added, old)) => {
                    if added && known {
                        self.node.stats.count(Counter::NdChanged);
                    }
                    if added {
                        self.copies.store(false, Relaxed);
                    }
                    self.apply_policy(inner);
                    (added, old)
                }
                None => (false, None),
            }
        };
        // A path may hold the last reference on a link.
        drop(old);
        if added && known {
            self.tell(NodeEvent::Changed);
        }
        if added {
            self.pump();
        }
    }

    /// The session goes by the policy of this variant of the peer.
    fn apply_policy(&self, inner: &mut Inner) {
        let named = self.variant.named(&inner.paths);
        if let Some(transport) = inner.transport.as_mut() {
            let variant = &self.variant;
            transport
                .session
                .set_policy(variant.policy, variant.wire_index(), named);
        }
    }

    /// The link is gone: so are the paths by it.
    pub(super) fn forget_link(self: &Arc<Self>, link: &Link) {
        loop {
            let old = {
                let mut guard = self.inner.lock();
                let inner = &mut *guard;
                let behind = inner.paths.iter().find(|(_, path)| path.is_by(link));
                let Some((at, _)) = behind else {
                    break;
                };
                if let Some(transport) = inner.transport.as_mut() {
                    transport.session.remove_path(at, now());
                }
                inner.paths.remove(at)
            };
            drop(old);
        }
        self.pump();
    }

    /// The interface of a link has a carrier again, or has lost it.
    pub(super) fn carrier_changed(self: &Arc<Self>, link: &Link, carrier: bool) {
        let concerned = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            let bits = inner.paths.by(|other| other.is(link));
            if let Some(transport) = inner.transport.as_mut() {
                for at in (0u8..8).filter(|at| bits >> at & 1 != 0) {
                    transport.session.set_carrier(at, carrier, now());
                }
            }
            bits != 0
        };
        if concerned {
            self.pump();
        }
    }

    /// Whether a session would lose the last path with `link` on which the peer hears it.
    pub(super) fn depends_on(&self, link: &Link) -> bool {
        let inner = self.inner.lock();
        let Some(transport) = &inner.transport else {
            return false;
        };
        let links = transport.session.links();
        let other = |(at, path): (u8, &Path)| !path.is_by(link) && links.is_trusted(at);
        inner.connection != 0 && !inner.paths.iter().any(other)
    }

    /// Waits until no CPU transmits for the peer. Process context.
    pub(super) fn wait_for_pump(&self) {
        // Each look is short, and so is what is waited for: a pump ends after so many rounds.
        while self.inner.lock().pumping {
            fsleep(Delta::from_micros(50));
        }
    }

    /// Whether the peer is reached by `link`.
    pub(super) fn is_behind(&self, link: &Link) -> bool {
        self.inner.lock().paths.by(|other| other.is(link)) != 0
    }

    /// All paths, for a variant of the same node.
    pub(crate) fn tell_paths(&self, other: &Arc<Peer>) {
        for at in 0u8..8 {
            let path = self.inner.lock().paths.get(at).cloned();
            if let Some(path) = path {
                other.locate(&path.link, path.mac);
            }
        }
    }

    /// Where the peer is, when it was last heard of, and how its session stands; for a listing.
    pub(crate) fn describe(&self) -> (Option<Path>, Instant, State) {
        let inner = self.inner.lock();
        (
            inner.paths.first().cloned(),
            inner.heard,
            inner
                .transport
                .as_ref()
                .map_or(State::Closed, |transport| transport.session.state()),
        )
    }

    /// How the session stands; `None` without one.
    pub(crate) fn status(&self) -> Option<Status> {
        let inner = self.inner.lock();
        let transport = inner.transport.as_ref()?;
        let session = &transport.session;
        if session.state() == State::Closed {
            return None;
        }
        Some(Status {
            state: session.state(),
            window: session.window(),
            round_trip: session.rtt(),
            timeout: session.retransmit_timeout(),
            waiting: transport.waiting(),
            unacknowledged: session.unacknowledged(),
            held: session.held(),
            partial: session.partial(),
        })
    }

    /// The path at `at` and how the session sees it; `None` if there is none.
    pub(crate) fn path_at(&self, at: u8) -> Option<(Path, PathState)> {
        let inner = self.inner.lock();
        let path = inner.paths.get(at)?.clone();
        let state = match &inner.transport {
            Some(transport) => transport.session.links().state(at),
            None => PathState::Claimed,
        };
        Some((path, state))
    }

    /// The longest L4 message, in bytes.
    pub(crate) fn payload_limit(&self) -> usize {
        MAX_MESSAGE
    }

    /// Makes a message for the peer whose data are `len` bytes of a program's, from `offset` on. They
    /// are copied once. Process context.
    ///
    /// Errors: `ENOMEM`, `EFAULT`, `EINVAL` for a message that cannot be emitted.
    pub(crate) fn draft(
        &self,
        message: &Message,
        from: &UserBuf,
        offset: usize,
        len: usize,
    ) -> Result<Draft> {
        Draft::gather(&self.node, message, from, offset, len, self.frame_payload())
    }

    /// The same, but the message refers to the program's own pages if that is worth it, and they can
    /// be pinned; then the program's thread has to wait until they are unused.
    ///
    /// Errors: as [`Self::draft`].
    pub(crate) fn draft_pinned(
        &self,
        message: &Message,
        from: &UserBuf,
        offset: usize,
        len: usize,
    ) -> Result<(Draft, Option<PinnedUse>)> {
        let worth_it = len >= PIN_FROM && !self.copies.load(Relaxed);
        // With a CRC the bytes must not change between its computing and the sending.
        if worth_it && self.node.options.do_crc.load(Relaxed) == 0 {
            if let Ok((pages, used)) = TxPages::pinned(from, offset, len) {
                let draft = Draft::paged(&self.node, message, pages, true)?;
                return Ok((draft, Some(used)));
            }
        }
        let draft = self.draft(message, from, offset, len)?;
        Ok((draft, None))
    }

    /// On the way to the peer frames are copied all the same: nothing is gained by pinning.
    pub(crate) fn copies_anyway(&self) {
        self.copies.store(true, Relaxed);
    }

    /// The longest payload that reaches the peer in one frame, in bytes.
    fn frame_payload(&self) -> usize {
        let payload = self.inner.lock().paths.payload();
        payload.unwrap_or(1500 - OVERHEAD)
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

        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.connection != 0 || inner.retired {
            let current = inner.connection;
            drop(guard);
            self.node.release_connection(connection);
            return if current != 0 {
                Ok(current)
            } else {
                Err(EHOSTDOWN)
            };
        }
        let unused = inner.provide(spare);
        self.apply_policy(inner);
        let ids = LocalIds {
            conn_id: connection,
            nd: self.nd,
        };
        if let Some(transport) = inner.transport.as_mut() {
            transport.session.open(ids, now(), &config);
        }
        inner.connection = connection;
        inner.opener = true;
        drop(guard);
        drop(unused);
        self.node.stats.count(Counter::TxConnCreated);
        self.node.stats.enter(Gauge::Sessions);
        self.tell(NodeEvent::Opened);
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
                .map_or(0, |transport| transport.waiting());
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
                Tag::None | Tag::Send(_) | Tag::Connect(_) | Tag::Piece { .. } => PENDING_HARD,
            };
            if transport.waiting() >= limit {
                self.node.stats.count(Counter::DropLimit);
                return Err(ENOBUFS);
            }
            transport.queue(outgoing)?;
        }
        self.pump();
        Ok(())
    }

    /// The sender of the message with this tag, in the session `connection`, does not wait for its
    /// answer any more: what has not left need not leave. Says whether the peer will see nothing of
    /// it. No lock may be held.
    pub(crate) fn give_up(self: &Arc<Self>, connection: u32, tag: Tag) -> bool {
        let (unseen, dropped) = {
            let mut inner = self.inner.lock();
            if inner.connection != connection {
                return true;
            }
            match inner.transport.as_mut() {
                Some(transport) => transport.give_up(tag),
                None => (true, None),
            }
        };
        drop(dropped);
        self.pump();
        unseen
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
        let (connection, closing, paths, garbage) = {
            let mut inner = self.inner.lock();
            inner.retired = true;
            opener = inner.opener;
            let connection = core::mem::replace(&mut inner.connection, 0);
            let closing = core::mem::replace(&mut inner.closing, 0);
            (
                connection,
                closing,
                core::mem::replace(&mut inner.paths, Paths::new()),
                inner.transport.take(),
            )
        };
        self.timer.shutdown();
        drop(paths);
        drop(garbage);
        if closing != 0 {
            self.node.release_connection(closing);
        }
        if connection != 0 {
            self.count_end(opener);
            self.node.release_connection(connection);
            self.session_ended(&Ended {
                connection,
                reason: DownReason::Local,
            });
        }
    }

    /// Takes an INIT in, which came over `link` from `mac`. Softirq.
    ///
    /// Errors: `ENOSPC`, `ENOMEM`, `EHOSTDOWN` when the node ends, `EEXIST` when the name belongs to
    /// another machine.
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
        let mut old_path = None;
        let mut unused = None;
        let taken = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            inner.heard = now();
            self.may_init(inner, link, mac, header).and_then(|()| {
                unused = inner.provide(spare);
                let (path, _, old) = inner.tell(link, mac).ok_or(ENOSPC)?;
                old_path = old;
                self.variant.came_by(path);
                self.apply_policy(inner);
                let transport = inner.transport.as_mut().ok_or(ENOMEM)?;
                let verdict =
                    transport
                        .session
                        .on_init(ids, header, we_are_smaller, path, now(), &config);
                Ok((verdict, inner.adopt(fresh)))
            })
        };
        drop(unused);
        drop(old_path);
        let (verdict, adopted) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.node.release_connection(fresh);
                // What asks the one that has the name.
                self.pump();
                return Err(error);
            }
        };
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

    /// Whether an INIT may be looked at. One of another life, from where the peer was never heard,
    /// may be that of another machine of the same name: the peer is asked first whether it lives.
    fn may_init(&self, inner: &mut Inner, link: &Link, mac: [u8; 6], header: &Header) -> Result {
        if inner.retired || self.node.is_ending() {
            return Err(EHOSTDOWN);
        }
        let from = inner.paths.find(link, mac);
        let Some(transport) = inner.transport.as_mut() else {
            return Ok(());
        };
        let session = &mut transport.session;
        let same_life = header.src_conn_id >> 16 == session.peer_conn_id() >> 16;
        let trusted = from.is_some_and(|path| session.links().is_trusted(path));
        if session.state() != State::Up || same_life || trusted {
            return Ok(());
        }
        let patience = name_is_free_after(self.node.options.tick());
        let silent = inner
            .challenged
            .is_some_and(|asked| session.last_heard() < asked && now() >= asked.after(patience));
        if silent {
            inner.challenged = None;
            return Ok(());
        }
        let waits = inner
            .challenged
            .is_some_and(|asked| session.last_heard() < asked);
        if !waits {
            inner.challenged = Some(now());
            session.ask(now());
        }
        if self.node.may_log(Complaint::DuplicateName) {
            let name = BStr::from_bytes(self.fqnn.as_bytes());
            pr_warn!("another machine claims to be {}, which lives\n", name);
        }
        Err(EEXIST)
    }

    /// The session has taken the id of an INIT's answer; one before it has ended.
    fn adopted(self: &Arc<Self>, adopted: Adopted) {
        self.node.stats.add(Counter::TxFailed, adopted.lost);
        self.node.stats.count(Counter::RxConnCreated);
        self.node.stats.enter(Gauge::Sessions);
        if adopted.old != 0 {
            self.count_end(adopted.opener);
            self.session_ended(&Ended {
                connection: adopted.old,
                reason: adopted.reason,
            });
            self.node.release_connection(adopted.old);
        }
        self.tell(NodeEvent::Opened);
    }

    /// Takes a REM_UP, UP, DOWN or REM_DOWN in, which came over `link` from `mac`. Softirq.
    pub(super) fn on_control(
        self: &Arc<Self>,
        link: &Link,
        mac: [u8; 6],
        header: &Header,
    ) -> Result<(), Counter> {
        let verdict = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            let path = inner.paths.find(link, mac).ok_or(Counter::DropWrongPeer)?;
            inner
                .transport
                .as_mut()
                .map(|transport| transport.session.on_control(header, path, now()))
        };
        self.pump();
        match verdict {
            Some(ControlVerdict::Taken) => Ok(()),
            Some(ControlVerdict::Drop(ControlDrop::Ids | ControlDrop::Path)) => {
                Err(Counter::DropWrongPeer)
            }
            Some(ControlVerdict::Drop(_)) | None => Err(Counter::DropState),
        }
    }

    /// Takes something in that belongs to the session and came over `link` from `mac`: `take` is
    /// called with the session, the path and the time. Softirq.
    ///
    /// Errors: under which name it is dropped.
    fn with_session(
        self: &Arc<Self>,
        link: &Link,
        mac: [u8; 6],
        header: &Header,
        take: impl FnOnce(&mut Session, u8, Instant) -> Result<(), Counter>,
    ) -> Result<(), Counter> {
        let taken = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            let path = inner.paths.find(link, mac).ok_or(Counter::DropWrongPeer)?;
            let transport = inner.transport.as_mut().ok_or(Counter::DropWrongPeer)?;
            if !transport.session.matches(header) {
                return Err(Counter::DropWrongPeer);
            }
            let now = now();
            inner.heard = now;
            take(&mut transport.session, path, now)
        };
        self.pump();
        taken
    }

    /// Takes an acknowledgement in, with the room that it tells.
    pub(super) fn on_ack(
        self: &Arc<Self>,
        link: &Link,
        mac: [u8; 6],
        header: &Header,
        room: Option<u32>,
    ) -> Result<(), Counter> {
        self.with_session(link, mac, header, |session, path, now| {
            session
                .on_ack(header, room, path, now)
                .map_err(|_| Counter::DropAck)
        })
    }

    /// Takes a NACK in, with the ranges that it lists.
    pub(super) fn on_nack(
        self: &Arc<Self>,
        link: &Link,
        mac: [u8; 6],
        header: &Header,
        ranges: impl Iterator<Item = Range>,
    ) -> Result<(), Counter> {
        self.with_session(link, mac, header, |session, path, now| {
            session
                .on_nack(header, ranges, path, now)
                .map_err(|_| Counter::DropAck)
        })
    }

    /// Takes a ping in, or the answer to one.
    pub(super) fn on_ping(
        self: &Arc<Self>,
        link: &Link,
        mac: [u8; 6],
        header: &Header,
        is_reply: bool,
    ) -> Result<(), Counter> {
        self.with_session(link, mac, header, |session, path, now| {
            match session.on_ping(header, is_reply, path, now) {
                true => Ok(()),
                false => Err(Counter::DropState),
            }
        })
    }

    /// Takes a message in, or a part of one: holds it, and delivers what has its turn. Softirq.
    pub(super) fn on_data(
        self: &Arc<Self>,
        link: &Link,
        header: &Header,
        skb: RxSkb,
    ) -> Result<(), Counter> {
        let held = self.hold(link, header, skb);
        if let Ok(Some(connection)) = held {
            self.deliver(connection);
        }
        self.pump();
        held.map(|_| ())
    }

    /// Puts a message into its place. The session's connection if this CPU is to deliver.
    fn hold(
        self: &Arc<Self>,
        link: &Link,
        header: &Header,
        skb: RxSkb,
    ) -> Result<Option<u32>, Counter> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let path = inner
            .paths
            .find(link, skb.src_mac())
            .ok_or(Counter::DropWrongPeer)?;
        let transport = inner.transport.as_mut().ok_or(Counter::DropWrongPeer)?;
        if !transport.session.matches(header) {
            return Err(Counter::DropWrongPeer);
        }
        let now = now();
        inner.heard = now;
        transport.hold(self, header, path, skb, now)?;
        if self.variant.came_by(path) {
            self.apply_policy(inner);
        }
        let transport = inner.transport.as_mut().ok_or(Counter::DropWrongPeer)?;
        if transport.delivering || !transport.has_ready() {
            return Ok(None);
        }
        transport.delivering = true;
        Ok(Some(inner.connection))
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
        let (layer, seq) = (message.layer, message.seq);
        match layer {
            Layer::Kif => match message.into_skb() {
                Ok(skb) => ipc::input::message(self, connection, seq, skb),
                Err(_) => {
                    // It is acknowledged and cannot come again, so its sender must learn of it.
                    self.node.stats.count(Counter::DropNoMemory);
                    self.close_session(connection);
                }
            },
            // The place of a message that its sender gave up.
            Layer::Seq => self.node.stats.count(Counter::RxGivenUp),
            Layer::Nr => {
                let taken = message
                    .into_skb()
                    .map_err(|_| Counter::DropNoMemory)
                    .and_then(|skb| nr::message(self, connection, seq, skb));
                if let Err(counter) = taken {
                    self.node.stats.count(counter);
                }
            }
            Layer::Lr => self.node.stats.count(Counter::DropLayer),
        }
    }

    pub(super) fn count_end(&self, opener: bool) {
        self.node.stats.leave(Gauge::Sessions);
        self.node.stats.count(if opener {
            Counter::TxConnDeleted
        } else {
            Counter::RxConnDeleted
        });
    }

    /// A session has ended: who depends on it is told.
    pub(super) fn session_ended(self: &Arc<Self>, ended: &Ended) {
        match ended.reason {
            DownReason::Local => {}
            DownReason::Unreachable | DownReason::LinkFailed => {
                self.node.stats.count(Counter::NdDown);
                // The addresses may have gone stale: the next who wants the peer asks for them again.
                let paths = {
                    let mut inner = self.inner.lock();
                    if inner.connection == 0 {
                        inner.forget_paths()
                    } else {
                        Paths::new()
                    }
                };
                drop(paths);
                self.forget_stale_base();
            }
            DownReason::PeerDown | DownReason::PeerRestarted => {
                self.node.stats.count(Counter::NdDown);
            }
        }
        self.room.wake_all();
        self.node.questions.session_ended(self, ended.connection);
        ipc::session_ended(self, ended.connection, ended.reason);
        self.tell_end(ended.reason);
    }
}

impl Peer {
    /// What this variant found to be stale is not taken from the node's own peer again.
    fn forget_stale_base(self: &Arc<Self>) {
        let base = self.node.peer_by_nd(u32::from(self.nd));
        let Some(base) = base.filter(|base| !Arc::ptr_eq(base, self)) else {
            return;
        };
        let paths = {
            let mut inner = base.inner.lock();
            match inner.connection {
                0 => inner.forget_paths(),
                _ => Paths::new(),
            }
        };
        drop(paths);
    }
}

impl Inner {
    /// Sees to it that there is a transport, which knows the paths; gives back what was too much.
    fn provide(&mut self, spare: KBox<Transport>) -> Option<KBox<Transport>> {
        if self.transport.is_some() {
            return Some(spare);
        }
        let transport = self.transport.insert(spare);
        for (at, path) in self.paths.iter() {
            transport
                .session
                .add_path(at, path.link.has_carrier(), now());
        }
        None
    }

    /// Enters a path; its number, whether it is new, and what had its place before.
    fn tell(&mut self, link: &Arc<Link>, mac: [u8; 6]) -> Option<(u8, bool, Option<Path>)> {
        if link.is_gone() {
            // Who let it go has taken its paths out, or will find the lock free after this.
            return None;
        }
        let connected = self.connection != 0;
        let transport = self.transport.as_ref();
        let failed =
            |at: u8| transport.is_some_and(|it| it.session.links().state(at) == PathState::Failed);
        let may_go = |at: u8| !connected || failed(at);
        let (at, added, old) = self.paths.tell(link, mac, now(), may_go)?;
        if let Some(transport) = self.transport.as_mut() {
            if added {
                transport.session.remove_path(at, now());
            }
            transport.session.add_path(at, link.has_carrier(), now());
        }
        Some((at, added, old))
    }

    /// Takes all paths out.
    fn forget_paths(&mut self) -> Paths {
        if let Some(transport) = self.transport.as_mut() {
            for (at, _) in self.paths.iter() {
                transport.session.remove_path(at, now());
            }
        }
        core::mem::replace(&mut self.paths, Paths::new())
    }
}

/// Under which name a message that was not taken is counted.
pub(super) fn drop_counter(reason: RxDrop) -> Counter {
    match reason {
        RxDrop::Duplicate => Counter::DropDuplicate,
        RxDrop::Window => Counter::DropWindow,
        RxDrop::Fragment => Counter::DropFragment,
        RxDrop::Gap => Counter::DropGap,
        RxDrop::State => Counter::DropState,
    }
}
