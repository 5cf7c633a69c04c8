// SPDX-License-Identifier: GPL-2.0

//! Reliable delivery on one connection: each message once and in order.
//!
//! [`tx`] decides what is sent and sent again, [`rx`] what is delivered, held or refused and when
//! that is acknowledged. Both work on sequence numbers alone; the caller keeps the messages. A
//! message is one fragment today: what would become a list of fragments is one bit or one slot of
//! a [`window`] here, and `offset` and the flags of a header are looked at in [`rx`] only.

pub mod rtt;
pub mod rx;
pub mod timers;
pub mod tx;
pub mod window;
