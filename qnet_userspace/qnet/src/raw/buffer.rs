// SPDX-License-Identifier: LGPL-2.1-or-later

//! The buffers of a program: bytes in one piece or scattered.

use std::{
    io::{
        IoSlice,
        IoSliceMut, //
    },
    marker::PhantomData, //
};

use qnet_sys::qnet_buf;

use crate::{
    Error,
    Result, //
};

// A part of a scattered buffer is passed to the kernel as the C library's struct iovec, which has
// the layout of struct qnet_iov only where a pointer has 64 bits.
const _: () = assert!(
    size_of::<usize>() == 8
        && size_of::<libc::iovec>() == size_of::<qnet_sys::qnet_iov>()
        && align_of::<libc::iovec>() == align_of::<qnet_sys::qnet_iov>(),
    "this crate is for 64-bit programs"
);

/// Bytes, in one piece or scattered, that the kernel reads.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a>(pub(super) qnet_buf, PhantomData<&'a [u8]>);

impl<'a> Source<'a> {
    /// One piece.
    pub fn new(bytes: &'a [u8]) -> Self {
        // SAFETY: A slice is readable for its whole length and lifetime.
        unsafe { Self::from_raw(bytes.as_ptr(), bytes.len()) }
    }

    /// Several pieces, one behind the other.
    pub fn scattered(parts: &'a [IoSlice<'_>]) -> Result<Self> {
        // SAFETY: `IoSlice` has the layout of `struct iovec` and each is a readable slice.
        unsafe { Self::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
    }

    /// One piece at an address that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of `length` bytes at `base` must be the caller's to read for `'a`.
    pub unsafe fn from_raw(base: *const u8, length: usize) -> Self {
        Self(piece(base as u64, length), PhantomData)
    }

    /// Pieces whose array and contents are at addresses that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of the `count` structures at `parts`, and of what they point to, must be
    /// the caller's to read for `'a`.
    pub unsafe fn from_raw_parts(parts: *const libc::iovec, count: usize) -> Result<Self> {
        Ok(Self(pieces(parts, count)?, PhantomData))
    }
}

/// Room, in one piece or scattered, that the kernel writes into.
#[derive(Debug)]
pub struct Sink<'a>(pub(super) qnet_buf, PhantomData<&'a mut [u8]>);

impl<'a> Sink<'a> {
    /// One piece.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        // SAFETY: A mutable slice is writable, and nobody else's, for its length and lifetime.
        unsafe { Self::from_raw(bytes.as_mut_ptr(), bytes.len()) }
    }

    /// Several pieces, one behind the other.
    pub fn scattered(parts: &'a mut [IoSliceMut<'_>]) -> Result<Self> {
        // SAFETY: `IoSliceMut` has the layout of `struct iovec` and each is a writable slice.
        unsafe { Self::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
    }

    /// One piece at an address that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of `length` bytes at `base` must be the caller's to write for `'a`.
    pub unsafe fn from_raw(base: *mut u8, length: usize) -> Self {
        Self(piece(base as u64, length), PhantomData)
    }

    /// Pieces whose array and contents are at addresses that the kernel checks.
    ///
    /// # Safety
    ///
    /// What is mapped of the `count` structures at `parts` must be the caller's to read, and of
    /// what they point to the caller's to write, for `'a`.
    pub unsafe fn from_raw_parts(parts: *const libc::iovec, count: usize) -> Result<Self> {
        Ok(Self(pieces(parts, count)?, PhantomData))
    }
}

fn piece(base: u64, length: usize) -> qnet_buf {
    qnet_buf {
        base,
        len: length as u64,
        parts: 0,
        reserved: 0,
    }
}

/// A scattered buffer; one without parts is an empty piece, since `parts` 0 means one piece.
fn pieces(parts: *const libc::iovec, count: usize) -> Result<qnet_buf> {
    if count == 0 {
        return Ok(qnet_buf::default());
    }
    Ok(qnet_buf {
        base: parts as u64,
        len: 0,
        parts: u32::try_from(count).map_err(|_| Error::EINVAL)?,
        reserved: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers() {
        assert_eq!(
            Source::scattered(&[]).unwrap().0,
            qnet_buf::default(),
            "no parts are an empty message"
        );
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        let buffer = Source::scattered(&parts).unwrap().0;
        assert_eq!((buffer.parts, buffer.len), (2, 0));
        // SAFETY: Nothing is read: the count is refused.
        let many = unsafe { Source::from_raw_parts(std::ptr::null(), usize::MAX) };
        assert_eq!(many.err(), Some(Error::EINVAL));
    }
}
