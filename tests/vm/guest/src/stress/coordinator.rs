// SPDX-License-Identifier: GPL-2.0

//! Starts the processes of the stress, makes trouble among them, and waits for their end.

use std::{
    process::Command,
    sync::atomic::Ordering::SeqCst,
    thread,
    time::Duration, //
};

use super::{
    client,
    judge,
    ledger::{
        Count,
        Ledger, //
    },
    server,
    CLIENTS,
    NODES,
    SENDERS,
    SERVERS, //
};
use crate::{
    bulk::Random,
    netns,
    sys,
    Outcome, //
};

/// How long it may take until everybody has ended when the trouble is over. A client is asked to
/// leave again after 30 s at the latest, and the machine may be a slow one.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is told how far it is, in nanoseconds.
const PROGRESS: u64 = 60_000_000_000;
/// How often it is looked whether it is time for something.
const TICK: Duration = Duration::from_millis(20);
/// After so long, in nanoseconds, there is trouble even if there are no messages.
const LULL: u64 = 2_000_000_000;
/// The longest stop of a process, in microseconds.
const STOP: usize = 100_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// The network namespaces, whose names are their nodes'.
    pub nodes: [String; NODES],
    /// How long there is trouble.
    pub seconds: u64,
    /// Chooses everything.
    pub seed: u64,
    /// How many messages there are for each trouble, on the average.
    pub every: u32,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Server(usize),
    Client(usize),
}

impl Role {
    /// Each of them.
    fn all() -> impl Iterator<Item = Self> {
        let servers = (0..NODES * SERVERS).map(Self::Server);
        servers.chain((0..NODES * CLIENTS).map(Self::Client))
    }

    /// The number of its node.
    fn node(self) -> usize {
        match self {
            Self::Server(slot) => slot / SERVERS,
            Self::Client(slot) => slot / CLIENTS,
        }
    }
}

/// A process that was started and not waited for.
#[derive(Clone, Copy)]
struct Process {
    pid: i32,
    life: u32,
    role: Role,
}

/// When there is trouble again. It is by messages, so that it is as much on a slow machine.
#[derive(Default)]
struct Next {
    messages: u32,
    time: u64,
}

impl Next {
    fn after(messages: u32) -> Self {
        Self {
            messages,
            time: sys::now() + LULL,
        }
    }

    fn is_due(&self, messages: u32) -> bool {
        messages >= self.messages || sys::now() >= self.time
    }
}

struct Coordinator {
    options: Options,
    ledger: &'static Ledger,
    random: Random,
    processes: Vec<Process>,
    /// Processes that are stopped, and until when.
    stopped: Vec<(i32, u64)>,
}

/// Runs the stress, prints its results as KTAP, and says whether all is well.
pub fn run(options: Options) -> Outcome<bool> {
    println!("# seed {}, {} s", options.seed, options.seconds);
    let ledger = Ledger::new()?;
    // Whoever makes the trouble must not wait behind those who have it.
    sys::set_fifo(1)?;
    // Children of those that are killed are to be waited for, too.
    sys::adopt_orphans()?;
    let mut coordinator = Coordinator {
        random: Random::new(options.seed),
        options,
        ledger,
        processes: Vec::new(),
        stopped: Vec::new(),
    };
    for role in Role::all() {
        coordinator.start(role)?;
    }
    coordinator.trouble()?;
    let ended = coordinator.end();
    judge::report(ledger, ended)
}

impl Coordinator {
    fn start(&mut self, role: Role) -> Outcome {
        let seed = self.random.number();
        let (ledger, here) = (self.ledger, role.node());
        let nodes = self.options.nodes.clone();
        ledger.count(match role {
            Role::Server(_) => Count::Servers,
            Role::Client(_) => Count::Clients,
        });
        let life = ledger.new_process();
        let pid = sys::fork(|| {
            let run = || {
                sys::set_ordinary()?;
                netns::enter(&nodes[here])?;
                match role {
                    Role::Server(slot) => server::run(ledger, life, slot, seed),
                    Role::Client(slot) => client::run(ledger, life, slot, &nodes[1 - here], seed),
                }
            };
            match run() {
                Ok(()) => 0,
                Err(error) => {
                    ledger.complain(format_args!("{role:?}: {error}"));
                    1
                }
            }
        })?;
        self.processes.push(Process { pid, life, role });
        Ok(())
    }

    /// Makes trouble for as long as was asked.
    fn trouble(&mut self) -> Outcome {
        let end = sys::now() + Duration::from_secs(self.options.seconds).as_nanos() as u64;
        let mut told = sys::now();
        let mut next = Next::default();
        while sys::now() < end && !self.ledger.over.load(SeqCst) {
            if sys::now() > told + PROGRESS {
                told += PROGRESS;
                self.progress("so far");
            }
            thread::sleep(TICK);
            self.go_on(sys::now());
            if next.is_due(self.ledger.used()) {
                let after = self.random.number() % (2 * u64::from(self.options.every));
                next = Next::after(self.ledger.used() + after as u32);
                self.one_trouble();
            }
            while let Some(role) = self.reap() {
                self.start(role)?;
            }
        }
        Ok(())
    }

    fn progress(&self, words: &str) {
        println!("# {} messages and pulses {words}", self.ledger.used());
    }

    fn one_trouble(&mut self) {
        match self.random.number() % 100 {
            0..70 => self.signal(),
            70..85 => self.stop(),
            85..96 => self.kill(|role| matches!(role, Role::Client(_)), Count::KilledClients),
            _ => self.kill(|role| matches!(role, Role::Server(_)), Count::KilledServers),
        }
    }

    /// Sends a signal to some client thread.
    fn signal(&mut self) {
        let slot = self.random.number() as usize % (NODES * CLIENTS * SENDERS);
        let number = self.ledger.senders[slot].load(SeqCst);
        let thread = self.ledger.thread(number);
        let life = thread.life.load(SeqCst);
        // The number of a process that was waited for may be another's by now.
        let Some(process) = self.processes.iter().find(|process| process.life == life) else {
            return;
        };
        let signal = match self.random.number() % 2 {
            0 => libc::SIGUSR1,
            _ => libc::SIGUSR2,
        };
        thread.signals.fetch_add(1, SeqCst);
        // The thread may have ended, and then its process has others.
        if sys::kill_thread_of(process.pid, thread.tid.load(SeqCst), signal).is_ok() {
            self.ledger.count(Count::Signals);
        }
        thread.signalled.fetch_add(1, SeqCst);
    }

    /// Stops some process for a while.
    fn stop(&mut self) {
        let chosen = self.random.number() as usize % self.processes.len();
        let Process { pid, .. } = self.processes[chosen];
        let until = sys::now() + 1000 * self.random.length(1, STOP) as u64;
        self.ledger.count(Count::Stops);
        let _ = sys::kill(pid, libc::SIGSTOP);
        self.stopped.push((pid, until));
    }

    /// Lets those go on that were stopped long enough.
    fn go_on(&mut self, now: u64) {
        self.stopped.retain(|(pid, until)| {
            if now >= *until {
                let _ = sys::kill(*pid, libc::SIGCONT);
            }
            now < *until
        });
    }

    fn kill(&mut self, which: fn(Role) -> bool, count: Count) {
        let some: Vec<_> = self.processes.iter().filter(|p| which(p.role)).collect();
        let chosen = some[self.random.number() as usize % some.len()];
        self.ledger.end(chosen.life);
        self.ledger.count(count);
        let _ = sys::kill(chosen.pid, libc::SIGKILL);
    }

    /// Waits for a process that has ended, if there is one: what it was.
    fn reap(&mut self) -> Option<Role> {
        loop {
            let (pid, status) = sys::ended()?;
            self.stopped.retain(|(stopped, _)| *stopped != pid);
            let place = self.processes.iter().position(|process| process.pid == pid);
            let role = place.map(|place| self.processes.swap_remove(place).role);
            if status != 0 && status != 128 + libc::SIGKILL {
                self.ledger
                    .complain(format_args!("{role:?} ended with status {status}"));
            }
            if role.is_some() {
                return role;
            }
        }
    }

    /// Waits until everybody has ended. If they do not in time, shows who is blocked, and ends them.
    fn end(&mut self) -> bool {
        self.ledger.over.store(true, SeqCst);
        self.go_on(u64::MAX);
        self.progress("when the trouble ends");
        let clients = self.wait(|role| matches!(role, Role::Client(_)));
        if !clients {
            self.show();
        }
        self.progress("when the clients have ended");
        self.ledger.closed.store(true, SeqCst);
        let servers = self.wait(|_| true);
        for process in &self.processes {
            let _ = sys::kill(process.pid, libc::SIGKILL);
        }
        clients && servers && sys::within(PATIENCE, || self.nobody_left().then_some(())).is_some()
    }

    /// Waits until these processes have ended.
    fn wait(&mut self, which: fn(Role) -> bool) -> bool {
        sys::within(PATIENCE, || {
            while self.reap().is_some() {}
            let left = self.processes.iter().any(|process| which(process.role));
            (!left && !self.ledger.is_sending()).then_some(())
        })
        .is_some()
    }

    fn nobody_left(&mut self) -> bool {
        while self.reap().is_some() {}
        !sys::has_children()
    }

    /// Shows who is blocked on whom.
    fn show(&self) {
        for thread in self.ledger.threads() {
            let (id, life) = (thread.current.load(SeqCst), thread.life.load(SeqCst));
            if id != 0 && !self.ledger.has_ended(life) {
                let tid = thread.tid.load(SeqCst);
                let what = judge::words(self.ledger, id);
                eprintln!("# the thread {tid} is still in the call for {what}");
            }
        }
        for node in &self.options.nodes {
            let _ = Command::new("qnet").args(["-n", node, "channels"]).status();
        }
    }
}
