// SPDX-License-Identifier: GPL-2.0

//! What a node counts: counters and gauges, with the labels under which `/proc/qnetstats` shows
//! them.
//!
//! The labels that QNX's file has are kept to the letter, because scripts grep for them.
//! Documentation/statistics.md explains each; a test compares the two lists.

#![forbid(unsafe_code)]

use crate::knet::trace;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// A counter of one node. Each event is counted once, where it is noticed.
        #[derive(Clone, Copy)]
        pub(crate) enum Counter {
            $($(#[$doc])* $name,)*
        }

        /// The labels of the counters, in the order of [`Counter`].
        const COUNTERS: &[&str] = &[$($label,)*];
        /// How many counters there are.
        const COUNTER_COUNT: usize = COUNTERS.len();
    };
}

macro_rules! gauges {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// Something a node holds: how much of it now, and the most there ever was.
        #[derive(Clone, Copy)]
        pub(crate) enum Gauge {
            $($(#[$doc])* $name,)*
        }

        /// The labels of the gauges, in the order of [`Gauge`].
        const GAUGES: &[&str] = &[$($label,)*];
        /// How many gauges there are.
        const GAUGE_COUNT: usize = GAUGES.len();
    };
}

gauges! {
    /// Connections that other nodes' clients have to channels here.
    NetServer = "kif net_server",
    /// Programs that wait for the answer of another node.
    Waiting = "kif waiting",
    /// MsgReads and MsgWrites of programs here that wait for a client on another node.
    Exchanges = "kif exchanges",
    /// Connections of programs here to channels on other nodes.
    NetClient = "kif net_client",
    /// Messages that wait in the queues of channels here, or for their reply.
    ServerMessages = "kif server_msgs",
    /// Channels.
    Channels = "kif channels",
    /// Nodes in the table.
    Nodes = "lr nodes",
    /// Sessions with other nodes.
    Sessions = "qos sessions",
}

counters! {
    /// Sessions that ended without being asked to.
    NdDown = "kif nd_down",
    /// Sessions that came up.
    NdUp = "kif nd_up",
    /// Nodes whose address changed.
    NdChanged = "kif nd_changed",
    /// Calls of programs here that went to another node.
    ClientKercalls = "kif client_kercalls",
    /// Messages put into the queue of a channel here.
    ServerMsgs = "kif server_msgs",
    /// Sends of other nodes that found the channel's queue full and were told to try again.
    ServerBusy = "kif server_busy",
    /// Pulses put into the queue of a channel here.
    Pulses = "kif pulses",
    /// Pulses that found no room.
    PulsesLost = "kif pulses_lost",
    /// Events of other nodes that could not be delivered.
    EventsLost = "kif events_lost",
    /// Clients of other nodes that wanted to leave.
    ServerUnblock = "kif server_unblock",
    /// Requests for a client's memory that found too many outstanding and were told to try again.
    ReadBusy = "kif read_busy",
    /// CONNECTs that a channel's rights refused.
    ConnectRefused = "kif connect_refused",
    /// Pulses and signals of other nodes that their sender may not send to that process.
    SignalRefused = "kif signal_refused",
    /// Calls that failed because a user has as much as one may have.
    UserLimit = "kif user_limit",
    /// Messages after which a receiver ran at another priority than its own.
    Lent = "kif priority_lent",
    /// Requests for a name that this node sent.
    LrRequests = "lr requests",
    /// Requests for this node's name that it answered.
    LrReplies = "lr replies",
    /// Announcements that this node sent.
    LrAnnouncements = "lr announcements",
    /// Announcements ignored because auto_add is 0, or because they concern other nodes.
    LrIgnored = "lr ignored",
    /// Nodes not put into the table because it was full.
    LrTableFull = "lr table_full",
    /// Packets of another machine that claims this node's name.
    LrDuplicateName = "lr duplicate_name",
    /// Messages given up because the session ended.
    TxFailed = "qos tx_failed",
    /// Sessions that this node opened.
    TxConnCreated = "qos tx_conn_created",
    /// Sessions that this node opened, ended.
    TxConnDeleted = "qos tx_conn_deleted",
    /// Sessions that another node opened.
    RxConnCreated = "qos rx_conn_created",
    /// Sessions that another node opened, ended.
    RxConnDeleted = "qos rx_conn_deleted",
    /// Messages that came before one that was sent earlier, and were held for it.
    RxSeqOrder = "qos rx_seq_order",
    /// Fragments sent again.
    Retransmitted = "qos tx_retransmitted",
    /// Losses found because nothing was acknowledged in time.
    TxTimeouts = "qos tx_timeouts",
    /// Losses of whole messages found by what the peer has of later ones.
    TxOvertaken = "qos tx_overtaken",
    /// Messages cut into shorter fragments while they were under way.
    TxRecut = "qos tx_recut",
    /// Bytes of messages that were copied into frames.
    TxCopied = "qos tx_copied",
    /// Bytes of messages that frames referred to without a copy.
    TxByReference = "qos tx_by_reference",
    /// Bytes that were copied on arrival because of `ret_drvr_rx_buf`.
    RxCopied = "qos rx_copied",
    /// Fragments of messages that were not complete yet.
    RxFragments = "qos rx_fragments",
    /// Messages that their sender gave up.
    RxGivenUp = "qos rx_given_up",
    /// Heartbeats sent.
    Pings = "qos pings",
    /// Paths to a peer that failed, or came under suspicion.
    PathsFailed = "qos paths_failed",
    /// Paths that came back.
    PathsReturned = "qos paths_returned",
    /// Bytes copied from the memory of programs that send to other nodes.
    CopiedFromUser = "kif copied_from_user",
    /// Bytes of programs' own pages that were sent without a copy.
    PinnedFromUser = "kif pinned_from_user",
    /// Bytes of messages of other nodes that were copied to programs.
    CopiedToUser = "kif copied_to_user",
    /// Packets shorter than their header.
    DropShort = "drop short",
    /// Packets of the other byte order.
    DropEndian = "drop endian",
    /// Packets of another protocol version.
    DropVersion = "drop version",
    /// Packets of an unknown type.
    DropType = "drop type",
    /// Packets of an unknown layer, or of one that does not go with their type.
    DropLayer = "drop layer",
    /// Packets with flags that mean nothing.
    DropFlags = "drop flags",
    /// Packets that claim more payload than there is.
    DropLength = "drop length",
    /// Packets whose offset and length are beyond any message.
    DropOffset = "drop offset",
    /// Fragments that contradict others of their message.
    DropFragment = "drop fragment",
    /// Fragments that would have left one gap too many.
    DropGap = "drop gap",
    /// Packets whose CRC is wrong.
    DropCrc = "drop crc",
    /// Packets without a CRC while `enforce_crc` is set.
    DropNoCrc = "drop no_crc",
    /// Packets for a connection that does not live, those of an earlier life among them.
    DropUnknownConn = "drop unknown_conn",
    /// Packets for a connection that is not their sender's.
    DropWrongPeer = "drop wrong_peer",
    /// Packets that do not fit the state of their connection.
    DropState = "drop state",
    /// Messages that had come before.
    DropDuplicate = "drop duplicate",
    /// Messages too far ahead of the next one wanted.
    DropWindow = "drop window",
    /// Acknowledgements of what was never sent.
    DropAck = "drop ack",
    /// Name resolution packets that contradict themselves.
    DropLrMalformed = "drop lr_malformed",
    /// Kernel interface messages that contradict themselves.
    DropKifMalformed = "drop kif_malformed",
    /// Kernel interface messages for a handle that does not live.
    DropKifHandle = "drop kif_handle",
    /// Kernel interface messages of a kind that this version does not serve.
    DropKifUnsupported = "drop kif_unsupported",
    /// Session set-up packets that contradict themselves.
    DropTcsMalformed = "drop tcs_malformed",
    /// Node resolver messages that contradict themselves, or answer what nobody asked.
    DropNr = "drop nr",
    /// Packets for another node, and packets to everybody that must not be.
    DropNotForUs = "drop not_for_us",
    /// Packets and messages lost because there was no memory.
    DropNoMemory = "drop no_memory",
    /// What a peer wanted this node to hold beyond a limit.
    DropLimit = "drop limit",
}

/// How much there is of something, and the most there ever was.
struct Level {
    now: Atomic<i64>,
    peak: Atomic<i64>,
}

/// The counters and gauges of one node. All methods are legal in every context.
pub(crate) struct Stats {
    counters: [Atomic<u64>; COUNTER_COUNT],
    gauges: [Level; GAUGE_COUNT],
}

impl Stats {
    /// All at zero.
    pub(crate) const fn new() -> Self {
        Self {
            counters: [const { Atomic::new(0) }; COUNTER_COUNT],
            gauges: [const {
                Level {
                    now: Atomic::new(0),
                    peak: Atomic::new(0),
                }
            }; GAUGE_COUNT],
        }
    }

    /// Counts one event.
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts several events at once.
    pub(crate) fn add(&self, counter: Counter, events: u64) {
        if let Some(cell) = self.counters.get(counter as usize) {
            cell.add(events, Relaxed);
        }
        if trace::Dropped::is_on() {
            trace_drop(counter);
        }
    }

    /// One more of something. Two CPUs that raise a gauge at once may lose a peak that lasted no
    /// longer than that; the level itself is exact.
    pub(crate) fn enter(&self, gauge: Gauge) {
        if let Some(level) = self.gauges.get(gauge as usize) {
            let now = level.now.fetch_add(1, Relaxed).wrapping_add(1);
            if now > level.peak.load(Relaxed) {
                level.peak.store(now, Relaxed);
            }
        }
    }

    /// One less of something.
    pub(crate) fn leave(&self, gauge: Gauge) {
        if let Some(level) = self.gauges.get(gauge as usize) {
            level.now.fetch_sub(1, Relaxed);
        }
    }

    /// Calls `show` for each gauge with its label, level and peak.
    pub(crate) fn gauges(&self, mut show: impl FnMut(&'static str, i64, i64)) {
        for (label, level) in GAUGES.iter().zip(&self.gauges) {
            show(label, level.now.load(Relaxed), level.peak.load(Relaxed));
        }
    }

    /// Calls `show` for each counter with its label and value.
    pub(crate) fn counters(&self, mut show: impl FnMut(&'static str, u64)) {
        for (label, cell) in COUNTERS.iter().zip(&self.counters) {
            show(label, cell.load(Relaxed));
        }
    }
}

/// Traces what a counter of drops counts.
#[cold]
fn trace_drop(counter: Counter) {
    let label = COUNTERS.get(counter as usize).copied().unwrap_or("");
    if label.starts_with("drop ") {
        trace::Dropped::trace(|| trace::Dropped { reason: label });
    }
}
