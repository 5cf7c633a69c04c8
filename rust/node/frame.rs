// SPDX-License-Identifier: GPL-2.0

//! Making frames: the L4 header in front of a payload, and the payload itself.
//!
//! A message is built once, with room for pad and L4 header in front; the header is written when
//! it is first transmitted, because only then are its numbers known. What is transmitted is a
//! clone, and the original is kept until the peer acknowledges it.

use super::{
    link::Link,
    Node, //
};
use crate::{
    knet::skb::{
        self,
        Context,
        TxSkb, //
    },
    proto::wire::{
        kif,
        l4::{
            Flags,
            Header,
            HEADER_LEN,
            MAX_PAD, //
        }, //
    },
    uapi, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// Bytes of a frame that are not L4 payload, at the most.
pub(super) const OVERHEAD: usize = HEADER_LEN + MAX_PAD;

/// A kernel interface message that is being made, or waits for its turn.
pub(crate) struct Draft {
    skb: TxSkb,
    pad: usize,
    /// Bytes of the kernel interface's own, before the data.
    fixed: usize,
    data: usize,
}

impl Draft {
    /// Begins a message with `data` bytes of data, which the caller fills in.
    ///
    /// Errors: `ENOMEM`, `EINVAL` for a message that cannot be emitted.
    pub(crate) fn new(
        node: &Node,
        message: &kif::Message,
        data: usize,
        context: Context,
    ) -> Result<Self> {
        let pad = node.options.num_tx_pad.load(Relaxed) as usize;
        let fixed = message.fixed_len();
        let mut skb = TxSkb::alloc(pad + HEADER_LEN + fixed + data, context)?;
        let bytes = skb.put(pad + HEADER_LEN + fixed + data);
        let (head, rest) = bytes.split_at_mut_checked(pad + HEADER_LEN).ok_or(EINVAL)?;
        head.fill(0);
        message.emit(rest).ok_or(EINVAL)?;
        Ok(Self {
            skb,
            pad,
            fixed,
            data,
        })
    }

    /// The message's data, to be filled in.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        let start = self.pad + HEADER_LEN + self.fixed;
        self.skb
            .data_mut()
            .and_then(|bytes| bytes.get_mut(start..))
            .unwrap_or(&mut [])
    }

    /// Bytes of L4 payload.
    pub(super) fn payload_len(&self) -> usize {
        self.fixed + self.data
    }

    /// Writes the L4 header. To be called before the first clone is made.
    pub(super) fn seal(&mut self, header: Header, do_crc: bool) {
        if let Some(bytes) = self.skb.data_mut() {
            seal(bytes, self.pad, header, do_crc);
        }
    }

    /// What goes to the link; the data are shared with this one.
    pub(super) fn frame(&self) -> Result<TxSkb> {
        self.skb.clone_for_transmit()
    }
}

/// Writes `header` behind the pad of a frame, with the CRC of all that follows if wanted.
fn seal(bytes: &mut [u8], pad: usize, mut header: Header, do_crc: bool) {
    let Some((head, payload)) = bytes
        .get_mut(pad..)
        .and_then(|packet| packet.split_first_chunk_mut::<HEADER_LEN>())
    else {
        return;
    };
    header.crc = 0;
    if do_crc {
        header.flags = header.flags.union(Flags::CRC);
    }
    header.emit(head);
    if do_crc {
        // The CRC covers the header with four zero bytes in its own place, which is what is there.
        header.crc = skb::crc32_be(skb::crc32_be(0, head), payload);
        header.emit(head);
    }
}

/// Makes a frame of its own, not a kept message: session control, acknowledgements, name
/// resolution. `fill` writes the `length` bytes of payload and says whether it could.
pub(super) fn control(
    node: &Node,
    header: Header,
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> bool,
) -> Result<TxSkb> {
    let pad = node.options.num_tx_pad.load(Relaxed) as usize;
    let total = pad + HEADER_LEN + length;
    let mut skb = TxSkb::alloc(total, Context::Atomic)?;
    let bytes = skb.put(total);
    bytes.fill(0);
    let payload = bytes.get_mut(pad + HEADER_LEN..).ok_or(EINVAL)?;
    if !fill(payload) {
        return Err(EINVAL);
    }
    seal(bytes, pad, header, node.options.do_crc.load(Relaxed) != 0);
    Ok(skb)
}

/// Hands a frame to a link. No lock may be held.
pub(super) fn transmit(link: &Arc<Link>, frame: TxSkb, to: [u8; 6]) {
    let counters = &link.counters;
    match frame.transmit(&link.dev, to, uapi::ETH_P_QNET) {
        Ok(()) => counters.txd_ok.add(1, Relaxed),
        Err(_) => counters.txd_bad.add(1, Relaxed),
    }
}
