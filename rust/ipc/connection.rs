// SPDX-License-Identifier: GPL-2.0

//! A client's connection to a channel, on this node or on another.

use super::{
    channel::{
        Channel,
        Room, //
    },
    handles::place_behind,
    identity::{
        credentials,
        Told, //
    },
    mailbox::{
        Mailbox,
        Place,
        Posted, //
    },
    parked::{
        Call,
        Parked,
        ParkedSends, //
    },
    pins::Pins,
    priority::Lender,
    process::{
        ClientKey,
        Process, //
    },
    pulse::{
        self,
        Pulse, //
    },
    requests::Memory,
    rights::caller_may_signal,
    seen::Seen,
    tap,
    transaction::{
        Client,
        Outcome,
        Payload,
        Sender,
        Timeout,
        Transaction,
        Waited,
        Way, //
    },
    users::{
        self,
        Owned,
        Thing, //
    },
    vtids::{
        Evicted,
        Threads, //
    },
};
use crate::{
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::{
            self,
            Pid, //
        },
        skb::Context,
        sock::{
            Bell,
            Ready, //
        },
        take_first,
        timer::now_ns,
        trace,
        user::UserBuf,
        wait::{
            pending_signal,
            Signal,
            Wait,
            WaitQueue, //
        },
        work, //
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
            connection::{
                Begin,
                State, //
            },
            transaction::Event,
            transfer::{
                piece,
                MAX_DATA, //
            },
        },
        wire::kif::{
            self,
            Connect,
            Credentials,
            Message,
            MsgSend,
            PulseInfo,
            Unblock,
            Vtid,
            CONNECT_DATA_MAX, //
        },
    },
    stats::{
        Counter,
        Gauge, //
    },
    uapi, //
};
use core::cell::Cell;
use kernel::{
    impl_has_work, new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    workqueue::{
        Work,
        WorkItem, //
    },
};

/// The version of the kernel interface that a CONNECT names.
pub(crate) const KIF_VERSION: u32 = 1;
/// The first wait before a message is sent again that the server's node had no room for, in
/// nanoseconds; it doubles up to [`LAST_BACKOFF`].
const FIRST_BACKOFF: u64 = 1_000_000;
/// The longest such wait, in nanoseconds.
const LAST_BACKOFF: u64 = 200_000_000;

/// Where a connection leads.
enum Target {
    /// To a channel of this node.
    Here {
        channel: Arc<Channel>,
        /// The server's number for the client.
        scoid: i32,
    },
    /// To the channel `chid` of the process `pid` of another node.
    There {
        peer: Arc<Peer>,
        pid: i32,
        chid: i32,
    },
}

/// What ConnectAttach was called with.
#[derive(Clone, Copy)]
pub(crate) struct Address {
    /// The node; 0: this one.
    pub(crate) nd: u32,
    /// The process; 0: the caller.
    pub(crate) pid: i32,
    /// The channel.
    pub(crate) chid: i32,
    /// 0, or the bit of a side channel.
    pub(crate) index: u32,
    /// Connection flags.
    pub(crate) flags: u32,
}

/// What MsgSend was called with.
pub(crate) struct Request {
    /// The message.
    pub(crate) message: UserBuf,
    /// Where the reply goes.
    pub(crate) reply: UserBuf,
    /// How long to wait.
    pub(crate) timeout: Timeout,
    /// The caller's name for the connection.
    pub(crate) coid: i32,
    /// Which call it is, for a thread that comes back to it.
    pub(crate) call: Call,
}

impl Request {
    /// What servers may read and write while the sender is blocked.
    pub(super) fn memory<'a>(&'a self, pins: Option<&'a Pins<'a>>) -> Memory<'a> {
        Memory {
            message: &self.message,
            reply: &self.reply,
            pins,
        }
    }
}

/// A sender of whose leaving the server is to be told.
#[derive(Clone, Copy)]
struct UnblockDue {
    handle: u32,
    tid: i32,
    priority: i16,
}

/// How many such senders are remembered.
const MOST_DUE: usize = 64;

/// A client's connection to a channel.
#[pin_data]
pub(crate) struct Connection {
    node: Arc<Node>,
    pub(crate) address: Address,
    target: Target,
    /// The process whose connection it is.
    owner: Pid,
    /// Whether the process has inherited it: the socket is another's.
    is_heir: bool,
    /// The user who made it.
    charged: Owned,
    /// Who has used it last.
    seen: Arc<Seen>,
    /// Who the other node was told that the client is.
    #[pin]
    told: Told,
    /// The name of the connection that the other node is told; 0 for a local one.
    client_id: Atomic<u32>,
    /// The most bytes of data that a message may bring, as the server's node said.
    most: Atomic<u32>,
    /// Senders that have left, and whose messages may have gone with a CONNECT that is not answered.
    #[pin]
    unblocks_due: SpinLockBh<KVec<UnblockDue>>,
    /// The number by which its process calls it; -1: it did not say.
    coid: Atomic<i32>,
    /// The threads that have sent on it: by their rcvids in the table of a server of this node, by
    /// their client handles otherwise.
    #[pin]
    threads: Threads,
    /// Sends whose threads had to leave the kernel, and come back.
    #[pin]
    parked: ParkedSends,
    /// The connections of processes that inherited this one, or were passed it: each is a client of
    /// its own.
    #[pin]
    heirs: SpinLockBh<KVec<Arc<Connection>>>,
    #[pin]
    state: SpinLockBh<State>,
    /// Woken when the state changes.
    #[pin]
    changed: WaitQueue,
    /// Wakes who polls the socket; a connection for one call has none.
    bell: Option<Bell>,
    /// Messages for whose answers no thread waits.
    #[pin]
    mailbox: Mailbox,
    /// Serves servers that want something of the senders of those.
    #[pin]
    serving: Work<Connection, SERVING>,
    /// Waits until the way to the other node is free.
    #[pin]
    clearing: Work<Connection, CLEARING>,
}

/// After how many nanoseconds of waiting for the way it is looked whether somebody wants it still.
const CLEARING_SLICE: u64 = 200_000_000;
/// The number of the work that serves servers.
const SERVING: u64 = 1;
/// The number of the work that waits for the way.
const CLEARING: u64 = 2;

impl_has_work! {
    impl HasWork<Self, SERVING> for Connection { self.serving }
    impl HasWork<Self, CLEARING> for Connection { self.clearing }
}

impl WorkItem<SERVING> for Connection {
    type Pointer = Arc<Connection>;

    fn run(this: Arc<Self>) {
        this.mailbox.serve();
        this.ring();
    }
}

impl WorkItem<CLEARING> for Connection {
    type Pointer = Arc<Connection>;

    fn run(this: Arc<Self>) {
        this.wait_for_way();
        this.mailbox.block(false);
        this.ring();
    }
}

impl Connection {
    /// ConnectAttach. Process context. Nothing is sent to another node.
    ///
    /// Errors: `ESRCH` when there is no such process or channel on this node, `EPERM` for a channel
    /// to which the caller may not connect, `EHOSTUNREACH` for a node descriptor that is not in use, `EINVAL` for numbers that
    /// cannot be, `EAGAIN`, `ENOMEM`.
    pub(crate) fn attach(
        node: &Arc<Node>,
        address: Address,
        bell: Option<Bell>,
    ) -> Result<Arc<Self>> {
        if address.nd == 0 {
            Self::attach_here(node, address, bell)
        } else {
            Self::attach_there(node, address, bell)
        }
    }

    /// A connection of the calling process. One to another node is entered into the node's table.
    fn new(
        node: &Arc<Node>,
        address: Address,
        target: Target,
        bell: Option<Bell>,
        is_heir: bool,
    ) -> Result<Arc<Self>> {
        let charged = users::charge(node, Thing::Connection)?;
        let seen = match &target {
            Target::Here { channel, scoid } => channel.process.seen(*scoid)?,
            Target::There { .. } => Seen::new()?,
        };
        let connection = Arc::pin_init(
            try_pin_init!(Self {
                node: node.clone(),
                address,
                target,
                owner: Pid::of_caller(),
                is_heir,
                charged,
                seen,
                told <- Told::new(),
                client_id: Atomic::new(0),
                most: Atomic::new(u32::MAX),
                unblocks_due <- new_spinlock_bh!(KVec::new()),
                coid: Atomic::new(-1),
                threads <- Threads::new(),
                parked <- ParkedSends::new(),
                heirs <- new_spinlock_bh!(KVec::new()),
                state <- new_spinlock_bh!(State::Idle),
                changed <- WaitQueue::new(),
                bell,
                mailbox <- Mailbox::new(),
                serving <- new_work!("Connection::serving"),
                clearing <- new_work!("Connection::clearing"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        // A process may have made no socket of its own, and use one that it was born with: the
        // connection keeps it in the table then.
        let process = Process::enter(node)?;
        let entered = process
            .add_connection(connection.clone())
            .and_then(|()| connection.enter());
        entered.inspect_err(|_| {
            process.remove_connection(&connection);
            process.leave();
        })?;
        Ok(connection)
    }

    /// Enters a connection to another node into this node's table.
    fn enter(self: &Arc<Self>) -> Result {
        if let Target::There { peer, .. } = &self.target {
            peer.enter()?;
            let entered = self.node.ipc.clients.lock().insert(self.clone());
            let client_id = entered.inspect_err(|_| peer.leave())?;
            self.client_id.store(client_id, Relaxed);
            self.node.stats.enter(Gauge::NetClient);
        }
        Ok(())
    }

    /// A connection of the calling process to a channel of this node.
    fn to_channel(
        node: &Arc<Node>,
        address: Address,
        channel: Arc<Channel>,
        bell: Option<Bell>,
        is_heir: bool,
    ) -> Result<Arc<Self>> {
        let server = channel.process.clone();
        let may =
            server.pid.is_caller() || (!channel.is_private() && channel.door.admits_caller(node));
        if !may {
            return Err(EPERM);
        }
        let scoid = server.attach_client(&ClientKey::Here(Pid::of_caller()), &channel)?;
        let target = Target::Here {
            channel: channel.clone(),
            scoid,
        };
        Self::new(node, address, target, bell, is_heir)
            .inspect_err(|_| server.detach_client(scoid, &channel))
    }

    /// The connection as the calling process's own.
    ///
    /// Errors: `EBADF` when it is dead, `EAGAIN`, `ENOMEM`.
    fn of_caller(self: &Arc<Self>) -> Result<Arc<Self>> {
        if self.owner.is_caller() {
            return Ok(self.clone());
        }
        match self.heir_of_caller() {
            Some(heir) => Ok(heir),
            None => self.inherit(),
        }
    }

    /// What the calling process has made of it, if that is not its owner. Process context.
    fn heir_of_caller(&self) -> Option<Arc<Self>> {
        let heirs = self.heirs.lock();
        heirs.iter().find(|heir| heir.owner.is_caller()).cloned()
    }

    /// Makes the calling process a client of its own.
    fn inherit(self: &Arc<Self>) -> Result<Arc<Self>> {
        self.bury_heirs();
        let bell = self.bell.clone();
        let heir = match &self.target {
            Target::Here { channel, .. } => {
                Self::to_channel(&self.node, self.address, channel.clone(), bell, true)?
            }
            Target::There { peer, pid, chid } => {
                let target = Target::There {
                    peer: peer.clone(),
                    pid: *pid,
                    chid: *chid,
                };
                Self::new(&self.node, self.address, target, bell, true)?
            }
        };
        heir.call_it(self.coid());
        let mut known = None;
        let entered = {
            let mut heirs = self.heirs.lock();
            match heirs.iter().find(|heir| heir.owner.is_caller()) {
                Some(other) => {
                    known = Some(other.clone());
                    Ok(())
                }
                None => heirs.push(heir.clone(), atomic_account()),
            }
        };
        if let Some(other) = known {
            // Another thread of the process was faster.
            heir.end(Patience::begin());
            return Ok(other);
        }
        if let Err(error) = entered {
            heir.end(Patience::begin());
            return Err(error.into());
        }
        Ok(heir)
    }

    /// Ends the connections of heirs that have died.
    fn bury_heirs(&self) {
        let until = Patience::begin();
        loop {
            let dead = take_first(&mut self.heirs.lock(), |heir| !heir.owner.alive());
            match dead {
                Some(heir) => heir.end(until),
                None => return,
            };
        }
    }

    fn attach_here(node: &Arc<Node>, address: Address, bell: Option<Bell>) -> Result<Arc<Self>> {
        let server = match address.pid {
            0 => Process::of_caller(node)?,
            number => {
                let pid = Pid::from_nr(number).ok_or(ESRCH)?;
                Process::of(node, &pid).ok_or(ESRCH)?
            }
        };
        let channel = server.channel(address.chid).ok_or(ESRCH)?;
        let address = Address {
            pid: server.pid.nr(),
            ..address
        };
        Self::to_channel(node, address, channel, bell, false)
    }

    fn attach_there(node: &Arc<Node>, address: Address, bell: Option<Bell>) -> Result<Arc<Self>> {
        if address.pid <= 0 || address.chid <= 0 {
            return Err(EINVAL);
        }
        let target = Target::There {
            peer: node.peer_by_nd(address.nd).ok_or(EHOSTUNREACH)?,
            pid: address.pid,
            chid: address.chid,
        };
        Self::new(node, address, target, bell, false)
    }

    /// Whether it leads to `peer`.
    pub(crate) fn is_to(&self, peer: &Arc<Peer>) -> bool {
        match &self.target {
            Target::Here { .. } => false,
            Target::There { peer: mine, .. } => Arc::ptr_eq(mine, peer),
        }
    }

    /// Whether its CONNECT goes over `session`.
    pub(crate) fn is_connecting_by(&self, session: u32) -> bool {
        self.state.lock().refused(session).is_some()
    }

    /// Whether it leads to `channel`.
    pub(crate) fn is_to_channel(&self, channel: &Channel) -> bool {
        match &self.target {
            Target::Here { channel: mine, .. } => core::ptr::eq(&**mine, channel),
            Target::There { .. } => false,
        }
    }

    /// The channel of this node that it leads to.
    pub(crate) fn channel(&self) -> Option<&Arc<Channel>> {
        match &self.target {
            Target::Here { channel, .. } => Some(channel),
            Target::There { .. } => None,
        }
    }

    /// The number by which its process calls it, or -1.
    pub(crate) fn coid(&self) -> i32 {
        self.coid.load(Relaxed)
    }

    /// Its process says by which number it calls it.
    pub(crate) fn call_it(&self, coid: i32) {
        self.coid.store(coid, Relaxed);
    }

    /// The process whose connection it is.
    pub(crate) fn owner(&self) -> &Pid {
        &self.owner
    }

    /// The threads that have sent on it.
    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The server's number for the client, on a local connection.
    pub(crate) fn scoid(&self) -> i32 {
        match &self.target {
            Target::Here { scoid, .. } => *scoid,
            Target::There { .. } => -1,
        }
    }

    /// The server's number for the calling process, which may have inherited the connection; -1: it
    /// has none, or is on another node. Process context.
    pub(crate) fn scoid_of_caller(&self) -> i32 {
        match self.heir_of_caller() {
            Some(heir) => heir.scoid(),
            None if self.owner.is_caller() => self.scoid(),
            None => -1,
        }
    }

    /// The server's process: one of this node by its number in the caller's pid namespace. Process
    /// context.
    pub(crate) fn server_pid(&self) -> i32 {
        match &self.target {
            Target::Here { channel, .. } => channel.process.pid.nr(),
            Target::There { pid, .. } => *pid,
        }
    }

    /// The server's node said how many bytes of data a message may bring.
    pub(crate) fn takes_at_most(&self, bytes: u32) {
        self.most.store(bytes, Relaxed);
    }

    /// Changes the state by `change`, if it allows it, and wakes who waits for that.
    pub(crate) fn change(&self, change: impl FnOnce(State) -> Option<State>) -> bool {
        let changed = {
            let mut state = self.state.lock();
            match change(*state) {
                Some(next) => {
                    *state = next;
                    true
                }
                None => false,
            }
        };
        if changed {
            self.changed.wake_all();
            self.ring();
        }
        changed
    }

    /// MsgSend. Process context. The status of the reply, and how many bytes of it were stored.
    ///
    /// Errors: `EBADF` when the connection is dead, `ESRCH` when the server went while the caller
    /// was blocked, `EHOSTUNREACH` and `EHOSTDOWN` when the other node cannot be reached or was
    /// lost, `EAGAIN` when the user has too much under way, `EMSGSIZE`, `EFAULT`, `EINTR`,
    /// `ETIMEDOUT`, and what the server passed to MsgError.
    pub(crate) fn send(self: &Arc<Self>, request: &Request) -> Result<(i64, usize)> {
        let mine = self.of_caller()?;
        let mut parked = mine.parked.take(&request.call);
        if parked.is_none() {
            trace::Send::trace(|| mine.traced(request));
        }
        let mut timeout = request.timeout;
        loop {
            match mine.send_once(request, &timeout, parked.take())? {
                Outcome::Reply {
                    status,
                    data,
                    offset,
                } => {
                    // What is before the offset came ahead of the reply, as far as there was room.
                    let at = usize::try_from(offset).unwrap_or(usize::MAX);
                    let stored = data.copy_range(0, data.len(), &request.reply, at)?;
                    data.count_copied(&self.node, stored);
                    return Ok((status, at.min(request.reply.len()) + stored));
                }
                Outcome::Error(error) | Outcome::Abandoned(error) => {
                    return Err(Error::from_errno(error))
                }
                Outcome::Busy => return Err(EAGAIN),
                // A server that is faster than this thread must not keep a signal out.
                Outcome::Again { .. } if pending_signal() != Signal::None => {
                    return Err(comes_back(EINTR));
                }
                // However often: a signal or the time-out ends it as it ends the first wait.
                Outcome::Again { deadline } => timeout.deadline = deadline.or(timeout.deadline),
            }
        }
    }

    /// Sends the message and waits, or goes on waiting for one that is parked.
    fn send_once(
        self: &Arc<Self>,
        request: &Request,
        timeout: &Timeout,
        parked: Option<Parked>,
    ) -> Result<Outcome> {
        match (&self.target, parked) {
            (Target::Here { channel, .. }, None) => self.send_here(channel, request, timeout),
            (Target::Here { channel, .. }, Some(parked)) => {
                self.wait_here(channel, &parked.transaction, request, timeout)
            }
            (Target::There { peer, pid, chid }, parked) => {
                self.send_there(peer, *pid, *chid, request, timeout, parked)
            }
        }
    }

    #[cold]
    fn traced(&self, request: &Request) -> trace::Send {
        let (pid, chid) = match &self.target {
            Target::Here { channel, .. } => (channel.process.pid.number(), channel.chid),
            Target::There { pid, chid, .. } => (*pid, *chid),
        };
        trace::Send {
            nd: self.address.nd,
            pid,
            chid,
            coid: request.coid,
            priority: pid::caller_priority(),
            bytes: request.message.len() as u64,
        }
    }

    /// MsgSendPulse. Process context; to another node it may block until there is a session, and room.
    ///
    /// Errors: `EBADF` when the connection is dead or its channel gone, `EPERM` when the caller may not
    /// signal the server, which another node does not tell, `EAGAIN` when too much waits,
    /// `EOVERFLOW` for a value that does not fit the network, `EHOSTUNREACH`, `EHOSTDOWN`, `EINTR`,
    /// `ENOMEM`.
    pub(crate) fn pulse(self: &Arc<Self>, priority: i16, code: i8, value: i64) -> Result {
        let mine = self.of_caller()?;
        match &mine.target {
            Target::Here { channel, .. } => {
                if mine.is_cut_off() {
                    return Err(EBADF);
                }
                mine.seen.renew();
                caller_may_signal(&channel.process.pid).map_err(gone_is_dead)?;
                mine.pulse_at_once((priority, Lender::Here), code, value)
            }
            Target::There { peer, pid, chid } => {
                mine.seen.renew();
                let way = PulseThere {
                    connection: &mine,
                    peer,
                    pid: *pid,
                    chid: *chid,
                    // Handles have 31 bits, so that this is none of a send's.
                    attempt: 1 << 31 | pid::caller_tid().unsigned_abs(),
                };
                let pulse = kif::Pulse {
                    credentials: mine.told.news(peer),
                    ..way.record(priority, code, value)?
                };
                way.transmit(&pulse)
            }
        }
    }

    /// Sends a pulse without blocking: to another node only if the connection is up. Legal in softirq;
    /// no lock may be held.
    ///
    /// Errors: as [`Self::pulse`], and `EAGAIN` when the connection is not up.
    pub(super) fn pulse_at_once(
        self: &Arc<Self>,
        (priority, lender): (i16, Lender),
        code: i8,
        value: i64,
    ) -> Result {
        match &self.target {
            Target::Here { channel, scoid } => {
                if self.is_dead() {
                    return Err(EBADF);
                }
                let pulse = Pulse {
                    priority,
                    lender,
                    code,
                    value,
                    scoid: *scoid,
                };
                channel
                    .queue_pulse(pulse, Room::Program)
                    .map_err(gone_is_dead)?;
                tap::pulsed(&self.node, &self.owner, channel, &pulse);
                Ok(())
            }
            Target::There { peer, pid, chid } => {
                let way = PulseThere {
                    connection: self,
                    peer,
                    pid: *pid,
                    chid: *chid,
                    attempt: 0,
                };
                let pulse = way.record(priority, code, value)?;
                let state = *self.state.lock();
                match state {
                    State::Connected { server_id, session } => {
                        way.send(server_id, session, &pulse, Context::Atomic)
                    }
                    State::Dead => Err(EBADF),
                    State::Idle | State::Connecting { .. } => Err(EAGAIN),
                }
            }
        }
    }

    /// Who has used it last.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether an event may send a pulse over it, in the name of who has used it last: to a channel of
    /// its own process it always may, another node decides for itself. Legal in softirq.
    ///
    /// Errors: as [`Seen::may_signal`].
    pub(super) fn may_pulse(&self) -> Result {
        match self.channel() {
            Some(channel) if !channel.process.pid.same(&self.owner) => {
                self.seen.may_signal(&channel.process.pid)
            }
            _ => Ok(()),
        }
    }

    /// The CONNECT of the calling process to a channel of another node. Process context.
    fn connect_record(&self, peer: &Peer, pid: i32, chid: i32) -> Connect {
        let client_pid = Pid::of_caller().nr_in(&peer.node.wire_pids());
        Connect {
            version: KIF_VERSION,
            server_pid: pid,
            server_chid: chid,
            client_id: self.client_id.load(Relaxed),
            client_pid,
            credentials: Some(credentials(peer)),
        }
    }

    /// Sends a signal to the process `pid` of another node, and waits for what that node says. Process
    /// context.
    ///
    /// Errors: `ESRCH`, `EPERM` and `EINVAL` of the other node, `EHOSTUNREACH` and `EHOSTDOWN`,
    /// `EINTR`, `ETIMEDOUT`, `EAGAIN`, `ENOMEM`.
    pub(crate) fn signal(
        node: &Arc<Node>,
        nd: u32,
        signal: &kif::Signal,
        timeout: &Timeout,
    ) -> Result {
        let peer = node.peer_by_nd(nd).ok_or(EHOSTUNREACH)?;
        let address = Address {
            nd,
            pid: signal.pid,
            chid: 0,
            index: 0,
            flags: 0,
        };
        let target = Target::There {
            peer: peer.clone(),
            pid: signal.pid,
            chid: 0,
        };
        // Whom the signal is for has no channel that counts: the connection is never made, and only
        // names the way.
        let connection = Self::new(node, address, target, None, false)?;
        let outcome = connection.signal_there(&peer, signal, &timeout.fixed());
        connection.end(Patience::begin());
        match outcome? {
            Outcome::Reply { .. } => Ok(()),
            Outcome::Error(error) | Outcome::Abandoned(error) => Err(Error::from_errno(error)),
            // No server has it: it is for the caller to try again.
            Outcome::Busy | Outcome::Again { .. } => Err(EAGAIN),
        }
    }

    fn signal_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        signal: &kif::Signal,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        self.node
            .find_paths(peer, timeout.deadline)
            .map_err(comes_back)?;
        let client = Client::Thread {
            connection: self.clone(),
            process: Pid::of_caller(),
            _charged: None,
        };
        let sender = Sender {
            tid: pid::caller_tid(),
            coid: -1,
            priority: pid::caller_priority(),
            srcnd: u32::from(peer.nd),
            srcmsglen: 0,
            dstmsglen: 0,
            client_changed: false,
        };
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        let handle = self.enter_send(&transaction)?;
        let session = peer.open()?;
        transaction.takes_session(session);
        let message = Message::Signal(kif::Signal {
            client_handle: handle,
            credentials: Some(credentials(peer)),
            ..*signal
        });
        let sent = Draft::new(&self.node, &message, 0, Context::Sleep).and_then(|draft| {
            peer.wait_for_room(session, timeout.deadline)
                .map_err(comes_back)?;
            peer.send(session, draft, Tag::Send(handle), None)
        });
        sent.inspect_err(|_| transaction.leave())?;
        // Nobody can be asked to let go: the answer comes at once, or the session ends.
        let way = Way {
            remote: true,
            wants_to_know: false,
            ask: &|| false,
        };
        let nothing = UserBuf::from_parts(0, 0, 0)?;
        let memory = Memory {
            message: &nothing,
            reply: &nothing,
            pins: None,
        };
        match transaction.wait(timeout, &way, &memory) {
            Waited::Done(outcome) => Ok(outcome),
            Waited::Interrupted => {
                // It is out, and must not be sent twice.
                transaction.leave();
                Err(EINTR)
            }
        }
    }

    /// Waits until the CONNECT of another thread is answered, or `enough` says so.
    fn wait_for_connect(&self, deadline: Option<u64>, enough: impl Fn() -> bool) -> Result {
        let mut state = self.state.lock();
        while matches!(*state, State::Connecting { .. }) && !enough() {
            match self.changed.wait(&mut state, deadline) {
                Wait::Woken => {}
                Wait::TimedOut => return Err(ETIMEDOUT),
                Wait::Signal => return Err(EINTR),
            }
        }
        Ok(())
    }

    /// What the thread `attempt` is to do with the connection.
    fn begin(&self, attempt: u32) -> Begin {
        let mut state = self.state.lock();
        let (next, begin) = state.begin(attempt);
        *state = next;
        begin
    }

    /// The CONNECT of the thread `attempt` could not be sent.
    fn connect_failed(&self, attempt: u32) {
        self.change(|state| state.failed(attempt));
    }

    /// Whose message it is, which is charged to its user with the bytes that are kept of it.
    fn client(self: &Arc<Self>, bytes: usize) -> Result<Client> {
        Ok(Client::Thread {
            connection: self.clone(),
            process: Pid::of_caller(),
            _charged: Some(self.charged.user().message(&self.node, bytes)?),
        })
    }

    fn sender(&self, request: &Request, srcnd: u32) -> Result<Sender> {
        Ok(Sender {
            tid: pid::caller_tid(),
            coid: request.coid,
            priority: pid::caller_priority(),
            srcnd,
            srcmsglen: i64::try_from(request.message.len()).map_err(|_| EOVERFLOW)?,
            dstmsglen: i64::try_from(request.reply.len()).map_err(|_| EOVERFLOW)?,
            client_changed: self.seen.sends(),
        })
    }

    /// Whether it was detached, or its server is gone.
    pub(crate) fn is_dead(&self) -> bool {
        *self.state.lock() == State::Dead
    }

    /// Whether it was detached, or its server is known to be gone.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_dead() || self.channel().is_some_and(|channel| channel.is_destroyed())
    }

    fn send_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        let transaction = self.queue_here(channel, request, 0, |_| Ok(()))?;
        self.wait_here(channel, &transaction, request, timeout)
    }

    /// Puts a message into the queue of a channel of this node. `room` bytes are kept for the reply.
    /// `before` is called before anybody else knows the message.
    fn queue_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        room: usize,
        before: impl FnOnce(&Arc<Transaction>) -> Result,
    ) -> Result<Arc<Transaction>> {
        if self.is_dead() {
            return Err(EBADF);
        }
        // Short messages are copied now; of a long one, the rest when the server receives it.
        let bytes = request.message.read_piece(0, MAX_DATA)?;
        let client = self.client(bytes.len() + room)?;
        let transaction = Transaction::new(
            &self.node,
            client,
            self.sender(request, 0)?,
            Some(Payload::Copied(bytes)),
            GFP_KERNEL_ACCOUNT,
        )?;
        before(&transaction)?;
        tap::sent(&self.node, &transaction);
        channel.queue(&transaction, false).map_err(gone_is_dead)?;
        if self.is_dead() {
            // Detached in between: who did it may have searched the queue before it was there. If
            // the outcome is decided already, it is fetched below.
            let _ = transaction.finish(Event::Abandon, Outcome::Abandoned(EBADF.to_errno()));
        }
        Ok(transaction)
    }

    /// Waits for the answer of a server on this node.
    fn wait_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        transaction: &Arc<Transaction>,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        let way = Way {
            remote: false,
            wants_to_know: channel.has(uapi::QNET_CHF_UNBLOCK),
            ask: &|| transaction.tell_server(),
        };
        match transaction.wait(timeout, &way, &request.memory(None)) {
            Waited::Interrupted => self.park(request, transaction, 0),
            Waited::Done(outcome) => {
                if let Outcome::Abandoned(_) = outcome {
                    channel.forget(transaction);
                }
                Ok(outcome)
            }
        }
    }

    /// Leaves the kernel for a while, in the middle of a send.
    ///
    /// Errors: `ERESTARTNOINTR`, by which the call comes back; `EINTR` without memory for that.
    fn park(
        self: &Arc<Self>,
        request: &Request,
        transaction: &Arc<Transaction>,
        handle: u32,
    ) -> Result<Outcome> {
        let parked = Parked {
            transaction: transaction.clone(),
            handle,
            pinned: KVec::new(),
        };
        match self.parked.put(&request.call, parked) {
            Ok(oldest) => self.abandon(oldest),
            Err(parked) => {
                self.abandon([parked]);
                return Err(EINTR);
            }
        }
        if self.is_dead() {
            // Who ended the connection in between may have found nothing parked.
            self.abandon_all();
        }
        Err(ERESTARTNOINTR)
    }

    fn send_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        timeout: &Timeout,
        parked: Option<Parked>,
    ) -> Result<Outcome> {
        let mut parked = parked;
        if parked.is_none() {
            self.node.stats.count(Counter::ClientKercalls);
        }
        // One time for all that can block on the way.
        let timeout = timeout.fixed();
        let mut backoff = FIRST_BACKOFF;
        loop {
            let outcome = match parked.take() {
                Some(parked) => self.resume_there(peer, request, &timeout, parked)?,
                None => self.try_there(peer, pid, chid, request, &timeout)?,
            };
            if !matches!(outcome, Outcome::Busy) {
                return Ok(outcome);
            }
            self.back_off(backoff, timeout.deadline)
                .map_err(comes_back)?;
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    /// Sleeps `ns` nanoseconds, but not beyond `deadline`; the end of the connection ends the sleep.
    fn back_off(&self, ns: u64, deadline: Option<u64>) -> Result {
        let full = now_ns().saturating_add(ns);
        let until = deadline.map_or(full, |deadline| deadline.min(full));
        let mut state = self.state.lock();
        loop {
            if *state == State::Dead {
                return Err(EBADF);
            }
            match self.changed.wait(&mut state, Some(until)) {
                Wait::Woken => {}
                Wait::TimedOut if deadline == Some(until) => return Err(ETIMEDOUT),
                Wait::TimedOut => return Ok(()),
                Wait::Signal => return Err(EINTR),
            }
        }
    }

    fn try_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        if self.is_dead() {
            return Err(EBADF);
        }
        self.node
            .find_paths(peer, timeout.deadline)
            .map_err(comes_back)?;
        let client = self.client(request.message.len().min(MAX_DATA))?;
        let sender = self.sender(request, u32::from(peer.nd))?;
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        let handle = self.enter_send(&transaction)?;
        let pins = Pins::new(peer, handle);
        let there = There {
            pins: &pins,
            connection: self,
            peer,
            pid,
            chid,
            request,
            timeout,
            transaction: &transaction,
            handle,
            tells: Cell::new(false),
        };
        let sent = there.transmit().map_err(comes_back);
        let outcome = match sent {
            Ok(()) => self.wait_there(peer, &pins, request, timeout, &transaction, handle),
            Err(error) => {
                transaction.leave();
                Err(error)
            }
        };
        let answered = matches!(
            outcome,
            Ok(Outcome::Reply { .. } | Outcome::Error(_) | Outcome::Again { .. })
        );
        if answered && there.tells.get() {
            // Whatever the answer is, it says that the message was there.
            self.told.is_told();
        }
        self.leave_send(&outcome, handle, &pins);
        outcome
    }

    /// Goes on waiting for the answer of another node, after the thread had to leave the kernel.
    fn resume_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        request: &Request,
        timeout: &Timeout,
        parked: Parked,
    ) -> Result<Outcome> {
        let Parked {
            transaction,
            handle,
            pinned,
        } = parked;
        let pins = Pins::again(peer, handle, pinned);
        let outcome = self.wait_there(peer, &pins, request, timeout, &transaction, handle);
        self.leave_send(&outcome, handle, &pins);
        outcome
    }

    /// Enters a send to another node into the node's table: its client handle.
    fn enter_send(self: &Arc<Self>, transaction: &Arc<Transaction>) -> Result<u32> {
        let tid = transaction.sender.tid;
        let message = transaction.clone();
        let mut evicted = Evicted::new();
        let handle = {
            let mut waiting = self.node.ipc.waiting.lock();
            waiting.begin(&self.threads, tid, self.clone(), message, &mut evicted)
        };
        drop(evicted);
        handle
    }

    /// Takes a send out of the node's table, unless its thread comes back to it. Whoever finished the
    /// transaction may have taken it out already.
    fn leave_send(&self, outcome: &Result<Outcome>, handle: u32, pins: &Pins<'_>) {
        let comes_back = matches!(outcome, Err(error) if *error == ERESTARTNOINTR);
        // What is on its way goes on meanwhile.
        if comes_back && self.parked.keep_pins(handle, pins) {
            return;
        }
        self.forget_send(handle);
        pins.release();
    }

    /// Sends a message without waiting for its answer, which [`collect`](Self::collect) gets. Process
    /// context; it waits until the message is out, or the request's time is over.
    ///
    /// Errors: as [`send`](Self::send), but for those of the answer, and `ENOBUFS` in place of `EAGAIN`;
    /// `EMSGSIZE` for more than `QNET_POST_MAX` bytes, or room for more.
    pub(crate) fn post(self: &Arc<Self>, request: &Request, cookie: u64) -> Result {
        let most = request.message.len().max(request.reply.len());
        if most > uapi::QNET_POST_MAX {
            return Err(EMSGSIZE);
        }
        let mine = self.of_caller()?;
        trace::Send::trace(|| mine.traced(request));
        if let Some(error) = mine.mailbox.take_failure() {
            return Err(error);
        }
        let place = mine
            .mailbox
            .place(request.timeout.deadline, || mine.is_dead())?;
        let posted = match &mine.target {
            Target::Here { channel, .. } => mine.post_here(channel, request, cookie, place),
            Target::There { peer, pid, chid } => {
                mine.post_there(peer, *pid, *chid, request, cookie, place)
            }
        };
        if posted.is_err() {
            // Its place is free again.
            mine.ring();
        }
        // EAGAIN would say that it is worth while to poll.
        posted.map_err(|error| if error == EAGAIN { ENOBUFS } else { error })
    }

    fn post_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        cookie: u64,
        place: Place<'_>,
    ) -> Result {
        let room = request.reply.len();
        let mut kept = None;
        let queued = self.queue_here(channel, request, room, |transaction| {
            // All of the message is in the transaction.
            let request = Request {
                message: UserBuf::room(0)?,
                reply: UserBuf::room(room)?,
                ..*request
            };
            let posted = Posted::new(transaction, 0, cookie, request)?;
            place.put(posted)?;
            kept = Some(transaction.clone());
            Ok(())
        });
        if let (Err(_), Some(transaction)) = (&queued, kept) {
            self.mailbox.remove(&transaction);
        }
        let transaction = queued?;
        if self.is_dead() {
            // Who ended the connection in between may have found nothing in the mailbox, and in the
            // queue.
            self.abandon_posted();
            channel.forget(&transaction);
        }
        Ok(())
    }

    fn post_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        cookie: u64,
        place: Place<'_>,
    ) -> Result {
        if self.is_dead() {
            return Err(EBADF);
        }
        self.node.stats.count(Counter::ClientKercalls);
        let bytes = request.message.read_piece(0, uapi::QNET_POST_MAX)?;
        let room = request.reply.len();
        let client = self.client(bytes.len() + room)?;
        let request = Request {
            message: UserBuf::kept(bytes)?,
            reply: UserBuf::room(room)?,
            ..*request
        };
        let sender = self.sender(&request, u32::from(peer.nd))?;
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        // From now on others may finish it.
        transaction.mark_posted();
        let handle = self.enter_send(&transaction)?;
        let mut kept = false;
        let sent = Posted::new(&transaction, handle, cookie, request).and_then(|posted| {
            place.put(posted.clone())?;
            kept = true;
            self.transmit_posted(peer, pid, chid, &posted)
        });
        match sent {
            Ok(()) if !self.is_dead() => {
                if transaction.is_answered() {
                    // Before it was in the mailbox that rang for nobody.
                    self.ring();
                }
                Ok(())
            }
            sent => {
                let removed = self.mailbox.remove(&transaction);
                if kept && !removed && transaction.is_finished() {
                    // Somebody has collected the answer already.
                    return Ok(());
                }
                self.unpost(&transaction, handle, sent.err().unwrap_or(EBADF))
            }
        }
    }

    /// A message to another node, which is in no mailbox, could not be sent; or the connection has
    /// ended meanwhile, when who ended it may have found nothing in the mailbox.
    fn unpost(
        self: &Arc<Self>,
        transaction: &Arc<Transaction>,
        handle: u32,
        error: Error,
    ) -> Result {
        transaction.leave();
        self.forget_send(handle);
        if error == ETIMEDOUT {
            self.clear_way();
        }
        match transaction.take_answer() {
            Some(Outcome::Error(told)) => Err(Error::from_errno(told)),
            _ => Err(error),
        }
    }

    fn transmit_posted(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        posted: &Posted,
    ) -> Result {
        let request = &posted.request;
        self.node.find_paths(peer, request.timeout.deadline)?;
        // Its bytes are the kernel's, so that nothing will be pinned.
        let pins = Pins::new(peer, posted.handle);
        let there = There {
            pins: &pins,
            connection: self,
            peer,
            pid,
            chid,
            request,
            timeout: &request.timeout,
            transaction: &posted.transaction,
            handle: posted.handle,
            tells: Cell::new(false),
        };
        there.transmit()
    }

    /// Takes a send out of the node's table.
    fn forget_send(&self, handle: u32) {
        let waiting = self.node.ipc.waiting.lock().take(handle);
        drop(waiting);
        if self.is_dead() {
            // Who ended the connection in between may have found no threads.
            self.forget_threads();
        }
    }

    /// A message found the way blocked: who polls the connection is told when it is free.
    fn clear_way(self: &Arc<Self>) {
        self.mailbox.block(true);
        // If it waits already, it looks again.
        let _ = work::enqueue_long::<_, CLEARING>(self.clone());
    }

    /// Waits until there is a path to the other node, and room in its session, or until nobody wants
    /// that any more. By the workqueue. That there is no path, the next message tells.
    fn wait_for_way(&self) {
        let Target::There { peer, .. } = &self.target else {
            return;
        };
        if let Err(error) = self.node.find_paths(peer, None) {
            self.mailbox.fail(error);
            return;
        }
        while !self.is_dead() {
            let until = Some(now_ns().saturating_add(CLEARING_SLICE));
            // A session that has ended has room for anything.
            let waited = peer.wait_for_room(peer.connection(), until);
            if !waited.is_err_and(|error| error == ETIMEDOUT) {
                return;
            }
        }
    }

    /// The socket is this connection's, and may tell whose the channel is. Process context.
    pub(crate) fn tell_peer(&self) {
        if let (Some(bell), Some(channel)) = (&self.bell, self.channel()) {
            bell.peer_is(&channel.process.pid, &channel.maker);
        }
    }

    /// Gets the answer of a message that was posted, and the message. Process context; it waits until
    /// `deadline`.
    ///
    /// Errors: `EBADF` when the connection is dead, `ETIMEDOUT`, `EINTR`, `EAGAIN`, `ENOMEM`.
    pub(crate) fn collect(
        self: &Arc<Self>,
        deadline: Option<u64>,
    ) -> Result<(Arc<Posted>, Outcome)> {
        let mine = self.of_caller()?;
        let (posted, outcome, was_full) = mine
            .mailbox
            .take(deadline, |under_way| !under_way && mine.is_cut_off())?
            .ok_or(EBADF)?;
        if posted.handle != 0 {
            mine.forget_send(posted.handle);
        }
        if was_full {
            mine.ring();
        }
        Ok((posted, outcome))
    }

    /// What the calling process may do without waiting: get an answer, post a message.
    pub(crate) fn ready(&self) -> Ready {
        if self.owner.is_caller() {
            return self.ready_of_owner();
        }
        match self.heir_of_caller() {
            Some(heir) => heir.ready_of_owner(),
            // It has sent nothing yet.
            None => Ready {
                receive: false,
                send: true,
                hung_up: self.channel().is_some_and(|channel| channel.is_destroyed()),
            },
        }
    }

    fn ready_of_owner(&self) -> Ready {
        let (answered, room) = self.mailbox.ready();
        let connecting = matches!(*self.state.lock(), State::Connecting { .. });
        Ready {
            receive: answered,
            send: room && !connecting,
            hung_up: self.is_cut_off(),
        }
    }

    /// Something that is polled for may have changed. Legal in softirq; no lock may be held.
    pub(super) fn ring(&self) {
        if let Some(bell) = &self.bell {
            self.mailbox.changed();
            // What it is may be another process's.
            bell.ring(Ready::default());
        }
    }

    /// A server wants something of the sender of a message for which no thread waits. Legal in softirq.
    pub(super) fn serve_soon(self: &Arc<Self>) {
        // If it is to run already, it sees this too.
        let _ = work::enqueue::<_, SERVING>(self.clone());
    }

    /// Ends messages for which no thread waits. Process context.
    fn abandon_posted(self: &Arc<Self>) {
        let posted = self.mailbox.take_all();
        self.abandon(posted.iter().map(|posted| Parked {
            transaction: posted.transaction.clone(),
            handle: posted.handle,
            pinned: KVec::new(),
        }));
    }

    /// Ends sends whose threads do not come back: their servers learn that nobody waits, and who
    /// reads from their clients that there is nothing to read. Process context.
    fn abandon(self: &Arc<Self>, parked: impl IntoIterator<Item = Parked>) {
        for Parked {
            transaction,
            handle,
            ..
        } in parked
        {
            match &self.target {
                Target::Here { channel, .. } => {
                    transaction.die(&|| transaction.tell_server());
                    channel.forget(&transaction);
                }
                Target::There { peer, .. } => {
                    transaction.die(&|| self.unblock(peer, &transaction, handle));
                    let waiting = self.node.ipc.waiting.lock().take(handle);
                    drop(waiting);
                }
            }
        }
    }

    /// The same for all that are parked, or were posted.
    pub(super) fn abandon_all(self: &Arc<Self>) {
        self.abandon(self.parked.take_all());
        self.abandon_posted();
    }

    /// Waits for the answer of another node.
    fn wait_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pins: &Pins<'_>,
        request: &Request,
        timeout: &Timeout,
        transaction: &Arc<Transaction>,
        handle: u32,
    ) -> Result<Outcome> {
        let way = Way {
            remote: true,
            wants_to_know: true,
            ask: &|| self.unblock(peer, transaction, handle),
        };
        match transaction.wait(timeout, &way, &request.memory(Some(pins))) {
            Waited::Interrupted => self.park(request, transaction, handle),
            Waited::Done(outcome) => Ok(outcome),
        }
    }

    /// Tells the server's node that the sender wants to leave; says whether there will be an answer.
    fn unblock(&self, peer: &Arc<Peer>, transaction: &Transaction, handle: u32) -> bool {
        let due = UnblockDue {
            handle,
            tid: transaction.sender.tid,
            priority: transaction.sender.priority,
        };
        // Before the look at the state: who answers the CONNECT changes that first, and looks here
        // after that.
        self.owe(due);
        let state = *self.state.lock();
        match state {
            State::Connected { server_id, session } => {
                self.pay(handle);
                // What had not left needs no answer.
                !peer.give_up(session, Tag::Send(handle))
                    && self.send_unblock(peer, session, server_id, &due)
            }
            // The message may have gone with a CONNECT: when that is answered, the server is told. The
            // sender does not wait for that, because it may never be.
            State::Connecting { .. } => false,
            State::Idle | State::Dead => {
                self.pay(handle);
                false
            }
        }
    }

    /// Remembers a sender that has left.
    fn owe(&self, due: UnblockDue) {
        let mut dues = self.unblocks_due.lock();
        if dues.len() < MOST_DUE {
            // Without memory the server learns of it by the end of the connection.
            let _ = dues.push(due, GFP_ATOMIC);
        }
    }

    /// Forgets it.
    fn pay(&self, handle: u32) {
        self.unblocks_due.lock().retain(|due| due.handle != handle);
    }

    /// Sends an UNBLOCK; says whether there is a session that an answer can come by. Legal in softirq.
    fn send_unblock(
        &self,
        peer: &Arc<Peer>,
        session: u32,
        server_id: u32,
        due: &UnblockDue,
    ) -> bool {
        let message = Message::Unblock(Unblock {
            server_id,
            client_handle: due.handle,
            tid: due.tid,
        });
        let sent = Draft::new(&peer.node, &message, 0, Context::Atomic)
            .map(|draft| draft.with_priority(due.priority))
            .and_then(|draft| peer.send(session, draft, Tag::None, None));
        // For want of memory or room it is sent again later.
        !sent.is_err_and(|error| error == EHOSTDOWN)
    }

    /// The CONNECT failed, and with it what went along.
    pub(super) fn forget_unblocks_due(&self) {
        let dues = core::mem::take(&mut *self.unblocks_due.lock());
        drop(dues);
    }

    /// The CONNECT was answered: the server is told of senders that have left meanwhile. Softirq.
    pub(super) fn send_unblocks_due(&self, session: u32, server_id: u32) {
        let dues = core::mem::take(&mut *self.unblocks_due.lock());
        if let Target::There { peer, .. } = &self.target {
            for due in dues {
                // One that cannot be sent is a message that the server answers to nobody.
                let _ = self.send_unblock(peer, session, server_id, &due);
            }
        }
    }

    /// ConnectDetach of the calling process: who of it is blocked on the connection gets `EBADF`. What
    /// other processes have inherited stays theirs. Process context. Says whether there was anything
    /// to end: the second time there is not.
    pub(crate) fn detach(self: &Arc<Self>) -> bool {
        let until = Patience::begin();
        if self.owner.is_caller() {
            return self.end(until);
        }
        let mine = take_first(&mut self.heirs.lock(), |heir| heir.owner.is_caller());
        match mine {
            Some(heir) => heir.end(until),
            None => false,
        }
    }

    /// The last descriptor is closed: nobody has the connection any more. Process context.
    pub(crate) fn release(self: &Arc<Self>) {
        let until = Patience::begin();
        self.end(until);
        loop {
            let heir = self.heirs.lock().pop();
            match heir {
                Some(heir) => heir.end(until),
                None => return,
            };
        }
    }

    /// Whether its process has inherited it.
    pub(super) fn is_heir(&self) -> bool {
        self.is_heir
    }

    /// Ends the connection of one process; says whether there was one. Process context, may sleep; no
    /// lock is held.
    pub(super) fn end(self: &Arc<Self>, until: Patience) -> bool {
        let mut before = State::Dead;
        self.change(|state| {
            before = state;
            (state != State::Dead).then_some(State::Dead)
        });
        let ended = match &self.target {
            Target::Here { channel, scoid } => {
                if before != State::Dead {
                    channel.fail_if(|transaction| transaction.is_on(self), Event::Abandon, EBADF);
                    channel.process.detach_client(*scoid, channel);
                    channel.process.forget_threads_of(&self.threads);
                }
                before != State::Dead
            }
            Target::There { peer, .. } => {
                self.fail_waiting(Event::Abandon, EBADF);
                if let State::Connected { server_id, session } = before {
                    peer.farewell(session, &Message::Disconnect { server_id }, until);
                }
                let client = self
                    .node
                    .ipc
                    .clients
                    .lock()
                    .remove(self.client_id.load(Relaxed));
                if client.is_some() {
                    peer.leave();
                    self.node.stats.leave(Gauge::NetClient);
                }
                self.forget_threads();
                // One whose server is gone is dead already, and still the program's.
                client.is_some()
            }
        };
        if let Some(process) = Process::of(&self.node, &self.owner) {
            // It is in the list once, so that only one of those who end it leaves.
            if process.remove_connection(self) {
                process.leave();
            }
        }
        self.abandon_all();
        ended
    }

    /// The handles of its sends name nothing from now on.
    fn forget_threads(&self) {
        for (_, handle) in self.threads.take() {
            let ended = self.node.ipc.waiting.lock().end(handle);
            drop(ended);
        }
    }

    /// If its server is gone, its process is told, should that want to know. Legal in softirq.
    pub(super) fn tell_if_dead(&self) {
        if self.is_dead() {
            if let Some(process) = Process::of(&self.node, &self.owner) {
                pulse::coid_died(&process, self.coid());
            }
        }
    }

    /// Fails the sends on this connection that wait for the other node.
    pub(crate) fn fail_waiting(self: &Arc<Self>, event: Event, error: Error) {
        let mut place = 0;
        loop {
            let next = self
                .node
                .ipc
                .waiting
                .lock()
                .take_from(&mut place, |transaction| transaction.is_on(self));
            let Some(transaction) = next.map(|taken| taken.message()) else {
                return;
            };
            // Who finished it before has told its sender.
            let _ = transaction.finish(event, Outcome::Error(error.to_errno()));
        }
    }
}

/// A session with `peer` has ended, and with it the connections that were made on it.
pub(super) fn session_ended(peer: &Arc<Peer>, session: u32) {
    let clients = &peer.node.ipc.clients;
    let mut place = 0;
    loop {
        let next = clients
            .lock()
            .find_from(place, |connection| connection.is_to(peer))
            .map(|(client_id, connection)| (client_id, connection.clone()));
        let Some((client_id, connection)) = next else {
            return;
        };
        place = place_behind(client_id);
        if connection.change(|state| state.session_ended(session)) {
            connection.forget_unblocks_due();
            connection.tell_if_dead();
        }
    }
}

/// A connection whose channel or server is gone is dead.
fn gone_is_dead(error: Error) -> Error {
    if error == ESRCH {
        EBADF
    } else {
        error
    }
}

/// A call that a signal ends of which no handler runs comes back, because nothing of it is out.
fn comes_back(error: Error) -> Error {
    if error == EINTR && pending_signal() == Signal::Other {
        ERESTARTNOINTR
    } else {
        error
    }
}

/// One attempt to send a message to another node.
struct There<'a> {
    pins: &'a Pins<'a>,
    connection: &'a Arc<Connection>,
    peer: &'a Arc<Peer>,
    pid: i32,
    chid: i32,
    request: &'a Request,
    timeout: &'a Timeout,
    transaction: &'a Arc<Transaction>,
    handle: u32,
    /// Whether the message tells who the sender is now.
    tells: Cell<bool>,
}

impl There<'_> {
    /// Hands the message to the session, connecting first if need be. Process context.
    fn transmit(&self) -> Result {
        loop {
            if self.transaction.is_finished() {
                // The connection's CONNECT failed; the outcome says why.
                return Ok(());
            }
            let begin = self.connection.begin(self.handle);
            match begin {
                Begin::Dead => return Err(EBADF),
                Begin::Wait => {
                    let finished = || self.transaction.is_finished();
                    self.connection
                        .wait_for_connect(self.timeout.deadline, finished)?;
                }
                Begin::Connect => {
                    let failed = |_: &Error| self.connection.connect_failed(self.handle);
                    if self.connect().inspect_err(failed)? {
                        return Ok(());
                    }
                }
                Begin::Send { server_id, session } => return self.send(server_id, session),
            }
        }
    }

    /// Sends the CONNECT. Whether the message went with it.
    fn connect(&self) -> Result<bool> {
        let session = self.peer.open()?;
        self.connection
            .change(|state| state.carried_by(self.handle, session));
        let connect = self
            .connection
            .connect_record(self.peer, self.pid, self.chid);
        let client_id = connect.client_id;
        let together = |nbytes| -> Result<Message> {
            Ok(Message::ConnectMsgSend(
                connect,
                self.msgsend(0, nbytes, None)?,
            ))
        };
        let limit = self.peer.payload_limit();
        let fixed = together(0)?.fixed_len();
        // As much of the message goes along as there is room for; the server asks for the rest.
        let length = self.pushed(limit, fixed, CONNECT_DATA_MAX);
        let fits = fixed + length <= limit;
        // Whether the message goes along or waits for the answer: it is lost with this session.
        self.transaction.takes_session(session);
        let draft = if fits {
            self.peer
                .draft(&together(length)?, &self.request.message, 0, length)?
        } else {
            Draft::new(
                &self.peer.node,
                &Message::Connect(connect),
                0,
                Context::Sleep,
            )?
        };
        self.peer.wait_for_room(session, self.timeout.deadline)?;
        self.peer
            .send(session, draft, Tag::Connect(client_id), None)?;
        self.connection.told.is_told();
        Ok(fits)
    }

    /// How many bytes of the message go with it, in a frame with `limit` bytes of payload, when the
    /// fixed part has `fixed` bytes and the server's node takes at most `most`.
    fn pushed(&self, limit: usize, fixed: usize, most: u32) -> usize {
        let length = self.request.message.len();
        length.min(piece(limit, fixed)).min(most as usize)
    }

    /// The head of a message that `nbytes` bytes go with, and who the sender is if that is news.
    ///
    /// Errors: `EMSGSIZE` when the message is longer than the network can tell.
    fn msgsend(
        &self,
        server_id: u32,
        nbytes: usize,
        credentials: Option<Credentials>,
    ) -> Result<MsgSend> {
        let sender = &self.transaction.sender;
        let nbytes = u32::try_from(nbytes).map_err(|_| EMSGSIZE)?;
        Ok(MsgSend {
            server_id,
            client_handle: self.handle,
            vtid: Vtid {
                tid: sender.tid,
                coid: sender.coid,
                priority: i32::from(sender.priority),
                srcmsglen: i32::try_from(sender.srcmsglen).map_err(|_| EMSGSIZE)?,
                keydata: 0,
                srcnd: i32::from(self.peer.nd),
                dstmsglen: i32::try_from(sender.dstmsglen).unwrap_or(i32::MAX),
            },
            nbytes,
            credentials,
        })
    }

    fn send(&self, server_id: u32, session: u32) -> Result {
        let credentials = self.connection.told.news(self.peer);
        self.tells.set(credentials.is_some());
        let fixed = Message::MsgSend(MsgSend {
            credentials,
            ..MsgSend::default()
        })
        .fixed_len();
        let most = self.connection.most.load(Relaxed);
        let length = self.pushed(self.peer.payload_limit(), fixed, most);
        let message = Message::MsgSend(self.msgsend(server_id, length, credentials)?);
        self.transaction.takes_session(session);
        let tag = Tag::Send(self.handle);
        let from = &self.request.message;
        let draft = self.pins.draft(session, tag, &message, from, 0, length)?;
        self.peer.wait_for_room(session, self.timeout.deadline)?;
        self.peer.send(session, draft, tag, None)
    }
}

/// A pulse on its way to another node.
struct PulseThere<'a> {
    connection: &'a Arc<Connection>,
    peer: &'a Arc<Peer>,
    pid: i32,
    chid: i32,
    /// By what the connection knows the thread that connects it.
    attempt: u32,
}

impl PulseThere<'_> {
    /// The pulse as it travels.
    ///
    /// Errors: `EOVERFLOW` for a value of more than 32 bits.
    fn record(&self, priority: i16, code: i8, value: i64) -> Result<kif::Pulse> {
        Ok(kif::Pulse {
            pulse: PulseInfo {
                code,
                value: i32::try_from(value).map_err(|_| EOVERFLOW)?,
                ..PulseInfo::default()
            },
            priority: i32::from(priority),
            vtid: Vtid {
                priority: i32::from(priority),
                srcnd: i32::from(self.peer.nd),
                ..Vtid::default()
            },
            ..kif::Pulse::default()
        })
    }

    /// Hands the pulse to the session, connecting first if need be. Process context.
    fn transmit(&self, pulse: &kif::Pulse) -> Result {
        loop {
            match self.connection.begin(self.attempt) {
                Begin::Dead => return Err(EBADF),
                Begin::Wait => self
                    .connection
                    .wait_for_connect(None, || false)
                    .map_err(comes_back)?,
                Begin::Connect => {
                    let failed = |_: &Error| self.connection.connect_failed(self.attempt);
                    return self.connect(pulse).map_err(comes_back).inspect_err(failed);
                }
                Begin::Send { server_id, session } => {
                    self.peer.wait_for_room(session, None).map_err(comes_back)?;
                    return self.send(server_id, session, pulse, Context::Sleep);
                }
            }
        }
    }

    /// Sends the pulse with the CONNECT.
    fn connect(&self, pulse: &kif::Pulse) -> Result {
        self.peer.node.find_paths(self.peer, None)?;
        let session = self.peer.open()?;
        self.connection
            .change(|state| state.carried_by(self.attempt, session));
        let connect = self
            .connection
            .connect_record(self.peer, self.pid, self.chid);
        let message = Message::ConnectPulse(connect, *pulse);
        let draft = Draft::new(&self.peer.node, &message, 0, Context::Sleep)?;
        self.peer.wait_for_room(session, None)?;
        let tag = Tag::Connect(connect.client_id);
        self.peer.send(session, draft, tag, None)?;
        self.connection.told.is_told();
        Ok(())
    }

    /// Sends the pulse over a connection that is up.
    fn send(&self, server_id: u32, session: u32, pulse: &kif::Pulse, context: Context) -> Result {
        let message = Message::Pulse(kif::Pulse {
            server_id,
            ..*pulse
        });
        let priority = i16::try_from(pulse.priority).unwrap_or(0);
        let draft = Draft::new(&self.peer.node, &message, 0, context)?.with_priority(priority);
        self.peer
            .send(session, draft, Tag::None, None)
            .map_err(|error| if error == ENOBUFS { EAGAIN } else { error })
    }
}
