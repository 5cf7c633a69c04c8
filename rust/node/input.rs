// SPDX-License-Identifier: GPL-2.0

//! What comes in: a frame is checked, counted, and brought to whom it concerns.
//!
//! Everything here runs in softirq. Whatever does not fit is dropped under a name of its own; only
//! data for a connection that does not live are answered, by a DOWN, and that at a bounded rate.

use super::{
    frame,
    link::Link,
    now,
    peer::Peer,
    resolver,
    Complaint,
    Node, //
};
use crate::{
    knet::skb::{
        self,
        RxSkb, //
    },
    proto::{
        names::{
            Fqnn,
            Policy, //
        },
        wire::{
            ack::{
                parse_room,
                Ranges,
                MAX_RANGES,
                RANGE_LEN, //
            },
            l4::{
                self,
                Flags,
                Header,
                HeaderError,
                Layer,
                PacketType,
                HEADER_LEN,
                MAX_PAD, //
            },
            lr,
            nr,
            tcs::Init, //
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

/// Takes a frame in; its data begin behind the EtherType.
pub(super) fn frame(link: &Arc<Link>, frame: RxSkb) {
    match take(link, frame) {
        Ok(()) => link.counters.rxd_ok.add(1, Relaxed),
        Err(counter) => {
            link.node.stats.count(counter);
            let cell = match counter {
                Counter::DropNoMemory => &link.counters.rxd_bad_dr,
                _ => &link.counters.rxd_bad_l4,
            };
            cell.add(1, Relaxed);
        }
    }
}

fn take(link: &Arc<Link>, mut frame: RxSkb) -> Result<(), Counter> {
    let total = frame.len();
    let head = frame
        .pull(total.min(HEADER_LEN + MAX_PAD))
        .ok_or(Counter::DropNoMemory)?;
    let (pad, header) =
        l4::parse(head, total).map_err(|error| header_counter(&link.node, error))?;
    frame.skip(pad);
    check_crc(&link.node, &header, &frame)?;
    frame.skip(HEADER_LEN);
    // What Ethernet pads a short frame with lies behind the payload.
    frame
        .truncate(header.length as usize)
        .map_err(|_| Counter::DropNoMemory)?;

    if header.ptype == PacketType::Lres {
        return name_resolution(link, &header, frame);
    }
    if !frame.is_unicast() {
        return Err(Counter::DropNotForUs);
    }
    match header.ptype {
        PacketType::TcsInit => init(link, &header, frame),
        PacketType::TcsRemUp | PacketType::TcsUp | PacketType::TcsDown | PacketType::TcsRemDown => {
            peer_of(link, &header)?.on_control(link, frame.src_mac(), &header)
        }
        PacketType::User | PacketType::UserData => data(link, &header, frame),
        PacketType::Ack => ack(link, &header, frame),
        PacketType::Nack => nack(link, &header, frame),
        PacketType::Lres => Err(Counter::DropType),
    }
}

/// Under which name a header that cannot be is counted.
fn header_counter(node: &Node, error: HeaderError) -> Counter {
    match error {
        HeaderError::Short => Counter::DropShort,
        HeaderError::OtherEndian => {
            if node.may_log(Complaint::Endian) {
                pr_warn!("a node of the other byte order sends; Qnet cannot talk to it\n");
            }
            Counter::DropEndian
        }
        HeaderError::Version => Counter::DropVersion,
        HeaderError::Type => Counter::DropType,
        HeaderError::Layer => Counter::DropLayer,
        HeaderError::Flags => Counter::DropFlags,
        HeaderError::Length => Counter::DropLength,
        HeaderError::Offset => Counter::DropOffset,
    }
}

/// Checks the CRC of a packet that has one; `packet` begins with the L4 header, whose bytes are
/// linear.
fn check_crc(node: &Node, header: &Header, packet: &RxSkb) -> Result<(), Counter> {
    if !header.flags.contains(Flags::CRC) {
        let options = &node.options;
        let wanted = options.do_crc.load(Relaxed) != 0 && options.enforce_crc.load(Relaxed) != 0;
        return if wanted {
            Err(Counter::DropNoCrc)
        } else {
            Ok(())
        };
    }
    let mut head = [0; HEADER_LEN];
    packet
        .copy_to_slice(0, &mut head)
        .map_err(|_| Counter::DropShort)?;
    if let Some(own) = head.last_chunk_mut::<4>() {
        // The CRC covers zeroes in its own place.
        *own = [0; 4];
    }
    let seed = skb::crc32_be(0, &head);
    if packet.crc32_be(seed, HEADER_LEN, header.length as usize) == header.crc {
        Ok(())
    } else {
        Err(Counter::DropCrc)
    }
}

/// The peer whose session a packet belongs to, by the id that it names.
fn peer_of(link: &Link, header: &Header) -> Result<Arc<Peer>, Counter> {
    link.node
        .peer_by_connection(header.dst_conn_id)
        .ok_or(Counter::DropUnknownConn)
}

/// An acknowledgement.
fn ack(link: &Link, header: &Header, mut frame: RxSkb) -> Result<(), Counter> {
    let peer = peer_of(link, header)?;
    let from = frame.src_mac();
    let length = frame.len();
    let payload = frame.pull(length).ok_or(Counter::DropNoMemory)?;
    let room = parse_room(payload).map_err(|_| Counter::DropAck)?;
    peer.on_ack(link, from, header, room)
}

/// What a peer misses of a message.
fn nack(link: &Link, header: &Header, mut frame: RxSkb) -> Result<(), Counter> {
    let peer = peer_of(link, header)?;
    let from = frame.src_mac();
    // More than there can be is not looked at.
    let length = frame.len().min(MAX_RANGES * RANGE_LEN + 1);
    let payload = frame.pull(length).ok_or(Counter::DropNoMemory)?;
    let ranges = Ranges::parse(payload).map_err(|_| Counter::DropAck)?;
    link.counters.nacked.add(1, Relaxed);
    peer.on_nack(link, from, header, ranges)
}

/// A message, a part of one, or a heartbeat.
fn data(link: &Arc<Link>, header: &Header, frame: RxSkb) -> Result<(), Counter> {
    let peer = match peer_of(link, header) {
        Ok(peer) => peer,
        Err(counter) => {
            answer_down(link, header, frame.src_mac());
            return Err(counter);
        }
    };
    if header.layer == Layer::Nr && header.seq == 0 {
        return heartbeat(link, &peer, header, frame);
    }
    let frame = match link.node.options.ret_drvr_rx_buf.load(Relaxed) {
        0 => frame,
        _ => {
            let stats = &link.node.stats;
            stats.add(Counter::RxCopied, frame.len() as u64);
            frame.copied().map_err(|_| Counter::DropNoMemory)?
        }
    };
    let taken = peer.on_data(link, header, frame);
    if matches!(taken, Err(Counter::DropDuplicate)) {
        link.counters.duplicates.add(1, Relaxed);
    }
    taken
}

/// A ping, or the answer to one.
fn heartbeat(
    link: &Link,
    peer: &Arc<Peer>,
    header: &Header,
    mut frame: RxSkb,
) -> Result<(), Counter> {
    let from = frame.src_mac();
    let length = frame.len().min(nr::MAX_LEN);
    let payload = frame.pull(length).ok_or(Counter::DropNoMemory)?;
    match nr::Message::parse(payload) {
        Ok(nr::Message::Ping) => peer.on_ping(link, from, header, false),
        Ok(nr::Message::PingReply) => peer.on_ping(link, from, header, true),
        _ => Err(Counter::DropNr),
    }
}

/// Tells a peer that the connection it sends on does not live here, so that it notices at once.
fn answer_down(link: &Arc<Link>, header: &Header, to: [u8; 6]) {
    if !is_station(to) || !link.node.down_answers.lock().allow(now()) {
        return;
    }
    let answer = Header {
        ptype: PacketType::TcsDown,
        flags: Flags::FIRST.union(Flags::LAST),
        layer: Layer::Kif,
        src_nd_for_dst: header.dst_nd_for_src,
        dst_nd_for_src: header.src_nd_for_dst,
        src_conn_id: header.dst_conn_id,
        dst_conn_id: header.src_conn_id,
        seq: 0,
        qos_type: header.qos_type,
        src_qos_idx: header.src_qos_idx,
        offset: 0,
        length: 0,
        crc: 0,
    };
    if let Ok(frame) = frame::control(&link.node, answer, 0, |_| true) {
        frame::transmit(link, frame, to);
    }
}

/// Whether an address can be that of one machine.
pub(super) fn is_station(mac: [u8; 6]) -> bool {
    mac[0] & 1 == 0 && mac != [0; 6]
}

/// A peer opens a session.
fn init(link: &Arc<Link>, header: &Header, mut frame: RxSkb) -> Result<(), Counter> {
    let from = frame.src_mac();
    let length = frame.len();
    let payload = frame.pull(length).ok_or(Counter::DropNoMemory)?;
    let init = Init::parse(payload).map_err(|_| Counter::DropTcsMalformed)?;
    let node = &link.node;
    if !node.is_me(init.dst_name, init.dst_domain) {
        return Err(Counter::DropNotForUs);
    }
    let theirs =
        Fqnn::from_parts(init.src_name, init.src_domain).map_err(|_| Counter::DropTcsMalformed)?;
    let mine = node.fqnn().ok_or(Counter::DropNotForUs)?;
    if mine == theirs {
        return Err(Counter::LrDuplicateName);
    }
    if !is_station(from) || node.is_ending() {
        return Err(Counter::DropState);
    }
    let base = node.peer_or_new(&theirs, true).map_err(resolver::refused)?;
    let peer = match header.src_qos_idx {
        0 => base,
        number => {
            let policy = Policy::from_wire(header.qos_type).ok_or(Counter::DropTcsMalformed)?;
            node.variant_of_peer(&base, policy, number)
                .map_err(resolver::refused)?
        }
    };
    peer.on_init(link, from, header, mine < theirs)
        .map_err(|error| match error {
            ENOSPC => Counter::DropLimit,
            EHOSTDOWN => Counter::DropState,
            EEXIST => Counter::LrDuplicateName,
            _ => Counter::DropNoMemory,
        })
}

/// A packet of the LAN resolver.
fn name_resolution(link: &Arc<Link>, header: &Header, mut frame: RxSkb) -> Result<(), Counter> {
    if header.layer != Layer::Lr {
        return Err(Counter::DropLayer);
    }
    let from = frame.src_mac();
    let length = frame.len();
    let payload = frame.pull(length).ok_or(Counter::DropNoMemory)?;
    let packet = lr::Packet::parse(payload).map_err(|_| Counter::DropLrMalformed)?;
    resolver::packet(link, &packet, from)
}
