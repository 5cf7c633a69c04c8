// SPDX-License-Identifier: GPL-2.0

//! The messages of a session, by sequence number: those that were sent and are not acknowledged,
//! those that came and are not delivered, and those that wait to be sent.
//!
//! The session's machine decides what becomes of each; everything here is under the peer's lock.

use super::{
    charge::Charge,
    frame::Draft,
    peer::Tag,
    Peer, //
};
use crate::{
    knet::{
        boxed_copy,
        skb::{
            RxChain,
            RxSkb, //
        }, //
    },
    proto::{
        l4::{
            reassembly::Reassembly,
            window::{
                self,
                SLOTS as WINDOW, //
            }, //
        },
        qos::session::{
            RxVerdict,
            Session,
            BLANK, //
        },
        time::Instant,
        wire::{
            ack::Range,
            l4::{
                Flags,
                Header,
                Layer, //
            }, //
        }, //
    },
    stats::Counter, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::Arc, //
};
use pin_init::init_array_from_fn;

/// A message is in at most so many pieces here. A sender that cuts it anew may send some of it
/// twice, but not more than that.
const MAX_PIECES: usize = 256;

/// A message on its way out.
pub(super) struct Outgoing {
    pub(super) draft: Draft,
    pub(super) tag: Tag,
    /// The number of the peer's message that it answers, and so acknowledges.
    pub(super) answers: Option<u32>,
}

/// A message in the window: not yet acknowledged.
struct Unacknowledged {
    seq: u32,
    outgoing: Outgoing,
}

/// One piece of a message that has come in part.
struct Piece {
    offset: u32,
    skb: RxSkb,
    /// Paid while an earlier message is missing.
    _charge: Option<Charge>,
}

/// A message that has come in part.
struct Parts {
    ranges: Reassembly,
    /// Ordered by offset. They may overlap.
    pieces: KVec<Piece>,
}

impl Parts {
    fn new() -> Result<KBox<Self>> {
        KBox::new(
            Self {
                ranges: Reassembly::new(),
                pieces: KVec::new(),
            },
            GFP_ATOMIC | __GFP_NOWARN,
        )
        .map_err(Into::into)
    }

    /// Keeps a piece.
    fn put(&mut self, piece: Piece) -> Result {
        let behind = |other: &Piece| other.offset > piece.offset;
        let at = self.pieces.iter().position(behind);
        self.pieces.push(piece, GFP_ATOMIC | __GFP_NOWARN)?;
        if let Some(tail) = at.and_then(|at| self.pieces.get_mut(at..)) {
            tail.rotate_right(1);
        }
        Ok(())
    }

    /// The message, whose bytes are all there.
    ///
    /// Errors: `ENOMEM`.
    fn join(self) -> Result<RxSkb> {
        let mut chain = RxChain::new();
        let mut end = 0usize;
        for piece in self.pieces {
            let mut skb = piece.skb;
            let known = end.saturating_sub(piece.offset as usize);
            if known >= skb.len() {
                continue;
            }
            let rest = skb.len() - known;
            skb.skip(known);
            if skb.len() != rest {
                // There was no memory to take its start off.
                return Err(ENOMEM);
            }
            end += rest;
            chain.push(skb)?;
        }
        chain.finish()
    }
}

/// What has come of a message.
enum Body {
    Whole { skb: RxSkb, _charge: Option<Charge> },
    Parts(KBox<Parts>),
}

/// A message that came, or a part of one, not yet delivered.
pub(super) struct Undelivered {
    pub(super) seq: u32,
    pub(super) layer: Layer,
    body: Body,
}

impl Undelivered {
    /// The message in one value. What was paid for its waiting is given back.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn into_skb(self) -> Result<RxSkb> {
        match self.body {
            Body::Whole { skb, .. } => Ok(skb),
            Body::Parts(parts) => KBox::into_inner(parts).join(),
        }
    }
}

/// A session with what it has under way.
pub(super) struct Transport {
    pub(super) session: KBox<Session>,
    tx: KBox<[Option<Unacknowledged>; WINDOW]>,
    rx: KBox<[Option<Undelivered>; WINDOW]>,
    /// The most urgent first, and of equally urgent ones the oldest.
    pending: KVec<Outgoing>,
    /// The next sequence number to deliver, and the one after the last that may be delivered.
    deliver: u32,
    deliver_end: u32,
    /// One CPU delivers at a time, so that the order holds.
    pub(super) delivering: bool,
    /// The payload that the session was last told.
    payload: usize,
}

impl Transport {
    /// An empty one. Its parts are made in place, being too big for a kernel stack, and lie apart,
    /// because memory in a row is hard to get in softirq.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn new() -> Result<KBox<Self>> {
        let flags = GFP_ATOMIC | __GFP_NOWARN;
        let transport = Self {
            session: boxed_copy(&BLANK, flags)?,
            tx: KBox::init(init_array_from_fn(|_| None), flags)?,
            rx: KBox::init(init_array_from_fn(|_| None), flags)?,
            pending: KVec::new(),
            deliver: 1,
            deliver_end: 1,
            delivering: false,
            payload: 0,
        };
        Ok(KBox::new(transport, flags)?)
    }

    /// Forgets every message, when the session they belong to has ended; how many were to be sent.
    pub(super) fn clear(&mut self) -> u64 {
        let mut lost = self.pending.len() as u64;
        self.pending.clear();
        for slot in self.tx.iter_mut() {
            lost += u64::from(slot.take().is_some());
        }
        for slot in self.rx.iter_mut() {
            *slot = None;
        }
        self.deliver = 1;
        self.deliver_end = 1;
        // A CPU that is delivering sees that the connection is another, and leaves.
        self.delivering = false;
        lost
    }

    /// How many messages wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Tells the session how long a payload may be, if that has changed.
    pub(super) fn set_payload(&mut self, bytes: usize) {
        if self.payload != bytes {
            self.payload = bytes;
            self.session
                .set_payload(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// Enters a message behind those that are as urgent.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn queue(&mut self, outgoing: Outgoing) -> Result {
        let urgency = outgoing.draft.urgency();
        let less = |other: &Outgoing| other.draft.urgency() < urgency;
        let at = self.pending.iter().position(less);
        self.pending.push(outgoing, GFP_ATOMIC | __GFP_NOWARN)?;
        if let Some(tail) = at.and_then(|at| self.pending.get_mut(at..)) {
            tail.rotate_right(1);
        }
        Ok(())
    }

    /// Moves the message whose turn it is into the window, if there is room: says whether.
    pub(super) fn fill_window(&mut self) -> bool {
        let Some(first) = self.pending.first() else {
            return false;
        };
        let Ok(length) = u32::try_from(first.draft.payload_len()) else {
            return false;
        };
        if !self.session.wants_more() {
            return false;
        }
        let Some(seq) = self.session.push(length) else {
            return false;
        };
        let Ok(outgoing) = self.pending.remove(0) else {
            return false;
        };
        if let Some(seq) = outgoing.answers {
            self.session.answering(seq);
        }
        if let Some(slot) = self.tx.get_mut(window::slot(seq)) {
            *slot = Some(Unacknowledged { seq, outgoing });
        }
        true
    }

    /// The message in the window under that number.
    pub(super) fn draft(&mut self, seq: u32) -> Option<&mut Draft> {
        let sent = self.tx.get_mut(window::slot(seq))?.as_mut()?;
        (sent.seq == seq).then_some(&mut sent.outgoing.draft)
    }

    /// The message under that number is acknowledged: what it was.
    pub(super) fn free(&mut self, seq: u32) -> Option<Outgoing> {
        let sent = self.tx.get_mut(window::slot(seq))?.take()?;
        Some(sent.outgoing)
    }

    /// The sequence number of the message with this tag, while it is unacknowledged.
    pub(super) fn seq_of(&self, tag: Tag) -> Option<u32> {
        self.tx
            .iter()
            .flatten()
            .find(|sent| sent.outgoing.tag == tag)
            .map(|sent| sent.seq)
    }

    /// Gives the message with this tag up. Says whether the peer will see nothing of it, because it
    /// had not left; and gives what is to be dropped without the lock.
    pub(super) fn give_up(&mut self, tag: Tag) -> (bool, Option<Outgoing>) {
        let waits = |outgoing: &Outgoing| outgoing.tag == tag;
        if let Some(at) = self.pending.iter().position(waits) {
            return (true, self.pending.remove(at).ok());
        }
        if let Some(seq) = self.seq_of(tag) {
            if self.session.give_up(seq) {
                if let Some(draft) = self.draft(seq) {
                    draft.give_up();
                }
            }
        }
        (false, None)
    }

    /// Takes the next message whose turn it is.
    pub(super) fn take_ready(&mut self) -> Option<Undelivered> {
        if self.deliver == self.deliver_end {
            return None;
        }
        let held = self.rx.get_mut(window::slot(self.deliver))?.take();
        self.deliver = self.deliver.wrapping_add(1);
        held
    }

    /// Whether something can be delivered.
    pub(super) fn has_ready(&self) -> bool {
        self.deliver != self.deliver_end
    }

    /// Takes a message in, or a part of one, that came by `path`.
    ///
    /// Errors: under which name it is dropped.
    pub(super) fn hold(
        &mut self,
        peer: &Arc<Peer>,
        header: &Header,
        path: u8,
        skb: RxSkb,
        now: Instant,
    ) -> Result<(), Counter> {
        let slot = window::slot(header.seq);
        let early = header.seq != self.deliver_end;
        let place = self.rx.get_mut(slot).ok_or(Counter::DropWindow)?;
        if place.as_ref().is_some_and(|held| held.seq != header.seq) {
            // The message before it in this slot waits for delivery; the sender will repeat.
            return Err(Counter::DropWindow);
        }
        // A message that can be delivered is not charged; a part of the one that all others wait
        // for has a reserve.
        let whole = header.flags.contains(Flags::WHOLE);
        let charge = match (early, whole) {
            (true, _) => Some(Charge::pay_early(peer, &skb).ok_or(Counter::DropLimit)?),
            (false, false) => Some(Charge::pay_next(peer, &skb).ok_or(Counter::DropLimit)?),
            (false, true) => None,
        };
        let verdict = if whole {
            let verdict = self.session.on_data(header, path, None, now);
            if matches!(verdict, RxVerdict::Deliver | RxVerdict::Hold) {
                *place = Some(Undelivered {
                    seq: header.seq,
                    layer: header.layer,
                    body: Body::Whole {
                        skb,
                        _charge: charge,
                    },
                });
            }
            verdict
        } else {
            Self::part(&mut self.session, place, header, path, skb, charge, now)?
        };
        match verdict {
            RxVerdict::Deliver => self.deliver_end = header.seq.wrapping_add(1),
            RxVerdict::Hold => peer.node.stats.count(Counter::RxSeqOrder),
            RxVerdict::Keep => peer.node.stats.count(Counter::RxFragments),
            RxVerdict::Drop(reason) => return Err(super::peer::drop_counter(reason)),
        }
        while let Some(seq) = self.session.next_ready() {
            self.deliver_end = seq.wrapping_add(1);
        }
        Ok(())
    }

    /// Takes a part of a message in.
    fn part(
        session: &mut Session,
        place: &mut Option<Undelivered>,
        header: &Header,
        path: u8,
        skb: RxSkb,
        charge: Option<Charge>,
        now: Instant,
    ) -> Result<RxVerdict, Counter> {
        let mut fresh = None;
        let parts = match place {
            Some(Undelivered {
                body: Body::Parts(parts),
                ..
            }) => parts,
            // All of it is there already; the session says that it came twice.
            Some(_) => return Ok(session.on_data(header, path, None, now)),
            None => fresh.insert(Parts::new().map_err(|_| Counter::DropNoMemory)?),
        };
        if parts.pieces.len() >= MAX_PIECES {
            return Err(Counter::DropLimit);
        }
        // Room first: what the ranges say has come must be kept.
        parts
            .pieces
            .reserve(1, GFP_ATOMIC | __GFP_NOWARN)
            .map_err(|_| Counter::DropNoMemory)?;
        let verdict = session.on_data(header, path, Some(&mut parts.ranges), now);
        if matches!(verdict, RxVerdict::Drop(_)) {
            return Ok(verdict);
        }
        parts
            .put(Piece {
                offset: header.offset,
                skb,
                _charge: charge,
            })
            .map_err(|_| Counter::DropNoMemory)?;
        if let Some(parts) = fresh {
            *place = Some(Undelivered {
                seq: header.seq,
                layer: header.layer,
                body: Body::Parts(parts),
            });
        }
        Ok(verdict)
    }

    /// The ranges that are missing of the message `seq`, of which a part has come.
    pub(super) fn missing(&self, seq: u32) -> impl Iterator<Item = Range> + '_ {
        let held = self.rx.get(window::slot(seq)).and_then(Option::as_ref);
        let parts = held.and_then(|held| match &held.body {
            Body::Parts(parts) if held.seq == seq => Some(parts),
            _ => None,
        });
        parts.into_iter().flat_map(|parts| parts.ranges.missing())
    }
}
