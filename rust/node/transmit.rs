// SPDX-License-Identifier: GPL-2.0

//! What a peer's session wants to have done: frames leave, the timer is set, its end is told.
//!
//! It is collected under the peer's lock and done without it. One CPU at a time does so for a peer,
//! so that frames leave in the order that the session gave them: what overtakes looks like a loss.
//! Softirqs stay off meanwhile, because a thread that was preempted here would hold up the others.

use super::{
    charge,
    frame,
    link::Link,
    now,
    paths::Paths,
    peer::{
        Inner,
        Peer, //
    },
    transport::Transport, //
};
use crate::{
    knet::{
        genl::NodeEvent,
        lock::SoftirqsOff,
        skb::TxSkb,
        timer::Timer,
        trace::{
            self,
            Kind, //
        },
    },
    proto::{
        qos::session::{
            DownReason,
            Event,
            State,
            Transmit,
            Via, //
        },
        time::Instant,
        wire::{
            ack::{
                emit_ranges,
                emit_room,
                RANGE_LEN, //
            },
            l4::{
                Header,
                Layer, //
            },
            nr,
            tcs::Init, //
        },
    },
    stats::{
        Counter,
        Stats, //
    },
};
use kernel::{
    prelude::*,
    str::BStr,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// Frames that are collected under the lock at a time; one that takes every path may exceed it.
const BATCH: usize = 8;
/// Room for those that take every path.
const PLACES: usize = 2 * BATCH;
/// A CPU that finds more to do time and again leaves it to the timer, so that others get their turn.
const ROUNDS: usize = 64;

/// What was collected under the lock and is done after it.
struct Harvest {
    frames: [Option<Leaving>; PLACES],
    count: usize,
    /// An INIT, whose payload is made without the lock.
    init: Option<(Header, Way)>,
    event: Option<Ended>,
    /// A connection id whose end the peer has confirmed, or no longer needs to; 0: none.
    closed: u32,
    /// The one before it, whose end nobody confirmed; 0: none.
    replaced: u32,
    came_up: bool,
    made_room: bool,
}

/// A frame that leaves.
struct Leaving {
    frame: TxSkb,
    way: Way,
}

/// By which interface, and to which address.
struct Way {
    link: Arc<Link>,
    mac: [u8; 6],
}

/// A session that has ended.
pub(super) struct Ended {
    pub(super) connection: u32,
    pub(super) reason: DownReason,
}

impl Harvest {
    fn new() -> Self {
        Self {
            frames: [const { None }; PLACES],
            count: 0,
            init: None,
            event: None,
            closed: 0,
            replaced: 0,
            came_up: false,
            made_room: false,
        }
    }

    fn is_full(&self) -> bool {
        self.count >= BATCH || self.init.is_some()
    }

    fn add(&mut self, frame: TxSkb, way: Way) {
        if let Some(place) = self.frames.get_mut(self.count) {
            *place = Some(Leaving { frame, way });
            self.count += 1;
        }
    }
}

impl Peer {
    /// Transmits what is to be transmitted, arms the timer, and tells of the session's end; or leaves
    /// that to the CPU that is at it. No lock may be held.
    pub(super) fn pump(self: &Arc<Self>) {
        let _off = SoftirqsOff::new();
        {
            let mut inner = self.inner.lock();
            if inner.pumping {
                inner.again = true;
                return;
            }
            inner.pumping = true;
        }
        for _ in 0..ROUNDS {
            let mut harvest = Harvest::new();
            self.harvest(&mut harvest);
            let full = harvest.is_full();
            self.act(&mut harvest);
            let mut inner = self.inner.lock();
            if !full && !inner.again {
                inner.pumping = false;
                return;
            }
        }
        let mut inner = self.inner.lock();
        inner.pumping = false;
        self.arm(&mut inner, now());
    }

    /// Lets the timer go off at `at`, unless it does so earlier.
    fn arm(self: &Arc<Self>, inner: &mut Inner, at: Instant) {
        if inner.armed.is_none_or(|armed| armed > at) {
            inner.armed = Some(at);
            Timer::arm(self, at.as_nanos());
        }
    }

    /// Collects what there is to do.
    fn harvest(self: &Arc<Self>, harvest: &mut Harvest) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.again = false;
        let Some(transport) = inner.transport.as_deref_mut() else {
            return;
        };
        while let Some(event) = transport.session.poll_event() {
            match event {
                Event::Up => harvest.came_up = true,
                Event::Down(reason) => {
                    let lost = transport.clear();
                    self.node.stats.add(Counter::TxFailed, lost);
                    harvest.event = Some(Ended {
                        connection: core::mem::replace(&mut inner.connection, 0),
                        reason,
                    });
                }
            }
        }
        while let Some(seq) = transport.session.poll_freed() {
            harvest.made_room = true;
            drop(transport.free(seq));
        }
        if let Some(bytes) = inner.paths.payload() {
            transport.set_payload(bytes);
        }
        transport.session.set_room(charge::room(self));
        let now = now();
        while !harvest.is_full() {
            match transport.session.poll_transmit(now) {
                Some((transmit, via)) => {
                    self.prepare(transport, &inner.paths, &transmit, via, harvest);
                }
                None if transport.fill_window() => {}
                None => break,
            }
        }
        self.take_counters(transport);
        let timeout = transport.session.poll_timeout();
        let (state, current) = (transport.session.state(), transport.session.local().conn_id);
        if let Some(at) = timeout {
            self.arm(inner, at);
        }
        if let Some(ended) = &harvest.event {
            self.count_end(inner.opener);
            harvest.replaced = core::mem::replace(&mut inner.closing, ended.connection);
        }
        if state != State::Closing || current != inner.closing {
            harvest.closed = core::mem::replace(&mut inner.closing, 0);
        }
    }

    /// Takes over what the machines have counted.
    fn take_counters(&self, transport: &mut Transport) {
        let stats = &self.node.stats;
        let sent = transport.session.take_counters();
        let paths = transport.session.take_link_counters();
        let counts = [
            (Counter::TxTimeouts, sent.timeouts),
            (Counter::TxOvertaken, sent.overtaken),
            (Counter::TxRecut, sent.recut),
            (Counter::Pings, paths.pings),
            (Counter::PathsFailed, paths.failed),
            (Counter::PathsReturned, paths.returned),
        ];
        for (counter, n) in counts.into_iter().filter(|(_, n)| *n != 0) {
            stats.add(counter, u64::from(n));
        }
    }

    /// Makes the frame that the session asks for, for each path that it is to take.
    fn prepare(
        &self,
        transport: &mut Transport,
        paths: &Paths,
        transmit: &Transmit,
        via: Via,
        harvest: &mut Harvest,
    ) {
        let chosen = paths.iter().filter(|(at, _)| match via {
            Via::Path(path) => path == *at,
            Via::Every(paths) => paths >> (at & 7) & 1 != 0,
        });
        for (_, path) in chosen {
            let way = Way {
                link: path.link.clone(),
                mac: path.mac,
            };
            count_frame(&way.link, &self.node.stats, transmit);
            self.trace_frame(&way.link, transmit);
            if matches!(transmit, Transmit::Init) {
                let header = transport.session.header(transmit, Layer::Kif, 0);
                harvest.init = Some((header, way));
                return;
            }
            match self.frame(transport, transmit) {
                Ok(frame) => harvest.add(frame, way),
                Err(_) => self.node.stats.count(Counter::DropNoMemory),
            }
        }
    }

    /// Tells who traces it of a frame that leaves. Legal under the lock.
    #[inline]
    fn trace_frame(&self, link: &Link, transmit: &Transmit) {
        match transmit {
            Transmit::Piece(piece) if piece.again => {
                trace::Retransmit::trace(|| trace::Retransmit {
                    frame: self.traced(link, transmit),
                });
            }
            _ => trace::Transmit::trace(|| trace::Transmit {
                frame: self.traced(link, transmit),
            }),
        }
    }

    #[cold]
    fn traced(&self, link: &Link, transmit: &Transmit) -> trace::Frame {
        let (kind, seq, fragment) = match transmit {
            Transmit::Piece(piece) => (Kind::Message, piece.seq, Some(piece.fragment)),
            Transmit::Ack { seq, .. } => (Kind::Ack, *seq, None),
            Transmit::Nack { seq } => (Kind::Nack, *seq, None),
            Transmit::Ping | Transmit::PingReply => (Kind::Ping, 0, None),
            Transmit::Control(_) | Transmit::Init => (Kind::Session, 0, None),
        };
        trace::Frame {
            ifindex: link.dev.ifindex(),
            nd: self.descriptor(),
            kind,
            seq,
            offset: fragment.map_or(0, |fragment| fragment.offset),
            length: fragment.map_or(0, |fragment| fragment.length),
        }
    }

    /// Makes a frame, of a message or of the session's own. Legal under the lock.
    fn frame(&self, transport: &mut Transport, transmit: &Transmit) -> Result<TxSkb> {
        let node = &self.node;
        match transmit {
            Transmit::Piece(piece) => {
                let layer = transport.draft(piece.seq).ok_or(EINVAL)?.layer();
                let header = transport.session.header(transmit, layer, 0);
                transport
                    .draft(piece.seq)
                    .ok_or(EINVAL)?
                    .frame(node, header)
            }
            Transmit::Ack { room, .. } => {
                let header = transport.session.header(transmit, Layer::Kif, 0);
                let length = header.length as usize;
                frame::control(node, header, length, |out| {
                    if let Some(room) = room {
                        out.copy_from_slice(&emit_room(*room));
                    }
                    true
                })
            }
            Transmit::Nack { seq } => {
                let length = transport.missing(*seq).count() * RANGE_LEN;
                let size = u32::try_from(length).map_err(|_| EINVAL)?;
                let header = transport.session.header(transmit, Layer::Seq, size);
                frame::control(node, header, length, |out| {
                    emit_ranges(transport.missing(*seq), out).is_some()
                })
            }
            Transmit::Ping => self.heartbeat(transport, transmit, &nr::Message::Ping),
            Transmit::PingReply => self.heartbeat(transport, transmit, &nr::Message::PingReply),
            Transmit::Control(_) | Transmit::Init => {
                let header = transport.session.header(transmit, Layer::Kif, 0);
                frame::control(node, header, 0, |_| true)
            }
        }
    }

    fn heartbeat(
        &self,
        transport: &Transport,
        transmit: &Transmit,
        message: &nr::Message<'_>,
    ) -> Result<TxSkb> {
        let length = message.emitted_len();
        let size = u32::try_from(length).map_err(|_| EINVAL)?;
        let header = transport.session.header(transmit, Layer::Nr, size);
        frame::control(&self.node, header, length, |out| {
            message.emit(out).is_some()
        })
    }

    /// Does what was collected.
    fn act(self: &Arc<Self>, harvest: &mut Harvest) {
        for leaving in harvest.frames.iter_mut().filter_map(Option::take) {
            frame::transmit(&leaving.way.link, leaving.frame, leaving.way.mac);
        }
        if let Some((header, way)) = harvest.init.take() {
            match self.init_frame(header) {
                Ok(frame) => frame::transmit(&way.link, frame, way.mac),
                Err(_) => self.node.stats.count(Counter::DropNoMemory),
            }
        }
        let options = &self.node.options;
        let verbose = options.qos_verbose.load(Relaxed) != 0 && options.no_slog.load(Relaxed) == 0;
        if harvest.came_up {
            self.node.stats.count(Counter::NdUp);
            self.tell(NodeEvent::Up);
            if verbose {
                pr_info!(
                    "session with {} is up\n",
                    BStr::from_bytes(self.fqnn.as_bytes())
                );
            }
        }
        if harvest.came_up || harvest.made_room {
            self.room.wake_all();
        }
        if let Some(ended) = harvest.event.take() {
            if verbose {
                let name = BStr::from_bytes(self.fqnn.as_bytes());
                pr_info!("session with {} has ended: {:?}\n", name, ended.reason);
            }
            self.session_ended(&ended);
        }
        // An id is given to another session only when nobody looks for the old one any more.
        for id in [harvest.closed, harvest.replaced] {
            if id != 0 {
                self.node.release_connection(id);
            }
        }
    }

    /// Makes an INIT, which carries the names of both nodes.
    fn init_frame(&self, mut header: Header) -> Result<TxSkb> {
        let me = self.node.fqnn().ok_or(EHOSTUNREACH)?;
        let init = Init {
            src_name: me.name(),
            src_domain: me.domain(),
            dst_name: self.fqnn.name(),
            dst_domain: self.fqnn.domain(),
        };
        let length = init.emitted_len();
        header.length = u32::try_from(length).map_err(|_| EINVAL)?;
        frame::control(&self.node, header, length, |out| init.emit(out).is_some())
    }
}

/// Counts what leaves by a link, by its kind.
fn count_frame(link: &Link, stats: &Stats, transmit: &Transmit) {
    match transmit {
        Transmit::Piece(piece) if piece.again => {
            stats.count(Counter::Retransmitted);
            link.counters.retransmitted.add(1, Relaxed);
        }
        Transmit::Nack { .. } => {
            link.counters.nacks.add(1, Relaxed);
        }
        _ => {}
    }
}
