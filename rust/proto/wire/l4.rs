// SPDX-License-Identifier: GPL-2.0

//! The L4 header: 36 bytes in front of every packet.

use super::kif;

/// Bytes of the header.
pub const HEADER_LEN: usize = 36;

/// A frame has at most this many bytes between EtherType and header.
pub const MAX_PAD: usize = 3;

/// So many bytes of a frame are enough to parse its header, wherever it starts.
pub const MAX_LINEAR: usize = MAX_PAD + HEADER_LEN;

/// The version byte of a sender that is little endian, as we are.
pub const VERSION_LITTLE: u8 = 0x2a;

/// The version byte of a sender that is big endian; its packets are refused.
pub const VERSION_BIG: u8 = 0xaa;

/// No message of the layers above has more data bytes in one L4 message (`xfer_max`).
pub const MAX_DATA: usize = 65536;

/// No L4 message is longer: the longest head of the layers above, and [`MAX_DATA`] behind it.
pub const MAX_MESSAGE: usize = kif::MAX_FIXED + MAX_DATA;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// Data, in an older coding that means the same as [`User`](Self::User). It is never sent.
    UserData = 0x0,
    /// Opens a connection.
    TcsInit = 0x1,
    /// Answers INIT: the answerer's end is up.
    TcsRemUp = 0x2,
    /// Answers REM_UP: the opener's end is up.
    TcsUp = 0x3,
    /// Takes a connection down.
    TcsDown = 0x4,
    /// Answers DOWN.
    TcsRemDown = 0x5,
    /// Data.
    User = 0x8,
    /// What arrived.
    Ack = 0x9,
    /// What is missing of a message.
    Nack = 0xa,
    /// A packet of the LAN resolver.
    Lres = 0xb,
}

impl PacketType {
    /// The type that travels as `byte`.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            0x0 => Self::UserData,
            0x1 => Self::TcsInit,
            0x2 => Self::TcsRemUp,
            0x3 => Self::TcsUp,
            0x4 => Self::TcsDown,
            0x5 => Self::TcsRemDown,
            0x8 => Self::User,
            0x9 => Self::Ack,
            0xa => Self::Nack,
            0xb => Self::Lres,
            _ => return None,
        })
    }

    /// The byte that it travels as.
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    /// Whether the packet carries a fragment of a message, in either coding.
    pub const fn is_data(self) -> bool {
        matches!(self, Self::User | Self::UserData)
    }
}

/// Which layer the payload of a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Layer {
    /// Kernel interface: message passing.
    Kif = 0,
    /// Node resolver, which also carries the heartbeat.
    Nr = 1,
    /// LAN resolver.
    Lr = 2,
    /// The sequence itself: fills the hole of a message given up.
    Seq = 3,
}

impl Layer {
    /// The layer that travels as `byte`.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Kif,
            1 => Self::Nr,
            2 => Self::Lr,
            3 => Self::Seq,
            _ => return None,
        })
    }

    /// The byte that it travels as.
    pub const fn to_wire(self) -> u8 {
        self as u8
    }
}

/// The flags of a packet. Bits without a name are kept, and mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The first fragment of a message.
    pub const FIRST: Self = Self(1);
    /// The last fragment of a message.
    pub const LAST: Self = Self(2);
    /// The header carries a CRC.
    pub const CRC: Self = Self(4);
    /// What is not cut into fragments is first and last.
    pub const WHOLE: Self = Self::FIRST.union(Self::LAST);

    /// The flags of a fragment.
    pub const fn of_fragment(first: bool, last: bool) -> Self {
        Self(first as u8 | ((last as u8) << 1))
    }

    /// The flags that travel as `bits`.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte that they travel as.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and `other`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the packet is for.
    pub ptype: PacketType,
    /// Its flags.
    pub flags: Flags,
    /// Which layer its payload is for.
    pub layer: Layer,
    /// The sender's own number for the receiver.
    pub src_nd_for_dst: u16,
    /// The receiver's number for the sender, as the receiver told it; 0 while unknown.
    pub dst_nd_for_src: u16,
    /// The sender's connection id.
    pub src_conn_id: u32,
    /// The receiver's connection id; 0 until the receiver told it.
    pub dst_conn_id: u32,
    /// The sequence number of the message on its connection.
    pub seq: u32,
    /// The QoS policy; `names::Policy` lists the values.
    pub qos_type: u16,
    /// The sender's index of the QoS instance.
    pub src_qos_idx: u16,
    /// Where the fragment starts in its message; in an ACK the next sequence number wanted.
    pub offset: u32,
    /// Payload bytes in this packet.
    pub length: u32,
    /// The CRC as it travels; 0 when [`Flags::CRC`] is off.
    pub crc: u32,
}

/// Why a frame has no usable header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The frame ends before the header does.
    Short,
    /// The sender is big endian.
    OtherEndian,
    /// There is no version byte where one may be.
    Version,
    /// The packet type is unknown.
    Type,
    /// The layer is unknown.
    Layer,
    /// A fragment at offset 0 is not marked as the first one, or another one is.
    Flags,
    /// The header claims more payload than the frame has.
    Length,
    /// The fragment ends beyond the longest message.
    Offset,
}

/// Finds and reads the header of a frame. `frame` is what follows the EtherType, as far as it is
/// linear: the first [`MAX_LINEAR`] bytes, or all of a shorter frame. `total` is the length of the
/// whole frame behind the EtherType.
///
/// Returns where in `frame` the header starts, 0 to [`MAX_PAD`], and the header. The payload
/// follows the header; what follows the payload is to be ignored.
pub fn parse(frame: &[u8], total: usize) -> Result<(usize, Header), HeaderError> {
    let pad = find_version(frame)?;
    let bytes = frame
        .get(pad..)
        .and_then(|rest| rest.first_chunk::<HEADER_LEN>())
        .ok_or(HeaderError::Short)?;
    let room = total
        .checked_sub(pad + HEADER_LEN)
        .ok_or(HeaderError::Short)?;
    let header = Header::decode(bytes)?;
    header.check(room)?;
    Ok((pad, header))
}

/// Where the version byte is. Pad bytes are zero, hence the first byte that is a version is the one.
fn find_version(frame: &[u8]) -> Result<usize, HeaderError> {
    for (pad, byte) in frame.iter().take(MAX_PAD + 1).enumerate() {
        match *byte {
            VERSION_LITTLE => return Ok(pad),
            VERSION_BIG => return Err(HeaderError::OtherEndian),
            _ => {}
        }
    }
    if frame.len() <= MAX_PAD {
        Err(HeaderError::Short)
    } else {
        Err(HeaderError::Version)
    }
}

impl Header {
    /// Reads the fields, whose places are constant.
    fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Ok(Self {
            ptype: PacketType::from_wire(bytes[1]).ok_or(HeaderError::Type)?,
            flags: Flags::from_bits(bytes[2]),
            layer: Layer::from_wire(bytes[3]).ok_or(HeaderError::Layer)?,
            src_nd_for_dst: u16_at(4),
            dst_nd_for_src: u16_at(6),
            src_conn_id: u32_at(8),
            dst_conn_id: u32_at(12),
            seq: u32_at(16),
            qos_type: u16_at(20),
            src_qos_idx: u16_at(22),
            offset: u32_at(24),
            length: u32_at(28),
            crc: u32_at(32),
        })
    }

    /// Whether the fields agree with each other and with the `room` that the frame has for payload.
    fn check(&self, room: usize) -> Result<(), HeaderError> {
        let length = usize::try_from(self.length).map_err(|_| HeaderError::Length)?;
        if length > room {
            return Err(HeaderError::Length);
        }
        // Only data is a piece of something; in an ACK the field has another meaning.
        if !self.ptype.is_data() {
            return Ok(());
        }
        let end = u64::from(self.offset) + u64::from(self.length);
        if end > MAX_MESSAGE as u64 {
            return Err(HeaderError::Offset);
        }
        if self.flags.contains(Flags::FIRST) != (self.offset == 0) {
            return Err(HeaderError::Flags);
        }
        Ok(())
    }

    /// Writes the header, with the CRC as it is given.
    pub fn emit(&self, out: &mut [u8; HEADER_LEN]) {
        out[0] = VERSION_LITTLE;
        out[1] = self.ptype.to_wire();
        out[2] = self.flags.bits();
        out[3] = self.layer.to_wire();
        out[4..6].copy_from_slice(&self.src_nd_for_dst.to_le_bytes());
        out[6..8].copy_from_slice(&self.dst_nd_for_src.to_le_bytes());
        out[8..12].copy_from_slice(&self.src_conn_id.to_le_bytes());
        out[12..16].copy_from_slice(&self.dst_conn_id.to_le_bytes());
        out[16..20].copy_from_slice(&self.seq.to_le_bytes());
        out[20..22].copy_from_slice(&self.qos_type.to_le_bytes());
        out[22..24].copy_from_slice(&self.src_qos_idx.to_le_bytes());
        out[24..28].copy_from_slice(&self.offset.to_le_bytes());
        out[28..32].copy_from_slice(&self.length.to_le_bytes());
        put_crc(out, self.crc);
    }
}

/// Puts the CRC into a header that was written before it was known.
pub fn put_crc(header: &mut [u8; HEADER_LEN], crc: u32) {
    header[32..36].copy_from_slice(&crc.to_le_bytes());
}
