// SPDX-License-Identifier: GPL-2.0

//! A cursor that reads and one that writes little-endian fields. Both say [`None`] at the end of
//! their bytes, so that no record needs an index of its own on what a peer sent.

/// Reads fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the whole of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            read: 0,
        }
    }

    /// How many bytes were read.
    pub const fn read(&self) -> usize {
        self.read
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        self.read = self.read.wrapping_add(N);
        Some(*head)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        self.read = self.read.wrapping_add(len);
        Some(head)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next byte, signed.
    pub fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_le_bytes)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next two bytes, signed.
    pub fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_le_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next four bytes, signed.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }
}

/// Writes fields to the front of a slice, and counts them.
#[derive(Debug)]
pub struct Writer<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    /// A writer of the whole of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            rest: out,
            written: 0,
        }
    }

    /// How many bytes were written.
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Writes `bytes`, all or none of them.
    pub fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        // The slice leaves `self` for the split, because its halves live as long as it does. It
        // comes back whole when it is too short.
        let rest = core::mem::take(&mut self.rest);
        if rest.len() < bytes.len() {
            self.rest = rest;
            return None;
        }
        let (head, tail) = rest.split_at_mut_checked(bytes.len())?;
        head.copy_from_slice(bytes);
        self.rest = tail;
        self.written = self.written.wrapping_add(bytes.len());
        Some(())
    }

    /// Writes `string` and the NUL that closes it. There can be no NUL inside.
    pub fn c_string(&mut self, string: &[u8]) -> Option<()> {
        if string.contains(&0) {
            return None;
        }
        self.bytes(string)?;
        self.u8(0)
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes one signed byte.
    pub fn i8(&mut self, value: i8) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes two bytes.
    pub fn u16(&mut self, value: u16) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes two bytes of a signed value.
    pub fn i16(&mut self, value: i16) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes four bytes.
    pub fn u32(&mut self, value: u32) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Writes four bytes of a signed value.
    pub fn i32(&mut self, value: i32) -> Option<()> {
        self.bytes(&value.to_le_bytes())
    }
}

/// The bytes before the first NUL of `bytes`, or all of them.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}

/// How many bytes a string has with the NUL that closes it.
pub const fn closed_len(string: &[u8]) -> usize {
    string.len().saturating_add(1)
}
