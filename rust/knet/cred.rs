// SPDX-License-Identifier: GPL-2.0

//! Credentials and user namespaces.
//!
//! Users and groups are passed as the numbers that they have in the initial user namespace, which
//! every one has; [`NO_ID`] is nobody's. What a program or another node calls them is translated by
//! a [`UserNs`].
//!
//! C header: [`include/linux/cred.h`](srctree/include/linux/cred.h)

use super::{
    net::Net,
    pid::{
        Pid,
        PidNs, //
    },
};
use crate::{
    proto::kif::rights::{
        Users,
        NO_ID, //
    },
    sys::bindings, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// Whether the caller may do what root may, in the initial user namespace. Process context.
pub(crate) fn is_administrator() -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_is_administrator() }
}

/// The users and groups of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Ids {
    /// Those of a process of which nothing is known.
    pub(crate) const NOBODY: Self = Self {
        ruid: NO_ID,
        euid: NO_ID,
        suid: NO_ID,
        rgid: NO_ID,
        egid: NO_ID,
        sgid: NO_ID,
    };

    /// The users.
    pub(crate) fn users(&self) -> Users {
        Users {
            real: self.ruid,
            effective: self.euid,
            saved: self.suid,
        }
    }

    /// The same with every user as `user` says, and every group as `group` says.
    pub(crate) fn map(&self, user: impl Fn(u32) -> u32, group: impl Fn(u32) -> u32) -> Self {
        Self {
            ruid: user(self.ruid),
            euid: user(self.euid),
            suid: user(self.suid),
            rgid: group(self.rgid),
            egid: group(self.egid),
            sgid: group(self.sgid),
        }
    }
}

/// The credentials of a thread, which never change: who gets other ids gets another object.
///
/// # Invariants
///
/// It owns a reference to a `struct cred`.
pub(crate) struct Cred(NonNull<bindings::cred>);

// SAFETY: Credentials may be used and dropped by any thread.
unsafe impl Send for Cred {}
// SAFETY: They do not change.
unsafe impl Sync for Cred {}

impl Cred {
    /// The pointer for the C side.
    #[inline]
    pub(super) fn as_ptr(&self) -> *const bindings::cred {
        self.0.as_ptr()
    }

    /// The caller's. Process context.
    pub(crate) fn of_caller() -> Self {
        // INVARIANT: The helper takes a reference.
        // SAFETY: A running task has credentials.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_cred().cast_mut()) })
    }

    /// Those of a process, as everybody looks at them. Legal in softirq. `None` when it is gone.
    pub(crate) fn of_process(pid: &Pid) -> Option<Self> {
        // INVARIANT: The helper takes a reference.
        // SAFETY: `pid` is held.
        let cred = unsafe { bindings::qnet_helper_process_cred(pid.as_ptr()) };
        NonNull::new(cred.cast_mut()).map(Self)
    }

    /// Whether these are the caller's now. Process context.
    #[inline]
    pub(crate) fn is_of_caller(&self) -> bool {
        // SAFETY: The helper only compares.
        unsafe { bindings::qnet_helper_is_current_cred(self.0.as_ptr()) }
    }

    /// Where they are in memory: no others are there as long as these are held.
    pub(crate) fn place(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Users and groups.
    pub(crate) fn ids(&self) -> Ids {
        let mut ids = bindings::qnet_ids::default();
        // SAFETY: `self` holds the credentials, and `ids` can be written.
        unsafe { bindings::qnet_helper_cred_ids(self.0.as_ptr(), &mut ids) };
        Ids {
            ruid: ids.ruid,
            euid: ids.euid,
            suid: ids.suid,
            rgid: ids.rgid,
            egid: ids.egid,
            sgid: ids.sgid,
        }
    }

    /// Copies the supplementary groups from the one at `from` on, and says how many there are
    /// altogether.
    pub(crate) fn groups(&self, from: usize, into: &mut [u32]) -> usize {
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let room = u32::try_from(into.len()).unwrap_or(u32::MAX);
        // SAFETY: `self` holds the credentials, and `into` has room for so many.
        unsafe {
            bindings::qnet_helper_cred_groups(self.0.as_ptr(), from, into.as_mut_ptr(), room)
                as usize
        }
    }

    /// Whether they count in `ns` or below it.
    pub(crate) fn is_within(&self, ns: &UserNs) -> bool {
        // SAFETY: Both are held.
        unsafe { bindings::qnet_helper_cred_is_within(self.0.as_ptr(), ns.0.as_ptr()) }
    }
}

impl Clone for Cred {
    fn clone(&self) -> Self {
        // SAFETY: `self` holds them.
        unsafe { bindings::qnet_helper_get_cred(self.0.as_ptr()) };
        // INVARIANT: The reference was just taken.
        Self(self.0)
    }
}

impl Drop for Cred {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::qnet_helper_put_cred(self.0.as_ptr()) }
    }
}

/// Whether the caller's credentials are at that place in memory. Process context.
#[inline]
pub(crate) fn is_callers(place: usize) -> bool {
    // SAFETY: The helper only compares.
    unsafe { bindings::qnet_helper_is_current_cred(place as *const bindings::cred) }
}

/// Whether the caller is in the group `gid`. Process context.
pub(crate) fn caller_in_group(gid: u32) -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_current_in_group(gid) }
}

/// The number of the session of a process, in `pids`; 0 if it has none there, or is gone.
pub(crate) fn session_of(pid: &Pid, pids: &PidNs) -> i32 {
    // SAFETY: Both are held.
    unsafe { bindings::qnet_helper_process_session(pid.as_ptr(), pids.as_ptr()) }
}

/// What one must be privileged for.
#[derive(Clone, Copy)]
pub(crate) enum Power {
    /// To give a channel to another owner.
    Chown,
    /// To connect to a channel in spite of its mode.
    Connect,
    /// To have more than a user may have.
    Exceed,
}

/// A user namespace.
///
/// # Invariants
///
/// It owns a reference.
pub(crate) struct UserNs(NonNull<bindings::user_namespace>);

// SAFETY: A user namespace may be used and dropped by any thread.
unsafe impl Send for UserNs {}
// SAFETY: All that is done with it is safe to do by any number of threads at a time.
unsafe impl Sync for UserNs {}

impl UserNs {
    /// The one that owns a network namespace.
    pub(crate) fn of_net(net: &Net) -> Self {
        // INVARIANT: The helper takes a reference.
        // SAFETY: A network namespace has an owner as long as it is there.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_net_user_ns(net.as_ptr())) })
    }

    /// The caller's. Process context.
    pub(crate) fn of_caller() -> Self {
        // INVARIANT: The helper takes a reference.
        // SAFETY: A running task has one.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_current_user_ns()) })
    }

    /// The user with this number here, or [`NO_ID`]. Legal in softirq.
    pub(crate) fn uid_from(&self, number: u32) -> u32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_uid_from(self.0.as_ptr(), number) }
    }

    /// The group with this number here, or [`NO_ID`]. Legal in softirq.
    pub(crate) fn gid_from(&self, number: u32) -> u32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_gid_from(self.0.as_ptr(), number) }
    }

    /// The number that a user has here; 65534 if it has none.
    pub(crate) fn uid_number(&self, uid: u32) -> u32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_uid_number(self.0.as_ptr(), uid) }
    }

    /// The number that a group has here; 65534 if it has none.
    pub(crate) fn gid_number(&self, gid: u32) -> u32 {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_gid_number(self.0.as_ptr(), gid) }
    }

    /// Users and groups as they are called here.
    pub(crate) fn numbers(&self, ids: &Ids) -> Ids {
        ids.map(|uid| self.uid_number(uid), |gid| self.gid_number(gid))
    }

    /// Whether a user and a group both have a number here: only then the namespace's root stands
    /// above them.
    pub(crate) fn has(&self, uid: u32, gid: u32) -> bool {
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_user_ns_has(self.0.as_ptr(), uid, gid) }
    }

    /// Whether the caller is privileged here. Process context.
    pub(crate) fn allows(&self, power: Power) -> bool {
        let what = match power {
            Power::Chown => bindings::qnet_capability_QNET_MAY_CHOWN,
            Power::Connect => bindings::qnet_capability_QNET_MAY_CONNECT,
            Power::Exceed => bindings::qnet_capability_QNET_MAY_EXCEED,
        };
        // SAFETY: `self` holds it.
        unsafe { bindings::qnet_helper_may(self.0.as_ptr(), what) }
    }
}

impl Drop for UserNs {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::qnet_helper_put_user_ns(self.0.as_ptr()) }
    }
}

#[kunit_tests(qnet_knet_cred)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_the_caller_and_of_a_process() -> Result {
        let mine = Cred::of_caller();
        assert!(mine.is_of_caller());
        let ns = UserNs::of_net(Net::init());
        assert!(mine.is_within(&ns));
        // A thread of the kernel is root.
        assert_eq!(mine.ids().euid, 0);
        let init = Pid::from_nr(1).ok_or(ESRCH)?;
        let theirs = Cred::of_process(&init).ok_or(ESRCH)?;
        assert!(!theirs.is_of_caller());
        assert_eq!(theirs.ids().users().real, 0);
        let mut none = [7; 2];
        let all = mine.groups(0, &mut none);
        assert_eq!(mine.groups(all, &mut none[..0]), all);
        Ok(())
    }

    #[test]
    fn the_initial_namespace_calls_everybody_by_his_number() {
        let ns = UserNs::of_net(Net::init());
        for number in [0, 99, 1000, 65534] {
            assert_eq!(ns.uid_from(number), number);
            assert_eq!(ns.gid_from(number), number);
            assert_eq!(ns.uid_number(number), number);
            assert_eq!(ns.gid_number(number), number);
        }
        assert_eq!(ns.uid_from(NO_ID), NO_ID);
        assert_eq!(ns.numbers(&Ids::NOBODY).euid, 65534);
        assert_eq!(ns.numbers(&Ids::NOBODY).sgid, 65534);
        assert!(!ns.has(NO_ID, 0) && !ns.has(0, NO_ID));
        assert!(ns.allows(Power::Chown));
        assert!(ns.allows(Power::Connect) && ns.allows(Power::Exceed));
    }
}
