// SPDX-License-Identifier: LGPL-2.1-or-later

//! `libqnet`: Neutrino's calls for C programs, declared in `include/sys/neutrino.h` and
//! `include/sys/netmgr.h`, and what QNX has not, in `include/sys/qnet.h`. The manual pages describe
//! them.
//!
//! Each call has two forms. `Name_r` returns the error as a negative number and leaves `errno`
//! alone; `Name` returns -1 and sets `errno`.

#![allow(non_snake_case)]
#![allow(non_camel_case_types)]

mod answer;
mod buffer;
mod channel;
mod channels;
mod client;
mod connect;
mod event;
mod info;
mod msg;
mod netmgr;
mod receive;
mod server;
mod timer;

pub use channel::*;
pub use client::*;
pub use connect::*;
pub use event::*;
pub use info::*;
pub use msg::*;
pub use netmgr::*;
pub use receive::*;
pub use server::*;
pub use timer::*;
