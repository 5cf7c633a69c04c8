// SPDX-License-Identifier: GPL-2.0

//! The payloads of ACK and NACK.

use super::{
    any_bytes,
    hostile_u32, //
};
use proptest::collection::vec;
use proptest::prelude::*;
use qnet_host_tests::proto::wire::ack::{
    emit_ranges,
    emit_room,
    parse_room,
    AckError,
    Range,
    Ranges,
    MAX_RANGES,
    RANGE_LEN, //
};

fn range() -> impl Strategy<Value = Range> {
    (any::<u32>(), any::<u32>()).prop_map(|(offset, length)| {
        let length = length.min(u32::MAX - offset).max(1);
        let offset = offset.min(u32::MAX - length);
        Range { offset, length }
    })
}

fn parse(payload: &[u8]) -> Result<Vec<Range>, AckError> {
    Ranges::parse(payload).map(Iterator::collect)
}

#[test]
fn an_ack_tells_the_room_or_nothing() {
    assert_eq!(parse_room(&[]), Ok(None));
    assert_eq!(parse_room(&[4, 3, 2, 1]), Ok(Some(0x0102_0304)));
    assert_eq!(emit_room(0x0102_0304), [4, 3, 2, 1]);
    for len in [1, 2, 3, 5, 8] {
        assert_eq!(parse_room(&[0; 8][..len]), Err(AckError::Length));
    }
}

#[test]
fn a_nack_has_1_to_64_ranges() {
    let bytes = |n| [1, 0, 0, 0, 2, 0, 0, 0].repeat(n);
    let range = Range {
        offset: 1,
        length: 2,
    };
    let mut out = [0; RANGE_LEN * (MAX_RANGES + 1)];
    assert_eq!(parse(&[]), Err(AckError::Length));
    assert_eq!(emit_ranges([], &mut out), None);
    for n in 1..=MAX_RANGES {
        assert_eq!(parse(&bytes(n)), Ok(vec![range; n]));
        assert_eq!(emit_ranges(vec![range; n], &mut out), Some(n * RANGE_LEN));
        assert_eq!(out[..n * RANGE_LEN], bytes(n));
    }
    assert_eq!(parse(&bytes(MAX_RANGES + 1)), Err(AckError::Length));
    assert_eq!(emit_ranges(vec![range; MAX_RANGES + 1], &mut out), None);
}

#[test]
fn empty_and_endless_ranges_are_refused() {
    for (offset, length) in [(0, 0), (7, 0), (u32::MAX, 1), (1, u32::MAX)] {
        let range = Range { offset, length };
        let mut bytes = [1; 16];
        bytes[8..12].copy_from_slice(&offset.to_le_bytes());
        bytes[12..].copy_from_slice(&length.to_le_bytes());
        assert_eq!(parse(&bytes), Err(AckError::Range));
        assert_eq!(emit_ranges([range], &mut [0; 8]), None);
    }
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(ranges in vec(range(), 1..=MAX_RANGES)) {
        let mut out = [0; RANGE_LEN * MAX_RANGES];
        let len = emit_ranges(ranges.clone(), &mut out).unwrap();
        prop_assert_eq!(len, ranges.len() * RANGE_LEN);
        for cut in 0..len {
            prop_assert_ne!(parse(&out[..cut]), Ok(ranges.clone()));
            prop_assert_eq!(emit_ranges(ranges.clone(), &mut vec![0; cut]), None);
        }
        prop_assert_eq!(parse(&out[..len]), Ok(ranges));
    }

    #[test]
    fn room_is_given_back(room: u32) {
        prop_assert_eq!(parse_room(&emit_room(room)), Ok(Some(room)));
    }

    #[test]
    fn hostile_bytes_are_checked(
        bytes in any_bytes(600),
        words in vec((hostile_u32(), hostile_u32()), 0..70),
    ) {
        let pairs: Vec<u8> = words
            .iter()
            .flat_map(|(offset, length)| [offset.to_le_bytes(), length.to_le_bytes()].concat())
            .collect();
        for bytes in [bytes, pairs] {
            let _ = parse_room(&bytes);
            if let Ok(ranges) = parse(&bytes) {
                prop_assert!(ranges.len() <= MAX_RANGES);
                for range in ranges {
                    prop_assert!(range.length > 0);
                    prop_assert!(range.offset.checked_add(range.length).is_some());
                }
            }
        }
    }
}
