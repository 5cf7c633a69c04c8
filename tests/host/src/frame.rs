// SPDX-License-Identifier: GPL-2.0

//! Ethernet frames that carry a Qnet packet, put together the way the kernel's shell does it.

use crate::proto::wire::crc;
use crate::proto::wire::l4;
use std::vec::Vec;

/// Bytes of the Ethernet header.
pub const ETHERNET_LEN: usize = 14;

/// Qnet's EtherType.
pub const ETHERTYPE: u16 = 0x8204;

/// The pad that a sender writes unless told otherwise.
pub const PAD: usize = 2;

/// A shorter frame is filled with zeros up to this.
const MIN_LEN: usize = 60;

/// Who sends a frame to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The receiver.
    pub dst: [u8; 6],
    /// The sender.
    pub src: [u8; 6],
}

/// The L4 packet: header and payload. With [`l4::Flags::CRC`] it gets its CRC, otherwise the one
/// that the header has.
pub fn packet(header: &l4::Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [0; l4::HEADER_LEN];
    header.emit(&mut bytes);
    if header.flags.contains(l4::Flags::CRC) {
        let crc = crc::frame_crc(&bytes, payload);
        l4::put_crc(&mut bytes, crc);
    }
    [&bytes, payload].concat()
}

/// The whole frame: Ethernet header, `pad` zeros, packet, and zeros up to the shortest frame.
pub fn ethernet(link: Link, pad: usize, packet: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(link.dst);
    frame.extend(link.src);
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.resize(ETHERNET_LEN + pad, 0);
    frame.extend(packet);
    frame.resize(frame.len().max(MIN_LEN), 0);
    frame
}
