// SPDX-License-Identifier: GPL-2.0

//! Whatever the network does: each message once and in order, its bytes as they were sent, within
//! bounds of memory and time; and a world of a thousand nodes.

use proptest::prelude::*;
use proptest::test_runner::{
    FileFailurePersistence,
    RngSeed, //
};

use qnet_host_tests::proto::l4::reassembly::MAX_GAPS;
use qnet_host_tests::proto::l4::window::W;
use qnet_host_tests::proto::names::Policy;
use qnet_host_tests::proto::qos::session::{
    Event,
    State, //
};
use qnet_host_tests::proto::time::Nanos;
use qnet_host_tests::proto::wire::l4::MAX_MESSAGE;
use qnet_host_tests::sim::link::Link;
use qnet_host_tests::sim::node::{
    Kind,
    HEAD, //
};
use qnet_host_tests::sim::rng::Rng;
use qnet_host_tests::sim::World;

const LAN: Nanos = Nanos::from_micros(40);

/// As many cases as are wanted, or a part of them: `QNET_CASES=10` means a tenth. Other numbers are
/// drawn with `PROPTEST_RNG_SEED`; what failed is kept beside this file and tried first.
fn config(cases: u32) -> ProptestConfig {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let divisor = number("QNET_CASES").unwrap_or(1);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or(0x7374_6f72);
    ProptestConfig {
        cases: (cases / divisor).max(1),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        rng_seed: RngSeed::Fixed(u64::from(seed)),
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    }
}

/// Loss, duplicates, corruption, reordering in percent, and by how many microseconds.
type Faults = (u32, u32, u32, u32, u64);

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![
        1 => Just((0, 0, 0, 0, 0)),
        2 => (0..=3u32, 0..=3u32, 0..=1u32, 0..=5u32, 0..=200u64),
        3 => (0..=30u32, 0..=20u32, 0..=5u32, 0..=50u32, 0..=5_000u64),
    ]
}

fn apply(link: &mut Link, (loss, duplicate, corrupt, reorder, micros): Faults) {
    link.loss = loss;
    link.duplicate = duplicate;
    link.corrupt = corrupt;
    link.reorder = reorder;
    link.reorder_by = Nanos::from_micros(micros);
}

fn mtu() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(576usize),
        Just(1280),
        Just(1500),
        Just(9000),
        Just(65_535),
        576..=65_535usize,
    ]
}

fn size() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => Just(0u32),
        4 => 1..200u32,
        4 => 200..9_000u32,
        3 => 9_000..=MAX_MESSAGE as u32,
        1 => Just(65_536u32),
    ]
}

/// What happens to the network while messages are under way.
#[derive(Clone, Debug)]
enum Act {
    /// Messages of these sizes, from the first node or the second one.
    Send(Vec<(u32, bool)>),
    /// A mebibyte in pieces.
    Bulk(bool),
    /// A path is cut, there and back.
    Cut(u8, bool, bool),
    /// The same, and the interface of one node tells.
    Unplug(u8, bool),
    /// All is well again.
    Mend,
    /// Frames may have another length from now on, and the nodes notice so many milliseconds later.
    Mtu(usize, u64),
    /// A message that is under way is given up.
    GiveUp(u64),
    /// So much time passes.
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let messages = prop::collection::vec((size(), any::<bool>()), 1..30);
    prop_oneof![
        6 => messages.prop_map(Act::Send),
        1 => any::<bool>().prop_map(Act::Bulk),
        3 => (0..4u8, any::<bool>(), any::<bool>()).prop_map(|(p, a, b)| Act::Cut(p, a, b)),
        2 => (0..4u8, any::<bool>()).prop_map(|(path, node)| Act::Unplug(path, node)),
        2 => Just(Act::Mend),
        2 => (mtu(), 0..100u64).prop_map(|(mtu, late)| Act::Mtu(mtu, late)),
        1 => (1..40u64).prop_map(Act::GiveUp),
        4 => prop_oneof![0..20u64, 20..1000u64].prop_map(Act::Wait),
    ]
}

/// Undoes what [`Act::Cut`] and [`Act::Unplug`] did.
fn mend(world: &mut World, paths: u8) {
    for path in 0..paths {
        world.cut(0, 1, path, false);
        for (node, with) in [(0, 1), (1, 0)] {
            world.change(node, with, |session, now| {
                session.set_carrier(path, true, now)
            });
        }
    }
}

fn set_mtu(world: &mut World, mtu: usize) {
    let payload = (mtu - HEAD) as u32;
    for (node, with) in [(0, 1), (1, 0)] {
        world.nodes[node].payload = payload;
        world.change(node, with, |session, _| session.set_payload(payload));
    }
}

/// What must hold for a peer when all has come to rest, and what must have held all the time.
fn check_peers(world: &World) -> Result<(), TestCaseError> {
    for (a, b) in [(0, 1), (1, 0)] {
        let peer = &world.nodes[a].peers[b];
        prop_assert_eq!(peer.session.window().1, 0);
        prop_assert_eq!(peer.session.unacknowledged(), 0);
        prop_assert_eq!((peer.session.held(), peer.session.partial()), (0, 0));
        prop_assert!(peer.most_held < W as usize);
        prop_assert!(peer.most_bytes <= 2 * W as usize * MAX_MESSAGE);
        // Each fragment that is kept brought bytes, and there are no more gaps than that.
        prop_assert!(peer.most_fragments <= 128 + 2 * MAX_GAPS);
        prop_assert!(peer.most_flight <= 500);
        prop_assert_eq!(world.nodes[a].drops.fragment, 0);
    }
    Ok(())
}

/// The links between two nodes, and how the nodes use them.
#[derive(Clone, Debug)]
struct Net {
    seed: u64,
    paths: u8,
    policy: u16,
    there: Vec<Faults>,
    back: Vec<Faults>,
    delay: u64,
    late: u64,
    mtu: usize,
    kilobyte: u64,
}

fn net() -> impl Strategy<Value = Net> {
    let policy = prop_oneof![3 => Just(0u16), 1 => Just(1), 1 => Just(3)];
    let faults = || prop::collection::vec(faults(), 4);
    let kilobyte = prop_oneof![Just(0u64), 1..=80u64];
    let times = (1..=5_000u64, 0..=1_000u64, kilobyte);
    (
        any::<u64>(),
        1..=4u8,
        policy,
        faults(),
        faults(),
        times,
        mtu(),
    )
        .prop_map(
            |(seed, paths, policy, there, back, (delay, late, kilobyte), mtu)| Net {
                seed,
                paths,
                policy,
                there,
                back,
                delay,
                late,
                mtu,
                kilobyte,
            },
        )
}

/// Lets all that happen, and checks that no session ends, nothing is lost or doubled, and in the end
/// everything is at rest.
fn storm(net: Net, acts: Vec<Act>) -> Result<(), TestCaseError> {
    let Net {
        seed,
        paths,
        policy,
        there,
        back,
        delay,
        late,
        mtu: first_mtu,
        kilobyte,
    } = net;
    let mut world = World::with_paths(2, paths, Nanos::from_micros(delay), seed);
    world.records = false;
    world.lateness = Nanos::from_micros(late);
    world.answer_length = 2000;
    world.each_link(|link| {
        link.kilobyte = Nanos::from_micros(kilobyte);
        link.mtu = first_mtu;
    });
    for node in &mut world.nodes {
        node.cfg.conn_est_retries = 30;
        node.policy = (Policy::from_wire(policy).unwrap(), 1 << (seed % 4));
        node.payload = (first_mtu - HEAD) as u32;
    }
    for path in 0..paths {
        apply(world.path(0, 1, path), there[usize::from(path)]);
        apply(world.path(1, 0, path), back[usize::from(path)]);
    }
    let mut sent = 0;
    let mut given_up = 0;
    let mut requests = 0;
    let mut dark = 0;
    for act in acts {
        match act {
            Act::Send(messages) => {
                for (n, (size, second)) in messages.into_iter().enumerate() {
                    let (from, to) = if second { (1, 0) } else { (0, 1) };
                    let kind = if n % 4 == 0 {
                        Kind::Request
                    } else {
                        Kind::Pulse
                    };
                    requests += usize::from(kind == Kind::Request);
                    world.send_long(from, to, kind, size);
                    sent += 1;
                }
            }
            Act::Bulk(second) => {
                for _ in 0..16 {
                    let (from, to) = if second { (1, 0) } else { (0, 1) };
                    world.send_long(from, to, Kind::Pulse, 65_536);
                    sent += 1;
                }
            }
            Act::Cut(path, there, back) if path < paths => {
                world.path(0, 1, path).cut |= there;
                world.path(1, 0, path).cut |= back;
            }
            Act::Unplug(path, second) if path < paths => {
                world.cut(0, 1, path, true);
                let (node, with) = if second { (1, 0) } else { (0, 1) };
                world.change(node, with, |session, now| {
                    session.set_carrier(path, false, now)
                });
            }
            Act::Cut(..) | Act::Unplug(..) => {}
            Act::Mend => mend(&mut world, paths),
            Act::Mtu(mtu, late) => {
                world.each_link(|link| link.mtu = mtu);
                world.run_for(Nanos::from_millis(late));
                set_mtu(&mut world, mtu);
            }
            Act::GiveUp(back) => {
                // Only messages that want no answer: a request that nobody hears has none.
                let id = world.last_id().saturating_sub(back);
                if world.is_pulse(0, 1, id) && world.give_up(0, 1, id) {
                    given_up += 1;
                }
            }
            Act::Wait(millis) => {
                world.run_for(Nanos::from_millis(millis));
                dark += millis;
            }
        }
        // Links that are all cut for seconds do end a session.
        let works =
            (0..paths).any(|path| !world.path(0, 1, path).cut && !world.path(1, 0, path).cut);
        if works {
            dark = 0;
        } else if dark > 1500 {
            mend(&mut world, paths);
            world.run_for(Nanos::from_millis(500));
            dark = 0;
        }
    }
    mend(&mut world, paths);
    prop_assert!(world.run_to_rest(Nanos::from_secs(120)), "not at rest");
    let ups = world
        .events
        .iter()
        .all(|(_, _, _, event)| *event == Event::Up);
    prop_assert!(ups, "{:?}", world.events);
    prop_assert_eq!(world.answers.len(), requests);
    prop_assert_eq!(world.delivered.len() + world.holes.len(), sent + requests);
    prop_assert!(world.holes.len() <= given_up);
    if sent > 0 {
        check_peers(&world)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(300))]

    /// Up to four paths, of which at least one works most of the time.
    #[test]
    fn a_network_in_a_storm_loses_nothing(
        net in net(),
        acts in prop::collection::vec(act(), 1..25),
    ) {
        storm(net, acts)?;
    }

    /// Peers restart and close, links are cut, old frames come back, with long messages over several
    /// paths: nothing arrives twice, out of order or with other bytes, and afterwards all is well.
    #[test]
    fn long_messages_survive_restarts(
        seed in any::<u64>(),
        paths in 1..=3u8,
        link in faults(),
        mtu in mtu(),
        acts in prop::collection::vec((0..7u32, 0..2usize, 0..3u8, 0..400u64, size()), 1..20),
    ) {
        let mut world = World::with_paths(2, paths, LAN, seed);
        for node in &mut world.nodes {
            node.cfg.conn_est_retries = 30;
            node.reopen = true;
            node.payload = (mtu - HEAD) as u32;
        }
        world.each_link(|it| {
            apply(it, link);
            it.mtu = mtu;
        });
        for (act, node, path, millis, size) in acts {
            for n in 0..10 {
                let kind = if n % 3 == 0 { Kind::Request } else { Kind::Pulse };
                world.send_long(n % 2, 1 - n % 2, kind, size);
            }
            match act {
                0 => world.restart(node),
                1 => world.close(node, 1 - node),
                2 => world.path(node, 1 - node, path % paths).cut ^= true,
                3 => {
                    let old: Vec<_> = world.sent.iter().rev().take(200).cloned().collect();
                    for sent in &old {
                        world.replay(sent, LAN);
                    }
                }
                _ => {}
            }
            world.run_for(Nanos::from_millis(millis));
        }
        world.each_link(|link| {
            *link = Link::perfect(LAN);
            link.mtu = mtu;
        });
        // Each side may have to find out that the other one has forgotten it: by a message, which
        // fails then.
        world.run_for(Nanos::from_secs(40));
        for n in 0..4 {
            world.send(n % 2, 1 - n % 2, Kind::Pulse);
        }
        world.run_for(Nanos::from_secs(40));
        let before = world.delivered.len();
        for n in 0..20 {
            world.send_long(n % 2, 1 - n % 2, Kind::Pulse, 30_000);
        }
        prop_assert!(world.run_to_rest(Nanos::from_secs(60)));
        prop_assert_eq!(world.delivered.len(), before + 20);
        let states = [(0, 1), (1, 0)].map(|(a, b)| world.nodes[a].peers[b].session.state());
        prop_assert_eq!(states, [State::Up, State::Up]);
        check_peers(&world)?;
    }
}

#[test]
fn a_thousand_nodes() {
    let n = 1000;
    let mut world = World::new(n, LAN, 1);
    world.records = false;
    world.think = Nanos::from_millis(2);
    world.lateness = Nanos::from_micros(200);
    world.each_link(|link| {
        link.loss = 2;
        link.duplicate = 1;
        link.reorder = 5;
        link.reorder_by = Nanos::from_micros(300);
    });
    for node in &mut world.nodes {
        node.cfg.conn_est_retries = 10;
        node.reopen = true;
    }
    let mut rng = Rng::new(2);
    let mut friends = Vec::new();
    for node in 0..n {
        for _ in 0..3 {
            let other = (node + 1 + rng.below(n as u64 - 1) as usize) % n;
            friends.push((node, other));
        }
    }
    for round in 0..10 {
        for &(a, b) in &friends {
            let length = [16, 200, 3000, 20_000][rng.below(4) as usize];
            let kind = [Kind::Request, Kind::Pulse][rng.below(2) as usize];
            world.send_long(a, b, kind, length);
        }
        if round % 3 == 2 {
            for _ in 0..20 {
                world.restart(rng.below(n as u64) as usize);
            }
        }
        world.run_for(Nanos::from_secs(1));
    }
    // Those that were restarted are noticed by a message to them, or by the heartbeat.
    world.run_for(Nanos::from_secs(30));
    let before = world.delivered.len();
    for &(a, b) in &friends {
        world.send_long(a, b, Kind::Pulse, 5000);
    }
    assert!(world.run_to_rest(Nanos::from_secs(30)));
    assert_eq!(world.delivered.len() - before, friends.len());
    for &(a, b) in &friends {
        let ours = &world.nodes[a].peers[b].session;
        let theirs = &world.nodes[b].peers[a].session;
        assert_eq!((ours.state(), theirs.state()), (State::Up, State::Up));
        assert_eq!(ours.local().conn_id, theirs.peer_conn_id());
        assert_eq!((ours.window().1, theirs.window().1), (0, 0));
    }
}
