// SPDX-License-Identifier: GPL-2.0

//! Time-outs in each state.

use std::{
    sync::Arc,
    thread,
    time::Duration, //
};

use qnet::{
    Channel,
    Error,
    States,
    Timeout, //
};

use super::{
    echoes,
    fails_with,
    late_reply,
    start_send_timeout,
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
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("receive", Scope::Local, receive),
    Case::new("receive_at_once", Scope::Local, receive_at_once),
    Case::new("send_blocked", Scope::Both, send_blocked),
    Case::new("reply_blocked", Scope::Both, reply_blocked),
    Case::new(
        "only_while_reply_blocked",
        Scope::Both,
        only_while_reply_blocked,
    ),
    Case::new(
        "only_while_send_blocked",
        Scope::Both,
        only_while_send_blocked,
    ),
    Case::new("at_once", Scope::Both, at_once),
    Case::new("in_time", Scope::Both, in_time),
    Case::new("a_hundred_years", Scope::Both, a_hundred_years),
];

const SHORT: Duration = Duration::from_millis(100);

/// Ends the case unless the call failed for its time-out, and not before `least`.
fn times_out<T: std::fmt::Debug>(
    least: Duration,
    call: impl FnOnce() -> Result<T, Error>,
) -> Outcome {
    let before = sys::now();
    fails_with("the call", call(), &[Error::ETIMEDOUT])?;
    let took = Duration::from_nanos(sys::now() - before);
    ensure!(
        // A machine under load stands still for seconds; what this finds is a call that never ends.
        took >= least && took < least + Duration::from_secs(30),
        "a time-out of {least:?} took {took:?}"
    );
    Ok(())
}

fn receive(_: &World) -> Outcome {
    let channel = Channel::create()?;
    times_out(SHORT, || channel.receive_timeout(&mut [0; 8], SHORT))?;
    // One for another state does not concern it.
    let other = Timeout::after(Duration::from_millis(1)).in_states(States::SEND | States::REPLY);
    let ended = thread::spawn({
        let address = channel.address();
        move || {
            thread::sleep(Duration::from_millis(300));
            qnet::Connection::attach(address)?.send(b"12345678", &mut [])
        }
    });
    channel.receive_timeout(&mut [0; 8], other)?.reply(0, &[])?;
    ended.join().map_err(|_| "the client panicked")??;
    Ok(())
}

fn receive_at_once(_: &World) -> Outcome {
    let channel = Arc::new(Channel::create()?);
    times_out(Duration::ZERO, || {
        channel.receive_timeout(&mut [0; 8], Timeout::NOW)
    })?;
    let connection = qnet::Connection::attach(channel.address())?;
    let client = thread::spawn(move || connection.send(b"12345678", &mut []));
    // A message that is there is received whatever the time-out says.
    let message = sys::within(crate::world::PATIENCE, || {
        channel.receive_timeout(&mut [0; 8], Timeout::NOW).ok()
    })
    .ok_or("the message did not come")?;
    message.reply(0, &[])?;
    client.join().map_err(|_| "the client panicked")??;
    Ok(())
}

fn send_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let message = request(Op::Echo, 1, 0, &[]);
    times_out(SHORT, || connection.send_timeout(&message, &mut [], SHORT))?;
    if world.is_remote() {
        thread::sleep(Duration::from_millis(200));
    }
    server.ask(Op::Resume, 0)?;
    echoes(&connection)?;
    let tags = server.tags()?;
    ensure!(
        tags.is_empty() || world.is_remote() && tags == [1],
        "the server received {tags:?}, which was given up"
    );
    Ok(())
}

fn reply_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = request(Op::Hold, 1, 0, &[]);
    // On one node it counts from when the server has received the message; across a link, from
    // when it was sent.
    let timeout = match world.is_remote() {
        true => Timeout::after(10 * SHORT),
        false => Timeout::after(SHORT).in_states(States::REPLY),
    };
    times_out(SHORT, || {
        connection.send_timeout(&message, &mut [], timeout)
    })?;
    server.wait_held(1)?;
    late_reply(world, &server)?;
    echoes(&connection)
}

fn only_while_reply_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let timeout = Timeout::after(2 * SHORT).in_states(States::REPLY);
    let call = start_send_timeout(&connection, request(Op::Hold, 1, 0, &[]), timeout)?;
    call.wait_asleep()?;
    if world.is_remote() {
        // The client's node does not see when the message is received on the other; that it was
        // sent is all there is.
        fails_with("the send", call.result()?, &[Error::ETIMEDOUT])?;
        return Ok(());
    }
    thread::sleep(4 * SHORT);
    ensure!(call.is_blocked(), "it timed out while it was SEND-blocked");
    server.ask(Op::Resume, 0)?;
    fails_with("the send", call.result()?, &[Error::ETIMEDOUT])?;
    Ok(())
}

fn only_while_send_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    echoes(&connection)?;
    let timeout = Timeout::after(10 * SHORT).in_states(States::SEND);
    let call = start_send_timeout(&connection, request(Op::Hold, 1, 0, &[]), timeout)?;
    server.wait_held(1)?;
    if world.is_remote() {
        // As above: it may time out while it is held, or have its reply.
        thread::sleep(13 * SHORT);
        server.ask(Op::Release, 5)?;
        match call.result()? {
            Ok(reply) => ensure_eq!(reply.status, 5),
            Err(error) => ensure_eq!(error, Error::ETIMEDOUT),
        }
        return Ok(());
    }
    thread::sleep(13 * SHORT);
    ensure!(call.is_blocked(), "it timed out while it was REPLY-blocked");
    server.ask(Op::Release, 5)?;
    ensure_eq!(call.result()??.status, 5);
    Ok(())
}

fn at_once(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let message = request(Op::Echo, 1, 0, &[]);
    times_out(Duration::ZERO, || {
        connection.send_timeout(&message, &mut [], Timeout::NOW)
    })?;
    server.ask(Op::Resume, 0)?;
    echoes(&connection)
}

fn in_time(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = request(Op::Sleep, 0, 100, &[]);
    for _ in 0..3 {
        connection.send_timeout(&message, &mut [], Duration::from_secs(20))?;
    }
    Ok(())
}

fn a_hundred_years(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = request(Op::Echo, 0, 0, &[]);
    for time in [Duration::from_secs(3_000_000_000), Duration::MAX] {
        connection.send_timeout(&message, &mut [], time)?;
    }
    Ok(())
}
