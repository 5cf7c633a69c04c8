// SPDX-License-Identifier: GPL-2.0

//! MsgKeyData: a key that binds data to a client's thread.
//!
//! A server gives a client a key for some data; when the client shows data and key again, to that or
//! to another server of the same node, the server learns whether they belong together and to this
//! thread. The key is a hash with a secret of this node, so that it need not be kept.

use super::{
    process::Process,
    transaction::{
        Client,
        Transaction, //
    },
};
use crate::{
    knet::user::UserBuf,
    node::Node, //
};
use kernel::prelude::*;

/// How much is hashed at a time, in bytes.
const CHUNK: usize = 4096;

impl Process {
    /// The key of `data` for the thread that waits under `rcvid`. Process context.
    ///
    /// Errors: `ESRCH` when nobody waits under that rcvid, `EFAULT`, `EINTR`, `ENOMEM`.
    pub(crate) fn key_of(&self, rcvid: i32, data: &UserBuf) -> Result<u32> {
        let transaction = self.blocked(rcvid)?;
        let node = &self.node;
        let mut hash = thread_hash(node, &transaction);
        let mut done = 0;
        while done < data.len() {
            let bytes = data.read_piece(done, CHUNK)?;
            done += bytes.len();
            hash = node.secret.hash(hash, &bytes);
            if crate::knet::wait::signal_pending() {
                return Err(EINTR);
            }
        }
        // CAST: Half of the bits are the key.
        Ok(hash as u32)
    }
}

/// What tells the thread from all others.
fn thread_hash(node: &Node, transaction: &Transaction) -> u64 {
    let (nd, pid) = match &transaction.client {
        // Every process has one, and no other has it; the key is for this node alone.
        Client::Thread { process, .. } => (0, process.number()),
        Client::Remote { server, .. } => (u32::from(server.peer.nd), server.client_pid),
    };
    let mut bytes = [0; 12];
    let words = [
        nd.to_ne_bytes(),
        pid.to_ne_bytes(),
        transaction.sender.tid.to_ne_bytes(),
    ];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word);
    }
    node.secret.hash(0, &bytes)
}
