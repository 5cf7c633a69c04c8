// SPDX-License-Identifier: GPL-2.0

//! Signals in blocked calls: EINTR once, and never a message twice.

use std::{
    io::{
        Read,
        Write, //
    },
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::Duration, //
};

use qnet::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Address,
    Channel,
    Connection,
    Error,
    Timeout, //
};

use super::{
    echoes,
    fails_with,
    is_in_state,
    late_reply,
    start_send,
    Call,
    Case,
    Scope, //
};
use crate::{
    client,
    ensure,
    ensure_eq,
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

pub(super) const CASES: &[Case] = &[
    Case::new("reply_blocked", Scope::Both, |world| {
        reply_blocked(world, 0)
    }),
    Case::new("reply_blocked_with_restart", Scope::Both, |world| {
        reply_blocked(world, libc::SA_RESTART)
    }),
    Case::new("send_blocked", Scope::Both, |world| send_blocked(world, 0)),
    Case::new("send_blocked_with_restart", Scope::Both, |world| {
        send_blocked(world, libc::SA_RESTART)
    }),
    Case::new("receive_blocked", Scope::Local, receive_blocked),
    Case::new("stop_and_continue", Scope::Both, stop_and_continue),
    Case::new("ignored_signal", Scope::Both, ignored_signal),
    Case::new("storm", Scope::Both, storm),
    Case::new("answered_detached_stopped", Scope::Both, |world| {
        detached_while_stopped(world, true)
    }),
    Case::new("detached_stopped", Scope::Both, |world| {
        detached_while_stopped(world, false)
    }),
    Case::new("heir_detaches_stopped", Scope::Both, heir_detaches),
    Case::new("died_detached_stopped", Scope::Local, died_detached),
    Case::new("answered_in_a_read", Scope::Local, answered_in_a_read),
];

fn reply_blocked(world: &World, flags: i32) -> Outcome {
    sys::handle(libc::SIGUSR1, flags)?;
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let call = start_send(&connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    sys::kill_thread(call.tid, libc::SIGUSR1)?;
    fails_with("the interrupted send", call.result()?, &[Error::EINTR])?;
    late_reply(world, &server)?;
    ensure_eq!(server.tags()?, [1], "what the server received");
    echoes(&connection)
}

fn send_blocked(world: &World, flags: i32) -> Outcome {
    sys::handle(libc::SIGUSR1, flags)?;
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let call = start_send(&connection, request(Op::Echo, 1, 0, &[]))?;
    call.wait_asleep()?;
    thread::sleep(Duration::from_millis(100));
    sys::kill_thread(call.tid, libc::SIGUSR1)?;
    fails_with("the interrupted send", call.result()?, &[Error::EINTR])?;
    thread::sleep(Duration::from_millis(100));
    server.ask(Op::Resume, 0)?;
    echoes(&connection)?;
    let tags = server.tags()?;
    ensure!(
        tags.is_empty() || world.is_remote() && tags == [1],
        "the server received {tags:?}"
    );
    Ok(())
}

fn receive_blocked(_: &World) -> Outcome {
    for flags in [0, libc::SA_RESTART] {
        sys::handle(libc::SIGUSR1, flags)?;
        let channel = Channel::create()?;
        let call = Call::start(move || channel.receive(&mut [0; 8]).map(drop))?;
        call.wait_asleep()?;
        sys::kill_thread(call.tid, libc::SIGUSR1)?;
        fails_with("the interrupted receive", call.result()?, &[Error::EINTR])?;
    }
    Ok(())
}

/// A process that is stopped and goes on does not repeat its send: it ends with EINTR, or waits on.
fn stop_and_continue(world: &World) -> Outcome {
    let server = world.server()?;
    let mut client = client::start(server.address, 1, 77)?;
    server.wait_held(1)?;
    let pid = client.id() as i32;
    for _ in 0..3 {
        sys::kill(pid, libc::SIGSTOP)?;
        thread::sleep(Duration::from_millis(50));
        sys::kill(pid, libc::SIGCONT)?;
        thread::sleep(Duration::from_millis(50));
    }
    if client.try_wait()?.is_none() {
        let (_, answers) = server.ask(Op::Release, 77)?;
        ensure_eq!(answers, [0], "the reply");
        ensure!(client.wait()?.success(), "the client did not get the reply");
    } else {
        late_reply(world, &server)?;
    }
    ensure_eq!(server.tags()?, [1], "what the server received");
    Ok(())
}

/// A signal that nobody handles changes nothing.
fn ignored_signal(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let call = start_send(&connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    for _ in 0..10 {
        // By default this one is ignored.
        sys::kill_thread(call.tid, libc::SIGWINCH)?;
    }
    thread::sleep(Duration::from_millis(50));
    ensure!(call.is_blocked(), "the send was interrupted");
    server.ask(Op::Release, 5)?;
    ensure_eq!(call.result()??.status, 5);
    ensure_eq!(server.tags()?, [1]);
    Ok(())
}

/// Many signals at any moment: each send either has its reply or EINTR, and none arrives twice.
fn storm(world: &World) -> Outcome {
    sys::handle(libc::SIGUSR1, libc::SA_RESTART)?;
    let server = world.server()?;
    let connection = server.connect()?;
    let count = world.times(500);
    let call = Call::start(move || {
        let mut interrupted = 0;
        let mut replied = Vec::new();
        for tag in 1..=count {
            match connection.send(&request(Op::Echo, tag, 0, &[]), &mut []) {
                Ok(_) => replied.push(tag as i32),
                Err(Error::EINTR) => interrupted += 1,
                Err(other) => return Err(other),
            }
        }
        Ok((interrupted, replied))
    })?;
    // The thread may end between the look and the signal, which then finds nobody.
    while call.is_blocked() {
        let _ = sys::kill_thread(call.tid, libc::SIGUSR1);
        thread::sleep(Duration::from_micros(300));
    }
    let (interrupted, replied) = call.result()??;
    println!("{interrupted} of {count} sends were interrupted");
    let tags = server.tags()?;
    ensure!(
        tags.windows(2).all(|pair| pair[0] < pair[1]),
        "twice or out of order: {tags:?}"
    );
    ensure!(
        replied.iter().all(|tag| tags.contains(tag)),
        "a reply came for what the server did not receive"
    );
    Ok(())
}

/// A thread is stopped in its send, and meanwhile another one ends the connection: it has the answer
/// that its server gave before, or else EBADF.
fn detached_while_stopped(world: &World, answered: bool) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    detach_over(world, &server, &connection, answered)?;
    let sent = connection.send(&request(Op::Echo, 2, 0, &[]), &mut []);
    fails_with("a send afterwards", sent, &[Error::EBADF])?;
    ensure_eq!(server.tags()?, [1], "what the server received");
    Ok(())
}

/// The same in a child, whose connection was its parent's: the message is not sent again as if nothing
/// had been, and the parent keeps what it has.
fn heir_detaches(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let status = sys::in_child(|| match detach_over(world, &server, &connection, true) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("the child: {error}");
            1
        }
    })?;
    ensure_eq!(status, 0, "the child's status");
    ensure_eq!(server.tags()?, [1], "what the server received");
    echoes(&connection)
}

fn detach_over(
    world: &World,
    server: &Server,
    connection: &Arc<Connection>,
    answered: bool,
) -> Outcome {
    let call = start_send(connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    let stopped = sys::Stopped::thread(call.tid)?;
    if answered {
        // What the server says to this comes behind its answer to that.
        let (_, answers) = server.ask(Op::Release, 5)?;
        ensure_eq!(answers, [0], "the reply");
    }
    let theirs = connection.clone();
    let detach = Call::start(move || theirs.detach())?;
    // It waits a second for the thread that is to come back, which on a slow machine may be over.
    let waits = sys::within(PATIENCE, || {
        (!detach.is_blocked() || is_in_state(detach.tid, 'S')).then_some(())
    });
    ensure!(waits.is_some(), "the detach does not sleep");
    drop(stopped);
    detach.result()??;
    if answered {
        ensure_eq!(call.result()??.status, 5, "the answer");
    } else {
        fails_with("the send", call.result()?, &[Error::EBADF])?;
        late_reply(world, server)?;
    }
    Ok(())
}

/// A process ends while one of its threads is stopped in a send on a connection that it has detached, and
/// that its child keeps: nothing is left of the send.
fn died_detached(_: &World) -> Outcome {
    let before = messages()?;
    let channel = Channel::create()?;
    let address = channel.address();
    let (end, mut ours) = UnixStream::pair()?;
    let client = sys::fork(|| match detach_and_wait(address, &end) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("the client: {error}");
            1
        }
    })?;
    drop(end);
    channel.receive(&mut [0; 100])?.into_rcvid();
    ours.write_all(&[1])?;
    ours.read_exact(&mut [0])?;
    ensure_eq!(messages()?, before + 1, "messages with a stopped sender");
    sys::kill(client, libc::SIGKILL)?;
    ensure_eq!(
        sys::wait(client)?,
        128 + libc::SIGKILL,
        "the client's status"
    );
    let gone = sys::within(PATIENCE, || (messages() == Ok(before)).then_some(()));
    ensure!(
        gone.is_some(),
        "the message of a client that is gone is left"
    );
    Ok(())
}

/// What the client does: it comes back from its ConnectDetach although its other thread does not.
fn detach_and_wait(address: Address, mut server: &UnixStream) -> Outcome {
    let connection = Arc::new(Connection::attach(address)?);
    // The child keeps the connection's socket for as long as the case's own process lives.
    let parent = std::os::unix::process::parent_id() as i32;
    sys::fork(|| {
        while sys::kill(parent, 0).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        0
    })?;
    let call = start_send(&connection, vec![1; 100])?;
    server.read_exact(&mut [0])?;
    let stopped = sys::Stopped::thread(call.tid)?;
    connection.detach()?;
    server.write_all(&[1])?;
    thread::sleep(PATIENCE);
    drop(stopped);
    Ok(())
}

/// How many messages there are on this node that wait for servers or for their answers.
fn messages() -> Result<u64, Error> {
    let text = std::fs::read_to_string("/proc/thread-self/net/qnetstats");
    let text = text.map_err(|_| Error::EIO)?;
    let line = text
        .lines()
        .find(|line| line.starts_with("kif server_msgs"));
    let value = line.and_then(|line| line.split([':', ',']).nth(1));
    value
        .and_then(|value| value.trim().parse().ok())
        .ok_or(Error::EIO)
}

/// Who reads from a client that is stopped, or writes to it, is told when another thread answers it.
fn answered_in_a_read(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(Connection::attach(channel.address())?);
    let call = start_send(&connection, vec![1; 200_000])?;
    let rcvid = channel.receive(&mut [0; 100])?.into_rcvid().get();
    let stopped = sys::Stopped::thread(call.tid)?;
    let read = Call::start(move || {
        let mut piece = [0; 1000];
        raw::read(rcvid, 100_000, Sink::new(&mut piece), Timeout::NEVER)
    })?;
    let write = Call::start(move || {
        let piece = [7; 10];
        raw::write(rcvid, 0, Source::new(&piece), Timeout::NEVER)
    })?;
    read.wait_asleep()?;
    write.wait_asleep()?;
    raw::reply(rcvid, 5, Source::new(&[]))?;
    fails_with("the read", read.result()?, &[Error::ESRCH])?;
    fails_with("the write", write.result()?, &[Error::ESRCH])?;
    drop(stopped);
    ensure_eq!(call.result()??.status, 5, "the answer");
    Ok(())
}
