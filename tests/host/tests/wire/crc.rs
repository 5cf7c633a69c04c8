// SPDX-License-Identifier: GPL-2.0

//! The CRC.

use proptest::prelude::*;
use qnet_host_tests::proto::wire::crc::{
    crc32_be,
    frame_crc,
    header_crc, //
};

/// The definition, a bit at a time.
fn bitwise(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
            let carry = crc >> 31 != 0;
            (crc << 1) ^ if carry { 0x04c1_1db7 } else { 0 }
        })
    })
}

#[test]
fn check_value() {
    assert_eq!(crc32_be(0, b"123456789"), 0x89a1_897f);
    assert_eq!(crc32_be(0, b""), 0);
    // The catalogued CRC-32/MPEG-2 starts from ones.
    assert_eq!(crc32_be(u32::MAX, b"123456789"), 0x0376_e6e7);
}

proptest! {
    #[test]
    fn is_as_defined(seed: u32, bytes: Vec<u8>) {
        prop_assert_eq!(crc32_be(seed, &bytes), bitwise(seed, &bytes));
    }

    #[test]
    fn goes_on_over_pieces(seed: u32, head: Vec<u8>, tail: Vec<u8>) {
        let whole = [head.as_slice(), &tail].concat();
        prop_assert_eq!(crc32_be(crc32_be(seed, &head), &tail), crc32_be(seed, &whole));
    }

    #[test]
    fn takes_zeros_for_itself(head: [u8; 32], field: [u8; 4], payload: Vec<u8>) {
        let mut header = [0; 36];
        header[..32].copy_from_slice(&head);
        let whole = [header.as_slice(), &payload].concat();
        let expected = crc32_be(0, &whole);
        header[32..].copy_from_slice(&field);
        prop_assert_eq!(frame_crc(&header, &payload), expected);
        prop_assert_eq!(crc32_be(header_crc(&header), &payload), expected);
    }
}
