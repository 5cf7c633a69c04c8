// SPDX-License-Identifier: GPL-2.0

//! A connection that a client on another node has to a channel here, and the answers that go back
//! over it.

use super::{
    channel::Channel,
    process::{
        ClientKey,
        Process, //
    },
    rights::{
        claim_of,
        Claims, //
    },
    transaction::{
        Outcome,
        Transaction, //
    },
    vtids::Threads,
};
use crate::{
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh,
        skb::Context,
        take_first,
        user::UserBuf, //
    },
    node::{
        Draft,
        Node,
        Patience,
        Peer,
        Tag, //
    },
    proto::{
        kif::{
            transaction::Event,
            transfer, //
        },
        wire::{
            errno,
            kif::{
                Connect,
                Message,
                Transfer, //
            },
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

/// The offset by which a MSGERROR says that the message was not queued and may be sent again: no
/// server can have set it, because a MSGERROR carries no data.
pub(crate) const NOT_QUEUED: u32 = u32::MAX;

/// A connection of a client on another node.
#[pin_data]
pub(crate) struct ServerConnection {
    pub(crate) peer: Arc<Peer>,
    /// The session that it was made over; it ends with it.
    session: u32,
    /// The client's node's name for it.
    client_id: u32,
    /// The client's process, by its number there.
    pub(crate) client_pid: i32,
    pub(crate) channel: Arc<Channel>,
    /// The server's number for the client.
    pub(crate) scoid: i32,
    /// Who the client says that it is.
    pub(crate) claims: Arc<Claims>,
    /// The client handles of its messages that are queued, or received and not answered.
    #[pin]
    messages: SpinLockBh<KVec<u32>>,
    /// Whether the client has left.
    left: Atomic<bool>,
    /// The client's threads, by their rcvids.
    #[pin]
    threads: Threads,
    /// Handles of sends that the client wants to leave, and that were not found: they may be on the
    /// way from the queue to a server.
    #[pin]
    asked_for: SpinLockBh<KVec<u32>>,
}

/// How many such handles are remembered.
const MOST_ASKED_FOR: usize = 64;

/// The most connections that clients of one other node may have here.
const MAX_PER_PEER: i32 = 4096;

impl ServerConnection {
    /// A CONNECT came. Softirq. The connection with its server id.
    ///
    /// Errors: `ESRCH` when there is no such process or channel, `EPERM` for a channel to which this
    /// client, or any of another node, may not connect, `EAGAIN`, `ENOMEM`.
    pub(crate) fn connect(
        peer: &Arc<Peer>,
        session: u32,
        connect: &Connect,
    ) -> Result<(u32, Arc<Self>)> {
        let node: &Node = &peer.node;
        if connect.server_pid <= 0 {
            return Err(ESRCH);
        }
        let process =
            Process::by_number(node, connect.server_pid, &node.wire_pids()).ok_or(ESRCH)?;
        let channel = process.channel(connect.server_chid).ok_or(ESRCH)?;
        let claim = claim_of(node, connect.credentials.as_ref());
        let closed = channel.is_private() || (node.options.only_marked() && !channel.is_marked());
        if closed || !channel.door.admits(node, &claim) {
            node.stats.count(Counter::ConnectRefused);
            return Err(EPERM);
        }
        let key = ClientKey::There {
            nd: peer.nd,
            pid: connect.client_pid,
        };
        let scoid = process.attach_client(&key, &channel)?;
        let (server_id, server) = process
            .claimed(scoid, claim)
            .and_then(|claims| Self::enter(peer, session, connect, &channel, (scoid, claims)))
            .inspect_err(|_| process.detach_client(scoid, &channel))?;
        // Who ended the channel or the session in between may have searched the table before the
        // connection was in it.
        let error = if server.channel.is_destroyed() {
            ESRCH
        } else if peer.connection() != session {
            EHOSTDOWN
        } else {
            return Ok((server_id, server));
        };
        let ours = node.ipc.servers.lock().remove(server_id);
        if let Some(server) = ours {
            server.left();
        }
        Err(error)
    }

    fn enter(
        peer: &Arc<Peer>,
        session: u32,
        connect: &Connect,
        channel: &Arc<Channel>,
        (scoid, claims): (i32, Arc<Claims>),
    ) -> Result<(u32, Arc<Self>)> {
        let node: &Node = &peer.node;
        let server = Arc::pin_init(
            try_pin_init!(Self {
                peer: peer.clone(),
                session,
                client_id: connect.client_id,
                client_pid: connect.client_pid,
                channel: channel.clone(),
                scoid,
                claims,
                messages <- new_spinlock_bh!(KVec::new()),
                left: Atomic::new(false),
                threads <- Threads::new(),
                asked_for <- new_spinlock_bh!(KVec::new()),
            }),
            GFP_ATOMIC,
        )?;
        if !server.peer.admit_client(MAX_PER_PEER) {
            node.stats.count(Counter::DropLimit);
            return Err(EAGAIN);
        }
        let entered = node.ipc.servers.lock().insert(server.clone());
        let server_id = entered.inspect_err(|_| server.peer.dismiss_client())?;
        node.stats.enter(Gauge::NetServer);
        Ok((server_id, server))
    }

    /// A message of the client came. Legal in softirq.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn message_came(&self, handle: u32) -> Result {
        self.messages
            .lock()
            .push(handle, GFP_ATOMIC | __GFP_NOWARN)?;
        Ok(())
    }

    /// A message of the client is no more.
    pub(super) fn message_gone(&self, handle: u32) {
        // A number has nothing that is dropped.
        let _ = take_first(&mut self.messages.lock(), |other| *other == handle);
    }

    /// Whether the message with that handle is queued, or received and not answered.
    pub(super) fn has_message(&self, handle: u32) -> bool {
        self.messages.lock().contains(&handle)
    }

    /// Whether it came over that session with that peer.
    pub(crate) fn is_of(&self, peer: &Arc<Peer>, session: u32) -> bool {
        self.session == session && Arc::ptr_eq(&self.peer, peer)
    }

    /// What goes with every connection that leaves the table.
    fn left(&self) {
        self.left.store(true, Relaxed);
        let process = &self.channel.process;
        process.detach_client(self.scoid, &self.channel);
        process.forget_threads_of(&self.threads);
        self.peer.dismiss_client();
        self.peer.node.stats.leave(Gauge::NetServer);
    }

    /// The client is gone: it has detached, or its node is lost. Its messages are nobody's. It has
    /// been taken out of the table.
    pub(crate) fn ended(self: &Arc<Self>) {
        self.forget_messages();
        self.left();
    }

    /// Takes the client's messages out of the queue, and their rcvids out of the server's table.
    fn forget_messages(self: &Arc<Self>) {
        // Most clients have none, and the search goes through all that the server has. A client that
        // has many must not be searched for each of them, when it is taken out.
        let messages = core::mem::take(&mut *self.messages.lock());
        if !messages.is_empty() {
            self.forget_queued();
        }
    }

    /// The same for a message that was put into the queue when the others may have been forgotten, and
    /// their list with them.
    pub(super) fn forget_queued(self: &Arc<Self>) {
        self.channel.fail_if(
            |transaction| transaction.came_by(self),
            Event::Abandon,
            ESRCH,
        );
    }

    /// Whether the client has left.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// The client's threads.
    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The client wants to leave its send `handle`, which was not found.
    pub(super) fn ask_for(&self, handle: u32) {
        let mut handles = self.asked_for.lock();
        if handles.len() >= MOST_ASKED_FOR {
            // The oldest is of a send that was answered long ago.
            let _ = handles.remove(0);
        }
        // Without memory the client waits for its answer.
        let _ = handles.push(handle, GFP_ATOMIC);
    }

    /// Whether the client wants to leave that send; it is told once.
    pub(super) fn was_asked_for(&self, handle: u32) -> bool {
        take_first(&mut self.asked_for.lock(), |other| *other == handle).is_some()
    }

    /// Whether the session that the connection was made over has ended.
    pub(super) fn is_cut_off(&self) -> bool {
        self.peer.connection() != self.session
    }

    /// Ends the session that the connection was made over.
    pub(super) fn close_session(&self) {
        self.peer.close_session(self.session);
    }

    /// Waits a while until an answer can be queued for the client's node: a node that is slow must
    /// not hold a server up for long. Process context.
    ///
    /// Errors: `ESRCH` when that node is lost, `EINTR`.
    pub(super) fn wait_for_room(&self) -> Result {
        match self.peer.wait_with(self.session, Patience::begin()) {
            Err(EHOSTDOWN) => Err(ESRCH),
            Err(ETIMEDOUT) => Ok(()),
            result => result,
        }
    }

    /// The session that the connection was made over.
    pub(super) fn session(&self) -> u32 {
        self.session
    }

    /// How many bytes one MSGREPLY may have.
    pub(super) fn reply_limit(&self) -> usize {
        let fixed = Message::MsgReply(Transfer::default()).fixed_len();
        transfer::piece(self.peer.payload_limit(), fixed)
    }

    /// Makes the MSGREPLY with the bytes of `data` from `offset` to `length`. Process context.
    ///
    /// Errors: `EMSGSIZE` when it does not fit a packet, `EOVERFLOW` for a status of more than 32
    /// bits, `EFAULT`, `ENOMEM`.
    pub(crate) fn reply(
        &self,
        transaction: &Transaction,
        status: i64,
        data: &UserBuf,
        offset: usize,
        length: usize,
    ) -> Result<Draft> {
        let nbytes = length.saturating_sub(offset);
        let message = Message::MsgReply(Transfer {
            status: i32::try_from(status).map_err(|_| EOVERFLOW)?,
            handle: transaction.client_handle(),
            offset: u32::try_from(offset).map_err(|_| EMSGSIZE)?,
            nbytes: u32::try_from(nbytes).map_err(|_| EMSGSIZE)?,
        });
        if message.fixed_len() + nbytes > self.peer.payload_limit() {
            return Err(EMSGSIZE);
        }
        let draft = self.peer.draft(&message, data, offset, nbytes)?;
        Ok(draft)
    }

    /// Sends a message that concerns a blocked client, once there is room. `answers` is the number of
    /// the client's message that it acknowledges. Process context.
    ///
    /// Errors: `ESRCH` when the client's node is lost, `EINTR`, `ETIMEDOUT` after `deadline`,
    /// `ENOBUFS`, `ENOMEM`.
    pub(super) fn send(&self, draft: Draft, answers: Option<u32>, deadline: Option<u64>) -> Result {
        self.peer
            .wait_for_room(self.session, deadline)
            .and_then(|()| self.peer.send(self.session, draft, Tag::None, answers))
            .map_err(|error| if error == EHOSTDOWN { ESRCH } else { error })
    }

    /// Makes the MSGERROR with the Linux error number `error`. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn error(&self, transaction: &Transaction, error: c_int) -> Result<Draft> {
        let handle = transaction.client_handle();
        error_draft(&self.peer.node, handle, error, 0, Context::Sleep)
    }

    /// Finishes the transaction and sends the answer. Process context.
    ///
    /// Errors: `ESRCH` when it was finished before or the client's node is lost; `ENOBUFS` and
    /// `ENOMEM` when the answer could not be queued, which ends the session.
    pub(crate) fn send_answer(&self, transaction: &Transaction, draft: Draft) -> Result {
        transaction
            .finish(Event::Answer, Outcome::done())
            .map_err(|_| ESRCH)?;
        match self
            .peer
            .send(self.session, draft, Tag::None, transaction.seq())
        {
            // The client's node is lost, and its client knows that from the session's end.
            Err(error) if error == EHOSTDOWN => Err(ESRCH),
            Err(error) => {
                // The answer is lost, so the client must learn it from the session's end.
                self.close_session();
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Makes a MSGERROR.
pub(crate) fn error_draft(
    node: &Node,
    handle: u32,
    error: c_int,
    offset: u32,
    context: Context,
) -> Result<Draft> {
    let message = Message::MsgError(Transfer {
        status: errno::to_wire(error),
        handle,
        offset,
        nbytes: 0,
    });
    Draft::new(node, &message, 0, context)
}

/// A channel was destroyed: the nodes of its clients are told. Process context; no lock is held.
pub(super) fn channel_gone(channel: &Arc<Channel>, until: Patience) {
    let node = &channel.process.node;
    let mut place = 0;
    loop {
        let next = node
            .ipc
            .servers
            .lock()
            .remove_from(&mut place, |server| Arc::ptr_eq(&server.channel, channel));
        let Some(server) = next else {
            return;
        };
        server.left();
        let message = Message::ConnectDeath {
            client_id: server.client_id,
        };
        server.peer.farewell(server.session, &message, until);
    }
}
