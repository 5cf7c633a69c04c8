// SPDX-License-Identifier: GPL-2.0

//! Qnet for Linux: Neutrino's message passing, on one machine and between machines.
//!
//! The crate has four layers, each of which calls only those below it: `proto` (the protocol: pure
//! decisions), `sys` (raw bindings), `knet` (safe wrappers around the kernel), and on top the node,
//! message passing and the sockets. Documentation/architecture.md is the way in.
//!
//! This file has the module's parameters and the order in which it registers itself.

#![deny(unsafe_op_in_unsafe_fn)]

use kernel::prelude::*;

mod af_qnet;
mod config;
mod ipc;
mod knet;
mod netlink;
mod node;
mod procfs;
pub mod proto;
mod stats;
mod sys;
mod uapi;

use crate::{
    af_qnet::QnetSocket,
    knet::{
        death,
        genl::GenlFamily,
        net::PerNetRegistration,
        netdev::Notifier,
        param,
        proc::ProcFile,
        sock::Family,
        work, //
    },
    netlink::Configuration,
    node::{
        LinkEvents,
        Nodes, //
    },
    procfs::Statistics,
};

module! {
    type: Qnet,
    name: "qnet",
    authors: ["The qnet developers"],
    description: "Qnet: QNX Neutrino message passing between nodes",
    license: "GPL",
    alias: ["net-pf-18"],
    params: {
        auto_add: u32 {
            default: 150,
            description: "Ticks between two announcements of the node; 0: none",
        },
        res_retries: u32 {
            default: 2,
            description: "Repetitions of a request for a name",
        },
        res_ticks: u32 {
            default: 1,
            description: "Ticks before a request for a name is repeated",
        },
        periodic_ticks: u32 {
            default: 5,
            description: "Ticks a second",
        },
        conn_est_retries: u32 {
            default: 1,
            description: "Repetitions of a session's set-up",
        },
        conn_est_timeout: u32 {
            default: 1,
            description: "Ticks before a session's set-up is repeated",
        },
        tx_retries: u32 {
            default: 25,
            description: "Retransmissions before a link counts as failed",
        },
        tx_ticks: u32 {
            default: 1,
            description: "Ticks before a transmission is repeated, at the most",
        },
        conn_up_idle: u32 {
            default: 50,
            description: "Ticks of silence before a peer is asked whether it lives",
        },
        conn_up_retries: u32 {
            default: 6,
            description: "Such questions, one a tick, before a link counts as failed",
        },
        max_tx_bufs: u32 {
            default: 500,
            description: "Packets of one session that may be under way",
        },
        slow_mode: u32 {
            default: 1200,
            description: "Ticks for which severe loss makes a session careful; 0: none",
        },
        max_num_l4s: u32 {
            default: 8,
            description: "Interfaces that may be bound",
        },
        probe_no_l4_time: u32 {
            default: 0,
            description: "Ticks between searches for a peer on a link; 0: as conn_up_idle",
        },
        ret_drvr_rx_buf: u32 {
            default: 0,
            description: "1: received data are copied at once",
        },
        errlog_ticks: u32 {
            default: 3000,
            description: "Ticks between two log lines of a kind; 0: none are written",
        },
        no_slog: u32 {
            default: 0,
            description: "1: nothing is logged about packets",
        },
        qos_verbose: u32 {
            default: 0,
            description: "1: sessions that come up and end are logged",
        },
        do_crc: u32 {
            default: 0,
            description: "1: packets are sent with a CRC",
        },
        enforce_crc: u32 {
            default: 0,
            description: "1: with do_crc=1, packets without a CRC are dropped",
        },
        tap_local: u32 {
            default: 0,
            description: "1: messages that stay on a node are shown to taps of its loopback device",
        },
        num_tx_pad: u32 {
            default: 2,
            description: "Zero bytes between EtherType and packet, 0 to 3",
        },
        maproot: u32 {
            default: 99,
            description: "Whom root of another node counts as; 0: as root",
        },
        mapany: u32 {
            default: 4294967295,
            description: "Whom everybody of another node counts as; 4294967295: as himself",
        },
        remote_signals: u32 {
            default: 0,
            description: "1: programs of other nodes may signal processes here",
        },
        user_channels: u32 {
            default: 16384,
            description: "Channels that one user may have",
        },
        user_connections: u32 {
            default: 16384,
            description: "Connections that one user may have",
        },
        user_messages: u32 {
            default: 16384,
            description: "Messages of one user that may be under way",
        },
        user_bytes: u32 {
            default: 268435456,
            description: "Bytes of one user's messages that may wait",
        },
    },
}

/// The module: what is registered, in the reverse of the order in which it is; fields are dropped
/// in the order of their declaration, so that what came last goes first.
struct Qnet {
    /// Sockets first: nobody begins anything new.
    _family: Family<QnetSocket>,
    _configuration: GenlFamily<Configuration>,
    /// Then the world outside, and the nodes.
    _links: Notifier<LinkEvents>,
    _file: ProcFile<Statistics>,
    _net_file: ProcFile<Statistics>,
    _nodes: PerNetRegistration<Nodes>,
    /// Last what runs when a process dies, and what no program waits for.
    _deaths: death::Registration,
    _work: work::Registration,
}

impl kernel::Module for Qnet {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let number = u8::try_from(param::family()).map_err(|_| EINVAL)?;
        let work = work::Registration::new()?;
        let deaths = death::Registration::new()?;
        let nodes = PerNetRegistration::register()?;
        let net_file = ProcFile::new_in_each_net(c"qnetstats")?;
        let file = ProcFile::new_top(c"qnetstats")?;
        let links = Notifier::register()?;
        let configuration = GenlFamily::register()?;
        let family = Family::register(number, c"QNET", module).inspect_err(|error| {
            if *error == EEXIST {
                pr_err!(
                    "address family {} is taken; load with family= another\n",
                    number
                );
            } else {
                pr_err!("address family {} cannot be registered\n", number);
            }
        })?;
        pr_info!("Qnet is there, address family {}\n", number);
        Ok(Self {
            _family: family,
            _configuration: configuration,
            _links: links,
            _file: file,
            _net_file: net_file,
            _nodes: nodes,
            _deaths: deaths,
            _work: work,
        })
    }
}
