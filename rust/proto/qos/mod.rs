// SPDX-License-Identifier: GPL-2.0

//! Sessions between nodes: how a connection is made and ended, and what runs over it.
//!
//! [`tcs`] is the handshake, [`links`] knows the paths that a session may take and whether they
//! live, [`session`] joins the two with the delivery of [`crate::proto::l4`].

pub mod config;
pub mod limit;
pub mod links;
pub mod session;
pub mod tcs;
