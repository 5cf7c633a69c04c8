// SPDX-License-Identifier: GPL-2.0

//! Read-only files below `/proc`.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::net::Net;
use crate::sys::bindings;
use core::marker::PhantomData;
pub(crate) use kernel::seq_file::SeqFile;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// What a file shows.
pub(crate) trait Show: 'static {
    /// Prints it, for one namespace. Process context. May be called again from the start if the
    /// buffer was too short.
    fn show(net: &Net, m: &SeqFile) -> Result;
}

/// Where a file is.
enum Place {
    Top,
    EachNet,
}

/// A file, or one in each namespace; dropping it removes it, and waits for who is reading. Process
/// context.
pub(crate) struct ProcFile<T: Show> {
    name: &'static CStr,
    place: Place,
    _shows: PhantomData<T>,
}

// SAFETY: A file may be removed by any thread; it holds no `T`.
unsafe impl<T: Show> Send for ProcFile<T> {}
// SAFETY: It has no methods.
unsafe impl<T: Show> Sync for ProcFile<T> {}

impl<T: Show> ProcFile<T> {
    /// Makes a file in `/proc`, which shows the network namespace of whoever opened it.
    ///
    /// Errors: `ENOMEM`, also if there is one of that name.
    pub(crate) fn new_top(name: &'static CStr) -> Result<Self> {
        // SAFETY: The name is closed by a NUL; `show` stays as long as the module.
        to_result(unsafe { bindings::qnet_helper_proc_top(name.as_char_ptr(), Some(show::<T>)) })?;
        Ok(Self::made(name, Place::Top))
    }

    /// Makes a file in `/proc/net` of each namespace there is and will be.
    ///
    /// To be registered after what it shows, so that it goes first. One can be registered at a
    /// time.
    ///
    /// Errors: `ENOMEM`, also if there is one of that name; `EBUSY`.
    pub(crate) fn new_in_each_net(name: &'static CStr) -> Result<Self> {
        // SAFETY: Name and `show` stay as long as the module.
        to_result(unsafe { bindings::qnet_helper_proc_net(name.as_char_ptr(), Some(show::<T>)) })?;
        Ok(Self::made(name, Place::EachNet))
    }

    fn made(name: &'static CStr, place: Place) -> Self {
        Self {
            name,
            place,
            _shows: PhantomData,
        }
    }
}

impl<T: Show> Drop for ProcFile<T> {
    fn drop(&mut self) {
        // SAFETY: `self` says that it was made.
        unsafe {
            match self.place {
                Place::Top => bindings::qnet_helper_proc_top_remove(self.name.as_char_ptr()),
                Place::EachNet => bindings::qnet_helper_proc_net_remove(),
            }
        }
    }
}

/// # Safety
///
/// Called by C for a file of `T`, which is being read.
unsafe extern "C" fn show<T: Show>(net: *mut bindings::net, m: *mut bindings::seq_file) -> c_int {
    // SAFETY: The open file holds the namespace, and one reader at a time has the `seq_file`.
    let (net, m) = unsafe { (Net::from_raw(net), SeqFile::from_raw(m.cast())) };
    from_result(|| T::show(net, m).map(|()| 0))
}
