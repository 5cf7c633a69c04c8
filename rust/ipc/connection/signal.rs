// SPDX-License-Identifier: GPL-2.0

//! SignalKill to a process of another node.

use super::{
    comes_back,
    Address,
    Connection,
    Target, //
};
use crate::{
    ipc::{
        identity::credentials,
        requests::Memory,
        transaction::{
            Client,
            Outcome,
            Sender,
            Timeout,
            Transaction,
            Waited,
            Way, //
        },
    },
    knet::{
        pid::{
            self,
            Pid, //
        },
        skb::Context,
        user::UserBuf, //
    },
    node::{
        Draft,
        Node,
        Patience,
        Peer,
        Tag, //
    },
    proto::wire::kif::{
        self,
        Message, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

impl Connection {
    /// Sends a signal to the process `pid` of another node, and waits for what that node says. Process
    /// context.
    ///
    /// Errors: `ESRCH`, `EPERM` and `EINVAL` of the other node, `EHOSTUNREACH` and `EHOSTDOWN`,
    /// `EINTR`, `ETIMEDOUT`, `EAGAIN`, `ENOMEM`.
    pub(crate) fn signal(
        node: &Arc<Node>,
        nd: u32,
        signal: &kif::Signal,
        timeout: &Timeout,
    ) -> Result {
        let peer = node.peer_by_nd(nd).ok_or(EHOSTUNREACH)?;
        let address = Address {
            nd,
            pid: signal.pid,
            chid: 0,
            index: 0,
            flags: 0,
        };
        let target = Target::There {
            peer: peer.clone(),
            pid: signal.pid,
            chid: 0,
        };
        // Whom the signal is for has no channel that counts: the connection is never made, and only
        // names the way.
        let connection = Self::new(node, address, target, None, false)?;
        let outcome = connection.signal_there(&peer, signal, &timeout.fixed());
        connection.end(Patience::begin());
        match outcome? {
            Outcome::Reply { .. } => Ok(()),
            Outcome::Error(error) | Outcome::Abandoned(error) => Err(Error::from_errno(error)),
            // No server has it: it is for the caller to try again.
            Outcome::Busy | Outcome::Again { .. } => Err(EAGAIN),
        }
    }

    fn signal_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        signal: &kif::Signal,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        self.node
            .find_paths(peer, timeout.deadline)
            .map_err(comes_back)?;
        let client = Client::Thread {
            connection: self.clone(),
            process: Pid::of_caller(),
            _charged: None,
        };
        let sender = Sender {
            tid: pid::caller_tid(),
            coid: -1,
            priority: pid::caller_priority(),
            srcnd: u32::from(peer.nd),
            srcmsglen: 0,
            dstmsglen: 0,
            client_changed: false,
        };
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        let handle = self.enter_send(&transaction)?;
        let session = peer.open()?;
        transaction.takes_session(session);
        let message = Message::Signal(kif::Signal {
            client_handle: handle,
            credentials: Some(credentials(peer)),
            ..*signal
        });
        let sent = Draft::new(&self.node, &message, 0, Context::Sleep).and_then(|draft| {
            peer.wait_for_room(session, timeout.deadline)
                .map_err(comes_back)?;
            peer.send(session, draft, Tag::Send(handle), None)
        });
        sent.inspect_err(|_| transaction.leave())?;
        // Nobody can be asked to let go: the answer comes at once, or the session ends.
        let way = Way {
            remote: true,
            wants_to_know: false,
            ask: &|| false,
        };
        let nothing = UserBuf::from_parts(0, 0, 0)?;
        let memory = Memory {
            message: &nothing,
            reply: &nothing,
            pins: None,
        };
        match transaction.wait(timeout, &way, &memory) {
            Waited::Done(outcome) => Ok(outcome),
            Waited::Interrupted => {
                // It is out, and must not be sent twice.
                transaction.leave();
                Err(EINTR)
            }
        }
    }
}
