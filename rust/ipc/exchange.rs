// SPDX-License-Identifier: GPL-2.0

//! The pieces that a server's thread exchanges with a blocked client: of the client's message, or of
//! its reply area.
//!
//! The server's thread asks for pieces and waits; the client's thread answers, on this node straight
//! into the [`Exchange`], on another by messages that name it. An exchange ends with the call that
//! made it: what comes for it later finds no handle.

use super::transaction::{
    Payload,
    Transaction, //
};
use crate::{
    knet::{
        lock::SpinLockBh,
        new_spinlock_bh,
        timer::now_ns,
        wait::{
            signal_pending,
            Wait,
            WaitQueue, //
        },
    },
    node::{
        Node,
        Peer, //
    },
    proto::kif::transfer::{
        Piece,
        Pieces,
        WINDOW, //
    },
    stats::Gauge, //
};
use core::ptr;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The first wait before a piece is asked for again that the client had no time for, in nanoseconds;
/// it doubles up to [`LAST_BACKOFF`].
const FIRST_BACKOFF: u64 = 1_000_000;
/// The longest such wait, in nanoseconds.
const LAST_BACKOFF: u64 = 50_000_000;

/// What changes, under the exchange's lock.
struct Inner {
    pieces: Pieces,
    /// The bytes of those that have come, by place.
    data: [Option<Payload>; WINDOW],
    failed: Option<Error>,
}

/// What the waiting thread is to do.
enum Step {
    Fail(Error),
    Take(Piece, Option<Payload>),
    Finish(u64),
    Ask(Piece),
    Wait,
}

impl Inner {
    fn step(&mut self) -> Step {
        if let Some(error) = self.failed {
            return Step::Fail(error);
        }
        if let Some((place, piece)) = self.pieces.take() {
            return Step::Take(piece, self.data.get_mut(place).and_then(Option::take));
        }
        if let Some(end) = self.pieces.finished() {
            return Step::Finish(end);
        }
        match self.pieces.ask() {
            Some(piece) => Step::Ask(piece),
            None => Step::Wait,
        }
    }
}

/// One call of a server that waits for its client's thread.
#[pin_data]
pub(crate) struct Exchange {
    /// The client's node, and the session by which it is asked; `None` on this node.
    way: Option<(Arc<Peer>, u32)>,
    /// The address of the transaction, which lives as long as the call, so that it names it.
    transaction: usize,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// The server's thread waits here.
    #[pin]
    moved: WaitQueue,
}

impl Exchange {
    /// An exchange of `pieces`.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn new(
        transaction: &Transaction,
        pieces: Pieces,
        way: Option<(Arc<Peer>, u32)>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                way,
                transaction: ptr::from_ref(transaction).addr(),
                inner <- new_spinlock_bh!(Inner {
                    pieces,
                    data: [const { None }; WINDOW],
                    failed: None,
                }),
                moved <- WaitQueue::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Whether it is with a client of that peer, by that session.
    pub(crate) fn is_by(&self, peer: &Arc<Peer>, session: u32) -> bool {
        match &self.way {
            Some((mine, number)) => *number == session && Arc::ptr_eq(mine, peer),
            None => false,
        }
    }

    /// Whether it is with the client of that transaction.
    fn is_of(&self, transaction: &Transaction) -> bool {
        self.transaction == ptr::from_ref(transaction).addr()
    }

    /// The client answered: `nbytes` bytes at `offset` were read, and are in `data`, or written.
    /// Says whether they had been asked for. Legal in softirq.
    pub(crate) fn arrived(&self, offset: u64, nbytes: u32, data: Option<Payload>) -> bool {
        let mut data = data;
        let asked = {
            let mut inner = self.inner.lock();
            let place = inner.pieces.arrived(offset, nbytes);
            match place.and_then(|place| inner.data.get_mut(place)) {
                Some(kept) => {
                    core::mem::swap(kept, &mut data);
                    true
                }
                None => false,
            }
        };
        // What was not asked for is freed here, without the lock.
        drop(data);
        if asked {
            self.moved.wake_one();
        }
        asked
    }

    /// The client cannot answer: after EAGAIN the piece at `offset` is asked for again, any other
    /// error is the call's. Legal in softirq.
    pub(crate) fn refused(&self, offset: u64, error: Error) {
        {
            let mut inner = self.inner.lock();
            if error != EAGAIN {
                inner.failed = inner.failed.or(Some(error));
            } else if !inner.pieces.refused(offset) {
                return;
            }
        }
        self.moved.wake_one();
    }

    /// Exchanges all pieces: `ask` asks for one, `take` takes what has come of one. Where the bytes
    /// end that there were. Process context.
    ///
    /// Errors: `EINTR`, `ETIMEDOUT` after `deadline`, what the client and the two functions say.
    pub(super) fn run(
        &self,
        deadline: Option<u64>,
        mut ask: impl FnMut(Piece) -> Result,
        mut take: impl FnMut(Piece, &Payload) -> Result,
    ) -> Result<u64> {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let step = self.inner.lock().step();
            match step {
                Step::Fail(error) => return Err(error),
                Step::Finish(end) => return Ok(end),
                Step::Take(piece, data) => {
                    if let Some(data) = data {
                        take(piece, &data)?;
                    }
                    backoff = FIRST_BACKOFF;
                }
                // A call of any length can be ended.
                Step::Ask(_) if signal_pending() => return Err(EINTR),
                Step::Ask(piece) => ask(piece)?,
                Step::Wait => self.wait(deadline, &mut backoff)?,
            }
        }
    }

    /// Waits until something comes or is refused, or a refused piece may be asked for again.
    fn wait(&self, deadline: Option<u64>, backoff: &mut u64) -> Result {
        let mut inner = self.inner.lock();
        if inner.failed.is_some() || !inner.pieces.is_waiting() {
            return Ok(());
        }
        let again = inner
            .pieces
            .has_refused()
            .then(|| now_ns().saturating_add(*backoff));
        let until = match (again, deadline) {
            (Some(again), Some(deadline)) => Some(again.min(deadline)),
            (again, deadline) => again.or(deadline),
        };
        match self.moved.wait(&mut inner, until) {
            Wait::Woken => Ok(()),
            Wait::TimedOut if until == deadline => Err(ETIMEDOUT),
            Wait::TimedOut => {
                inner.pieces.retry();
                *backoff = (*backoff * 2).min(LAST_BACKOFF);
                Ok(())
            }
            Wait::Signal => Err(EINTR),
        }
    }
}

/// An exchange in the node's table, by whose handle the client's node knows it.
pub(super) struct Entered<'a> {
    node: &'a Node,
    transaction: &'a Transaction,
    pub(super) handle: u32,
}

impl<'a> Entered<'a> {
    /// Enters it.
    ///
    /// Errors: `ENOMEM`, `EAGAIN` when too many are under way, `ESRCH` when the client is gone.
    pub(super) fn new(
        node: &'a Node,
        transaction: &'a Transaction,
        exchange: &Arc<Exchange>,
    ) -> Result<Self> {
        let handle = node.ipc.exchanges.lock().insert(exchange.clone())?;
        node.stats.enter(Gauge::Exchanges);
        transaction.exchange_begins();
        let entered = Self {
            node,
            transaction,
            handle,
        };
        // Who finished the transaction before that may have found no exchange to end.
        if transaction.is_finished() {
            return Err(ESRCH);
        }
        Ok(entered)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let ended = self.node.ipc.exchanges.lock().remove(self.handle);
        drop(ended);
        self.transaction.exchange_ends();
        self.node.stats.leave(Gauge::Exchanges);
    }
}

/// The client of `transaction`, on another node, does not wait any more. Legal in softirq.
pub(super) fn client_gone(transaction: &Transaction) {
    refuse_each(transaction.node(), |exchange| exchange.is_of(transaction));
}

/// A session with `peer` has ended: the clients behind it are gone.
pub(super) fn session_ended(peer: &Arc<Peer>, session: u32) {
    refuse_each(&peer.node, |exchange| exchange.is_by(peer, session));
}

/// Ends the exchanges that `is_it` knows: their clients are gone.
fn refuse_each(node: &Node, is_it: impl Fn(&Exchange) -> bool) {
    let exchanges = &node.ipc.exchanges;
    let mut place = 0;
    loop {
        let next = exchanges
            .lock()
            .find_from(place, |exchange| is_it(exchange))
            .map(|(handle, exchange)| (handle, exchange.clone()));
        let Some((handle, exchange)) = next else {
            return;
        };
        place = super::handles::place_behind(handle);
        exchange.refused(0, ESRCH);
    }
}
