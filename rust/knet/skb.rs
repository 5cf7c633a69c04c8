// SPDX-License-Identifier: GPL-2.0

//! Frames: those that were received ([`RxSkb`]) and those to be sent ([`TxSkb`]).
//!
//! Each is owned by one value and freed with it. What is received may be in several pieces and
//! must be pulled together before it can be looked at; what is made here is in one piece.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::netdev::NetDevice;
use crate::sys::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Continues a CRC with the most significant bit first, polynomial 0x04c11db7, not inverted.
#[inline]
pub(crate) fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    // SAFETY: The slice can be read.
    unsafe { bindings::crc32_be(seed, bytes.as_ptr().cast(), bytes.len()) }
}

/// A received frame, from behind the EtherType on.
///
/// # Invariants
///
/// `skb` is owned by this value alone; other clones may share its bytes, which are only read.
pub(crate) struct RxSkb {
    skb: NonNull<bindings::sk_buff>,
    src: [u8; 6],
    unicast: bool,
}

// SAFETY: A `struct sk_buff` that has one owner may be used by any thread.
unsafe impl Send for RxSkb {}
// SAFETY: What `&RxSkb` allows only reads.
unsafe impl Sync for RxSkb {}

impl RxSkb {
    /// Takes over a frame from a packet handler; `None` if it is none for us.
    ///
    /// # Safety
    ///
    /// `skb` is what the handler was called with, and is not used any more by the caller.
    #[inline]
    pub(super) unsafe fn begin(skb: *mut bindings::sk_buff) -> Option<Self> {
        let mut rx = bindings::qnet_rx::default();
        // SAFETY: As the caller promises.
        let skb = NonNull::new(unsafe { bindings::qnet_helper_rx_begin(skb, &mut rx) })?;
        // INVARIANT: The helper gave an `skb` that nobody else has.
        Some(Self {
            skb,
            src: rx.src,
            unicast: rx.unicast,
        })
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: By the invariant `skb` is valid, and changed through `&mut self` only.
        unsafe { (*self.skb.as_ptr()).len as usize }
    }

    /// The bytes that are in one piece.
    #[inline]
    fn linear(&self) -> &[u8] {
        // SAFETY: By the invariant `skb` is valid. `len - data_len` bytes are at `data`.
        unsafe {
            let skb = self.skb.as_ptr();
            slice::from_raw_parts((*skb).data, ((*skb).len - (*skb).data_len) as usize)
        }
    }

    /// The first `n` bytes, brought into one piece; `None` if there are not as many, or no memory.
    #[inline]
    pub(crate) fn pull(&mut self, n: usize) -> Option<&[u8]> {
        if self.linear().len() < n {
            let n = u32::try_from(n).ok()?;
            // SAFETY: By the invariant `skb` is valid and ours to change.
            if !unsafe { bindings::qnet_helper_skb_may_pull(self.skb.as_ptr(), n) } {
                return None;
            }
        }
        self.linear().get(..n)
    }

    /// Removes the first `n` bytes; all if there are not as many.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        let n = n.min(self.len());
        if self.pull(n).is_none() {
            // No memory to reach beyond the linear part: nothing is left to be misread.
            // SAFETY: By the invariant `skb` is valid and ours to change. Trimming to zero needs no
            // memory.
            unsafe { bindings::qnet_helper_skb_trim(self.skb.as_ptr(), 0) };
            return;
        }
        // CAST: Not more than `len`, which is a `u32`.
        // SAFETY: As many bytes are in the linear part.
        unsafe { bindings::skb_pull(self.skb.as_ptr(), n as u32) };
    }

    /// Cuts the frame after `n` bytes, if it is longer.
    ///
    /// Errors: `ENOMEM`, since trimming pages that are shared takes memory. The frame is as long as
    /// it was, then.
    #[inline]
    pub(crate) fn truncate(&mut self, n: usize) -> Result {
        if n >= self.len() {
            return Ok(());
        }
        // CAST: Less than `len`, which is a `u32`.
        // SAFETY: By the invariant `skb` is valid and ours to change.
        let done = unsafe { bindings::qnet_helper_skb_trim(self.skb.as_ptr(), n as u32) };
        if done {
            Ok(())
        } else {
            Err(ENOMEM)
        }
    }

    /// Who sent it, by the Ethernet header.
    #[inline]
    pub(crate) fn src_mac(&self) -> [u8; 6] {
        self.src
    }

    /// Whether it was sent to us alone.
    #[inline]
    pub(crate) fn is_unicast(&self) -> bool {
        self.unicast
    }

    /// How much memory it takes.
    #[inline]
    pub(crate) fn truesize(&self) -> usize {
        // SAFETY: By the invariant `skb` is valid.
        unsafe { (*self.skb.as_ptr()).truesize as usize }
    }

    /// Continues a CRC (see [`crc32_be`]) with `len` bytes from `offset` on; those that there are.
    pub(crate) fn crc32_be(&self, seed: u32, offset: usize, len: usize) -> u32 {
        let from = offset.min(self.len());
        let to = offset.saturating_add(len).min(self.len());
        // CAST: Not more than `len`, which is a `u32`.
        // SAFETY: `from <= to <= len`. Reading the pieces changes nothing in `skb`.
        unsafe {
            bindings::qnet_helper_skb_crc32_be(self.skb.as_ptr(), seed, from as u32, to as u32)
        }
    }

    /// Copies `len` bytes from `offset` on into the caller's memory. Process context.
    ///
    /// Errors: `EINVAL` if there are not as many, `EFAULT`.
    pub(crate) fn copy_to_user(&self, offset: usize, to: UserPtr, len: usize) -> Result {
        self.has(offset, len)?;
        let to = to.as_const_ptr().addr() as u64;
        // CAST: Not more than `len`, which is a `u32` below `INT_MAX`.
        // SAFETY: The frame has these bytes.
        let done = unsafe {
            bindings::qnet_helper_skb_to_user(self.skb.as_ptr(), offset as c_int, to, len)
        };
        if done {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }

    /// Fills `to` with the bytes from `offset` on.
    ///
    /// Errors: `EINVAL` if there are not as many.
    pub(crate) fn copy_to_slice(&self, offset: usize, to: &mut [u8]) -> Result {
        self.has(offset, to.len())?;
        // CAST: Not more than `len`, which is a `u32` below `INT_MAX`.
        // SAFETY: The frame has these bytes, and `to` can take them.
        let done = unsafe {
            bindings::qnet_helper_skb_to_buf(
                self.skb.as_ptr(),
                offset as c_int,
                to.as_mut_ptr().cast(),
                to.len() as c_int,
            )
        };
        if done {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    fn has(&self, offset: usize, len: usize) -> Result {
        match offset.checked_add(len) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(EINVAL),
        }
    }
}

impl Drop for RxSkb {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the invariant `skb` is ours.
        unsafe { bindings::consume_skb(self.skb.as_ptr()) }
    }
}

/// Whether an allocation may wait for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// A process that holds no spinlock.
    Sleep,
    /// Softirq, or a spinlock is held.
    Atomic,
}

/// A frame to be sent: its bytes behind the link-layer header, in one piece.
///
/// # Invariants
///
/// `skb` is owned by this value alone and has no page fragments; clones may share its bytes.
pub(crate) struct TxSkb {
    skb: NonNull<bindings::sk_buff>,
}

// SAFETY: A `struct sk_buff` that has one owner may be used by any thread.
unsafe impl Send for TxSkb {}
// It is not `Sync`: making a clone writes to the original, without a lock.

impl TxSkb {
    /// Makes an empty frame with room for `len` bytes, and for any link-layer header before it.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn alloc(len: usize, context: Context) -> Result<Self> {
        let len = u32::try_from(len).map_err(|_| ENOMEM)?;
        if len > MAX_LEN {
            return Err(ENOMEM);
        }
        // SAFETY: It has no preconditions; without a device there is none to be valid.
        let skb = unsafe { bindings::qnet_helper_tx_alloc(len, context == Context::Sleep) };
        // INVARIANT: The frame is new, and has no fragments.
        NonNull::new(skb).map(|skb| Self { skb }).ok_or(ENOMEM)
    }

    /// Appends `n` bytes and gives them to be filled; they hold anything before that.
    ///
    /// Fewer, if there is no room for as many; none if the bytes are shared with a clone.
    pub(crate) fn put(&mut self, n: usize) -> &mut [u8] {
        let skb = self.skb.as_ptr();
        // SAFETY: By the invariant `skb` is valid and linear.
        let room = unsafe { bindings::qnet_helper_skb_room(skb) } as usize;
        let n = n.min(room);
        // CAST: Not more than `room`, which is a `u32`.
        // SAFETY: There is room for `n` bytes that nobody else sees. They were zeroed, so that no
        // uninitialised memory is read through the slice.
        unsafe {
            let bytes = bindings::qnet_helper_skb_put_zero(skb, n as u32);
            slice::from_raw_parts_mut(bytes.cast(), n)
        }
    }

    /// The bytes, for the unit tests.
    #[cfg(CONFIG_KUNIT = "y")]
    fn data(&self) -> &[u8] {
        // SAFETY: By the invariant `skb` is valid and linear.
        unsafe {
            let skb = self.skb.as_ptr();
            slice::from_raw_parts((*skb).data, (*skb).len as usize)
        }
    }

    /// The bytes, to be changed; `None` while a clone of them is somewhere.
    #[inline]
    pub(crate) fn data_mut(&mut self) -> Option<&mut [u8]> {
        let skb = self.skb.as_ptr();
        // SAFETY: By the invariant `skb` is valid.
        if !unsafe { bindings::qnet_helper_skb_writable(skb) } {
            return None;
        }
        // SAFETY: `skb` is linear, and nobody else sees its bytes. No clone can be made while
        // `self` is borrowed.
        Some(unsafe { slice::from_raw_parts_mut((*skb).data, (*skb).len as usize) })
    }

    /// Makes what can be sent while this one is kept, to be sent again.
    ///
    /// The bytes are shared. Any context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn clone_for_transmit(&self) -> Result<TxSkb> {
        // SAFETY: By the invariant `skb` is valid, and only we make clones of it.
        let skb = unsafe { bindings::qnet_helper_tx_clone(self.skb.as_ptr()) };
        // INVARIANT: The clone is new, and linear as its original.
        NonNull::new(skb).map(|skb| Self { skb }).ok_or(ENOMEM)
    }

    /// Sends it. Process or softirq context; not under a lock that the receiver of a frame takes,
    /// since a virtual device may deliver it right away.
    ///
    /// Errors: `ENETDOWN`, `EMSGSIZE` above the device's MTU, `ENOMEM`, `ENOBUFS` if a queue
    /// refused it, and what else the device says. Success means only that it was handed on.
    pub(crate) fn transmit(self, dev: &NetDevice, dst: [u8; 6], ethertype: u16) -> Result {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the invariant `skb` is ours; the helper consumes it. `dev` is held.
        to_result(unsafe {
            bindings::qnet_helper_tx_transmit(
                this.skb.as_ptr(),
                dev.as_ptr(),
                dst.as_ptr(),
                ethertype,
            )
        })
    }
}

impl Drop for TxSkb {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the invariant `skb` is ours.
        unsafe { bindings::consume_skb(self.skb.as_ptr()) }
    }
}

/// The longest frame that is made: a message of 64 KiB with all headers.
const MAX_LEN: u32 = 128 * 1024;

#[kunit_tests(qnet_knet_skb)]
mod tests {
    use super::*;

    #[test]
    fn put_fills_and_is_bounded() -> Result {
        let mut skb = TxSkb::alloc(100, Context::Sleep)?;
        assert_eq!(skb.data().len(), 0);
        let bytes = skb.put(60);
        assert_eq!(bytes.len(), 60);
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(7);
        skb.put(40).fill(9);
        assert_eq!(skb.data().len(), 100);
        assert!(skb
            .data()
            .get(..60)
            .is_some_and(|head| head.iter().all(|&byte| byte == 7)));
        assert!(skb
            .data()
            .get(60..)
            .is_some_and(|tail| tail.iter().all(|&byte| byte == 9)));
        // More than there is room for: what there is, and no panic.
        assert!(skb.put(1 << 20).len() < 1 << 20);
        assert!(TxSkb::alloc(1 << 30, Context::Atomic).is_err());
        Ok(())
    }

    #[test]
    fn clones_share_and_forbid_writing() -> Result {
        let mut skb = TxSkb::alloc(64, Context::Atomic)?;
        skb.put(64).fill(0x5a);
        let clone = skb.clone_for_transmit()?;
        assert!(skb.data_mut().is_none());
        assert_eq!(skb.put(1).len(), 0);
        assert!(core::ptr::eq(clone.data(), skb.data()));
        let second = skb.clone_for_transmit()?;
        drop(clone);
        assert!(skb.data_mut().is_none());
        drop(second);
        assert!(skb.data_mut().is_some());
        Ok(())
    }

    #[test]
    fn crc_is_the_known_one() {
        // CRC-32/BZIP2 of the check string is 0xfc891918: seed and result inverted.
        assert_eq!(!crc32_be(!0, b"123456789"), 0xfc89_1918);
        // CRC-32/CKSUM without the length: seed 0.
        assert_eq!(crc32_be(0, b"123456789"), 0x89a1_897f);
        assert_eq!(crc32_be(crc32_be(0, b"1234"), b"56789"), 0x89a1_897f);
    }

    /// A frame in three pieces: a linear part and two page fragments.
    fn in_pieces() -> Option<RxSkb> {
        // SAFETY: It has no preconditions.
        let skb = NonNull::new(unsafe { bindings::qnet_helper_test_skb(10, 300) })?;
        Some(RxSkb {
            skb,
            src: [0; 6],
            unicast: true,
        })
    }

    #[test]
    fn received_frame_in_pieces() -> Result {
        let mut skb = in_pieces().ok_or(ENOMEM)?;
        assert_eq!(skb.len(), 310);
        let mut copy = [0u8; 310];
        skb.copy_to_slice(0, &mut copy)?;
        assert!(copy.iter().enumerate().all(|(i, &byte)| byte == i as u8));
        assert!(skb.copy_to_slice(1, &mut copy).is_err());
        assert_eq!(skb.crc32_be(0, 0, 310), crc32_be(0, &copy));
        assert_eq!(
            skb.crc32_be(5, 7, 200),
            crc32_be(5, copy.get(7..207).ok_or(EINVAL)?)
        );
        assert_eq!(
            skb.crc32_be(5, 2, 3),
            crc32_be(5, copy.get(2..5).ok_or(EINVAL)?)
        );
        // Beyond the end there is nothing.
        assert_eq!(skb.crc32_be(5, 310, 10), 5);
        assert!(skb.pull(311).is_none());
        assert!(skb
            .pull(200)
            .is_some_and(|bytes| bytes.get(199) == Some(&199)));
        skb.skip(30);
        assert_eq!(skb.len(), 280);
        assert!(skb.pull(1) == Some(&[30]));
        skb.truncate(270)?;
        skb.truncate(400)?;
        assert_eq!(skb.len(), 270);
        skb.skip(1000);
        assert_eq!(skb.len(), 0);
        Ok(())
    }
}
