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
