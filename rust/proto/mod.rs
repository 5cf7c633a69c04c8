// SPDX-License-Identifier: GPL-2.0

//! The Qnet protocol, without any input or output: no clock, no memory allocation, no payload bytes.
//!
//! A shell around it parses what arrives with [`wire`], hands headers, lengths and the time to the
//! machines, and does what they say. In the kernel the shell is the rest of this crate; on a host it
//! is a test with a virtual clock.

#![forbid(unsafe_code)]

pub mod kif;
pub mod l4;
pub mod lr;
pub mod names;
pub mod qos;
pub mod time;
pub mod wire;
