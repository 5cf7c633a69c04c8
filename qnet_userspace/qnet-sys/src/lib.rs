// SPDX-License-Identifier: LGPL-2.1-or-later

//! The raw interface between `qnet.ko` and programs: `rust/uapi/qnet.h` in Rust.
//!
//! Names, order and widths are those of the header, and `tests/layout.rs` compares every size,
//! offset and number with what a C compiler makes of it. Nothing here calls the kernel.

#![no_std]
#![allow(non_camel_case_types)]

/// The number of this interface; [`QNET_IOC_VERSION`] tells the module's.
pub const QNET_ABI_VERSION: u32 = 1;

/// The address family, unless the module parameter `family=` moves it.
pub const AF_QNET: i32 = 18;

/// Qnet's EtherType.
pub const ETH_P_QNET: u16 = 0x8204;
/// The number of Qnet's protocol over IP.
pub const IPPROTO_QNET: u8 = 106;

/// The longest name of a node, without the closing NUL.
pub const QNET_NAME_MAX: usize = 63;
/// The longest `name.domain`, without the closing NUL.
pub const QNET_FQNN_MAX: usize = 255;

/// A scattered buffer has not more parts than this.
pub const QNET_PARTS_MAX: usize = 1024;

/// `sq_index` of a connection outside of the file descriptors' space.
pub const QNET_SIDE_CHANNEL: u32 = 0x4000_0000;

/// The receiver keeps its own priority.
pub const QNET_CHF_FIXED_PRIORITY: u32 = 0x0001;
/// A pulse when a client wants to leave.
pub const QNET_CHF_UNBLOCK: u32 = 0x0002;
/// A pulse when a thread of the process ends.
pub const QNET_CHF_THREAD_DEATH: u32 = 0x0004;
/// A pulse when a client has left.
pub const QNET_CHF_DISCONNECT: u32 = 0x0008;
/// No effect: `srcmsglen` is always told.
pub const QNET_CHF_SENDER_LEN: u32 = 0x0020;
/// A pulse when a server of the process is gone.
pub const QNET_CHF_COID_DISCONNECT: u32 = 0x0040;
/// No effect: `dstmsglen` is always told.
pub const QNET_CHF_REPLY_LEN: u32 = 0x0080;
/// No other process may connect.
pub const QNET_CHF_PRIVATE: u32 = 0x1000;
/// Other nodes may connect in spite of the option `remote=marked`.
pub const QNET_CHF_REMOTE: u32 = 0x0100_0000;

/// The connection is closed at exec.
pub const QNET_COF_CLOEXEC: u32 = 0x0001;
/// The connection shares nothing with others to the same channel.
pub const QNET_COF_NOSHARE: u32 = 0x0040;

/// A time-out for a sender whose message no server has received.
pub const QNET_TIMEOUT_SEND: u32 = 0x10;
/// A time-out for a receiver.
pub const QNET_TIMEOUT_RECEIVE: u32 = 0x20;
/// A time-out for a sender whose message was received and not answered.
pub const QNET_TIMEOUT_REPLY: u32 = 0x40;

/// In the states of a time-out: its `ns` are a time of CLOCK_MONOTONIC, and not how long.
pub const QNET_TIMEOUT_ABSOLUTE: u32 = 0x8000_0000;

/// A pulse of the module: a client wants to leave; its value is the rcvid.
pub const QNET_PULSE_UNBLOCK: i8 = -32;
/// A pulse of the module: the client `scoid` has left.
pub const QNET_PULSE_DISCONNECT: i8 = -33;
/// A pulse of the module: a thread has ended; its value is the thread.
pub const QNET_PULSE_THREADDEATH: i8 = -34;
/// A pulse of the module: a server is gone; its value is the coid.
pub const QNET_PULSE_COIDDEATH: i8 = -35;

/// The client of a message wants to leave.
pub const QNET_MI_UNBLOCK_REQ: i16 = 0x100;
/// The ids of a message's client have changed.
pub const QNET_MI_NET_CRED_DIRTY: i16 = 0x200;

/// The network manager is not there; QNX's number, which Linux has not.
pub const QNET_ENOREMOTE: i32 = 300;
/// A fault in the server's buffer; QNX's number, which Linux has not.
pub const QNET_ESRVRFAULT: i32 = 312;

/// The address of a channel; see the header for what `bind()` and `connect()` take and tell.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct sockaddr_qnet {
    /// The address family, [`AF_QNET`] or where the module has it.
    pub sq_family: u16,
    /// Zero.
    pub sq_reserved: u16,
    /// Channel flags for `bind()`, connection flags for `connect()`.
    pub sq_flags: u32,
    /// The node; 0 is this one.
    pub sq_nd: u32,
    /// The process; 0 is the caller.
    pub sq_pid: i32,
    /// The channel.
    pub sq_chid: i32,
    /// 0 or [`QNET_SIDE_CHANNEL`].
    pub sq_index: u32,
}

/// One part of a scattered buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_iov {
    /// Where it begins.
    pub base: u64,
    /// How long it is.
    pub len: u64,
}

/// A buffer of the caller: `len` bytes at `base` when `parts` is 0; otherwise `base` points to
/// `parts` structures [`qnet_iov`], and `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_buf {
    /// Where the bytes or the parts begin.
    pub base: u64,
    /// How many bytes, when `parts` is 0.
    pub len: u64,
    /// How many parts, or 0.
    pub parts: u32,
    /// Zero.
    pub reserved: u32,
}

/// When `states` is not 0: give up after `ns` nanoseconds in one of the states.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_timeout {
    /// How long, or until when.
    pub ns: u64,
    /// `QNET_TIMEOUT_*`.
    pub states: u32,
    /// Zero.
    pub reserved: u32,
}

/// What [`QNET_IOC_VERSION`] tells.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_version {
    /// The size of this structure.
    pub size: u32,
    /// Out: the [`QNET_ABI_VERSION`] of the module.
    pub abi: u32,
    /// Out: the address family.
    pub family: u32,
    /// Zero.
    pub reserved: u32,
}

/// [`QNET_IOC_SEND`], on a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_send {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The message.
    pub send: qnet_buf,
    /// Where the reply goes.
    pub reply: qnet_buf,
    /// When to give up.
    pub timeout: qnet_timeout,
    /// The caller's name for the connection, which the server is told.
    pub coid: i32,
    /// Zero.
    pub reserved: u32,
    /// Out: the status that the server replied.
    pub status: i64,
    /// Out: bytes put into `reply`.
    pub replied: u64,
}

/// What a receiver is told of a message: Neutrino's `_msg_info` with 64-bit lengths.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_msg_info {
    /// The client's node, as the server numbers it.
    pub nd: u32,
    /// The server's node, as the client numbers it.
    pub srcnd: u32,
    /// The client's process.
    pub pid: i32,
    /// The client's thread.
    pub tid: i32,
    /// The channel it was received on.
    pub chid: i32,
    /// The server's number for the client process.
    pub scoid: i32,
    /// The client's number for the connection.
    pub coid: i32,
    /// The client's priority.
    pub priority: i16,
    /// `_NTO_MI_*`.
    pub flags: i16,
    /// Bytes received.
    pub msglen: i64,
    /// Bytes sent by the client.
    pub srcmsglen: i64,
    /// The client's room for a reply.
    pub dstmsglen: i64,
    /// Zero.
    pub type_id: u32,
    /// Zero.
    pub reserved: u32,
}

/// A pulse: Neutrino's `_pulse` with a 64-bit value.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_pulse {
    /// Zero.
    pub r#type: u16,
    /// Zero.
    pub subtype: u16,
    /// `QNET_PULSE_*`, or a program's own, which is not negative.
    pub code: i8,
    /// Zero.
    pub zero: [u8; 3],
    /// What it says.
    pub value: i64,
    /// The server's number for the process that sent it.
    pub scoid: i32,
    /// Zero.
    pub reserved: u32,
}

/// Receive a pulse; messages stay in the queue.
pub const QNET_RECEIVE_PULSE: u32 = 0x1;

/// [`QNET_IOC_RECEIVE`], on a channel.
///
/// When `rcvid` is not 0, that message is answered first, and the call goes on whatever became of
/// the answer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_receive {
    /// The size of this structure.
    pub size: u32,
    /// `QNET_RECEIVE_*`.
    pub flags: u32,
    /// Where the message goes.
    pub buf: qnet_buf,
    /// When to give up.
    pub timeout: qnet_timeout,
    /// In: the message to answer first, or 0. Out: the name of the message for reply and error; 0
    /// for a pulse.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
    /// Out: who sent it; zero for a pulse.
    pub info: qnet_msg_info,
    /// Out: the pulse.
    pub pulse: qnet_pulse,
    /// In: what the `MsgSend` of the message that is answered returns.
    pub status: i64,
    /// In: the reply.
    pub reply: qnet_buf,
    /// Out: what became of the answer: 0 or an errno number.
    pub reply_error: i32,
    /// Zero.
    pub reserved2: u32,
}

/// [`QNET_IOC_REPLY`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_reply {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// Which message.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
    /// What `MsgSend` returns.
    pub status: i64,
    /// The reply.
    pub buf: qnet_buf,
}

/// [`QNET_IOC_ERROR`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_error {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// Which message.
    pub rcvid: i32,
    /// A Linux errno number, positive; 0 is success; -1 that of the client's signal or time-out.
    pub error: i32,
}

/// [`QNET_IOC_READ`] and [`QNET_IOC_WRITE`], on any socket of the process that received `rcvid`,
/// whose client is blocked.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_transfer {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// Which message.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
    /// Where to begin, in the message or in the client's reply area.
    pub offset: u64,
    /// Where the message's bytes go, or the bytes to be written.
    pub buf: qnet_buf,
    /// When to give up; [`QNET_TIMEOUT_REPLY`] counts.
    pub timeout: qnet_timeout,
    /// Out: bytes copied.
    pub done: u64,
}

/// [`QNET_IOC_INFO`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_rcvid_info {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// Which message.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
    /// Out: who sent it.
    pub info: qnet_msg_info,
}

/// [`QNET_IOC_CURRENT`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_current {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// For whose message the thread works; 0 is nobody's.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
}

/// Whether the key is that of the data.
pub const QNET_KEYDATA_VERIFY: u32 = 0;
/// A new key for the data.
pub const QNET_KEYDATA_CALCULATE: u32 = 1;
/// As [`QNET_KEYDATA_CALCULATE`].
pub const QNET_KEYDATA_CALCULATE_REUSE: u32 = 2;

/// [`QNET_IOC_KEYDATA`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_keydata {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// Which message.
    pub rcvid: i32,
    /// `QNET_KEYDATA_*`.
    pub op: u32,
    /// The key.
    pub key: u32,
    /// Out: the new key; for [`QNET_KEYDATA_VERIFY`] 0 if `key` is that of the data, else -1.
    pub newkey: u32,
    /// The data.
    pub data: qnet_buf,
}

/// [`QNET_IOC_SEND_PULSE`], on a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_send_pulse {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// 1 to 255; -1 is the caller's.
    pub priority: i32,
    /// -128 to 127; a program's own are 0 to 127.
    pub code: i32,
    /// What it says, of which 32 bits reach another node.
    pub value: i64,
}

/// No event.
pub const QNET_SIGEV_NONE: i32 = 0;
/// A signal to the process.
pub const QNET_SIGEV_SIGNAL: i32 = 1;
/// A signal to the process, with a code and a value.
pub const QNET_SIGEV_SIGNAL_CODE: i32 = 2;
/// A signal to the thread, with a code and a value.
pub const QNET_SIGEV_SIGNAL_THREAD: i32 = 3;
/// A pulse.
pub const QNET_SIGEV_PULSE: i32 = 4;
/// The end of the thread's blocked call.
pub const QNET_SIGEV_UNBLOCK: i32 = 5;

/// Neutrino's `sigevent`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_event {
    /// `QNET_SIGEV_*`.
    pub notify: i32,
    /// The signal, or the coid of the pulse.
    pub id: i32,
    /// What it says.
    pub value: i64,
    /// The code of the signal or of the pulse.
    pub code: i16,
    /// The priority of a pulse; -1 is the caller's.
    pub priority: i16,
    /// Zero.
    pub reserved: u32,
}

/// Only look whether the event could be delivered.
pub const QNET_DELIVER_VERIFY: u32 = 0x1;

/// [`QNET_IOC_DELIVER`], on any socket of the process that received `rcvid`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_deliver {
    /// The size of this structure.
    pub size: u32,
    /// `QNET_DELIVER_*`.
    pub flags: u32,
    /// To whose sender; 0 is the caller itself.
    pub rcvid: i32,
    /// Zero.
    pub reserved: u32,
    /// What.
    pub event: qnet_event,
}

/// [`QNET_IOC_CLIENT_INFO`], on any socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_client_info {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The client; -1 is the caller.
    pub scoid: i32,
    /// In: the room at `groups`. Out: how many there are.
    pub ngroups: u32,
    /// An array of `u32`.
    pub groups: u64,
    /// Out: the client's node.
    pub nd: u32,
    /// Out: its process.
    pub pid: i32,
    /// Out: its session.
    pub sid: i32,
    /// Zero.
    pub reserved: u32,
    /// Out: the real user.
    pub ruid: u32,
    /// Out: the effective user.
    pub euid: u32,
    /// Out: the saved user.
    pub suid: u32,
    /// Out: the real group.
    pub rgid: u32,
    /// Out: the effective group.
    pub egid: u32,
    /// Out: the saved group.
    pub sgid: u32,
}

/// The server is gone.
pub const QNET_CONNECTION_DEAD: u32 = 0x1;

/// [`QNET_IOC_CONNECTION_INFO`], on a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_connection_info {
    /// The size of this structure.
    pub size: u32,
    /// Out: `QNET_CONNECTION_*`.
    pub flags: u32,
    /// Out: the server's node.
    pub nd: u32,
    /// Out: its process.
    pub pid: i32,
    /// Out: its channel.
    pub chid: i32,
    /// Out: the server's number for the client.
    pub scoid: i32,
    /// Out: as [`QNET_IOC_COID`] said, or -1.
    pub coid: i32,
    /// Zero.
    pub reserved: u32,
}

/// [`QNET_IOC_COID`], on a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_coid {
    /// The size of this structure.
    pub size: u32,
    /// The number by which the process calls the connection.
    pub coid: i32,
}

/// [`QNET_IOC_FREE_SCOID`], on any socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_free_scoid {
    /// The size of this structure.
    pub size: u32,
    /// The client that has left.
    pub scoid: i32,
}

/// [`QNET_IOC_ACCESS`], on a channel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_access {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The owner; -1 leaves it.
    pub uid: u32,
    /// The group; -1 leaves it.
    pub gid: u32,
    /// Who may connect: as who may write a file of this mode.
    pub mode: u32,
    /// Zero.
    pub reserved: u32,
}

/// [`QNET_IOC_SIGNAL`], on any socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_signal {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The node.
    pub nd: u32,
    /// The process.
    pub pid: i32,
    /// The thread; 0 is any.
    pub tid: i32,
    /// The signal; 0 only asks whether it could be.
    pub signo: i32,
    /// Its code.
    pub code: i32,
    /// Zero.
    pub reserved: u32,
    /// Its value.
    pub value: i64,
    /// When to give up; [`QNET_TIMEOUT_REPLY`] counts.
    pub timeout: qnet_timeout,
}

/// [`QNET_IOC_REMOTE_ND`], on any socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_remote_nd {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The node that is asked.
    pub remote_nd: u32,
    /// The node that it is asked about.
    pub local_nd: u32,
    /// Out: the number that the one has for the other.
    pub nd: u32,
    /// Zero.
    pub reserved: u32,
    /// When to give up; [`QNET_TIMEOUT_REPLY`] counts.
    pub timeout: qnet_timeout,
}

/// [`QNET_IOC_STRTOND`] and [`QNET_IOC_NDTOSTR`], on any socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_node_name {
    /// The size of this structure.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// The string, or where it goes.
    pub string: u64,
    /// Its length, or the room for it.
    pub len: u32,
    /// Out: how many bytes belong to the name, or the whole length without the NUL.
    pub used: u32,
    /// The node.
    pub nd: u32,
    /// Zero.
    pub reserved: u32,
    /// When to give up asking the network.
    pub timeout: qnet_timeout,
}

/// The type of all ioctl numbers of this interface.
pub const QNET_IOC_MAGIC: u8 = b'q';

const IOC_WRITE: u32 = 1;
const IOC_READ: u32 = 2;

/// Linux's `_IOC()` for this interface, on the architectures with its generic layout.
const fn ioc(direction: u32, number: u32, size: usize) -> u32 {
    (direction << 30) | ((size as u32) << 16) | ((QNET_IOC_MAGIC as u32) << 8) | number
}

/// Tells the interface's version: [`qnet_version`].
pub const QNET_IOC_VERSION: u32 = ioc(IOC_READ | IOC_WRITE, 0, size_of::<qnet_version>());
/// Sends a message and waits for the reply: [`qnet_send`].
pub const QNET_IOC_SEND: u32 = ioc(IOC_READ | IOC_WRITE, 1, size_of::<qnet_send>());
/// Receives a message: [`qnet_receive`].
pub const QNET_IOC_RECEIVE: u32 = ioc(IOC_READ | IOC_WRITE, 2, size_of::<qnet_receive>());
/// Replies: [`qnet_reply`].
pub const QNET_IOC_REPLY: u32 = ioc(IOC_WRITE, 3, size_of::<qnet_reply>());
/// Fails the client's send: [`qnet_error`].
pub const QNET_IOC_ERROR: u32 = ioc(IOC_WRITE, 4, size_of::<qnet_error>());
/// ConnectDetach: who is blocked on the connection gets EBADF.
pub const QNET_IOC_DETACH: u32 = ioc(0, 5, 0);
/// ChannelDestroy: who is blocked on the channel gets ESRCH.
pub const QNET_IOC_DESTROY: u32 = ioc(0, 6, 0);
/// Finds the node that a string names: [`qnet_node_name`].
pub const QNET_IOC_STRTOND: u32 = ioc(IOC_READ | IOC_WRITE, 7, size_of::<qnet_node_name>());
/// Tells the name of a node: [`qnet_node_name`].
pub const QNET_IOC_NDTOSTR: u32 = ioc(IOC_READ | IOC_WRITE, 8, size_of::<qnet_node_name>());

/// Reads bytes of a blocked client's message: [`qnet_transfer`].
pub const QNET_IOC_READ: u32 = ioc(IOC_READ | IOC_WRITE, 9, size_of::<qnet_transfer>());
/// Writes bytes into a blocked client's reply area: [`qnet_transfer`].
pub const QNET_IOC_WRITE: u32 = ioc(IOC_READ | IOC_WRITE, 10, size_of::<qnet_transfer>());
/// Sends a pulse: [`qnet_send_pulse`].
pub const QNET_IOC_SEND_PULSE: u32 = ioc(IOC_WRITE, 11, size_of::<qnet_send_pulse>());
/// Tells once more who sent a message: [`qnet_rcvid_info`].
pub const QNET_IOC_INFO: u32 = ioc(IOC_READ | IOC_WRITE, 12, size_of::<qnet_rcvid_info>());
/// Says for whom the thread works: [`qnet_current`].
pub const QNET_IOC_CURRENT: u32 = ioc(IOC_WRITE, 13, size_of::<qnet_current>());
/// Makes a key for data or checks it: [`qnet_keydata`].
pub const QNET_IOC_KEYDATA: u32 = ioc(IOC_READ | IOC_WRITE, 14, size_of::<qnet_keydata>());
/// Delivers an event: [`qnet_deliver`].
pub const QNET_IOC_DELIVER: u32 = ioc(IOC_WRITE, 15, size_of::<qnet_deliver>());
/// Tells who a client is: [`qnet_client_info`].
pub const QNET_IOC_CLIENT_INFO: u32 = ioc(IOC_READ | IOC_WRITE, 16, size_of::<qnet_client_info>());
/// Tells whose server a connection leads to: [`qnet_connection_info`].
pub const QNET_IOC_CONNECTION_INFO: u32 =
    ioc(IOC_READ | IOC_WRITE, 17, size_of::<qnet_connection_info>());
/// Says how the process calls a connection: [`qnet_coid`].
pub const QNET_IOC_COID: u32 = ioc(IOC_WRITE, 18, size_of::<qnet_coid>());
/// Says who may connect to a channel: [`qnet_access`].
pub const QNET_IOC_ACCESS: u32 = ioc(IOC_WRITE, 19, size_of::<qnet_access>());
/// Sends a signal: [`qnet_signal`].
pub const QNET_IOC_SIGNAL: u32 = ioc(IOC_WRITE, 20, size_of::<qnet_signal>());
/// Asks a node for its number of another: [`qnet_remote_nd`].
pub const QNET_IOC_REMOTE_ND: u32 = ioc(IOC_READ | IOC_WRITE, 21, size_of::<qnet_remote_nd>());
/// Gives back the number of a client that has left: [`qnet_free_scoid`].
pub const QNET_IOC_FREE_SCOID: u32 = ioc(IOC_WRITE, 22, size_of::<qnet_free_scoid>());

/// The level of the control messages of `sendmsg()` and `recvmsg()`.
pub const SOL_QNET: i32 = 0x8204;
/// [`qnet_cm_post`], by `sendmsg()` on a connection; it may be absent.
pub const QNET_CM_POST: i32 = 1;
/// [`qnet_cm_answer`], by `recvmsg()` on a connection, if there is room.
pub const QNET_CM_ANSWER: i32 = 2;
/// [`qnet_cm_received`], by `recvmsg()` on a channel.
pub const QNET_CM_RECEIVED: i32 = 3;
/// [`qnet_cm_reply`], by `sendmsg()` on a channel.
pub const QNET_CM_REPLY: i32 = 4;
/// Bytes of a message that `sendmsg()` sends, and of its reply.
pub const QNET_POST_MAX: u32 = 65536;
/// Bytes for the reply of such a message, when nothing is said.
pub const QNET_POST_ROOM: u32 = 8192;
/// Bytes of messages of other nodes that wait in a channel: `SO_RCVBUF` at first.
pub const QNET_RCVBUF: u32 = 8_388_608;

/// [`QNET_CM_POST`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_cm_post {
    /// Comes back with the answer.
    pub cookie: u64,
    /// Bytes for the reply, not above [`QNET_POST_MAX`].
    pub room: u32,
    /// The caller's name for the connection.
    pub coid: i32,
}

/// [`QNET_CM_ANSWER`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_cm_answer {
    /// Of the message.
    pub cookie: u64,
    /// What the server replied.
    pub status: i64,
    /// 0, or the errno number of a message that failed.
    pub error: i32,
    /// 0.
    pub reserved: u32,
}

/// [`QNET_CM_RECEIVED`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_cm_received {
    /// 0: a pulse.
    pub rcvid: i32,
    /// 0.
    pub reserved: u32,
    /// Of a message.
    pub info: qnet_msg_info,
    /// The pulse.
    pub pulse: qnet_pulse,
}

/// [`QNET_CM_REPLY`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct qnet_cm_reply {
    /// What is answered.
    pub rcvid: i32,
    /// Not 0: as in [`qnet_error`], without data.
    pub error: i32,
    /// What MsgSend returns.
    pub status: i64,
}

/// The name of the generic netlink family.
pub const QNET_GENL_NAME: &str = "qnet";
/// Its version.
pub const QNET_GENL_VERSION: u8 = 1;
/// The multicast group that hears [`QNET_CMD_EVENT`] of its network namespace.
pub const QNET_GENL_EVENTS: &str = "events";

/// Sets an option: `OPTION`, `VALUE`.
pub const QNET_CMD_OPTION_SET: u8 = 1;
/// Dumps the options: `OPTION`, `VALUE`.
pub const QNET_CMD_OPTION_GET: u8 = 2;
/// Binds an interface: `IFNAME`.
pub const QNET_CMD_LINK_ADD: u8 = 3;
/// Unbinds it: `IFNAME`.
pub const QNET_CMD_LINK_DEL: u8 = 4;
/// Dumps the links: `IFNAME`, `IFINDEX`, `MAC`, `MTU`, `STATE`.
pub const QNET_CMD_LINK_GET: u8 = 5;
/// Dumps the nodes: `ND`, `NAME`, `DOMAIN`, `IFNAME`, `MAC`, `AGE_MS`, `STATE`.
pub const QNET_CMD_NODE_GET: u8 = 6;
/// Dumps the channels: `PID`, `CHID`, `FLAGS`, `MESSAGES`, `PULSES`, `WAITING`.
pub const QNET_CMD_CHANNEL_GET: u8 = 7;
/// Dumps the blocked threads: `STATE`, `AGE_MS`; the client: `CLIENT_ND`, `CLIENT_PID`, `TID`,
/// `COID`, `BYTES`; the server: `ND`, `PID`, `CHID`.
pub const QNET_CMD_BLOCKED_GET: u8 = 8;
/// Sent to [`QNET_GENL_EVENTS`]: `EVENT`; of a link `IFNAME`, `IFINDEX`; of a node and a session
/// `ND`, `NAME`, `DOMAIN`; of a session that has ended `REASON`.
pub const QNET_CMD_EVENT: u8 = 9;
/// The highest command.
pub const QNET_CMD_MAX: u8 = 9;

/// String: the option's name.
pub const QNET_A_OPTION: u16 = 1;
/// String: its value.
pub const QNET_A_VALUE: u16 = 2;
/// String: the interface.
pub const QNET_A_IFNAME: u16 = 3;
/// u32; 0: there is no such interface now.
pub const QNET_A_IFINDEX: u16 = 4;
/// 6 bytes.
pub const QNET_A_MAC: u16 = 5;
/// u32, bytes.
pub const QNET_A_MTU: u16 = 6;
/// u32: `QNET_LINK_*`, `QNET_NODE_*` or `QNET_BLOCKED_*`.
pub const QNET_A_STATE: u16 = 7;
/// u32; 0: this node.
pub const QNET_A_ND: u16 = 8;
/// String: the node.
pub const QNET_A_NAME: u16 = 9;
/// String, empty: none.
pub const QNET_A_DOMAIN: u16 = 10;
/// u64: milliseconds since the node was last heard, or since the thread is blocked.
pub const QNET_A_AGE_MS: u16 = 11;
/// s32, in the reader's pid namespace; 0: it has no number there. Of a process of another node: its number there.
pub const QNET_A_PID: u16 = 12;
/// s32: the channel.
pub const QNET_A_CHID: u16 = 13;
/// u32: `QNET_CHF_*`.
pub const QNET_A_FLAGS: u16 = 14;
/// u32: messages that wait to be received.
pub const QNET_A_MESSAGES: u16 = 15;
/// u32: pulses that wait to be received.
pub const QNET_A_PULSES: u16 = 16;
/// u32: threads that wait for a message or a pulse.
pub const QNET_A_WAITING: u16 = 17;
/// u32; 0: this node.
pub const QNET_A_CLIENT_ND: u16 = 18;
/// s32, as [`QNET_A_PID`].
pub const QNET_A_CLIENT_PID: u16 = 19;
/// s32, as [`QNET_A_PID`].
pub const QNET_A_TID: u16 = 20;
/// s32: the client's name for its connection.
pub const QNET_A_COID: u16 = 21;
/// u64: length of the message.
pub const QNET_A_BYTES: u16 = 22;
/// u32: `QNET_EVENT_*`.
pub const QNET_A_EVENT: u16 = 23;
/// u32: `QNET_END_*`.
pub const QNET_A_REASON: u16 = 24;
/// The highest attribute.
pub const QNET_A_MAX: u16 = 24;

/// The link is bound by name, and there is no such interface.
pub const QNET_LINK_ABSENT: u32 = 0;
/// The link's interface is down.
pub const QNET_LINK_DOWN: u32 = 1;
/// The link's interface is up.
pub const QNET_LINK_UP: u32 = 2;

/// This node.
pub const QNET_NODE_LOCAL: u32 = 0;
/// The node was heard of; there is no session.
pub const QNET_NODE_KNOWN: u32 = 1;
/// A session is being made.
pub const QNET_NODE_OPENING: u32 = 2;
/// A session is up.
pub const QNET_NODE_UP: u32 = 3;

/// The thread's message has not been received.
pub const QNET_BLOCKED_SEND: u32 = 4;
/// The thread waits for a message.
pub const QNET_BLOCKED_RECEIVE: u32 = 5;
/// The thread's message has not been answered.
pub const QNET_BLOCKED_REPLY: u32 = 6;

/// The node uses an interface from now on.
pub const QNET_EVENT_LINK_BOUND: u32 = 1;
/// Frames can leave by it.
pub const QNET_EVENT_LINK_UP: u32 = 2;
/// They cannot any more.
pub const QNET_EVENT_LINK_DOWN: u32 = 3;
/// The node has let the interface go.
pub const QNET_EVENT_LINK_UNBOUND: u32 = 4;
/// A session is being opened, by either side.
pub const QNET_EVENT_SESSION_OPENED: u32 = 5;
/// The node has answered: a session with it is up.
pub const QNET_EVENT_NODE_UP: u32 = 6;
/// The node was heard from another address.
pub const QNET_EVENT_NODE_CHANGED: u32 = 7;
/// The node is lost, has left or was started anew.
pub const QNET_EVENT_NODE_DOWN: u32 = 8;
/// A session is over.
pub const QNET_EVENT_SESSION_ENDED: u32 = 9;

/// This node has closed the session.
pub const QNET_END_LOCAL: u32 = 0;
/// Nobody answered the session's set-up.
pub const QNET_END_UNREACHABLE: u32 = 1;
/// Nothing was acknowledged for too long.
pub const QNET_END_LINK_FAILED: u32 = 2;
/// The other node has closed the session, or has lost it.
pub const QNET_END_PEER_DOWN: u32 = 3;
/// The other node was started anew.
pub const QNET_END_PEER_RESTARTED: u32 = 4;
