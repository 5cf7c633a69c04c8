// SPDX-License-Identifier: GPL-2.0

//! Sessions between nodes: how a connection is made and ended, and what runs over it.
//!
//! [`tcs`] is the handshake, [`session`] joins it with the delivery of [`crate::proto::l4`]. One
//! connection has one link today; the choice among several will stand between the two.

pub mod config;
pub mod limit;
pub mod session;
pub mod tcs;
