// SPDX-License-Identifier: GPL-2.0

//! The protocol of the kernel module, mounted in a crate of the host's: the very files of
//! `rust/proto`, under the path that they have in the kernel. Beside it is what tests of it share.

#![no_std]

extern crate std;

pub mod frame;
pub mod pcap;
#[path = "../../../rust/proto/mod.rs"]
pub mod proto;
pub mod sim;
