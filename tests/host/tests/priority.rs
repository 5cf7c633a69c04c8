// SPDX-License-Identifier: GPL-2.0

//! At which priority a thread runs that serves a message, and what it has afterwards.

use proptest::prelude::*;
use qnet_host_tests::proto::kif::priority::{Limits, Sched};

const NORMAL: u32 = 0;
const FIFO: u32 = 1;
const ROUND_ROBIN: u32 = 2;
const BATCH: u32 = 3;
const IDLE: u32 = 5;
const DEADLINE: u32 = 6;

/// What a thread has that nobody gave anything: no real time, and no niceness below 0.
const NOTHING: Limits = Limits {
    real_time: 0,
    nice: 20,
};

fn ordinary(nice: i32) -> Sched {
    Sched {
        policy: NORMAL,
        real_time: 0,
        nice,
    }
}

fn real_time(policy: u32, real_time: u32) -> Sched {
    Sched {
        policy,
        real_time,
        nice: 0,
    }
}

#[test]
fn ten_is_an_ordinary_thread() {
    for (nice, priority) in [
        (0, 10),
        (1, 10),
        (-1, 10),
        (2, 9),
        (-2, 11),
        (19, 1),
        (18, 1),
        (-20, 20),
    ] {
        assert_eq!(ordinary(nice).priority(), priority, "nice {nice}");
    }
    assert_eq!(real_time(FIFO, 1).priority(), 21);
    assert_eq!(real_time(ROUND_ROBIN, 99).priority(), 119);
}

#[test]
fn a_thread_of_the_same_priority_stays_as_it_is() {
    assert_eq!(ordinary(1).at(10), ordinary(1));
    assert_eq!(real_time(FIFO, 7).at(27), real_time(FIFO, 7));
}

#[test]
fn the_sender_lifts_and_lowers() {
    assert_eq!(ordinary(0).at(1), ordinary(18));
    assert_eq!(ordinary(0).at(20), ordinary(-20));
    assert_eq!(ordinary(0).at(21), real_time(ROUND_ROBIN, 1));
    assert_eq!(ordinary(0).at(255), real_time(ROUND_ROBIN, 99));
    assert_eq!(real_time(FIFO, 50).at(30), real_time(FIFO, 10));
    assert_eq!(real_time(FIFO, 50).at(10), ordinary(0));
    let batch = Sched {
        policy: BATCH,
        ..ordinary(0)
    };
    assert_eq!(batch.at(5).policy, BATCH);
}

#[test]
fn some_threads_cannot_be_lent_to() {
    for policy in [IDLE, DEADLINE, 7] {
        let thread = Sched {
            policy,
            ..ordinary(0)
        };
        assert_eq!(thread.at(40), thread);
        assert_eq!(thread.clipped(thread, NOTHING), thread);
    }
}

#[test]
fn nobody_is_lifted_above_his_limits() {
    let own = ordinary(4);
    assert_eq!(own.at(15).clipped(own, NOTHING), ordinary(4));
    assert_eq!(own.at(2).clipped(own, NOTHING), ordinary(16));
    assert_eq!(own.at(50).clipped(own, NOTHING), ordinary(4));
    let limits = Limits {
        real_time: 10,
        nice: -5,
    };
    assert_eq!(own.at(20).clipped(own, limits), ordinary(-5));
    let lifted = own.at(50).clipped(own, limits);
    assert_eq!((lifted.policy, lifted.real_time), (ROUND_ROBIN, 10));
    // What it has itself it may keep, whatever the limits say now.
    let own = real_time(FIFO, 50);
    assert_eq!(own.at(90).clipped(own, NOTHING), own);
    assert_eq!(own.at(60).clipped(own, NOTHING), real_time(FIFO, 40));
}

#[test]
fn a_thread_gets_its_own_back() {
    let own = ordinary(5);
    for priority in [1, 10, 20, 21, 99] {
        let lent = own.at(priority);
        assert_eq!(own.given_back(lent, lent), own);
    }
}

#[test]
fn what_the_program_has_changed_meanwhile_stays() {
    let own = ordinary(5);
    let lent = own.at(30);
    // Another niceness while it ran in real time: real time ends, the niceness stays.
    let now = Sched { nice: 7, ..lent };
    assert_eq!(own.given_back(lent, now), ordinary(7));
    // Another priority in real time: that is the program's now.
    let now = Sched {
        nice: 5,
        ..real_time(FIFO, 3)
    };
    assert_eq!(own.given_back(lent, now), now);
    let lent = own.at(3);
    assert_eq!(own.given_back(lent, ordinary(0)), ordinary(0));
}

fn any_sched() -> impl Strategy<Value = Sched> {
    prop_oneof![
        (-20..=19).prop_map(ordinary),
        (1..=2u32, 1..=99u32, -20..=19).prop_map(|(policy, real_time, nice)| Sched {
            policy,
            real_time,
            nice,
        }),
    ]
}

proptest! {
    /// Whatever is asked for: what comes out is something that the scheduler takes, not more than the
    /// thread has or may have, and all of it comes back.
    #[test]
    fn lending_is_bounded_and_undone(
        own in any_sched(),
        priority in any::<i16>(),
        most in 0u32..=99,
        least in -20..=20,
    ) {
        let limits = Limits { real_time: most, nice: least };
        let lent = own.at(priority).clipped(own, limits);
        prop_assert_eq!(lent.real_time != 0, matches!(lent.policy, FIFO | ROUND_ROBIN));
        prop_assert!(lent.real_time <= most.max(own.real_time));
        prop_assert!((-20..=19).contains(&lent.nice));
        prop_assert!(lent.nice >= least.min(own.nice));
        prop_assert_eq!(own.given_back(lent, lent), own);
    }

    /// Without limits every priority that Linux has is reached.
    #[test]
    fn every_priority_is_reached(own in any_sched(), priority in 1i16..=119) {
        prop_assert_eq!(own.at(priority).priority(), i32::from(priority));
    }
}
