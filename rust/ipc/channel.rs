// SPDX-License-Identifier: GPL-2.0

//! A channel: where a process receives.
//!
//! Messages wait by priority, and among equals in the order in which they came. A channel belongs
//! to the process that made it.

use super::{
    process::Process,
    rights::Door,
    server,
    transaction::{
        Outcome,
        Payload,
        Timeout,
        Transaction, //
    },
    users::Owned, //
};
use crate::{
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh,
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    node::Patience,
    proto::kif::transaction::Event,
    stats::{
        Counter,
        Gauge, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The most messages that other nodes may have waiting in one channel. A local client that sends
/// is blocked, so that their number is that of the threads.
const MAX_REMOTE_QUEUED: usize = 1024;

/// What changes, under the channel's lock.
struct Inner {
    /// The message to be received next is the last: the lowest priority comes first, and among
    /// equals the newest.
    queue: KVec<Arc<Transaction>>,
    destroyed: bool,
}

/// Where a process receives.
#[pin_data]
pub(crate) struct Channel {
    pub(crate) process: Arc<Process>,
    pub(crate) chid: i32,
    pub(crate) flags: u32,
    _charged: Owned,
    /// Who may connect.
    #[pin]
    pub(crate) door: Door,
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Receivers wait here.
    #[pin]
    arrivals: WaitQueue,
}

impl Channel {
    /// A channel of `process`, which is to put it into its table under `chid`.
    pub(super) fn new(
        process: &Arc<Process>,
        chid: i32,
        flags: u32,
        charged: Owned,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                process: process.clone(),
                chid,
                flags,
                _charged: charged,
                door <- Door::new(),
                inner <- new_spinlock_bh!(Inner {
                    queue: KVec::new(),
                    destroyed: false,
                }),
                arrivals <- WaitQueue::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Whether only its own process may connect to it.
    pub(crate) fn is_private(&self) -> bool {
        self.flags & uapi::QNET_CHF_PRIVATE != 0
    }

    /// Whether other nodes may connect to it when not all channels are open to them.
    pub(crate) fn is_marked(&self) -> bool {
        self.flags & uapi::QNET_CHF_REMOTE != 0
    }

    /// Whether a receiver gets the priority of what it receives.
    pub(crate) fn lends(&self) -> bool {
        self.flags & uapi::QNET_CHF_FIXED_PRIORITY == 0
    }

    /// Whether it has been destroyed.
    pub(crate) fn is_destroyed(&self) -> bool {
        self.inner.lock().destroyed
    }

    /// Puts a message into the queue and wakes a receiver. Legal in softirq; no lock may be held.
    ///
    /// Errors: `ESRCH` when the channel is destroyed, `ENOMEM`; for a message from another node
    /// also `EAGAIN` when too many wait.
    pub(crate) fn queue(&self, transaction: &Arc<Transaction>, remote: bool) -> Result {
        {
            let mut inner = self.inner.lock();
            if inner.destroyed {
                return Err(ESRCH);
            }
            if remote && inner.queue.len() >= MAX_REMOTE_QUEUED {
                return Err(EAGAIN);
            }
            inner.queue.reserve(1, atomic_account())?;
            let priority = transaction.sender.priority;
            let place = inner
                .queue
                .partition_point(|other| other.sender.priority < priority);
            inner
                .queue
                .insert_within_capacity(place, transaction.clone())
                .map_err(|_| ENOMEM)?;
        }
        self.process.node.stats.count(Counter::ServerMsgs);
        self.arrivals.wake_one();
        Ok(())
    }

    /// Takes a message out of the queue that its sender has given up. It may be gone already.
    pub(crate) fn forget(&self, transaction: &Arc<Transaction>) {
        let forgotten = {
            let mut inner = self.inner.lock();
            let place = inner
                .queue
                .iter()
                .position(|other| Arc::ptr_eq(other, transaction));
            place.and_then(|place| inner.queue.remove(place).ok())
        };
        drop(forgotten);
    }

    /// Takes a message that `wanted` holds for out of the queue.
    fn take_if(&self, wanted: impl Fn(&Transaction) -> bool) -> Option<Arc<Transaction>> {
        let mut inner = self.inner.lock();
        let place = inner
            .queue
            .iter()
            .position(|transaction| wanted(transaction))?;
        inner.queue.remove(place).ok()
    }

    /// Blocks until there is a message, and takes it. Process context.
    ///
    /// Errors: `ESRCH` when the channel is destroyed, `EINTR`, `ETIMEDOUT`.
    pub(crate) fn receive(&self, timeout: &Timeout) -> Result<(Arc<Transaction>, Arc<Payload>)> {
        let deadline = timeout.states.runs_in_receive().then(|| timeout.deadline());
        loop {
            let transaction = self.next(deadline)?;
            // A message that was given up a moment ago is passed over.
            if let Ok(payload) = transaction.receive() {
                return Ok((transaction, payload));
            }
        }
    }

    fn next(&self, deadline: Option<u64>) -> Result<Arc<Transaction>> {
        let mut inner = self.inner.lock();
        loop {
            if inner.destroyed {
                return Err(ESRCH);
            }
            if let Some(transaction) = inner.queue.pop() {
                return Ok(transaction);
            }
            let error = match self.arrivals.wait(&mut inner, deadline) {
                Wait::Woken => continue,
                Wait::TimedOut => ETIMEDOUT,
                Wait::Signal => EINTR,
            };
            // A wake-up that came together with the end of the wait belongs to this thread: if it
            // left without the message, no other would come for it.
            if inner.queue.is_empty() && !inner.destroyed {
                return Err(error);
            }
        }
    }

    /// Fails every message that `wanted` holds for, queued or received.
    pub(crate) fn fail_if(
        &self,
        wanted: impl Fn(&Transaction) -> bool,
        event: Event,
        error: Error,
    ) {
        while let Some(transaction) = self.take_if(&wanted) {
            // Who finished it before has told its sender.
            let _ = transaction.finish(event, Outcome::Error(error.to_errno()));
        }
        self.process.fail_received(self, wanted, event, error);
    }

    /// Destroys the channel: who is blocked on it gets `ESRCH`, and connections to it are dead.
    /// Process context. Says whether there was anything to destroy: the second time there is not.
    /// `until` is how long it may take to tell other nodes.
    pub(crate) fn destroy(self: &Arc<Self>, until: Patience) -> bool {
        {
            let mut inner = self.inner.lock();
            if inner.destroyed {
                return false;
            }
            inner.destroyed = true;
        }
        self.arrivals.wake_all();
        self.process.remove_channel(self);
        // Who is on this node need not wait for the others. Other nodes are told before their sends
        // are failed here, because their clients learn the end of their sends from it.
        self.fail_if(Transaction::is_local, Event::ServerGone, ESRCH);
        server::channel_gone(self, until);
        self.fail_if(|_| true, Event::ServerGone, ESRCH);
        self.process.lent.channel_gone(self.chid);
        self.process.node.stats.leave(Gauge::Channels);
        true
    }
}
