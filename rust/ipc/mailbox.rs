// SPDX-License-Identifier: GPL-2.0

//! Messages of a connection for whose answers no thread waits: they were sent by `sendmsg()`, and
//! `recvmsg()` gets the answers.
//!
//! What a server wants of the sender's memory is served from the kernel's, by the module's workqueue.

use super::{
    connection::Request,
    transaction::{
        Outcome,
        Payload,
        Transaction, //
    },
};
use crate::knet::{
    atomic_account,
    lock::SpinLockBh,
    new_spinlock_bh,
    wait::{
        Wait,
        WaitQueue, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// The most messages of one connection that are under way, or answered and not yet got.
const MOST: usize = 256;

/// A message for whose answer no thread waits.
pub(crate) struct Posted {
    /// The message.
    pub(super) transaction: Arc<Transaction>,
    /// This node's handle for it, if it went to another node, else 0.
    pub(super) handle: u32,
    /// The sender's name for it.
    pub(crate) cookie: u64,
    /// In the kernel's memory: its bytes, if it went to another node, and what the server has
    /// written ahead of its reply.
    pub(crate) request: Request,
}

impl Posted {
    /// The message, which nobody else may know yet.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn new(
        transaction: &Arc<Transaction>,
        handle: u32,
        cookie: u64,
        request: Request,
    ) -> Result<Arc<Self>> {
        transaction.mark_posted();
        let posted = Self {
            transaction: transaction.clone(),
            handle,
            cookie,
            request,
        };
        Ok(Arc::new(posted, GFP_KERNEL_ACCOUNT)?)
    }

    /// Counts `n` bytes of the answer that were copied to a program.
    pub(crate) fn count_copied(&self, data: &Payload, n: usize) {
        data.count_copied(self.transaction.node(), n);
    }
}

/// What changes, under the mailbox's lock.
struct Inner {
    posted: KVec<Arc<Posted>>,
    /// Places that were promised to messages that are about to be sent.
    promised: usize,
}

impl Inner {
    fn is_full(&self) -> bool {
        self.posted.len() + self.promised >= MOST
    }
}

/// The messages of a connection for whose answers no thread waits.
#[pin_data]
pub(crate) struct Mailbox {
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Threads wait here for answers, and for places.
    #[pin]
    came: WaitQueue,
    /// 1: the way to the other node was blocked when somebody wanted to send.
    blocked: Atomic<u32>,
    /// Why there is no way, as a Linux error number, negative; 0: the next message tries it.
    failure: Atomic<i32>,
}

/// The place of one message in a mailbox.
pub(super) struct Place<'a>(&'a Mailbox);

impl Place<'_> {
    /// Puts the message there. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn put(self, posted: Arc<Posted>) -> Result {
        {
            let mut inner = self.0.inner.lock();
            inner.posted.push(posted, atomic_account())?;
            inner.promised -= 1;
        }
        // The place is taken.
        core::mem::forget(self);
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().promised -= 1;
        self.0.came.wake_all();
    }
}

impl Mailbox {
    /// An empty one.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_spinlock_bh!(Inner {
                posted: KVec::new(),
                promised: 0,
            }),
            came <- WaitQueue::new(),
            blocked: Atomic::new(0),
            failure: Atomic::new(0),
        })
    }

    /// Waits for a place for one message more, until `deadline`. Process context.
    ///
    /// Errors: `EBADF` when `is_dead` says that the connection is, `ETIMEDOUT`, `EINTR`.
    pub(super) fn place(
        &self,
        deadline: Option<u64>,
        is_dead: impl Fn() -> bool,
    ) -> Result<Place<'_>> {
        let mut inner = self.inner.lock();
        while inner.is_full() {
            if is_dead() {
                return Err(EBADF);
            }
            match self.came.wait(&mut inner, deadline) {
                Wait::Woken => {}
                Wait::TimedOut => return Err(ETIMEDOUT),
                Wait::Signal => return Err(EINTR),
            }
        }
        inner.promised += 1;
        Ok(Place(self))
    }

    /// Takes a message out again that could not be sent; says whether it was there. Process context.
    pub(super) fn remove(&self, transaction: &Arc<Transaction>) -> bool {
        let removed = {
            let mut inner = self.inner.lock();
            let place = inner
                .posted
                .iter()
                .position(|posted| Arc::ptr_eq(&posted.transaction, transaction));
            place.and_then(|place| inner.posted.remove(place).ok())
        };
        self.came.wake_all();
        removed.is_some()
    }

    /// Waits for an answer until `deadline`, and takes it: of several that to the message which was
    /// sent first. `None` when there is none and `over`, which is told whether messages are under way,
    /// says that nothing more will come. Says with it whether the mailbox was full. Process context.
    ///
    /// Errors: `ETIMEDOUT`, `EINTR`.
    pub(super) fn take(
        &self,
        deadline: Option<u64>,
        over: impl Fn(bool) -> bool,
    ) -> Result<Option<(Arc<Posted>, Outcome, bool)>> {
        let (taken, was_full) = {
            let mut inner = self.inner.lock();
            loop {
                let place = inner
                    .posted
                    .iter()
                    .position(|posted| posted.transaction.is_answered());
                let was_full = inner.is_full();
                if let Some(posted) = place.and_then(|place| inner.posted.remove(place).ok()) {
                    break (posted, was_full);
                }
                if over(!inner.posted.is_empty()) {
                    return Ok(None);
                }
                match self.came.wait(&mut inner, deadline) {
                    Wait::Woken => {}
                    Wait::TimedOut => return Err(ETIMEDOUT),
                    Wait::Signal => return Err(EINTR),
                }
            }
        };
        // Somebody may wait for its place.
        self.came.wake_all();
        let outcome = taken.transaction.take_answer();
        Ok(outcome.map(|outcome| (taken, outcome, was_full)))
    }

    /// Whether there is an answer, and whether there is room.
    pub(super) fn ready(&self) -> (bool, bool) {
        let inner = self.inner.lock();
        let answered = inner
            .posted
            .iter()
            .any(|posted| posted.transaction.is_answered());
        let free = self.blocked.load(Relaxed) == 0;
        (answered, free && !inner.is_full())
    }

    /// Wakes who waits for an answer, or for a place. Legal in softirq; no lock may be held.
    pub(super) fn changed(&self) {
        // Who has looked before the change is in the queue when the lock is free.
        drop(self.inner.lock());
        self.came.wake_all();
    }

    /// Takes all messages out. Process context.
    pub(super) fn take_all(&self) -> KVec<Arc<Posted>> {
        let posted = core::mem::take(&mut self.inner.lock().posted);
        self.came.wake_all();
        posted
    }

    /// The way to the other node is blocked, or is not.
    pub(super) fn block(&self, blocked: bool) {
        self.blocked.store(u32::from(blocked), Relaxed);
    }

    /// There is no way to the other node, as the next message is to tell.
    pub(super) fn fail(&self, error: Error) {
        self.failure.store(error.to_errno(), Relaxed);
    }

    /// Why there was no way when it was last looked for, if that was not told yet.
    pub(super) fn take_failure(&self) -> Option<Error> {
        match self.failure.xchg(0, Relaxed) {
            0 => None,
            error => Some(Error::from_errno(error)),
        }
    }

    /// Does what servers want of the senders' memory. Process context, not by two threads at a time.
    pub(super) fn serve(&self) {
        // Backwards, so that none is passed over when one before it leaves meanwhile.
        let mut place = self.inner.lock().posted.len();
        while place > 0 {
            place -= 1;
            let next = self.inner.lock().posted.get(place).cloned();
            if let Some(posted) = next {
                posted
                    .transaction
                    .serve_posted(&posted.request.memory(None));
            }
        }
    }
}
