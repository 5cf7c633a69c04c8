// SPDX-License-Identifier: GPL-2.0

//! The cases, in suites, and what they have in common.

mod basic;
mod bytes;
mod death;
mod events;
mod forks;
mod info;
mod load;
mod long;
mod messages;
mod names;
mod order;
mod priority;
mod pulses;
mod rights;
mod seen;
mod signals;
mod sockets;
mod structs;
mod timeouts;

use std::{
    fmt,
    sync::{
        mpsc,
        Arc,
        Condvar,
        Mutex, //
    },
    thread, //
};

use qnet::{
    Connection,
    Error,
    Reply,
    Timeout, //
};

use crate::{
    ensure,
    script::{
        request,
        Op, //
    },
    sys,
    world::{
        Server,
        World,
        PATIENCE, //
    },
    Outcome, //
};

/// Where a case makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// On one node and across.
    Both,
    /// Where client and server are on one node.
    Local,
    /// Where messages cross a link.
    Remote,
}

/// One test.
pub struct Case {
    /// Its name within its suite.
    pub name: &'static str,
    scope: Scope,
    /// Whether all that it sends can be judged by Wireshark's dissector.
    judged: bool,
    run: fn(&World) -> Outcome,
}

/// A group of cases.
pub struct Suite {
    /// Its name.
    pub name: &'static str,
    cases: &'static [Case],
}

/// All suites.
pub const SUITES: &[Suite] = &[
    suite("basic", basic::CASES),
    suite("bytes", bytes::CASES),
    suite("info", info::CASES),
    suite("order", order::CASES),
    suite("names", names::CASES),
    suite("death", death::CASES),
    suite("signals", signals::CASES),
    suite("timeouts", timeouts::CASES),
    suite("forks", forks::CASES),
    suite("sockets", sockets::CASES),
    suite("structs", structs::CASES),
    suite("seen", seen::CASES),
    suite("load", load::CASES),
    suite("long", long::CASES),
    suite("pulses", pulses::CASES),
    suite("events", events::CASES),
    suite("rights", rights::CASES),
    suite("priority", priority::CASES),
    suite("messages", messages::CASES),
];

const fn suite(name: &'static str, cases: &'static [Case]) -> Suite {
    Suite { name, cases }
}

impl Suite {
    /// All of its cases.
    pub fn all(&self) -> &'static [Case] {
        self.cases
    }

    /// The cases that make sense here.
    pub fn cases(&self, remote: bool, judged: bool) -> impl Iterator<Item = &'static Case> {
        self.cases.iter().filter(move |case| {
            let here = match case.scope {
                Scope::Both => true,
                Scope::Local => !remote,
                Scope::Remote => remote,
            };
            here && (case.judged || !judged)
        })
    }
}

impl Case {
    const fn new(name: &'static str, scope: Scope, run: fn(&World) -> Outcome) -> Self {
        Self {
            name,
            scope,
            judged: true,
            run,
        }
    }

    /// The case sends what the dissector takes for something else.
    const fn not_judged(self) -> Self {
        Self {
            judged: false,
            ..self
        }
    }

    /// Runs the case in this process.
    pub fn run(&self, world: &World) -> Outcome {
        (self.run)(world)
    }
}

/// The reason why a case does not apply here.
#[derive(Debug)]
pub struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

fn skip(why: impl Into<String>) -> Outcome {
    Err(Skip(why.into()).into())
}

/// Ends the case unless the call failed with one of these errors.
#[track_caller]
fn fails_with<T: fmt::Debug>(
    what: &str,
    result: Result<T, Error>,
    wanted: &[Error],
) -> Outcome<Error> {
    match result {
        Err(error) if wanted.contains(&error) => Ok(error),
        other => Err(format!(
            "line {}: {what}: {other:?}, not {wanted:?}",
            std::panic::Location::caller().line()
        )
        .into()),
    }
}

/// A call in a thread of its own, which is expected to be blocked for a while.
///
/// A case that fails leaves it behind and ends with its process.
struct Call<T> {
    tid: i32,
    result: Arc<(Mutex<Option<T>>, Condvar)>,
}

impl<T: Send + 'static> Call<T> {
    fn start(call: impl FnOnce() -> T + Send + 'static) -> Outcome<Self> {
        let (tell_tid, tid) = mpsc::channel();
        let result = Arc::new((Mutex::new(None), Condvar::new()));
        let theirs = result.clone();
        thread::spawn(move || {
            let _ = tell_tid.send(sys::gettid());
            let got = call();
            if let Ok(mut place) = theirs.0.lock() {
                *place = Some(got);
            }
            theirs.1.notify_all();
        });
        Ok(Self {
            tid: tid.recv()?,
            result,
        })
    }

    /// Whether the call has not returned.
    fn is_blocked(&self) -> bool {
        self.result.0.lock().is_ok_and(|place| place.is_none())
    }

    /// The call's result, which has to come soon.
    fn result(self) -> Outcome<T> {
        let (place, ready) = &*self.result;
        let place = place.lock().map_err(|_| "the thread panicked")?;
        let (mut place, _) = ready
            .wait_timeout_while(place, PATIENCE, |place| place.is_none())
            .map_err(|_| "the thread panicked")?;
        place
            .take()
            .ok_or_else(|| "the call is still blocked".into())
    }

    /// Waits until the kernel says that the thread sleeps.
    fn wait_asleep(&self) -> Outcome {
        wait_state(self.tid, 'S')
    }
}

/// Whether a thread is in this state, which is one of the letters of proc_pid_stat(5).
fn is_in_state(tid: i32, state: char) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{tid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.starts_with(state))
}

/// Waits until a thread is in this state.
fn wait_state(tid: i32, state: char) -> Outcome {
    sys::within(PATIENCE, || is_in_state(tid, state).then_some(()))
        .ok_or_else(|| format!("the thread does not come into the state {state}").into())
}

/// Sends a request from a thread of its own.
fn start_send(
    connection: &Arc<Connection>,
    message: Vec<u8>,
) -> Outcome<Call<Result<Reply, Error>>> {
    start_send_timeout(connection, message, Timeout::NEVER)
}

fn start_send_timeout(
    connection: &Arc<Connection>,
    message: Vec<u8>,
    timeout: Timeout,
) -> Outcome<Call<Result<Reply, Error>>> {
    let connection = connection.clone();
    Call::start(move || connection.send_timeout(&message, &mut [0; 64], timeout))
}

/// Answers the one message that a server holds, whose client has given it up.
///
/// On one node that is ESRCH. Across a link, the client's node tells nobody that its program gave
/// up: the answer leaves, and is dropped where the program is not waiting any more.
fn late_reply(world: &World, server: &Server) -> Outcome {
    let (_, answers) = server.ask(Op::Release, 0)?;
    let told = [Error::ESRCH.errno()];
    ensure!(
        answers == told || world.is_remote() && answers == [0],
        "the late reply got {answers:?}"
    );
    Ok(())
}

/// Looks that a connection works.
fn echoes(connection: &Connection) -> Outcome {
    let message = request(Op::Echo, 0, 0, b"are you there");
    let mut reply = [0; 64];
    let got = connection.send_timeout(&message, &mut reply, PATIENCE)?;
    ensure!(
        got.status == 0 && reply[..got.len] == message[..],
        "the echo is wrong: {got:?}"
    );
    Ok(())
}
