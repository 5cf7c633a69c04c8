// SPDX-License-Identifier: GPL-2.0

//! A process as message passing knows it: its channels, what it has received, its clients.
//!
//! rcvids, chids and scoids are numbers of the process and not of a socket, which is why they lie
//! here. A process is known as long as it has a socket of the family, or a connection: a child that
//! connects a socket which it was born with has made none.

use super::{
    channel::Channel,
    connection::Connection,
    priority::Lent,
    pulse::{
        self,
        Pulse, //
    },
    rights::{
        Claim,
        Claims, //
    },
    seen::Seen,
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
    vtids::{
        Evicted,
        Threads,
        Vtids, //
    }, //
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
            self,
            Pid,
            PidNs, //
        },
        sock::Bell,
        take_first, trace,
        user::UserBuf,
        wait::{
            pending_signal,
            Signal, //
        },
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

/// The most messages that a process has received and not answered.
const MAX_RECEIVED: usize = 65536;
/// The most client processes of a process.
const MAX_CLIENTS: usize = 4096;
/// How many of them may be of other nodes: those must not keep the programs of this one out.
const MAX_REMOTE_CLIENTS: usize = 2048;
/// The most channels of a process.
const MAX_CHANNELS: usize = 4096;
/// scoids have this bit, as on Neutrino, and one more, by which they are not the coid of a side
/// channel: that has the number of a file descriptor in the rest.
pub(crate) const SCOID: i32 = 0x6000_0000;
/// Bits of a scoid that count.
const SCOID_MASK: i32 = 0x1fff_ffff;

/// Flags that one channel of a process can have.
const ONE_PER_PROCESS: u32 = uapi::QNET_CHF_THREAD_DEATH | uapi::QNET_CHF_COID_DISCONNECT;

/// A process in the node's table.
pub(crate) struct Entry {
    process: Arc<Process>,
    /// Its sockets and connections: the process is known as long as there is one.
    uses: usize,
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
    known: Option<Known>,
    /// How many connections it has to which channel.
    connections: KVec<(i32, usize)>,
    /// Whether the server was told that it has left: its scoid is the server's to give back.
    gone: bool,
}

/// Who a client is.
#[derive(Clone)]
pub(crate) enum Known {
    /// Of this node: as it was seen.
    Here(Arc<Seen>),
    /// Of another node: as that says.
    There(Arc<Claims>),
}

/// What a connection's end means for its client.
enum Left {
    /// It has others to the same channel.
    Nothing,
    /// None to this channel.
    Channel,
}

/// Whose thread a rcvid names.
#[derive(Clone)]
pub(crate) enum Whose {
    /// A process of this node.
    Here(Arc<Connection>),
    /// A process of another node, whose node knows the thread by `handle`.
    There {
        /// The client's connection.
        server: Arc<ServerConnection>,
        /// The handle of the thread's last message.
        handle: u32,
    },
}

/// What changes, under the process's lock.
struct Inner {
    channels: KVec<Arc<Channel>>,
    last_chid: i32,
    received: Vtids<Whose>,
    clients: KVec<Client>,
    last_scoid: i32,
    /// The connections that the process has made, or inherited.
    connections: KVec<Arc<Connection>>,
    /// Threads of the process whose end is to be told.
    threads: KVec<Arc<ThreadWatch>>,
}

/// A watch on one thread of a process that wants to know of its end.
#[pin_data]
struct ThreadWatch {
    process: Arc<Process>,
    tid: i32,
    #[pin]
    watch: DeathWatch,
}

impl_death_watch! { impl DeathWatch for ThreadWatch { self.watch } }

impl DeathWatcher for ThreadWatch {
    fn died(self: &Arc<Self>) {
        self.process.forget(self);
        if self.process.pid.alive() {
            pulse::thread_died(&self.process, self.tid);
        }
    }
}

/// A process.
#[pin_data]
pub(crate) struct Process {
    pub(crate) node: Arc<Node>,
    pub(crate) pid: Pid,
    /// Runs while the process has a socket or a connection.
    #[pin]
    watch: DeathWatch,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Whether one of its channels is told of threads that have ended.
    tells_of_threads: Atomic<bool>,
    /// The priorities that its threads have from their clients.
    #[pin]
    pub(crate) lent: Lent,
}

impl_death_watch! { impl DeathWatch for Process { self.watch } }

impl DeathWatcher for Process {
    /// Destroys the channels: a child may have inherited their sockets, but not the channels.
    fn died(self: &Arc<Self>) {
        // Sends whose threads were away when they died, on connections that others hold.
        self.for_each_connection(|_| true, Connection::abandon_all);
        let until = Patience::begin();
        // What it has inherited was its own; the sockets are others'.
        while let Some(heir) = self.find_connection(Connection::is_heir) {
            heir.bury(until);
        }
        let channels = core::mem::take(&mut self.inner.lock().channels);
        for channel in channels {
            channel.destroy(until);
        }
    }
}

impl Process {
    /// The calling process, entered into the node's table for one socket or connection more. Process
    /// context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn enter(node: &Arc<Node>) -> Result<Arc<Self>> {
        let fresh = Arc::pin_init(
            try_pin_init!(Self {
                node: node.clone(),
                pid: Pid::of_caller(),
                watch <- DeathWatch::new(),
                inner <- new_spinlock_bh!(Inner {
                    channels: KVec::new(),
                    last_chid: 0,
                    received: Vtids::new(MAX_RECEIVED),
                    clients: KVec::new(),
                    last_scoid: 0,
                    connections: KVec::new(),
                    threads: KVec::new(),
                }),
                tells_of_threads: Atomic::new(false),
                lent <- Lent::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let mut processes = node.ipc.processes.lock();
        let known = processes
            .iter_mut()
            .find(|entry| entry.process.pid.is_caller());
        if let Some(entry) = known {
            entry.uses += 1;
            let process = entry.process.clone();
            drop(processes);
            return Ok(process);
        }
        let entry = Entry {
            process: fresh.clone(),
            uses: 1,
        };
        let place = place_of(&processes, fresh.pid.number());
        processes.reserve(1, atomic_account())?;
        processes
            .insert_within_capacity(place, entry)
            .map_err(|_| ENOMEM)?;
        drop(processes);
        // What is being made keeps the process in the table meanwhile.
        DeathWatch::start(&fresh, &fresh.pid).inspect_err(|_| fresh.leave())?;
        Ok(fresh)
    }

    /// One socket or connection less. Process context, may sleep: the last one waits for
    /// [`died`](DeathWatcher::died), unless it is ended there.
    pub(crate) fn leave(self: &Arc<Self>) {
        let gone = {
            let mut processes = self.node.ipc.processes.lock();
            let place = processes
                .iter()
                .position(|entry| Arc::ptr_eq(&entry.process, self));
            place.and_then(|place| {
                let entry = processes.get_mut(place)?;
                entry.uses -= 1;
                if entry.uses == 0 {
                    processes.remove(place).ok()
                } else {
                    None
                }
            })
        };
        if gone.is_some() {
            self.watch.stop();
            self.forget_threads();
        }
    }

    /// Nobody is told of the end of threads any more. Process context; may sleep.
    fn forget_threads(&self) {
        let threads = core::mem::take(&mut self.inner.lock().threads);
        for thread in threads {
            thread.watch.stop();
        }
    }

    /// The calling thread is one of the process's: its end will be told, if the process has a channel
    /// that wants to know. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn thread_calls(self: &Arc<Self>) -> Result {
        if !self.tells_of_threads.load(Relaxed) {
            return Ok(());
        }
        let tid = pid::caller_tid();
        if self.watches(tid) {
            return Ok(());
        }
        let thread = Arc::pin_init(
            try_pin_init!(ThreadWatch {
                process: self.clone(),
                tid,
                watch <- DeathWatch::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        self.inner
            .lock()
            .threads
            .push(thread.clone(), atomic_account())?;
        // It is this thread that calls, so that it was not entered twice and does not end meanwhile.
        DeathWatch::start(&thread, &Pid::of_calling_thread()).inspect_err(|_| self.forget(&thread))
    }

    /// Takes a thread out of those whose end is told.
    fn forget(&self, thread: &Arc<ThreadWatch>) {
        let gone = take_first(&mut self.inner.lock().threads, |other| {
            Arc::ptr_eq(other, thread)
        });
        drop(gone);
    }

    fn watches(&self, tid: i32) -> bool {
        let inner = self.inner.lock();
        inner.threads.iter().any(|thread| thread.tid == tid)
    }

    /// The processes of the node.
    pub(super) fn all(node: &Node) -> KVec<Arc<Self>> {
        let mut chosen = KVec::new();
        let processes = node.ipc.processes.lock();
        for entry in processes.iter() {
            // Without memory those that remain are missed.
            let _ = chosen.push(entry.process.clone(), GFP_ATOMIC | __GFP_NOWARN);
        }
        chosen
    }

    /// Its channel with one of these flags.
    pub(crate) fn channel_with(&self, flags: u32) -> Option<Arc<Channel>> {
        let inner = self.inner.lock();
        inner
            .channels
            .iter()
            .find(|channel| channel.has(flags))
            .cloned()
    }

    /// The process has one connection more. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn add_connection(&self, connection: Arc<Connection>) -> Result {
        self.inner
            .lock()
            .connections
            .push(connection, atomic_account() | __GFP_NOWARN)?;
        Ok(())
    }

    /// A connection of the process has ended; says whether it was in the list.
    pub(super) fn remove_connection(&self, connection: &Arc<Connection>) -> bool {
        let removed = {
            let mut inner = self.inner.lock();
            take_first(&mut inner.connections, |other| {
                Arc::ptr_eq(other, connection)
            })
        };
        removed.is_some()
    }

    /// The connection that the process calls `coid`.
    pub(crate) fn connection(&self, coid: i32) -> Option<Arc<Connection>> {
        // One that has ended may be there still, and its number be another's.
        self.find_connection(|connection| connection.coid() == coid && !connection.is_ended())
    }

    fn find_connection(&self, wanted: impl Fn(&Connection) -> bool) -> Option<Arc<Connection>> {
        let inner = self.inner.lock();
        let found = inner
            .connections
            .iter()
            .find(|connection| wanted(connection));
        found.cloned()
    }

    /// Calls `act` for each connection that `wanted` holds for, without a lock.
    pub(super) fn for_each_connection(
        &self,
        wanted: impl Fn(&Connection) -> bool,
        act: impl Fn(&Arc<Connection>),
    ) {
        let mut chosen = KVec::new();
        {
            let inner = self.inner.lock();
            for connection in inner.connections.iter().filter(|it| wanted(it)) {
                // Without memory those that remain are missed.
                let _ = chosen.push(connection.clone(), GFP_ATOMIC | __GFP_NOWARN);
            }
        }
        for connection in &chosen {
            act(connection);
        }
    }

    fn find(node: &Node, wanted: impl Fn(&Process) -> bool) -> Option<Arc<Self>> {
        let processes = node.ipc.processes.lock();
        let entry = processes.iter().find(|entry| wanted(&entry.process))?;
        Some(entry.process.clone())
    }

    /// The calling process.
    ///
    /// Errors: `ESRCH` when it has neither a socket nor a connection here.
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

    /// The living process with the least number that is at least `from`, in the initial pid
    /// namespace; for a listing.
    pub(super) fn from_number(node: &Node, from: i32) -> Option<Arc<Self>> {
        let processes = node.ipc.processes.lock();
        let rest = processes.get(place_of(&processes, from)..)?;
        let mut candidates = rest.iter().map(|entry| &entry.process);
        candidates.find(|process| process.pid.alive()).cloned()
    }

    /// The channel with the least number that is at least `from`, for a listing.
    pub(super) fn channel_from(&self, from: i32) -> Option<Arc<Channel>> {
        let inner = self.inner.lock();
        let channels = inner.channels.iter();
        channels
            .filter(|channel| channel.chid >= from)
            .min_by_key(|channel| channel.chid)
            .cloned()
    }

    /// The first received message at or behind a place, with its rcvid; for a listing.
    pub(super) fn received_from(&self, place: usize) -> Option<(u32, Arc<Transaction>)> {
        let inner = self.inner.lock();
        let (rcvid, transaction) = inner.received.find_from(place, |_| true)?;
        Some((rcvid, transaction.clone()))
    }

    /// Makes a channel. Process context.
    ///
    /// Errors: `EBUSY` when one has that flag already of which a process can have one, `EAGAIN` when
    /// the process or its user has too many, `ENOMEM`.
    pub(crate) fn create_channel(
        self: &Arc<Self>,
        flags: u32,
        bell: Option<Bell>,
    ) -> Result<Arc<Channel>> {
        let charged = users::charge(&self.node, Thing::Channel)?;
        let chid = {
            let mut inner = self.inner.lock();
            inner.may_create(flags)?;
            loop {
                inner.last_chid = inner.last_chid.checked_add(1).unwrap_or(1);
                let chid = inner.last_chid;
                if !inner.channels.iter().any(|channel| channel.chid == chid) {
                    break chid;
                }
            }
        };
        let channel = Channel::new(self, chid, flags, charged, bell)?;
        {
            let mut inner = self.inner.lock();
            // Another thread may have been faster.
            inner.may_create(flags)?;
            inner.channels.push(channel.clone(), atomic_account())?;
            self.note_channels(&inner);
        }
        self.node.stats.enter(Gauge::Channels);
        Ok(channel)
    }

    /// Whether it has a channel.
    pub(super) fn has_channels(&self) -> bool {
        !self.inner.lock().channels.is_empty()
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
            let removed = take_first(&mut inner.channels, |other| Arc::ptr_eq(other, channel));
            self.note_channels(&inner);
            removed
        };
        drop(removed);
    }

    /// The list of channels has changed: each receive would have to go through it otherwise.
    fn note_channels(&self, inner: &Inner) {
        let tells = |channel: &Arc<Channel>| channel.has(uapi::QNET_CHF_THREAD_DEATH);
        self.tells_of_threads
            .store(inner.channels.iter().any(tells), Relaxed);
    }

    /// One connection more of a client to `channel`: its scoid.
    ///
    /// Errors: `ENOMEM`, `EAGAIN` when the numbers are used up.
    pub(crate) fn attach_client(&self, key: &ClientKey, channel: &Channel) -> Result<i32> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let known = inner
            .clients
            .iter_mut()
            .find(|client| !client.gone && client.key == *key);
        if let Some(client) = known {
            client.attach(channel.chid)?;
            return Ok(client.scoid);
        }
        inner.make_room_for(key)?;
        loop {
            inner.last_scoid = (inner.last_scoid + 1) & SCOID_MASK;
            let scoid = SCOID | inner.last_scoid;
            if inner.last_scoid != 0 && !inner.clients.iter().any(|client| client.scoid == scoid) {
                break;
            }
        }
        let mut client = Client {
            key: key.clone(),
            scoid: SCOID | inner.last_scoid,
            known: None,
            connections: KVec::new(),
            gone: false,
        };
        client.attach(channel.chid)?;
        let scoid = client.scoid;
        inner.clients.push(client, atomic_account())?;
        Ok(scoid)
    }

    /// The client `scoid`, which is of another node, says that it is `claim`.
    ///
    /// Errors: `ENOMEM`; `EINVAL` when there is no such client.
    pub(super) fn claimed(&self, scoid: i32, claim: Claim) -> Result<Arc<Claims>> {
        match self.know(scoid, Known::There(Claims::new(claim)?))? {
            Known::There(claims) => {
                claims.replace(claim);
                Ok(claims)
            }
            Known::Here(_) => Err(EINVAL),
        }
    }

    /// The client `scoid` is the calling process: what is seen of it. Process context.
    ///
    /// Errors: as [`Self::claimed`].
    pub(super) fn seen(&self, scoid: i32) -> Result<Arc<Seen>> {
        match self.know(scoid, Known::Here(Seen::new()?))? {
            Known::Here(seen) => {
                seen.renew();
                Ok(seen)
            }
            Known::There(_) => Err(EINVAL),
        }
    }

    /// What is known of the client `scoid`, which is `fresh` if that is nothing yet.
    fn know(&self, scoid: i32, fresh: Known) -> Result<Known> {
        let mut inner = self.inner.lock();
        let client = inner
            .clients
            .iter_mut()
            .find(|client| client.scoid == scoid);
        let known = &mut client.ok_or(EINVAL)?.known;
        Ok(known.get_or_insert_with(|| fresh.clone()).clone())
    }

    /// Which process the client `scoid` is, and who.
    ///
    /// Errors: `EINVAL` when there is no such client.
    pub(crate) fn client(&self, scoid: i32) -> Result<(ClientKey, Known)> {
        let inner = self.inner.lock();
        let client = inner.clients.iter().find(|client| client.scoid == scoid);
        let client = client.ok_or(EINVAL)?;
        Ok((client.key.clone(), client.known.clone().ok_or(EINVAL)?))
    }

    /// One connection less of a client to `channel`. A server that wants to know is told when it was
    /// the last one. Legal in softirq.
    pub(crate) fn detach_client(&self, scoid: i32, channel: &Channel) {
        let tells = channel.has(uapi::QNET_CHF_DISCONNECT) && !channel.is_destroyed();
        let (left, gone) = {
            let mut guard = self.inner.lock();
            let inner = &mut *guard;
            let place = inner
                .clients
                .iter()
                .position(|client| client.scoid == scoid && !client.gone);
            let Some(client) = place.and_then(|place| inner.clients.get_mut(place)) else {
                return;
            };
            let left = client.detach(channel.chid);
            client.gone = client.connections.is_empty();
            let gone = match place {
                Some(place) if client.gone && !tells => inner.clients.remove(place).ok(),
                _ => None,
            };
            (left, gone)
        };
        drop(gone);
        if tells && matches!(left, Left::Channel) {
            pulse::notify(channel, Pulse::disconnect(scoid));
        }
    }

    /// The server gives back the scoid of a client that has left.
    ///
    /// Errors: `EINVAL` when there is none, or it has not left.
    pub(crate) fn free_scoid(&self, scoid: i32) -> Result {
        let freed = {
            let mut inner = self.inner.lock();
            take_first(&mut inner.clients, |client| {
                client.scoid == scoid && client.gone
            })
        };
        freed.map(drop).ok_or(EINVAL)
    }

    /// Gives a received message its rcvid.
    ///
    /// Errors: `EAGAIN` when the process has too many unanswered ones, `ENOMEM`.
    pub(crate) fn received(&self, transaction: Arc<Transaction>) -> Result<i32> {
        let tid = transaction.sender.tid;
        let whose = transaction.whose();
        let message = transaction.clone();
        let mut evicted = Evicted::new();
        let rcvid = {
            let mut inner = self.inner.lock();
            inner
                .received
                .begin(transaction.threads(), tid, whose, message, &mut evicted)
        };
        drop(evicted);
        i32::try_from(rcvid?).map_err(|_| EAGAIN)
    }

    /// A connection has ended: what its threads' rcvids named is forgotten. No lock is held.
    pub(super) fn forget_threads_of(&self, threads: &Threads) {
        for (_, rcvid) in threads.take() {
            let ended = self.inner.lock().received.end(rcvid);
            drop(ended);
        }
    }

    /// Whose thread a rcvid names, whether its message is answered or not, the thread's id, and the
    /// message that it has now.
    ///
    /// Errors: `ESRCH`.
    pub(super) fn client_of(&self, rcvid: i32) -> Result<(Whose, i32, Option<Arc<Transaction>>)> {
        let rcvid = u32::try_from(rcvid).map_err(|_| ESRCH)?;
        let inner = self.inner.lock();
        let (whose, tid, message) = inner.received.client(rcvid).ok_or(ESRCH)?;
        Ok((whose.clone(), tid, message.cloned()))
    }

    fn transaction(&self, rcvid: i32) -> Result<Arc<Transaction>> {
        let rcvid = u32::try_from(rcvid).map_err(|_| ESRCH)?;
        self.inner
            .lock()
            .received
            .message(rcvid)
            .cloned()
            .ok_or(ESRCH)
    }

    /// Takes a received message out of the table: who gets it answers it.
    fn take(&self, rcvid: i32) -> Result<Arc<Transaction>> {
        let rcvid = u32::try_from(rcvid).map_err(|_| ESRCH)?;
        let taken = self.inner.lock().received.take(rcvid);
        taken.map(|taken| taken.message()).ok_or(ESRCH)
    }

    /// The received message that `wanted` holds for.
    pub(super) fn find_received(
        &self,
        wanted: impl Fn(&Transaction) -> bool,
    ) -> Option<Arc<Transaction>> {
        let inner = self.inner.lock();
        let (_, transaction) = inner.received.find_from(0, wanted)?;
        Some(transaction.clone())
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
            self.error(rcvid, server_fault())?;
        }
        if replied.is_ok() {
            trace::Reply::trace(|| trace::Reply {
                rcvid,
                error: 0,
                status,
                bytes: data.len() as u64,
            });
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
    /// is 0; -1 stands for the error with which the client wants to leave. Process context.
    ///
    /// Errors: `ESRCH` when nobody waits under that rcvid, what the way to another node gives.
    pub(crate) fn error(&self, rcvid: i32, error: c_int) -> Result {
        trace::Reply::trace(|| trace::Reply {
            rcvid,
            error,
            status: 0,
            bytes: 0,
        });
        let transaction = self.transaction(rcvid)?;
        let error = match error {
            -1 => -transaction.leaving().unwrap_or(EINTR.to_errno()),
            error => error,
        };
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
                .take_from(&mut place, |transaction| {
                    transaction.is_for(channel) && wanted(transaction)
                });
            let Some(transaction) = next.map(|taken| taken.message()) else {
                return;
            };
            // Who finished it before has told its sender.
            let _ = transaction.finish(event, Outcome::Error(error.to_errno()));
        }
    }
}

impl Inner {
    /// Whether there may be one more channel, with these flags.
    ///
    /// Errors: `EAGAIN`, `EBUSY`.
    fn may_create(&self, flags: u32) -> Result {
        if self.channels.len() >= MAX_CHANNELS {
            return Err(EAGAIN);
        }
        let unique = flags & ONE_PER_PROCESS;
        if self.channels.iter().any(|channel| channel.has(unique)) {
            return Err(EBUSY);
        }
        Ok(())
    }

    /// Sees to it that there is room for another client process.
    fn make_room_for(&mut self, key: &ClientKey) -> Result {
        let is_remote = |client: &&Client| matches!(client.key, ClientKey::There { .. });
        let full = match key {
            ClientKey::Here(_) => self.clients.len() >= MAX_CLIENTS,
            ClientKey::There { .. } => {
                self.clients.iter().filter(is_remote).count() >= MAX_REMOTE_CLIENTS
            }
        };
        if !full {
            return Ok(());
        }
        // The numbers of clients that have left, and that the server does not give back, must not
        // keep others out.
        let local = matches!(key, ClientKey::Here(_));
        take_first(&mut self.clients, |client| {
            client.gone && (local || is_remote(&client))
        })
        .map(drop)
        .ok_or(EAGAIN)
    }
}

impl Client {
    fn attach(&mut self, chid: i32) -> Result {
        match self.connections.iter_mut().find(|(mine, _)| *mine == chid) {
            Some((_, count)) => *count += 1,
            None => self.connections.push((chid, 1), atomic_account())?,
        }
        Ok(())
    }

    fn detach(&mut self, chid: i32) -> Left {
        let place = self.connections.iter().position(|(mine, _)| *mine == chid);
        let Some((_, count)) = place.and_then(|place| self.connections.get_mut(place)) else {
            return Left::Nothing;
        };
        *count -= 1;
        if *count != 0 {
            return Left::Nothing;
        }
        if let Some(place) = place {
            // A pair of numbers has nothing that is dropped.
            let _ = self.connections.remove(place);
        }
        Left::Channel
    }
}

/// Where the process with that number, in the initial pid namespace, is in a node's table, or would be:
/// it is sorted, so that a listing finds its place again without going through all.
fn place_of(processes: &[Entry], number: i32) -> usize {
    processes.partition_point(|entry| entry.process.pid.number() < number)
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

/// What the client is told, as a Linux error number, when the calling server's memory cannot be used. Page
/// faults of a thread that is being killed fail, too: that is the server's end, and says nothing of its
/// memory. Process context.
pub(crate) fn server_fault() -> c_int {
    match pending_signal() {
        Signal::Fatal => -ESRCH.to_errno(),
        _ => uapi::QNET_ESRVRFAULT,
    }
}
