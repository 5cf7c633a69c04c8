// SPDX-License-Identifier: GPL-2.0

//! The structures that ioctls take: read, checked, written back.
//!
//! A structure begins with its size as the caller knows it, which is the size that the ioctl's
//! number names too. A longer one than this module knows must be zero beyond what it knows.

use crate::{
    ipc::transaction::Timeout,
    knet::user::UserBuf,
    proto::kif::transaction::TimeoutStates,
    uapi, //
};
use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// Bytes that are looked at together beyond the structure that is known.
const CHUNK: usize = 64;
/// The longest structure that any version may have, in bytes.
const LONGEST: usize = 4096;

/// A structure in a program's memory.
pub(super) struct Argument {
    address: usize,
    size: usize,
}

impl Argument {
    /// The argument `address` of an ioctl whose number names `size` bytes.
    pub(super) fn new(address: usize, size: usize) -> Self {
        Self { address, size }
    }

    /// Where it is in the program's memory.
    pub(super) fn address(&self) -> usize {
        self.address
    }

    /// Reads the structure, which begins with its size.
    ///
    /// Errors: `EFAULT`; `EINVAL` when the size is not the one that the number names, or too
    /// small; `E2BIG` when bytes are set that this module does not know.
    pub(super) fn read<T: FromBytes + IntoBytes>(&self) -> Result<T> {
        self.read_since(size_of::<T>())
    }

    /// The same for a structure that has grown: once it had `least` bytes, and what a program does
    /// not know of it is zero.
    pub(super) fn read_since<T: FromBytes + IntoBytes>(&self, least: usize) -> Result<T> {
        if self.size < least || self.size > LONGEST {
            return Err(EINVAL);
        }
        let known = size_of::<T>();
        let mut reader = UserSlice::new(UserPtr::from_addr(self.address), self.size).reader();
        let mut value = T::new_zeroed();
        let bytes = value.as_mut_bytes();
        reader.read_slice(bytes.get_mut(..known.min(self.size)).ok_or(EINVAL)?)?;
        let said = bytes.first_chunk::<4>().ok_or(EINVAL)?;
        if u32::from_ne_bytes(*said) as usize != self.size {
            return Err(EINVAL);
        }
        let mut rest = self.size.saturating_sub(known);
        while rest > 0 {
            let mut chunk = [0; CHUNK];
            let chunk = chunk.get_mut(..rest.min(CHUNK)).ok_or(EINVAL)?;
            reader.read_slice(chunk)?;
            if chunk.iter().any(|&byte| byte != 0) {
                return Err(E2BIG);
            }
            rest -= chunk.len();
        }
        Ok(value)
    }

    /// Writes the structure back, as far as the program knows it. Fields that only a longer structure has
    /// keep the zeroes in them.
    ///
    /// Errors: `EFAULT`.
    pub(super) fn write<T: IntoBytes + Immutable>(&self, value: &T) -> Result {
        let mut writer = UserSlice::new(UserPtr::from_addr(self.address), self.size).writer();
        let bytes = value.as_bytes();
        writer.write_slice(bytes.get(..self.size).unwrap_or(bytes))
    }
}

/// Looks at a field that must be zero.
///
/// Errors: `EINVAL`.
pub(super) fn reserved(zero: bool) -> Result {
    if zero {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// A buffer that a program names.
///
/// Errors: `EINVAL` for reserved bytes that are set or too many parts, `EFAULT`, `ENOMEM`,
/// `EOVERFLOW` for a length that cannot be.
pub(super) fn buffer(buf: &uapi::Buf) -> Result<UserBuf> {
    reserved(buf.reserved == 0)?;
    UserBuf::from_parts(buf.base, buf.len, buf.parts)
}

/// A time-out that a program asks for.
///
/// Errors: `EINVAL` for states that do not exist or reserved bytes that are set.
pub(super) fn timeout(timeout: &uapi::Timeout) -> Result<Timeout> {
    reserved(timeout.reserved == 0)?;
    let absolute = timeout.states & uapi::QNET_TIMEOUT_ABSOLUTE != 0;
    let states = timeout.states & !uapi::QNET_TIMEOUT_ABSOLUTE;
    Ok(Timeout {
        states: TimeoutStates::new(states).ok_or(EINVAL)?,
        ns: timeout.ns,
        deadline: absolute.then_some(timeout.ns),
    })
}
