// SPDX-License-Identifier: GPL-2.0

//! Tracepoints: what `sys/trace.h` declares, as a type each.
//!
//! `trace()` costs a branch that the kernel patches: a no-op as long as nobody traces, and what makes
//! the event is not called. Any context, locked or not.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::sys::bindings;
use kernel::jump_label::static_branch_unlikely;

macro_rules! tracepoints {
    ($(
        $(#[$doc:meta])*
        $name:ident by $key:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        } => $probe:ident($($argument:expr),* $(,)?);
    )*) => {$(
        $(#[$doc])*
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            /// Whether somebody traces it.
            #[inline(always)]
            pub(crate) fn is_on() -> bool {
                // SAFETY: The key is that of a tracepoint that C defines.
                unsafe {
                    static_branch_unlikely!(
                        bindings::$key,
                        kernel::bindings::tracepoint,
                        key
                    )
                }
            }

            /// Traces what `make` makes, if somebody traces it.
            #[inline(always)]
            pub(crate) fn trace(make: impl FnOnce() -> Self) {
                if Self::is_on() {
                    make().emit();
                }
            }

            #[cold]
            fn emit(self) {
                let Self { $($field),* } = self;
                // SAFETY: It takes numbers, and text with its length, which outlives the call.
                unsafe { bindings::$probe($($argument),*) }
            }
        }
    )*};
}

tracepoints! {
    /// A program sends a message.
    Send by __tracepoint_qnet_send {
        /// The node of the server.
        nd: u32,
        /// The server.
        pid: i32,
        /// Its channel.
        chid: i32,
        /// The sender's name for the connection.
        coid: i32,
        /// The sender's priority.
        priority: i16,
        /// The length of the message.
        bytes: u64,
    } => rust_do_trace_qnet_send(nd, pid, chid, coid, priority, bytes);

    /// A server receives a message.
    Receive by __tracepoint_qnet_receive {
        /// The channel.
        chid: i32,
        /// The number under which it is answered.
        rcvid: i32,
        /// The node of the sender.
        nd: u32,
        /// The sender's process.
        pid: i32,
        /// The sender's thread.
        tid: i32,
        /// The sender's priority.
        priority: i16,
        /// How many bytes were received.
        bytes: u64,
    } => rust_do_trace_qnet_receive(chid, rcvid, nd, pid, tid, priority, bytes);

    /// A server answers a message.
    Reply by __tracepoint_qnet_reply {
        /// Which.
        rcvid: i32,
        /// The Linux error number that MsgError gave; 0: it is MsgReply.
        error: i32,
        /// The status that MsgReply gave.
        status: i64,
        /// The length of the reply.
        bytes: u64,
    } => rust_do_trace_qnet_reply(rcvid, error, status, bytes);

    /// A pulse is put into the queue of a channel of this node.
    Pulse by __tracepoint_qnet_pulse {
        /// The process that it is for.
        pid: i32,
        /// The channel.
        chid: i32,
        /// That process's number for the sender.
        scoid: i32,
        /// Its code.
        code: i8,
        /// Its value.
        value: i64,
        /// Its priority.
        priority: i16,
    } => rust_do_trace_qnet_pulse(pid, chid, scoid, i32::from(code), value, priority);

    /// A frame leaves for the first time.
    Transmit by __tracepoint_qnet_transmit {
        /// What leaves.
        frame: Frame,
    } => rust_do_trace_qnet_transmit(
        frame.ifindex, frame.nd, frame.kind as u32, frame.seq, frame.offset, frame.length
    );

    /// A part of a message leaves again.
    Retransmit by __tracepoint_qnet_retransmit {
        /// What leaves.
        frame: Frame,
    } => rust_do_trace_qnet_retransmit(
        frame.ifindex, frame.nd, frame.kind as u32, frame.seq, frame.offset, frame.length
    );

    /// Something that came was dropped.
    Dropped by __tracepoint_qnet_drop {
        /// The label of its counter.
        reason: &'static str,
    } => rust_do_trace_qnet_drop(reason.as_ptr(), reason.len() as u32);
}

/// A frame that leaves.
pub(crate) struct Frame {
    /// The interface.
    pub(crate) ifindex: u32,
    /// The node that it goes to.
    pub(crate) nd: u32,
    /// What it is for.
    pub(crate) kind: Kind,
    /// The number of the message.
    pub(crate) seq: u32,
    /// Which part of the message, in bytes.
    pub(crate) offset: u32,
    /// How many bytes of it.
    pub(crate) length: u32,
}

/// What a frame is for.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    /// To bring a part of a message.
    Message = bindings::QNET_FRAME_MESSAGE,
    /// To acknowledge.
    Ack = bindings::QNET_FRAME_ACK,
    /// To ask for what is missing.
    Nack = bindings::QNET_FRAME_NACK,
    /// To ask whether the other node lives, or to answer that.
    Ping = bindings::QNET_FRAME_PING,
    /// To open or to close a session.
    Session = bindings::QNET_FRAME_SESSION,
}
