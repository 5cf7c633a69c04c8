// SPDX-License-Identifier: GPL-2.0

//! Message passing: processes, channels, connections and transactions of one node.
//!
//! A [`Process`] has [`Channel`]s and rcvids; a client has [`Connection`]s; each message under way
//! is a [`Transaction`], in the queue of a channel, in the rcvid table of the process that received
//! it, or in the table of those that wait for another node.
//!
//! # Lock order
//!
//! The mutex of [`priority`] is taken before any of the spinlocks, with none of them held.
//! `Connection::state` > `Transaction::inner`; a table of [virtual threads](vtids) (that of a
//! process, or of the node) > a connection's list of them, and > `Transaction::inner`;
//! `Channel::inner` > `Transaction::inner`; a [mailbox](mailbox)'s lock > `Connection::state`,
//! `Channel::inner` and `Transaction::inner`. `Transaction::inner` > the calling thread's own siglock.
//! Otherwise all locks here are leaves: none is held while another is taken. What spans two objects is done in an order that leaves no gap instead. A transaction that waits for another node is put into the
//! table first and its connection is looked at after that, while who ends a connection marks it
//! first and searches the table after that: one of the two sees the other.

#![forbid(unsafe_code)]

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod events;
pub(crate) mod exchange;
pub(crate) mod handles;
mod identity;
pub(crate) mod input;
mod keydata;
pub(crate) mod listing;
pub(crate) mod mailbox;
pub(crate) mod parked;
pub(crate) mod pins;
pub(crate) mod priority;
mod process;
pub(crate) mod pulse;
pub(crate) mod requests;
pub(crate) mod rights;
pub(crate) mod seen;
pub(crate) mod server;
mod tap;
pub(crate) mod transaction;
mod transfer;
pub(crate) mod users;
pub(crate) mod vtids;

pub(crate) use self::{
    channel::Channel,
    connection::Connection,
    process::{
        server_fault,
        ClientKey,
        Known,
        Process, //
    },
};

use self::{
    exchange::Exchange,
    handles::Handles,
    server::ServerConnection,
    transaction::Outcome,
    users::Users,
    vtids::Vtids, //
};
use crate::{
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh, //
    },
    node::Peer,
    proto::{
        kif::transaction::Event,
        qos::session::DownReason, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The most sends to other nodes that wait at a time in a namespace.
const MAX_WAITING: usize = 65536;
/// The most connections to other nodes that a namespace has.
const MAX_CLIENTS: usize = 65536;
/// The most connections that other nodes have to channels of a namespace.
const MAX_SERVERS: usize = 65536;
/// The most calls of servers that wait for clients on other nodes at a time in a namespace.
const MAX_EXCHANGES: usize = 65536;

/// A node's tables of message passing.
#[pin_data]
pub(crate) struct Ipc {
    /// Processes that have sockets, sorted by number in the initial pid namespace.
    #[pin]
    pub(crate) processes: SpinLockBh<KVec<process::Entry>>,
    /// Threads that have sent to other nodes, and what they wait for, by client handle.
    #[pin]
    pub(crate) waiting: SpinLockBh<Vtids<Arc<Connection>>>,
    /// Connections to channels on other nodes, by client id.
    #[pin]
    pub(crate) clients: SpinLockBh<Handles<Arc<Connection>>>,
    /// Connections that other nodes have to channels here, by server id.
    #[pin]
    pub(crate) servers: SpinLockBh<Handles<Arc<ServerConnection>>>,
    /// Calls of servers here that wait for clients on other nodes, by msgread handle.
    #[pin]
    pub(crate) exchanges: SpinLockBh<Handles<Arc<Exchange>>>,
    /// Users that have something here.
    #[pin]
    pub(crate) users: Users,
}

impl Ipc {
    /// Empty tables.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            processes <- new_spinlock_bh!(KVec::new()),
            waiting <- new_spinlock_bh!(Vtids::new(MAX_WAITING)),
            clients <- new_spinlock_bh!(Handles::new(MAX_CLIENTS)),
            servers <- new_spinlock_bh!(Handles::new(MAX_SERVERS)),
            exchanges <- new_spinlock_bh!(Handles::new(MAX_EXCHANGES)),
            users <- new_spinlock_bh!(KVec::new()),
        })
    }
}

/// Neutrino's error for what the network cannot do.
pub(crate) fn no_remote() -> Error {
    Error::from_errno(-crate::uapi::QNET_ENOREMOTE)
}

/// The session `session` with `peer` has ended: who waits for that node is released, and its own
/// clients are gone. Softirq or process context; no lock is held.
pub(crate) fn session_ended(peer: &Arc<Peer>, session: u32, reason: DownReason) {
    let ipc = &peer.node.ipc;
    // Connections first, so that nobody begins anew on what has ended.
    connection::session_ended(peer, session);
    let error = match reason {
        DownReason::Unreachable => EHOSTUNREACH,
        DownReason::LinkFailed
        | DownReason::PeerDown
        | DownReason::PeerRestarted
        | DownReason::Local => EHOSTDOWN,
    };
    let mut place = 0;
    loop {
        let lost = ipc.waiting.lock().take_from(&mut place, |transaction| {
            transaction.is_out_by(peer, session)
        });
        let Some(transaction) = lost.map(|taken| taken.message()) else {
            break;
        };
        // Who came first, the answer or the end, has decided already.
        let _ = transaction.finish(Event::ServerGone, Outcome::Error(error.to_errno()));
    }
    exchange::session_ended(peer, session);
    let mut place = 0;
    loop {
        let gone = ipc
            .servers
            .lock()
            .remove_from(&mut place, |server| server.is_of(peer, session));
        let Some(server) = gone else {
            break;
        };
        server.ended();
    }
}

#[kunit_tests(qnet_ipc)]
mod tests {
    use super::{
        channel::{
            Received,
            Room, //
        },
        connection::Address,
        pulse::Pulse,
        requests::{
            Asker,
            Memory,
            Request, //
        },
        transaction::{
            Client,
            Payload,
            Sender,
            Timeout,
            Transaction,
            Waited,
            Way, //
        },
        vtids::{
            Evicted,
            Named,
            Threads, //
        },
        *,
    };
    use crate::{
        knet::{
            net::{
                per_net,
                Net, //
            },
            pid::Pid,
            timer::now_ns,
            user::UserBuf, //
        },
        node::{
            Node,
            Nodes,
            Patience, //
        },
        proto::kif::{
            transaction::TimeoutStates,
            transfer::{
                Piece,
                Pieces,
                MAX_QUEUED,
                MAX_READS,
                WRITE_OVERHEAD, //
            },
        },
    };

    /// To a server on this node that does not want to know who wants to leave.
    const WAY: Way<'static> = Way {
        remote: false,
        wants_to_know: false,
        ask: &|| false,
    };

    /// A channel of the test's own thread, a connection to it, and what they belong to.
    struct Scene {
        node: Arc<Node>,
        process: Arc<Process>,
        channel: Arc<Channel>,
        connection: Arc<Connection>,
    }

    impl Scene {
        fn new() -> Result<Self> {
            let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
            let process = Process::enter(&node)?;
            let channel = process.create_channel(0, None)?;
            let address = Address {
                nd: 0,
                pid: 0,
                chid: channel.chid,
                index: 0,
                flags: 0,
            };
            let connection = Connection::attach(&node, address, None)?;
            Ok(Self {
                node,
                process,
                channel,
                connection,
            })
        }

        fn message(&self, priority: i16, byte: u8) -> Result<Arc<Transaction>> {
            let mut bytes = KVVec::new();
            bytes.push(byte, GFP_KERNEL)?;
            let client = Client::Thread {
                connection: self.connection.clone(),
                process: Pid::of_caller(),
                _charged: None,
            };
            let sender = Sender {
                tid: 1,
                coid: 1,
                priority,
                srcnd: 0,
                srcmsglen: 1,
                dstmsglen: 0,
                client_changed: false,
            };
            let payload = Some(Payload::Copied(bytes));
            Transaction::new(&self.node, client, sender, payload, GFP_KERNEL)
        }

        /// Receives a message that is there, or finds that there is none.
        fn receive(&self) -> Result<(Arc<Transaction>, u8)> {
            let at_once = at_once(TimeoutStates::RECEIVE)?;
            let Received::Message(transaction, payload) = self.channel.receive(&at_once, false)?
            else {
                return Err(EINVAL);
            };
            match &*payload {
                Payload::Copied(bytes) => Ok((transaction, *bytes.first().ok_or(ENODATA)?)),
                Payload::Frame { .. } => Err(EINVAL),
            }
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            self.connection.release();
            self.channel.destroy(Patience::begin());
            self.process.leave();
        }
    }

    fn at_once(states: u32) -> Result<Timeout> {
        let states = TimeoutStates::new(states).ok_or(EINVAL)?;
        Ok(Timeout {
            states,
            ns: 0,
            deadline: None,
        })
    }

    fn nothing() -> Result<UserBuf> {
        UserBuf::from_parts(0, 0, 0)
    }

    fn error_of(transaction: &Transaction) -> Result<c_int> {
        let timeout = at_once(TimeoutStates::SEND | TimeoutStates::REPLY)?;
        let nothing = nothing()?;
        let memory = Memory {
            message: &nothing,
            reply: &nothing,
            pins: None,
        };
        match transaction.wait(&timeout, &WAY, &memory) {
            Waited::Done(Outcome::Error(error) | Outcome::Abandoned(error)) => Ok(error),
            Waited::Done(Outcome::Reply { .. } | Outcome::Busy | Outcome::Again { .. }) => Ok(0),
            Waited::Interrupted => Err(EINTR),
        }
    }

    #[test]
    fn higher_priorities_come_first_and_equals_in_order() -> Result {
        let scene = Scene::new()?;
        for (priority, byte) in [(10, 1u8), (20, 2), (10, 3), (5, 4), (20, 5)] {
            scene
                .channel
                .queue(&scene.message(priority, byte)?, false)?;
        }
        for expected in [2u8, 5, 1, 3, 4] {
            let (_, byte) = scene.receive()?;
            assert_eq!(byte, expected);
        }
        assert_eq!(scene.receive().err(), Some(ETIMEDOUT));
        Ok(())
    }

    #[test]
    fn a_destroyed_channel_fails_what_is_queued_and_what_is_received() -> Result {
        let scene = Scene::new()?;
        let received = scene.message(10, 1)?;
        let queued = scene.message(10, 2)?;
        scene.channel.queue(&received, false)?;
        let (transaction, _) = scene.receive()?;
        let rcvid = scene.process.received(transaction)?;
        scene.channel.queue(&queued, false)?;
        scene.channel.destroy(Patience::begin());
        assert_eq!(error_of(&received)?, ESRCH.to_errno());
        assert_eq!(error_of(&queued)?, ESRCH.to_errno());
        assert_eq!(scene.process.error(rcvid, 0).err(), Some(ESRCH));
        assert_eq!(scene.channel.queue(&queued, false).err(), Some(ESRCH));
        assert_eq!(scene.receive().err(), Some(ESRCH));
        Ok(())
    }

    #[test]
    fn a_detached_connection_fails_its_messages() -> Result {
        let scene = Scene::new()?;
        let received = scene.message(10, 1)?;
        let queued = scene.message(10, 2)?;
        scene.channel.queue(&received, false)?;
        let (transaction, _) = scene.receive()?;
        let rcvid = scene.process.received(transaction)?;
        scene.channel.queue(&queued, false)?;
        scene.connection.detach()?;
        assert_eq!(error_of(&received)?, EBADF.to_errno());
        assert_eq!(error_of(&queued)?, EBADF.to_errno());
        assert_eq!(
            scene.process.reply(rcvid, 0, &nothing()?).err(),
            Some(ESRCH)
        );
        assert_eq!(scene.receive().err(), Some(ETIMEDOUT));
        Ok(())
    }

    #[test]
    fn a_message_is_answered_once() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        scene.channel.queue(&message, false)?;
        let (transaction, _) = scene.receive()?;
        let rcvid = scene.process.received(transaction)?;
        assert!(scene.process.reply(rcvid, 7, &nothing()?).is_ok());
        assert_eq!(
            scene.process.reply(rcvid, 8, &nothing()?).err(),
            Some(ESRCH)
        );
        assert_eq!(scene.process.error(rcvid, 1).err(), Some(ESRCH));
        assert_eq!(error_of(&message)?, 0);
        Ok(())
    }

    #[test]
    fn who_gives_up_is_not_received_and_not_answered() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        scene.channel.queue(&message, false)?;
        assert_eq!(error_of(&message)?, ETIMEDOUT.to_errno());
        // It is passed over, although it is in the queue still.
        assert_eq!(scene.receive().err(), Some(ETIMEDOUT));

        let message = scene.message(10, 2)?;
        scene.channel.queue(&message, false)?;
        let (transaction, _) = scene.receive()?;
        let rcvid = scene.process.received(transaction)?;
        assert_eq!(error_of(&message)?, ETIMEDOUT.to_errno());
        assert_eq!(
            scene.process.reply(rcvid, 0, &nothing()?).err(),
            Some(ESRCH)
        );
        Ok(())
    }

    #[test]
    fn a_time_out_counts_in_its_states_only() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        scene.channel.queue(&message, false)?;
        let (transaction, _) = scene.receive()?;
        let _rcvid = scene.process.received(transaction)?;
        // REPLY-blocked: a time-out of the SEND state does not run, one of the REPLY state does.
        let states = TimeoutStates::new(TimeoutStates::SEND).ok_or(EINVAL)?;
        assert!(!states.runs_in(crate::proto::kif::transaction::State::Received, false));
        let timeout = at_once(TimeoutStates::REPLY)?;
        let nothing = nothing()?;
        let memory = Memory {
            message: &nothing,
            reply: &nothing,
            pins: None,
        };
        assert!(matches!(
            message.wait(&timeout, &WAY, &memory),
            Waited::Done(Outcome::Abandoned(error)) if error == ETIMEDOUT.to_errno()
        ));
        Ok(())
    }

    fn read_by(exchange: &Arc<Exchange>) -> Request {
        Request::Read {
            asker: Asker::Here(exchange.clone()),
            offset: 0,
            nbytes: 1,
        }
    }

    /// An exchange that has asked for one byte.
    fn asked(of: &Transaction) -> Result<Arc<Exchange>> {
        let exchange = Exchange::new(of, Pieces::new(0, 1, 1), None)?;
        let later = now_ns() + 1;
        let waited = exchange.run(Some(later), |_| Ok(()), |_, _| Ok(()));
        assert_eq!(waited.err(), Some(ETIMEDOUT));
        Ok(exchange)
    }

    #[test]
    fn who_reads_of_a_client_that_is_answered_or_gives_up_is_told() -> Result {
        let scene = Scene::new()?;
        for answered in [true, false] {
            let message = scene.message(10, 1)?;
            let exchange = asked(&message)?;
            assert!(message.push(read_by(&exchange)).is_ok());
            if answered {
                assert!(message.finish(Event::Answer, Outcome::done()).is_ok());
            }
            let error = if answered { 0 } else { ETIMEDOUT.to_errno() };
            assert_eq!(error_of(&message)?, error);
            let told = exchange.run(None, |_| Ok(()), |_, _| Ok(()));
            assert_eq!(told.err(), Some(ESRCH));
            // Nothing is taken any more.
            let refused = message.push(read_by(&exchange));
            assert_eq!(refused.err().map(|(_, error)| error), Some(ESRCH));
        }
        Ok(())
    }

    #[test]
    fn what_is_asked_of_a_client_is_bounded() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        let exchange = asked(&message)?;
        for _ in 0..MAX_READS {
            assert!(message.push(read_by(&exchange)).is_ok());
        }
        let refused = message.push(read_by(&exchange));
        assert_eq!(refused.err().map(|(_, error)| error), Some(EAGAIN));
        let mut queued = 0;
        let error = loop {
            let write = Request::Write {
                asker: None,
                offset: 0,
                data: Payload::Copied(KVVec::new()),
            };
            match message.push(write) {
                Ok(()) => queued += 1,
                Err((_, error)) => break error,
            }
        };
        assert_eq!(error, ENOBUFS);
        assert_eq!(queued, MAX_QUEUED / WRITE_OVERHEAD);
        message.leave();
        assert_eq!(message.payload().map(drop), None);
        Ok(())
    }

    #[test]
    fn an_exchange_takes_what_it_asked_for() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        let exchange = Exchange::new(&message, Pieces::new(7, 2, 1), None)?;
        assert!(!exchange.arrived(7, 1, None));
        let mut asked = 0;
        let mut taken = 0;
        let ask = |piece: Piece| {
            asked += 1;
            let mut bytes = KVVec::new();
            bytes.push(piece.offset as u8, GFP_KERNEL)?;
            assert!(!exchange.arrived(piece.offset + 100, 1, None));
            assert!(exchange.arrived(piece.offset, 1, Some(Payload::Copied(bytes))));
            Ok(())
        };
        let take = |piece: Piece, data: &Payload| {
            taken += 1;
            assert!(
                matches!(data, Payload::Copied(bytes) if bytes.first() == Some(&(piece.offset as u8)))
            );
            Ok(())
        };
        assert_eq!(exchange.run(None, ask, take), Ok(9));
        assert_eq!((asked, taken), (2, 2));
        Ok(())
    }

    #[test]
    fn pulses_wait_with_messages_by_priority_and_alone() -> Result {
        let scene = Scene::new()?;
        let at_once = at_once(TimeoutStates::RECEIVE)?;
        let pulse = |priority, value| Pulse {
            priority,
            lender: priority::Lender::Here,
            code: 1,
            value,
            scoid: 1,
        };
        scene.channel.queue_pulse(pulse(10, 1), Room::Program)?;
        scene.channel.queue(&scene.message(15, 2)?, false)?;
        scene.channel.queue_pulse(pulse(20, 3), Room::Program)?;
        scene.channel.queue_pulse(pulse(10, 4), Room::Program)?;
        for expected in [3, 1] {
            match scene.channel.receive(&at_once, true)? {
                Received::Pulse(pulse) => assert_eq!(pulse.value, expected),
                Received::Message(..) => return Err(EINVAL),
            }
        }
        assert_eq!(scene.receive()?.1, 2);
        assert!(matches!(
            scene.channel.receive(&at_once, false)?,
            Received::Pulse(pulse) if pulse.value == 4
        ));
        let nothing = scene.channel.receive(&at_once, true);
        assert_eq!(nothing.err(), Some(ETIMEDOUT));
        Ok(())
    }

    #[test]
    fn pulses_of_programs_are_bounded_and_others_are_not() -> Result {
        let scene = Scene::new()?;
        let mut queued = 0;
        let pulse = Pulse {
            priority: 10,
            lender: priority::Lender::Here,
            code: 1,
            value: 0,
            scoid: 1,
        };
        while scene.channel.queue_pulse(pulse, Room::Program).is_ok() {
            queued += 1;
        }
        assert_eq!(queued, 4096);
        assert_eq!(
            scene.channel.queue_pulse(pulse, Room::Program).err(),
            Some(EAGAIN)
        );
        assert!(scene.channel.queue_pulse(pulse, Room::Own).is_ok());
        Ok(())
    }

    #[test]
    fn a_rcvid_names_its_thread_after_the_answer_and_never_the_next_message() -> Result {
        let scene = Scene::new()?;
        let mut before = None;
        for n in 0..3 {
            scene.channel.queue(&scene.message(10, n)?, false)?;
            let (transaction, _) = scene.receive()?;
            let rcvid = scene.process.received(transaction)?;
            assert!(scene.process.client_of(rcvid)?.2.is_some());
            if let Some(old) = before.replace(rcvid) {
                assert!(old != rcvid);
                let error = scene.process.reply(old, 0, &nothing()?).err();
                assert_eq!(error, Some(ESRCH));
                assert!(scene.process.client_of(old).is_ok());
            }
            scene.process.reply(rcvid, 0, &nothing()?)?;
            assert!(scene.process.client_of(rcvid)?.2.is_none());
        }
        scene.connection.detach()?;
        let rcvid = before.ok_or(EINVAL)?;
        assert_eq!(scene.process.client_of(rcvid).err(), Some(ESRCH));
        Ok(())
    }

    /// A client that is of another node, or not.
    struct Side(bool);

    impl Named for Side {
        fn is_remote(&self) -> bool {
            self.0
        }
    }

    /// A message of the thread `tid` comes and is answered: its number.
    fn comes_and_goes(
        table: &mut Vtids<Side>,
        threads: &Threads,
        (tid, remote): (i32, bool),
        message: &Arc<Transaction>,
    ) -> Result<u32> {
        let mut evicted = Evicted::new();
        let number = table.begin(threads, tid, Side(remote), message.clone(), &mut evicted)?;
        assert!(table.take(number).is_some());
        Ok(number)
    }

    #[test]
    fn a_number_comes_again_after_all_places_of_its_thread() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        let threads = Arc::pin_init(Threads::new(), GFP_KERNEL)?;
        let mut table = Vtids::new(64);
        let first = comes_and_goes(&mut table, &threads, (1, false), &message)?;
        for _ in 0..40_000 {
            let next = comes_and_goes(&mut table, &threads, (1, false), &message)?;
            assert!(next != first);
        }
        assert!(table.client(first).is_some());
        assert_eq!(threads.take().len(), 2);
        Ok(())
    }

    #[test]
    fn threads_of_other_nodes_do_not_push_out_those_of_this_one() -> Result {
        let scene = Scene::new()?;
        let message = scene.message(10, 1)?;
        let [mine, theirs] = [(); 2].map(|()| Arc::pin_init(Threads::new(), GFP_KERNEL));
        let (mine, theirs) = (mine?, theirs?);
        let mut table = Vtids::new(8);
        let locals = [1, 2].map(|tid| comes_and_goes(&mut table, &mine, (tid, false), &message));
        for tid in 0..20 {
            comes_and_goes(&mut table, &theirs, (tid, true), &message)?;
        }
        for local in locals {
            assert!(table.client(local?).is_some());
        }
        // They fill the rest themselves, and what is of other nodes makes room.
        for tid in 3..=8 {
            comes_and_goes(&mut table, &mine, (tid, false), &message)?;
        }
        for (_, number) in mine.take() {
            assert!(table.client(number).is_some());
        }
        Ok(())
    }

    #[test]
    fn other_nodes_cannot_fill_a_queue_without_end() -> Result {
        let scene = Scene::new()?;
        let mut queued = 0;
        loop {
            match scene.channel.queue(&scene.message(10, 1)?, true) {
                Ok(()) => queued += 1,
                Err(error) => {
                    assert_eq!(error, EAGAIN);
                    break;
                }
            }
        }
        assert_eq!(queued, 1024);
        assert!(scene.channel.queue(&scene.message(10, 1)?, false).is_ok());
        Ok(())
    }
}
