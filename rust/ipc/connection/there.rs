// SPDX-License-Identifier: GPL-2.0

//! One attempt to send a message to another node: with the CONNECT, or over a connection that is up.

use super::{
    Connection,
    Request, //
};
use crate::{
    ipc::{
        pins::Pins,
        transaction::{
            Timeout,
            Transaction, //
        },
    },
    knet::skb::Context,
    node::{
        Draft,
        Peer,
        Tag, //
    },
    proto::{
        kif::{
            connection::Begin,
            transfer::piece, //
        },
        wire::kif::{
            Credentials,
            Message,
            MsgSend,
            Vtid, //
            CONNECT_DATA_MAX,
        },
    },
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// One attempt to send a message to another node.
pub(super) struct There<'a> {
    pub(super) pins: &'a Pins<'a>,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) peer: &'a Arc<Peer>,
    pub(super) pid: i32,
    pub(super) chid: i32,
    pub(super) request: &'a Request,
    pub(super) timeout: &'a Timeout,
    pub(super) transaction: &'a Arc<Transaction>,
    pub(super) handle: u32,
    /// Whether the message tells who the sender is now.
    pub(super) tells: Cell<bool>,
}

impl There<'_> {
    /// Hands the message to the session, connecting first if need be. Process context.
    pub(super) fn transmit(&self) -> Result {
        loop {
            if self.transaction.is_finished() {
                // The connection's CONNECT failed; the outcome says why.
                return Ok(());
            }
            let begin = self.connection.begin(self.handle);
            match begin {
                Begin::Dead => return Err(EBADF),
                Begin::Wait => {
                    let finished = || self.transaction.is_finished();
                    self.connection
                        .wait_for_connect(self.timeout.deadline, finished)?;
                }
                Begin::Connect => {
                    let failed = |_: &Error| self.connection.connect_failed(self.handle);
                    if self.connect().inspect_err(failed)? {
                        return Ok(());
                    }
                }
                Begin::Send { server_id, session } => return self.send(server_id, session),
            }
        }
    }

    /// Sends the CONNECT. Whether the message went with it.
    fn connect(&self) -> Result<bool> {
        let session = self.peer.open()?;
        self.connection
            .change(|state| state.carried_by(self.handle, session));
        let connect = self
            .connection
            .connect_record(self.peer, self.pid, self.chid);
        let client_id = connect.client_id;
        let together = |nbytes| -> Result<Message> {
            Ok(Message::ConnectMsgSend(
                connect,
                self.msgsend(0, nbytes, None)?,
            ))
        };
        let limit = self.peer.payload_limit();
        let fixed = together(0)?.fixed_len();
        // As much of the message goes along as there is room for; the server asks for the rest.
        let length = self.pushed(limit, fixed, CONNECT_DATA_MAX);
        let fits = fixed + length <= limit;
        // Whether the message goes along or waits for the answer: it is lost with this session.
        self.transaction.takes_session(session);
        let draft = if fits {
            self.peer
                .draft(&together(length)?, &self.request.message, 0, length)?
        } else {
            Draft::new(
                &self.peer.node,
                &Message::Connect(connect),
                0,
                Context::Sleep,
            )?
        };
        self.peer.wait_for_room(session, self.timeout.deadline)?;
        self.peer
            .send(session, draft, Tag::Connect(client_id), None)?;
        self.connection.told.is_told();
        Ok(fits)
    }

    /// How many bytes of the message go with it, in a frame with `limit` bytes of payload, when the
    /// fixed part has `fixed` bytes and the server's node takes at most `most`.
    fn pushed(&self, limit: usize, fixed: usize, most: u32) -> usize {
        let length = self.request.message.len();
        length.min(piece(limit, fixed)).min(most as usize)
    }

    /// The head of a message that `nbytes` bytes go with, and who the sender is if that is news.
    ///
    /// Errors: `EMSGSIZE` when the message is longer than the network can tell.
    fn msgsend(
        &self,
        server_id: u32,
        nbytes: usize,
        credentials: Option<Credentials>,
    ) -> Result<MsgSend> {
        let sender = &self.transaction.sender;
        let nbytes = u32::try_from(nbytes).map_err(|_| EMSGSIZE)?;
        Ok(MsgSend {
            server_id,
            client_handle: self.handle,
            vtid: Vtid {
                tid: sender.tid,
                coid: sender.coid,
                priority: i32::from(sender.priority),
                srcmsglen: i32::try_from(sender.srcmsglen).map_err(|_| EMSGSIZE)?,
                keydata: 0,
                srcnd: i32::from(self.peer.nd),
                dstmsglen: i32::try_from(sender.dstmsglen).unwrap_or(i32::MAX),
            },
            nbytes,
            credentials,
        })
    }

    fn send(&self, server_id: u32, session: u32) -> Result {
        let credentials = self.connection.told.news(self.peer);
        self.tells.set(credentials.is_some());
        let fixed = Message::MsgSend(MsgSend {
            credentials,
            ..MsgSend::default()
        })
        .fixed_len();
        let most = self.connection.most.load(Relaxed);
        let length = self.pushed(self.peer.payload_limit(), fixed, most);
        let message = Message::MsgSend(self.msgsend(server_id, length, credentials)?);
        self.transaction.takes_session(session);
        let tag = Tag::Send(self.handle);
        let from = &self.request.message;
        let draft = self.pins.draft(session, tag, &message, from, 0, length)?;
        self.peer.wait_for_room(session, self.timeout.deadline)?;
        self.peer.send(session, draft, tag, None)
    }
}
