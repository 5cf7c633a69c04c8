// SPDX-License-Identifier: GPL-2.0

//! Tests of the C library's calls around messages, which are written in C: `c/calls.c`.

use std::process::exit;

fn main() {
    exit(qnet_guest::c::calls())
}
