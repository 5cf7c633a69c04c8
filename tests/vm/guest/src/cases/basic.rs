// SPDX-License-Identifier: GPL-2.0

//! A message there, a reply back.

use qnet::{
    Address,
    Connection,
    Error, //
};

use super::{
    echoes,
    fails_with,
    skip,
    Case,
    Scope, //
};
use crate::{
    ensure_eq,
    script::{
        request,
        Op, //
    },
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("round_trip", Scope::Both, round_trip),
    Case::new("reply_status_and_data", Scope::Both, reply_status_and_data),
    Case::new("error_numbers", Scope::Both, error_numbers),
    Case::new("error_zero_is_success", Scope::Both, error_zero_is_success),
    Case::new("double_reply", Scope::Both, double_reply),
    Case::new("dropped_message", Scope::Local, dropped_message),
    Case::new("no_such_process", Scope::Local, no_such_process),
    Case::new("no_such_channel", Scope::Both, no_such_channel),
    Case::new(
        "no_such_remote_process",
        Scope::Remote,
        no_such_remote_process,
    ),
    Case::new("two_connections", Scope::Both, two_connections),
    Case::new(
        "many_connections_in_turn",
        Scope::Both,
        many_connections_in_turn,
    ),
    Case::new(
        "pid_zero_is_the_caller",
        Scope::Local,
        pid_zero_is_the_caller,
    ),
    Case::new("node_down_errors", Scope::Remote, unknown_descriptor),
];

fn round_trip(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    connection.detach()?;
    fails_with(
        "a send after detach",
        connection.send(b"12345678", &mut []),
        &[Error::EBADF],
    )?;
    Ok(())
}

fn reply_status_and_data(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    // A remote status has 32 bits on the wire.
    let statuses = [0, 1, 0x1234, 0x7fff_ffff];
    for status in statuses {
        let mut reply = [0; 64];
        let got = connection.send(&request(Op::Status, 0, status, b"some data"), &mut reply)?;
        ensure_eq!(got.status, status);
        ensure_eq!(&reply[..got.len], b"some data");
    }
    let got = connection.send(&request(Op::Status, 0, 5, b""), &mut [])?;
    ensure_eq!((got.status, got.len), (5, 0));
    Ok(())
}

/// Numbers that Linux and QNX share, that differ, and that only QNX has.
fn error_numbers(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for error in [
        Error::EPERM,
        Error::ENOENT,
        Error::ENOTTY,
        Error::EAGAIN,
        Error::ERANGE,
        Error::EDEADLK,
        Error::ENAMETOOLONG,
        Error::ENOSYS,
        Error::ELOOP,
        Error::EBADMSG,
        Error::EOVERFLOW,
        Error::EILSEQ,
        Error::EMSGSIZE,
        Error::ENOTSUP,
        Error::EADDRINUSE,
        Error::ENETDOWN,
        Error::ECONNRESET,
        Error::ETIMEDOUT,
        Error::ECONNREFUSED,
        Error::EHOSTDOWN,
        Error::EHOSTUNREACH,
        Error::EINPROGRESS,
        Error::ESTALE,
        Error::ECANCELED,
        Error::ENOREMOTE,
        Error::ESRVRFAULT,
    ] {
        let result = connection.send(&request(Op::Error, 0, error.errno().into(), &[]), &mut []);
        fails_with("a send that the server fails", result, &[error])?;
    }
    echoes(&connection)
}

fn error_zero_is_success(world: &World) -> Outcome {
    let server = world.server()?;
    let got = server
        .connect()?
        .send(&request(Op::Error, 0, 0, &[]), &mut [0; 8])?;
    ensure_eq!((got.status, got.len), (0, 0));
    Ok(())
}

fn double_reply(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 16];
    let got = connection.send(&request(Op::Twice, 0, 0, &[]), &mut reply)?;
    ensure_eq!(&reply[..got.len], b"first");
    ensure_eq!(server.wait_results(1)?, [Error::ESRCH.errno()]);
    echoes(&connection)
}

/// The safe crate answers a message that nobody answers.
fn dropped_message(_: &World) -> Outcome {
    let channel = qnet::Channel::create()?;
    let connection = Connection::attach(channel.address())?;
    let server = std::thread::spawn(move || channel.receive(&mut [0; 8]).map(drop));
    fails_with(
        "a forgotten send",
        connection.send(b"12345678", &mut []),
        &[Error::ECANCELED],
    )?;
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

fn no_such_process(world: &World) -> Outcome {
    for pid in [i32::MAX, 4_000_000, -1] {
        let address = Address {
            node: world.node(),
            pid,
            chid: 1,
        };
        fails_with(
            "attaching",
            Connection::attach(address),
            &[Error::ESRCH, Error::EINVAL],
        )?;
    }
    Ok(())
}

fn no_such_channel(world: &World) -> Outcome {
    let server = world.server()?;
    let address = Address {
        chid: 0x1234_5678,
        ..server.address
    };
    if world.is_remote() {
        let connection = Connection::attach(address)?;
        let message = request(Op::Echo, 0, 0, &[]);
        fails_with(
            "the first send",
            connection.send(&message, &mut []),
            &[Error::ESRCH],
        )?;
    } else {
        fails_with("attaching", Connection::attach(address), &[Error::ESRCH])?;
    }
    echoes(&server.connect()?)
}

fn no_such_remote_process(world: &World) -> Outcome {
    let connection = Connection::attach(Address {
        node: world.node(),
        pid: 4_000_000,
        chid: 1,
    })?;
    let message = request(Op::Echo, 0, 0, &[]);
    fails_with(
        "the first send",
        connection.send(&message, &mut []),
        &[Error::ESRCH],
    )?;
    Ok(())
}

fn two_connections(world: &World) -> Outcome {
    let server = world.server()?;
    let (one, two) = (server.connect()?, server.connect()?);
    echoes(&one)?;
    echoes(&two)?;
    drop(one);
    echoes(&two)
}

fn many_connections_in_turn(world: &World) -> Outcome {
    let server = world.server()?;
    for _ in 0..world.times(100) {
        echoes(&server.connect()?)?;
    }
    Ok(())
}

fn pid_zero_is_the_caller(_: &World) -> Outcome {
    let channel = qnet::Channel::create()?;
    ensure_eq!(channel.address().pid, std::process::id() as i32);
    let connection = Connection::attach(Address {
        pid: 0,
        ..channel.address()
    })?;
    let server = std::thread::spawn(move || {
        let message = channel.receive(&mut [0; 8])?;
        message.reply(3, &[])
    });
    ensure_eq!(connection.send(b"12345678", &mut [])?.status, 3);
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// A descriptor that names no node.
fn unknown_descriptor(world: &World) -> Outcome {
    let address = Address {
        node: qnet::Node::from_raw(0xfffe),
        pid: 1,
        chid: 1,
    };
    if world.node().as_raw() == 0xfffe {
        return skip("the number is in use");
    }
    let wanted = [
        Error::EHOSTUNREACH,
        Error::EHOSTDOWN,
        Error::ENXIO,
        Error::EINVAL,
        Error::ESRCH,
    ];
    match Connection::attach(address) {
        Ok(connection) => {
            let message = request(Op::Echo, 0, 0, &[]);
            fails_with("a send", connection.send(&message, &mut []), &wanted)?;
        }
        Err(error) => {
            fails_with::<()>("attaching", Err(error), &wanted)?;
        }
    }
    Ok(())
}
