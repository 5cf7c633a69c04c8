// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and one object of ours in each.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::sys::bindings;
use core::{
    any::TypeId,
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        rcu,
        Arc, //
    },
    types::Opaque,
};

/// A network namespace, borrowed.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

// SAFETY: A `struct net` may be used by any thread.
unsafe impl Send for Net {}
// SAFETY: All that is done with it from here is safe to do by any number of threads at a time.
unsafe impl Sync for Net {}

impl Net {
    /// Borrows a namespace of the C side.
    ///
    /// # Safety
    ///
    /// `net` stays valid for `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(net: *mut bindings::net) -> &'a Self {
        // SAFETY: As the caller promises; `Net` is transparent.
        unsafe { &*net.cast() }
    }

    /// The pointer for the C side.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// The initial namespace.
    #[inline]
    pub(crate) fn init() -> &'static Net {
        // SAFETY: `init_net` is never freed.
        unsafe { Net::from_raw(&raw mut bindings::init_net) }
    }

    /// Whether anybody taps its loopback device.
    pub(crate) fn is_tapped(&self) -> bool {
        // SAFETY: The namespace is valid, and its loopback device lives as long.
        unsafe { bindings::qnet_helper_is_tapped(self.as_ptr()) }
    }

    /// Whether it is the initial one.
    #[inline]
    pub(crate) fn is_init(&self) -> bool {
        ptr::eq(self, Net::init())
    }
}

impl PartialEq for Net {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

/// The namespace that something belongs to, as long as there is one: it keeps nothing alive, so that
/// what belongs to a namespace does not keep the namespace.
///
/// # Invariants
///
/// Of the pointer: null, or a namespace whose `pre_exit` has not returned. It is set to null before
/// the grace period that lies between `pre_exit` and the end of the namespace.
#[derive(Clone)]
pub(crate) struct Home(Arc<Atomic<*mut bindings::net>>);

impl Home {
    /// For the trampoline `init`, which sees to the invariant.
    fn new(net: &Net) -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(net.as_ptr()), GFP_KERNEL)?))
    }

    /// The namespace begins to end, and is not found any more.
    fn leave(&self) {
        self.0.store(ptr::null_mut(), Release);
    }

    /// Calls `f`, which must not sleep, with the namespace; `None` if that has begun to end. Any
    /// context.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Net) -> R) -> Option<R> {
        let _rcu = rcu::read_lock();
        let net = self.0.load(Acquire);
        if net.is_null() {
            return None;
        }
        // SAFETY: By the invariant the namespace is not freed before a grace period has passed, which
        // does not pass while we read.
        Some(f(unsafe { Net::from_raw(net) }))
    }
}

/// What the module keeps in every network namespace.
///
/// One implementation can be registered at a time.
pub(crate) trait PerNet: 'static {
    /// The object of one namespace.
    type Data: Send + Sync + 'static;

    /// A namespace begins, or is there already when the module is loaded; `home` finds it until
    /// [`pre_exit`](Self::pre_exit) has returned. Process context.
    fn init(net: &Net, home: Home) -> Result<Arc<Self::Data>>;

    /// The namespace begins to end, or the module is unloaded. The devices are still there, and
    /// will be told to leave one by one. Process context.
    fn pre_exit(_net: &Net, _data: &Arc<Self::Data>) {}

    /// The end: [`per_net`] does not give the object any more. Devices and sockets of a namespace
    /// that ends are gone; when the module is unloaded, devices may be there. Must leave nothing
    /// behind that runs by itself. Process context; several namespaces may end at a time.
    fn exit(data: Arc<Self::Data>);
}

/// The kernel's tables of [`PerNetRegistration`].
struct Tables {
    ops: UnsafeCell<bindings::pernet_operations>,
    id: UnsafeCell<c_uint>,
}

// SAFETY: Written by `register` alone, of which `STATE` lets only one be under way; otherwise by
// the kernel, under its own lock.
unsafe impl Sync for Tables {}

static TABLES: Tables = Tables {
    ops: UnsafeCell::new(pin_init::zeroed()),
    id: UnsafeCell::new(0),
};

/// Nothing is registered.
const FREE: u32 = 0;
/// Being registered or unregistered.
const BUSY: u32 = 1;
/// [`OWNER`] is registered.
const TAKEN: u32 = 2;
static STATE: Atomic<u32> = Atomic::new(FREE);

/// Which implementation the slots belong to.
struct Owner(UnsafeCell<Option<TypeId>>);
// SAFETY: Written while `STATE` is `BUSY` by who made it so, and read while it is `TAKEN`.
unsafe impl Sync for Owner {}
static OWNER: Owner = Owner(UnsafeCell::new(None));

/// A registered [`PerNet`]; dropping it ends the objects of all namespaces.
pub(crate) struct PerNetRegistration<P: PerNet>(PhantomData<P>);

impl<P: PerNet> PerNetRegistration<P> {
    /// Makes an object in each namespace there is and will be.
    ///
    /// Errors: `EBUSY` if something is registered already, else those of [`PerNet::init`].
    pub(crate) fn register() -> Result<Self> {
        STATE.cmpxchg(FREE, BUSY, Acquire).map_err(|_| EBUSY)?;
        let ops = bindings::pernet_operations {
            init: Some(init::<P>),
            pre_exit: Some(pre_exit::<P>),
            exit: Some(exit::<P>),
            id: TABLES.id.get(),
            size: size_of::<bindings::qnet_pernet>(),
            ..pin_init::zeroed()
        };
        // SAFETY: `STATE` was `FREE`, so that nobody else uses the tables.
        unsafe {
            OWNER.0.get().write(Some(TypeId::of::<P>()));
            TABLES.ops.get().write(ops);
        }
        // SAFETY: The table is static, and not registered.
        let result = to_result(unsafe { bindings::register_pernet_subsys(TABLES.ops.get()) });
        // From here on every namespace has a slot.
        STATE.store(if result.is_ok() { TAKEN } else { FREE }, Release);
        result.map(|()| Self(PhantomData))
    }
}

impl<P: PerNet> Drop for PerNetRegistration<P> {
    fn drop(&mut self) {
        // Nobody begins to look into slots any more. Those who do it now are waited for: there is
        // a grace period in `unregister_pernet_subsys`, before the slots are freed.
        STATE.store(BUSY, Release);
        // SAFETY: It was registered by `register`.
        unsafe { bindings::unregister_pernet_subsys(TABLES.ops.get()) };
        STATE.store(FREE, Release);
    }
}

/// Finds the object of a namespace. Process and softirq context.
///
/// There is none before [`PerNetRegistration::register`] has returned, none once its drop has
/// begun, and none from [`PerNet::exit`] on.
pub(crate) fn per_net<P: PerNet>(net: &Net) -> Option<Arc<P::Data>> {
    let _rcu = rcu::read_lock();
    if STATE.load(Acquire) != TAKEN {
        return None;
    }
    // SAFETY: The owner does not change while the state is `TAKEN`, and what follows `TAKEN` waits
    // for a grace period.
    if unsafe { *OWNER.0.get() } != Some(TypeId::of::<P>()) {
        return None;
    }
    // SAFETY: In the state `TAKEN` every namespace that can be referred to has a slot, with an
    // `Arc<P::Data>` or nothing in it.
    let data = unsafe { bindings::qnet_helper_pernet_get(slot(net), Some(get_raw::<P::Data>)) };
    let data = NonNull::new(data.cast_mut())?;
    // SAFETY: `get_raw` took a reference, which is taken over here.
    Some(unsafe { Arc::from_raw(data.as_ptr().cast()) })
}

/// Our memory in a namespace.
///
/// # Safety
///
/// The namespace has such memory: that is so from `init` until `exit` returns.
unsafe fn slot(net: &Net) -> *mut bindings::qnet_pernet {
    // SAFETY: As the caller promises.
    unsafe { bindings::qnet_helper_pernet_slot(net.as_ptr(), *TABLES.id.get()) }
}

/// Takes one more reference.
///
/// # Safety
///
/// `data` is from `Arc::<T>::into_raw`, and a reference to it is held elsewhere.
unsafe extern "C" fn get_raw<T>(data: *const c_void) {
    // SAFETY: As the caller promises; the reference that exists is not dropped here.
    let held = ManuallyDrop::new(unsafe { Arc::<T>::from_raw(data.cast()) });
    let _ = Arc::into_raw(Arc::clone(&held));
}

/// # Safety
///
/// Called by the kernel for a namespace that has a new slot, filled with zeros.
unsafe extern "C" fn init<P: PerNet>(net: *mut bindings::net) -> c_int {
    from_result(|| {
        // SAFETY: `net` is valid for the call.
        let net = unsafe { Net::from_raw(net) };
        let home = Home::new(net)?;
        let data = P::init(net, home.clone()).inspect_err(|_| home.leave())?;
        // SAFETY: The slot exists, and nobody else looks at `home` in it. The references go with it.
        unsafe {
            (*slot(net)).home = Arc::into_raw(home.0).cast();
            bindings::qnet_helper_pernet_set(slot(net), Arc::into_raw(data).cast_mut().cast());
        }
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel, once, after a successful `init`.
unsafe extern "C" fn pre_exit<P: PerNet>(net: *mut bindings::net) {
    // SAFETY: `net` is valid for the call.
    let net = unsafe { Net::from_raw(net) };
    // SAFETY: The slot exists, and `init` put the object there.
    let data = unsafe { bindings::qnet_helper_pernet_get(slot(net), Some(get_raw::<P::Data>)) };
    // SAFETY: `get_raw` took a reference, which is taken over here.
    let data = unsafe { Arc::<P::Data>::from_raw(data.cast()) };
    P::pre_exit(net, &data);
    // SAFETY: `init` put it there. This is the last time that it is looked at.
    unsafe { Home(Arc::from_raw((*slot(net)).home.cast())) }.leave();
}

/// # Safety
///
/// Called by the kernel, once, a grace period after `pre_exit`.
unsafe extern "C" fn exit<P: PerNet>(net: *mut bindings::net) {
    // Nobody is just looking into the slot. When a namespace ends, all who had a reference to it,
    // or a device in it, are gone. When the registration ends, `per_net` has been shut before the
    // grace period.
    // SAFETY: `net` is valid for the call, and the slot exists. Its reference is that of `init`, and
    // is found there no more.
    let data = unsafe {
        let data = bindings::qnet_helper_pernet_take(slot(Net::from_raw(net)));
        Arc::<P::Data>::from_raw(data.cast_const().cast())
    };
    P::exit(data);
}
