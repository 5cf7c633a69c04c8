// SPDX-License-Identifier: GPL-2.0

//! Reliable delivery on one connection: each message once and in order.
//!
//! [`tx`] decides what is sent and sent again, [`rx`] what is delivered, held or refused and when
//! that is acknowledged. Both work on sequence numbers and lengths alone; the caller keeps the
//! messages. [`cut`] says which fragments a message has, [`reassembly`] which bytes of one have
//! come, [`congestion`] how much may be under way.

pub mod congestion;
pub mod cut;
pub mod reassembly;
pub mod rtt;
pub mod rx;
pub mod timers;
pub mod tx;
pub mod window;
