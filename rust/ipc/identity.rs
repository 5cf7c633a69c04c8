// SPDX-License-Identifier: GPL-2.0

//! What the node of a server is told of a client here: who it is, at the CONNECT and again when its
//! ids have changed.
//!
//! A message that tells it may be lost with its session or given up before it leaves, and one with a
//! higher priority may overtake it. So it counts as told when that message is answered, and until
//! then every message tells it. The CONNECT needs no answer of its own, because no message goes before
//! it has one. The lock is a leaf.

use crate::{
    knet::{
        cred::{
            session_of,
            Cred,
            Ids, //
        },
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::Pid, //
    },
    node::Peer,
    proto::wire::kif::{
        Credentials,
        MAX_GROUPS, //
    },
};
use kernel::prelude::*;

/// Who the server's node thinks that the client is.
#[pin_data]
pub(crate) struct Told {
    #[pin]
    cred: SpinLockBh<Option<Cred>>,
}

impl Told {
    /// Nothing was told.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            cred <- new_spinlock_bh!(None),
        })
    }

    /// What is to be told with a message to `peer`; `None` if its node knows it. Process context.
    pub(crate) fn news(&self, peer: &Peer) -> Option<Credentials> {
        let is_known = match &*self.cred.lock() {
            Some(told) => told.is_of_caller() || says(told) == says(&Cred::of_caller()),
            None => false,
        };
        (!is_known).then(|| credentials(peer))
    }

    /// The server's node knows who the calling thread is. Process context.
    pub(crate) fn is_told(&self) {
        let before = self.cred.lock().replace(Cred::of_caller());
        drop(before);
    }
}

/// What credentials say over the network, but for the numbers.
pub(super) fn says(cred: &Cred) -> (Ids, usize, [u32; MAX_GROUPS]) {
    let mut groups = [0; MAX_GROUPS];
    let count = cred.groups(0, &mut groups);
    (cred.ids(), count.min(MAX_GROUPS), groups)
}

/// What `peer` is told of the calling thread. It is a claim. Process context.
pub(crate) fn credentials(peer: &Peer) -> Credentials {
    let users = &peer.node.users;
    let (ids, ngroups, mut groups) = says(&Cred::of_caller());
    let ids = users.numbers(&ids);
    for group in groups.iter_mut().take(ngroups) {
        *group = users.gid_number(*group);
    }
    let process = Pid::of_caller();
    let pids = peer.node.wire_pids();
    Credentials {
        nd: u32::from(peer.nd),
        pid: process.nr_in(&pids),
        sid: session_of(&process, &pids),
        flags: 0,
        ruid: ids.ruid,
        euid: ids.euid,
        suid: ids.suid,
        rgid: ids.rgid,
        egid: ids.egid,
        sgid: ids.sgid,
        ngroups: ngroups as u32,
        groups,
    }
}
