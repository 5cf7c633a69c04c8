// SPDX-License-Identifier: GPL-2.0

//! The tables of a node: peers by node descriptor, by name and by connection id.

use super::{
    peer::Peer,
    variant::Variant,
    Node, //
};
use crate::{
    knet::take_first,
    proto::names::{
        Fqnn,
        Policy,
        Qos, //
    },
    stats::Gauge, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::Arc,
};

/// The most peers that a namespace knows. A peer without a session costs less than a kilobyte.
pub(crate) const MAX_PEERS: usize = 4096;
/// Node descriptors that go round: twice as many as peers, so that the number of a peer that was
/// forgotten does not soon name another.
const DESCRIPTORS: usize = 2 * MAX_PEERS;
/// How many peers are looked at for one that can be forgotten.
const CANDIDATES: usize = 128;
/// The most QoS strings that a namespace tells apart.
const MAX_POLICIES: usize = 64;
/// The most peers with a QoS of their own.
const MAX_VARIANTS: usize = 256;
/// The most QoS instances of its own that one peer may open sessions with.
const MAX_OF_PEER: usize = 8;
/// The most sessions that a namespace has.
const MAX_CONNECTIONS: usize = 8192;

/// Who is known, under one lock.
pub(super) struct Table {
    by_name: RBTree<Fqnn, Arc<Peer>>,
    /// The peer with node descriptor `n` is at `n - 1`; descriptors are not used again until all
    /// have been, because a program may still hold an old one.
    by_nd: KVec<Option<Arc<Peer>>>,
    next_nd: usize,
    /// How many peers there are.
    peers: usize,
    /// Where the search for one that can be forgotten goes on.
    next_victim: usize,
    /// The peer of the connection with counter `n` is at `n - 1`.
    by_connection: KVec<Option<Arc<Peer>>>,
    next_connection: usize,
    /// Names that programs wait for.
    asked: KVec<Fqnn>,
    /// What node strings have asked for: the QoS with number `n` is at `n - 1`.
    policies: KVec<Qos>,
    /// Peers with a QoS of their own.
    variants: KVec<Arc<Peer>>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            by_name: RBTree::new(),
            by_nd: KVec::new(),
            next_nd: 0,
            peers: 0,
            next_victim: 0,
            by_connection: KVec::new(),
            next_connection: 0,
            asked: KVec::new(),
            policies: KVec::new(),
            variants: KVec::new(),
        }
    }

    /// The peer of that name.
    pub(super) fn by_name(&self, fqnn: &Fqnn) -> Option<&Arc<Peer>> {
        self.by_name.get(fqnn)
    }

    /// A name that a program waits for counts as asked for, so that the answer is taken even when
    /// announcements are not.
    pub(super) fn ask(&mut self, fqnn: &Fqnn) -> Result {
        self.asked.push(fqnn.clone(), GFP_ATOMIC)?;
        Ok(())
    }

    /// One program less waits for the name.
    pub(super) fn asked_enough(&mut self, fqnn: &Fqnn) {
        // A name has nothing that is dropped.
        let _ = take_first(&mut self.asked, |asked| asked == fqnn);
    }

    /// Whether a program waits for the name.
    pub(super) fn is_asked(&self, fqnn: &Fqnn) -> bool {
        self.asked.iter().any(|asked| asked == fqnn)
    }

    /// The number of a QoS.
    ///
    /// Errors: `ENOSPC` when there are too many, `ENOMEM`.
    fn policy_number(&mut self, qos: &Qos) -> Result<u16> {
        let at = match self.policies.iter().position(|known| known == qos) {
            Some(at) => at,
            None if self.policies.len() >= MAX_POLICIES => self.unused_policy(qos)?,
            None => {
                self.policies.push(*qos, GFP_ATOMIC | __GFP_NOWARN)?;
                self.policies.len() - 1
            }
        };
        u16::try_from(at + 1).map_err(|_| ENOSPC)
    }

    /// Gives the number of a QoS that no peer has any more to another one.
    fn unused_policy(&mut self, qos: &Qos) -> Result<usize> {
        let used = |at: usize| {
            let number = u16::try_from(at + 1).unwrap_or(0);
            let mut variants = self.variants.iter();
            variants.any(|peer| peer.variant.is_ours(number))
        };
        let at = (0..self.policies.len())
            .find(|at| !used(*at))
            .ok_or(ENOSPC)?;
        *self.policies.get_mut(at).ok_or(ENOSPC)? = *qos;
        Ok(at)
    }

    /// The variant of the peer with number `nd` that `is_it` knows.
    fn variant(&self, nd: u16, is_it: impl Fn(&Variant) -> bool) -> Option<Arc<Peer>> {
        let mut variants = self.variants.iter();
        let found = variants.find(|peer| peer.nd == nd && is_it(&peer.variant));
        found.cloned()
    }

    /// Enters a variant. When there are too many, one that is not used gives its place up: of the
    /// same peer's, if that has many, so that it cannot use all of them up. Gives what was there.
    ///
    /// Errors: `ENOSPC`, `ENOMEM`.
    fn enter_variant(&mut self, peer: &Arc<Peer>) -> Result<Option<Arc<Peer>>> {
        let theirs = peer.variant.is_of_peer();
        let of_same = |other: &&Arc<Peer>| other.nd == peer.nd && other.variant.is_of_peer();
        let crowd = theirs && self.variants.iter().filter(of_same).count() >= MAX_OF_PEER;
        if !crowd && self.variants.len() < MAX_VARIANTS {
            self.variants
                .push(peer.clone(), GFP_ATOMIC | __GFP_NOWARN)?;
            return Ok(None);
        }
        let may_go = |other: &Arc<Peer>| {
            other.variant.is_of_peer()
                && (!crowd || other.nd == peer.nd)
                && other.retire_if_unused()
        };
        let place = self.variants.iter_mut().find(|other| may_go(other));
        let place = place.ok_or(ENOSPC)?;
        Ok(Some(core::mem::replace(place, peer.clone())))
    }

    /// A free place of `places`, searched from `next` on, so that a number comes round late.
    fn free_place(
        places: &mut KVec<Option<Arc<Peer>>>,
        next: usize,
        limit: usize,
    ) -> Result<usize> {
        let grown = places.len() < limit && places.push(None, GFP_ATOMIC | __GFP_NOWARN).is_ok();
        if grown {
            return Ok(places.len() - 1);
        }
        // All have been used, or there is no memory for more.
        let all = places.len().max(1);
        (0..all)
            .map(|step| (next + step) % all)
            .find(|&index| matches!(places.get(index), Some(None)))
            .ok_or(ENOSPC)
    }

    fn put(
        places: &mut KVec<Option<Arc<Peer>>>,
        index: usize,
        peer: Option<Arc<Peer>>,
    ) -> Option<Arc<Peer>> {
        places
            .get_mut(index)
            .and_then(|place| core::mem::replace(place, peer))
    }
}

impl Node {
    /// The peer with node descriptor `nd`: its number in the low 16 bits, that of a QoS in the high
    /// ones.
    pub(crate) fn peer_by_nd(&self, nd: u32) -> Option<Arc<Peer>> {
        let (index, number) = ((nd >> 16) as u16, (nd & 0xffff) as u16);
        let table = self.table.lock();
        if index != 0 {
            return table.variant(number, |variant| variant.is_ours(index));
        }
        let place = table.by_nd.get(usize::from(number).checked_sub(1)?)?;
        place.clone()
    }

    /// `base` with the QoS that a node string asks for. Process context.
    ///
    /// Errors: `ENOSPC` when there are too many, `ENOMEM`.
    pub(crate) fn variant(self: &Arc<Self>, base: &Arc<Peer>, qos: &Qos) -> Result<Arc<Peer>> {
        let number = self.table.lock().policy_number(qos)?;
        let is_it = |variant: &Variant| variant.is_ours(number);
        self.variant_or_new(base, is_it, Variant::asked(qos, number))
    }

    /// `base` with the QoS that it has under its own `number`. Legal in softirq.
    ///
    /// Errors: `ENOSPC` when there are too many, `ENOMEM`.
    pub(super) fn variant_of_peer(
        self: &Arc<Self>,
        base: &Arc<Peer>,
        policy: Policy,
        number: u16,
    ) -> Result<Arc<Peer>> {
        let is_it = |variant: &Variant| variant.is_theirs(policy, number);
        self.variant_or_new(base, is_it, Variant::of_peer(policy, number))
    }

    fn variant_or_new(
        self: &Arc<Self>,
        base: &Arc<Peer>,
        is_it: impl Fn(&Variant) -> bool,
        variant: Variant,
    ) -> Result<Arc<Peer>> {
        if let Some(known) = self.table.lock().variant(base.nd, &is_it) {
            return Ok(known);
        }
        let peer = Peer::new(self, base.nd, &base.fqnn, variant)?;
        let old;
        {
            let mut table = self.table.lock();
            if let Some(other) = table.variant(base.nd, &is_it) {
                // Another CPU was faster.
                return Ok(other);
            }
            // The base may have been forgotten meanwhile, and its number be another node's.
            let place = usize::from(base.nd).checked_sub(1);
            let same = place.and_then(|place| table.by_nd.get(place)?.as_ref());
            if !same.is_some_and(|other| Arc::ptr_eq(other, base)) {
                return Err(EAGAIN);
            }
            old = table.enter_variant(&peer)?;
        }
        drop(old);
        base.tell_paths(&peer);
        Ok(peer)
    }

    /// The variants of the node with that number, one after the other.
    pub(super) fn variants_of(&self, nd: u16) -> impl Iterator<Item = Arc<Peer>> + '_ {
        self.variants().filter(move |peer| peer.nd == nd)
    }

    /// All peers with a QoS of their own. They stay until the node ends, or one takes the place of
    /// another.
    fn variants(&self) -> impl Iterator<Item = Arc<Peer>> + '_ {
        (0..MAX_VARIANTS).map_while(|at| self.table.lock().variants.get(at).cloned())
    }

    /// The peer of the connection `id`, which names this life of the node.
    pub(super) fn peer_by_connection(&self, id: u32) -> Option<Arc<Peer>> {
        if id >> 16 != u32::from(self.life) {
            return None;
        }
        let index = (id as usize & 0xffff).checked_sub(1)?;
        let table = self.table.lock();
        table.by_connection.get(index)?.clone()
    }

    /// The peer of that name, if it is known.
    pub(crate) fn peer_by_name(&self, fqnn: &Fqnn) -> Option<Arc<Peer>> {
        self.table.lock().by_name(fqnn).cloned()
    }

    /// The peer of that name, made if it is not known; `wanted`, even if another must be forgotten
    /// for it. Legal in softirq.
    ///
    /// Errors: `ENOMEM`; `ENOSPC` when the table is full.
    pub(super) fn peer_or_new(self: &Arc<Self>, fqnn: &Fqnn, wanted: bool) -> Result<Arc<Peer>> {
        if let Some(peer) = self.peer_by_name(fqnn) {
            return Ok(peer);
        }
        if wanted {
            self.make_room();
        }
        let index = {
            let mut guard = self.table.lock();
            let table = &mut *guard;
            if table.peers >= MAX_PEERS {
                return Err(ENOSPC);
            }
            let next = table.next_nd;
            let index = Table::free_place(&mut table.by_nd, next, DESCRIPTORS)?;
            table.next_nd = (index + 1) % DESCRIPTORS;
            index
        };
        let nd = u16::try_from(index + 1).map_err(|_| ENOSPC)?;
        let peer = Peer::new(self, nd, fqnn, Variant::plain())?;
        let entry = RBTreeNode::new(fqnn.clone(), peer.clone(), GFP_ATOMIC)?;

        let mut table = self.table.lock();
        if let Some(other) = table.by_name(fqnn) {
            // Another CPU was faster.
            return Ok(other.clone());
        }
        if !matches!(table.by_nd.get(index), Some(None)) {
            return Err(EAGAIN);
        }
        Table::put(&mut table.by_nd, index, Some(peer.clone()));
        table.peers += 1;
        table.by_name.insert(entry);
        self.stats.enter(Gauge::Nodes);
        Ok(peer)
    }

    /// Forgets one of some peers that nobody uses, if the table is full: a LAN full of names must not
    /// keep this node from those that it talks to. Legal in softirq.
    fn make_room(&self) {
        let forgotten = {
            let mut guard = self.table.lock();
            let table = &mut *guard;
            if table.peers < MAX_PEERS {
                return;
            }
            let from = table.next_victim;
            table.next_victim = (from + CANDIDATES) % DESCRIPTORS;
            let victim = (0..CANDIDATES)
                .map(|step| (from + step) % DESCRIPTORS)
                .find(|&index| {
                    let candidate = table.by_nd.get(index).and_then(Option::as_ref);
                    candidate.is_some_and(|peer| {
                        table.variant(peer.nd, |_| true).is_none() && peer.retire_if_unused()
                    })
                });
            let Some(index) = victim else {
                return;
            };
            table.peers -= 1;
            let peer = Table::put(&mut table.by_nd, index, None);
            let entry = peer
                .as_ref()
                .and_then(|peer| table.by_name.remove_node(&peer.fqnn));
            (peer, entry)
        };
        self.stats.leave(Gauge::Nodes);
        drop(forgotten);
    }

    /// Reserves a connection id for a session with `peer`. Legal in softirq.
    ///
    /// Errors: `ENOMEM`, `ENOSPC`.
    pub(super) fn reserve_connection(&self, peer: &Arc<Peer>) -> Result<u32> {
        let mut guard = self.table.lock();
        let table = &mut *guard;
        let next = table.next_connection;
        let index = Table::free_place(&mut table.by_connection, next, MAX_CONNECTIONS)?;
        table.next_connection = (index + 1) % MAX_CONNECTIONS;
        Table::put(&mut table.by_connection, index, Some(peer.clone()));
        let counter = u32::try_from(index + 1).map_err(|_| ENOSPC)?;
        Ok(u32::from(self.life) << 16 | counter)
    }

    /// Gives a connection id back: frames for it match nothing from then on.
    pub(super) fn release_connection(&self, id: u32) {
        let Some(index) = (id as usize & 0xffff).checked_sub(1) else {
            return;
        };
        let peer = Table::put(&mut self.table.lock().by_connection, index, None);
        drop(peer);
    }

    /// The first peer whose node descriptor is at least `from`.
    pub(crate) fn peer_from(&self, from: u16) -> Option<Arc<Peer>> {
        let table = self.table.lock();
        let first = usize::from(from.max(1)) - 1;
        table.by_nd.iter().skip(first).find_map(Clone::clone)
    }

    /// All peers, one after the other; who comes while it runs may be missed. Takes the lock for
    /// each, so that the caller may do what it likes with them.
    pub(crate) fn all_peers(&self) -> impl Iterator<Item = Arc<Peer>> + '_ {
        let mut from = Some(1u16);
        let plain = core::iter::from_fn(move || {
            let peer = self.peer_from(from?)?;
            from = peer.nd.checked_add(1);
            Some(peer)
        });
        Iterator::chain(plain, self.variants())
    }
}
