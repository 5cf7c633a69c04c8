// SPDX-License-Identifier: GPL-2.0

//! A program's buffer, in one part or scattered, or what stands for it in the kernel.
//!
//! The list of parts is read once, when the buffer is taken; the memory behind it is used, by the
//! same process, as often as needed. Of a message whose sender does not wait the bytes are kept in
//! the kernel, where any thread may use them.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use super::skb::RxSkb;
use crate::sys::bindings;
use core::ops::ControlFlow;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
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
    Kept(Arc<Kept>),
}

/// Memory of the kernel that stands for a program's.
#[pin_data]
struct Kept {
    /// What is behind their end was not written yet, and is zero.
    #[pin]
    bytes: Mutex<KVVec<u8>>,
}

impl Kept {
    fn new(bytes: KVVec<u8>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self { bytes <- new_mutex!(bytes) }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Calls `read` with those of the `len` bytes from `offset` on that there are.
    fn read<R>(&self, offset: usize, len: usize, read: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = self.bytes.lock();
        let there = bytes.get(offset..).unwrap_or(&[]);
        read(there.get(..len).unwrap_or(there))
    }

    /// Has `fill` write the `len` bytes from `offset` on.
    fn write(&self, offset: usize, len: usize, fill: impl FnOnce(&mut [u8]) -> Result) -> Result {
        // Nothing is written behind the end of the room, wherever that is said to be.
        if len == 0 {
            return Ok(());
        }
        let mut bytes = self.bytes.lock();
        let end = offset.checked_add(len).ok_or(EOVERFLOW)?;
        if bytes.len() < end {
            bytes.resize(end, 0, GFP_KERNEL_ACCOUNT)?;
        }
        fill(bytes.get_mut(offset..end).ok_or(EFAULT)?)
    }
}

/// A buffer in the memory of the calling process, or in the kernel.
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
        Self::from_list(read_parts(base, parts as usize)?)
    }

    /// Takes parts that the kernel has read from the program already.
    ///
    /// Errors: `EOVERFLOW` for more bytes than can be addressed.
    pub(super) fn from_list(list: KVec<Part>) -> Result<Self> {
        Ok(Self {
            len: total(&list)?,
            parts: Parts::Many(list),
        })
    }

    /// Bytes that are kept in the kernel. Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn kept(bytes: KVVec<u8>) -> Result<Self> {
        Ok(Self {
            len: bytes.len(),
            parts: Parts::Kept(Kept::new(bytes)?),
        })
    }

    /// Room for `len` bytes in the kernel, which takes memory when something is written there.
    /// Process context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn room(len: usize) -> Result<Self> {
        Ok(Self {
            len,
            parts: Parts::Kept(Kept::new(KVVec::new())?),
        })
    }

    /// Copies what was written into a buffer of the kernel to the beginning of another one, and says
    /// how many bytes there were. Process context.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn copy_written_to(&self, to: &UserBuf) -> Result<usize> {
        match &self.parts {
            Parts::Kept(kept) => kept.read(0, self.len, |bytes| {
                to.write(bytes)?;
                Ok(bytes.len())
            }),
            _ => Ok(0),
        }
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
            Parts::Kept(_) => &[],
        }
    }

    /// Walks the `len` bytes from `offset` on, part by part: address in the program, how many
    /// bytes before it were walked, and how many follow there.
    ///
    /// Errors: `EFAULT` if `each` says that it failed, and for a buffer in the kernel.
    pub(super) fn walk(
        &self,
        mut offset: usize,
        len: usize,
        mut each: impl FnMut(u64, usize, usize) -> bool,
    ) -> Result {
        if matches!(self.parts, Parts::Kept(_)) {
            return Err(EFAULT);
        }
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
        let kept = self.read_kept(offset, n, |bytes| {
            to.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT)?;
            Ok(bytes.len())
        });
        if let Some(copied) = kept {
            return copied;
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

    /// Hands the bytes of a buffer in the kernel to `read`, those of the `len` from `offset` on that
    /// there are; `None` for a program's buffer. Process context.
    pub(super) fn read_kept<R>(
        &self,
        offset: usize,
        len: usize,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        match &self.parts {
            Parts::Kept(kept) => Some(kept.read(offset, len, read)),
            Parts::One(_) | Parts::Many(_) => None,
        }
    }

    /// Fills `to` from the bytes at `offset` and says how many there were for it.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn read_at(&self, offset: usize, to: &mut [u8]) -> Result<usize> {
        let n = self.len.saturating_sub(offset).min(to.len());
        let kept = self.read_kept(offset, n, |bytes| {
            let filled = to.iter_mut().zip(bytes);
            filled.map(|(to, from)| *to = *from).count()
        });
        if let Some(copied) = kept {
            return Ok(copied);
        }
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
    /// Errors: `EFAULT`; `ENOMEM` in the kernel.
    pub(crate) fn write(&self, from: &[u8]) -> Result<usize> {
        self.write_at(0, from)
    }

    /// Like [`write`](Self::write), from `offset` on.
    pub(crate) fn write_at(&self, offset: usize, from: &[u8]) -> Result<usize> {
        let n = self.len.saturating_sub(offset).min(from.len());
        if let Parts::Kept(kept) = &self.parts {
            kept.write(offset, n, |to| {
                to.copy_from_slice(from.get(..to.len()).ok_or(EFAULT)?);
                Ok(())
            })?;
            return Ok(n);
        }
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
    /// Errors: `EINVAL` if the frame has not as many, `EFAULT`; `ENOMEM` in the kernel.
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
        if let Parts::Kept(kept) = &self.parts {
            kept.write(at, n, |to| from.copy_to_slice(offset, to))?;
            return Ok(n);
        }
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
