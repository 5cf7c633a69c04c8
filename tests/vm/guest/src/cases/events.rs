// SPDX-License-Identifier: GPL-2.0

//! Events that a server delivers, signals to processes, and what server and client are told of each
//! other.

use std::{
    sync::Arc,
    time::Duration, //
};

use qnet::{
    Channel,
    ClientInfo,
    Connection,
    Error,
    Event,
    KeyOperation,
    Node,
    Priority,
    Rcvid,
    Signal,
    Timeout, //
};
use qnet_sys::qnet_event;

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
        self,
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
    Case::new("pulse", Scope::Both, pulse),
    Case::new("signal", Scope::Both, signal),
    Case::new("unblock", Scope::Both, unblock),
    Case::new("wrong_events", Scope::Local, wrong_events),
    Case::new("to_a_dead_client", Scope::Local, to_a_dead_client),
    Case::new("to_the_process_itself", Scope::Local, to_the_process_itself),
    Case::new("signal_to_a_process", Scope::Local, signal_to_a_process),
    Case::new("information_again", Scope::Local, information_again),
    Case::new("own_ids", Scope::Local, own_ids),
    Case::new(
        "connection_information",
        Scope::Both,
        connection_information,
    ),
    Case::new("keys", Scope::Local, keys),
    Case::new("current", Scope::Local, current),
    Case::new("remote_numbers", Scope::Both, remote_numbers),
];

/// Gives the server an event to deliver: what it says of it.
fn register(connection: &Connection, event: qnet_event) -> Outcome<i64> {
    let message = request(Op::Register, 0, 0, &script::event(&event));
    Ok(connection.send(&message, &mut [])?.status)
}

/// A check of an event that lies on another node is impossible.
fn ensure_verified(world: &World, said: i64) -> Outcome {
    let want = match world.is_remote() {
        true => Error::ENOREMOTE.errno(),
        false => 0,
    };
    ensure_eq!(said, i64::from(want));
    Ok(())
}

fn fire(server: &Server) -> Outcome {
    ensure_eq!(server.ask(Op::Fire, 0)?.0, 0);
    Ok(())
}

fn pulse(world: &World) -> Outcome {
    let channel = Channel::create()?;
    let own = Connection::attach(channel.address())?;
    let server = world.server()?;
    let connection = server.connect()?;
    let event = qnet_event {
        notify: qnet_sys::QNET_SIGEV_PULSE,
        id: own.id(),
        value: 1234,
        code: 7,
        priority: 20,
        ..Default::default()
    };
    for _ in 0..3 {
        ensure_verified(world, register(&connection, event)?)?;
        fire(&server)?;
        let pulse = channel.receive_pulse(PATIENCE)?;
        ensure_eq!((pulse.code, pulse.value), (7, 1234));
    }
    echoes(&connection)
}

fn signal(world: &World) -> Outcome {
    let signals = sys::Told::of(libc::SIGUSR2)?;
    let server = world.server()?;
    let connection = server.connect()?;
    let event = qnet_event {
        notify: qnet_sys::QNET_SIGEV_SIGNAL_CODE,
        id: libc::SIGUSR2,
        value: 99,
        code: -7,
        ..Default::default()
    };
    ensure_verified(world, register(&connection, event)?)?;
    // The signal may end this very send.
    let _ = server.ask(Op::Fire, 0);
    let (code, value) = signals.wait(PATIENCE)?;
    ensure_eq!((code, value), (-7, 99));
    echoes(&connection)
}

fn unblock(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let event = qnet_event {
        notify: qnet_sys::QNET_SIGEV_UNBLOCK,
        ..Default::default()
    };
    // The thread that has sent the event is the one whose call ends.
    let call = Call::start({
        let connection = connection.clone();
        move || -> Outcome<Error> {
            register(&connection, event)?;
            match connection.send(&request(Op::Hold, 1, 0, &[]), &mut []) {
                Err(error) => Ok(error),
                Ok(reply) => Err(format!("the send returned {reply:?}").into()),
            }
        }
    })?;
    server.wait_held(1)?;
    fire(&server)?;
    ensure_eq!(call.result()??, Error::EINTR);
    echoes(&connection)
}

fn wrong_events(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let pulse = qnet_event {
        notify: qnet_sys::QNET_SIGEV_PULSE,
        id: 0x3fff_ffff,
        priority: 10,
        ..Default::default()
    };
    ensure_eq!(register(&connection, pulse)?, i64::from(libc::EBADF));
    for (notify, id) in [(6, 0), (7, 0), (99, 0), (1, 0), (1, 65), (1, -1)] {
        let event = qnet_event {
            notify,
            id,
            ..Default::default()
        };
        ensure_eq!(
            register(&connection, event)?,
            i64::from(libc::EINVAL),
            "event {notify}"
        );
    }
    let none = qnet_event::default();
    ensure_eq!(register(&connection, none)?, 0);
    fire(&server)
}

fn to_a_dead_client(world: &World) -> Outcome {
    let server = world.server()?;
    let address = server.address;
    let event = qnet_event {
        notify: qnet_sys::QNET_SIGEV_SIGNAL,
        id: libc::SIGTERM,
        ..Default::default()
    };
    sys::in_child(|| match Connection::attach(address) {
        Ok(connection) => i32::from(register(&connection, event).is_err()),
        Err(_) => 2,
    })?;
    let said = sys::within(PATIENCE, || {
        let said = server.ask(Op::Fire, 0).ok()?.0;
        (said == i64::from(libc::ESRCH)).then_some(said)
    });
    ensure!(said.is_some(), "the event went somewhere");
    Ok(())
}

fn to_the_process_itself(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let own = Connection::attach(channel.address())?;
    let event = Event::Pulse {
        coid: own.id(),
        priority: Priority::CALLER,
        code: 3,
        value: 4,
    };
    event.deliver()?;
    let pulse = channel.receive_pulse(PATIENCE)?;
    ensure_eq!((pulse.code, pulse.value), (3, 4));
    Ok(())
}

fn signal_to_a_process(_: &World) -> Outcome {
    let signals = sys::Told::of(libc::SIGUSR2)?;
    let signal = Signal {
        code: -3,
        value: 5,
        ..Signal::new(Node::LOCAL, std::process::id() as i32, libc::SIGUSR2)
    };
    signal.send()?;
    ensure_eq!(signals.wait(PATIENCE)?, (-3, 5));
    Signal::new(Node::LOCAL, std::process::id() as i32, 0).send()?;
    let nobody = Signal::new(Node::LOCAL, 4_000_000, libc::SIGUSR2);
    fails_with("a signal to nobody", nobody.send(), &[Error::ESRCH])?;
    let no_signal = Signal::new(Node::LOCAL, std::process::id() as i32, 200);
    fails_with("no signal", no_signal.send(), &[Error::EINVAL])?;
    Ok(())
}

fn information_again(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(Connection::attach(channel.address())?);
    let call = super::start_send(&connection, b"123".to_vec())?;
    let message = channel.receive(&mut [0; 2])?;
    let again = message.ask_info()?;
    ensure_eq!(again, *message.info());
    ensure!(!again.wants_to_leave(), "nobody has asked it");
    let rcvid = message.rcvid().get();
    message.reply(0, &[])?;
    call.result()??;
    fails_with(
        "of an answered one",
        qnet::raw::info(rcvid),
        &[Error::ESRCH],
    )?;
    Ok(())
}

fn own_ids(_: &World) -> Outcome {
    let own = ClientInfo::own()?;
    ensure_eq!(
        (own.node, own.pid),
        (Node::LOCAL, std::process::id() as i32)
    );
    let channel = Channel::create()?;
    let connection = Arc::new(Connection::attach(channel.address())?);
    let call = super::start_send(&connection, b"123".to_vec())?;
    let message = channel.receive(&mut [0; 2])?;
    ensure_eq!(ClientInfo::of(message.info().scoid)?, own);
    message.reply(0, &[])?;
    call.result()??;
    fails_with("of nobody", ClientInfo::of(0x7fff_fff0), &[Error::EINVAL])?;
    Ok(())
}

fn connection_information(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    let info = connection.info()?;
    ensure_eq!(info.address, server.address);
    ensure_eq!(info.coid, connection.id());
    ensure!(!info.is_dead, "the server lives");
    Ok(())
}

fn keys(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(Connection::attach(channel.address())?);
    let call = super::start_send(&connection, b"123".to_vec())?;
    let message = channel.receive(&mut [0; 4])?;
    let key = message.key_data(KeyOperation::Calculate, 0, b"some data")?;
    let verify = |data: &[u8]| message.key_data(KeyOperation::Verify, key, data);
    ensure_eq!(verify(b"some data")?, 0);
    ensure_eq!(verify(b"some date")?, u32::MAX);
    let other = message.key_data(KeyOperation::CalculateReuse, 0, b"other data")?;
    ensure_eq!(verify(b"some data")?, 0, "a key that was made before");
    ensure!(other != key, "one key for two data");
    message.reply(0, &[])?;
    call.result()??;
    Ok(())
}

fn current(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(Connection::attach(channel.address())?);
    let call = super::start_send(&connection, b"123".to_vec())?;
    let message = channel.receive(&mut [0; 4])?;
    let rcvid = message.rcvid();
    rcvid.make_current()?;
    Rcvid::make_none_current()?;
    rcvid.make_current()?;
    message.reply(0, &[])?;
    call.result()??;
    Rcvid::make_none_current()?;
    fails_with("an answered message", rcvid.make_current(), &[Error::ESRCH])?;
    Ok(())
}

fn remote_numbers(world: &World) -> Outcome {
    let node = world.node();
    ensure_eq!(node.number_of(node)?, 0);
    ensure_eq!(Node::LOCAL.number_of(node)?, node.as_raw());
    if world.is_remote() {
        // The other node has a number for this one, which it tells in messages, too.
        let number = node.number_of(Node::LOCAL)?;
        ensure!(number != 0, "this node is not that one");
        let unknown = Node::from_raw(0x7ffe);
        let answer = node.number_of_timeout(unknown, PATIENCE);
        ensure!(answer.is_err(), "{answer:?}");
        let none = Timeout::after(Duration::from_secs(1));
        let answer = qnet::raw::remote_nd(unknown.as_raw(), 0, none);
        ensure!(answer.is_err(), "{answer:?}");
    }
    Ok(())
}
