// SPDX-License-Identifier: GPL-2.0

//! The documentation's program with pulses, which is written in C:
//! `Documentation/examples/pulses.c`.

use std::process::exit;

fn main() {
    exit(qnet_guest::c::pulses())
}
