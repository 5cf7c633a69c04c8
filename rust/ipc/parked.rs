// SPDX-License-Identifier: GPL-2.0

//! Sends whose threads had to leave the kernel in the middle, and come back.
//!
//! A thread that is to be stopped, traced or frozen, or that has work to do for the kernel, must
//! leave the call, although no handler of the program runs that could see it. The call returns
//! `ERESTARTNOINTR`, so that the kernel makes the thread repeat it with the same arguments. The
//! message must not be sent again then: the thread finds its transaction here and goes on waiting.
//!
//! What is left by threads that never come back ends with the connection.

use super::transaction::Transaction;
use crate::{
    knet::{
        atomic_account,
        lock::SpinLockBh,
        new_spinlock_bh,
        pid, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use zerocopy::IntoBytes;

/// The most sends of one connection that are parked: with more, somebody leaves them on purpose.
const MOST: usize = 64;

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

    /// Parks a send. Process context.
    ///
    /// Errors: `EINTR` when there are too many or no memory: the thread must leave then.
    pub(crate) fn put(&self, call: &Call, parked: Parked) -> Result {
        let mut list = self.list.lock();
        if list.len() >= MOST {
            return Err(EINTR);
        }
        list.push((*call, parked), atomic_account())
            .map_err(|_| EINTR)
    }

    /// The send that the calling thread comes back to, if it does.
    pub(crate) fn take(&self, call: &Call) -> Option<Parked> {
        let mut list = self.list.lock();
        let place = list.iter().position(|(mine, _)| mine.same(call))?;
        list.remove(place).ok().map(|(_, parked)| parked)
    }

    /// Whether the send with that client handle is parked.
    pub(crate) fn holds(&self, handle: u32) -> bool {
        let list = self.list.lock();
        list.iter().any(|(_, parked)| parked.handle == handle)
    }

    /// The connection has ended, and with it what was parked.
    pub(crate) fn drop_all(&self) {
        let list = core::mem::take(&mut *self.list.lock());
        drop(list);
    }
}
