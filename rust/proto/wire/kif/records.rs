// SPDX-License-Identifier: GPL-2.0

//! The records that messages are made of: first what they are, then how they travel.

use super::head::{
    Head,
    Type, //
};
use super::{
    Credentials,
    KifError, //
};
use crate::proto::wire::bytes::{
    Reader,
    Writer, //
};

/// The thread that sent something, and the sizes of its buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vtid {
    /// Its thread id.
    pub tid: i32,
    /// The connection that it used.
    pub coid: i32,
    /// Its priority.
    pub priority: i32,
    /// How many bytes it sends.
    pub srcmsglen: i32,
    /// A key of the sender's security; 0.
    pub keydata: i32,
    /// The sender's number for the receiver's node.
    pub srcnd: i32,
    /// How many bytes of reply it takes.
    pub dstmsglen: i32,
}

/// CONNECT: a client's first words to a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// The process that has the channel.
    pub server_pid: i32,
    /// The channel.
    pub server_chid: i32,
    /// The client's node calls the connection so.
    pub client_id: u32,
    /// The client.
    pub client_pid: i32,
    /// Who the client is.
    pub credentials: Option<Credentials>,
}

/// The fields of MSGWRITE, MSGREPLY, MSGERROR, MSGREAD_XFER and MSGREAD_ERROR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// What MsgSend returns, or an error as QNX numbers it.
    pub status: i32,
    /// The blocked send, or the MsgRead, that it belongs to.
    pub handle: u32,
    /// Where the data goes.
    pub offset: u32,
    /// Bytes of data that follow.
    pub nbytes: u32,
}

/// MSGSEND: a message for a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgSend {
    /// The connection as the server's node calls it; 0 in CONNECT_MSGSEND.
    pub server_id: u32,
    /// This one blocked send, as the client's node calls it.
    pub client_handle: u32,
    /// The sender.
    pub vtid: Vtid,
    /// Bytes of data that follow.
    pub nbytes: u32,
    /// Who the client is, when that changed since the last message.
    pub credentials: Option<Credentials>,
}

/// MSGREAD: asks for bytes of a message whose sender is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgRead {
    /// This one MsgRead, as the server's node calls it.
    pub msgread_handle: u32,
    /// The blocked send.
    pub client_handle: u32,
    /// The first byte wanted.
    pub offset: u32,
    /// How many bytes are wanted.
    pub nbytes: u32,
}

/// UNBLOCK: a blocked client wants to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unblock {
    /// The connection as the server's node calls it.
    pub server_id: u32,
    /// The blocked send.
    pub client_handle: u32,
    /// The blocked thread.
    pub tid: i32,
}

/// QNX's `_pulse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PulseInfo {
    /// 0 in a pulse.
    pub ptype: u16,
    /// 0 in a pulse.
    pub subtype: u16,
    /// The code; a program's own are 0 to 127.
    pub code: i8,
    /// The value.
    pub value: i32,
    /// The server's number for the client.
    pub scoid: i32,
}

/// PULSE: a pulse for a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The connection as the server's node calls it; 0 in CONNECT_PULSE.
    pub server_id: u32,
    /// 0: nobody is blocked.
    pub client_handle: u32,
    /// The sender.
    pub vtid: Vtid,
    /// The pulse itself.
    pub pulse: PulseInfo,
    /// The priority that the pulse has.
    pub priority: i32,
    /// Who the client is, when that changed since the last message.
    pub credentials: Option<Credentials>,
}

/// QNX's `sigevent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigEvent {
    /// What kind of event it is.
    pub notify: i32,
    /// Signal number, connection or id, by the kind.
    pub union1: i32,
    /// The value.
    pub value: i32,
    /// The code.
    pub code: i16,
    /// The priority.
    pub priority: i16,
}

/// EVENT: what MsgDeliverEvent delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The send that the server remembers.
    pub client_handle: u32,
    /// The event.
    pub event: SigEvent,
}

/// SIGNAL: a signal for a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// The sender.
    pub client_handle: u32,
    /// The process to be signalled.
    pub pid: i32,
    /// Its thread, or 0.
    pub tid: i32,
    /// The signal.
    pub signo: i32,
    /// Its code.
    pub code: i32,
    /// Its value.
    pub value: i32,
    /// Who the sender is.
    pub credentials: Option<Credentials>,
}

impl Vtid {
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let vtid = Self {
            tid: r.i32()?,
            coid: r.i32()?,
            priority: r.i32()?,
            srcmsglen: r.i32()?,
            keydata: r.i32()?,
            srcnd: r.i32()?,
            dstmsglen: r.i32()?,
        };
        // The last of the eight words is spare.
        r.i32()?;
        Some(vtid)
    }

    fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        w.i32(self.tid)?;
        w.i32(self.coid)?;
        w.i32(self.priority)?;
        w.i32(self.srcmsglen)?;
        w.i32(self.keydata)?;
        w.i32(self.srcnd)?;
        w.i32(self.dstmsglen)?;
        w.i32(0)
    }
}

impl PulseInfo {
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let ptype = r.u16()?;
        let subtype = r.u16()?;
        let code = r.i8()?;
        r.array::<3>()?;
        Some(Self {
            ptype,
            subtype,
            code,
            value: r.i32()?,
            scoid: r.i32()?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u16(self.ptype)?;
        w.u16(self.subtype)?;
        w.i8(self.code)?;
        w.bytes(&[0; 3])?;
        w.i32(self.value)?;
        w.i32(self.scoid)
    }
}

impl SigEvent {
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            notify: r.i32()?,
            union1: r.i32()?,
            value: r.i32()?,
            code: r.i16()?,
            priority: r.i16()?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        w.i32(self.notify)?;
        w.i32(self.union1)?;
        w.i32(self.value)?;
        w.i16(self.code)?;
        w.i16(self.priority)
    }
}

// Each record below has `fields`, which reads what follows its head, and `write`, which writes the
// head too. A record that may carry credentials has `read`, because its head tells whether it does.

impl Connect {
    pub(super) fn read(r: &mut Reader<'_>, head: &Head) -> Result<Self, KifError> {
        let mut record = Self::fields(r).ok_or(KifError::Short)?;
        record.credentials = head.finish(r)?;
        Ok(record)
    }

    fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            version: r.u32()?,
            server_pid: r.i32()?,
            server_chid: r.i32()?,
            client_id: r.u32()?,
            client_pid: r.i32()?,
            credentials: None,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>, kind: Type) -> Option<()> {
        Head::write(w, kind, self.credentials.as_ref())?;
        w.u32(self.version)?;
        w.i32(self.server_pid)?;
        w.i32(self.server_chid)?;
        w.u32(self.client_id)?;
        w.i32(self.client_pid)?;
        self.credentials.iter().try_for_each(|c| c.write(w))
    }
}

impl MsgSend {
    pub(super) fn read(r: &mut Reader<'_>, head: &Head) -> Result<Self, KifError> {
        let mut record = Self::fields(r).ok_or(KifError::Short)?;
        record.credentials = head.finish(r)?;
        Ok(record)
    }

    fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            server_id: r.u32()?,
            client_handle: r.u32()?,
            vtid: Vtid::read(r)?,
            nbytes: r.u32()?,
            credentials: None,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::MsgSend, self.credentials.as_ref())?;
        w.u32(self.server_id)?;
        w.u32(self.client_handle)?;
        self.vtid.write(w)?;
        w.u32(self.nbytes)?;
        self.credentials.iter().try_for_each(|c| c.write(w))
    }
}

impl Pulse {
    pub(super) fn read(r: &mut Reader<'_>, head: &Head) -> Result<Self, KifError> {
        let mut record = Self::fields(r).ok_or(KifError::Short)?;
        record.credentials = head.finish(r)?;
        Ok(record)
    }

    fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            server_id: r.u32()?,
            client_handle: r.u32()?,
            vtid: Vtid::read(r)?,
            pulse: PulseInfo::read(r)?,
            priority: r.i32()?,
            credentials: None,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::Pulse, self.credentials.as_ref())?;
        w.u32(self.server_id)?;
        w.u32(self.client_handle)?;
        self.vtid.write(w)?;
        self.pulse.write(w)?;
        w.i32(self.priority)?;
        self.credentials.iter().try_for_each(|c| c.write(w))
    }
}

impl Transfer {
    pub(super) fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            status: r.i32()?,
            handle: r.u32()?,
            offset: r.u32()?,
            nbytes: r.u32()?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>, kind: Type) -> Option<()> {
        Head::write(w, kind, None)?;
        w.i32(self.status)?;
        w.u32(self.handle)?;
        w.u32(self.offset)?;
        w.u32(self.nbytes)
    }
}

impl MsgRead {
    pub(super) fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            msgread_handle: r.u32()?,
            client_handle: r.u32()?,
            offset: r.u32()?,
            nbytes: r.u32()?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::MsgRead, None)?;
        w.u32(self.msgread_handle)?;
        w.u32(self.client_handle)?;
        w.u32(self.offset)?;
        w.u32(self.nbytes)
    }
}

impl Unblock {
    pub(super) fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            server_id: r.u32()?,
            client_handle: r.u32()?,
            tid: r.i32()?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::Unblock, None)?;
        w.u32(self.server_id)?;
        w.u32(self.client_handle)?;
        w.i32(self.tid)
    }
}

impl Event {
    pub(super) fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            client_handle: r.u32()?,
            event: SigEvent::read(r)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::Event, None)?;
        w.u32(self.client_handle)?;
        self.event.write(w)
    }
}

impl Signal {
    pub(super) fn read(r: &mut Reader<'_>, head: &Head) -> Result<Self, KifError> {
        let mut record = Self::fields(r).ok_or(KifError::Short)?;
        record.credentials = head.finish(r)?;
        Ok(record)
    }

    fn fields(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            client_handle: r.u32()?,
            pid: r.i32()?,
            tid: r.i32()?,
            signo: r.i32()?,
            code: r.i32()?,
            value: r.i32()?,
            credentials: None,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        Head::write(w, Type::Signal, self.credentials.as_ref())?;
        w.u32(self.client_handle)?;
        w.i32(self.pid)?;
        w.i32(self.tid)?;
        w.i32(self.signo)?;
        w.i32(self.code)?;
        w.i32(self.value)?;
        self.credentials.iter().try_for_each(|c| c.write(w))
    }
}
