// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers around what a network protocol needs of the kernel and the `kernel` crate does
//! not have. Each is named for its use, owns what it names and gives it back when it is dropped.
//!
//! Here and in `sys` is all unsafe code of the module. Nothing public in here asks its caller for
//! unsafe code, or for more care than the types ask for.

mod alloc;
pub(crate) mod cred;
pub(crate) mod death;
pub(crate) mod genl;
pub(crate) mod lock;
pub(crate) mod msg;
pub(crate) mod net;
pub(crate) mod netdev;
pub(crate) mod packet;
pub(crate) mod pages;
pub(crate) mod param;
pub(crate) mod pid;
pub(crate) mod priority;
pub(crate) mod proc;
pub(crate) mod rand;
pub(crate) mod signal;
pub(crate) mod siphash;
pub(crate) mod skb;
pub(crate) mod sock;
pub(crate) mod timer;
pub(crate) mod trace;
pub(crate) mod user;
pub(crate) mod uts;
pub(crate) mod wait;
pub(crate) mod work;

pub(crate) use alloc::{
    atomic_account,
    boxed_copy, //
    take_first,
};
pub(crate) use lock::new_spinlock_bh;
