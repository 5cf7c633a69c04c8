// SPDX-License-Identifier: GPL-2.0

//! Virtual threads: the threads of clients, as servers and other nodes name them.
//!
//! A server answers a message by its rcvid, and may deliver events to the client by the same rcvid
//! long after that, so a number must outlive its message. It names a virtual thread, which is a
//! thread of a client on one connection, and by its generation one message of that thread. Each
//! message gets a new number, so that none is answered twice, while the older ones still name the
//! thread. The table of a server's process gives rcvids; that of a node gives the client handles by
//! which other nodes know its sends.
//!
//! When the numbers of its place in the table come round, a thread goes on in another place, so that
//! a server that was slow with an old number does not answer a new message.
//!
//! A virtual thread ends with its connection, or earlier when the table is full and it has no
//! message. Those of other nodes, which cost their owners nothing, have half of a table at the most
//! that they fill with such, and are the first to end.

use super::{
    connection::Connection,
    handles::{
        is_last_of_slot,
        place_behind,
        Handles, //
    },
    process::Whose,
    transaction::Transaction,
};
use crate::knet::{
    atomic_account,
    lock::SpinLockBh,
    new_spinlock_bh, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::Arc, //
};

/// The most threads of one connection that are remembered; the one that came first is forgotten.
const MOST_PER_CONNECTION: usize = 256;

/// How many places of the table a thread has in turn, when it has used up the numbers of one: so many
/// times 32,767 messages pass before a number comes again.
const MOST_PLACES: usize = 16;

/// The virtual threads of one connection: their thread ids and the numbers that they had last, in each
/// of their places in the table; the present one is the last. A number may be of no use any more.
#[pin_data]
pub(crate) struct Threads {
    #[pin]
    list: SpinLockBh<KVec<(i32, u32)>>,
}

impl Threads {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_spinlock_bh!(KVec::new()),
        })
    }

    fn last_of(&self, tid: i32) -> Option<u32> {
        let list = self.list.lock();
        list.iter()
            .rev()
            .find_map(|(mine, handle)| (*mine == tid).then_some(*handle))
    }

    /// The last number of the place that a thread has not used for longest, in which it goes on now;
    /// `None` if it may have another one.
    fn next_place(&self, tid: i32) -> Option<u32> {
        let mut list = self.list.lock();
        let mut mine = list.iter().enumerate().filter(|(_, (its, _))| *its == tid);
        let (first, (_, handle)) = mine.next().map(|(first, entry)| (first, *entry))?;
        if mine.count() + 1 < MOST_PLACES {
            return None;
        }
        if let Some(tail) = list.get_mut(first..) {
            tail.rotate_left(1);
        }
        Some(handle)
    }

    /// Remembers the number of a thread instead of its number `before`; or as another one, in place of
    /// the one that came first if there are too many: that one's number is given back.
    ///
    /// Errors: `ENOMEM`.
    fn remember(&self, tid: i32, handle: u32, before: Option<u32>) -> Result<Option<u32>> {
        let mut list = self.list.lock();
        let known = |entry: &&mut (i32, u32)| entry.0 == tid && Some(entry.1) == before;
        if let Some(entry) = list.iter_mut().rev().find(known) {
            entry.1 = handle;
            return Ok(None);
        }
        let mut forgotten = None;
        if list.len() >= MOST_PER_CONNECTION {
            forgotten = list.remove(0).ok().map(|(_, handle)| handle);
        }
        list.push((tid, handle), atomic_account() | __GFP_NOWARN)?;
        Ok(forgotten)
    }

    /// Their numbers, which the connection's end takes out of the table one by one.
    pub(crate) fn take(&self) -> KVec<(i32, u32)> {
        core::mem::take(&mut *self.list.lock())
    }
}

/// A message that was taken out of the table, and what is to be dropped without the table's lock.
pub(crate) struct Taken<C> {
    message: Arc<Transaction>,
    _ended: Option<C>,
}

impl<C> Taken<C> {
    /// The message. The table's lock must not be held.
    pub(crate) fn message(self) -> Arc<Transaction> {
        self.message
    }
}

/// What names a client in a table.
pub(crate) trait Named {
    /// Whether it is of another node.
    fn is_remote(&self) -> bool;
}

impl Named for Arc<Connection> {
    fn is_remote(&self) -> bool {
        false
    }
}

impl Named for Whose {
    fn is_remote(&self) -> bool {
        matches!(self, Whose::There { .. })
    }
}

/// A thread of a client.
struct Vtid<C> {
    client: C,
    tid: i32,
    /// Its message, as long as that is not answered.
    message: Option<Arc<Transaction>>,
    /// Whether it ends with its message, because nobody remembers it.
    passing: bool,
}

impl<C> Vtid<C> {
    /// Whether it has no message that could still be answered.
    fn is_idle(&self) -> bool {
        self.message
            .as_ref()
            .is_none_or(|message| message.is_finished())
    }
}

/// What is to be dropped without the table's lock.
pub(crate) struct Evicted<C> {
    clients: [Option<C>; 2],
    message: Option<Arc<Transaction>>,
}

impl<C> Evicted<C> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            clients: [None, None],
            message: None,
        }
    }
}

/// A table of virtual threads, whose clients are named by a `C`.
///
/// The lock that it lies under is taken before those of [`Threads`].
pub(crate) struct Vtids<C> {
    table: Handles<Vtid<C>>,
    limit: usize,
    /// How many are of other nodes.
    remote: usize,
    /// Where the search for one that can be given up goes on.
    sweep: usize,
}

impl<C: Named> Vtids<C> {
    /// An empty table for at most `limit`.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            table: Handles::new(limit),
            limit,
            remote: 0,
            sweep: 0,
        }
    }

    /// Gives a message of the thread `tid`, which is one of `threads`, its number. `evicted` is what
    /// the caller drops without the lock.
    ///
    /// Errors: `EAGAIN` when all numbers are used by messages, `ENOMEM`.
    pub(crate) fn begin(
        &mut self,
        threads: &Threads,
        tid: i32,
        client: C,
        message: Arc<Transaction>,
        evicted: &mut Evicted<C>,
    ) -> Result<u32> {
        let mut before = threads.last_of(tid);
        let mut idle = before.filter(|handle| self.is_idle(*handle, tid));
        if idle.is_some_and(is_last_of_slot) {
            before = threads.next_place(tid);
            idle = before.filter(|handle| self.is_idle(*handle, tid));
        }
        if let Some(handle) = idle.and_then(|last| self.table.renew(last)) {
            if let Some(vtid) = self.table.get_mut(handle) {
                evicted.message = vtid.message.replace(message);
                evicted.clients = [Some(core::mem::replace(&mut vtid.client, client)), None];
            }
            // It is in the list, so that there is nothing to fail.
            let _ = threads.remember(tid, handle, before);
            return Ok(handle);
        }
        let [made_room, forgotten] = &mut evicted.clients;
        let remote = client.is_remote();
        *made_room = self.make_room(remote);
        let handle = self.table.insert(Vtid {
            client,
            tid,
            message: Some(message),
            passing: true,
        })?;
        self.remote += usize::from(remote);
        // A thread that has another message under way, as a program that does not wait for its
        // replies, keeps the number of that one.
        if before.is_some_and(|before| self.is_of(before, tid)) {
            return Ok(handle);
        }
        // Without memory it is as one that nobody remembers.
        let remembered = threads.remember(tid, handle, before);
        if let Ok(old) = remembered {
            *forgotten = old.and_then(|old| self.end(old));
            if let Some(vtid) = self.table.get_mut(handle) {
                vtid.passing = false;
            }
        }
        Ok(handle)
    }

    /// Whether that number is one of the thread's.
    fn is_of(&self, handle: u32, tid: i32) -> bool {
        self.table.get(handle).is_some_and(|vtid| vtid.tid == tid)
    }

    /// The same, and whether the thread has no message by it.
    fn is_idle(&self, handle: u32, tid: i32) -> bool {
        let vtid = self.table.get(handle);
        vtid.is_some_and(|vtid| vtid.tid == tid && vtid.is_idle())
    }

    /// Ends one virtual thread without a message, if there is no room for another one, which is of
    /// another node as `remote` says.
    fn make_room(&mut self, remote: bool) -> Option<C> {
        let full = self.table.make_room().is_err();
        let crowded = remote && self.remote >= self.limit / 2;
        if !(full || crowded) {
            return None;
        }
        let ended = self.end_idle(Named::is_remote);
        match full {
            true => ended.or_else(|| self.end_idle(|_| true)),
            false => ended,
        }
    }

    /// Ends one virtual thread without a message, of a client that `wanted` holds for.
    fn end_idle(&mut self, wanted: impl Fn(&C) -> bool) -> Option<C> {
        let is_wanted = |vtid: &Vtid<C>| vtid.message.is_none() && wanted(&vtid.client);
        let found = [self.sweep, 0]
            .iter()
            .find_map(|from| Some(self.table.find_from(*from, is_wanted)?.0))?;
        self.sweep = place_behind(found);
        self.remove(found)
    }

    /// Takes a virtual thread out of the table.
    fn remove(&mut self, handle: u32) -> Option<C> {
        let client = self.table.remove(handle)?.client;
        self.remote -= usize::from(client.is_remote());
        Some(client)
    }

    /// The message with this number, unless it is answered.
    pub(crate) fn message(&self, handle: u32) -> Option<&Arc<Transaction>> {
        self.table.get(handle)?.message.as_ref()
    }

    /// The first message at or behind the place `from` that `wanted` holds for, with its number.
    pub(crate) fn find_from(
        &self,
        from: usize,
        mut wanted: impl FnMut(&Transaction) -> bool,
    ) -> Option<(u32, &Arc<Transaction>)> {
        let (handle, vtid) = self.table.find_from(from, |vtid| {
            vtid.message.as_ref().is_some_and(|message| wanted(message))
        })?;
        Some((handle, vtid.message.as_ref()?))
    }

    /// Takes the message with this number: who gets it answers it.
    pub(crate) fn take(&mut self, handle: u32) -> Option<Taken<C>> {
        let vtid = self.table.get_mut(handle)?;
        let message = vtid.message.take()?;
        let passing = vtid.passing;
        let ended = if passing { self.remove(handle) } else { None };
        Some(Taken {
            message,
            _ended: ended,
        })
    }

    /// Takes the first message at or behind the place `*from` for which `wanted` holds, and moves
    /// `*from` behind it.
    pub(crate) fn take_from(
        &mut self,
        from: &mut usize,
        wanted: impl FnMut(&Transaction) -> bool,
    ) -> Option<Taken<C>> {
        let (handle, _) = self.find_from(*from, wanted)?;
        *from = place_behind(handle);
        self.take(handle)
    }

    /// The client whose thread that number named, at any time, and the thread's id; with the message
    /// that it has now.
    pub(crate) fn client(&self, handle: u32) -> Option<(&C, i32, Option<&Arc<Transaction>>)> {
        let vtid = self.table.get_since(handle)?;
        Some((&vtid.client, vtid.tid, vtid.message.as_ref()))
    }

    /// The connection of a virtual thread has ended: its number names nothing from now on, except a
    /// message that somebody is about to take. What is returned is to be dropped without the lock.
    pub(crate) fn end(&mut self, handle: u32) -> Option<C> {
        let vtid = self.table.get_mut(handle)?;
        if vtid.message.is_some() {
            vtid.passing = true;
            return None;
        }
        self.remove(handle)
    }
}
