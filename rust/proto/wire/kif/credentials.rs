// SPDX-License-Identifier: GPL-2.0

//! Who a client is.

use super::KifError;
use crate::proto::wire::bytes::{
    Reader,
    Writer, //
};

/// Credentials carry at most so many group ids.
pub const MAX_GROUPS: usize = 8;

/// Who a client is: QNX's `_client_info`. `groups` behind `ngroups` are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The sender's own number for the receiver's node.
    pub nd: u32,
    /// The process.
    pub pid: i32,
    /// Its session.
    pub sid: i32,
    /// Flags of the process (`_NTO_CI_*`).
    pub flags: u32,
    /// The real user id.
    pub ruid: u32,
    /// The effective user id.
    pub euid: u32,
    /// The saved user id.
    pub suid: u32,
    /// The real group id.
    pub rgid: u32,
    /// The effective group id.
    pub egid: u32,
    /// The saved group id.
    pub sgid: u32,
    /// How many of `groups` count.
    pub ngroups: u32,
    /// Supplementary groups.
    pub groups: [u32; MAX_GROUPS],
}

impl Credentials {
    /// Bytes of credentials without groups.
    const FIXED_LEN: usize = 44;

    /// Bytes of credentials with as many groups as there can be.
    pub(super) const MAX_LEN: usize = Self::FIXED_LEN + 4 * MAX_GROUPS;

    /// Bytes of these credentials.
    pub(super) fn len(&self) -> usize {
        Self::FIXED_LEN + 4 * self.groups().len()
    }

    /// The groups that count.
    pub fn groups(&self) -> &[u32] {
        let n = usize::try_from(self.ngroups).unwrap_or(MAX_GROUPS);
        self.groups.get(..n).unwrap_or(&self.groups)
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, KifError> {
        let mut credentials = Self::read_ids(r).ok_or(KifError::Short)?;
        let n = usize::try_from(credentials.ngroups).map_err(|_| KifError::Groups)?;
        let groups = credentials.groups.get_mut(..n).ok_or(KifError::Groups)?;
        for group in groups {
            *group = r.u32().ok_or(KifError::Short)?;
        }
        Ok(credentials)
    }

    fn read_ids(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            nd: r.u32()?,
            pid: r.i32()?,
            sid: r.i32()?,
            flags: r.u32()?,
            ruid: r.u32()?,
            euid: r.u32()?,
            suid: r.u32()?,
            rgid: r.u32()?,
            egid: r.u32()?,
            sgid: r.u32()?,
            ngroups: r.u32()?,
            groups: [0; MAX_GROUPS],
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) -> Option<()> {
        let n = usize::try_from(self.ngroups).ok()?;
        let groups = self.groups.get(..n)?;
        w.u32(self.nd)?;
        w.i32(self.pid)?;
        w.i32(self.sid)?;
        w.u32(self.flags)?;
        w.u32(self.ruid)?;
        w.u32(self.euid)?;
        w.u32(self.suid)?;
        w.u32(self.rgid)?;
        w.u32(self.egid)?;
        w.u32(self.sgid)?;
        w.u32(self.ngroups)?;
        groups.iter().try_for_each(|group| w.u32(*group))
    }
}
