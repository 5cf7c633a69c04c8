// SPDX-License-Identifier: GPL-2.0

//! Capture files in the classic pcap format, little endian, Ethernet.

use std::vec::Vec;

const MAGIC: u32 = 0xa1b2_c3d4;
const LINK_ETHERNET: u32 = 1;
const SNAP_LEN: u32 = 65535;
const FILE_HEADER_LEN: usize = 24;
const FRAME_HEADER_LEN: usize = 16;

/// The frames of a capture file.
///
/// # Panics
///
/// Panics when `file` is not a whole capture file of this format.
pub fn read(file: &[u8]) -> Vec<Vec<u8>> {
    let u32_at =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(file, 0), MAGIC, "not a little-endian pcap file");
    assert_eq!(u32_at(file, 20), LINK_ETHERNET, "not a capture of Ethernet");

    let mut frames = Vec::new();
    let mut rest = &file[FILE_HEADER_LEN..];
    while !rest.is_empty() {
        let len = u32_at(rest, 8) as usize;
        assert_eq!(u32_at(rest, 12) as usize, len, "a frame was cut");
        let (frame, next) = rest[FRAME_HEADER_LEN..].split_at(len);
        frames.push(frame.to_vec());
        rest = next;
    }
    frames
}

/// A capture file with `frames`, one a second.
pub fn write<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    file.extend([0; 8]);
    file.extend(SNAP_LEN.to_le_bytes());
    file.extend(LINK_ETHERNET.to_le_bytes());
    for (second, frame) in (1_u32..).zip(frames) {
        let len = u32::try_from(frame.len()).unwrap();
        for word in [second, 0, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}
