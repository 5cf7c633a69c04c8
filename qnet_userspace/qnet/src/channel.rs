// SPDX-License-Identifier: LGPL-2.1-or-later

//! A channel: where a server receives messages.

use std::{
    io::IoSliceMut,
    ops::BitOr,
    os::fd::{
        AsFd,
        AsRawFd,
        BorrowedFd,
        IntoRawFd,
        OwnedFd,
        RawFd, //
    },
};

use qnet_sys::sockaddr_qnet;

use crate::{
    raw::{
        self,
        Sink, //
    },
    Address,
    Error,
    Message,
    Node,
    Result,
    Timeout, //
};

/// How a channel behaves; the values are Neutrino's `_NTO_CHF_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelFlags(u32);

impl ChannelFlags {
    /// The receiver keeps its own priority.
    pub const FIXED_PRIORITY: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_FIXED_PRIORITY);
    /// Fill [`source_len`](crate::MessageInfo::source_len).
    pub const SENDER_LEN: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_SENDER_LEN);
    /// Fill [`reply_len`](crate::MessageInfo::reply_len).
    pub const REPLY_LEN: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_REPLY_LEN);
    /// No other process may connect.
    pub const PRIVATE: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_PRIVATE);

    /// The flags with these bits; the module refuses those that it does not know.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for ChannelFlags {
    type Output = ChannelFlags;

    fn bitor(self, other: ChannelFlags) -> ChannelFlags {
        ChannelFlags(self.0 | other.0)
    }
}

/// A channel of this process.
///
/// Any number of threads may receive on it at once. It belongs to the process that made it: a
/// child of fork that uses it gets [`ESRCH`](Error::ESRCH). Dropping it destroys it when no other
/// thread is inside; [`destroy`](Self::destroy) ends the calls of those that are.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    pid: i32,
    chid: i32,
}

impl Channel {
    /// Makes a channel that tells all of a message's lengths.
    pub fn create() -> Result<Self> {
        Self::with_flags(ChannelFlags::SENDER_LEN | ChannelFlags::REPLY_LEN)
    }

    /// Makes a channel that behaves as `flags` say.
    pub fn with_flags(flags: ChannelFlags) -> Result<Self> {
        let socket = match raw::open_socket(true) {
            Err(Error::EAFNOSUPPORT) => return Err(Error::ENOTSUP),
            other => other?,
        };
        // Never the number of a standard stream, into which somebody would print.
        let socket = raw::raise(socket, 3, true)?;
        let address = sockaddr_qnet {
            sq_family: raw::family() as u16,
            sq_flags: flags.bits(),
            ..Default::default()
        };
        raw::bind(socket.as_fd(), &address)?;
        let name = raw::socket_name(socket.as_fd())?;
        Ok(Self {
            socket,
            pid: name.sq_pid,
            chid: name.sq_chid,
        })
    }

    /// The channel's number in this process.
    pub fn id(&self) -> i32 {
        self.chid
    }

    /// The address for connections from this node.
    pub fn address(&self) -> Address {
        Address {
            node: Node::LOCAL,
            pid: self.pid,
            chid: self.chid,
        }
    }

    /// Waits for a message and puts as much of it as fits into `buffer`.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Message> {
        self.receive_into(Sink::new(buffer), Timeout::NEVER)
    }

    /// As [`receive`](Self::receive), and gives up when `timeout` says so.
    pub fn receive_timeout(
        &self,
        buffer: &mut [u8],
        timeout: impl Into<Timeout>,
    ) -> Result<Message> {
        self.receive_into(Sink::new(buffer), timeout.into())
    }

    /// Waits for a message and scatters it over `parts`.
    pub fn receive_vectored(&self, parts: &mut [IoSliceMut<'_>]) -> Result<Message> {
        self.receive_into(Sink::scattered(parts)?, Timeout::NEVER)
    }

    fn receive_into(&self, buffer: Sink<'_>, timeout: Timeout) -> Result<Message> {
        let (rcvid, info) = raw::receive(self.socket.as_raw_fd(), buffer, timeout)?;
        Message::new(rcvid, info)
    }

    /// Ends the channel for everybody: who is blocked on it, receiving or sending, gets
    /// [`ESRCH`](Error::ESRCH), and so does every later call.
    pub fn destroy(&self) -> Result<()> {
        raw::destroy(self.socket.as_fd())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl IntoRawFd for Channel {
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.socket
    }
}
