// SPDX-License-Identifier: LGPL-2.1-or-later

//! Neutrino message passing on Linux.
//!
//! A server makes a [`Channel`] and receives [`Message`]s on it. A client attaches a
//! [`Connection`] to the channel and sends; it is blocked until the server replies. Server and
//! client may be on one node or on two: only the [`Node`] in the [`Address`] tells.
//!
//! ```no_run
//! use qnet::{
//!     Channel,
//!     Connection, //
//! };
//!
//! # fn main() -> qnet::Result<()> {
//! let channel = Channel::create()?;
//! let connection = Connection::attach(channel.address())?;
//! std::thread::spawn(move || -> qnet::Result<()> {
//!     let mut request = [0; 64];
//!     let message = channel.receive(&mut request)?;
//!     let length = message.len();
//!     message.reply(0, &request[..length])
//! });
//! let mut answer = [0; 64];
//! let reply = connection.send(b"ping", &mut answer)?;
//! assert_eq!((reply.status, &answer[..reply.len]), (0, &b"ping"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! The calls need the module `qnet`. Without it a lookup of a node and a new channel fail with
//! [`Error::ENOTSUP`], and an attachment to another node with [`Error::ENOREMOTE`].

mod channel;
mod client;
mod connection;
mod error;
mod event;
mod message;
mod node;
mod process;
mod pulse;
pub mod raw;
mod signal;
mod timeout;

pub use channel::{
    Access,
    Channel,
    ChannelFlags,
    Received, //
};
pub use client::ClientInfo;
pub use connection::{
    Collected,
    Connection,
    ConnectionInfo,
    ConnectionOptions,
    Reply, //
};
pub use error::{
    Error,
    Result, //
};
pub use event::{
    Event,
    SignalTo, //
};
pub use message::{
    KeyOperation,
    Message,
    MessageInfo,
    Rcvid, //
};
pub use node::{
    Address,
    Node, //
};
pub use pulse::{
    Priority,
    Pulse,
    PulseKind, //
};
pub use signal::Signal;
pub use timeout::{
    States,
    Timeout, //
};
