// SPDX-License-Identifier: GPL-2.0

//! Taking the frames of one EtherType from one device.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    netdev::NetDevice,
    skb::RxSkb, //
};
use crate::sys::bindings;
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Who takes frames.
pub(crate) trait Receive: Send + Sync + 'static {
    /// A frame for this host (or for all) has arrived on the device itself, not on one on top of
    /// it; its data begin behind the EtherType. Softirq context.
    fn receive(self: &Arc<Self>, frame: RxSkb);
}

/// A registered receiver. To be dropped when its device unregisters.
///
/// # Invariants
///
/// While it is registered, `af_packet_priv` points to what `receiver` holds.
#[pin_data(PinnedDrop)]
pub(crate) struct PacketHandler<T: Receive> {
    #[pin]
    packet_type: Opaque<bindings::packet_type>,
    receiver: Arc<T>,
    dev: NetDevice,
}

// SAFETY: A registration may be dropped by any thread, and so may what it holds.
unsafe impl<T: Receive> Send for PacketHandler<T> {}
// SAFETY: It has no methods.
unsafe impl<T: Receive> Sync for PacketHandler<T> {}

impl<T: Receive> PacketHandler<T> {
    /// Begins to take the frames of `ethertype` that `dev` receives. Process context.
    pub(crate) fn register(
        dev: &NetDevice,
        ethertype: u16,
        receiver: Arc<T>,
    ) -> Result<Pin<KBox<Self>>> {
        let handler = KBox::pin_init(
            pin_init!(Self {
                packet_type: Opaque::new(bindings::packet_type {
                    type_: ethertype.to_be(),
                    dev: dev.as_ptr(),
                    func: Some(received::<T>),
                    af_packet_priv: Arc::as_ptr(&receiver).cast_mut().cast(),
                    ..pin_init::zeroed()
                }),
                dev: dev.clone(),
                receiver,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The structure is pinned, and stays until `drop` has taken it out. Its device is
        // held as long.
        unsafe { bindings::dev_add_pack(handler.packet_type.get()) };
        Ok(handler)
    }
}

#[pinned_drop]
impl<T: Receive> PinnedDrop for PacketHandler<T> {
    /// Waits until no frame is being received any more. Process context, with or without RTNL.
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It was registered by `register`.
        unsafe { bindings::dev_remove_pack(self.packet_type.get()) }
    }
}

/// # Safety
///
/// Called by the kernel for each frame, which the function takes over.
unsafe extern "C" fn received<T: Receive>(
    skb: *mut bindings::sk_buff,
    _dev: *mut bindings::net_device,
    packet_type: *mut bindings::packet_type,
    _orig_dev: *mut bindings::net_device,
) -> c_int {
    // SAFETY: The frame is ours to consume. The registration holds its device.
    if let Some(frame) = unsafe { RxSkb::begin(skb, (*packet_type).dev) } {
        // SAFETY: By the invariant it points to what an `Arc<T>` holds, and that `Arc` is not
        // dropped before this call is over. The reference is not dropped here.
        let receiver = unsafe {
            core::mem::ManuallyDrop::new(Arc::from_raw((*packet_type).af_packet_priv.cast::<T>()))
        };
        receiver.receive(frame);
    }
    // NET_RX_SUCCESS.
    0
}

#[kunit_tests(qnet_knet_packet)]
mod tests {
    use super::*;
    use crate::knet::{
        lock::{
            new_spinlock_bh,
            SpinLockBh, //
        },
        net::Net,
        netdev,
        pages::{
            tests::{
                pattern,
                user_memory, //
            },
            TxPages, //
        },
        skb::{
            Context,
            TxSkb, //
        },
        timer::now_ns,
        user::UserBuf,
        wait::{
            Wait,
            WaitQueue, //
        },
    };

    /// For local experiments, says IEEE 802.
    const ETHERTYPE: u16 = 0x88b5;

    const HEAD: &[u8] = b"head of a frame";

    #[pin_data]
    struct Inbox {
        #[pin]
        frames: SpinLockBh<KVec<RxSkb>>,
        #[pin]
        queue: WaitQueue,
    }

    impl Receive for Inbox {
        fn receive(self: &Arc<Self>, frame: RxSkb) {
            let _ = self.frames.lock().push(frame, GFP_ATOMIC);
            self.queue.wake_one();
        }
    }

    impl Inbox {
        fn next(&self) -> Result<RxSkb> {
            let deadline = now_ns() + 10_000_000_000;
            let mut frames = self.frames.lock();
            while frames.is_empty() {
                if self.queue.wait(&mut frames, Some(deadline)) != Wait::Woken {
                    return Err(ETIMEDOUT);
                }
            }
            frames.remove(0).map_err(|_| EINVAL)
        }
    }

    struct Loop {
        dev: NetDevice,
        inbox: Arc<Inbox>,
        _handler: Pin<KBox<PacketHandler<Inbox>>>,
    }

    impl Loop {
        fn new() -> Result<Self> {
            // SAFETY: The initial namespace is always there.
            if !unsafe { bindings::qnet_helper_test_loopback_up(&raw mut bindings::init_net) } {
                return Err(ENETDOWN);
            }
            let dev = netdev::by_name(Net::init(), b"lo").ok_or(ENODEV)?;
            let inbox = Arc::pin_init(
                pin_init!(Inbox {
                    frames <- new_spinlock_bh!(KVec::new(), "qnet_test_inbox"),
                    queue <- WaitQueue::new(),
                }),
                GFP_KERNEL,
            )?;
            Ok(Self {
                _handler: PacketHandler::register(&dev, ETHERTYPE, inbox.clone())?,
                dev,
                inbox,
            })
        }

        /// Sends a range of `pages`, and gives what arrives.
        fn round(&self, pages: &TxPages, offset: usize, len: usize) -> Result<RxSkb> {
            let frame = TxSkb::with_pages(HEAD, pages, offset, len)?;
            frame.transmit(&self.dev, [0; 6], ETHERTYPE)?;
            self.inbox.next()
        }
    }

    fn is(frame: &RxSkb, bytes: &[u8]) -> Result<bool> {
        let mut all = KVVec::from_elem(0u8, frame.len(), GFP_KERNEL)?;
        frame.copy_to_slice(0, &mut all)?;
        Ok(all.strip_prefix(HEAD) == Some(bytes))
    }

    #[test]
    fn frames_with_pages_go_round() -> Result {
        let lo = Loop::new()?;
        let bytes = pattern(65_000)?;
        let pages = TxPages::from_slice(&bytes, Context::Sleep)?;
        let max = lo.dev.mtu() as usize - HEAD.len();
        for len in [0, 1, 1462, 9000, 40_000, max.min(bytes.len())] {
            let frame = lo.round(&pages, bytes.len() - len, len)?;
            assert!(frame.is_unicast());
            assert_eq!(frame.src_mac(), [0; 6]);
            assert!(is(&frame, &bytes[bytes.len() - len..])?);
            assert!(is(&frame.copied()?, &bytes[bytes.len() - len..])?);
        }
        // The whole in frames of which the stack has one part and we the other.
        let parts: KVec<RxSkb> = {
            let mut parts = KVec::new();
            for offset in (0..bytes.len()).step_by(1400) {
                let len = 1400.min(bytes.len() - offset);
                let mut part = lo.round(&pages, offset, len)?;
                part.skip(HEAD.len());
                parts.push(part, GFP_KERNEL)?;
            }
            parts
        };
        drop(pages);
        let joined = RxSkb::join(parts)?;
        let mut all = KVVec::from_elem(0u8, joined.len(), GFP_KERNEL)?;
        joined.copy_to_slice(0, &mut all)?;
        assert!(all[..] == bytes[..]);
        // Too long for the device: refused, and the pages are free.
        let long = TxPages::from_slice(&pattern(70_000)?, Context::Sleep)?;
        assert!(lo
            .round(&long, 0, 70_000)
            .is_err_and(|error| error == EMSGSIZE));
        Ok(())
    }

    /// Who receives a frame does not hold its sender's pages, for however long he keeps it.
    #[test]
    fn a_received_frame_holds_no_pinned_pages() -> Result {
        let lo = Loop::new()?;
        let bytes = pattern(30_000)?;
        let (base, buffer) = user_memory(&bytes, &[(0, bytes.len())])?;
        let (pages, held) = TxPages::pinned(&buffer, 0, bytes.len())?;
        let frame = lo.round(&pages, 300, 20_000)?;
        drop(pages);
        held.wait_until_unused(10_000)?;
        assert!(held.was_copied());
        UserBuf::from_parts(base, bytes.len() as u64, 0)?.write(&[0; 30_000])?;
        assert!(is(&frame, &bytes[300..20_300])?);
        Ok(())
    }

    #[test]
    fn only_what_the_device_got_for_us_is_taken() -> Result {
        let lo = netdev::by_name(Net::init(), b"lo").ok_or(ENODEV)?;
        // As if it had come in on `lo`, for a device on top of it; that one is never looked at.
        let upper = core::ptr::dangling_mut();
        let arrive = |dev, pkt_type, ethernet| {
            // SAFETY: The device is only compared. The frame is new, and given away.
            unsafe {
                RxSkb::begin(
                    bindings::qnet_helper_test_arrived(dev, pkt_type, ethernet),
                    lo.as_ptr(),
                )
            }
        };
        // PACKET_HOST, _BROADCAST, _MULTICAST, _OTHERHOST, _OUTGOING, _LOOPBACK.
        for pkt_type in 0..6 {
            assert!(arrive(upper, pkt_type, true).is_none());
            assert!(arrive(lo.as_ptr(), pkt_type, false).is_none());
            match arrive(lo.as_ptr(), pkt_type, true) {
                Some(frame) => {
                    assert!(pkt_type < 3);
                    assert_eq!(frame.is_unicast(), pkt_type == 0);
                    assert_eq!(frame.src_mac(), [2, 1, 1, 1, 1, 1]);
                    assert_eq!(frame.len(), 20);
                }
                None => assert!(pkt_type >= 3),
            }
        }
        Ok(())
    }
}
