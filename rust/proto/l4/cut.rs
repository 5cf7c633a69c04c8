// SPDX-License-Identifier: GPL-2.0

//! How a message is cut into fragments, and sets of its fragments.

/// A message has at most so many fragments. It is enough for the longest message over the smallest
/// MTU that a link may have, 576 bytes.
pub const MAX_FRAGMENTS: u32 = 128;

/// One fragment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it starts in the message.
    pub offset: u32,
    /// How many bytes it has.
    pub length: u32,
    /// Whether it is the first one.
    pub first: bool,
    /// Whether it is the last one.
    pub last: bool,
}

/// A message of some length, cut every so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    length: u32,
    each: u32,
}

impl Cut {
    /// Cuts `length` bytes every `each` bytes, or as much wider as [`MAX_FRAGMENTS`] asks for.
    pub const fn new(length: u32, each: u32) -> Self {
        let least = length.div_ceil(MAX_FRAGMENTS);
        let each = if each > least { each } else { least };
        Self {
            length,
            each: if each == 0 { 1 } else { each },
        }
    }

    /// The length of the message.
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// The length of each fragment but the last.
    pub const fn each(&self) -> u32 {
        self.each
    }

    /// How many fragments there are: one at least.
    pub const fn count(&self) -> u32 {
        match self.length.checked_div(self.each) {
            Some(_) if self.length > 0 => self.length.div_ceil(self.each),
            _ => 1,
        }
    }

    /// The fragment at `index`, which is below [`Self::count`].
    pub const fn fragment(&self, index: u32) -> Fragment {
        let offset = index.saturating_mul(self.each);
        let rest = self.length.saturating_sub(offset);
        Fragment {
            offset,
            length: if rest < self.each { rest } else { self.each },
            first: index == 0,
            last: index.saturating_add(1) >= self.count(),
        }
    }

    /// All fragments.
    pub const fn all(&self) -> FragSet {
        FragSet::run(0, self.count())
    }

    /// The fragments that have a byte in the `length` bytes from `offset` on. A message without
    /// bytes has one fragment, which any range touches.
    pub fn touched(&self, offset: u32, length: u32) -> FragSet {
        let count = self.count();
        if self.length == 0 {
            return FragSet::run(0, count);
        }
        if length == 0 || offset >= self.length {
            return FragSet::EMPTY;
        }
        let end = offset.saturating_add(length).min(self.length);
        let last_byte = end.saturating_sub(1);
        let first = offset.checked_div(self.each).unwrap_or(0);
        let last = last_byte.checked_div(self.each).unwrap_or(0);
        let n = last.saturating_sub(first).saturating_add(1);
        FragSet::run(first, n.min(count))
    }

    /// How many bytes the fragments of `set` have.
    pub const fn bytes(&self, set: FragSet) -> u32 {
        let last = self.count().saturating_sub(1);
        let full = set.len().saturating_mul(self.each);
        if set.has(last) {
            let short = self.each.saturating_sub(self.fragment(last).length);
            full.saturating_sub(short)
        } else {
            full
        }
    }
}

/// A set of fragments of one message, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragSet(u128);

impl FragSet {
    /// The set with nothing in it.
    pub const EMPTY: Self = Self(0);

    /// `n` fragments from `start` on.
    pub const fn run(start: u32, n: u32) -> Self {
        let bits = match 1u128.checked_shl(n) {
            Some(bit) => bit.wrapping_sub(1),
            None => u128::MAX,
        };
        match bits.checked_shl(start) {
            Some(bits) => Self(bits),
            None => Self::EMPTY,
        }
    }

    /// The set of one fragment.
    pub const fn one(index: u32) -> Self {
        Self::run(index, 1)
    }

    /// Whether the fragment is in the set.
    pub const fn has(self, index: u32) -> bool {
        match self.0.checked_shr(index) {
            Some(bits) => bits & 1 != 0,
            None => false,
        }
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in the set.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The lowest of the set.
    pub const fn first(self) -> Option<u32> {
        if self.0 == 0 {
            None
        } else {
            Some(self.0.trailing_zeros())
        }
    }

    /// Those in either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many of the set lie behind `index`.
    pub const fn after(self, index: u32) -> u32 {
        match self.0.checked_shr(index.saturating_add(1)) {
            Some(rest) => rest.count_ones(),
            None => 0,
        }
    }
}
