// SPDX-License-Identifier: GPL-2.0

//! The head of a fixed part: which message it is, how long it is, and whether credentials follow.

use super::{
    Credentials,
    KifError, //
};
use crate::proto::wire::bytes::{
    Reader,
    Writer, //
};

/// In a head: the bits of the type.
const TYPE_MASK: u16 = 0x007f;
/// In a head: credentials follow.
const CREDENTIALS_FLAG: u16 = 0x0100;
/// In a head: the sender is big endian. One of the two bits is enough to know it.
const BIG_ENDIAN_FLAGS: u16 = 0x8080;

/// The number of a message type on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Type {
    Connect = 0,
    ConnectMsgSend = 1,
    ConnectSuccess = 2,
    ConnectFail = 3,
    Unblock = 4,
    MsgSend = 5,
    MsgRead = 6,
    MsgReadXfer = 7,
    MsgWrite = 8,
    MsgReply = 9,
    MsgError = 10,
    Event = 11,
    Pulse = 12,
    Signal = 13,
    Disconnect = 14,
    ConnectDeath = 15,
    MsgReadError = 16,
    ConnectPulse = 17,
}

impl Type {
    const fn from_wire(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Connect,
            1 => Self::ConnectMsgSend,
            2 => Self::ConnectSuccess,
            3 => Self::ConnectFail,
            4 => Self::Unblock,
            5 => Self::MsgSend,
            6 => Self::MsgRead,
            7 => Self::MsgReadXfer,
            8 => Self::MsgWrite,
            9 => Self::MsgReply,
            10 => Self::MsgError,
            11 => Self::Event,
            12 => Self::Pulse,
            13 => Self::Signal,
            14 => Self::Disconnect,
            15 => Self::ConnectDeath,
            16 => Self::MsgReadError,
            17 => Self::ConnectPulse,
            _ => return None,
        })
    }

    /// The fixed part without credentials; of a combined message that of its first part.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Connect | Self::ConnectMsgSend | Self::ConnectPulse => 24,
            Self::ConnectSuccess => 24,
            Self::ConnectFail => 16,
            Self::Unblock => 16,
            Self::MsgSend => 48,
            Self::MsgRead => 20,
            Self::MsgReadXfer
            | Self::MsgWrite
            | Self::MsgReply
            | Self::MsgError
            | Self::MsgReadError => 20,
            Self::Event => 24,
            Self::Pulse => 64,
            Self::Signal => 28,
            Self::Disconnect => 8,
            Self::ConnectDeath => 8,
        }
    }

    /// Whether credentials may follow: with what comes from a client and can tell who it is now.
    const fn may_carry_credentials(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::ConnectMsgSend
                | Self::ConnectPulse
                | Self::MsgSend
                | Self::Pulse
                | Self::Signal
        )
    }
}

/// The head of a fixed part.
pub(super) struct Head {
    pub(super) kind: Type,
    credentials: bool,
    size: usize,
}

impl Head {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, KifError> {
        let word = r.u16().ok_or(KifError::Short)?;
        let size = r.u16().ok_or(KifError::Short)?;
        if word & BIG_ENDIAN_FLAGS != 0 {
            return Err(KifError::Endian);
        }
        if word & !(TYPE_MASK | CREDENTIALS_FLAG) != 0 {
            return Err(KifError::Type);
        }
        let kind = Type::from_wire(word & TYPE_MASK).ok_or(KifError::Type)?;
        let credentials = word & CREDENTIALS_FLAG != 0;
        if credentials && !kind.may_carry_credentials() {
            return Err(KifError::Type);
        }
        Ok(Self {
            kind,
            credentials,
            size: usize::from(size),
        })
    }

    /// Reads the credentials, if they follow, and compares the size with that of what was read.
    pub(super) fn finish(&self, r: &mut Reader<'_>) -> Result<Option<Credentials>, KifError> {
        if !self.credentials {
            return match self.size == self.kind.len() {
                true => Ok(None),
                false => Err(KifError::Size),
            };
        }
        let credentials = Credentials::read(r)?;
        if self.size != self.kind.len() + credentials.len() {
            return Err(KifError::Size);
        }
        Ok(Some(credentials))
    }

    /// Reads a record that carries no credentials.
    pub(super) fn plain<T>(
        &self,
        r: &mut Reader<'_>,
        fields: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<T, KifError> {
        let record = fields(r).ok_or(KifError::Short)?;
        self.finish(r)?;
        Ok(record)
    }

    /// Reads the head of the second part of a combined message.
    pub(super) fn second(r: &mut Reader<'_>, kind: Type) -> Result<Self, KifError> {
        let head = Self::read(r)?;
        match head.kind == kind {
            true => Ok(head),
            false => Err(KifError::Type),
        }
    }

    /// Writes the head of a fixed part that carries `credentials`.
    pub(super) fn write(
        w: &mut Writer<'_>,
        kind: Type,
        credentials: Option<&Credentials>,
    ) -> Option<()> {
        let flag = credentials.map_or(0, |_| CREDENTIALS_FLAG);
        let size = kind.len() + credentials.map_or(0, Credentials::len);
        w.u16(kind as u16 | flag)?;
        w.u16(u16::try_from(size).ok()?)
    }
}
