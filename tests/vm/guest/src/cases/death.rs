// SPDX-License-Identifier: GPL-2.0

//! Ends: of a connection, a channel, a server, a client.

use std::sync::Arc;

use qnet::{
    Channel,
    Connection,
    Error, //
};

use super::{
    echoes,
    fails_with,
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
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "detach_while_reply_blocked",
        Scope::Both,
        detach_while_reply_blocked,
    ),
    Case::new(
        "detach_while_send_blocked",
        Scope::Both,
        detach_while_send_blocked,
    ),
    Case::new(
        "destroy_while_reply_blocked",
        Scope::Both,
        destroy_while_reply_blocked,
    ),
    Case::new(
        "destroy_while_send_blocked",
        Scope::Both,
        destroy_while_send_blocked,
    ),
    Case::new(
        "destroy_while_receiving",
        Scope::Local,
        destroy_while_receiving,
    ),
    Case::new(
        "server_killed_while_reply_blocked",
        Scope::Both,
        server_killed,
    ),
    Case::new(
        "server_killed_while_send_blocked",
        Scope::Both,
        server_killed_send_blocked,
    ),
    Case::new("server_exits", Scope::Both, server_exits),
    Case::new("server_kills_itself", Scope::Both, server_kills_itself),
    Case::new(
        "client_killed_while_reply_blocked",
        Scope::Both,
        client_killed,
    ),
    Case::new(
        "client_killed_while_send_blocked",
        Scope::Both,
        client_killed_send_blocked,
    ),
    Case::new("client_detaches_before_reply", Scope::Both, client_detaches),
    Case::new("server_again", Scope::Both, server_again),
];

/// A client that is blocked with one message that the server holds.
fn held(world: &World) -> Outcome<(crate::world::Server, Arc<Connection>, Blocked)> {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let call = start_send(&connection, request(Op::Hold, 1, 0, &[]))?;
    server.wait_held(1)?;
    ensure!(call.is_blocked(), "the client is not blocked");
    Ok((server, connection, call))
}

/// A client that is blocked with one message that the server does not receive.
fn queued(world: &World) -> Outcome<(crate::world::Server, Arc<Connection>, Blocked)> {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let call = start_send(&connection, request(Op::Echo, 2, 0, &[]))?;
    call.wait_asleep()?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    ensure!(call.is_blocked(), "the client is not blocked");
    Ok((server, connection, call))
}

type Blocked = Call<Result<qnet::Reply, Error>>;

/// The connection is dead for good, and says so at once.
fn is_dead(connection: &Connection) -> Outcome {
    for _ in 0..2 {
        let result = connection.send(&request(Op::Echo, 0, 0, &[]), &mut []);
        fails_with("a further send", result, &[Error::EBADF])?;
    }
    Ok(())
}

fn detach_while_reply_blocked(world: &World) -> Outcome {
    let (server, connection, call) = held(world)?;
    connection.detach()?;
    fails_with("the blocked send", call.result()?, &[Error::EBADF])?;
    is_dead(&connection)?;
    let (_, answers) = server.ask(Op::Release, 0)?;
    ensure_eq!(answers, [Error::ESRCH.errno()], "the late reply");
    echoes(&server.connect()?)
}

fn detach_while_send_blocked(world: &World) -> Outcome {
    let (server, connection, call) = queued(world)?;
    connection.detach()?;
    fails_with("the blocked send", call.result()?, &[Error::EBADF])?;
    server.ask(Op::Resume, 0)?;
    let other = server.connect()?;
    echoes(&other)?;
    if !world.is_remote() {
        ensure_eq!(server.tags()?, [0; 0], "what was received of it");
    }
    Ok(())
}

fn destroy_while_reply_blocked(world: &World) -> Outcome {
    let (server, connection, call) = held(world)?;
    ensure_eq!(server.ask(Op::Destroy, 0)?.0, 0);
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    is_dead(&connection)?;
    let (_, answers) = server.ask(Op::Release, 0)?;
    ensure_eq!(answers, [Error::ESRCH.errno()], "the late reply");
    let result = server
        .connect()
        .map(|connection| connection.send(&request(Op::Echo, 0, 0, &[]), &mut []));
    ensure!(
        !matches!(result, Ok(Ok(_))),
        "a channel that was destroyed answers"
    );
    Ok(())
}

fn destroy_while_send_blocked(world: &World) -> Outcome {
    let (server, connection, call) = queued(world)?;
    ensure_eq!(server.ask(Op::Destroy, 0)?.0, 0);
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    is_dead(&connection)
}

fn destroy_while_receiving(_: &World) -> Outcome {
    let channel = Arc::new(Channel::create()?);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let channel = channel.clone();
            Call::start(move || channel.receive(&mut [0; 8]).map(drop))
        })
        .collect::<Outcome<_>>()?;
    for call in &calls {
        call.wait_asleep()?;
    }
    channel.destroy()?;
    for call in calls {
        fails_with("the blocked receive", call.result()?, &[Error::ESRCH])?;
    }
    fails_with(
        "a further receive",
        channel.receive(&mut [0; 8]),
        &[Error::ESRCH],
    )?;
    Ok(())
}

fn server_killed(world: &World) -> Outcome {
    let (mut server, connection, call) = held(world)?;
    server.kill()?;
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    is_dead(&connection)
}

fn server_killed_send_blocked(world: &World) -> Outcome {
    let (mut server, connection, call) = queued(world)?;
    server.kill()?;
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    is_dead(&connection)
}

fn server_exits(world: &World) -> Outcome {
    let (_server, connection, call) = held(world)?;
    let result = connection.send(&request(Op::Exit, 0, 0, &[]), &mut []);
    fails_with("the send that makes it end", result, &[Error::ESRCH])?;
    fails_with("the blocked send", call.result()?, &[Error::ESRCH])?;
    is_dead(&connection)
}

fn server_kills_itself(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let result = connection.send(&request(Op::Die, 0, 0, &[]), &mut []);
    fails_with("the send that kills it", result, &[Error::ESRCH])?;
    is_dead(&connection)
}

fn client_killed(world: &World) -> Outcome {
    let server = world.server()?;
    let mut client = client::start(server.address, 5, 0)?;
    server.wait_held(1)?;
    client.kill()?;
    client.wait()?;
    let mut answers = Vec::new();
    // The news has to cross the link.
    if world.is_remote() {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    answers.extend(server.ask(Op::Release, 0)?.1);
    ensure_eq!(answers, [Error::ESRCH.errno()], "the late reply");
    ensure_eq!(server.tags()?, [5]);
    echoes(&server.connect()?)
}

fn client_killed_send_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let mut client = client::start(server.address, 6, 0)?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    ensure!(client.try_wait()?.is_none(), "the client is not blocked");
    client.kill()?;
    client.wait()?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    server.ask(Op::Resume, 0)?;
    echoes(&connection)?;
    let tags = server.tags()?;
    ensure!(
        tags.is_empty() || world.is_remote() && tags == [6],
        "the server received {tags:?} of a client that is gone"
    );
    Ok(())
}

/// A client that goes away in order, its connection closed, frees the server of it.
fn client_detaches(world: &World) -> Outcome {
    let server = world.server()?;
    let address = server.address;
    let status = sys::in_child(|| {
        let Ok(connection) = Connection::attach(address) else {
            return 1;
        };
        i32::from(echoes(&connection).is_err())
    })?;
    ensure_eq!(status, 0, "the client");
    echoes(&server.connect()?)
}

/// A new server is a new address, and the old one stays dead.
fn server_again(world: &World) -> Outcome {
    let mut server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    server.kill()?;
    let second = world.server()?;
    echoes(&second.connect()?)?;
    let result = connection.send(&request(Op::Echo, 0, 0, &[]), &mut []);
    // Nobody was blocked when the server died, so the client learns of it now.
    fails_with(
        "a send to the dead one",
        result,
        &[Error::EBADF, Error::ESRCH],
    )?;
    Ok(())
}
