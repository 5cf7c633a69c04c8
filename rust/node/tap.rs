// SPDX-License-Identifier: GPL-2.0

//! Messages that stay on the node, as who taps its loopback device sees them.
//!
//! With `tap_local=1` they are shown as they would travel: a Qnet frame each, with the numbers of the
//! processes in place of those of a session. Nobody receives these frames. Without the option it
//! costs a look at the option.

use super::{
    frame,
    Node, //
};
use crate::{
    knet::{
        net::Net,
        skb::TxSkb, //
    },
    proto::{
        names::Policy,
        wire::{
            kif,
            l4::{
                Flags,
                Header,
                Layer,
                PacketType, //
            },
        },
    },
    uapi, //
};
use kernel::sync::atomic::Relaxed;

impl Node {
    /// Whether messages that stay on the node are to be shown, and anybody looks.
    #[inline]
    pub(crate) fn is_tapped(&self) -> bool {
        self.options.tap_local.load(Relaxed) != 0 && self.home.with(Net::is_tapped) == Some(true)
    }

    /// A number for what is shown, by which an answer is found again. Never 0.
    pub(crate) fn next_shown(&self) -> u32 {
        self.shown.fetch_add(1, Relaxed).wrapping_add(1).max(1)
    }

    /// The frame that shows a message from process `from` to process `to`, with its data. Any context.
    /// `None` without memory.
    pub(crate) fn shown(
        &self,
        from: i32,
        to: i32,
        message: &kif::Message,
        data: &[u8],
    ) -> Option<TxSkb> {
        let length = message.fixed_len() + data.len();
        let size = u32::try_from(length).ok()?;
        let header = Header {
            ptype: PacketType::User,
            flags: Flags::WHOLE,
            layer: Layer::Kif,
            src_nd_for_dst: 0,
            dst_nd_for_src: 0,
            // CAST: Numbers of processes are not negative.
            src_conn_id: from as u32,
            dst_conn_id: to as u32,
            seq: self.next_shown(),
            qos_type: Policy::LoadBalance.to_wire(),
            src_qos_idx: 0,
            offset: 0,
            length: size,
            crc: 0,
        };
        let frame = frame::control(self, header, length, |out| {
            let rest = message.emit(out).and_then(|fixed| out.get_mut(fixed..));
            rest.is_some_and(|rest| {
                rest.copy_from_slice(data);
                true
            })
        });
        frame.ok()
    }

    /// Shows a frame. Any context; not under a lock.
    pub(crate) fn show(&self, frame: TxSkb) {
        let _ = self
            .home
            .with(|net| TxSkb::show(frame, net, uapi::ETH_P_QNET));
    }
}
