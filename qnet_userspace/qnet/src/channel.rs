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
    time::Instant,
};

use qnet_sys::sockaddr_qnet;

use crate::{
    raw::{
        self,
        Answer,
        Sink,
        Source, //
    },
    Address,
    Error,
    Message,
    Node,
    Pulse,
    Result,
    Timeout, //
};

/// How a channel behaves; the values are Neutrino's `_NTO_CHF_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelFlags(u32);

impl ChannelFlags {
    /// The receiver keeps its own priority.
    pub const FIXED_PRIORITY: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_FIXED_PRIORITY);
    /// A pulse, [`PulseKind::Unblock`](crate::PulseKind::Unblock), when a client wants to leave
    /// while its message is not answered; it stays until then.
    pub const UNBLOCK: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_UNBLOCK);
    /// A pulse when a thread of this process ends that has called the module. One channel of a
    /// process may have it.
    pub const THREAD_DEATH: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_THREAD_DEATH);
    /// A pulse when a client has closed all of its connections.
    pub const DISCONNECT: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_DISCONNECT);
    /// A pulse when the server of a connection of this process is gone. One channel of a process
    /// may have it.
    pub const CONNECTION_DEATH: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_COID_DISCONNECT);
    /// No effect: [`source_len`](crate::MessageInfo::source_len) is always told.
    pub const SENDER_LEN: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_SENDER_LEN);
    /// No effect: [`reply_len`](crate::MessageInfo::reply_len) is always told.
    pub const REPLY_LEN: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_REPLY_LEN);
    /// No other process may connect.
    pub const PRIVATE: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_PRIVATE);
    /// Other nodes may connect even when this one has the option `remote=marked`.
    pub const REMOTE: ChannelFlags = ChannelFlags(qnet_sys::QNET_CHF_REMOTE);

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

/// What came on a channel.
#[derive(Debug)]
#[must_use = "the client of a message is blocked until it is answered"]
pub enum Received {
    /// A message, which has to be answered.
    Message(Message),
    /// A pulse, which has not.
    Pulse(Pulse),
}

impl Received {
    fn new(raw: raw::Received) -> Result<Self> {
        Ok(match raw {
            raw::Received::Message(rcvid, info) => Self::Message(Message::new(rcvid, info)?),
            raw::Received::Pulse(pulse) => Self::Pulse(pulse.into()),
        })
    }
}

/// Who may connect to a channel: as who may write a file with this owner, group and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner; `None` leaves it, which at first is who made the channel.
    pub uid: Option<u32>,
    /// The group; `None` leaves it, which at first is that of who made the channel.
    pub gid: Option<u32>,
    /// The mode, of which the bits 0222 count.
    pub mode: u32,
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
    ///
    /// Pulses that come first are thrown away: this is for servers that expect none.
    /// [`receive_any`](Self::receive_any) is for the others.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Message> {
        self.receive_timeout(buffer, Timeout::NEVER)
    }

    /// As [`receive`](Self::receive), and gives up when `timeout` says so.
    pub fn receive_timeout(
        &self,
        buffer: &mut [u8],
        timeout: impl Into<Timeout>,
    ) -> Result<Message> {
        let timeout = timeout.into();
        self.first_message(timeout, |timeout| {
            raw::receive(self.fd(), Sink::new(buffer), timeout)
        })
    }

    /// Waits for a message and scatters it over `parts`. As [`receive`](Self::receive), it throws
    /// pulses away.
    pub fn receive_vectored(&self, parts: &mut [IoSliceMut<'_>]) -> Result<Message> {
        self.first_message(Timeout::NEVER, |timeout| {
            raw::receive(self.fd(), Sink::scattered(parts)?, timeout)
        })
    }

    /// Receives until a message comes. The pulses before it do not prolong the time-out.
    fn first_message(
        &self,
        timeout: Timeout,
        mut receive: impl FnMut(Timeout) -> Result<raw::Received>,
    ) -> Result<Message> {
        // Nobody looks at the clock when there is no time-out.
        let began = (timeout != Timeout::NEVER).then(Instant::now);
        let mut left = timeout;
        loop {
            match receive(left)? {
                raw::Received::Message(rcvid, info) => return Message::new(rcvid, info),
                raw::Received::Pulse(_) => {
                    left = began.map_or(timeout, |began| timeout.since(began))
                }
            }
        }
    }

    /// Waits for a message or a pulse, whichever is the most urgent. As much of a message as fits is
    /// put into `buffer`, which a pulse does not touch.
    pub fn receive_any(&self, buffer: &mut [u8], timeout: impl Into<Timeout>) -> Result<Received> {
        Received::new(raw::receive(self.fd(), Sink::new(buffer), timeout.into())?)
    }

    /// Waits for a pulse. Messages stay in the queue.
    pub fn receive_pulse(&self, timeout: impl Into<Timeout>) -> Result<Pulse> {
        raw::receive_pulse(self.fd(), timeout.into()).map(Pulse::from)
    }

    /// Replies to `message` and waits for the next message or pulse, in one system call: what came,
    /// and what became of the reply, each for itself. A client that is gone is no reason not to
    /// receive.
    pub fn reply_receive(
        &self,
        message: Message,
        status: i64,
        reply: &[u8],
        buffer: &mut [u8],
    ) -> (Result<Received>, Result<()>) {
        // A reply to another channel's message must not depend on this channel's fate.
        if message.info().chid != self.chid {
            let answered = message.reply(status, reply);
            return (self.receive_any(buffer, Timeout::NEVER), answered);
        }
        let rcvid = message.into_rcvid().get();
        let answer = Answer {
            rcvid,
            status,
            data: Source::new(reply),
        };
        let (received, answered) =
            raw::reply_receive(self.fd(), answer, Sink::new(buffer), Timeout::NEVER);
        if let Err(error) = answered {
            // As with a reply alone: a client that is still blocked learns the reason.
            let _ = raw::error(rcvid, error.errno());
        }
        (received.and_then(Received::new), answered)
    }

    /// Says who may connect from now on; whoever is connected stays. Before the first call anybody
    /// may.
    pub fn set_access(&self, access: Access) -> Result<()> {
        let id = |id: Option<u32>| id.unwrap_or(u32::MAX);
        raw::set_access(
            self.socket.as_fd(),
            id(access.uid),
            id(access.gid),
            access.mode,
        )
    }

    fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
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
