// SPDX-License-Identifier: GPL-2.0
//! x
fn main() {}
