// SPDX-License-Identifier: GPL-2.0

//! Who may connect to a channel (`QNET_IOC_ACCESS`), and who its clients are
//! (`QNET_IOC_CLIENT_INFO`).
//!
//! Programs name users and groups by the numbers of their own user namespace.

use super::{
    argument::{
        reserved,
        Argument, //
    },
    QnetSocket, //
};
use crate::{
    ipc::{
        rights::Claim,
        ClientKey,
        Known, //
    },
    knet::{
        cred::{
            session_of,
            Cred,
            Ids,
            UserNs, //
        },
        pid::{
            Pid,
            PidNs, //
        },
        user::UserBuf, //
    },
    proto::kif::rights::{
        Access,
        NO_ID, //
    },
    uapi, //
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// An owner that stays as it is.
const AS_BEFORE: u32 = u32::MAX;
/// The scoid that stands for the caller.
const CALLER: i32 = -1;
/// Groups that are copied at a time.
const CHUNK: usize = 32;

/// Sets who may connect to the caller's channel. Process context.
///
/// Errors: `EINVAL` for a mode or an owner that cannot be, `EPERM` for one that the caller may not
/// set.
#[inline(never)]
pub(super) fn access(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::Access = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    if call.mode & !Access::MODES != 0 {
        return Err(EINVAL);
    }
    let users = UserNs::of_caller();
    let uid = owner(call.uid, |number| users.uid_from(number))?;
    let gid = owner(call.gid, |number| users.gid_from(number))?;
    let channel = socket.own_channel()?;
    channel.door.change(&socket.node, uid, gid, call.mode)
}

/// The user or group that a program names; `None` for the one there is.
fn owner(number: u32, find: impl FnOnce(u32) -> u32) -> Result<Option<u32>> {
    if number == AS_BEFORE {
        return Ok(None);
    }
    match find(number) {
        NO_ID => Err(EINVAL),
        id => Ok(Some(id)),
    }
}

/// Tells who a client of the calling process is. Process context.
///
/// Errors: `EINVAL` for a scoid that is none's, `EFAULT`.
#[inline(never)]
pub(super) fn client_info(socket: &QnetSocket, argument: &Argument) -> Result {
    let mut call: uapi::ClientInfo = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let users = UserNs::of_caller();
    let client = Client::find(socket, call.scoid)?;
    call.ngroups = client.write_groups(&users, call.groups, call.ngroups)?;
    let ids = users.numbers(&client.ids());
    call.nd = 0;
    (call.pid, call.sid) = client.process();
    if let Client::There { nd, .. } = &client {
        call.nd = u32::from(*nd);
    }
    call.ruid = ids.ruid;
    call.euid = ids.euid;
    call.suid = ids.suid;
    call.rgid = ids.rgid;
    call.egid = ids.egid;
    call.sgid = ids.sgid;
    argument.write(&call)
}

/// A client, or the caller.
enum Client {
    /// A process of this node.
    Here { pid: Pid, cred: Cred },
    /// A process of another node, and who it counts as.
    There { nd: u16, pid: i32, claim: Claim },
}

impl Client {
    fn find(socket: &QnetSocket, scoid: i32) -> Result<Self> {
        if scoid == CALLER {
            return Ok(Self::Here {
                pid: Pid::of_caller(),
                cred: Cred::of_caller(),
            });
        }
        match socket.caller()?.client(scoid)? {
            // One that has died is a client no more, although a child may have its socket.
            (ClientKey::Here(pid), Known::Here(seen)) if pid.alive() => Ok(Self::Here {
                pid,
                cred: seen.get(),
            }),
            (ClientKey::There { nd, pid }, Known::There(claims)) => Ok(Self::There {
                nd,
                pid,
                claim: claims.get(),
            }),
            _ => Err(EINVAL),
        }
    }

    fn ids(&self) -> Ids {
        match self {
            Self::Here { cred, .. } => cred.ids(),
            Self::There { claim, .. } => claim.ids,
        }
    }

    /// The numbers of the process and of its session: of one of this node in the caller's pid
    /// namespace.
    fn process(&self) -> (i32, i32) {
        match self {
            Self::Here { pid, .. } => (pid.nr(), session_of(pid, &PidNs::of_caller())),
            Self::There { pid, claim, .. } => (*pid, claim.sid),
        }
    }

    /// Copies the groups from the one at `from` on, and says how many there are.
    fn groups(&self, from: usize, into: &mut [u32]) -> usize {
        match self {
            Self::Here { cred, .. } => cred.groups(from, into),
            Self::There { claim, .. } => {
                let all = claim.groups();
                let rest = all.get(from..).unwrap_or(&[]);
                into.iter_mut()
                    .zip(rest)
                    .for_each(|(place, &group)| *place = group);
                all.len()
            }
        }
    }

    /// Writes as many groups as there is room for to a program, and says how many there are.
    fn write_groups(&self, users: &UserNs, address: u64, room: u32) -> Result<u32> {
        let all = self.groups(0, &mut []);
        let count = all.min(room as usize);
        let size = size_of::<u32>();
        let out = UserBuf::from_parts(address, (count * size) as u64, 0)?;
        let mut done = 0;
        while done < count {
            let mut chunk = [0; CHUNK];
            let chunk = chunk.get_mut(..CHUNK.min(count - done)).ok_or(EINVAL)?;
            self.groups(done, chunk);
            for group in chunk.iter_mut() {
                *group = users.gid_number(*group);
            }
            out.write_at(done * size, chunk.as_bytes())?;
            done += chunk.len();
        }
        u32::try_from(all).map_err(|_| EOVERFLOW)
    }
}
