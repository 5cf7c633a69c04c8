// SPDX-License-Identifier: GPL-2.0

//! What a server wants of a blocked client's memory: bytes of its message, or to write into its
//! reply area.
//!
//! Requests wait in the transaction, and the client's own thread serves them while it is blocked:
//! so memory is touched by the process that it belongs to, faults and swapping are its own, and a
//! client that is gone cannot be read.

use super::{
    exchange::Exchange,
    pins::Pins,
    transaction::Payload, //
};
use crate::{
    knet::{
        skb::Context,
        user::UserBuf,
        wait::{
            pending_signal,
            Signal, //
        }, //
    },
    node::{
        Draft,
        Peer,
        Tag, //
    },
    proto::{
        kif::transfer::{
            self,
            Full,
            Load, //
        },
        wire::{
            errno,
            kif::{
                Message,
                Transfer, //
            },
        },
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A blocked client's buffers.
pub(crate) struct Memory<'a> {
    /// The message.
    pub(crate) message: &'a UserBuf,
    /// Where the reply goes.
    pub(crate) reply: &'a UserBuf,
    /// What the send has pinned; `None` on one node, where nothing is.
    pub(crate) pins: Option<&'a Pins<'a>>,
}

/// Who is to be answered.
pub(crate) enum Asker {
    /// A thread of this node.
    Here(Arc<Exchange>),
    /// A thread of another node.
    There {
        peer: Arc<Peer>,
        /// The session by which it asked.
        session: u32,
        /// Its node's name for the call.
        handle: u32,
    },
}

/// What a server wants.
pub(crate) enum Request {
    /// Bytes of the message.
    Read {
        asker: Asker,
        offset: u64,
        nbytes: u32,
    },
    /// To write into the reply area.
    Write {
        /// A thread of this node; one of another node does not wait for each write.
        asker: Option<Arc<Exchange>>,
        offset: u64,
        data: Payload,
    },
}

impl Request {
    /// Whether the client may have that much to do.
    pub(super) fn admit(&self, load: &mut Load) -> Result<(), Full> {
        match self {
            Request::Read { .. } => load.admit_read(),
            Request::Write { data, .. } => load.admit_write(data.len() as u64),
        }
    }

    /// Whether it changes the reply area.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Request::Write { .. })
    }

    /// Whether an answer that comes behind it is not whole without it: a server of another node has written
    /// it, and does not wait for it.
    pub(super) fn is_ahead_of_answer(&self) -> bool {
        matches!(self, Request::Write { asker: None, .. })
    }

    /// The error of the asker when the client has too much to do.
    pub(super) fn too_much(&self) -> Error {
        match self {
            Request::Read { .. } | Request::Write { asker: Some(_), .. } => EAGAIN,
            // A peer has written more than an honest one does.
            Request::Write { asker: None, .. } => ENOBUFS,
        }
    }

    /// The client has done it.
    pub(super) fn done(&self, load: &mut Load) {
        match self {
            Request::Read { .. } => load.read_done(),
            Request::Write { data, .. } => load.write_done(data.len() as u64),
        }
    }

    /// Tells the asker that it fails. Legal in softirq; no lock may be held.
    pub(crate) fn refuse(&self, error: Error) {
        match self {
            Request::Read { asker, offset, .. } => asker.refuse(*offset, error),
            Request::Write {
                asker: Some(exchange),
                offset,
                ..
            } => exchange.refused(*offset, error),
            // Its server learns of the client's end by other ways.
            Request::Write { asker: None, .. } => {}
        }
    }

    /// Does it. By the client's thread; `until` is its own time-out.
    ///
    /// Errors: `EFAULT` when a write of another node found no memory, which its server is not told.
    pub(super) fn serve(&self, memory: &Memory<'_>, until: Option<u64>) -> Result {
        match self {
            Request::Read {
                asker,
                offset,
                nbytes,
            } => {
                asker.answer(memory, *offset, *nbytes, until);
                Ok(())
            }
            Request::Write {
                asker,
                offset,
                data,
            } => {
                let at = usize::try_from(*offset).unwrap_or(usize::MAX);
                let written = data.copy_range(0, data.len(), memory.reply, at);
                if let (Some(pins), Ok(n)) = (memory.pins, &written) {
                    data.count_copied(pins.node(), *n);
                }
                match (asker, written) {
                    (Some(exchange), Ok(_)) => {
                        let nbytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
                        exchange.arrived(*offset, nbytes, None);
                        Ok(())
                    }
                    (Some(exchange), Err(error)) => {
                        exchange.refused(*offset, reason(error));
                        Ok(())
                    }
                    (None, written) => written.map(|_| ()),
                }
            }
        }
    }
}

/// What an asker is told of a copy that failed. The page faults and allocations of a thread that is being
/// killed fail, too: that is the client's end, and says nothing of its memory.
fn reason(error: Error) -> Error {
    match error {
        EFAULT | ENOMEM if pending_signal() == Signal::Fatal => ESRCH,
        error => error,
    }
}

impl Asker {
    /// Copies bytes of the message for it.
    fn answer(&self, memory: &Memory<'_>, offset: u64, nbytes: u32, until: Option<u64>) {
        let message = memory.message;
        let there = transfer::clip(offset, u64::from(nbytes), message.len() as u64);
        let length = usize::try_from(there).unwrap_or(0).min(transfer::MAX_DATA);
        let place = usize::try_from(offset).unwrap_or(usize::MAX);
        match self {
            Asker::Here(exchange) => match message.read_piece(place, length) {
                Ok(bytes) => {
                    let nbytes = u32::try_from(bytes.len()).unwrap_or(0);
                    exchange.arrived(offset, nbytes, Some(Payload::Copied(bytes)));
                }
                Err(error) => exchange.refused(offset, reason(error)),
            },
            Asker::There {
                peer,
                session,
                handle,
            } => {
                let sent = Self::transfer(peer, *session, *handle, memory, place, length, until);
                match sent {
                    Ok(()) => {}
                    // The session has ended, which its server knows.
                    Err(error) if error == EHOSTDOWN => {}
                    // There was no memory, no room in time, or a signal: the server asks again, and learns
                    // then of a client whose own time is over, or that has left.
                    Err(ENOMEM | ENOBUFS | EAGAIN | ETIMEDOUT | EINTR) => {
                        let killed = pending_signal() == Signal::Fatal;
                        self.refuse(offset, if killed { ESRCH } else { EAGAIN });
                    }
                    Err(error) => self.refuse(offset, reason(error)),
                }
            }
        }
    }

    /// Sends a MSGREAD_XFER. Process context.
    fn transfer(
        peer: &Arc<Peer>,
        session: u32,
        handle: u32,
        memory: &Memory<'_>,
        offset: usize,
        length: usize,
        until: Option<u64>,
    ) -> Result {
        let head = |nbytes: usize| -> Result<Message> {
            Ok(Message::MsgReadXfer(Transfer {
                status: 0,
                handle,
                offset: u32::try_from(offset).map_err(|_| EFAULT)?,
                nbytes: u32::try_from(nbytes).map_err(|_| EFAULT)?,
            }))
        };
        let length = length.min(transfer::piece(peer.payload_limit(), head(0)?.fixed_len()));
        let (message, head) = (memory.message, head(length)?);
        let (draft, tag) = match memory.pins {
            Some(pins) => {
                let tag = pins.tag();
                let draft = pins.draft(session, tag, &head, message, offset, length)?;
                (draft, tag)
            }
            None => (peer.draft(&head, message, offset, length)?, Tag::None),
        };
        peer.wait_for_room(session, until)?;
        peer.send(session, draft, tag, None)
    }

    /// Tells it that its piece at `offset` cannot come. Legal in softirq; no lock may be held.
    pub(crate) fn refuse(&self, offset: u64, error: Error) {
        match self {
            Asker::Here(exchange) => exchange.refused(offset, error),
            Asker::There {
                peer,
                session,
                handle,
            } => {
                let message = Message::MsgReadError(Transfer {
                    status: errno::to_wire(-error.to_errno()),
                    handle: *handle,
                    offset: u32::try_from(offset).unwrap_or(u32::MAX),
                    nbytes: 0,
                });
                let sent = Draft::new(&peer.node, &message, 0, Context::Atomic)
                    .and_then(|draft| peer.send(*session, draft, Tag::None, None));
                match sent {
                    Ok(()) => {}
                    Err(error) if error == EHOSTDOWN => {}
                    // A server that is not told would wait for ever; the session's end tells it.
                    Err(_) => peer.close_session(*session),
                }
            }
        }
    }
}
