// SPDX-License-Identifier: GPL-2.0

//! The sending half: what is sent, what is sent again and what is done with.
//!
//! Losses are found in three ways.
//!
//! - The time-out: the oldest message was not acknowledged in time. It is measured from the last
//!   transmission of that message, or from the moment when it became the oldest, if that was later:
//!   while acknowledgements keep coming nothing is overdue. Only that moment counts. An answer to a
//!   *later* message does not put it off, or a steady run of answered requests could keep one lost
//!   message waiting for ever.
//! - The peer holds three messages that were sent later. It tells so at once, in an ACK whose cause
//!   lies behind the number that it wants, and a round trip is then enough to repair a loss where
//!   a time-out takes at least 3 ms. Answers are no such sign: what is answered was delivered, and
//!   so was all before it.
//! - The peer says so in a NACK.
//!
//! What may be sent again is limited by a credit, so that a peer that went silent is not sent a
//! whole window each time: two messages a time-out, and two more for each message acknowledged.

use crate::proto::time::{
    Instant,
    Nanos, //
};

use super::rtt::Rtt;
use super::timers::Timers;
use super::window::{
    ahead,
    slot,
    SeqSet,
    SLOTS,
    W, //
};

/// So many later messages at the peer make an earlier one count as lost, as in TCP and QUIC.
const REORDER: u32 = 3;

/// What a time-out allows to be sent again, and what each acknowledged message adds.
const CREDIT: u32 = 2;

/// Why an ACK or a NACK is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDrop {
    /// It belongs to no connection that lives, or to one that is not up.
    State,
    /// It tells what is known already: a later one overtook it.
    Old,
    /// It speaks of what was never sent.
    Future,
}

/// When one message was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    first: Instant,
    last: Instant,
}

impl Sent {
    const NEVER: Self = Self {
        first: Instant::from_nanos(0),
        last: Instant::from_nanos(0),
    };
}

/// What a sender has done, since the numbers were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxCounters {
    /// Messages that were sent again.
    pub resent: u32,
    /// Losses found by the time-out of the oldest message.
    pub timeouts: u32,
    /// Losses found by what the peer holds.
    pub overtaken: u32,
    /// Messages that their answer acknowledged.
    pub answered: u32,
}

/// The sending half of a connection.
///
/// # Invariants
///
/// `oldest <= fresh <= next <= oldest + W` in the order of [`ahead`]. `done`, `seen`, `again` and
/// `resent` lie between `oldest` and `fresh`, and `oldest` is not in `done`. `freed` lies within
/// the `W` numbers before `next`.
#[derive(Clone, Debug)]
pub struct Tx {
    /// The first that is not acknowledged.
    oldest: u32,
    /// The first that was never sent.
    fresh: u32,
    /// The number of the next message.
    next: u32,
    /// Acknowledged alone, by an answer.
    done: SeqSet,
    /// Held by the peer, but not acknowledged: need not be sent again.
    seen: SeqSet,
    /// To be sent again.
    again: SeqSet,
    /// Sent more than once: their round trip cannot be told.
    resent: SeqSet,
    /// Acknowledged, and the caller does not know yet.
    freed: SeqSet,
    /// How many may be sent again now.
    credit: u32,
    /// How often the time-out is doubled.
    backoff: u32,
    /// When `oldest` became the oldest, or last timed out.
    progress: Instant,
    rtt: Rtt,
    sent: [Sent; SLOTS],
    counters: TxCounters,
}

impl Tx {
    /// A half whose first message is `first`.
    pub const fn new(first: u32) -> Self {
        Self {
            oldest: first,
            fresh: first,
            next: first,
            done: SeqSet::EMPTY,
            seen: SeqSet::EMPTY,
            again: SeqSet::EMPTY,
            resent: SeqSet::EMPTY,
            freed: SeqSet::EMPTY,
            credit: 0,
            backoff: 0,
            progress: Instant::from_nanos(0),
            rtt: Rtt::new(),
            sent: [Sent::NEVER; SLOTS],
            counters: TxCounters {
                resent: 0,
                timeouts: 0,
                overtaken: 0,
                answered: 0,
            },
        }
    }

    /// Starts anew with `first`; only the counters stay.
    pub fn restart(&mut self, first: u32) {
        let counters = self.counters;
        *self = Self::new(first);
        self.counters = counters;
    }

    /// Whether another message has room in the window.
    pub fn can_push(&self) -> bool {
        ahead(self.next, self.oldest) < W as i32 && !self.freed.has(self.next)
    }

    /// Takes the next number, if there is room.
    pub fn push(&mut self) -> Option<u32> {
        if !self.can_push() {
            return None;
        }
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        Some(seq)
    }

    /// How many messages are not acknowledged.
    pub fn unacknowledged(&self) -> u32 {
        self.next
            .wrapping_sub(self.oldest)
            .saturating_sub(self.done.len())
    }

    /// The next message to transmit, and whether that is its first time.
    pub fn poll(&mut self, now: Instant) -> Option<(u32, bool)> {
        if let Some(seq) = self.poll_again() {
            self.sent_mut(seq).last = now;
            return Some((seq, false));
        }
        if self.fresh == self.next {
            return None;
        }
        let seq = self.fresh;
        self.fresh = seq.wrapping_add(1);
        *self.sent_mut(seq) = Sent {
            first: now,
            last: now,
        };
        Some((seq, true))
    }

    fn poll_again(&mut self) -> Option<u32> {
        self.credit = self.credit.checked_sub(1)?;
        let Some(seq) = self.again.first(self.oldest) else {
            // What is not needed now is not saved up.
            self.credit = 0;
            return None;
        };
        self.again.take(seq);
        self.resent.put(seq);
        self.counters.resent = self.counters.resent.wrapping_add(1);
        Some(seq)
    }

    /// A message that is acknowledged: the caller may free it.
    pub fn poll_freed(&mut self) -> Option<u32> {
        let seq = self.freed.first(self.next)?.wrapping_sub(W);
        self.freed.take(seq);
        Some(seq)
    }

    /// The peer wants `wanted` next; `cause` arrived there and made it say so.
    pub fn acknowledged(&mut self, cause: u32, wanted: u32, now: Instant) -> Result<(), AckDrop> {
        if ahead(wanted, self.fresh) > 0 || ahead(cause, self.fresh) >= 0 {
            return Err(AckDrop::Future);
        }
        if ahead(wanted, self.oldest) < 0 {
            return Err(AckDrop::Old);
        }
        self.measure(cause, now);
        if ahead(cause, wanted) > 0 && !self.done.has(cause) {
            self.seen.put(cause);
            self.again.take(cause);
        }
        if self.oldest != wanted {
            while self.oldest != wanted {
                self.pass_oldest();
            }
            self.pass_done(now);
        }
        self.find_overtaken();
        Ok(())
    }

    /// The peer answered `seq`, and that one only is acknowledged by it.
    pub fn answered(&mut self, seq: u32, now: Instant) {
        if !self.in_flight(seq) || self.done.has(seq) {
            return;
        }
        self.measure(seq, now);
        self.counters.answered = self.counters.answered.wrapping_add(1);
        self.settle(seq);
        self.done.put(seq);
        if seq == self.oldest {
            self.pass_done(now);
        }
    }

    /// The peer misses `seq`.
    pub fn missed(&mut self, seq: u32) -> Result<(), AckDrop> {
        if ahead(seq, self.fresh) >= 0 {
            return Err(AckDrop::Future);
        }
        if !self.in_flight(seq) || self.done.has(seq) {
            return Err(AckDrop::Old);
        }
        self.seen.take(seq);
        self.lose(seq);
        Ok(())
    }

    /// The time has come that [`Self::deadline`] told, or not yet. Tells whether the oldest message
    /// went without acknowledgement for so long that the link has failed.
    #[must_use]
    pub fn timed_out(&mut self, now: Instant, timers: &Timers) -> bool {
        if self.oldest == self.fresh {
            return false;
        }
        if now >= self.sent(self.oldest).first.after(timers.bound) {
            return true;
        }
        if now < self.overdue(timers) {
            return false;
        }
        let timeout = self.timeout(timers);
        let flying = self.fresh.wrapping_sub(self.oldest);
        let mut missing = SeqSet::run(self.oldest, flying)
            .without(self.done)
            .without(self.seen);
        while let Some(seq) = missing.first(self.oldest) {
            missing.take(seq);
            if now >= self.sent(seq).last.after(timeout) {
                self.again.put(seq);
            }
        }
        // Even if it was seen: a peer that wants it has lost it since.
        self.again.put(self.oldest);
        self.credit = self.credit.max(CREDIT);
        self.backoff = self.backoff.saturating_add(1);
        self.progress = now;
        self.counters.timeouts = self.counters.timeouts.wrapping_add(1);
        false
    }

    /// When [`Self::timed_out`] has something to do.
    pub fn deadline(&self, timers: &Timers) -> Option<Instant> {
        if self.oldest == self.fresh {
            return None;
        }
        let failed = self.sent(self.oldest).first.after(timers.bound);
        Some(self.overdue(timers).min(failed))
    }

    /// The time after which the oldest message is sent again: what the round trip suggests, doubled
    /// for each time in vain, and not more than the options say. Only before a round trip is over
    /// nothing is sent again, whatever they say: it would tell nothing.
    pub fn timeout(&self, timers: &Timers) -> Nanos {
        let round_trip = self.rtt.smoothed().unwrap_or(Nanos::ZERO);
        let cap = timers.cap.max(round_trip.plus(timers.margin));
        self.rtt
            .timeout(timers.margin)
            .doubled(self.backoff)
            .min(cap)
    }

    /// The round trip as measured.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// A round trip that was measured by other means, before the first message.
    pub fn measured(&mut self, rtt: Nanos) {
        self.rtt.sample(rtt);
    }

    /// What was done since this was last called.
    pub fn take_counters(&mut self) -> TxCounters {
        core::mem::take(&mut self.counters)
    }

    fn overdue(&self, timers: &Timers) -> Instant {
        let since = self.sent(self.oldest).last.max(self.progress);
        since.after(self.timeout(timers))
    }

    fn in_flight(&self, seq: u32) -> bool {
        ahead(seq, self.oldest) >= 0 && ahead(seq, self.fresh) < 0
    }

    /// Measures a round trip by `seq`, if it can be told (Karn's rule). Until one can, the time-out
    /// stays doubled: a peer that is further away than assumed would otherwise be sent everything
    /// twice and never be measured.
    fn measure(&mut self, seq: u32, now: Instant) {
        let known = self.done.or(self.seen).or(self.resent);
        if self.in_flight(seq) && !known.has(seq) {
            self.rtt.sample(now.since(self.sent(seq).last));
            self.backoff = 0;
            self.forgive_after(seq);
        }
    }

    /// What was sent once and after `seq` is not lost because it is late: so was `seq`, and it
    /// arrived. A time-out that came too early then costs two messages and not a window.
    fn forgive_after(&mut self, seq: u32) {
        let start = seq.wrapping_add(1);
        let later = SeqSet::run(start, self.fresh.wrapping_sub(start));
        self.again = self.again.without(later.without(self.resent));
    }

    /// Nothing more is to be done about `seq`.
    fn settle(&mut self, seq: u32) {
        self.freed.put(seq);
        self.seen.take(seq);
        self.again.take(seq);
        self.resent.take(seq);
        self.credit = self.credit.saturating_add(CREDIT).min(W);
    }

    fn pass_oldest(&mut self) {
        let seq = self.oldest;
        if !self.done.take(seq) {
            self.settle(seq);
        }
        self.oldest = seq.wrapping_add(1);
    }

    /// Goes on to the first message that is not done, after one before it was acknowledged.
    fn pass_done(&mut self, now: Instant) {
        while self.done.take(self.oldest) {
            self.oldest = self.oldest.wrapping_add(1);
        }
        self.progress = now;
    }

    fn find_overtaken(&mut self) {
        let mut seq = self.oldest;
        let known = self.done.or(self.seen).or(self.again).or(self.resent);
        while self.seen.after(seq, self.oldest) >= REORDER {
            if !known.has(seq) {
                self.counters.overtaken = self.counters.overtaken.wrapping_add(1);
                self.lose(seq);
            }
            seq = seq.wrapping_add(1);
        }
    }

    /// `seq` is lost. It takes up no room in the link any more, so it may be sent again.
    fn lose(&mut self, seq: u32) {
        self.again.put(seq);
        self.credit = self.credit.saturating_add(1).min(W);
    }

    fn sent(&self, seq: u32) -> &Sent {
        // `slot()` is below `SLOTS` by its definition, which the compiler sees: no check remains.
        &self.sent[slot(seq)]
    }

    fn sent_mut(&mut self, seq: u32) -> &mut Sent {
        &mut self.sent[slot(seq)]
    }
}
