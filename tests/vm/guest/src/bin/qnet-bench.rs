// SPDX-License-Identifier: GPL-2.0

//! What a round trip costs: medians by the monotonic clock, which counts instructions in a machine
//! that is run with `-icount shift=0`.

use std::{
    process::ExitCode,
    thread,
    time::Duration, //
};

use clap::Parser;
use qnet::{
    raw::{
        self,
        Answer,
        Received,
        Sink,
        Source, //
    },
    Address,
    Channel,
    Connection,
    Node,
    Timeout, //
};
use qnet_guest::{
    figures::Figures,
    netns,
    sys,
    world::{
        self,
        PATIENCE, //
    },
    Outcome, //
};
use std::os::fd::AsRawFd;

#[derive(Parser)]
#[command(
    version,
    about = "Measures round trips between two processes, in nanoseconds"
)]
struct Arguments {
    /// The server's network namespace, for a measurement between two nodes
    #[arg(long, requires = "node")]
    server_ns: Option<String>,
    /// The client's network namespace
    #[arg(long)]
    client_ns: Option<String>,
    /// The name of the server's node
    #[arg(long)]
    node: Option<String>,
    /// Lengths of the messages, each sent there and back
    #[arg(long, value_delimiter = ',', default_value = "1")]
    bytes: Vec<usize>,
    /// How many round trips of each length
    #[arg(long, short = 'n', default_value_t = 5000)]
    count: usize,
    /// Let the server reply and receive in one call
    #[arg(long)]
    one_call: bool,
    /// Seconds to wait first, for the machine to settle after its start
    #[arg(long, default_value_t = 0)]
    settle: u64,
    /// Be the server (for the program itself)
    #[arg(value_parser = ["serve"], hide = true)]
    serve: Option<String>,
    /// The server's namespace (for the program itself)
    #[arg(long, hide = true)]
    netns: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.serve {
        Some(_) => serve(arguments.netns.as_deref()),
        None => measure(&arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qnet-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Echoes with as little between receive and reply as there can be: on one channel in two calls, on
/// the other in one.
fn serve(namespace: Option<&str>) -> Outcome {
    if let Some(name) = namespace {
        netns::enter(name)?;
    }
    let channel = Channel::create()?;
    let other = Channel::create()?;
    println!("{} {} {}", std::process::id(), channel.id(), other.id());
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    thread::spawn(move || serve_in_one_call(&other));
    let mut buffer = vec![0; 65536];
    loop {
        let sink = Sink::new(&mut buffer);
        let Received::Message(rcvid, info) =
            raw::receive(channel.as_raw_fd(), sink, Timeout::NEVER)?
        else {
            continue;
        };
        let data = &buffer[..info.msglen as usize];
        // A client that was killed is not the server's concern.
        let _ = raw::reply(rcvid, 0, Source::new(data));
    }
}

fn serve_in_one_call(channel: &Channel) -> Outcome {
    // The reply is read while the next message is not there yet, but the compiler cannot know.
    let (mut replied, mut received) = (vec![0; 65536], vec![0; 65536]);
    let sink = Sink::new(&mut received);
    let mut next = raw::receive(channel.as_raw_fd(), sink, Timeout::NEVER)?;
    while let Received::Message(rcvid, info) = next {
        std::mem::swap(&mut replied, &mut received);
        let answer = Answer {
            rcvid,
            status: 0,
            data: Source::new(&replied[..info.msglen as usize]),
        };
        let sink = Sink::new(&mut received);
        next = raw::reply_receive(channel.as_raw_fd(), answer, sink, Timeout::NEVER).0?;
    }
    Err("a pulse came".into())
}

fn measure(arguments: &Arguments) -> Outcome {
    let (_keeper, [pid, two_calls, one_call]) = world::started(arguments.server_ns.as_deref())?;
    let chid = match arguments.one_call {
        true => one_call,
        false => two_calls,
    };
    if let Some(name) = &arguments.client_ns {
        netns::enter(name)?;
    }
    let node = match &arguments.node {
        None => Node::LOCAL,
        Some(name) => {
            sys::within(PATIENCE, || Node::lookup(name).ok()).ok_or("the node is not found")?
        }
    };
    let connection = Connection::attach(Address { node, pid, chid })?;
    thread::sleep(Duration::from_secs(arguments.settle));
    let way = match (node.is_local(), arguments.one_call) {
        (true, false) => "local",
        (true, true) => "local, one call",
        (false, false) => "remote",
        (false, true) => "remote, one call",
    };
    for bytes in &arguments.bytes {
        let message = vec![0x55; *bytes];
        let mut reply = vec![0; *bytes];
        let figures = Figures::of_round_trips(&connection, &message, &mut reply, arguments.count)?
            .ok_or("nothing was measured")?;
        println!(
            "{way} {bytes} bytes: median {} ns, min {} ns, p99 {} ns, {} round trips",
            figures.percentile(50),
            figures.percentile(0),
            figures.percentile(99),
            figures.count()
        );
    }
    Ok(())
}
