// SPDX-License-Identifier: GPL-2.0

//! Moves messages of all lengths as fast as can be and checks every byte, the order, and that each
//! message comes exactly once. Prints its figures as one line of JSON.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{
        Path,
        PathBuf, //
    },
    process::{
        self,
        ExitCode, //
    },
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc,
        Mutex, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use clap::{
    Args,
    Parser,
    Subcommand,
    ValueEnum, //
};
use qnet::{
    Address,
    Channel,
    Connection,
    Error,
    Message,
    Node, //
};
use qnet_guest::{
    bulk::{
        self,
        Head,
        Ledger,
        Random,
        Wrong,
        BEGIN,
        HEAD,
        JUDGED,
        STOP, //
    },
    sys,
    world::PATIENCE,
    Outcome, //
};

#[derive(Parser)]
#[command(version, about = "Moves messages of all lengths and checks every byte")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Serve until a stop message comes; prints process and channel first
    Server {
        /// Threads that receive
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Write the counts into this file, too, at the end
        #[arg(long)]
        count_file: Option<PathBuf>,
        /// Count corrupted messages and answer them as if nothing were
        #[arg(long)]
        no_verify: bool,
    },
    /// Send messages and check the replies
    Client(Client),
    /// Tell a server to stop
    Stop {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Args, Clone)]
struct Target {
    /// The name of the server's node
    #[arg(long, required_unless_present = "local", conflicts_with = "local")]
    node: Option<String>,
    /// The server is on this node
    #[arg(long)]
    local: bool,
    /// The server's process
    #[arg(long)]
    pid: i32,
    /// Its channel
    #[arg(long)]
    chid: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplyLength {
    /// Eight bytes
    Small,
    /// As long as the request
    Same,
    /// Of any length between those of requests
    Log,
}

#[derive(Args, Clone)]
struct Client {
    #[command(flatten)]
    target: Target,
    /// Messages of all threads together; without, as many as there is time for
    #[arg(long, required_unless_present_any = ["duration", "until"])]
    messages: Option<u64>,
    /// Threads that send, each on a connection of its own
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// The shortest message
    #[arg(long, default_value_t = 0)]
    min_size: usize,
    /// The longest message
    #[arg(long, default_value_t = 65536)]
    max_size: usize,
    /// How long replies are; those to requests shorter than 48 bytes are always as long as these
    #[arg(long, value_enum, default_value = "small")]
    reply: ReplyLength,
    /// Chooses lengths and contents
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many seconds
    #[arg(long)]
    duration: Option<f64>,
    /// Stop when this file appears
    #[arg(long)]
    until: Option<PathBuf>,
    /// Wait for so many milliseconds before each message
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// Print the figures as one line of JSON
    #[arg(long)]
    json: bool,
    /// Only messages that Wireshark's dissector can judge
    #[arg(long)]
    judged: bool,
    /// Errors and corrupted replies are counted and do not make the program fail
    #[arg(long)]
    no_verify: bool,
    /// Give a send up after so many milliseconds
    #[arg(long)]
    timeout_ms: Option<u64>,
    /// Tell the server to stop at the end
    #[arg(long)]
    stop: bool,
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Action::Server {
            threads,
            count_file,
            no_verify,
        } => serve(threads, count_file.as_deref(), no_verify),
        Action::Client(client) => client.run(),
        Action::Stop { target } => target.find().and_then(stop).map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("qnet-bulk: {error}");
            ExitCode::from(2)
        }
    }
}

/// Errors by number, as JSON.
fn errors_json(errors: &BTreeMap<i32, u64>) -> String {
    let mut text = String::from("{");
    for (n, (errno, count)) in errors.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\"{errno}\":{count}");
    }
    text.push('}');
    text
}

// --- server ---

#[derive(Default)]
struct Counts {
    messages: u64,
    bytes: u64,
    corrupted: u64,
    errors: BTreeMap<i32, u64>,
    ledger: Ledger,
}

impl Counts {
    fn json(&self) -> String {
        let Wrong { twice, lost, order } = self.ledger.wrong;
        format!(
            "{{\"messages\":{},\"bytes\":{},\"corrupted\":{},\"twice\":{twice},\"lost\":{lost},\
             \"out_of_order\":{order},\"errors\":{}}}",
            self.messages,
            self.bytes,
            self.corrupted,
            errors_json(&self.errors)
        )
    }

    fn is_good(&self) -> bool {
        self.corrupted == 0 && self.ledger.wrong == Wrong::default()
    }
}

struct Server {
    channel: Channel,
    counts: Mutex<Counts>,
    no_verify: bool,
}

fn serve(threads: usize, count_file: Option<&Path>, no_verify: bool) -> Outcome<bool> {
    let server = Arc::new(Server {
        channel: Channel::create()?,
        counts: Mutex::default(),
        no_verify,
    });
    println!("pid={} chid={}", process::id(), server.channel.id());
    let workers: Vec<_> = (0..threads.max(1))
        .map(|_| {
            let server = server.clone();
            thread::spawn(move || server.work())
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a thread panicked")??;
    }
    let counts = server.counts.lock().map_err(|_| "a thread panicked")?;
    let json = counts.json();
    println!("{json}");
    if let Some(file) = count_file {
        fs::write(file, json + "\n")?;
    }
    Ok(counts.is_good() || no_verify)
}

/// What the server is to do with a request.
enum Answer {
    Reply(u64, usize),
    Error(Error),
    Stop,
}

impl Server {
    /// Serves until the channel is destroyed.
    fn work(&self) -> Outcome {
        let mut request = vec![0; 1 << 17];
        let mut reply = Vec::new();
        loop {
            let message = match self.channel.receive(&mut request) {
                Ok(message) => message,
                Err(Error::EINTR) => continue,
                Err(Error::ESRCH) => return Ok(()),
                Err(other) => return Err(format!("receive: {other:?}").into()),
            };
            let result = match self.judge(&message, &mut request)? {
                Answer::Reply(seed, length) => {
                    // Nobody needs more than the client has room for.
                    reply.resize(length.min(message.info().reply_len), 0);
                    bulk::fill(seed, &mut reply);
                    message.reply(0, &reply)
                }
                Answer::Error(error) => message.error(error),
                Answer::Stop => {
                    let result = message.reply(0, &[]);
                    let _ = self.channel.destroy();
                    result
                }
            };
            if let Err(error) = result {
                self.failed(error)?;
            }
        }
    }

    fn counts(&self) -> Outcome<std::sync::MutexGuard<'_, Counts>> {
        self.counts
            .lock()
            .map_err(|_| "another thread panicked".into())
    }

    fn failed(&self, error: Error) -> Outcome {
        *self.counts()?.errors.entry(error.errno()).or_default() += 1;
        Ok(())
    }

    /// Reads the whole of a request and looks at it.
    fn judge(&self, message: &Message, request: &mut Vec<u8>) -> Outcome<Answer> {
        let info = message.info();
        let (got, whole) = (message.len(), info.source_len);
        let head = Head::parse(&request[..got]);
        if head.is_some_and(|head| head.flags & STOP != 0) {
            return Ok(Answer::Stop);
        }
        let sender = (info.node.as_raw(), info.pid, info.tid);
        self.counts()?.ledger.came(sender, head.as_ref());
        if whole > request.len() {
            request.resize(whole, 0);
        }
        if got < whole {
            match message.read(got, &mut request[got..whole]) {
                Ok(more) if got + more == whole => {}
                Ok(_) => return self.corrupted(head),
                Err(error) => {
                    self.failed(error)?;
                    return Ok(Answer::Error(Error::EIO));
                }
            }
        }
        let mut counts = self.counts()?;
        counts.messages += 1;
        counts.bytes += whole as u64;
        drop(counts);
        if !bulk::is_whole(&request[..whole]) {
            return self.corrupted(head);
        }
        Ok(match head {
            Some(head) => Answer::Reply(head.seed.wrapping_add(1), head.reply as usize),
            None => Answer::Reply(bulk::short_seed(whole), whole),
        })
    }

    fn corrupted(&self, head: Option<Head>) -> Outcome<Answer> {
        self.counts()?.corrupted += 1;
        Ok(match head {
            Some(head) if self.no_verify => {
                Answer::Reply(head.seed.wrapping_add(1), head.reply as usize)
            }
            _ => Answer::Error(Error::EBADMSG),
        })
    }
}

// --- client ---

impl Target {
    fn find(&self) -> Outcome<Address> {
        let node = match &self.node {
            None => Node::LOCAL,
            Some(name) => sys::within(PATIENCE, || Node::lookup(name).ok())
                .ok_or_else(|| format!("node {name} is not found"))?,
        };
        Ok(Address {
            node,
            pid: self.pid,
            chid: self.chid,
        })
    }
}

fn stop(address: Address) -> Outcome {
    let head = Head {
        flags: STOP,
        request: HEAD as u64,
        ..Default::default()
    };
    Connection::attach(address)?.send_timeout(&head.bytes(), &mut [], PATIENCE)?;
    Ok(())
}

/// What one thread, or all, have done.
#[derive(Default)]
struct Figures {
    messages: u64,
    bytes_out: u64,
    bytes_in: u64,
    corrupted: u64,
    errors: BTreeMap<i32, u64>,
    /// Each send's time, in nanoseconds.
    times: Vec<u64>,
    longest: u64,
}

impl Figures {
    fn add(&mut self, mut other: Figures) {
        self.messages += other.messages;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
        self.corrupted += other.corrupted;
        for (errno, count) in other.errors {
            *self.errors.entry(errno).or_default() += count;
        }
        self.times.append(&mut other.times);
        self.longest = self.longest.max(other.longest);
    }

    fn percentile(&self, percent: usize) -> u64 {
        let last = self.times.len().saturating_sub(1);
        self.times
            .get(last * percent / 100)
            .map_or(0, |ns| ns / 1000)
    }

    fn is_good(&self) -> bool {
        self.corrupted == 0 && self.errors.is_empty()
    }
}

impl Client {
    fn run(&self) -> Outcome<bool> {
        let address = self.target.find()?;
        let over = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        if let Some(seconds) = self.duration {
            let over = over.clone();
            let duration = Duration::try_from_secs_f64(seconds)?;
            thread::spawn(move || {
                thread::sleep(duration);
                over.store(true, Ordering::Relaxed);
            });
        }
        if let Some(file) = self.until.clone() {
            let over = over.clone();
            thread::spawn(move || {
                while !file.exists() {
                    thread::sleep(Duration::from_millis(20));
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        let threads: Vec<_> = (0..self.threads.max(1))
            .map(|number| {
                let (client, over) = (self.clone(), over.clone());
                thread::spawn(move || client.work(address, number, &over))
            })
            .collect();
        let mut all = Figures::default();
        for thread in threads {
            all.add(thread.join().map_err(|_| "a thread panicked")??);
        }
        let elapsed = began.elapsed();
        all.times.sort_unstable();
        self.print(&all, elapsed);
        if self.stop {
            stop(address)?;
        }
        Ok(all.is_good() || self.no_verify)
    }

    /// How many messages the thread of that number sends.
    fn share(&self, number: u64) -> u64 {
        let threads = self.threads.max(1);
        match self.messages {
            Some(all) => all / threads + u64::from(number < all % threads),
            None => u64::MAX,
        }
    }

    fn work(&self, address: Address, number: u64, over: &AtomicBool) -> Outcome<Figures> {
        let mut random = Random::new(self.seed.wrapping_mul(1000).wrapping_add(number));
        let mut figures = Figures::default();
        let mut connection = Connection::attach(address)?;
        let (mut message, mut reply) = (Vec::new(), Vec::new());
        let mut head = Head::default();
        while head.serial < self.share(number) && !over.load(Ordering::Relaxed) {
            self.choose(&mut head, &mut random);
            bulk::make(&head, &mut message);
            let length = if message.len() < HEAD {
                message.len()
            } else {
                head.reply as usize
            };
            reply.clear();
            // Room for one byte more shows a reply that is too long.
            reply.resize(length + 1, 0);
            if self.pause_ms > 0 {
                thread::sleep(Duration::from_millis(self.pause_ms));
            }
            let began = sys::now();
            let sent = match self.timeout_ms {
                None => connection.send(&message, &mut reply),
                Some(ms) => {
                    connection.send_timeout(&message, &mut reply, Duration::from_millis(ms))
                }
            };
            let took = sys::now() - began;
            figures.longest = figures.longest.max(took);
            head.serial += 1;
            match sent {
                Ok(got) => {
                    figures.messages += 1;
                    figures.times.push(took);
                    figures.bytes_out += message.len() as u64;
                    figures.bytes_in += got.len as u64;
                    let seed = if message.len() < HEAD {
                        bulk::short_seed(length)
                    } else {
                        head.seed.wrapping_add(1)
                    };
                    if got.len != length || !bulk::holds(seed, &reply[..got.len]) {
                        figures.corrupted += 1;
                    }
                }
                Err(error) => {
                    *figures.errors.entry(error.errno()).or_default() += 1;
                    head.failed += 1;
                    thread::sleep(Duration::from_millis(1));
                    // A connection whose session broke is dead.
                    connection = Connection::attach(address)?;
                }
            }
        }
        Ok(figures)
    }

    /// Chooses the next message. The first of a thread has a head, which says that it begins.
    fn choose(&self, head: &mut Head, random: &mut Random) {
        let least = if self.judged {
            self.min_size.max(JUDGED)
        } else {
            self.min_size
        };
        let most = self.max_size.max(least);
        let mut request = random.length(least, most);
        head.flags = 0;
        if head.serial == head.failed {
            // No message of this thread has certainly arrived.
            request = request.max(HEAD);
            head.flags = BEGIN;
        }
        head.request = request as u64;
        head.reply = match self.reply {
            ReplyLength::Small => 8,
            ReplyLength::Same => head.request,
            ReplyLength::Log => random.length(least, most) as u64,
        };
        head.seed = random.number();
    }

    fn print(&self, all: &Figures, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let goodput = (all.bytes_out + all.bytes_in) as f64 / seconds;
        let longest = all.longest as f64 / 1e6;
        if self.json {
            println!(
                "{{\"messages\":{},\"bytes_out\":{},\"bytes_in\":{},\"errors\":{},\"corrupted\":{},\
                 \"elapsed_ns\":{},\"goodput\":{goodput:.0},\"longest_ms\":{longest:.3},\
                 \"p50_us\":{},\"p99_us\":{}}}",
                all.messages,
                all.bytes_out,
                all.bytes_in,
                errors_json(&all.errors),
                all.corrupted,
                elapsed.as_nanos(),
                all.percentile(50),
                all.percentile(99),
            );
        } else {
            println!(
                "{} messages, {} bytes out, {} in, {goodput:.0} bytes/s; errors {}, {} corrupted; \
                 median {} us, p99 {} us, longest {longest:.3} ms",
                all.messages,
                all.bytes_out,
                all.bytes_in,
                errors_json(&all.errors),
                all.corrupted,
                all.percentile(50),
                all.percentile(99),
            );
        }
    }
}
