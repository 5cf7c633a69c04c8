// SPDX-License-Identifier: GPL-2.0

//! What `qnet channels` shows of channels, and of threads that are blocked.

use std::{
    process::{
        self,
        Command, //
    },
    sync::Arc,
};

use serde_json::Value;

use super::{
    start_send,
    Call,
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
    Case::new("reply_blocked", Scope::Both, reply_blocked),
    Case::new("send_blocked", Scope::Local, send_blocked),
    Case::new("receive_blocked", Scope::Local, receive_blocked),
];

/// What `qnet channels` shows.
fn listing() -> Outcome<Value> {
    let output = Command::new("qnet").args(["--json", "channels"]).output()?;
    ensure!(output.status.success(), "qnet channels: {output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The rows of a table for which a field has a value.
fn rows(table: &str, field: &str, value: i64) -> Outcome<Vec<Value>> {
    let mut listing = listing()?;
    let rows = listing.get_mut(table).and_then(Value::as_array_mut);
    let mut rows = std::mem::take(rows.ok_or("there is no such table")?);
    rows.retain(|row| row[field] == value);
    Ok(rows)
}

/// The one row of a blocked call, once there is one.
fn blocked<T: Send + 'static>(call: &Call<T>) -> Outcome<Value> {
    sys::within(PATIENCE, || {
        let mut rows = rows("blocked", "tid", i64::from(call.tid)).ok()?;
        rows.pop()
    })
    .ok_or_else(|| "the blocked thread is not listed".into())
}

fn reply_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    let message = request(Op::Hold, 0, 0, b"held");
    let length = message.len();
    let call = start_send(&connection, message)?;
    server.wait_held(1)?;
    let row = blocked(&call)?;
    ensure_eq!(row["state"], "REPLY");
    ensure_eq!(row["client"]["nd"], 0);
    ensure_eq!(row["client"]["pid"], process::id());
    ensure_eq!(row["coid"], connection.id());
    ensure_eq!(row["bytes"], length);
    ensure_eq!(row["server"]["nd"], world.node().as_raw());
    ensure_eq!(row["server"]["pid"], server.address.pid);
    ensure_eq!(row["chid"], server.address.chid);
    let tid = i64::from(call.tid);
    server.ask(Op::Release, 0)?;
    call.result()??;
    ensure!(
        rows("blocked", "tid", tid)?.is_empty(),
        "a thread that was answered is listed"
    );
    Ok(())
}

fn send_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    let call = start_send(&connection, request(Op::Echo, 0, 0, b"waits"))?;
    ensure_eq!(blocked(&call)?["state"], "SEND");
    let channels = rows("channels", "pid", i64::from(server.address.pid))?;
    let queued = channels.iter().find(|row| row["messages"] == 1);
    let queued = queued.ok_or("no channel has a message")?;
    ensure_eq!(queued["chid"], server.address.chid);
    server.ask(Op::Resume, 0)?;
    call.result()??;
    Ok(())
}

fn receive_blocked(world: &World) -> Outcome {
    let server = world.server()?;
    let pid = server.address.pid;
    // The server's thread has only just begun to receive.
    let receiver = sys::within(PATIENCE, || {
        let rows = rows("blocked", "chid", i64::from(server.address.chid)).ok()?;
        rows.into_iter()
            .find(|row| row["state"] == "RECEIVE" && row["client"]["pid"] == pid)
    });
    let receiver = receiver.ok_or("nobody receives")?;
    ensure!(receiver["tid"].is_number(), "no thread: {receiver}");
    ensure_eq!(receiver["bytes"], Value::Null);
    Ok(())
}
