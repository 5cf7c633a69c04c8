// SPDX-License-Identifier: GPL-2.0

//! The data of a message that is to be sent, in pages, and who may use them for how long.
//!
//! A long message goes out in many frames, perhaps more than once. Its data are put into pages one
//! time, or stay where the program has them, and each frame refers to a range of them
//! ([`TxSkb::with_pages`](super::skb::TxSkb::with_pages)); the network devices read them there.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    skb::Context,
    user::UserBuf, //
};
use crate::sys::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Most bytes of a [`TxPages`].
pub(crate) const MAX_LEN: usize = bindings::QNET_PAGES_MAX as usize;

/// Most pages that are pinned one by one, whatever the parts of the buffer: those of a buffer in
/// one part, and as many again for the ends of others. Data in more pieces are cheaper copied.
const MAX_PINS: usize = 2 * (MAX_LEN / PAGE_SIZE) + 2;

/// A reference to a `struct qnet_pages`.
///
/// # Invariants
///
/// The pointer is valid, and one reference belongs to this value.
struct Held(NonNull<bindings::qnet_pages>);

// SAFETY: The C structure is reference counted; any thread may use it and drop a reference.
unsafe impl Send for Held {}
// SAFETY: Through `&Held` it is read only, but for its count, which is atomic.
unsafe impl Sync for Held {}

impl Held {
    /// The C structure.
    fn as_ptr(&self) -> *mut bindings::qnet_pages {
        self.0.as_ptr()
    }

    /// Takes over what a helper gave.
    ///
    /// # Safety
    ///
    /// `pages` is `NULL`, or valid with a reference that the caller gives away.
    unsafe fn from_raw(pages: *mut bindings::qnet_pages) -> Result<Self> {
        // INVARIANT: As the caller promises.
        NonNull::new(pages).map(Self).ok_or(ENOMEM)
    }

    /// Allocates pages for `len` bytes, none in a row greater than `2^max_order` pages.
    ///
    /// Their bytes may be anything; they are to be written before they are shown to anybody.
    fn alloc(len: usize, context: Context, max_order: u32) -> Result<Self> {
        let len = checked(len)?;
        // SAFETY: `len` is within the limit. The reference that the helper gives is ours.
        unsafe {
            Self::from_raw(bindings::qnet_helper_pages_alloc(
                len,
                context == Context::Sleep,
                max_order,
            ))
        }
    }

    /// Fills the pages from their beginning on.
    ///
    /// # Safety
    ///
    /// They are our own, have as many bytes, and no frame refers to them yet.
    unsafe fn fill(&self, bytes: &[u8]) {
        // CAST: `alloc` checked the length.
        // SAFETY: As the caller promises.
        unsafe {
            bindings::qnet_helper_pages_write(
                self.as_ptr(),
                0,
                bytes.as_ptr().cast(),
                bytes.len() as u32,
            )
        };
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        // SAFETY: By the invariant the pointer is valid and referenced.
        unsafe { bindings::qnet_helper_pages_get(self.as_ptr()) };
        // INVARIANT: The reference taken belongs to the clone.
        Self(self.0)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: By the invariant one reference is ours.
        unsafe { bindings::qnet_helper_pages_put(self.as_ptr()) }
    }
}

fn checked(len: usize) -> Result<u32> {
    match u32::try_from(len) {
        Ok(len) if len <= bindings::QNET_PAGES_MAX => Ok(len),
        _ => Err(EMSGSIZE),
    }
}

/// The data of a message, in pages: frames refer to ranges of them.
///
/// Frames keep the pages when this is dropped. Nobody writes to copied pages once this exists; to
/// pinned ones the program may. That harms only its own message: no length or header is taken from
/// them.
pub(crate) struct TxPages {
    pages: Held,
    len: usize,
    copied_frames: Atomic<u32>,
}

impl TxPages {
    fn new(pages: Held, len: usize) -> Self {
        Self {
            pages,
            len,
            copied_frames: Atomic::new(0),
        }
    }

    /// Copies `len` bytes of `from`, from `offset` on, into pages of our own. Process context.
    ///
    /// Errors: `EMSGSIZE` beyond [`MAX_LEN`], `EINVAL` if `from` has not as many, `EFAULT`,
    /// `ENOMEM`.
    pub(crate) fn copied(from: &UserBuf, offset: usize, len: usize) -> Result<Self> {
        Self::copied_in(from, offset, len, bindings::QNET_PAGES_ORDER)
    }

    fn copied_in(from: &UserBuf, offset: usize, len: usize, max_order: u32) -> Result<Self> {
        has(from, offset, len)?;
        let pages = Held::alloc(len, Context::Sleep, max_order)?;
        let kept = from.read_kept(offset, len, |bytes| {
            // SAFETY: They were allocated just now, for `len` bytes, and there are not more.
            unsafe { pages.fill(bytes) };
            bytes.len() == len
        });
        if let Some(complete) = kept {
            return if complete {
                Ok(Self::new(pages, len))
            } else {
                Err(EINVAL)
            };
        }
        from.walk(offset, len, |base, done, n| {
            // CAST: `done + n` is at most `len`, which was checked.
            // SAFETY: The pages have `len` bytes, and no frame refers to them yet.
            unsafe {
                bindings::qnet_helper_pages_from_user(pages.as_ptr(), done as u32, base, n as u32)
            }
        })?;
        Ok(Self::new(pages, len))
    }

    /// Copies bytes into pages of our own.
    ///
    /// Errors: `EMSGSIZE` beyond [`MAX_LEN`], `ENOMEM`.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn from_slice(bytes: &[u8], context: Context) -> Result<Self> {
        Self::from_slice_in(bytes, context, bindings::QNET_PAGES_ORDER)
    }

    #[cfg(CONFIG_KUNIT = "y")]
    fn from_slice_in(bytes: &[u8], context: Context, max_order: u32) -> Result<Self> {
        let pages = Held::alloc(bytes.len(), context, max_order)?;
        // SAFETY: They were allocated just now, for as many bytes.
        unsafe { pages.fill(bytes) };
        Ok(Self::new(pages, bytes.len()))
    }

    /// Refers to the caller's own pages: `len` bytes of `from`, from `offset` on. Process context,
    /// in the thread whose message it is; not for a kernel thread that uses a program's memory,
    /// for whom nothing would be charged.
    ///
    /// The second value is for that thread to wait on before it lets its program go on, which may
    /// write other things to the pages.
    ///
    /// A message whose packets carry a CRC must be copied instead: it would not match any more if
    /// the program wrote to the pages between its computing and the sending, and the message,
    /// which is repeated for ever, would end the session.
    ///
    /// Errors: `EMSGSIZE` beyond [`MAX_LEN`] and for a buffer that is scattered too much,
    /// `ENOBUFS` beyond `RLIMIT_MEMLOCK`, `EFAULT` also for memory that is no ordinary pages (of a
    /// device), `ENOMEM`, `EINTR` for a thread that is being killed, `EINVAL` if `from` has not as
    /// many bytes. After any of them [`copied`](Self::copied) may do.
    pub(crate) fn pinned(from: &UserBuf, offset: usize, len: usize) -> Result<(Self, PinnedUse)> {
        has(from, offset, len)?;
        let mut pins = 0;
        from.walk(offset, len, |base, _, n| {
            // CAST: Less than a page.
            pins += (base as usize % PAGE_SIZE + n).div_ceil(PAGE_SIZE);
            true
        })?;
        if pins > MAX_PINS {
            return Err(EMSGSIZE);
        }
        let length = checked(len)?;
        let mut pages = ptr::null_mut();
        // CAST: Not more than `MAX_PINS`.
        // SAFETY: `pages` can be written; the length is within the limit. Whoever has a `UserBuf`
        // is in a call on one of our sockets, which holds the module.
        to_result(unsafe {
            bindings::qnet_helper_pages_pin_begin(&mut pages, length, pins as u32)
        })?;
        // SAFETY: The helper succeeded, and gave us a reference.
        let pages = unsafe { Held::from_raw(pages) }?;
        let mut done = Ok(());
        from.walk(offset, len, |base, _, n| {
            // CAST: `n` is at most `len`, which was checked.
            // SAFETY: There is room for the pages of all parts, as they were counted above: the
            // buffer's list of parts is the kernel's own.
            done = to_result(unsafe {
                bindings::qnet_helper_pages_pin(pages.as_ptr(), base, n as u32)
            });
            done.is_ok()
        })
        .or(done)?;
        done?;
        let held = PinnedUse {
            pages: pages.clone(),
        };
        Ok((Self::new(pages, len), held))
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many frames could not refer to the pages, because the data were in too many pieces, and
    /// have a copy.
    #[inline]
    pub(crate) fn copied_frames(&self) -> u32 {
        self.copied_frames.load(Relaxed)
    }

    /// Makes a frame; see [`TxSkb::with_pages`](super::skb::TxSkb::with_pages).
    pub(super) fn frame(
        &self,
        head: &[u8],
        offset: usize,
        len: usize,
    ) -> Result<NonNull<bindings::sk_buff>> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => {}
            _ => return Err(EINVAL),
        }
        if head.len() > PAGE_SIZE {
            return Err(EINVAL);
        }
        let mut copied = false;
        // CAST: The head is at most a page; offset and length are within `MAX_LEN`.
        // SAFETY: The slice can be read, and the pages are valid and have the range.
        let skb = unsafe {
            bindings::qnet_helper_tx_with_pages(
                head.as_ptr().cast(),
                head.len() as u32,
                self.pages.as_ptr(),
                offset as u32,
                len as u32,
                &mut copied,
            )
        };
        if copied {
            self.copied_frames.add(1, Relaxed);
        }
        NonNull::new(skb).ok_or(ENOMEM)
    }
}

fn has(from: &UserBuf, offset: usize, len: usize) -> Result {
    match offset.checked_add(len) {
        Some(end) if end <= from.len() => Ok(()),
        _ => Err(EINVAL),
    }
}

/// The sending thread's view of its program's pinned pages.
///
/// It may be dropped at any time, and frames still under way remain valid: the pages stay pinned,
/// charged, and the module loaded, until the last of them is gone. What is lost by not waiting is
/// only the assurance about *which* bytes those frames carry.
pub(crate) struct PinnedUse {
    pages: Held,
}

impl PinnedUse {
    /// Sleeps until the [`TxPages`] was dropped, so that no further frame is made, and no frame
    /// that is queued anywhere refers to the pages. Process context, nothing locked.
    ///
    /// The time is limited because it may depend on others: some drivers release a frame only
    /// when the next is sent. Ordinary signals do not end the wait, since frames take no notice of
    /// them; a signal that kills does.
    ///
    /// Errors: `EINTR` for a thread that is being killed, `ETIMEDOUT` after `ms` milliseconds.
    pub(crate) fn wait_until_unused(&self, ms: u32) -> Result {
        // SAFETY: The pages are valid, and we have one reference.
        to_result(unsafe { bindings::qnet_helper_pages_wait(self.pages.as_ptr(), ms) })
    }

    /// Whether a wait would succeed at once. Any context.
    pub(crate) fn is_unused(&self) -> bool {
        // SAFETY: The pages are valid, and we have one reference.
        unsafe { bindings::qnet_helper_pages_unused(self.pages.as_ptr()) }
    }

    /// Whether a frame had to be copied on its way (by a virtual device, a tap, a duplication): on
    /// such a way there is nothing to be gained by pinning.
    pub(crate) fn was_copied(&self) -> bool {
        // SAFETY: The pages are valid.
        unsafe { bindings::qnet_helper_pages_copied(self.pages.as_ptr()) }
    }
}

#[kunit_tests(qnet_knet_pages)]
pub(super) mod tests {
    use super::*;
    use crate::knet::{
        lock::{
            new_spinlock_bh,
            SpinLockBh, //
        },
        skb::{
            crc32_be,
            TxSkb, //
        },
        timer::{
            impl_timer,
            now_ns,
            Timer,
            TimerOwner, //
        },
    };
    use kernel::sync::Arc;

    /// Bytes whose place can be told from them.
    pub(in crate::knet) fn pattern(len: usize) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::with_capacity(len, GFP_KERNEL)?;
        for i in 0..len {
            bytes.push((i ^ (i >> 8) * 7) as u8, GFP_KERNEL)?;
        }
        Ok(bytes)
    }

    const SIZES: [usize; 9] = [
        0,
        1,
        4095,
        4096,
        4097,
        28 * 1024 + 5,
        32768,
        65536 + 200,
        MAX_LEN,
    ];

    /// Checks that frames of every size have the bytes that they are made for.
    fn check(pages: &TxPages, bytes: &[u8]) -> Result {
        const HEAD: &[u8] = b"a head";
        assert_eq!(pages.len(), bytes.len());
        for size in [1, 512, 1462, 4096, 9000, 65_535 - HEAD.len()] {
            for offset in (0..=bytes.len()).step_by(size.max(1400)) {
                let len = size.min(bytes.len() - offset);
                let mut frame = TxSkb::with_pages(HEAD, pages, offset, len)?;
                assert_eq!(frame.len(), HEAD.len() + len);
                let range = bytes.get(offset..offset + len).ok_or(EINVAL)?;
                assert_eq!(frame.crc32_be(3, HEAD.len(), len), crc32_be(3, range));
                assert_eq!(
                    frame.crc32_be(0, 0, usize::MAX),
                    crc32_be(crc32_be(0, HEAD), range)
                );
                assert!(frame.head_mut().is_some_and(|head| head == HEAD));
                assert_eq!(frame.data_mut().is_some(), len == 0);
                if len != 0 {
                    assert_eq!(frame.put(1).len(), 0);
                    assert_eq!(frame.put(0).len(), 0);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn copied_bytes_are_the_same() -> Result {
        for len in SIZES {
            let bytes = pattern(len)?;
            for context in [Context::Sleep, Context::Atomic] {
                let pages = TxPages::from_slice(&bytes, context)?;
                check(&pages, &bytes)?;
                assert_eq!(pages.copied_frames(), 0);
            }
            // With no pages in a row at all, as when memory is in pieces.
            let pages = TxPages::from_slice_in(&bytes, Context::Sleep, 0)?;
            // SAFETY: The pages are valid.
            let pieces = unsafe { bindings::qnet_helper_test_pages_pieces(pages.pages.as_ptr()) };
            assert_eq!(pieces as usize, len.div_ceil(PAGE_SIZE));
            check(&pages, &bytes)?;
            // The longest frame still has not more pieces than a frame may.
            assert_eq!(pages.copied_frames(), 0);
        }
        let long = KVVec::from_elem(0u8, MAX_LEN + 1, GFP_KERNEL)?;
        assert!(TxPages::from_slice(&long, Context::Sleep).is_err_and(|error| error == EMSGSIZE));
        Ok(())
    }

    #[test]
    fn ranges_are_checked() -> Result {
        let pages = TxPages::from_slice(&[1; 100], Context::Sleep)?;
        assert!(TxSkb::with_pages(&[], &pages, 0, 101).is_err());
        assert!(TxSkb::with_pages(&[], &pages, 101, 0).is_err());
        assert!(TxSkb::with_pages(&[], &pages, usize::MAX, 2).is_err());
        assert!(TxSkb::with_pages(&[0; 5000], &pages, 0, 1).is_err());
        assert_eq!(TxSkb::with_pages(&[], &pages, 100, 0)?.len(), 0);
        Ok(())
    }

    #[test]
    fn frames_outlive_their_pages() -> Result {
        let bytes = pattern(9000)?;
        let pages = TxPages::from_slice(&bytes, Context::Sleep)?;
        let mut frame = TxSkb::with_pages(b"hd", &pages, 500, 8000)?;
        drop(pages);
        // A CRC is written when the data are known.
        let crc = frame.crc32_be(0, 2, 8000);
        let range = bytes.get(500..8500).ok_or(EINVAL)?;
        assert_eq!(crc, crc32_be(0, range));
        frame.head_mut().ok_or(EINVAL)?.copy_from_slice(b"HD");
        let clone = frame.clone_for_transmit()?;
        assert!(frame.head_mut().is_none());
        drop(frame);
        assert_eq!(
            clone.crc32_be(0, 0, usize::MAX),
            crc32_be(crc32_be(0, b"HD"), range)
        );
        Ok(())
    }

    /// Memory of a program, with a pattern in it, in `parts`: offset and length of each.
    pub(in crate::knet) fn user_memory(
        bytes: &[u8],
        parts: &[(usize, usize)],
    ) -> Result<(u64, UserBuf)> {
        let list = size_of::<[u64; 2]>() * parts.len();
        // SAFETY: It has no preconditions.
        let base = unsafe { bindings::qnet_helper_test_user_memory(bytes.len() + list) };
        if base == 0 {
            return Err(ENOMEM);
        }
        UserBuf::from_parts(base, bytes.len() as u64, 0)?.write(bytes)?;
        for (i, &(offset, len)) in parts.iter().enumerate() {
            let mut entry = [0; 16];
            entry[..8].copy_from_slice(&(base + offset as u64).to_ne_bytes());
            entry[8..].copy_from_slice(&(len as u64).to_ne_bytes());
            let at = base + bytes.len() as u64 + (i * entry.len()) as u64;
            UserBuf::from_parts(at, entry.len() as u64, 0)?.write(&entry)?;
        }
        let buffer = UserBuf::from_parts(base + bytes.len() as u64, 0, parts.len() as u32)?;
        Ok((base, buffer))
    }

    #[test]
    fn copied_from_a_program() -> Result {
        for len in SIZES {
            let bytes = pattern(len + 700)?;
            let split = len / 3;
            let (_, buffer) = user_memory(&bytes, &[(0, 700 + split), (700 + split, len - split)])?;
            check(&TxPages::copied(&buffer, 700, len)?, &bytes[700..])?;
            check(&TxPages::copied_in(&buffer, 700, len, 0)?, &bytes[700..])?;
            assert!(TxPages::copied(&buffer, 701, len).is_err_and(|error| error == EINVAL));
        }
        let nowhere = UserBuf::from_parts(8, 100, 0)?;
        assert!(TxPages::copied(&nowhere, 0, 100).is_err_and(|error| error == EFAULT));
        assert!(TxPages::pinned(&nowhere, 0, 100).is_err_and(|error| error == EFAULT));
        Ok(())
    }

    #[test]
    fn pinned_from_a_program() -> Result {
        for len in SIZES {
            if len + 1000 > MAX_LEN {
                continue;
            }
            let bytes = pattern(len + 1000)?;
            // The second part begins in the page that the first ends in.
            let split = 700 + len / 3;
            let parts = [(100, split - 100), (split, bytes.len() - split)];
            let (_, buffer) = user_memory(&bytes, &parts)?;
            let (pages, held) = TxPages::pinned(&buffer, 600, len + 200)?;
            check(&pages, &bytes[700..900 + len])?;
            assert!(!held.is_unused());
            drop(pages);
            assert!(held.is_unused());
            assert!(!held.was_copied());
            held.wait_until_unused(0)?;
        }
        Ok(())
    }

    #[test]
    fn frames_hold_pinned_pages() -> Result {
        let bytes = pattern(20_000)?;
        let (base, buffer) = user_memory(&bytes, &[(0, bytes.len())])?;
        let (pages, held) = TxPages::pinned(&buffer, 0, bytes.len())?;
        assert!(held
            .wait_until_unused(0)
            .is_err_and(|error| error == ETIMEDOUT));
        let first = TxSkb::with_pages(b"1", &pages, 0, 9000)?;
        let second = TxSkb::with_pages(b"2", &pages, 9000, 9000)?;
        drop(pages);
        assert!(held
            .wait_until_unused(20)
            .is_err_and(|error| error == ETIMEDOUT));
        drop(first);
        assert!(!held.is_unused());

        // What the program writes goes out, for it was not copied.
        let other = [0xee; 100];
        UserBuf::from_parts(base + 9000, other.len() as u64, 0)?.write(&other)?;
        assert_eq!(second.crc32_be(0, 1, 100), crc32_be(0, &other));

        // A clone copies for both; then nothing of the program is held.
        let crc = second.crc32_be(0, 0, usize::MAX);
        let clone = second.clone_for_transmit()?;
        assert!(held.is_unused());
        assert!(held.was_copied());
        held.wait_until_unused(0)?;
        UserBuf::from_parts(base + 9000, other.len() as u64, 0)?.write(&[0; 100])?;
        assert_eq!(second.crc32_be(0, 0, usize::MAX), crc);
        assert_eq!(clone.crc32_be(0, 0, usize::MAX), crc);
        Ok(())
    }

    #[test]
    fn pinned_pages_outlive_their_thread() -> Result {
        let bytes = pattern(5000)?;
        let (_, buffer) = user_memory(&bytes, &[(0, bytes.len())])?;
        let (pages, held) = TxPages::pinned(&buffer, 0, bytes.len())?;
        drop(held);
        let frame = TxSkb::with_pages(b"", &pages, 100, 4800)?;
        drop(pages);
        assert_eq!(
            frame.crc32_be(0, 0, usize::MAX),
            crc32_be(0, &bytes[100..4900])
        );
        Ok(())
    }

    /// A buffer in so many parts that not every frame can refer to all of its own.
    #[test]
    fn scattered_data_are_copied_by_frame() -> Result {
        let bytes = pattern(60 * 1000)?;
        let mut parts = KVec::new();
        for i in 0..50 {
            // In this order no two are adjacent.
            parts.push((i * 7 % 50 * 1200, 1000), GFP_KERNEL)?;
        }
        let (_, buffer) = user_memory(&bytes, &parts)?;
        let mut all = KVVec::new();
        for &(offset, len) in &parts {
            all.extend_from_slice(&bytes[offset..offset + len], GFP_KERNEL)?;
        }
        let (pages, held) = TxPages::pinned(&buffer, 0, all.len())?;
        let frame = TxSkb::with_pages(b"x", &pages, 0, all.len())?;
        assert_eq!(pages.copied_frames(), 1);
        let small = TxSkb::with_pages(b"x", &pages, 500, 9000)?;
        assert_eq!(pages.copied_frames(), 1);
        drop(pages);
        assert_eq!(small.crc32_be(0, 1, 9000), crc32_be(0, &all[500..9500]));
        drop(small);
        // The copy holds nothing of the program's.
        held.wait_until_unused(0)?;
        assert_eq!(frame.crc32_be(0, 1, all.len()), crc32_be(0, &all));

        let mut parts = KVec::new();
        for i in 0..200 {
            parts.push((i * 20, 10), GFP_KERNEL)?;
        }
        let (_, buffer) = user_memory(&bytes, &parts)?;
        assert!(TxPages::pinned(&buffer, 0, 2000).is_err_and(|error| error == EMSGSIZE));
        Ok(())
    }

    /// A frame that a timer drops a moment later, as a driver does.
    #[pin_data]
    struct Later {
        #[pin]
        frame: SpinLockBh<Option<TxSkb>>,
        #[pin]
        timer: Timer,
    }

    impl_timer! { impl Timer for Later { self.timer } }

    impl TimerOwner for Later {
        fn expired(self: &Arc<Self>) {
            let frame = self.frame.lock().take();
            drop(frame);
        }
    }

    /// The last frame goes while its thread waits: that ends the wait.
    #[test]
    fn a_wait_is_ended_by_the_last_frame() -> Result {
        let bytes = pattern(5000)?;
        let (_, buffer) = user_memory(&bytes, &[(0, bytes.len())])?;
        for ms in [0, 1, 20] {
            let (pages, held) = TxPages::pinned(&buffer, 0, bytes.len())?;
            let frame = TxSkb::with_pages(b"", &pages, 0, 5000)?;
            drop(pages);
            let later = Arc::pin_init(
                pin_init!(Later {
                    frame <- new_spinlock_bh!(Some(frame), "qnet_test_later"),
                    timer <- Timer::new(),
                }),
                GFP_KERNEL,
            )?;
            let start = now_ns();
            Timer::arm(&later, start + ms * 1_000_000);
            held.wait_until_unused(10_000)?;
            assert!(now_ns() - start < 5_000_000_000);
            assert!(held.is_unused());
            later.timer.shutdown();
        }
        Ok(())
    }
}
