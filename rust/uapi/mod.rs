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
/// A receiver keeps its own priority.
pub(crate) const QNET_CHF_FIXED_PRIORITY: u32 = bindings::QNET_CHF_FIXED_PRIORITY;
/// Other nodes may connect, whatever the option `remote` says.
pub(crate) const QNET_CHF_REMOTE: u32 = bindings::QNET_CHF_REMOTE;
/// Flag of a received message: its client's ids have changed.
pub(crate) const QNET_MI_NET_CRED_DIRTY: i16 = bindings::QNET_MI_NET_CRED_DIRTY as i16;
/// A pulse tells the server that a client wants to leave.
pub(crate) const QNET_CHF_UNBLOCK: u32 = bindings::QNET_CHF_UNBLOCK;
/// A pulse tells that a thread of the process has ended.
pub(crate) const QNET_CHF_THREAD_DEATH: u32 = bindings::QNET_CHF_THREAD_DEATH;
/// A pulse tells the server that a client has left.
pub(crate) const QNET_CHF_DISCONNECT: u32 = bindings::QNET_CHF_DISCONNECT;
/// A pulse tells that the server of a connection of the process is gone.
pub(crate) const QNET_CHF_COID_DISCONNECT: u32 = bindings::QNET_CHF_COID_DISCONNECT;
/// Codes of the module's own pulses.
pub(crate) const QNET_PULSE_UNBLOCK: i8 = bindings::QNET_PULSE_UNBLOCK as i8;
/// See [`QNET_PULSE_UNBLOCK`].
pub(crate) const QNET_PULSE_DISCONNECT: i8 = bindings::QNET_PULSE_DISCONNECT as i8;
/// See [`QNET_PULSE_UNBLOCK`].
pub(crate) const QNET_PULSE_THREADDEATH: i8 = bindings::QNET_PULSE_THREADDEATH as i8;
/// See [`QNET_PULSE_UNBLOCK`].
pub(crate) const QNET_PULSE_COIDDEATH: i8 = bindings::QNET_PULSE_COIDDEATH as i8;
/// In the flags of a message: its client wants to leave.
pub(crate) const QNET_MI_UNBLOCK_REQ: i16 = bindings::QNET_MI_UNBLOCK_REQ as i16;
/// A time-out runs while the call is SEND-blocked.
pub(crate) const QNET_TIMEOUT_SEND: u32 = bindings::QNET_TIMEOUT_SEND;
/// The same for RECEIVE-blocked.
pub(crate) const QNET_TIMEOUT_RECEIVE: u32 = bindings::QNET_TIMEOUT_RECEIVE;
/// A time-out tells a moment and not how long.
pub(crate) const QNET_TIMEOUT_ABSOLUTE: u32 = bindings::QNET_TIMEOUT_ABSOLUTE;
/// A receiver wants pulses alone.
pub(crate) const QNET_RECEIVE_PULSE: u32 = bindings::QNET_RECEIVE_PULSE;
/// What MsgKeyData is to do.
pub(crate) const QNET_KEYDATA_VERIFY: u32 = bindings::QNET_KEYDATA_VERIFY;
/// See [`QNET_KEYDATA_VERIFY`].
pub(crate) const QNET_KEYDATA_CALCULATE: u32 = bindings::QNET_KEYDATA_CALCULATE;
/// See [`QNET_KEYDATA_VERIFY`].
pub(crate) const QNET_KEYDATA_CALCULATE_REUSE: u32 = bindings::QNET_KEYDATA_CALCULATE_REUSE;
/// An event is only looked at.
pub(crate) const QNET_DELIVER_VERIFY: u32 = bindings::QNET_DELIVER_VERIFY;
/// The server behind a connection is gone.
pub(crate) const QNET_CONNECTION_DEAD: u32 = bindings::QNET_CONNECTION_DEAD;
/// The channel flags that are understood.
pub(crate) const CHANNEL_FLAGS: u32 = bindings::QNET_CHF_FIXED_PRIORITY
    | bindings::QNET_CHF_UNBLOCK
    | bindings::QNET_CHF_THREAD_DEATH
    | bindings::QNET_CHF_DISCONNECT
    | bindings::QNET_CHF_SENDER_LEN
    | bindings::QNET_CHF_COID_DISCONNECT
    | bindings::QNET_CHF_REPLY_LEN
    | bindings::QNET_CHF_PRIVATE
    | bindings::QNET_CHF_REMOTE;
/// The connection flags that are understood.
pub(crate) const CONNECTION_FLAGS: u32 = bindings::QNET_COF_CLOEXEC | bindings::QNET_COF_NOSHARE;
/// The index of a side channel.
pub(crate) const QNET_SIDE_CHANNEL: u32 = bindings::QNET_SIDE_CHANNEL;
/// QNX's error number for a server whose buffer is not there.
pub(crate) const QNET_ESRVRFAULT: c_int = bindings::QNET_ESRVRFAULT as c_int;
/// QNX's error number for what the network cannot do.
pub(crate) const QNET_ENOREMOTE: c_int = bindings::QNET_ENOREMOTE as c_int;
/// The number of this interface.
pub(crate) const QNET_ABI_VERSION: u32 = bindings::QNET_ABI_VERSION;
/// What a control message of `sendmsg()` or `recvmsg()` is.
pub(crate) const QNET_CM_POST: u32 = bindings::QNET_CM_POST;
/// See [`QNET_CM_POST`].
pub(crate) const QNET_CM_ANSWER: u32 = bindings::QNET_CM_ANSWER;
/// See [`QNET_CM_POST`].
pub(crate) const QNET_CM_RECEIVED: u32 = bindings::QNET_CM_RECEIVED;
/// See [`QNET_CM_POST`].
pub(crate) const QNET_CM_REPLY: u32 = bindings::QNET_CM_REPLY;
/// The most bytes of a message that is sent without waiting, and of its reply.
pub(crate) const QNET_POST_MAX: usize = bindings::QNET_POST_MAX as usize;
/// Bytes of messages of other nodes that may wait in a channel, if its socket says nothing else.
pub(crate) const QNET_RCVBUF: usize = bindings::QNET_RCVBUF as usize;
/// How many bytes there are for its reply when nothing is said.
pub(crate) const QNET_POST_ROOM: u32 = bindings::QNET_POST_ROOM;
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
/// `enum qnet_blocked_state`.
pub(crate) const QNET_BLOCKED_SEND: u32 = bindings::qnet_blocked_state_QNET_BLOCKED_SEND;
/// See [`QNET_BLOCKED_SEND`].
pub(crate) const QNET_BLOCKED_RECEIVE: u32 = bindings::qnet_blocked_state_QNET_BLOCKED_RECEIVE;
/// See [`QNET_BLOCKED_SEND`].
pub(crate) const QNET_BLOCKED_REPLY: u32 = bindings::qnet_blocked_state_QNET_BLOCKED_REPLY;

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
    /// A pulse.
    Pulse = qnet_pulse {
        type_: u16,
        subtype: u16,
        code: i8,
        zero: [u8; 3],
        value: i64,
        scoid: i32,
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
        pulse: Pulse,
        status: i64,
        reply: Buf,
        reply_error: i32,
        reserved2: u32,
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

mirror! {
    /// MsgInfo.
    RcvidInfo = qnet_rcvid_info {
        size: u32,
        flags: u32,
        rcvid: i32,
        reserved: u32,
        info: MsgInfo,
    }
}

mirror! {
    /// MsgCurrent.
    Current = qnet_current {
        size: u32,
        flags: u32,
        rcvid: i32,
        reserved: u32,
    }
}

mirror! {
    /// MsgKeyData.
    KeyData = qnet_keydata {
        size: u32,
        flags: u32,
        rcvid: i32,
        op: u32,
        key: u32,
        newkey: u32,
        data: Buf,
    }
}

mirror! {
    /// MsgSendPulse.
    SendPulse = qnet_send_pulse {
        size: u32,
        flags: u32,
        priority: i32,
        code: i32,
        value: i64,
    }
}

mirror! {
    /// A `sigevent`.
    Event = qnet_event {
        notify: i32,
        id: i32,
        value: i64,
        code: i16,
        priority: i16,
        reserved: u32,
    }
}

mirror! {
    /// MsgDeliverEvent.
    Deliver = qnet_deliver {
        size: u32,
        flags: u32,
        rcvid: i32,
        reserved: u32,
        event: Event,
    }
}

mirror! {
    /// ConnectClientInfo.
    ClientInfo = qnet_client_info {
        size: u32,
        flags: u32,
        scoid: i32,
        ngroups: u32,
        groups: u64,
        nd: u32,
        pid: i32,
        sid: i32,
        reserved: u32,
        ruid: u32,
        euid: u32,
        suid: u32,
        rgid: u32,
        egid: u32,
        sgid: u32,
    }
}

mirror! {
    /// What a connection is.
    ConnectionInfo = qnet_connection_info {
        size: u32,
        flags: u32,
        nd: u32,
        pid: i32,
        chid: i32,
        scoid: i32,
        coid: i32,
        reserved: u32,
    }
}

mirror! {
    /// The number of a connection.
    Coid = qnet_coid {
        size: u32,
        coid: i32,
    }
}

mirror! {
    /// The scoid of a client that has left.
    FreeScoid = qnet_free_scoid {
        size: u32,
        scoid: i32,
    }
}

mirror! {
    /// Who may connect to a channel.
    Access = qnet_access {
        size: u32,
        flags: u32,
        uid: u32,
        gid: u32,
        mode: u32,
        reserved: u32,
    }
}

mirror! {
    /// SignalKill.
    Signal = qnet_signal {
        size: u32,
        flags: u32,
        nd: u32,
        pid: i32,
        tid: i32,
        signo: i32,
        code: i32,
        reserved: u32,
        value: i64,
        timeout: Timeout,
    }
}

mirror! {
    /// netmgr_remote_nd.
    RemoteNd = qnet_remote_nd {
        size: u32,
        flags: u32,
        remote_nd: u32,
        local_nd: u32,
        nd: u32,
        reserved: u32,
        timeout: Timeout,
    }
}

mirror! {
    /// How a message is sent without waiting.
    Post = qnet_cm_post {
        cookie: u64,
        room: u32,
        coid: i32,
    }
}

mirror! {
    /// How such a message was answered.
    Answer = qnet_cm_answer {
        cookie: u64,
        status: i64,
        error: i32,
        reserved: u32,
    }
}

mirror! {
    /// What `recvmsg()` on a channel got.
    Received = qnet_cm_received {
        rcvid: i32,
        reserved: u32,
        info: MsgInfo,
        pulse: Pulse,
    }
}

mirror! {
    /// What `sendmsg()` on a channel answers.
    Replied = qnet_cm_reply {
        rcvid: i32,
        error: i32,
        status: i64,
    }
}
