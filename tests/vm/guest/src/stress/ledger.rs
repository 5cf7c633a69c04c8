// SPDX-License-Identifier: GPL-2.0

//! What everybody writes down of every message: memory that all processes of the stress share, so
//! that it outlives each of them.
//!
//! All of it is atomic numbers, and all zero is its beginning. Who is killed leaves at worst the last
//! thing that it did unwritten, so what is about to be done is written down first.

use std::{
    sync::atomic::{
        AtomicBool,
        AtomicI32,
        AtomicU16,
        AtomicU32,
        AtomicU64,
        Ordering::SeqCst, //
    },
    thread, //
};

use super::{
    CLIENTS,
    NODES,
    SENDERS,
    SERVERS, //
};
use crate::{
    sys,
    Outcome, //
};

/// Messages and pulses; ten minutes on two emulated processors take less than a tenth.
const RECORDS: usize = 1 << 21;
/// Processes, and channels of servers.
const LIVES: usize = 1 << 16;
/// Threads that send.
const THREADS: usize = 1 << 18;
/// Connections.
const LINKS: usize = 1 << 18;

/// The send has its reply, and every byte of it is right.
pub(super) const RIGHT: i32 = 1;
/// The send has a reply that is not the one to its message.
pub(super) const WRONG: i32 = 2;

/// A signal was sent to the thread while it was in the call, or just before.
pub(super) const SIGNAL: u16 = 1;
/// The process has asked for events that interrupt it.
pub(super) const EVENT: u16 = 2;
/// The server was killed or destroyed its channel, or was about to.
pub(super) const SERVER: u16 = 4;
/// Another thread detached the connection, or was about to.
pub(super) const DETACH: u16 = 8;

/// What happened to one message or pulse.
#[repr(C)]
pub(super) struct Record {
    /// The life of its sender.
    pub(super) life: AtomicU32,
    /// What it is, as `Plan` packs it.
    pub(super) plan: AtomicU32,
    /// How long the message is.
    pub(super) sent: AtomicU32,
    /// How long the reply is to be.
    pub(super) room: AtomicU32,
    /// Of a message that asks for a pulse: the pulse's number; of such a pulse: on which coid.
    pub(super) argument: AtomicU32,
    /// How the call ended: 0, it has not; [`RIGHT`], [`WRONG`]; or the error number, negative.
    pub(super) result: AtomicI32,
    /// What was done to it: [`SIGNAL`] and its like.
    pub(super) causes: AtomicU16,
    /// How often a server received it.
    pub(super) received: AtomicU16,
    /// How often a server began to answer it.
    pub(super) tried: AtomicU16,
    /// How often MsgReply said that it did.
    pub(super) replied: AtomicU16,
    /// How often MsgError did, with a number of the server's.
    pub(super) failed: AtomicU16,
    /// How often MsgError did, with the client's own reason to leave.
    pub(super) released: AtomicU16,
}

/// A process, or a server's channel.
#[repr(C)]
pub(super) struct Life {
    /// Of a channel: where it is.
    pub(super) pid: AtomicI32,
    pub(super) chid: AtomicI32,
    /// The life of a channel's process, which ends it, too.
    process: AtomicU32,
    /// It was ended, or somebody is about to end it.
    ended: AtomicBool,
    /// It has asked for events that interrupt its threads.
    pub(super) events: AtomicBool,
}

/// A thread that sends.
#[repr(C)]
pub(super) struct Thread {
    pub(super) life: AtomicU32,
    pub(super) tid: AtomicI32,
    /// Signals that somebody was about to send it, and those that were sent.
    pub(super) signals: AtomicU32,
    /// See `signals`.
    pub(super) signalled: AtomicU32,
    /// The message that it sends at this moment, or 0.
    pub(super) current: AtomicU32,
}

macro_rules! counts {
    ($($name:ident = $label:literal,)*) => {
        /// Trouble that is counted.
        #[derive(Clone, Copy)]
        pub(super) enum Count {
            $($name,)*
        }

        /// The labels of the counts, in their order.
        pub(super) const COUNTS: &[&str] = &[$($label,)*];
    };
}

counts! {
    Clients = "client processes",
    Servers = "server processes",
    KilledClients = "clients killed (SIGKILL)",
    KilledServers = "servers killed (SIGKILL)",
    ExitedClients = "clients that ended by themselves",
    ExitedServers = "servers that ended by themselves",
    Signals = "signals with a handler",
    Stops = "SIGSTOP and SIGCONT",
    Timeouts = "sends with a time-out",
    Forks = "forks",
    KilledChildren = "children killed (SIGKILL)",
    Detaches = "ConnectDetach",
    Destroys = "ChannelDestroy",
    SenderExits = "client threads that ended",
    ReceiverExits = "server threads that ended",
    Events = "MsgDeliverEvent",
    Reads = "MsgRead",
    Writes = "MsgWrite",
    Unblocks = "UNBLOCK pulses",
    Disconnects = "DISCONNECT pulses",
    Late = "answers that came too late (ESRCH)",
    Refused = "ConnectAttach that failed",
    Complaints = "complaints",
}

/// The whole of it.
#[repr(C)]
pub(super) struct Ledger {
    /// Clients are to end.
    pub(super) over: AtomicBool,
    /// Servers are to end.
    pub(super) closed: AtomicBool,
    /// There was no room for something.
    pub(super) full: AtomicBool,
    /// Of each server the life of its channel; 0: it has none yet.
    pub(super) servers: [AtomicU32; NODES * SERVERS],
    /// Of each client thread its number; 0: it is not there yet.
    pub(super) senders: [AtomicU32; NODES * CLIENTS * SENDERS],
    counts: [AtomicU64; COUNTS.len()],
    records_used: AtomicU32,
    lives_used: AtomicU32,
    threads_used: AtomicU32,
    links_used: AtomicU32,
    lives: [Life; LIVES],
    threads: [Thread; THREADS],
    /// Whether a connection was detached, or is about to be.
    links: [AtomicBool; LINKS],
    records: [Record; RECORDS],
}

impl Ledger {
    /// Makes an empty one, which children of this process share.
    pub(super) fn new() -> Outcome<&'static Self> {
        // SAFETY: All zero is an empty ledger: it is atomic numbers throughout.
        Ok(unsafe { sys::shared() }?)
    }

    pub(super) fn count(&self, count: Count) {
        self.counts[count as usize].fetch_add(1, SeqCst);
    }

    pub(super) fn counted(&self, count: Count) -> u64 {
        self.counts[count as usize].load(SeqCst)
    }

    /// Something went wrong that no record tells of. It is printed, and fails the run.
    pub(super) fn complain(&self, words: std::fmt::Arguments<'_>) {
        self.count(Count::Complaints);
        eprintln!("# complaint: {words}");
    }

    /// The next free number; 0 is never used. When there is none left, the run ends, and fails.
    fn take(&self, used: &AtomicU32, most: usize) -> u32 {
        let number = used.fetch_add(1, SeqCst) + 1;
        if (number as usize) < most {
            return number;
        }
        self.full.store(true, SeqCst);
        self.over.store(true, SeqCst);
        // Everybody shares the last one from now on. Nothing that is written there counts.
        thread::yield_now();
        most as u32 - 1
    }

    /// A process that is about to begin.
    pub(super) fn new_process(&self) -> u32 {
        self.take(&self.lives_used, LIVES)
    }

    /// A channel of a process.
    pub(super) fn new_channel(&self, process: u32, pid: i32, chid: i32) -> u32 {
        let number = self.take(&self.lives_used, LIVES);
        let life = self.life(number);
        life.process.store(process, SeqCst);
        life.chid.store(chid, SeqCst);
        life.pid.store(pid, SeqCst);
        number
    }

    /// Whoever ends a life says so first.
    pub(super) fn end(&self, life: u32) {
        self.life(life).ended.store(true, SeqCst);
    }

    /// Whether a life was ended, or is about to be. What has the number 0 was not even written down
    /// any more.
    pub(super) fn has_ended(&self, number: u32) -> bool {
        let life = self.life(number);
        let process = self.life(life.process.load(SeqCst));
        number == 0 || life.ended.load(SeqCst) || process.ended.load(SeqCst)
    }

    pub(super) fn life(&self, number: u32) -> &Life {
        &self.lives[number as usize]
    }

    pub(super) fn new_thread(&self, life: u32) -> u32 {
        let number = self.take(&self.threads_used, THREADS);
        let thread = self.thread(number);
        thread.life.store(life, SeqCst);
        thread.tid.store(sys::gettid(), SeqCst);
        number
    }

    pub(super) fn thread(&self, number: u32) -> &Thread {
        &self.threads[number as usize]
    }

    pub(super) fn new_link(&self) -> u32 {
        self.take(&self.links_used, LINKS)
    }

    /// Whether a connection was detached.
    pub(super) fn detached(&self, number: u32) -> &AtomicBool {
        &self.links[number as usize]
    }

    pub(super) fn new_record(&self, life: u32, plan: u32) -> u32 {
        let number = self.take(&self.records_used, RECORDS);
        let record = self.record(number).expect("the number was just given");
        record.plan.store(plan, SeqCst);
        record.life.store(life, SeqCst);
        number
    }

    /// The record of that number, which may come from a message that is wrong.
    pub(super) fn record(&self, number: u32) -> Option<&Record> {
        let used = self.records_used.load(SeqCst);
        if number == 0 || number > used {
            return None;
        }
        self.records.get(number as usize)
    }

    /// How many records there are.
    pub(super) fn used(&self) -> u32 {
        self.records_used.load(SeqCst).min(RECORDS as u32 - 1)
    }

    /// All records, with their numbers.
    pub(super) fn records(&self) -> impl Iterator<Item = (u32, &Record)> {
        (1..=self.used()).map(|number| (number, &self.records[number as usize]))
    }

    /// All threads.
    pub(super) fn threads(&self) -> impl Iterator<Item = &Thread> {
        let used = self.threads_used.load(SeqCst).min(THREADS as u32 - 1);
        (1..=used).map(|number| self.thread(number))
    }

    /// Whether a thread of a process that lives is in a call.
    pub(super) fn is_sending(&self) -> bool {
        self.threads().any(|thread| {
            let life = thread.life.load(SeqCst);
            thread.current.load(SeqCst) != 0 && !self.has_ended(life)
        })
    }

    /// All that was counted, with labels.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let values = self.counts.iter().map(|count| count.load(SeqCst));
        COUNTS.iter().copied().zip(values)
    }
}
