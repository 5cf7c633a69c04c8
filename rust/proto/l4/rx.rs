// SPDX-License-Identifier: GPL-2.0

//! The receiving half: what is delivered, held or refused, and when that is acknowledged.

use crate::proto::time::{
    Instant,
    Nanos, //
};
use crate::proto::wire::l4::{
    Flags,
    Header, //
};

use super::window::{
    ahead,
    SeqSet,
    W, //
};

/// An ACK waits no longer once so many messages want one.
const MOST_OWED: u32 = 16;

/// What becomes of a message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxVerdict {
    /// It is this one's turn: deliver it, then those that wait behind it.
    Deliver,
    /// Its turn has not come: keep it under its sequence number.
    Hold,
    /// Drop it and count why.
    Drop(RxDrop),
}

/// Why a message that arrived is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxDrop {
    /// It belongs to no connection that lives, or to one that is not up.
    State,
    /// It was delivered, or is held, already.
    Duplicate,
    /// Its number lies outside of the window.
    Window,
    /// It is a part of a message; longer messages are not understood yet.
    Fragment,
}

/// The receiving half of a connection.
///
/// # Invariants
///
/// `held` lies within the `W - 1` numbers behind `next`, `owed` within the `W` before it.
#[derive(Clone, Debug)]
pub struct Rx {
    /// What is to be delivered next.
    next: u32,
    /// What arrived before its turn.
    held: SeqSet,
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
            owed: SeqSet::EMPTY,
            cause: first,
            urgent: false,
            due: None,
        }
    }

    /// A message, or a fragment of one, arrived.
    pub fn arrived(&mut self, h: &Header, now: Instant, hold: Nanos) -> RxVerdict {
        if h.offset != 0 || !h.flags.contains(Flags::FIRST) || !h.flags.contains(Flags::LAST) {
            return RxVerdict::Drop(RxDrop::Fragment);
        }
        let distance = ahead(h.seq, self.next);
        if distance >= W as i32 || distance < -(W as i32) {
            return RxVerdict::Drop(RxDrop::Window);
        }
        if distance < 0 || self.held.has(h.seq) {
            // The peer did not hear that it arrived.
            self.hurry(h.seq);
            return RxVerdict::Drop(RxDrop::Duplicate);
        }
        if distance > 0 {
            self.held.put(h.seq);
            self.hurry(h.seq);
            return RxVerdict::Hold;
        }
        self.deliver(now, hold);
        if !self.held.is_empty() {
            // A gap has closed, or become smaller.
            self.urgent = true;
        }
        RxVerdict::Deliver
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
        if self.owed.is_empty() {
            self.due = None;
        }
    }

    /// The ACK that is due: what caused it, and the number wanted next.
    pub fn poll_ack(&mut self, now: Instant) -> Option<(u32, u32)> {
        if !self.urgent && self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.urgent = false;
        self.due = None;
        self.owed = SeqSet::EMPTY;
        Some((self.cause, self.next))
    }

    /// When an ACK that is held back must go.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// How many messages wait for their turn.
    pub fn held(&self) -> u32 {
        self.held.len()
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
