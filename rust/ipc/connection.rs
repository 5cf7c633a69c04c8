// SPDX-License-Identifier: GPL-2.0

//! A client's connection to a channel, on this node or on another.

mod post;
mod pulse;
mod send;
mod signal;
mod there;
mod unblock;

pub(crate) use self::post::Unsent;
use self::unblock::UnblockDue;
use crate::{
    ipc::{
        channel::Channel,
        handles::place_behind,
        identity::{
            credentials,
            Told, //
        },
        mailbox::Mailbox,
        parked::{
            self,
            Call,
            ParkedSends, //
        },
        pins::Pins,
        process::{
            ClientKey,
            Process, //
        },
        pulse::coid_died,
        requests::Memory,
        seen::Seen,
        transaction::{
            Outcome,
            Timeout, //
        },
        users::{
            self,
            Owned,
            Thing, //
        },
        vtids::Threads, //
    },
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::{
            self,
            Pid, //
        },
        sock::Bell,
        take_first,
        timer::now_ns,
        user::UserBuf,
        wait::{
            pending_signal,
            Signal,
            Wait,
            WaitQueue, //
        },
    },
    node::{
        Node,
        Patience,
        Peer, //
    },
    proto::{
        kif::{
            connection::{
                Begin,
                State, //
            },
            transaction::Event, //
        },
        wire::kif::{
            Connect,
            Message, //
        },
    },
    stats::Gauge, //
};
use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    workqueue::Work, //
};

/// The version of the kernel interface that a CONNECT names.
pub(crate) const KIF_VERSION: u32 = 1;

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
    /// The thread that has ended it and waits for others in ConnectDetach; 0: none.
    ender: Atomic<i32>,
    /// How long it waits, as a time of the monotonic clock in nanoseconds.
    ends_by: Atomic<u64>,
    /// Whether its process has ended it, or, of an heir, has died: nobody wants answers any more. One
    /// whose server or session is lost is dead, and its answers are still the program's.
    ended: Atomic<bool>,
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

/// The number of the work that serves servers.
const SERVING: u64 = 1;
/// The number of the work that waits for the way.
const CLEARING: u64 = 2;

impl_has_work! {
    impl HasWork<Self, SERVING> for Connection { self.serving }
    impl HasWork<Self, CLEARING> for Connection { self.clearing }
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
                ender: Atomic::new(0),
                ends_by: Atomic::new(0),
                ended: Atomic::new(false),
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
                Some(heir) => heir.bury(until),
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

    /// Who has used it last.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
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

    /// Whether it was detached, or its server is gone.
    pub(crate) fn is_dead(&self) -> bool {
        *self.state.lock() == State::Dead
    }

    /// Whether its process has ended it. Who puts something into the mailbox looks behind that: who ends
    /// the connection looks there after saying so, under the same lock.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Whether it was detached, or its server is known to be gone.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_dead() || self.channel().is_some_and(|channel| channel.is_destroyed())
    }

    /// The socket is this connection's, and may tell whose the channel is. Process context.
    pub(crate) fn tell_peer(&self) {
        if let (Some(bell), Some(channel)) = (&self.bell, self.channel()) {
            bell.peer_is(&channel.process.pid, &channel.maker);
        }
    }

    /// Ends sends that are parked, or were posted, of a process that is gone, or does not have the connection
    /// any more. Process context.
    pub(super) fn abandon_all(self: &Arc<Self>) {
        self.abandon(self.parked.take_all());
        self.abandon_posted();
    }

    /// ConnectDetach of the calling process: who of it is blocked on the connection gets `EBADF`. What
    /// other processes have inherited stays theirs. Process context.
    ///
    /// Errors: `EINVAL` when there is nothing to end, as the second time; `ERESTARTNOINTR` as
    /// [`settle`](ParkedSends::settle).
    pub(crate) fn detach(self: &Arc<Self>) -> Result {
        let mine = if self.owner.is_caller() {
            Some(self.clone())
        } else {
            // It stays in the list as long as threads are to find it, so that they do not inherit anew.
            self.heir_of_caller()
        };
        let Some(mine) = mine else {
            return Err(EINVAL);
        };
        // A call that comes back has ended it before.
        let me = pid::caller_tid();
        let again = mine.ender.load(Relaxed) == me;
        let ended = mine.end(Patience::begin());
        if ended {
            let until = now_ns().saturating_add(parked::PATIENCE);
            mine.ends_by.store(until, Relaxed);
            mine.ender.store(me, Relaxed);
        }
        let ended = ended || again;
        if ended {
            mine.parked.settle(mine.ends_by.load(Relaxed))?;
            mine.ender.store(0, Relaxed);
        }
        self.let_go(&mine);
        self.bury_heirs();
        if ended {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    /// What `mine`, this connection or an heir of it, was kept for after its end goes, if no thread is away
    /// any more. Process context.
    fn let_go(&self, mine: &Arc<Self>) {
        // Whose ConnectDetach is to come back must find it.
        let awaited = mine.ender.load(Relaxed) != 0;
        if awaited || !mine.is_ended() || !mine.parked.is_empty() {
            return;
        }
        mine.leave_process();
        let heir = take_first(&mut self.heirs.lock(), |heir| Arc::ptr_eq(heir, mine));
        drop(heir);
    }

    /// The last descriptor is closed: nobody has the connection any more. Process context.
    pub(crate) fn release(self: &Arc<Self>) {
        let until = Patience::begin();
        self.bury(until);
        loop {
            let heir = self.heirs.lock().pop();
            match heir {
                Some(heir) => heir.bury(until),
                None => return,
            };
        }
    }

    /// Ends the connection of a process that is gone, or does not have it any more. Process context.
    pub(super) fn bury(self: &Arc<Self>, until: Patience) {
        self.end(until);
        self.abandon_all();
        self.leave_process();
    }

    /// Its process does not have it any more. It is in the list once, so that only one of those who end it
    /// leaves.
    fn leave_process(self: &Arc<Self>) {
        if let Some(process) = Process::of(&self.node, &self.owner) {
            if process.remove_connection(self) {
                process.leave();
            }
        }
    }

    /// Whether its process has inherited it.
    pub(super) fn is_heir(&self) -> bool {
        self.is_heir
    }

    /// Ends the connection of one process; says whether there was one. Threads whose sends are parked
    /// get the outcome when they come back. Process context, may sleep; no lock is held.
    pub(super) fn end(self: &Arc<Self>, until: Patience) -> bool {
        self.ended.store(true, Relaxed);
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
                let client = {
                    let id = self.client_id.load(Relaxed);
                    let mut clients = self.node.ipc.clients.lock();
                    // The second time it may be another's.
                    let mine = clients.get(id).is_some_and(|it| Arc::ptr_eq(it, self));
                    if mine {
                        clients.remove(id)
                    } else {
                        None
                    }
                };
                if client.is_some() {
                    peer.leave();
                    self.node.stats.leave(Gauge::NetClient);
                }
                self.forget_threads();
                // One whose server is gone is dead already, and still the program's.
                client.is_some()
            }
        };
        self.abandon_posted();
        // Should its process die before its threads have come back, it finds there what they leave.
        if self.parked.is_empty() {
            self.leave_process();
        }
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
                coid_died(&process, self.coid());
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
