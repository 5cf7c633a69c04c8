// SPDX-License-Identifier: GPL-2.0

//! The generic-netlink family of `uapi/qnet.h`. Tables, attributes and permissions are in
//! `sys/genl.c`; here is what a command does, as a trait.
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
