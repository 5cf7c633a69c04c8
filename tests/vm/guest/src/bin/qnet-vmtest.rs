// SPDX-License-Identifier: GPL-2.0

//! The end-to-end tests: cases through the public API, reported in KTAP version 1.
//!
//! Each case runs in a process of its own, so that one which hangs or dies is one result and not
//! the end of the others.

use std::{
    fs::File,
    io::{
        Read,
        Seek, //
    },
    os::fd::{
        FromRawFd,
        OwnedFd, //
    },
    process::{
        Child,
        Command,
        ExitCode,
        Stdio, //
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
    Subcommand, //
};
use qnet_guest::{
    agent,
    cases::{
        Case,
        Skip,
        Suite,
        SUITES, //
    },
    client,
    ktap::{
        Report,
        Verdict, //
    },
    netns,
    server,
    sys,
    world::{
        Place,
        World, //
    },
    Outcome, //
};

/// The status of a case's process that does not apply here.
const SKIPPED: i32 = 4;

#[derive(Parser)]
#[command(version, about = "End-to-end tests of qnet, reported in KTAP")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Client and servers on one node
    Local(Selection),
    /// Client and servers on two nodes, which are two network namespaces of this machine
    Remote {
        /// The network namespace of the clients
        #[arg(long)]
        client_ns: String,
        /// The network namespace of the servers
        #[arg(long)]
        server_ns: String,
        /// The name of the servers' node
        #[arg(long)]
        node: String,
        #[command(flatten)]
        selection: Selection,
    },
    /// The servers' side of two machines: runs until a client says stop
    Server {
        /// The number that the agent's process is to have
        #[arg(long)]
        pid: Option<i32>,
    },
    /// The clients' side of two machines
    Client {
        /// The name of the servers' node
        #[arg(long)]
        node: String,
        /// The agent's process
        #[arg(long, default_value_t = 1000)]
        pid: i32,
        /// The agent's channel
        #[arg(long, default_value_t = 1)]
        chid: i32,
        /// Tell the agent to stop at the end
        #[arg(long)]
        stop: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Print the names of all suites and cases
    List,
    /// A server of a case (for the tests themselves)
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        netns: Option<String>,
    },
    /// A client of a case (for the tests themselves)
    #[command(hide = true, allow_negative_numbers = true)]
    Hold {
        nd: u32,
        pid: i32,
        chid: i32,
        tag: u32,
        want: i64,
    },
}

#[derive(Args)]
struct Selection {
    /// Suites (basic) or cases (basic.round_trip); all when none is named
    names: Vec<String>,
    /// Only cases whose frames Wireshark's dissector can judge
    #[arg(long)]
    judged: bool,
    /// Seconds after which a case is given up
    #[arg(long, default_value_t = 90)]
    limit: u64,
    /// Repeat things a tenth as often, for slow machines
    #[arg(long)]
    light: bool,
    /// Run this one case in this process (for the tests themselves)
    #[arg(long, hide = true)]
    case: Option<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("qnet-vmtest: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(action: Action) -> Outcome<ExitCode> {
    match action {
        Action::Local(selection) => selection.run(Place::Local),
        Action::Remote {
            client_ns,
            server_ns,
            node,
            selection,
        } => {
            netns::enter(&client_ns)?;
            selection.run(Place::Namespace {
                server: server_ns,
                node,
            })
        }
        Action::Client {
            node,
            pid,
            chid,
            stop,
            selection,
        } => {
            let one_case = selection.case.is_some();
            let place = Place::Machine { node, pid, chid };
            let code = selection.run(place.clone())?;
            if stop && !one_case {
                World::find(place, false)?.stop_agent()?;
            }
            Ok(code)
        }
        Action::Server { pid } => serve_machine(pid),
        Action::List => {
            for suite in SUITES {
                for case in suite.all() {
                    println!("{}.{}", suite.name, case.name);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Serve { netns: name } => {
            if let Some(name) = name {
                netns::enter(&name)?;
            }
            server::run()?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Hold {
            nd,
            pid,
            chid,
            tag,
            want,
        } => {
            client::run(nd, pid, chid, tag, want)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve_machine(pid: Option<i32>) -> Outcome<ExitCode> {
    let Some(pid) = pid else {
        agent::run()?;
        return Ok(ExitCode::SUCCESS);
    };
    let child = sys::fork_with_pid(pid, || match agent::run() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("qnet-vmtest: agent: {error}");
            1
        }
    })
    .map_err(|error| format!("a process with the number {pid}: {error}"))?;
    Ok(ExitCode::from(sys::wait(child)? as u8))
}

impl Selection {
    fn run(self, place: Place) -> Outcome<ExitCode> {
        match &self.case {
            Some(name) => Ok(run_here(name, place, self.light)),
            None => self.run_all(place != Place::Local, prefix(&place)),
        }
    }

    /// Whether a case was asked for.
    fn wants(&self, suite: &Suite, case: &Case) -> bool {
        let full = format!("{}.{}", suite.name, case.name);
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|name| *name == suite.name || *name == full)
    }

    fn run_all(&self, remote: bool, prefix: &str) -> Outcome<ExitCode> {
        let chosen: Vec<(&Suite, Vec<&Case>)> = SUITES
            .iter()
            .map(|suite| {
                let cases = suite.cases(remote, self.judged);
                (
                    suite,
                    cases.filter(|case| self.wants(suite, case)).collect(),
                )
            })
            .filter(|(_, cases): &(_, Vec<_>)| !cases.is_empty())
            .collect();
        if chosen.is_empty() {
            return Err("no case has such a name here; qnet-vmtest list tells them".into());
        }
        let mut report = Report::new(std::io::stdout(), chosen.len())?;
        for (suite, cases) in chosen {
            report.suite(&format!("{prefix}_{}", suite.name), cases.len())?;
            for case in cases {
                let began = Instant::now();
                let (verdict, said) = self.run_apart(&format!("{}.{}", suite.name, case.name))?;
                report.diagnostic(said)?;
                if began.elapsed() > Duration::from_secs(5) {
                    let seconds = began.elapsed().as_secs_f32();
                    report.diagnostic(format_args!("{}: {seconds:.1} s", case.name))?;
                }
                report.case(case.name, &verdict)?;
            }
            report.end_suite()?;
        }
        Ok(ExitCode::from(u8::from(report.failed() != 0)))
    }

    /// Runs a case in a process of its own: what became of it, and what it printed.
    fn run_apart(&self, name: &str) -> Outcome<(Verdict, String)> {
        let mut output = memory_file()?;
        let mut child = Command::new("/proc/self/exe")
            .args(std::env::args_os().skip(1))
            .args(["--case", name])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()?;
        let status = wait_for(&mut child, Duration::from_secs(self.limit))?;
        let mut said = String::new();
        output.rewind()?;
        output.read_to_string(&mut said)?;
        let (rest, last) = match said.trim_end().rsplit_once('\n') {
            Some((rest, last)) => (rest.to_owned(), last.to_owned()),
            None => (String::new(), said.trim_end().to_owned()),
        };
        Ok(match status.as_deref() {
            Some("0") => (Verdict::Passed, said),
            Some("4") => (Verdict::Skipped(last), rest),
            Some("1") => (Verdict::Failed(last), rest),
            Some(other) => (
                Verdict::Failed(format!("the case ended with {other}")),
                said,
            ),
            None => (
                Verdict::Failed(format!("no end after {} s", self.limit)),
                said,
            ),
        })
    }
}

fn prefix(place: &Place) -> &'static str {
    match place {
        Place::Local => "local",
        Place::Namespace { .. } => "remote",
        Place::Machine { .. } => "machines",
    }
}

fn memory_file() -> Outcome<File> {
    // SAFETY: The name is a string with a NUL, and the call gives a new descriptor.
    let fd = sys::checked(unsafe { libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC) })?;
    // SAFETY: The descriptor is new, so this is its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) }.into())
}

/// Waits for a case's process: its status in words, or nothing when it had to be killed.
fn wait_for(child: &mut Child, limit: Duration) -> Outcome<Option<String>> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(match status.code() {
                Some(code) => code.to_string(),
                None => status.to_string(),
            }));
        }
        thread::sleep(Duration::from_millis(3));
    }
    show_stacks(child.id());
    child.kill()?;
    // A process that does not even die holds nobody up.
    thread::sleep(Duration::from_millis(500));
    let _ = child.try_wait()?;
    Ok(None)
}

/// Prints where in the kernel the threads of a process are that does not end.
fn show_stacks(pid: u32) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return;
    };
    for task in tasks.flatten() {
        if let Ok(stack) = std::fs::read_to_string(task.path().join("stack")) {
            for line in stack.lines() {
                println!("    # {}: {line}", task.file_name().to_string_lossy());
            }
        }
    }
}

/// Runs a case in this process; its last line of output says why it failed.
fn run_here(name: &str, place: Place, light: bool) -> ExitCode {
    let Some(case) = find(name) else {
        println!("there is no case {name}");
        return ExitCode::from(1);
    };
    let outcome = World::find(place, light).and_then(|world| case.run(&world));
    let code = match outcome {
        Ok(()) => 0,
        Err(error) => {
            println!("{}", error.to_string().replace('\n', " "));
            if error.is::<Skip>() {
                SKIPPED
            } else {
                1
            }
        }
    };
    // Threads that a failed case left behind, blocked, end with the process.
    std::process::exit(code)
}

fn find(name: &str) -> Option<&'static Case> {
    let (suite, case) = name.split_once('.')?;
    let suite = SUITES.iter().find(|known| known.name == suite)?;
    suite.all().iter().find(|known| known.name == case)
}
