// SPDX-License-Identifier: GPL-2.0

//! The messages of the node resolver: the heartbeat, and what `netmgr_remote_nd()` asks.

use super::bytes::{
    until_nul,
    Reader,
    Writer, //
};

/// The longest message: a request with the longest name that its length can tell.
pub const MAX_LEN: usize = 4 + u8::MAX as usize;

const PING: u8 = 0;
const PING_REPLY: u8 = 1;
const REMOTE_REQUEST: u8 = 2;
const REMOTE_ANSWER: u8 = 3;
const REMOTE_ERROR: u8 = 4;

/// A message of the node resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Are you alive?
    Ping,
    /// I am.
    PingReply,
    /// Which number have you for the node of this name?
    RemoteRequest {
        /// Names the request.
        id: u16,
        /// The node, at most 255 bytes without NUL.
        name: &'a [u8],
    },
    /// This number.
    RemoteAnswer {
        /// The request.
        id: u16,
        /// The answerer's number for the node.
        nd: u32,
    },
    /// I have none.
    RemoteError {
        /// The request.
        id: u16,
        /// Why, as QNX numbers errors.
        status: i32,
    },
}

/// Why a payload is not a message of the node resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NrError {
    /// The payload ends before the message does.
    Short,
    /// The type is unknown.
    Type,
}

impl<'a> Message<'a> {
    /// Reads a message. What follows it in `payload` is ignored.
    pub fn parse(payload: &'a [u8]) -> Result<Self, NrError> {
        let mut r = Reader::new(payload);
        match r.u8().ok_or(NrError::Short)? {
            PING => Some(Self::Ping),
            PING_REPLY => Some(Self::PingReply),
            REMOTE_REQUEST => Self::request(&mut r),
            REMOTE_ANSWER => Self::answer(&mut r),
            REMOTE_ERROR => Self::error(&mut r),
            _ => return Err(NrError::Type),
        }
        .ok_or(NrError::Short)
    }

    /// A name may carry its NUL, as strings of the LAN resolver do.
    fn request(r: &mut Reader<'a>) -> Option<Self> {
        let length = r.u8()?;
        let id = r.u16()?;
        let name = until_nul(r.bytes(usize::from(length))?);
        Some(Self::RemoteRequest { id, name })
    }

    fn answer(r: &mut Reader<'a>) -> Option<Self> {
        r.u8()?;
        let id = r.u16()?;
        let nd = r.u32()?;
        Some(Self::RemoteAnswer { id, nd })
    }

    fn error(r: &mut Reader<'a>) -> Option<Self> {
        r.u8()?;
        let id = r.u16()?;
        let status = r.i32()?;
        Some(Self::RemoteError { id, status })
    }

    /// How many bytes [`emit`](Self::emit) writes.
    pub const fn emitted_len(&self) -> usize {
        match self {
            Self::Ping | Self::PingReply => 1,
            Self::RemoteRequest { name, .. } => name.len().saturating_add(4),
            Self::RemoteAnswer { .. } | Self::RemoteError { .. } => 8,
        }
    }

    /// Writes the message, and returns its length.
    ///
    /// Returns [`None`] when `out` is too short, or a name has a NUL in it or more than 255 bytes.
    pub fn emit(&self, out: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(out);
        match self {
            Self::Ping => w.u8(PING)?,
            Self::PingReply => w.u8(PING_REPLY)?,
            Self::RemoteRequest { id, name } => {
                if name.contains(&0) {
                    return None;
                }
                w.u8(REMOTE_REQUEST)?;
                w.u8(u8::try_from(name.len()).ok()?)?;
                w.u16(*id)?;
                w.bytes(name)?;
            }
            Self::RemoteAnswer { id, nd } => {
                w.bytes(&[REMOTE_ANSWER, 0])?;
                w.u16(*id)?;
                w.u32(*nd)?;
            }
            Self::RemoteError { id, status } => {
                w.bytes(&[REMOTE_ERROR, 0])?;
                w.u16(*id)?;
                w.i32(*status)?;
            }
        }
        Some(w.written())
    }
}
