// SPDX-License-Identifier: GPL-2.0

//! The module's own workqueues, for what a program is not to wait for.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::sys::bindings;
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    workqueue::{
        Queue,
        RawWorkItem, //
    },
};

/// The workqueues. Made before, and dropped after, all that uses [`enqueue`] and [`enqueue_long`].
pub(crate) struct Registration(PhantomData<*const ()>);

// SAFETY: It may be dropped by any thread.
unsafe impl Send for Registration {}
// SAFETY: It has no methods.
unsafe impl Sync for Registration {}

impl Registration {
    /// Makes them. Called by the module's initialisation.
    ///
    /// Errors: `EBUSY` if there are some, `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: It has no preconditions: the initialisation of a module is one thread.
        to_result(unsafe { bindings::qnet_helper_work_begin() })?;
        Ok(Self(PhantomData))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: They were made by `new`, and who enqueues is gone. What is queued is run first.
        unsafe { bindings::qnet_helper_work_end() }
    }
}

/// Has an item run soon, in process context, once for all calls until it begins. Legal in softirq.
/// To be called for sockets, which hold the module, and so the workqueues.
pub(crate) fn enqueue<W, const ID: u64>(item: W) -> W::EnqueueOutput
where
    W: RawWorkItem<ID> + Send + 'static,
{
    on(false).enqueue(item)
}

/// The same for an item that waits itself, and so is to keep no other out.
pub(crate) fn enqueue_long<W, const ID: u64>(item: W) -> W::EnqueueOutput
where
    W: RawWorkItem<ID> + Send + 'static,
{
    on(true).enqueue(item)
}

/// The workqueue of items that wait themselves, or that of the others.
fn on(waits: bool) -> &'static Queue {
    // SAFETY: There are workqueues as long as there are sockets, see `Registration`.
    unsafe { Queue::from_raw(bindings::qnet_helper_workqueue(waits).cast()) }
}
