// SPDX-License-Identifier: GPL-2.0

//! What each user has in a node, and may have: channels, connections, messages that wait and their
//! bytes.
//!
//! A user is a real user id, whichever process it is. The kernel's own accounts of users are not for
//! modules. The memory itself is charged to the memory cgroup; this bounds the numbers, which cost
//! others time as well.
//!
//! The lock of the table is a leaf. A user stays in the table as long as there is something of his.

use crate::{
    config::Options,
    knet::{
        atomic_account,
        cred::{
            Cred,
            Power,
            UserNs, //
        },
        lock::SpinLockBh,
        net::Net, //
    },
    node::Node,
    stats::Counter, //
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

/// What a user has for as long as he likes.
#[derive(Clone, Copy)]
pub(crate) enum Thing {
    /// A channel.
    Channel,
    /// A connection.
    Connection,
}

/// How many kinds of them there are.
const THINGS: usize = 2;

impl Thing {
    fn limit(self, options: &Options) -> u32 {
        match self {
            Thing::Channel => options.user_channels.load(Relaxed),
            Thing::Connection => options.user_connections.load(Relaxed),
        }
    }
}

/// A user, and what he has.
pub(crate) struct User {
    uid: u32,
    things: [Atomic<u64>; THINGS],
    messages: Atomic<u64>,
    bytes: Atomic<u64>,
}

impl User {
    fn thing(&self, thing: Thing) -> &Atomic<u64> {
        let [channels, connections] = &self.things;
        match thing {
            Thing::Channel => channels,
            Thing::Connection => connections,
        }
    }

    fn has_nothing(&self) -> bool {
        self.things.iter().all(|count| count.load(Relaxed) == 0) && self.messages.load(Relaxed) == 0
    }

    /// Charges a message of `bytes` bytes, for as long as it is under way. The user has a
    /// connection. Process context.
    ///
    /// Errors: `EAGAIN` when he has too many, or too many bytes.
    pub(crate) fn message(self: &Arc<Self>, node: &Node, bytes: usize) -> Result<Waiting> {
        let bytes = bytes as u64;
        let messages = u64::from(node.options.user_messages.load(Relaxed));
        let most = u64::from(node.options.user_bytes.load(Relaxed));
        let waiting = Waiting {
            user: self.clone(),
            bytes,
        };
        let few = self.messages.fetch_add(1, Relaxed) < messages;
        let short = self.bytes.fetch_add(bytes, Relaxed) + bytes <= most;
        if (few && short) || may_exceed() {
            Ok(waiting)
        } else {
            // What was charged is given back with `waiting`.
            Err(refused(node))
        }
    }
}

/// A message that is charged to its sender's user.
pub(crate) struct Waiting {
    user: Arc<User>,
    bytes: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.user.messages.fetch_sub(1, Relaxed);
        self.user.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// A channel or a connection that is charged to its maker's user.
pub(crate) struct Owned {
    user: Arc<User>,
    thing: Thing,
}

impl Owned {
    /// Whose it is.
    pub(crate) fn user(&self) -> &Arc<User> {
        &self.user
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.user.thing(self.thing).fetch_sub(1, Relaxed);
    }
}

/// The users of a node.
pub(crate) type Users = SpinLockBh<KVec<Arc<User>>>;

/// Charges the calling user for one more thing. Process context.
///
/// Errors: `EAGAIN` when he has as many as one may have, `ENOMEM`.
pub(crate) fn charge(node: &Node, thing: Thing) -> Result<Owned> {
    let uid = Cred::of_caller().ids().ruid;
    let owned = enter(&node.ipc.users, uid, thing)?;
    let has = owned.user.thing(thing).load(Relaxed);
    if has > u64::from(thing.limit(&node.options)) && !may_exceed() {
        return Err(refused(node));
    }
    Ok(owned)
}

/// Counts one thing more for the user `uid`, who is found or entered under the same lock: so nobody
/// takes him for one who has nothing meanwhile.
fn enter(users: &Users, uid: u32, thing: Thing) -> Result<Owned> {
    if let Some(owned) = of_known(&users.lock(), uid, thing) {
        return Ok(owned);
    }
    let fresh = Arc::new(
        User {
            uid,
            things: [const { Atomic::new(0) }; THINGS],
            messages: Atomic::new(0),
            bytes: Atomic::new(0),
        },
        GFP_KERNEL_ACCOUNT,
    )?;
    let mut users = users.lock();
    if let Some(owned) = of_known(&users, uid, thing) {
        return Ok(owned);
    }
    users.retain(|user| !user.has_nothing());
    users.push(fresh.clone(), atomic_account())?;
    Ok(own(&fresh, thing))
}

fn of_known(users: &[Arc<User>], uid: u32, thing: Thing) -> Option<Owned> {
    let user = users.iter().find(|user| user.uid == uid)?;
    Some(own(user, thing))
}

fn own(user: &Arc<User>, thing: Thing) -> Owned {
    user.thing(thing).fetch_add(1, Relaxed);
    Owned {
        user: user.clone(),
        thing,
    }
}

/// Whether limits do not concern the caller. As with the kernel's own, the privilege counts in the
/// initial user namespace only, because everybody can make a namespace in which he is root.
fn may_exceed() -> bool {
    UserNs::of_net(Net::init()).allows(Power::Exceed)
}

fn refused(node: &Node) -> Error {
    node.stats.count(Counter::UserLimit);
    EAGAIN
}

#[kunit_tests(qnet_ipc_users)]
mod tests {
    use super::*;
    use crate::{
        knet::{
            net::per_net,
            new_spinlock_bh, //
        },
        node::Nodes,
    };

    #[test]
    fn a_user_is_known_while_he_has_something() -> Result {
        let users = Arc::pin_init(new_spinlock_bh!(KVec::new(), "qnet_test"), GFP_KERNEL)?;
        let one = enter(&users, 1, Thing::Channel)?;
        let two = enter(&users, 1, Thing::Connection)?;
        assert!(Arc::ptr_eq(one.user(), two.user()));
        let other = enter(&users, 2, Thing::Channel)?;
        assert!(!Arc::ptr_eq(one.user(), other.user()));
        assert_eq!(users.lock().len(), 2);
        drop((one, two));
        // Who has nothing makes room when another comes.
        let third = enter(&users, 3, Thing::Channel)?;
        assert_eq!(users.lock().len(), 2);
        assert_eq!(third.user().thing(Thing::Channel).load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn what_is_charged_is_given_back() -> Result {
        let node = per_net::<Nodes>(Net::init()).ok_or(ENODEV)?;
        let owned = charge(&node, Thing::Connection)?;
        let user = owned.user().clone();
        let before = user.thing(Thing::Connection).load(Relaxed);
        {
            let _messages = [user.message(&node, 100)?, user.message(&node, 23)?];
            assert_eq!(user.messages.load(Relaxed), 2);
            assert_eq!(user.bytes.load(Relaxed), 123);
        }
        drop(owned);
        assert!(user.messages.load(Relaxed) == 0 && user.bytes.load(Relaxed) == 0);
        assert_eq!(user.thing(Thing::Connection).load(Relaxed), before - 1);
        Ok(())
    }
}
