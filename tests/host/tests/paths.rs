// SPDX-License-Identifier: GPL-2.0

//! Sessions over several paths: policies, fail-over, and the heartbeat.

use qnet_host_tests::proto::names::Policy;
use qnet_host_tests::proto::qos::session::{
    DownReason,
    PathState, //
};
use qnet_host_tests::proto::time::{
    Instant,
    Nanos, //
};
use qnet_host_tests::proto::wire::l4::{
    Layer,
    PacketType, //
};
use qnet_host_tests::sim::node::Kind;
use qnet_host_tests::sim::{
    Alias,
    World, //
};

const LAN: Nanos = Nanos::from_micros(40);

const LONG: u32 = 65_536;

/// Two nodes with two links between them, and a connection; the first node has a policy.
fn two_links(policy: Policy, named: u8, seed: u64) -> World {
    let mut world = World::with_paths(2, 2, LAN, seed);
    for node in &mut world.nodes {
        node.policy = (policy, named);
    }
    world.connect(0, 1);
    for path in 0..2 {
        assert_eq!(state(&world, path), PathState::Up);
    }
    world
}

/// Where a path of the first node stands.
fn state(world: &World, path: u8) -> PathState {
    world.nodes[0].peers[1].session.links().state(path)
}

/// How many frames with a part of a message left a node by a path.
fn messages_by(world: &World, node: usize, path: u8) -> usize {
    let sent = world
        .sent
        .iter()
        .filter(|it| it.from == node && it.path == path);
    sent.filter(|it| it.frame.message.is_some()).count()
}

/// Both nodes send a short message every 100 microseconds for some time. Tells the longest time
/// without a delivery.
fn chat(world: &mut World, time: Nanos) -> Nanos {
    let end = world.now().after(time);
    while world.now() < end {
        world.send(0, 1, Kind::Request);
        world.send(1, 0, Kind::Pulse);
        world.run_for(Nanos::from_micros(100));
    }
    world
        .deliveries
        .windows(2)
        .map(|it| it[1].0.since(it[0].0))
        .max()
        .unwrap()
}

/// All that was sent arrived, and no session went down.
fn assert_all_arrived(world: &mut World) {
    assert!(world.run_to_rest(Nanos::from_secs(20)));
    assert!(world.events.is_empty(), "{:?}", world.events);
}

#[test]
fn the_speed_of_two_links_adds_up() {
    let mut times = Vec::new();
    for paths in [1, 2] {
        let mut world = World::with_paths(2, paths, LAN, 1);
        // 100 MBit/s.
        world.each_link(|link| link.kilobyte = Nanos::from_micros(80));
        world.connect(0, 1);
        let began = world.now();
        for _ in 0..200 {
            world.send_long(0, 1, Kind::Pulse, LONG);
        }
        assert_all_arrived(&mut world);
        // The round trip grows from nothing to that of a full queue.
        assert!(
            world.resent() < 50,
            "{paths} links: {} sent again",
            world.resent()
        );
        times.push(world.now().since(began).as_nanos());
    }
    assert!(times[1] * 100 < times[0] * 60, "{times:?}");
}

#[test]
fn two_links_of_different_speed_are_both_used() {
    let mut world = World::with_paths(2, 2, LAN, 2);
    for (path, micros) in [(0, 8), (1, 80)] {
        world.path(0, 1, path).kilobyte = Nanos::from_micros(micros);
    }
    world.connect(0, 1);
    let began = world.now();
    for _ in 0..500 {
        world.send_long(0, 1, Kind::Pulse, LONG);
    }
    assert_all_arrived(&mut world);
    // The fast link alone takes 270 ms.
    let took = world.now().since(began);
    assert!(took < Nanos::from_millis(400), "{took:?}");
    assert!(messages_by(&world, 0, 0) > 0 && messages_by(&world, 0, 1) > 0);
}

#[test]
fn redundant_links_hide_what_one_of_them_loses() {
    let mut world = two_links(Policy::Redundant, 0, 3);
    world.path(0, 1, 0).loss = 50;
    world.path(1, 0, 0).loss = 50;
    let gap = chat(&mut world, Nanos::from_millis(300));
    assert!(gap < Nanos::from_micros(400), "{gap:?}");
    assert_eq!(world.resent(), 0);
    world.cut(0, 1, 0, true);
    let gap = chat(&mut world, Nanos::from_millis(300));
    assert!(gap < Nanos::from_micros(400), "{gap:?}");
    assert_all_arrived(&mut world);
    assert_eq!(world.resent(), 0);
    let first = messages_by(&world, 0, 0);
    assert_eq!(first, messages_by(&world, 0, 1));
}

#[test]
fn an_exclusive_link_is_the_only_one() {
    let mut world = two_links(Policy::Exclusive, 0b10, 4);
    chat(&mut world, Nanos::from_millis(20));
    world.cut(0, 1, 1, true);
    chat(&mut world, Nanos::from_millis(1000));
    assert_eq!(messages_by(&world, 0, 0), 0);
    world.cut(0, 1, 1, false);
    assert_all_arrived(&mut world);
    assert_eq!(messages_by(&world, 0, 0), 0);
    // For good: the session fails, though the other link is good.
    world.cut(0, 1, 1, true);
    world.forget();
    let began = world.now();
    world.send(0, 1, Kind::Pulse);
    world.run_for(Nanos::from_secs(6));
    let bound = began.after(Nanos::from_millis(5200));
    assert_eq!(world.downs(0), [(bound, DownReason::LinkFailed)]);
    assert_eq!(messages_by(&world, 0, 0), 0);
}

#[test]
fn an_exclusive_link_that_is_not_there_is_no_way() {
    let mut world = World::with_paths(2, 2, LAN, 5);
    world.connect(0, 1);
    world.change(0, 1, |session, _| {
        session.set_policy(Policy::Exclusive, 1, 0b100)
    });
    world.run_for(Nanos::from_millis(1));
    assert_eq!(world.downs(0).len(), 1);
}

#[test]
fn a_preferred_link_is_left_and_taken_again() {
    let mut world = two_links(Policy::Preferred, 0b10, 6);
    chat(&mut world, Nanos::from_millis(20));
    assert_eq!(messages_by(&world, 0, 0), 0);
    world.cut(0, 1, 1, true);
    let gap = chat(&mut world, Nanos::from_millis(200));
    assert!(gap < Nanos::from_millis(100), "{gap:?}");
    world.forget();
    chat(&mut world, Nanos::from_millis(20));
    assert_eq!(messages_by(&world, 0, 1), 0);
    world.cut(0, 1, 1, false);
    // It is asked each tick.
    chat(&mut world, Nanos::from_millis(250));
    world.forget();
    chat(&mut world, Nanos::from_millis(20));
    assert_eq!(messages_by(&world, 0, 0), 0);
    assert_all_arrived(&mut world);
}

#[test]
fn a_link_that_is_back_after_long_is_found() {
    let mut world = two_links(Policy::Preferred, 0b10, 7);
    world.cut(0, 1, 1, true);
    chat(&mut world, Nanos::from_millis(3000));
    assert_eq!(state(&world, 1), PathState::Failed);
    world.cut(0, 1, 1, false);
    world.run_for(Nanos::from_millis(10_300));
    assert_eq!(state(&world, 1), PathState::Up);
    assert_all_arrived(&mut world);
}

#[test]
fn one_of_two_links_fails_silently_under_load() {
    // Both directions, or one; for good, and a while.
    for (seed, (there, back)) in [(true, true), (true, false), (false, true)]
        .into_iter()
        .enumerate()
    {
        for path in 0..2 {
            let mut world = two_links(Policy::LoadBalance, 0, seed as u64);
            chat(&mut world, Nanos::from_millis(50));
            world.path(0, 1, path).cut = there;
            world.path(1, 0, path).cut = back;
            let gap = chat(&mut world, Nanos::from_millis(4000));
            assert!(
                gap < Nanos::from_millis(100),
                "{there} {back} {path}: {gap:?}"
            );
            world.cut(0, 1, path, false);
            chat(&mut world, Nanos::from_millis(50));
            assert_all_arrived(&mut world);
        }
    }
}

#[test]
fn one_of_two_links_fails_silently_under_bulk() {
    for path in 0..2 {
        let mut world = two_links(Policy::LoadBalance, 0, 9);
        world.each_link(|link| link.kilobyte = Nanos::from_micros(8));
        for _ in 0..600 {
            world.send_long(0, 1, Kind::Pulse, LONG);
            world.send_long(1, 0, Kind::Pulse, LONG);
        }
        world.run_for(Nanos::from_millis(50));
        world.cut(0, 1, path, true);
        assert_all_arrived(&mut world);
        let gaps = world.deliveries.windows(2).map(|it| it[1].0.since(it[0].0));
        let gap = gaps.max().unwrap();
        assert!(gap < Nanos::from_millis(100), "{path}: {gap:?}");
    }
}

#[test]
fn one_of_two_links_fails_and_its_interface_tells() {
    let mut world = two_links(Policy::LoadBalance, 0, 10);
    chat(&mut world, Nanos::from_millis(50));
    world.cut(0, 1, 0, true);
    for (node, with) in [(0, 1), (1, 0)] {
        world.change(node, with, |session, now| {
            session.set_carrier(0, false, now)
        });
    }
    let gap = chat(&mut world, Nanos::from_millis(500));
    assert!(gap < Nanos::from_micros(500), "{gap:?}");
    assert_eq!(state(&world, 0), PathState::Failed);
    world.cut(0, 1, 0, false);
    for (node, with) in [(0, 1), (1, 0)] {
        world.change(node, with, |session, now| session.set_carrier(0, true, now));
    }
    world.run_for(Nanos::from_millis(1));
    assert_eq!(state(&world, 0), PathState::Up);
    assert_all_arrived(&mut world);
}

#[test]
fn a_path_is_removed_and_another_added_under_load() {
    let mut world = World::with_paths(2, 1, LAN, 11);
    world.connect(0, 1);
    chat(&mut world, Nanos::from_millis(10));
    for (node, with) in [(0, 1), (1, 0)] {
        world.change(node, with, |session, now| {
            session.add_path(3, true, now);
            session.remove_path(0, now);
        });
    }
    world.cut(0, 1, 0, true);
    let gap = chat(&mut world, Nanos::from_millis(100));
    assert!(gap < Nanos::from_millis(1), "{gap:?}");
    assert_all_arrived(&mut world);
    // The last one takes the session along.
    world.change(0, 1, |session, now| session.remove_path(3, now));
    world.run_for(Nanos::from_millis(1));
    assert_eq!(world.downs(0).len(), 1);
}

#[test]
fn carrier_that_is_lost_for_a_while_ends_nothing() {
    let mut world = World::with_paths(2, 1, LAN, 12);
    world.connect(0, 1);
    for millis in [100, 3000, 4500] {
        world.cut(0, 1, 0, true);
        world.change(0, 1, |session, now| session.set_carrier(0, false, now));
        world.send(0, 1, Kind::Pulse);
        world.run_for(Nanos::from_millis(millis));
        world.cut(0, 1, 0, false);
        world.change(0, 1, |session, now| session.set_carrier(0, true, now));
        assert_all_arrived(&mut world);
    }
    // Nothing was under way: as long as silence is allowed.
    world.cut(0, 1, 0, true);
    let heard = world.nodes[0].peers[1].session.last_heard();
    world.change(0, 1, |session, now| session.set_carrier(0, false, now));
    world.run_for(Nanos::from_secs(12));
    let down = heard.after(Nanos::from_millis(11_200));
    assert_eq!(world.downs(0), [(down, DownReason::LinkFailed)]);
}

/// The time from when the peer was last heard until it is down.
fn time_to_death(world: &mut World) -> Nanos {
    world.run_for(Nanos::from_millis(3));
    let heard = world.nodes[0].peers[1].session.last_heard();
    world.cut(0, 1, 0, true);
    world.cut(0, 1, 1, true);
    world.run_for(Nanos::from_secs(12));
    let downs = world.downs(0);
    assert_eq!(downs.len(), 1);
    assert_eq!(downs[0].1, DownReason::LinkFailed);
    downs[0].0.since(heard)
}

#[test]
fn a_dead_peer_is_noticed_though_nothing_is_sent_to_it() {
    for paths in [1, 2] {
        let mut world = World::with_paths(2, paths, LAN, 13);
        world.connect(0, 1);
        let took = time_to_death(&mut world);
        assert!(took >= Nanos::from_millis(11_200), "{took:?}");
        assert!(took < Nanos::from_millis(11_210), "{took:?}");
    }
}

/// The options for noticing a dead peer within 50 ms.
fn impatient(world: &mut World) {
    for node in &mut world.nodes {
        node.cfg.tick = Nanos(1_000_000_000 / 160);
        node.cfg.conn_up_idle = 1;
        node.cfg.conn_up_retries = 7;
    }
}

#[test]
fn a_dead_peer_is_noticed_within_fifty_milliseconds() {
    for paths in [1, 2] {
        let mut world = World::with_paths(2, paths, LAN, 14);
        impatient(&mut world);
        world.connect(0, 1);
        let took = time_to_death(&mut world);
        assert!(took <= Nanos::from_millis(51), "{took:?}");
        assert!(took >= Nanos::from_millis(49), "{took:?}");
    }
}

#[test]
fn an_hour_of_fifty_milliseconds_kills_nobody() {
    let mut world = World::new(2, LAN, 15);
    impatient(&mut world);
    world.records = false;
    world.lateness = Nanos::from_micros(300);
    world.each_link(|link| link.loss = 1);
    world.connect(0, 1);
    for second in 0..3600u64 {
        if second % 3 == 0 {
            world.send_long(
                (second % 2) as usize,
                1 - (second % 2) as usize,
                Kind::Request,
                3000,
            );
        }
        world.run_for(Nanos::from_secs(1));
        assert!(
            world.events.is_empty(),
            "second {second}: {:?}",
            world.events
        );
    }
}

#[test]
fn an_idle_session_costs_two_frames_every_ten_seconds_and_path_or_four_if_both_ask() {
    for paths in [1, 2, 4] {
        let mut world = World::with_paths(2, paths, LAN, 16);
        world.connect(0, 1);
        world.run_for(Nanos::from_secs(1000));
        assert!(world.events.is_empty());
        let each = u64::from(paths) * 100 * 2;
        assert!(
            world.frames <= each * 2 && world.frames >= each * 9 / 10,
            "{}",
            world.frames
        );
        let ping = |it: &qnet_host_tests::sim::Sent| it.frame.header();
        let pings =
            world.sent.iter().map(ping).all(|h| {
                (h.ptype, h.layer, h.seq, h.length) == (PacketType::User, Layer::Nr, 0, 1)
            });
        assert!(pings);
    }
}

#[test]
fn a_path_to_another_machine_of_the_same_name_carries_nothing() {
    let mut world = World::with_paths(3, 2, LAN, 17);
    // What node 0 takes for the second path to node 1 leads to node 2.
    world.nodes[1].paths = 1;
    world.aliases.push(Alias {
        at: 0,
        claimed: 1,
        path: 1,
        real: 2,
    });
    world.connect(0, 1);
    let gap = chat(&mut world, Nanos::from_millis(500));
    assert!(gap < Nanos::from_micros(500), "{gap:?}");
    assert_all_arrived(&mut world);
    assert_eq!(messages_by(&world, 0, 1), 0);
    // It was asked and said DOWN, which was not believed.
    assert!(world.nodes[0].drops.path > 0);
    assert_ne!(state(&world, 1), PathState::Up);
    // Nor when the good path loses much ...
    world.path(0, 1, 0).loss = 30;
    chat(&mut world, Nanos::from_millis(500));
    assert_eq!(messages_by(&world, 0, 1), 0);
    world.path(0, 1, 0).loss = 0;
    assert_all_arrived(&mut world);
    // ... and when there is nothing else, it does no harm.
    world.cut(0, 1, 0, true);
    world.send(0, 1, Kind::Pulse);
    world.run_for(Nanos::from_millis(2000));
    world.cut(0, 1, 0, false);
    assert_all_arrived(&mut world);
}

#[test]
fn a_silent_peer_on_two_paths_is_down_within_the_bound() {
    let mut world = two_links(Policy::LoadBalance, 0, 18);
    world.cut(0, 1, 0, true);
    world.cut(0, 1, 1, true);
    let began: Instant = world.now();
    for _ in 0..100 {
        world.send_long(0, 1, Kind::Pulse, 5000);
    }
    world.run_for(Nanos::from_secs(10));
    let bound = began.after(Nanos::from_millis(5200));
    assert_eq!(world.downs(0), [(bound, DownReason::LinkFailed)]);
    assert!(world.resent() < 300, "{}", world.resent());
}

#[test]
fn a_question_is_answered_at_once() {
    let mut world = two_links(Policy::LoadBalance, 0, 19);
    world.run_for(Nanos::from_secs(3));
    world.forget();
    let asked = world.now();
    world.change(0, 1, |session, now| session.ask(now));
    world.run_for(Nanos::from_millis(1));
    assert_eq!(world.frames, 4);
    assert!(world.nodes[0].peers[1].session.last_heard() >= asked);
}
