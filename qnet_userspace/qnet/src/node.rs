// SPDX-License-Identifier: LGPL-2.1-or-later

//! Nodes, and the addresses of channels on them.

use std::fmt;

use crate::{
    raw,
    Error,
    Result,
    Timeout, //
};

/// A node, as this node numbers it.
///
/// The number means nothing on another node, and nothing after the module was reloaded: look a
/// node up when it is needed, and do not keep or send the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node(u32);

impl Node {
    /// The node that the program runs on.
    pub const LOCAL: Node = Node(0);

    /// The node with this descriptor.
    pub const fn from_raw(nd: u32) -> Self {
        Self(nd)
    }

    /// The descriptor.
    pub const fn as_raw(self) -> u32 {
        self.0
    }

    /// Finds a node by its name (`beta`), its full name (`beta.example.org`) or its path
    /// (`/net/beta`), asking the network if the name is not known.
    pub fn lookup(name: &str) -> Result<Self> {
        Self::lookup_timeout(name, Timeout::NEVER)
    }

    /// As [`lookup`](Self::lookup), and gives up when `timeout` says so.
    pub fn lookup_timeout(name: &str, timeout: Timeout) -> Result<Self> {
        let (nd, used) = raw::strtond(name.as_bytes(), timeout).map_err(absent)?;
        // What follows the name of a node belongs to that node and is not for us to drop.
        match used == name.len() {
            true => Ok(Self(nd)),
            false => Err(Error::EINVAL),
        }
    }

    /// The full name of the node, which is valid on other nodes too.
    pub fn name(self) -> Result<String> {
        // A full name and what may say a quality of service behind it.
        let mut buffer = [0; qnet_sys::QNET_FQNN_MAX + 65];
        let length = raw::ndtostr(self.0, &mut buffer).map_err(absent)?;
        let bytes = buffer.get(..length).ok_or(Error::ENAMETOOLONG)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Error::EILSEQ)
    }

    /// The number that this node has for `other`, which means something there and nothing here.
    ///
    /// It is what to send along when a program on this node is to talk to `other`.
    pub fn number_of(self, other: Node) -> Result<u32> {
        self.number_of_timeout(other, Timeout::NEVER)
    }

    /// As [`number_of`](Self::number_of), and gives up when `timeout` says so.
    pub fn number_of_timeout(self, other: Node, timeout: impl Into<Timeout>) -> Result<u32> {
        if self.is_local() {
            return Ok(other.0);
        }
        if self.is_same_machine(other) {
            return Ok(Self::LOCAL.0);
        }
        raw::remote_nd(self.0, other.0, timeout.into()).map_err(absent)
    }

    /// Whether two descriptors mean one machine, perhaps with another quality of service.
    pub const fn is_same_machine(self, other: Node) -> bool {
        self.0 & 0xffff == other.0 & 0xffff
    }

    /// Whether this is the node that the program runs on.
    pub const fn is_local(self) -> bool {
        self.is_same_machine(Self::LOCAL)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says of a missing module what Neutrino says of a missing Qnet.
fn absent(error: Error) -> Error {
    match error {
        Error::EAFNOSUPPORT => Error::ENOTSUP,
        other => other,
    }
}

/// Where a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The node.
    pub node: Node,
    /// The process, or 0 for the caller's.
    pub pid: i32,
    /// The channel's number in that process; the first one of a process is 1.
    pub chid: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines() {
        assert!(Node::LOCAL.is_local());
        assert!(Node::from_raw(0x1_0007).is_same_machine(Node::from_raw(7)));
        assert!(!Node::from_raw(8).is_same_machine(Node::from_raw(7)));
    }
}
