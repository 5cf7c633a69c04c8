// SPDX-License-Identifier: GPL-2.0

//! The calls that every socket has.

use std::{
    collections::BTreeSet,
    os::fd::{
        AsFd,
        AsRawFd,
        OwnedFd, //
    },
};

use qnet::{
    raw,
    Channel,
    Connection,
    Error, //
};
use qnet_sys::sockaddr_qnet;

use super::{
    echoes,
    fails_with,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    sys,
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("types", Scope::Local, types),
    Case::new("names", Scope::Both, names),
    Case::new("cut_names", Scope::Local, cut_names),
    Case::new("bad_bind", Scope::Local, bad_bind),
    Case::new("bad_connect", Scope::Local, bad_connect),
    Case::new("one_role", Scope::Local, one_role),
    Case::new("no_such_operation", Scope::Local, no_such_operation),
    Case::new("descriptors_run_out", Scope::Both, descriptors_run_out),
    Case::new(
        "descriptors_are_given_back",
        Scope::Both,
        descriptors_are_given_back,
    ),
    Case::new("closed_at_exec", Scope::Local, closed_at_exec),
    Case::new(
        "control_socket_closed_by_others",
        Scope::Local,
        control_socket_closed,
    ),
    Case::new("channels_come_and_go", Scope::Local, channels_come_and_go),
];

fn new() -> Result<OwnedFd, Error> {
    sys::socket(raw::family(), libc::SOCK_SEQPACKET, 0)
}

fn address() -> sockaddr_qnet {
    sockaddr_qnet {
        sq_family: raw::family() as u16,
        ..Default::default()
    }
}

fn types(_: &World) -> Outcome {
    let family = raw::family();
    for kind in [libc::SOCK_SEQPACKET, libc::SOCK_DGRAM] {
        let socket = sys::socket(family, kind, 0)?;
        ensure!(raw::is_ours(socket.as_raw_fd()), "SO_DOMAIN is not ours");
        let version = raw::version(socket.as_fd())?;
        ensure_eq!(
            (version.abi, version.family),
            (qnet_sys::QNET_ABI_VERSION, family as u32)
        );
    }
    for kind in [libc::SOCK_STREAM, libc::SOCK_RAW, libc::SOCK_RDM] {
        fails_with(
            "another type",
            sys::socket(family, kind, 0),
            &[Error::ESOCKTNOSUPPORT],
        )?;
    }
    let other = sys::socket(family, libc::SOCK_SEQPACKET, 1);
    fails_with("another protocol", other, &[Error::EPROTONOSUPPORT])?;
    Ok(())
}

fn names(world: &World) -> Outcome {
    let socket = new()?;
    let name = raw::socket_name(socket.as_fd())?;
    ensure_eq!(name, address(), "the name of a new socket");
    let peer = raw::peer_name(socket.as_fd());
    fails_with("the peer of a new socket", peer, &[Error::ENOTCONN])?;

    let channel = Channel::create()?;
    let name = raw::socket_name(channel.as_fd())?;
    ensure_eq!(name.sq_pid, std::process::id() as i32);
    ensure_eq!(name.sq_chid, channel.id());
    ensure_eq!((name.sq_nd, name.sq_index, name.sq_reserved), (0, 0, 0));

    let server = world.server()?;
    let connection = server.connect()?;
    ensure_eq!(connection.peer()?, server.address);
    let peer = raw::peer_name(connection.as_fd())?;
    ensure_eq!(
        (peer.sq_family, peer.sq_reserved),
        (raw::family() as u16, 0)
    );
    Ok(())
}

/// A short buffer gets the first bytes, and is told how many there are.
fn cut_names(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let mut bytes = [0xee; 32];
    for room in [0, 2, 23, 24, 32] {
        let mut length: libc::socklen_t = room;
        // SAFETY: There is as much room as is told.
        sys::checked(unsafe {
            libc::getsockname(channel.as_raw_fd(), bytes.as_mut_ptr().cast(), &mut length)
        })?;
        ensure_eq!(length, 24, "the length told for room {room}");
        ensure!(
            bytes[(room as usize).min(24)..]
                .iter()
                .all(|byte| *byte == 0xee),
            "something was written behind {room} bytes"
        );
        bytes = [0xee; 32];
    }
    Ok(())
}

/// bind() or connect() with an address of any length.
fn with_length(
    call: unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32,
    address: &sockaddr_qnet,
    length: usize,
) -> Result<(), Error> {
    let socket = new()?;
    let mut bytes = [0u8; 256];
    let address: *const sockaddr_qnet = address;
    // SAFETY: Both places have as many bytes, and any bytes of an address may be read.
    unsafe {
        address
            .cast::<u8>()
            .copy_to_nonoverlapping(bytes.as_mut_ptr(), 24)
    };
    // SAFETY: There are as many bytes as are told, or more than the kernel looks at.
    let result = unsafe { call(socket.as_raw_fd(), bytes.as_ptr().cast(), length as _) };
    sys::checked(result).map(drop)
}

/// What any wrong address is answered with, whatever it is for.
fn bad_addresses(
    call: unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32,
    good: sockaddr_qnet,
) -> Outcome {
    for length in [0, 1, 2, 8, 23, 129] {
        fails_with(
            "a wrong length",
            with_length(call, &good, length),
            &[Error::EINVAL],
        )?;
    }
    let other = sockaddr_qnet {
        sq_family: libc::AF_INET as u16,
        ..good
    };
    fails_with(
        "another family",
        with_length(call, &other, 24),
        &[Error::EAFNOSUPPORT],
    )?;
    let reserved = sockaddr_qnet {
        sq_reserved: 1,
        ..good
    };
    fails_with(
        "reserved bits",
        with_length(call, &reserved, 24),
        &[Error::EINVAL],
    )?;
    let socket = new()?;
    // SAFETY: There is nothing at the address, which is for the kernel to find out.
    let null = unsafe { call(socket.as_raw_fd(), 8 as *const libc::sockaddr, 24) };
    fails_with("no address", sys::checked(null), &[Error::EFAULT])?;
    Ok(())
}

fn bad_bind(_: &World) -> Outcome {
    bad_addresses(libc::bind, address())?;
    for bad in [
        sockaddr_qnet {
            sq_nd: 1,
            ..address()
        },
        sockaddr_qnet {
            sq_pid: 1,
            ..address()
        },
        sockaddr_qnet {
            sq_chid: 1,
            ..address()
        },
        sockaddr_qnet {
            sq_index: qnet_sys::QNET_SIDE_CHANNEL,
            ..address()
        },
    ] {
        fails_with(
            "a bind to that",
            with_length(libc::bind, &bad, 24),
            &[Error::EINVAL],
        )?;
    }
    for bit in 0..32 {
        let flags = sockaddr_qnet {
            sq_flags: 1 << bit,
            ..address()
        };
        // All that qnet.h names QNET_CHF_*.
        let known = 0x0100_10ef;
        let result = with_length(libc::bind, &flags, 24);
        if flags.sq_flags & known != 0 {
            result?;
        } else {
            fails_with("unknown flags", result, &[Error::EINVAL, Error::ENOTSUP])?;
        }
    }
    Ok(())
}

fn bad_connect(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let good = sockaddr_qnet {
        sq_pid: channel.address().pid,
        sq_chid: channel.id(),
        ..address()
    };
    with_length(libc::connect, &good, 24)?;
    bad_addresses(libc::connect, good)?;
    for index in [1, 3, 0x4000_0001, 0x8000_0000] {
        let bad = sockaddr_qnet {
            sq_index: index,
            ..good
        };
        fails_with(
            "an index",
            with_length(libc::connect, &bad, 24),
            &[Error::EINVAL],
        )?;
    }
    for flags in [2, 0x80, 0x100, 0x8000_0000] {
        let bad = sockaddr_qnet {
            sq_flags: flags,
            ..good
        };
        fails_with(
            "flags",
            with_length(libc::connect, &bad, 24),
            &[Error::EINVAL],
        )?;
    }
    for chid in [0, -1, i32::MIN] {
        let bad = sockaddr_qnet {
            sq_chid: chid,
            ..good
        };
        let wanted = [Error::ESRCH, Error::EINVAL];
        fails_with("a channel", with_length(libc::connect, &bad, 24), &wanted)?;
    }
    Ok(())
}

/// A socket is a channel or a connection, once.
fn one_role(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Connection::attach(channel.address())?;
    let target = sockaddr_qnet {
        sq_pid: channel.address().pid,
        sq_chid: channel.id(),
        ..address()
    };
    let wanted = [Error::EINVAL, Error::EISCONN, Error::EADDRINUSE];
    fails_with(
        "bind twice",
        raw::bind(channel.as_fd(), &address()),
        &wanted,
    )?;
    fails_with(
        "connect a channel",
        raw::connect(channel.as_fd(), &target),
        &wanted,
    )?;
    fails_with(
        "bind a connection",
        raw::bind(connection.as_fd(), &address()),
        &wanted,
    )?;
    fails_with(
        "connect twice",
        raw::connect(connection.as_fd(), &target),
        &wanted,
    )?;
    Ok(())
}

fn no_such_operation(_: &World) -> Outcome {
    let channel = Channel::create()?;
    // SAFETY: These calls take numbers.
    let listen = sys::checked(unsafe { libc::listen(channel.as_raw_fd(), 1) });
    fails_with("listen", listen, &[Error::ENOTSUP])?;
    // SAFETY: As above; the pointers are null, which accept() allows.
    let accept = sys::checked(unsafe {
        libc::accept(
            channel.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    });
    fails_with("accept", accept, &[Error::ENOTSUP])?;
    // SAFETY: This call takes numbers.
    let mapped = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ,
            libc::MAP_SHARED,
            channel.as_raw_fd(),
            0,
        )
    };
    ensure!(mapped == libc::MAP_FAILED, "a channel can be mapped");
    Ok(())
}

fn open_files() -> Outcome<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn descriptors_run_out(world: &World) -> Outcome {
    let server = world.server()?;
    let kept = server.connect()?;
    echoes(&kept)?;
    let before = open_files()?;
    sys::limit_files(before.len() as u64 + 20)?;
    let mut connections = Vec::new();
    let error = loop {
        ensure!(connections.len() < 64, "the limit does not hold");
        match Connection::attach(server.address) {
            Ok(connection) => connections.push(connection),
            Err(error) => break error,
        }
    };
    ensure_eq!(error, Error::EMFILE);
    fails_with("a channel", Channel::create(), &[Error::EMFILE])?;
    for connection in &connections {
        echoes(connection)?;
    }
    drop(connections);
    ensure_eq!(open_files()?, before);
    echoes(&server.connect()?)
}

fn descriptors_are_given_back(world: &World) -> Outcome {
    let server = world.server()?;
    echoes(&server.connect()?)?;
    drop(Channel::create()?);
    let before = open_files()?;
    for _ in 0..world.times(200) {
        let connection = server.connect()?;
        let channel = Channel::create()?;
        connection.detach()?;
        channel.destroy()?;
    }
    let dead = qnet::Address {
        pid: i32::MAX,
        ..server.address
    };
    for _ in 0..world.times(200) {
        let _ = Connection::attach(dead);
    }
    ensure_eq!(open_files()?, before);
    Ok(())
}

fn closed_at_exec(_: &World) -> Outcome {
    let channel = Channel::create()?;
    let connection = Connection::attach(channel.address())?;
    // The control socket, too, once it is there.
    answer_nobody()?;
    for name in open_files()? {
        let fd: i32 = name.parse()?;
        if raw::is_ours(fd) {
            // SAFETY: This call takes numbers.
            let flags = sys::checked(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
            ensure!(
                flags & i64::from(libc::FD_CLOEXEC) != 0,
                "{fd} stays open at exec"
            );
        }
    }
    drop(connection);
    Ok(())
}

/// A call on the control socket, which works as well as it can.
fn answer_nobody() -> Outcome {
    fails_with("an answer to nobody", raw::error(12345, 0), &[Error::ESRCH])?;
    Ok(())
}

/// A program that closes all descriptors it does not know goes on working.
fn control_socket_closed(_: &World) -> Outcome {
    answer_nobody()?;
    for other_takes_the_number in [false, true] {
        for entry in open_files()? {
            let fd: i32 = entry.parse()?;
            if fd > 2 {
                // SAFETY: This process is the case's own and has no other use of them.
                unsafe { libc::close(fd) };
            }
        }
        let files: Vec<_> = (0..8)
            .filter(|_| other_takes_the_number)
            .map(|_| std::fs::File::open("/dev/null"))
            .collect();
        answer_nobody()?;
        drop(files);
    }
    Ok(())
}

/// Numbers of channels are not used again at once, or a late client would reach a stranger.
fn channels_come_and_go(world: &World) -> Outcome {
    // The numbers are kept while the process has any socket.
    let kept = Channel::create()?;
    let mut seen = BTreeSet::from([kept.id()]);
    for _ in 0..world.times(1000) {
        let channel = Channel::create()?;
        ensure!(channel.id() > 0, "channel {}", channel.id());
        ensure!(
            seen.insert(channel.id()),
            "channel {} came twice",
            channel.id()
        );
    }
    let channels: Vec<_> = (0..world.times(200))
        .map(|_| Channel::create())
        .collect::<Result<_, _>>()?;
    let numbers: BTreeSet<_> = channels.iter().map(Channel::id).collect();
    ensure_eq!(numbers.len(), channels.len());
    Ok(())
}
