// SPDX-License-Identifier: GPL-2.0

//! The receiving half: what is delivered, held or refused, and when that is acknowledged.
//!
//! A message is delivered when it is complete and all before it were. An ACK tells up to where that
//! is so. A NACK tells what is missing of a message of which only a part has come: when fragments
//! came that were sent after the missing ones, when many came since the last report, so that a long
//! message is not waited for in silence, and when nothing more comes.

use crate::proto::time::{
    Instant,
    Nanos, //
};
use crate::proto::wire::l4::{
    Flags,
    Header, //
};

use super::reassembly::{
    Brought,
    Reassembly, //
};
use super::window::{
    ahead,
    SeqSet,
    W, //
};

/// An ACK waits no longer once so many messages want one, nor does a NACK once so many fragments
/// have come.
const MOST_OWED: u32 = 16;

/// So many fragments behind a gap make it a loss, as in TCP and QUIC.
const REORDER: u32 = 3;

/// A NACK is repeated so often while nothing more comes.
const REPEATS: u32 = 2;

/// What becomes of a message, or of a fragment of one, that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxVerdict {
    /// The message is complete and it is its turn: deliver it, then those that wait behind it.
    Deliver,
    /// The message is complete, but its turn has not come: keep it under its sequence number.
    Hold,
    /// A part of a message that is not complete: keep it.
    Keep,
    /// Drop it and count why.
    Drop(RxDrop),
}

/// Why a message, or a fragment of one, is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxDrop {
    /// It belongs to no connection that lives, or to one that is not up.
    State,
    /// It was delivered, or is held, already.
    Duplicate,
    /// Its number lies outside of the window.
    Window,
    /// It contradicts the other fragments of its message.
    Fragment,
    /// It would open one gap too many.
    Gap,
}

/// What the peer is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// `cause` arrived, and all before `next`.
    Ack {
        /// The message that caused it.
        cause: u32,
        /// The number wanted next.
        next: u32,
    },
    /// A part of the message is missing; which, its [`Reassembly`] tells.
    Nack {
        /// Its number.
        seq: u32,
    },
}

/// The receiving half of a connection.
///
/// # Invariants
///
/// `held`, `partial`, `reports` and `doubled` lie within the `W` numbers from `next` on, `owed` within the `W`
/// before it.
#[derive(Clone, Copy, Debug)]
pub struct Rx {
    /// What is to be delivered next.
    next: u32,
    /// What arrived before its turn.
    held: SeqSet,
    /// Of what a part arrived.
    partial: SeqSet,
    /// Of what the sender is told at once what is missing.
    reports: SeqSet,
    /// Of what it is told a little later, because it sends what arrived before.
    doubled: SeqSet,
    /// Fragments that arrived since it was told anything.
    untold: u32,
    /// How often it was told because no more of them came.
    quiet: u32,
    /// What was delivered and neither acknowledged nor answered.
    owed: SeqSet,
    /// What caused the next ACK.
    cause: u32,
    /// Whether that goes at once.
    urgent: bool,
    /// When it goes otherwise.
    due: Option<Instant>,
}

impl Rx {
    /// A half that expects `first`.
    pub const fn new(first: u32) -> Self {
        Self {
            next: first,
            held: SeqSet::EMPTY,
            partial: SeqSet::EMPTY,
            reports: SeqSet::EMPTY,
            doubled: SeqSet::EMPTY,
            untold: 0,
            quiet: 0,
            owed: SeqSet::EMPTY,
            cause: first,
            urgent: false,
            due: None,
        }
    }

    /// A message, or a fragment of one, arrived. `parts` tells what has arrived of that message
    /// before; a message in one piece needs none.
    pub fn arrived(
        &mut self,
        h: &Header,
        parts: Option<&mut Reassembly>,
        now: Instant,
        hold: Nanos,
    ) -> RxVerdict {
        let distance = ahead(h.seq, self.next);
        if distance >= W as i32 || distance < -(W as i32) {
            return RxVerdict::Drop(RxDrop::Window);
        }
        if distance < 0 || self.held.has(h.seq) {
            // The peer did not hear that it arrived.
            self.hurry(h.seq);
            return RxVerdict::Drop(RxDrop::Duplicate);
        }
        if !h.flags.contains(Flags::WHOLE) {
            let Some(parts) = parts else {
                return RxVerdict::Drop(RxDrop::Fragment);
            };
            if let Some(verdict) = self.part(h, parts, now, hold) {
                return verdict;
            }
        }
        self.complete(h.seq, now, hold)
    }

    /// A held message whose turn has come; it counts as delivered.
    pub fn next_ready(&mut self) -> Option<u32> {
        let seq = self.next;
        if !self.held.take(seq) {
            return None;
        }
        self.next = seq.wrapping_add(1);
        self.owed.put(seq);
        Some(seq)
    }

    /// The message `seq` is about to be answered: the answer acknowledges it.
    pub fn answering(&mut self, seq: u32) {
        let back = ahead(self.next, seq);
        if back < 1 || back > W as i32 {
            return;
        }
        self.owed.take(seq);
        if self.owed.is_empty() && self.partial.is_empty() {
            self.due = None;
        }
    }

    /// What is to be told now. `hold` is how long an ACK may wait.
    pub fn poll(&mut self, now: Instant, hold: Nanos) -> Option<Report> {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.urgent |= !self.owed.is_empty();
            self.reports = self.reports.or(core::mem::take(&mut self.doubled));
            if let Some(seq) = self.partial.first(self.next) {
                self.reports.put(seq);
                self.quiet = self.quiet.saturating_add(1);
                if self.quiet <= REPEATS {
                    self.due = Some(now.after(hold));
                }
            }
        }
        if core::mem::take(&mut self.urgent) {
            self.owed = SeqSet::EMPTY;
            if self.partial.is_empty() {
                self.due = None;
            }
            return Some(Report::Ack {
                cause: self.cause,
                next: self.next,
            });
        }
        let seq = self.reports.first(self.next)?;
        self.reports.take(seq);
        self.untold = 0;
        Some(Report::Nack { seq })
    }

    /// When something that is held back must be told.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// How many messages wait for their turn.
    pub fn held(&self) -> u32 {
        self.held.len()
    }

    /// How many messages have arrived in part.
    pub fn partial(&self) -> u32 {
        self.partial.len()
    }

    /// Whether a part of `seq` has arrived, and not all of it.
    pub fn is_partial(&self, seq: u32) -> bool {
        self.partial.has(seq)
    }

    /// A part of a message arrived. [`None`]: it is complete now.
    fn part(
        &mut self,
        h: &Header,
        parts: &mut Reassembly,
        now: Instant,
        hold: Nanos,
    ) -> Option<RxVerdict> {
        match parts.insert(h.offset, h.length, h.flags.contains(Flags::LAST)) {
            Brought::New => {}
            Brought::Nothing => {
                // The sender does not know what has arrived. Where it repeats all of a long message it
                // is not told so for each fragment, which would make it repeat the more.
                self.doubled.put(h.seq);
                self.due = self.due.or(Some(now.after(hold)));
                return Some(RxVerdict::Drop(RxDrop::Duplicate));
            }
            Brought::Gap => return Some(RxVerdict::Drop(RxDrop::Gap)),
            Brought::Contradiction => return Some(RxVerdict::Drop(RxDrop::Fragment)),
        }
        if parts.is_complete() {
            return None;
        }
        self.partial.put(h.seq);
        self.quiet = 0;
        self.untold = self.untold.saturating_add(1);
        if parts.late() >= REORDER || self.untold >= MOST_OWED {
            parts.reported();
            self.untold = 0;
            self.reports.put(h.seq);
        }
        // A part of an earlier one that was sent before this is late.
        if let Some(earlier) = self.partial.first(self.next) {
            if earlier != h.seq && self.untold == REORDER {
                self.reports.put(earlier);
            }
        }
        if self.owed.is_empty() || self.due.is_none() {
            self.due = Some(now.after(hold));
        }
        Some(RxVerdict::Keep)
    }

    /// The message is complete.
    fn complete(&mut self, seq: u32, now: Instant, hold: Nanos) -> RxVerdict {
        self.partial.take(seq);
        self.reports.take(seq);
        self.doubled.take(seq);
        if seq != self.next {
            self.held.put(seq);
            self.hurry(seq);
            // Often at first, and then now and then: a repair may be lost as well.
            let held = self.held.len();
            let often = held <= REORDER || held % 4 == 0;
            if self.partial.has(self.next) && often {
                self.reports.put(self.next);
            }
            return RxVerdict::Hold;
        }
        self.deliver(now, hold);
        if !self.held.is_empty() {
            // A gap has closed, or become smaller.
            self.urgent = true;
        }
        RxVerdict::Deliver
    }

    fn deliver(&mut self, now: Instant, hold: Nanos) {
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        self.owed.put(seq);
        self.cause = seq;
        if self.owed.len() >= MOST_OWED {
            self.urgent = true;
        } else if self.due.is_none() {
            self.due = Some(now.after(hold));
        }
    }

    fn hurry(&mut self, cause: u32) {
        self.cause = cause;
        self.urgent = true;
    }
}
