// SPDX-License-Identifier: GPL-2.0

//! sendmsg(), recvmsg(), poll() and what is made of them: epoll, SIGIO, io_uring.

use std::{
    os::fd::AsFd,
    sync::Arc,
    thread,
    time::Duration, //
};

use qnet::{
    raw::{
        self,
        Sink, //
    },
    Channel,
    ChannelFlags,
    Collected,
    Connection,
    Error,
    Received,
    Reply,
    Timeout, //
};
use qnet_sys::{
    qnet_cm_answer,
    qnet_cm_post,
    qnet_cm_received,
    qnet_cm_reply,
    QNET_POST_MAX, //
};

use super::{
    echoes,
    fails_with,
    start_send,
    wait_state,
    Call,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    script::{
        pattern,
        range,
        request,
        Op, //
    },
    sys,
    uring::Ring,
    world::{
        World,
        PATIENCE, //
    },
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("post_and_collect", Scope::Both, post_and_collect),
    Case::new("poll_a_connection", Scope::Both, poll_a_connection),
    Case::new("answers_as_they_come", Scope::Both, answers_as_they_come),
    Case::new("any_length", Scope::Both, any_length),
    Case::new(
        "server_reads_and_writes",
        Scope::Both,
        server_reads_and_writes,
    ),
    Case::new("errors", Scope::Both, errors),
    Case::new("truncated", Scope::Both, truncated),
    Case::new("server_dies", Scope::Both, server_dies),
    Case::new("detached_meanwhile", Scope::Both, detached_meanwhile),
    Case::new("so_many_and_no_more", Scope::Both, so_many_and_no_more),
    Case::new("child_has_its_own", Scope::Both, child_has_its_own),
    Case::new(
        "closed_with_messages_out",
        Scope::Both,
        closed_with_messages_out,
    ),
    Case::new("wait_no_longer", Scope::Both, wait_no_longer),
    Case::new("poll_a_channel", Scope::Local, poll_a_channel),
    Case::new("epoll_and_sigio", Scope::Local, epoll_and_sigio),
    Case::new("serve_by_messages", Scope::Local, serve_by_messages),
    Case::new(
        "client_that_is_stopped",
        Scope::Local,
        client_that_is_stopped,
    ),
    Case::new("receive_buffer", Scope::Remote, receive_buffer),
    Case::new("peer_credentials", Scope::Local, peer_credentials),
    Case::new("wrong_arguments", Scope::Local, wrong_arguments),
    Case::new("io_uring_client", Scope::Both, io_uring_client),
    Case::new("io_uring_server", Scope::Local, io_uring_server),
];

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;
const HUP: i16 = libc::POLLHUP;
const AT_ONCE: Duration = Duration::ZERO;

/// A connection to a channel of this process.
fn to(channel: &Channel) -> Outcome<Connection> {
    Ok(Connection::attach(channel.address())?)
}

fn echo(number: u32, length: usize) -> Vec<u8> {
    request(Op::Echo, 0, i64::from(number), &pattern(number, length))
}

/// Waits for an answer, and looks at its cookie.
fn answer(connection: &Connection, cookie: u64, reply: &mut [u8]) -> Outcome<Reply> {
    ensure!(
        sys::poll(connection, IN, PATIENCE)? & IN != 0,
        "no answer comes for {cookie}"
    );
    let Collected {
        cookie: mine,
        result,
    } = connection.collect(reply)?;
    ensure_eq!(mine, cookie, "the cookie");
    Ok(result?)
}

fn post_and_collect(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 2048];
    for round in 0..world.times(100) {
        let messages: Vec<_> = (0..5)
            .map(|n| echo(round * 5 + n, 100 * n as usize))
            .collect();
        for (cookie, message) in (7..).zip(&messages) {
            connection.post(message, 2048, cookie)?;
        }
        for (cookie, message) in (7..).zip(&messages) {
            let got = connection.collect(&mut reply)?;
            ensure_eq!(got.cookie, cookie);
            ensure_eq!(got.result?.len, message.len());
            ensure!(
                reply[..message.len()] == message[..],
                "round {round}: other bytes"
            );
        }
    }
    connection.post(&request(Op::Status, 0, -77, b"four"), 2048, 1)?;
    let got = answer(&connection, 1, &mut reply)?;
    ensure_eq!((got.status, &reply[..got.len]), (-77, &b"four"[..]));
    echoes(&connection)
}

fn poll_a_connection(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    ensure_eq!(
        sys::poll(&connection, IN | OUT, AT_ONCE)?,
        OUT,
        "of a new one"
    );
    sys::set_nonblocking(&connection, true)?;
    let none = connection.collect(&mut []);
    fails_with("nothing was sent", none, &[Error::EAGAIN])?;
    // Connecting to another node takes a moment, in which nothing else can be sent.
    connection.post(&request(Op::Hold, 1, 0, &[]), 64, 1)?;
    server.wait_held(1)?;
    ensure_eq!(sys::poll(&connection, IN, AT_ONCE)?, 0, "before the answer");
    ensure_eq!(sys::poll(&connection, IN | OUT, PATIENCE)?, OUT, "still");
    let polling = connection.as_fd().try_clone_to_owned()?;
    let poll = Call::start(move || sys::poll(&polling, IN, PATIENCE))?;
    poll.wait_asleep()?;
    server.ask(Op::Release, 5)?;
    ensure_eq!(poll.result()??, IN, "with an answer");
    ensure_eq!(answer(&connection, 1, &mut [])?.status, 5);
    ensure_eq!(
        sys::poll(&connection, IN | OUT, AT_ONCE)?,
        OUT,
        "after that"
    );
    sys::set_nonblocking(&connection, false)?;
    echoes(&connection)
}

fn answers_as_they_come(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 64];
    connection.post(&request(Op::Hold, 1, 0, &[]), 64, 1)?;
    connection.post(&request(Op::Status, 0, 2, &[]), 64, 2)?;
    connection.post(&request(Op::Status, 0, 3, &[]), 64, 3)?;
    ensure_eq!(answer(&connection, 2, &mut reply)?.status, 2);
    ensure_eq!(answer(&connection, 3, &mut reply)?.status, 3);
    // A thread that waits does not disturb one that sends in the usual way.
    let connection = Arc::new(connection);
    let waiting = connection.clone();
    let collect = Call::start(move || waiting.collect(&mut [0; 64]))?;
    collect.wait_asleep()?;
    echoes(&connection)?;
    server.wait_held(1)?;
    server.ask(Op::Release, 1)?;
    ensure_eq!(collect.result()??.result?.status, 1);
    Ok(())
}

fn any_length(world: &World) -> Outcome {
    let server = world.server()?;
    let mut reply = vec![0; QNET_POST_MAX as usize];
    for length in [
        0,
        1,
        1000,
        1500,
        8192,
        8193,
        40_000,
        QNET_POST_MAX as usize - 16,
    ] {
        // Of the first message of a connection to another node a part goes with the CONNECT.
        let connection = server.connect()?;
        for number in 0..3 {
            let message = echo(number, length);
            connection.post(&message, QNET_POST_MAX, 9)?;
            let got = answer(&connection, 9, &mut reply)?;
            ensure!(reply[..got.len] == message[..], "{length} bytes are others");
        }
    }
    let connection = server.connect()?;
    let long = vec![0; QNET_POST_MAX as usize + 1];
    fails_with("too long", connection.post(&long, 0, 0), &[Error::EMSGSIZE])?;
    let room = connection.post(&[], QNET_POST_MAX + 1, 0);
    fails_with("too much room", room, &[Error::EMSGSIZE])?;
    Ok(())
}

fn server_reads_and_writes(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = vec![0; 60_000];
    let data = pattern(3, 60_000);
    let message = request(Op::Read, 0, range(30_000, 20_000), &data);
    connection.post(&message, 60_000, 1)?;
    let got = answer(&connection, 1, &mut reply)?;
    ensure_eq!(got.status, 20_000);
    ensure!(reply[..got.len] == message[30_000..50_000], "other bytes");

    connection.post(&request(Op::Write, 0, range(0, 50_000), &[]), 60_000, 2)?;
    let got = answer(&connection, 2, &mut reply)?;
    ensure_eq!((got.status, got.len), (50_000, 50_000));
    let written = reply[..50_000].to_vec();

    connection.post(
        &request(Op::WriteAndReply, 0, range(0, 50_000), &[]),
        60_000,
        3,
    )?;
    let got = answer(&connection, 3, &mut reply)?;
    ensure_eq!(got.len, 50_000);
    ensure!(
        reply[10..50_000] == written[10..],
        "what was written is another"
    );

    // Not more than there is room for.
    connection.post(&request(Op::ReplyLength, 0, 60_000, &[]), 100, 4)?;
    ensure_eq!(answer(&connection, 4, &mut reply)?.len, 100);
    Ok(())
}

fn errors(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = request(Op::Error, 0, i64::from(libc::ENOTTY), &[]);
    connection.post(&message, 0, 4)?;
    let got = connection.collect(&mut [])?;
    ensure_eq!(
        (got.cookie, got.result),
        (4, Err(Error::from_errno(libc::ENOTTY)))
    );
    // Who has no room for a control message is told all the same, and loses the cookie.
    raw::sendmsg::<qnet_cm_post>(connection.as_fd(), &message, None, 0)?;
    let mut byte = [0u8];
    let got = sys::receive(&connection, &mut byte);
    fails_with("recv()", got, &[Error::from_errno(libc::ENOTTY)])?;
    raw::sendmsg::<qnet_cm_post>(connection.as_fd(), b"plain", None, 0)?;
    let mut reply = [0; 64];
    let got = sys::read(&connection, &mut reply)?;
    ensure_eq!(&reply[..got], b"plain");
    Ok(())
}

fn truncated(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let message = echo(1, 500);
    for (flags, len) in [(0, 100), (libc::MSG_TRUNC, message.len())] {
        connection.post(&message, 1000, 0)?;
        let mut reply = [0; 100];
        let got: raw::Got<qnet_cm_answer> = raw::recvmsg(connection.as_fd(), &mut reply, flags)?;
        ensure_eq!((got.len, got.flags), (len, libc::MSG_TRUNC));
        ensure!(reply[..] == message[..100], "other bytes");
    }
    Ok(())
}

fn server_dies(world: &World) -> Outcome {
    let mut server = world.server()?;
    let connection = server.connect()?;
    connection.post(&request(Op::Hold, 1, 0, &[]), 64, 1)?;
    connection.post(&request(Op::Hold, 2, 0, &[]), 64, 2)?;
    server.wait_held(2)?;
    server.kill()?;
    for cookie in [1, 2] {
        let got = connection.collect(&mut [])?;
        ensure_eq!((got.cookie, got.result), (cookie, Err(Error::ESRCH)));
    }
    let hung_up = sys::within(PATIENCE, || {
        let now = sys::poll(&connection, IN, PATIENCE).ok()?;
        (now & HUP != 0).then_some(())
    });
    ensure!(hung_up.is_some(), "nobody hangs up");
    fails_with(
        "nothing is out",
        connection.collect(&mut []),
        &[Error::EBADF],
    )?;
    fails_with("another one", connection.post(&[1], 0, 0), &[Error::EBADF])?;
    Ok(())
}

fn detached_meanwhile(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = Arc::new(server.connect()?);
    connection.post(&request(Op::Hold, 1, 0, &[]), 64, 1)?;
    server.wait_held(1)?;
    let waiting = connection.clone();
    let collect = Call::start(move || waiting.collect(&mut [0; 64]))?;
    collect.wait_asleep()?;
    connection.detach()?;
    let got = collect.result()?;
    // It may have been told of its message, or of the connection.
    ensure!(
        got == Err(Error::EBADF) || got.is_ok_and(|got| got.result == Err(Error::EBADF)),
        "{got:?}"
    );
    ensure!(
        sys::poll(&connection, IN, AT_ONCE)? & HUP != 0,
        "not hung up"
    );
    fails_with("after that", connection.post(&[1], 0, 0), &[Error::EBADF])?;
    Ok(())
}

fn so_many_and_no_more(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    echoes(&connection)?;
    sys::set_nonblocking(&connection, true)?;
    let mut out = 0;
    let full = loop {
        match connection.post(&request(Op::Hold, 0, 0, &[]), 64, out) {
            Ok(()) => out += 1,
            // The session may have no room for a moment.
            Err(Error::EAGAIN) if sys::poll(&connection, OUT, Duration::from_secs(1))? == 0 => {
                break Error::EAGAIN;
            }
            Err(Error::EAGAIN) => {}
            Err(error) => break error,
        }
    };
    ensure_eq!((full, out), (Error::EAGAIN, 256));
    server.wait_held(256)?;
    server.ask(Op::Release, 0)?;
    answer(&connection, 0, &mut [])?;
    ensure_eq!(
        sys::poll(&connection, OUT, AT_ONCE)?,
        OUT,
        "with room again"
    );
    connection.post(&echo(1, 10), 64, 256)?;
    for cookie in 1..=256 {
        answer(&connection, cookie, &mut [0; 64])?;
    }
    Ok(())
}

fn child_has_its_own(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    connection.post(&request(Op::Hold, 1, 0, &[]), 64, 1)?;
    server.wait_held(1)?;
    let status = sys::in_child(|| {
        let mine = connection
            .post(&request(Op::Status, 0, 42, &[]), 64, 2)
            .and_then(|()| connection.collect(&mut []));
        match mine {
            Ok(got) if got.cookie == 2 => got.result.map_or(1, |reply| reply.status as i32),
            _ => 1,
        }
    })?;
    ensure_eq!(status, 42);
    // What a child leaves behind ends with it.
    let status = sys::in_child(|| {
        let posted = connection.post(&request(Op::Hold, 2, 0, &[]), 64, 3);
        i32::from(posted.is_err() || server.wait_held(2).is_err())
    })?;
    ensure_eq!(status, 0);
    server.ask(Op::Release, 7)?;
    ensure_eq!(sys::poll(&connection, IN, PATIENCE)?, IN);
    // The answer is the parent's.
    let status = sys::in_child(|| match sys::poll(&connection, IN | OUT, AT_ONCE) {
        Ok(OUT) => 0,
        _ => 1,
    })?;
    ensure_eq!(status, 0);
    ensure_eq!(answer(&connection, 1, &mut [])?.status, 7);
    echoes(&connection)
}

/// Messages whose sender does not come back for the answers disturb nobody.
fn closed_with_messages_out(world: &World) -> Outcome {
    let server = world.server()?;
    for _ in 0..world.times(50) {
        let connection = server.connect()?;
        for cookie in 0..4 {
            connection.post(&echo(1, 5000), 8000, cookie)?;
        }
    }
    let connection = server.connect()?;
    connection.post(&request(Op::Hold, 0, 0, &[]), 64, 0)?;
    server.wait_held(1)?;
    drop(connection);
    let (_, told) = server.ask(Op::Release, 0)?;
    ensure!(
        told == [Error::ESRCH.errno()] || world.is_remote(),
        "the answer to nobody: {told:?}"
    );
    echoes(&server.connect()?)
}

fn wait_no_longer(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let tenth = libc::timeval {
        tv_sec: 0,
        tv_usec: 100_000,
    };
    sys::set_option(&connection, libc::SO_RCVTIMEO, tenth)?;
    connection.post(&request(Op::Hold, 0, 0, &[]), 64, 0)?;
    let before = sys::now();
    fails_with("no answer", connection.collect(&mut []), &[Error::EAGAIN])?;
    ensure!(sys::now() - before >= 90_000_000, "it did not wait");
    server.wait_held(1)?;
    server.ask(Op::Release, 3)?;
    ensure_eq!(answer(&connection, 0, &mut [])?.status, 3);
    Ok(())
}

fn poll_a_channel(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(to(&channel)?);
    ensure_eq!(sys::poll(&channel, IN | OUT, AT_ONCE)?, OUT, "of a new one");
    let polling = channel.as_fd().try_clone_to_owned()?;
    let poll = Call::start(move || sys::poll(&polling, IN, PATIENCE))?;
    poll.wait_asleep()?;
    connection.send_pulse(1, 2)?;
    ensure_eq!(poll.result()??, IN, "with a pulse");
    let received = channel.receive_any(&mut [], Timeout::NOW)?;
    ensure!(matches!(received, Received::Pulse(_)), "{received:?}");
    ensure_eq!(sys::poll(&channel, IN, AT_ONCE)?, 0, "after that");
    let call = start_send(&connection, b"message".to_vec())?;
    ensure_eq!(sys::poll(&channel, IN, PATIENCE)?, IN, "with a message");
    channel.receive(&mut [0; 64])?.reply(0, &[])?;
    call.result()??;
    ensure_eq!(sys::poll(&channel, IN, AT_ONCE)?, 0, "after the message");
    channel.destroy()?;
    ensure!(sys::poll(&channel, IN, AT_ONCE)? & HUP != 0, "not hung up");
    ensure!(
        sys::poll(&*connection, IN, AT_ONCE)? & HUP != 0,
        "nor the client"
    );
    Ok(())
}

fn epoll_and_sigio(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = to(&channel)?;
    let epoll = sys::Epoll::new()?;
    epoll.add(&channel, 1)?;
    epoll.add(&connection, 2)?;
    ensure_eq!(epoll.wait(AT_ONCE)?, None);
    connection.post(b"hello", 64, 3)?;
    ensure_eq!(epoll.wait(PATIENCE)?, Some(1));
    channel.receive(&mut [0; 64])?.reply(9, &[])?;
    ensure_eq!(epoll.wait(PATIENCE)?, Some(2));
    ensure_eq!(answer(&connection, 3, &mut [])?.status, 9);
    ensure_eq!(epoll.wait(AT_ONCE)?, None);
    let told = sys::Told::of(libc::SIGIO)?;
    sys::set_asynchronous(&channel)?;
    connection.send_pulse(1, 1)?;
    told.wait(PATIENCE)?;
    Ok(())
}

/// The server's side, by recvmsg() and sendmsg() alone.
fn serve_by_messages(_: &World) -> Outcome {
    let channel = Channel::with_flags(ChannelFlags::DISCONNECT)?;
    let connection = Arc::new(to(&channel)?);
    let fd = channel.as_fd();
    let mut bytes = [0; 16];
    let call = start_send(&connection, b"a message of more than 16 bytes".to_vec())?;
    let got: raw::Got<qnet_cm_received> = raw::recvmsg(fd, &mut bytes, 0)?;
    let received = got.control.ok_or("no control message")?;
    ensure_eq!((got.len, got.flags), (16, libc::MSG_TRUNC));
    ensure_eq!(&bytes, b"a message of mor");
    ensure_eq!(received.info.pid, std::process::id() as i32);
    ensure_eq!((received.info.msglen, received.info.srcmsglen), (16, 31));
    let reply = qnet_cm_reply {
        rcvid: received.rcvid,
        status: 12,
        error: 0,
    };
    ensure_eq!(raw::sendmsg(fd, b"answer", Some(&reply), 0)?, 6);
    ensure_eq!(call.result()??, Reply { status: 12, len: 6 });
    let late = raw::sendmsg(fd, b"answer", Some(&reply), 0);
    fails_with("a second answer", late, &[Error::ESRCH])?;

    let call = start_send(&connection, b"fail".to_vec())?;
    let got: raw::Got<qnet_cm_received> = raw::recvmsg(fd, &mut bytes, 0)?;
    let reply = qnet_cm_reply {
        rcvid: got.control.ok_or("no control message")?.rcvid,
        error: libc::EDOM,
        status: 0,
    };
    raw::sendmsg(fd, &[], Some(&reply), 0)?;
    fails_with("the send", call.result()?, &[Error::from_errno(libc::EDOM)])?;

    connection.send_pulse(17, -4)?;
    let got: raw::Got<qnet_cm_received> = raw::recvmsg(fd, &mut bytes, libc::MSG_DONTWAIT)?;
    let pulse = got.control.ok_or("no control message")?;
    ensure_eq!((got.len, pulse.rcvid), (0, 0));
    ensure_eq!((pulse.pulse.code, pulse.pulse.value), (17, -4));
    let none = raw::recvmsg::<qnet_cm_received>(fd, &mut bytes, libc::MSG_DONTWAIT);
    fails_with("nothing there", none.map(|got| got.len), &[Error::EAGAIN])?;
    Ok(())
}

/// A client that is stopped keeps no server: what is to be had without it is received.
fn client_that_is_stopped(_: &World) -> Outcome {
    const LENGTH: usize = 200_000;
    let channel = Channel::create()?;
    let address = channel.address();
    let message = pattern(5, LENGTH);
    let stopped = || -> Outcome<i32> {
        let client = sys::fork(|| {
            let sent = Connection::attach(address).and_then(|to| to.send(&message, &mut []));
            sent.map_or(99, |reply| reply.status as i32)
        })?;
        sys::poll(&channel, IN, PATIENCE)?;
        sys::kill(client, libc::SIGSTOP)?;
        wait_state(client, 'T')?;
        Ok(client)
    };
    let go_on = |client, got: &[u8], rcvid| -> Outcome {
        ensure!(got == &message[..got.len()], "other bytes");
        ensure!(got.len() < 150_000, "{} bytes were received", got.len());
        let mut rest = vec![0; LENGTH - got.len()];
        let soon = Timeout::after(Duration::from_millis(50));
        let read = raw::read(rcvid, got.len(), Sink::new(&mut rest), soon);
        fails_with("reading from it", read, &[Error::ETIMEDOUT])?;
        sys::kill(client, libc::SIGCONT)?;
        let read = raw::read(rcvid, got.len(), Sink::new(&mut rest), Timeout::NEVER)?;
        ensure_eq!(read, rest.len());
        ensure!(rest == message[got.len()..], "the rest is another");
        raw::reply(rcvid, 3, raw::Source::new(&[]))?;
        ensure_eq!(sys::wait(client)?, 3, "the status of the client's send");
        Ok(())
    };
    let mut bytes = vec![0; 150_000];

    let client = stopped()?;
    let fd = channel.as_fd();
    let got: raw::Got<qnet_cm_received> = raw::recvmsg(fd, &mut bytes, libc::MSG_DONTWAIT)?;
    let received = got.control.ok_or("no control message")?;
    ensure_eq!(received.info.srcmsglen, LENGTH as i64);
    ensure_eq!(received.info.msglen, got.len as i64);
    go_on(client, &bytes[..got.len], received.rcvid)?;

    let client = stopped()?;
    let got = channel.receive(&mut bytes)?;
    ensure_eq!(got.info().source_len, LENGTH);
    let length = got.len();
    go_on(client, &bytes[..length], got.into_rcvid().get())
}

/// What waits in a channel has a limit, beyond which the other node is to try again.
fn receive_buffer(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut reply = [0; 64];
    let set = connection.send(&request(Op::ReceiveBuffer, 0, 4000, &[]), &mut reply)?;
    ensure_eq!(set.status, 0);
    connection.send(&request(Op::Pause, 0, 0, &[]), &mut [])?;
    // SO_RCVBUF doubles what it is told: there is room for two of these.
    for cookie in 0..3 {
        connection.post(&echo(1, 3000), 4000, cookie)?;
    }
    let got = connection.collect(&mut reply)?;
    ensure_eq!((got.cookie, got.result), (2, Err(Error::EAGAIN)));
    // Who waits does not hear of it.
    let connection = Arc::new(connection);
    let call = start_send(&connection, echo(2, 20))?;
    call.wait_asleep()?;
    let calls: Vec<_> = (0..4)
        .map(|_| start_send(&connection, echo(2, 3000)))
        .collect::<Outcome<_>>()?;
    thread::sleep(Duration::from_millis(50));
    server.ask(Op::Resume, 0)?;
    for cookie in 0..2 {
        answer(&connection, cookie, &mut [0; 4000])?;
    }
    call.result()??;
    for call in calls {
        call.result()??;
    }
    Ok(())
}

fn peer_credentials(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let peer = sys::peer_credentials(&connection)?;
    ensure_eq!((peer.pid, peer.uid, peer.gid), (server.address.pid, 0, 0));
    Ok(())
}

fn wrong_arguments(_: &World) -> Outcome {
    let control = sys::socket(raw::family(), libc::SOCK_SEQPACKET, 0)?;
    let channel = Channel::create()?;
    let connection = to(&channel)?;
    let post = qnet_cm_post::default();
    let reply = qnet_cm_reply::default();
    let sent = |fd, result: Result<usize, Error>, error| -> Outcome {
        fails_with(fd, result, &[error]).map(drop)
    };
    let not_connected = raw::sendmsg(control.as_fd(), &[], Some(&post), 0);
    sent("a control socket", not_connected, Error::ENOTCONN)?;
    let other = raw::sendmsg(connection.as_fd(), &[], Some(&reply), 0);
    sent("another control message", other, Error::EINVAL)?;
    let none = raw::sendmsg::<qnet_cm_reply>(channel.as_fd(), &[], None, 0);
    sent("an answer to nobody", none, Error::EINVAL)?;
    let flags = raw::sendmsg(connection.as_fd(), &[], Some(&post), libc::MSG_OOB);
    sent("flags", flags, Error::ENOTSUP)?;
    let nobody = raw::sendmsg(channel.as_fd(), &[], Some(&reply), 0);
    sent("rcvid 0", nobody, Error::ESRCH)?;
    let peek = raw::recvmsg::<qnet_cm_answer>(connection.as_fd(), &mut [], libc::MSG_PEEK);
    sent("peeking", peek.map(|got| got.len), Error::ENOTSUP)?;
    let hung_up = sys::poll(&control, IN | OUT, AT_ONCE)?;
    ensure!(hung_up & HUP != 0, "a control socket is open");
    // Without room for the rcvid the message stays where it is.
    connection.send_pulse(1, 1)?;
    let mut byte = [0u8];
    let read = sys::read(&channel, &mut byte);
    fails_with("read()", read, &[Error::EINVAL])?;
    channel.receive_pulse(Timeout::NOW)?;
    Ok(())
}

/// A client that has io_uring wait for the answers of many messages.
fn io_uring_client(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let messages: Vec<_> = (0..20).map(|n| echo(n, 50 * n as usize)).collect();
    let mut replies = vec![[0; 2048]; messages.len()];
    let mut ring = Ring::new(64)?;
    for (message, reply) in messages.iter().zip(&mut replies) {
        // The receives are there first, and wait.
        ring.receive(&connection, reply)?;
        ring.send(&connection, message)?;
    }
    let lengths = ring.finish()?.results;
    let told: usize = lengths.iter().flatten().sum();
    let sent: usize = messages.iter().map(Vec::len).sum();
    ensure_eq!(told, 2 * sent, "bytes of {lengths:?}");
    for (n, message) in messages.iter().enumerate() {
        let answered = replies.iter().any(|reply| reply.starts_with(message));
        ensure!(answered, "nothing answers message {n}");
    }
    echoes(&connection)
}

/// A server that has io_uring receive.
fn io_uring_server(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Arc::new(to(&channel)?);
    for round in 0..5u8 {
        let mut bytes = [0; 64];
        let mut ring = Ring::new(8)?;
        ring.receive_control(&channel, &mut bytes)?;
        let call = start_send(&connection, vec![round; 5])?;
        let done = ring.finish()?;
        ensure_eq!(done.results, [Ok(5)]);
        let received: qnet_cm_received = done.control(0).ok_or("no control message")?;
        ensure_eq!(bytes[..5], [round; 5]);
        let reply = qnet_cm_reply {
            rcvid: received.rcvid,
            status: i64::from(round),
            error: 0,
        };
        raw::sendmsg(channel.as_fd(), &[], Some(&reply), 0)?;
        ensure_eq!(call.result()??.status, i64::from(round));
    }
    Ok(())
}
