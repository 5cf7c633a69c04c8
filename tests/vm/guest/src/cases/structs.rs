// SPDX-License-Identifier: GPL-2.0

//! Structures, right and wrong, as a program might pass them to the module.

use std::{
    os::fd::AsRawFd,
    thread, //
};

use qnet::{
    raw,
    Channel,
    Connection,
    Error, //
};
use qnet_sys::*;

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
        request,
        Op, //
    },
    sys::{
        self,
        Edge, //
    },
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("unknown_ioctl", Scope::Local, unknown_ioctl),
    Case::new("wrong_pointer", Scope::Local, wrong_pointer),
    Case::new("sizes", Scope::Local, sizes),
    Case::new("reserved_fields", Scope::Local, reserved_fields),
    Case::new("bad_buffers", Scope::Both, bad_buffers),
    Case::new("bad_timeouts", Scope::Local, bad_timeouts),
    Case::new("wrong_kind_of_socket", Scope::Local, wrong_kind_of_socket),
    Case::new("fault_in_the_message", Scope::Both, fault_in_the_message),
    Case::new(
        "fault_in_the_reply_buffer",
        Scope::Both,
        fault_in_the_reply_buffer,
    ),
    Case::new(
        "fault_in_the_receive_buffer",
        Scope::Local,
        fault_in_the_receive_buffer,
    ),
    Case::new("fault_in_the_reply", Scope::Both, fault_in_the_reply),
    Case::new("unknown_rcvid", Scope::Local, unknown_rcvid),
    Case::new("bad_error_numbers", Scope::Local, bad_error_numbers),
    Case::new("outputs_are_written", Scope::Local, outputs_are_written),
    Case::new(
        "what_did_not_come_is_zero",
        Scope::Local,
        what_did_not_come_is_zero,
    ),
];

/// The size field of a structure.
fn size<T>() -> u32 {
    size_of::<T>() as u32
}

fn version() -> qnet_version {
    qnet_version {
        size: size::<qnet_version>(),
        ..Default::default()
    }
}

fn send() -> qnet_send {
    qnet_send {
        size: size::<qnet_send>(),
        ..Default::default()
    }
}

/// A receive that does not wait.
fn receive() -> qnet_receive {
    qnet_receive {
        size: size::<qnet_receive>(),
        timeout: qnet_timeout {
            ns: 0,
            states: QNET_TIMEOUT_RECEIVE,
            reserved: 0,
        },
        ..Default::default()
    }
}

fn reply() -> qnet_reply {
    qnet_reply {
        size: size::<qnet_reply>(),
        ..Default::default()
    }
}

fn error() -> qnet_error {
    qnet_error {
        size: size::<qnet_error>(),
        ..Default::default()
    }
}

fn transfer() -> qnet_transfer {
    qnet_transfer {
        size: size::<qnet_transfer>(),
        ..Default::default()
    }
}

fn node_name() -> qnet_node_name {
    qnet_node_name {
        size: size::<qnet_node_name>(),
        ..Default::default()
    }
}

/// An ioctl whose structure points to the caller's memory or to none.
fn call<T>(fd: &impl AsRawFd, number: u32, mut argument: T) -> Result<i64, Error> {
    // SAFETY: The tests of this file put the addresses of their own buffers into structures, or
    // addresses where nothing is.
    unsafe { sys::ioctl_on(fd, number, &mut argument) }
}

/// A channel of this process and a connection to it.
fn pair() -> Outcome<(Channel, Connection)> {
    let channel = Channel::create()?;
    let connection = Connection::attach(channel.address())?;
    Ok((channel, connection))
}

fn unknown_ioctl(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    for number in [0x70, 0x7f, 0xff] {
        let number = (u32::from(QNET_IOC_MAGIC) << 8) | number;
        fails_with(
            "an unknown call",
            call(&channel, number, 0u64),
            &[Error::ENOTTY],
        )?;
        fails_with(
            "an unknown call",
            call(&connection, number, 0u64),
            &[Error::ENOTTY],
        )?;
    }
    for other in [0x8901 + 0x7000, 0x1234_5678, 0x5401] {
        let wanted = [Error::ENOTTY, Error::EINVAL];
        fails_with("another's call", call(&channel, other, [0u64; 16]), &wanted)?;
    }
    Ok(())
}

fn wrong_pointer(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    for pointer in [0, 8, 0x7fff_ffff_f000, 0xffff_8000_0000_0000, u64::MAX - 64] {
        for number in [
            QNET_IOC_VERSION,
            QNET_IOC_STRTOND,
            QNET_IOC_REPLY,
            QNET_IOC_ERROR,
            QNET_IOC_READ,
            QNET_IOC_WRITE,
        ] {
            // SAFETY: There is nothing at these addresses, which is for the kernel to find out.
            let result = unsafe { sys::ioctl(&channel, number, pointer) };
            fails_with("a wrong pointer", result, &[Error::EFAULT])?;
        }
        // SAFETY: As above.
        let result = unsafe { sys::ioctl(&channel, QNET_IOC_RECEIVE, pointer) };
        fails_with("a receive", result, &[Error::EFAULT])?;
        // SAFETY: As above.
        let result = unsafe { sys::ioctl(&connection, QNET_IOC_SEND, pointer) };
        fails_with("a send", result, &[Error::EFAULT])?;
    }
    // A structure whose end is not there, though its size says so.
    let mut edge = Edge::new()?;
    let cut = edge.put(&size::<qnet_version>().to_ne_bytes());
    // SAFETY: The four bytes are in the test's own mapping, and nothing is behind them.
    let result = unsafe { sys::ioctl(&channel, QNET_IOC_VERSION, cut) };
    fails_with("half a structure", result, &[Error::EFAULT])?;
    Ok(())
}

/// A structure with bytes behind it, which a longer one of the future might have.
#[repr(C)]
struct Longer<T, const MORE: usize> {
    inner: T,
    more: [u8; MORE],
}

/// The number of an ioctl with a structure of another size.
fn sized(number: u32, size: u32) -> u32 {
    (number & !(0x3fff << 16)) | (size << 16)
}

/// An ioctl on a structure whose number and size field both say `size`.
fn call_sized<T>(fd: &impl AsRawFd, number: u32, size: u32, argument: T) -> Result<i64, Error> {
    call(fd, sized(number, size), argument)
}

fn sizes(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let einval = [Error::EINVAL];
    for size in [0, 1, 4, 7, 8, 15] {
        // With the usual number, then with one that agrees with the structure.
        let bad = qnet_version { size, ..version() };
        fails_with("a version", call(&channel, QNET_IOC_VERSION, bad), &einval)?;
        fails_with(
            "a version",
            call_sized(&channel, QNET_IOC_VERSION, size, bad),
            &einval,
        )?;
        let bad = qnet_send { size, ..send() };
        fails_with("a send", call(&connection, QNET_IOC_SEND, bad), &einval)?;
        fails_with(
            "a send",
            call_sized(&connection, QNET_IOC_SEND, size, bad),
            &einval,
        )?;
        let bad = qnet_receive { size, ..receive() };
        fails_with("a receive", call(&channel, QNET_IOC_RECEIVE, bad), &einval)?;
        fails_with(
            "a receive",
            call_sized(&channel, QNET_IOC_RECEIVE, size, bad),
            &einval,
        )?;
        let bad = qnet_reply { size, ..reply() };
        fails_with("a reply", call(&channel, QNET_IOC_REPLY, bad), &einval)?;
        fails_with(
            "a reply",
            call_sized(&channel, QNET_IOC_REPLY, size, bad),
            &einval,
        )?;
        let bad = qnet_error { size, ..error() };
        fails_with("an error", call(&channel, QNET_IOC_ERROR, bad), &einval)?;
        fails_with(
            "an error",
            call_sized(&channel, QNET_IOC_ERROR, size, bad),
            &einval,
        )?;
        let bad = qnet_transfer { size, ..transfer() };
        for number in [QNET_IOC_READ, QNET_IOC_WRITE] {
            fails_with("a transfer", call(&channel, number, bad), &einval)?;
            fails_with(
                "a transfer",
                call_sized(&channel, number, size, bad),
                &einval,
            )?;
        }
        let bad = qnet_node_name {
            size,
            ..node_name()
        };
        for number in [QNET_IOC_STRTOND, QNET_IOC_NDTOSTR] {
            fails_with("a name", call(&channel, number, bad), &einval)?;
            fails_with("a name", call_sized(&channel, number, size, bad), &einval)?;
        }
    }
    longer::<4>(&channel)?;
    longer::<24>(&channel)?;
    longer::<200>(&channel)?;
    longer::<4000>(&channel)?;
    // What nobody can have meant, with a size that no structure has.
    let huge = qnet_version {
        size: 0x3fff,
        ..version()
    };
    let wanted = [Error::E2BIG, Error::EFAULT, Error::EINVAL];
    let result = call_sized(&channel, QNET_IOC_VERSION, 0x3fff, huge);
    fails_with("a huge structure", result, &wanted)?;
    Ok(())
}

/// A structure of a later version: taken while what this one does not know is zero.
fn longer<const MORE: usize>(channel: &Channel) -> Outcome {
    let size = size::<Longer<qnet_version, MORE>>();
    let longer = |more| Longer {
        inner: qnet_version { size, ..version() },
        more,
    };
    let zero = longer([0; MORE]);
    ensure_eq!(
        call_sized(channel, QNET_IOC_VERSION, size, zero),
        Ok(0),
        "{MORE} more bytes"
    );
    for at in [0, MORE / 2, MORE - 1] {
        let mut more = [0; MORE];
        more[at] = 1;
        let result = call_sized(channel, QNET_IOC_VERSION, size, longer(more));
        fails_with("what this version does not know", result, &[Error::E2BIG])?;
    }
    Ok(())
}

fn reserved_fields(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let einval = [Error::EINVAL];
    let bad = qnet_version {
        reserved: 1,
        ..version()
    };
    fails_with("a version", call(&channel, QNET_IOC_VERSION, bad), &einval)?;
    let buffer = qnet_buf {
        reserved: 1,
        ..Default::default()
    };
    let timeout = qnet_timeout {
        reserved: 1,
        ..Default::default()
    };
    for bad in [
        qnet_send { flags: 1, ..send() },
        qnet_send {
            reserved: 1,
            ..send()
        },
        qnet_send {
            send: buffer,
            ..send()
        },
        qnet_send {
            reply: buffer,
            ..send()
        },
        qnet_send { timeout, ..send() },
    ] {
        fails_with("a send", call(&connection, QNET_IOC_SEND, bad), &einval)?;
    }
    let waits = receive().timeout;
    for bad in [
        qnet_receive {
            flags: 2,
            ..receive()
        },
        qnet_receive {
            reserved: 1,
            ..receive()
        },
        qnet_receive {
            buf: buffer,
            ..receive()
        },
        qnet_receive {
            timeout: qnet_timeout {
                reserved: 1,
                ..waits
            },
            ..receive()
        },
    ] {
        fails_with("a receive", call(&channel, QNET_IOC_RECEIVE, bad), &einval)?;
    }
    for bad in [
        qnet_reply {
            flags: 1,
            ..reply()
        },
        qnet_reply {
            reserved: 1,
            ..reply()
        },
        qnet_reply {
            buf: buffer,
            ..reply()
        },
    ] {
        fails_with("a reply", call(&channel, QNET_IOC_REPLY, bad), &einval)?;
    }
    for bad in [
        qnet_transfer {
            flags: 1,
            ..transfer()
        },
        qnet_transfer {
            reserved: 1,
            ..transfer()
        },
        qnet_transfer {
            buf: buffer,
            ..transfer()
        },
        qnet_transfer {
            timeout,
            ..transfer()
        },
    ] {
        for number in [QNET_IOC_READ, QNET_IOC_WRITE] {
            fails_with("a transfer", call(&channel, number, bad), &einval)?;
        }
    }
    let bad = qnet_error {
        flags: 1,
        ..error()
    };
    fails_with("an error", call(&channel, QNET_IOC_ERROR, bad), &einval)?;
    for bad in [
        qnet_node_name {
            flags: 1,
            ..node_name()
        },
        qnet_node_name {
            reserved: 1,
            ..node_name()
        },
        qnet_node_name {
            timeout,
            ..node_name()
        },
    ] {
        fails_with("a look-up", call(&channel, QNET_IOC_STRTOND, bad), &einval)?;
        fails_with("a name", call(&channel, QNET_IOC_NDTOSTR, bad), &einval)?;
    }
    Ok(())
}

fn bad_buffers(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let part = |len| qnet_iov { base: 0, len };
    let many = vec![part(0); QNET_PARTS_MAX + 1];
    let huge = [part(u64::MAX / 2), part(u64::MAX / 2), part(2)];
    let buffer = |parts: &[qnet_iov]| qnet_buf {
        base: parts.as_ptr() as u64,
        len: 0,
        parts: parts.len() as u32,
        reserved: 0,
    };
    let refused = [Error::EINVAL, Error::EMSGSIZE, Error::EOVERFLOW];
    for (what, bad) in [
        ("too many parts", buffer(&many)),
        ("parts that are too long together", buffer(&huge)),
        (
            "parts and a length",
            qnet_buf {
                len: 1,
                ..buffer(&many[..1])
            },
        ),
        (
            "a length that is no length",
            qnet_buf {
                base: many.as_ptr() as u64,
                len: u64::MAX,
                ..Default::default()
            },
        ),
        (
            "a count that is no count",
            qnet_buf {
                parts: u32::MAX,
                ..buffer(&many)
            },
        ),
    ] {
        let as_message = qnet_send {
            send: bad,
            ..send()
        };
        fails_with(what, call(&connection, QNET_IOC_SEND, as_message), &refused)?;
    }
    let no_parts = qnet_buf {
        base: 8,
        len: 0,
        parts: 2,
        reserved: 0,
    };
    let nowhere = qnet_send {
        send: no_parts,
        ..send()
    };
    fails_with(
        "parts nowhere",
        call(&connection, QNET_IOC_SEND, nowhere),
        &[Error::EFAULT],
    )?;
    ensure_eq!(server.tags()?, [0; 0]);
    echoes(&connection)
}

fn bad_timeouts(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    for states in [1, 0x80, 0x10 | 0x4000_0000, u32::MAX] {
        let timeout = qnet_timeout {
            ns: 1,
            states,
            reserved: 0,
        };
        let bad = qnet_send { timeout, ..send() };
        fails_with(
            "a send",
            call(&connection, QNET_IOC_SEND, bad),
            &[Error::EINVAL],
        )?;
        let bad = qnet_receive {
            timeout,
            ..receive()
        };
        fails_with(
            "a receive",
            call(&channel, QNET_IOC_RECEIVE, bad),
            &[Error::EINVAL],
        )?;
        let bad = qnet_transfer {
            timeout,
            ..transfer()
        };
        fails_with(
            "a transfer",
            call(&channel, QNET_IOC_READ, bad),
            &[Error::EINVAL],
        )?;
    }
    Ok(())
}

fn wrong_kind_of_socket(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let neither = sys::socket(raw::family(), libc::SOCK_SEQPACKET, 0)?;
    let no_connection = [Error::ENOTCONN];
    fails_with(
        "a send",
        call(&channel, QNET_IOC_SEND, send()),
        &no_connection,
    )?;
    fails_with(
        "a send",
        call(&neither, QNET_IOC_SEND, send()),
        &no_connection,
    )?;
    fails_with(
        "a detach",
        call(&channel, QNET_IOC_DETACH, 0u64),
        &no_connection,
    )?;
    fails_with(
        "a detach",
        call(&neither, QNET_IOC_DETACH, 0u64),
        &no_connection,
    )?;
    let no_channel = [Error::ESRCH, Error::ENOTSUP];
    fails_with(
        "a receive",
        call(&connection, QNET_IOC_RECEIVE, receive()),
        &no_channel,
    )?;
    fails_with(
        "a receive",
        call(&neither, QNET_IOC_RECEIVE, receive()),
        &no_channel,
    )?;
    fails_with(
        "a destroy",
        call(&connection, QNET_IOC_DESTROY, 0u64),
        &no_channel,
    )?;
    fails_with(
        "a destroy",
        call(&neither, QNET_IOC_DESTROY, 0u64),
        &no_channel,
    )?;
    call(&neither, QNET_IOC_VERSION, version())?;
    Ok(())
}

/// A buffer of which the second half is not there.
fn half(edge: &Edge) -> qnet_buf {
    qnet_buf {
        base: edge.before(32),
        len: 64,
        ..Default::default()
    }
}

fn fault_in_the_message(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut edge = Edge::new()?;
    edge.put(&request(Op::Echo, 7, 0, &[0; 16]));
    let bad = qnet_send {
        send: half(&edge),
        ..send()
    };
    fails_with(
        "the send",
        call(&connection, QNET_IOC_SEND, bad),
        &[Error::EFAULT],
    )?;
    ensure_eq!(server.tags()?, [0; 0], "what the server received");
    echoes(&connection)
}

fn fault_in_the_reply_buffer(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let edge = Edge::new()?;
    let message = request(Op::ReplyLength, 0, 64, &[]);
    let bad = qnet_send {
        send: qnet_buf {
            base: message.as_ptr() as u64,
            len: message.len() as u64,
            ..Default::default()
        },
        reply: half(&edge),
        ..send()
    };
    fails_with(
        "the send",
        call(&connection, QNET_IOC_SEND, bad),
        &[Error::EFAULT],
    )?;
    echoes(&connection)
}

/// The receiver's fault is the receiver's alone: nobody stays blocked, nothing is corrupted.
fn fault_in_the_receive_buffer(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let edge = Edge::new()?;
    let patience = std::time::Duration::from_secs(2);
    let client = thread::spawn(move || connection.send_timeout(&[0x55; 64], &mut [], patience));
    let bad = qnet_receive {
        buf: half(&edge),
        timeout: qnet_timeout::default(),
        ..receive()
    };
    fails_with(
        "the receive",
        call(&channel, QNET_IOC_RECEIVE, bad),
        &[Error::EFAULT],
    )?;
    let again = channel.receive_timeout(&mut [0; 64], patience / 2);
    if let Ok(message) = again {
        ensure_eq!(message.len(), 64, "the message that stayed");
        message.reply(0, &[])?;
    }
    let ended = client.join().map_err(|_| "the client panicked")?;
    println!("the client of a receive that faulted: {ended:?}");
    Ok(())
}

fn fault_in_the_reply(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let mut buffer = [0; 8];
    let got = connection.send(&request(Op::ReplyFault, 0, 0, &[]), &mut buffer);
    let results = server.wait_results(2)?;
    ensure!(
        [libc::EFAULT, QNET_ESRVRFAULT].contains(&results[0]),
        "the server's reply got {results:?}"
    );
    // Either the client got the error too, or it was there for a second reply.
    match got {
        Ok(reply) => {
            ensure_eq!(results[1], 0);
            ensure_eq!(&buffer[..reply.len], b"good");
        }
        Err(error) => {
            ensure_eq!(error, Error::ESRVRFAULT);
            ensure_eq!(results[1], Error::ESRCH.errno());
        }
    }
    echoes(&connection)
}

fn unknown_rcvid(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    for rcvid in [i32::MIN, -1, 0, 1, 2, 0x1_0001, 0x4000_0000, i32::MAX] {
        let bad = qnet_reply { rcvid, ..reply() };
        fails_with(
            "a reply",
            call(&channel, QNET_IOC_REPLY, bad),
            &[Error::ESRCH],
        )?;
        let bad = qnet_transfer {
            rcvid,
            ..transfer()
        };
        for number in [QNET_IOC_READ, QNET_IOC_WRITE] {
            fails_with(
                "a transfer",
                call(&connection, number, bad),
                &[Error::ESRCH],
            )?;
        }
        let bad = qnet_error {
            rcvid,
            error: 5,
            ..error()
        };
        fails_with(
            "an error",
            call(&connection, QNET_IOC_ERROR, bad),
            &[Error::ESRCH],
        )?;
    }
    Ok(())
}

fn bad_error_numbers(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let client = thread::spawn(move || connection.send(b"12345678", &mut []));
    let rcvid = channel.receive(&mut [0; 8])?.into_rcvid().get();
    // 512 and what follows are the kernel's own, and would make it repeat the client's call.
    for number in [-2, -5, 512, 516, 4096, i32::MAX, i32::MIN] {
        let bad = qnet_error {
            rcvid,
            error: number,
            ..error()
        };
        fails_with(
            "an error",
            call(&channel, QNET_IOC_ERROR, bad),
            &[Error::EINVAL],
        )?;
    }
    raw::error(rcvid, 511)?;
    let ended = client.join().map_err(|_| "the client panicked")?;
    ensure_eq!(ended, Err(Error::from_errno(511)));
    Ok(())
}

/// A receive tells nothing of a pulse with a message, and of a message with a pulse.
fn what_did_not_come_is_zero(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let mut got = qnet_receive {
        info: qnet_msg_info {
            pid: 77,
            ..Default::default()
        },
        timeout: qnet_timeout::default(),
        ..receive()
    };
    raw::send_pulse(connection.id(), 10, 5, 6)?;
    // SAFETY: The structure has no pointers.
    unsafe { sys::ioctl_on(&channel, QNET_IOC_RECEIVE, &mut got) }?;
    ensure_eq!((got.rcvid, got.pulse.code, got.pulse.value), (0, 5, 6));
    ensure_eq!(got.info, qnet_msg_info::default());
    let client = thread::spawn(move || connection.send(&[], &mut []));
    // SAFETY: The structure has no pointers.
    unsafe { sys::ioctl_on(&channel, QNET_IOC_RECEIVE, &mut got) }?;
    ensure!(
        got.rcvid > 0 && got.info.pid != 0,
        "no message came: {got:?}"
    );
    ensure_eq!(got.pulse, qnet_pulse::default());
    raw::reply(got.rcvid, 0, raw::Source::new(&[]))?;
    client.join().map_err(|_| "the client panicked")??;
    Ok(())
}

fn outputs_are_written(_: &World) -> Outcome {
    let (channel, connection) = pair()?;
    let mut told = qnet_version {
        abi: 77,
        family: 77,
        ..version()
    };
    // SAFETY: The structure has no pointers.
    unsafe { sys::ioctl_on(&channel, QNET_IOC_VERSION, &mut told) }?;
    ensure_eq!(told.abi, QNET_ABI_VERSION);
    ensure_eq!(told.family, raw::family() as u32);
    ensure_eq!((told.size, told.reserved), (size::<qnet_version>(), 0));
    let server = thread::spawn(move || channel.receive(&mut [0; 8])?.reply(-7, b"abc"));
    let mut buffer = [0u8; 8];
    let mut sent = qnet_send {
        reply: qnet_buf {
            base: buffer.as_mut_ptr() as u64,
            len: 8,
            ..Default::default()
        },
        status: 99,
        replied: 99,
        ..send()
    };
    // SAFETY: The one pointer is to the buffer above.
    unsafe { sys::ioctl_on(&connection, QNET_IOC_SEND, &mut sent) }?;
    ensure_eq!(
        (sent.status, sent.replied, &buffer[..3]),
        (-7, 3, &b"abc"[..])
    );
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}
