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
//! A virtual thread ends with its connection, or earlier when the table is full and it has no
//! message.

use super::{
    handles::{
        place_behind,
        Handles, //
    },
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

/// The virtual threads of one connection: their thread ids and the numbers that they had last. A
/// number may be of no use any more.
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
            .find_map(|(mine, handle)| (*mine == tid).then_some(*handle))
    }

    /// Remembers the number of a thread, in place of the one that came first if there are too many:
    /// that one's number is given back.
    ///
    /// Errors: `ENOMEM`.
    fn remember(&self, tid: i32, handle: u32) -> Result<Option<u32>> {
        let mut list = self.list.lock();
        if let Some(entry) = list.iter_mut().find(|(mine, _)| *mine == tid) {
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
    /// Where the search for one that can be given up goes on.
    sweep: usize,
}

impl<C> Vtids<C> {
    /// An empty table for at most `limit`.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            table: Handles::new(limit),
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
        let last = threads.last_of(tid);
        let mine = last.filter(|last| self.table.get(*last).is_some_and(|vtid| vtid.tid == tid));
        let idle = mine.filter(|last| self.table.get(*last).is_some_and(Vtid::is_idle));
        if let Some(handle) = idle.and_then(|last| self.table.renew(last)) {
            if let Some(vtid) = self.table.get_mut(handle) {
                evicted.message = vtid.message.replace(message);
                evicted.clients = [Some(core::mem::replace(&mut vtid.client, client)), None];
            }
            // It is in the list, so that there is nothing to fail.
            let _ = threads.remember(tid, handle);
            return Ok(handle);
        }
        let [made_room, forgotten] = &mut evicted.clients;
        *made_room = self.make_room();
        let handle = self.table.insert(Vtid {
            client,
            tid,
            message: Some(message),
            passing: true,
        })?;
        // A thread that has another message under way, as a program that does not wait for its
        // replies, keeps the number of that one.
        if mine.is_some() {
            return Ok(handle);
        }
        // Without memory it is as one that nobody remembers.
        let remembered = threads.remember(tid, handle);
        if let Ok(old) = remembered {
            *forgotten = old.and_then(|old| self.end(old));
            if let Some(vtid) = self.table.get_mut(handle) {
                vtid.passing = false;
            }
        }
        Ok(handle)
    }

    /// Ends one virtual thread without a message, if there is no room for another.
    fn make_room(&mut self) -> Option<C> {
        if self.table.make_room().is_ok() {
            return None;
        }
        for from in [self.sweep, 0] {
            let mut place = from;
            let ended = self
                .table
                .remove_from(&mut place, |vtid| vtid.message.is_none());
            if let Some(vtid) = ended {
                self.sweep = place;
                return Some(vtid.client);
            }
        }
        None
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
        let ended = if passing {
            self.table.remove(handle)
        } else {
            None
        };
        Some(Taken {
            message,
            _ended: ended.map(|vtid| vtid.client),
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
        self.table.remove(handle).map(|vtid| vtid.client)
    }
}
