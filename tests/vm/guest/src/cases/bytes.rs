// SPDX-License-Identifier: GPL-2.0

//! Lengths and contents of messages and replies.

use std::io::{
    IoSlice,
    IoSliceMut, //
};

use qnet::{
    Connection,
    Error, //
};

use super::{
    echoes,
    fails_with,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        pattern,
        request,
        Op,
        HEAD, //
    },
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("zero_length", Scope::Both, zero_length).not_judged(),
    Case::new("short_messages", Scope::Both, short_messages).not_judged(),
    Case::new("every_alignment", Scope::Both, every_alignment),
    Case::new("longest", Scope::Local, longest).not_judged(),
    Case::new("around_one_frame", Scope::Both, around_one_frame),
    Case::new("short_reply_buffer", Scope::Both, short_reply_buffer),
    Case::new("no_reply_buffer", Scope::Both, no_reply_buffer),
    Case::new("short_receive_buffer", Scope::Both, short_receive_buffer),
    Case::new("scattered", Scope::Both, scattered),
    Case::new("many_parts", Scope::Both, many_parts).not_judged(),
];

/// Sends bytes that the server echoes, with their length as status.
fn echo_bytes(connection: &Connection, message: &[u8]) -> Outcome {
    let mut reply = vec![0xee; message.len() + 8];
    let got = connection.send(message, &mut reply)?;
    ensure_eq!(got.status, message.len() as i64, "the length that arrived");
    ensure_eq!(got.len, message.len(), "the length that came back");
    ensure!(
        reply[..got.len] == *message,
        "{} bytes came back changed",
        message.len()
    );
    ensure!(
        reply[got.len..].iter().all(|byte| *byte == 0xee),
        "something was written behind the reply of {} bytes",
        got.len
    );
    Ok(())
}

fn zero_length(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for _ in 0..3 {
        echo_bytes(&connection, &[])?;
    }
    Ok(())
}

fn short_messages(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for length in 1..=70 {
        echo_bytes(&connection, &pattern(length as u32, length))?;
    }
    Ok(())
}

fn every_alignment(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    // Not random: in a capture, the first two bytes must not look like a QNX message's.
    let bytes: Vec<u8> = (0..4096)
        .map(|n: u32| (n * 7 + 0x51) as u8 | 0x40)
        .collect();
    for start in 0..9 {
        for length in [16, 63, 64, 65, 511, 1024, world.usual_maximum().min(1151)] {
            echo_bytes(&connection, &bytes[start..start + length])?;
        }
    }
    Ok(())
}

fn longest(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for length in [4095, 4096, 4097, 8191, 8192, 8193, 32768, 65535, 65536] {
        echo_bytes(&connection, &pattern(length as u32, length))?;
    }
    Ok(())
}

/// Goes over the lengths around which messages begin to need a second packet.
fn around_one_frame(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for length in (1380..1480).chain([8190, 8191, 8192, 8193, 8300]) {
        let message = request(Op::Echo, 0, 0, &pattern(3, length - HEAD));
        let mut reply = vec![0; length];
        let got = connection.send(&message, &mut reply)?;
        ensure!(
            got.len == length && reply == message,
            "{length} bytes came back changed"
        );
        // The first message of a connection has less room, because it attaches, too.
        if length % 7 == 0 {
            let got = server.connect()?.send(&message, &mut reply)?;
            ensure!(
                got.len == length && reply == message,
                "{length} first bytes came back changed"
            );
        }
    }
    Ok(())
}

fn short_reply_buffer(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    for (room, length) in [(1, 2), (10, 1000), (999, 1000), (1000, 1000), (1100, 1000)] {
        let mut reply = vec![0xee; 1200];
        let message = request(Op::ReplyLength, 0, length, &[]);
        let got = connection.send(&message, &mut reply[..room])?;
        let want = room.min(length as usize);
        ensure_eq!((got.status, got.len), (length, want));
        ensure!(reply[..want] == pattern(1, want)[..], "the reply is wrong");
        ensure!(
            reply[want..].iter().all(|byte| *byte == 0xee),
            "something was written behind the buffer"
        );
    }
    ensure_eq!(server.results()?, [0; 0], "replies that failed");
    Ok(())
}

fn no_reply_buffer(world: &World) -> Outcome {
    let server = world.server()?;
    let got = server
        .connect()?
        .send(&request(Op::ReplyLength, 0, 100, &[]), &mut [])?;
    ensure_eq!((got.status, got.len), (100, 0));
    Ok(())
}

fn short_receive_buffer(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    connection.send(&request(Op::Room, 0, 20, &[]), &mut [])?;
    // A long message that the server sees 20 bytes of and echoes.
    let mut reply = [0; 64];
    let message = request(Op::Echo, 0, 0, b"abcdefghijklmnopqrstuvwxyz");
    let got = connection.send(&message, &mut reply)?;
    ensure_eq!(got.len, 20);
    ensure_eq!(reply[..20], message[..20]);
    // The next receive has its usual room again.
    echoes(&connection)
}

fn scattered(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = request(Op::Echo, 0, 0, &pattern(5, 500));
    let parts = [
        IoSlice::new(&message[..3]),
        IoSlice::new(&[]),
        IoSlice::new(&message[3..200]),
        IoSlice::new(&message[200..]),
    ];
    let mut reply = vec![0; message.len() + 10];
    let (one, rest) = reply.split_at_mut(1);
    let (two, three) = rest.split_at_mut(300);
    let got = connection.send_vectored(
        &parts,
        &mut [
            IoSliceMut::new(one),
            IoSliceMut::new(&mut []),
            IoSliceMut::new(two),
            IoSliceMut::new(three),
        ],
    )?;
    ensure_eq!(got.len, message.len());
    ensure!(
        reply[..got.len] == message[..],
        "the bytes came back changed"
    );
    let got = connection.send_vectored(&[IoSlice::new(&message)], &mut [])?;
    ensure_eq!(got.len, 0);
    Ok(())
}

fn many_parts(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let bytes = pattern(8, qnet_sys::QNET_PARTS_MAX + 1);
    let parts: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
    let mut reply = vec![0; 2048];
    let got = connection.send_vectored(
        &parts[..qnet_sys::QNET_PARTS_MAX],
        &mut [IoSliceMut::new(&mut reply)],
    )?;
    ensure_eq!(got.len, qnet_sys::QNET_PARTS_MAX);
    ensure!(
        reply[..got.len] == bytes[..got.len],
        "the bytes came back changed"
    );
    let result = connection.send_vectored(&parts, &mut []);
    fails_with(
        "one part too many",
        result,
        &[Error::EINVAL, Error::EMSGSIZE],
    )?;
    Ok(())
}
