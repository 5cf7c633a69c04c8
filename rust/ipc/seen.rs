// SPDX-License-Identifier: GPL-2.0

//! Who a client of this node was when it last did something.
//!
//! A server that asks who its client is wants to know who has sent. That need not be who the process
//! is when it asks: the other threads may have ids of their own, and by exec the process may have
//! become somebody else, for whom the message does not speak. So what counts is kept: the
//! credentials of the thread that attached, sent or pulsed last. The lock is a leaf.

use super::{
    identity::says,
    rights, //
};
use crate::knet::{
    cred::{
        is_callers,
        Cred, //
    },
    lock::SpinLockBh,
    new_spinlock_bh,
    pid::Pid, //
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

/// What was seen of a client of this node: of its process by a server's process, on all of its
/// connections; or on one connection to another node.
#[pin_data]
pub(crate) struct Seen {
    #[pin]
    cred: SpinLockBh<Cred>,
    /// Where those credentials are in memory, so that who comes again is known without the lock.
    place: Atomic<usize>,
    /// Whether they say something else since the last message that was told so.
    changed: Atomic<bool>,
}

impl Seen {
    /// The calling thread. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn new() -> Result<Arc<Self>> {
        let cred = Cred::of_caller();
        Arc::pin_init(
            pin_init!(Self {
                place: Atomic::new(cred.place()),
                cred <- new_spinlock_bh!(cred),
                changed: Atomic::new(false),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// The credentials. Legal in softirq.
    pub(crate) fn get(&self) -> Cred {
        self.cred.lock().clone()
    }

    /// The calling thread does something. Process context.
    pub(super) fn renew(&self) {
        // Those that are kept cannot be freed, so that no others come to lie there.
        if !is_callers(self.place.load(Relaxed)) {
            self.replace(Cred::of_caller());
        }
    }

    #[cold]
    fn replace(&self, now: Cred) {
        let said = says(&now);
        let before = {
            let mut cred = self.cred.lock();
            self.place.store(now.place(), Relaxed);
            core::mem::replace(&mut *cred, now)
        };
        if says(&before) != said {
            self.changed.store(true, Relaxed);
        }
    }

    /// The calling thread sends a message: whether it is the first since a change. Process context.
    pub(super) fn sends(&self) -> bool {
        self.renew();
        self.changed.load(Relaxed) && self.changed.xchg(false, Relaxed)
    }

    /// The message that was to tell the change was not sent: the next one tells it.
    pub(super) fn keep_change(&self) {
        self.changed.store(true, Relaxed);
    }

    /// Whether the client, as it was seen, may signal the process `target` or send it a pulse. Legal in
    /// softirq.
    ///
    /// Errors: `EPERM`; `ESRCH` when it is gone.
    pub(super) fn may_signal(&self, target: &Pid) -> Result {
        rights::cred_may_signal(&self.get(), target)
    }
}

#[kunit_tests(qnet_ipc_seen)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_who_it_was_when_it_did_something() -> Result {
        let seen = Seen::new()?;
        assert!(seen.get().is_of_caller());
        assert!(!seen.sends());
        seen.may_signal(&Pid::of_caller())?;
        let init = Cred::of_process(&Pid::from_nr(1).ok_or(ESRCH)?).ok_or(ESRCH)?;
        seen.replace(init.clone());
        assert!(!seen.get().is_of_caller());
        assert_eq!(seen.get().place(), init.place());
        // The next to send is this thread, which is root as the first process is.
        assert!(!seen.sends());
        assert!(seen.get().is_of_caller());
        Ok(())
    }
}
