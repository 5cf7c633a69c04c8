// SPDX-License-Identifier: GPL-2.0

//! The generic-netlink family of `uapi/qnet.h`. Tables, attributes and permissions are in
//! `sys/genl.c`; here is what a command does, as a trait, and how its listeners are told of events.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use super::{
    net::Net,
    netdev::DevName, //
};
use crate::sys::bindings;
use core::{
    marker::PhantomData,
    slice, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
};

/// A short text, cut if it does not fit, and always closed by a NUL.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize>([u8; N]);

/// The name of an option.
pub(crate) type OptName = Text<32>;
/// The value of an option.
pub(crate) type OptValue = Text<512>;
/// The name of a node.
pub(crate) type NodeName = Text<64>;
/// A node's domain.
pub(crate) type DomainName = Text<256>;

impl<const N: usize> Text<N> {
    /// Takes bytes without a NUL.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut text = [0; N];
        // The last byte stays the NUL.
        let room = text
            .split_last_mut()
            .map(|(_, room)| room)
            .unwrap_or(&mut []);
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(text)
    }
}

/// One row of the table of links.
pub(crate) struct LinkRow {
    /// The name it is bound by.
    pub(crate) ifname: DevName,
    /// Its number; 0 if there is no such interface.
    pub(crate) ifindex: u32,
    /// Its Ethernet address.
    pub(crate) mac: [u8; 6],
    /// Bytes that a frame carries.
    pub(crate) mtu: u32,
    /// `enum qnet_link_state`.
    pub(crate) state: u32,
}

/// One row of the table of nodes.
pub(crate) struct NodeRow {
    /// Its descriptor; 0: this node.
    pub(crate) nd: u32,
    /// Its name.
    pub(crate) name: NodeName,
    /// Its domain; empty if it has none.
    pub(crate) domain: DomainName,
    /// The interface by which it is reached, if it is.
    pub(crate) ifname: Option<DevName>,
    /// Its Ethernet address.
    pub(crate) mac: [u8; 6],
    /// Milliseconds since it was last heard.
    pub(crate) age_ms: u64,
    /// `enum qnet_node_state`.
    pub(crate) state: u32,
}

/// One row of the table of channels.
pub(crate) type ChannelRow = bindings::qnet_genl_channel;
/// One row of the table of blocked threads.
pub(crate) type BlockedRow = bindings::qnet_genl_blocked;
/// Where one of these two tables goes on; all zero at its beginning.
pub(crate) type Place = bindings::qnet_genl_place;

/// What happens to a link.
#[derive(Clone, Copy)]
pub(crate) enum LinkEvent {
    /// The node uses the interface from now on.
    Bound,
    /// Frames can leave by it.
    Up,
    /// They cannot any more.
    Down,
    /// The node has let it go.
    Unbound,
}

/// What happens to another node, or to a session with it.
#[derive(Clone, Copy)]
pub(crate) enum NodeEvent {
    /// A session is being opened.
    Opened,
    /// A session is up.
    Up,
    /// The node was heard from another address.
    Changed,
    /// The node is lost, has left or was started anew.
    Down,
    /// A session is over.
    Ended(EndReason),
}

/// Why a session is over.
#[derive(Clone, Copy)]
pub(crate) enum EndReason {
    /// This node has closed it.
    Local,
    /// Nobody answered its set-up.
    Unreachable,
    /// Nothing was acknowledged for too long.
    LinkFailed,
    /// The other node has closed it, or has lost it.
    PeerDown,
    /// The other node was started anew.
    PeerRestarted,
}

impl EndReason {
    /// `enum qnet_end_reason`.
    fn number(self) -> u32 {
        match self {
            Self::Local => bindings::qnet_end_reason_QNET_END_LOCAL,
            Self::Unreachable => bindings::qnet_end_reason_QNET_END_UNREACHABLE,
            Self::LinkFailed => bindings::qnet_end_reason_QNET_END_LINK_FAILED,
            Self::PeerDown => bindings::qnet_end_reason_QNET_END_PEER_DOWN,
            Self::PeerRestarted => bindings::qnet_end_reason_QNET_END_PEER_RESTARTED,
        }
    }
}

/// What listeners are told.
pub(crate) struct Event(bindings::qnet_genl_event);

impl Event {
    /// Something has happened to the link by this interface.
    pub(crate) fn of_link(what: LinkEvent, ifname: &DevName, ifindex: u32) -> Self {
        Self(bindings::qnet_genl_event {
            type_: match what {
                LinkEvent::Bound => bindings::qnet_event_type_QNET_EVENT_LINK_BOUND,
                LinkEvent::Up => bindings::qnet_event_type_QNET_EVENT_LINK_UP,
                LinkEvent::Down => bindings::qnet_event_type_QNET_EVENT_LINK_DOWN,
                LinkEvent::Unbound => bindings::qnet_event_type_QNET_EVENT_LINK_UNBOUND,
            },
            ifindex,
            ifname: Text::new(ifname.as_bytes()).0,
            ..pin_init::zeroed()
        })
    }

    /// Something has happened to the node with this descriptor, or to a session with it.
    pub(crate) fn of_node(what: NodeEvent, nd: u32, name: &[u8], domain: &[u8]) -> Self {
        let (type_, reason) = match what {
            NodeEvent::Opened => (bindings::qnet_event_type_QNET_EVENT_SESSION_OPENED, 0),
            NodeEvent::Up => (bindings::qnet_event_type_QNET_EVENT_NODE_UP, 0),
            NodeEvent::Changed => (bindings::qnet_event_type_QNET_EVENT_NODE_CHANGED, 0),
            NodeEvent::Down => (bindings::qnet_event_type_QNET_EVENT_NODE_DOWN, 0),
            NodeEvent::Ended(reason) => (
                bindings::qnet_event_type_QNET_EVENT_SESSION_ENDED,
                reason.number(),
            ),
        };
        Self(bindings::qnet_genl_event {
            type_,
            reason,
            nd,
            name: Text::new(name).0,
            domain: Text::new(domain).0,
            ..pin_init::zeroed()
        })
    }

    /// Tells the listeners of a namespace, if there are any, what `event` makes. One that is slow
    /// misses it and is told so (`ENOBUFS`). Any context; not under a lock, because listeners are
    /// woken.
    pub(crate) fn tell(net: &Net, event: impl FnOnce() -> Event) {
        // SAFETY: `net` is valid.
        if !unsafe { bindings::qnet_helper_genl_heard(net.as_ptr()) } {
            return;
        }
        let event = event();
        // SAFETY: `net` is valid; the helper only reads the event.
        unsafe { bindings::qnet_helper_genl_event(net.as_ptr(), &event.0) }
    }
}

/// What the commands do. Process context, without RTNL; several may run at a time. Whoever sets
/// anything has been checked to be allowed to.
pub(crate) trait GenlOps: 'static {
    /// Whether the owner of a network namespace may configure its node.
    fn userns() -> bool;
    /// Sets an option.
    fn set_option(net: &Net, name: &[u8], value: &[u8]) -> Result;
    /// The option at a position; `None` behind the last.
    fn option_at(net: &Net, at: usize) -> Option<(OptName, OptValue)>;
    /// Binds an interface.
    fn bind(net: &Net, ifname: &[u8]) -> Result;
    /// Unbinds it.
    fn unbind(net: &Net, ifname: &[u8]) -> Result;
    /// The link at a position; `None` behind the last.
    fn link_at(net: &Net, at: usize) -> Option<LinkRow>;
    /// The first node at or behind a position, and the position behind it.
    fn node_at(net: &Net, from: u32) -> Option<(u32, NodeRow)>;
    /// The next channel, as the caller sees it, which the place is moved behind.
    fn channel_at(net: &Net, place: &mut Place) -> Option<ChannelRow>;
    /// The next blocked thread, as the caller sees it, which the place is moved behind.
    fn blocked_at(net: &Net, place: &mut Place) -> Option<BlockedRow>;
}

/// The registered family.
pub(crate) struct GenlFamily<T: GenlOps>(PhantomData<T>);

// SAFETY: A registration may be dropped by any thread; it holds no `T`.
unsafe impl<T: GenlOps> Send for GenlFamily<T> {}
// SAFETY: It has no methods.
unsafe impl<T: GenlOps> Sync for GenlFamily<T> {}

impl<T: GenlOps> GenlFamily<T> {
    const OPS: bindings::qnet_genl_ops = bindings::qnet_genl_ops {
        userns: Some(userns::<T>),
        set_option: Some(set_option::<T>),
        bind: Some(bind::<T>),
        unbind: Some(unbind::<T>),
        option_at: Some(option_at::<T>),
        link_at: Some(link_at::<T>),
        node_at: Some(node_at::<T>),
        channel_at: Some(channel_at::<T>),
        blocked_at: Some(blocked_at::<T>),
    };

    /// Registers the family.
    ///
    /// Errors: `EEXIST` if there is one of its name, `EBUSY` if it is registered, `ENOMEM`.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: The table is a constant, which is promoted to a static.
        to_result(unsafe { bindings::qnet_helper_genl_register(&Self::OPS) })?;
        Ok(Self(PhantomData))
    }
}

impl<T: GenlOps> Drop for GenlFamily<T> {
    fn drop(&mut self) {
        // SAFETY: It was registered by `register`.
        unsafe { bindings::qnet_helper_genl_unregister() }
    }
}

/// # Safety
///
/// Called by C at any time.
unsafe extern "C" fn userns<T: GenlOps>() -> bool {
    T::userns()
}

/// What C gives as an address and a length.
///
/// # Safety
///
/// `len` bytes at `from` can be read for `'a`; it is not null.
unsafe fn bytes<'a>(from: *const u8, len: usize) -> &'a [u8] {
    // SAFETY: As the caller promises.
    unsafe { slice::from_raw_parts(from, len) }
}

/// # Safety
///
/// Called by C with a valid namespace and two texts.
unsafe extern "C" fn set_option<T: GenlOps>(
    net: *mut bindings::net,
    name: *const u8,
    name_len: usize,
    value: *const u8,
    value_len: usize,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, name, value) = unsafe {
        (
            Net::from_raw(net),
            bytes(name, name_len),
            bytes(value, value_len),
        )
    };
    from_result(|| T::set_option(net, name, value).map(|()| 0))
}

/// # Safety
///
/// Called by C with a valid namespace and a text.
unsafe extern "C" fn bind<T: GenlOps>(
    net: *mut bindings::net,
    name: *const u8,
    len: usize,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, name) = unsafe { (Net::from_raw(net), bytes(name, len)) };
    from_result(|| T::bind(net, name).map(|()| 0))
}

/// # Safety
///
/// Called by C with a valid namespace and a text.
unsafe extern "C" fn unbind<T: GenlOps>(
    net: *mut bindings::net,
    name: *const u8,
    len: usize,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, name) = unsafe { (Net::from_raw(net), bytes(name, len)) };
    from_result(|| T::unbind(net, name).map(|()| 0))
}

/// # Safety
///
/// Called by C with a valid namespace and a row to be filled.
unsafe extern "C" fn option_at<T: GenlOps>(
    net: *mut bindings::net,
    at: usize,
    row: *mut bindings::qnet_genl_option,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, row) = unsafe { (Net::from_raw(net), &mut *row) };
    let Some((name, value)) = T::option_at(net, at) else {
        return 0;
    };
    row.name = name.0;
    row.value = value.0;
    1
}

/// # Safety
///
/// Called by C with a valid namespace and a row to be filled.
unsafe extern "C" fn link_at<T: GenlOps>(
    net: *mut bindings::net,
    at: usize,
    row: *mut bindings::qnet_genl_link,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, row) = unsafe { (Net::from_raw(net), &mut *row) };
    let Some(link) = T::link_at(net, at) else {
        return 0;
    };
    row.ifname = Text::new(link.ifname.as_bytes()).0;
    row.ifindex = link.ifindex;
    row.mtu = link.mtu;
    row.state = link.state;
    row.mac = link.mac;
    1
}

/// # Safety
///
/// Called by C with a valid namespace, a position and a row to be filled.
unsafe extern "C" fn node_at<T: GenlOps>(
    net: *mut bindings::net,
    at: *mut u32,
    row: *mut bindings::qnet_genl_node,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, at, row) = unsafe { (Net::from_raw(net), &mut *at, &mut *row) };
    let Some((next, node)) = T::node_at(net, *at) else {
        return 0;
    };
    *at = next;
    row.nd = node.nd;
    row.state = node.state;
    row.age_ms = node.age_ms;
    row.name = node.name.0;
    row.domain = node.domain.0;
    row.ifname = node
        .ifname
        .map_or([0; 16], |name| Text::new(name.as_bytes()).0);
    row.mac = node.mac;
    1
}

/// What `next` finds at a place, for C: 0 if there is nothing.
///
/// # Safety
///
/// As for the functions that C calls: a valid namespace, a place and a row to be filled.
unsafe fn row_at<R>(
    net: *mut bindings::net,
    place: *mut Place,
    row: *mut R,
    next: impl FnOnce(&Net, &mut Place) -> Option<R>,
) -> c_int {
    // SAFETY: As the caller promises.
    let (net, place, row) = unsafe { (Net::from_raw(net), &mut *place, &mut *row) };
    match next(net, place) {
        Some(found) => {
            *row = found;
            1
        }
        None => 0,
    }
}

/// # Safety
///
/// Called by C with a valid namespace, a place and a row to be filled.
unsafe extern "C" fn channel_at<T: GenlOps>(
    net: *mut bindings::net,
    place: *mut Place,
    row: *mut ChannelRow,
) -> c_int {
    // SAFETY: As the caller promises.
    unsafe { row_at(net, place, row, T::channel_at) }
}

/// # Safety
///
/// Called by C with a valid namespace, a place and a row to be filled.
unsafe extern "C" fn blocked_at<T: GenlOps>(
    net: *mut bindings::net,
    place: *mut Place,
    row: *mut BlockedRow,
) -> c_int {
    // SAFETY: As the caller promises.
    unsafe { row_at(net, place, row, T::blocked_at) }
}
