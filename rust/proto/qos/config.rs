// SPDX-License-Identifier: GPL-2.0

//! The options that connections go by.

use crate::proto::time::Nanos;

/// The options that connections go by, under the names that Qnet's users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The housekeeping tick: one second divided by `periodic_ticks` (5).
    pub tick: Nanos,
    /// How often an unanswered set-up request is repeated (1).
    pub conn_est_retries: u32,
    /// Ticks between two of them (1).
    pub conn_est_timeout: u32,
    /// How many periods of `tx_ticks` beyond the first one a message may stay unacknowledged
    /// before its link has failed (25).
    pub tx_retries: u32,
    /// The longest time, in ticks, between two transmissions of a message (1).
    pub tx_ticks: u32,
    /// Ticks of silence after which a link is asked whether the peer lives (50).
    pub conn_up_idle: u32,
    /// How many of these questions, one a tick, may stay without answer (6).
    pub conn_up_retries: u32,
    /// How many packets of one session may be under way (500).
    pub max_tx_bufs: u32,
    /// Ticks for which severe loss makes a session careful; 0: it never is (1200).
    pub slow_mode: u32,
    /// How long an ACK may wait for an answer to take its place (1 ms). Both ends of a connection
    /// have to agree about it, so it is not an option.
    pub ack_hold: Nanos,
}

impl Config {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        tick: Nanos::from_millis(200),
        conn_est_retries: 1,
        conn_est_timeout: 1,
        tx_retries: 25,
        tx_ticks: 1,
        conn_up_idle: 50,
        conn_up_retries: 6,
        max_tx_bufs: 500,
        slow_mode: 1200,
        ack_hold: Nanos::from_millis(1),
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
