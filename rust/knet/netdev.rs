// SPDX-License-Identifier: GPL-2.0

//! Network devices: held ones, those that a notification is about, and the notifications.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::net::Net;
use crate::sys::bindings;
use core::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomData, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// Bytes of a device's name, with the NUL.
const IFNAMSIZ: usize = 16;

/// The name of a network device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DevName([u8; IFNAMSIZ]);

impl DevName {
    /// Takes a name.
    ///
    /// Errors: `EINVAL` for what no device can be called.
    pub(crate) fn new(name: &[u8]) -> Result<Self> {
        let forbidden =
            |&byte: &u8| byte == 0 || byte == b'/' || byte == b':' || byte.is_ascii_whitespace();
        if name.is_empty() || name == b"." || name == b".." || name.iter().any(forbidden) {
            return Err(EINVAL);
        }
        let mut bytes = [0; IFNAMSIZ];
        bytes
            .get_mut(..name.len())
            .filter(|room| room.len() < IFNAMSIZ)
            .ok_or(EINVAL)?
            .copy_from_slice(name);
        Ok(Self(bytes))
    }

    /// The name without a NUL.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or(&[])
    }
}

impl fmt::Debug for DevName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(core::str::from_utf8(self.as_bytes()).unwrap_or("?"), f)
    }
}

/// The questions that are asked of a device, held or not.
macro_rules! device_getters {
    () => {
        /// Its number, which stays when it is renamed.
        #[inline]
        pub(crate) fn ifindex(&self) -> u32 {
            // SAFETY: The device is valid while `self` is.
            unsafe { bindings::qnet_helper_netdev_ifindex(self.as_ptr()) }
        }

        /// Whether it has a link.
        #[inline]
        pub(crate) fn has_carrier(&self) -> bool {
            // SAFETY: The device is valid while `self` is.
            unsafe { bindings::qnet_helper_netdev_has_carrier(self.as_ptr()) }
        }
    };
}

/// A network device that is held: it cannot vanish, and must be let go when it unregisters.
///
/// # Invariants
///
/// `held` holds a device.
pub(crate) struct NetDevice {
    held: UnsafeCell<bindings::qnet_netdev>,
}

// SAFETY: A `struct net_device` may be used by any thread.
unsafe impl Send for NetDevice {}
// SAFETY: The cell is there for the C signatures only; nothing in it changes before the drop.
unsafe impl Sync for NetDevice {}

impl NetDevice {
    /// Holds a device.
    ///
    /// # Safety
    ///
    /// `dev` is valid for the time of the call.
    unsafe fn hold_raw(dev: *mut bindings::net_device) -> Self {
        let held = UnsafeCell::new(pin_init::zeroed());
        // SAFETY: As the caller promises.
        unsafe { bindings::qnet_helper_netdev_hold(held.get(), dev) };
        // INVARIANT: The helper holds the device.
        Self { held }
    }

    /// The pointer for the C side.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        // SAFETY: The pointer does not change while `self` lives.
        unsafe { (*self.held.get()).dev }
    }

    device_getters!();

    /// Its name now.
    pub(crate) fn name(&self) -> DevName {
        let mut name = [0u8; IFNAMSIZ];
        // SAFETY: The device is valid while `self` is, and the name has room.
        unsafe {
            bindings::qnet_helper_netdev_name(self.as_ptr(), name.as_mut_ptr().cast());
        }
        DevName(name)
    }

    /// The most bytes that a frame carries behind its Ethernet header.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: The device is valid while `self` is.
        unsafe { bindings::qnet_helper_netdev_mtu(self.as_ptr()) }
    }

    /// Its Ethernet address; zeros if it has none.
    pub(crate) fn mac(&self) -> [u8; 6] {
        let mut mac = [0; 6];
        // SAFETY: The device is valid while `self` is, and the address has room.
        unsafe { bindings::qnet_helper_netdev_mac(self.as_ptr(), mac.as_mut_ptr()) };
        mac
    }

    /// Whether it is up.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: The device is valid while `self` is.
        unsafe { bindings::qnet_helper_netdev_is_up(self.as_ptr()) }
    }

    /// Whether it carries Ethernet frames; a loopback does not.
    pub(crate) fn is_ethernet(&self) -> bool {
        // SAFETY: The device is valid while `self` is.
        unsafe { bindings::qnet_helper_netdev_is_ethernet(self.as_ptr()) }
    }
}

impl Clone for NetDevice {
    fn clone(&self) -> Self {
        // SAFETY: The device is held by `self`.
        unsafe { Self::hold_raw(self.as_ptr()) }
    }
}

impl Drop for NetDevice {
    fn drop(&mut self) {
        // SAFETY: By the invariant it is held, once.
        unsafe { bindings::qnet_helper_netdev_put(self.held.get()) }
    }
}

/// Finds a device by its name.
pub(crate) fn by_name(net: &Net, name: &[u8]) -> Option<NetDevice> {
    let name = DevName::new(name).ok()?;
    let held = UnsafeCell::new(pin_init::zeroed());
    // SAFETY: The name is closed by a NUL, as it is shorter than its array.
    let found = unsafe {
        bindings::qnet_helper_netdev_by_name(held.get(), net.as_ptr(), name.0.as_ptr().cast())
    };
    // INVARIANT: If there is one, the helper holds it.
    found.then_some(NetDevice { held })
}

/// The lock of all changes to network devices; held until this is dropped.
pub(crate) struct Rtnl(NotThreadSafe);

/// Takes the lock. Process context; not in [`DevEvents::event`], which has it.
pub(crate) fn rtnl() -> Rtnl {
    // SAFETY: It has no preconditions.
    unsafe { bindings::rtnl_lock() };
    Rtnl(NotThreadSafe)
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        // SAFETY: `rtnl` took it, in this thread.
        unsafe { bindings::rtnl_unlock() }
    }
}

/// Calls `each` for all devices of a namespace.
pub(crate) fn for_each(_rtnl: &Rtnl, net: &Net, mut each: impl FnMut(&NetDevice)) {
    let mut last = 0;
    loop {
        let held = UnsafeCell::new(pin_init::zeroed());
        // SAFETY: The lock is held, as `_rtnl` proves.
        last = unsafe { bindings::qnet_helper_netdev_next(held.get(), net.as_ptr(), last) };
        if last == 0 {
            return;
        }
        // INVARIANT: The helper holds the device that it found.
        each(&NetDevice { held });
    }
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DevEvent {
    /// It appeared. Told also of those that are there already when a [`Notifier`] is registered.
    Register,
    /// It is up. Told also at registration, as above.
    Up,
    /// It is about to go down, and still sends.
    GoingDown,
    /// It is down.
    Down,
    /// It vanishes: all that holds it must let go. May be told more than once.
    Unregister,
    /// It has another MTU.
    ChangeMtu,
    /// It has another address.
    ChangeAddr,
    /// It has another name.
    ChangeName,
    /// Flags or carrier changed.
    Change,
}

impl DevEvent {
    fn new(event: c_ulong) -> Option<Self> {
        Some(match event as u32 {
            bindings::netdev_cmd_NETDEV_REGISTER => Self::Register,
            bindings::netdev_cmd_NETDEV_UP => Self::Up,
            bindings::netdev_cmd_NETDEV_GOING_DOWN => Self::GoingDown,
            bindings::netdev_cmd_NETDEV_DOWN => Self::Down,
            bindings::netdev_cmd_NETDEV_UNREGISTER => Self::Unregister,
            bindings::netdev_cmd_NETDEV_CHANGEMTU => Self::ChangeMtu,
            bindings::netdev_cmd_NETDEV_CHANGEADDR => Self::ChangeAddr,
            bindings::netdev_cmd_NETDEV_CHANGENAME => Self::ChangeName,
            bindings::netdev_cmd_NETDEV_CHANGE => Self::Change,
            _ => return None,
        })
    }
}

/// The device that a notification is about, for the time of it.
pub(crate) struct DevView<'a> {
    dev: &'a Opaque<bindings::net_device>,
    _not_send: NotThreadSafe,
}

impl DevView<'_> {
    #[inline]
    fn as_ptr(&self) -> *mut bindings::net_device {
        self.dev.get()
    }

    /// Holds it beyond the notification.
    pub(crate) fn hold(&self) -> NetDevice {
        // SAFETY: The device is valid for the time of the notification.
        unsafe { NetDevice::hold_raw(self.as_ptr()) }
    }

    device_getters!();
}

/// Who is told of what happens to devices, in all namespaces.
pub(crate) trait DevEvents: 'static {
    /// Something happened. RTNL is held; process context. When the [`Notifier`] is dropped,
    /// [`GoingDown`](DevEvent::GoingDown), [`Down`](DevEvent::Down) and
    /// [`Unregister`](DevEvent::Unregister) are told of every device.
    fn event(net: &Net, dev: &DevView<'_>, event: DevEvent);
}

/// A registered [`DevEvents`].
pub(crate) struct Notifier<T: DevEvents> {
    block: KBox<Opaque<bindings::notifier_block>>,
    _events: PhantomData<T>,
}

// SAFETY: A registration may be dropped by any thread; `T` is never made a value.
unsafe impl<T: DevEvents> Send for Notifier<T> {}
// SAFETY: It has no methods.
unsafe impl<T: DevEvents> Sync for Notifier<T> {}

impl<T: DevEvents> Notifier<T> {
    /// Begins to tell, with the devices that are there. Process context, without RTNL.
    pub(crate) fn register() -> Result<Self> {
        let block = KBox::new(
            Opaque::new(bindings::notifier_block {
                notifier_call: Some(notified::<T>),
                ..pin_init::zeroed()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is in memory of its own, which stays until it is unregistered.
        to_result(unsafe { bindings::register_netdevice_notifier(block.get()) })?;
        Ok(Self {
            block,
            _events: PhantomData,
        })
    }
}

impl<T: DevEvents> Drop for Notifier<T> {
    fn drop(&mut self) {
        // SAFETY: It was registered by `register`. It fails only for what is not registered.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

/// # Safety
///
/// Called by the kernel, with a notification about a device.
unsafe extern "C" fn notified<T: DevEvents>(
    _block: *mut bindings::notifier_block,
    event: c_ulong,
    info: *mut c_void,
) -> c_int {
    if let Some(event) = DevEvent::new(event) {
        // SAFETY: The device and its namespace are valid for the time of the call.
        let (net, dev) = unsafe {
            let dev = bindings::qnet_helper_notifier_dev(info);
            (
                Net::from_raw(bindings::qnet_helper_netdev_net(dev)),
                &*dev.cast::<Opaque<bindings::net_device>>(),
            )
        };
        let view = DevView {
            dev,
            _not_send: NotThreadSafe,
        };
        T::event(net, &view, event);
    }
    // NOTIFY_DONE: no opinion.
    0
}
