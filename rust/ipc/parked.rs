// SPDX-License-Identifier: GPL-2.0

//! Sends whose threads had to leave the kernel in the middle, and come back.
//!
//! A thread that is to be stopped, traced or frozen, or that has work to do for the kernel, must
//! leave the call, although no handler of the program runs that could see it. The call returns
//! `ERESTARTNOINTR`, so that the kernel makes the thread repeat it with the same arguments. The
//! message must not be sent again then: the thread finds its transaction here and goes on waiting.
//!
//! What is left by threads that never come back ends with the connection.

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
        new_spinlock_bh,
        pid,
        take_first, //
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
}

impl ParkedSends {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_spinlock_bh!(KVec::new()),
        })
    }

    /// Parks a send, and gives back one of the same thread if it has too many. Without memory the send
    /// itself comes back. Process context.
    pub(crate) fn put(&self, call: &Call, parked: Parked) -> Result<Option<Parked>, Parked> {
        let mut list = self.list.lock();
        if list.reserve(1, atomic_account() | __GFP_NOWARN).is_err() {
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
        let mut list = self.list.lock();
        take_first(&mut list, |(mine, _)| mine.same(call)).map(|(_, parked)| parked)
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
