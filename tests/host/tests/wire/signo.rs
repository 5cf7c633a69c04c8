// SPDX-License-Identifier: GPL-2.0

//! The signal numbers.

use proptest::prelude::*;
use qnet_host_tests::proto::wire::signo::{
    from_wire,
    to_wire, //
};

/// Name, QNX, Linux: all that both have, except the real-time signals.
const BOTH: [(&str, i32, i32); 30] = [
    ("SIGHUP", 1, 1),
    ("SIGINT", 2, 2),
    ("SIGQUIT", 3, 3),
    ("SIGILL", 4, 4),
    ("SIGTRAP", 5, 5),
    ("SIGABRT", 6, 6),
    ("SIGFPE", 8, 8),
    ("SIGKILL", 9, 9),
    ("SIGBUS", 10, 7),
    ("SIGSEGV", 11, 11),
    ("SIGSYS", 12, 31),
    ("SIGPIPE", 13, 13),
    ("SIGALRM", 14, 14),
    ("SIGTERM", 15, 15),
    ("SIGUSR1", 16, 10),
    ("SIGUSR2", 17, 12),
    ("SIGCHLD", 18, 17),
    ("SIGPWR", 19, 30),
    ("SIGWINCH", 20, 28),
    ("SIGURG", 21, 23),
    ("SIGPOLL", 22, 29),
    ("SIGSTOP", 23, 19),
    ("SIGTSTP", 24, 20),
    ("SIGCONT", 25, 18),
    ("SIGTTIN", 26, 21),
    ("SIGTTOU", 27, 22),
    ("SIGVTALRM", 28, 26),
    ("SIGPROF", 29, 27),
    ("SIGXCPU", 30, 24),
    ("SIGXFSZ", 31, 25),
];

#[test]
fn names_survive_both_ways() {
    for (name, qnx, linux) in BOTH {
        assert_eq!(to_wire(linux), Some(qnx), "{name}");
        assert_eq!(from_wire(qnx), Some(linux), "{name}");
    }
    // kill() with 0 only asks.
    assert_eq!((to_wire(0), from_wire(0)), (Some(0), Some(0)));
}

#[test]
fn real_time_signals_keep_their_place() {
    for place in 0..16 {
        assert_eq!(to_wire(34 + place), Some(41 + place));
        assert_eq!(from_wire(41 + place), Some(34 + place));
    }
}

#[test]
fn what_one_side_alone_has_does_not_travel() {
    let linux: Vec<_> = (0..=64).filter(|n| to_wire(*n).is_none()).collect();
    // SIGSTKFLT; the C library's two; what is beyond QNX's sixteen.
    let beyond: Vec<_> = [16, 32, 33].into_iter().chain(50..=64).collect();
    assert_eq!(linux, beyond);
    let qnx: Vec<_> = (0..=64).filter(|n| from_wire(*n).is_none()).collect();
    // SIGEMT; a gap; what QNX keeps for itself.
    let beyond: Vec<_> = [7].into_iter().chain(32..=40).chain(57..=64).collect();
    assert_eq!(qnx, beyond);
}

proptest! {
    #[test]
    fn any_number_comes_back_or_not_at_all(number: i32) {
        for number in [number, number & 0x7f] {
            if let Some(qnx) = to_wire(number) {
                prop_assert_eq!(from_wire(qnx), Some(number));
            }
            if let Some(linux) = from_wire(number) {
                prop_assert_eq!(to_wire(linux), Some(number));
            }
        }
    }
}
