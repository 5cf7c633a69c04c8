// SPDX-License-Identifier: GPL-2.0

//! What a server is told of a message.

use std::os::fd::AsRawFd;

use qnet::{
    Channel,
    ChannelFlags,
    Connection,
    ConnectionOptions, //
};

use super::{
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        request,
        unpack,
        Op,
        HEAD, //
    },
    sys,
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("fields", Scope::Both, fields),
    Case::new("thread", Scope::Both, thread),
    Case::new("side_channel", Scope::Both, side_channel),
    Case::new("scoid_is_the_process", Scope::Both, scoid_is_the_process),
    Case::new("lengths_are_asked_for", Scope::Local, lengths_are_asked_for),
];

/// What `Op::Info` replies.
#[derive(Debug)]
struct Told {
    nd: i32,
    srcnd: i32,
    pid: i32,
    tid: i32,
    chid: i32,
    scoid: i32,
    coid: i32,
    priority: i32,
    flags: i32,
    msglen: i32,
    srcmsglen: i32,
    dstmsglen: i32,
}

fn ask(connection: &Connection, extra: usize) -> Outcome<Told> {
    let mut reply = [0; 77];
    let got = connection.send(&request(Op::Info, 0, 0, &vec![b'x'; extra]), &mut reply)?;
    match unpack(&reply[..got.len])[..] {
        [nd, srcnd, pid, tid, chid, scoid, coid, priority, flags, msglen, srcmsglen, dstmsglen] => {
            Ok(Told {
                nd,
                srcnd,
                pid,
                tid,
                chid,
                scoid,
                coid,
                priority,
                flags,
                msglen,
                srcmsglen,
                dstmsglen,
            })
        }
        _ => Err(format!("{} bytes of information", got.len).into()),
    }
}

fn fields(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let told = ask(&connection, 33)?;
    if world.is_remote() {
        ensure!(told.nd != 0, "the client's node is another one: {told:?}");
        ensure_eq!(told.srcnd, world.node().as_raw() as i32);
    } else {
        ensure_eq!((told.nd, told.srcnd), (0, 0));
    }
    ensure_eq!(told.pid, std::process::id() as i32);
    ensure_eq!(told.tid, sys::gettid());
    ensure_eq!(told.chid, server.address.chid);
    ensure!(
        told.scoid & 0x4000_0000 != 0,
        "scoid {:#x} has bit 30",
        told.scoid
    );
    ensure_eq!(told.coid, connection.as_raw_fd());
    ensure_eq!(told.flags, 0);
    ensure_eq!(told.msglen, (HEAD + 33) as i32);
    ensure_eq!(told.srcmsglen, (HEAD + 33) as i32);
    ensure_eq!(told.dstmsglen, 77);
    ensure_eq!(told.priority, 10, "the priority of an ordinary thread");
    Ok(())
}

fn thread(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let (tid, told) = std::thread::spawn(move || {
        let _ = sys::set_nice(10);
        (sys::gettid(), ask(&connection, 0))
    })
    .join()
    .map_err(|_| "the thread panicked")?;
    let told = told?;
    ensure_eq!(told.tid, tid);
    ensure_eq!(told.pid, std::process::id() as i32);
    ensure_eq!(told.priority, 5, "the priority of a nice thread");
    Ok(())
}

fn side_channel(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = ConnectionOptions::new()
        .side_channel(true)
        .attach(server.address)?;
    ensure_eq!(connection.id(), connection.as_raw_fd() | 0x4000_0000);
    ensure_eq!(ask(&connection, 0)?.coid, connection.id());
    ensure_eq!(connection.peer()?, server.address);
    Ok(())
}

/// Two connections of a process have one scoid, and those of two processes two.
fn scoid_is_the_process(world: &World) -> Outcome {
    let server = world.server()?;
    let (one, two) = (server.connect()?, server.connect()?);
    let scoid = ask(&one, 0)?.scoid;
    ensure_eq!(ask(&two, 0)?.scoid, scoid);
    let address = server.address;
    let other = sys::in_child(|| {
        let same = Connection::attach(address)
            .map_err(Into::into)
            .and_then(|connection| ask(&connection, 0))
            .map_or(true, |told| told.scoid == scoid);
        i32::from(same)
    })?;
    ensure_eq!(other, 0, "a child has a scoid of its own");
    Ok(())
}

fn lengths_are_asked_for(_: &World) -> Outcome {
    for (flags, lengths) in [
        (
            ChannelFlags::SENDER_LEN | ChannelFlags::REPLY_LEN,
            Some((8, 5)),
        ),
        (ChannelFlags::default(), None),
    ] {
        let channel = Channel::with_flags(flags)?;
        let connection = Connection::attach(channel.address())?;
        let server = std::thread::spawn(move || {
            let message = channel.receive(&mut [0; 3])?;
            let info = *message.info();
            message.reply(0, &[]).map(|()| info)
        });
        connection.send(b"12345678", &mut [0; 5])?;
        let info = server.join().map_err(|_| "the server panicked")??;
        ensure_eq!(info.len, 3);
        // Without the flags the lengths may be told or not, but never wrong ones.
        let told = (info.source_len, info.reply_len);
        ensure!(
            told == (8, 5) || lengths.is_none() && told == (0, 0),
            "lengths {told:?} with flags {flags:?}"
        );
    }
    Ok(())
}
