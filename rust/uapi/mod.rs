// SPDX-License-Identifier: GPL-2.0

//! The interface to programs, as `qnet.h` defines it.
//!
//! The constants come out of that header by bindgen. The structures that cross the boundary are
//! written here once more, so that reading and writing them needs no unsafe code; each is checked
//! against the header's at compile time.

#![forbid(unsafe_code)]

use crate::sys::bindings;
use core::mem::offset_of;
use kernel::prelude::*;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Qnet's EtherType.
pub(crate) const ETH_P_QNET: u16 = bindings::ETH_P_QNET as u16;
/// Only the process that made the channel may connect to it.
pub(crate) const QNET_CHF_PRIVATE: u32 = bindings::QNET_CHF_PRIVATE;
/// The channel flags that are understood.
pub(crate) const CHANNEL_FLAGS: u32 = bindings::QNET_CHF_FIXED_PRIORITY
    | bindings::QNET_CHF_SENDER_LEN
    | bindings::QNET_CHF_REPLY_LEN
    | bindings::QNET_CHF_PRIVATE;
/// The connection flags that are understood.
pub(crate) const CONNECTION_FLAGS: u32 = bindings::QNET_COF_CLOEXEC | bindings::QNET_COF_NOSHARE;
/// The index of a side channel.
pub(crate) const QNET_SIDE_CHANNEL: u32 = bindings::QNET_SIDE_CHANNEL;
/// QNX's error number for a server whose buffer is not there.
pub(crate) const QNET_ESRVRFAULT: c_int = bindings::QNET_ESRVRFAULT as c_int;
/// The number of this interface.
pub(crate) const QNET_ABI_VERSION: u32 = bindings::QNET_ABI_VERSION;
/// The letter of the ioctls.
pub(crate) const QNET_IOC_MAGIC: u32 = bindings::QNET_IOC_MAGIC as u32;

/// `enum qnet_link_state`.
pub(crate) const QNET_LINK_ABSENT: u32 = bindings::qnet_link_state_QNET_LINK_ABSENT;
/// See [`QNET_LINK_ABSENT`].
pub(crate) const QNET_LINK_DOWN: u32 = bindings::qnet_link_state_QNET_LINK_DOWN;
/// See [`QNET_LINK_ABSENT`].
pub(crate) const QNET_LINK_UP: u32 = bindings::qnet_link_state_QNET_LINK_UP;
/// `enum qnet_node_state`.
pub(crate) const QNET_NODE_LOCAL: u32 = bindings::qnet_node_state_QNET_NODE_LOCAL;
/// See [`QNET_NODE_LOCAL`].
pub(crate) const QNET_NODE_KNOWN: u32 = bindings::qnet_node_state_QNET_NODE_KNOWN;
/// See [`QNET_NODE_LOCAL`].
pub(crate) const QNET_NODE_OPENING: u32 = bindings::qnet_node_state_QNET_NODE_OPENING;
/// See [`QNET_NODE_LOCAL`].
pub(crate) const QNET_NODE_UP: u32 = bindings::qnet_node_state_QNET_NODE_UP;

macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident = $c:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[allow(missing_docs)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
        }

        const _: () = {
            assert!(size_of::<$name>() == size_of::<bindings::$c>());
            $(assert!(offset_of!($name, $field) == offset_of!(bindings::$c, $field));)*
        };
    };
}

mirror! {
    /// An address of the family.
    SockAddr = sockaddr_qnet {
        sq_family: u16,
        sq_reserved: u16,
        sq_flags: u32,
        sq_nd: u32,
        sq_pid: i32,
        sq_chid: i32,
        sq_index: u32,
    }
}

mirror! {
    /// A buffer of a program.
    Buf = qnet_buf {
        base: u64,
        len: u64,
        parts: u32,
        reserved: u32,
    }
}

mirror! {
    /// A time-out.
    Timeout = qnet_timeout {
        ns: u64,
        states: u32,
        reserved: u32,
    }
}

mirror! {
    /// What QNET_IOC_VERSION tells.
    Version = qnet_version {
        size: u32,
        abi: u32,
        family: u32,
        reserved: u32,
    }
}

mirror! {
    /// MsgSend.
    Send = qnet_send {
        size: u32,
        flags: u32,
        send: Buf,
        reply: Buf,
        timeout: Timeout,
        coid: i32,
        reserved: u32,
        status: i64,
        replied: u64,
    }
}

mirror! {
    /// What a receiver is told of a message.
    MsgInfo = qnet_msg_info {
        nd: u32,
        srcnd: u32,
        pid: i32,
        tid: i32,
        chid: i32,
        scoid: i32,
        coid: i32,
        priority: i16,
        flags: i16,
        msglen: i64,
        srcmsglen: i64,
        dstmsglen: i64,
        type_id: u32,
        reserved: u32,
    }
}

mirror! {
    /// MsgReceive.
    Receive = qnet_receive {
        size: u32,
        flags: u32,
        buf: Buf,
        timeout: Timeout,
        rcvid: i32,
        reserved: u32,
        info: MsgInfo,
    }
}

mirror! {
    /// MsgReply.
    Reply = qnet_reply {
        size: u32,
        flags: u32,
        rcvid: i32,
        reserved: u32,
        status: i64,
        buf: Buf,
    }
}

mirror! {
    /// MsgError.
    MsgError = qnet_error {
        size: u32,
        flags: u32,
        rcvid: i32,
        error: i32,
    }
}

mirror! {
    /// MsgRead and MsgWrite.
    Transfer = qnet_transfer {
        size: u32,
        flags: u32,
        rcvid: i32,
        reserved: u32,
        offset: u64,
        buf: Buf,
        timeout: Timeout,
        done: u64,
    }
}

mirror! {
    /// The string of a node.
    NodeName = qnet_node_name {
        size: u32,
        flags: u32,
        string: u64,
        len: u32,
        used: u32,
        nd: u32,
        reserved: u32,
        timeout: Timeout,
    }
}
