// SPDX-License-Identifier: GPL-2.0

//! CRC-32/MPEG-2 from 0, which is the kernel's `crc32_be(0, ...)`: polynomial 0x04c11db7, not
//! reflected, no final exclusive-or.

use super::l4::HEADER_LEN;

/// Where the CRC stands in the header.
const CRC_AT: usize = HEADER_LEN - 4;

/// The CRC of each byte value in front of three zero bytes.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000_0000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x04c1_1db7;
            }
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Goes on from `seed` over `bytes`. A CRC over pieces is the CRC over each with the one before as
/// its seed.
pub fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        let [high, ..] = crc.to_be_bytes();
        (crc << 8) ^ TABLE[usize::from(high ^ byte)]
    })
}

/// The CRC over a header as the packet's CRC sees it: with zeros in the place of the CRC itself.
/// Going on from it over the payload gives the packet's CRC.
pub fn header_crc(header: &[u8; HEADER_LEN]) -> u32 {
    let (fields, _) = header.split_at(CRC_AT);
    crc32_be(crc32_be(0, fields), &[0; 4])
}

/// The CRC of a packet whose payload is in one piece.
pub fn frame_crc(header: &[u8; HEADER_LEN], payload: &[u8]) -> u32 {
    crc32_be(header_crc(header), payload)
}
