// SPDX-License-Identifier: GPL-2.0

//! The documentation's program that waits by poll(), which is written in C:
//! `Documentation/examples/poll.c`.

use std::process::exit;

fn main() {
    exit(qnet_guest::c::poll())
}
