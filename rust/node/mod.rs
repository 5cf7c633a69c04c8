// SPDX-License-Identifier: GPL-2.0

//! A node: one network namespace's Qnet.
//!
//! A node owns its links (interfaces bound to it), its table of peers (other nodes that it has
//! heard of), the sessions with them, and what its programs have of message passing ([`Ipc`]).
//!
//! # Lock order
//!
//! An outer lock may be held while an inner one is taken, never the other way round:
//!
//! RTNL > `Node::links` > `Node::table` > `Peer::inner`
//!
//! The locks of [`crate::ipc`] are leaves among each other but for those that their file names.
//! No lock of this module is held while a frame is transmitted, a message is delivered or a thread
//! is woken: what is to be done is collected under the lock and done after it.

#![forbid(unsafe_code)]

mod charge;
mod events;
mod frame;
mod input;
mod link;
mod nr;
mod paths;
mod peer;
mod resolver;
mod table;
mod tap;
mod transmit;
mod transport;
mod variant;

pub(crate) use self::{
    charge::Charge,
    frame::Draft,
    link::{
        Bindings,
        LinkEvents, //
    },
    peer::{
        Patience,
        Peer,
        Tag, //
    },
};

use self::{
    charge::Accounts,
    nr::Questions,
    resolver::Resolver,
    table::Table, //
};
use crate::{
    config::Options,
    ipc::Ipc,
    knet::{
        cred::UserNs,
        lock::SpinLockBh,
        net::{
            Home,
            Net,
            PerNet, //
        },
        netdev,
        new_spinlock_bh,
        param,
        pid::PidNs,
        rand,
        siphash::SecretKey,
        timer::{
            impl_timer,
            now_ns,
            Timer,
            TimerOwner, //
        },
        uts,
        wait::WaitQueue, //
    },
    proto::{
        names::{
            self,
            Fqnn, //
        },
        qos::limit::RateLimit,
        time::Instant, //
    },
    stats::Stats,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
};

/// How often a second frames for unknown connections are answered.
const DOWN_ANSWERS: usize = 10;

/// The present moment of the clock that all machines of the protocol run by.
pub(crate) fn now() -> Instant {
    Instant::from_nanos(now_ns())
}

/// What the log is told of, now and then.
#[derive(Clone, Copy)]
pub(crate) enum Complaint {
    /// A node of the other byte order sends.
    Endian,
    /// Another machine claims the name of a node that lives.
    DuplicateName,
}

/// How many kinds of them there are.
const COMPLAINTS: usize = 2;

/// One network namespace's Qnet.
#[pin_data]
pub(crate) struct Node {
    /// Drawn when the node starts, not zero: the upper half of its connection ids, by which frames
    /// of an earlier life are told.
    life: u16,
    /// The namespace that it is the node of.
    home: Home,
    /// Of keys that servers give to clients.
    pub(crate) secret: SecretKey,
    pub(crate) options: Options,
    /// The user namespace that owns the network namespace: ids on the wire are numbers of it.
    pub(crate) users: UserNs,
    pub(crate) stats: Stats,
    /// Set when the end begins: nothing new from outside is taken in.
    ending: AtomicFlag,
    /// The last number of what was shown to taps.
    shown: Atomic<u32>,
    /// Bytes of frames that wait here.
    accounts: Accounts,
    /// When each complaint was last logged.
    complaints: [Atomic<u64>; COMPLAINTS],
    #[pin]
    identity: SpinLockBh<Identity>,
    #[pin]
    links: SpinLockBh<Bindings>,
    #[pin]
    table: SpinLockBh<Table>,
    /// Woken when a node becomes known, for those who ask for its name.
    #[pin]
    learned: WaitQueue,
    #[pin]
    resolver: SpinLockBh<Resolver>,
    #[pin]
    questions: Questions,
    #[pin]
    resolver_timer: Timer,
    /// How often frames for unknown connections are answered.
    #[pin]
    down_answers: SpinLockBh<RateLimit<DOWN_ANSWERS>>,
    #[pin]
    pub(crate) ipc: Ipc,
}

/// Who the node is.
struct Identity {
    /// `None` until there is a name: the node has no host name and no interface to make one from.
    fqnn: Option<Fqnn>,
    /// The pid namespace that process numbers on the wire belong to: that of whoever configured
    /// the node.
    pids: PidNs,
}

impl_timer! { impl Timer for Node { self.resolver_timer } }

impl TimerOwner for Node {
    fn expired(self: &Arc<Self>) {
        resolver::announce_if_due(self);
        resolver::probe_if_due(self);
    }
}

impl Node {
    fn new(net: &Net, home: Home) -> Result<Arc<Self>> {
        let fqnn = if net.is_init() { initial_name()? } else { None };
        let node = Arc::pin_init(
            try_pin_init!(Self {
                life: draw_life(),
                home,
                secret: SecretKey::draw(),
                options: Options::from_parameters()?,
                users: UserNs::of_net(net),
                stats: Stats::new(),
                ending: AtomicFlag::new(false),
                shown: Atomic::new(0),
                accounts: Accounts::new(),
                complaints: [const { Atomic::new(0) }; COMPLAINTS],
                identity <- new_spinlock_bh!(Identity {
                    fqnn,
                    pids: PidNs::of_caller(),
                }),
                links <- new_spinlock_bh!(Bindings::new()),
                table <- new_spinlock_bh!(Table::new()),
                learned <- WaitQueue::new(),
                resolver <- new_spinlock_bh!(Resolver::new()),
                questions <- Questions::new(),
                resolver_timer <- Timer::new(),
                down_answers <- new_spinlock_bh!(RateLimit::new()),
                ipc <- Ipc::new(),
            }),
            GFP_KERNEL,
        )?;
        if net.is_init() {
            let limit = node.options.max_num_l4s.load(Relaxed) as usize;
            node.links.lock().want_all(param::bind(), limit)?;
        }
        Ok(node)
    }

    /// The node's name; `None` while it has none.
    pub(crate) fn fqnn(&self) -> Option<Fqnn> {
        self.identity.lock().fqnn.clone()
    }

    /// Whether `name` in `domain` is this node.
    pub(crate) fn is_me(&self, name: &[u8], domain: &[u8]) -> bool {
        self.identity
            .lock()
            .fqnn
            .as_ref()
            .is_some_and(|fqnn| fqnn.name() == name && fqnn.domain() == domain)
    }

    /// The pid namespace of process numbers on the wire.
    pub(crate) fn wire_pids(&self) -> PidNs {
        self.identity.lock().pids.clone()
    }

    /// Gives the node another name (`qnet set host=NAME`) and announces it. Process context.
    ///
    /// Errors: `EINVAL` for what is no name.
    pub(crate) fn rename(self: &Arc<Self>, host: &[u8]) -> Result {
        let fqnn = names::parse_host(host).map_err(|_| EINVAL)?;
        self.identity.lock().fqnn = Some(fqnn);
        resolver::restart(self);
        Ok(())
    }

    /// An option has another value: the announcements go by it at once.
    pub(crate) fn options_changed(self: &Arc<Self>) {
        resolver::announce_if_due(self);
    }

    /// Remembers whose process numbers go over the wire: those of the caller's pid namespace.
    pub(crate) fn adopt_pids(&self) {
        let pids = PidNs::of_caller();
        let old = core::mem::replace(&mut self.identity.lock().pids, pids);
        // Given back without the lock, because the last reference frees the namespace.
        drop(old);
    }

    /// A name from an interface's address, for a node that has none.
    fn name_from(&self, mac: [u8; 6]) {
        let mut identity = self.identity.lock();
        if identity.fqnn.is_none() {
            identity.fqnn = Fqnn::new(&names::name_from_mac(mac), &names::Domain::EMPTY).ok();
        }
    }

    /// Whether a complaint may be logged: one of a kind in `errlog_ticks`, and none with `no_slog`.
    /// Legal in softirq.
    fn may_log(&self, complaint: Complaint) -> bool {
        let pause = self.options.errlog_ticks.load(Relaxed);
        if pause == 0 || self.options.no_slog.load(Relaxed) != 0 {
            return false;
        }
        let Some(last) = self.complaints.get(complaint as usize) else {
            return false;
        };
        let (now, before) = (now_ns(), last.load(Relaxed));
        let pause = self.options.tick().times(pause).as_nanos();
        if before != 0 && now < before.saturating_add(pause) {
            return false;
        }
        // Two CPUs that do this at once may both log.
        last.store(now, Relaxed);
        true
    }

    /// Whether the end has begun.
    fn is_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }

    /// Ends everything: peers are told, links are let go, blocked programs are released. Process
    /// context, may sleep. The node does nothing by itself afterwards.
    fn shutdown(self: &Arc<Self>) {
        self.ending.store(true, Relaxed);
        self.resolver_timer.shutdown();
        {
            // What an interface does at this moment is over when the lock is ours; later events no
            // longer find the node.
            let _rtnl = netdev::rtnl();
            link::detach_all(self);
        }
        for peer in self.all_peers() {
            peer.retire();
        }
        let table = core::mem::replace(&mut *self.table.lock(), Table::new());
        drop(table);
    }
}

/// A node's place in the kernel: one is made and ended with each network namespace.
pub(crate) struct Nodes;

impl PerNet for Nodes {
    type Data = Node;

    fn init(net: &Net, home: Home) -> Result<Arc<Node>> {
        Node::new(net, home)
    }

    /// The namespace's devices leave after this and before `exit`: it is the last moment at which
    /// peers can be told, and the moment by which the devices must have been let go.
    fn pre_exit(_net: &Net, node: &Arc<Node>) {
        node.shutdown();
    }

    fn exit(_node: Arc<Node>) {}
}

/// Half a connection id, by which the frames of an earlier life are told. Never 0.
fn draw_life() -> u16 {
    loop {
        let life = (rand::u32() & 0xffff) as u16;
        if life != 0 {
            return life;
        }
    }
}

/// The name that the initial namespace's node begins with: `host=`, else the host name. "localhost"
/// and a host name that is no name of a node leave it to the first interface's address.
///
/// Errors: `EINVAL` when `host=` is no name of a node.
fn initial_name() -> Result<Option<Fqnn>> {
    let host = param::host();
    if !host.is_empty() {
        let fqnn = names::parse_host(host).map_err(|_| {
            pr_err!("host= is no name of a node: 63 bytes at most, without '/', '~' and blanks\n");
            EINVAL
        })?;
        return Ok(Some(fqnn));
    }
    let mut buffer = [0; 65];
    let length = uts::hostname(&mut buffer);
    let host = buffer.get(..length).unwrap_or(&[]);
    match names::parse_host(host) {
        Ok(fqnn) if fqnn.name() != b"localhost" && fqnn.name() != b"(none)" => Ok(Some(fqnn)),
        Ok(_) => Ok(None),
        Err(_) => {
            pr_warn!(
                "the host name is no name of a node; the name comes from the first interface\n"
            );
            Ok(None)
        }
    }
}
