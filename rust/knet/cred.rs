// SPDX-License-Identifier: GPL-2.0

//! Who the caller is.
//!
//! C header: [`include/linux/cred.h`](srctree/include/linux/cred.h)

use crate::sys::bindings;

/// Whether the caller may do what root may, in the initial user namespace. Process context.
pub(crate) fn is_administrator() -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_is_administrator() }
}

/// User and group ids in numbers of the initial user namespace, and the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    /// Real user.
    pub(crate) ruid: u32,
    /// Effective user.
    pub(crate) euid: u32,
    /// Saved user.
    pub(crate) suid: u32,
    /// Real group.
    pub(crate) rgid: u32,
    /// Effective group.
    pub(crate) egid: u32,
    /// Saved group.
    pub(crate) sgid: u32,
    /// How many of `groups` there are.
    pub(crate) ngroups: u32,
    /// The first supplementary groups.
    pub(crate) groups: [u32; 8],
    /// Session, in the caller's pid namespace.
    pub(crate) sid: i32,
}

impl Ids {
    /// The caller's. Process context.
    pub(crate) fn of_caller() -> Self {
        let mut ids = bindings::qnet_ids::default();
        // SAFETY: `ids` can be written.
        unsafe { bindings::qnet_helper_current_ids(&mut ids) };
        Self {
            ruid: ids.ruid,
            euid: ids.euid,
            suid: ids.suid,
            rgid: ids.rgid,
            egid: ids.egid,
            sgid: ids.sgid,
            ngroups: ids.ngroups,
            groups: ids.groups,
            sid: ids.sid,
        }
    }
}
