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
    translate(linux, |(linux, qnx)| (linux, qnx), REAL_TIME, QNX_REAL_TIME)
}

/// Linux's number for a signal that travelled, or 0; [`None`] if Linux has none.
pub fn from_wire(qnx: i32) -> Option<i32> {
    translate(qnx, |(linux, qnx)| (qnx, linux), QNX_REAL_TIME, REAL_TIME)
}

/// The other side's number for a signal, when `turned` puts this side first in a row of the table and
/// the real-time signals begin at `first` here and at `other_first` there.
fn translate(
    number: i32,
    turned: impl Fn((i32, i32)) -> (i32, i32),
    first: i32,
    other_first: i32,
) -> Option<i32> {
    let rows = || TABLE.iter().map(|row| turned(*row));
    if let Some((_, other)) = rows().find(|(mine, _)| *mine == number) {
        return Some(other);
    }
    if (0..FIRST_DIFFERENT).contains(&number) {
        // Unless the other side has taken the number for something else.
        return rows().all(|(_, other)| other != number).then_some(number);
    }
    let place = number.checked_sub(first)?;
    (0..REAL_TIME_COUNT)
        .contains(&place)
        .then(|| place.saturating_add(other_first))
}
