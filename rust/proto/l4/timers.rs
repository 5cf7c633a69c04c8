// SPDX-License-Identifier: GPL-2.0

//! The lengths of time that a connection goes by.

use crate::proto::qos::config::Config;
use crate::proto::time::Nanos;

/// What a sender adds to the time for which an ACK may be held back: room for timers that fire
/// late on either side.
const SLACK: Nanos = Nanos::from_millis(2);

/// The lengths of time that a connection goes by, fixed when it starts.
///
/// A changed option concerns connections made later: one that runs keeps what it began with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers {
    /// How long an ACK waits for an answer that makes it superfluous.
    pub hold: Nanos,
    /// Nothing is sent again sooner than this.
    pub margin: Nanos,
    /// Doubling of the time-out stops here.
    pub cap: Nanos,
    /// The oldest message may stay unacknowledged, and without a new part of it arriving, for so long;
    /// then the link has failed.
    pub bound: Nanos,
    /// How long an attempt of a step of the handshake takes.
    pub step: Nanos,
    /// How many attempts a step gets.
    pub attempts: u32,
    /// Not more fragments than this are under way.
    pub most_fragments: u32,
    /// How long it is remembered that a link lost much.
    pub slow_mode: Nanos,
    /// A path that was silent for so long is asked whether it lives.
    pub idle: Nanos,
    /// Time between two such questions.
    pub tick: Nanos,
    /// How many of them may stay without answer.
    pub pings: u32,
}

impl Timers {
    /// The value before a first connection.
    pub const UNSET: Self = Self {
        hold: Nanos::ZERO,
        margin: Nanos::ZERO,
        cap: Nanos::ZERO,
        bound: Nanos::ZERO,
        step: Nanos::ZERO,
        attempts: 0,
        most_fragments: 0,
        slow_mode: Nanos::ZERO,
        idle: Nanos::MAX,
        tick: Nanos::MAX,
        pings: 0,
    };

    /// Takes the lengths from the options.
    pub fn new(cfg: &Config) -> Self {
        let cap = cfg.tick.times(cfg.tx_ticks);
        Self {
            hold: cfg.ack_hold,
            margin: cfg.ack_hold.plus(SLACK),
            cap,
            bound: cap.times(cfg.tx_retries.saturating_add(1)),
            step: cfg.tick.times(cfg.conn_est_timeout),
            attempts: cfg.conn_est_retries.saturating_add(1),
            most_fragments: cfg.max_tx_bufs,
            slow_mode: cfg.tick.times(cfg.slow_mode),
            idle: cfg.tick.times(cfg.conn_up_idle),
            tick: cfg.tick,
            pings: cfg.conn_up_retries,
        }
    }
}
