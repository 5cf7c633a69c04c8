// SPDX-License-Identifier: GPL-2.0

//! The LAN resolver (NDP): who is where.
//!
//! A node announces itself when it starts and from time to time, answers who asks for it, and asks
//! when a program wants a name that it does not know. The asking runs in the thread that wants the
//! name; announcing runs from a timer.

use super::{
    frame,
    input,
    link::Link,
    now,
    peer::Peer,
    Node, //
};
use crate::{
    knet::{
        timer::Timer,
        wait::Wait, //
    },
    proto::{
        lr::{
            self as machine,
            Announcer,
            LrAction,
            Resolution,
            ResolveStep, //
        },
        names::Fqnn,
        time::{
            earliest,
            Instant,
            Nanos, //
        },
        wire::{
            l4::{
                Flags,
                Header,
                Layer,
                PacketType, //
            },
            lr::{
                Kind,
                Packet,
                Party, //
            },
        },
    },
    stats::Counter, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// Everybody on the LAN.
const BROADCAST: [u8; 6] = [0xff; 6];

/// When the node announces itself, and looks for peers.
pub(super) struct Resolver {
    announcer: Announcer,
    /// When links by which a peer is not known are searched for it.
    probe: Option<Instant>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self {
            announcer: Announcer::new(),
            probe: None,
        }
    }
}

/// Announces the node anew: it has started, or has another name, interface or address.
pub(super) fn restart(node: &Arc<Node>) {
    node.resolver.lock().announcer = Announcer::new();
    announce_if_due(node);
}

/// Sends the announcement whose time has come, and sets the timer for the next.
pub(super) fn announce_if_due(node: &Arc<Node>) {
    let due = {
        let config = node.options.resolver();
        let mut resolver = node.resolver.lock();
        let due = resolver.announcer.poll(now(), &config);
        let announce = resolver.announcer.poll_timeout(now(), &config);
        let probe = *resolver
            .probe
            .get_or_insert(now().after(probe_interval(node)));
        if let Some(at) = earliest(announce, Some(probe)) {
            Timer::arm(node, at.as_nanos());
        }
        due
    };
    if !due {
        return;
    }
    let Some(me) = node.fqnn() else {
        return;
    };
    for link in node.links().into_iter().flatten() {
        let packet = Packet {
            kind: Kind::Reply,
            src: own_party(&me, &link),
            dst: Party {
                name: b"",
                domain: b"",
                mac: None,
            },
        };
        if send(&link, &packet, BROADCAST).is_ok() {
            node.stats.count(Counter::LrAnnouncements);
        }
    }
}

/// How long a link by which a peer is not known is left alone.
fn probe_interval(node: &Node) -> Nanos {
    let options = &node.options;
    let ticks = match options.probe_no_l4_time.load(Relaxed) {
        0 => options.conn_up_idle.load(Relaxed),
        ticks => ticks,
    };
    options.tick().times(ticks)
}

/// Asks for the peers with a session on the links by which they are not known, if it is time, and
/// sets the timer. Softirq.
pub(super) fn probe_if_due(node: &Arc<Node>) {
    {
        let mut resolver = node.resolver.lock();
        if resolver.probe.is_some_and(|at| at > now()) {
            return;
        }
        resolver.probe = None;
    }
    let links = node.links();
    // With one link there is nothing to be found.
    if links.iter().flatten().count() > 1 {
        for peer in node.all_peers() {
            if peer.connection() == 0 {
                continue;
            }
            for link in links.iter().flatten().filter(|link| !peer.is_behind(link)) {
                request(node, link, &peer.fqnn);
            }
        }
    }
    announce_if_due(node);
}

fn own_party<'a>(me: &'a Fqnn, link: &Link) -> Party<'a> {
    Party {
        name: me.name(),
        domain: me.domain(),
        mac: Some(link.dev.mac()),
    }
}

fn send(link: &Arc<Link>, packet: &Packet<'_>, to: [u8; 6]) -> Result {
    let length = packet.emitted_len();
    let header = Header {
        ptype: PacketType::Lres,
        flags: Flags::FIRST.union(Flags::LAST),
        layer: Layer::Lr,
        src_nd_for_dst: 0,
        dst_nd_for_src: 0,
        src_conn_id: 0,
        dst_conn_id: 0,
        seq: 0,
        qos_type: 0,
        src_qos_idx: 0,
        offset: 0,
        length: u32::try_from(length).map_err(|_| EINVAL)?,
        crc: 0,
    };
    let frame = frame::control(&link.node, header, length, |out| packet.emit(out).is_some())?;
    frame::transmit(link, frame, to);
    Ok(())
}

/// Takes a packet of the LAN resolver in, sent from the address `from`. Softirq.
pub(super) fn packet(link: &Arc<Link>, packet: &Packet<'_>, from: [u8; 6]) -> Result<(), Counter> {
    let node = &link.node;
    let src_is_us = node.is_me(packet.src.name, packet.src.domain);
    let dst_is_us = node.is_me(packet.dst.name, packet.dst.domain);
    let mac = packet.src.mac.unwrap_or(from);
    if src_is_us {
        let mut links = node.links().into_iter().flatten();
        if links.any(|own| own.dev.mac() == mac) {
            // Two interfaces of this node on one segment hear each other.
            node.stats.count(Counter::LrIgnored);
            return Ok(());
        }
        return Err(Counter::LrDuplicateName);
    }
    if !input::is_station(mac) {
        return Err(Counter::DropLrMalformed);
    }
    let theirs = Fqnn::from_parts(packet.src.name, packet.src.domain)
        .map_err(|_| Counter::DropLrMalformed)?;
    let solicited = node.table.lock().is_asked(&theirs);
    let auto_add = node.options.auto_add.load(Relaxed);
    match machine::decide(packet.kind, dst_is_us, src_is_us, solicited, auto_add) {
        LrAction::Learn => learn(link, &theirs, mac, solicited),
        LrAction::ReplyAndLearn => {
            learn(link, &theirs, mac, true)?;
            reply(link, packet, mac)
        }
        LrAction::Ignore(_) => {
            node.stats.count(Counter::LrIgnored);
            Ok(())
        }
    }
}

fn learn(link: &Arc<Link>, theirs: &Fqnn, mac: [u8; 6], wanted: bool) -> Result<(), Counter> {
    let node = &link.node;
    let peer = node.peer_or_new(theirs, wanted).map_err(refused)?;
    peer.locate(link, mac);
    for variant in node.variants_of(peer.nd) {
        variant.locate(link, mac);
    }
    // Who waits has looked at the peer under this lock, and is queued by the time it is ours.
    drop(node.table.lock());
    node.learned.wake_all();
    Ok(())
}

/// Under which name a node that was not put into the table is counted.
pub(super) fn refused(error: Error) -> Counter {
    if error == ENOSPC {
        Counter::LrTableFull
    } else {
        Counter::DropNoMemory
    }
}

fn reply(link: &Arc<Link>, asked: &Packet<'_>, to: [u8; 6]) -> Result<(), Counter> {
    let node = &link.node;
    let me = node.fqnn().ok_or(Counter::DropNotForUs)?;
    let answer = Packet {
        kind: Kind::Reply,
        src: own_party(&me, link),
        dst: Party {
            name: asked.src.name,
            domain: asked.src.domain,
            mac: Some(to),
        },
    };
    send(link, &answer, to).map_err(|_| Counter::DropNoMemory)?;
    node.stats.count(Counter::LrReplies);
    Ok(())
}

impl Node {
    /// Finds the node `fqnn`, asking the LAN if it must. Process context, interruptible.
    ///
    /// Errors: `ENOENT` if nobody answers to the name, `EINTR`, `ETIMEDOUT` after `deadline`,
    /// `ENETDOWN` when no interface is bound.
    pub(crate) fn resolve(
        self: &Arc<Self>,
        fqnn: &Fqnn,
        deadline: Option<u64>,
    ) -> Result<Arc<Peer>> {
        if let Some(peer) = self.located(fqnn) {
            return Ok(peer);
        }
        if self.links().iter().all(Option::is_none) {
            return Err(ENETDOWN);
        }
        self.table.lock().ask(fqnn)?;
        let result = self.ask(fqnn, deadline);
        self.table.lock().asked_enough(fqnn);
        result
    }

    fn located(&self, fqnn: &Fqnn) -> Option<Arc<Peer>> {
        self.peer_by_name(fqnn).filter(|peer| peer.is_located())
    }

    fn ask(self: &Arc<Self>, fqnn: &Fqnn, deadline: Option<u64>) -> Result<Arc<Peer>> {
        let config = self.options.resolver();
        let mut resolution = Resolution::start(now(), &config);
        loop {
            if let Some(peer) = self.located(fqnn) {
                return Ok(peer);
            }
            match resolution.poll(now()) {
                Some(ResolveStep::Ask) => self.request(fqnn),
                Some(ResolveStep::GiveUp) => return Err(ENOENT),
                None => {
                    let retry = resolution.poll_timeout().map(|at| at.as_nanos());
                    self.wait_for_news(fqnn, retry, deadline)?;
                }
            }
        }
    }

    /// Sleeps until a node becomes known, or until `retry`.
    fn wait_for_news(&self, fqnn: &Fqnn, retry: Option<u64>, deadline: Option<u64>) -> Result {
        let until = match (retry, deadline) {
            (Some(retry), Some(deadline)) => Some(retry.min(deadline)),
            (one, other) => one.or(other),
        };
        let mut table = self.table.lock();
        if table.by_name(fqnn).is_some_and(|peer| peer.is_located()) {
            return Ok(());
        }
        match self.learned.wait(&mut table, until) {
            Wait::Signal => Err(EINTR),
            Wait::TimedOut if deadline.is_some() && until == deadline => Err(ETIMEDOUT),
            Wait::Woken | Wait::TimedOut => Ok(()),
        }
    }

    /// Asks for a name on every link.
    fn request(self: &Arc<Self>, fqnn: &Fqnn) {
        for link in self.links().into_iter().flatten() {
            request(self, &link, fqnn);
        }
    }
}

/// Asks for a name on one link.
fn request(node: &Node, link: &Arc<Link>, fqnn: &Fqnn) {
    let Some(me) = node.fqnn() else {
        return;
    };
    let packet = Packet {
        kind: Kind::Request,
        src: own_party(&me, link),
        dst: Party {
            name: fqnn.name(),
            domain: fqnn.domain(),
            mac: None,
        },
    };
    if send(link, &packet, BROADCAST).is_ok() {
        node.stats.count(Counter::LrRequests);
    }
}
