// SPDX-License-Identifier: GPL-2.0

//! The programs that are written in C.

use std::{
    env,
    ffi::{
        c_char,
        c_int,
        CString, //
    },
    os::unix::ffi::OsStringExt,
    ptr, //
};

// The library's calls are what the C programs are linked with.
use qnet_c as _;

extern "C" {
    fn capi_main(node: *const c_char) -> c_int;
    fn calls_main() -> c_int;
    fn poll_main() -> c_int;
    fn pulses_main() -> c_int;
    fn first_main(argc: c_int, argv: *const *const c_char) -> c_int;
}

fn arguments() -> Vec<CString> {
    // No argument of a program has a NUL inside.
    env::args_os()
        .filter_map(|argument| CString::new(argument.into_vec()).ok())
        .collect()
}

/// `c/calls.c`: tests of the C library's calls around messages.
pub fn calls() -> c_int {
    // SAFETY: It takes nothing, and no other thread of this process runs.
    unsafe { calls_main() }
}

/// `c/capi.c`: tests of the C library.
pub fn capi() -> c_int {
    let arguments = arguments();
    let node = arguments.get(1).map_or(ptr::null(), |node| node.as_ptr());
    // SAFETY: The argument is null or a string with a NUL that outlives the call.
    unsafe { capi_main(node) }
}

/// `Documentation/examples/pulses.c`: pulses and events.
pub fn pulses() -> c_int {
    // SAFETY: It takes nothing, and no other thread of this process runs.
    unsafe { pulses_main() }
}

/// `Documentation/examples/poll.c`: a server and a client that wait by poll().
pub fn poll() -> c_int {
    // SAFETY: It takes nothing, and no other thread of this process runs.
    unsafe { poll_main() }
}

/// `Documentation/examples/first.c`: the first program.
pub fn first() -> c_int {
    let arguments = arguments();
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(ptr::null());
    // SAFETY: What a main function is called with: strings, as many as are told, and a null.
    unsafe { first_main(arguments.len() as c_int, pointers.as_ptr()) }
}
