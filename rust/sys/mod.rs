// SPDX-License-Identifier: GPL-2.0

//! The raw layer: the module's own bindings, and the C helpers beside this file.
//!
//! Only `knet` uses it. The bindings are made by bindgen at build time (see `Kbuild`) and carry
//! their layout tests, so a structure that bindgen misreads stops the build; the assertions below
//! do the same for those that are opaque to it.

#[allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unknown_lints,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
pub(crate) mod bindings {
    // The macro for static branches wants the kernel crate's own type.
    use kernel::bindings::tracepoint;
    use kernel::ffi;
    use pin_init::{
        MaybeZeroable,
        Zeroable, //
    };

    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    // SAFETY: `__BindgenBitfieldUnit<Storage>` is a newtype around `Storage`.
    unsafe impl<Storage> Zeroable for __BindgenBitfieldUnit<Storage> where Storage: Zeroable {}

    include!(concat!(env!("QNET_OBJ"), "/rust/sys/bindings_generated.rs"));
}

/// Asserts that Rust lays a type out as C does.
macro_rules! assert_size {
    ($($ty:ident == $size:ident;)*) => {
        $(const _: () = assert!(size_of::<bindings::$ty>() == bindings::$size as usize);)*
    };
}

assert_size! {
    sock == qnet_sizes_QNET_SIZEOF_SOCK;
    qnet_sock == qnet_sizes_QNET_SIZEOF_QNET_SOCK;
    proto == qnet_sizes_QNET_SIZEOF_PROTO;
    proto_ops == qnet_sizes_QNET_SIZEOF_PROTO_OPS;
    socket == qnet_sizes_QNET_SIZEOF_SOCKET;
    sk_buff == qnet_sizes_QNET_SIZEOF_SK_BUFF;
    packet_type == qnet_sizes_QNET_SIZEOF_PACKET_TYPE;
    pernet_operations == qnet_sizes_QNET_SIZEOF_PERNET_OPS;
    notifier_block == qnet_sizes_QNET_SIZEOF_NOTIFIER;
    wait_queue_head == qnet_sizes_QNET_SIZEOF_WAIT_HEAD;
    qnet_timer == qnet_sizes_QNET_SIZEOF_TIMER;
    qnet_death == qnet_sizes_QNET_SIZEOF_DEATH;
    qnet_netdev == qnet_sizes_QNET_SIZEOF_NETDEV;
}

/// Asserts where C has the fields that Rust reads.
macro_rules! assert_offset {
    ($($ty:ident.$field:ident == $offset:ident;)*) => {
        $(const _: () = assert!(
            core::mem::offset_of!(bindings::$ty, $field) == bindings::$offset as usize
        );)*
    };
}

assert_offset! {
    qnet_sock.data == qnet_sizes_QNET_OFFSET_SOCK_DATA;
    sk_buff.len == qnet_sizes_QNET_OFFSET_SKB_LEN;
    sk_buff.data == qnet_sizes_QNET_OFFSET_SKB_DATA;
    socket.sk == qnet_sizes_QNET_OFFSET_SOCKET_SK;
}
