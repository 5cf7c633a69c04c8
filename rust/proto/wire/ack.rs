// SPDX-License-Identifier: GPL-2.0

//! The payloads of ACK and NACK. What else the two say is in their headers: an ACK's `seq` is the
//! message that caused it and its `offset` the next one wanted, a NACK's `seq` is the incomplete
//! message.

use super::bytes::{
    Reader,
    Writer, //
};

/// Bytes of the room in an ACK, when it tells one.
pub const ROOM_LEN: usize = 4;

/// Bytes of one missing range in a NACK.
pub const RANGE_LEN: usize = 8;

/// A NACK has at most so many ranges.
pub const MAX_RANGES: usize = 64;

/// Why a payload is not that of an ACK or NACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckError {
    /// The payload has a length that it cannot have.
    Length,
    /// A range is empty, or ends beyond what an offset can tell.
    Range,
}

/// Reads the payload of an ACK: how many bytes of room the receiver has, if it says so.
pub fn parse_room(payload: &[u8]) -> Result<Option<u32>, AckError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let room = <[u8; ROOM_LEN]>::try_from(payload).map_err(|_| AckError::Length)?;
    Ok(Some(u32::from_le_bytes(room)))
}

/// The payload of an ACK that tells the receiver's room.
pub const fn emit_room(room: u32) -> [u8; ROOM_LEN] {
    room.to_le_bytes()
}

/// Bytes of a message that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub offset: u32,
    /// How many there are; at least one.
    pub length: u32,
}

/// The missing ranges of a NACK, in the order in which they travel.
#[derive(Clone, Copy, Debug)]
pub struct Ranges<'a> {
    r: Reader<'a>,
}

impl<'a> Ranges<'a> {
    /// Reads the payload of a NACK, and checks all of it: 1 to [`MAX_RANGES`] ranges.
    pub fn parse(payload: &'a [u8]) -> Result<Self, AckError> {
        let n = payload.len() / RANGE_LEN;
        if payload.len() % RANGE_LEN != 0 || !(1..=MAX_RANGES).contains(&n) {
            return Err(AckError::Length);
        }
        let ranges = Self {
            r: Reader::new(payload),
        };
        match ranges.clone().all(|range| range.is_sound()) {
            true => Ok(ranges),
            false => Err(AckError::Range),
        }
    }
}

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        Some(Range {
            offset: self.r.u32()?,
            length: self.r.u32()?,
        })
    }
}

impl Range {
    const fn is_sound(&self) -> bool {
        self.length != 0 && self.offset.checked_add(self.length).is_some()
    }
}

/// Writes the payload of a NACK, and returns its length.
///
/// Returns [`None`] when `out` is too short, or the ranges are not what [`Ranges::parse`] takes.
pub fn emit_ranges(ranges: impl IntoIterator<Item = Range>, out: &mut [u8]) -> Option<usize> {
    let mut w = Writer::new(out);
    for range in ranges {
        if !range.is_sound() {
            return None;
        }
        w.u32(range.offset)?;
        w.u32(range.length)?;
    }
    let n = w.written() / RANGE_LEN;
    (1..=MAX_RANGES).contains(&n).then_some(w.written())
}
