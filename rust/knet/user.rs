// SPDX-License-Identifier: GPL-2.0

//! A program's buffer, in one part or scattered.
//!
//! The list of parts is read once, when the buffer is taken; the memory behind it is used, by the
//! same process, as often as needed.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::skb::RxSkb;
use crate::sys::bindings;
use core::ops::ControlFlow;
use kernel::{
    prelude::*,
    uaccess::UserPtr, //
};

/// One part: where it begins and how long it is.
type Part = bindings::qnet_iov;

/// The most that is read into one piece of kernel memory.
const MAX_READ: usize = 1 << 24;

/// The parts of a buffer.
enum Parts {
    One(Part),
    Many(KVec<Part>),
}

/// A buffer in the memory of the calling process.
pub(crate) struct UserBuf {
    parts: Parts,
    len: usize,
}

impl UserBuf {
    /// Takes what `struct qnet_buf` says: `len` bytes at `base` when `parts` is 0, else `parts`
    /// structures `qnet_iov` at `base`, and `len` is 0. Process context.
    ///
    /// Errors: `EINVAL` for more parts than `QNET_PARTS_MAX` and for a `len` beside parts, `EOVERFLOW`
    /// for more bytes than can be addressed; `EFAULT`, `ENOMEM`.
    pub(crate) fn from_parts(base: u64, len: u64, parts: u32) -> Result<Self> {
        if parts == 0 {
            let part = Part { base, len };
            return Ok(Self {
                len: total(core::slice::from_ref(&part))?,
                parts: Parts::One(part),
            });
        }
        if len != 0 || parts > bindings::QNET_PARTS_MAX {
            return Err(EINVAL);
        }
        let list = read_parts(base, parts as usize)?;
        Ok(Self {
            len: total(&list)?,
            parts: Parts::Many(list),
        })
    }

    /// How many bytes it has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn parts(&self) -> &[Part] {
        match &self.parts {
            Parts::One(part) => core::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

    /// Walks the `len` bytes from `offset` on, part by part: address in the program, how many
    /// bytes before it were walked, and how many follow there.
    ///
    /// Errors: `EFAULT` if `each` says that it failed.
    pub(super) fn walk(
        &self,
        mut offset: usize,
        len: usize,
        mut each: impl FnMut(u64, usize, usize) -> bool,
    ) -> Result {
        let mut done = 0;
        let walked = self.parts().iter().try_for_each(|part| {
            // CAST: `total` saw to it that lengths fit.
            let part_len = part.len as usize;
            if offset >= part_len {
                offset -= part_len;
                return ControlFlow::Continue(());
            }
            let n = (part_len - offset).min(len - done);
            if n == 0 {
                return ControlFlow::Break(true);
            }
            if !each(part.base.wrapping_add(offset as u64), done, n) {
                return ControlFlow::Break(false);
            }
            offset = 0;
            done += n;
            ControlFlow::Continue(())
        });
        match walked {
            ControlFlow::Break(false) => Err(EFAULT),
            _ => Ok(()),
        }
    }

    /// Copies the bytes at `offset`, at most `max` of them, into kernel memory.
    ///
    /// Errors: `EFAULT`, `ENOMEM`.
    pub(crate) fn read_piece(&self, offset: usize, max: usize) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::new();
        self.append(offset, max, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends the first `max` bytes to `to`, all if there are fewer, and says how many they were.
    ///
    /// Errors: `EFAULT`, `ENOMEM`; then `to` is as it was.
    pub(crate) fn read_all(&self, to: &mut KVVec<u8>, max: usize) -> Result<usize> {
        self.append(0, max, to)
    }

    fn append(&self, offset: usize, max: usize, to: &mut KVVec<u8>) -> Result<usize> {
        let n = self.len.saturating_sub(offset).min(max);
        // The kernel warns of whoever asks for more than an allocation can ever be.
        if n > MAX_READ {
            return Err(ENOMEM);
        }
        let old = to.len();
        to.reserve(n, GFP_KERNEL_ACCOUNT)?;
        let spare = to.spare_capacity_mut();
        self.walk(offset, n, |base, done, n| {
            let Some(to) = spare.get_mut(done..done + n) else {
                return false;
            };
            // SAFETY: `to` has room for `n` bytes.
            unsafe { bindings::qnet_helper_from_user(to.as_mut_ptr().cast(), base, n) }
        })?;
        // SAFETY: `reserve` made room for them, and `walk` filled them: it succeeds only when all
        // `n` bytes, which the parts have, were copied.
        unsafe { to.inc_len(n) };
        debug_assert!(to.len() == old + n);
        Ok(n)
    }

    /// Fills `to` from the bytes at `offset` and says how many there were for it.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn read_at(&self, offset: usize, to: &mut [u8]) -> Result<usize> {
        let n = self.len.saturating_sub(offset).min(to.len());
        self.walk(offset, n, |base, done, n| {
            let Some(to) = to.get_mut(done..done + n) else {
                return false;
            };
            // SAFETY: `to` has room for `n` bytes.
            unsafe { bindings::qnet_helper_from_user(to.as_mut_ptr().cast(), base, n) }
        })?;
        Ok(n)
    }

    /// Writes as many bytes of `from` as there is room for, from the beginning of the buffer on,
    /// and says how many they were.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn write(&self, from: &[u8]) -> Result<usize> {
        self.write_at(0, from)
    }

    /// Like [`write`](Self::write), from `offset` on.
    pub(crate) fn write_at(&self, offset: usize, from: &[u8]) -> Result<usize> {
        let n = self.len.saturating_sub(offset).min(from.len());
        self.walk(offset, n, |base, done, n| {
            let Some(from) = from.get(done..done + n) else {
                return false;
            };
            // SAFETY: `from` has `n` bytes.
            unsafe { bindings::qnet_helper_to_user(base, from.as_ptr().cast(), n) }
        })?;
        Ok(n)
    }

    /// Writes `len` bytes of a frame, from its byte `offset` on, to byte `at` of the buffer, as far
    /// as there is room, and says how many they were.
    ///
    /// Errors: `EINVAL` if the frame has not as many, `EFAULT`.
    pub(crate) fn write_skb(
        &self,
        at: usize,
        from: &RxSkb,
        offset: usize,
        len: usize,
    ) -> Result<usize> {
        if offset.checked_add(len).is_none_or(|end| end > from.len()) {
            return Err(EINVAL);
        }
        let n = self.len.saturating_sub(at).min(len);
        self.walk(at, n, |base, done, n| {
            let to = UserPtr::from_addr(base as usize);
            from.copy_to_user(offset + done, to, n).is_ok()
        })?;
        Ok(n)
    }
}

/// Reads a list of parts from the program.
fn read_parts(base: u64, count: usize) -> Result<KVec<Part>> {
    let mut list = KVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    let spare = list.spare_capacity_mut();
    // SAFETY: There is room for `count` parts.
    let done = unsafe {
        bindings::qnet_helper_from_user(spare.as_mut_ptr().cast(), base, count * size_of::<Part>())
    };
    if !done {
        return Err(EFAULT);
    }
    // SAFETY: As many were filled, and any bits make a `Part`.
    unsafe { list.inc_len(count) };
    Ok(list)
}

/// The length of all parts together.
fn total(parts: &[Part]) -> Result<usize> {
    let mut sum = 0u64;
    for part in parts {
        sum = sum.checked_add(part.len).ok_or(EOVERFLOW)?;
    }
    isize::try_from(sum)
        .map(isize::unsigned_abs)
        .map_err(|_| EOVERFLOW)
}
