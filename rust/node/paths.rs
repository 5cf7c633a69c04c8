// SPDX-License-Identifier: GPL-2.0

//! The ways to a peer: each is one interface here and one address there.
//!
//! The LAN resolver tells of them. They keep their place as long as they last, because the session's
//! machine knows them by number.

use super::link::Link;
use crate::proto::{
    qos::session::MAX_PATHS,
    time::{
        Instant,
        Nanos, //
    }, //
};
use kernel::sync::Arc;

/// A path that was not told of for so long may give its place to another one by the same interface:
/// the peer has another address now. What a peer has it tells at about the same time.
const STALE: Nanos = Nanos::from_secs(1);

/// One way to a peer.
#[derive(Clone)]
pub(crate) struct Path {
    pub(crate) link: Arc<Link>,
    pub(crate) mac: [u8; 6],
    /// When a packet last told of it.
    told: Instant,
}

impl Path {
    /// Whether it is by that interface.
    pub(super) fn is_by(&self, link: &Link) -> bool {
        self.link.is(link)
    }
}

/// The ways to a peer.
pub(super) struct Paths {
    places: [Option<Path>; MAX_PATHS],
}

impl Paths {
    pub(super) const fn new() -> Self {
        Self {
            places: [const { None }; MAX_PATHS],
        }
    }

    /// The number of the path by `link` to `mac`.
    pub(super) fn find(&self, link: &Link, mac: [u8; 6]) -> Option<u8> {
        self.iter()
            .find(|(_, path)| path.mac == mac && path.is_by(link))
            .map(|(at, _)| at)
    }

    /// The path of that number.
    pub(super) fn get(&self, at: u8) -> Option<&Path> {
        self.places.get(usize::from(at))?.as_ref()
    }

    /// All paths with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Path)> {
        (0u8..)
            .zip(&self.places)
            .filter_map(|(at, place)| Some((at, place.as_ref()?)))
    }

    /// The first one there is.
    pub(super) fn first(&self) -> Option<&Path> {
        self.places.iter().flatten().next()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// The numbers of those by `link`, as bits.
    pub(super) fn by(&self, is_it: impl Fn(&Link) -> bool) -> u8 {
        let chosen = self.iter().filter(|(_, path)| is_it(&path.link));
        chosen.fold(0, |bits, (at, _)| bits | 1 << (at & 7))
    }

    /// The longest payload that passes on all of them, in bytes.
    pub(super) fn payload(&self) -> Option<usize> {
        self.iter().map(|(_, path)| path.link.payload_limit()).min()
    }

    /// Enters a path, or remembers that it was told of again: its number, whether it is new, and
    /// what had its place before. `may_go` tells which paths may give their place up. `None`: there
    /// is no place for it.
    pub(super) fn tell(
        &mut self,
        link: &Arc<Link>,
        mac: [u8; 6],
        now: Instant,
        may_go: impl Fn(u8) -> bool,
    ) -> Option<(u8, bool, Option<Path>)> {
        let path = Path {
            link: link.clone(),
            mac,
            told: now,
        };
        if let Some(at) = self.find(link, mac) {
            let old = self.places.get_mut(usize::from(at))?.replace(path);
            return Some((at, false, old));
        }
        let stale = |path: &Path| now > path.told.after(STALE);
        let moved = self
            .iter()
            .filter(|(at, path)| path.is_by(link) && stale(path) && may_go(*at))
            .min_by_key(|(_, path)| path.told)
            .map(|(at, _)| at);
        let free = || (0u8..).zip(&self.places).find(|(_, it)| it.is_none());
        let dead = || self.iter().find(|(at, _)| may_go(*at)).map(|(at, _)| at);
        let at = moved.or_else(|| free().map(|(at, _)| at)).or_else(dead)?;
        let old = self.places.get_mut(usize::from(at))?.replace(path);
        Some((at, true, old))
    }

    /// Takes a path out.
    pub(super) fn remove(&mut self, at: u8) -> Option<Path> {
        self.places.get_mut(usize::from(at))?.take()
    }
}
