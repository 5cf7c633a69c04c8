// SPDX-License-Identifier: GPL-2.0

//! Tests of the C library, which are written in C: `c/capi.c`.

use std::process::exit;

fn main() {
    exit(qnet_guest::c::capi())
}
