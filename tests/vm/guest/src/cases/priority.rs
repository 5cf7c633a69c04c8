// SPDX-License-Identifier: GPL-2.0

//! At which priority a server's thread runs.

use std::{
    sync::Arc,
    thread,
    time::Duration, //
};

use qnet::{
    Address,
    Channel,
    ChannelFlags,
    Connection,
    Error,
    Message,
    Reply, //
};

use super::{
    fails_with,
    Call,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        request,
        unpack,
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
    Case::new("lent_and_given_back", Scope::Local, lent_and_given_back),
    Case::new("real_time", Scope::Local, real_time),
    Case::new("the_same_priority", Scope::Local, the_same_priority),
    Case::new("fixed_priority", Scope::Local, fixed_priority),
    Case::new(
        "another_thread_answers",
        Scope::Local,
        another_thread_answers,
    ),
    Case::new("an_error_gives_back", Scope::Local, an_error_gives_back),
    Case::new("receiving_again", Scope::Local, receiving_again),
    Case::new("msg_current", Scope::Local, msg_current),
    Case::new("the_program_wins", Scope::Local, the_program_wins),
    Case::new("limits", Scope::Local, limits),
    Case::new("the_channel_ends", Scope::Local, the_channel_ends),
    Case::new("the_client_leaves", Scope::Local, the_client_leaves),
    Case::new("a_thread_ends", Scope::Local, a_thread_ends),
    Case::new("it_travels", Scope::Both, it_travels),
];

/// An ordinary thread, and its niceness.
const fn nice(niceness: i32) -> (i32, i32) {
    (libc::SCHED_OTHER, niceness)
}

/// A thread in real time whose own policy is another one.
const fn lifted(priority: i32) -> (i32, i32) {
    (libc::SCHED_RR, priority)
}

/// How the calling thread is scheduled.
fn own() -> Outcome<(i32, i32)> {
    Ok(sys::scheduled(sys::gettid())?)
}

/// A client's thread that sends with the priority that `set` gives it.
fn client(
    address: Address,
    set: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Outcome<Call<Result<Reply, Error>>> {
    Call::start(move || {
        let connection = Connection::attach(address)?;
        set()?;
        connection.send_timeout(b"work", &mut [], PATIENCE)
    })
}

fn receive(channel: &Channel) -> Outcome<Message> {
    Ok(channel.receive_timeout(&mut [0; 16], PATIENCE)?)
}

fn answered(client: Call<Result<Reply, Error>>) -> Outcome {
    client.result()??;
    Ok(())
}

fn lent_and_given_back(_: &World) -> Outcome {
    let channel = Channel::create()?;
    for (theirs, lent) in [(10, 10), (19, 18), (-10, -10), (-20, -20), (4, 4)] {
        let client = client(channel.address(), move || sys::set_nice(theirs))?;
        let message = receive(&channel)?;
        ensure_eq!(own()?, nice(lent));
        message.reply(0, &[])?;
        ensure_eq!(own()?, nice(0));
        answered(client)?;
    }
    Ok(())
}

fn real_time(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let urgent = client(channel.address(), || sys::set_fifo(7))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, lifted(7));
    message.reply(0, &[])?;
    ensure_eq!(own()?, nice(0));
    answered(urgent)?;

    // A thread that is in real time itself keeps its policy there, and goes out of it.
    sys::set_fifo(20)?;
    let urgent = client(channel.address(), || sys::set_fifo(9))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, (libc::SCHED_FIFO, 9));
    message.reply(0, &[])?;
    ensure_eq!(own()?, (libc::SCHED_FIFO, 20));
    answered(urgent)?;
    let ordinary = Call::start({
        let address = channel.address();
        move || {
            sys::set_ordinary()?;
            let connection = Connection::attach(address)?;
            connection.send_timeout(b"work", &mut [], PATIENCE)
        }
    })?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, nice(0));
    message.reply(0, &[])?;
    ensure_eq!(own()?, (libc::SCHED_FIFO, 20));
    answered(ordinary)
}

fn the_same_priority(_: &World) -> Outcome {
    let channel = Channel::create()?;
    sys::set_nice(1)?;
    let client = client(channel.address(), || sys::set_nice(-1))?;
    let message = receive(&channel)?;
    // Both are 10 on Neutrino's scale.
    ensure_eq!(own()?, nice(1));
    message.reply(0, &[])?;
    ensure_eq!(own()?, nice(1));
    answered(client)
}

fn fixed_priority(_: &World) -> Outcome {
    let channel = Channel::with_flags(ChannelFlags::FIXED_PRIORITY)?;
    let client = client(channel.address(), || sys::set_fifo(7))?;
    let message = receive(&channel)?;
    ensure_eq!(message.info().priority, 27);
    ensure_eq!(own()?, nice(0));
    sys::works_for(&channel, message.rcvid().get())?;
    ensure_eq!(own()?, nice(0));
    message.reply(0, &[])?;
    answered(client)
}

fn another_thread_answers(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let client = client(channel.address(), || sys::set_nice(10))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, nice(10));
    let replied = thread::scope(|scope| scope.spawn(|| message.reply(0, &[])).join());
    replied.map_err(|_| "the thread panicked")??;
    ensure_eq!(own()?, nice(0));
    answered(client)
}

fn an_error_gives_back(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let client = client(channel.address(), || sys::set_nice(10))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, nice(10));
    message.error(Error::EPERM)?;
    ensure_eq!(own()?, nice(0));
    fails_with("the send", client.result()?, &[Error::EPERM])?;
    Ok(())
}

fn receiving_again(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let first = client(channel.address(), || sys::set_nice(10))?;
    let one = receive(&channel)?;
    ensure_eq!(own()?, nice(10));
    let second = client(channel.address(), || sys::set_nice(16))?;
    let two = receive(&channel)?;
    ensure_eq!(own()?, nice(16), "the client whose message came last");
    one.reply(0, &[])?;
    ensure_eq!(own()?, nice(16), "the other one is answered");
    two.reply(0, &[])?;
    ensure_eq!(own()?, nice(0));
    answered(first)?;
    answered(second)?;

    let third = client(channel.address(), || sys::set_nice(10))?;
    let three = receive(&channel)?;
    let none = channel.receive_timeout(&mut [0; 16], Duration::ZERO);
    fails_with("a receive of nothing", none, &[Error::ETIMEDOUT])?;
    ensure_eq!(own()?, nice(0), "who receives works for nobody");
    three.reply(0, &[])?;
    ensure_eq!(own()?, nice(0));
    answered(third)
}

fn msg_current(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let first = client(channel.address(), || sys::set_nice(10))?;
    let one = receive(&channel)?;
    let second = client(channel.address(), || sys::set_nice(4))?;
    let two = receive(&channel)?;
    sys::works_for(&channel, one.rcvid().get())?;
    ensure_eq!(own()?, nice(10));
    sys::works_for(&channel, 0)?;
    ensure_eq!(own()?, nice(0));
    sys::works_for(&channel, two.rcvid().get())?;
    ensure_eq!(own()?, nice(4));
    // Another thread works for a client, too.
    let other = thread::scope(|scope| {
        let work = || -> Result<_, Error> {
            sys::works_for(&channel, one.rcvid().get())?;
            sys::scheduled(sys::gettid())
        };
        scope.spawn(work).join()
    });
    ensure_eq!(other.map_err(|_| "the thread panicked")?, Ok(nice(10)));
    let (one_was, two_was) = (one.rcvid().get(), two.rcvid().get());
    one.reply(0, &[])?;
    two.reply(0, &[])?;
    ensure_eq!(own()?, nice(0));
    for rcvid in [one_was, two_was, -1, i32::MAX] {
        fails_with(
            "a message that is no more",
            sys::works_for(&channel, rcvid),
            &[Error::ESRCH],
        )?;
    }
    answered(first)?;
    answered(second)
}

fn the_program_wins(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let one = client(channel.address(), || sys::set_nice(10))?;
    let message = receive(&channel)?;
    sys::set_nice(3)?;
    message.reply(0, &[])?;
    ensure_eq!(own()?, nice(3));
    answered(one)?;

    let two = client(channel.address(), || sys::set_fifo(7))?;
    let message = receive(&channel)?;
    sys::set_fifo(8)?;
    message.reply(0, &[])?;
    ensure_eq!(own()?, (libc::SCHED_FIFO, 8));
    sys::set_ordinary()?;
    answered(two)?;

    // Real time was lent and ends; the niceness is the program's.
    let three = client(channel.address(), || sys::set_fifo(7))?;
    let message = receive(&channel)?;
    sys::set_nice(5)?;
    ensure_eq!(own()?, lifted(7));
    message.reply(0, &[])?;
    ensure_eq!(own()?, nice(5));
    answered(three)
}

/// Receives as a user without privilege, whose limits are these, and tells how that thread ran.
fn unprivileged(channel: &Channel, set: fn() -> Result<(), Error>) -> Outcome<(i32, i32)> {
    let client = client(channel.address(), set)?;
    let ran = thread::scope(|scope| {
        let work = || -> Result<_, Error> {
            sys::become_user(1000, &[])?;
            let message = channel.receive_timeout(&mut [0; 16], PATIENCE)?;
            let ran = sys::scheduled(sys::gettid());
            message.reply(0, &[])?;
            ran
        };
        scope.spawn(work).join()
    });
    answered(client)?;
    Ok(ran.map_err(|_| "the thread panicked")??)
}

fn limits(_: &World) -> Outcome {
    let channel = Channel::create()?;
    sys::limit_priority(0, 0)?;
    ensure_eq!(unprivileged(&channel, || sys::set_fifo(50))?, nice(0));
    ensure_eq!(unprivileged(&channel, || sys::set_nice(-8))?, nice(0));
    ensure_eq!(unprivileged(&channel, || sys::set_nice(8))?, nice(8));
    // 26 is niceness -6.
    sys::limit_priority(5, 26)?;
    ensure_eq!(unprivileged(&channel, || sys::set_fifo(50))?, lifted(5));
    ensure_eq!(unprivileged(&channel, || sys::set_fifo(3))?, lifted(3));
    ensure_eq!(unprivileged(&channel, || sys::set_nice(-8))?, nice(-6));
    // Limits do not concern a privileged thread.
    let client = client(channel.address(), || sys::set_fifo(50))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, lifted(50));
    message.reply(0, &[])?;
    answered(client)
}

fn the_channel_ends(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let client = client(channel.address(), || sys::set_nice(10))?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, nice(10));
    channel.destroy()?;
    ensure_eq!(own()?, nice(0));
    drop(message);
    fails_with("the send", client.result()?, &[Error::ESRCH])?;
    Ok(())
}

fn the_client_leaves(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let address = channel.address();
    let client = Call::start(move || {
        let connection = Connection::attach(address)?;
        sys::set_nice(10)?;
        connection.send_timeout(b"work", &mut [], Duration::from_millis(200))
    })?;
    let message = receive(&channel)?;
    ensure_eq!(own()?, nice(10));
    fails_with("the send", client.result()?, &[Error::ETIMEDOUT])?;
    fails_with("the late reply", message.reply(0, &[]), &[Error::ESRCH])?;
    ensure_eq!(own()?, nice(0));
    Ok(())
}

fn a_thread_ends(world: &World) -> Outcome {
    let channel = Arc::new(Channel::create()?);
    // Threads that end with what was lent to them leave nothing that disturbs the next.
    for _ in 0..world.times(50) {
        let client = client(channel.address(), || sys::set_nice(10))?;
        let theirs = channel.clone();
        let server = Call::start(move || -> Result<_, Error> {
            let message = theirs.receive_timeout(&mut [0; 16], PATIENCE)?;
            let ran = sys::scheduled(sys::gettid())?;
            Ok((message.into_rcvid(), ran))
        })?;
        let (rcvid, ran) = server.result()??;
        ensure_eq!(ran, nice(10));
        qnet::raw::reply(rcvid.get(), 0, qnet::raw::Source::new(&[]))?;
        answered(client)?;
    }
    ensure_eq!(own()?, nice(0));
    Ok(())
}

/// What a server is told, and that its thread has its own priority again for whoever comes next.
fn it_travels(world: &World) -> Outcome {
    let server = world.server()?;
    for (set, told) in [
        ((|| sys::set_nice(8)) as fn() -> Result<(), Error>, 6),
        (|| sys::set_fifo(12), 32),
    ] {
        let connection = server.connect()?;
        let call = Call::start(move || -> Result<_, Error> {
            set()?;
            let mut reply = [0; 64];
            let got = connection.send(&request(Op::Info, 0, 0, &[]), &mut reply)?;
            Ok(unpack(&reply[..got.len]))
        })?;
        let info = call.result()??;
        ensure!(info.get(7) == Some(&told), "priority {:?}", info.get(7));
    }
    Ok(())
}
