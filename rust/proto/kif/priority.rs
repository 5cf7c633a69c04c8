// SPDX-License-Identifier: GPL-2.0

//! Priorities of messages.
//!
//! Neutrino's scale: 1 is the lowest that a message has, 10 an ordinary thread's. Linux threads are
//! mapped onto it in one place (`knet::pid`); a number from the network is brought into the range
//! here, because a peer may claim any.

/// The lowest priority of a message.
pub const MIN: i16 = 1;
/// The highest priority of a message; Neutrino's own maximum.
pub const MAX: i16 = 255;

/// The priority of an ordinary thread, and of the module's own pulses.
pub const ORDINARY: i16 = 10;

/// The priority that a claim of a peer counts as.
pub fn clamp(claimed: i32) -> i16 {
    match i16::try_from(claimed) {
        Ok(priority) => priority.clamp(MIN, MAX),
        Err(_) if claimed < 0 => MIN,
        Err(_) => MAX,
    }
}
