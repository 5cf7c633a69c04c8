// SPDX-License-Identifier: GPL-2.0

//! The packet of the LAN resolver: who is, and who is at which address.
//!
//! A fixed part of [`FIXED_LEN`] bytes tells where the name, domain and address of the source and of
//! the destination are, as pairs of u32 {offset, length} counted from its end.

use super::bytes::{
    closed_len,
    until_nul,
    Reader,
    Writer, //
};
use crate::proto::names::{
    DOMAIN_MAX,
    NAME_MAX, //
};

/// Bytes of the fixed part.
pub const FIXED_LEN: usize = 56;

/// The longest packet that is emitted.
pub const MAX_LEN: usize = FIXED_LEN + 2 * (NAME_MAX + 1 + DOMAIN_MAX + 1 + MAC_LEN);

const VERSION: u8 = 1;

/// Bytes of an address: a head {length, family} and the six of the MAC.
const MAC_LEN: usize = 8;

/// The family of a MAC address; the other one in use, 2, is the name of an interface.
const FAMILY_MAC: u8 = 1;

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who is the destination?
    Request,
    /// The source is here: an answer to a request, or an announcement.
    Reply,
}

/// One of the two nodes that a packet tells about. Whether its names are good is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// The name, without NUL; empty when the packet does not tell.
    pub name: &'a [u8],
    /// The domain, without NUL; empty when there is none.
    pub domain: &'a [u8],
    /// The MAC address, if the packet tells one.
    pub mac: Option<[u8; 6]>,
}

/// A packet of the LAN resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it says.
    pub kind: Kind,
    /// Who sent it.
    pub src: Party<'a>,
    /// Whom it is about, or for.
    pub dst: Party<'a>,
}

/// Why a payload is not a packet of the LAN resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LrError {
    /// The payload ends before the fixed part does.
    Short,
    /// The version is unknown.
    Version,
    /// It is neither request nor reply.
    Kind,
    /// The packet claims to be longer than the payload, or shorter than the fixed part.
    Length,
    /// A string or address is outside the packet.
    Item,
    /// A MAC address is not one.
    Address,
}

impl<'a> Packet<'a> {
    /// Reads a packet. What follows its own length in `payload` is ignored.
    pub fn parse(payload: &'a [u8]) -> Result<Self, LrError> {
        let (kind, length, pairs) = read_fixed(payload)?;
        let length = usize::try_from(length).map_err(|_| LrError::Length)?;
        let items = payload.get(FIXED_LEN..length).ok_or(LrError::Length)?;
        let mut pairs = Reader::new(&pairs);
        Ok(Self {
            kind,
            src: Party::read(&mut pairs, items)?,
            dst: Party::read(&mut pairs, items)?,
        })
    }

    /// How many bytes [`emit`](Self::emit) writes.
    pub fn emitted_len(&self) -> usize {
        FIXED_LEN
            .saturating_add(self.src.emitted_len())
            .saturating_add(self.dst.emitted_len())
    }

    /// Writes the packet, and returns its length.
    ///
    /// Returns [`None`] when `out` is too short or a string has a NUL in it.
    pub fn emit(&self, out: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(out);
        w.bytes(&[VERSION, 0, self.kind.to_wire(), 0])?;
        w.u32(u32::try_from(self.emitted_len()).ok()?)?;
        self.src.write_pairs(&mut w, 0)?;
        self.dst.write_pairs(&mut w, self.src.emitted_len())?;
        self.src.write_items(&mut w)?;
        self.dst.write_items(&mut w)?;
        Some(w.written())
    }
}

/// Reads the fixed part: kind, length of the packet, and the pairs as they are.
fn read_fixed(payload: &[u8]) -> Result<(Kind, u32, [u8; 48]), LrError> {
    let mut r = Reader::new(payload);
    let [version, _, kind, _] = r.array().ok_or(LrError::Short)?;
    let length = r.u32().ok_or(LrError::Short)?;
    let pairs = r.array().ok_or(LrError::Short)?;
    if version != VERSION {
        return Err(LrError::Version);
    }
    Ok((Kind::from_wire(kind)?, length, pairs))
}

impl Kind {
    const fn from_wire(byte: u8) -> Result<Self, LrError> {
        match byte {
            1 => Ok(Self::Request),
            2 => Ok(Self::Reply),
            _ => Err(LrError::Kind),
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
        }
    }
}

impl<'a> Party<'a> {
    fn read(pairs: &mut Reader<'_>, items: &'a [u8]) -> Result<Self, LrError> {
        Ok(Self {
            name: until_nul(item(pairs, items)?),
            domain: until_nul(item(pairs, items)?),
            mac: mac(item(pairs, items)?)?,
        })
    }

    /// The lengths of name, domain and address on the wire. A party without a name is absent, and so
    /// are its name and domain; a named one has its domain even when that is empty, because a reader
    /// in C finds a string in it.
    fn lengths(&self) -> [usize; 3] {
        let address = self.mac.map_or(0, |_| MAC_LEN);
        match self.is_absent() {
            true => [0, 0, address],
            false => [closed_len(self.name), closed_len(self.domain), address],
        }
    }

    const fn is_absent(&self) -> bool {
        self.name.is_empty() && self.domain.is_empty()
    }

    fn emitted_len(&self) -> usize {
        let [name, domain, address] = self.lengths();
        name.saturating_add(domain).saturating_add(address)
    }

    /// Writes the pairs of items that start at `offset`. What is absent has offset 0, which is inside
    /// the packet.
    fn write_pairs(&self, w: &mut Writer<'_>, mut offset: usize) -> Option<()> {
        for length in self.lengths() {
            let at = if length == 0 { 0 } else { offset };
            w.u32(u32::try_from(at).ok()?)?;
            w.u32(u32::try_from(length).ok()?)?;
            offset = offset.saturating_add(length);
        }
        Some(())
    }

    fn write_items(&self, w: &mut Writer<'_>) -> Option<()> {
        if !self.is_absent() {
            w.c_string(self.name)?;
            w.c_string(self.domain)?;
        }
        if let Some(mac) = self.mac {
            w.bytes(&[MAC_LEN as u8, FAMILY_MAC])?;
            w.bytes(&mac)?;
        }
        Some(())
    }
}

/// The item that the next pair is about. The offset of an absent one does not matter.
fn item<'a>(pairs: &mut Reader<'_>, items: &'a [u8]) -> Result<&'a [u8], LrError> {
    let offset = pairs.u32().ok_or(LrError::Short)?;
    let length = pairs.u32().ok_or(LrError::Short)?;
    if length == 0 {
        return Ok(&[]);
    }
    let offset = usize::try_from(offset).map_err(|_| LrError::Item)?;
    let length = usize::try_from(length).map_err(|_| LrError::Item)?;
    items
        .get(offset..)
        .and_then(|rest| rest.get(..length))
        .ok_or(LrError::Item)
}

/// The MAC address in an address item; [`None`] when there is no item or it is of another family.
fn mac(item: &[u8]) -> Result<Option<[u8; 6]>, LrError> {
    if item.is_empty() {
        return Ok(None);
    }
    let mut r = Reader::new(item);
    let [length, family] = r.array().ok_or(LrError::Address)?;
    if family != FAMILY_MAC {
        return Ok(None);
    }
    if usize::from(length) != MAC_LEN {
        return Err(LrError::Address);
    }
    r.array().map(Some).ok_or(LrError::Address)
}
