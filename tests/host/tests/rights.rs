// SPDX-License-Identifier: GPL-2.0

//! Who may signal whom and connect to what, and whom the claims of other nodes count as.

use proptest::prelude::*;
use qnet_host_tests::proto::{
    kif::rights::{is_root, may_signal, Access, Squash, Users, NO_ID},
    wire::kif::{Credentials, MAX_GROUPS},
};

fn users(real: u32, effective: u32, saved: u32) -> Users {
    Users {
        real,
        effective,
        saved,
    }
}

fn claim(uid: u32, gid: u32, more: &[u32]) -> Credentials {
    let mut groups = [0; MAX_GROUPS];
    groups[..more.len()].copy_from_slice(more);
    Credentials {
        pid: 17,
        sid: 3,
        ruid: uid,
        euid: uid,
        suid: uid,
        rgid: gid,
        egid: gid,
        sgid: gid,
        ngroups: more.len() as u32,
        groups,
        ..Credentials::default()
    }
}

fn may(sender: Users, target: Users) -> bool {
    may_signal(&sender, false, &target)
}

#[test]
fn a_signal_goes_by_the_rule_of_kill() {
    let target = users(10, 20, 30);
    assert!(may(users(10, 1, 1), target), "real is real");
    assert!(may(users(30, 1, 1), target), "real is saved");
    assert!(may(users(1, 10, 1), target), "effective is real");
    assert!(may(users(1, 30, 1), target), "effective is saved");
    assert!(
        !may(users(20, 20, 20), target),
        "the target's effective one"
    );
    assert!(!may(users(1, 1, 10), target), "the sender's saved one");
    assert!(!may(users(0, 0, 0), target), "root is told by its power");
    assert!(may_signal(&users(1, 1, 1), true, &target));
}

#[test]
fn nobody_is_not_the_same_as_nobody() {
    let nobody = users(NO_ID, NO_ID, NO_ID);
    assert!(!may(nobody, nobody));
    let access = Access {
        uid: NO_ID,
        gid: NO_ID,
        mode: 0o220,
    };
    assert!(!access.admits(NO_ID, |_| true, || false));
}

#[test]
fn a_channel_is_open_until_its_mode_says_otherwise() {
    let access = Access::anybody(1, 2);
    for user in [0, 1, 5, NO_ID] {
        assert!(access.admits(user, |_| false, || panic!("nobody asks for power")));
    }
}

#[test]
fn the_mode_is_that_of_the_first_class_that_fits() {
    let with = |mode| Access {
        uid: 1,
        gid: 2,
        mode,
    };
    let in_group = |gid| gid == 2;
    let may = |mode, user, groups: fn(u32) -> bool| with(mode).admits(user, groups, || false);
    assert!(may(0o200, 1, |_| panic!(
        "an owner's groups are of no concern"
    )));
    assert!(may(0o020, 5, in_group));
    assert!(may(0o002, 5, |_| false));
    // As with a file, an owner or a group can be kept out where all others get in.
    assert!(!may(0o022, 1, in_group));
    assert!(!may(0o202, 5, in_group));
    assert!(!may(0o220, 5, |_| false));
    // The other bits do not count.
    assert!(!may(0o555, 1, in_group));
    assert!(with(0).admits(5, in_group, || true));
}

#[test]
fn an_owner_gives_to_his_groups_and_power_to_anybody() {
    let access = Access {
        uid: 1,
        gid: 2,
        mode: 0o222,
    };
    let to = |uid, gid| Access {
        uid,
        gid,
        mode: 0o600,
    };
    let in_group = |gid| gid == 3;
    let may = |euid, uid, gid| access.may_become(&to(uid, gid), euid, in_group, || false);
    assert!(may(1, 1, 2), "the mode alone");
    assert!(may(9, 1, 2), "by a process that has changed its user, too");
    assert!(may(1, 1, 3));
    assert!(!may(1, 1, 4));
    assert!(!may(1, 5, 2));
    assert!(!may(9, 1, 3));
    assert!(access.may_become(&to(5, 6), 9, in_group, || true));
}

#[test]
fn root_of_another_node_is_not_root() {
    let squash = Squash {
        root: 99,
        any: None,
    };
    let root = squash.apply(&claim(0, 0, &[0, 4, 27]));
    assert_eq!(
        root,
        claim(99, 99, &[]),
        "its groups are gone with its power"
    );
    assert!(!is_root(&root, root.euid));
    let user = claim(1000, 100, &[4, 27]);
    assert_eq!(squash.apply(&user), user);
    // Group 0 is root's, whoever is in it.
    assert_eq!(
        squash.apply(&claim(1000, 0, &[4, 0])),
        claim(1000, 99, &[4, 99])
    );
    // One that can become root again has root's groups.
    let setuid = Credentials {
        suid: 0,
        ..claim(1000, 100, &[4])
    };
    let counts = squash.apply(&setuid);
    assert_eq!((counts.ruid, counts.euid, counts.suid), (1000, 1000, 99));
    assert_eq!((counts.rgid, counts.ngroups), (99, 0));
}

#[test]
fn root_is_root_where_it_is_believed() {
    let squash = Squash { root: 0, any: None };
    let root = claim(0, 0, &[0, 4]);
    assert_eq!(squash.apply(&root), root);
    assert!(is_root(&root, 0));
    // Root of a user namespace is a user of the one around it.
    assert!(is_root(&root, 100_000));
    assert!(!is_root(&root, NO_ID), "no user is called 0 here");
}

#[test]
fn everybody_can_be_one() {
    let squash = Squash {
        root: 0,
        any: Some(7),
    };
    for uid in [0, 1000] {
        assert_eq!(squash.apply(&claim(uid, 5, &[1, 2])), claim(7, 7, &[]));
    }
}

proptest! {
    /// Whatever is claimed, nothing of root is left, and what says who the process is stays.
    #[test]
    fn nothing_of_root_is_left(
        ids in proptest::array::uniform6(0u32..4),
        groups in proptest::array::uniform8(0u32..4),
        ngroups in 0u32..20,
        pid in any::<i32>(),
    ) {
        let [ruid, euid, suid, rgid, egid, sgid] = ids;
        let said = Credentials {
            nd: 1, pid, sid: 2, flags: 0, ruid, euid, suid, rgid, egid, sgid, ngroups, groups,
        };
        let counts = Squash { root: 99, any: None }.apply(&said);
        prop_assert!(!is_root(&counts, counts.euid));
        prop_assert!(![counts.ruid, counts.euid, counts.suid].contains(&0));
        prop_assert!(![counts.rgid, counts.egid, counts.sgid].contains(&0));
        prop_assert!(!counts.groups().contains(&0));
        prop_assert_eq!((counts.pid, counts.sid, counts.nd), (pid, 2, 1));
    }
}
