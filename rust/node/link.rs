// SPDX-License-Identifier: GPL-2.0

//! Links: the interfaces that a node is bound to.
//!
//! A node binds no interface until told to, because loading a module must not open a machine to
//! its LAN. A binding is a name; it holds a [`Link`] while there is an interface of that name. All
//! changes happen under RTNL, so that an interface cannot leave in the middle of one.

use super::{
    input,
    resolver,
    Node, //
};
use crate::{
    knet::{
        genl::LinkEvent,
        net::{
            per_net,
            Net, //
        },
        netdev::{
            self,
            DevEvent,
            DevEvents,
            DevName,
            DevView,
            NetDevice, //
        },
        packet::{
            PacketHandler,
            Receive, //
        },
        skb::RxSkb, //
    },
    uapi, //
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

/// An interface with a smaller MTU cannot be bound: the longest message would have too many
/// fragments.
const LEAST_MTU: u32 = 576;

/// The most interfaces that one node binds.
pub(crate) const MAX_LINKS: usize = 8;

/// What one link counts, with QNX's labels.
pub(crate) struct LinkCounters {
    /// Frames handed to the interface.
    pub(crate) txd_ok: Atomic<u64>,
    /// Frames that the interface or the queue before it refused.
    pub(crate) txd_bad: Atomic<u64>,
    /// Frames that were taken.
    pub(crate) rxd_ok: Atomic<u64>,
    /// Frames that this kernel could not take in.
    pub(crate) rxd_bad_dr: Atomic<u64>,
    /// Frames that the protocol dropped; `drop ...` tells why.
    pub(crate) rxd_bad_l4: Atomic<u64>,
    /// Fragments that were sent again by it.
    pub(crate) retransmitted: Atomic<u64>,
    /// NACKs that were sent by it, and that came by it.
    pub(crate) nacks: Atomic<u64>,
    pub(crate) nacked: Atomic<u64>,
    /// Messages, or fragments of one, that came by it and were there already.
    pub(crate) duplicates: Atomic<u64>,
}

impl LinkCounters {
    const fn new() -> Self {
        Self {
            txd_ok: Atomic::new(0),
            txd_bad: Atomic::new(0),
            rxd_ok: Atomic::new(0),
            rxd_bad_dr: Atomic::new(0),
            rxd_bad_l4: Atomic::new(0),
            retransmitted: Atomic::new(0),
            nacks: Atomic::new(0),
            nacked: Atomic::new(0),
            duplicates: Atomic::new(0),
        }
    }
}

/// An interface that a node sends and receives by.
pub(crate) struct Link {
    pub(crate) node: Arc<Node>,
    pub(crate) dev: NetDevice,
    pub(crate) counters: LinkCounters,
    /// The node has let the interface go.
    gone: AtomicFlag,
    /// What was last told of its carrier; changed under RTNL.
    carrier: AtomicFlag,
}

impl Receive for Link {
    fn receive(self: &Arc<Self>, frame: RxSkb) {
        input::frame(self, frame);
    }
}

impl Link {
    /// Whether both are the same interface.
    pub(super) fn is(&self, other: &Link) -> bool {
        self.dev.ifindex() == other.dev.ifindex()
    }

    /// The longest L4 payload that fits one frame, in bytes.
    pub(super) fn payload_limit(&self) -> usize {
        let overhead = super::frame::OVERHEAD;
        (self.dev.mtu() as usize).saturating_sub(overhead)
    }

    /// Whether the node has let the interface go.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Whether its carrier was told to be otherwise. Under RTNL.
    pub(super) fn carrier_is_news(&self, carrier: bool) -> bool {
        let news = self.carrier.load(Relaxed) != carrier;
        self.carrier.store(carrier, Relaxed);
        news
    }

    /// Whether frames can leave by it.
    pub(super) fn has_carrier(&self) -> bool {
        self.dev.is_up() && self.dev.has_carrier()
    }
}

/// A link together with what delivers its frames; the handler goes first.
struct Attached {
    _handler: Pin<KBox<PacketHandler<Link>>>,
    link: Arc<Link>,
}

/// One name that the node is bound to.
struct Binding {
    name: DevName,
    attached: Option<Attached>,
}

/// The interfaces that a node is bound to.
pub(crate) struct Bindings {
    all: bool,
    bindings: KVec<Binding>,
}

impl Bindings {
    pub(super) const fn new() -> Self {
        Self {
            all: false,
            bindings: KVec::new(),
        }
    }

    /// Takes the names of a `bind=` parameter: separated by commas, or "all".
    ///
    /// Errors: `EINVAL` for what cannot be the name of an interface.
    pub(super) fn want_all(&mut self, names: &[u8], limit: usize) -> Result {
        for name in names
            .split(|&byte| byte == b',')
            .filter(|name| !name.is_empty())
        {
            if name == b"all" {
                self.all = true;
            } else {
                self.want(DevName::new(name)?, limit)?;
            }
        }
        Ok(())
    }

    /// Errors: `EEXIST` for a name that is there, `ENOSPC` beyond `limit`.
    fn want(&mut self, name: DevName, limit: usize) -> Result {
        if self.find(&name).is_some() {
            return Err(EEXIST);
        }
        if self.bindings.len() >= limit.min(MAX_LINKS) {
            return Err(ENOSPC);
        }
        let binding = Binding {
            name,
            attached: None,
        };
        self.bindings.push(binding, GFP_ATOMIC)?;
        Ok(())
    }

    fn find(&self, name: &DevName) -> Option<usize> {
        self.bindings
            .iter()
            .position(|binding| binding.name == *name)
    }

    /// The binding that waits for an interface of that name.
    fn vacant(&mut self, name: &DevName) -> Option<&mut Binding> {
        self.bindings
            .iter_mut()
            .find(|binding| binding.name == *name && binding.attached.is_none())
    }
}

impl Node {
    /// The links there are, in the order in which they were bound.
    pub(crate) fn links(&self) -> [Option<Arc<Link>>; MAX_LINKS] {
        let bindings = self.links.lock();
        let mut attached = bindings
            .bindings
            .iter()
            .filter_map(|binding| binding.attached.as_ref());
        core::array::from_fn(|_| attached.next().map(|attached| attached.link.clone()))
    }

    /// Binds the interface `name`, or the first to come by that name; "all" binds every Ethernet
    /// interface. Process context, may sleep.
    ///
    /// Errors: `EEXIST` if it is bound, `ENOSPC` beyond `max_num_l4s`, `EINVAL` for a name that no
    /// interface can have, `EOPNOTSUPP` for an interface that is not Ethernet.
    pub(crate) fn bind(self: &Arc<Self>, net: &Net, name: &[u8]) -> Result {
        let rtnl = netdev::rtnl();
        self.adopt_pids();
        if name == b"all" {
            self.links.lock().all = true;
            netdev::for_each(&rtnl, net, |dev| {
                if may_bind(dev) {
                    // What is bound already stays as it is.
                    let _ = self.bind_present(dev);
                }
            });
            return Ok(());
        }
        let name = DevName::new(name)?;
        match netdev::by_name(net, name.as_bytes()) {
            Some(dev) => self.bind_present(&dev),
            None => self.links.lock().want(name, self.link_limit()),
        }
    }

    /// How many interfaces may be bound.
    fn link_limit(&self) -> usize {
        self.options.max_num_l4s.load(Relaxed) as usize
    }

    fn bind_present(self: &Arc<Self>, dev: &NetDevice) -> Result {
        if !may_bind(dev) {
            return Err(EOPNOTSUPP);
        }
        self.links.lock().want(dev.name(), self.link_limit())?;
        let result = attach(self, dev.clone());
        if result.is_err() {
            self.forget(&dev.name());
        }
        result
    }

    /// Lets the interface `name` go: the sessions over it are ended. Process context, may sleep.
    ///
    /// Errors: `ENOENT` if it is not bound.
    pub(crate) fn unbind(self: &Arc<Self>, name: &[u8]) -> Result {
        let _rtnl = netdev::rtnl();
        if name == b"all" {
            self.links.lock().all = false;
            return Ok(());
        }
        let name = DevName::new(name)?;
        if self.links.lock().find(&name).is_none() {
            return Err(ENOENT);
        }
        detach(self, &name);
        self.forget(&name);
        Ok(())
    }

    fn forget(&self, name: &DevName) {
        let mut bindings = self.links.lock();
        if let Some(index) = bindings.find(name) {
            // The binding is vacant by now, so that nothing that sleeps is dropped here.
            let _ = bindings.bindings.remove(index);
        }
    }

    fn link_by_name(&self, name: &DevName) -> Option<Arc<Link>> {
        let bindings = self.links.lock();
        let binding = bindings.bindings.get(bindings.find(name)?)?;
        Some(binding.attached.as_ref()?.link.clone())
    }

    fn link_by_index(&self, ifindex: u32) -> Option<Arc<Link>> {
        let is_it = |link: &Arc<Link>| link.dev.ifindex() == ifindex;
        self.links().into_iter().flatten().find(is_it)
    }

    /// The binding at `index`, for a listing: its name, and the link if there is one.
    pub(crate) fn binding_at(&self, index: usize) -> Option<(DevName, Option<Arc<Link>>)> {
        let bindings = self.links.lock();
        let binding = bindings.bindings.get(index)?;
        let link = binding
            .attached
            .as_ref()
            .map(|attached| attached.link.clone());
        Some((binding.name, link))
    }
}

/// Whether an interface can carry Qnet: Ethernet, not the loopback, and with frames that are long
/// enough.
fn may_bind(dev: &NetDevice) -> bool {
    dev.is_ethernet() && dev.mtu() >= LEAST_MTU
}

/// Puts the interface into its vacant binding and begins to take its frames. Under RTNL.
fn attach(node: &Arc<Node>, dev: NetDevice) -> Result {
    let name = dev.name();
    node.name_from(dev.mac());
    let link = Arc::new(
        Link {
            node: node.clone(),
            dev,
            counters: LinkCounters::new(),
            gone: AtomicFlag::new(false),
            carrier: AtomicFlag::new(false),
        },
        GFP_KERNEL,
    )?;
    let handler = PacketHandler::register(&link.dev, uapi::ETH_P_QNET, link.clone())?;
    let up = link.dev.is_up();
    let mut spare = Some(Attached {
        _handler: handler,
        link: link.clone(),
    });
    if let Some(binding) = node.links.lock().vacant(&name) {
        binding.attached = spare.take();
    }
    if spare.is_none() {
        link.tell(LinkEvent::Bound, &name);
        link.tell_carrier(link.has_carrier());
    }
    // Without a vacant binding the handler is dropped here, where it may sleep.
    drop(spare);
    if up {
        resolver::restart(node);
    }
    Ok(())
}

/// Takes the interface out of its binding, which stays and waits for the next of that name. Under
/// RTNL or when the node ends; sleeps until no frame is being received by it.
fn detach(node: &Arc<Node>, name: &DevName) {
    let Some(link) = node.link_by_name(name) else {
        return;
    };
    let attached = {
        let mut bindings = node.links.lock();
        bindings
            .find(name)
            .and_then(|index| bindings.bindings.get_mut(index))
            .and_then(|binding| binding.attached.take())
    };
    // No frame comes in by it from here on, so that no session begins; sending still works.
    drop(attached);
    // Nor does it become a path to anybody.
    link.gone.store(true, Relaxed);
    // Nobody else would end them: without a way to the peer nothing is sent that could fail.
    for peer in node.all_peers() {
        if peer.depends_on(&link) {
            peer.close();
            // Another CPU may be about to transmit what tells the peer.
            peer.wait_for_pump();
        }
        if peer.is_behind(&link) {
            peer.forget_link(&link);
        }
    }
    // It may have another name by now.
    link.tell(LinkEvent::Unbound, name);
}

/// Lets all interfaces go, at the end of the node.
pub(super) fn detach_all(node: &Arc<Node>) {
    for link in node.links().into_iter().flatten() {
        detach(node, &link.dev.name());
    }
    let bindings = core::mem::replace(&mut *node.links.lock(), Bindings::new());
    drop(bindings);
}

/// Tells the peers' sessions whether frames can leave by a link; `goes`: the interface goes down.
fn carrier_changed(node: &Arc<Node>, ifindex: u32, goes: bool) {
    let Some(link) = node.link_by_index(ifindex) else {
        return;
    };
    let carrier = link.has_carrier() && !goes;
    link.tell_carrier(carrier);
    for peer in node.all_peers() {
        peer.carrier_changed(&link, carrier);
    }
}

/// What interfaces do, for all namespaces. RTNL is held; process context.
pub(crate) struct LinkEvents;

impl DevEvents for LinkEvents {
    fn event(net: &Net, dev: &DevView<'_>, event: DevEvent) {
        let Some(node) = per_net::<super::Nodes>(net) else {
            return;
        };
        match event {
            DevEvent::Register => appeared(&node, dev),
            DevEvent::Up => {
                appeared(&node, dev);
                carrier_changed(&node, dev.ifindex(), false);
                if node.link_by_index(dev.ifindex()).is_some() {
                    resolver::restart(&node);
                }
            }
            DevEvent::Unregister => vanished(&node, dev.ifindex()),
            DevEvent::ChangeName => {
                vanished(&node, dev.ifindex());
                appeared(&node, dev);
            }
            // With another address, or with a carrier again, the interface tells who is there.
            DevEvent::ChangeAddr | DevEvent::Change => {
                carrier_changed(&node, dev.ifindex(), false);
                if node.link_by_index(dev.ifindex()).is_some() && dev.has_carrier() {
                    resolver::restart(&node);
                }
            }
            DevEvent::GoingDown | DevEvent::Down => {
                carrier_changed(&node, dev.ifindex(), true);
            }
            // What is under way in frames that are too long now is cut anew.
            DevEvent::ChangeMtu => {
                if may_bind(&dev.hold()) {
                    appeared(&node, dev);
                } else {
                    vanished(&node, dev.ifindex());
                }
                for peer in node.all_peers() {
                    peer.pump();
                }
            }
        }
    }
}

/// An interface is there: binds it if the node waits for it.
fn appeared(node: &Arc<Node>, dev: &DevView<'_>) {
    let dev = dev.hold();
    if !may_bind(&dev) || node.link_by_index(dev.ifindex()).is_some() {
        return;
    }
    let name = dev.name();
    let wanted = {
        let mut bindings = node.links.lock();
        if bindings.all && bindings.find(&name).is_none() {
            // A binding more than there may be is not made; the others stay.
            let _ = bindings.want(name, node.link_limit());
        }
        bindings.vacant(&name).is_some()
    };
    if wanted && attach(node, dev).is_err() {
        pr_warn!("no memory to bind an interface\n");
    }
}

/// An interface leaves, or has another name: lets it go.
fn vanished(node: &Arc<Node>, ifindex: u32) {
    // A renamed interface is found by its number, under the name that it was bound by.
    let name = {
        let bindings = node.links.lock();
        bindings.bindings.iter().find_map(|binding| {
            let attached = binding.attached.as_ref()?;
            (attached.link.dev.ifindex() == ifindex).then_some(binding.name)
        })
    };
    if let Some(name) = name {
        detach(node, &name);
    }
}
