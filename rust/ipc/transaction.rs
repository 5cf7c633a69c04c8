// SPDX-License-Identifier: GPL-2.0

//! A transaction: one message, from the send to the reply.
//!
//! It is finished once, by whoever comes first; `proto::kif::transaction` says who may, under the
//! transaction's lock.

use super::{
    channel::Channel,
    connection::Connection,
    server::ServerConnection, //
};
use crate::{
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::Pid,
        skb::RxSkb,
        timer::now_ns,
        user::UserBuf,
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    node::{
        Charge,
        Node,
        Peer, //
    },
    proto::kif::transaction::{
        Event,
        State,
        TimeoutStates,
        TooLate, //
    },
    stats::Gauge, //
};
use kernel::{
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

    /// Copies as many bytes as there is room for into a program's memory. May sleep.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn copy_to(&self, buffer: &UserBuf) -> Result<usize> {
        match self {
            Payload::Copied(bytes) => buffer.write(bytes),
            Payload::Frame { skb, offset, .. } => {
                let length = self.len().min(buffer.len());
                buffer.write_skb(skb, *offset, length)
            }
        }
    }
}

/// The greatest error number that a server may pass to its client: beyond it the kernel has numbers
/// that restart a system call, which would send the message again.
pub(crate) const MAX_ERRNO: c_int = 511;

/// How a transaction ended.
pub(crate) enum Outcome {
    /// The server replied.
    Reply {
        /// What MsgSend returns.
        status: i64,
        /// The reply's data.
        data: Payload,
    },
    /// The send fails with this Linux error number, negative.
    Error(c_int),
    /// The sender itself gave up, with this Linux error number, negative.
    Abandoned(c_int),
    /// The server's node had no room for the message, and the sender should try again.
    Busy,
}

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
}

/// What changes, under the transaction's lock.
struct Inner {
    state: State,
    payload: Option<Payload>,
    outcome: Option<Outcome>,
    /// Whether the sender wants to be woken when the message is received.
    tell_receive: bool,
}

/// One message, from the send to the reply.
#[pin_data]
pub(crate) struct Transaction {
    _counted: Counted,
    pub(crate) client: Client,
    pub(crate) sender: Sender,
    /// The local connection id of the session that an outgoing message takes; 0: it stays on this
    /// node, or has not left.
    session: Atomic<u32>,
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
    /// The connection of a client on another node, which counts its messages.
    server: Option<Arc<ServerConnection>>,
}

impl Counted {
    fn new(node: &Arc<Node>, gauge: Gauge, client: &Client) -> Self {
        let server = match client {
            Client::Thread { .. } => None,
            Client::Remote { server, .. } => Some(server.clone()),
        };
        node.stats.enter(gauge);
        if let Some(server) = &server {
            server.message_came();
        }
        Self {
            node: node.clone(),
            gauge,
            server,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.node.stats.leave(self.gauge);
        if let Some(server) = &self.server {
            server.message_gone();
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
        let counted = Counted::new(node, gauge, &client);
        Arc::pin_init(
            try_pin_init!(Self {
                _counted: counted,
                client,
                sender,
                session: Atomic::new(0),
                inner <- new_spinlock_bh!(Inner {
                    state: State::Sent,
                    payload,
                    outcome: None,
                    tell_receive: false,
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

    /// The message has been given to a server. Its sender may have detached while it was in neither
    /// queue nor table, where who detached it searched.
    pub(crate) fn check_sender(&self) {
        if let Client::Thread { connection, .. } = &self.client {
            if connection.is_dead() {
                // If the outcome is decided already, the sender has it.
                let _ = self.finish(Event::Abandon, Outcome::Error(EBADF.to_errno()));
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
    pub(crate) fn receive(&self) -> Result<Payload, TooLate> {
        let (payload, tell) = {
            let mut inner = self.inner.lock();
            inner.state = inner.state.step(Event::Receive)?;
            (inner.payload.take().ok_or(TooLate)?, inner.tell_receive)
        };
        if tell {
            self.done.wake_all();
        }
        Ok(payload)
    }

    /// Decides the outcome, if nobody has yet, and wakes the sender if it is a thread of this node.
    /// Legal in softirq.
    pub(crate) fn finish(&self, event: Event, outcome: Outcome) -> Result<(), TooLate> {
        let payload = {
            let mut inner = self.inner.lock();
            inner.state = inner.state.step(event)?;
            inner.outcome = Some(outcome);
            inner.payload.take()
        };
        drop(payload);
        self.done.wake_all();
        Ok(())
    }

    /// Whether the outcome is decided.
    pub(crate) fn is_finished(&self) -> bool {
        self.inner.lock().state == State::Finished
    }

    /// Blocks the sender until the outcome is there, it is signalled, or its time is over; the
    /// last two decide the outcome themselves. Process context.
    pub(crate) fn wait(&self, timeout: &Timeout, remote: bool) -> Outcome {
        let mut deadline = None;
        let mut inner = self.inner.lock();
        inner.tell_receive = timeout.states.cares_for_receive();
        loop {
            if let Some(outcome) = inner.outcome.take() {
                return outcome;
            }
            let runs = timeout.states.runs_in(inner.state, remote);
            if runs && deadline.is_none() {
                deadline = Some(timeout.deadline());
            }
            let until = if runs { deadline } else { None };
            let error = match self.done.wait(&mut inner, until) {
                Wait::Woken => continue,
                // Received at the last moment, and the time does not run any more.
                Wait::TimedOut if !timeout.states.runs_in(inner.state, remote) => continue,
                Wait::TimedOut => ETIMEDOUT,
                Wait::Signal => EINTR,
            };
            if inner.outcome.is_none() && inner.state.step(Event::Abandon).is_ok() {
                inner.state = State::Finished;
                let payload = inner.payload.take();
                drop(inner);
                drop(payload);
                return Outcome::Abandoned(error.to_errno());
            }
        }
    }
}
