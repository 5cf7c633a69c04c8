// SPDX-License-Identifier: GPL-2.0

//! A process as message passing knows it: its channels, what it has received, its clients.
//!
//! rcvids, chids and scoids are numbers of the process and not of a socket, which is why they lie
//! here. A process is known as long as it has a socket of the family.

use super::{
    channel::Channel,
    handles::Handles,
    priority::Lent,
    rights::{
        Claim,
        Claims, //
    },
    server::ServerConnection,
    transaction::{
        Client as Sending,
        Outcome,
        Payload,
        Timeout,
        Transaction, //
    },
    transfer,
    users::{
        self,
        Thing, //
    },
};
use crate::{
    knet::{
        atomic_account,
        death::{
            impl_death_watch,
            DeathWatch,
            DeathWatcher, //
        },
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::{
            Pid,
            PidNs, //
        },
        user::UserBuf, //
    },
    node::{
        Node,
        Patience, //
    },
    proto::kif::{
        transaction::Event,
        transfer::{
            ahead_of_reply,
            MAX_DATA, //
        },
    },
    stats::Gauge,
    uapi, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The most messages that a process has received and not answered.
const MAX_RECEIVED: usize = 65536;
/// The most client processes of a process.
const MAX_CLIENTS: usize = 4096;
/// How many of them may be of other nodes: those must not keep the programs of this one out.
const MAX_REMOTE_CLIENTS: usize = 2048;
/// The most channels of a process.
const MAX_CHANNELS: usize = 4096;
/// scoids are reported with this bit, as on Neutrino.
const SCOID: i32 = 0x4000_0000;

/// A process in the node's table.
pub(crate) struct Entry {
    process: Arc<Process>,
    /// Its sockets: the process is known as long as there is one.
    sockets: usize,
}

/// A client process of one of the channels, by which it is the same client for all of them.
#[derive(Clone)]
pub(crate) enum ClientKey {
    /// A process of this node.
    Here(Pid),
    /// Process `pid` of the node `nd`.
    There {
        /// The node.
        nd: u16,
        /// The process, by its number there.
        pid: i32,
    },
}

impl PartialEq for ClientKey {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Here(one), Self::Here(two)) => one.same(two),
            (Self::There { nd, pid }, Self::There { nd: nd2, pid: pid2 }) => {
                nd == nd2 && pid == pid2
            }
            _ => false,
        }
    }
}

/// A client process of this one.
struct Client {
    key: ClientKey,
    scoid: i32,
    connections: usize,
    /// Who it says that it is, if it is of another node.
    claims: Option<Arc<Claims>>,
}

/// What changes, under the process's lock.
struct Inner {
    channels: KVec<Arc<Channel>>,
    last_chid: i32,
    received: Handles<Arc<Transaction>>,
    clients: KVec<Client>,
    last_scoid: i32,
}

/// A process.
#[pin_data]
pub(crate) struct Process {
    pub(crate) node: Arc<Node>,
    pub(crate) pid: Pid,
    /// Runs while the process has a socket.
    #[pin]
    watch: DeathWatch,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// The priorities that its threads have from their clients.
    #[pin]
    pub(crate) lent: Lent,
}

impl_death_watch! { impl DeathWatch for Process { self.watch } }

impl DeathWatcher for Process {
    /// Destroys the channels: a child may have inherited their sockets, but not the channels.
    fn died(self: &Arc<Self>) {
        let channels = core::mem::take(&mut self.inner.lock().channels);
        let until = Patience::begin();
        for channel in channels {
            channel.destroy(until);
        }
    }
}

impl Process {
    /// The calling process, entered into the node's table for one socket more. Process context.
    pub(crate) fn enter(node: &Arc<Node>) -> Result<Arc<Self>> {
        let fresh = Arc::pin_init(
            try_pin_init!(Self {
                node: node.clone(),
                pid: Pid::of_caller(),
                watch <- DeathWatch::new(),
                inner <- new_spinlock_bh!(Inner {
                    channels: KVec::new(),
                    last_chid: 0,
                    received: Handles::new(MAX_RECEIVED),
                    clients: KVec::new(),
                    last_scoid: 0,
                }),
                lent <- Lent::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let mut processes = node.ipc.processes.lock();
        let known = processes
            .iter_mut()
            .find(|entry| entry.process.pid.is_caller());
        if let Some(entry) = known {
            entry.sockets += 1;
            let process = entry.process.clone();
            drop(processes);
            return Ok(process);
        }
        let entry = Entry {
            process: fresh.clone(),
            sockets: 1,
        };
        processes.push(entry, atomic_account())?;
        drop(processes);
        // The socket that is being made keeps the process in the table meanwhile.
        DeathWatch::start(&fresh, &fresh.pid).inspect_err(|_| fresh.leave())?;
        Ok(fresh)
    }

    /// One socket less. Process context.
    pub(crate) fn leave(self: &Arc<Self>) {
        let gone = {
            let mut processes = self.node.ipc.processes.lock();
            let place = processes
                .iter()
                .position(|entry| Arc::ptr_eq(&entry.process, self));
            place.and_then(|place| {
                let entry = processes.get_mut(place)?;
                entry.sockets -= 1;
                if entry.sockets == 0 {
                    processes.remove(place).ok()
                } else {
                    None
                }
            })
        };
        if gone.is_some() {
            self.watch.stop();
        }
    }

    fn find(node: &Node, wanted: impl Fn(&Process) -> bool) -> Option<Arc<Self>> {
        let processes = node.ipc.processes.lock();
        let entry = processes.iter().find(|entry| wanted(&entry.process))?;
        Some(entry.process.clone())
    }

    /// The calling process.
    ///
    /// Errors: `ESRCH` when it has no socket here.
    pub(crate) fn of_caller(node: &Node) -> Result<Arc<Self>> {
        Self::find(node, |process| process.pid.is_caller()).ok_or(ESRCH)
    }

    /// The process with this id.
    pub(crate) fn of(node: &Node, pid: &Pid) -> Option<Arc<Self>> {
        Self::find(node, |process| process.pid.same(pid))
    }

    /// The process with this number in the pid namespace `pids`.
    pub(crate) fn by_number(node: &Node, number: i32, pids: &PidNs) -> Option<Arc<Self>> {
        Self::find(node, |process| {
            process.pid.nr_in(pids) == number && process.pid.alive()
        })
    }

    /// Makes a channel. Process context.
    ///
    /// Errors: `EAGAIN` when the process or its user has too many, `ENOMEM`.
    pub(crate) fn create_channel(self: &Arc<Self>, flags: u32) -> Result<Arc<Channel>> {
        let charged = users::charge(&self.node, Thing::Channel)?;
        let chid = {
            let mut inner = self.inner.lock();
            if inner.channels.len() >= MAX_CHANNELS {
                return Err(EAGAIN);
            }
            loop {
                inner.last_chid = inner.last_chid.checked_add(1).unwrap_or(1);
                let chid = inner.last_chid;
                if !inner.channels.iter().any(|channel| channel.chid == chid) {
                    break chid;
                }
            }
        };
        let channel = Channel::new(self, chid, flags, charged)?;
        self.inner
            .lock()
            .channels
            .push(channel.clone(), atomic_account())?;
        self.node.stats.enter(Gauge::Channels);
        Ok(channel)
    }

    /// The channel `chid`.
    pub(crate) fn channel(&self, chid: i32) -> Option<Arc<Channel>> {
        let inner = self.inner.lock();
        inner
            .channels
            .iter()
            .find(|channel| channel.chid == chid)
            .cloned()
    }

    pub(super) fn remove_channel(&self, channel: &Arc<Channel>) {
        let removed = {
            let mut inner = self.inner.lock();
            let place = inner
                .channels
                .iter()
                .position(|other| Arc::ptr_eq(other, channel));
            place.and_then(|place| inner.channels.remove(place).ok())
        };
        drop(removed);
    }

    /// One connection more of a client: its scoid.
    ///
    /// Errors: `ENOMEM`, `EAGAIN` when the numbers are used up.
    pub(crate) fn attach_client(&self, key: &ClientKey) -> Result<i32> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if let Some(client) = inner.clients.iter_mut().find(|client| client.key == *key) {
            client.connections += 1;
            return Ok(client.scoid);
        }
        let is_remote = |client: &&Client| matches!(client.key, ClientKey::There { .. });
        let full = match key {
            ClientKey::Here(_) => inner.clients.len() >= MAX_CLIENTS,
            ClientKey::There { .. } => {
                inner.clients.iter().filter(is_remote).count() >= MAX_REMOTE_CLIENTS
            }
        };
        if full {
            return Err(EAGAIN);
        }
        loop {
            inner.last_scoid = (inner.last_scoid + 1) % SCOID;
            let scoid = SCOID | inner.last_scoid;
            if inner.last_scoid != 0 && !inner.clients.iter().any(|client| client.scoid == scoid) {
                break;
            }
        }
        let client = Client {
            key: key.clone(),
            scoid: SCOID | inner.last_scoid,
            connections: 1,
            claims: None,
        };
        let scoid = client.scoid;
        inner.clients.push(client, atomic_account())?;
        Ok(scoid)
    }

    /// The client `scoid`, which is of another node, says that it is `claim`.
    ///
    /// Errors: `ENOMEM`; `EINVAL` when there is no such client.
    pub(super) fn claimed(&self, scoid: i32, claim: Claim) -> Result<Arc<Claims>> {
        let fresh = Claims::new(claim)?;
        let claims = {
            let mut inner = self.inner.lock();
            let client = inner.clients.iter_mut().find(|client| client.scoid == scoid);
            client
                .ok_or(EINVAL)?
                .claims
                .get_or_insert_with(|| fresh.clone())
                .clone()
        };
        claims.replace(claim);
        Ok(claims)
    }

    /// Who the client `scoid` is, and what it says that it is, if it is of another node.
    ///
    /// Errors: `EINVAL` when there is no such client.
    pub(crate) fn client(&self, scoid: i32) -> Result<(ClientKey, Option<Arc<Claims>>)> {
        let inner = self.inner.lock();
        let client = inner.clients.iter().find(|client| client.scoid == scoid);
        let client = client.ok_or(EINVAL)?;
        Ok((client.key.clone(), client.claims.clone()))
    }

    /// One connection less of a client.
    pub(crate) fn detach_client(&self, scoid: i32) {
        let gone = {
            let mut inner = self.inner.lock();
            let place = inner
                .clients
                .iter()
                .position(|client| client.scoid == scoid);
            place.and_then(|place| {
                let client = inner.clients.get_mut(place)?;
                client.connections -= 1;
                if client.connections == 0 {
                    inner.clients.remove(place).ok()
                } else {
                    None
                }
            })
        };
        drop(gone);
    }

    /// Gives a received message its rcvid.
    ///
    /// Errors: `EAGAIN` when the process has too many unanswered ones, `ENOMEM`.
    pub(crate) fn received(&self, transaction: Arc<Transaction>) -> Result<i32> {
        let rcvid = self.inner.lock().received.insert(transaction)?;
        i32::try_from(rcvid).map_err(|_| EAGAIN)
    }

    fn transaction(&self, rcvid: i32) -> Result<Arc<Transaction>> {
        let rcvid = u32::try_from(rcvid).map_err(|_| ESRCH)?;
        self.inner.lock().received.get(rcvid).cloned().ok_or(ESRCH)
    }

    /// Takes a received message out of the table: who gets it answers it.
    fn take(&self, rcvid: i32) -> Result<Arc<Transaction>> {
        let rcvid = u32::try_from(rcvid).map_err(|_| ESRCH)?;
        self.inner.lock().received.remove(rcvid).ok_or(ESRCH)
    }

    /// Takes a rcvid back that its server was never told, and fails the message with the Linux error
    /// number `error`.
    pub(crate) fn withdraw(&self, rcvid: i32, error: c_int) {
        if let Ok(transaction) = self.take(rcvid) {
            // If it was answered or given up already, its sender knows.
            let _ = transaction.fail(error);
        }
    }

    /// The message `rcvid`, whose client must not be gone.
    ///
    /// Errors: `ESRCH`.
    pub(crate) fn blocked(&self, rcvid: i32) -> Result<Arc<Transaction>> {
        let transaction = self.transaction(rcvid)?;
        if transaction.is_finished() {
            // The client has gone: its rcvid is of no more use.
            drop(self.take(rcvid));
            return Err(ESRCH);
        }
        Ok(transaction)
    }

    /// MsgRead: copies the message's bytes from `offset` on, and says how many there were. Process
    /// context.
    ///
    /// Errors: `ESRCH` when nobody waits under that rcvid, `EFAULT` for the client's memory and
    /// `ESRVRFAULT` (312) for the caller's, `EINTR`, `ETIMEDOUT`, `ENOMEM`.
    pub(crate) fn read(
        &self,
        rcvid: i32,
        offset: u64,
        into: &UserBuf,
        timeout: &Timeout,
    ) -> Result<usize> {
        let transaction = self.blocked(rcvid)?;
        transfer::read(&transaction, offset, into, timeout.in_transfer())
    }

    /// MsgWrite: copies bytes into the client's reply area, from `offset` on, and says for how many
    /// it has room. Process context.
    ///
    /// Errors: as [`Self::read`].
    pub(crate) fn write(
        &self,
        rcvid: i32,
        offset: u64,
        from: &UserBuf,
        timeout: &Timeout,
    ) -> Result<usize> {
        let transaction = self.blocked(rcvid)?;
        transfer::write(&transaction, offset, from, timeout.in_transfer())
    }

    /// MsgReply. Process context. A reply longer than one piece is written ahead, except its last
    /// piece.
    ///
    /// Errors: `ESRCH` when nobody waits under that rcvid; `ESRVRFAULT` (312) when the reply cannot
    /// be read, which the client is told too; after others the client goes on waiting: `EINTR`,
    /// `EFAULT` for the memory of a client on this node, and what the way to another node gives.
    pub(crate) fn reply(&self, rcvid: i32, status: i64, data: &UserBuf) -> Result {
        let transaction = self.blocked(rcvid)?;
        let length = clip(data.len(), transaction.sender.dstmsglen);
        let replied = match &transaction.client {
            Sending::Thread { .. } => self.reply_here(&transaction, rcvid, status, data, length),
            Sending::Remote { server, .. } => {
                self.reply_there(server, &transaction, rcvid, status, data, length)
            }
        };
        if replied.is_err_and(|error| error == srvrfault()) {
            self.error(rcvid, uapi::QNET_ESRVRFAULT)?;
        }
        replied
    }

    fn reply_here(
        &self,
        transaction: &Arc<Transaction>,
        rcvid: i32,
        status: i64,
        data: &UserBuf,
        length: usize,
    ) -> Result {
        let ahead = ahead(transaction, data, length, MAX_DATA)?;
        let bytes = data
            .read_piece(ahead, length - ahead)
            .map_err(transfer::own_fault)?;
        let outcome = Outcome::Reply {
            status,
            data: Payload::Copied(bytes),
            offset: ahead as u64,
        };
        self.take(rcvid)?
            .finish(Event::Answer, outcome)
            .map_err(|_| ESRCH)
    }

    fn reply_there(
        &self,
        server: &ServerConnection,
        transaction: &Arc<Transaction>,
        rcvid: i32,
        status: i64,
        data: &UserBuf,
        length: usize,
    ) -> Result {
        let ahead = ahead(transaction, data, length, server.reply_limit())?;
        let draft = server
            .reply(transaction, status, data, ahead, length)
            .map_err(transfer::own_fault)?;
        server.wait_for_room()?;
        server.send_answer(&*self.take(rcvid)?, draft)
    }

    /// MsgError: the client's send fails with the Linux error number `error`, or succeeds if that
    /// is 0. Process context.
    ///
    /// Errors: `ESRCH` when nobody waits under that rcvid, what the way to another node gives.
    pub(crate) fn error(&self, rcvid: i32, error: c_int) -> Result {
        let transaction = self.transaction(rcvid)?;
        match &transaction.client {
            Sending::Thread { .. } => {
                let transaction = self.take(rcvid)?;
                let outcome = match error {
                    0 => Outcome::done(),
                    error => Outcome::Error(-error),
                };
                transaction
                    .finish(Event::Answer, outcome)
                    .map_err(|_| ESRCH)
            }
            Sending::Remote { server, .. } => {
                let draft = server.error(&transaction, error)?;
                server.wait_for_room()?;
                let transaction = self.take(rcvid)?;
                server.send_answer(&transaction, draft)
            }
        }
    }

    /// Fails the messages received by `channel` that `wanted` holds for.
    pub(super) fn fail_received(
        &self,
        channel: &Channel,
        wanted: impl Fn(&Transaction) -> bool,
        event: Event,
        error: Error,
    ) {
        let mut place = 0;
        loop {
            let next = self
                .inner
                .lock()
                .received
                .remove_from(&mut place, |transaction| {
                    transaction.is_for(channel) && wanted(transaction)
                });
            let Some(transaction) = next else {
                return;
            };
            // Who finished it before has told its sender.
            let _ = transaction.finish(event, Outcome::Error(error.to_errno()));
        }
    }
}

/// The bytes of a reply that the client has room for.
fn clip(length: usize, room: i64) -> usize {
    length.min(usize::try_from(room).unwrap_or(0))
}

/// Writes the part of a reply of `length` bytes that goes ahead of it, when the reply itself can
/// have `piece` bytes, and says how long it is.
fn ahead(
    transaction: &Arc<Transaction>,
    data: &UserBuf,
    length: usize,
    piece: usize,
) -> Result<usize> {
    let ahead = ahead_of_reply(length as u64, piece as u64);
    if ahead != 0 {
        transfer::put(transaction, 0, data, ahead, None)?;
    }
    usize::try_from(ahead).map_err(|_| EINVAL)
}

/// Neutrino's error for a server whose buffer is not there.
pub(crate) fn srvrfault() -> Error {
    Error::from_errno(-uapi::QNET_ESRVRFAULT)
}
