// SPDX-License-Identifier: GPL-2.0

//! fork: whose channels, connections and messages.

use std::os::fd::{
    AsFd,
    AsRawFd,
    FromRawFd,
    OwnedFd, //
};

use qnet::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Channel,
    ChannelFlags,
    Connection,
    Error,
    Node,
    Timeout, //
};

use super::{
    echoes,
    fails_with,
    skip,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        request,
        unpack,
        Op, //
    },
    sys,
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("child_replies", Scope::Both, child_replies),
    Case::new("child_receives", Scope::Both, child_receives),
    Case::new("child_sends", Scope::Both, child_sends),
    Case::new("child_connects", Scope::Both, child_connects),
    Case::new(
        "child_ends_with_our_channel",
        Scope::Local,
        child_ends_with_our_channel,
    ),
    Case::new(
        "child_keeps_our_channel",
        Scope::Local,
        child_keeps_our_channel,
    ),
    Case::new("child_looks_up", Scope::Both, child_looks_up),
    Case::new("private_channel", Scope::Local, private_channel),
    Case::new("first_channel_is_one", Scope::Local, first_channel_is_one),
];

fn child_replies(world: &World) -> Outcome {
    let server = world.server()?;
    let got = server
        .connect()?
        .send(&request(Op::ForkReply, 0, 0, &[]), &mut [])?;
    ensure_eq!(
        got.status,
        i64::from(Error::ESRCH.errno()),
        "what the child's reply got"
    );
    Ok(())
}

fn child_receives(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let got = connection.send(&request(Op::ForkReceive, 0, 0, &[]), &mut [])?;
    ensure_eq!(
        got.status,
        i64::from(Error::ESRCH.errno()),
        "what the child's receive got"
    );
    echoes(&connection)
}

/// A child with our connection is a client of its own.
fn child_sends(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 64];
    connection.send(&request(Op::Info, 0, 0, &[]), &mut reply)?;
    let ours = unpack(&reply);
    let status = sys::in_child(|| {
        let mut reply = [0; 64];
        let Ok(_) = connection.send(&request(Op::Info, 0, 0, &[]), &mut reply) else {
            return 4;
        };
        let theirs = unpack(&reply);
        let own_pid = theirs[2] == std::process::id() as i32;
        i32::from(!own_pid) + 2 * i32::from(theirs[5] == ours[5])
    })?;
    ensure!(
        status & 1 == 0,
        "the server sees the child with its parent's pid"
    );
    ensure!(
        status & 2 == 0,
        "the server sees the child with its parent's scoid"
    );
    ensure_eq!(status, 0, "the child's send");
    echoes(&connection)
}

/// A child connects a socket that it was born with, and has made none itself; so does its parent
/// then find it connected.
fn child_connects(world: &World) -> Outcome {
    let server = world.server()?;
    let address = raw::peer_name(server.connect()?.as_fd())?;
    let socket = sys::socket(raw::family(), libc::SOCK_SEQPACKET, 0)?;
    let send = || {
        let message = request(Op::Echo, 0, 0, b"a child's");
        let mut reply = [0; 64];
        let (source, sink) = (Source::new(&message), Sink::new(&mut reply));
        raw::send(socket.as_raw_fd(), source, sink, Timeout::NEVER).map(|sent| sent.status)
    };
    let status = sys::in_child(|| match raw::connect(socket.as_fd(), &address) {
        Ok(()) => send().map_or_else(Error::errno, |_| 0),
        Err(error) => error.errno(),
    })?;
    ensure_eq!(status, 0, "the error of the child");
    ensure_eq!(
        send(),
        Ok(0),
        "our own send on what the child has connected"
    );
    Ok(())
}

fn child_ends_with_our_channel(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let address = channel.address();
    let status = sys::in_child(|| {
        // SAFETY: The child's copy of the descriptor is the child's to close.
        drop(unsafe { OwnedFd::from_raw_fd(channel.as_raw_fd()) });
        0
    })?;
    ensure_eq!(status, 0);
    let client =
        std::thread::spawn(move || Connection::attach(address)?.send(b"12345678", &mut []));
    channel.receive(&mut [0; 8])?.reply(4, &[])?;
    ensure_eq!(client.join().map_err(|_| "the client panicked")??.status, 4);
    Ok(())
}

/// The channel dies with the process that made it, though a child has the descriptor.
fn child_keeps_our_channel(_: &World) -> Outcome {
    let mut ends = [0; 2];
    // SAFETY: The place has room for two descriptors.
    sys::checked(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: The descriptors are new, so these are their only owners.
    let (read, write) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    let status = sys::in_child(|| {
        let Ok(channel) = Channel::create() else {
            return 1;
        };
        let chid = channel.id().to_le_bytes();
        // SAFETY: The bytes are there.
        unsafe { libc::write(write.as_raw_fd(), chid.as_ptr().cast(), chid.len()) };
        let pid = (std::process::id() as i32).to_le_bytes();
        // SAFETY: The bytes are there.
        unsafe { libc::write(write.as_raw_fd(), pid.as_ptr().cast(), pid.len()) };
        // A grandchild keeps the channel's descriptor for a while after its parent's end.
        // SAFETY: The process has one thread; the grandchild sleeps and ends.
        if unsafe { libc::fork() } == 0 {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        0
    })?;
    ensure_eq!(status, 0);
    let mut bytes = [0; 8];
    // SAFETY: The place has room for the bytes.
    sys::checked(unsafe { libc::read(read.as_raw_fd(), bytes.as_mut_ptr().cast(), 8) } as i64)?;
    let numbers = unpack(&bytes);
    let address = qnet::Address {
        node: Node::LOCAL,
        pid: numbers[1],
        chid: numbers[0],
    };
    fails_with(
        "attaching to it",
        Connection::attach(address),
        &[Error::ESRCH],
    )?;
    Ok(())
}

/// A child has a control socket of its own.
fn child_looks_up(world: &World) -> Outcome {
    let node = world.node();
    let Ok(name) = node.name() else {
        return skip("this node has no name");
    };
    let status = sys::in_child(|| i32::from(Node::lookup(&name) != Ok(node)))?;
    ensure_eq!(status, 0, "what the child found");
    ensure_eq!(Node::lookup(&name)?, node);
    Ok(())
}

fn private_channel(_: &World) -> Outcome {
    let channel = Channel::with_flags(ChannelFlags::PRIVATE)?;
    let address = channel.address();
    let status = sys::in_child(|| match Connection::attach(address) {
        Ok(connection) => match connection.send_timeout(b"12345678", &mut [], qnet::Timeout::NOW) {
            Err(Error::ETIMEDOUT) | Ok(_) => 255,
            Err(error) => error.errno(),
        },
        Err(error) => error.errno(),
    })?;
    ensure_eq!(
        status,
        libc::EPERM,
        "attaching to another's private channel"
    );
    let client =
        std::thread::spawn(move || Connection::attach(address)?.send(b"12345678", &mut []));
    channel.receive(&mut [0; 8])?.reply(0, &[])?;
    client.join().map_err(|_| "the client panicked")??;
    Ok(())
}

fn first_channel_is_one(_: &World) -> Outcome {
    // This process may have made channels before; a child has not.
    let status = sys::in_child(|| {
        let Ok(one) = Channel::create() else { return 1 };
        let Ok(two) = Channel::create() else { return 2 };
        i32::from(one.id() != 1 || two.id() <= 1) * 3
    })?;
    ensure_eq!(status, 0);
    Ok(())
}
