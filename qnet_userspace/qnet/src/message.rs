// SPDX-License-Identifier: LGPL-2.1-or-later

//! A message that a server received and has to answer.

use std::{
    io::{
        IoSlice,
        IoSliceMut, //
    },
    mem,
    num::NonZeroI32, //
};

use qnet_sys::qnet_msg_info;

use crate::{
    raw::{
        self,
        Sink,
        Source, //
    },
    Error,
    Event,
    Node,
    Result,
    Timeout, //
};

/// The name of a received message in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcvid(NonZeroI32);

impl Rcvid {
    /// The number.
    pub const fn get(self) -> i32 {
        self.0.get()
    }
}

impl From<NonZeroI32> for Rcvid {
    fn from(number: NonZeroI32) -> Self {
        Self(number)
    }
}

impl Rcvid {
    /// Says that the calling thread works for this message's client from now on, with its priority.
    pub fn make_current(self) -> Result<()> {
        raw::current(self.get())
    }

    /// Says that the calling thread works for nobody.
    pub fn make_none_current() -> Result<()> {
        raw::current(0)
    }

    /// Delivers an event to the client of the message, which may have been answered already.
    pub fn deliver(self, event: &Event) -> Result<()> {
        raw::deliver(self.get(), 0, event.raw())
    }

    /// Whether an event could be delivered to the client of the message.
    pub fn verify(self, event: &Event) -> Result<()> {
        raw::deliver(self.get(), qnet_sys::QNET_DELIVER_VERIFY, event.raw())
    }
}

/// What to do with a key; see [`Message::key_data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOperation {
    /// Look whether the key is that of the data: 0 if it is, else `u32::MAX`.
    Verify,
    /// Make a key, which is good on this node for the thread that sent the message.
    Calculate,
    /// The same; Neutrino has two.
    CalculateReuse,
}

impl KeyOperation {
    fn raw(self) -> u32 {
        match self {
            Self::Verify => qnet_sys::QNET_KEYDATA_VERIFY,
            Self::Calculate => qnet_sys::QNET_KEYDATA_CALCULATE,
            Self::CalculateReuse => qnet_sys::QNET_KEYDATA_CALCULATE_REUSE,
        }
    }
}

/// Who sent a message, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// The client's node, as this node numbers it.
    pub node: Node,
    /// This node, as the client's node numbers it.
    pub server_node: Node,
    /// The client's process.
    pub pid: i32,
    /// The client's thread.
    pub tid: i32,
    /// The channel that the message was received on.
    pub chid: i32,
    /// This process's number for the client process.
    pub scoid: i32,
    /// The client's number for its connection.
    pub coid: i32,
    /// The client's priority.
    pub priority: i16,
    /// Neutrino's `_NTO_MI_*`.
    pub flags: i16,
    /// Bytes received.
    pub len: usize,
    /// Bytes that the client sent.
    pub source_len: usize,
    /// Bytes that the client has room for in the reply.
    pub reply_len: usize,
}

impl MessageInfo {
    /// Whether the client wants to leave: a signal or a time-out has come while it waits for the
    /// answer.
    pub fn wants_to_leave(&self) -> bool {
        self.flags & qnet_sys::QNET_MI_UNBLOCK_REQ != 0
    }
}

impl From<qnet_msg_info> for MessageInfo {
    fn from(raw: qnet_msg_info) -> Self {
        let length = |value: i64| usize::try_from(value).unwrap_or(0);
        Self {
            node: Node::from_raw(raw.nd),
            server_node: Node::from_raw(raw.srcnd),
            pid: raw.pid,
            tid: raw.tid,
            chid: raw.chid,
            scoid: raw.scoid,
            coid: raw.coid,
            priority: raw.priority,
            flags: raw.flags,
            len: length(raw.msglen),
            source_len: length(raw.srcmsglen),
            reply_len: length(raw.dstmsglen),
        }
    }
}

/// A message that was received and waits for its answer; its client is blocked until then.
///
/// Any thread of the process may answer it, in any order. One that is dropped unanswered fails
/// the client's send with [`ECANCELED`](Error::ECANCELED), so that no client is forgotten.
#[derive(Debug)]
#[must_use = "the client is blocked until the message is answered"]
pub struct Message {
    rcvid: Rcvid,
    info: MessageInfo,
}

impl Message {
    pub(crate) fn new(rcvid: i32, info: qnet_msg_info) -> Result<Self> {
        let number = NonZeroI32::new(rcvid).ok_or(Error::EBADMSG)?;
        Ok(Self {
            rcvid: Rcvid(number),
            info: info.into(),
        })
    }

    /// Who sent it, and how long it is.
    pub fn info(&self) -> &MessageInfo {
        &self.info
    }

    /// How many bytes were put into the receiver's buffer.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.info.len
    }

    /// The message's name in this process.
    pub fn rcvid(&self) -> Rcvid {
        self.rcvid
    }

    /// Who sent it, asked for anew: its flags and priority change while it waits for its answer.
    pub fn ask_info(&self) -> Result<MessageInfo> {
        raw::info(self.rcvid.get()).map(MessageInfo::from)
    }

    /// Makes a key for data that the client is to show later, or checks the one that it shows.
    pub fn key_data(&self, operation: KeyOperation, key: u32, data: &[u8]) -> Result<u32> {
        raw::key_data(self.rcvid.get(), operation.raw(), key, Source::new(data))
    }

    /// Copies bytes of the message, from its byte `offset` on, into `buf`: how many there were, which
    /// is less than `buf` has room for only where the message ends.
    ///
    /// Any thread may do it, as often as it likes, while the client is blocked. On another node, what
    /// did not come with the message is fetched over the network.
    pub fn read(&self, offset: usize, buf: &mut [u8]) -> Result<usize> {
        self.read_timeout(offset, buf, Timeout::NEVER)
    }

    /// As [`read`](Self::read), and gives up when `timeout` says so: the client may be stopped, or
    /// slow.
    pub fn read_timeout(
        &self,
        offset: usize,
        buf: &mut [u8],
        timeout: impl Into<Timeout>,
    ) -> Result<usize> {
        raw::read(self.rcvid.get(), offset, Sink::new(buf), timeout.into())
    }

    /// As [`read`](Self::read), scattered over `parts`.
    pub fn read_vectored(&self, offset: usize, parts: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let parts = Sink::scattered(parts)?;
        raw::read(self.rcvid.get(), offset, parts, Timeout::NEVER)
    }

    /// Copies `data` into the client's reply area, from its byte `offset` on: for how many bytes it
    /// has room. The data of the reply itself go to the beginning of the area.
    pub fn write(&self, offset: usize, data: &[u8]) -> Result<usize> {
        self.write_timeout(offset, data, Timeout::NEVER)
    }

    /// As [`write`](Self::write), and gives up when `timeout` says so.
    pub fn write_timeout(
        &self,
        offset: usize,
        data: &[u8],
        timeout: impl Into<Timeout>,
    ) -> Result<usize> {
        raw::write(self.rcvid.get(), offset, Source::new(data), timeout.into())
    }

    /// As [`write`](Self::write), gathered from `parts`.
    pub fn write_vectored(&self, offset: usize, parts: &[IoSlice<'_>]) -> Result<usize> {
        let parts = Source::scattered(parts)?;
        raw::write(self.rcvid.get(), offset, parts, Timeout::NEVER)
    }

    /// Unblocks the client: its send returns `status` and as much of `data` as it has room for.
    ///
    /// When this fails, the client's send fails with the same error.
    pub fn reply(self, status: i64, data: &[u8]) -> Result<()> {
        self.reply_from(status, Source::new(data))
    }

    /// As [`reply`](Self::reply), with data gathered from `parts`.
    pub fn reply_vectored(self, status: i64, parts: &[IoSlice<'_>]) -> Result<()> {
        self.reply_from(status, Source::scattered(parts)?)
    }

    fn reply_from(self, status: i64, data: Source<'_>) -> Result<()> {
        let rcvid = self.into_rcvid();
        raw::reply(rcvid.get(), status, data).inspect_err(|error| {
            // A reply that was refused leaves the client blocked; it learns the reason. When
            // there is no client any more, that fails as the reply did.
            let _ = raw::error(rcvid.get(), error.errno());
        })
    }

    /// Unblocks the client: its send fails with `error`.
    pub fn error(self, error: Error) -> Result<()> {
        let rcvid = self.into_rcvid();
        raw::error(rcvid.get(), error.errno())
    }

    /// Leaves the message unanswered and gives its name away, for the functions of
    /// [`raw`](crate::raw).
    pub fn into_rcvid(self) -> Rcvid {
        let rcvid = self.rcvid;
        mem::forget(self);
        rcvid
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // The client may be gone already, and there is nobody to tell.
        let _ = raw::error(self.rcvid.get(), Error::ECANCELED.errno());
    }
}
