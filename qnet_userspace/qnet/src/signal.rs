// SPDX-License-Identifier: LGPL-2.1-or-later

//! Signals to processes of any node.

use qnet_sys::qnet_signal;

use crate::{
    raw,
    Node,
    Result,
    Timeout, //
};

/// A signal to a process. The sender needs the rights that `kill(2)` wants; another node takes
/// signals only with its option `remote_signals=1`, for processes that have a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The node.
    pub node: Node,
    /// The process.
    pub pid: i32,
    /// The thread, or `None` for any.
    pub tid: Option<i32>,
    /// Which one; 0 only asks whether it could be sent.
    pub signal: i32,
    /// Its `si_code`.
    pub code: i32,
    /// Its `si_value`.
    pub value: i64,
}

impl Signal {
    /// A signal without a value to any thread of a process.
    pub const fn new(node: Node, pid: i32, signal: i32) -> Self {
        Self {
            node,
            pid,
            tid: None,
            signal,
            code: 0,
            value: 0,
        }
    }

    /// Sends it, and waits for what the other node says of that.
    pub fn send(&self) -> Result<()> {
        self.send_timeout(Timeout::NEVER)
    }

    /// As [`send`](Self::send), and gives up when `timeout` says so; then nobody knows whether it was
    /// sent.
    pub fn send_timeout(&self, timeout: impl Into<Timeout>) -> Result<()> {
        let argument = qnet_signal {
            nd: self.node.as_raw(),
            pid: self.pid,
            tid: self.tid.unwrap_or(0),
            signo: self.signal,
            code: self.code,
            value: self.value,
            ..Default::default()
        };
        raw::signal(argument, timeout.into())
    }
}
