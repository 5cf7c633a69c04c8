// SPDX-License-Identifier: GPL-2.0

//! Sequence numbers, and a set of those in one window.
//!
//! Numbers are 32 bits and wrap, so they are compared by their difference. A window is a power of
//! two long and divides 2^32: `number % W` names a slot that no other number of the same window
//! has, and the wrap needs no care.

/// How many messages may be in flight, each way.
pub const W: u32 = 64;

/// The same for indexing.
pub const SLOTS: usize = W as usize;

/// How far `a` is ahead of `b`; negative when it is behind.
pub const fn ahead(a: u32, b: u32) -> i32 {
    // The cast is the point: half of the numbers are ahead, half are behind.
    a.wrapping_sub(b) as i32
}

/// The slot of `seq`.
pub const fn slot(seq: u32) -> usize {
    (seq % W) as usize
}

/// A set of sequence numbers that all lie in one window.
///
/// The set does not know where the window starts: the methods that need it are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqSet(u64);

impl SeqSet {
    /// The set with nothing in it.
    pub const EMPTY: Self = Self(0);

    /// `n` numbers in a row, from `start` on; `n` is at most [`W`].
    pub const fn run(start: u32, n: u32) -> Self {
        let bits = match 1u64.checked_shl(n) {
            Some(bit) => bit.wrapping_sub(1),
            None => u64::MAX,
        };
        Self(bits.rotate_left(start % W))
    }

    const fn bit(seq: u32) -> u64 {
        1 << (seq % W)
    }

    /// Whether `seq` is in the set.
    pub const fn has(self, seq: u32) -> bool {
        self.0 & Self::bit(seq) != 0
    }

    /// Puts `seq` into the set.
    pub fn put(&mut self, seq: u32) {
        self.0 |= Self::bit(seq);
    }

    /// Takes `seq` out of the set and tells whether it was there.
    pub fn take(&mut self, seq: u32) -> bool {
        let had = self.has(seq);
        self.0 &= !Self::bit(seq);
        had
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in the set.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Those in this set that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those in both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in either set.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The first of the set, when the window starts at `start`.
    pub const fn first(self, start: u32) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let distance = self.0.rotate_right(start % W).trailing_zeros();
        Some(start.wrapping_add(distance))
    }

    /// How many of the set lie behind `seq`, when the window starts at `start`.
    pub const fn after(self, seq: u32, start: u32) -> u32 {
        let skip = seq.wrapping_sub(start).wrapping_add(1);
        match self.0.rotate_right(start % W).checked_shr(skip) {
            Some(rest) => rest.count_ones(),
            None => 0,
        }
    }
}
