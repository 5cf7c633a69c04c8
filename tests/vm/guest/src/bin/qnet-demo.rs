// SPDX-License-Identifier: GPL-2.0

//! The demonstration: a server, and a client that knows no more of it than its node's name.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{
        Duration,
        Instant, //
    },
};

use clap::{
    Parser,
    Subcommand, //
};
use qnet::{
    Address,
    Channel,
    Connection,
    Error,
    Node, //
};
use qnet_guest::{
    figures::Figures,
    netns,
    Outcome, //
};

#[derive(Parser)]
#[command(version, about = "Shows one message from one node to another")]
struct Arguments {
    /// Run in this network namespace
    #[arg(long, global = true)]
    netns: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a channel, write "PID CHID" into FILE, and answer until a client says goodbye
    Server {
        /// Where clients find the numbers
        file: PathBuf,
    },
    /// Find NODE, send to the channel that FILE tells, and measure round trips
    Client {
        /// The node's name; none for this one
        #[arg(long)]
        node: Option<String>,
        /// What the server wrote
        file: PathBuf,
        /// How many round trips to measure
        #[arg(long, default_value_t = 1000)]
        count: usize,
        /// Let the server end afterwards
        #[arg(long)]
        goodbye: bool,
        /// How many seconds the node may take to be found
        #[arg(long, default_value_t = 10)]
        patience: u64,
    },
}

// The first two bytes of each message tell Wireshark's dissector that it is none of QNX's own.
const REQUEST: &[u8] = b"what is the answer?";
const PING: &[u8] = b"ping";
const GOODBYE: &[u8] = b"goodbye";

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qnet-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Outcome {
    if let Some(name) = &arguments.netns {
        netns::enter(name)?;
    }
    match arguments.action {
        Action::Server { file } => serve(&file),
        Action::Client {
            node,
            file,
            count,
            goodbye,
            patience,
        } => {
            let connection = attach(node.as_deref(), &file, Duration::from_secs(patience))?;
            ask(&connection)?;
            measure(&connection, count)?;
            if goodbye {
                connection.send(GOODBYE, &mut [])?;
            }
            Ok(())
        }
    }
}

fn serve(file: &PathBuf) -> Outcome {
    let channel = Channel::create()?;
    let name = Node::LOCAL.name()?;
    let Address { pid, chid, .. } = channel.address();
    println!("server: channel {chid} of process {pid} on node {name}");
    // A client must not find half a line.
    let new = file.with_extension("new");
    fs::write(&new, format!("{pid} {chid}\n"))?;
    fs::rename(&new, file)?;
    let mut buffer = [0; 1024];
    loop {
        let message = channel.receive(&mut buffer)?;
        let request = &buffer[..message.len()];
        match request {
            PING => message.reply(0, request)?,
            GOODBYE => {
                message.reply(0, &[])?;
                return Ok(());
            }
            _ => {
                let info = message.info();
                let text = String::from_utf8_lossy(request);
                println!(
                    "server: {text:?} from thread {} of process {} on node {}, priority {}",
                    info.tid,
                    info.pid,
                    info.node.name()?,
                    info.priority
                );
                message.reply(42, format!("42, says {name}").as_bytes())?;
            }
        }
    }
}

/// Finds the node and attaches to the channel.
fn attach(node: Option<&str>, file: &PathBuf, patience: Duration) -> Outcome<Connection> {
    let began = Instant::now();
    let node = match node {
        None => Node::LOCAL,
        Some(name) => {
            let node = look_up(name, patience)?;
            println!(
                "client: node {name} is {node} here, found after {:.1} ms",
                began.elapsed().as_secs_f64() * 1000.0
            );
            node
        }
    };
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let numbers: Vec<i32> = text.split_whitespace().flat_map(str::parse).collect();
    let [pid, chid] = numbers[..] else {
        return Err(format!("{}: not a process and a channel", file.display()).into());
    };
    println!("client: attaching to channel {chid} of process {pid}");
    Ok(Connection::attach(Address { node, pid, chid })?)
}

fn look_up(name: &str, patience: Duration) -> Outcome<Node> {
    let end = Instant::now() + patience;
    loop {
        match Node::lookup(name) {
            Ok(node) => return Ok(node),
            Err(Error::EHOSTUNREACH | Error::ENOENT) if Instant::now() < end => {}
            Err(error) => return Err(format!("node {name}: {error}").into()),
        }
    }
}

fn ask(connection: &Connection) -> Outcome {
    let mut buffer = [0; 256];
    println!("client: sends   {:?}", String::from_utf8_lossy(REQUEST));
    let reply = connection.send(REQUEST, &mut buffer)?;
    println!(
        "client: replied {:?}, status {}",
        String::from_utf8_lossy(&buffer[..reply.len]),
        reply.status
    );
    Ok(())
}

fn measure(connection: &Connection, count: usize) -> Outcome {
    if let Some(figures) = Figures::of_round_trips(connection, PING, &mut [0; 16], count)? {
        println!("client: {figures}");
    }
    Ok(())
}
