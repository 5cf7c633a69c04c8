// SPDX-License-Identifier: LGPL-2.1-or-later

//! How a result becomes what C expects.

use std::ffi::{
    c_int,
    c_long, //
};

use qnet::Result;

/// A number that a call can return.
pub(crate) trait Answer: Copy {
    /// The number that says `errno`.
    fn negative(errno: c_int) -> Self;
}

impl Answer for c_int {
    fn negative(errno: c_int) -> Self {
        -errno
    }
}

impl Answer for c_long {
    fn negative(errno: c_int) -> Self {
        -c_long::from(errno)
    }
}

impl Answer for isize {
    fn negative(errno: c_int) -> Self {
        -(errno as isize)
    }
}

fn errno() -> *mut c_int {
    // SAFETY: The C library gives each thread its own `errno`, which is always there.
    unsafe { libc::__errno_location() }
}

/// The answer of a call whose name ends in `_r`, which leaves `errno` as it was.
#[inline]
pub(crate) fn plain<T: Answer>(call: impl FnOnce() -> Result<T>) -> T {
    let errno = errno();
    // SAFETY: The place is this thread's, and it is always there.
    let before = unsafe { *errno };
    let result = call();
    // SAFETY: As above.
    unsafe { *errno = before };
    result.unwrap_or_else(|error| T::negative(error.errno()))
}

/// The answer of a call that sets `errno`.
#[inline]
pub(crate) fn classic<T: Answer>(call: impl FnOnce() -> Result<T>) -> T {
    call().unwrap_or_else(|error| {
        // SAFETY: The place is this thread's, and it is always there.
        unsafe { *errno() = error.errno() };
        T::negative(1)
    })
}

/// Defines the two forms of each call: with `errno`, and with a name that ends in `_r`. `pointers`
/// marks those for whose pointers the caller answers, which makes them unsafe.
macro_rules! calls {
    () => {};
    (
        $(#[$meta:meta])+
        pointers fn $name:ident $name_r:ident ($($argument:ident: $type:ty),* $(,)?) -> $result:ty
            = $call:expr;
        $($rest:tt)*
    ) => {
        $crate::answer::calls! {
            @unsafe [$(#[$meta])+] classic $name ($($argument: $type),*) -> $result = $call
        }
        $crate::answer::calls! {
            @unsafe [$(#[$meta])+] plain $name_r ($($argument: $type),*) -> $result = $call
        }
        $crate::answer::calls! { $($rest)* }
    };
    (
        $(#[$meta:meta])+
        fn $name:ident $name_r:ident ($($argument:ident: $type:ty),* $(,)?) -> $result:ty
            = $call:expr;
        $($rest:tt)*
    ) => {
        $crate::answer::calls! {
            @safe [$(#[$meta])+] classic $name ($($argument: $type),*) -> $result = $call
        }
        $crate::answer::calls! {
            @safe [$(#[$meta])+] plain $name_r ($($argument: $type),*) -> $result = $call
        }
        $crate::answer::calls! { $($rest)* }
    };
    (
        @unsafe [$(#[$meta:meta])+] $answer:ident $name:ident ($($argument:ident: $type:ty),*)
            -> $result:ty = $call:expr
    ) => {
        $(#[$meta])+
        ///
        /// # Safety
        ///
        /// The buffers must be the caller's: what is sent to read, what is received or told to
        /// write.
        #[no_mangle]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            $crate::answer::$answer(|| {
                // SAFETY: The caller promises what is asked for.
                unsafe { $call }
            })
        }
    };
    (
        @safe [$(#[$meta:meta])+] $answer:ident $name:ident ($($argument:ident: $type:ty),*)
            -> $result:ty = $call:expr
    ) => {
        $(#[$meta])+
        #[no_mangle]
        pub extern "C" fn $name($($argument: $type),*) -> $result {
            $crate::answer::$answer(|| $call)
        }
    };
}

pub(crate) use calls;

#[cfg(test)]
mod tests {
    use qnet::Error;

    use super::*;

    #[test]
    fn answers() {
        assert_eq!(plain::<c_int>(|| Ok(5)), 5);
        assert_eq!(plain::<c_long>(|| Err(Error::ENOREMOTE)), -300);
        assert_eq!(classic::<c_int>(|| Err(Error::ESRCH)), -1);
        assert_eq!(
            std::io::Error::last_os_error().raw_os_error(),
            Some(libc::ESRCH)
        );
        // SAFETY: This call fails for a bad descriptor and changes nothing.
        let call = || match unsafe { libc::close(-1) } {
            -1 => Err(Error::EBADF),
            other => Ok(other),
        };
        assert_eq!(plain(call), -libc::EBADF);
        assert_eq!(
            std::io::Error::last_os_error().raw_os_error(),
            Some(libc::ESRCH)
        );
    }
}
