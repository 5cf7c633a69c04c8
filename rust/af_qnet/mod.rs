// SPDX-License-Identifier: GPL-2.0

//! The address family: sockets, their addresses and their ioctls.
//!
//! There are three kinds of socket, and the first call chooses: `bind()` makes a channel,
//! `connect()` a connection, and a socket on which neither was called is a control socket, by which
//! a process answers messages and asks for nodes. No lock is held while a call blocks.

#![forbid(unsafe_code)]

mod access;
mod argument;
mod current;
mod events;
mod info;
mod ioctl;
mod messages;

use crate::{
    ipc::{
        connection::Address,
        Channel,
        Connection,
        Process, //
    },
    knet::{
        msg::Msg,
        net::{
            per_net,
            Net, //
        },
        param,
        sock::{
            Bell,
            Ready,
            Socket, //
        },
    },
    node::{
        Node,
        Nodes,
        Patience, //
    },
    uapi::{
        self,
        SockAddr, //
    },
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    },
};
use zerocopy::{
    FromBytes,
    IntoBytes, //
};

/// What a socket has become.
enum Role {
    Channel(Arc<Channel>),
    Connection(Arc<Connection>),
}

/// A socket of the family.
pub(crate) struct QnetSocket {
    node: Arc<Node>,
    /// The process that made it.
    process: Arc<Process>,
    role: SetOnce<Role>,
}

impl QnetSocket {
    fn channel(&self) -> Result<&Arc<Channel>> {
        match self.role.as_ref() {
            Some(Role::Channel(channel)) => Ok(channel),
            _ => Err(EOPNOTSUPP),
        }
    }

    fn connection(&self) -> Result<&Arc<Connection>> {
        match self.role.as_ref() {
            Some(Role::Connection(connection)) => Ok(connection),
            _ => Err(ENOTCONN),
        }
    }

    /// The calling process, of which this socket need not be: it may have been inherited.
    fn caller(&self) -> Result<Arc<Process>> {
        if self.process.pid.is_caller() {
            return Ok(self.process.clone());
        }
        Process::of_caller(&self.node)
    }

    /// The socket's channel, for the process that made it and no other.
    fn own_channel(&self) -> Result<&Arc<Channel>> {
        let channel = self.channel()?;
        if channel.process.pid.is_caller() {
            Ok(channel)
        } else {
            Err(ESRCH)
        }
    }
}

impl Drop for QnetSocket {
    fn drop(&mut self) {
        self.process.leave();
    }
}

impl Socket for QnetSocket {
    fn create(net: &Net, ty: c_int, protocol: c_int, kern: bool) -> Result<Arc<Self>> {
        if kern {
            return Err(EOPNOTSUPP);
        }
        if ty != SOCK_SEQPACKET && ty != SOCK_DGRAM {
            return Err(errno(bindings::ESOCKTNOSUPPORT));
        }
        if protocol != 0 {
            return Err(errno(bindings::EPROTONOSUPPORT));
        }
        let node = per_net::<Nodes>(net).ok_or(ENETDOWN)?;
        let process = Process::enter(&node)?;
        let socket = Self {
            node,
            process,
            role: SetOnce::new(),
        };
        Ok(Arc::new(socket, GFP_KERNEL_ACCOUNT)?)
    }

    fn release(self: &Arc<Self>) {
        match self.role.as_ref() {
            Some(Role::Channel(channel)) => {
                // It may have been destroyed before.
                channel.destroy(Patience::begin());
            }
            Some(Role::Connection(connection)) => connection.release(),
            None => {}
        }
    }

    fn bind(self: &Arc<Self>, bell: Bell, address: &[u8]) -> Result {
        let address = parse(address)?;
        let nothing_else = address.sq_nd == 0
            && address.sq_pid == 0
            && address.sq_chid == 0
            && address.sq_index == 0;
        if !nothing_else || address.sq_flags & !uapi::CHANNEL_FLAGS != 0 {
            return Err(EINVAL);
        }
        if self.role.as_ref().is_some() {
            return Err(EINVAL);
        }
        if !self.process.pid.is_caller() {
            return Err(ESRCH);
        }
        let channel = self
            .process
            .create_channel(address.sq_flags, Some(bell.clone()))?;
        if self.role.populate(Role::Channel(channel.clone())) {
            // Who has polled the socket before was told that it is hung up.
            bell.ring(Ready::default());
            Ok(())
        } else {
            channel.destroy(Patience::begin());
            Err(EINVAL)
        }
    }

    fn connect(self: &Arc<Self>, bell: Bell, address: &[u8], _flags: c_int) -> Result {
        let address = parse(address)?;
        let index_known = matches!(address.sq_index, 0 | uapi::QNET_SIDE_CHANNEL);
        if !index_known || address.sq_flags & !uapi::CONNECTION_FLAGS != 0 {
            return Err(EINVAL);
        }
        if self.role.as_ref().is_some() {
            return Err(EISCONN);
        }
        let connection = Connection::attach(
            &self.node,
            Address {
                nd: address.sq_nd,
                pid: address.sq_pid,
                chid: address.sq_chid,
                index: address.sq_index,
                flags: address.sq_flags,
            },
            Some(bell.clone()),
        )?;
        if self.role.populate(Role::Connection(connection.clone())) {
            connection.tell_peer();
            bell.ring(Ready::default());
            Ok(())
        } else {
            connection.release();
            Err(EISCONN)
        }
    }

    fn name(&self, peer: bool, out: &mut [u8; 128]) -> Result<usize> {
        let address = if peer {
            let connection = self.connection()?;
            let address = connection.address;
            SockAddr {
                sq_flags: address.flags,
                sq_nd: address.nd,
                sq_pid: connection.server_pid(),
                sq_chid: address.chid,
                sq_index: address.index,
                ..family()
            }
        } else {
            match self.role.as_ref() {
                Some(Role::Channel(channel)) => SockAddr {
                    sq_flags: channel.flags,
                    sq_pid: channel.process.pid.nr(),
                    sq_chid: channel.chid,
                    ..family()
                },
                _ => family(),
            }
        };
        address
            .write_to_prefix(out.as_mut_slice())
            .map_err(|_| EINVAL)?;
        Ok(size_of::<SockAddr>())
    }

    fn ioctl(self: &Arc<Self>, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::ioctl(self, cmd, arg)
    }

    fn sendmsg(self: &Arc<Self>, msg: &mut Msg<'_>, deadline: Option<u64>) -> Result<usize> {
        messages::sendmsg(self, msg, deadline)
    }

    fn recvmsg(
        self: &Arc<Self>,
        msg: &mut Msg<'_>,
        flags: u32,
        deadline: Option<u64>,
    ) -> Result<usize> {
        messages::recvmsg(self, msg, flags, deadline)
    }

    fn poll(&self) -> Ready {
        messages::poll(self)
    }
}

/// The kernel's numbers of the socket types that are served. They are the same everywhere but on
/// MIPS, which this module is not built for.
const SOCK_DGRAM: c_int = 2;
/// See [`SOCK_DGRAM`].
const SOCK_SEQPACKET: c_int = 5;
/// A Linux error that the kernel crate has no name for.
fn errno(number: u32) -> Error {
    Error::from_errno(-(number as c_int))
}

/// An empty address.
fn family() -> SockAddr {
    SockAddr {
        sq_family: param::family(),
        ..SockAddr::default()
    }
}

/// An address that a program gave.
///
/// Errors: `EINVAL` when it is too short or its reserved bytes are set, `EAFNOSUPPORT` for one of
/// another family.
fn parse(bytes: &[u8]) -> Result<SockAddr> {
    let (address, _) = SockAddr::read_from_prefix(bytes).map_err(|_| EINVAL)?;
    if address.sq_family != param::family() {
        return Err(errno(bindings::EAFNOSUPPORT));
    }
    if address.sq_reserved != 0 {
        return Err(EINVAL);
    }
    Ok(address)
}
