// SPDX-License-Identifier: GPL-2.0

//! Sends frames that a node must drop, and looks that each was counted under its name, that none
//! reached a program, and that the node still works. Reports in KTAP.

use std::{
    collections::BTreeMap,
    fs,
    process::{
        Command,
        ExitCode, //
    },
    thread,
    time::Duration, //
};

use clap::Parser;
use qnet::Connection;
use qnet_guest::{
    ensure,
    frames::{
        kind,
        Header, //
    },
    inject::{
        Case,
        Session,
        CASES, //
    },
    ktap::{
        Report,
        Verdict, //
    },
    netns,
    script::{
        request,
        Op, //
    },
    server,
    sys,
    tap::Tap,
    world::{
        Place,
        Server,
        World,
        PATIENCE, //
    },
    Outcome, //
};

#[derive(Parser)]
#[command(
    version,
    about = "Sends malformed frames to a node and reads its counters"
)]
struct Arguments {
    /// The network namespace that the frames come from
    #[arg(long, default_value = "alpha")]
    client_ns: String,
    /// The network namespace of the node that gets them
    #[arg(long, default_value = "beta")]
    server_ns: String,
    /// The name of that node
    #[arg(long, default_value = "beta")]
    node: String,
    /// The interface in the first namespace
    #[arg(long, default_value = "veth0")]
    interface: String,
    /// The `qnet` command, which sets the options that some cases need
    #[arg(long, default_value = "qnet")]
    qnet: String,
    /// Cases; all when none is named
    names: Vec<String>,
    /// The server's namespace (for the program itself)
    #[arg(long, hide = true)]
    netns: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = if arguments.names == ["serve"] {
        serve(arguments.netns.as_deref())
    } else {
        inject(&arguments)
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("qnet-inject: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(namespace: Option<&str>) -> Outcome<ExitCode> {
    if let Some(name) = namespace {
        netns::enter(name)?;
    }
    server::run()?;
    Ok(ExitCode::SUCCESS)
}

fn inject(arguments: &Arguments) -> Outcome<ExitCode> {
    netns::enter(&arguments.client_ns)?;
    let world = World::find(
        Place::Namespace {
            server: arguments.server_ns.clone(),
            node: arguments.node.clone(),
        },
        false,
    )?;
    let bench = Bench {
        server: world.server()?,
        tap: Tap::open(&arguments.interface)?,
        arguments,
    };
    let chosen: Vec<&Case> = CASES
        .iter()
        .filter(|case| {
            arguments.names.is_empty() || arguments.names.iter().any(|name| name == case.name)
        })
        .collect();
    let mut report = Report::new(std::io::stdout(), 1)?;
    report.suite("inject", chosen.len() + 1)?;
    // A session to take frames from that will not live any more.
    let mut earlier = bench.exchange()?;
    bench.restart(&earlier)?;
    for case in chosen {
        let verdict = match bench.run(case, &mut earlier) {
            Ok(words) => {
                report.diagnostic(format_args!("{}: {words}", case.name))?;
                Verdict::Passed
            }
            Err(error) => Verdict::Failed(error.to_string()),
        };
        report.case(case.name, &verdict)?;
    }
    let last = match bench.works() {
        Ok(()) => Verdict::Passed,
        Err(error) => Verdict::Failed(error.to_string()),
    };
    report.case("the_node_works_afterwards", &last)?;
    report.end_suite()?;
    Ok(ExitCode::from(u8::from(report.failed() != 0)))
}

/// A server, a client, and the wire between them.
struct Bench<'a> {
    server: Server,
    tap: Tap,
    arguments: &'a Arguments,
}

impl Bench<'_> {
    /// Lets a client and the server exchange messages, and tells what passed on the wire.
    fn exchange(&self) -> Outcome<Session> {
        self.tap.seen();
        self.works()?;
        let message = |frame: &&Vec<u8>| {
            frame[6..12] == self.tap.mac()
                && frame[12..14] == 0x8204u16.to_be_bytes()
                && Header::of_frame(frame).is_some_and(|header| header.kind == kind::USER)
        };
        // The last exchange's acknowledgement may be under way still.
        thread::sleep(Duration::from_millis(20));
        let seen = self.tap.seen();
        let last = seen
            .iter()
            .rev()
            .find(message)
            .ok_or("no message was seen")?;
        let mut to = [0; 6];
        to.copy_from_slice(&last[..6]);
        Ok(Session {
            to,
            from: self.tap.mac(),
            name: self.arguments.client_ns.clone(),
            peer: self.arguments.node.clone(),
            last: last.clone(),
            earlier: Vec::new(),
        })
    }

    /// Looks that a new client is served, however often it has to try.
    fn works(&self) -> Outcome {
        let mut last = String::new();
        sys::within(PATIENCE, || match self.echo() {
            Ok(()) => Some(()),
            Err(error) => {
                last = error.to_string();
                None
            }
        })
        .ok_or_else(|| format!("the node does not work any more: {last}").into())
    }

    fn echo(&self) -> Outcome {
        let connection = Connection::attach(self.server.address)?;
        for _ in 0..3 {
            let message = request(Op::Echo, 0, 0, b"are you there");
            let mut reply = [0; 64];
            let got = connection.send_timeout(&message, &mut reply, Duration::from_secs(2))?;
            ensure!(reply[..got.len] == message[..], "the echo is wrong");
        }
        // Detached by hand, so that the message about it has passed before this returns.
        connection.detach()?;
        Ok(())
    }

    /// Ends a session at both ends.
    fn restart(&self, session: &Session) -> Outcome {
        self.tap.send(&session.down())?;
        thread::sleep(Duration::from_millis(50));
        self.works()
    }

    fn run(&self, case: &Case, earlier: &mut Session) -> Outcome<String> {
        let mut session = self.exchange()?;
        session.earlier.clone_from(&earlier.last);
        let result = self.with_options(case, |bench| bench.count(case, &session));
        if case.ends_session {
            self.restart(&session)?;
            *earlier = session;
        }
        self.works()?;
        result
    }

    /// Sets the options that a case needs, and sets them back.
    fn with_options(
        &self,
        case: &Case,
        run: impl FnOnce(&Self) -> Outcome<String>,
    ) -> Outcome<String> {
        if case.options.is_empty() {
            return run(self);
        }
        let names: Vec<_> = case
            .options
            .iter()
            .filter_map(|option| option.split('=').next())
            .collect();
        let before = self.qnet("get", &[&["--value-only"], &names[..]].concat())?;
        self.qnet("set", case.options)?;
        let result = run(self);
        let back: Vec<String> = names
            .iter()
            .zip(before.lines())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.qnet("set", &back.iter().map(String::as_str).collect::<Vec<_>>())?;
        result
    }

    fn qnet(&self, what: &str, words: &[&str]) -> Outcome<String> {
        let output = Command::new(&self.arguments.qnet)
            .args(["--netns", &self.arguments.server_ns, what])
            .args(words)
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Sends the frames and looks at the counters.
    fn count(&self, case: &Case, session: &Session) -> Outcome<String> {
        let frames = (case.frames)(session);
        let wanted = frames.len() as u64 - case.taken;
        let before = self.counters()?;
        for frame in &frames {
            self.tap.send(frame)?;
        }
        let moved = |after: &BTreeMap<String, u64>, name: &str| {
            let value = |of: &BTreeMap<String, u64>| of.get(name).copied().unwrap_or(0);
            value(after).wrapping_sub(value(&before))
        };
        let mut after = self.counters()?;
        ensure!(
            before.contains_key(case.counter),
            "there is no counter '{}'",
            case.counter
        );
        for _ in 0..100 {
            if moved(&after, case.counter) >= wanted {
                break;
            }
            thread::sleep(Duration::from_millis(10));
            after = self.counters()?;
        }
        let changed: Vec<String> = after
            .keys()
            .filter(|name| moved(&after, name) != 0)
            .map(|name| format!("{name} +{}", moved(&after, name)))
            .collect();
        let changed = changed.join(", ");
        ensure!(
            moved(&after, case.counter) >= wanted,
            "of {wanted} frames, '{}' counted {}; what moved: {changed}",
            case.counter,
            moved(&after, case.counter)
        );
        ensure!(
            moved(&after, "kif server_msgs") == 0,
            "a frame became a message: {changed}"
        );
        Ok(format!("{wanted} frames: {changed}"))
    }

    /// The counters of the server's node.
    fn counters(&self) -> Outcome<BTreeMap<String, u64>> {
        let namespace = self.arguments.server_ns.clone();
        // A thread of its own, since a namespace is a thread's.
        let text = thread::spawn(move || -> Outcome<String> {
            netns::enter(&namespace)?;
            Ok(fs::read_to_string("/proc/thread-self/net/qnetstats")?)
        })
        .join()
        .map_err(|_| "the reader panicked")??;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter_map(|(name, value)| Some((name.trim().to_owned(), value.trim().parse().ok()?)))
            .collect())
    }
}
