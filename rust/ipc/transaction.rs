// SPDX-License-Identifier: GPL-2.0

//! A transaction: one message, from the send to the reply.
//!
//! It is finished once, by whoever comes first; `proto::kif::transaction` says who may, under the
//! transaction's lock.

use super::{
    channel::{
        Channel,
        Room, //
    },
    connection::Connection,
    priority::Lender,
    process::Whose,
    pulse::Pulse,
    requests::{
        Memory,
        Request, //
    },
    server::ServerConnection,
    users::Waiting,
    vtids::Threads, //
};
use crate::{
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::{
            Pid,
            PidNs, //
        },
        skb::RxSkb,
        take_first,
        timer::{
            now_ns,
            tick_ns, //
        },
        user::UserBuf,
        wait::{
            pending_signal,
            Signal,
            Wait,
            WaitQueue, //
        },
    },
    node::{
        Charge,
        Node,
        Peer, //
    },
    proto::kif::{
        transaction::{
            Cause,
            Departure,
            Event,
            State,
            TimeoutStates,
            TooLate, //
        },
        transfer::{
            clip,
            Credit,
            Load, //
        },
    },
    stats::{
        Counter,
        Gauge, //
    },
    uapi, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    bindings,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// The bytes of a message or of a reply.
pub(crate) enum Payload {
    /// Copied from a program's memory.
    Copied(KVVec<u8>),
    /// As they came from another node: the last bytes of a packet, from `offset` on.
    Frame {
        /// The packet.
        skb: RxSkb,
        /// Where the data begin.
        offset: usize,
        /// Paid while a message waits for its server.
        _charge: Option<Charge>,
    },
}

impl Payload {
    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Payload::Copied(bytes) => bytes.len(),
            Payload::Frame { skb, offset, .. } => skb.len().saturating_sub(*offset),
        }
    }

    /// Counts `n` bytes that were copied to a program, if they came from another node.
    pub(crate) fn count_copied(&self, node: &Node, n: usize) {
        if matches!(self, Payload::Frame { .. }) {
            node.stats.add(Counter::CopiedToUser, n as u64);
        }
    }

    /// Copies as many bytes as there is room for into a program's memory. May sleep.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn copy_to(&self, buffer: &UserBuf) -> Result<usize> {
        self.copy_range(0, self.len(), buffer, 0)
    }

    /// Copies `length` bytes from byte `from` on to byte `at` of a program's buffer, as far as there
    /// are bytes and room, and says how many. May sleep.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn copy_range(
        &self,
        from: usize,
        length: usize,
        buffer: &UserBuf,
        at: usize,
    ) -> Result<usize> {
        let length = self.len().saturating_sub(from).min(length);
        match self {
            Payload::Copied(bytes) => {
                let bytes = bytes.get(from..).and_then(|bytes| bytes.get(..length));
                buffer.write_at(at, bytes.unwrap_or(&[]))
            }
            // An empty range may begin behind the packet's end.
            Payload::Frame { .. } if length == 0 => Ok(0),
            Payload::Frame { skb, offset, .. } => {
                buffer.write_skb(at, skb, offset.saturating_add(from), length)
            }
        }
    }
}

/// The greatest error number that a server may pass to its client: beyond it the kernel has numbers
/// that restart a system call, which would send the message again.
pub(crate) const MAX_ERRNO: c_int = 511;

/// After how many nanoseconds a server is asked again to let a client go; that doubles up to
/// [`LAST_ASK`]. Another node that has lost the message would not answer otherwise, and a server of
/// this one may not have been told for want of memory.
const FIRST_ASK: u64 = 1_000_000_000;
/// See [`FIRST_ASK`].
const LAST_ASK: u64 = 30_000_000_000;

/// How many nanoseconds a receive waits for the rest of a long message, which a thread that runs has
/// copied long before.
const FILL: u64 = 2_000_000_000;

/// How many nanoseconds a server's request waits for room on the way to it, when no thread's time-out
/// says so.
const SERVING_SLICE: u64 = 200_000_000;

/// How a transaction ended.
pub(crate) enum Outcome {
    /// The server replied.
    Reply {
        /// What MsgSend returns.
        status: i64,
        /// The reply's data.
        data: Payload,
        /// Where they begin: what is before came ahead of the reply.
        offset: u64,
    },
    /// The send fails with this Linux error number, negative.
    Error(c_int),
    /// The sender itself gave up, with this Linux error number, negative.
    Abandoned(c_int),
    /// The server's node had no room for the message, and the sender should try again.
    Busy,
    /// The server wants the message sent again (MsgError with ERESTART).
    Again {
        /// When the sender's time-out is over, if it has begun to run: it does not begin anew.
        deadline: Option<u64>,
    },
}

/// By which Linux error number, negative, a server says that the message is to be sent again.
const RESTART: c_int = -(bindings::ERESTART as c_int);

/// A sender's limit on how long it is blocked.
#[derive(Clone, Copy)]
pub(crate) struct Timeout {
    /// In which states the time runs.
    pub(crate) states: TimeoutStates,
    /// How long it runs, in nanoseconds.
    pub(crate) ns: u64,
    /// When it is over, if that is fixed already: a send to another node has one time for all that
    /// it waits for.
    pub(crate) deadline: Option<u64>,
}

impl Timeout {
    /// The moment at which a time that begins to run now is over, in nanoseconds of the monotonic
    /// clock.
    pub(crate) fn deadline(&self) -> u64 {
        self.deadline
            .unwrap_or_else(|| now_ns().saturating_add(self.ns))
    }

    /// The same with its end fixed now, for a receiver that may have to take several messages.
    pub(crate) fn fixed_in_receive(&self) -> Self {
        let runs = self.states.runs_in_receive();
        Self {
            deadline: runs.then(|| self.deadline()),
            ..*self
        }
    }

    /// The moment at which a server's wait for its client's thread is over, if the time runs then.
    pub(crate) fn in_transfer(&self) -> Option<u64> {
        self.states.runs_in_transfer().then(|| self.deadline())
    }

    /// The same with its end fixed now, for a send to another node.
    pub(crate) fn fixed(&self) -> Self {
        let runs = self.states.runs_in(State::Sent, true);
        Self {
            deadline: runs.then(|| self.deadline()),
            ..*self
        }
    }
}

impl Outcome {
    /// A reply with status 0 and no data.
    pub(crate) fn done() -> Self {
        Outcome::Reply {
            status: 0,
            data: Payload::Copied(KVVec::new()),
            offset: 0,
        }
    }
}

/// Whose message it is.
pub(crate) enum Client {
    /// A thread of this node.
    Thread {
        /// The connection it sends on.
        connection: Arc<Connection>,
        /// Its process.
        process: Pid,
        /// What its user has one message less to send for, meanwhile.
        _charged: Option<Waiting>,
    },
    /// A thread of another node.
    Remote {
        /// The connection it sends on.
        server: Arc<ServerConnection>,
        /// Its node's handle for the send.
        handle: u32,
        /// The number under which the message came, which the answer acknowledges.
        seq: u32,
    },
}

/// What the receiver is told of the sender.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    /// Its thread.
    pub(crate) tid: i32,
    /// Its name for the connection.
    pub(crate) coid: i32,
    /// Its priority, on Neutrino's scale.
    pub(crate) priority: i16,
    /// The server's node's number, as the sender knows it.
    pub(crate) srcnd: u32,
    /// Bytes it sent.
    pub(crate) srcmsglen: i64,
    /// Bytes it has room for in the reply.
    pub(crate) dstmsglen: i64,
    /// Whether its ids have changed since the message before, if it is of another node.
    pub(crate) client_changed: bool,
}

/// What changes, under the transaction's lock.
struct Inner {
    state: State,
    /// What came with the send. It stays after the message was received, for MsgRead, until the
    /// message is answered.
    payload: Option<Arc<Payload>>,
    outcome: Option<Outcome>,
    /// Whether the sender wants to be woken when the message is received.
    tell_receive: bool,
    /// What the sender's thread is to do for servers, in order.
    requests: KVec<Request>,
    /// How much that is, with what is being done.
    load: Load,
    /// What servers here have written to a client on another node.
    credit: Credit,
    /// Under which number the server has the message, and how many bytes it was given; 0: it has
    /// not.
    rcvid: i32,
    msglen: usize,
    /// With which Linux error number, negative, the client wants to leave, if it does.
    leaving: Option<c_int>,
    /// Whether the server has answered.
    answered: bool,
    /// Whether the server was told of that.
    server_told: bool,
    /// Whether the server on another node wrote to where there is no memory.
    fault: bool,
    /// Whether the server has written into the reply area, which may overlap the message.
    written: bool,
    /// Whether an event has told the sender to leave.
    told_to_leave: bool,
    /// When the sender's time-out is over, once it has begun to run.
    deadline: Option<u64>,
}

/// How a sender's wait ended.
pub(crate) enum Waited {
    /// With an outcome.
    Done(Outcome),
    /// By a signal for which the thread must leave the kernel although no program of its own runs,
    /// as to be stopped: it comes back and goes on waiting.
    Interrupted,
}

/// The way from a sender to its server, for a sender that wants to leave.
pub(crate) struct Way<'a> {
    /// Whether the server is on another node.
    pub(crate) remote: bool,
    /// Whether a server on this node wants to know who wants to leave.
    pub(crate) wants_to_know: bool,
    /// Asks the server to let the sender go, perhaps not for the first time; says whether there is
    /// anybody to wait for. No lock is held. Process context.
    pub(crate) ask: &'a dyn Fn() -> bool,
}

impl Inner {
    /// Takes a request, or gives it back with the asker's error.
    fn push(&mut self, request: Request) -> Result<(), (Request, Error)> {
        if self.state == State::Finished {
            return Err((request, ESRCH));
        }
        if self
            .requests
            .reserve(1, atomic_account() | __GFP_NOWARN)
            .is_err()
        {
            return Err((request, ENOMEM));
        }
        if request.admit(&mut self.load).is_err() {
            let error = request.too_much();
            return Err((request, error));
        }
        self.requests
            .push_within_capacity(request)
            .map_err(|refused| (refused.0, ENOMEM))
    }

    /// The sender gives up, unless the outcome is decided: the payload and the requests, which are
    /// to be dropped without the lock.
    fn abandon(&mut self) -> Option<(Option<Arc<Payload>>, KVec<Request>)> {
        if self.outcome.is_some() {
            return None;
        }
        self.state = self.state.step(Event::Abandon).ok()?;
        Some((self.payload.take(), core::mem::take(&mut self.requests)))
    }

    /// What the sender's call comes to by `outcome`, if its server is on another node as `remote` says.
    fn seen_by_sender(&self, outcome: Outcome, remote: bool) -> Outcome {
        match outcome {
            Outcome::Error(RESTART) if !self.written => match self.leaving {
                // It would not wait for the next answer either.
                Some(cause) => Outcome::Error(cause),
                None if self.told_to_leave => Outcome::Error(EINTR.to_errno()),
                None => Outcome::Again {
                    deadline: self.deadline,
                },
            },
            outcome => {
                let leaving = self.leaving.filter(|_| remote);
                with_cause(with_fault(outcome, self.fault), leaving)
            }
        }
    }
}

/// One message, from the send to the reply.
#[pin_data]
pub(crate) struct Transaction {
    _counted: Counted,
    pub(crate) client: Client,
    pub(crate) sender: Sender,
    /// When it was made, exact to a tick.
    pub(super) since: u64,
    /// The local connection id of the session that an outgoing message takes; 0: it stays on this
    /// node, or has not left.
    session: Atomic<u32>,
    /// The handle under which it was shown to taps; 0: it was not.
    shown: Atomic<u32>,
    /// Calls of the server that wait for the client on another node.
    exchanges: Atomic<u32>,
    /// 1: no thread waits for the answer, which the connection's mailbox keeps.
    posted: Atomic<u32>,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// The sender waits here.
    #[pin]
    done: WaitQueue,
}

/// A transaction as it is counted, from its beginning until it is dropped.
struct Counted {
    node: Arc<Node>,
    gauge: Gauge,
    /// The connection of a client on another node, which knows its messages, and the message's
    /// handle.
    server: Option<(Arc<ServerConnection>, u32)>,
}

impl Counted {
    fn new(node: &Arc<Node>, gauge: Gauge, client: &Client) -> Result<Self> {
        let server = match client {
            Client::Thread { .. } => None,
            Client::Remote { server, handle, .. } => {
                server.message_came(*handle)?;
                Some((server.clone(), *handle))
            }
        };
        node.stats.enter(gauge);
        Ok(Self {
            node: node.clone(),
            gauge,
            server,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.node.stats.leave(self.gauge);
        if let Some((server, handle)) = &self.server {
            server.message_gone(*handle);
        }
    }
}

impl Transaction {
    /// A message. `payload` is `None` when it is sent to another node, whose session keeps it.
    pub(crate) fn new(
        node: &Arc<Node>,
        client: Client,
        sender: Sender,
        payload: Option<Payload>,
        flags: kernel::alloc::Flags,
    ) -> Result<Arc<Self>> {
        let gauge = match payload {
            Some(_) => Gauge::ServerMessages,
            None => Gauge::Waiting,
        };
        let counted = Counted::new(node, gauge, &client)?;
        let payload = match payload {
            Some(payload) => Some(Arc::new(payload, flags)?),
            None => None,
        };
        Arc::pin_init(
            try_pin_init!(Self {
                _counted: counted,
                client,
                sender,
                since: tick_ns(),
                session: Atomic::new(0),
                shown: Atomic::new(0),
                exchanges: Atomic::new(0),
                posted: Atomic::new(0),
                inner <- new_spinlock_bh!(Inner {
                    state: State::Sent,
                    payload,
                    outcome: None,
                    tell_receive: false,
                    requests: KVec::new(),
                    load: Load::default(),
                    credit: Credit::default(),
                    rcvid: 0,
                    msglen: 0,
                    leaving: None,
                    answered: false,
                    server_told: false,
                    fault: false,
                    written: false,
                    told_to_leave: false,
                    deadline: None,
                }),
                done <- WaitQueue::new(),
            }),
            flags,
        )
    }

    /// Whether its sender is a thread of this node.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.client, Client::Thread { .. })
    }

    /// Its priority, and who has chosen that.
    pub(crate) fn priority(&self) -> (i16, Lender) {
        let lender = match self.is_local() {
            true => Lender::Here,
            false => Lender::There,
        };
        (self.sender.priority, lender)
    }

    /// Taps were shown it under this handle.
    pub(super) fn is_shown_as(&self, handle: u32) {
        self.shown.store(handle, Relaxed);
    }

    /// Whether it was handed to a session, if it goes to another node.
    pub(super) fn has_session(&self) -> bool {
        self.session.load(Relaxed) != 0
    }

    /// Its sender's thread as who is in the pid namespace `pids` knows it, if that thread is blocked
    /// at this moment.
    pub(super) fn blocked_thread(&self, pids: &PidNs) -> Option<i32> {
        Some(self.done.waiter_at(0, pids)?.tid)
    }

    /// Whether this message was sent on `connection`, by a thread of this node.
    pub(crate) fn is_on(&self, connection: &Arc<Connection>) -> bool {
        match &self.client {
            Client::Thread {
                connection: mine, ..
            } => Arc::ptr_eq(mine, connection),
            Client::Remote { .. } => false,
        }
    }

    /// Whether this message is for `channel`.
    pub(crate) fn is_for(&self, channel: &Channel) -> bool {
        match &self.client {
            Client::Thread { connection, .. } => connection.is_to_channel(channel),
            Client::Remote { server, .. } => core::ptr::eq(&*server.channel, channel),
        }
    }

    /// Whether this message came by `server`, from a thread of another node.
    pub(crate) fn came_by(&self, server: &Arc<ServerConnection>) -> bool {
        match &self.client {
            Client::Thread { .. } => false,
            Client::Remote { server: mine, .. } => Arc::ptr_eq(mine, server),
        }
    }

    /// Whether this message came by `server` under the client's handle `handle`.
    pub(crate) fn is_remote_send(&self, server: &Arc<ServerConnection>, handle: u32) -> bool {
        match &self.client {
            Client::Thread { .. } => false,
            Client::Remote {
                server: mine,
                handle: other,
                ..
            } => *other == handle && Arc::ptr_eq(mine, server),
        }
    }

    /// The message has been given to a server. Its sender may have detached, or asked to be let go,
    /// while it was in neither queue nor table, where who did it searched. Process context.
    pub(crate) fn check_sender(&self) {
        match &self.client {
            Client::Thread { connection, .. } => {
                if connection.is_dead() {
                    // If the outcome is decided already, the sender has it.
                    let _ = self.finish(Event::Abandon, Outcome::Error(EBADF.to_errno()));
                    if let Some(channel) = connection.channel() {
                        channel.process.forget_threads_of(connection.threads());
                    }
                }
            }
            Client::Remote { server, handle, .. } => {
                if server.has_left() {
                    let _ = self.finish(Event::Abandon, Outcome::Error(ESRCH.to_errno()));
                    server.channel.process.forget_threads_of(server.threads());
                } else if server.was_asked_for(*handle) && !self.ask_server() {
                    // If it was answered meanwhile, its client has that.
                    let _ = self.fail(-EINTR.to_errno());
                }
            }
        }
    }

    /// Tells the sender, wherever it is, that its send fails with the Linux error number `error`,
    /// positive. Process context.
    ///
    /// Errors: `ESRCH` when the outcome was decided before; what the way to another node gives.
    pub(crate) fn fail(&self, error: c_int) -> Result {
        match &self.client {
            Client::Thread { .. } => self
                .finish(Event::Answer, Outcome::Error(-error))
                .map_err(|_| ESRCH),
            Client::Remote { server, .. } => match server.error(self, error) {
                Ok(draft) => server.send_answer(self, draft),
                Err(error) => {
                    // A client that is not told would wait for ever; the end of the session tells.
                    server.close_session();
                    Err(error)
                }
            },
        }
    }

    /// The session that the message takes is chosen.
    pub(crate) fn takes_session(&self, session: u32) {
        self.session.store(session, Relaxed);
    }

    /// Whether this message went to `peer`.
    pub(crate) fn is_out_to(&self, peer: &Arc<Peer>) -> bool {
        match &self.client {
            Client::Thread { connection, .. } => connection.is_to(peer),
            Client::Remote { .. } => false,
        }
    }

    /// Whether this message went to `peer` by its session `session`.
    pub(crate) fn is_out_by(&self, peer: &Arc<Peer>, session: u32) -> bool {
        self.session.load(Relaxed) == session && self.is_out_to(peer)
    }

    /// A server takes the message from the queue: its bytes, unless it was finished before.
    pub(crate) fn receive(&self) -> Result<Arc<Payload>, TooLate> {
        let (payload, tell) = {
            let mut inner = self.inner.lock();
            inner.state = inner.state.step(Event::Receive)?;
            (inner.payload.clone().ok_or(TooLate)?, inner.tell_receive)
        };
        if tell {
            self.done.wake_all();
        }
        Ok(payload)
    }

    /// Decides the outcome, if nobody has yet, and wakes the sender if it is a thread of this node.
    /// Legal in softirq.
    pub(crate) fn finish(&self, event: Event, outcome: Outcome) -> Result<(), TooLate> {
        let shown = match self.shown.load(Relaxed) {
            0 => None,
            // Who gives up by itself sends nothing.
            _ if event == Event::Abandon => None,
            handle => super::tap::answer(self, handle, &outcome),
        };
        let (payload, asked, waited_for) = {
            let mut inner = self.inner.lock();
            inner.state = inner.state.step(event)?;
            inner.outcome = Some(outcome);
            // A server that did not answer is to hear that its client has gone.
            inner.answered = event == Event::Answer;
            let asked = (inner.answered && inner.leaving.is_some()).then_some(inner.rcvid);
            (inner.payload.take(), asked, !inner.requests.is_empty())
        };
        drop(payload);
        if waited_for {
            self.refuse_late();
        }
        if let Some(frame) = shown {
            self.node().show(frame);
        }
        if let (Some(rcvid), Some(channel)) = (asked, self.channel()) {
            channel.withdraw_unblock(rcvid);
        }
        match self.posted_on() {
            None => self.done.wake_all(),
            Some(connection) => connection.ring(),
        }
        if self.exchanges.load(Relaxed) != 0 {
            // Who reads from the client, or writes to it, waits for nothing any more.
            super::exchange::client_gone(self);
        }
        Ok(())
    }

    /// The outcome is decided: who wants something of the sender's thread that it has not begun does not
    /// wait for it, since it may be away for long. What another node has written ahead of its answer belongs to
    /// that. Legal in softirq; no lock may be held.
    #[cold]
    fn refuse_late(&self) {
        let all = {
            let mut inner = self.inner.lock();
            let all = match inner.answered {
                true => KVec::new(),
                false => core::mem::take(&mut inner.requests),
            };
            all.iter().for_each(|request| request.done(&mut inner.load));
            all
        };
        refuse(all);
        // There are few of them.
        let next = || {
            let mut inner = self.inner.lock();
            let late = take_first(&mut inner.requests, |request| !request.is_ahead_of_answer())?;
            late.done(&mut inner.load);
            Some(late)
        };
        while let Some(late) = next() {
            late.refuse(ESRCH);
        }
    }

    /// A thread of the server begins to read from the client on another node, or to write to it.
    pub(super) fn exchange_begins(&self) {
        self.exchanges.fetch_add(1, Relaxed);
    }

    /// It has ended.
    pub(super) fn exchange_ends(&self) {
        self.exchanges.fetch_sub(1, Relaxed);
    }

    /// Whether the outcome is decided.
    pub(crate) fn is_finished(&self) -> bool {
        self.inner.lock().state == State::Finished
    }

    /// A message of this node that was received is copied into the rest of the receiver's buffer, of
    /// which `done` bytes are filled: says how many bytes more. Of a message of another node there
    /// is only what was pushed. The sender's thread copies, which cannot be waited for without end: it
    /// may be stopped. `limit` is the receiver's own, in nanoseconds of the monotonic clock. Process
    /// context.
    ///
    /// Errors: `ESRCH` when the sender is gone, `EFAULT` for its memory and `ESRVRFAULT` (312) for the
    /// receiver's, `ETIMEDOUT` when the sender does not come, `EINTR`, `ENOMEM`.
    pub(crate) fn fill(
        self: &Arc<Self>,
        into: &UserBuf,
        done: usize,
        limit: Option<u64>,
    ) -> Result<usize> {
        let whole = u64::try_from(self.sender.srcmsglen).unwrap_or(0);
        let room = into.len().saturating_sub(done) as u64;
        let rest = clip(done as u64, room, whole);
        if rest == 0 || !self.is_local() {
            return Ok(0);
        }
        let until = now_ns().saturating_add(FILL).min(limit.unwrap_or(u64::MAX));
        super::transfer::pull(self, done as u64, rest, into, done, Some(until))
    }

    /// How many bytes wait with it to be received, if it came from another node.
    pub(super) fn bytes_from_there(&self) -> usize {
        if self.is_local() {
            return 0;
        }
        self.inner
            .lock()
            .payload
            .as_ref()
            .map_or(0, |payload| payload.len())
    }

    /// What came with the send, as long as the outcome is not decided.
    pub(super) fn payload(&self) -> Option<Arc<Payload>> {
        self.inner.lock().payload.clone()
    }

    /// The node that it is counted by.
    pub(crate) fn node(&self) -> &Node {
        &self._counted.node
    }

    /// The client's handle for the send, when the client is on another node.
    pub(super) fn client_handle(&self) -> u32 {
        match self.client {
            Client::Remote { handle, .. } => handle,
            Client::Thread { .. } => 0,
        }
    }

    /// The number under which the message came from another node.
    pub(super) fn seq(&self) -> Option<u32> {
        match self.client {
            Client::Remote { seq, .. } => Some(seq),
            Client::Thread { .. } => None,
        }
    }

    /// Begins a write of so many bytes to a client on another node; not while the client has to
    /// confirm those before.
    pub(super) fn begin_write(&self, nbytes: u64) -> bool {
        self.inner.lock().credit.begin(nbytes).is_ok()
    }

    /// A write that was begun was handed to the session, or has failed.
    pub(super) fn write_sent(&self, nbytes: u64) {
        self.inner.lock().credit.sent(nbytes);
    }

    /// What the client will have confirmed when it answers a probe that is sent now.
    pub(super) fn write_mark(&self) -> u64 {
        self.inner.lock().credit.mark()
    }

    /// The client has answered the probe.
    pub(super) fn writes_confirmed(&self, mark: u64) {
        self.inner.lock().credit.confirmed(mark);
    }

    /// Gives the sender's thread something to do. Legal in softirq; no lock may be held. A request
    /// that is not taken comes back with the error for its asker: `ESRCH` when the outcome is
    /// decided, `EAGAIN` or `ENOBUFS` when the sender has too much to do, `ENOMEM`.
    pub(crate) fn push(&self, request: Request) -> Result<(), (Request, Error)> {
        let pushed = self.inner.lock().push(request);
        pushed?;
        match self.posted_on() {
            None => self.done.wake_all(),
            Some(connection) => connection.serve_soon(),
        }
        Ok(())
    }

    /// No thread waits for the answer. To be said before anybody else knows the message.
    pub(super) fn mark_posted(&self) {
        self.posted.store(1, Relaxed);
    }

    /// The connection whose mailbox waits for the answer, if no thread does.
    fn posted_on(&self) -> Option<&Arc<Connection>> {
        match &self.client {
            Client::Thread { connection, .. } if self.posted.load(Relaxed) != 0 => Some(connection),
            _ => None,
        }
    }

    /// Whether the answer is there, and all that was written ahead of it.
    pub(super) fn is_answered(&self) -> bool {
        let inner = self.inner.lock();
        inner.outcome.is_some() && inner.load.is_idle()
    }

    /// Takes the answer of a message for which no thread waits.
    pub(super) fn take_answer(&self) -> Option<Outcome> {
        let mut inner = self.inner.lock();
        let outcome = inner.outcome.take()?;
        Some(inner.seen_by_sender(outcome, false))
    }

    /// Does what servers ask of the memory of a sender of which no thread waits. Process context, not
    /// by two threads at a time.
    pub(super) fn serve_posted(&self, memory: &Memory<'_>) {
        loop {
            let (requests, finished) = {
                let mut inner = self.inner.lock();
                (
                    core::mem::take(&mut inner.requests),
                    inner.outcome.is_some(),
                )
            };
            if requests.is_empty() {
                return;
            }
            // What finds no room in time is asked for again.
            let until = Some(now_ns().saturating_add(SERVING_SLICE));
            if self.serve(requests, finished, memory, until).is_err() {
                self.inner.lock().fault = true;
            }
        }
    }

    /// The sender leaves without having waited: what was asked of it is refused.
    pub(crate) fn leave(&self) {
        let left = self.inner.lock().abandon();
        if let Some((payload, requests)) = left {
            drop(payload);
            refuse(requests);
        }
    }

    /// Whose thread its rcvid names.
    pub(super) fn whose(&self) -> Whose {
        match &self.client {
            Client::Thread { connection, .. } => Whose::Here(connection.clone()),
            Client::Remote { server, handle, .. } => Whose::There {
                server: server.clone(),
                handle: *handle,
            },
        }
    }

    /// The threads of the connection that it came by.
    pub(super) fn threads(&self) -> &Threads {
        match &self.client {
            Client::Thread { connection, .. } => connection.threads(),
            Client::Remote { server, .. } => server.threads(),
        }
    }

    /// The channel of this node that it is for.
    pub(crate) fn channel(&self) -> Option<&Arc<Channel>> {
        match &self.client {
            Client::Thread { connection, .. } => connection.channel(),
            Client::Remote { server, .. } => Some(&server.channel),
        }
    }

    /// The server has the message as `rcvid`, and got `msglen` bytes of it. If the client has asked
    /// to be let go meanwhile, the server is told now. Process context.
    pub(crate) fn given(&self, rcvid: i32, msglen: usize) {
        let asked = {
            let mut inner = self.inner.lock();
            inner.rcvid = rcvid;
            inner.msglen = msglen;
            inner.leaving.is_some() && inner.state != State::Finished
        };
        if asked {
            self.tell_server();
        }
    }

    /// An event of the server's makes the sender leave as a signal would. Legal in softirq.
    pub(super) fn tell_to_leave(&self) {
        self.inner.lock().told_to_leave = true;
        self.done.wake_all();
    }

    /// How many bytes the server got when it received the message.
    pub(crate) fn msglen(&self) -> usize {
        self.inner.lock().msglen
    }

    /// With which Linux error number, negative, the client wants to leave, if it does.
    pub(crate) fn leaving(&self) -> Option<c_int> {
        self.inner.lock().leaving
    }

    /// The client on another node wants to leave. If the server has the message and wants to know, it
    /// is told, or will be when it has an rcvid, and the client waits for its answer; otherwise this
    /// says `false`, and the message is to be failed. Legal in softirq.
    pub(super) fn ask_server(&self) -> bool {
        let wants_to_know = self
            .channel()
            .is_some_and(|channel| channel.has(uapi::QNET_CHF_UNBLOCK));
        {
            let mut inner = self.inner.lock();
            let asked = inner.leaving.is_some();
            match Cause::Signal.departure(inner.state, wants_to_know, false, asked) {
                // Not told yet, for want of memory.
                Departure::Wait => {}
                Departure::Ask => inner.leaving = Some(EINTR.to_errno()),
                Departure::AtOnce | Departure::AtOnceAndTell => return false,
            }
        }
        self.tell_server()
    }

    /// Sends the server the pulse that says that the client wants to leave, once; says whether there is
    /// a server to wait for. If it has no rcvid yet, [`Self::given`] does it. Without memory it is done
    /// when the client asks again. Legal in softirq; no lock may be held.
    pub(super) fn tell_server(&self) -> bool {
        let Some(channel) = self.channel() else {
            return false;
        };
        let rcvid = {
            let mut inner = self.inner.lock();
            if inner.rcvid == 0 || inner.server_told {
                return true;
            }
            inner.server_told = true;
            inner.rcvid
        };
        let pulse = Pulse::unblock(rcvid, self.scoid(), self.priority());
        if let Err(error) = channel.queue_pulse(pulse, Room::Own) {
            self.node().stats.count(Counter::PulsesLost);
            self.inner.lock().server_told = false;
            return error != ESRCH;
        }
        if self.inner.lock().answered {
            // Who answered in between may have found no pulse to withdraw.
            channel.withdraw_unblock(rcvid);
        }
        true
    }

    /// The sender's thread does not come back: it is gone. `tell` tells a server that wants to know.
    /// Process context.
    pub(super) fn die(&self, tell: &dyn Fn() -> bool) {
        let tells = {
            let mut inner = self.inner.lock();
            let tells = inner.outcome.is_none() && inner.leaving.is_none();
            inner.leaving = inner.leaving.or(Some(EINTR.to_errno()));
            tells
        };
        if tells {
            tell();
        }
        let (payload, requests) = {
            let mut inner = self.inner.lock();
            match inner.abandon() {
                Some(left) => left,
                // What was asked of it before its end was decided is refused all the same.
                None => (None, core::mem::take(&mut inner.requests)),
            }
        };
        drop(payload);
        refuse(requests);
    }

    /// The server's number for the client.
    pub(crate) fn scoid(&self) -> i32 {
        match &self.client {
            Client::Thread { connection, .. } => connection.scoid(),
            Client::Remote { server, .. } => server.scoid,
        }
    }

    /// Blocks the sender until the outcome is there, or the sender leaves because of a signal or its
    /// time-out: then it decides the outcome itself, unless the server has to be asked. Meanwhile
    /// its thread serves what servers ask of its memory. Process context.
    pub(crate) fn wait(&self, timeout: &Timeout, way: &Way<'_>, memory: &Memory<'_>) -> Waited {
        let mut backoff = FIRST_ASK;
        let mut ask_again = None;
        let mut inner = self.inner.lock();
        inner.tell_receive = timeout.states.cares_for_receive();
        loop {
            let asked = inner.leaving.is_some();
            let runs = !asked && timeout.states.runs_in(inner.state, way.remote);
            if runs && inner.deadline.is_none() {
                inner.deadline = Some(timeout.deadline());
            }
            let deadline = if runs { inner.deadline } else { None };
            let until = match asked {
                false => deadline,
                true => Some(*ask_again.get_or_insert_with(|| now_ns().saturating_add(backoff))),
            };
            let woken = if !inner.requests.is_empty() {
                // What is asked without end must not keep a signal, an event or the time out; what
                // was written before the reply is part of it.
                match inner.outcome {
                    Some(_) => Wait::Woken,
                    None if inner.told_to_leave && !asked => Wait::Signal,
                    None => interrupted(until, asked),
                }
            } else if let Some(outcome) = inner.outcome.take() {
                return Waited::Done(inner.seen_by_sender(outcome, way.remote));
            } else if asked && pending_signal() == Signal::Handler {
                // The handler runs when the server has answered; until then nothing can end a sleep
                // that signals end.
                self.done.wait_killable(&mut inner, until)
            } else if inner.told_to_leave && !asked {
                Wait::Signal
            } else {
                self.done.wait(&mut inner, until)
            };
            let cause = match woken {
                Wait::Woken => {
                    let requests = core::mem::take(&mut inner.requests);
                    if !requests.is_empty() {
                        let finished = inner.outcome.is_some();
                        inner.written |= requests.iter().any(Request::writes);
                        drop(inner);
                        let served = self.serve(requests, finished, memory, deadline);
                        inner = self.inner.lock();
                        inner.fault |= served.is_err();
                    }
                    continue;
                }
                Wait::TimedOut if asked => {
                    drop(inner);
                    (way.ask)();
                    backoff = (backoff * 2).min(LAST_ASK);
                    ask_again = None;
                    inner = self.inner.lock();
                    continue;
                }
                // Received at the last moment, and the time does not run any more.
                Wait::TimedOut if !timeout.states.runs_in(inner.state, way.remote) => continue,
                Wait::TimedOut => Cause::TimedOut,
                Wait::Signal if inner.told_to_leave && !asked => Cause::Signal,
                Wait::Signal => match pending_signal() {
                    Signal::Fatal => Cause::Killed,
                    Signal::Handler => Cause::Signal,
                    // It need not come back for what is decided.
                    Signal::Other if inner.outcome.is_some() => continue,
                    Signal::Other => return Waited::Interrupted,
                    Signal::None => continue,
                },
            };
            if inner.outcome.is_some() {
                continue;
            }
            let error = match cause {
                Cause::TimedOut => ETIMEDOUT.to_errno(),
                Cause::Signal | Cause::Killed => EINTR.to_errno(),
            };
            match cause.departure(inner.state, way.wants_to_know, way.remote, asked) {
                Departure::Wait => continue,
                Departure::Ask => {
                    inner.leaving = Some(error);
                    drop(inner);
                    let somebody_answers = (way.ask)();
                    inner = self.inner.lock();
                    if somebody_answers {
                        continue;
                    }
                }
                // While the message lives: what is told of a finished one is taken back.
                Departure::AtOnceAndTell => {
                    inner.leaving = Some(error);
                    drop(inner);
                    (way.ask)();
                    inner = self.inner.lock();
                }
                Departure::AtOnce => {}
            }
            if let Some((payload, requests)) = inner.abandon() {
                drop(inner);
                drop(payload);
                refuse(requests);
                return Waited::Done(Outcome::Abandoned(error));
            }
        }
    }

    /// Does what servers ask of the sender's memory. When the outcome is decided, reads come too
    /// late, but writes were sent before it.
    #[inline(never)]
    fn serve(
        &self,
        requests: KVec<Request>,
        finished: bool,
        memory: &Memory<'_>,
        until: Option<u64>,
    ) -> Result {
        let mut result = Ok(());
        for request in requests {
            if finished && matches!(request, Request::Read { .. }) {
                request.refuse(ESRCH);
            } else {
                result = result.and(request.serve(memory, until));
            }
            request.done(&mut self.inner.lock().load);
        }
        result
    }
}

/// Whether a thread that has something to do is to stop waiting all the same. For one that has asked to
/// be let go a handler is no reason any more.
fn interrupted(until: Option<u64>, asked: bool) -> Wait {
    let ends = match pending_signal() {
        Signal::None => false,
        Signal::Handler => !asked,
        Signal::Other | Signal::Fatal => true,
    };
    if ends {
        Wait::Signal
    } else if until.is_some_and(|until| now_ns() >= until) {
        Wait::TimedOut
    } else {
        Wait::Woken
    }
}

/// The outcome of a send whose reply area had a hole where a server of another node has written.
fn with_fault(outcome: Outcome, fault: bool) -> Outcome {
    match outcome {
        Outcome::Reply { .. } if fault => Outcome::Error(EFAULT.to_errno()),
        outcome => outcome,
    }
}

/// The outcome of a send whose sender has asked another node to let it go: that says EINTR, whatever
/// the cause was.
fn with_cause(outcome: Outcome, leaving: Option<c_int>) -> Outcome {
    match (outcome, leaving) {
        (Outcome::Error(error), Some(cause)) if error == EINTR.to_errno() => Outcome::Error(cause),
        (outcome, _) => outcome,
    }
}

/// Tells who asked that the client is gone. No lock may be held.
fn refuse(requests: KVec<Request>) {
    for request in requests {
        request.refuse(ESRCH);
    }
}
