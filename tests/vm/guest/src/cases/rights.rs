// SPDX-License-Identifier: GPL-2.0

//! Who a client is, what it may connect to, and how much a user may have.

use std::{
    os::fd::AsFd,
    thread, //
};

use qnet::{
    raw,
    Channel,
    Connection,
    Error, //
};

use super::{
    fails_with,
    skip,
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
        Server,
        World, //
    },
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("the_caller", Scope::Local, the_caller),
    Case::new("unknown_client", Scope::Local, unknown_client),
    Case::new("a_client_is_known", Scope::Both, a_client_is_known),
    Case::new("groups_are_clipped", Scope::Local, groups_are_clipped),
    Case::new("current_ids_count", Scope::Local, current_ids_count),
    Case::new("changed_ids_travel", Scope::Remote, changed_ids_travel),
    Case::new("the_mode_counts", Scope::Both, the_mode_counts),
    Case::new("the_owner_counts", Scope::Local, the_owner_counts),
    Case::new("the_way_of_chown", Scope::Local, the_way_of_chown),
    Case::new("bad_modes", Scope::Local, bad_modes),
    Case::new("unmarked_channels", Scope::Remote, unmarked_channels),
    Case::new("everybody_as_one", Scope::Remote, everybody_as_one),
    Case::new("pulses_of_others", Scope::Both, pulses_of_others),
    Case::new("channels_of_a_user", Scope::Local, channels_of_a_user),
    Case::new("connections_of_a_user", Scope::Local, connections_of_a_user),
    Case::new("messages_of_a_user", Scope::Local, messages_of_a_user),
];

/// A user who is nobody in particular.
const SOMEBODY: u32 = 1000;
/// Another one, and a group.
const OTHER: u32 = 1001;
/// Whom root of another node counts as.
const MAPROOT: u32 = 99;
/// The owner that stays.
const SAME: u32 = u32::MAX;
/// What a child ends with whose calls went as they should.
const FINE: i32 = 0;

/// What `Op::ClientInfo` replies.
#[derive(Debug, PartialEq, Eq)]
struct Client {
    nd: i32,
    pid: i32,
    users: [i32; 3],
    groups: [i32; 3],
    more: Vec<i32>,
}

fn client(connection: &Connection) -> Outcome<Client> {
    let mut reply = [0; 400];
    let got = connection.send(&request(Op::ClientInfo, 0, 0, &[]), &mut reply)?;
    match unpack(&reply[..got.len])[..] {
        [count, nd, pid, _, ruid, euid, suid, rgid, egid, sgid, ref more @ ..] => {
            ensure_eq!(count as usize, more.len());
            Ok(Client {
                nd,
                pid,
                users: [ruid, euid, suid],
                groups: [rgid, egid, sgid],
                more: more.to_vec(),
            })
        }
        _ => Err(format!("{} bytes of information", got.len).into()),
    }
}

/// Whether the server was told with this message that the client's ids have changed.
fn is_dirty(connection: &Connection) -> Outcome<bool> {
    let mut reply = [0; 64];
    let got = connection.send(&request(Op::Info, 0, 0, &[]), &mut reply)?;
    let flags = unpack(&reply[..got.len]).get(8).copied();
    Ok(flags.ok_or("no flags")? & 0x200 != 0)
}

/// Sets options of the servers' node for the time of a case.
struct Options<'a> {
    world: &'a World,
    usual: &'static [&'static str],
}

impl<'a> Options<'a> {
    fn set(
        world: &'a World,
        options: &[&'static str],
        usual: &'static [&'static str],
    ) -> Outcome<Option<Self>> {
        let Some(mut command) = world.configure() else {
            return Ok(None);
        };
        ensure!(
            command.args(options).status()?.success(),
            "qnet set {options:?} failed"
        );
        Ok(Some(Self { world, usual }))
    }
}

impl Drop for Options<'_> {
    fn drop(&mut self) {
        if let Some(mut command) = self.world.configure() {
            let _ = command.args(self.usual).status();
        }
    }
}

/// Runs something as somebody else, in a thread that ends after it.
fn as_user<T: Send>(
    id: u32,
    groups: &[u32],
    what: impl FnOnce() -> Outcome<T> + Send,
) -> Outcome<T> {
    let done = thread::scope(|scope| {
        scope
            .spawn(|| {
                sys::become_user(id, groups).map_err(|error| error.to_string())?;
                what().map_err(|error| error.to_string())
            })
            .join()
    });
    Ok(done.map_err(|_| "the thread panicked")??)
}

/// Lets the node of the servers, if it is another one, take root for nobody: the tests before made
/// root of it. And whom root then counts as.
fn squash_root(world: &World) -> Outcome<(Option<Options<'_>>, u32)> {
    if !world.is_remote() {
        return Ok((None, 0));
    }
    let options = Options::set(world, &["maproot=99"], &["maproot=0"])?;
    let root = options.as_ref().map_or(0, |_| MAPROOT);
    Ok((options, root))
}

fn the_caller(_: &World) -> Outcome {
    let socket = Channel::create()?;
    let (info, groups) = sys::client_info(&socket, -1, 64)?;
    ensure_eq!((info.nd, info.pid), (0, std::process::id() as i32));
    ensure_eq!((info.ruid, info.euid, info.suid), (0, 0, 0));
    ensure_eq!(info.ngroups as usize, groups.len());
    as_user(SOMEBODY, &[7, 8, 9], || {
        let (info, groups) = sys::client_info(&socket, -1, 64)?;
        ensure_eq!((info.ruid, info.egid), (SOMEBODY, SOMEBODY));
        ensure_eq!(groups, [7, 8, 9]);
        Ok(())
    })
}

fn unknown_client(_: &World) -> Outcome {
    let channel = Channel::create()?;
    for scoid in [0, 1, -2, 0x4000_0001, i32::MAX] {
        fails_with(
            "an unknown client",
            sys::client_info(&channel, scoid, 0),
            &[Error::EINVAL],
        )?;
    }
    Ok(())
}

fn a_client_is_known(world: &World) -> Outcome {
    let (squash, root) = squash_root(world)?;
    let server = world.server()?;
    let connection = server.connect()?;
    let client = client(&connection)?;
    ensure_eq!(client.pid, std::process::id() as i32);
    ensure_eq!(client.nd != 0, world.is_remote());
    ensure_eq!(client.users, [root as i32; 3]);
    ensure_eq!(client.groups, [root as i32; 3]);
    if squash.is_some() {
        ensure_eq!(client.more, [0i32; 0]);
    }
    Ok(())
}

fn groups_are_clipped(_: &World) -> Outcome {
    let groups: Vec<u32> = (100..170).collect();
    let channel = Channel::create()?;
    as_user(SOMEBODY, &groups, || {
        for room in [0, 1, 33, 70, 100] {
            let (info, got) = sys::client_info(&channel, -1, room)?;
            ensure_eq!(info.ngroups, 70);
            let count = room.min(70);
            ensure_eq!(got[..count], groups[..count]);
        }
        Ok(())
    })
}

fn current_ids_count(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    // The child is a client of its own, and what counts is who it is when it is asked for.
    let status = sys::in_child(|| {
        let before = client(&connection).map(|client| client.users);
        if sys::become_user(SOMEBODY, &[]).is_err() {
            return 1;
        }
        let after = client(&connection).map(|client| client.users);
        match (before, after) {
            (Ok([0, 0, 0]), Ok(users)) if users == [SOMEBODY as i32; 3] => FINE,
            _ => 2,
        }
    })?;
    ensure_eq!(status, FINE);
    Ok(())
}

fn changed_ids_travel(world: &World) -> Outcome {
    let (_squash, root) = squash_root(world)?;
    let server = world.server()?;
    let connection = server.connect()?;
    ensure_eq!(client(&connection)?.users, [root as i32; 3]);
    ensure!(!is_dirty(&connection)?, "nothing has changed yet");
    as_user(SOMEBODY, &[7, 8], || {
        ensure!(is_dirty(&connection)?, "the first message since the change");
        ensure!(!is_dirty(&connection)?, "the second one");
        let client = client(&connection)?;
        ensure_eq!(client.users, [SOMEBODY as i32; 3]);
        ensure_eq!(client.groups, [SOMEBODY as i32; 3]);
        ensure_eq!(client.more, [7, 8]);
        Ok(())
    })?;
    // This thread is root still, and the server learns that too.
    ensure!(is_dirty(&connection)?, "another one sends");
    ensure_eq!(client(&connection)?.users, [root as i32; 3]);
    Ok(())
}

/// Whether a new client gets through to a server.
fn reaches(server: &Server) -> Result<(), Error> {
    let connection = Connection::attach(server.address)?;
    let mut reply = [0; 400];
    let sent = connection.send(&request(Op::ClientInfo, 0, 0, &[]), &mut reply);
    sent.map(drop)
}

fn the_mode_counts(world: &World) -> Outcome {
    let (squash, _) = squash_root(world)?;
    let server = world.server()?;
    let before = server.connect()?;
    client(&before)?;
    let try_it = || as_user(SOMEBODY, &[], || Ok(reaches(&server)));
    ensure_eq!(try_it()?, Ok(()), "anybody may connect at first");
    ensure_eq!(server.ask(Op::Mode, 0o220)?.0, 0);
    ensure_eq!(try_it()?, Err(Error::EPERM));
    // Root of another node is nobody here, root of this one is root.
    let root = if squash.is_some() {
        Err(Error::EPERM)
    } else {
        Ok(())
    };
    ensure_eq!(reaches(&server), root);
    // Who was there before stays.
    client(&before)?;
    ensure_eq!(server.ask(Op::Mode, 0o002)?.0, 0);
    ensure_eq!(try_it()?, Ok(()));
    Ok(())
}

fn the_owner_counts(_: &World) -> Outcome {
    let channel = Channel::create()?;
    raw::set_access(channel.as_fd(), SOMEBODY, OTHER, 0o200)?;
    // Children, because a process may always connect to itself.
    let attach = |uid: u32, groups: &'static [u32]| {
        sys::in_child(|| {
            if sys::become_user(uid, groups).is_err() {
                return -1;
            }
            Connection::attach(channel.address()).map_or_else(Error::errno, |_| FINE)
        })
    };
    let refused = Error::EPERM.errno();
    ensure_eq!(attach(SOMEBODY, &[])?, FINE);
    ensure_eq!(attach(OTHER, &[])?, refused);
    ensure_eq!(attach(0, &[])?, FINE, "root is above that");
    raw::set_access(channel.as_fd(), SAME, SAME, 0o020)?;
    ensure_eq!(attach(SOMEBODY, &[])?, refused);
    ensure_eq!(attach(OTHER, &[])?, FINE, "by its own group");
    ensure_eq!(attach(2000, &[5, OTHER])?, FINE, "by another of its groups");
    ensure_eq!(attach(2000, &[5])?, refused);
    raw::set_access(channel.as_fd(), SAME, SAME, 0)?;
    ensure_eq!(attach(SOMEBODY, &[])?, refused);
    Connection::attach(channel.address())?;
    Ok(())
}

fn the_way_of_chown(_: &World) -> Outcome {
    let of_root = Channel::create()?;
    as_user(SOMEBODY, &[7], || {
        let channel = Channel::create()?;
        raw::set_access(channel.as_fd(), SAME, SAME, 0o200)?;
        raw::set_access(channel.as_fd(), SOMEBODY, SOMEBODY, 0o220)?;
        raw::set_access(channel.as_fd(), SAME, 7, 0o222)?;
        for (uid, gid) in [(0, SAME), (OTHER, SAME), (SAME, 0), (SAME, 8)] {
            fails_with(
                "an owner that one may not set",
                raw::set_access(channel.as_fd(), uid, gid, 0o222),
                &[Error::EPERM],
            )?;
        }
        // The process owns the channel that it made as root, but its user does not.
        raw::set_access(of_root.as_fd(), SAME, SAME, 0o220)?;
        fails_with(
            "what root owns",
            raw::set_access(of_root.as_fd(), SAME, SOMEBODY, 0o222),
            &[Error::EPERM],
        )?;
        Ok(())
    })
}

fn bad_modes(_: &World) -> Outcome {
    let channel = Channel::create()?;
    for mode in [0o1000, 0o4222, u32::MAX] {
        fails_with(
            "a mode that cannot be",
            raw::set_access(channel.as_fd(), SAME, SAME, mode),
            &[Error::EINVAL],
        )?;
    }
    let connection = Connection::attach(channel.address())?;
    fails_with(
        "a connection has no mode",
        raw::set_access(connection.as_fd(), SAME, SAME, 0),
        &[Error::ENOTSUP],
    )?;
    Ok(())
}

fn unmarked_channels(world: &World) -> Outcome {
    let server = world.server()?;
    let before = server.connect()?;
    client(&before)?;
    let Some(options) = Options::set(world, &["remote=marked"], &["remote=any"])? else {
        return skip("the other machine cannot be configured from here");
    };
    ensure_eq!(reaches(&server), Err(Error::EPERM));
    client(&before)?;
    drop(options);
    ensure_eq!(reaches(&server), Ok(()));
    Ok(())
}

fn everybody_as_one(world: &World) -> Outcome {
    let server = world.server()?;
    let set = Options::set(world, &["mapany=77"], &["mapany=4294967295"])?;
    let Some(_options) = set else {
        return skip("the other machine cannot be configured from here");
    };
    as_user(SOMEBODY, &[7], || {
        let client = client(&server.connect()?)?;
        ensure_eq!(client.users, [77; 3]);
        ensure_eq!(client.groups, [77; 3]);
        ensure_eq!(client.more, [0i32; 0]);
        Ok(())
    })
}

/// A pulse goes by the rule of kill(); what another node drops, it does not tell.
fn pulses_of_others(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    let sent = as_user(SOMEBODY, &[], || Ok(connection.send_pulse(1, 0)))?;
    if !world.is_remote() {
        ensure_eq!(sent, Err(Error::EPERM));
        connection.send_pulse(2, 0)?;
        ensure_eq!(server.wait_pulses(1)?.len(), 1);
        return Ok(());
    }
    ensure_eq!(sent, Ok(()));
    let (squash, _) = squash_root(world)?;
    if squash.is_some() {
        // Root again, but that counts as nobody there.
        server.connect()?.send_pulse(3, 0)?;
    }
    drop(squash);
    // All take the same way, so that the last one to be sent is the last to come.
    let last = server.connect()?;
    client(&last)?;
    last.send_pulse(4, 0)?;
    let codes: Vec<i32> = server
        .wait_pulses(1)?
        .iter()
        .map(|[code, ..]| *code)
        .collect();
    ensure_eq!(codes, [4]);
    Ok(())
}

/// Sets one of the limits of a user for the time of a case.
fn limit<'a>(world: &'a World, option: &'static str) -> Outcome<Options<'a>> {
    let usual = &[
        "user_channels=16384",
        "user_connections=16384",
        "user_messages=16384",
        "user_bytes=268435456",
    ];
    let set = Options::set(world, &[option], usual)?;
    set.ok_or_else(|| "the node cannot be configured from here".into())
}

fn channels_of_a_user(world: &World) -> Outcome {
    let _limit = limit(world, "user_channels=2")?;
    as_user(SOMEBODY, &[], || {
        let mut channels = vec![Channel::create()?, Channel::create()?];
        fails_with("a third channel", Channel::create(), &[Error::EAGAIN])?;
        channels.pop();
        channels.push(Channel::create()?);
        fails_with("another one", Channel::create(), &[Error::EAGAIN])?;
        Ok(())
    })?;
    // Root is above that.
    let many: Result<Vec<Channel>, Error> = (0..5).map(|_| Channel::create()).collect();
    ensure_eq!(many.map(|channels| channels.len()), Ok(5));
    Ok(())
}

fn connections_of_a_user(world: &World) -> Outcome {
    let server = world.server()?;
    let _limit = limit(world, "user_connections=3")?;
    as_user(SOMEBODY, &[], || {
        let connections = [server.connect()?, server.connect()?, server.connect()?];
        let attach = || Connection::attach(server.address);
        fails_with("a fourth connection", attach(), &[Error::EAGAIN])?;
        drop(connections);
        attach()?;
        Ok(())
    })
}

fn messages_of_a_user(world: &World) -> Outcome {
    let server = world.server()?;
    let connection = server.connect()?;
    {
        let _limit = limit(world, "user_messages=0")?;
        // The connection is root's, and so is what is sent by it; but the privilege is the sender's.
        let refused = as_user(SOMEBODY, &[], || Ok(connection.send(b"one", &mut [])))?;
        ensure_eq!(refused, Err(Error::EAGAIN));
        connection.send(b"root's", &mut [])?;
    }
    let _limit = limit(world, "user_bytes=1000")?;
    as_user(SOMEBODY, &[], || {
        let connection = server.connect()?;
        connection.send(&[0; 1000], &mut [])?;
        let refused = connection.send(&[0; 1001], &mut []);
        ensure_eq!(refused, Err(Error::EAGAIN));
        Ok(())
    })
}
