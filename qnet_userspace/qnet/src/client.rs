// SPDX-License-Identifier: LGPL-2.1-or-later

//! Who a client is.

use qnet_sys::qnet_client_info;

use crate::{
    raw,
    Node,
    Result, //
};

/// The ids of a client. Those of a client on another node are what that node claims, after the
/// options `maproot` and `mapany` of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its node.
    pub node: Node,
    /// Its process.
    pub pid: i32,
    /// Its session.
    pub sid: i32,
    /// The real, effective and saved user.
    pub uids: [u32; 3],
    /// The real, effective and saved group.
    pub gids: [u32; 3],
    /// The other groups.
    pub groups: Vec<u32>,
}

impl ClientInfo {
    /// Who the client is that [`MessageInfo::scoid`](crate::MessageInfo::scoid) and
    /// [`Pulse::scoid`](crate::Pulse::scoid) name.
    pub fn of(scoid: i32) -> Result<Self> {
        let mut groups = vec![0; 32];
        loop {
            let raw = raw::client_info(scoid, &mut groups)?;
            let count = raw.ngroups as usize;
            if count <= groups.len() {
                groups.truncate(count);
                return Ok(Self::new(&raw, groups));
            }
            groups.resize(count, 0);
        }
    }

    /// Who the calling process is.
    pub fn own() -> Result<Self> {
        Self::of(-1)
    }

    /// Gives the number of a client back that has left, of which the server was told by
    /// [`PulseKind::Disconnect`](crate::PulseKind::Disconnect): it may mean another client from now
    /// on.
    pub fn forget(scoid: i32) -> Result<()> {
        raw::free_scoid(scoid)
    }

    fn new(raw: &qnet_client_info, groups: Vec<u32>) -> Self {
        Self {
            node: Node::from_raw(raw.nd),
            pid: raw.pid,
            sid: raw.sid,
            uids: [raw.ruid, raw.euid, raw.suid],
            gids: [raw.rgid, raw.egid, raw.sgid],
            groups,
        }
    }
}
