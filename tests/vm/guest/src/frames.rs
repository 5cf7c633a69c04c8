// SPDX-License-Identifier: GPL-2.0

//! Qnet's frames, right and wrong, written a second time and by other hands than the module's.

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Everybody's address.
pub const BROADCAST: Mac = [0xff; 6];
/// Where the L4 header begins in a frame of ours: Ethernet's own, and two bytes of padding.
pub const L4: usize = 14 + 2;
/// The length of the L4 header.
pub const HEADER: usize = 36;

/// Types of packets.
pub mod kind {
    /// Opens a connection.
    pub const INIT: u8 = 1;
    /// Answers an INIT.
    pub const REM_UP: u8 = 2;
    /// Answers a REM_UP.
    pub const UP: u8 = 3;
    /// Ends a connection.
    pub const DOWN: u8 = 4;
    /// A message.
    pub const USER: u8 = 8;
    /// An acknowledgement.
    pub const ACK: u8 = 9;
    /// What is missing of a message.
    pub const NACK: u8 = 0xa;
    /// The LAN resolver's.
    pub const LRES: u8 = 0xb;
}

/// The first and only fragment.
pub const WHOLE: u8 = 3;
/// There is a CRC.
pub const CRC: u8 = 4;

/// An L4 header; every field can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0x2a.
    pub version: u8,
    /// [`kind`].
    pub kind: u8,
    /// [`WHOLE`] and [`CRC`].
    pub flags: u8,
    /// 0 KIF, 1 NR, 2 LR, 3 SEQ.
    pub layer: u8,
    /// The source's number for the destination.
    pub src_nd: u16,
    /// The destination's number for the source.
    pub dst_nd: u16,
    /// The source's connection.
    pub src_conn: u32,
    /// The destination's connection.
    pub dst_conn: u32,
    /// Which message.
    pub seq: u32,
    /// Where in the message.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
    /// The check sum.
    pub crc: u32,
}

impl Header {
    /// A header of this kind, with nothing in it that has to be known.
    pub fn new(kind: u8, layer: u8) -> Self {
        Self {
            version: 0x2a,
            kind,
            flags: WHOLE,
            layer,
            src_nd: 1,
            dst_nd: 0,
            src_conn: 0x0bad_0001,
            dst_conn: 0,
            seq: 0,
            offset: 0,
            length: 0,
            crc: 0,
        }
    }

    /// Reads the header of a frame.
    pub fn of_frame(frame: &[u8]) -> Option<Self> {
        let b = frame.get(L4..L4 + HEADER)?;
        let half = |at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        Some(Self {
            version: b[0],
            kind: b[1],
            flags: b[2],
            layer: b[3],
            src_nd: half(4),
            dst_nd: half(6),
            src_conn: word(8),
            dst_conn: word(12),
            seq: word(16),
            offset: word(24),
            length: word(28),
            crc: word(32),
        })
    }

    /// The header as it is sent.
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut b = [0; HEADER];
        b[0] = self.version;
        b[1] = self.kind;
        b[2] = self.flags;
        b[3] = self.layer;
        b[4..6].copy_from_slice(&self.src_nd.to_le_bytes());
        b[6..8].copy_from_slice(&self.dst_nd.to_le_bytes());
        b[8..12].copy_from_slice(&self.src_conn.to_le_bytes());
        b[12..16].copy_from_slice(&self.dst_conn.to_le_bytes());
        b[16..20].copy_from_slice(&self.seq.to_le_bytes());
        b[24..28].copy_from_slice(&self.offset.to_le_bytes());
        b[28..32].copy_from_slice(&self.length.to_le_bytes());
        b[32..36].copy_from_slice(&self.crc.to_le_bytes());
        b
    }
}

/// A frame: Ethernet's header, padding, L4's header as it is, and a payload.
pub fn frame(to: Mac, from: Mac, header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ethernet(to, from, &[0, 0]);
    bytes.extend(header.bytes());
    bytes.extend(payload);
    bytes
}

/// A frame with the length of its payload in the header.
pub fn sized(to: Mac, from: Mac, header: Header, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    frame(to, from, &Header { length, ..header }, payload)
}

/// A frame of Qnet's type with anything in it.
pub fn ethernet(to: Mac, from: Mac, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1514);
    bytes.extend(to);
    bytes.extend(from);
    bytes.extend(0x8204u16.to_be_bytes());
    bytes.extend(data);
    bytes
}

/// CRC-32/MPEG-2 from 0, of a header with zeroes in its place and of the payload.
pub fn crc(header: &Header, payload: &[u8]) -> u32 {
    let header = Header { crc: 0, ..*header }.bytes();
    header.iter().chain(payload).fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| match crc >> 31 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x04c1_1db7,
        })
    })
}

/// The payload of an INIT.
pub fn init(names: [&str; 4]) -> Vec<u8> {
    let mut offset = 0u16;
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend(offset.to_le_bytes());
        offset += name.len() as u16 + 1;
    }
    for name in names {
        bytes.extend(name.bytes());
        bytes.push(0);
    }
    bytes
}

/// The payload of a LAN resolver packet: 1 is a request, 2 a reply.
pub fn resolver(what: u8, from: &str, mac: Mac, to: &str) -> Vec<u8> {
    let mut items: Vec<u8> = Vec::new();
    let mut strings: Vec<u8> = Vec::new();
    let mut item = |bytes: &[u8]| {
        let offset = if bytes.is_empty() {
            0
        } else {
            strings.len() as u32
        };
        items.extend(offset.to_le_bytes());
        items.extend((bytes.len() as u32).to_le_bytes());
        strings.extend(bytes);
    };
    let with_nul = |text: &str| [text.as_bytes(), &[0]].concat();
    item(&with_nul(from));
    item(&[]);
    item(&[&[8, 1][..], &mac].concat());
    item(&with_nul(to));
    item(&[]);
    item(&[]);
    let length = (8 + items.len() + strings.len()) as u32;
    let mut bytes = vec![1, 0, what, 0];
    bytes.extend(length.to_le_bytes());
    bytes.extend(items);
    bytes.extend(strings);
    bytes
}

/// The fixed part of a KIF message: its type, and the words behind the head.
pub fn kif(kind: u16, words: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_le_bytes());
    bytes.extend((4 + 4 * words.len() as u16).to_le_bytes());
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let header = Header {
            seq: 7,
            src_conn: 0x1234_5678,
            crc: 99,
            length: 3,
            ..Header::new(kind::USER, 0)
        };
        let frame = frame(BROADCAST, [2; 6], &header, b"abc");
        assert_eq!(frame.len(), L4 + HEADER + 3);
        assert_eq!(Header::of_frame(&frame), Some(header));
        assert_eq!(Header::of_frame(&frame[..L4 + HEADER - 1]), None);
    }

    /// The frames of the golden capture have CRCs, which Wireshark calls correct.
    #[test]
    fn check_sum() {
        // crc32_be(0, "123456789") is 0x89a1897f: here the digits follow a header of zeroes, to
        // which the sum is blind.
        let zero = Header {
            version: 0,
            kind: 0,
            flags: 0,
            layer: 0,
            src_nd: 0,
            dst_nd: 0,
            src_conn: 0,
            dst_conn: 0,
            seq: 0,
            offset: 0,
            length: 0,
            crc: 0x5555_5555,
        };
        assert_eq!(crc(&zero, b"123456789"), 0x89a1_897f);
    }

    #[test]
    fn payloads() {
        assert_eq!(init(["ab", "", "c", "d"])[..8], [0, 0, 3, 0, 4, 0, 6, 0]);
        assert_eq!(init(["ab", "", "c", "d"])[8..], *b"ab\0\0c\0d\0");
        let packet = resolver(1, "a", [9; 6], "b");
        assert_eq!(packet.len(), 56 + 2 + 8 + 2);
        assert_eq!(packet[4], packet.len() as u8);
        assert_eq!(kif(14, &[5]), [14, 0, 8, 0, 5, 0, 0, 0]);
    }
}
