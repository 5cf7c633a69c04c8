// SPDX-License-Identifier: GPL-2.0

//! The two halves of delivery, one by one: numbers and their sets, the round trip, the sender, the
//! receiver, the rate limit.

use std::collections::{
    BTreeMap,
    BTreeSet, //
};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use qnet_host_tests::proto::l4::reassembly::Reassembly;
use qnet_host_tests::proto::l4::rtt::Rtt;
use qnet_host_tests::proto::l4::rx::{
    Report,
    Rx,
    RxDrop,
    RxVerdict, //
};
use qnet_host_tests::proto::l4::timers::Timers;
use qnet_host_tests::proto::l4::tx::{
    AckDrop,
    Piece,
    TimedOut,
    Tx,
    COMMON_PAYLOAD, //
};
use qnet_host_tests::proto::l4::window::{
    ahead,
    slot,
    SeqSet,
    W, //
};
use qnet_host_tests::proto::qos::config::Config;
use qnet_host_tests::proto::qos::limit::RateLimit;
use qnet_host_tests::proto::time::{
    earliest,
    Instant,
    Nanos, //
};
use qnet_host_tests::proto::wire::ack::Range;
use qnet_host_tests::proto::wire::l4::{
    Flags,
    Header,
    Layer,
    PacketType, //
};

const HOLD: Nanos = Nanos::from_millis(1);

/// `us` microseconds after the clock began.
fn at(us: u64) -> Instant {
    Instant::from_nanos(us * 1000)
}

fn timers() -> Timers {
    Timers::new(&Config::DEFAULT)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6c34),
        ..ProptestConfig::default()
    }
}

/// Where numbering starts: as on the wire, and where it wraps soon.
fn starts() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1u32), Just(u32::MAX - 20), Just(0), any::<u32>()]
}

// Time.

#[test]
fn times_do_not_overflow() {
    assert_eq!(Nanos::MAX.plus(Nanos::from_secs(1)), Nanos::MAX);
    assert_eq!(Nanos::from_secs(u64::MAX), Nanos::MAX);
    assert_eq!(Nanos::from_secs(1).minus(Nanos::from_secs(2)), Nanos::ZERO);
    assert_eq!(Nanos::MAX.times(3), Nanos::MAX);
    assert_eq!(Nanos(3).doubled(2), Nanos(12));
    assert_eq!(Nanos(3).doubled(63), Nanos::MAX);
    assert_eq!(Nanos(3).doubled(64), Nanos::MAX);
    assert_eq!(Nanos::ZERO.doubled(64), Nanos::ZERO);
    assert_eq!(at(5).since(at(7)), Nanos::ZERO);
    let end = Instant::from_nanos(u64::MAX);
    assert_eq!(end.after(Nanos(1)), end);
    assert_eq!(earliest(Some(at(2)), Some(at(1))), Some(at(1)));
    assert_eq!(earliest(None, Some(at(1))), Some(at(1)));
    assert_eq!(earliest(Some(at(2)), None), Some(at(2)));
    assert_eq!(earliest(None, None), None);
}

#[test]
fn options_of_any_size_make_timers() {
    let cfg = Config {
        tick: Nanos::MAX,
        conn_est_retries: u32::MAX,
        conn_est_timeout: u32::MAX,
        tx_retries: u32::MAX,
        tx_ticks: u32::MAX,
        conn_up_idle: u32::MAX,
        conn_up_retries: u32::MAX,
        max_tx_bufs: u32::MAX,
        slow_mode: u32::MAX,
        ack_hold: Nanos::MAX,
    };
    assert_eq!(Timers::new(&cfg).bound, Nanos::MAX);
    let t = timers();
    assert_eq!(t.margin, Nanos::from_millis(3));
    assert_eq!(t.cap, Nanos::from_millis(200));
    assert_eq!(t.bound, Nanos::from_millis(5200));
    assert_eq!((t.step, t.attempts), (Nanos::from_millis(200), 2));
    assert_eq!((t.idle, t.pings), (Nanos::from_secs(10), 6));
    assert_eq!(
        (t.most_fragments, t.slow_mode),
        (500, Nanos::from_secs(240))
    );
}

// Numbers.

#[test]
fn numbers_are_compared_by_their_difference() {
    assert_eq!(ahead(5, 3), 2);
    assert_eq!(ahead(3, 5), -2);
    assert_eq!(ahead(1, u32::MAX), 2);
    assert_eq!(ahead(u32::MAX, 1), -2);
    assert_eq!(slot(u32::MAX), 63);
    assert_eq!(slot(0), 0);
}

proptest! {
    #![proptest_config(config(500))]

    /// The set against one of the standard library.
    #[test]
    fn a_set_of_numbers_is_a_set(
        start in starts(),
        ops in prop::collection::vec((any::<bool>(), 0..W), 0..100),
        probe in 0..W,
    ) {
        let mut set = SeqSet::EMPTY;
        let mut model = BTreeSet::new();
        for (put, n) in ops {
            let seq = start.wrapping_add(n);
            if put {
                set.put(seq);
                model.insert(n);
            } else {
                prop_assert_eq!(set.take(seq), model.remove(&n));
            }
            prop_assert_eq!(set.len() as usize, model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            let first = model.first().map(|n| start.wrapping_add(*n));
            prop_assert_eq!(set.first(start), first);
        }
        let seq = start.wrapping_add(probe);
        prop_assert_eq!(set.has(seq), model.contains(&probe));
        let after = model.iter().filter(|n| **n > probe).count();
        prop_assert_eq!(set.after(seq, start) as usize, after);
        let run = SeqSet::run(start, probe);
        prop_assert_eq!(run.len(), probe);
        prop_assert_eq!(run.first(start), (probe > 0).then_some(start));
        let left = model.iter().filter(|n| **n >= probe).count();
        prop_assert_eq!(set.without(run).len() as usize, left);
    }

    /// The time-out is never below the margin, and never below the round trip.
    #[test]
    fn a_time_out_is_long_enough(samples in prop::collection::vec(0..500_000_000u64, 0..50)) {
        let mut rtt = Rtt::new();
        prop_assert!(rtt.timeout(timers().margin) >= timers().margin);
        for sample in samples {
            rtt.sample(Nanos(sample));
            let timeout = rtt.timeout(timers().margin);
            prop_assert!(timeout >= timers().margin);
            let smoothed = rtt.smoothed().unwrap();
            prop_assert!(timeout >= smoothed.plus(timers().margin));
        }
    }
}

#[test]
fn a_run_of_w_numbers_is_all_of_them() {
    assert_eq!(SeqSet::run(7, W).len(), W);
    assert_eq!(SeqSet::run(7, 0), SeqSet::EMPTY);
}

#[test]
fn the_round_trip_is_smoothed_as_in_rfc_6298() {
    let mut rtt = Rtt::new();
    assert_eq!(rtt.smoothed(), None);
    rtt.sample(Nanos::from_millis(80));
    assert_eq!(rtt.smoothed(), Some(Nanos::from_millis(80)));
    assert_eq!(rtt.timeout(HOLD), Nanos::from_millis(80 + 4 * 40));
    rtt.sample(Nanos::from_millis(160));
    assert_eq!(rtt.smoothed(), Some(Nanos::from_millis(90)));
    assert_eq!(rtt.timeout(HOLD), Nanos::from_millis(90 + 4 * 50));
    rtt.sample(Nanos::MAX);
    rtt.sample(Nanos::MAX);
    assert!(rtt.timeout(HOLD) > Nanos::from_secs(1));
}

// The receiver.

fn data(seq: u32) -> Header {
    Header {
        ptype: PacketType::User,
        flags: Flags::WHOLE,
        layer: Layer::Kif,
        src_nd_for_dst: 1,
        dst_nd_for_src: 1,
        src_conn_id: 0,
        dst_conn_id: 0,
        seq,
        qos_type: 0,
        src_qos_idx: 0,
        offset: 0,
        length: 1,
        crc: 0,
    }
}

fn arrive(rx: &mut Rx, seq: u32, now: Instant) -> RxVerdict {
    rx.arrived(&data(seq), None, now, HOLD)
}

/// The cause and the number wanted of an ACK, if one is due.
fn poll_ack(rx: &mut Rx, now: Instant) -> Option<(u32, u32)> {
    match rx.poll(now, HOLD) {
        Some(Report::Ack { cause, next }) => Some((cause, next)),
        Some(Report::Nack { seq }) => panic!("NACK of {seq}"),
        None => None,
    }
}

#[test]
fn an_ack_is_held_back_for_the_hold_time() {
    let mut rx = Rx::new(1);
    assert_eq!(rx.deadline(), None);
    assert_eq!(arrive(&mut rx, 1, at(0)), RxVerdict::Deliver);
    assert_eq!(arrive(&mut rx, 2, at(600)), RxVerdict::Deliver);
    assert_eq!(rx.next_ready(), None);
    // From the first that wants one.
    assert_eq!(rx.deadline(), Some(at(1000)));
    assert_eq!(poll_ack(&mut rx, at(999)), None);
    assert_eq!(poll_ack(&mut rx, at(1000)), Some((2, 3)));
    assert_eq!(poll_ack(&mut rx, at(5000)), None);
    assert_eq!(rx.deadline(), None);
}

#[test]
fn the_sixteenth_message_is_acknowledged_at_once() {
    let mut rx = Rx::new(1);
    for seq in 1..16 {
        arrive(&mut rx, seq, at(0));
        assert_eq!(poll_ack(&mut rx, at(0)), None);
    }
    arrive(&mut rx, 16, at(0));
    assert_eq!(poll_ack(&mut rx, at(0)), Some((16, 17)));
    for seq in 17..32 {
        arrive(&mut rx, seq, at(0));
        assert_eq!(poll_ack(&mut rx, at(0)), None);
    }
}

#[test]
fn a_duplicate_is_acknowledged_at_once() {
    let mut rx = Rx::new(1);
    for seq in 1..=5 {
        arrive(&mut rx, seq, at(0));
    }
    poll_ack(&mut rx, at(1000));
    let duplicate = RxVerdict::Drop(RxDrop::Duplicate);
    assert_eq!(arrive(&mut rx, 3, at(1001)), duplicate);
    assert_eq!(poll_ack(&mut rx, at(1001)), Some((3, 6)));
}

#[test]
fn a_gap_and_its_end_are_acknowledged_at_once() {
    let mut rx = Rx::new(1);
    assert_eq!(arrive(&mut rx, 2, at(0)), RxVerdict::Hold);
    assert_eq!(poll_ack(&mut rx, at(0)), Some((2, 1)));
    assert_eq!(arrive(&mut rx, 4, at(0)), RxVerdict::Hold);
    assert_eq!(poll_ack(&mut rx, at(0)), Some((4, 1)));
    let duplicate = RxVerdict::Drop(RxDrop::Duplicate);
    assert_eq!(arrive(&mut rx, 4, at(0)), duplicate);
    assert_eq!(poll_ack(&mut rx, at(0)), Some((4, 1)));
    assert_eq!(rx.held(), 2);
    assert_eq!(arrive(&mut rx, 1, at(0)), RxVerdict::Deliver);
    assert_eq!(rx.next_ready(), Some(2));
    assert_eq!(rx.next_ready(), None);
    assert_eq!(poll_ack(&mut rx, at(0)), Some((1, 3)));
    assert_eq!(arrive(&mut rx, 3, at(0)), RxVerdict::Deliver);
    assert_eq!(rx.next_ready(), Some(4));
    assert_eq!(poll_ack(&mut rx, at(0)), Some((3, 5)));
    assert_eq!(rx.held(), 0);
}

#[test]
fn an_answer_takes_the_place_of_the_ack_if_nothing_else_wants_one() {
    let mut rx = Rx::new(1);
    arrive(&mut rx, 1, at(0));
    rx.answering(1);
    assert_eq!(rx.deadline(), None);
    assert_eq!(poll_ack(&mut rx, at(9000)), None);

    arrive(&mut rx, 2, at(0));
    arrive(&mut rx, 3, at(0));
    rx.answering(3);
    assert_eq!(rx.deadline(), Some(at(1000)));
    rx.answering(2);
    assert_eq!(rx.deadline(), None);

    // The answer to one does not take back what a duplicate asks for.
    arrive(&mut rx, 4, at(0));
    arrive(&mut rx, 4, at(0));
    rx.answering(4);
    assert_eq!(poll_ack(&mut rx, at(0)), Some((4, 5)));
}

#[test]
fn answers_to_what_is_long_past_change_nothing() {
    let mut rx = Rx::new(1);
    for seq in 1..=100 {
        arrive(&mut rx, seq, at(0));
        poll_ack(&mut rx, at(1000));
    }
    arrive(&mut rx, 101, at(2000));
    // The same slot of the window, one window and two ago, and what did not come yet.
    rx.answering(101 - W);
    rx.answering(101u32.wrapping_sub(2 * W));
    rx.answering(101 + W);
    rx.answering(102);
    assert_eq!(rx.deadline(), Some(at(3000)));
}

#[test]
fn the_window_has_two_edges() {
    let window = RxVerdict::Drop(RxDrop::Window);
    let mut rx = Rx::new(1000);
    assert_eq!(arrive(&mut rx, 1000 + W, at(0)), window);
    assert_eq!(arrive(&mut rx, 1000 - W - 1, at(0)), window);
    assert_eq!(arrive(&mut rx, 1000 ^ (1 << 31), at(0)), window);
    assert_eq!(poll_ack(&mut rx, at(9000)), None);
    assert_eq!(arrive(&mut rx, 1000 + W - 1, at(0)), RxVerdict::Hold);
    let duplicate = RxVerdict::Drop(RxDrop::Duplicate);
    assert_eq!(arrive(&mut rx, 1000 - W, at(0)), duplicate);
}

#[test]
fn fragments_without_a_memory_of_their_message_are_refused_and_leave_no_trace() {
    let mut rx = Rx::new(1);
    for (flags, offset) in [
        (Flags::FIRST, 0),
        (Flags::LAST, 7),
        (Flags::NONE, 7),
        (Flags::FIRST.union(Flags::CRC), 0),
    ] {
        let h = Header {
            flags,
            offset,
            ..data(1)
        };
        let fragment = RxVerdict::Drop(RxDrop::Fragment);
        assert_eq!(rx.arrived(&h, None, at(0), HOLD), fragment);
    }
    assert_eq!((rx.poll(at(9000), HOLD), rx.partial()), (None, 0));
    let h = Header {
        flags: Flags::WHOLE.union(Flags::CRC),
        ..data(1)
    };
    assert_eq!(rx.arrived(&h, None, at(0), HOLD), RxVerdict::Deliver);
}

proptest! {
    #![proptest_config(config(500))]

    /// Whatever arrives in whatever order: delivery is the sequence without a gap, each once.
    #[test]
    fn delivery_is_in_order_and_once(
        start in starts(),
        arrivals in prop::collection::vec(0..150u32, 0..400),
    ) {
        let mut rx = Rx::new(start);
        let mut next = 0u32;
        let mut held = BTreeSet::new();
        for n in arrivals {
            let seq = start.wrapping_add(n);
            let verdict = arrive(&mut rx, seq, at(0));
            if n == next {
                prop_assert_eq!(verdict, RxVerdict::Deliver);
                next += 1;
                while let Some(ready) = rx.next_ready() {
                    prop_assert_eq!(ready, start.wrapping_add(next));
                    prop_assert!(held.remove(&next));
                    next += 1;
                }
                prop_assert!(!held.contains(&next));
            } else if n > next && n < next + W && !held.contains(&n) {
                prop_assert_eq!(verdict, RxVerdict::Hold);
                held.insert(n);
            } else if held.contains(&n) || (n < next && n + W >= next) {
                prop_assert_eq!(verdict, RxVerdict::Drop(RxDrop::Duplicate));
            } else {
                prop_assert_eq!(verdict, RxVerdict::Drop(RxDrop::Window));
            }
            prop_assert_eq!(rx.held() as usize, held.len());
            if let Some((_, wanted)) = poll_ack(&mut rx, at(0)) {
                prop_assert_eq!(wanted, start.wrapping_add(next));
            }
        }
    }
}

// The sender.

/// Pushes and transmits `n` messages at once.
fn fly(tx: &mut Tx, n: u32, now: Instant) {
    for _ in 0..n {
        let seq = tx.push(100).expect("there is room");
        assert_eq!(poll(tx, now), Some((seq, true)));
    }
    assert_eq!(poll(tx, now), None);
}

/// The next message to transmit, of which each is one fragment, and whether it is the first time.
fn poll(tx: &mut Tx, now: Instant) -> Option<(u32, bool)> {
    let piece = tx.poll(now, Some(0))?;
    assert!(piece.fragment.first && piece.fragment.last);
    assert_eq!(piece.path, 0);
    Some((piece.seq, !piece.again))
}

/// Whether nothing is overdue, or the oldest message was.
fn retries(tx: &mut Tx, now: Instant) -> bool {
    match tx.timed_out(now, &timers()) {
        TimedOut::No => false,
        TimedOut::Retry { path } => {
            assert_eq!(path, 0);
            true
        }
        TimedOut::Failed => panic!("the link has failed"),
    }
}

/// A NACK of `length` bytes from `offset` on.
fn missed(tx: &mut Tx, seq: u32, offset: u32, length: u32, us: u64) -> Result<(), AckDrop> {
    tx.missed(
        seq,
        core::iter::once(Range { offset, length }),
        at(us),
        HOLD,
    )
}

fn freed(tx: &mut Tx) -> Vec<u32> {
    std::iter::from_fn(|| tx.poll_freed()).collect()
}

fn sent(tx: &mut Tx, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| poll(tx, now).map(|(seq, _)| seq)).collect()
}

/// A sender that knows its link: a round trip of 100 microseconds.
fn sender(first: u32) -> Tx {
    let mut tx = Tx::new(first);
    for _ in 0..50 {
        tx.measured(Nanos::from_micros(100));
    }
    tx
}

#[test]
fn the_window_is_64_messages() {
    for start in [1, u32::MAX - 5] {
        let mut tx = Tx::new(start);
        for n in 0..W {
            assert_eq!(tx.push(100), Some(start.wrapping_add(n)));
        }
        assert!(!tx.can_push());
        assert_eq!(tx.push(100), None);
        assert_eq!(sent(&mut tx, at(0)).len(), W as usize);
        assert_eq!(tx.unacknowledged(), W);
        tx.acknowledged(start, start.wrapping_add(1), at(9))
            .unwrap();
        // Not before the caller knows: it keeps messages by their slot.
        assert!(!tx.can_push());
        assert_eq!(freed(&mut tx), [start]);
        assert_eq!(tx.push(100), Some(start.wrapping_add(W)));
        assert!(!tx.can_push());
    }
}

#[test]
fn an_ack_frees_all_before_what_it_wants() {
    let mut tx = Tx::new(u32::MAX);
    fly(&mut tx, 5, at(0));
    tx.acknowledged(0, 1, at(9)).unwrap();
    assert_eq!(freed(&mut tx), [u32::MAX, 0]);
    assert_eq!(tx.unacknowledged(), 3);
    assert_eq!(tx.acknowledged(0, 1, at(9)), Ok(()));
    assert_eq!(tx.acknowledged(u32::MAX, 0, at(9)), Err(AckDrop::Old));
    assert_eq!(freed(&mut tx), []);
}

#[test]
fn an_ack_of_what_was_never_sent_is_refused() {
    let mut tx = Tx::new(1);
    assert_eq!(tx.acknowledged(1, 1, at(0)), Err(AckDrop::Future));
    assert_eq!(tx.acknowledged(0, 2, at(0)), Err(AckDrop::Future));
    fly(&mut tx, 2, at(0));
    tx.push(100).unwrap();
    assert_eq!(tx.acknowledged(2, 4, at(0)), Err(AckDrop::Future));
    assert_eq!(tx.acknowledged(3, 1, at(0)), Err(AckDrop::Future));
    let far = 1u32.wrapping_add(1 << 31);
    assert_eq!(tx.acknowledged(1, far, at(0)), Err(AckDrop::Future));
    let behind = far.wrapping_add(5);
    assert_eq!(tx.acknowledged(1, behind, at(0)), Err(AckDrop::Old));
    assert_eq!(tx.unacknowledged(), 3);
}

#[test]
fn an_answer_acknowledges_one_message_only() {
    let mut tx = sender(1);
    fly(&mut tx, 3, at(0));
    tx.answered(2, at(100));
    assert_eq!(freed(&mut tx), [2]);
    assert_eq!(tx.unacknowledged(), 2);
    // Twice is once.
    tx.answered(2, at(100));
    assert_eq!(freed(&mut tx), []);
    // The oldest waits for its own acknowledgement, from when it was sent.
    assert_eq!(tx.deadline(&timers()), Some(at(3100)));
    tx.answered(1, at(100));
    assert_eq!(freed(&mut tx), [1]);
    // Now the third is the oldest, since just now.
    assert_eq!(tx.deadline(&timers()), Some(at(3200)));
    tx.acknowledged(3, 4, at(300)).unwrap();
    assert_eq!(freed(&mut tx), [3]);
    assert_eq!(tx.deadline(&timers()), None);
    assert_eq!(tx.take_counters().answered, 2);
}

#[test]
fn an_answered_message_is_not_sent_again() {
    let mut tx = sender(1);
    fly(&mut tx, 3, at(0));
    assert!(retries(&mut tx, at(3100)));
    tx.answered(1, at(3100));
    tx.answered(2, at(3100));
    // The third is no longer late either: those before it were as late.
    assert_eq!(sent(&mut tx, at(3100)), []);
    assert!(!retries(&mut tx, at(6099)));
    assert_eq!(sent(&mut tx, at(6099)), []);
}

#[test]
fn answers_to_what_was_not_sent_change_nothing() {
    let mut tx = sender(1);
    tx.push(100).unwrap();
    tx.answered(1, at(0));
    tx.answered(0, at(0));
    tx.answered(77, at(0));
    assert_eq!(tx.unacknowledged(), 1);
    assert_eq!(freed(&mut tx), []);
}

#[test]
fn the_time_out_doubles_up_to_a_tick() {
    let mut tx = sender(1);
    fly(&mut tx, 1, at(0));
    let mut last = at(0);
    let mut waits = Vec::new();
    loop {
        let due = tx.deadline(&timers()).unwrap();
        assert!(!retries(&mut tx, Instant::from_nanos(due.as_nanos() - 1)));
        assert_eq!(poll(&mut tx, due), None);
        if tx.timed_out(due, &timers()) == TimedOut::Failed {
            assert_eq!(due, at(5_200_000));
            break;
        }
        assert_eq!(poll(&mut tx, due), Some((1, false)));
        waits.push(due.since(last).as_nanos() / 1000);
        last = due;
    }
    assert_eq!(waits[..7], [3100, 6200, 12400, 24800, 49600, 99200, 198400]);
    assert!(waits[7..].iter().all(|wait| *wait == 200_000));
    assert_eq!(waits.len(), 31);
}

#[test]
fn a_message_that_was_sent_twice_gives_no_round_trip() {
    let mut tx = sender(1);
    let before = tx.rtt().smoothed();
    fly(&mut tx, 1, at(0));
    assert!(retries(&mut tx, at(3100)));
    assert_eq!(poll(&mut tx, at(3100)), Some((1, false)));
    tx.acknowledged(1, 2, at(3200)).unwrap();
    assert_eq!(tx.rtt().smoothed(), before);
    // The time-out stays doubled until a round trip can be told.
    freed(&mut tx);
    fly(&mut tx, 1, at(4000));
    assert_eq!(tx.deadline(&timers()), Some(at(4000 + 6200)));
    tx.acknowledged(2, 3, at(4100)).unwrap();
    assert_eq!(tx.rtt().smoothed(), before);
    freed(&mut tx);
    fly(&mut tx, 1, at(5000));
    assert_eq!(tx.deadline(&timers()), Some(at(5000 + 3100)));
}

#[test]
fn a_peer_further_away_than_assumed_is_measured_in_the_end() {
    let mut tx = Tx::new(1);
    let rtt = Nanos::from_millis(150);
    let mut now = at(0);
    for seq in 1..20 {
        fly(&mut tx, 1, now);
        let answer = now.after(rtt);
        while tx.deadline(&timers()).unwrap() < answer {
            now = tx.deadline(&timers()).unwrap();
            assert!(retries(&mut tx, now));
            sent(&mut tx, now);
        }
        now = answer;
        tx.acknowledged(seq, seq + 1, now).unwrap();
        freed(&mut tx);
        if tx.rtt().smoothed().is_some() {
            assert_eq!(tx.rtt().smoothed(), Some(rtt));
            return;
        }
    }
    panic!("never measured");
}

#[test]
fn three_later_messages_at_the_peer_make_one_lost() {
    let mut tx = sender(1);
    fly(&mut tx, 6, at(0));
    tx.acknowledged(1, 2, at(100)).unwrap();
    for cause in [3, 4] {
        tx.acknowledged(cause, 2, at(100)).unwrap();
        assert_eq!(poll(&mut tx, at(100)), None);
    }
    tx.acknowledged(5, 2, at(100)).unwrap();
    assert_eq!(poll(&mut tx, at(100)), Some((2, false)));
    // Once: if that is lost as well, only the time-out tells.
    tx.acknowledged(6, 2, at(100)).unwrap();
    assert_eq!(poll(&mut tx, at(100)), None);
    assert!(retries(&mut tx, at(3200)));
    // And then those that the peer holds are not sent.
    assert_eq!(sent(&mut tx, at(3200)), [2]);
    tx.acknowledged(2, 7, at(3300)).unwrap();
    assert_eq!(freed(&mut tx), [1, 2, 3, 4, 5, 6]);
    let counters = tx.take_counters();
    assert_eq!((counters.overtaken, counters.resent), (1, 2));
}

#[test]
fn answers_are_no_sign_of_a_loss() {
    let mut tx = sender(1);
    fly(&mut tx, 10, at(0));
    for seq in 2..=10 {
        tx.answered(seq, at(100));
    }
    // Nor with an ACK that tells nothing else.
    tx.acknowledged(0, 1, at(100)).unwrap();
    assert_eq!(poll(&mut tx, at(100)), None);
    assert_eq!(tx.deadline(&timers()), Some(at(3100)));
}

#[test]
fn a_silent_peer_is_sent_two_messages_a_time_out() {
    let mut tx = sender(1);
    fly(&mut tx, W, at(0));
    assert!(retries(&mut tx, at(3100)));
    assert_eq!(sent(&mut tx, at(3100)), [1, 2]);
    assert!(retries(&mut tx, at(9300)));
    assert_eq!(sent(&mut tx, at(9300)), [1, 2]);
    // Each that is acknowledged lets two more go.
    tx.acknowledged(2, 3, at(9400)).unwrap();
    assert_eq!(sent(&mut tx, at(9400)), [3, 4, 5, 6]);
    tx.acknowledged(6, 7, at(9500)).unwrap();
    assert_eq!(sent(&mut tx, at(9500)), [7, 8, 9, 10, 11, 12, 13, 14]);
}

#[test]
fn a_time_out_that_came_too_early_is_taken_back() {
    let mut tx = sender(1);
    fly(&mut tx, W, at(0));
    assert!(retries(&mut tx, at(3100)));
    assert_eq!(sent(&mut tx, at(3100)), [1, 2]);
    // The sixteenth was sent once, and arrived: the rest is late and not lost.
    tx.acknowledged(16, 17, at(3200)).unwrap();
    assert_eq!(sent(&mut tx, at(3200)), []);
    assert_eq!(tx.take_counters().resent, 2);
}

#[test]
fn a_nack_has_its_message_sent_at_once() {
    let mut tx = sender(1);
    fly(&mut tx, 3, at(0));
    // It could still be under way, ...
    missed(&mut tx, 2, 0, 1, 99).unwrap();
    assert_eq!(sent(&mut tx, at(99)), []);
    // ... and now it can not.
    missed(&mut tx, 2, 0, 1, 1000).unwrap();
    assert_eq!(sent(&mut tx, at(1000)), [2]);
    assert_eq!(missed(&mut tx, 4, 0, 1, 1000), Err(AckDrop::Future));
    assert_eq!(missed(&mut tx, 0, 0, 1, 1000), Err(AckDrop::Old));
    tx.answered(3, at(1000));
    assert_eq!(missed(&mut tx, 3, 0, 1, 1000), Err(AckDrop::Old));
    // A peer that claimed to hold it, and lost it, may ask for it.
    tx.acknowledged(2, 1, at(1100)).unwrap();
    missed(&mut tx, 2, 0, 1, 2000).unwrap();
    assert_eq!(sent(&mut tx, at(2000)), [2]);
}

#[test]
fn what_the_peer_held_and_lost_is_sent_when_its_turn_comes() {
    let mut tx = sender(1);
    fly(&mut tx, 2, at(0));
    tx.acknowledged(2, 1, at(100)).unwrap();
    tx.acknowledged(1, 2, at(200)).unwrap();
    assert_eq!(freed(&mut tx), [1]);
    let due = tx.deadline(&timers()).unwrap();
    assert!(retries(&mut tx, due));
    assert_eq!(sent(&mut tx, due), [2]);
}

#[test]
fn what_was_never_sent_does_not_time_out() {
    let mut tx = Tx::new(1);
    tx.push(100).unwrap();
    assert_eq!(tx.deadline(&timers()), None);
    assert!(!retries(&mut tx, Instant::from_nanos(u64::MAX)));
}

#[test]
fn a_restart_forgets_all_but_the_counters() {
    let mut tx = sender(1);
    fly(&mut tx, 3, at(0));
    tx.answered(1, at(9));
    tx.restart(1, &timers());
    assert_eq!(tx.unacknowledged(), 0);
    assert_eq!(freed(&mut tx), []);
    assert_eq!(tx.rtt().smoothed(), None);
    assert_eq!(tx.push(100), Some(1));
    assert_eq!(tx.take_counters().answered, 1);
    assert_eq!(tx.take_counters(), Default::default());
}

/// What may be done to a sender.
#[derive(Clone, Debug)]
enum Op {
    Push(u32),
    Poll(u8),
    /// Cause and number wanted, counted from the oldest.
    Ack(i32, i32),
    Answer(i32),
    /// The message, counted from the oldest, and ranges of it.
    Miss(i32, Vec<(u32, u32)>),
    Wait(u64),
    Fire,
    Free,
    GiveUp(i32),
    Payload(u32),
    Move(u8, u8),
    Room(Option<u32>),
}

fn op() -> impl Strategy<Value = Op> {
    let range = (0..70_000u32, 1..30_000u32);
    prop_oneof![
        4 => prop_oneof![Just(0u32), 1..2000u32, 0..=65_700u32].prop_map(Op::Push),
        8 => (0..3u8).prop_map(Op::Poll),
        2 => (-70..70i32, -70..70i32).prop_map(|(a, b)| Op::Ack(a, b)),
        1 => (-70..70i32).prop_map(Op::Answer),
        2 => (-3..20i32, prop::collection::vec(range, 0..5)).prop_map(|(n, r)| Op::Miss(n, r)),
        1 => (0..400_000u64).prop_map(Op::Wait),
        1 => Just(Op::Fire),
        2 => Just(Op::Free),
        1 => (-3..70i32).prop_map(Op::GiveUp),
        1 => prop_oneof![Just(537u32), Just(COMMON_PAYLOAD), 500..9000u32, Just(65_496)]
            .prop_map(Op::Payload),
        1 => (0..3u8, 0..3u8).prop_map(|(a, b)| Op::Move(a, b)),
        1 => prop::option::of(0..100_000u32).prop_map(Op::Room),
    ]
}

/// A message as the caller of a sender keeps it.
struct Kept {
    seq: u32,
    length: u32,
    sent: BTreeSet<u32>,
    transmitted: bool,
}

proptest! {
    #![proptest_config(config(1000))]

    /// Against a peer that says anything: each message is freed once, only after it was sent, none
    /// that is free is sent again, no number is given twice, fragments lie within their messages,
    /// and the count of what is under way is right.
    #[test]
    fn a_sender_keeps_its_books(start in starts(), ops in prop::collection::vec(op(), 0..300)) {
        let mut tx = Tx::new(start);
        let mut now = at(0);
        let mut alive = BTreeMap::new();
        let mut acknowledged = BTreeSet::new();
        let mut pushed = 0u32;
        let mut oldest = start;
        for op in ops {
            match op {
                Op::Push(length) => {
                    if let Some(seq) = tx.push(length) {
                        prop_assert_eq!(seq, start.wrapping_add(pushed));
                        let kept = Kept { seq, length, sent: BTreeSet::new(), transmitted: false };
                        prop_assert!(alive.insert(slot(seq), kept).is_none());
                        pushed += 1;
                    } else {
                        prop_assert!(!tx.can_push());
                    }
                }
                Op::Poll(path) => {
                    if let Some(Piece { seq, fragment, again, .. }) = tx.poll(now, Some(path)) {
                        let kept = alive.get_mut(&slot(seq)).unwrap();
                        prop_assert_eq!(kept.seq, seq);
                        prop_assert!(!acknowledged.contains(&seq));
                        let end = fragment.offset + fragment.length;
                        prop_assert!(end <= kept.length);
                        prop_assert!(fragment.length <= tx.payload().max(kept.length.div_ceil(128)));
                        prop_assert_eq!(fragment.first, fragment.offset == 0);
                        prop_assert_eq!(fragment.last, end == kept.length);
                        prop_assert!(kept.sent.insert(fragment.offset) || again);
                        kept.transmitted = true;
                    }
                }
                Op::Ack(cause, wanted) => {
                    let cause = oldest.wrapping_add_signed(cause);
                    let wanted = oldest.wrapping_add_signed(wanted);
                    if tx.acknowledged(cause, wanted, now).is_ok() {
                        while oldest != wanted {
                            acknowledged.insert(oldest);
                            oldest = oldest.wrapping_add(1);
                        }
                    }
                }
                Op::Answer(n) => {
                    let seq = oldest.wrapping_add_signed(n);
                    let was = tx.unacknowledged();
                    tx.answered(seq, now);
                    if tx.unacknowledged() != was {
                        prop_assert!(acknowledged.insert(seq));
                    }
                }
                Op::Miss(n, ranges) => {
                    let ranges = ranges.into_iter();
                    let ranges = ranges.map(|(offset, length)| Range { offset, length });
                    let _ = tx.missed(oldest.wrapping_add_signed(n), ranges, now, HOLD);
                }
                Op::Wait(us) => now = now.after(Nanos::from_micros(us)),
                Op::Fire => {
                    let _ = tx.timed_out(now, &timers());
                }
                Op::Free => {
                    if let Some(seq) = tx.poll_freed() {
                        let kept = alive.remove(&slot(seq)).unwrap();
                        prop_assert_eq!(kept.seq, seq);
                        prop_assert!(kept.transmitted);
                        prop_assert!(acknowledged.contains(&seq));
                    }
                }
                Op::GiveUp(n) => {
                    let seq = oldest.wrapping_add_signed(n);
                    let could = tx.give_up(seq);
                    let open = seq.wrapping_sub(oldest) < start.wrapping_add(pushed).wrapping_sub(oldest);
                    prop_assert_eq!(could, open && !acknowledged.contains(&seq));
                    if could {
                        let kept = alive.get_mut(&slot(seq)).unwrap();
                        kept.length = 0;
                    }
                }
                Op::Payload(bytes) => tx.set_fragment(bytes, &timers()),
                Op::Move(from, to) => tx.move_path(from, to, now),
                Op::Room(room) => tx.set_room(room),
            }
            while acknowledged.contains(&oldest) {
                oldest = oldest.wrapping_add(1);
            }
            prop_assert!(tx.is_sound(), "{:?}", tx);
            prop_assert!(tx.unacknowledged() <= W);
            let timeout = tx.timeout(&timers());
            prop_assert!(timeout >= timers().margin);
        }
        // Whatever was said, nothing is lost: an honest peer still gets the rest.
        let mut rounds = 0;
        let mut came: BTreeMap<u32, Reassembly> = BTreeMap::new();
        let mut wanted = oldest;
        while tx.unacknowledged() > 0 {
            // A second is more than any pause.
            now = now.after(Nanos::from_secs(1));
            let patient = Timers { bound: Nanos::MAX, ..timers() };
            let _ = tx.timed_out(now, &patient);
            while let Some(Piece { seq, fragment, .. }) = tx.poll(now, Some(0)) {
                let parts = came.entry(seq).or_default();
                if fragment.first && fragment.last {
                    *parts = Reassembly::new();
                }
                parts.insert(fragment.offset, fragment.length, fragment.last);
            }
            while came.get(&wanted).is_some_and(Reassembly::is_complete) || acknowledged.contains(&wanted) {
                wanted = wanted.wrapping_add(1);
            }
            if tx.acknowledged(wanted.wrapping_sub(1), wanted, now).is_err() {
                wanted = wanted.wrapping_add(1);
            }
            if let Some(parts) = came.get(&wanted) {
                let _ = tx.missed(wanted, parts.missing(), now, HOLD);
            }
            prop_assert!(tx.is_sound(), "{:?}", tx);
            rounds += 1;
            prop_assert!(rounds <= 8000, "{:?}", tx);
        }
        prop_assert_eq!(tx.flight(), &[0; 8]);
    }
}

// The limit.

#[test]
fn a_limit_holds_in_every_second() {
    let mut limit = RateLimit::<10>::new();
    let mut allowed = Vec::new();
    for ms in 0..5000u64 {
        let now = at(ms * 1000);
        // Bursts at odd times.
        for _ in 0..(ms * 7919 % 5) {
            if limit.allow(now) {
                allowed.push(ms);
            }
        }
    }
    assert!(allowed.len() >= 50);
    for window in allowed.windows(11) {
        assert!(window[10] - window[0] >= 1000);
    }
    let mut never = RateLimit::<0>::new();
    assert!(!never.allow(at(0)));
}
