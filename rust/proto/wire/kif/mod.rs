// SPDX-License-Identifier: GPL-2.0

//! KIF, the kernel interface: the messages of message passing. Each has a fixed part, that this
//! module reads and writes, and some have data behind it, that this module only measures.
//!
//! A fixed part starts with a head {u16 type and flags, u16 size}. `size` counts the fixed part with
//! its head and credentials, and must be exactly what the type says. Credentials stand behind the
//! other fields and before the data, in each message that may carry them.

mod credentials;
mod head;
mod records;

pub use credentials::{
    Credentials,
    MAX_GROUPS, //
};
pub use records::{
    Connect,
    Event,
    MsgRead,
    MsgSend,
    Pulse,
    PulseInfo,
    SigEvent,
    Signal,
    Transfer,
    Unblock,
    Vtid, //
};

use super::bytes::{
    Reader,
    Writer, //
};
use head::{
    Head,
    Type, //
};

/// The most bytes in front of the data: CONNECT_PULSE with credentials in both of its parts.
pub const MAX_FIXED: usize =
    Type::ConnectPulse.len() + Type::Pulse.len() + 2 * Credentials::MAX_LEN;

/// The version that CONNECT and its answers carry.
pub const VERSION: u32 = 1;

/// CONNECT_MSGSEND carries at most so many data bytes.
pub const CONNECT_DATA_MAX: u32 = 8192;

/// A KIF message, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Opens a connection to a channel.
    Connect(Connect),
    /// Opens a connection and sends a message on it.
    ConnectMsgSend(Connect, MsgSend),
    /// The connection is open.
    ConnectSuccess {
        /// [`VERSION`].
        version: u32,
        /// The connection as the client's node calls it.
        client_id: u32,
        /// The connection as the server's node calls it.
        server_id: u32,
        /// The server's number for the client.
        scoid: i32,
        /// How many message bytes a MSGSEND may push.
        nbytes: u32,
    },
    /// The connection cannot be opened.
    ConnectFail {
        /// [`VERSION`].
        version: u32,
        /// The connection as the client's node calls it.
        client_id: u32,
        /// Why, as QNX numbers errors.
        status: i32,
    },
    /// A blocked client wants to leave.
    Unblock(Unblock),
    /// A message.
    MsgSend(MsgSend),
    /// Asks for bytes of a message.
    MsgRead(MsgRead),
    /// Bytes of a message that were asked for.
    MsgReadXfer(Transfer),
    /// Bytes of a reply, the client stays blocked.
    MsgWrite(Transfer),
    /// A reply.
    MsgReply(Transfer),
    /// An error in place of a reply.
    MsgError(Transfer),
    /// An event that a client asked for.
    Event(Event),
    /// A pulse.
    Pulse(Pulse),
    /// A signal.
    Signal(Signal),
    /// The client closes the connection.
    Disconnect {
        /// The connection as the server's node calls it.
        server_id: u32,
    },
    /// The channel is gone.
    ConnectDeath {
        /// The connection as the client's node calls it.
        client_id: u32,
    },
    /// Bytes of a message that were asked for cannot come.
    MsgReadError(Transfer),
    /// Opens a connection and sends a pulse on it.
    ConnectPulse(Connect, Pulse),
}

/// Why bytes are not a KIF message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KifError {
    /// The message ends before its fixed part does.
    Short,
    /// The type is unknown, cannot stand here, or carries credentials though it has none.
    Type,
    /// The sender is big endian.
    Endian,
    /// The size in the head is not that of the type.
    Size,
    /// More data is claimed than there is.
    Data,
    /// There are more than [`MAX_GROUPS`] groups.
    Groups,
}

/// Reads the fixed part of a message. `linear` is the first [`MAX_FIXED`] bytes of it, or all of a
/// shorter message; `total` is its length.
///
/// Returns the message and where its data starts, which is `total` when it has none. That all of
/// the data is there was checked; [`Message::data_len`] tells how much it is, and what follows it is
/// to be ignored.
pub fn parse(linear: &[u8], total: usize) -> Result<(Message, usize), KifError> {
    let linear = linear.get(..total).unwrap_or(linear);
    let mut r = Reader::new(linear);
    let message = Message::read(&mut r)?;
    let start = r.read();
    let room = total.checked_sub(start).ok_or(KifError::Short)?;
    match usize::try_from(message.data_len()) {
        Ok(0) => Ok((message, total)),
        Ok(nbytes) if nbytes <= room => Ok((message, start)),
        _ => Err(KifError::Data),
    }
}

impl Message {
    fn read(r: &mut Reader<'_>) -> Result<Self, KifError> {
        let head = Head::read(r)?;
        Ok(match head.kind {
            Type::Connect => Self::Connect(Connect::read(r, &head)?),
            Type::ConnectMsgSend => {
                let connect = Connect::read(r, &head)?;
                let second = Head::second(r, Type::MsgSend)?;
                Self::ConnectMsgSend(connect, MsgSend::read(r, &second)?)
            }
            Type::ConnectSuccess => head.plain(r, Self::success)?,
            Type::ConnectFail => head.plain(r, Self::fail)?,
            Type::Unblock => Self::Unblock(head.plain(r, Unblock::fields)?),
            Type::MsgSend => Self::MsgSend(MsgSend::read(r, &head)?),
            Type::MsgRead => Self::MsgRead(head.plain(r, MsgRead::fields)?),
            Type::MsgReadXfer => Self::MsgReadXfer(head.plain(r, Transfer::fields)?),
            Type::MsgWrite => Self::MsgWrite(head.plain(r, Transfer::fields)?),
            Type::MsgReply => Self::MsgReply(head.plain(r, Transfer::fields)?),
            Type::MsgError => Self::MsgError(head.plain(r, Transfer::fields)?),
            Type::Event => Self::Event(head.plain(r, Event::fields)?),
            Type::Pulse => Self::Pulse(Pulse::read(r, &head)?),
            Type::Signal => Self::Signal(Signal::read(r, &head)?),
            Type::Disconnect => Self::Disconnect {
                server_id: head.plain(r, |r| r.u32())?,
            },
            Type::ConnectDeath => Self::ConnectDeath {
                client_id: head.plain(r, |r| r.u32())?,
            },
            Type::MsgReadError => Self::MsgReadError(head.plain(r, Transfer::fields)?),
            Type::ConnectPulse => {
                let connect = Connect::read(r, &head)?;
                let second = Head::second(r, Type::Pulse)?;
                Self::ConnectPulse(connect, Pulse::read(r, &second)?)
            }
        })
    }

    fn success(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self::ConnectSuccess {
            version: r.u32()?,
            client_id: r.u32()?,
            server_id: r.u32()?,
            scoid: r.i32()?,
            nbytes: r.u32()?,
        })
    }

    fn fail(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self::ConnectFail {
            version: r.u32()?,
            client_id: r.u32()?,
            status: r.i32()?,
        })
    }

    /// How many bytes of data follow the fixed part.
    pub const fn data_len(&self) -> u32 {
        match self {
            Self::ConnectMsgSend(_, send) | Self::MsgSend(send) => send.nbytes,
            Self::MsgReadXfer(transfer)
            | Self::MsgWrite(transfer)
            | Self::MsgReply(transfer)
            | Self::MsgError(transfer)
            | Self::MsgReadError(transfer) => transfer.nbytes,
            _ => 0,
        }
    }

    /// How many bytes the fixed part has.
    pub fn fixed_len(&self) -> usize {
        let with = |kind: Type, credentials: &Option<Credentials>| {
            kind.len() + credentials.as_ref().map_or(0, Credentials::len)
        };
        match self {
            Self::Connect(connect) => with(Type::Connect, &connect.credentials),
            Self::ConnectMsgSend(connect, send) => {
                with(Type::ConnectMsgSend, &connect.credentials)
                    + with(Type::MsgSend, &send.credentials)
            }
            Self::ConnectSuccess { .. } => Type::ConnectSuccess.len(),
            Self::ConnectFail { .. } => Type::ConnectFail.len(),
            Self::Unblock(_) => Type::Unblock.len(),
            Self::MsgSend(send) => with(Type::MsgSend, &send.credentials),
            Self::MsgRead(_) => Type::MsgRead.len(),
            Self::MsgReadXfer(_) => Type::MsgReadXfer.len(),
            Self::MsgWrite(_) => Type::MsgWrite.len(),
            Self::MsgReply(_) => Type::MsgReply.len(),
            Self::MsgError(_) => Type::MsgError.len(),
            Self::Event(_) => Type::Event.len(),
            Self::Pulse(pulse) => with(Type::Pulse, &pulse.credentials),
            Self::Signal(signal) => with(Type::Signal, &signal.credentials),
            Self::Disconnect { .. } => Type::Disconnect.len(),
            Self::ConnectDeath { .. } => Type::ConnectDeath.len(),
            Self::MsgReadError(_) => Type::MsgReadError.len(),
            Self::ConnectPulse(connect, pulse) => {
                with(Type::ConnectPulse, &connect.credentials)
                    + with(Type::Pulse, &pulse.credentials)
            }
        }
    }

    /// Writes the fixed part, and returns its length; the data, if any, is to follow.
    ///
    /// Returns [`None`] when `out` is too short or credentials claim more than [`MAX_GROUPS`]
    /// groups.
    pub fn emit(&self, out: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(out);
        self.write(&mut w)?;
        Some(w.written())
    }

    fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        match self {
            Self::Connect(connect) => connect.write(w, Type::Connect),
            Self::ConnectMsgSend(connect, send) => {
                connect.write(w, Type::ConnectMsgSend)?;
                send.write(w)
            }
            Self::ConnectSuccess {
                version,
                client_id,
                server_id,
                scoid,
                nbytes,
            } => {
                Head::write(w, Type::ConnectSuccess, None)?;
                w.u32(*version)?;
                w.u32(*client_id)?;
                w.u32(*server_id)?;
                w.i32(*scoid)?;
                w.u32(*nbytes)
            }
            Self::ConnectFail {
                version,
                client_id,
                status,
            } => {
                Head::write(w, Type::ConnectFail, None)?;
                w.u32(*version)?;
                w.u32(*client_id)?;
                w.i32(*status)
            }
            Self::Unblock(unblock) => unblock.write(w),
            Self::MsgSend(send) => send.write(w),
            Self::MsgRead(read) => read.write(w),
            Self::MsgReadXfer(transfer) => transfer.write(w, Type::MsgReadXfer),
            Self::MsgWrite(transfer) => transfer.write(w, Type::MsgWrite),
            Self::MsgReply(transfer) => transfer.write(w, Type::MsgReply),
            Self::MsgError(transfer) => transfer.write(w, Type::MsgError),
            Self::Event(event) => event.write(w),
            Self::Pulse(pulse) => pulse.write(w),
            Self::Signal(signal) => signal.write(w),
            Self::Disconnect { server_id } => {
                Head::write(w, Type::Disconnect, None)?;
                w.u32(*server_id)
            }
            Self::ConnectDeath { client_id } => {
                Head::write(w, Type::ConnectDeath, None)?;
                w.u32(*client_id)
            }
            Self::MsgReadError(transfer) => transfer.write(w, Type::MsgReadError),
            Self::ConnectPulse(connect, pulse) => {
                connect.write(w, Type::ConnectPulse)?;
                pulse.write(w)
            }
        }
    }
}
