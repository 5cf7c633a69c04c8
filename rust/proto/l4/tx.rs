// SPDX-License-Identifier: GPL-2.0

//! The sending half: what is sent, what is sent again and what is done with.
//!
//! A message is cut into fragments when the first of them is sent, and may be cut anew. Losses are
//! found in these ways.
//!
//! - The time-out: the oldest message was not acknowledged in time. It is measured from the last
//!   transmission of that message, or from the moment when it became the oldest or a part of it
//!   arrived, if that was later: while acknowledgements keep coming nothing is overdue. Only those
//!   moments count. An answer to a *later* message does not put it off, or a steady run of answered
//!   requests could keep one lost message waiting for ever.
//! - The peer holds three messages that were sent later by the same link. It tells so at once, in
//!   an ACK whose cause lies behind the number that it wants, and a round trip is then enough to
//!   repair a loss where a time-out takes at least 3 ms. Answers are no such sign: what is answered
//!   was delivered, and so was all before it.
//! - The peer says in a NACK what it misses of a message of which it has a part. A fragment is lost
//!   when the peer has three that were sent after it, or when it would have arrived long ago.
//!
//! How much may be under way is up to [`Congestion`], which the time-out makes start from little, so
//! that a peer that went silent is not sent a whole window each time.

use crate::proto::time::{
    earliest,
    Instant,
    Nanos, //
};
use crate::proto::wire::ack::Range;

use super::congestion::Congestion;
use super::cut::{
    Cut,
    FragSet,
    Fragment, //
};
use super::rtt::Rtt;
use super::timers::Timers;
use super::window::{
    ahead,
    slot,
    SeqSet,
    SLOTS,
    W, //
};

/// So many later messages, or fragments, at the peer make an earlier one count as lost, as in TCP
/// and QUIC.
const REORDER: u32 = 3;

/// A session goes over so many paths at the most.
pub const MAX_PATHS: usize = 8;

/// When a message was lost so often, its fragments may be too long for something on the way.
const LOSSES_TO_RECUT: u8 = 3;

/// When so many messages in a row had to be cut shorter before they arrived, longer fragments do not
/// pass. A single one may have met a link that was down for a moment.
const RECUTS_TO_REMEMBER: u8 = 2;

/// A time-out lets so many fragments leave whatever else is under way, which is perhaps lost as well.
const PROBES: u32 = 2;

/// The payload of a frame of 1,500 bytes, which passes wherever Ethernet does.
pub const COMMON_PAYLOAD: u32 = 1500 - 36 - 3;

/// Why an ACK or a NACK is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDrop {
    /// It belongs to no connection that lives, or to one that is not up.
    State,
    /// It tells what is known already: a later one overtook it.
    Old,
    /// It speaks of what was never sent.
    Future,
}

/// One fragment to transmit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The message.
    pub seq: u32,
    /// Which part of it.
    pub fragment: Fragment,
    /// The path that it takes.
    pub path: u8,
    /// Whether it was transmitted before.
    pub again: bool,
}

/// What is known of one message in the window.
#[derive(Clone, Copy, Debug)]
struct Msg {
    cut: Cut,
    /// The first fragment that was never sent.
    next: u32,
    /// To be sent again.
    again: FragSet,
    /// The peer has them.
    have: FragSet,
    /// Sent more than once.
    resent: FragSet,
    /// The path that it takes.
    path: u8,
    /// How often the same fragments of it were lost, while none of them arrived.
    losses: u8,
    /// How often the time in which its repetitions should have arrived was over.
    repeats: u8,
    /// Whether it took another path before.
    moved: bool,
    /// When its first fragment was first sent, and when one last was.
    first: Instant,
    last: Instant,
    /// When the peer was last found to have more of it.
    news: Instant,
}

impl Msg {
    const NONE: Self = Self::new(0);

    const fn new(length: u32) -> Self {
        Self {
            // Until it is cut: nothing is sent.
            cut: Cut::new(length, 1),
            next: 0,
            again: FragSet::EMPTY,
            have: FragSet::EMPTY,
            resent: FragSet::EMPTY,
            path: 0,
            losses: 0,
            repeats: 0,
            moved: false,
            first: Instant::from_nanos(0),
            last: Instant::from_nanos(0),
            news: Instant::from_nanos(0),
        }
    }

    /// Those that were sent and that the peer is not known to have.
    fn missing(&self) -> FragSet {
        FragSet::run(0, self.next).without(self.have)
    }

    /// Those that are under way.
    fn flying(&self) -> FragSet {
        self.missing().without(self.again)
    }

    /// Whether all of it was sent.
    fn is_sent(&self) -> bool {
        self.next >= self.cut.count()
    }

    /// Whether it has fragments that are longer than those which pass everywhere.
    fn is_long(&self) -> bool {
        self.cut.each().min(self.cut.length()) > COMMON_PAYLOAD
    }

    /// Cuts it anew; what was sent counts as lost.
    fn recut(&mut self, each: u32) {
        self.cut = Cut::new(self.cut.length(), each);
        self.next = self.cut.count();
        self.have = FragSet::EMPTY;
        self.again = self.cut.all();
        self.resent = self.cut.all();
        self.losses = 0;
    }
}

/// What a sender has done, since the numbers were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxCounters {
    /// Fragments that were sent again.
    pub resent: u32,
    /// Losses found by the time-out of the oldest message.
    pub timeouts: u32,
    /// Losses found by what the peer holds.
    pub overtaken: u32,
    /// Messages that their answer acknowledged.
    pub answered: u32,
    /// NACKs that were taken.
    pub nacked: u32,
    /// Messages that were cut anew.
    pub recut: u32,
}

/// What [`Tx::timed_out`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedOut {
    /// Nothing is overdue.
    No,
    /// The oldest message is sent again.
    Retry {
        /// The path that it took.
        path: u8,
    },
    /// It went without acknowledgement for so long that there is no way to the peer.
    Failed,
}

/// The sending half of a connection.
///
/// # Invariants
///
/// `oldest <= fresh <= next <= oldest + W` in the order of [`ahead`]. `done`, `seen` and `again` lie
/// between `oldest` and `fresh`, that one included, and `oldest` is not in `done`. `late` is a part of
/// `again`, which has the messages with a fragment in [`Msg::again`]. `freed` lies
/// within the `W` numbers before `next`. `flight` counts for each path the fragments of
/// [`Msg::flying`] of its messages that are neither done nor seen.
#[derive(Clone, Copy, Debug)]
pub struct Tx {
    /// The first that is not acknowledged.
    oldest: u32,
    /// The first that was not sent, or not wholly.
    fresh: u32,
    /// The number of the next message.
    next: u32,
    /// Acknowledged alone, by an answer.
    done: SeqSet,
    /// Held by the peer, but not acknowledged: need not be sent again.
    seen: SeqSet,
    /// With fragments to be sent again.
    again: SeqSet,
    /// Those of them that are only late, as far as is known.
    late: SeqSet,
    /// Acknowledged, and the caller does not know yet.
    freed: SeqSet,
    /// How often the time-out is doubled.
    backoff: u32,
    /// When `oldest` became the oldest, or a part of it arrived, or it last timed out.
    progress: Instant,
    /// When `oldest` became the oldest, or a part of it arrived.
    alive: Instant,
    /// The longest fragment that may be sent.
    each: u32,
    /// The longest that arrives, as losses have shown.
    each_passes: u32,
    /// How many messages in a row were lost until they were cut shorter.
    recuts: u8,
    /// How many fragments may leave although the window is full.
    probes: u32,
    /// The paths on which something arrived since that was last asked, by bit.
    arrived: u8,
    flight: [u32; MAX_PATHS],
    /// Whether the last [`Self::poll`] left something for want of window.
    held_back: bool,
    /// Whether, and until when, something waits for the pace.
    paced: Option<Instant>,
    rtt: Rtt,
    congestion: Congestion,
    messages: [Msg; SLOTS],
    counters: TxCounters,
}

impl Tx {
    /// A half whose first message is `first`.
    pub const fn new(first: u32) -> Self {
        Self {
            oldest: first,
            fresh: first,
            next: first,
            done: SeqSet::EMPTY,
            seen: SeqSet::EMPTY,
            again: SeqSet::EMPTY,
            late: SeqSet::EMPTY,
            freed: SeqSet::EMPTY,
            backoff: 0,
            progress: Instant::from_nanos(0),
            alive: Instant::from_nanos(0),
            each: COMMON_PAYLOAD,
            each_passes: u32::MAX,
            recuts: 0,
            probes: 0,
            arrived: 0,
            flight: [0; MAX_PATHS],
            held_back: false,
            paced: None,
            rtt: Rtt::new(),
            congestion: Congestion::new(),
            messages: [Msg::NONE; SLOTS],
            counters: TxCounters {
                resent: 0,
                timeouts: 0,
                overtaken: 0,
                answered: 0,
                nacked: 0,
                recut: 0,
            },
        }
    }

    /// Starts anew with `first`; only the counters, and what was learned of the way, stay.
    pub fn restart(&mut self, first: u32, timers: &Timers) {
        // In place: the messages are too many for a stack.
        self.messages.fill(Msg::NONE);
        self.oldest = first;
        self.fresh = first;
        self.next = first;
        self.done = SeqSet::EMPTY;
        self.seen = SeqSet::EMPTY;
        self.again = SeqSet::EMPTY;
        self.late = SeqSet::EMPTY;
        self.freed = SeqSet::EMPTY;
        self.backoff = 0;
        self.progress = Instant::from_nanos(0);
        self.alive = Instant::from_nanos(0);
        self.recuts = 0;
        self.probes = 0;
        self.arrived = 0;
        self.flight = [0; MAX_PATHS];
        self.held_back = false;
        self.paced = None;
        self.rtt = Rtt::new();
        self.congestion = Congestion::new();
        self.congestion.limit(timers.most_fragments, self.payload());
    }

    /// The longest fragment that may be sent from now on. What was cut longer is cut anew.
    pub fn set_fragment(&mut self, each: u32, timers: &Timers) {
        let each = each.max(1);
        if each != self.each {
            // The links changed, so what was learned of them may be wrong now.
            self.each = each;
            self.each_passes = u32::MAX;
            self.recuts = 0;
        }
        let each = self.payload();
        self.congestion.limit(timers.most_fragments, each);
        let mut seq = self.oldest;
        while ahead(seq, self.begun()) < 0 {
            let cut = self.message(seq).cut;
            let known = self.done.or(self.seen).has(seq);
            if !known && cut.each().min(cut.length()) > each {
                self.recut(seq, each);
            }
            seq = seq.wrapping_add(1);
        }
    }

    /// The longest fragment that is sent.
    pub fn payload(&self) -> u32 {
        self.each.min(self.each_passes)
    }

    /// Whether another message has room in the window.
    pub fn can_push(&self) -> bool {
        ahead(self.next, self.oldest) < W as i32 && !self.freed.has(self.next)
    }

    /// Whether a message that is pushed now would be the next to be sent for the first time.
    pub fn is_hungry(&self) -> bool {
        self.fresh == self.next
    }

    /// Takes the next number for a message of `length` bytes, if there is room.
    pub fn push(&mut self, length: u32) -> Option<u32> {
        if !self.can_push() {
            return None;
        }
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        *self.message_mut(seq) = Msg::new(length);
        Some(seq)
    }

    /// How many messages are not acknowledged.
    pub fn unacknowledged(&self) -> u32 {
        self.next
            .wrapping_sub(self.oldest)
            .saturating_sub(self.done.len())
    }

    /// Fragments under way, by path.
    pub fn flight(&self) -> &[u32; MAX_PATHS] {
        &self.flight
    }

    /// Fragments that may be under way.
    pub fn window(&self) -> u32 {
        self.congestion.window()
    }

    /// The peer has room for so many bytes; [`None`]: it has plenty.
    pub fn set_room(&mut self, room: Option<u32>) {
        let each = self.payload();
        let room = room.map(|bytes| bytes.checked_div(each).unwrap_or(0));
        self.congestion.set_room(room);
    }

    /// The paths on which something arrived since this was last called, by bit.
    pub fn take_arrived(&mut self) -> u8 {
        core::mem::take(&mut self.arrived)
    }

    /// The next fragment to transmit. A message that is sent for the first time takes `path`;
    /// without one nothing is sent.
    pub fn poll(&mut self, now: Instant, path: Option<u8>) -> Option<Piece> {
        self.paced = None;
        let path = path?;
        let retry = self.again.first(self.oldest);
        if retry.is_none() && self.fresh == self.next {
            self.held_back = false;
            return None;
        }
        let full = self.in_flight_total() >= self.congestion.window();
        if full && (retry.is_none() || self.probes == 0) {
            self.held_back = true;
            return None;
        }
        if let Err(at) = self.congestion.allowance(now, self.round_trip()) {
            self.paced = Some(at);
            return None;
        }
        let piece = match retry {
            Some(seq) => {
                self.probes = self.probes.saturating_sub(1);
                self.poll_again(seq, now)
            }
            None => self.poll_fresh(now, path),
        };
        self.congestion.leaves();
        Some(piece)
    }

    fn poll_again(&mut self, seq: u32, now: Instant) -> Piece {
        self.recut_if_lost(seq);
        let message = *self.message(seq);
        let index = message.again.first().unwrap_or(0);
        self.change(seq, |message| {
            message.again = message.again.without(FragSet::one(index));
            message.resent = message.resent.or(FragSet::one(index));
            message.last = now;
        });
        self.counters.resent = self.counters.resent.wrapping_add(1);
        Piece {
            seq,
            fragment: message.cut.fragment(index),
            path: message.path,
            again: true,
        }
    }

    fn poll_fresh(&mut self, now: Instant, path: u8) -> Piece {
        let seq = self.fresh;
        let each = self.payload();
        if self.message(seq).next == 0 {
            if seq == self.oldest {
                self.progress = now;
            }
            let message = self.message_mut(seq);
            message.cut = Cut::new(message.cut.length(), each);
            message.path = path;
            message.first = now;
        }
        let mut index = 0;
        self.change(seq, |message| {
            index = message.next;
            message.next = index.saturating_add(1);
            message.last = now;
        });
        let message = self.message(seq);
        let piece = Piece {
            seq,
            fragment: message.cut.fragment(index),
            path: message.path,
            again: false,
        };
        if message.is_sent() {
            self.fresh = seq.wrapping_add(1);
        }
        piece
    }

    /// A message that is acknowledged: the caller may free it.
    pub fn poll_freed(&mut self) -> Option<u32> {
        let seq = self.freed.first(self.next)?.wrapping_sub(W);
        self.freed.take(seq);
        Some(seq)
    }

    /// The peer wants `wanted` next; `cause` arrived there and made it say so.
    pub fn acknowledged(&mut self, cause: u32, wanted: u32, now: Instant) -> Result<(), AckDrop> {
        if ahead(wanted, self.fresh) > 0 || ahead(cause, self.fresh) >= 0 {
            return Err(AckDrop::Future);
        }
        if ahead(wanted, self.oldest) < 0 {
            return Err(AckDrop::Old);
        }
        self.measure(cause, now);
        if ahead(cause, wanted) > 0 && !self.done.has(cause) {
            self.note_arrived(cause);
            self.see(cause);
        }
        if self.oldest != wanted {
            while self.oldest != wanted {
                self.pass_oldest();
            }
            self.pass_done(now);
        }
        self.find_overtaken();
        self.congestion.turn(now, self.round_trip());
        Ok(())
    }

    /// The peer answered `seq`, and that one only is acknowledged by it.
    pub fn answered(&mut self, seq: u32, now: Instant) {
        let whole = ahead(seq, self.oldest) >= 0 && ahead(seq, self.fresh) < 0;
        if !whole || self.done.has(seq) {
            return;
        }
        self.measure(seq, now);
        self.counters.answered = self.counters.answered.wrapping_add(1);
        self.note_arrived(seq);
        self.settle(seq);
        self.done.put(seq);
        if seq == self.oldest {
            self.pass_done(now);
        }
        self.congestion.turn(now, self.round_trip());
    }

    /// The peer has a part of `seq` and misses these ranges. `hold` is how long it waits for more
    /// before it says so.
    pub fn missed(
        &mut self,
        seq: u32,
        ranges: impl Iterator<Item = Range>,
        now: Instant,
        hold: Nanos,
    ) -> Result<(), AckDrop> {
        if ahead(seq, self.begun()) >= 0 {
            return Err(AckDrop::Future);
        }
        if ahead(seq, self.oldest) < 0 || self.done.has(seq) {
            return Err(AckDrop::Old);
        }
        self.unsee(seq);
        self.counters.nacked = self.counters.nacked.wrapping_add(1);
        let message = *self.message(seq);
        let sent = FragSet::run(0, message.next);
        let touched =
            |set: FragSet, range: Range| set.or(message.cut.touched(range.offset, range.length));
        let missing = ranges.fold(FragSet::EMPTY, touched).and(sent);
        let news = sent.without(missing).without(message.have);
        if !news.is_empty() {
            self.found(seq, news, now);
        }
        let lost = self.judge(seq, missing, now, hold);
        let message = self.message_mut(seq);
        if !lost.and(message.resent).is_empty() {
            message.repeats = message.repeats.saturating_add(1);
        }
        self.lose(seq, lost);
        self.congestion.turn(now, self.round_trip());
        Ok(())
    }

    /// The peer turned out to have some fragments.
    fn found(&mut self, seq: u32, news: FragSet, now: Instant) {
        let message = self.message(seq);
        let last = FragSet::one(message.next.saturating_sub(1));
        if message.resent.is_empty() && !news.and(last).is_empty() {
            // It is the one that was sent last.
            self.rtt.sample(now.since(message.last));
        }
        self.change(seq, |message| {
            message.have = message.have.or(news);
            message.again = message.again.without(news);
            message.news = now;
        });
        self.note_arrived(seq);
        self.congestion.arrived(news.len(), self.held_back);
        if seq == self.oldest {
            self.progress = now;
            self.alive = now;
            if !news.without(self.message(seq).resent).is_empty() {
                self.backoff = 0;
            }
        }
    }

    /// Which of the fragments that the peer misses are lost, and not just under way: those behind
    /// which it has enough, and all when a round trip is over and no more of them came for as long as
    /// the peer waits. Only the round trip would not do, because it grows with what is under way; and
    /// as long as it is not known, or what was repeated does not seem to arrive, it may be longer than
    /// assumed.
    fn judge(&self, seq: u32, missing: FragSet, now: Instant, hold: Nanos) -> FragSet {
        let message = self.message(seq);
        let missing = missing.without(message.again);
        let patience = |round_trip: Nanos| round_trip.doubled(u32::from(message.repeats));
        let patience = self.rtt.smoothed().map(patience);
        let over = patience.is_some_and(|patience| now >= message.last.after(patience));
        // The second report in a row may come a little early.
        let quiet = now >= message.news.after(Nanos(hold.0 / 2));
        if over && quiet {
            return missing;
        }
        let later = self.arrived_after(seq, message.path);
        let mut lost = FragSet::EMPTY;
        let mut rest = missing.without(message.resent);
        while let Some(index) = rest.first() {
            let one = FragSet::one(index);
            rest = rest.without(one);
            if message.have.after(index).saturating_add(later) >= REORDER {
                lost = lost.or(one);
            }
        }
        lost
    }

    /// The time has come that [`Self::deadline`] told, or not yet.
    pub fn timed_out(&mut self, now: Instant, timers: &Timers) -> TimedOut {
        if self.oldest == self.begun() {
            return TimedOut::No;
        }
        if now >= self.failed_at(timers) {
            return TimedOut::Failed;
        }
        if now < self.overdue(timers) {
            return TimedOut::No;
        }
        let timeout = self.timeout(timers);
        let in_vain = self.backoff > 0;
        let flight = self.in_flight_total();
        let mut seq = self.oldest;
        while ahead(seq, self.begun()) < 0 {
            let known = self.done.or(self.seen).has(seq);
            if !known && now >= self.message(seq).last.after(timeout) {
                let sound = self.again.has(seq) && !self.late.has(seq);
                self.lose(seq, self.message(seq).flying());
                if !sound && self.again.has(seq) {
                    self.late.put(seq);
                }
            }
            seq = seq.wrapping_add(1);
        }
        self.retry_oldest();
        self.congestion
            .silence(flight, in_vain, now, timers.slow_mode);
        self.probes = PROBES;
        self.backoff = self.backoff.saturating_add(1);
        self.progress = now;
        self.counters.timeouts = self.counters.timeouts.wrapping_add(1);
        TimedOut::Retry {
            path: self.message(self.oldest).path,
        }
    }

    /// The oldest message is sent again even if it was seen, or all of it was found: a peer that
    /// wants it has lost it since.
    fn retry_oldest(&mut self) {
        let seq = self.oldest;
        self.unsee(seq);
        let message = self.message(seq);
        if message.is_sent() && message.missing().is_empty() {
            self.change(seq, |message| message.have = FragSet::EMPTY);
        }
        // The time-out has found the rest.
        self.lose(seq, self.message(seq).flying());
    }

    /// Sends what went by `from`, and was not acknowledged, by `to` as well: the path `from` is no
    /// longer trusted.
    pub fn move_path(&mut self, from: u8, to: u8, now: Instant) {
        let mut seq = self.oldest;
        while ahead(seq, self.begun()) < 0 {
            if self.message(seq).path == from && !self.done.has(seq) {
                self.reroute(seq, to);
            }
            seq = seq.wrapping_add(1);
        }
        self.backoff = 0;
        self.progress = now;
    }

    fn reroute(&mut self, seq: u32, to: u8) {
        let flying = match self.seen.has(seq) {
            true => FragSet::EMPTY,
            false => self.message(seq).flying(),
        };
        self.add_flight(seq, flying.len(), 0);
        let message = self.message_mut(seq);
        message.path = to;
        message.moved = true;
        self.add_flight(seq, 0, flying.len());
        self.lose(seq, flying);
        // Here it was not too long for.
        self.message_mut(seq).losses = 0;
    }

    /// The message is given up: an empty one takes its place. Says whether it could be: one that is
    /// acknowledged, or was never pushed, can not.
    pub fn give_up(&mut self, seq: u32) -> bool {
        if ahead(seq, self.oldest) < 0 || ahead(seq, self.next) >= 0 || self.done.has(seq) {
            return false;
        }
        if ahead(seq, self.begun()) >= 0 {
            *self.message_mut(seq) = Msg::new(0);
            return true;
        }
        if seq == self.fresh {
            self.fresh = seq.wrapping_add(1);
        }
        let seen = self.seen.has(seq);
        self.unsee(seq);
        self.change(seq, |message| {
            message.cut = Cut::new(0, 1);
            message.recut(1);
        });
        self.again.put(seq);
        if seen {
            // It need not be sent, unless the peer loses it yet.
            self.see(seq);
        }
        true
    }

    /// When [`Self::timed_out`] or [`Self::poll`] has something to do.
    pub fn deadline(&self, timers: &Timers) -> Option<Instant> {
        let due = || self.overdue(timers).min(self.failed_at(timers));
        let retry = (self.oldest != self.begun()).then(due);
        earliest(retry, self.paced)
    }

    /// The time after which the oldest message is sent again: what the round trip suggests, doubled
    /// for each time in vain, and not more than the options say. Only before a round trip is over
    /// nothing is sent again, whatever they say: it would tell nothing.
    pub fn timeout(&self, timers: &Timers) -> Nanos {
        let round_trip = self.rtt.smoothed().unwrap_or(Nanos::ZERO);
        let cap = timers.cap.max(round_trip.plus(timers.margin));
        self.rtt
            .timeout(timers.margin)
            .doubled(self.backoff)
            .min(cap)
    }

    /// The round trip as measured.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// A round trip that was measured by other means, before the first message.
    pub fn measured(&mut self, rtt: Nanos) {
        self.rtt.sample(rtt);
    }

    /// What was done since this was last called.
    pub fn take_counters(&mut self) -> TxCounters {
        core::mem::take(&mut self.counters)
    }

    /// Whether what is counted agrees with what is known of each message; for tests.
    pub fn is_sound(&self) -> bool {
        let mut flight = [0u32; MAX_PATHS];
        let mut seq = self.oldest;
        let mut sound = !self.done.has(self.oldest) || self.oldest == self.next;
        while ahead(seq, self.next) < 0 {
            let message = self.message(seq);
            let begun = ahead(seq, self.begun()) < 0;
            let known = self.done.or(self.seen).has(seq);
            let again = !known && !message.again.is_empty();
            sound &= self.again.has(seq) == again && (begun || !known && !again);
            sound &= !self.late.has(seq) || again;
            sound &= !(self.done.has(seq) && self.seen.has(seq));
            sound &= !begun || message.next == message.cut.count() || seq == self.fresh;
            let path = usize::from(message.path);
            if let Some(flight) = flight.get_mut(path).filter(|_| begun && !known) {
                *flight = flight.saturating_add(message.flying().len());
            }
            seq = seq.wrapping_add(1);
        }
        sound && flight == self.flight
    }

    /// When there is no way to the peer, unless the oldest message gets on until then. That it waited
    /// behind others does not count, however long ago it was first sent.
    fn failed_at(&self, timers: &Timers) -> Instant {
        let since = self.message(self.oldest).first.max(self.alive);
        since.after(timers.bound)
    }

    fn overdue(&self, timers: &Timers) -> Instant {
        let since = self.message(self.oldest).last.max(self.progress);
        since.after(self.timeout(timers))
    }

    /// The first of which nothing was sent.
    fn begun(&self) -> u32 {
        let part = self.fresh != self.next && self.message(self.fresh).next > 0;
        self.fresh.wrapping_add(u32::from(part))
    }

    fn in_flight_total(&self) -> u32 {
        let sum = |total: u32, n: &u32| total.saturating_add(*n);
        self.flight.iter().fold(0, sum)
    }

    fn round_trip(&self) -> Nanos {
        self.rtt.smoothed().unwrap_or(Nanos::ZERO)
    }

    /// Measures a round trip by `seq`, if it can be told (Karn's rule). Until one can, the time-out
    /// stays doubled: a peer that is further away than assumed would otherwise be sent everything
    /// twice and never be measured.
    fn measure(&mut self, seq: u32, now: Instant) {
        let whole = ahead(seq, self.oldest) >= 0 && ahead(seq, self.fresh) < 0;
        if !whole || self.done.or(self.seen).has(seq) {
            return;
        }
        let message = self.message(seq);
        if message.resent.is_empty() {
            self.rtt.sample(now.since(message.last));
            self.backoff = 0;
            self.forgive_after(seq);
        }
    }

    /// What was sent once and after `seq` is not lost because it is late: so was `seq`, and it
    /// arrived. A time-out that came too early then costs two fragments and not a window.
    fn forgive_after(&mut self, seq: u32) {
        let mut later = self.again.and(self.late);
        let mut forgiven = false;
        while let Some(other) = later.first(self.oldest) {
            later.take(other);
            if ahead(other, seq) > 0 && self.message(other).path == self.message(seq).path {
                self.change(other, |message| {
                    message.again = message.again.and(message.resent);
                });
                forgiven |= !self.again.has(other);
            }
        }
        if forgiven {
            self.congestion.not_silent();
        }
    }

    /// The peer holds `seq`.
    fn see(&mut self, seq: u32) {
        if self.seen.has(seq) {
            return;
        }
        let flying = self.message(seq).flying().len();
        self.congestion.arrived(flying, self.held_back);
        self.add_flight(seq, flying, 0);
        self.seen.put(seq);
        self.again.take(seq);
        self.late.take(seq);
        self.message_mut(seq).again = FragSet::EMPTY;
    }

    /// The peer held `seq`, and does not any more.
    fn unsee(&mut self, seq: u32) {
        if self.seen.take(seq) {
            let flying = self.message(seq).flying().len();
            self.add_flight(seq, 0, flying);
        }
    }

    /// Nothing more is to be done about `seq`.
    fn settle(&mut self, seq: u32) {
        self.see(seq);
        self.seen.take(seq);
        self.freed.put(seq);
    }

    fn pass_oldest(&mut self) {
        let seq = self.oldest;
        if !self.done.take(seq) {
            self.note_arrived(seq);
            self.settle(seq);
        }
        self.oldest = seq.wrapping_add(1);
    }

    /// Goes on to the first message that is not done, after one before it was acknowledged.
    fn pass_done(&mut self, now: Instant) {
        while self.done.take(self.oldest) {
            self.oldest = self.oldest.wrapping_add(1);
        }
        self.progress = now;
        self.alive = now;
    }

    /// Finds messages of which the peer has nothing, but enough of what was sent after them.
    fn find_overtaken(&mut self) {
        if self.seen.len() < REORDER {
            return;
        }
        let mut seq = self.oldest;
        while self.seen.after(seq, self.oldest) >= REORDER {
            let message = self.message(seq);
            let known = self.done.or(self.seen).or(self.again).has(seq);
            if !known && message.resent.is_empty() && message.have.is_empty() {
                let flying = message.flying();
                if self.seen_after(seq, message.path) >= REORDER {
                    self.counters.overtaken = self.counters.overtaken.wrapping_add(1);
                    self.lose(seq, flying);
                }
            }
            seq = seq.wrapping_add(1);
        }
    }

    /// How many messages the peer holds that went by `path` after `seq`.
    fn seen_after(&self, seq: u32, path: u8) -> u32 {
        let mut rest = self.seen;
        let mut n = 0u32;
        while let Some(other) = rest.first(self.oldest) {
            rest.take(other);
            let counts = ahead(other, seq) > 0 && self.message(other).path == path;
            n = n.saturating_add(u32::from(counts));
        }
        n
    }

    /// How many fragments the peer has of messages that went by `path` after `seq`.
    fn arrived_after(&self, seq: u32, path: u8) -> u32 {
        let mut n = 0u32;
        let mut other = seq.wrapping_add(1);
        while ahead(other, self.begun()) < 0 && n < REORDER {
            let message = self.message(other);
            if message.path == path && !message.moved && !self.done.has(other) {
                n = n.saturating_add(match self.seen.has(other) {
                    true => message.cut.count(),
                    false => message.have.without(message.resent).len(),
                });
            }
            other = other.wrapping_add(1);
        }
        n
    }

    /// Something of `seq` arrived: its path reaches the peer, and longer fragments may pass.
    fn note_arrived(&mut self, seq: u32) {
        let message = self.message_mut(seq);
        message.losses = 0;
        let (path, moved, is_long) = (message.path, message.moved, message.is_long());
        if !moved {
            self.arrived |= 1 << (path & 7);
        }
        if is_long {
            self.recuts = 0;
        }
    }

    /// Fragments of `seq` are lost: they take up no room in the link any more, and are sent again.
    fn lose(&mut self, seq: u32, lost: FragSet) {
        if lost.is_empty() {
            return;
        }
        self.congestion.lost(lost.len());
        self.change(seq, |message| {
            message.again = message.again.or(lost);
            message.losses = message.losses.saturating_add(1);
        });
        self.again.put(seq);
        self.late.take(seq);
    }

    /// Cuts `seq` shorter if it has to be: it was cut before that became known, or it was lost so
    /// often that it may be too long for something on the way.
    fn recut_if_lost(&mut self, seq: u32) {
        let message = self.message(seq);
        let longest = message.cut.each().min(message.cut.length());
        if longest > self.payload() {
            return self.recut(seq, self.payload());
        }
        if message.losses < LOSSES_TO_RECUT || !message.is_long() {
            return;
        }
        self.recuts = self.recuts.saturating_add(1);
        if self.recuts >= RECUTS_TO_REMEMBER {
            self.each_passes = COMMON_PAYLOAD;
        }
        self.recut(seq, COMMON_PAYLOAD);
    }

    fn recut(&mut self, seq: u32, each: u32) {
        self.counters.recut = self.counters.recut.wrapping_add(1);
        self.change(seq, |message| message.recut(each));
        self.again.put(seq);
        if seq == self.fresh {
            self.fresh = seq.wrapping_add(1);
        }
    }

    /// Changes what is known of `seq`, which is neither done nor seen, and keeps the count of what
    /// is under way.
    fn change(&mut self, seq: u32, change: impl FnOnce(&mut Msg)) {
        let message = self.message_mut(seq);
        let before = message.flying().len();
        change(message);
        let after = message.flying().len();
        let sent_again = message.again.is_empty();
        self.add_flight(seq, before, after);
        if sent_again {
            self.again.take(seq);
            self.late.take(seq);
        }
    }

    /// So many fragments of `seq` are not under way any more, and so many are now.
    fn add_flight(&mut self, seq: u32, fewer: u32, more: u32) {
        let path = usize::from(self.message(seq).path);
        if let Some(flight) = self.flight.get_mut(path) {
            *flight = flight.saturating_sub(fewer).saturating_add(more);
        }
    }

    fn message(&self, seq: u32) -> &Msg {
        // `slot()` is below `SLOTS` by its definition, which the compiler sees: no check remains.
        &self.messages[slot(seq)]
    }

    fn message_mut(&mut self, seq: u32) -> &mut Msg {
        &mut self.messages[slot(seq)]
    }
}
