// SPDX-License-Identifier: GPL-2.0

//! MsgRead, MsgWrite, and the part of a long reply that goes ahead of it: calls of a server that
//! concern the memory of a client which is blocked, here or on another node.

use super::{
    exchange::{
        Entered,
        Exchange, //
    },
    process::srvrfault,
    requests::{
        Asker,
        Request, //
    },
    server::ServerConnection,
    transaction::{
        Client,
        Payload,
        Transaction, //
    },
};
use crate::{
    knet::{
        skb::Context,
        user::UserBuf, //
    },
    node::{
        Draft,
        Node, //
    },
    proto::{
        kif::transfer::{
            clip,
            piece,
            Piece,
            Pieces,
            MAX_DATA, //
        },
        wire::kif::{
            Message,
            MsgRead,
            Transfer, //
        },
    },
    stats::Counter, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A fault in the server's memory is no fault of the client's.
pub(super) fn own_fault(error: Error) -> Error {
    if error == EFAULT {
        srvrfault()
    } else {
        error
    }
}

/// A length of a client's buffer; what is negative is nothing.
fn length_of(claimed: i64) -> u64 {
    u64::try_from(claimed).unwrap_or(0)
}

fn to_usize(length: u64) -> Result<usize> {
    usize::try_from(length).map_err(|_| EINVAL)
}

/// MsgRead: copies bytes of the message from `offset` on into `into`, and says how many there were.
/// Process context.
///
/// Errors: `ESRCH` when the client is gone, `EFAULT` for its memory and `ESRVRFAULT` (312) for the
/// caller's, `EINTR`, `ETIMEDOUT`, `ENOMEM`.
pub(super) fn read(
    transaction: &Arc<Transaction>,
    offset: u64,
    into: &UserBuf,
    deadline: Option<u64>,
) -> Result<usize> {
    let whole = length_of(transaction.sender.srcmsglen);
    let wanted = clip(offset, into.len() as u64, whole);
    let payload = transaction.payload().ok_or(ESRCH)?;
    // What came with the send is here.
    let here = clip(offset, wanted, payload.len() as u64);
    let mut done = 0;
    if here != 0 {
        let place = to_usize(offset)?;
        done = payload
            .copy_range(place, to_usize(here)?, into, 0)
            .map_err(own_fault)?;
        payload.count_copied(transaction.node(), done);
    }
    drop(payload);
    if here < wanted {
        done += pull(
            transaction,
            offset.saturating_add(here),
            wanted - here,
            into,
            done,
            deadline,
        )?;
    }
    Ok(done)
}

/// Copies `length` bytes of the message from `offset` on, which did not come with the send, to byte
/// `at` of `into`, and says how many there were. Process context.
///
/// Errors: as [`read`].
pub(super) fn pull(
    transaction: &Arc<Transaction>,
    offset: u64,
    length: u64,
    into: &UserBuf,
    at: usize,
    deadline: Option<u64>,
) -> Result<usize> {
    let take = |piece: Piece, data: &Payload| -> Result {
        let behind = to_usize(piece.offset.saturating_sub(offset))?;
        let copied = data
            .copy_range(0, data.len(), into, at.saturating_add(behind))
            .map_err(own_fault)?;
        data.count_copied(transaction.node(), copied);
        Ok(())
    };
    let end = match &transaction.client {
        Client::Thread { .. } => {
            let pieces = Pieces::new(offset, length, MAX_DATA as u32);
            let exchange = Exchange::new(transaction, pieces, None)?;
            let ask = |piece: Piece| {
                let request = Request::Read {
                    asker: Asker::Here(exchange.clone()),
                    offset: piece.offset,
                    nbytes: piece.nbytes,
                };
                ask_here(transaction, &exchange, piece.offset, request)
            };
            exchange.run(deadline, ask, take)?
        }
        Client::Remote { server, .. } => {
            let fixed = Message::MsgReadXfer(Transfer::default()).fixed_len();
            let most = piece(server.peer.payload_limit(), fixed);
            let pieces = Pieces::new(offset, length, most as u32);
            ask_there(transaction, server, pieces, deadline, take)?
        }
    };
    to_usize(end.saturating_sub(offset))
}

/// Hands a request to the thread of a client on this node.
fn ask_here(
    transaction: &Transaction,
    exchange: &Exchange,
    offset: u64,
    request: Request,
) -> Result {
    match transaction.push(request) {
        Ok(()) => Ok(()),
        Err((_, error)) if error == EAGAIN => {
            transaction.node().stats.count(Counter::ReadBusy);
            exchange.refused(offset, error);
            Ok(())
        }
        Err((_, error)) => Err(error),
    }
}

/// Exchanges pieces with a client on another node by MSGREADs.
fn ask_there(
    transaction: &Transaction,
    server: &ServerConnection,
    pieces: Pieces,
    deadline: Option<u64>,
    take: impl FnMut(Piece, &Payload) -> Result,
) -> Result<u64> {
    let node: &Node = &server.peer.node;
    let exchange = Exchange::new(
        transaction,
        pieces,
        Some((server.peer.clone(), server.session())),
    )?;
    let entered = Entered::new(node, transaction, &exchange)?;
    let ask = |piece: Piece| {
        let message = Message::MsgRead(MsgRead {
            msgread_handle: entered.handle,
            client_handle: transaction.client_handle(),
            offset: u32::try_from(piece.offset).map_err(|_| EINVAL)?,
            nbytes: piece.nbytes,
        });
        let draft = Draft::new(node, &message, 0, Context::Sleep)?;
        // It acknowledges the send that it concerns.
        server.send(draft, transaction.seq(), deadline)
    };
    exchange.run(deadline, ask, take)
}

/// MsgWrite: copies bytes of `from` into the client's reply area, from its byte `offset` on, and says
/// how many it has room for. Process context.
///
/// Errors: as [`read`].
pub(super) fn write(
    transaction: &Arc<Transaction>,
    offset: u64,
    from: &UserBuf,
    deadline: Option<u64>,
) -> Result<usize> {
    let room = length_of(transaction.sender.dstmsglen);
    let length = clip(offset, from.len() as u64, room);
    if transaction.is_finished() {
        return Err(ESRCH);
    }
    put(transaction, offset, from, length, deadline)?;
    to_usize(length)
}

/// Writes the first `length` bytes of `from` into the client's reply area, from its byte `offset` on.
/// Process context.
///
/// Errors: as [`read`].
pub(super) fn put(
    transaction: &Arc<Transaction>,
    offset: u64,
    from: &UserBuf,
    length: u64,
    deadline: Option<u64>,
) -> Result {
    match &transaction.client {
        Client::Thread { .. } => put_here(transaction, offset, from, length, deadline),
        Client::Remote { server, .. } => {
            let fixed = Message::MsgWrite(Transfer::default()).fixed_len();
            let mut done = 0;
            while done < length {
                let most = piece(server.peer.payload_limit(), fixed) as u64;
                let n = most.min(length - done);
                put_there(transaction, server, offset + done, from, done, n, deadline)?;
                done += n;
            }
            Ok(())
        }
    }
}

fn put_here(
    transaction: &Arc<Transaction>,
    offset: u64,
    from: &UserBuf,
    length: u64,
    deadline: Option<u64>,
) -> Result {
    let pieces = Pieces::new(offset, length, MAX_DATA as u32);
    let exchange = Exchange::new(transaction, pieces, None)?;
    let ask = |piece: Piece| {
        let place = to_usize(piece.offset.saturating_sub(offset))?;
        let bytes = from
            .read_piece(place, piece.nbytes as usize)
            .map_err(own_fault)?;
        let request = Request::Write {
            asker: Some(exchange.clone()),
            offset: piece.offset,
            data: Payload::Copied(bytes),
        };
        ask_here(transaction, &exchange, piece.offset, request)
    };
    exchange.run(deadline, ask, |_, _| Ok(())).map(|_| ())
}

/// Sends one MSGWRITE, once the client has confirmed enough of those before.
fn put_there(
    transaction: &Arc<Transaction>,
    server: &ServerConnection,
    offset: u64,
    from: &UserBuf,
    place: u64,
    nbytes: u64,
    deadline: Option<u64>,
) -> Result {
    let message = Message::MsgWrite(Transfer {
        status: 0,
        handle: transaction.client_handle(),
        offset: u32::try_from(offset).map_err(|_| EINVAL)?,
        nbytes: u32::try_from(nbytes).map_err(|_| EINVAL)?,
    });
    let length = to_usize(nbytes)?;
    let draft = server
        .peer
        .draft(&message, from, to_usize(place)?, length)
        .map_err(own_fault)?;
    while !transaction.begin_write(nbytes) {
        let mark = transaction.write_mark();
        ask_there(
            transaction,
            server,
            Pieces::probe(),
            deadline,
            |_, _| Ok(()),
        )?;
        transaction.writes_confirmed(mark);
    }
    let sent = if transaction.is_finished() {
        Err(ESRCH)
    } else {
        server.send(draft, None, deadline)
    };
    transaction.write_sent(nbytes);
    sent
}
