// SPDX-License-Identifier: GPL-2.0

//! Message passing under all kinds of trouble at once, with an account of every message.
//!
//! One process, the [`coordinator`], starts servers and clients in two network namespaces and then
//! signals, stops and kills them at random. What each of them does with each message it writes into
//! the [`ledger`], memory that all share and that outlives who is killed. When the trouble is over
//! and everybody has ended, the [`judge`] compares both sides of every message.

mod client;
mod coordinator;
mod judge;
mod ledger;
mod plan;
mod server;

pub use coordinator::{
    run,
    Options, //
};

/// Server processes on each node, and threads of each that receive.
const SERVERS: usize = 4;
/// See [`SERVERS`].
const RECEIVERS: usize = 4;
/// Client processes on each node, and threads of each that send.
const CLIENTS: usize = 8;
/// See [`CLIENTS`].
const SENDERS: usize = 4;
/// The nodes.
const NODES: usize = 2;
