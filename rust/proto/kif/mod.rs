// SPDX-License-Identifier: GPL-2.0

//! The kernel interface, Neutrino's send-receive-reply: who may do what, and when.
//!
//! These are rules without data: states and events are small values, and the shell keeps the
//! messages, the buffers and the threads.

pub mod connection;
pub mod event;
pub mod priority;
pub mod rights;
pub mod transaction;
pub mod transfer;
