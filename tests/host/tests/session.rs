// SPDX-License-Identifier: GPL-2.0

//! Sessions by hand, frame by frame: the handshake, its ids, and what is refused in which state.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use std::collections::BTreeMap;

use qnet_host_tests::proto::l4::cut::Fragment;
use qnet_host_tests::proto::l4::reassembly::Reassembly;
use qnet_host_tests::proto::l4::window::W;
use qnet_host_tests::proto::names::Policy;
use qnet_host_tests::proto::qos::config::Config;
use qnet_host_tests::proto::qos::session::{
    AckDrop,
    ControlDrop,
    ControlVerdict,
    DownReason,
    Event,
    LocalIds,
    Piece,
    RxDrop,
    RxVerdict,
    Session,
    State,
    Transmit,
    Via, //
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
    PacketType, //
};

const CFG: Config = Config::DEFAULT;
const A: LocalIds = LocalIds {
    conn_id: 0x5a17_0001,
    nd: 2,
};
const B: LocalIds = LocalIds {
    conn_id: 0x31c4_0001,
    nd: 5,
};
const TAKEN: ControlVerdict = ControlVerdict::Taken;
const STEP: Nanos = Nanos::from_millis(200);
/// When the frame of a step without an answer is sent again, in milliseconds: the second attempt begins
/// in the middle.
const REPEATED: [u64; 5] = [100, 150, 200, 300, 350];

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn after(ids: LocalIds, n: u32) -> LocalIds {
    LocalIds {
        conn_id: ids.conn_id + n,
        ..ids
    }
}

fn other_life(ids: LocalIds) -> LocalIds {
    LocalIds {
        conn_id: ids.conn_id ^ 0x0100_0000,
        ..ids
    }
}

/// The next frame of a session, which must be one.
fn next(session: &mut Session, now: Instant) -> Header {
    let (transmit, via) = session.poll_transmit(now).expect("there is a frame");
    assert!(matches!(via, Via::Path(0) | Via::Every(1)), "{via:?}");
    session.header(&transmit, Layer::Kif, 7)
}

/// The next frame of a session, which must be of that type and the last one.
fn only(session: &mut Session, ptype: PacketType, now: Instant) -> Header {
    let h = next(session, now);
    assert_eq!(h.ptype, ptype);
    assert_eq!(session.poll_transmit(now), None);
    h
}

/// A session with one path and no connection.
fn new() -> Session {
    let mut session = Session::new();
    session.add_path(0, true, at(0));
    session
}

fn init_of(ids: LocalIds) -> Header {
    let mut session = new();
    session.open(ids, at(0), &CFG);
    only(&mut session, PacketType::TcsInit, at(0))
}

/// Two sessions with a connection that `A` opened, at `now`.
fn connect(a: &mut Session, b: &mut Session, ids: (LocalIds, LocalIds), now: Instant) {
    a.open(ids.0, now, &CFG);
    let init = only(a, PacketType::TcsInit, now);
    assert_eq!(b.on_init(ids.1, &init, false, 0, now, &CFG), TAKEN);
    let rem_up = only(b, PacketType::TcsRemUp, now);
    assert_eq!(a.on_control(&rem_up, 0, now), TAKEN);
    let up = only(a, PacketType::TcsUp, now);
    assert_eq!(b.on_control(&up, 0, now), TAKEN);
    while a.poll_event().is_some() || b.poll_event().is_some() {}
}

fn pair() -> (Session, Session) {
    let (mut a, mut b) = (new(), new());
    connect(&mut a, &mut b, (A, B), at(0));
    (a, b)
}

#[test]
fn a_session_is_modest() {
    let size = core::mem::size_of::<Session>();
    // Most of it are the 64 messages of the window, of each of which three sets of 128 fragments.
    assert!(size <= 8192, "{size} bytes");
}

#[test]
fn the_handshake_field_by_field() {
    let (mut a, mut b) = (new(), new());
    a.open(A, at(0), &CFG);
    assert_eq!(a.state(), State::Opening);
    assert_eq!(a.poll_event(), None);
    let init = next(&mut a, at(0));
    let expected = Header {
        ptype: PacketType::TcsInit,
        flags: Flags::WHOLE,
        layer: Layer::Kif,
        src_nd_for_dst: A.nd,
        dst_nd_for_src: 0,
        src_conn_id: A.conn_id,
        dst_conn_id: 0,
        seq: 0,
        qos_type: 0,
        src_qos_idx: 0,
        offset: 0,
        length: 7,
        crc: 0,
    };
    assert_eq!(init, expected);

    assert_eq!(b.on_init(B, &init, false, 0, at(1), &CFG), TAKEN);
    assert_eq!(b.state(), State::Accepted);
    assert_eq!(b.local(), B);
    assert_eq!((b.peer_conn_id(), b.peer_nd_for_us()), (A.conn_id, A.nd));
    assert_eq!(b.poll_event(), None);
    let rem_up = only(&mut b, PacketType::TcsRemUp, at(1));
    let expected = Header {
        ptype: PacketType::TcsRemUp,
        src_nd_for_dst: B.nd,
        dst_nd_for_src: A.nd,
        src_conn_id: B.conn_id,
        dst_conn_id: A.conn_id,
        length: 0,
        ..expected
    };
    assert_eq!(rem_up, expected);

    assert_eq!(a.on_control(&rem_up, 0, at(2)), TAKEN);
    assert_eq!(a.state(), State::Up);
    assert_eq!(a.poll_event(), Some(Event::Up));
    assert_eq!(a.rtt(), Some(Nanos::from_millis(2)));
    let up = only(&mut a, PacketType::TcsUp, at(2));
    assert_eq!((up.src_conn_id, up.dst_conn_id), (A.conn_id, B.conn_id));
    assert_eq!((up.src_nd_for_dst, up.dst_nd_for_src), (A.nd, B.nd));

    assert_eq!(b.on_control(&up, 0, at(3)), TAKEN);
    assert_eq!(b.state(), State::Up);
    assert_eq!(b.poll_event(), Some(Event::Up));
    assert_eq!(b.rtt(), Some(Nanos::from_millis(2)));
    // Nothing is left to do but to ask, some day, whether the peer lives.
    let idle = |heard: u64| Some(at(heard + 10_000));
    assert_eq!((a.poll_timeout(), b.poll_timeout()), (idle(2), idle(3)));
}

#[test]
fn messages_wait_for_the_connection() {
    let mut a = new();
    assert_eq!(a.push(7), None);
    a.open(A, at(0), &CFG);
    assert_eq!((a.push(7), a.push(7)), (Some(1), Some(2)));
    let init = only(&mut a, PacketType::TcsInit, at(0));
    let mut b = new();
    b.on_init(B, &init, false, 0, at(0), &CFG);
    assert_eq!(b.push(7), Some(1));
    let rem_up = only(&mut b, PacketType::TcsRemUp, at(0));
    a.on_control(&rem_up, 0, at(0));
    assert_eq!(next(&mut a, at(0)).ptype, PacketType::TcsUp);
    let first = next(&mut a, at(0));
    assert_eq!((first.ptype, first.seq), (PacketType::User, 1));
    let (second, via) = a.poll_transmit(at(0)).unwrap();
    let expected = Transmit::Piece(Piece {
        seq: 2,
        fragment: Fragment {
            offset: 0,
            length: 7,
            first: true,
            last: true,
        },
        path: 0,
        again: false,
    });
    assert_eq!((second, via), (expected, Via::Path(0)));
    assert_eq!(a.poll_transmit(at(0)), None);

    // UP was lost; data does as well.
    assert_eq!(b.on_data(&first, 0, None, at(0)), RxVerdict::Deliver);
    assert_eq!(b.poll_event(), Some(Event::Up));
    assert_eq!(b.state(), State::Up);
    assert_eq!(only(&mut b, PacketType::User, at(0)).seq, 1);
}

#[test]
fn the_same_init_gets_the_same_answer() {
    let (mut a, mut b) = (new(), new());
    a.open(A, at(0), &CFG);
    a.open(after(A, 1), at(0), &CFG);
    assert_eq!(a.local(), A);
    let init = only(&mut a, PacketType::TcsInit, at(0));
    b.on_init(B, &init, false, 0, at(0), &CFG);
    let first = only(&mut b, PacketType::TcsRemUp, at(0));
    assert_eq!(b.on_init(after(B, 1), &init, false, 0, at(1), &CFG), TAKEN);
    let second = only(&mut b, PacketType::TcsRemUp, at(1));
    assert_eq!(first, second);
    a.on_control(&first, 0, at(2));
    let up = only(&mut a, PacketType::TcsUp, at(2));
    // The second REM_UP gets an UP again, as the first may have been lost.
    assert_eq!(a.on_control(&second, 0, at(3)), TAKEN);
    assert_eq!(only(&mut a, PacketType::TcsUp, at(3)), up);
    b.on_control(&up, 0, at(3));
    assert_eq!(b.on_control(&up, 0, at(3)), TAKEN);
    assert_eq!(b.on_init(after(B, 2), &init, false, 0, at(4), &CFG), TAKEN);
    assert_eq!(only(&mut b, PacketType::TcsRemUp, at(4)), first);
    assert_eq!((a.poll_event(), a.poll_event()), (Some(Event::Up), None));
    assert_eq!((b.poll_event(), b.poll_event()), (Some(Event::Up), None));
}

#[test]
fn an_unanswered_init_is_sent_in_two_attempts_of_three_frames() {
    let mut a = new();
    a.open(A, at(0), &CFG);
    a.push(7).unwrap();
    let init = only(&mut a, PacketType::TcsInit, at(0));
    for due in REPEATED {
        assert_eq!(a.poll_timeout(), Some(at(due)));
        a.on_timer(at(due - 1));
        assert_eq!(a.poll_transmit(at(due - 1)), None);
        a.on_timer(at(due));
        assert_eq!(only(&mut a, PacketType::TcsInit, at(due)), init);
    }
    assert_eq!(a.poll_timeout(), Some(at(400)));
    a.on_timer(at(400));
    let down = Event::Down(DownReason::Unreachable);
    assert_eq!((a.state(), a.poll_event()), (State::Closed, Some(down)));
    assert_eq!(a.poll_transmit(at(400)), None);
    assert_eq!(a.poll_timeout(), None);
    assert_eq!(a.unacknowledged(), 0);

    // A second handshake that was repeated gives no round trip.
    a.open(after(A, 1), at(500), &CFG);
    only(&mut a, PacketType::TcsInit, at(500));
    a.on_timer(at(700));
    let init = only(&mut a, PacketType::TcsInit, at(700));
    let mut b = new();
    b.on_init(B, &init, false, 0, at(700), &CFG);
    a.on_control(&only(&mut b, PacketType::TcsRemUp, at(700)), 0, at(701));
    assert_eq!((a.state(), a.rtt()), (State::Up, None));
    assert_eq!(a.push(7), Some(1));
}

#[test]
fn options_of_the_handshake() {
    let cfg = Config {
        conn_est_retries: 3,
        conn_est_timeout: 2,
        ..CFG
    };
    let mut a = new();
    a.open(A, at(0), &cfg);
    let mut inits = 0;
    while let Some(due) = a.poll_timeout() {
        let init = Some((Transmit::Init, Via::Path(0)));
        inits += usize::from(a.poll_transmit(due) == init);
        a.on_timer(due);
        if a.poll_event().is_some() {
            assert_eq!(due, at(1600));
        }
    }
    assert_eq!(inits, 4 * 3);
}

#[test]
fn an_answerer_without_up_gives_up() {
    let mut b = new();
    b.on_init(B, &init_of(A), false, 0, at(0), &CFG);
    let rem_up = only(&mut b, PacketType::TcsRemUp, at(0));
    for due in REPEATED {
        b.on_timer(at(due));
        assert_eq!(only(&mut b, PacketType::TcsRemUp, at(due)), rem_up);
    }
    b.on_timer(at(400));
    let down = Event::Down(DownReason::Unreachable);
    assert_eq!((b.state(), b.poll_event()), (State::Closed, Some(down)));
    // The opener may be up since long and have nothing to say.
    let down = only(&mut b, PacketType::TcsDown, at(400));
    assert_eq!(down.dst_conn_id, A.conn_id);
    // The INIT may come again, from an opener that is more patient.
    assert_eq!(b.on_init(B, &init_of(A), false, 0, at(401), &CFG), TAKEN);
    assert_eq!(b.state(), State::Accepted);
}

#[test]
fn of_crossed_inits_the_smaller_node_s_counts() {
    let (mut small, mut great) = (new(), new());
    small.open(A, at(0), &CFG);
    great.open(B, at(0), &CFG);
    small.push(7).unwrap();
    great.push(7).unwrap();
    let from_small = only(&mut small, PacketType::TcsInit, at(0));
    let from_great = only(&mut great, PacketType::TcsInit, at(0));
    let crossed = ControlVerdict::Drop(ControlDrop::Crossed);
    let verdict = small.on_init(after(A, 1), &from_great, true, 0, at(1), &CFG);
    assert_eq!(verdict, crossed);
    assert_eq!(small.state(), State::Opening);
    let verdict = great.on_init(after(B, 1), &from_small, false, 0, at(1), &CFG);
    assert_eq!(verdict, TAKEN);
    assert_eq!(great.state(), State::Accepted);
    assert_eq!(great.local(), B);
    let rem_up = only(&mut great, PacketType::TcsRemUp, at(1));
    assert_eq!(small.on_control(&rem_up, 0, at(2)), TAKEN);
    assert_eq!(next(&mut small, at(2)).ptype, PacketType::TcsUp);
    // The greater one's INIT, late: it has the id of the connection that is up.
    let verdict = small.on_init(after(A, 1), &from_great, true, 0, at(3), &CFG);
    assert_eq!(verdict, crossed);
    let message = next(&mut small, at(2));
    assert_eq!(great.on_data(&message, 0, None, at(3)), RxVerdict::Deliver);
    assert_eq!(great.poll_event(), Some(Event::Up));
    let message = only(&mut great, PacketType::User, at(3));
    assert_eq!(small.on_data(&message, 0, None, at(4)), RxVerdict::Deliver);
    assert_eq!(
        (small.poll_event(), small.poll_event()),
        (Some(Event::Up), None)
    );
}

#[test]
fn the_answer_to_our_init_beats_a_late_init_of_the_peer() {
    // The smaller peer gave its INIT up and then answered ours; the two frames arrive in the wrong
    // order.
    let mut great = new();
    great.open(B, at(0), &CFG);
    let init = only(&mut great, PacketType::TcsInit, at(0));
    assert_eq!(
        great.on_init(after(B, 1), &init_of(A), false, 0, at(1), &CFG),
        TAKEN
    );
    only(&mut great, PacketType::TcsRemUp, at(1));
    let mut small = new();
    small.on_init(after(A, 1), &init, true, 0, at(0), &CFG);
    let rem_up = only(&mut small, PacketType::TcsRemUp, at(0));
    assert_eq!(great.on_control(&rem_up, 0, at(2)), TAKEN);
    assert_eq!(great.state(), State::Up);
    assert_eq!(great.peer_conn_id(), A.conn_id + 1);
    let up = only(&mut great, PacketType::TcsUp, at(2));
    assert_eq!(small.on_control(&up, 0, at(3)), TAKEN);
    assert_eq!(small.state(), State::Up);
}

#[test]
fn a_new_life_ends_the_old_connection() {
    let (_, mut b) = pair();
    b.push(7).unwrap();
    let again = other_life(A);
    let ids = after(B, 1);
    assert_eq!(
        b.on_init(ids, &init_of(again), false, 0, at(9), &CFG),
        TAKEN
    );
    // Until the caller knows, nothing of the old connection meets anything of the new one.
    assert_eq!(b.push(7), None);
    let down = Event::Down(DownReason::PeerRestarted);
    assert_eq!((b.poll_event(), b.poll_event()), (Some(down), None));
    assert_eq!((b.state(), b.local()), (State::Accepted, ids));
    assert_eq!(b.unacknowledged(), 0);
    assert_eq!(b.push(7), Some(1));
    only(&mut b, PacketType::TcsRemUp, at(9));
    // The INIT of the life before, once more.
    let stale = ControlVerdict::Drop(ControlDrop::Stale);
    for id in [A, after(A, 1), after(A, 900)] {
        let verdict = b.on_init(after(B, 2), &init_of(id), false, 0, at(10), &CFG);
        assert_eq!(verdict, stale);
    }
    assert_eq!((b.state(), b.local()), (State::Accepted, ids));
}

#[test]
fn data_of_a_new_connection_waits_until_the_end_of_the_old_one_is_known() {
    let (_, mut b) = pair();
    let mut a = new();
    a.open(other_life(A), at(1), &CFG);
    a.push(7).unwrap();
    let init = only(&mut a, PacketType::TcsInit, at(1));
    b.on_init(after(B, 1), &init, false, 0, at(1), &CFG);
    a.on_control(&only(&mut b, PacketType::TcsRemUp, at(1)), 0, at(1));
    assert_eq!(next(&mut a, at(1)).ptype, PacketType::TcsUp);
    let message = only(&mut a, PacketType::User, at(1));
    let dropped = RxVerdict::Drop(RxDrop::State);
    assert_eq!(b.on_data(&message, 0, None, at(1)), dropped);
    let restarted = Event::Down(DownReason::PeerRestarted);
    assert_eq!((b.poll_event(), b.poll_event()), (Some(restarted), None));
    assert_eq!(b.on_data(&message, 0, None, at(1)), RxVerdict::Deliver);
    assert_eq!(b.poll_event(), Some(Event::Up));
}

#[test]
fn a_newer_connection_of_the_same_life_replaces_and_an_older_does_not() {
    let (mut a, mut b) = (new(), new());
    connect(&mut a, &mut b, (after(A, 7), B), at(0));
    let stale = ControlVerdict::Drop(ControlDrop::Stale);
    let verdict = b.on_init(after(B, 1), &init_of(after(A, 6)), false, 0, at(1), &CFG);
    assert_eq!(verdict, stale);
    assert_eq!(b.state(), State::Up);
    let verdict = b.on_init(after(B, 1), &init_of(after(A, 8)), false, 0, at(1), &CFG);
    assert_eq!(verdict, TAKEN);
    assert_eq!(b.poll_event(), Some(Event::Down(DownReason::PeerDown)));
    // One that is half open is replaced without a word: nothing went over it.
    let verdict = b.on_init(after(B, 2), &init_of(after(A, 9)), false, 0, at(2), &CFG);
    assert_eq!(verdict, TAKEN);
    assert_eq!(b.poll_event(), None);
    assert_eq!(b.local(), after(B, 1));
    assert_eq!(b.peer_conn_id(), A.conn_id + 9);
    // After a while the counter says nothing, as others use it up.
    let (_, mut b) = pair();
    let verdict = b.on_init(
        after(B, 1),
        &init_of(after(A, 40_000)),
        false,
        0,
        at(9),
        &CFG,
    );
    assert_eq!(verdict, stale);
    let verdict = b.on_init(
        after(B, 1),
        &init_of(after(A, 40_000)),
        false,
        0,
        at(31_000),
        &CFG,
    );
    assert_eq!(verdict, TAKEN);
}

#[test]
fn closing_takes_down_and_its_answer() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    a.close(at(0));
    assert_eq!(a.state(), State::Closing);
    let local = Event::Down(DownReason::Local);
    assert_eq!((a.poll_event(), a.poll_event()), (Some(local), None));
    assert_eq!(a.push(7), None);
    let down = only(&mut a, PacketType::TcsDown, at(0));
    a.close(at(0));
    assert_eq!(a.poll_event(), None);

    assert_eq!(b.on_control(&down, 0, at(1)), TAKEN);
    assert_eq!(b.state(), State::Closed);
    assert_eq!(b.poll_event(), Some(Event::Down(DownReason::PeerDown)));
    let rem_down = only(&mut b, PacketType::TcsRemDown, at(1));
    assert_eq!(rem_down.dst_conn_id, A.conn_id);
    assert_eq!(rem_down.src_conn_id, B.conn_id);
    // The connection is dead: a DOWN for it is harmless, and so is any other frame.
    let ids = ControlVerdict::Drop(ControlDrop::Ids);
    assert_eq!(b.on_control(&down, 0, at(2)), ids);
    assert_eq!((b.poll_event(), b.poll_transmit(at(2))), (None, None));

    assert_eq!(a.on_control(&rem_down, 0, at(2)), TAKEN);
    assert_eq!((a.state(), a.poll_timeout()), (State::Closed, None));
    assert_eq!(a.on_control(&rem_down, 0, at(3)), ids);
    assert_eq!((a.poll_event(), a.poll_transmit(at(3))), (None, None));
    connect(&mut a, &mut b, (after(A, 1), after(B, 1)), at(4));
    assert_eq!((a.push(7), b.push(7)), (Some(1), Some(1)));
}

#[test]
fn closing_without_an_answer_ends_by_itself() {
    let (mut a, _) = pair();
    a.close(at(0));
    only(&mut a, PacketType::TcsDown, at(0));
    for due in REPEATED {
        a.on_timer(at(due));
        only(&mut a, PacketType::TcsDown, at(due));
    }
    a.on_timer(at(400));
    assert_eq!(a.state(), State::Closed);
    assert_eq!(a.poll_event(), Some(Event::Down(DownReason::Local)));
    assert_eq!(a.poll_event(), None);
    assert_eq!((a.poll_timeout(), a.poll_transmit(at(400))), (None, None));
}

#[test]
fn closing_may_be_cut_short_by_a_new_connection() {
    let (mut a, _) = pair();
    a.close(at(0));
    a.open(after(A, 1), at(1), &CFG);
    assert_eq!(a.push(7), None);
    assert_eq!(a.poll_event(), Some(Event::Down(DownReason::Local)));
    assert_eq!(a.push(7), Some(1));
    only(&mut a, PacketType::TcsInit, at(1));

    let (mut a, _) = pair();
    a.close(at(0));
    while a.poll_event().is_some() {}
    let verdict = a.on_init(after(A, 1), &init_of(after(B, 1)), true, 0, at(1), &CFG);
    assert_eq!(verdict, TAKEN);
    assert_eq!((a.state(), a.poll_event()), (State::Accepted, None));
}

#[test]
fn both_may_close_at_once() {
    let (mut a, mut b) = pair();
    a.close(at(0));
    b.close(at(0));
    let down_a = only(&mut a, PacketType::TcsDown, at(0));
    let down_b = only(&mut b, PacketType::TcsDown, at(0));
    assert_eq!(a.on_control(&down_b, 0, at(1)), TAKEN);
    assert_eq!(b.on_control(&down_a, 0, at(1)), TAKEN);
    assert_eq!((a.state(), b.state()), (State::Closed, State::Closed));
    only(&mut a, PacketType::TcsRemDown, at(1));
    only(&mut b, PacketType::TcsRemDown, at(1));
    let local = Some(Event::Down(DownReason::Local));
    assert_eq!((a.poll_event(), a.poll_event()), (local, None));
}

#[test]
fn closing_what_is_not_open() {
    let mut a = new();
    a.close(at(0));
    assert_eq!((a.poll_event(), a.poll_transmit(at(0))), (None, None));
    a.open(A, at(0), &CFG);
    a.close(at(1));
    assert_eq!(a.state(), State::Closed);
    assert_eq!(a.poll_event(), Some(Event::Down(DownReason::Local)));
    assert_eq!((a.poll_transmit(at(1)), a.poll_timeout()), (None, None));
}

#[test]
fn down_from_a_peer_that_has_lost_the_connection() {
    let (mut a, _) = pair();
    a.push(7).unwrap();
    let message = only(&mut a, PacketType::User, at(0));
    let down = Header {
        ptype: PacketType::TcsDown,
        src_conn_id: message.dst_conn_id,
        dst_conn_id: message.src_conn_id,
        seq: 0,
        ..message
    };
    assert_eq!(a.on_control(&down, 0, at(1)), TAKEN);
    assert_eq!(a.poll_event(), Some(Event::Down(DownReason::PeerDown)));
    assert_eq!((a.poll_freed(), a.unacknowledged()), (None, 0));
}

#[test]
fn frames_with_other_ids_match_nothing() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    let message = only(&mut a, PacketType::User, at(0));
    assert!(b.matches(&message));
    for wrong in [
        Header {
            src_conn_id: A.conn_id + 1,
            ..message
        },
        Header {
            dst_conn_id: B.conn_id + 1,
            ..message
        },
        Header {
            dst_conn_id: 0,
            ..message
        },
        Header {
            src_conn_id: other_life(A).conn_id,
            ..message
        },
    ] {
        assert!(!b.matches(&wrong));
        let dropped = RxVerdict::Drop(RxDrop::State);
        assert_eq!(b.on_data(&wrong, 0, None, at(0)), dropped);
        assert_eq!(b.on_ack(&wrong, None, 0, at(0)), Err(AckDrop::State));
        assert_eq!(
            b.on_nack(&wrong, core::iter::empty(), 0, at(0)),
            Err(AckDrop::State)
        );
        for ptype in [
            PacketType::TcsRemUp,
            PacketType::TcsUp,
            PacketType::TcsDown,
            PacketType::TcsRemDown,
        ] {
            let h = Header { ptype, ..wrong };
            let verdict = b.on_control(&h, 0, at(0));
            assert!(matches!(verdict, ControlVerdict::Drop(_)), "{h:?}");
        }
    }
    assert_eq!((b.state(), b.poll_event()), (State::Up, None));
    assert_eq!(b.poll_transmit(at(0)), None);
}

#[test]
fn an_init_with_bad_ids_is_dropped() {
    let mut b = new();
    let ids = ControlVerdict::Drop(ControlDrop::Ids);
    let init = init_of(A);
    for h in [
        Header {
            src_conn_id: 0x0000_1234,
            ..init
        },
        Header {
            dst_conn_id: 1,
            ..init
        },
    ] {
        assert_eq!(b.on_init(B, &h, false, 0, at(0), &CFG), ids);
    }
    let verdict = b.on_control(&init, 0, at(0));
    assert_eq!(verdict, ControlVerdict::Drop(ControlDrop::Type));
    assert_eq!(b.state(), State::Closed);
}

#[test]
fn frames_that_make_no_sense_in_a_state() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    let message = only(&mut a, PacketType::User, at(0));
    let to_b = |ptype| Header { ptype, ..message };
    let state = ControlVerdict::Drop(ControlDrop::State);
    assert_eq!(b.on_control(&to_b(PacketType::TcsRemUp), 0, at(0)), state);
    assert_eq!(b.on_control(&to_b(PacketType::TcsRemDown), 0, at(0)), state);
    b.push(7).unwrap();
    let message = only(&mut b, PacketType::User, at(0));
    let to_a = |ptype| Header { ptype, ..message };
    assert_eq!(a.on_control(&to_a(PacketType::TcsUp), 0, at(0)), state);
    // While it closes, no message is taken any more.
    b.close(at(0));
    while b.poll_event().is_some() {}
    let dropped = RxVerdict::Drop(RxDrop::State);
    assert_eq!(b.on_data(&to_b(PacketType::User), 0, None, at(0)), dropped);
    assert_eq!(
        b.on_ack(&to_b(PacketType::Ack), None, 0, at(0)),
        Err(AckDrop::State)
    );
}

#[test]
fn an_ack_and_a_nack_reach_the_sender() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    a.push(7).unwrap();
    let first = next(&mut a, at(0));
    let second = next(&mut a, at(0));
    assert_eq!(b.on_data(&second, 0, None, at(0)), RxVerdict::Hold);
    let ack = only(&mut b, PacketType::Ack, at(0));
    assert_eq!((ack.seq, ack.offset, ack.length), (2, 1, 0));
    assert_eq!(ack.layer, Layer::Kif);
    assert_eq!(a.on_ack(&ack, None, 0, at(0)), Ok(()));
    let nack = Header {
        ptype: PacketType::Nack,
        seq: 1,
        ..ack
    };
    let range = Range {
        offset: 0,
        length: 7,
    };
    let missing = || core::iter::once(range);
    // At once it may still be under way, a while later it is lost.
    assert_eq!(a.on_nack(&nack, missing(), 0, at(0)), Ok(()));
    assert_eq!(a.poll_transmit(at(0)), None);
    assert_eq!(a.on_nack(&nack, missing(), 0, at(1)), Ok(()));
    let again = only(&mut a, PacketType::User, at(1));
    assert_eq!(again, first);
    assert_eq!(b.on_data(&again, 0, None, at(0)), RxVerdict::Deliver);
    assert_eq!((b.next_ready(), b.next_ready()), (Some(2), None));
    let ack = only(&mut b, PacketType::Ack, at(0));
    assert_eq!((ack.seq, ack.offset), (1, 3));
    assert_eq!(a.on_ack(&ack, None, 0, at(0)), Ok(()));
    assert_eq!((a.poll_freed(), a.poll_freed()), (Some(1), Some(2)));
    assert_eq!(a.poll_freed(), None);
    assert_eq!(a.poll_timeout(), Some(at(10_000)));
    assert_eq!(a.take_counters().resent, 1);
}

#[test]
fn a_failed_link_is_told_and_the_peer_too() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    let mut now = at(0);
    while a.state() == State::Up {
        while a.poll_transmit(now).is_some() {}
        now = a.poll_timeout().expect("something is under way");
        a.on_timer(now);
    }
    assert_eq!(now, at(5200));
    // The peer is told once, as it may not hear it; nothing waits for its answer.
    assert_eq!((a.state(), a.poll_timeout()), (State::Closed, None));
    let failed = Event::Down(DownReason::LinkFailed);
    assert_eq!((a.poll_event(), a.poll_event()), (Some(failed), None));
    let down = only(&mut a, PacketType::TcsDown, now);
    assert_eq!(b.on_control(&down, 0, now), TAKEN);
    assert_eq!(b.poll_event(), Some(Event::Down(DownReason::PeerDown)));
    connect(&mut a, &mut b, (after(A, 1), after(B, 1)), now);
    assert_eq!(a.push(7), Some(1));
}

#[test]
fn early_timers_do_no_harm() {
    let (mut a, mut b) = pair();
    a.push(7).unwrap();
    let message = only(&mut a, PacketType::User, at(0));
    b.on_data(&message, 0, None, at(0));
    for us in 0..999 {
        let now = Instant::from_nanos(us * 1000);
        a.on_timer(now);
        b.on_timer(now);
        assert_eq!(a.poll_transmit(now), None);
        assert_eq!(b.poll_transmit(now), None);
    }
    assert_eq!(b.poll_timeout(), Some(at(1)));
    only(&mut b, PacketType::Ack, at(1));
    assert!(a.poll_timeout().unwrap() >= at(3));
}

/// What may be done to a session.
#[derive(Clone, Debug)]
enum Op {
    Open,
    Close,
    Push(u32),
    Init(Header, bool),
    Control(Header),
    Data(Header, u8),
    Ping(Header, u8),
    GiveUp(u32),
    Payload(u32),
    AddPath(u8, bool),
    RemovePath(u8),
    Carrier(u8, bool),
    Policy(u16, u8),
    Ask,
    Ack(Header),
    Nack(Header),
    Answered(u32),
    Answering(u32),
    Wait(u64),
    Settle,
}

/// Small numbers and those around the wrap are likely to mean something.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => 0..80u32,
        1 => (u32::MAX - 80)..=u32::MAX,
        1 => any::<u32>(),
    ]
}

fn conn_id() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => (0..3u32).prop_map(|n| A.conn_id + n),
        2 => (0..3u32).prop_map(|n| other_life(A).conn_id + n),
        8 => (0..6u32).prop_map(|n| B.conn_id + n),
        1 => Just(0),
        1 => any::<u32>(),
    ]
}

fn ptype() -> impl Strategy<Value = PacketType> {
    prop::sample::select(vec![
        PacketType::TcsInit,
        PacketType::TcsRemUp,
        PacketType::TcsUp,
        PacketType::TcsDown,
        PacketType::TcsRemDown,
        PacketType::User,
    ])
}

fn header() -> impl Strategy<Value = Header> {
    let ids = (conn_id(), conn_id(), any::<u16>(), any::<u16>());
    (ptype(), 0..8u8, ids, number(), number()).prop_map(|(ptype, flags, ids, seq, offset)| Header {
        ptype,
        flags: Flags::from_bits(flags),
        layer: Layer::Kif,
        src_nd_for_dst: ids.2,
        dst_nd_for_src: ids.3,
        src_conn_id: ids.0,
        dst_conn_id: ids.1,
        seq,
        qos_type: 0,
        src_qos_idx: 0,
        offset,
        length: 0,
        crc: 0,
    })
}

/// Data as a peer would send it, to some connection.
fn data() -> impl Strategy<Value = Header> {
    (header(), 0..4u32, 0..4u32).prop_map(|(h, start, n)| {
        // As the parser of headers lets it pass: the first fragment is the one at offset 0.
        let offset = start * 1000;
        let last = h.flags.contains(Flags::LAST) || h.offset % 3 != 0;
        Header {
            flags: Flags::of_fragment(offset == 0, last),
            offset,
            length: n * 1000 + 1,
            ..h
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Open),
        1 => Just(Op::Close),
        6 => prop_oneof![0..2000u32, 0..65_700u32].prop_map(Op::Push),
        3 => (header(), any::<bool>()).prop_map(|(h, small)| {
            let dst_conn_id = if h.seq % 8 == 0 { h.dst_conn_id } else { 0 };
            Op::Init(Header { dst_conn_id, ..h }, small)
        }),
        6 => header().prop_map(Op::Control),
        12 => (data(), 0..4u8).prop_map(|(h, path)| Op::Data(h, path)),
        2 => (data(), 0..4u8).prop_map(|(h, path)| Op::Ping(h, path)),
        1 => number().prop_map(Op::GiveUp),
        1 => (0..9000u32).prop_map(Op::Payload),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(path, carrier)| Op::AddPath(path % 10, carrier)),
        1 => (1..10u8).prop_map(Op::RemovePath),
        1 => (0..10u8, any::<bool>()).prop_map(|(path, carrier)| Op::Carrier(path, carrier)),
        1 => (0..4u16, any::<u8>()).prop_map(|(policy, named)| Op::Policy(policy, named)),
        1 => Just(Op::Ask),
        6 => header().prop_map(Op::Ack),
        2 => header().prop_map(Op::Nack),
        3 => number().prop_map(Op::Answered),
        3 => number().prop_map(Op::Answering),
        3 => (0..400_000_000u64).prop_map(Op::Wait),
        6 => Just(Op::Settle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0074_6373),
        ..ProptestConfig::default()
    })]

    /// Whatever a peer sends and a caller asks for: nothing panics, what is kept stays within its
    /// bounds, and a session that is left alone comes to an end.
    #[test]
    fn a_session_stands_everything(
        first_seq in prop_oneof![Just(1u32), Just(u32::MAX - 10)],
        ops in prop::collection::vec(op(), 0..150),
    ) {
        let mut session = Session::numbered_from(first_seq);
        let mut now = at(1000);
        let mut ids = B;
        let mut partial: BTreeMap<u32, Reassembly> = BTreeMap::new();
        session.add_path(0, true, now);
        for op in ops {
            match op {
                Op::Open => session.open(ids, now, &CFG),
                Op::Close => session.close(now),
                Op::Push(length) => {
                    let could = session.can_push();
                    prop_assert_eq!(session.push(length).is_some(), could);
                }
                Op::Init(h, small) => {
                    session.on_init(ids, &h, small, 0, now, &CFG);
                }
                Op::Control(h) => {
                    session.on_control(&h, 0, now);
                }
                Op::Data(h, path) => {
                    let whole = h.flags.contains(Flags::WHOLE);
                    let mut parts = partial.remove(&h.seq);
                    let known = parts.is_some();
                    let given = parts.get_or_insert_with(Reassembly::new);
                    let given = (!whole).then_some(given);
                    match session.on_data(&h, path, given, now) {
                        RxVerdict::Deliver => while session.next_ready().is_some() {},
                        RxVerdict::Hold => {}
                        RxVerdict::Keep => {
                            partial.insert(h.seq, parts.unwrap());
                        }
                        RxVerdict::Drop(_) => {
                            partial.extend(parts.filter(|_| known).map(|parts| (h.seq, parts)));
                        }
                    }
                }
                Op::Ping(h, path) => {
                    session.on_ping(&h, h.seq % 2 == 0, path, now);
                }
                Op::GiveUp(seq) => {
                    session.give_up(seq);
                }
                Op::Payload(bytes) => session.set_payload(bytes),
                Op::AddPath(path, carrier) => session.add_path(path, carrier, now),
                Op::RemovePath(path) => session.remove_path(path, now),
                Op::Carrier(path, carrier) => session.set_carrier(path, carrier, now),
                Op::Policy(policy, named) => {
                    session.set_policy(Policy::from_wire(policy).unwrap(), 0, named);
                }
                Op::Ask => session.ask(now),
                Op::Ack(h) => {
                    let room = (h.seq % 4 == 0).then_some(h.offset);
                    let _ = session.on_ack(&h, room, (h.seq % 3) as u8, now);
                }
                Op::Nack(h) => {
                    let range = Range { offset: h.offset, length: 1 };
                    let _ = session.on_nack(&h, core::iter::once(range), 0, now);
                }
                Op::Answered(seq) => session.on_answered(seq, now),
                Op::Answering(seq) => session.answering(seq),
                Op::Wait(ns) => {
                    now = now.after(Nanos(ns));
                    session.on_timer(now);
                }
                Op::Settle => {
                    while let Some(event) = session.poll_event() {
                        if matches!(event, Event::Down(_)) {
                            partial.clear();
                        }
                    }
                    while session.poll_freed().is_some() {}
                    let mut frames = 0;
                    while let Some((transmit, _)) = session.poll_transmit(now) {
                        session.header(&transmit, Layer::Kif, 0);
                        if let Transmit::Nack { seq } = transmit {
                            let parts = partial.get(&seq).expect("a part of it came");
                            prop_assert!(parts.missing().next().is_some());
                        }
                        frames += 1;
                        // A burst, NACKs of a window, and pings.
                        prop_assert!(frames <= 3 * W + 20);
                    }
                }
            }
            if session.local() == ids {
                ids = after(ids, 1);
            }
            prop_assert!(session.is_sound());
            prop_assert!(session.held() + session.partial() <= W);
            prop_assert!(session.unacknowledged() <= W);
            let idle = session.state() == State::Closed;
            prop_assert!(!idle || session.poll_timeout().is_none());
            prop_assert!(idle || session.poll_timeout().is_some());
        }
        // Left alone, it finds out that nobody is there any more.
        let end = now.after(Nanos::from_secs(60));
        let mut steps = 0;
        loop {
            while session.poll_event().is_some() {}
            while session.poll_transmit(now).is_some() {}
            let Some(due) = session.poll_timeout() else { break };
            now = now.max(due);
            session.on_timer(now);
            steps += 1;
            prop_assert!(now < end && steps < 2000, "{:?}", session);
        }
        prop_assert_eq!(session.state(), State::Closed);
    }
}

#[test]
fn the_first_half_of_an_attempt_is_for_the_answer() {
    let mut a = new();
    a.open(A, at(0), &CFG);
    assert_eq!(a.poll_timeout(), Some(at(0).after(STEP.part(2))));
}
