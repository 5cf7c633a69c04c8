// SPDX-License-Identifier: GPL-2.0

//! A client process of the stress: threads that send on connections which they share, and one that
//! makes trouble among them.

use std::{
    io::{
        IoSlice,
        IoSliceMut, //
    },
    process,
    sync::{
        atomic::Ordering::SeqCst,
        Arc,
        Mutex,
        MutexGuard, //
    },
    thread::{
        self,
        JoinHandle, //
    },
    time::Duration, //
};

use qnet::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Address,
    Connection,
    Error,
    Node,
    Reply, //
};

use super::{
    ledger::{
        Count,
        Ledger,
        Record,
        DETACH,
        EVENT,
        RIGHT,
        SERVER,
        SIGNAL,
        WRONG, //
    },
    plan::{
        message_seed,
        reply_seed,
        written_ahead,
        Kind,
        Plan,
        LONGEST,
        SHORT,
        SHORTEST, //
    },
    CLIENTS,
    SENDERS,
    SERVERS, //
};
use crate::{
    bulk::{
        self,
        Random, //
    },
    sys,
    world,
    Outcome, //
};

/// How often the process's first thread looks after the others.
const TICK: Duration = Duration::from_millis(20);
/// After at most so many messages a thread ends, and another takes its place.
const MESSAGES_OF_A_THREAD: usize = 200;
/// In so many messages a thread forks once, detaches a connection that others use, and ends its
/// process, whatever they are doing.
const FORK: u64 = 100;
/// See [`FORK`].
const DETACH_ONE: u64 = 50;
/// See [`FORK`].
const EXIT: u64 = 1000;
/// Connections that a process keeps.
const LINKS: usize = 6;

/// A connection, and what is known of it.
struct Link {
    connection: Connection,
    /// Where the ledger tells that it was detached.
    number: u32,
    /// The life of the server's channel.
    server: u32,
    remote: bool,
}

struct Client {
    ledger: &'static Ledger,
    life: u32,
    /// The number of this node, of two, and how this node calls the other one.
    here: usize,
    other: Node,
    /// The first of the places in which the ledger has the threads.
    slot: usize,
    links: Mutex<Vec<Arc<Link>>>,
}

/// Sends until the ledger says that it is over. `slot` is the number of the process among all, and
/// `other` the name of the other node.
pub(super) fn run(
    ledger: &'static Ledger,
    life: u32,
    slot: usize,
    other: &str,
    seed: u64,
) -> Outcome {
    sys::handle(libc::SIGUSR1, 0)?;
    sys::handle(libc::SIGUSR2, libc::SA_RESTART)?;
    let client = Arc::new(Client {
        ledger,
        life,
        here: slot / CLIENTS,
        other: world::find_node(other)?,
        slot: slot * SENDERS,
        links: Mutex::default(),
    });
    let mut random = Random::new(seed);
    let mut senders: Vec<_> = (0..SENDERS)
        .map(|number| start(&client, number, random.number()))
        .collect();
    while !ledger.over.load(SeqCst) {
        thread::sleep(TICK);
        for (number, sender) in senders.iter_mut().enumerate() {
            if sender.is_finished() {
                *sender = start(&client, number, random.number());
            }
        }
    }
    for sender in senders {
        sender.join().map_err(|_| "a thread panicked")?;
    }
    ledger.end(client.life);
    Ok(())
}

fn start(client: &Arc<Client>, number: usize, seed: u64) -> JoinHandle<()> {
    let client = client.clone();
    thread::spawn(move || {
        let mut random = Random::new(seed);
        // Servers run at the priority of whom they serve.
        if let Err(error) = sys::set_nice((random.number() % 9) as i32 - 4) {
            client.ledger.complain(format_args!("setpriority: {error}"));
        }
        let mut sender = Sender::new(client.ledger, client.life, random.number());
        client.ledger.senders[client.slot + number].store(sender.thread, SeqCst);
        for _ in 0..random.length(1, MESSAGES_OF_A_THREAD) {
            if client.ledger.over.load(SeqCst) {
                return;
            }
            client.step(&mut sender, &mut random);
        }
        client.ledger.count(Count::SenderExits);
    })
}

impl Client {
    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().expect("no thread panics with it")
    }

    /// Detaches one of the connections, on which others may be blocked.
    fn detach(&self, random: &mut Random) {
        let Some(link) = choose(&self.links(), random).cloned() else {
            return;
        };
        // Another thread may have chosen the same one.
        if self.ledger.detached(link.number).swap(true, SeqCst) {
            return;
        }
        self.ledger.count(Count::Detaches);
        if let Err(error) = link.connection.detach() {
            self.ledger.complain(format_args!("ConnectDetach: {error}"));
        }
        self.forget(&link);
    }

    /// Ends the process, in which others may be blocked.
    fn exit(&self) {
        self.ledger.count(Count::ExitedClients);
        self.ledger.end(self.life);
        process::exit(0);
    }

    /// Nobody is to use the connection any more.
    fn forget(&self, link: &Arc<Link>) {
        self.links().retain(|other| !Arc::ptr_eq(other, link));
    }

    /// One message, perhaps in company.
    fn step(&self, sender: &mut Sender, random: &mut Random) {
        let Some(link) = self.link(random) else {
            // No server is there at this moment.
            thread::sleep(TICK);
            return;
        };
        if random.number() % FORK == 0 {
            self.fork(sender, &link, random);
        }
        if random.number() % DETACH_ONE == 0 {
            self.detach(random);
        }
        if random.number() % EXIT == 0 {
            self.exit();
        }
        let result = sender.exchange(&link);
        if matches!(result, Err(Error::EBADF | Error::ESRCH)) {
            self.forget(&link);
        }
    }

    /// One of the connections, or a new one.
    fn link(&self, random: &mut Random) -> Option<Arc<Link>> {
        let links = self.links();
        if links.len() >= LINKS || (!links.is_empty() && random.number() % 2 == 0) {
            return choose(&links, random).cloned();
        }
        drop(links);
        let link = Arc::new(self.attach(random)?);
        self.links().push(link.clone());
        Some(link)
    }

    fn attach(&self, random: &mut Random) -> Option<Link> {
        let slot = random.number() as usize % self.ledger.servers.len();
        let server = self.ledger.servers[slot].load(SeqCst);
        if server == 0 {
            return None;
        }
        let life = self.ledger.life(server);
        let remote = slot / SERVERS != self.here;
        let address = Address {
            node: if remote { self.other } else { Node::LOCAL },
            pid: life.pid.load(SeqCst),
            chid: life.chid.load(SeqCst),
        };
        match Connection::attach(address) {
            Ok(connection) => Some(Link {
                connection,
                number: self.ledger.new_link(),
                server,
                remote,
            }),
            Err(error) => {
                self.ledger.count(Count::Refused);
                let gone = self.ledger.has_ended(server);
                if error != Error::ESRCH || remote || !gone {
                    self.ledger.complain(format_args!("ConnectAttach: {error}"));
                }
                None
            }
        }
    }

    /// Lets a child send on the connection, and goes on meanwhile. The child ends, or is killed.
    fn fork(&self, sender: &mut Sender, link: &Link, random: &mut Random) {
        let life = self.ledger.new_process();
        let (seed, count) = (random.number(), random.length(1, 4));
        self.ledger.count(Count::Forks);
        let forked = sys::fork(|| {
            let mut child = Sender::new(self.ledger, life, seed);
            for _ in 0..count {
                let _ = child.exchange(link);
            }
            self.ledger.end(life);
            0
        });
        let child = match forked {
            Ok(child) => child,
            Err(error) => return self.ledger.complain(format_args!("fork: {error}")),
        };
        for _ in 0..count {
            let _ = sender.exchange(link);
        }
        if random.number() % 2 == 0 {
            self.ledger.count(Count::KilledChildren);
            self.ledger.end(life);
            let _ = sys::kill(child, libc::SIGKILL);
        }
        while sys::wait(child) == Err(Error::EINTR) {}
    }
}

fn choose<'a, T>(list: &'a [T], random: &mut Random) -> Option<&'a T> {
    match list.len() {
        0 => None,
        length => list.get(random.number() as usize % length),
    }
}

/// A thread that sends.
struct Sender {
    ledger: &'static Ledger,
    life: u32,
    thread: u32,
    random: Random,
    message: Vec<u8>,
    reply: Vec<u8>,
}

impl Sender {
    /// That of the calling thread.
    fn new(ledger: &'static Ledger, life: u32, seed: u64) -> Self {
        Self {
            ledger,
            life,
            thread: ledger.new_thread(life),
            random: Random::new(seed),
            message: Vec::new(),
            reply: Vec::new(),
        }
    }

    /// Sends a message of some kind and writes down what came of it.
    fn exchange(&mut self, link: &Link) -> Result<(), Error> {
        let plan = Plan::choose(&mut self.random, link.remote);
        let id = self.ledger.new_record(self.life, plan.pack());
        let record = self.ledger.record(id).expect("the number was just given");
        let length = self.length(SHORTEST);
        let room = self.length(0);
        record.sent.store(length as u32, SeqCst);
        record.room.store(room as u32, SeqCst);
        match plan.kind {
            Kind::Signal | Kind::Unblock => {
                self.ledger.life(self.life).events.store(true, SeqCst);
            }
            Kind::PulseEvent => {
                let plan = Plan::plain(Kind::Delivered, link.remote);
                let pulse = self.ledger.new_record(self.life, plan.pack());
                let coid = link.connection.id() as u32;
                let place = self.ledger.record(pulse).expect("as above");
                place.argument.store(coid, SeqCst);
                record.argument.store(pulse, SeqCst);
            }
            _ => {}
        }
        if plan.states != 0 {
            self.ledger.count(Count::Timeouts);
        }
        self.call(link, id, record, plan)
    }

    /// Any length from `least` on. Most are short, so that there are many.
    fn length(&mut self, least: usize) -> usize {
        let most = match self.random.number() % 4 {
            0 => LONGEST,
            _ => SHORT,
        };
        self.random.length(least, most)
    }

    /// Makes the call, and writes down its result and what may have been the reason.
    fn call(&mut self, link: &Link, id: u32, record: &Record, plan: Plan) -> Result<(), Error> {
        let thread = self.ledger.thread(self.thread);
        let before = thread.signalled.load(SeqCst);
        // A signal that was sent before is handled when this call returns.
        sys::gettid();
        thread.current.store(id, SeqCst);
        let result = match plan.kind {
            Kind::Pulse => {
                raw::send_pulse(link.connection.id(), -1, 0, i64::from(id)).map(|()| true)
            }
            _ => self
                .send(link, id, record, plan)
                .map(|reply| self.is_right(id, record, plan, reply)),
        };
        thread.current.store(0, SeqCst);
        let signalled = thread.signals.load(SeqCst) != before;
        record.causes.store(self.causes(link, signalled), SeqCst);
        let number = match result {
            Ok(true) => RIGHT,
            Ok(false) => WRONG,
            Err(error) => -error.errno(),
        };
        record.result.store(number, SeqCst);
        result.map(drop)
    }

    fn causes(&self, link: &Link, signalled: bool) -> u16 {
        let causes = [
            (SIGNAL, signalled),
            (EVENT, self.ledger.life(self.life).events.load(SeqCst)),
            (SERVER, self.ledger.has_ended(link.server)),
            (DETACH, self.ledger.detached(link.number).load(SeqCst)),
        ];
        let found = causes.iter().filter(|(_, found)| *found);
        found.fold(0, |all, (cause, _)| all | cause)
    }

    fn send(&mut self, link: &Link, id: u32, record: &Record, plan: Plan) -> Result<Reply, Error> {
        let timeout = plan.timeout(&mut self.random);
        self.message.resize(record.sent.load(SeqCst) as usize, 0);
        let (number, bytes) = self.message.split_at_mut(SHORTEST);
        number.copy_from_slice(&id.to_le_bytes());
        bulk::fill(message_seed(id), bytes);
        self.reply.clear();
        // Room for one byte more shows a reply that is too long.
        self.reply.resize(record.room.load(SeqCst) as usize + 1, 0);
        let coid = link.connection.id();
        let sent = if self.random.number() % 4 == 0 {
            let middle = self.random.length(0, bytes.len());
            let (first, second) = bytes.split_at(middle);
            let parts = [number as &[u8], first, second].map(IoSlice::new);
            let third = self.reply.len() / 3;
            let (left, right) = self.reply.split_at_mut(third);
            let mut places = [IoSliceMut::new(left), IoSliceMut::new(right)];
            let (from, to) = (Source::scattered(&parts)?, Sink::scattered(&mut places)?);
            raw::send(coid, from, to, timeout)
        } else {
            let (from, to) = (Source::new(&self.message), Sink::new(&mut self.reply));
            raw::send(coid, from, to, timeout)
        }?;
        Ok(Reply {
            status: sent.status,
            len: sent.replied as usize,
        })
    }

    /// Whether a reply is the one to this message.
    fn is_right(&self, id: u32, record: &Record, plan: Plan, reply: Reply) -> bool {
        let room = record.room.load(SeqCst) as usize;
        let right = reply.status == i64::from(id)
            && reply.len == room - written_ahead(plan, room)
            && bulk::holds(reply_seed(id), &self.reply[..room]);
        if !right {
            self.ledger.complain(format_args!(
                "message {id} ({plan:?}): {reply:?}, for a reply of {room} bytes"
            ));
        }
        right
    }
}
