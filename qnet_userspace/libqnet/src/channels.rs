// SPDX-License-Identifier: LGPL-2.1-or-later

//! The channels of the process: which descriptor is behind a chid.
//!
//! A receiver finds its channel without a lock, and while it is inside the descriptor stays open:
//! one that ChannelDestroy() closed at once could be another file by the time that the receiver
//! uses it. So each place counts who is inside, and the last one out closes.

use std::{
    ffi::c_int,
    os::fd::{
        BorrowedFd,
        FromRawFd,
        IntoRawFd,
        OwnedFd, //
    },
    ptr,
    sync::{
        atomic::{
            AtomicI32,
            AtomicPtr,
            AtomicU64,
            Ordering, //
        },
        Once,
    },
};

use qnet::{
    Error,
    Result, //
};

/// How many channels a block of the table has room for. A chid has its place in it by its low
/// bits, so the usual look-up is one step.
const PLACES: usize = 64;

// The state of a place: the chid above, then one bit that says that it is going, then how many
// are inside. 0 is a free place; no chid is 0.
const INSIDE: u64 = 1;
const GOING: u64 = 1 << 31;
const COUNT: u64 = GOING - 1;

/// A free place that somebody is filling in.
const TAKEN: u64 = GOING;

struct Place {
    state: AtomicU64,
    fd: AtomicI32,
}

struct Block {
    places: [Place; PLACES],
    /// The next block, or null. Blocks are never freed.
    next: AtomicPtr<Block>,
}

impl Block {
    const fn new() -> Self {
        Self {
            places: [const {
                Place {
                    state: AtomicU64::new(0),
                    fd: AtomicI32::new(-1),
                }
            }; PLACES],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The places, beginning with the one where `chid` is most likely.
    fn places_from(&self, chid: c_int) -> impl Iterator<Item = &Place> {
        let first = chid as usize % PLACES;
        let (head, tail) = self.places.split_at(first);
        tail.iter().chain(head)
    }
}

/// A table of channels.
pub(crate) struct Channels {
    first: Block,
}

/// The table of this process.
pub(crate) static CHANNELS: Channels = Channels::new();

/// A stay in a channel, during which its descriptor is open.
pub(crate) struct Stay<'a> {
    place: &'a Place,
    fd: c_int,
}

impl Channels {
    const fn new() -> Self {
        Self {
            first: Block::new(),
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        std::iter::successors(Some(&self.first), |block| next_of(block))
    }

    /// Enters a channel and its descriptor.
    pub(crate) fn insert(&self, chid: c_int, socket: OwnedFd) {
        let mut block = &self.first;
        loop {
            for place in block.places_from(chid) {
                if place
                    .state
                    .compare_exchange(0, TAKEN, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
                {
                    place.fd.store(socket.into_raw_fd(), Ordering::Relaxed);
                    // Release: who sees the chid sees the descriptor.
                    place.state.store(state_of(chid), Ordering::Release);
                    return;
                }
            }
            block = next_of(block).unwrap_or_else(|| append(block));
        }
    }

    /// Goes into a channel.
    #[inline]
    pub(crate) fn enter(&self, chid: c_int) -> Result<Stay<'_>> {
        self.step_in(chid, 0)
    }

    /// Goes into a channel as the one who ends it: nobody gets in any more.
    pub(crate) fn end(&self, chid: c_int) -> Result<Stay<'_>> {
        self.step_in(chid, GOING)
    }

    fn step_in(&self, chid: c_int, mark: u64) -> Result<Stay<'_>> {
        if chid <= 0 {
            return Err(Error::ESRCH);
        }
        self.blocks()
            .flat_map(|block| block.places_from(chid))
            .find_map(|place| place.step_in(chid, mark))
            .ok_or(Error::ESRCH)
    }

    /// Forgets all channels and closes their descriptors: they are another process's. Runs in a
    /// child of fork, which has one thread and may do only what is async-signal-safe.
    fn forget(&self) {
        for place in self.blocks().flat_map(|block| &block.places) {
            if place.state.load(Ordering::Relaxed) != 0 {
                let fd = place.fd.swap(-1, Ordering::Relaxed);
                place.state.store(0, Ordering::Relaxed);
                if fd >= 0 {
                    // SAFETY: The number was this table's to close, and no thread is inside.
                    unsafe { libc::close(fd) };
                }
            }
        }
    }
}

fn next_of(block: &Block) -> Option<&Block> {
    // SAFETY: The pointer is null or was a box that `append` gave away for good.
    unsafe { block.next.load(Ordering::Acquire).as_ref() }
}

/// Puts a block behind `block`, or finds the one that somebody else has put there.
fn append(block: &Block) -> &Block {
    let new = Box::into_raw(Box::new(Block::new()));
    match block
        .next
        .compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
    {
        // SAFETY: The box was given to the list, which never frees it.
        Ok(_) => unsafe { &*new },
        Err(other) => {
            // SAFETY: Nobody else knows this box.
            drop(unsafe { Box::from_raw(new) });
            // SAFETY: The pointer is a box that another call gave to the list for good.
            unsafe { &*other }
        }
    }
}

fn state_of(chid: c_int) -> u64 {
    u64::from(chid as u32) << 32
}

impl Place {
    #[inline]
    fn step_in(&self, chid: c_int, mark: u64) -> Option<Stay<'_>> {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & !COUNT == state_of(chid) {
            match self.state.compare_exchange_weak(
                state,
                (state + INSIDE) | mark,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return Some(Stay {
                        place: self,
                        fd: self.fd.load(Ordering::Relaxed),
                    })
                }
                Err(now) => state = now,
            }
        }
        None
    }
}

impl Stay<'_> {
    /// The channel's descriptor.
    #[inline]
    pub(crate) fn fd(&self) -> c_int {
        self.fd
    }

    /// The channel's descriptor, for as long as the stay.
    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: The descriptor stays open while somebody is inside, and it is never -1, since
        // `insert` stores it before the chid.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl Drop for Stay<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: what was done inside is done before somebody closes. Acquire: and this one
        // may be the one who closes.
        let before = self.place.state.fetch_sub(INSIDE, Ordering::AcqRel);
        if before & GOING != 0 && before & COUNT == INSIDE {
            let fd = self.place.fd.swap(-1, Ordering::Relaxed);
            self.place.state.store(0, Ordering::Release);
            // SAFETY: The descriptor was this place's alone, and the last one inside leaves.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// Sees to it that a child of fork starts without channels: those of its parent are not its own.
pub(crate) fn empty_after_fork() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: The handler does only what is allowed in a child of fork.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

extern "C" fn in_child() {
    CHANNELS.forget();
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::fd::AsRawFd,
        sync::{
            atomic::AtomicBool,
            Barrier, //
        },
        thread,
    };

    use super::*;

    fn descriptor() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    fn is_open(fd: c_int) -> bool {
        // SAFETY: This call takes numbers and changes nothing.
        unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
    }

    #[test]
    fn finds_what_was_entered() {
        let channels = Channels::new();
        // More than a block, and many in one place.
        let chids: Vec<c_int> = (1..=100).chain((1..=100).map(|n| n << 16)).collect();
        let mut fds = Vec::new();
        for chid in &chids {
            let socket = descriptor();
            fds.push(socket.as_raw_fd());
            channels.insert(*chid, socket);
        }
        for (chid, fd) in chids.iter().zip(&fds) {
            assert_eq!(channels.enter(*chid).unwrap().fd(), *fd);
        }
        for bad in [0, -1, 101, c_int::MAX, c_int::MIN] {
            assert_eq!(channels.enter(bad).err(), Some(Error::ESRCH), "{bad}");
        }
        for chid in &chids {
            drop(channels.end(*chid).unwrap());
            assert_eq!(channels.enter(*chid).err(), Some(Error::ESRCH));
            assert_eq!(channels.end(*chid).err(), Some(Error::ESRCH));
        }
    }

    #[test]
    fn the_last_one_out_closes() {
        let channels = Channels::new();
        let socket = descriptor();
        let fd = socket.as_raw_fd();
        channels.insert(7, socket);
        let receiver = channels.enter(7).unwrap();
        let end = channels.end(7).unwrap();
        assert!(channels.enter(7).is_err());
        drop(end);
        assert!(is_open(fd));
        assert_eq!(receiver.borrow().as_raw_fd(), fd);
        drop(receiver);
        // Other tests of this process may have taken the number again, so ask the table.
        assert!(channels.enter(7).is_err());
        channels.insert(7, descriptor());
        assert!(channels.enter(7).is_ok());
    }

    #[test]
    fn one_ends_while_others_come_and_go() {
        static TABLE: Channels = Channels::new();
        for round in 1..200 {
            TABLE.insert(round, descriptor());
            let stop = AtomicBool::new(false);
            let start = Barrier::new(3);
            let ended = thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        start.wait();
                        while !stop.load(Ordering::Relaxed) {
                            if let Ok(stay) = TABLE.enter(round) {
                                assert!(is_open(stay.fd()));
                            }
                        }
                    });
                }
                start.wait();
                let ended = (0..3).filter(|_| TABLE.end(round).is_ok()).count();
                stop.store(true, Ordering::Relaxed);
                ended
            });
            assert_eq!(ended, 1);
            assert!(TABLE.enter(round).is_err());
        }
    }

    #[test]
    fn forgets() {
        let channels = Channels::new();
        channels.insert(1, descriptor());
        channels.insert(65, descriptor());
        channels.forget();
        assert!(channels.enter(1).is_err());
        assert!(channels.enter(65).is_err());
        channels.insert(1, descriptor());
        assert!(channels.enter(1).is_ok());
    }
}
