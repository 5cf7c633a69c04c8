// SPDX-License-Identifier: GPL-2.0

//! How messages are cut and put together again, what the receiver says about them, and how much may
//! be under way: the parts of delivery that know fragments, one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use qnet_host_tests::proto::l4::congestion::Congestion;
use qnet_host_tests::proto::l4::cut::{
    Cut,
    FragSet,
    MAX_FRAGMENTS, //
};
use qnet_host_tests::proto::l4::reassembly::{
    Brought,
    Reassembly,
    MAX_GAPS, //
};
use qnet_host_tests::proto::l4::rx::{
    Report,
    Rx,
    RxDrop,
    RxVerdict, //
};
use qnet_host_tests::proto::time::{
    Instant,
    Nanos, //
};
use qnet_host_tests::proto::wire::ack::Range;
use qnet_host_tests::proto::wire::l4::{
    Flags,
    Header,
    Layer,
    PacketType,
    MAX_MESSAGE, //
};

const HOLD: Nanos = Nanos::from_millis(1);

fn at(us: u64) -> Instant {
    Instant::from_nanos(us * 1000)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6375_7473),
        ..ProptestConfig::default()
    }
}

// Cuts.

#[test]
fn the_longest_message_fits_the_smallest_mtu() {
    let cut = Cut::new(MAX_MESSAGE as u32, 576 - 39);
    assert_eq!(cut.each(), 537);
    assert!(cut.count() <= MAX_FRAGMENTS);
    // Shorter ones are widened rather than having more fragments than a set holds.
    assert!(Cut::new(MAX_MESSAGE as u32, 1).count() <= MAX_FRAGMENTS);
    assert_eq!(Cut::new(0, 0).count(), 1);
    assert_eq!(Cut::default().count(), 1);
    assert_eq!(Cut::new(0, 0).fragment(0).length, 0);
}

proptest! {
    #![proptest_config(config(500))]

    /// Fragments follow each other without a gap, and what a range touches is right byte by byte.
    #[test]
    fn a_cut_covers_its_message(
        length in prop_oneof![0..100u32, 0..=MAX_MESSAGE as u32],
        each in prop_oneof![1..100u32, 500..70_000u32],
        offset in 0..70_000u32,
        range in prop_oneof![0..3u32, 0..70_000u32],
    ) {
        let cut = Cut::new(length, each);
        let mut end = 0;
        for index in 0..cut.count() {
            let fragment = cut.fragment(index);
            prop_assert_eq!(fragment.offset, end);
            prop_assert!(fragment.length > 0 || length == 0);
            prop_assert!(fragment.length <= cut.each());
            prop_assert_eq!(fragment.first, index == 0);
            prop_assert_eq!(fragment.last, index + 1 == cut.count());
            end += fragment.length;
            let touches = match length {
                0 => true,
                _ => range > 0 && fragment.offset < offset + range && offset < end,
            };
            prop_assert_eq!(cut.touched(offset, range).has(index), touches);
        }
        prop_assert_eq!(end, length);
        prop_assert_eq!(cut.all().len(), cut.count());
        prop_assert_eq!(cut.bytes(cut.all()), length);
        prop_assert_eq!(cut.length(), length);
        let first = FragSet::one(0);
        prop_assert_eq!(cut.bytes(first), cut.fragment(0).length);
    }

    /// The set against one of the standard library.
    #[test]
    fn a_set_of_fragments_is_a_set(
        a in prop::collection::btree_set(0..MAX_FRAGMENTS, 0..60),
        b in prop::collection::btree_set(0..MAX_FRAGMENTS, 0..60),
        probe in 0..MAX_FRAGMENTS + 10,
        n in 0..MAX_FRAGMENTS + 10,
    ) {
        let make = |model: &BTreeSet<u32>| {
            model.iter().fold(FragSet::EMPTY, |set, index| set.or(FragSet::one(*index)))
        };
        let same = |set: FragSet, model: BTreeSet<u32>| set == make(&model);
        let (x, y) = (make(&a), make(&b));
        prop_assert_eq!(x.len() as usize, a.len());
        prop_assert_eq!(x.is_empty(), a.is_empty());
        prop_assert_eq!(x.first(), a.first().copied());
        prop_assert_eq!(x.has(probe), a.contains(&probe));
        prop_assert_eq!(x.after(probe) as usize, a.iter().filter(|it| **it > probe).count());
        prop_assert!(same(x.or(y), a.union(&b).copied().collect()));
        prop_assert!(same(x.and(y), a.intersection(&b).copied().collect()));
        prop_assert!(same(x.without(y), a.difference(&b).copied().collect()));
        let run = (probe..probe + n).filter(|it| *it < MAX_FRAGMENTS).collect();
        prop_assert!(same(FragSet::run(probe, n), run));
    }
}

// Reassembly.

proptest! {
    #![proptest_config(config(1500))]

    /// Against a map of bytes: what is new, what is missing, and when all is there.
    #[test]
    fn bytes_are_put_together(
        total in 1..400u32,
        pieces in prop::collection::vec((0..420u32, 0..60u32, 0..8u32), 1..120),
    ) {
        let mut parts = Reassembly::new();
        let mut have = vec![false; 1000];
        let mut known = None;
        for (offset, length, last) in pieces {
            // Mostly as an honest sender sends them.
            let (offset, length, last) = match last {
                0..=4 => {
                    let offset = offset % total;
                    let length = length.min(total - offset);
                    (offset, length, offset + length == total)
                }
                5 => (total - length.min(total), length.min(total), true),
                _ => (offset, length, last == 7),
            };
            let (start, end) = (offset as usize, (offset + length) as usize);
            let highest = have.iter().rposition(|it| *it).map_or(0, |it| it + 1);
            let wrong = match known {
                Some(known) => end > known || last && end != known,
                None => last && end < highest,
            };
            let news = have[start..end].iter().any(|it| !it);
            let before: Vec<Range> = parts.missing().collect();
            let brought = parts.insert(offset, length, last);
            match brought {
                Brought::Contradiction => prop_assert!(wrong || length == 0 && !last),
                Brought::Nothing => prop_assert!(!news && (known.is_some() || !last)),
                Brought::Gap => prop_assert!(before.len() >= MAX_GAPS - 1),
                Brought::New => {
                    prop_assert!(!wrong && (news || last && known.is_none()));
                    have[start..end].fill(true);
                    if last {
                        known = Some(end);
                    }
                }
            }
            let gap = have.iter().skip_while(|it| **it).any(|it| *it);
            prop_assert_eq!(parts.has_gap(), gap);
            let end = known.unwrap_or(MAX_MESSAGE);
            let missing: Vec<Range> = parts.missing().collect();
            prop_assert!(missing.len() <= MAX_GAPS);
            let listed = |at: usize| {
                missing.iter().any(|it| (it.offset..it.offset + it.length).contains(&(at as u32)))
            };
            prop_assert!((0..1000).all(|at| listed(at) == (at < end && !have[at])));
            let complete = known.is_some_and(|end| have[..end].iter().all(|it| *it));
            prop_assert_eq!(parts.is_complete(), complete);
            prop_assert_eq!(complete, missing.is_empty());
        }
    }

    /// Fragments of one cut, in any order and with some twice: never refused, and complete with the
    /// last one.
    #[test]
    fn fragments_of_one_cut_always_fit(
        length in 1..=MAX_MESSAGE as u32,
        each in 1..2000u32,
        order in Just((0..MAX_FRAGMENTS).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let cut = Cut::new(length, each);
        let mut parts = Reassembly::default();
        let order: Vec<_> = order.into_iter().filter(|index| *index < cut.count()).collect();
        for index in &order {
            prop_assert!(!parts.is_complete());
            let it = cut.fragment(*index);
            prop_assert_eq!(parts.insert(it.offset, it.length, it.last), Brought::New);
            prop_assert_eq!(parts.insert(it.offset, it.length, it.last), Brought::Nothing);
        }
        prop_assert!(parts.is_complete());
        prop_assert_eq!(parts.missing().next(), None);
    }
}

#[test]
fn a_message_has_sixty_four_gaps_at_the_most() {
    let mut parts = Reassembly::new();
    for n in 0..63 {
        assert_eq!(parts.insert(10 + n * 20, 10, false), Brought::New, "{n}");
    }
    assert_eq!(parts.missing().count(), MAX_GAPS);
    // The end is one of them.
    assert_eq!(parts.insert(5000, 10, false), Brought::Gap);
    assert_eq!(parts.insert(1275, 10, false), Brought::Gap);
    assert_eq!(parts.missing().count(), MAX_GAPS);
    let last = parts.missing().last().unwrap();
    assert_eq!(last.offset + last.length, MAX_MESSAGE as u32);
    // What opens none is taken, and so is the end, in the place of the one that was not known.
    assert_eq!(parts.insert(15, 10, false), Brought::New);
    assert_eq!(parts.insert(5000, 10, true), Brought::New);
    assert_eq!(parts.missing().count(), MAX_GAPS);
    assert_eq!(parts.insert(5000, 11, false), Brought::Contradiction);
    assert_eq!(parts.insert(4000, 10, true), Brought::Contradiction);
}

#[test]
fn an_end_without_bytes_is_an_end() {
    let mut parts = Reassembly::new();
    assert_eq!(parts.insert(0, 0, false), Brought::Contradiction);
    assert_eq!(parts.insert(0, 10, false), Brought::New);
    assert_eq!(parts.insert(10, 0, true), Brought::New);
    assert!(parts.is_complete());
    assert_eq!(parts.insert(10, 0, true), Brought::Nothing);
    assert_eq!(parts.insert(5, 0, true), Brought::Contradiction);
}

// What the receiver says.

/// A fragment of a message of 10 fragments with 100 bytes each.
fn part(seq: u32, index: u32) -> Header {
    Header {
        ptype: PacketType::User,
        flags: Flags::of_fragment(index == 0, index == 9),
        layer: Layer::Kif,
        src_nd_for_dst: 1,
        dst_nd_for_src: 1,
        src_conn_id: 0,
        dst_conn_id: 0,
        seq,
        qos_type: 0,
        src_qos_idx: 0,
        offset: index * 100,
        length: 100,
        crc: 0,
    }
}

#[test]
fn a_message_in_pieces_is_acknowledged_once() {
    let mut rx = Rx::new(1);
    let mut parts = Reassembly::new();
    for index in 0..9 {
        let verdict = rx.arrived(&part(1, index), Some(&mut parts), at(0), HOLD);
        assert_eq!(verdict, RxVerdict::Keep);
        assert_eq!(rx.poll(at(0), HOLD), None);
        assert!(rx.is_partial(1));
    }
    let verdict = rx.arrived(&part(1, 9), Some(&mut parts), at(100), HOLD);
    assert_eq!(verdict, RxVerdict::Deliver);
    assert_eq!((rx.partial(), rx.poll(at(999), HOLD)), (0, None));
    let ack = Some(Report::Ack { cause: 1, next: 2 });
    assert_eq!(rx.poll(at(1000), HOLD), ack);
    assert_eq!((rx.poll(at(9000), HOLD), rx.deadline()), (None, None));
}

#[test]
fn a_hole_is_told_when_three_came_behind_it() {
    let mut rx = Rx::new(1);
    let mut parts = Reassembly::new();
    for (index, told) in [(0, false), (2, false), (3, false), (4, true), (5, false)] {
        rx.arrived(&part(1, index), Some(&mut parts), at(0), HOLD);
        let nack = told.then_some(Report::Nack { seq: 1 });
        assert_eq!(rx.poll(at(0), HOLD), nack, "{index}");
    }
    let missing: Vec<_> = parts.missing().collect();
    assert_eq!(
        missing[0],
        Range {
            offset: 100,
            length: 100
        }
    );
    // Nothing more comes: it is told again, three times, and then is left to the sender.
    let mut told = Vec::new();
    while let Some(due) = rx.deadline() {
        assert_eq!(rx.poll(due, HOLD), Some(Report::Nack { seq: 1 }));
        told.push(due);
    }
    assert_eq!(told, [at(1000), at(2000), at(3000)]);
}

#[test]
fn what_is_repeated_is_told_once_a_while() {
    let mut rx = Rx::new(1);
    let mut parts = Reassembly::new();
    rx.arrived(&part(1, 0), Some(&mut parts), at(0), HOLD);
    let duplicate = RxVerdict::Drop(RxDrop::Duplicate);
    for _ in 0..5 {
        let verdict = rx.arrived(&part(1, 0), Some(&mut parts), at(10), HOLD);
        assert_eq!(verdict, duplicate);
        assert_eq!(rx.poll(at(10), HOLD), None);
    }
    assert_eq!(rx.poll(at(1000), HOLD), Some(Report::Nack { seq: 1 }));
    assert_eq!(rx.poll(at(1000), HOLD), None);
}

#[test]
fn an_earlier_message_that_misses_a_part_is_told_of() {
    let mut rx = Rx::new(1);
    let (mut first, mut second) = (Reassembly::new(), Reassembly::new());
    for index in 0..9 {
        rx.arrived(&part(1, index), Some(&mut first), at(0), HOLD);
    }
    let mut told = Vec::new();
    for index in 0..9 {
        rx.arrived(&part(2, index), Some(&mut second), at(10), HOLD);
        told.extend(rx.poll(at(10), HOLD));
    }
    assert_eq!(told, [Report::Nack { seq: 2 }]);
    let verdict = rx.arrived(&part(2, 9), Some(&mut second), at(10), HOLD);
    assert_eq!(verdict, RxVerdict::Hold);
    assert_eq!(
        rx.poll(at(10), HOLD),
        Some(Report::Ack { cause: 2, next: 1 })
    );
    assert_eq!(rx.poll(at(10), HOLD), Some(Report::Nack { seq: 1 }));
    let verdict = rx.arrived(&part(1, 9), Some(&mut first), at(20), HOLD);
    assert_eq!(verdict, RxVerdict::Deliver);
    assert_eq!((rx.next_ready(), rx.next_ready()), (Some(2), None));
    assert_eq!(
        rx.poll(at(20), HOLD),
        Some(Report::Ack { cause: 1, next: 3 })
    );
}

#[test]
fn a_fragment_that_contradicts_leaves_the_message_as_it_is() {
    let mut rx = Rx::new(1);
    let mut parts = Reassembly::new();
    rx.arrived(&part(1, 9), Some(&mut parts), at(0), HOLD);
    let beyond = Header {
        flags: Flags::LAST,
        offset: 2000,
        ..part(1, 9)
    };
    let fragment = RxVerdict::Drop(RxDrop::Fragment);
    assert_eq!(rx.arrived(&beyond, Some(&mut parts), at(0), HOLD), fragment);
    let empty = Header {
        length: 0,
        ..part(1, 3)
    };
    assert_eq!(rx.arrived(&empty, Some(&mut parts), at(0), HOLD), fragment);
    assert_eq!(rx.partial(), 1);
    // A whole one takes its place.
    let whole = Header {
        flags: Flags::WHOLE,
        layer: Layer::Seq,
        length: 0,
        ..part(1, 0)
    };
    assert_eq!(rx.arrived(&whole, None, at(0), HOLD), RxVerdict::Deliver);
    assert_eq!(rx.partial(), 0);
}

// How much may be under way.

const RTT: Nanos = Nanos::from_millis(1);

fn congestion() -> Congestion {
    let mut it = Congestion::default();
    it.limit(500, 1461);
    it
}

#[test]
fn the_window_doubles_only_while_it_holds_the_sender_back() {
    let mut it = congestion();
    let began = it.window();
    it.arrived(began, false);
    assert_eq!(it.window(), began);
    it.arrived(began, true);
    assert_eq!(it.window(), 2 * began);
    it.arrived(10_000, true);
    assert_eq!(it.window(), 500);
    it.limit(u32::MAX, 65_000);
    assert_eq!(it.window(), 64);
    it.limit(1, 0);
    assert_eq!(it.window(), 2);
}

#[test]
fn room_is_a_limit_and_one_fragment_asks() {
    let mut it = congestion();
    it.set_room(Some(7));
    assert_eq!(it.window(), 7);
    it.set_room(Some(0));
    assert_eq!(it.window(), 1);
    it.set_room(None);
    assert_eq!(it.window(), 64);
}

#[test]
fn a_loss_in_a_hundred_changes_nothing_and_one_in_ten_does() {
    let mut it = congestion();
    it.turn(at(1000), RTT);
    it.arrived(297, false);
    it.lost(3);
    it.turn(at(2000), RTT);
    assert_eq!(it.window(), 64);
    it.arrived(54, false);
    it.lost(6);
    // The round trip is not over.
    it.turn(at(2500), RTT);
    assert_eq!(it.window(), 64);
    it.turn(at(3000), RTT);
    assert_eq!(it.window(), 48);
    // From there on by one each round trip.
    it.arrived(47, true);
    assert_eq!(it.window(), 48);
    it.arrived(1, true);
    assert_eq!(it.window(), 49);
    for n in 1..30 {
        it.lost(50);
        it.turn(at(3000 + n * 1000), RTT);
    }
    assert_eq!(it.window(), 24);
}

#[test]
fn silence_starts_from_little_and_is_remembered_for_a_while() {
    let slow = Nanos::from_secs(240);
    let mut it = congestion();
    it.silence(64, false, at(0), slow);
    assert_eq!(it.window(), 2);
    it.arrived(30, true);
    assert_eq!(it.window(), 32);
    // Half of what was under way: from here on carefully.
    it.arrived(20, true);
    assert_eq!(it.window(), 32);
    it.turn(at(2_000_000), RTT);
    it.arrived(20, true);
    assert_eq!(it.window(), 52);

    // Twice in a row is remembered for long.
    it.silence(52, false, at(3_000_000), slow);
    it.silence(2, true, at(3_010_000), slow);
    it.arrived(24, true);
    it.turn(at(9_000_000), RTT);
    it.arrived(20, true);
    assert_eq!(it.window(), 26);
    it.turn(at(244_000_000), RTT);
    it.arrived(20, true);
    assert_eq!(it.window(), 46);

    // A mere delay is taken back, and without slow mode nothing is remembered.
    it.silence(46, false, at(245_000_000), slow);
    it.not_silent();
    it.not_silent();
    assert_eq!(it.window(), 46);
    it.silence(46, false, at(246_000_000), Nanos::ZERO);
    it.arrived(40, true);
    assert_eq!(it.window(), 42);
}

#[test]
fn what_the_window_allows_leaves_in_bursts() {
    let mut it = congestion();
    let mut now = at(1000);
    let mut left = 0;
    while let Ok(n) = it.allowance(now, RTT) {
        assert!(n <= 64);
        it.leaves();
        left += 1;
    }
    assert_eq!(left, 64);
    // Two windows a round trip: 128 in a millisecond, whenever it is asked.
    let mut left = 0;
    while now < at(2000) {
        match it.allowance(now, RTT) {
            Ok(_) => {
                it.leaves();
                left += 1;
            }
            Err(due) => {
                assert!(due >= now.after(Nanos::from_micros(90)), "{due:?} {now:?}");
                now = due;
                assert!(it.allowance(now, RTT).is_ok());
            }
        }
    }
    assert!((115..=141).contains(&left), "{left}");
}

proptest! {
    #![proptest_config(config(500))]

    /// Whatever the window and the round trip, the pause that is told is long enough, and none is
    /// for ever.
    #[test]
    fn a_pause_ends(
        window in 1..5000u32,
        nanos in prop_oneof![0..1000u64, 0..1_000_000_000u64, 0..100_000_000_000u64],
        start in any::<u32>(),
    ) {
        let mut it = Congestion::new();
        it.set_room(Some(window));
        let round_trip = Nanos(nanos);
        let mut now = Instant::from_nanos(u64::from(start));
        for _ in 0..300 {
            match it.allowance(now, round_trip) {
                Ok(_) => it.leaves(),
                Err(due) => {
                    prop_assert!(due > now);
                    prop_assert!(due.since(now) <= round_trip.plus(Nanos::from_micros(100)));
                    now = due;
                    prop_assert!(it.allowance(now, round_trip).is_ok());
                }
            }
        }
    }
}
