// SPDX-License-Identifier: GPL-2.0

//! Signal numbers. They travel as QNX numbers them, which follows System V where Linux does not.
//!
//! A signal that only one of the two has does not travel: a number that the other side takes for
//! another signal would do harm there. So QNX's SIGEMT (7), and those above its real-time signals (57
//! to 64), are refused here, and Linux's SIGSTKFLT and the real-time signals beyond QNX's sixteen are
//! refused before they leave.

/// Linux, QNX: the signals that both have and number differently. All others below
/// [`FIRST_DIFFERENT`] are the same.
const TABLE: &[(i32, i32)] = &[
    (7, 10),  // SIGBUS
    (10, 16), // SIGUSR1
    (12, 17), // SIGUSR2
    (17, 18), // SIGCHLD
    (18, 25), // SIGCONT
    (19, 23), // SIGSTOP
    (20, 24), // SIGTSTP
    (21, 26), // SIGTTIN
    (22, 27), // SIGTTOU
    (23, 21), // SIGURG
    (24, 30), // SIGXCPU
    (25, 31), // SIGXFSZ
    (26, 28), // SIGVTALRM
    (27, 29), // SIGPROF
    (28, 20), // SIGWINCH
    (29, 22), // SIGIO, SIGPOLL
    (30, 19), // SIGPWR
    (31, 12), // SIGSYS
];

/// From here on both number differently, or one has none.
const FIRST_DIFFERENT: i32 = 16;

/// The first real-time signal of a program on Linux: the C library keeps two for itself.
const REAL_TIME: i32 = 34;
/// That of a program on QNX.
const QNX_REAL_TIME: i32 = 41;
/// How many QNX has.
const REAL_TIME_COUNT: i32 = 16;

/// The number that travels for a signal of Linux's, or 0 for the question whether one could be sent;
/// [`None`] if QNX has none.
pub fn to_wire(linux: i32) -> Option<i32> {
    let other = TABLE.iter().find(|(number, _)| *number == linux);
    let taken = TABLE.iter().any(|(_, qnx)| *qnx == linux);
    match other {
        Some((_, qnx)) => Some(*qnx),
        None => shared(linux, taken).or_else(|| shifted(linux, REAL_TIME, QNX_REAL_TIME)),
    }
}

/// Linux's number for a signal that travelled, or 0; [`None`] if Linux has none.
pub fn from_wire(qnx: i32) -> Option<i32> {
    let other = TABLE.iter().find(|(_, number)| *number == qnx);
    let taken = TABLE.iter().any(|(linux, _)| *linux == qnx);
    match other {
        Some((linux, _)) => Some(*linux),
        None => shared(qnx, taken).or_else(|| shifted(qnx, QNX_REAL_TIME, REAL_TIME)),
    }
}

/// A number that means the same on both sides, unless the other side has `taken` it for something
/// else.
fn shared(number: i32, taken: bool) -> Option<i32> {
    ((0..FIRST_DIFFERENT).contains(&number) && !taken).then_some(number)
}

/// A real-time signal: the `n`th of one side is the `n`th of the other.
fn shifted(number: i32, from: i32, to: i32) -> Option<i32> {
    let place = number.checked_sub(from)?;
    (0..REAL_TIME_COUNT)
        .contains(&place)
        .then(|| place.saturating_add(to))
}
