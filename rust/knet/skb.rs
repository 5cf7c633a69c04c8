// SPDX-License-Identifier: GPL-2.0

//! Frames: those that were received ([`RxSkb`]) and those to be sent ([`TxSkb`]).
//!
//! Each is owned by one value and freed with it. What is received may be in several pieces and
//! must be pulled together before it can be looked at; several frames can be joined to one without
//! a copy. What is made here is in one piece, or a head in one piece with data in pages.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    net::Net,
    netdev::NetDevice,
    pages::TxPages, //
};
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

/// Continues a CRC with the bytes of a frame from `offset` on, `len` or as many as there are.
///
/// # Safety
///
/// `skb` is valid, and not changed meanwhile.
unsafe fn crc_of(skb: NonNull<bindings::sk_buff>, seed: u32, offset: usize, len: usize) -> u32 {
    // SAFETY: As the caller promises.
    let all = unsafe { (*skb.as_ptr()).len as usize };
    let from = offset.min(all);
    let to = offset.saturating_add(len).min(all);
    // CAST: Not more than `all`, which is a `u32`.
    // SAFETY: `from <= to <= all`. Reading the pieces changes nothing in `skb`.
    unsafe { bindings::qnet_helper_skb_crc32_be(skb.as_ptr(), seed, from as u32, to as u32) }
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
    /// `skb` is what a handler for `dev` was called with, and is not used any more by the caller.
    #[inline]
    pub(super) unsafe fn begin(
        skb: *mut bindings::sk_buff,
        dev: *const bindings::net_device,
    ) -> Option<Self> {
        let mut rx = bindings::qnet_rx::default();
        // SAFETY: As the caller promises.
        let skb = NonNull::new(unsafe { bindings::qnet_helper_rx_begin(skb, dev, &mut rx) })?;
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

    /// Removes the first `n` bytes; all if there are not as many, or if there is no memory to get
    /// at those behind them.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        // CAST: Not more than `len`, which is a `u32`.
        let n = n.min(self.len()) as u32;
        // SAFETY: By the invariant `skb` is valid and ours to change; it has `n` bytes.
        unsafe { bindings::qnet_helper_skb_skip(self.skb.as_ptr(), n) }
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
        // SAFETY: By the invariant `skb` is valid.
        unsafe { crc_of(self.skb, seed, offset, len) }
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

    /// One frame of several: their bytes one after the other, without a copy. What the Ethernet
    /// header said is that of the first.
    ///
    /// Errors: `EINVAL` if there are none, and as [`RxChain::push`].
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn join(parts: impl IntoIterator<Item = RxSkb>) -> Result<RxSkb> {
        let mut chain = RxChain::new();
        for part in parts {
            chain.push(part)?;
        }
        chain.finish()
    }

    /// A copy that no buffer of the driver backs, in place of this one.
    ///
    /// For single frames; of a joined one longer than 64 KiB it needs memory in a row.
    ///
    /// Errors: `ENOMEM`; the frame is gone, then.
    pub(crate) fn copied(self) -> Result<RxSkb> {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the invariant `skb` is ours; the helper consumes it.
        let copy = unsafe { bindings::qnet_helper_rx_copy(this.skb.as_ptr()) };
        // INVARIANT: The copy is new.
        Ok(Self {
            skb: NonNull::new(copy).ok_or(ENOMEM)?,
            src: this.src,
            unicast: this.unicast,
        })
    }

    /// Takes `part`, which is not empty, over as the one behind `last`, and says where it is.
    ///
    /// # Safety
    ///
    /// This frame was made to join others to it, and was not changed since but by this function;
    /// `last` is what was returned the last time.
    unsafe fn adopt(
        &mut self,
        last: Option<NonNull<bindings::sk_buff>>,
        part: RxSkb,
    ) -> NonNull<bindings::sk_buff> {
        let part = ManuallyDrop::new(part).skb;
        let last = last.map_or(core::ptr::null_mut(), NonNull::as_ptr);
        // SAFETY: As the caller promises; `part` is nobody else's, and belongs to this frame now.
        unsafe { bindings::qnet_helper_rx_join_add(self.skb.as_ptr(), last, part.as_ptr()) };
        part
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

/// Received frames that are being joined to one, in the order of their bytes. Any context.
///
/// # Invariants
///
/// `last` is the part that was added last to `whole`, which is not anybody else's and keeps it;
/// `None` if `whole` is still the first frame itself.
pub(crate) struct RxChain {
    whole: Option<RxSkb>,
    last: Option<NonNull<bindings::sk_buff>>,
}

impl RxChain {
    /// Begins with nothing.
    pub(crate) fn new() -> Self {
        // INVARIANT: There is no part.
        Self {
            whole: None,
            last: None,
        }
    }

    /// Appends a frame.
    ///
    /// Errors: `ENOMEM`, `EMSGSIZE` beyond 16 MiB. The frame is gone, then, and the others remain.
    pub(crate) fn push(&mut self, part: RxSkb) -> Result {
        let Some(whole) = self.whole.as_mut() else {
            self.whole = Some(part);
            return Ok(());
        };
        if whole.len() + part.len() > MAX_JOINED {
            return Err(EMSGSIZE);
        }
        if part.len() == 0 {
            return Ok(());
        }
        if self.last.is_none() {
            // SAFETY: It has no preconditions.
            let skb = unsafe { bindings::qnet_helper_rx_join_begin() };
            let skb = NonNull::new(skb).ok_or(ENOMEM)?;
            // INVARIANT: The new frame is nobody else's, and takes the place of the first, which
            // becomes its part.
            let first = RxSkb {
                skb: core::mem::replace(&mut whole.skb, skb),
                src: whole.src,
                unicast: whole.unicast,
            };
            if first.len() != 0 {
                // SAFETY: `whole` is new and has no parts.
                self.last = Some(unsafe { whole.adopt(None, first) });
            }
        }
        // INVARIANT: It is the last part now.
        // SAFETY: By the invariant `last` is the last part of `whole`, if it has any.
        self.last = Some(unsafe { whole.adopt(self.last, part) });
        Ok(())
    }

    /// The frame.
    ///
    /// Errors: `EINVAL` if nothing was appended.
    pub(crate) fn finish(self) -> Result<RxSkb> {
        self.whole.ok_or(EINVAL)
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

/// A frame to be sent: its bytes behind the link-layer header. They are in one piece, or those
/// behind a head are in pages.
///
/// # Invariants
///
/// `skb` is owned by this value alone and has no list of fragments; clones may share its bytes.
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

    /// Makes a frame of `head` and, behind it, `len` bytes of `pages` from `offset` on, which are
    /// not copied. There is room for any link-layer header in front. Any context.
    ///
    /// A frame of its own is to be made for each transmission, since whoever sends a frame by a
    /// device may keep it for long; the frame keeps the pages. Two are never in each other's way,
    /// as nobody writes to the pages. A device that cannot gather pieces gets them copied by the
    /// kernel.
    ///
    /// Errors: `EINVAL` if `pages` has not as many bytes or the head is longer than a page,
    /// `ENOMEM`.
    pub(crate) fn with_pages(
        head: &[u8],
        pages: &TxPages,
        offset: usize,
        len: usize,
    ) -> Result<TxSkb> {
        // INVARIANT: The frame is new; its data are in page fragments, not in a list.
        Ok(Self {
            skb: pages.frame(head, offset, len)?,
        })
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: By the invariant `skb` is valid, and changed through `&mut self` only.
        unsafe { (*self.skb.as_ptr()).len as usize }
    }

    /// Appends `n` bytes and gives them to be filled; they are zero before that.
    ///
    /// Fewer, if there is no room for as many; none if the bytes are shared with a clone, and none
    /// behind data in pages.
    pub(crate) fn put(&mut self, n: usize) -> &mut [u8] {
        let skb = self.skb.as_ptr();
        // SAFETY: By the invariant `skb` is valid.
        let room = unsafe { bindings::qnet_helper_skb_room(skb) } as usize;
        if room == 0 {
            // Nor may zero bytes be put behind pages.
            return &mut [];
        }
        let n = n.min(room);
        // CAST: Not more than `room`, which is a `u32`.
        // SAFETY: There is room for `n` bytes that nobody else sees, so all bytes are in one
        // piece. They were zeroed, so that no uninitialised memory is read through the slice.
        unsafe {
            let bytes = bindings::qnet_helper_skb_put_zero(skb, n as u32);
            slice::from_raw_parts_mut(bytes.cast(), n)
        }
    }

    /// The bytes that are in one piece.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: By the invariant `skb` is valid. `len - data_len` bytes are at `data`.
        unsafe {
            let skb = self.skb.as_ptr();
            slice::from_raw_parts((*skb).data, ((*skb).len - (*skb).data_len) as usize)
        }
    }

    /// The bytes, to be changed; `None` while a clone of them is somewhere, and if some are in
    /// pages.
    #[inline]
    pub(crate) fn data_mut(&mut self) -> Option<&mut [u8]> {
        let len = self.len();
        self.head_mut().filter(|bytes| bytes.len() == len)
    }

    /// The bytes before those in pages, to be changed: in a frame that was just made, to complete
    /// a header by a CRC. `None` while a clone of them is somewhere.
    #[inline]
    pub(crate) fn head_mut(&mut self) -> Option<&mut [u8]> {
        let skb = self.skb.as_ptr();
        // SAFETY: By the invariant `skb` is valid.
        if !unsafe { bindings::qnet_helper_skb_writable(skb) } {
            return None;
        }
        // SAFETY: `len - data_len` bytes are at `data`, and nobody else sees them. No clone can be
        // made while `self` is borrowed.
        Some(unsafe {
            slice::from_raw_parts_mut((*skb).data, ((*skb).len - (*skb).data_len) as usize)
        })
    }

    /// Continues a CRC (see [`crc32_be`]) with `len` bytes from `offset` on; those that there are.
    ///
    /// Not of pinned pages, which their program may change before they are sent.
    pub(crate) fn crc32_be(&self, seed: u32, offset: usize, len: usize) -> u32 {
        // SAFETY: By the invariant `skb` is valid.
        unsafe { crc_of(self.skb, seed, offset, len) }
    }

    /// Makes what can be sent while this one is kept, to be sent again.
    ///
    /// The bytes are shared, but for pinned pages: both get a copy of those. Any context.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn clone_for_transmit(&self) -> Result<TxSkb> {
        // SAFETY: By the invariant `skb` is valid, and only we make clones of it.
        let skb = unsafe { bindings::qnet_helper_tx_clone(self.skb.as_ptr()) };
        // INVARIANT: The clone is new, and has no list as its original has none.
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

impl TxSkb {
    /// Shows it to those who tap the loopback device of a namespace, and to nobody else. Process or
    /// softirq context; not under a lock.
    pub(crate) fn show(self, net: &Net, ethertype: u16) {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the invariant `skb` is ours; the helper consumes it. `net` is valid, and its
        // loopback device lives as long.
        unsafe { bindings::qnet_helper_tx_show(this.skb.as_ptr(), net.as_ptr(), ethertype) }
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

/// The longest frame that others are joined to: lengths are far from what a C `int` can hold.
const MAX_JOINED: usize = 1 << 24;

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

    /// A frame in up to three pieces: a linear part and two page fragments.
    fn frame(linear: u32, paged: u32) -> Result<RxSkb> {
        // SAFETY: It has no preconditions but that a fragment fits a page.
        let skb = unsafe { bindings::qnet_helper_test_skb(linear, paged) };
        Ok(RxSkb {
            skb: NonNull::new(skb).ok_or(ENOMEM)?,
            src: [2, 0, 0, 0, 0, linear as u8],
            unicast: linear & 1 == 0,
        })
    }

    /// Another frame with the same bytes.
    fn clone_of(frame: &RxSkb) -> Result<RxSkb> {
        // SAFETY: The frame is valid, and nobody else uses it now.
        let skb = unsafe { bindings::qnet_helper_test_clone(frame.skb.as_ptr()) };
        Ok(RxSkb {
            skb: NonNull::new(skb).ok_or(ENOMEM)?,
            src: frame.src,
            unicast: frame.unicast,
        })
    }

    fn bytes_of(frame: &RxSkb) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::from_elem(0u8, frame.len(), GFP_KERNEL)?;
        frame.copy_to_slice(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Parts of every kind, and the bytes that they have together.
    fn parts(count: usize) -> Result<(KVec<RxSkb>, KVVec<u8>)> {
        let mut parts = KVec::new();
        let mut bytes = KVVec::new();
        for i in 0..count {
            let n = i as u32;
            let mut part = match i % 6 {
                0 => frame(400 + n, 0)?,
                1 => frame(20, 900)?,
                2 => frame(0, 600 + n)?,
                // Of two owners: the other is gone when the parts are used, or is not.
                3 => clone_of(&frame(64, 500)?)?,
                4 => {
                    let original = frame(300, 0)?;
                    let clone = clone_of(&original)?;
                    parts.push(original, GFP_KERNEL)?;
                    bytes.extend_from_slice(&bytes_of(&clone)?, GFP_KERNEL)?;
                    clone
                }
                // A list within a list, which others look at as well.
                _ => {
                    let joined = RxSkb::join([frame(90, 0)?, frame(5, 80)?, frame(0, 70)?])?;
                    let clone = clone_of(&joined)?;
                    parts.push(joined, GFP_KERNEL)?;
                    bytes.extend_from_slice(&bytes_of(&clone)?, GFP_KERNEL)?;
                    clone
                }
            };
            // As what was read of them: a header is gone, and what was padded.
            part.skip(16);
            part.truncate(part.len() - 3)?;
            bytes.extend_from_slice(&bytes_of(&part)?, GFP_KERNEL)?;
            parts.push(part, GFP_KERNEL)?;
        }
        Ok((parts, bytes))
    }

    #[test]
    fn joined_frames_have_all_bytes() -> Result {
        for count in [1, 2, 3, 6, 17, 100] {
            let (parts, bytes) = parts(count)?;
            let (src, unicast) = (parts[0].src, parts[0].unicast);
            let memory: usize = parts.iter().map(RxSkb::truesize).sum();
            let several = parts.len() > 1;
            let joined = RxSkb::join(parts)?;
            assert_eq!(joined.len(), bytes.len());
            assert_eq!(joined.src_mac(), src);
            assert_eq!(joined.is_unicast(), unicast);
            assert!(joined.truesize() >= memory);
            let more = joined.truesize() > memory;
            assert_eq!(more, several);
            assert!(bytes_of(&joined)? == bytes);
            assert_eq!(joined.crc32_be(1, 0, usize::MAX), crc32_be(1, &bytes));
            for from in (0..bytes.len()).step_by(311) {
                let to = bytes.len().min(from + 1700);
                let range = bytes.get(from..to).ok_or(EINVAL)?;
                assert_eq!(joined.crc32_be(9, from, 1700), crc32_be(9, range));
                let mut copy = KVVec::from_elem(0u8, to - from, GFP_KERNEL)?;
                joined.copy_to_slice(from, &mut copy)?;
                assert!(range == &copy[..]);
            }
        }
        Ok(())
    }

    #[test]
    fn joined_frames_are_cut_and_pulled() -> Result {
        let (first, bytes) = parts(30)?;
        drop(first);
        let all = bytes.len();
        for keep in [all, all - 1, all / 2, 1000, 401, 400, 384, 1, 0] {
            for pull in [0, 1, 64, 300, 900, 3000] {
                let (parts, _) = parts(30)?;
                let mut joined = RxSkb::join(parts)?;
                joined.truncate(keep)?;
                assert_eq!(joined.len(), keep);
                let head = joined.pull(pull.min(keep)).ok_or(ENOMEM)?;
                assert!(Some(head) == bytes.get(..pull.min(keep)));
                joined.skip(pull / 2);
                let skipped = (pull / 2).min(keep);
                assert_eq!(joined.len(), keep - skipped);
                assert!(Some(&bytes_of(&joined)?[..]) == bytes.get(skipped..keep));
                assert_eq!(
                    joined.crc32_be(0, 0, usize::MAX),
                    crc32_be(0, bytes.get(skipped..keep).ok_or(EINVAL)?)
                );
                joined.truncate((keep - skipped) / 2)?;
                assert!(
                    Some(&bytes_of(&joined)?[..])
                        == bytes.get(skipped..skipped + (keep - skipped) / 2)
                );
                joined.skip(usize::MAX);
                assert_eq!(joined.len(), 0);
            }
        }
        Ok(())
    }

    /// The parts of a message of 64 KiB over the smallest MTU, and beyond.
    #[test]
    fn many_frames_are_joined() -> Result {
        let mut chain = RxChain::new();
        for _ in 0..130 {
            let mut part = frame(50, 530)?;
            part.skip(32);
            chain.push(part)?;
            // What was empty leaves no trace.
            let mut nothing = frame(8, 0)?;
            nothing.skip(8);
            chain.push(nothing)?;
        }
        let mut whole = chain.finish()?;
        assert_eq!(whole.len(), 130 * 548);
        assert!(whole.pull(100).is_some());
        let bytes = bytes_of(&whole)?;
        assert!(bytes
            .iter()
            .enumerate()
            .all(|(i, &byte)| byte == (32 + i % 548) as u8));
        // The longest that is pulled for sure; the rest follows.
        assert!(whole.pull(4096).is_some());
        whole.truncate(70_000)?;
        let copy = whole.copied()?;
        assert!(Some(&bytes_of(&copy)?[..]) == bytes.get(..70_000));
        assert!(matches!(RxSkb::join([]), Err(EINVAL)));
        Ok(())
    }

    #[test]
    fn an_empty_first_part_keeps_its_sender() -> Result {
        let mut first = frame(9, 0)?;
        first.skip(9);
        let src = first.src_mac();
        let joined = RxSkb::join([first, frame(0, 33)?])?;
        assert_eq!(joined.len(), 33);
        assert_eq!(joined.src_mac(), src);
        assert!(!joined.is_unicast());
        Ok(())
    }

    #[test]
    fn a_copy_is_the_same() -> Result {
        for (linear, paged) in [(0, 0), (60, 0), (10, 300), (1500, 0), (14, 6000), (5, 3771)] {
            let original = frame(linear, paged)?;
            let bytes = bytes_of(&original)?;
            let other = clone_of(&original)?;
            let mut copy = original.copied()?;
            assert_eq!(copy.src_mac(), other.src_mac());
            assert_eq!(copy.is_unicast(), other.is_unicast());
            drop(other);
            assert!(bytes_of(&copy)? == bytes);
            let head = copy.len().min(100);
            assert!(copy.pull(head) == bytes.get(..head));
        }
        Ok(())
    }

    #[test]
    fn received_frame_in_pieces() -> Result {
        let mut skb = frame(10, 300)?;
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
