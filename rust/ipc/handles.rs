// SPDX-License-Identifier: GPL-2.0

//! Numbers for objects: rcvids, client handles, connection ids.
//!
//! A handle is 31 bits, never 0, and holds a generation, so that a number that was given back does
//! not soon name something else. The kernel's `XArray` has no generations and takes its lock
//! without disabling softirqs, in which most of these tables are read; hence a table of our own,
//! which its owner puts under a BH lock.

use crate::knet::atomic_account;
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*, //
};

/// Bits of a handle that choose the slot.
const INDEX_BITS: u32 = 16;
/// Bits of a handle that tell the users of one slot apart.
const GENERATION_BITS: u32 = 31 - INDEX_BITS;
/// What a generation is counted within.
const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;
/// The most objects that one table holds.
pub(crate) const CAPACITY: usize = 1 << INDEX_BITS;
/// Slots that there are before one is used again.
const LEAST: usize = 256;
/// The end of the list of free slots.
const NO_SLOT: u32 = u32::MAX;

/// One place of a table.
struct Slot<T> {
    /// The generation that the next handle gets, or that the present one has. Never 0.
    generation: u32,
    /// The generation with which the present value came.
    first: u32,
    content: Content<T>,
}

/// What a slot holds.
enum Content<T> {
    Used(T),
    /// Free, and the next free slot.
    Free(u32),
}

/// The place behind that of `handle`, to go on from.
pub(crate) fn place_behind(handle: u32) -> usize {
    (handle as usize & (CAPACITY - 1)) + 1
}

/// Whether the handles of a slot come round behind this one, so that those of long ago are given out
/// again.
pub(crate) fn is_last_of_slot(handle: u32) -> bool {
    handle >> INDEX_BITS == GENERATION_MASK
}

/// A table from handles to values.
///
/// # Invariants
///
/// `first_free` starts a list of all free slots without a cycle, which `last_free` ends; `used` counts
/// the others.
pub(crate) struct Handles<T> {
    slots: KVec<Slot<T>>,
    first_free: u32,
    last_free: u32,
    used: usize,
    limit: usize,
}

impl<T> Handles<T> {
    /// An empty table for at most `limit` values.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            slots: KVec::new(),
            first_free: NO_SLOT,
            last_free: NO_SLOT,
            used: 0,
            limit: if limit < CAPACITY { limit } else { CAPACITY },
        }
    }

    /// Gives `value` a handle. May be called under a spinlock.
    ///
    /// Errors: `ENOMEM` without memory, `EAGAIN` when the table is full.
    pub(crate) fn insert(&mut self, value: T) -> Result<u32> {
        self.make_room()?;
        let index = self.first_free;
        let slot = self.slots.get_mut(index as usize).ok_or(EAGAIN)?;
        let Content::Free(next) = slot.content else {
            return Err(EAGAIN);
        };
        self.first_free = next;
        if next == NO_SLOT {
            self.last_free = NO_SLOT;
        }
        self.used += 1;
        slot.first = slot.generation;
        slot.content = Content::Used(value);
        Ok(slot.generation << INDEX_BITS | index)
    }

    /// The value of `handle`.
    pub(crate) fn get(&self, handle: u32) -> Option<&T> {
        let slot = self.slots.get(Self::index(handle))?;
        match &slot.content {
            Content::Used(value) if slot.generation == handle >> INDEX_BITS => Some(value),
            _ => None,
        }
    }

    /// The value of `handle`, to be changed.
    pub(crate) fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        let slot = self.slots.get_mut(Self::index(handle))?;
        match &mut slot.content {
            Content::Used(value) if slot.generation == handle >> INDEX_BITS => Some(value),
            _ => None,
        }
    }

    /// The value that `handle` names, or named before it was [renewed](Self::renew).
    pub(crate) fn get_since(&self, handle: u32) -> Option<&T> {
        let slot = self.slots.get(Self::index(handle))?;
        // Generations go round, so that only distances can be compared.
        let distance = |to: u32| to.wrapping_sub(slot.first) & GENERATION_MASK;
        match &slot.content {
            Content::Used(value)
                if distance(handle >> INDEX_BITS) <= distance(slot.generation)
                    && handle >> 31 == 0 =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// Gives the value of `handle` another handle; [`get_since`](Self::get_since) knows both.
    pub(crate) fn renew(&mut self, handle: u32) -> Option<u32> {
        self.get(handle)?;
        let index = Self::index(handle);
        let slot = self.slots.get_mut(index)?;
        slot.generation = Self::after(slot.generation);
        if slot.generation == slot.first {
            // Once round: the handles of long ago mean nothing any more.
            slot.first = Self::after(slot.first);
        }
        Some(slot.generation << INDEX_BITS | u32::try_from(index).ok()?)
    }

    /// Sees to it that there is room for another value.
    ///
    /// Errors: as [`insert`](Self::insert).
    pub(crate) fn make_room(&mut self) -> Result {
        if self.used >= self.limit {
            return Err(EAGAIN);
        }
        if self.first_free == NO_SLOT {
            return self.grow();
        }
        if self.slots.len() < LEAST.min(self.limit) {
            // Only so that numbers come again late: without memory there is a free one.
            let _ = self.grow();
        }
        Ok(())
    }

    /// Takes the value of `handle` out; the handle names nothing from then on.
    pub(crate) fn remove(&mut self, handle: u32) -> Option<T> {
        self.get(handle)?;
        let index = Self::index(handle);
        let slot = self.slots.get_mut(index)?;
        let content = core::mem::replace(&mut slot.content, Content::Free(NO_SLOT));
        slot.generation = Self::after(slot.generation);
        self.append_free(u32::try_from(index).ok()?);
        self.used -= 1;
        match content {
            Content::Used(value) => Some(value),
            Content::Free(_) => None,
        }
    }

    /// The first value at or behind the place `from` that `wanted` holds for, with its handle: for
    /// going through a table without holding its lock all the time. The next place to look at is
    /// that of [`place_behind`].
    pub(crate) fn find_from(
        &self,
        from: usize,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Option<(u32, &T)> {
        self.slots
            .iter()
            .enumerate()
            .skip(from)
            .find_map(|(index, slot)| {
                let Content::Used(value) = &slot.content else {
                    return None;
                };
                let index = u32::try_from(index).ok()?;
                wanted(value).then_some((slot.generation << INDEX_BITS | index, value))
            })
    }

    /// Takes the first value at or behind the place `*from` for which `wanted` holds out of the
    /// table, and moves `*from` behind it.
    pub(crate) fn remove_from(
        &mut self,
        from: &mut usize,
        wanted: impl FnMut(&T) -> bool,
    ) -> Option<T> {
        let (handle, _) = self.find_from(*from, wanted)?;
        *from = place_behind(handle);
        self.remove(handle)
    }

    fn index(handle: u32) -> usize {
        handle as usize & (CAPACITY - 1)
    }

    /// The generation after `generation`, skipping 0.
    fn after(generation: u32) -> u32 {
        let next = generation.wrapping_add(1) & GENERATION_MASK;
        next.max(1)
    }

    fn grow(&mut self) -> Result {
        let index = u32::try_from(self.slots.len()).map_err(|_| EAGAIN)?;
        self.slots.push(
            Slot {
                generation: 1,
                first: 1,
                content: Content::Free(NO_SLOT),
            },
            atomic_account() | __GFP_NOWARN,
        )?;
        // A new slot is used before those that were used already.
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.content = Content::Free(self.first_free);
        }
        self.first_free = index;
        if self.last_free == NO_SLOT {
            self.last_free = index;
        }
        Ok(())
    }

    /// Puts a free slot at the end of the list: the one that was freed first is used first, so that
    /// a number comes again as late as can be.
    fn append_free(&mut self, index: u32) {
        match self.slots.get_mut(self.last_free as usize) {
            Some(last) => last.content = Content::Free(index),
            None => self.first_free = index,
        }
        self.last_free = index;
    }
}

#[kunit_tests(qnet_ipc_handles)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_its_value_until_it_is_given_back() -> Result {
        let mut table = Handles::new(4);
        let first = table.insert(10u8)?;
        let second = table.insert(20u8)?;
        assert!(first != 0);
        assert!(first != second);
        assert_eq!(table.get(first), Some(&10));
        assert_eq!(table.remove(first), Some(10));
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&20));
        Ok(())
    }

    #[test]
    fn a_number_given_back_does_not_name_the_next_value() -> Result {
        let mut table = Handles::new(1);
        let old = table.insert(1u8)?;
        table.remove(old);
        let new = table.insert(2u8)?;
        assert!(old != new);
        assert_eq!(table.get(old), None);
        assert_eq!(table.get(new), Some(&2));
        Ok(())
    }

    #[test]
    fn a_number_comes_again_late() -> Result {
        let mut table = Handles::new(CAPACITY);
        let first = table.insert(())?;
        table.remove(first);
        let mut uses = 1;
        loop {
            let handle = table.insert(())?;
            assert!(handle != first);
            if place_behind(handle) == place_behind(first) {
                break;
            }
            table.remove(handle);
            uses += 1;
        }
        assert_eq!(uses, LEAST);
        Ok(())
    }

    #[test]
    fn a_full_table_refuses() -> Result {
        let mut table = Handles::new(2);
        table.insert(1u8)?;
        let second = table.insert(2u8)?;
        assert!(table.insert(3u8).is_err());
        table.remove(second);
        assert!(table.insert(4u8).is_ok());
        Ok(())
    }

    #[test]
    fn generations_are_never_zero_and_fit_31_bits() -> Result {
        let mut table = Handles::new(1);
        for _ in 0..(3 << GENERATION_BITS) {
            let handle = table.insert(())?;
            assert!(handle != 0);
            assert!(handle < 1 << 31);
            assert!(table.remove(handle).is_some());
        }
        Ok(())
    }

    #[test]
    fn a_handle_from_nowhere_names_nothing() -> Result {
        let mut table = Handles::new(2);
        table.insert(7u8)?;
        for handle in [0, 1, u32::MAX, 1 << 31, 1 << INDEX_BITS | 1] {
            assert_eq!(table.get(handle), None);
        }
        Ok(())
    }
}
