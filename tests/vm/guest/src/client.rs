// SPDX-License-Identifier: GPL-2.0

//! A client process of its own, for tests that stop or kill one.

use std::process::{
    Child,
    Command,
    Stdio, //
};

use qnet::{
    Address,
    Connection,
    Node, //
};

use crate::{
    script::{
        request,
        Op, //
    },
    Outcome, //
};

/// Starts a client that sends one `Hold` with this tag to `address`; it ends with status 0 when
/// the reply has status `want`, else with 1.
pub fn start(address: Address, tag: u32, want: i64) -> Outcome<Child> {
    let child = Command::new("/proc/self/exe")
        .arg("hold")
        .arg(address.node.as_raw().to_string())
        .arg(address.pid.to_string())
        .arg(address.chid.to_string())
        .arg(tag.to_string())
        .arg(want.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// What the client does.
pub fn run(nd: u32, pid: i32, chid: i32, tag: u32, want: i64) -> Outcome {
    let connection = Connection::attach(Address {
        node: Node::from_raw(nd),
        pid,
        chid,
    })?;
    let reply = connection.send(&request(Op::Hold, tag, 0, &[]), &mut [])?;
    match reply.status == want {
        true => Ok(()),
        false => Err(format!("status {}, not {want}", reply.status).into()),
    }
}
