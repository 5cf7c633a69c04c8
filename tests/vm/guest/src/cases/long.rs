// SPDX-License-Identifier: GPL-2.0

//! Messages longer than what is pushed with a send; MsgRead and MsgWrite.

use std::{
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
    Connection,
    Error,
    Timeout, //
};

use super::{
    echoes,
    fails_with,
    Call,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        pattern,
        range,
        request,
        Op,
        HEAD, //
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
    Case::new("echo", Scope::Both, echo),
    Case::new("receive_fills_the_buffer", Scope::Local, receive_fills),
    Case::new("push_is_told", Scope::Both, push_is_told),
    Case::new("read_anywhere", Scope::Both, read_anywhere),
    Case::new("read_by_threads", Scope::Both, read_by_threads),
    Case::new("write_anywhere", Scope::Both, write_anywhere),
    Case::new("write_and_reply", Scope::Both, write_and_reply),
    Case::new("many_writes", Scope::Both, many_writes),
    Case::new("long_reply_is_clipped", Scope::Both, long_reply_is_clipped),
    Case::new("clients_at_once", Scope::Both, clients_at_once),
    Case::new(
        "read_of_a_killed_client",
        Scope::Both,
        read_of_a_killed_client,
    ),
    Case::new(
        "write_to_a_killed_client",
        Scope::Both,
        write_to_a_killed_client,
    ),
    Case::new(
        "read_of_a_detached_client",
        Scope::Both,
        read_of_a_detached_client,
    ),
    Case::new(
        "server_killed_in_a_read",
        Scope::Both,
        server_killed_in_a_read,
    ),
    Case::new("timeout_in_a_read", Scope::Both, timeout_in_a_read),
    Case::new("hole_in_the_message", Scope::Both, hole_in_the_message),
    Case::new(
        "hole_in_the_reply_area",
        Scope::Both,
        hole_in_the_reply_area,
    ),
];

/// A megabyte.
const LONG: usize = 1 << 20;

/// The longest message of a case: a megabyte, or less on a slow machine.
fn longest(world: &World) -> usize {
    world.times(LONG as u32) as usize
}

/// A request that has so many bytes.
fn long_request(op: Op, tag: u32, argument: i64, length: usize) -> Vec<u8> {
    request(op, tag, argument, &pattern(7, length.saturating_sub(HEAD)))
}

fn echo(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let most = longest(world);
    for length in [
        HEAD,
        8191,
        8192,
        8193,
        65_535,
        65_536,
        65_537,
        131_072,
        200_001,
        most - 1,
        most,
        most + 1,
    ] {
        let message = long_request(Op::Echo, 0, 0, length);
        let mut reply = vec![0xee; length + 8];
        let got = connection.send(&message, &mut reply)?;
        ensure_eq!(got.len, length, "the length that came back");
        ensure!(
            reply[..length] == message[..],
            "{length} bytes came back changed"
        );
        ensure_eq!(reply[length..], [0xee; 8]);
    }
    ensure_eq!(server.results()?, [0; 0], "calls that failed");
    Ok(())
}

/// On one node a receive stores all that there is room for.
fn receive_fills(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for (length, stored) in [
        (100, 100),
        (65_536, 65_536),
        (65_537, 65_537),
        (70_000, 70_000),
        (LONG, 70_000),
    ] {
        let message = long_request(Op::Pushed, 0, 0, length);
        ensure_eq!(connection.send(&message, &mut [])?.status, stored);
    }
    Ok(())
}

/// What a receive stores is never more than the message, nor more than what one transfer brings.
fn push_is_told(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for length in [HEAD, 1000, 5000, 60_000, longest(world)] {
        let message = long_request(Op::Pushed, 0, 0, length);
        let stored = connection.send(&message, &mut [])?.status;
        ensure!(
            stored >= length.min(1000) as i64 && stored <= length as i64,
            "of {length} bytes {stored} were stored"
        );
    }
    Ok(())
}

fn read_anywhere(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let most = longest(world);
    let mut reply = vec![0; most];
    for (length, offset, wanted) in [
        (HEAD, 0, HEAD),
        (HEAD, 3, 5),
        (HEAD, HEAD, 10),
        (8192, 8191, 100),
        (65_537, 65_536, 1),
        (65_537, 65_530, 100),
        (most, 0, most),
        (most, 1, 65_536),
        (most, most / 3 * 2, most / 8),
        (most, most - 1, most),
        (most, most, 1),
        (most, u32::MAX as usize, 1),
        (most, 12_345, 0),
    ] {
        let argument = range(offset as u32, wanted as u32);
        let message = long_request(Op::Read, 0, argument, length);
        let there = &message[offset.min(length)..length.min(offset.saturating_add(wanted))];
        // The same is read again, by another send.
        for _ in 0..world.times(20).div_ceil(10) {
            let got = connection.send(&message, &mut reply)?;
            ensure_eq!(
                (got.status, got.len),
                (there.len() as i64, there.len()),
                "reading {wanted} of {length} bytes at {offset}"
            );
            ensure!(
                reply[..got.len] == *there,
                "the bytes at {offset} of {length} are wrong"
            );
        }
    }
    Ok(())
}

fn read_by_threads(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for (length, threads) in [(3000, 2), (longest(world) / 2, 3), (longest(world), 9)] {
        let message = long_request(Op::ReadByThreads, 0, threads, length);
        let got = connection.send(&message, &mut [])?;
        ensure_eq!(got.status, 0, "wrong bytes of {length}, {threads} threads");
    }
    Ok(())
}

fn write_anywhere(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for (room, offset, length) in [
        (10, 0, 10),
        (10, 9, 10),
        (10, 10, 10),
        (10, 1000, 10),
        (70_000, 3, 65_537),
        (LONG, 0, LONG),
        (LONG, 12_345, 777_777),
        (LONG, LONG - 5, 100),
        (0, 0, 100),
    ] {
        let mut reply = vec![0xee; LONG + 16];
        let argument = range(offset as u32, length as u32);
        let message = request(Op::Write, 0, argument, &[]);
        let got = connection.send(&message, &mut reply[..room])?;
        let written = room.saturating_sub(offset).min(length);
        ensure_eq!(
            (got.status, got.len),
            (written as i64, 0),
            "writing {length} bytes at {offset} into {room}"
        );
        let place = offset.min(room)..offset.min(room) + written;
        ensure!(
            reply[place.clone()] == pattern(2, length)[..written],
            "what was written at {offset} is wrong"
        );
        ensure!(
            reply[..place.start].iter().all(|byte| *byte == 0xee)
                && reply[place.end..].iter().all(|byte| *byte == 0xee),
            "something was written elsewhere"
        );
    }
    Ok(())
}

fn write_and_reply(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = vec![0xee; 100_000];
    let message = request(Op::WriteAndReply, 0, range(10, 90_000), &[]);
    let got = connection.send(&message, &mut reply)?;
    ensure_eq!((got.status, got.len), (90_000, 10));
    ensure!(reply[..10] == pattern(1, 10)[..], "the reply is wrong");
    ensure!(
        reply[10..90_010] == pattern(2, 90_000)[..],
        "what was written is wrong"
    );
    ensure!(
        reply[90_010..].iter().all(|byte| *byte == 0xee),
        "something was written behind"
    );
    Ok(())
}

/// More than a client lets others write before it has confirmed it, several times over.
fn many_writes(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let length = world.times(50) as usize * 200_000;
    let mut reply = vec![0; length];
    let message = request(Op::Write, 0, range(0, length as u32), &[]);
    let got = connection.send(&message, &mut reply)?;
    ensure_eq!(got.status, length as i64);
    ensure!(reply == pattern(2, length), "what was written is wrong");
    let message = request(Op::ReplyLength, 0, length as i64, &[]);
    let got = connection.send(&message, &mut reply)?;
    ensure_eq!(got.len, length);
    ensure!(reply == pattern(1, length), "the reply is wrong");
    Ok(())
}

fn long_reply_is_clipped(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for (room, length) in [
        (0, 100_000),
        (1000, 60_000),
        (65_536, 65_537),
        (65_537, 65_537),
        (100_000, LONG),
    ] {
        let mut reply = vec![0xee; room + 8];
        let message = request(Op::ReplyLength, 0, length as i64, &[]);
        let got = connection.send(&message, &mut reply[..room])?;
        ensure_eq!((got.status, got.len), (length as i64, room.min(length)));
        ensure!(
            reply[..got.len] == pattern(1, got.len)[..],
            "the reply is wrong"
        );
        ensure_eq!(reply[room..], [0xee; 8]);
    }
    Ok(())
}

/// Several threads with long messages over one connection.
fn clients_at_once(world: &World) -> Outcome {
    let server = world.server()?;
    server.ask(Op::Threads, 3)?;
    let connection = server.connect()?;
    let rounds = world.times(10);
    thread::scope(|scope| -> Outcome {
        let threads: Vec<_> = (1..=6)
            .map(|seed| {
                let connection = &connection;
                scope.spawn(move || echoes_long(connection, seed, rounds))
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

fn echoes_long(connection: &Connection, seed: u32, rounds: u32) -> Result<(), String> {
    for round in 0..rounds {
        let length = (seed as usize * 77_777 + round as usize * 33_333) % 300_000;
        let message = request(Op::Echo, 0, 0, &pattern(seed * 100 + round + 1, length));
        let mut reply = vec![0; message.len()];
        let got = connection
            .send(&message, &mut reply)
            .map_err(|error| format!("{length} bytes of {seed}: {error:?}"))?;
        if got.len != message.len() || reply != message {
            return Err(format!("{length} bytes of {seed} came back changed"));
        }
    }
    Ok(())
}

/// Waits until the server has begun with the message of tag 1.
fn wait_begun(server: &Server) -> Outcome {
    let begun = || {
        let tags = server.tags();
        (tags.is_err() || tags.is_ok_and(|tags| tags.contains(&1))).then_some(())
    };
    sys::within(PATIENCE, begun).ok_or("the server has not begun")?;
    // Into the middle of it.
    thread::sleep(Duration::from_millis(20));
    Ok(())
}

/// A client of its own process sends `message` until it is killed, in the middle of what the server
/// does without end: what that said.
fn killed(world: &World, message: &[u8], room: usize) -> Outcome<Vec<i32>> {
    let server = world.server()?;
    // SAFETY: This process has one thread; the child sends until it is killed.
    let pid = sys::checked(unsafe { libc::fork() })? as i32;
    if pid == 0 {
        if let Ok(connection) = Connection::attach(server.address) {
            let _ = connection.send(message, &mut vec![0; room]);
        }
        // SAFETY: Ends the child at once.
        unsafe { libc::_exit(1) };
    }
    wait_begun(&server)?;
    sys::kill(pid, libc::SIGKILL)?;
    ensure_eq!(sys::wait(pid)?, 128 + libc::SIGKILL, "the client's end");
    let mut results = server.wait_results(1)?;
    // The message's guard answers it, too, which comes too late.
    results.retain(|result| *result != 0);
    echoes(&server.connect()?)?;
    Ok(results)
}

fn read_of_a_killed_client(world: &World) -> Outcome {
    let results = killed(
        world,
        &long_request(Op::ReadUntilError, 1, 0, longest(world)),
        0,
    )?;
    ensure_eq!(results, [Error::ESRCH.errno()]);
    Ok(())
}

fn write_to_a_killed_client(world: &World) -> Outcome {
    let results = killed(world, &request(Op::WriteUntilError, 1, 0, &[]), LONG)?;
    ensure_eq!(results, [Error::ESRCH.errno()]);
    Ok(())
}

fn read_of_a_detached_client(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let theirs = connection.clone();
    let message = long_request(Op::ReadUntilError, 1, 0, longest(world));
    let call = Call::start(move || theirs.send(&message, &mut []))?;
    wait_begun(&server)?;
    ensure!(call.is_blocked(), "the client is not blocked");
    connection.detach()?;
    fails_with("the blocked send", call.result()?, &[Error::EBADF])?;
    ensure_eq!(server.wait_results(1)?, [Error::ESRCH.errno()]);
    echoes(&server.connect()?)
}

fn server_killed_in_a_read(world: &World) -> Outcome {
    let mut server = world.server()?;
    let connection = server.connect()?;
    let message = long_request(Op::ReadUntilError, 1, 0, longest(world));
    let call = Call::start(move || connection.send(&message, &mut []))?;
    wait_begun(&server)?;
    ensure!(call.is_blocked(), "the client is not blocked");
    server.kill()?;
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    Ok(())
}

/// A client whose time is over while a server reads from it all the time.
fn timeout_in_a_read(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = long_request(Op::ReadUntilError, 0, 0, longest(world));
    let result = connection.send_timeout(&message, &mut [], Duration::from_secs(1));
    fails_with("the send", result, &[Error::ETIMEDOUT])?;
    ensure_eq!(server.wait_results(1)?, [Error::ESRCH.errno()]);
    echoes(&connection)
}

/// A mapping of two long halves, the second of which is not there.
struct Half {
    base: *mut u8,
}

impl Half {
    const LENGTH: usize = 4 * 65_536;

    fn new() -> Outcome<Self> {
        // SAFETY: A new mapping, wherever the kernel likes.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * Self::LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(base != libc::MAP_FAILED, "no memory");
        let base: *mut u8 = base.cast();
        // SAFETY: The second half is ours, and nothing is in it.
        let status = unsafe { libc::munmap(base.add(Self::LENGTH).cast(), Self::LENGTH) };
        ensure_eq!(status, 0, "unmapping");
        Ok(Self { base })
    }

    /// Puts bytes at the beginning.
    fn put(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= Self::LENGTH);
        // SAFETY: They fit into the first half, which is ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base, bytes.len()) };
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // SAFETY: The half is ours, and nobody keeps an address in it.
        unsafe { libc::munmap(self.base.cast(), Self::LENGTH) };
    }
}

/// A message whose end is not there, behind what is pushed.
fn hole_in_the_message(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let coid = connection.id();
    let mut half = Half::new()?;
    // The server's own reading of the whole fails.
    half.put(&request(Op::Echo, 0, 0, &[]));
    // SAFETY: What is mapped of the message is this function's.
    let message = || unsafe { Source::from_raw(half.base, Half::LENGTH + 4096) };
    let result = raw::send(coid, message(), Sink::new(&mut []), Timeout::NEVER);
    fails_with("the send", result, &[Error::EFAULT])?;
    // On one node, a receive with so much room fails only for the client, which is not told to the
    // server; its own read of what did not fit, and that over a link, it is told.
    ensure_eq!(server.wait_results(1)?, [Error::EFAULT.errno()]);
    echoes(&connection)
}

fn hole_in_the_reply_area(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let coid = connection.id();
    let half = Half::new()?;
    let message = request(Op::Write, 0, range(0, Half::LENGTH as u32 + 4096), &[]);
    // SAFETY: What is mapped of the area is this function's.
    let area = unsafe { Sink::from_raw(half.base, Half::LENGTH + 4096) };
    let result = raw::send(coid, Source::new(&message), area, Timeout::NEVER);
    if world.is_remote() {
        fails_with("the send", result, &[Error::EFAULT])?;
    } else {
        // The server is told, and can do as it likes.
        ensure_eq!(result?.status, -i64::from(Error::EFAULT.errno()));
    }
    echoes(&connection)
}
