// SPDX-License-Identifier: GPL-2.0

//! Which message a server receives first.

use std::sync::Arc;

use super::{
    start_send,
    Call,
    Case,
    Scope, //
};
use crate::{
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
    Case::new("by_priority", Scope::Both, by_priority),
    Case::new("same_priority_in_turn", Scope::Both, same_priority_in_turn),
    Case::new("a_thousand_in_order_once", Scope::Both, a_thousand),
];

/// Long enough for a message to reach the server's queue before the next is sent.
const TRANSIT: std::time::Duration = std::time::Duration::from_millis(60);

/// What a thread does to have its priority.
type Prepare = fn() -> Result<(), qnet::Error>;

fn by_priority(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let mut calls = Vec::new();
    // Sent from the least urgent to the most urgent, received the other way round.
    let ways: [(u32, Prepare); 4] = [
        (1, || sys::set_nice(19)),
        (2, || sys::set_nice(8)),
        (3, || Ok(())),
        (4, || sys::set_fifo(10)),
    ];
    for (tag, prepare) in ways {
        let connection = connection.clone();
        let call = Call::start(move || {
            prepare()?;
            connection.send(&request(Op::Echo, tag, 0, &[]), &mut [])
        })?;
        call.wait_asleep()?;
        std::thread::sleep(TRANSIT);
        calls.push(call);
    }
    std::thread::sleep(4 * TRANSIT);
    server.ask(Op::Resume, 0)?;
    for call in calls {
        call.result()??;
    }
    ensure_eq!(server.tags()?, [4, 3, 2, 1]);
    Ok(())
}

fn same_priority_in_turn(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let mut calls = Vec::new();
    for tag in 1..=5 {
        let call = start_send(&connection, request(Op::Echo, tag, 0, &[]))?;
        call.wait_asleep()?;
        std::thread::sleep(TRANSIT);
        calls.push(call);
    }
    server.ask(Op::Resume, 0)?;
    for call in calls {
        call.result()??;
    }
    ensure_eq!(server.tags()?, [1, 2, 3, 4, 5]);
    Ok(())
}

fn a_thousand(world: &World) -> Outcome {
    let count = world.times(1000);
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 64];
    for tag in 1..=count {
        let message = request(Op::Echo, tag, i64::from(tag), b"payload");
        let got = connection.send(&message, &mut reply)?;
        ensure_eq!(&reply[..got.len], &message[..]);
    }
    ensure_eq!(server.tags()?, (1..=count as i32).collect::<Vec<_>>());
    Ok(())
}
