// SPDX-License-Identifier: GPL-2.0

//! Who may do what: connect to a channel, signal a process; and whom a claim of another node counts
//! as.
//!
//! Ids here are those of one user namespace, of whichever the shell took them. [`NO_ID`] is nobody's:
//! it equals nothing, not even itself.

use crate::proto::wire::kif::{
    Credentials,
    MAX_GROUPS, //
};

/// What stands for a user or a group that has no number here.
pub const NO_ID: u32 = u32::MAX;
/// The number of the user who may do everything, and of his group.
pub const ROOT: u32 = 0;

/// Whether two ids are one and the same user or group.
fn same(one: u32, other: u32) -> bool {
    one == other && one != NO_ID
}

/// The users that a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    /// Who has started it.
    pub real: u32,
    /// With whose rights it acts.
    pub effective: u32,
    /// To whom it may return.
    pub saved: u32,
}

/// The rule of `kill()`, which holds for pulses, too: the sender's real or effective user is the
/// target's real or saved one. `powerful` says that the sender stands above that: by its capability,
/// or as the root of a node whose root counts.
pub fn may_signal(sender: &Users, powerful: bool, target: &Users) -> bool {
    powerful
        || [sender.real, sender.effective]
            .iter()
            .any(|&user| same(user, target.real) || same(user, target.saved))
}

/// Who may connect to a channel: the rule of a file with an owner, a group and a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The mode, of which the bits 0222 count.
    pub mode: u32,
}

impl Access {
    /// The bits that a mode can have.
    pub const MODES: u32 = 0o777;
    const OWNER: u32 = 0o200;
    const GROUP: u32 = 0o020;
    const OTHERS: u32 = 0o002;

    /// A new channel of that user and group: anybody may connect.
    pub fn anybody(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            mode: Self::OWNER | Self::GROUP | Self::OTHERS,
        }
    }

    /// Whether the user `euid` may connect. `in_group` says whether he is in a group; it is asked at
    /// most once, and `powerful`, whether no mode stops him, only when the mode does.
    pub fn admits(
        &self,
        euid: u32,
        in_group: impl FnOnce(u32) -> bool,
        powerful: impl FnOnce() -> bool,
    ) -> bool {
        let needed = if same(euid, self.uid) {
            Self::OWNER
        } else if self.gid != NO_ID && in_group(self.gid) {
            Self::GROUP
        } else {
            Self::OTHERS
        };
        self.mode & needed != 0 || powerful()
    }

    /// Whether the user `euid` may change this to `to`: the rule of `chown()`. The owner may give it
    /// to a group that he is in; anything else needs power.
    pub fn may_become(
        &self,
        to: &Access,
        euid: u32,
        in_group: impl FnOnce(u32) -> bool,
        powerful: impl FnOnce() -> bool,
    ) -> bool {
        let keeps_owner = to.uid == self.uid;
        let keeps_group = to.gid == self.gid;
        let by_owner = same(euid, self.uid) && keeps_owner;
        (keeps_owner && keeps_group) || (by_owner && in_group(to.gid)) || powerful()
    }
}

/// Which claims of other nodes are not believed: `maproot` and `mapany`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Squash {
    /// Whom root counts as; 0: as root.
    pub root: u32,
    /// Whom everybody counts as.
    pub any: Option<u32>,
}

impl Squash {
    /// The claim as it counts, still in numbers.
    ///
    /// A client that is root in any of its users loses its groups too, which are root's; group 0 of
    /// another one counts as that of whom root counts as.
    pub fn apply(&self, claim: &Credentials) -> Credentials {
        let users = [claim.ruid, claim.euid, claim.suid];
        match self.any {
            Some(any) => everything(any, claim),
            None if self.root == ROOT => *claim,
            None => self.without_root(claim, users.contains(&ROOT)),
        }
    }

    fn without_root(&self, claim: &Credentials, was_root: bool) -> Credentials {
        let user = |id| if id == ROOT { self.root } else { id };
        let group = |id| {
            if was_root || id == ROOT {
                self.root
            } else {
                id
            }
        };
        let mut groups = [0; MAX_GROUPS];
        let kept = if was_root { &[][..] } else { claim.groups() };
        for (place, &id) in groups.iter_mut().zip(kept) {
            *place = group(id);
        }
        Credentials {
            ruid: user(claim.ruid),
            euid: user(claim.euid),
            suid: user(claim.suid),
            rgid: group(claim.rgid),
            egid: group(claim.egid),
            sgid: group(claim.sgid),
            ngroups: if was_root { 0 } else { claim.ngroups },
            groups,
            ..*claim
        }
    }
}

/// A claim of which nothing is left but who it counts as.
fn everything(id: u32, claim: &Credentials) -> Credentials {
    Credentials {
        ruid: id,
        euid: id,
        suid: id,
        rgid: id,
        egid: id,
        sgid: id,
        ngroups: 0,
        groups: [0; MAX_GROUPS],
        ..*claim
    }
}

/// Whether a claim that counts as this one is root's. `euid` is the effective user as who he is here:
/// where nobody is user 0, nobody is root.
pub fn is_root(claim: &Credentials, euid: u32) -> bool {
    claim.euid == ROOT && euid != NO_ID
}
