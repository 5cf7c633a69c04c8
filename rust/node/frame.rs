// SPDX-License-Identifier: GPL-2.0

//! Making frames: the L4 header in front of a payload, and the payload itself.
//!
//! A message is built once and kept until the peer has acknowledged all of it. One that fits a frame
//! is such a frame: what is transmitted is a clone. A longer one has its data in pages, and its
//! frames are made when they leave: a header of their own, and a reference to a range of the pages.

use super::{
    link::Link,
    Node, //
};
use crate::{
    knet::{
        pages::TxPages,
        skb::{
            self,
            Context,
            TxSkb, //
        },
        user::UserBuf, //
    },
    proto::wire::{
        kif,
        l4::{
            Flags,
            Header,
            Layer,
            HEADER_LEN,
            MAX_PAD, //
        },
        nr, //
    },
    stats::Counter,
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

/// A message of up to so many bytes is kept in one piece even if it takes several frames: the copy
/// that each of them then costs is cheaper than pages.
const ONE_PIECE: usize = 1024;

/// How urgent a message is that ends something: what was said before goes first.
const LAST: u8 = 0;
/// How urgent a message is whose sender's priority does not matter.
const ORDINARY: u8 = 10;
/// How urgent an answer is without which nothing else can be sent.
const FIRST: u8 = u8::MAX;

/// What a message consists of.
enum Body {
    /// A frame as it leaves, with pad and L4 header in front. `sealed`: the header was written.
    Whole { skb: TxSkb, sealed: bool },
    /// The kernel interface's own bytes, and the data in pages.
    Paged(KBox<Paged>),
    /// The message was given up.
    Nothing,
}

/// A message with its data in pages.
struct Paged {
    /// The kernel interface's own bytes, and how many they are.
    head: [u8; kif::MAX_FIXED],
    fixed: usize,
    pages: TxPages,
    /// The pages are the program's, which may write to them: no CRC could hold.
    pinned: bool,
}

impl Paged {
    /// The kernel interface's own bytes from `offset` on, `len` at the most.
    fn own(&self, offset: usize, len: usize) -> &[u8] {
        let end = offset.saturating_add(len).min(self.fixed);
        self.head.get(offset.min(end)..end).unwrap_or(&[])
    }
}

/// A kernel interface message that is being made, or waits for its turn.
pub(crate) struct Draft {
    body: Body,
    pad: usize,
    /// Bytes of the kernel interface's own, before the data.
    fixed: usize,
    data: usize,
    /// Its sender's priority: what is more urgent is sent first.
    urgency: u8,
    /// What layer it belongs to.
    layer: Layer,
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
        let fixed = message.fixed_len();
        let emit = |bytes: &mut [u8]| message.emit(bytes).map(drop);
        let draft = Self::whole(node, Layer::Kif, (fixed, data), context, emit)?;
        Ok(Self {
            urgency: urgency(message),
            ..draft
        })
    }

    /// Makes a message of the node resolver.
    ///
    /// Errors: `ENOMEM`, `EINVAL` for a message that cannot be emitted.
    pub(super) fn nr(node: &Node, message: &nr::Message<'_>, context: Context) -> Result<Self> {
        let fixed = message.emitted_len();
        let emit = |bytes: &mut [u8]| message.emit(bytes).map(drop);
        Self::whole(node, Layer::Nr, (fixed, 0), context, emit)
    }

    /// Begins a message in one piece, with `fixed` bytes that `emit` writes, and `data` behind them.
    fn whole(
        node: &Node,
        layer: Layer,
        (fixed, data): (usize, usize),
        context: Context,
        emit: impl FnOnce(&mut [u8]) -> Option<()>,
    ) -> Result<Self> {
        let pad = node.options.num_tx_pad.load(Relaxed) as usize;
        let mut skb = TxSkb::alloc(pad + HEADER_LEN + fixed + data, context)?;
        let bytes = skb.put(pad + HEADER_LEN + fixed + data);
        let (head, rest) = bytes.split_at_mut_checked(pad + HEADER_LEN).ok_or(EINVAL)?;
        head.fill(0);
        emit(rest).ok_or(EINVAL)?;
        Ok(Self {
            body: Body::Whole { skb, sealed: false },
            pad,
            fixed,
            data,
            urgency: ORDINARY,
            layer,
        })
    }

    /// Makes a message whose data are `len` bytes of a program's, from `offset` on. They are copied
    /// once. A frame that leaves has `frame` bytes of payload at the most. Process context.
    ///
    /// Errors: `ENOMEM`, `EFAULT`, `EINVAL` for a message that cannot be emitted.
    pub(crate) fn gather(
        node: &Node,
        message: &kif::Message,
        from: &UserBuf,
        offset: usize,
        len: usize,
        frame: usize,
    ) -> Result<Self> {
        node.stats.add(Counter::CopiedFromUser, len as u64);
        let fixed = message.fixed_len();
        if fixed + len <= frame.max(ONE_PIECE) {
            let mut draft = Self::new(node, message, len, Context::Sleep)?;
            from.read_at(offset, draft.data_mut())?;
            return Ok(draft);
        }
        Self::paged(node, message, TxPages::copied(from, offset, len)?, false)
    }

    /// Makes a message whose data are in pages; `pinned`: in the program's own. Process context.
    ///
    /// Errors: `ENOMEM`, `EINVAL` for a message that cannot be emitted.
    pub(super) fn paged(
        node: &Node,
        message: &kif::Message,
        pages: TxPages,
        pinned: bool,
    ) -> Result<Self> {
        let fixed = message.fixed_len();
        let data = pages.len();
        let mut head = [0; kif::MAX_FIXED];
        message.emit(&mut head).ok_or(EINVAL)?;
        let paged = Paged {
            head,
            fixed,
            pages,
            pinned,
        };
        Ok(Self {
            body: Body::Paged(KBox::new(paged, GFP_KERNEL_ACCOUNT)?),
            pad: node.options.num_tx_pad.load(Relaxed) as usize,
            fixed,
            data,
            urgency: urgency(message),
            layer: Layer::Kif,
        })
    }

    /// The message's data, to be filled in.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        let start = self.pad + HEADER_LEN + self.fixed;
        match &mut self.body {
            Body::Whole { skb, .. } => skb
                .data_mut()
                .and_then(|bytes| bytes.get_mut(start..))
                .unwrap_or(&mut []),
            Body::Paged(_) | Body::Nothing => &mut [],
        }
    }

    /// The same message, sent before those of a lower priority.
    pub(crate) fn with_priority(mut self, priority: i16) -> Self {
        self.urgency = u8::try_from(priority).unwrap_or(ORDINARY);
        self
    }

    /// How urgent it is.
    pub(super) fn urgency(&self) -> u8 {
        self.urgency
    }

    /// Bytes of L4 payload.
    pub(super) fn payload_len(&self) -> usize {
        self.fixed + self.data
    }

    /// What layer it belongs to.
    pub(super) fn layer(&self) -> Layer {
        match self.body {
            Body::Nothing => Layer::Seq,
            _ => self.layer,
        }
    }

    /// The message is given up: nothing of it is kept.
    pub(super) fn give_up(&mut self) {
        self.body = Body::Nothing;
        self.fixed = 0;
        self.data = 0;
    }

    /// The frame for the part of the message that `header` tells. Legal in softirq.
    ///
    /// Errors: `ENOMEM`.
    pub(super) fn frame(&mut self, node: &Node, header: Header) -> Result<TxSkb> {
        let do_crc = node.options.do_crc.load(Relaxed) != 0;
        let (offset, len) = (header.offset as usize, header.length as usize);
        let whole = header.flags.contains(Flags::WHOLE);
        match &mut self.body {
            Body::Whole { skb, sealed } if whole => {
                if !*sealed {
                    // Before the first clone is made, while the bytes are ours alone.
                    if let Some(bytes) = skb.data_mut() {
                        seal(bytes, self.pad, header, do_crc);
                    }
                    *sealed = true;
                }
                node.stats.add(Counter::TxByReference, len as u64);
                skb.clone_for_transmit()
            }
            Body::Whole { skb, .. } => {
                let start = self.pad + HEADER_LEN + offset;
                let part = skb.data().get(start..start + len).ok_or(EINVAL)?;
                node.stats.add(Counter::TxCopied, len as u64);
                control(node, header, len, |out| {
                    out.copy_from_slice(part);
                    true
                })
            }
            Body::Paged(paged) => {
                let own = paged.own(offset, len);
                let from = offset.saturating_sub(self.fixed);
                let data = len.saturating_sub(own.len());
                let copied = paged.pages.copied_frames();
                // The option may have been switched on since it was pinned.
                let do_crc = do_crc && !paged.pinned;
                let frame = paged_frame(self.pad, header, do_crc, own, &paged.pages, from)?;
                let counter = match paged.pages.copied_frames() == copied {
                    true => Counter::TxByReference,
                    false => Counter::TxCopied,
                };
                node.stats.add(counter, data as u64);
                Ok(frame)
            }
            Body::Nothing => control(node, header, 0, |_| true),
        }
    }
}

/// How urgent a message is, by what it says.
fn urgency(message: &kif::Message) -> u8 {
    let of = |priority: i32| u8::try_from(priority).unwrap_or(ORDINARY);
    match message {
        kif::Message::MsgSend(send) | kif::Message::ConnectMsgSend(_, send) => {
            of(send.vtid.priority)
        }
        kif::Message::ConnectSuccess { .. } | kif::Message::ConnectFail { .. } => FIRST,
        // Nothing that was sent before may come after them.
        kif::Message::Disconnect { .. } | kif::Message::ConnectDeath { .. } => LAST,
        _ => ORDINARY,
    }
}

/// A frame of the bytes `own` and those of `pages` from `from` on, as many as `header` tells.
fn paged_frame(
    pad: usize,
    mut header: Header,
    do_crc: bool,
    own: &[u8],
    pages: &TxPages,
    from: usize,
) -> Result<TxSkb> {
    let mut bytes = [0; MAX_PAD + HEADER_LEN + kif::MAX_FIXED];
    let front = pad + HEADER_LEN;
    let head = bytes.get_mut(..front + own.len()).ok_or(EINVAL)?;
    head.get_mut(front..).ok_or(EINVAL)?.copy_from_slice(own);
    let fields = |head: &mut [u8], header: &Header| {
        head.get_mut(pad..)
            .and_then(|rest| rest.first_chunk_mut::<HEADER_LEN>())
            .map(|place| header.emit(place))
            .ok_or(EINVAL)
    };
    header.crc = 0;
    if do_crc {
        header.flags = header.flags.union(Flags::CRC);
    }
    fields(head, &header)?;
    let len = (header.length as usize).saturating_sub(own.len());
    let mut frame = TxSkb::with_pages(head, pages, from, len)?;
    if do_crc {
        // The CRC covers the header with four zero bytes in its own place, which is what is there.
        header.crc = frame.crc32_be(0, pad, HEADER_LEN + header.length as usize);
        fields(frame.head_mut().ok_or(EINVAL)?, &header)?;
    }
    Ok(frame)
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
