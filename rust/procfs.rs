// SPDX-License-Identifier: GPL-2.0

//! `/proc/qnetstats` and `/proc/net/qnetstats`: what a node has done and holds.
//!
//! The first line is the one that QNX's file begins with, and so are the labels that it has.

#![forbid(unsafe_code)]

use crate::{
    knet::{
        net::{
            per_net,
            Net, //
        },
        proc::{
            SeqFile,
            Show, //
        },
    },
    node::{
        Node,
        Nodes,
        Peer, //
    },
    proto::{
        qos::session::MAX_PATHS,
        time::Nanos, //
    },
};
use kernel::{
    prelude::*,
    seq_print,
    str::BStr, //
    sync::atomic::Relaxed,
};

/// When the module was compiled, as "Jun  3 2008 at 14:08:23".
const COMPILED: &str = env!("QNET_COMPILED");

/// The file.
pub(crate) struct Statistics;

impl Show for Statistics {
    fn show(net: &Net, m: &SeqFile) -> Result {
        let node = per_net::<Nodes>(net).ok_or(ENETDOWN)?;
        show(&node, m);
        Ok(())
    }
}

fn show(node: &Node, m: &SeqFile) {
    let fqnn = node.fqnn();
    let name = fqnn.as_ref().map_or(&b"-"[..], |fqnn| fqnn.name());
    seq_print!(
        m,
        "**** Qnet compiled on {} running on {}\n",
        COMPILED,
        BStr::from_bytes(name)
    );
    node.stats.gauges(|label, now, peak| {
        seq_print!(m, "{:<24}: {},{}\n", label, now, peak);
    });
    node.stats.counters(|label, value| {
        seq_print!(m, "{:<24}: {}\n", label, value);
    });
    for link in node.links().into_iter().flatten() {
        let name = link.dev.name();
        seq_print!(m, "l4 {}\n", BStr::from_bytes(name.as_bytes()));
        let counters = &link.counters;
        let lines = [
            ("txd ok", &counters.txd_ok),
            ("txd bad", &counters.txd_bad),
            ("rxd ok", &counters.rxd_ok),
            ("rxd bad dr", &counters.rxd_bad_dr),
            ("rxd bad L4", &counters.rxd_bad_l4),
            ("retransmitted", &counters.retransmitted),
            ("nacks txd", &counters.nacks),
            ("nacks rxd", &counters.nacked),
            ("duplicates", &counters.duplicates),
        ];
        for (label, value) in lines {
            seq_print!(m, "{:<24}: {}\n", label, value.load(Relaxed));
        }
    }
    for peer in node.all_peers() {
        show_peer(&peer, m);
    }
}

/// The session with a peer, if there is one.
fn show_peer(peer: &Peer, m: &SeqFile) {
    let Some(status) = peer.status() else {
        return;
    };
    let micros = |time: Nanos| time.as_nanos() / 1000;
    let name = BStr::from_bytes(peer.fqnn.as_bytes());
    seq_print!(m, "peer {} nd {:#x}\n", name, peer.descriptor());
    let (window, flight) = status.window;
    seq_print!(m, "{:<24}: {:?}\n", "state", status.state);
    let round_trip = status.round_trip.map_or(0, micros);
    let lines = [
        ("window", u64::from(window)),
        ("in flight", u64::from(flight)),
        ("unacknowledged", u64::from(status.unacknowledged)),
        ("waiting", status.waiting as u64),
        ("held", u64::from(status.held)),
        ("partial", u64::from(status.partial)),
        ("round trip us", round_trip),
        ("timeout us", micros(status.timeout)),
    ];
    for (label, value) in lines {
        seq_print!(m, "{:<24}: {}\n", label, value);
    }
    for at in 0..MAX_PATHS as u8 {
        if let Some((path, state)) = peer.path_at(at) {
            let device = path.link.dev.name();
            let device = BStr::from_bytes(device.as_bytes());
            seq_print!(m, "{:<24}: {} {:?}\n", "path", device, state);
        }
    }
}
