// SPDX-License-Identifier: GPL-2.0

//! The scripted server: one process with a channel for work and one for control.
//!
//! What happened to its own calls (a reply that came too late, a channel that was destroyed) it
//! writes down and tells on the control channel, so that a test sees both ends, wherever the
//! server runs.

use std::{
    io::Read,
    os::fd::AsFd,
    process,
    sync::{
        Arc,
        Condvar,
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
    Message,
    Pulse,
    Rcvid,
    Received,
    Timeout, //
};
use qnet_sys::qnet_event;

use crate::{
    script::{
        pack,
        pattern,
        unevent,
        unrange,
        Op,
        Request, //
    },
    sys,
    Outcome, //
};

/// Room for messages that are not very long.
const ROOM: usize = 70_000;

struct Server {
    work: Arc<Channel>,
    control: Channel,
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Default)]
struct State {
    paused: bool,
    held: Vec<Rcvid>,
    tags: Vec<i32>,
    results: Vec<i32>,
    /// Room for the next receive, when it is not the usual.
    room: Option<usize>,
    pulses: Vec<Pulse>,
    /// The event to deliver, and the message that it came with.
    event: Option<(Rcvid, qnet_event)>,
}

/// Runs until standard input ends or the server is told to end. Prints its process and its two
/// channels on standard output first.
pub fn run() -> Outcome {
    let server = Arc::new(Server {
        work: Arc::new(Channel::create()?),
        control: Channel::create()?,
        state: Mutex::default(),
        resumed: Condvar::new(),
    });
    println!(
        "{} {} {}",
        process::id(),
        server.work.id(),
        server.control.id()
    );
    start_worker(&server, server.work.clone());
    thread::spawn({
        let server = server.clone();
        move || server.obey()
    });
    // Whoever started this holds the other end, and lets it go when he ends, however he does.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    process::exit(0);
}

fn start_worker(server: &Arc<Server>, channel: Arc<Channel>) {
    let server = server.clone();
    thread::spawn(move || server.work(&channel));
}

fn number(result: Result<(), Error>) -> i32 {
    result.err().map_or(0, Error::errno)
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the state")
    }

    fn write_down(&self, result: Result<(), Error>) {
        self.state().results.push(number(result));
    }

    /// Receives on a work channel until it is gone.
    fn work(&self, channel: &Channel) {
        let mut buffer = vec![0; ROOM];
        loop {
            let room = {
                let state = self.state();
                let mut state = self
                    .resumed
                    .wait_while(state, |state| state.paused)
                    .expect("no thread panics with the state");
                state.room.take()
            };
            let room_now = &mut buffer[..room.unwrap_or(ROOM)];
            match channel.receive_any(room_now, Timeout::NEVER) {
                Ok(Received::Pulse(pulse)) => self.state().pulses.push(pulse),
                Ok(Received::Message(message)) => {
                    let mut length = message.len();
                    if room.is_none() {
                        match complete(&message, &mut buffer) {
                            Ok(whole) => length = whole,
                            Err(error) => {
                                self.write_down(Err(error));
                                let _ = message.error(error);
                                continue;
                            }
                        }
                    }
                    self.serve(message, &buffer[..length]);
                }
                Err(Error::EINTR) => {}
                Err(error) => {
                    self.write_down(Err(error));
                    return;
                }
            }
        }
    }

    fn serve(&self, message: Message, bytes: &[u8]) {
        let Some(request) = Request::parse(bytes) else {
            let _ = message.reply(bytes.len() as i64, bytes);
            return;
        };
        if request.tag != 0 {
            self.state().tags.push(request.tag as i32);
        }
        let argument = request.argument;
        let result = match request.op {
            Op::Echo => message.reply(0, bytes),
            Op::Status => message.reply(argument, request.rest),
            Op::Error => message.error(Error::from_errno(argument as i32)),
            Op::Info => {
                let info = info_bytes(&message);
                message.reply(0, &info)
            }
            Op::Hold => {
                self.state().held.push(message.into_rcvid());
                return;
            }
            Op::ReplyLength => message.reply(argument, &pattern(1, argument as usize)),
            Op::Die => {
                let _ = sys::kill(process::id() as i32, libc::SIGKILL);
                return;
            }
            Op::Exit => process::exit(0),
            Op::Sleep => {
                thread::sleep(Duration::from_millis(argument as u64));
                self.write_down(message.reply(0, &[]));
                return;
            }
            Op::Twice => {
                let rcvid = message.rcvid();
                let first = message.reply(0, b"first");
                self.write_down(raw::reply(rcvid.get(), 0, Source::new(b"second")));
                first
            }
            Op::ForkReply => {
                let rcvid = message.rcvid();
                let got = sys::in_child(|| {
                    number(raw::reply(rcvid.get(), 0, Source::new(b"forged"))) as _
                });
                message.reply(got.map_or(-1, i64::from), &[])
            }
            Op::Pause => {
                self.state().paused = true;
                message.reply(0, &[])
            }
            Op::Room => {
                self.state().room = Some(argument as usize);
                message.reply(0, &[])
            }
            Op::ForkReceive => {
                let got = sys::in_child(|| {
                    let received = self.work.receive_timeout(&mut [0; 4], Duration::ZERO);
                    number(received.map(|message| {
                        message.into_rcvid();
                    })) as _
                });
                message.reply(got.map_or(-1, i64::from), &[])
            }
            Op::ReplyFault => self.reply_fault(message),
            Op::Read => {
                let (offset, length) = unrange(argument);
                let mut data = vec![0xee; length];
                match message.read(offset, &mut data) {
                    Ok(done) => message.reply(done as i64, &data[..done]),
                    Err(error) => message.reply(-i64::from(error.errno()), &[]),
                }
            }
            Op::Write | Op::WriteAndReply => {
                let (offset, length) = unrange(argument);
                let data = match request.op {
                    Op::Write => Vec::new(),
                    _ => pattern(1, 10),
                };
                match message.write(offset, &pattern(2, length)) {
                    Ok(done) => message.reply(done as i64, &data),
                    Err(error) => message.reply(-i64::from(error.errno()), &data),
                }
            }
            Op::ReadByThreads => {
                let wrong = read_by_threads(&message, bytes, argument as usize);
                message.reply(wrong, &[])
            }
            Op::ReadUntilError => {
                let mut data = vec![0; bytes.len()];
                self.until_error(|| message.read(0, &mut data));
                Ok(())
            }
            Op::WriteUntilError => {
                let data = pattern(2, message.info().reply_len);
                self.until_error(|| message.write(0, &data));
                Ok(())
            }
            Op::ClientInfo => match client_info(&self.work, message.info().scoid) {
                Ok(info) => message.reply(0, &info),
                Err(error) => message.error(error),
            },
            Op::ReceiveBuffer => {
                let set = sys::set_option(&self.work, libc::SO_RCVBUF, argument as i32);
                message.reply(set.map_or(-1, |()| 0), &[])
            }
            Op::Register => self.register(message, request.rest),
            Op::Pushed => {
                let stored = message.len();
                message.reply(stored as i64, &[])
            }
            _ => message.error(Error::ENOSYS),
        };
        if let Err(error) = result {
            self.write_down(Err(error));
        }
    }

    fn register(&self, message: Message, rest: &[u8]) -> Result<(), Error> {
        let Some(event) = unevent(rest) else {
            return message.error(Error::EBADMSG);
        };
        let rcvid = message.rcvid();
        let verified = raw::deliver(rcvid.get(), qnet_sys::QNET_DELIVER_VERIFY, event);
        self.state().event = Some((rcvid, event));
        message.reply(i64::from(number(verified)), &[])
    }

    fn fire(&self) -> Result<(), Error> {
        let (rcvid, event) = self.state().event.take().ok_or(Error::ENOENT)?;
        raw::deliver(rcvid.get(), 0, event)
    }

    fn held_flags(&self) -> Result<i16, Error> {
        let oldest = self.state().held.first().copied().ok_or(Error::ENOENT)?;
        Ok(raw::info(oldest.get())?.flags)
    }

    /// Makes one more work channel and a thread that receives on it.
    fn open(self: &Arc<Self>, flags: u32) -> Result<i32, Error> {
        let flags = ChannelFlags::from_bits(flags);
        let lengths = ChannelFlags::SENDER_LEN | ChannelFlags::REPLY_LEN;
        let channel = Arc::new(Channel::with_flags(flags | lengths)?);
        let chid = channel.id();
        start_worker(self, channel);
        Ok(chid)
    }

    /// Does something again and again until it fails.
    fn until_error(&self, mut call: impl FnMut() -> Result<usize, Error>) {
        loop {
            if let Err(error) = call() {
                return self.write_down(Err(error));
            }
        }
    }

    fn reply_fault(&self, message: Message) -> Result<(), Error> {
        let edge = sys::Edge::new()?;
        let rcvid = message.into_rcvid().get();
        // SAFETY: The bytes are in the test's own mapping as far as they are anywhere, and the
        // kernel finds out where they end.
        let data = unsafe { Source::from_raw(edge.before(4) as *const u8, 8) };
        let result = raw::reply(rcvid, 0, data);
        self.write_down(result);
        // Whether the client is still there to be answered is for the test to see.
        self.write_down(raw::reply(rcvid, 0, Source::new(b"good")));
        Ok(())
    }

    /// Receives on the control channel until it is gone.
    fn obey(self: Arc<Self>) {
        let mut buffer = [0; 64];
        while let Ok(message) = self.control.receive(&mut buffer) {
            let length = message.len();
            let _ = match Request::parse(&buffer[..length]) {
                Some(request) => self.command(message, request),
                None => message.error(Error::EBADMSG),
            };
        }
    }

    fn command(self: &Arc<Self>, message: Message, request: Request<'_>) -> Result<(), Error> {
        match request.op {
            Op::Resume => {
                self.state().paused = false;
                self.resumed.notify_all();
                message.reply(0, &[])
            }
            Op::Release => {
                let answered = self
                    .answer_held(|rcvid| raw::reply(rcvid, request.argument, Source::new(b"late")));
                message.reply(answered.len() as i64 / 4, &answered)
            }
            Op::Fail => {
                let answered = self.answer_held(|rcvid| raw::error(rcvid, request.argument as i32));
                message.reply(answered.len() as i64 / 4, &answered)
            }
            Op::Held => {
                let held = self.state().held.len();
                message.reply(held as i64, &[])
            }
            Op::Log => {
                // At most what one frame holds; the test asks until nothing comes.
                let mut state = self.state();
                let count = state.tags.len().min(300);
                let tags: Vec<_> = state.tags.drain(..count).collect();
                drop(state);
                message.reply(tags.len() as i64, &pack(tags))
            }
            Op::Results => {
                let results = std::mem::take(&mut self.state().results);
                message.reply(results.len() as i64, &pack(results))
            }
            Op::Mode => {
                let result = set_mode(&self.work, request.argument as u32);
                message.reply(i64::from(number(result)), &[])
            }
            Op::Destroy => {
                let result = self.work.destroy();
                message.reply(i64::from(number(result)), &[])
            }
            Op::Threads => {
                for _ in 0..request.argument {
                    start_worker(self, self.work.clone());
                }
                message.reply(0, &[])
            }
            Op::Open => match self.open(request.argument as u32) {
                Ok(chid) => message.reply(i64::from(chid), &[]),
                Err(error) => message.error(error),
            },
            Op::Pulses => {
                let pulses = std::mem::take(&mut self.state().pulses);
                let numbers = pulses
                    .iter()
                    .flat_map(|pulse| [i32::from(pulse.code), pulse.value as i32, pulse.scoid]);
                message.reply(pulses.len() as i64, &pack(numbers))
            }
            Op::Fire => message.reply(i64::from(number(self.fire())), &[]),
            Op::HeldFlags => match self.held_flags() {
                Ok(flags) => message.reply(i64::from(flags), &[]),
                Err(error) => message.error(error),
            },
            _ => message.error(Error::ENOSYS),
        }
    }

    fn answer_held(&self, answer: impl Fn(i32) -> Result<(), Error>) -> Vec<u8> {
        let held = std::mem::take(&mut self.state().held);
        pack(held.into_iter().map(|rcvid| number(answer(rcvid.get()))))
    }
}

/// Reads what did not come with the message: its whole length.
fn complete(message: &Message, buffer: &mut Vec<u8>) -> Result<usize, Error> {
    let (got, whole) = (message.len(), message.info().source_len);
    if got >= whole {
        return Ok(got);
    }
    if buffer.len() < whole {
        buffer.resize(whole, 0);
    }
    let more = message.read(got, &mut buffer[got..whole])?;
    Ok(got + more)
}

/// Reads the message by several threads at once, each in pieces of a length of its own, and counts
/// the bytes that are not as in `whole`.
fn read_by_threads(message: &Message, whole: &[u8], threads: usize) -> i64 {
    let read = |length: usize| -> i64 {
        let mut wrong = 0;
        let mut data = vec![0; length];
        for (n, piece) in whole.chunks(length).enumerate() {
            wrong += match message.read(n * length, &mut data) {
                Ok(done) if data[..done] == *piece => 0,
                _ => piece.len() as i64,
            };
        }
        wrong
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || read(30_001 + 70_003 * n)))
            .collect();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or(1))
            .sum()
    })
}

/// The message's information, as the test reads it.
/// Who a client is, in numbers.
fn client_info(channel: &Channel, scoid: i32) -> Result<Vec<u8>, Error> {
    let (info, groups) = sys::client_info(channel, scoid, 64)?;
    let ids = [
        info.ngroups,
        info.nd,
        info.pid as u32,
        info.sid as u32,
        info.ruid,
        info.euid,
        info.suid,
        info.rgid,
        info.egid,
        info.sgid,
    ];
    Ok(pack(ids.iter().chain(&groups).map(|&id| id as i32)))
}

/// Sets who may connect to a channel, whose owners stay.
fn set_mode(channel: &Channel, mode: u32) -> Result<(), Error> {
    raw::set_access(channel.as_fd(), u32::MAX, u32::MAX, mode)
}

fn info_bytes(message: &Message) -> Vec<u8> {
    let info = message.info();
    pack([
        info.node.as_raw() as i32,
        info.server_node.as_raw() as i32,
        info.pid,
        info.tid,
        info.chid,
        info.scoid,
        info.coid,
        i32::from(info.priority),
        i32::from(info.flags),
        info.len as i32,
        info.source_len as i32,
        info.reply_len as i32,
    ])
}
