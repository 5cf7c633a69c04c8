// SPDX-License-Identifier: GPL-2.0

//! What clients lend to the threads that serve them: their priority.
//!
//! A thread that receives a message runs at its sender's priority until the message is answered, the
//! thread receives again, or says by MsgCurrent that it works for somebody else. Only the receiving
//! thread itself lends, in process context; who answers gives back, whichever thread it is.
//!
//! Of a thread that nothing is lent to nothing is kept, and one that never receives pays nothing. A
//! program that changes the priority of a thread meanwhile has changed its own: that stays. There is no
//! lock by which a module could keep such a change out between looking and setting, so one that comes
//! in just that moment is lost.
//!
//! # Lock order
//!
//! `Lent::loans` is a mutex, taken without any other lock held, and nothing but the scheduler's own
//! locks are taken under it.

use crate::{
    knet::{
        priority::{
            caller_limits,
            caller_may_raise,
            caller_own_priority,
            Scheduled,
            Thread, //
        },
        take_first, //
    },
    node::Node,
    proto::kif::priority::Sched,
    stats::Counter, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    },
};

/// Who has chosen the priority of a message or a pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lender {
    /// A program of this node: the kernel has let its thread have it, or it may send the receiver a
    /// pulse.
    Here,
    /// Another node, which may say what it likes.
    There,
}

/// A priority that was lent.
struct Loan {
    thread: Thread,
    /// The message for which, and the channel that it came by. 0: a pulse.
    rcvid: i32,
    chid: i32,
    own: Scheduled,
    lent: Sched,
}

impl Loan {
    /// The thread as it is meanwhile.
    fn lent(&self) -> Scheduled {
        Scheduled {
            sched: self.lent,
            ..self.own
        }
    }

    /// What the thread has itself, whatever was done to it meanwhile.
    fn own(&self) -> Scheduled {
        Scheduled {
            sched: self
                .own
                .sched
                .given_back(self.lent, self.thread.scheduled().sched),
            ..self.own
        }
    }

    /// Gives the thread its own priority back.
    fn give_back(self) {
        // A thread that is dead needs none. What the others had before they can have again.
        let _ = self.thread.schedule(&self.own());
    }
}

/// What is lent to the threads of a process.
#[pin_data]
pub(crate) struct Lent {
    /// How many loans there are, so that where there is none nobody takes the mutex.
    count: Atomic<usize>,
    #[pin]
    loans: Mutex<KVec<Loan>>,
}

impl Lent {
    /// Nothing.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            count: Atomic::new(0),
            loans <- new_mutex!(KVec::new()),
        })
    }

    /// Lends the calling thread the priority of the message `rcvid` (0: of a pulse) of the channel
    /// `chid`, as far as its limits go, beyond which no privilege goes for another node. Process context, no lock held. Without memory it keeps its
    /// own. Says whether there is anything that may have to be given back.
    pub(crate) fn lend(
        &self,
        node: &Node,
        rcvid: i32,
        chid: i32,
        (priority, lender): (i16, Lender),
    ) -> bool {
        if self.is_empty() && caller_own_priority() == priority {
            return false;
        }
        let mut loans = self.loans.lock();
        loans.retain(|loan| !loan.thread.is_dead());
        let thread = Thread::of_caller();
        let before = take_first(&mut loans, |loan| loan.thread.is_caller());
        let own = match &before {
            Some(loan) => loan.own(),
            None => thread.scheduled(),
        };
        let loan = Loan {
            lent: reachable(own.sched, priority, lender),
            thread,
            rcvid,
            chid,
            own,
        };
        let keeps = loan.lent != own.sched && loans.reserve(1, GFP_KERNEL_ACCOUNT).is_ok();
        if keeps && loan.thread.schedule(&loan.lent()).is_ok() {
            node.stats.count(Counter::Lent);
            // There is room for it.
            let _ = loans.push_within_capacity(loan);
        } else if before.is_some() {
            // It still runs as the loan before wanted it to.
            let _ = loan.thread.schedule(&own);
        }
        self.count.store(loans.len(), Relaxed);
        !loans.is_empty()
    }

    /// The message `rcvid` is answered: whoever works for it has his own priority again. Process
    /// context, no lock held.
    pub(crate) fn give_back(&self, rcvid: i32) {
        self.give_back_if(|loan| rcvid != 0 && loan.rcvid == rcvid);
    }

    /// The calling thread works for nobody: it has its own priority again. Process context, no lock
    /// held.
    pub(crate) fn give_back_mine(&self) {
        self.give_back_if(|loan| loan.thread.is_caller());
    }

    /// The channel `chid` has ended, and nothing that came by it waits any more. Process context, no
    /// lock held.
    pub(crate) fn channel_gone(&self, chid: i32) {
        self.give_back_if(|loan| loan.chid == chid);
    }

    fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    fn give_back_if(&self, wanted: impl Fn(&Loan) -> bool) {
        if self.is_empty() {
            return;
        }
        let mut loans = self.loans.lock();
        while let Some(loan) = take_first(&mut loans, &wanted) {
            loan.give_back();
        }
        self.count.store(loans.len(), Relaxed);
    }
}

/// How the calling thread, whose own is `own`, runs at the priority of a message. Process context.
fn reachable(own: Sched, priority: i16, lender: Lender) -> Sched {
    let wanted = own.at(priority);
    let allowed = wanted.clipped(own, caller_limits());
    // The privilege is asked for only where it makes a difference.
    if allowed != wanted && lender == Lender::Here && caller_may_raise() {
        wanted
    } else {
        allowed
    }
}

#[kunit_tests(qnet_ipc_priority)]
mod tests {
    use super::*;
    use crate::{
        knet::{
            net::{
                per_net,
                Net, //
            },
            pid::caller_priority, //
        },
        node::Nodes,
    };
    use kernel::sync::Arc;

    const fn by(priority: i16) -> (i16, Lender) {
        (priority, Lender::Here)
    }

    /// What runs at the priority of a message runs so until it is given back.
    #[test]
    fn a_thread_has_one_loan_at_a_time() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let lent = Arc::pin_init(Lent::new(), GFP_KERNEL)?;
        let me = Thread::of_caller();
        let own = me.scheduled();
        lent.lend(&node, 1, 7, by(5));
        assert_eq!(caller_priority(), 5);
        lent.lend(&node, 2, 7, by(30));
        assert_eq!(caller_priority(), 30);
        // The first message is answered, and it is not for it that the thread runs so.
        lent.give_back(1);
        assert_eq!(caller_priority(), 30);
        lent.give_back(2);
        assert_eq!(me.scheduled(), own);
        assert!(lent.is_empty());
        Ok(())
    }

    #[test]
    fn a_loan_ends_with_what_it_was_for() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let lent = Arc::pin_init(Lent::new(), GFP_KERNEL)?;
        let me = Thread::of_caller();
        let own = me.scheduled();
        // A pulse: nothing that is answered ends it.
        lent.lend(&node, 0, 7, by(4));
        lent.give_back(0);
        assert_eq!(caller_priority(), 4);
        lent.give_back_mine();
        assert_eq!(me.scheduled(), own);
        lent.lend(&node, 3, 7, by(4));
        lent.channel_gone(8);
        assert_eq!(caller_priority(), 4);
        lent.channel_gone(7);
        assert_eq!(me.scheduled(), own);
        // Its own priority is not lent to it.
        lent.lend(&node, 4, 7, by(caller_priority()));
        assert!(lent.is_empty());
        Ok(())
    }

    #[test]
    fn a_loan_of_the_own_priority_ends_the_one_before() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let lent = Arc::pin_init(Lent::new(), GFP_KERNEL)?;
        let me = Thread::of_caller();
        let own = me.scheduled();
        let priority = caller_priority();
        for other in [30, 5] {
            lent.lend(&node, 1, 7, by(other));
            assert_eq!(caller_priority(), other);
            lent.lend(&node, 2, 7, by(priority));
            assert_eq!(me.scheduled(), own);
            assert!(lent.is_empty());
        }
        Ok(())
    }

    /// A thread of the kernel is privileged, and its limits are low.
    #[test]
    fn another_node_lends_no_privilege() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let lent = Arc::pin_init(Lent::new(), GFP_KERNEL)?;
        let own = Thread::of_caller().scheduled().sched;
        let limits = caller_limits();
        for wanted in [119, 30, 12] {
            lent.lend(&node, 1, 7, (wanted, Lender::There));
            let now = Thread::of_caller().scheduled().sched;
            assert_eq!(now, own.at(wanted).clipped(own, limits));
            lent.give_back(1);
        }
        // Lower is no privilege.
        assert!(lent.lend(&node, 1, 7, (5, Lender::There)));
        assert_eq!(caller_priority(), 5);
        lent.give_back(1);
        Ok(())
    }

    #[test]
    fn what_is_set_meanwhile_stays() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let lent = Arc::pin_init(Lent::new(), GFP_KERNEL)?;
        let me = Thread::of_caller();
        let own = me.scheduled();
        lent.lend(&node, 1, 7, by(4));
        let mut set = own;
        set.sched.nice = 3;
        me.schedule(&set)?;
        lent.lend(&node, 2, 7, by(25));
        assert_eq!(caller_priority(), 25);
        lent.give_back(2);
        assert_eq!(me.scheduled(), set);
        me.schedule(&own)
    }
}
