// SPDX-License-Identifier: LGPL-2.1-or-later

//! `libqnet`: Neutrino's calls for C programs, declared in `include/sys/neutrino.h` and
//! `include/sys/netmgr.h` and described in the manual pages.
//!
//! Each call has two forms. `Name_r` returns the error as a negative number and leaves `errno`
//! alone; `Name` returns -1 and sets `errno`.

#![allow(non_snake_case)]
#![allow(non_camel_case_types)]

mod answer;
mod channel;
mod channels;
mod connect;
mod msg;
mod netmgr;
mod timer;

pub use channel::*;
pub use connect::*;
pub use msg::*;
pub use netmgr::*;
pub use timer::*;
