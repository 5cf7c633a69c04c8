// SPDX-License-Identifier: GPL-2.0

//! What travels: one module a record, each with one function that parses it and one that emits it.
//! Every path that reads or writes a record uses these.
//!
//! Whatever a peer sent is checked here before anybody sees a field of it. Multi-byte fields are
//! little endian, the order of every machine that this is built for; peers of the other order are
//! refused in [`l4::parse`].

pub mod ack;
pub mod bytes;
pub mod crc;
pub mod errno;
pub mod kif;
pub mod l4;
pub mod lr;
pub mod nr;
pub mod signo;
pub mod tcs;
