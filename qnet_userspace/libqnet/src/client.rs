// SPDX-License-Identifier: LGPL-2.1-or-later

//! ConnectClientInfo(): who a client is.

use std::ffi::c_int;

use qnet::{
    raw,
    Error,
    Result, //
};

use crate::{
    answer::calls,
    timer, //
};

/// `_NTO_CI_FULL_GROUPS` of the header.
const FULL_GROUPS: u32 = 0x8000_0000;
/// How many of a client's groups its node tells at most: the first that it has.
const REMOTE_GROUPS: usize = 8;
/// The most groups that a process can have.
const MOST_GROUPS: usize = 65_536;

/// A client's ids: `struct _cred_info` of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct _cred_info {
    /// The real user.
    pub ruid: u32,
    /// The effective user.
    pub euid: u32,
    /// The saved user.
    pub suid: u32,
    /// The real group.
    pub rgid: u32,
    /// The effective group.
    pub egid: u32,
    /// The saved group.
    pub sgid: u32,
    /// How many there are in `grouplist`.
    pub ngroups: u32,
    /// The other groups; there may be room for more behind it.
    pub grouplist: [u32; 8],
}

/// Who a client is: `struct _client_info` of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct _client_info {
    /// Its node.
    pub nd: u32,
    /// Its process.
    pub pid: libc::pid_t,
    /// Its session.
    pub sid: libc::pid_t,
    /// `_NTO_CI_*`.
    pub flags: u32,
    /// Its ids.
    pub cred: _cred_info,
}

/// # Safety
///
/// `info` must be null or valid to write, with room for `ngroups` groups from its `grouplist` on.
unsafe fn client_info(scoid: c_int, info: *mut _client_info, ngroups: c_int) -> Result<c_int> {
    timer::drop_armed();
    let room = usize::try_from(ngroups).map_err(|_| Error::EINVAL)?;
    let mut groups = vec![0; room.min(MOST_GROUPS)];
    let told = raw::client_info(scoid, &mut groups).map_err(|error| match error {
        Error::EAFNOSUPPORT => Error::ENOTSUP,
        other => other,
    })?;
    groups.truncate(told.ngroups as usize);
    if room == 0 && info.is_null() {
        return Ok(told.ngroups as c_int);
    }
    if info.is_null() {
        return Err(Error::EFAULT);
    }
    // SAFETY: The caller says that it is valid, with room for as many groups as `groups` can hold. It
    // is written through the pointer that he gave, which is not bounded by the array of 8.
    unsafe {
        let list = (&raw mut (*info).cred.grouplist).cast::<u32>();
        fill(info, &told, groups.len());
        list.copy_from_nonoverlapping(groups.as_ptr(), groups.len());
    }
    Ok(match room {
        0 => told.ngroups as c_int,
        _ => 0,
    })
}

/// Fills in all but the groups themselves.
///
/// # Safety
///
/// `info` must be valid to write.
unsafe fn fill(info: *mut _client_info, told: &qnet_sys::qnet_client_info, groups: usize) {
    // As many as cross the network may be all, or not.
    let told_all = told.nd == 0 || (told.ngroups as usize) < REMOTE_GROUPS;
    let all = told_all && groups == told.ngroups as usize;
    // SAFETY: The caller says that it is valid. The fields are written one by one, since the list of
    // groups at the end may be a program's own that it wants to keep.
    unsafe {
        (*info).nd = told.nd;
        (*info).pid = told.pid;
        (*info).sid = told.sid;
        (*info).flags = if all { FULL_GROUPS } else { 0 };
        (*info).cred.ruid = told.ruid;
        (*info).cred.euid = told.euid;
        (*info).cred.suid = told.suid;
        (*info).cred.rgid = told.rgid;
        (*info).cred.egid = told.egid;
        (*info).cred.sgid = told.sgid;
        (*info).cred.ngroups = groups as u32;
    }
}

calls! {
    /// Tells who a client is; see ConnectClientInfo(3).
    pointers fn ConnectClientInfo ConnectClientInfo_r
        (scoid: c_int, info: *mut _client_info, ngroups: c_int) -> c_int
        = client_info(scoid, info, ngroups);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_and_says_whether_all_groups_are_told() {
        let told = qnet_sys::qnet_client_info {
            nd: 3,
            pid: 4,
            ruid: 5,
            sgid: 6,
            ngroups: 2,
            ..Default::default()
        };
        let mut info = _client_info::default();
        // SAFETY: It is a place of this function's own.
        unsafe { fill(&mut info, &told, 2) };
        assert_eq!((info.nd, info.pid, info.flags), (3, 4, FULL_GROUPS));
        assert_eq!(
            (info.cred.ruid, info.cred.sgid, info.cred.ngroups),
            (5, 6, 2)
        );
        // SAFETY: As above.
        unsafe { fill(&mut info, &told, 1) };
        assert_eq!((info.flags, info.cred.ngroups), (0, 1));
    }

    #[test]
    fn another_node_may_have_kept_back_groups_behind_the_8th() {
        let flags = |nd, ngroups| {
            let told = qnet_sys::qnet_client_info {
                nd,
                ngroups,
                ..Default::default()
            };
            let mut info = _client_info::default();
            // SAFETY: It is a place of this function's own.
            unsafe { fill(&mut info, &told, ngroups as usize) };
            info.flags
        };
        assert_eq!((flags(0, 8), flags(0, 9)), (FULL_GROUPS, FULL_GROUPS));
        assert_eq!((flags(2, 7), flags(2, 8)), (FULL_GROUPS, 0));
    }
}
