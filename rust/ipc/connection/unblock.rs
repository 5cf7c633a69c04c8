// SPDX-License-Identifier: GPL-2.0

//! What is told to another node of a sender that wants to leave.

use super::{
    Connection,
    Target, //
};
use crate::{
    ipc::transaction::Transaction,
    knet::skb::Context,
    node::{
        Draft,
        Peer,
        Tag, //
    },
    proto::{
        kif::connection::State,
        wire::kif::{
            Message,
            Unblock, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A sender of whose leaving the server is to be told.
#[derive(Clone, Copy)]
pub(super) struct UnblockDue {
    handle: u32,
    tid: i32,
    priority: i16,
}

/// How many such senders are remembered.
const MOST_DUE: usize = 64;

impl Connection {
    /// Tells the server's node that the sender wants to leave; says whether there will be an answer.
    pub(super) fn unblock(&self, peer: &Arc<Peer>, transaction: &Transaction, handle: u32) -> bool {
        let due = UnblockDue {
            handle,
            tid: transaction.sender.tid,
            priority: transaction.sender.priority,
        };
        // Before the look at the state: who answers the CONNECT changes that first, and looks here
        // after that.
        self.owe(due);
        let state = *self.state.lock();
        match state {
            State::Connected { server_id, session } => {
                self.pay(handle);
                // What had not left needs no answer.
                !peer.give_up(session, Tag::Send(handle))
                    && self.send_unblock(peer, session, server_id, &due)
            }
            // The message may have gone with a CONNECT: when that is answered, the server is told. The
            // sender does not wait for that, because it may never be.
            State::Connecting { .. } => false,
            State::Idle | State::Dead => {
                self.pay(handle);
                false
            }
        }
    }

    /// Remembers a sender that has left.
    fn owe(&self, due: UnblockDue) {
        let mut dues = self.unblocks_due.lock();
        if dues.len() < MOST_DUE {
            // Without memory the server learns of it by the end of the connection.
            let _ = dues.push(due, GFP_ATOMIC);
        }
    }

    /// Forgets it.
    fn pay(&self, handle: u32) {
        self.unblocks_due.lock().retain(|due| due.handle != handle);
    }

    /// Sends an UNBLOCK; says whether there is a session that an answer can come by. Legal in softirq.
    fn send_unblock(
        &self,
        peer: &Arc<Peer>,
        session: u32,
        server_id: u32,
        due: &UnblockDue,
    ) -> bool {
        let message = Message::Unblock(Unblock {
            server_id,
            client_handle: due.handle,
            tid: due.tid,
        });
        let sent = Draft::new(&peer.node, &message, 0, Context::Atomic)
            .map(|draft| draft.with_priority(due.priority))
            .and_then(|draft| peer.send(session, draft, Tag::None, None));
        // For want of memory or room it is sent again later.
        !sent.is_err_and(|error| error == EHOSTDOWN)
    }

    /// The CONNECT failed, and with it what went along.
    pub(in crate::ipc) fn forget_unblocks_due(&self) {
        let dues = core::mem::take(&mut *self.unblocks_due.lock());
        drop(dues);
    }

    /// The CONNECT was answered: the server is told of senders that have left meanwhile. Softirq.
    pub(in crate::ipc) fn send_unblocks_due(&self, session: u32, server_id: u32) {
        let dues = core::mem::take(&mut *self.unblocks_due.lock());
        if let Target::There { peer, .. } = &self.target {
            for due in dues {
                // One that cannot be sent is a message that the server answers to nobody.
                let _ = self.send_unblock(peer, session, server_id, &due);
            }
        }
    }
}
