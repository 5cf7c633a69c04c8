// SPDX-License-Identifier: GPL-2.0

//! How much gets through, and how soon: long messages over links of a given speed, length and loss.

use qnet_host_tests::proto::l4::tx::COMMON_PAYLOAD;
use qnet_host_tests::proto::time::Nanos;
use qnet_host_tests::proto::wire::l4::{
    Layer,
    PacketType, //
};
use qnet_host_tests::sim::node::{
    Kind,
    HEAD, //
};
use qnet_host_tests::sim::World;

const LAN: Nanos = Nanos::from_micros(20);

/// The most data that one message has.
const LONG: u32 = 65_536;

/// What 1,000 bytes take at 1 GBit/s.
const GIGABIT: Nanos = Nanos::from_micros(8);

/// Two nodes with a connection over a link of some speed.
fn pair(delay: Nanos, kilobyte: Nanos, seed: u64) -> World {
    let mut world = World::new(2, delay, seed);
    world.each_link(|link| link.kilobyte = kilobyte);
    world.connect(0, 1);
    world
}

/// Sends `n` long messages and tells the bytes a second that arrive until all have.
fn goodput(world: &mut World, n: u32) -> u64 {
    let began = world.now();
    for _ in 0..n {
        world.send_long(0, 1, Kind::Pulse, LONG);
    }
    assert!(world.run_to_rest(Nanos::from_secs(60)));
    assert!(world.events.is_empty(), "{:?}", world.events);
    let (end, ..) = world.deliveries.last().unwrap();
    let bytes = u64::from(n * LONG);
    bytes * 1_000_000 / (end.since(began).as_nanos() / 1000)
}

/// Sends one message and tells how long it takes to arrive.
fn time_of(world: &mut World, length: u32) -> Nanos {
    let began = world.now();
    let id = world.send_long(0, 1, Kind::Pulse, length);
    world.run_until(began.after(Nanos::from_secs(1)), |world| {
        world.delivered.contains(&id)
    });
    assert!(world.delivered.contains(&id));
    world.now().since(began)
}

#[test]
fn a_gigabit_is_filled() {
    let mut world = pair(LAN, GIGABIT, 1);
    let bytes = goodput(&mut world, 300);
    assert!(bytes > 110_000_000, "{bytes} bytes a second");
    assert_eq!(world.resent(), 0, "{:?}", world.nodes[0].peers[1].counters);
    // Two NACKs and an ACK for 45 fragments.
    let told = world.count(PacketType::Ack) + world.count(PacketType::Nack);
    assert!(told <= 300 * 4, "{told} reports");
}

#[test]
fn one_percent_loss_costs_less_than_a_third() {
    let lossless = goodput(&mut pair(LAN, GIGABIT, 2), 300);
    for seed in 0..5 {
        let mut world = pair(LAN, GIGABIT, seed);
        world.each_link(|link| link.loss = 1);
        let lossy = goodput(&mut world, 300);
        let percent = lossy * 100 / lossless;
        assert!(
            percent >= 70,
            "seed {seed}: {percent} percent of {lossless}: {:?}",
            world.nodes[0].peers[1].counters
        );
    }
}

#[test]
fn one_lost_fragment_costs_less_than_five_milliseconds() {
    let count = u64::from(LONG.div_ceil(COMMON_PAYLOAD));
    let mut cases = vec![(100, vec![0])];
    for lost in [0, 1, count / 2, count - 2, count - 1] {
        cases.push((LONG, vec![lost]));
    }
    cases.push((LONG, vec![0, count - 1]));
    cases.push((LONG, (count - 5..count).collect()));
    cases.push((3 * COMMON_PAYLOAD, vec![0, 1, 2]));
    for (length, lost) in cases {
        let mut world = pair(LAN, GIGABIT, 3);
        world.run_for(Nanos::from_secs(2));
        let good = time_of(&mut world, length);
        world.run_for(Nanos::from_secs(2));
        world.link(0, 1).lose_next(&lost);
        world.forget();
        let bad = time_of(&mut world, length);
        let cost = bad.minus(good);
        assert!(
            cost > Nanos::ZERO && cost < Nanos::from_millis(5),
            "{length} {lost:?}: {cost:?}"
        );
        assert_eq!(
            world.resent(),
            lost.len(),
            "{length} {lost:?} {:?}",
            world.nodes[0].peers[1].counters
        );
    }
}

#[test]
fn a_lost_report_costs_little() {
    for lost in 0..4 {
        let mut world = pair(LAN, GIGABIT, 4);
        world.run_for(Nanos::from_secs(2));
        world.link(0, 1).lose_next(&[7]);
        world.link(1, 0).lose_next(&[lost]);
        let took = time_of(&mut world, LONG);
        assert!(took < Nanos::from_millis(10), "{lost}: {took:?}");
    }
}

#[test]
fn a_long_fat_link_is_not_held_by_a_fixed_window() {
    // 20 ms there and back; 1,700 frames fill it.
    let delay = Nanos::from_millis(10);
    let mut world = World::new(2, delay, 5);
    world.each_link(|link| link.kilobyte = GIGABIT);
    for node in &mut world.nodes {
        node.cfg.max_tx_bufs = 4000;
    }
    world.connect(0, 1);
    goodput(&mut world, 300);
    world.forget();
    let bytes = goodput(&mut world, 600);
    assert!(bytes > 85_000_000, "{bytes} bytes a second");
    assert_eq!(world.resent(), 0);

    // By default not more than 500 frames are under way.
    let mut world = pair(delay, GIGABIT, 5);
    goodput(&mut world, 100);
    world.forget();
    let bytes = goodput(&mut world, 200);
    let most = 500 * u64::from(COMMON_PAYLOAD) * 50;
    assert!(
        bytes < most && bytes > most / 100 * 80,
        "{bytes} of {most} bytes a second"
    );
}

#[test]
fn a_bottleneck_is_filled_and_not_flooded() {
    let mut world = pair(LAN, GIGABIT, 6);
    let before = goodput(&mut world, 200);
    world.forget();
    // 100 MBit/s, and room for 30 frames.
    let link = world.link(0, 1);
    link.kilobyte = Nanos::from_micros(80);
    link.queue = Nanos::from_micros(30 * 123);
    goodput(&mut world, 100);
    world.forget();
    let link = world.link(0, 1);
    let (sent, overflown) = (link.sent, link.overflown);
    let during = goodput(&mut world, 200);
    let link = world.link(0, 1);
    let (sent, overflown) = (link.sent - sent, link.overflown - overflown);
    assert!(
        during > 8_500_000,
        "{during} bytes a second, {overflown} of {sent} lost"
    );
    assert!(overflown * 100 < sent * 7, "{overflown} of {sent} lost");
    world.forget();
    let link = world.link(0, 1);
    link.kilobyte = GIGABIT;
    link.queue = Nanos::MAX;
    let after = goodput(&mut world, 300);
    assert!(after * 100 > before * 80, "{before}, then {after}");
}

#[test]
fn a_slow_receiver_is_not_flooded() {
    let mut world = pair(LAN, GIGABIT, 7);
    world.change(1, 0, |session, _| {
        session.set_room(Some(4 * COMMON_PAYLOAD))
    });
    world.connect(0, 1);
    for _ in 0..20 {
        world.send_long(0, 1, Kind::Pulse, LONG);
    }
    let end = world.now().after(Nanos::from_millis(50));
    world.run_until(end, |world| {
        let (window, flight) = world.nodes[0].peers[1].session.window();
        assert!(window <= 4 && flight <= 4, "{flight} of {window}");
        false
    });
    assert!(!world.deliveries.is_empty());
    let acks = world
        .sent
        .iter()
        .filter(|it| it.frame.header().ptype == PacketType::Ack);
    for ack in acks {
        assert_eq!(ack.frame.payload(), (4 * COMMON_PAYLOAD).to_le_bytes());
        assert_eq!(ack.frame.header().layer, Layer::Seq);
    }
    // Without any room one frame still asks.
    world.change(1, 0, |session, _| session.set_room(Some(0)));
    assert!(world.run_to_rest(Nanos::from_secs(10)));
    assert!(world.events.is_empty());
    world.change(1, 0, |session, _| session.set_room(None));
    world.connect(0, 1);
    let bytes = goodput(&mut world, 100);
    assert!(bytes > 80_000_000, "{bytes} bytes a second");
}

#[test]
fn a_megabyte_in_pieces_arrives_whatever_the_mtu() {
    for mtu in [576, 1280, 1500, 9000, 65_535] {
        let mut world = World::new(2, LAN, 8);
        world.each_link(|link| {
            link.mtu = mtu;
            link.loss = 2;
        });
        for node in &mut world.nodes {
            node.payload = (mtu - HEAD) as u32;
        }
        for _ in 0..16 {
            world.send_long(0, 1, Kind::Pulse, LONG);
        }
        assert!(world.run_to_rest(Nanos::from_secs(10)), "{mtu}");
        assert!(world.downs(0).is_empty());
        assert!(world.nodes[1].peers[0].most_fragments <= 128);
    }
}

#[test]
fn a_link_that_passes_only_shorter_frames_is_found_out() {
    // Nobody told that frames beyond 1,500 bytes vanish.
    let mut world = World::new(2, LAN, 9);
    world.nodes[0].payload = (9000 - HEAD) as u32;
    world.connect(0, 1);
    let bytes = goodput(&mut world, 100);
    assert!(bytes > 20_000_000, "{bytes} bytes a second");
    let counters = world.nodes[0].peers[1].counters;
    // Once it is known, nothing is cut too long any more.
    let began = world.now();
    goodput(&mut world, 100);
    assert!(world.now().since(began) < Nanos::from_millis(100));
    assert_eq!(world.nodes[0].peers[1].counters.timeouts, counters.timeouts);
}

#[test]
fn a_link_that_was_down_for_a_moment_keeps_its_long_frames() {
    let mut world = World::new(2, LAN, 10);
    world.each_link(|link| link.mtu = 9000);
    world.nodes[0].payload = (9000 - HEAD) as u32;
    world.connect(0, 1);
    world.cut(0, 1, 0, true);
    for _ in 0..20 {
        world.send_long(0, 1, Kind::Pulse, LONG);
    }
    world.run_for(Nanos::from_millis(300));
    world.cut(0, 1, 0, false);
    assert!(world.run_to_rest(Nanos::from_secs(10)));
    world.forget();
    goodput(&mut world, 10);
    let longest = world.sent.iter().map(|it| it.frame.len()).max().unwrap();
    assert!(longest > 8900, "{longest}");
}

#[test]
fn a_shorter_mtu_does_not_lose_what_is_under_way() {
    for (before, after) in [(9000, 1500), (1500, 576), (65_535, 1280), (9000, 576)] {
        let mut world = World::new(2, LAN, 11);
        world.each_link(|link| {
            link.mtu = before;
            link.kilobyte = GIGABIT;
        });
        world.nodes[0].payload = (before - HEAD) as u32;
        world.connect(0, 1);
        for _ in 0..50 {
            world.send_long(0, 1, Kind::Request, LONG);
        }
        world.run_for(Nanos::from_millis(2));
        world.each_link(|link| link.mtu = after);
        world.run_for(Nanos::from_millis(30));
        world.change(0, 1, |session, _| {
            session.set_payload((after - HEAD) as u32)
        });
        assert!(world.run_to_rest(Nanos::from_secs(5)), "{before} {after}");
        assert!(world.events.is_empty());
        assert_eq!(world.answers.len(), 50);
    }
}

#[test]
fn what_is_given_up_leaves_no_hole() {
    let mut world = pair(LAN, GIGABIT, 12);
    world.link(0, 1).cut = true;
    let ids: Vec<_> = (0..10)
        .map(|i| world.send_long(0, 1, Kind::Pulse, i * 7000))
        .collect();
    world.run_for(Nanos::from_millis(1));
    for id in &ids[3..6] {
        assert!(world.give_up(0, 1, *id));
    }
    world.link(0, 1).cut = false;
    assert!(world.run_to_rest(Nanos::from_secs(1)));
    assert_eq!(world.holes.len(), 3);
    for (i, id) in ids.iter().enumerate() {
        assert_eq!(world.delivered.contains(id), !(3..6).contains(&i), "{i}");
    }
    assert!(!world.give_up(0, 1, ids[7]));
    let seq = world
        .sent
        .iter()
        .find(|it| it.frame.header().layer == Layer::Seq);
    let h = seq.unwrap().frame.header();
    assert_eq!((h.ptype, h.offset, h.length), (PacketType::User, 0, 0));
}

#[test]
fn what_is_given_up_half_way_arrives_or_leaves_a_hole() {
    for micros in 0..60 {
        let mut world = pair(LAN, GIGABIT, 13);
        world.each_link(|link| link.loss = 3);
        let ids: Vec<_> = (0..8)
            .map(|_| world.send_long(0, 1, Kind::Pulse, 20_000))
            .collect();
        world.run_for(Nanos::from_micros(micros * 30));
        for id in ids.iter().step_by(2) {
            world.give_up(0, 1, *id);
        }
        assert!(world.run_to_rest(Nanos::from_secs(2)), "{micros}");
        assert!(world.events.is_empty());
        assert_eq!(world.holes.len() + world.delivered.len(), 9);
    }
}
