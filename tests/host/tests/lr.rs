// SPDX-License-Identifier: GPL-2.0

//! The LAN resolver's machines.

use qnet_host_tests::proto::lr::{
    decide,
    Announcer,
    LrAction,
    LrConfig,
    LrIgnore,
    Resolution,
    ResolveStep, //
};
use qnet_host_tests::proto::time::{
    Instant,
    Nanos, //
};
use qnet_host_tests::proto::wire::lr::Kind;

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

#[test]
fn a_name_is_asked_for_three_times_a_tick_apart() {
    let mut search = Resolution::start(at(1000), &LrConfig::DEFAULT);
    let mut steps = Vec::new();
    while let Some(due) = search.poll_timeout() {
        let early = Instant::from_nanos(due.as_nanos() - 1);
        assert_eq!(search.poll(early), None);
        steps.push((due, search.poll(due).unwrap()));
        assert_eq!(search.poll(due), None);
    }
    let expected = [
        (at(1000), ResolveStep::Ask),
        (at(1200), ResolveStep::Ask),
        (at(1400), ResolveStep::Ask),
        (at(1600), ResolveStep::GiveUp),
    ];
    assert_eq!(steps, expected);
    assert_eq!(search.poll(at(9999)), None);
}

#[test]
fn a_late_timer_does_not_ask_twice_at_once() {
    let mut search = Resolution::start(at(0), &LrConfig::DEFAULT);
    assert_eq!(search.poll(at(0)), Some(ResolveStep::Ask));
    assert_eq!(search.poll(at(900)), Some(ResolveStep::Ask));
    assert_eq!(search.poll(at(900)), None);
    assert_eq!(search.poll_timeout(), Some(at(1100)));
}

#[test]
fn options_of_a_search() {
    let cfg = LrConfig {
        res_retries: 0,
        res_ticks: 5,
        ..LrConfig::DEFAULT
    };
    let mut search = Resolution::start(at(0), &cfg);
    assert_eq!(search.poll(at(0)), Some(ResolveStep::Ask));
    assert_eq!(search.poll_timeout(), Some(at(1000)));
    assert_eq!(search.poll(at(1000)), Some(ResolveStep::GiveUp));
    let cfg = LrConfig {
        tick: Nanos::MAX,
        res_retries: u32::MAX,
        res_ticks: u32::MAX,
        auto_add: u32::MAX,
    };
    let mut search = Resolution::start(at(0), &cfg);
    assert_eq!(search.poll(at(0)), Some(ResolveStep::Ask));
    assert_eq!(search.poll(at(1_000_000)), None);
    let mut announcer = Announcer::new();
    assert!(announcer.poll(at(0), &cfg));
    assert!(!announcer.poll(at(1_000_000), &cfg));
}

#[test]
fn a_node_announces_itself_at_once_and_every_thirty_seconds() {
    let cfg = LrConfig::DEFAULT;
    let mut announcer = Announcer::new();
    assert_eq!(announcer.poll_timeout(at(7), &cfg), Some(at(7)));
    assert!(announcer.poll(at(7), &cfg));
    assert!(!announcer.poll(at(7), &cfg));
    assert_eq!(announcer.poll_timeout(at(8), &cfg), Some(at(30_007)));
    assert!(!announcer.poll(at(30_006), &cfg));
    assert!(announcer.poll(at(30_007), &cfg));
    // The option may change at any time.
    let often = LrConfig { auto_add: 5, ..cfg };
    assert!(announcer.poll(at(31_007), &often));
}

#[test]
fn a_node_without_auto_add_announces_nothing() {
    let cfg = LrConfig {
        auto_add: 0,
        ..LrConfig::DEFAULT
    };
    let mut announcer = Announcer::new();
    assert_eq!(announcer.poll_timeout(at(0), &cfg), None);
    assert!(!announcer.poll(at(0), &cfg));
    // Turned on later, it starts at once.
    assert!(announcer.poll(at(5), &LrConfig::DEFAULT));
}

#[test]
fn who_is_answered_and_who_is_remembered() {
    use Kind::*;
    use LrAction::*;
    let unsolicited = Ignore(LrIgnore::Unsolicited);
    for (kind, dst_is_us, solicited, auto_add, action) in [
        (Request, true, false, 150, ReplyAndLearn),
        (Request, true, true, 150, ReplyAndLearn),
        (Request, true, false, 0, ReplyAndLearn),
        (Request, false, false, 150, Learn),
        (Request, false, true, 0, Learn),
        (Request, false, false, 0, unsolicited),
        (Reply, true, true, 150, Learn),
        (Reply, true, true, 0, Learn),
        (Reply, false, false, 150, Learn),
        (Reply, true, false, 0, unsolicited),
        (Reply, false, false, 0, unsolicited),
    ] {
        assert_eq!(decide(kind, dst_is_us, false, solicited, auto_add), action);
        // Who says to be us is never believed.
        let own = Ignore(LrIgnore::OwnName);
        assert_eq!(decide(kind, dst_is_us, true, solicited, auto_add), own);
    }
}
