// SPDX-License-Identifier: GPL-2.0

//! Which bytes of a message have arrived.
//!
//! The sender may cut a message anew in the middle, so fragments are known by their bytes and may
//! overlap. The caller keeps the fragments that were new, ordered by offset; where two overlap, the
//! bytes of either will do.

use crate::proto::wire::ack::{
    Range,
    MAX_RANGES, //
};
use crate::proto::wire::l4::MAX_MESSAGE;

/// A message has at most so many gaps, the one at its end included. A fragment that would open one
/// more is refused, which bounds what is kept of a message, and a NACK can list all of them.
pub const MAX_GAPS: usize = MAX_RANGES;

/// Runs of bytes before, between and behind that many gaps.
const MAX_SPANS: usize = MAX_GAPS + 1;

/// What a fragment brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// Bytes that were missing: keep it.
    New,
    /// Nothing.
    Nothing,
    /// One gap too many.
    Gap,
    /// An end that is not the one which was told before, or bytes beyond it, or no byte at all.
    Contradiction,
}

/// A run of bytes that have arrived; `end` is behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

/// The bytes of one message that have arrived.
///
/// # Invariants
///
/// The first `count` of `spans` are in order, not empty, and neither overlap nor touch.
#[derive(Clone, Debug)]
pub struct Reassembly {
    spans: [Span; MAX_SPANS],
    count: usize,
    /// The length of the message, once its last fragment has come.
    total: Option<u32>,
    /// Fragments that came while there was a gap, since that was last reported.
    late: u32,
}

impl Reassembly {
    /// Nothing has arrived.
    pub const fn new() -> Self {
        Self {
            spans: [Span { start: 0, end: 0 }; MAX_SPANS],
            count: 0,
            total: None,
            late: 0,
        }
    }

    /// Takes a fragment into account. `length` bytes at `offset`, checked to lie within the longest
    /// message; `last`: the message ends with it.
    pub fn insert(&mut self, offset: u32, length: u32, last: bool) -> Brought {
        let end = offset.saturating_add(length);
        let highest = self.highest();
        match self.total {
            Some(total) if end > total || (last && end != total) => return Brought::Contradiction,
            None if last && end < highest => return Brought::Contradiction,
            _ => {}
        }
        let news = last && self.total.is_none();
        if length > 0 {
            let total = self.total.or(last.then_some(end));
            let open_end = total != Some(end.max(highest));
            match self.cover(Span { start: offset, end }, open_end) {
                Brought::New => {}
                Brought::Nothing if news => {}
                other => return other,
            }
        } else if !last {
            return Brought::Contradiction;
        } else if !news {
            return Brought::Nothing;
        }
        if last {
            self.total = Some(end);
        }
        if self.has_gap() {
            self.late = self.late.saturating_add(1);
        }
        Brought::New
    }

    /// Whether all bytes have arrived.
    pub fn is_complete(&self) -> bool {
        self.total == Some(self.contiguous()) && self.count <= 1
    }

    /// Whether a byte is missing before one that has arrived.
    pub fn has_gap(&self) -> bool {
        self.gaps() > 0
    }

    /// Fragments that came while there was a gap, since [`Self::reported`].
    pub fn late(&self) -> u32 {
        self.late
    }

    /// The sender is told what is missing.
    pub fn reported(&mut self) {
        self.late = 0;
    }

    /// What is missing, in order. While the end is not known, all up to the longest message is.
    pub fn missing(&self) -> impl Iterator<Item = Range> + '_ {
        let total = self.total.unwrap_or(MAX_MESSAGE as u32);
        let spans = self.spans.iter().take(self.count);
        let starts = spans.clone().map(|span| span.start).chain([total]);
        let ends = [0].into_iter().chain(spans.map(|span| span.end));
        ends.zip(starts)
            .filter(|(from, to)| from < to)
            .map(|(from, to)| Range {
                offset: from,
                length: to.saturating_sub(from),
            })
            .take(MAX_RANGES)
    }

    /// How many bytes from the first one on have arrived without a gap.
    fn contiguous(&self) -> u32 {
        match self.spans.first() {
            Some(span) if self.count > 0 && span.start == 0 => span.end,
            _ => 0,
        }
    }

    /// Behind the last byte that has arrived.
    fn highest(&self) -> u32 {
        let last = self.count.checked_sub(1).and_then(|at| self.spans.get(at));
        last.map_or(0, |span| span.end)
    }

    fn gaps(&self) -> usize {
        let before = self.spans.first().is_some_and(|span| span.start > 0);
        match self.count {
            0 => 0,
            n => n.saturating_sub(1).saturating_add(usize::from(before)),
        }
    }

    /// Adds a run of bytes to those that have arrived. `open_end`: afterwards the last byte of the
    /// message is still missing.
    fn cover(&mut self, new: Span, open_end: bool) -> Brought {
        let spans = self.spans.get(..self.count).unwrap_or(&[]);
        // Those in between touch or overlap the new one.
        let from = spans.partition_point(|span| span.end < new.start);
        let to = spans.partition_point(|span| span.start <= new.end);
        let touched = spans.get(from..to).unwrap_or(&[]);
        let (Some(first), Some(last)) = (touched.first(), touched.last()) else {
            return self.open(from, new, open_end);
        };
        if first.start <= new.start && new.end <= first.end {
            return Brought::Nothing;
        }
        let merged = Span {
            start: first.start.min(new.start),
            end: last.end.max(new.end),
        };
        self.replace(from, to, merged);
        Brought::New
    }

    /// A run that touches no other one, at place `at`.
    fn open(&mut self, at: usize, new: Span, open_end: bool) -> Brought {
        let first = match self.spans.first() {
            Some(span) if at > 0 => span.start,
            _ => new.start,
        };
        let ends = usize::from(first > 0).saturating_add(usize::from(open_end));
        if self.count.saturating_add(ends) > MAX_GAPS {
            return Brought::Gap;
        }
        let mut carried = new;
        let count = self.count.saturating_add(1);
        let behind = count.saturating_sub(at);
        for place in self.spans.iter_mut().skip(at).take(behind) {
            carried = core::mem::replace(place, carried);
        }
        self.count = count;
        Brought::New
    }

    /// Puts `merged` in the place of the spans `from..to`, of which there is one at least.
    fn replace(&mut self, from: usize, to: usize, merged: Span) {
        if let Some(place) = self.spans.get_mut(from) {
            *place = merged;
        }
        let gone = to.saturating_sub(from).saturating_sub(1);
        for at in to..self.count {
            if let (Some(span), Some(place)) = (
                self.spans.get(at).copied(),
                self.spans.get_mut(at.saturating_sub(gone)),
            ) {
                *place = span;
            }
        }
        self.count = self.count.saturating_sub(gone);
    }
}

impl Default for Reassembly {
    fn default() -> Self {
        Self::new()
    }
}
