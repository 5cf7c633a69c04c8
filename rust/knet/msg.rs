// SPDX-License-Identifier: GPL-2.0

//! What `sendmsg()` and `recvmsg()` were called with.
//!
//! C header: [`include/linux/socket.h`](srctree/include/linux/socket.h)

use super::user::UserBuf;
use crate::sys::bindings;
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// The call's `struct msghdr`.
pub(crate) struct Msg<'a> {
    header: NonNull<bindings::msghdr>,
    _call: PhantomData<&'a mut bindings::msghdr>,
}

impl Msg<'_> {
    /// # Safety
    ///
    /// `header` is the kernel's for a call of the caller, and for the time of `'a` nobody else uses
    /// it.
    pub(super) unsafe fn from_raw(header: *mut bindings::msghdr) -> Option<Self> {
        Some(Self {
            header: NonNull::new(header)?,
            _call: PhantomData,
        })
    }

    /// The program's buffer.
    ///
    /// Errors: `EOPNOTSUPP` for memory that is not a program's, `EINVAL` for more parts than
    /// `QNET_PARTS_MAX`, `ENOMEM`.
    pub(crate) fn buffer(&self) -> Result<UserBuf> {
        // SAFETY: `header` is valid.
        let count = unsafe { bindings::qnet_helper_msg_part_count(self.header.as_ptr()) };
        if count == 0 {
            return Err(EOPNOTSUPP);
        }
        if count > bindings::QNET_PARTS_MAX {
            return Err(EINVAL);
        }
        let mut parts = KVec::from_elem(
            bindings::qnet_iov::default(),
            count as usize,
            GFP_KERNEL_ACCOUNT,
        )?;
        // SAFETY: `header` is valid, and there is room for so many parts.
        unsafe { bindings::qnet_helper_msg_parts(self.header.as_ptr(), parts.as_mut_ptr()) };
        UserBuf::from_list(parts)
    }

    /// The control message of this type that `sendmsg()` was given, if it was.
    ///
    /// Errors: `EINVAL` for any other control message.
    pub(crate) fn control<T: FromBytes>(&self, ty: u32) -> Result<Option<T>> {
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: `header` is valid, and there is room for a `T`.
        let found = unsafe {
            bindings::qnet_helper_msg_control(
                self.header.as_ptr(),
                ty as c_int,
                value.as_mut_ptr().cast(),
                size_of::<T>(),
            )
        };
        match found {
            0 => Ok(None),
            // SAFETY: It was zeroed and then filled, and any bytes make a `T`.
            1 => Ok(Some(unsafe { value.assume_init() })),
            _ => Err(EINVAL),
        }
    }

    /// Whether `recvmsg()` takes a control message that holds a `T`.
    pub(crate) fn has_room_for<T>(&self) -> bool {
        // SAFETY: `header` is valid.
        unsafe { bindings::qnet_helper_msg_has_room(self.header.as_ptr(), size_of::<T>()) }
    }

    /// Gives `recvmsg()` a control message of this type.
    ///
    /// Errors: `EFAULT`.
    pub(crate) fn put_control<T: IntoBytes + Immutable>(&mut self, ty: u32, value: &T) -> Result {
        let bytes = value.as_bytes();
        // CAST: The types of the interface are short.
        // SAFETY: `header` is valid, and the helper only reads so many bytes.
        to_result(unsafe {
            bindings::qnet_helper_msg_put(
                self.header.as_ptr(),
                ty as c_int,
                bytes.as_ptr().cast_mut().cast(),
                bytes.len() as c_int,
            )
        })
    }

    /// The flags that `sendmsg()` was given.
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: `header` is valid.
        unsafe { bindings::qnet_helper_msg_flags(self.header.as_ptr()) }
    }

    /// Tells `recvmsg()` that there was more than it had room for.
    pub(crate) fn was_truncated(&mut self) {
        // SAFETY: `header` is valid.
        unsafe { bindings::qnet_helper_msg_truncated(self.header.as_ptr()) }
    }

    /// Whether `sendmsg()` names an address.
    pub(crate) fn has_name(&self) -> bool {
        // SAFETY: `header` is valid.
        unsafe { bindings::qnet_helper_msg_has_name(self.header.as_ptr()) }
    }
}
