// SPDX-License-Identifier: GPL-2.0

//! Nodes in many network namespaces, each of which sends to each other one: how long it takes from
//! the moment they are bound to an interface until all know each other.

use std::{
    io::{
        self,
        BufRead,
        BufReader,
        Write, //
    },
    process::{
        self,
        Child,
        ChildStdin,
        ChildStdout,
        Command,
        ExitCode,
        Stdio, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

use clap::{
    Parser,
    Subcommand, //
};
use qnet::{
    Address,
    Channel,
    Connection,
    Node, //
};
use qnet_guest::{
    netns,
    sys,
    Outcome, //
};

/// How long a node looks for another one, and waits for its answer.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(version, about = "Lets every node send to every other one")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Bind an interface in each namespace, whose names are their nodes', and let each send to each
    All {
        /// The interface
        #[arg(long)]
        interface: String,
        /// The namespaces
        namespaces: Vec<String>,
    },
    /// One node (for the program itself): serves, then sends to those that stdin names
    Node {
        /// Its namespace
        namespace: String,
    },
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Action::All {
            interface,
            namespaces,
        } => all(&interface, &namespaces),
        Action::Node { namespace } => node(&namespace),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qnet-mesh: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The program that is one of the nodes.
struct Member {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Member {
    fn start(namespace: &str) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["node", namespace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(Self {
            child,
            input: input.ok_or("no pipe")?,
            output: BufReader::new(output.ok_or("no pipe")?),
        })
    }

    fn said(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

fn all(interface: &str, namespaces: &[String]) -> Outcome {
    let mut members = Vec::new();
    for namespace in namespaces {
        members.push(Member::start(namespace)?);
    }
    let mut list = String::new();
    for member in &mut members {
        list += &member.said()?;
        list += "\n";
    }
    let began = Instant::now();
    for namespace in namespaces {
        let done = Command::new("qnet")
            .args(["-n", namespace, "bind", interface])
            .status()?;
        if !done.success() {
            return Err(format!("{namespace}: {interface} cannot be bound").into());
        }
    }
    let bound = began.elapsed();
    for member in &mut members {
        member.input.write_all(list.as_bytes())?;
        member.input.write_all(b"\n")?;
    }
    let mut wrong = 0;
    for member in &mut members {
        let said = member.said()?;
        if said != "done" {
            println!("{said}");
            wrong += 1;
        }
    }
    println!(
        "bound {} mesh {}",
        bound.as_millis(),
        began.elapsed().as_millis()
    );
    // The members end only now, so that none is gone while another one sends to it.
    for member in members {
        drop(member.input);
        let mut child = member.child;
        child.wait()?;
    }
    match wrong {
        0 => Ok(()),
        _ => Err(format!("{wrong} nodes did not reach all others").into()),
    }
}

fn node(namespace: &str) -> Outcome {
    netns::enter(namespace)?;
    let channel = Channel::create()?;
    println!("{namespace} {} {}", process::id(), channel.id());
    let server = thread::spawn(move || serve(&channel));
    let mut input = io::stdin().lines();
    let mut others = Vec::new();
    for line in input.by_ref() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        others.push(line);
    }
    // Each begins with another one, so that not all ask the same node at once.
    let mine = others
        .iter()
        .position(|line| line.split(' ').next() == Some(namespace));
    others.rotate_left(mine.ok_or("the node is not in the list")?);
    let failed = others.iter().skip(1).find_map(|other| {
        greet(namespace, other)
            .err()
            .map(|error| format!("{namespace} to {other}: {error}"))
    });
    println!("{}", failed.as_deref().unwrap_or("done"));
    for line in input {
        line?;
    }
    drop(server);
    Ok(())
}

/// Answers every message with itself.
fn serve(channel: &Channel) {
    let mut request = [0; 64];
    while let Ok(message) = channel.receive(&mut request) {
        let length = message.len();
        let _ = message.reply(0, &request[..length]);
    }
}

fn greet(from: &str, to: &str) -> Outcome {
    let mut words = to.split(' ');
    let mut word = || words.next().ok_or("a short line");
    let (name, pid, chid) = (word()?, word()?.parse()?, word()?.parse()?);
    let found = sys::within(PATIENCE, || Node::lookup(name).ok());
    let node = found.ok_or("it is not found")?;
    let connection = Connection::attach(Address { node, pid, chid })?;
    let mut reply = [0; 64];
    let got = connection.send_timeout(from.as_bytes(), &mut reply, PATIENCE)?;
    match reply[..got.len] == *from.as_bytes() {
        true => Ok(()),
        false => Err("another answer than was sent".into()),
    }
}
