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
        Nodes, //
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
        ];
        for (label, value) in lines {
            seq_print!(m, "{:<24}: {}\n", label, value.load(Relaxed));
        }
    }
}
