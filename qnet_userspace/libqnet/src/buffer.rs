// SPDX-License-Identifier: LGPL-2.1-or-later

//! The buffers of a C program.

use std::{
    ffi::c_void,
    mem,
    ptr, //
};

use qnet::{
    raw::{
        Sink,
        Source, //
    },
    Error,
    Result, //
};

/// The longest buffer there is: longer ones are not a number of bytes that a call can return.
const LONGEST: usize = isize::MAX as usize;

/// # Safety
///
/// As [`Source::from_raw`].
pub(crate) unsafe fn source<'a>(base: *const c_void, length: usize) -> Result<Source<'a>> {
    if length > LONGEST {
        return Err(Error::EOVERFLOW);
    }
    // SAFETY: The caller promises what is asked for.
    Ok(unsafe { Source::from_raw(base.cast(), length) })
}

/// # Safety
///
/// As [`Sink::from_raw`].
pub(crate) unsafe fn sink<'a>(base: *mut c_void, length: usize) -> Result<Sink<'a>> {
    if length > LONGEST {
        return Err(Error::EOVERFLOW);
    }
    // SAFETY: The caller promises what is asked for.
    Ok(unsafe { Sink::from_raw(base.cast(), length) })
}

/// Room for a message, which the kernel stores, or for a pulse, which this library does.
#[derive(Clone, Copy)]
pub(crate) enum Room {
    /// Bytes in one piece.
    Piece(*mut c_void, usize),
    /// An array of parts, and how many there are.
    Parts(*const libc::iovec, usize),
}

impl Room {
    /// The room as the kernel takes it.
    ///
    /// # Safety
    ///
    /// What is mapped of the room must be the caller's: the array of parts to read, all else to
    /// write, for `'a`.
    pub(crate) unsafe fn sink<'a>(self) -> Result<Sink<'a>> {
        // SAFETY: The caller promises what is asked for.
        unsafe {
            match self {
                Self::Piece(base, length) => sink(base, length),
                Self::Parts(parts, count) => Sink::from_raw_parts(parts, count),
            }
        }
    }

    /// Stores all of `bytes`, or none and says EFAULT when there is not room for them.
    ///
    /// # Safety
    ///
    /// The room must be mapped, except for parts at address 0, and the caller's: the array of parts
    /// to read, all else to write.
    pub(crate) unsafe fn store(self, bytes: &[u8]) -> Result<()> {
        let piece;
        let parts = match self {
            Self::Piece(iov_base, iov_len) => {
                piece = [libc::iovec { iov_base, iov_len }];
                &piece[..]
            }
            Self::Parts(_, 0) => &[],
            Self::Parts(parts, _) if parts.is_null() => &[],
            // SAFETY: The caller says that the array is there.
            Self::Parts(parts, count) => unsafe { std::slice::from_raw_parts(parts, count) },
        };
        let usable = |part: &&libc::iovec| !part.iov_base.is_null();
        let room = parts
            .iter()
            .filter(usable)
            .fold(0usize, |room, part| room.saturating_add(part.iov_len));
        if room < bytes.len() {
            return Err(Error::EFAULT);
        }
        let mut left = bytes;
        for part in parts.iter().filter(usable) {
            let (now, later) = left.split_at(part.iov_len.min(left.len()));
            // SAFETY: The caller says that the part is there and his, and it has room for `now`,
            // which is this library's.
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), part.iov_base.cast(), now.len()) };
            left = later;
        }
        Ok(())
    }
}

/// The bytes of a pulse, as `struct _pulse` of the header has them.
pub(crate) fn pulse_bytes(pulse: qnet_sys::qnet_pulse) -> [u8; size_of::<qnet_sys::qnet_pulse>()] {
    // SAFETY: The structure has no padding (`qnet-sys` compares its size with that of its fields), so
    // all of its bytes have values.
    unsafe { mem::transmute(pulse) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &mut [u8]) -> libc::iovec {
        libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        }
    }

    #[test]
    fn stores_all_or_nothing() {
        let mut place = [0u8; 4];
        let piece = |length| Room::Piece(place.as_ptr().cast_mut().cast(), length);
        // SAFETY: The room is there, at most as long as told.
        assert_eq!(unsafe { piece(2).store(b"abc") }, Err(Error::EFAULT));
        let whole = Room::Piece(place.as_mut_ptr().cast(), place.len());
        // SAFETY: As above.
        assert_eq!(unsafe { whole.store(b"abc") }, Ok(()));
        assert_eq!(&place, b"abc\0");
        let nowhere = Room::Piece(ptr::null_mut(), 100);
        // SAFETY: There is nothing at address 0, and nothing is stored there.
        assert_eq!(unsafe { nowhere.store(b"abc") }, Err(Error::EFAULT));
    }

    #[test]
    fn scatters() {
        let (mut one, mut two, mut three) = ([0u8; 1], [0u8; 0], [0u8; 4]);
        let parts = [part(&mut one), part(&mut two), part(&mut three)];
        let room = Room::Parts(parts.as_ptr(), parts.len());
        // SAFETY: The parts are there, and nobody else's.
        unsafe {
            assert_eq!(room.store(b"abcdef"), Err(Error::EFAULT));
            assert_eq!(room.store(b"abcd"), Ok(()));
            assert_eq!(Room::Parts(ptr::null(), 0).store(b"a"), Err(Error::EFAULT));
        }
        assert_eq!((&one, &three), (b"a", b"bcd\0"));
    }

    #[test]
    fn pulses() {
        let bytes = pulse_bytes(qnet_sys::qnet_pulse {
            code: -32,
            value: 0x0102_0304,
            scoid: 5,
            ..Default::default()
        });
        assert_eq!(bytes[4], 0xe0);
        assert_eq!(
            i64::from_ne_bytes(bytes[8..16].try_into().unwrap()),
            0x0102_0304
        );
        assert_eq!(i32::from_ne_bytes(bytes[16..20].try_into().unwrap()), 5);
    }
}
