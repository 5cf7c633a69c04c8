// SPDX-License-Identifier: GPL-2.0

//! Pulses: those of programs, and those by which the module tells of others.

use std::{
    sync::Arc,
    thread,
    time::Duration, //
};

use qnet::{
    Address,
    Channel,
    ChannelFlags,
    Connection,
    Error,
    Node,
    Priority,
    PulseKind,
    Received,
    Timeout, //
};

use super::{
    echoes,
    fails_with,
    start_send,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        request,
        Op, //
    },
    sys,
    world::{
        World,
        PATIENCE, //
    },
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("arrive", Scope::Both, arrive),
    Case::new("by_priority", Scope::Local, by_priority),
    Case::new(
        "in_order_with_messages",
        Scope::Both,
        in_order_with_messages,
    ),
    Case::new("leave_messages", Scope::Local, leave_messages),
    Case::new("time_out", Scope::Local, time_out),
    Case::new("wrong_arguments", Scope::Both, wrong_arguments),
    Case::new("to_a_dead_channel", Scope::Local, to_a_dead_channel),
    Case::new("full_queue", Scope::Local, full_queue),
    Case::new("unblock", Scope::Both, unblock),
    Case::new(
        "unblock_is_answered_in_time",
        Scope::Both,
        unblock_is_answered_in_time,
    ),
    Case::new(
        "no_unblock_without_the_flag",
        Scope::Both,
        no_unblock_without_the_flag,
    ),
    Case::new("disconnect", Scope::Both, disconnect),
    Case::new("disconnect_by_death", Scope::Local, disconnect_by_death),
    Case::new("server_death", Scope::Both, server_death),
    Case::new("thread_death", Scope::Local, thread_death),
    Case::new(
        "one_channel_for_deaths",
        Scope::Local,
        one_channel_for_deaths,
    ),
    Case::new("reply_and_receive", Scope::Local, reply_and_receive),
];

/// A connection to a channel of this process.
fn to(channel: &Channel) -> Outcome<Connection> {
    Ok(Connection::attach(channel.address())?)
}

fn arrive(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    connection.send_pulse(5, 42)?;
    connection.send_pulse_with(Priority::fixed(10), 127, -7)?;
    let pulses = server.wait_pulses(2)?;
    let told: Vec<_> = pulses
        .iter()
        .map(|[code, value, _]| (*code, *value))
        .collect();
    ensure_eq!(told, [(5, 42), (127, -7)]);
    ensure_eq!(pulses[0][2], pulses[1][2], "the scoid of one client");
    ensure!(pulses[0][2] & 0x4000_0000 != 0, "scoid {:#x}", pulses[0][2]);
    echoes(&connection)
}

fn by_priority(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = to(&channel)?;
    for (priority, code) in [(10, 1), (30, 2), (10, 3), (255, 4), (1, 5), (30, 6)] {
        connection.send_pulse_with(Priority::fixed(priority), code, 0)?;
    }
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(channel.receive_pulse(Timeout::NOW)?.code);
    }
    ensure_eq!(codes, [4, 2, 6, 1, 3, 5]);
    Ok(())
}

/// What one thread sends arrives in the order in which it was sent.
fn in_order_with_messages(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for round in 0..20 {
        connection.send_pulse(1, round)?;
        echoes(&connection)?;
        let (_, pulses) = server.ask(Op::Pulses, 0)?;
        ensure_eq!(pulses.get(1).copied(), Some(round as i32));
    }
    Ok(())
}

fn leave_messages(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(to(&channel)?);
    let call = start_send(&connection, b"a message".to_vec())?;
    call.wait_asleep()?;
    fails_with(
        "a pulse",
        channel.receive_pulse(Timeout::NOW),
        &[Error::ETIMEDOUT],
    )?;
    connection.send_pulse_with(Priority::fixed(1), 3, 9)?;
    let pulse = channel.receive_pulse(PATIENCE)?;
    ensure_eq!((pulse.code, pulse.value), (3, 9));
    ensure_eq!(pulse.kind(), PulseKind::Program);
    channel.receive(&mut [0; 16])?.reply(4, &[])?;
    ensure_eq!(call.result()??.status, 4);
    Ok(())
}

fn time_out(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let short = Duration::from_millis(50);
    fails_with("a pulse", channel.receive_pulse(short), &[Error::ETIMEDOUT])?;
    fails_with(
        "anything",
        channel.receive_any(&mut [0; 4], short),
        &[Error::ETIMEDOUT],
    )?;
    // A pulse that nobody wants does not prolong the wait for a message.
    to(&channel)?.send_pulse(1, 1)?;
    fails_with(
        "a message",
        channel.receive_timeout(&mut [0; 4], short),
        &[Error::ETIMEDOUT],
    )?;
    Ok(())
}

fn wrong_arguments(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    // It counts as 1 on this node; to another it is no priority.
    let zero = connection.send_pulse_with(Priority::fixed(0), 1, 0);
    if world.is_remote() {
        fails_with("priority 0", zero, &[Error::EINVAL])?;
    } else {
        zero?;
    }
    // Codes of the module's are believed, and so not anybody's to send.
    fails_with(
        "a forged pulse",
        connection.send_pulse(-33, 0),
        &[Error::EPERM],
    )?;
    for (priority, code) in [(256, 0), (-2, 0), (10, 128), (10, -129)] {
        fails_with(
            "a number out of range",
            qnet::raw::send_pulse(connection.id(), priority, code, 0),
            &[Error::EINVAL],
        )?;
    }
    echoes(&connection)
}

fn to_a_dead_channel(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    server.ask(Op::Destroy, 0)?;
    fails_with("a pulse", connection.send_pulse(1, 0), &[Error::EBADF])?;
    Ok(())
}

fn full_queue(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = to(&channel)?;
    let mut sent = 0;
    let error = loop {
        match connection.send_pulse(1, sent) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        ensure!(sent < 1_000_000, "the queue has no end");
    };
    ensure_eq!(error, Error::EAGAIN);
    ensure!(sent >= 100, "only {sent} pulses");
    for value in 0..sent {
        ensure_eq!(channel.receive_pulse(Timeout::NOW)?.value, value);
    }
    connection.send_pulse(1, 0)?;
    Ok(())
}

fn unblock(world: &World) -> Outcome {
    sys::handle(libc::SIGUSR1, 0)?;
    let server = world.server()?;
    let connection = Arc::new(Connection::attach(server.open(ChannelFlags::UNBLOCK)?)?);
    let call = start_send(&connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    ensure_eq!(server.ask(Op::HeldFlags, 0)?.0 & 0x100, 0);
    sys::kill_thread(call.tid, libc::SIGUSR1)?;
    let pulses = server.wait_pulses(1)?;
    ensure_eq!(pulses[0][0], -32);
    ensure!(pulses[0][1] > 0, "the rcvid is {}", pulses[0][1]);
    ensure_eq!(server.ask(Op::HeldFlags, 0)?.0 & 0x100, 0x100);
    ensure!(call.is_blocked(), "the client was released");
    // The server decides how it ends; a second signal is not told again.
    sys::kill_thread(call.tid, libc::SIGUSR1)?;
    server.ask(Op::Fail, -1)?;
    fails_with("the send", call.result()?, &[Error::EINTR])?;
    ensure!(server.ask(Op::Pulses, 0)?.1.is_empty(), "another pulse");
    echoes(&connection)
}

fn unblock_is_answered_in_time(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Connection::attach(server.open(ChannelFlags::UNBLOCK)?)?;
    let connection = Arc::new(connection);
    let timeout = Timeout::after(Duration::from_millis(300));
    let call = super::start_send_timeout(&connection, request(Op::Hold, 1, 0, &[]), timeout)?;
    server.wait_held(1)?;
    ensure_eq!(server.wait_pulses(1)?[0][0], -32);
    server.ask(Op::Release, 77)?;
    // The answer that came counts.
    ensure_eq!(call.result()??.status, 77);
    echoes(&connection)
}

fn no_unblock_without_the_flag(world: &World) -> Outcome {
    sys::handle(libc::SIGUSR1, 0)?;
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let call = start_send(&connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    sys::kill_thread(call.tid, libc::SIGUSR1)?;
    fails_with("the send", call.result()?, &[Error::EINTR])?;
    ensure!(server.ask(Op::Pulses, 0)?.1.is_empty(), "a pulse came");
    Ok(())
}

fn disconnect(world: &World) -> Outcome {
    let server = world.server()?;
    let address = server.open(ChannelFlags::DISCONNECT)?;
    let (one, two) = (Connection::attach(address)?, Connection::attach(address)?);
    one.send_pulse(1, 0)?;
    echoes(&one)?;
    echoes(&two)?;
    let scoid = server.wait_pulses(1)?[0][2];
    one.detach()?;
    thread::sleep(Duration::from_millis(100));
    ensure!(
        server.ask(Op::Pulses, 0)?.1.is_empty(),
        "it has a connection still"
    );
    two.detach()?;
    let pulse = server.wait_pulses(1)?[0];
    ensure_eq!((pulse[0], pulse[2]), (-33, scoid));
    Ok(())
}

fn disconnect_by_death(_: &World) -> Outcome {
    let channel = Channel::with_flags(ChannelFlags::DISCONNECT)?;
    let address = Address {
        pid: std::process::id() as i32,
        ..channel.address()
    };
    sys::in_child(|| match Connection::attach(address) {
        Ok(connection) => i32::from(connection.send_pulse(1, 0).is_err()),
        Err(_) => 2,
    })?;
    let first = channel.receive_pulse(PATIENCE)?;
    let second = channel.receive_pulse(PATIENCE)?;
    ensure_eq!(first.code, 1);
    ensure_eq!(second.kind(), PulseKind::Disconnect(first.scoid));
    Ok(())
}

fn server_death(world: &World) -> Outcome {
    let deaths = Channel::with_flags(ChannelFlags::CONNECTION_DEATH)?;
    let mut server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    ensure!(!connection.info()?.is_dead, "it is not dead yet");
    server.kill()?;
    // The control connection of the server is one more.
    let died = (0..2).find_map(|_| match deaths.receive_pulse(PATIENCE) {
        Ok(pulse) if pulse.kind() == PulseKind::ConnectionDeath(connection.id()) => Some(()),
        _ => None,
    });
    ensure!(died.is_some(), "no pulse told of {:#x}", connection.id());
    ensure!(connection.info()?.is_dead, "it is dead");
    fails_with(
        "a send",
        connection.send(b"12345678", &mut []),
        &[Error::EBADF],
    )?;
    Ok(())
}

fn thread_death(_: &World) -> Outcome {
    let deaths = Arc::new(Channel::with_flags(ChannelFlags::THREAD_DEATH)?);
    let tid = thread::spawn({
        let deaths = deaths.clone();
        move || {
            // Those are known that have received.
            let nothing = deaths.receive_pulse(Timeout::NOW);
            (sys::gettid(), nothing)
        }
    });
    let (tid, nothing) = tid.join().map_err(|_| "the thread panicked")?;
    fails_with("a pulse", nothing, &[Error::ETIMEDOUT])?;
    ensure_eq!(
        deaths.receive_pulse(PATIENCE)?.kind(),
        PulseKind::ThreadDeath(tid)
    );
    Ok(())
}

fn one_channel_for_deaths(_: &World) -> Outcome {
    for flags in [ChannelFlags::THREAD_DEATH, ChannelFlags::CONNECTION_DEATH] {
        let first = Channel::with_flags(flags)?;
        fails_with("a second one", Channel::with_flags(flags), &[Error::EBUSY])?;
        drop(first);
        drop(Channel::with_flags(flags)?);
    }
    Ok(())
}

fn reply_and_receive(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let address = Address {
        node: Node::LOCAL,
        ..channel.address()
    };
    let server = thread::spawn(move || -> Outcome<usize> {
        let mut buffer = [0; 16];
        let mut message = channel.receive(&mut buffer)?;
        for served in 1.. {
            let (length, status) = (message.len(), i64::from(buffer[0]));
            let reply = buffer;
            let (next, answered) =
                channel.reply_receive(message, status, &reply[..length], &mut buffer);
            answered?;
            message = match next? {
                Received::Message(next) => next,
                Received::Pulse(_) => return Ok(served),
            };
        }
        Ok(0)
    });
    let connection = Connection::attach(address)?;
    let rounds = 50;
    for round in 0..rounds {
        let mut reply = [0; 16];
        let got = connection.send(&[round, 2, 3], &mut reply)?;
        ensure_eq!(
            (got.status, &reply[..got.len]),
            (i64::from(round), &[round, 2, 3][..])
        );
    }
    connection.send_pulse(1, 0)?;
    let served = server.join().map_err(|_| "the server panicked")??;
    ensure_eq!(served, usize::from(rounds));
    Ok(())
}
