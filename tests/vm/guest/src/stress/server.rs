// SPDX-License-Identifier: GPL-2.0

//! A server process of the stress: a channel, threads that receive on it, and one that answers what
//! they leave to it.

use std::{
    sync::{
        atomic::Ordering::SeqCst,
        Arc,
        Mutex,
        MutexGuard, //
    },
    thread,
    time::Duration, //
};

use qnet::{
    raw::{
        self,
        Source, //
    },
    Channel,
    ChannelFlags,
    Error,
    Event,
    Message,
    Priority,
    Pulse,
    PulseKind,
    Rcvid,
    Received,
    SignalTo,
    Timeout, //
};

use super::{
    ledger::{
        Count,
        Ledger,
        Record, //
    },
    plan::{
        message_seed,
        reply_seed,
        written_ahead,
        Kind,
        Plan,
        LONGEST, //
    },
    RECEIVERS, //
};
use crate::{
    bulk::{
        self,
        Random, //
    },
    sys,
    Outcome, //
};

/// How often the thread that answers late looks whether it is time.
const TICK: Duration = Duration::from_millis(20);
/// After at most so many messages a thread that receives ends, and another takes its place.
const MESSAGES_OF_A_THREAD: usize = 400;
/// In so many messages the channel is destroyed once, and the process ends once.
const DESTROY: u64 = 400;
/// See [`DESTROY`].
const EXIT: u64 = 2000;

/// The flags of the channels: each server has the next ones.
const FLAGS: [ChannelFlags; 4] = [
    ChannelFlags::from_bits(0),
    ChannelFlags::UNBLOCK,
    ChannelFlags::FIXED_PRIORITY,
    ChannelFlags::from_bits(ChannelFlags::UNBLOCK.bits() | ChannelFlags::THREAD_DEATH.bits()),
];

/// A message that waits for its answer.
struct Held {
    rcvid: Rcvid,
    id: u32,
    /// When it is answered; never, if its client is to leave by itself.
    due: Option<u64>,
}

/// The channel of the moment.
#[derive(Clone)]
struct Place {
    channel: Arc<Channel>,
    life: u32,
}

struct Server {
    ledger: &'static Ledger,
    /// The life of this process.
    process: u32,
    slot: usize,
    held: Mutex<Vec<Held>>,
    place: Mutex<Place>,
}

/// Serves until the ledger is closed: the process's status.
pub(super) fn run(ledger: &'static Ledger, process: u32, slot: usize, seed: u64) -> Outcome {
    let server = Arc::new(Server {
        ledger,
        process,
        slot,
        held: Mutex::default(),
        place: Mutex::new(Place::make(ledger, process, slot)?),
    });
    ledger.servers[slot].store(server.place().life, SeqCst);
    let mut random = Random::new(seed);
    for _ in 0..RECEIVERS {
        start_receiver(&server, random.number());
    }
    while !ledger.closed.load(SeqCst) {
        thread::sleep(TICK);
        server.answer_late(&mut random);
    }
    let place = server.place.lock().expect("no thread panics with it");
    ledger.end(place.life);
    let destroyed = place.channel.destroy();
    // It stays locked until the process ends, so that no thread renews the channel.
    std::mem::forget(place);
    Ok(destroyed?)
}

fn start_receiver(server: &Arc<Server>, seed: u64) {
    let server = server.clone();
    thread::spawn(move || receive(&server, Random::new(seed)));
}

/// What one thread does.
fn receive(server: &Arc<Server>, mut random: Random) {
    let mut worker = Worker {
        server,
        buffer: vec![0; 1 << 16],
        reply: Vec::new(),
        random: random.clone(),
    };
    for _ in 0..random.length(1, MESSAGES_OF_A_THREAD) {
        if !worker.once() {
            return;
        }
        server.trouble(&mut random);
    }
    server.ledger.count(Count::ReceiverExits);
    start_receiver(server, random.number());
}

impl Place {
    fn make(ledger: &Ledger, process: u32, slot: usize) -> Outcome<Self> {
        let lengths = ChannelFlags::SENDER_LEN | ChannelFlags::REPLY_LEN | ChannelFlags::DISCONNECT;
        let channel = Channel::with_flags(FLAGS[slot % FLAGS.len()] | lengths)?;
        let life = ledger.new_channel(process, std::process::id() as i32, channel.id());
        Ok(Self {
            channel: Arc::new(channel),
            life,
        })
    }
}

impl Server {
    fn place(&self) -> Place {
        self.place.lock().expect("no thread panics with it").clone()
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().expect("no thread panics with it")
    }

    /// Destroys the channel, with all that wait on it, and makes another.
    fn renew(&self) -> Outcome {
        // No two threads at once.
        let mut place = self.place.lock().expect("no thread panics with it");
        self.ledger.count(Count::Destroys);
        self.ledger.end(place.life);
        place.channel.destroy()?;
        *place = Place::make(self.ledger, self.process, self.slot)?;
        self.ledger.servers[self.slot].store(place.life, SeqCst);
        Ok(())
    }

    /// What the process does to itself after a message.
    fn trouble(&self, random: &mut Random) {
        if random.number() % DESTROY == 0 {
            if let Err(error) = self.renew() {
                self.ledger
                    .complain(format_args!("another channel: {error}"));
            }
        }
        if random.number() % EXIT == 0 {
            self.ledger.count(Count::ExitedServers);
            self.ledger.end(self.process);
            std::process::exit(0);
        }
    }

    fn hold(&self, rcvid: Rcvid, id: u32, due: Option<u64>) {
        self.held().push(Held { rcvid, id, due });
    }

    /// Answers what is due, and what waits for a client that wants to leave.
    fn answer_late(&self, random: &mut Random) {
        let now = sys::now();
        // A pulse that comes meanwhile and finds nothing shows in the message's flags the next time.
        let all = std::mem::take(&mut *self.held());
        let (due, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|held| match held.due {
            Some(due) => due <= now,
            None => wants_to_leave(held.rcvid),
        });
        self.held().extend(left);
        for held in due {
            match held.due {
                Some(_) => self.reply(held.rcvid, held.id, &mut Vec::new()),
                None => self.let_go(held, random),
            }
        }
    }

    /// The client of this message wants to leave. If nobody has it, somebody is about to answer it.
    fn unblock(&self, rcvid: Rcvid, random: &mut Random) {
        self.ledger.count(Count::Unblocks);
        let found = {
            let mut held = self.held();
            let place = held.iter().position(|held| held.rcvid == rcvid);
            place.map(|place| held.swap_remove(place))
        };
        if let Some(held) = found {
            self.let_go(held, random);
        }
    }

    /// Answers a client that wants to leave: with its own reason, or with a reply after all.
    fn let_go(&self, held: Held, random: &mut Random) {
        let record = self.record(held.id);
        match random.number() % 2 {
            0 => self.reply(held.rcvid, held.id, &mut Vec::new()),
            _ => self.answer(record, &record.released, || {
                raw::error(held.rcvid.get(), -1)
            }),
        }
    }

    /// The record of a message that was looked at before.
    fn record(&self, id: u32) -> &Record {
        self.ledger.record(id).expect("the number is right")
    }

    /// Makes an answer, and writes down that it is tried and whether it succeeded.
    fn answer(
        &self,
        record: &Record,
        succeeded: &std::sync::atomic::AtomicU16,
        answer: impl FnOnce() -> Result<(), Error>,
    ) {
        record.tried.fetch_add(1, SeqCst);
        match answer() {
            Ok(()) => {
                succeeded.fetch_add(1, SeqCst);
            }
            Err(error) => self.came_too_late("an answer", error),
        }
    }

    /// A call for a client failed: it may have left.
    fn came_too_late(&self, what: &str, error: Error) {
        match error {
            Error::ESRCH => self.ledger.count(Count::Late),
            error => self.ledger.complain(format_args!("{what}: {error}")),
        }
    }

    /// Replies with what is left of the reply; `buffer` is for its bytes.
    fn reply(&self, rcvid: Rcvid, id: u32, buffer: &mut Vec<u8>) {
        let record = self.record(id);
        let length = make_reply(record, id, buffer);
        self.answer(record, &record.replied, || {
            raw::reply(rcvid.get(), i64::from(id), Source::new(&buffer[..length]))
        });
    }
}

/// Fills a buffer with the whole reply to a message: how much of it goes with MsgReply.
fn make_reply(record: &Record, id: u32, buffer: &mut Vec<u8>) -> usize {
    let room = record.room.load(SeqCst) as usize;
    buffer.resize(room, 0);
    bulk::fill(reply_seed(id), buffer);
    room - written_ahead(Plan::of(record), room)
}

/// Whether a client has left, or wants to.
fn wants_to_leave(rcvid: Rcvid) -> bool {
    match raw::info(rcvid.get()) {
        Ok(info) => i32::from(info.flags) & qnet_sys::QNET_MI_UNBLOCK_REQ as i32 != 0,
        Err(_) => true,
    }
}

/// A thread that receives.
struct Worker<'a> {
    server: &'a Arc<Server>,
    buffer: Vec<u8>,
    reply: Vec<u8>,
    random: Random,
}

impl Worker<'_> {
    /// Receives something and deals with it. False: the process is about to end.
    fn once(&mut self) -> bool {
        let place = self.server.place();
        let timeout = match self.random.number() % 8 {
            0 => Timeout::after(Duration::from_millis(self.random.length(0, 100) as u64)),
            _ => Timeout::NEVER,
        };
        match place.channel.receive_any(&mut self.buffer, timeout) {
            Ok(received) => {
                self.deal(&place, received);
                true
            }
            Err(Error::ETIMEDOUT) if timeout != Timeout::NEVER => true,
            Err(Error::ESRCH) if self.server.ledger.has_ended(place.life) => {
                // Until there is another channel.
                thread::sleep(TICK);
                !self.server.ledger.closed.load(SeqCst)
            }
            Err(error) => {
                self.ledger().complain(format_args!("MsgReceive: {error}"));
                false
            }
        }
    }

    fn ledger(&self) -> &'static Ledger {
        self.server.ledger
    }

    fn deal(&mut self, place: &Place, received: Received) {
        let mut next = Some(received);
        while let Some(received) = next.take() {
            match received {
                Received::Pulse(pulse) => self.pulse(place, &pulse),
                Received::Message(message) => next = self.message(place, message),
            }
        }
    }

    fn pulse(&mut self, place: &Place, pulse: &Pulse) {
        match pulse.kind() {
            PulseKind::Program => {
                match self.ledger().record(pulse.value as u32) {
                    Some(record) if Plan::of(record).is_pulse() => {
                        record.received.fetch_add(1, SeqCst);
                    }
                    _ => self
                        .ledger()
                        .complain(format_args!("a pulse with the value {}", pulse.value)),
                };
            }
            PulseKind::Unblock(rcvid) => self.server.unblock(rcvid, &mut self.random),
            PulseKind::Disconnect(scoid) => {
                self.ledger().count(Count::Disconnects);
                match raw::free_scoid(scoid) {
                    Ok(()) => {}
                    // The client has left this channel, but not yet the one that was destroyed before.
                    Err(Error::EINVAL) if place.channel.id() != 1 => {}
                    Err(error) => self.ledger().complain(format_args!(
                        "ConnectDetach of the scoid {scoid:x}: {error}"
                    )),
                }
            }
            PulseKind::ThreadDeath(_) => {}
            other => self.ledger().complain(format_args!("a pulse: {other:?}")),
        }
    }

    /// Deals with a message; gives what was received when it was answered.
    fn message(&mut self, place: &Place, message: Message) -> Option<Received> {
        let Some(id) = self.look(&message) else {
            // The client sees the error, and its result is not right.
            let _ = message.error(Error::EBADMSG);
            return None;
        };
        let record = self.server.record(id);
        let plan = Plan::of(record);
        match plan.kind {
            Kind::ReplyReceive => return self.reply_receive(place, message, id),
            Kind::Fail => {
                let rcvid = message.into_rcvid();
                let errno = plan.failure().errno();
                let failed = || raw::error(rcvid.get(), errno);
                self.server.answer(record, &record.failed, failed);
                return None;
            }
            Kind::Late => return self.leave(message, id),
            Kind::Hold => {
                self.server.hold(message.into_rcvid(), id, None);
                return None;
            }
            Kind::Twice => self.server.hold(message.rcvid(), id, Some(0)),
            Kind::Read => self.read_again(&message),
            Kind::Write => self.write_ahead(&message, id),
            Kind::Signal | Kind::Unblock => {
                self.deliver(&message, plan.kind);
                return self.leave(message, id);
            }
            Kind::PulseEvent => self.deliver_pulse(&message, record),
            Kind::Reply | Kind::Pulse | Kind::Delivered => {}
        }
        self.server.reply(message.into_rcvid(), id, &mut self.reply);
        None
    }

    /// Reads all of a message and writes down that it came. Nothing: it is not what was sent.
    fn look(&mut self, message: &Message) -> Option<u32> {
        let number = self.buffer.first_chunk().filter(|_| message.len() >= 4);
        let id = number.map(|bytes| u32::from_le_bytes(*bytes));
        let Some((id, record)) = id.and_then(|id| Some((id, self.ledger().record(id)?))) else {
            self.complain_of(message, "it has no number");
            return None;
        };
        record.received.fetch_add(1, SeqCst);
        let (got, whole) = (message.len(), message.info().source_len);
        if whole != record.sent.load(SeqCst) as usize {
            self.complain_of(message, "it has not the length with which it was sent");
            return None;
        }
        if self.buffer.len() < whole {
            self.buffer.resize(LONGEST, 0);
        }
        if got < whole {
            match message.read(got, &mut self.buffer[got..whole]) {
                Ok(more) if got + more == whole => {}
                Ok(_) => {
                    self.complain_of(message, "MsgRead gave less than there is");
                    return None;
                }
                Err(error) => {
                    // Whoever answers it is told the same.
                    self.server.came_too_late("MsgRead of the rest", error);
                    return Some(id);
                }
            }
        }
        if !bulk::holds(message_seed(id), &self.buffer[4..whole]) {
            self.complain_of(message, "its bytes are wrong");
            return None;
        }
        Some(id)
    }

    fn complain_of(&self, message: &Message, words: &str) {
        self.ledger()
            .complain(format_args!("{words}: {:?}", message.info()));
    }

    /// Leaves the reply to the other thread.
    fn leave(&mut self, message: Message, id: u32) -> Option<Received> {
        let after = Duration::from_micros(self.random.length(0, 50_000) as u64);
        let due = sys::now() + after.as_nanos() as u64;
        self.server.hold(message.into_rcvid(), id, Some(due));
        None
    }

    fn reply_receive(&mut self, place: &Place, message: Message, id: u32) -> Option<Received> {
        let record = self.server.record(id);
        let length = make_reply(record, id, &mut self.reply);
        record.tried.fetch_add(1, SeqCst);
        let (received, answered) = place.channel.reply_receive(
            message,
            i64::from(id),
            &self.reply[..length],
            &mut self.buffer,
        );
        match answered {
            Ok(()) => {
                record.replied.fetch_add(1, SeqCst);
            }
            Err(error) => self.server.came_too_late("an answer", error),
        }
        // An error shows at the next receive.
        received.ok()
    }

    /// Reads pieces of a message that was read before.
    fn read_again(&mut self, message: &Message) {
        let whole = message.info().source_len;
        for _ in 0..3 {
            let offset = self.random.number() as usize % (whole + 1);
            let mut piece = vec![0; self.random.length(0, whole)];
            self.ledger().count(Count::Reads);
            match message.read(offset, &mut piece) {
                Ok(done) => {
                    let wanted = &self.buffer[offset..whole.min(offset + piece.len())];
                    if piece[..done] != *wanted {
                        self.complain_of(message, "MsgRead gave other bytes");
                    }
                }
                Err(error) => return self.server.came_too_late("MsgRead", error),
            }
        }
    }

    fn write_ahead(&mut self, message: &Message, id: u32) {
        let at = make_reply(self.server.record(id), id, &mut self.reply);
        self.ledger().count(Count::Writes);
        match message.write(at, &self.reply[at..]) {
            Ok(done) if done == self.reply.len() - at => {}
            Ok(_) => self.complain_of(message, "MsgWrite wrote less than there is room for"),
            Err(error) => self.server.came_too_late("MsgWrite", error),
        }
    }

    fn deliver(&mut self, message: &Message, kind: Kind) {
        let event = match kind {
            Kind::Unblock => Event::Unblock,
            _ => Event::SignalValue {
                to: SignalTo::Thread,
                signal: libc::SIGUSR1,
                code: -7,
                value: 0,
            },
        };
        self.delivered(message.rcvid().deliver(&event));
    }

    fn deliver_pulse(&mut self, message: &Message, record: &Record) {
        let id = record.argument.load(SeqCst);
        let pulse = self.server.record(id);
        let result = message.rcvid().deliver(&Event::Pulse {
            coid: pulse.argument.load(SeqCst) as i32,
            priority: Priority::CALLER,
            code: 1,
            value: i64::from(id),
        });
        self.delivered(result);
    }

    fn delivered(&self, result: Result<(), Error>) {
        self.ledger().count(Count::Events);
        match result {
            // The connection may be detached, or its channel's queue full.
            Ok(()) | Err(Error::EBADF | Error::EAGAIN) => {}
            Err(error) => self.server.came_too_late("MsgDeliverEvent", error),
        }
    }
}
