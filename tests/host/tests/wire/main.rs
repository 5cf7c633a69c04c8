// SPDX-License-Identifier: GPL-2.0

//! The codecs of everything that travels. Each record is tested in three ways: values that the
//! reference gives, what must be refused, and properties of values and bytes drawn at random:
//! parsing what was emitted gives the value, each truncation is an error, and no bytes make a parser
//! panic or hand out what is not inside them.

mod ack;
mod crc;
mod errno;
mod kif;
mod l4;
mod lr;
mod nr;
mod signo;
mod tcs;

use proptest::collection::vec;
use proptest::prelude::*;

/// Whether `part` lies in `whole`, and not only looks like a piece of it.
fn is_inside(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start == part.end || (whole.start <= part.start && part.end <= whole.end)
}

/// Up to `max` bytes of anything.
fn any_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

/// Up to `max` bytes without NUL: what a string on the wire can be.
fn string(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..=max)
}

/// Small numbers, and those at which lengths and offsets go wrong.
fn hostile_u32() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..200_u32,
        any::<u32>(),
        Just(u32::MAX),
        Just(u32::MAX - 7),
        Just(0x8000_0000),
        Just(0xffff),
        Just(0x1_0000),
    ]
}
