// SPDX-License-Identifier: GPL-2.0

//! Sends whose threads had to leave the kernel in the middle, and come back.
//!
//! A thread that is to be stopped, traced or frozen, or that has work to do for the kernel, must
//! leave the call, although no handler of the program runs that could see it. The call returns
//! `ERESTARTNOINTR`, so that the kernel makes the thread repeat it with the same arguments. The
//! message must not be sent again then: the thread finds its transaction here and goes on waiting.
//!
//! The end of the connection decides its outcome, if nobody has yet, but does not take it from here: the thread
//! comes back for it. What is left by threads that never come back ends with their process, or when nobody
//! has the connection any more.

use super::{
    pins::{
        Pinned,
        Pins, //
    },
    transaction::Transaction,
};
use crate::{
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh, pid, take_first,
        wait::{
            pending_signal,
            Signal,
            Wait,
            WaitQueue, //
        },
    },
    uapi, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::Arc, //
};
use zerocopy::IntoBytes;

/// The most sends of one thread on a connection that are parked: a thread that leaves a handler by
/// `longjmp()` does not come back to them.
const MOST: usize = 4;

/// How many nanoseconds it is waited for threads that are about to come back. Longer are away those that were
/// stopped alone, and those that have left a handler by `longjmp()`, or ended in it.
pub(super) const PATIENCE: u64 = 1_000_000_000;

/// One call of MsgSend: by whom, where in the program's memory the arguments are, and what they
/// are. A handler that sends on the same connection has arguments of its own.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    tid: i32,
    at: usize,
    arguments: uapi::Send,
}

impl Call {
    /// The calling thread's, with these arguments from the address `at`. Process context.
    pub(crate) fn new(at: usize, arguments: uapi::Send) -> Self {
        Self {
            tid: pid::caller_tid(),
            at,
            arguments,
        }
    }

    fn same(&self, other: &Call) -> bool {
        self.tid == other.tid
            && self.at == other.at
            && self.arguments.as_bytes() == other.arguments.as_bytes()
    }
}

/// A send that goes on when its thread comes back.
pub(crate) struct Parked {
    /// The message.
    pub(crate) transaction: Arc<Transaction>,
    /// Its client handle; 0: it is for this node.
    pub(crate) handle: u32,
    /// The program's pages that frames of it refer to.
    pub(crate) pinned: KVec<Pinned>,
}

/// Those of one connection.
#[pin_data]
pub(crate) struct ParkedSends {
    #[pin]
    list: SpinLockBh<KVec<(Call, Parked)>>,
    /// Woken when a thread has come back.
    #[pin]
    came_back: WaitQueue,
}

impl ParkedSends {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_spinlock_bh!(KVec::new()),
            came_back <- WaitQueue::new(),
        })
    }

    /// Parks a send, and gives back one of the same thread if it has too many. Without memory, or when `ended`
    /// says that the connection has ended, the send itself comes back: who says so looks here afterwards, and
    /// is to find all that there ever will be. Process context.
    pub(crate) fn put(
        &self,
        call: &Call,
        parked: Parked,
        ended: impl FnOnce() -> bool,
    ) -> Result<Option<Parked>, Parked> {
        let mut list = self.list.lock();
        if ended() || list.reserve(1, atomic_account() | __GFP_NOWARN).is_err() {
            return Err(parked);
        }
        let mut mine = list
            .iter()
            .enumerate()
            .filter(|(_, (it, _))| it.tid == call.tid);
        let oldest = mine.next().map(|(place, _)| place);
        let too_many = mine.count() + 1 >= MOST;
        let gone = oldest
            .filter(|_| too_many)
            .and_then(|place| list.remove(place).ok());
        if let Err(refused) = list.push_within_capacity((*call, parked)) {
            return Err(refused.0 .1);
        }
        Ok(gone.map(|(_, parked)| parked))
    }

    /// The send that the calling thread comes back to, if it does.
    pub(crate) fn take(&self, call: &Call) -> Option<Parked> {
        let taken = take_first(&mut self.list.lock(), |(mine, _)| mine.same(call));
        let (_, parked) = taken?;
        self.came_back.wake_all();
        Some(parked)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.lock().is_empty()
    }

    /// Waits until the threads that have parked something here, but for the calling one, have come back, or until
    /// the time `until`, in nanoseconds of the monotonic clock.
    /// For a thread of the same process, which goes on as they are about to: when it closes the descriptor,
    /// they are to be in the kernel, since they repeat their calls by its number. Process context.
    ///
    /// Errors: `ERESTARTNOINTR` when the calling thread itself is to be stopped, or has work to do for the
    /// kernel, and is to come back.
    pub(crate) fn settle(&self, until: u64) -> Result {
        let me = pid::caller_tid();
        let until = Some(until);
        let mut list = self.list.lock();
        while list.iter().any(|(call, _)| call.tid != me) {
            let waited = match pending_signal() {
                // It runs a second later at most.
                Signal::Handler => self.came_back.wait_killable(&mut list, until),
                _ => self.came_back.wait(&mut list, until),
            };
            match waited {
                Wait::Woken => {}
                Wait::TimedOut => break,
                Wait::Signal => match pending_signal() {
                    Signal::Fatal => break,
                    Signal::Other => return Err(ERESTARTNOINTR),
                    Signal::Handler | Signal::None => {}
                },
            }
        }
        Ok(())
    }

    /// The program's pages of the send with that client handle stay pinned, if it is parked: says
    /// whether it is.
    pub(crate) fn keep_pins(&self, handle: u32, pins: &Pins<'_>) -> bool {
        let mut list = self.list.lock();
        let parked = list.iter_mut().find(|(_, parked)| parked.handle == handle);
        match parked {
            Some((_, parked)) => {
                parked.pinned = pins.take();
                true
            }
            None => false,
        }
    }

    /// All of them.
    pub(crate) fn take_all(&self) -> impl Iterator<Item = Parked> {
        let list = core::mem::take(&mut *self.list.lock());
        list.into_iter().map(|(_, parked)| parked)
    }
}
