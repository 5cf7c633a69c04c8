// SPDX-License-Identifier: GPL-2.0

//! The memory of a sending program that frames refer to while it is blocked.
//!
//! A long message is not copied: its frames refer to the program's own pages. The program may write
//! to them as soon as its send returns, so it returns only when nothing refers to them any more.
//! By then the server has answered, or the sender has given up; either way the other node need not
//! see what it has not seen.

use crate::{
    knet::{
        pages::PinnedUse,
        timer::now_ns,
        user::UserBuf, //
    },
    node::{
        Draft,
        Node,
        Peer,
        Tag, //
    },
    proto::wire::kif::Message,
    stats::Counter, //
};
use core::cell::{
    Cell,
    RefCell, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// How long a send waits for devices that keep its frames, in nanoseconds. What is lost by not
/// waiting longer is which bytes a frame carries that nobody needs.
const PATIENCE: u64 = 2_000_000_000;

/// How many messages of one send refer to the program's pages at a time.
const MOST: usize = 16;

/// One message whose data are the program's own pages.
pub(crate) struct Pinned {
    session: u32,
    tag: Tag,
    used: PinnedUse,
}

/// What one send has pinned. It belongs to the sending thread.
pub(crate) struct Pins<'a> {
    peer: &'a Arc<Peer>,
    /// The client's handle for the send.
    handle: u32,
    list: RefCell<KVec<Pinned>>,
    next: Cell<u32>,
}

impl<'a> Pins<'a> {
    /// Of the send that has the client handle `handle`.
    pub(super) fn new(peer: &'a Arc<Peer>, handle: u32) -> Self {
        Self {
            peer,
            handle,
            list: RefCell::new(KVec::new()),
            next: Cell::new(0),
        }
    }

    /// Of a send whose thread comes back to it, with what it has pinned already.
    pub(super) fn again(peer: &'a Arc<Peer>, handle: u32, pinned: KVec<Pinned>) -> Self {
        Self {
            peer,
            handle,
            list: RefCell::new(pinned),
            // Tags that were given before are not given again.
            next: Cell::new(now_ns() as u32),
        }
    }

    /// What is pinned, to be kept while the thread is away.
    pub(super) fn take(&self) -> KVec<Pinned> {
        // Nobody else uses it now, so that this does not fail; and objtool does not know the panic of
        // `borrow_mut()` for one.
        match self.list.try_borrow_mut() {
            Ok(mut list) => core::mem::take(&mut *list),
            Err(_) => KVec::new(),
        }
    }

    /// The sender's node.
    pub(super) fn node(&self) -> &Node {
        &self.peer.node
    }

    /// A tag for a message of the send that nothing answers.
    pub(super) fn tag(&self) -> Tag {
        let n = self.next.get();
        self.next.set(n.wrapping_add(1));
        Tag::Piece {
            handle: self.handle,
            n,
        }
    }

    /// Makes a message of `len` bytes of `from`, from `offset` on, that will go over `session` under
    /// `tag`. It refers to the program's pages if that is worth it. Process context.
    ///
    /// Errors: as [`Peer::draft`].
    pub(super) fn draft(
        &self,
        session: u32,
        tag: Tag,
        message: &Message,
        from: &UserBuf,
        offset: usize,
        len: usize,
    ) -> Result<Draft> {
        let mut list = self.list.borrow_mut();
        list.retain(|pinned| !pinned.used.is_unused());
        if list.len() >= MOST {
            // A server that reads again and again does not make the program's memory stay for ever.
            return self.peer.draft(message, from, offset, len);
        }
        // Room first: what is pinned must be remembered.
        list.reserve(1, GFP_KERNEL_ACCOUNT)?;
        let (draft, used) = self.peer.draft_pinned(message, from, offset, len)?;
        if let Some(used) = used {
            let stats = &self.peer.node.stats;
            stats.add(Counter::PinnedFromUser, len as u64);
            let pinned = Pinned { session, tag, used };
            list.push(pinned, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(draft)
    }

    /// Waits until nothing refers to the program's pages. Process context.
    pub(super) fn release(&self) {
        let list = self.take();
        for pinned in list.iter().filter(|pinned| !pinned.used.is_unused()) {
            self.peer.give_up(pinned.session, pinned.tag);
        }
        let until = now_ns().saturating_add(PATIENCE);
        for pinned in list {
            let left = until.saturating_sub(now_ns()) / 1_000_000;
            // Killed, or a device that keeps a frame for ever: see there.
            let _ = pinned
                .used
                .wait_until_unused(u32::try_from(left).unwrap_or(0));
            if pinned.used.was_copied() {
                self.peer.copies_anyway();
            }
        }
    }
}
