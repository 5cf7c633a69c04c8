// SPDX-License-Identifier: GPL-2.0

//! The payload of TCS_INIT: who opens a connection to whom. The other TCS packets have none.
//!
//! Four u16 tell where the strings start, counted from the byte after the four; each string is closed
//! by NUL.

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

/// The four offsets.
const FIXED_LEN: usize = 8;

/// The longest payload that is emitted, and all of a longer one that is worth looking at.
pub const MAX_LEN: usize = FIXED_LEN + 2 * (NAME_MAX + 1 + DOMAIN_MAX + 1);

/// Names and domains of both ends, without NUL. Whether they are good names is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The opener's name.
    pub src_name: &'a [u8],
    /// The opener's domain.
    pub src_domain: &'a [u8],
    /// The name of the node that is called.
    pub dst_name: &'a [u8],
    /// Its domain.
    pub dst_domain: &'a [u8],
}

/// Why a payload is not that of an INIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// The payload ends before the offsets do.
    Short,
    /// A string starts outside the payload.
    Offset,
    /// A string is not closed by NUL.
    Unterminated,
}

impl<'a> Init<'a> {
    /// Reads the payload of an INIT.
    pub fn parse(payload: &'a [u8]) -> Result<Self, InitError> {
        let mut r = Reader::new(payload);
        let offsets = r.array::<FIXED_LEN>().ok_or(InitError::Short)?;
        let strings = r.rest();
        let mut offsets = Reader::new(&offsets);
        let mut next = || {
            let offset = offsets.u16().ok_or(InitError::Short)?;
            string_at(strings, usize::from(offset))
        };
        Ok(Self {
            src_name: next()?,
            src_domain: next()?,
            dst_name: next()?,
            dst_domain: next()?,
        })
    }

    /// The strings in the order in which they travel.
    const fn strings(&self) -> [&'a [u8]; 4] {
        [
            self.src_name,
            self.src_domain,
            self.dst_name,
            self.dst_domain,
        ]
    }

    /// How many bytes [`emit`](Self::emit) writes.
    pub fn emitted_len(&self) -> usize {
        self.strings().iter().fold(FIXED_LEN, |len, string| {
            len.saturating_add(closed_len(string))
        })
    }

    /// Writes the payload, and returns its length.
    ///
    /// Returns [`None`] when `out` is too short, a string has a NUL in it, or the strings are longer
    /// than an offset can tell.
    pub fn emit(&self, out: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(out);
        let mut offset = 0_usize;
        for string in self.strings() {
            w.u16(u16::try_from(offset).ok()?)?;
            offset = offset.saturating_add(closed_len(string));
        }
        for string in self.strings() {
            w.c_string(string)?;
        }
        Some(w.written())
    }
}

/// The string that starts at `offset`, without its NUL.
fn string_at(strings: &[u8], offset: usize) -> Result<&[u8], InitError> {
    let rest = strings.get(offset..).ok_or(InitError::Offset)?;
    let string = until_nul(rest);
    match (string.len() < rest.len(), rest.is_empty()) {
        (true, _) => Ok(string),
        (false, true) => Err(InitError::Offset),
        (false, false) => Err(InitError::Unterminated),
    }
}
