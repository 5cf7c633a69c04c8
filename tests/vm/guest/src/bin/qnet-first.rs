// SPDX-License-Identifier: GPL-2.0

//! The first program of the documentation, which is written in C:
//! `Documentation/examples/first.c`.

use std::process::exit;

fn main() {
    exit(qnet_guest::c::first())
}
