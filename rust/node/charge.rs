// SPDX-License-Identifier: GPL-2.0

//! The memory of frames that wait here: for an earlier one of their session, or for a server.
//!
//! What a peer can make a node hold has a limit for the peer and one for the namespace. Frames that
//! wait for an earlier one and messages that wait for a server have accounts of their own, so that a
//! slow server does not slow the others down; and answers to what programs here have sent are never
//! charged as the latter.

use super::{
    Node,
    Peer, //
};
use crate::knet::skb::RxSkb;
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    Arc, //
};

/// Bytes that the frames of one peer may take.
const PEER_LIMIT: i64 = 8 << 20;
/// Bytes beyond that for the message that all others wait for.
const PEER_RESERVE: i64 = 1 << 20;
/// Bytes that the frames of all peers of a namespace may take.
const NODE_LIMIT: i64 = 64 << 20;

/// The bytes that count against the limits, of one peer or of all.
pub(super) struct Accounts {
    /// Of frames that wait for an earlier one of their session.
    early: Atomic<i64>,
    /// Of messages that wait for a server, or for its answer.
    queued: Atomic<i64>,
}

impl Accounts {
    pub(super) const fn new() -> Self {
        Self {
            early: Atomic::new(0),
            queued: Atomic::new(0),
        }
    }

    fn of(&self, account: Account) -> &Atomic<i64> {
        match account {
            Account::Early => &self.early,
            Account::Queued => &self.queued,
        }
    }
}

/// Which of the two a frame counts against.
#[derive(Clone, Copy)]
enum Account {
    Early,
    Queued,
}

/// The memory of one frame, counted until this is dropped.
pub(crate) struct Charge {
    peer: Arc<Peer>,
    account: Account,
    bytes: i64,
}

impl Charge {
    /// Counts a message of `peer` that waits for a server; `None` when that would exceed a limit.
    /// Legal in softirq.
    pub(crate) fn pay(peer: &Arc<Peer>, frame: &RxSkb) -> Option<Self> {
        Self::pay_within(peer, frame, Account::Queued, PEER_LIMIT, NODE_LIMIT)
    }

    /// Counts a frame of `peer` that came before its turn.
    pub(super) fn pay_early(peer: &Arc<Peer>, frame: &RxSkb) -> Option<Self> {
        Self::pay_within(peer, frame, Account::Early, PEER_LIMIT, NODE_LIMIT)
    }

    /// Counts a part of the message that all others of `peer` wait for. It has a reserve, so that
    /// they cannot keep it out; `None` when that is used up as well.
    pub(super) fn pay_next(peer: &Arc<Peer>, frame: &RxSkb) -> Option<Self> {
        let limit = PEER_LIMIT + PEER_RESERVE;
        Self::pay_within(peer, frame, Account::Early, limit, 2 * NODE_LIMIT)
    }

    fn pay_within(
        peer: &Arc<Peer>,
        frame: &RxSkb,
        account: Account,
        peer_limit: i64,
        node_limit: i64,
    ) -> Option<Self> {
        let bytes = i64::try_from(frame.truesize()).ok()?;
        let charge = Self {
            peer: peer.clone(),
            account,
            bytes,
        };
        let [of_peer, of_node] = charge.accounts();
        let fits = of_peer.fetch_add(bytes, Relaxed) < peer_limit;
        let fits = of_node.fetch_add(bytes, Relaxed) < node_limit && fits;
        // A charge that does not fit is given back as it is dropped.
        fits.then_some(charge)
    }

    fn accounts(&self) -> [&Atomic<i64>; 2] {
        let node: &Node = &self.peer.node;
        [
            self.peer.accounts.of(self.account),
            node.accounts.of(self.account),
        ]
    }
}

/// How many bytes of frames `peer` may still make this node hold, if that is little.
pub(super) fn room(peer: &Peer) -> Option<u32> {
    let of_peer = PEER_LIMIT - peer.accounts.early.load(Relaxed);
    let of_node = NODE_LIMIT - peer.node.accounts.early.load(Relaxed);
    let little = of_peer < PEER_LIMIT / 2 || of_node < NODE_LIMIT / 4;
    // What frames take is about twice of what they carry.
    let room = of_peer.min(of_node).max(0) / 2;
    little.then(|| u32::try_from(room).unwrap_or(u32::MAX))
}

impl Drop for Charge {
    fn drop(&mut self) {
        for account in self.accounts() {
            account.fetch_sub(self.bytes, Relaxed);
        }
    }
}
