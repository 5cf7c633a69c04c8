// SPDX-License-Identifier: LGPL-2.1-or-later

//! A connection: how a client reaches a channel.

use std::{
    ffi::c_int,
    io::{
        IoSlice,
        IoSliceMut, //
    },
    os::fd::{
        AsFd,
        AsRawFd,
        BorrowedFd,
        IntoRawFd,
        OwnedFd,
        RawFd, //
    },
};

use qnet_sys::{
    qnet_cm_answer,
    qnet_cm_post,
    qnet_connection_info,
    sockaddr_qnet, //
};

use crate::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Address,
    Error,
    Node,
    Priority,
    Result,
    Timeout, //
};

/// What a server replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status it gave.
    pub status: i64,
    /// How many bytes are in the reply buffer.
    pub len: usize,
}

/// What the module knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The channel that it leads to.
    pub address: Address,
    /// The server's number for this process.
    pub scoid: i32,
    /// The number by which this process calls the connection, or -1.
    pub coid: i32,
    /// Whether the server is gone: nothing can be sent any more.
    pub is_dead: bool,
}

impl From<qnet_connection_info> for ConnectionInfo {
    fn from(raw: qnet_connection_info) -> Self {
        Self {
            address: Address {
                node: Node::from_raw(raw.nd),
                pid: raw.pid,
                chid: raw.chid,
            },
            scoid: raw.scoid,
            coid: raw.coid,
            is_dead: raw.flags & qnet_sys::QNET_CONNECTION_DEAD != 0,
        }
    }
}

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    cloexec: bool,
    flags: u32,
    side_channel: bool,
    lowest: c_int,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectionOptions {
    /// Closed at exec, shared with other connections of the process to the same channel.
    pub const fn new() -> Self {
        Self {
            cloexec: true,
            flags: 0,
            side_channel: false,
            lowest: 0,
        }
    }

    /// Whether exec closes the connection.
    pub const fn cloexec(self, cloexec: bool) -> Self {
        Self { cloexec, ..self }
    }

    /// Flags for the module, `QNET_COF_*`; it refuses those that it does not know.
    pub const fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Whether the connection is a side channel: one that Neutrino numbers outside of the file
    /// descriptors.
    pub const fn side_channel(self, side_channel: bool) -> Self {
        Self {
            side_channel,
            ..self
        }
    }

    /// The lowest descriptor to use.
    pub const fn lowest(self, lowest: c_int) -> Self {
        Self { lowest, ..self }
    }

    /// Attaches to the channel at `address`.
    ///
    /// To another node this is bookkeeping of this node alone: that there is no such process or
    /// channel is told by the first send. On this node it is [`ESRCH`](Error::ESRCH) at once.
    pub fn attach(self, address: Address) -> Result<Connection> {
        let socket = match raw::open_socket(self.cloexec) {
            Err(Error::EAFNOSUPPORT) if address.node == Node::LOCAL => {
                return Err(Error::ENOTSUP);
            }
            Err(Error::EAFNOSUPPORT) => return Err(Error::ENOREMOTE),
            other => other?,
        };
        let socket = raw::raise(socket, self.lowest, self.cloexec)?;
        let index = if self.side_channel {
            qnet_sys::QNET_SIDE_CHANNEL
        } else {
            0
        };
        let address = sockaddr_qnet {
            sq_family: raw::family() as u16,
            sq_flags: self.flags,
            sq_nd: address.node.as_raw(),
            sq_pid: address.pid,
            sq_chid: address.chid,
            sq_index: index,
            ..Default::default()
        };
        raw::connect(socket.as_fd(), &address)?;
        let coid = socket.as_raw_fd() | index as c_int;
        // The module tells it in the pulse that says that the server is gone.
        raw::set_coid(socket.as_fd(), coid)?;
        Ok(Connection { coid, socket })
    }
}

/// The answer of a message that was [posted](Connection::post).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The cookie of the message.
    pub cookie: u64,
    /// What the server replied, or why the message failed.
    pub result: Result<Reply>,
}

/// A connection of this process to a channel.
///
/// Any number of threads may send on it at once. A child of fork that uses it becomes a client of
/// its own. Dropping it detaches when no other thread is inside; [`detach`](Self::detach) ends the
/// calls of those that are.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    coid: c_int,
}

impl Connection {
    /// Attaches to the channel at `address`; see [`ConnectionOptions::attach`].
    pub fn attach(address: Address) -> Result<Self> {
        ConnectionOptions::new().attach(address)
    }

    /// Sends `message` and waits for the reply, of which as much as fits is put into `reply`.
    pub fn send(&self, message: &[u8], reply: &mut [u8]) -> Result<Reply> {
        self.send_from(Source::new(message), Sink::new(reply), Timeout::NEVER)
    }

    /// As [`send`](Self::send), and gives up when `timeout` says so.
    pub fn send_timeout(
        &self,
        message: &[u8],
        reply: &mut [u8],
        timeout: impl Into<Timeout>,
    ) -> Result<Reply> {
        self.send_from(Source::new(message), Sink::new(reply), timeout.into())
    }

    /// Sends a message gathered from `message` and scatters the reply over `reply`.
    pub fn send_vectored(
        &self,
        message: &[IoSlice<'_>],
        reply: &mut [IoSliceMut<'_>],
    ) -> Result<Reply> {
        self.send_from(
            Source::scattered(message)?,
            Sink::scattered(reply)?,
            Timeout::NEVER,
        )
    }

    fn send_from(&self, message: Source<'_>, reply: Sink<'_>, timeout: Timeout) -> Result<Reply> {
        let sent = raw::send(self.coid, message, reply, timeout)?;
        Ok(Reply {
            status: sent.status,
            len: sent.replied as usize,
        })
    }

    /// Sends `message` and does not wait for the reply, for which `room` bytes are kept:
    /// [`collect`](Self::collect) gets it, and `cookie` with it. The descriptor can be polled: it is
    /// readable when there is an answer, and writable when this does not block; with `O_NONBLOCK` this
    /// fails with [`EAGAIN`](Error::EAGAIN) otherwise.
    ///
    /// The message has [`QNET_POST_MAX`](qnet_sys::QNET_POST_MAX) bytes at the most.
    pub fn post(&self, message: &[u8], room: u32, cookie: u64) -> Result<()> {
        let post = qnet_cm_post {
            cookie,
            room,
            coid: self.coid,
        };
        raw::sendmsg(self.socket.as_fd(), message, Some(&post), 0).map(drop)
    }

    /// Gets the answer of a message that was [posted](Self::post), the oldest one that was answered,
    /// and waits for one unless the descriptor has `O_NONBLOCK`. What it says of itself is in the
    /// result; this fails when there is none to get.
    pub fn collect(&self, reply: &mut [u8]) -> Result<Collected> {
        let got: raw::Got<qnet_cm_answer> = raw::recvmsg(self.socket.as_fd(), reply, 0)?;
        let answer = got.control.ok_or(Error::ENOTSUP)?;
        Ok(Collected {
            cookie: answer.cookie,
            result: match answer.error {
                0 => Ok(Reply {
                    status: answer.status,
                    len: got.len,
                }),
                error => Err(Error::from_errno(error)),
            },
        })
    }

    /// Sends a pulse with the priority of the calling thread: a small message that is queued at the
    /// channel and that nobody answers. `code` is 0 to 127.
    ///
    /// To another node it blocks until there is a session, and room in it; that it was sent says
    /// nothing of whether it arrived there, and the lower 32 bits of `value` go along. A sender needs the rights that `kill(2)` wants.
    pub fn send_pulse(&self, code: i8, value: i64) -> Result<()> {
        self.send_pulse_with(Priority::CALLER, code, value)
    }

    /// As [`send_pulse`](Self::send_pulse), with another priority.
    pub fn send_pulse_with(&self, priority: Priority, code: i8, value: i64) -> Result<()> {
        raw::send_pulse(self.coid, priority.raw(), i32::from(code), value)
    }

    /// What the module knows of the connection and of its server.
    pub fn info(&self) -> Result<ConnectionInfo> {
        raw::connection_info(self.socket.as_fd()).map(ConnectionInfo::from)
    }

    /// The connection's number: its descriptor, with one bit more for a side channel.
    pub fn id(&self) -> i32 {
        self.coid
    }

    /// The channel that this is attached to.
    pub fn peer(&self) -> Result<Address> {
        let name = raw::peer_name(self.socket.as_fd())?;
        Ok(Address {
            node: Node::from_raw(name.sq_nd),
            pid: name.sq_pid,
            chid: name.sq_chid,
        })
    }

    /// Gives the connection away as its number; ConnectDetach() of the C library takes it.
    pub fn into_coid(self) -> i32 {
        let coid = self.coid;
        let _ = self.into_raw_fd();
        coid
    }

    /// Ends the connection for everybody: who is blocked on it gets [`EBADF`](Error::EBADF), and
    /// so does every later call.
    pub fn detach(&self) -> Result<()> {
        raw::detach(self.socket.as_fd())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl IntoRawFd for Connection {
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

impl From<Connection> for OwnedFd {
    fn from(connection: Connection) -> Self {
        connection.socket
    }
}
