// SPDX-License-Identifier: GPL-2.0

//! Who may connect to a channel, and who may signal a process.
//!
//! A program of this node is who the kernel says it is. One of another node is who its node claims
//! it to be: nobody can prove that, so claims count only after `maproot` and `mapany`, and as users
//! of the user namespace that owns the node. The rules themselves are `proto::kif::rights`.
//!
//! Its locks are leaves.

use super::process::Process;
use crate::{
    knet::{
        cred::{
            caller_in_group,
            Cred,
            Ids,
            Power, //
        },
        lock::SpinLockBh,
        new_spinlock_bh,
        pid::Pid,
        signal, //
    },
    node::Node,
    proto::{
        kif::rights::{
            self,
            Access,
            NO_ID,
            ROOT, //
        },
        wire::kif::{
            Credentials,
            MAX_GROUPS, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Who a client of another node counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Users and groups.
    pub(crate) ids: Ids,
    /// How many of `groups` count.
    ngroups: u32,
    groups: [u32; MAX_GROUPS],
    /// Its session, in its node's numbers.
    pub(crate) sid: i32,
    /// Whether it is root of this node.
    is_root: bool,
}

impl Claim {
    /// A client whose node says nothing of it.
    const NOTHING: Self = Self {
        ids: Ids::NOBODY,
        ngroups: 0,
        groups: [NO_ID; MAX_GROUPS],
        sid: 0,
        is_root: false,
    };

    /// What another node says, as it counts on `node`. Legal in softirq.
    pub(crate) fn new(node: &Node, said: &Credentials) -> Self {
        let said = node.options.squash().apply(said);
        let ids = Ids {
            ruid: said.ruid,
            euid: said.euid,
            suid: said.suid,
            rgid: said.rgid,
            egid: said.egid,
            sgid: said.sgid,
        };
        let users = &node.users;
        let ids = ids.map(|uid| users.uid_from(uid), |gid| users.gid_from(gid));
        Self {
            ids,
            ngroups: said.ngroups,
            groups: said.groups.map(|gid| users.gid_from(gid)),
            sid: said.sid,
            is_root: rights::is_root(&said, ids.euid),
        }
    }

    /// The supplementary groups.
    pub(crate) fn groups(&self) -> &[u32] {
        self.groups
            .get(..self.ngroups as usize)
            .unwrap_or(&self.groups)
    }

    fn is_in_group(&self, gid: u32) -> bool {
        self.ids.egid == gid || self.groups().contains(&gid)
    }
}

/// What is known of a client process of another node, on all of its connections.
#[pin_data]
pub(crate) struct Claims {
    #[pin]
    now: SpinLockBh<Claim>,
    /// Whether it has changed since the last message that was told so.
    changed: Atomic<bool>,
}

impl Claims {
    /// The claims of a new client. Legal in softirq.
    ///
    /// Errors: `ENOMEM`.
    pub(crate) fn new(claim: Claim) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                now <- new_spinlock_bh!(claim),
                changed: Atomic::new(false),
            }),
            GFP_ATOMIC,
        )
    }

    /// Who the client counts as.
    pub(crate) fn get(&self) -> Claim {
        *self.now.lock()
    }

    /// The client says who it is now.
    pub(crate) fn replace(&self, claim: Claim) {
        let before = core::mem::replace(&mut *self.now.lock(), claim);
        if before != claim {
            self.changed.store(true, Relaxed);
        }
    }

    /// A message comes: whether it is the first since a change.
    pub(crate) fn take_change(&self) -> bool {
        self.changed.load(Relaxed) && self.changed.xchg(false, Relaxed)
    }

    /// The message that was told of the change could not be queued: the next one is told.
    pub(crate) fn keep_change(&self) {
        self.changed.store(true, Relaxed);
    }
}

/// Who a CONNECT says that its client is.
pub(crate) fn claim_of(node: &Node, said: Option<&Credentials>) -> Claim {
    said.map_or(Claim::NOTHING, |said| Claim::new(node, said))
}

/// Who may connect to a channel.
#[pin_data]
pub(crate) struct Door {
    #[pin]
    access: SpinLockBh<Access>,
}

impl Door {
    /// That of a new channel of the calling process: open to anybody.
    pub(crate) fn new() -> impl PinInit<Self> {
        let ids = Cred::of_caller().ids();
        pin_init!(Self {
            access <- new_spinlock_bh!(Access::anybody(ids.euid, ids.egid)),
        })
    }

    /// Whether the calling process may connect. Process context.
    pub(crate) fn admits_caller(&self, node: &Node) -> bool {
        let access = *self.access.lock();
        access.admits(Cred::of_caller().ids().euid, caller_in_group, || {
            stands_above(node, &access, Power::Connect)
        })
    }

    /// Whether a client of another node may connect. Legal in softirq.
    pub(crate) fn admits(&self, node: &Node, claim: &Claim) -> bool {
        let access = *self.access.lock();
        access.admits(
            claim.ids.euid,
            |gid| claim.is_in_group(gid),
            || claim.is_root && node.users.has(access.uid, access.gid),
        )
    }

    /// Changes who may connect; `None` keeps an owner. Process context. Connections that there are
    /// stay.
    ///
    /// Errors: `EPERM` when the caller may not give the channel away like that.
    pub(crate) fn change(
        &self,
        node: &Node,
        uid: Option<u32>,
        gid: Option<u32>,
        mode: u32,
    ) -> Result {
        let before = *self.access.lock();
        let after = Access {
            uid: uid.unwrap_or(before.uid),
            gid: gid.unwrap_or(before.gid),
            mode,
        };
        let euid = Cred::of_caller().ids().euid;
        let powerful =
            || stands_above(node, &before, Power::Chown) && node.users.has(after.uid, after.gid);
        if !before.may_become(&after, euid, caller_in_group, powerful) {
            return Err(EPERM);
        }
        // Two threads of the process may do this at a time: each was allowed what it does.
        *self.access.lock() = after;
        Ok(())
    }
}

/// Whether the caller is privileged in the node, and the channel is one of the node's users.
fn stands_above(node: &Node, access: &Access, power: Power) -> bool {
    node.users.has(access.uid, access.gid) && node.users.allows(power)
}

/// Whether the calling process may signal the process `target`, or send it a pulse. Process context.
///
/// Errors: `EPERM`, or what a security module says; `ESRCH` when it is gone.
pub(crate) fn caller_may_signal(target: &Pid) -> Result {
    if target.is_caller() {
        return Ok(());
    }
    signal::caller_may_signal(target)
}

/// Whether somebody of this node who had these credentials may signal the process `target`, or send
/// it a pulse. As where a program has asked for signals of its own (`F_SETOWN`), root may, and a
/// capability that was there at that time is not asked for. Legal in softirq.
///
/// Errors: `EPERM`; `ESRCH` when the process is gone.
pub(super) fn cred_may_signal(cred: &Cred, target: &Pid) -> Result {
    let theirs = Cred::of_process(target).ok_or(ESRCH)?;
    let mine = cred.ids();
    if rights::may_signal(&mine.users(), mine.euid == ROOT, &theirs.ids().users()) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// Whether a client of another node may signal `target`, or send it a pulse: its claim as it
/// counts here. Legal in softirq.
///
/// Errors: `EPERM`; `ESRCH` when the process is gone.
pub(crate) fn claim_may_signal(claim: &Claim, target: &Process) -> Result {
    let theirs = Cred::of_process(&target.pid).ok_or(ESRCH)?;
    // The node's root has no power over whoever comes from outside of the node's user namespace.
    let powerful = claim.is_root && theirs.is_within(&target.node.users);
    if rights::may_signal(&claim.ids.users(), powerful, &theirs.ids().users()) {
        Ok(())
    } else {
        Err(EPERM)
    }
}

#[kunit_tests(qnet_ipc_rights)]
mod tests {
    use super::*;
    use crate::{
        knet::net::{
            per_net,
            Net, //
        },
        node::Nodes,
    };

    fn said(uid: u32, gid: u32) -> Credentials {
        Credentials {
            ruid: uid,
            euid: uid,
            suid: uid,
            rgid: gid,
            egid: gid,
            sgid: gid,
            ngroups: 1,
            groups: [5, 0, 0, 0, 0, 0, 0, 0],
            ..Credentials::default()
        }
    }

    #[test]
    fn a_claim_counts_after_it_was_mapped() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let root = Claim::new(&node, &said(0, 0));
        assert_eq!((root.ids.euid, root.ids.egid), (99, 99));
        assert!(!root.is_root && root.groups().is_empty());
        let user = Claim::new(&node, &said(1000, 100));
        assert_eq!((user.ids.ruid, user.ids.sgid), (1000, 100));
        assert!(user.is_in_group(5) && user.is_in_group(100) && !user.is_in_group(0));
        let nobody = claim_of(&node, None);
        assert!(!nobody.is_in_group(0) && nobody.ids == Ids::NOBODY);
        // A number that cannot be is nobody's.
        assert_eq!(Claim::new(&node, &said(NO_ID, 1)).ids.euid, NO_ID);
        Ok(())
    }

    #[test]
    fn a_door_is_open_until_it_is_closed() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let door = Arc::pin_init(Door::new(), GFP_KERNEL)?;
        let user = Claim::new(&node, &said(1000, 100));
        let nobody = claim_of(&node, None);
        assert!(door.admits(&node, &user) && door.admits(&node, &nobody));
        door.change(&node, Some(7), Some(5), 0o020)?;
        assert!(door.admits(&node, &user) && !door.admits(&node, &nobody));
        door.change(&node, None, None, 0o200)?;
        assert!(!door.admits(&node, &user));
        // A thread of the kernel has every capability.
        assert!(door.admits_caller(&node));
        Ok(())
    }

    #[test]
    fn a_change_is_told_once() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let claims = Claims::new(Claim::new(&node, &said(1, 1)))?;
        claims.replace(Claim::new(&node, &said(1, 1)));
        assert!(!claims.take_change());
        claims.replace(Claim::new(&node, &said(2, 1)));
        assert!(claims.take_change());
        assert!(!claims.take_change());
        claims.keep_change();
        assert!(claims.take_change());
        assert_eq!(claims.get().ids.euid, 2);
        Ok(())
    }

    #[test]
    fn signals_go_by_the_rule() -> Result {
        let init = Pid::from_nr(1).ok_or(ESRCH)?;
        caller_may_signal(&init)?;
        caller_may_signal(&Pid::of_caller())
    }
}
