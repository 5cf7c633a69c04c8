// SPDX-License-Identifier: GPL-2.0

//! Many clients and many servers at once.

use std::thread;

use qnet::{
    Connection,
    Error, //
};

use super::{
    echoes,
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
    sys,
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "threads_on_one_connection",
        Scope::Both,
        threads_on_one_connection,
    ),
    Case::new("processes", Scope::Both, processes),
    Case::new("many_servers", Scope::Both, many_servers),
    Case::new("many_held", Scope::Both, many_held),
    Case::new("dying_clients", Scope::Both, dying_clients),
];

/// Sends messages of all lengths, each different, and looks at each reply.
fn exchange(connection: &Connection, seed: u32, count: u32, longest: usize) -> Result<(), String> {
    let mut reply = vec![0; longest];
    for n in 0..count {
        let length = (seed as usize * 131 + n as usize * 37) % (longest - HEAD);
        let message = request(Op::Echo, 0, 0, &pattern(seed * 1000 + n + 1, length));
        let got = connection
            .send(&message, &mut reply)
            .map_err(|error| format!("message {n} of {seed}: {error:?}"))?;
        if reply[..got.len] != message[..] {
            return Err(format!("message {n} of {seed} came back changed"));
        }
    }
    Ok(())
}

fn threads_on_one_connection(world: &World) -> Outcome {
    let server = world.server()?;
    server.ask(Op::Threads, 3)?;
    let connection = server.connect()?;
    let longest = world.usual_maximum().min(9000);
    let messages = world.times(150);
    thread::scope(|scope| -> Outcome {
        let threads: Vec<_> = (1..=8)
            .map(|seed| {
                let connection = &connection;
                scope.spawn(move || exchange(connection, seed, messages, longest))
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}

fn processes(world: &World) -> Outcome {
    let server = world.server()?;
    server.ask(Op::Threads, 3)?;
    let mut children = Vec::new();
    for seed in 1..=6 {
        // SAFETY: This process has one thread; the child sends and ends.
        let pid = sys::checked(unsafe { libc::fork() })? as i32;
        if pid == 0 {
            let ended = Connection::attach(server.address)
                .map_err(|error| format!("{error:?}"))
                .and_then(|connection| exchange(&connection, seed, world.times(100), 1000));
            if let Err(words) = &ended {
                println!("{words}");
            }
            // SAFETY: Ends the child at once.
            unsafe { libc::_exit(i32::from(ended.is_err())) };
        }
        children.push(pid);
    }
    for pid in children {
        ensure_eq!(sys::wait(pid)?, 0, "a client's status");
    }
    Ok(())
}

fn many_servers(world: &World) -> Outcome {
    let servers = (0..8)
        .map(|_| world.server())
        .collect::<Outcome<Vec<_>>>()?;
    let connections = servers
        .iter()
        .map(|server| server.connect())
        .collect::<Outcome<Vec<_>>>()?;
    for round in 0..world.times(20) {
        for (n, connection) in (0..).zip(&connections) {
            exchange(connection, round * 8 + n + 1, 3, 600)?;
        }
    }
    Ok(())
}

/// Many clients that wait at once, answered in the end.
fn many_held(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    // As many as one end of a session keeps in flight, and more on one node.
    let count = if world.is_remote() {
        40
    } else {
        world.times(200)
    };
    thread::scope(|scope| -> Outcome {
        let threads: Vec<_> = (1..=count)
            .map(|tag| {
                let connection = &connection;
                scope.spawn(move || connection.send(&request(Op::Hold, tag, 0, &[]), &mut []))
            })
            .collect();
        server.wait_held(i64::from(count))?;
        let (_, answers) = server.ask(Op::Release, 9)?;
        ensure!(
            answers.iter().all(|answer| *answer == 0),
            "some replies failed: {answers:?}"
        );
        for thread in threads {
            let reply = thread.join().map_err(|_| "a client panicked")??;
            ensure_eq!(reply.status, 9);
        }
        Ok(())
    })?;
    let mut tags = server.tags()?;
    tags.sort_unstable();
    ensure_eq!(tags, (1..=count as i32).collect::<Vec<_>>());
    Ok(())
}

/// Clients that are killed at any moment leave a server that works.
fn dying_clients(world: &World) -> Outcome {
    let server = world.server()?;
    for round in 0..u64::from(world.times(20)) {
        // SAFETY: This process has one thread; the child sends until it is killed.
        let pid = sys::checked(unsafe { libc::fork() })? as i32;
        if pid == 0 {
            if let Ok(connection) = Connection::attach(server.address) {
                while exchange(&connection, 1, 1000, 800).is_ok() {}
            }
            // SAFETY: Ends the child at once.
            unsafe { libc::_exit(1) };
        }
        thread::sleep(std::time::Duration::from_millis(5 + round * 3));
        sys::kill(pid, libc::SIGKILL)?;
        ensure_eq!(sys::wait(pid)?, 128 + libc::SIGKILL, "the client's end");
    }
    // Replies to the dead are the only ones that may have failed.
    let results = server.results()?;
    ensure!(
        results.iter().all(|result| *result == Error::ESRCH.errno()),
        "the server's replies: {results:?}"
    );
    echoes(&server.connect()?)
}
