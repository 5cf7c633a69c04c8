// SPDX-License-Identifier: GPL-2.0

//! The options of a node: what a number tunes, its default and its range.
//!
//! Names, meanings and defaults are those of Neutrino's `lsm-qnet.so`. The module parameters of the
//! same names give the values that every new network namespace begins with; `qnet set` changes them
//! for one namespace. Documentation/options.md lists them all, and a test compares the two.

#![forbid(unsafe_code)]

use crate::proto::{
    lr::LrConfig,
    qos::config::Config,
    time::Nanos, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// One numeric option as people see it.
pub(crate) struct Spec {
    /// Its name, as in `qnet set NAME=VALUE` and as a module parameter.
    pub(crate) name: &'static str,
    /// The smallest value it takes.
    pub(crate) min: u32,
    /// The greatest value it takes.
    pub(crate) max: u32,
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $min:literal..=$max:literal;)*) => {
        /// The numeric options of one node. Reading and setting one is a single relaxed access:
        /// legal in every context, and a change concerns what is decided after it.
        pub(crate) struct Options {
            $($(#[$doc])* pub(crate) $name: Atomic<u32>,)*
        }

        /// All numeric options, in the order of the table below.
        pub(crate) const SPECS: &[Spec] = &[
            $(Spec { name: stringify!($name), min: $min, max: $max },)*
        ];

        impl Options {
            /// The values that the module was loaded with, each brought into its range.
            pub(crate) fn from_parameters() -> Self {
                Self {
                    $($name: Atomic::new(
                        crate::module_parameters::$name.value().clamp($min, $max)
                    ),)*
                }
            }

            /// The option at `index` of [`SPECS`].
            fn at(&self, index: usize) -> Option<&Atomic<u32>> {
                let all = [$(&self.$name),*];
                all.get(index).copied()
            }
        }
    };
}

options! {
    /// Ticks between two announcements of this node; 0: none are sent, and unsolicited ones are
    /// ignored.
    auto_add: 0..=1000000;
    /// How often a request for a name is repeated.
    res_retries: 0..=1000;
    /// Ticks before a request for a name is repeated.
    res_ticks: 1..=100000;
    /// Ticks a second.
    periodic_ticks: 1..=1000;
    /// How often the set-up of a session is repeated.
    conn_est_retries: 0..=1000;
    /// Ticks before the set-up of a session is repeated.
    conn_est_timeout: 1..=100000;
    /// Retransmissions, a `tx_ticks` each, before a link counts as failed.
    tx_retries: 1..=1000;
    /// Ticks before a transmission is repeated, at the most.
    tx_ticks: 1..=100000;
    /// Ticks of silence after which a link is asked whether the peer lives.
    conn_up_idle: 1..=100000;
    /// How many of these questions, one a tick, may stay without answer.
    conn_up_retries: 1..=1000;
    /// How many packets of one session may be under way.
    max_tx_bufs: 2..=65536;
    /// Ticks for which severe loss makes a session careful; 0: it never is.
    slow_mode: 0..=1000000;
    /// How many interfaces may be bound.
    max_num_l4s: 1..=8;
    /// Ticks between two requests for the address of a peer on a link by which it is not known; 0:
    /// as many as `conn_up_idle`.
    probe_no_l4_time: 0..=1000000;
    /// Whether received data are copied at once, so that drivers have their buffers back.
    ret_drvr_rx_buf: 0..=1;
    /// Ticks between two log lines of the same kind; 0: nothing is logged.
    errlog_ticks: 0..=1000000;
    /// Whether nothing is logged.
    no_slog: 0..=1;
    /// Whether sessions that come up and end are logged.
    qos_verbose: 0..=1;
    /// Whether packets are sent with a CRC.
    do_crc: 0..=1;
    /// Whether packets without a CRC are dropped; counts only together with `do_crc`.
    enforce_crc: 0..=1;
    /// Whether messages that stay on the node are shown to who taps its loopback device.
    tap_local: 0..=1;
    /// Zero bytes between the EtherType and the packet.
    num_tx_pad: 0..=3;
}

impl Options {
    /// Sets the option `name` from its decimal text.
    ///
    /// Errors: `ENOENT` for an unknown name, `EINVAL` for what is no number, `ERANGE` for a number
    /// out of the option's range.
    pub(crate) fn set(&self, name: &[u8], text: &[u8]) -> Result {
        let index = SPECS
            .iter()
            .position(|spec| spec.name.as_bytes() == name)
            .ok_or(ENOENT)?;
        let spec = SPECS.get(index).ok_or(ENOENT)?;
        let value = core::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
            .ok_or(EINVAL)?;
        if value < spec.min || value > spec.max {
            return Err(ERANGE);
        }
        self.at(index).ok_or(ENOENT)?.store(value, Relaxed);
        Ok(())
    }

    /// Name and value of the option at `index`, for a listing.
    pub(crate) fn get(&self, index: usize) -> Option<(&'static str, u32)> {
        let spec = SPECS.get(index)?;
        Some((spec.name, self.at(index)?.load(Relaxed)))
    }

    /// The length of a tick.
    pub(crate) fn tick(&self) -> Nanos {
        Nanos(1_000_000_000 / u64::from(self.periodic_ticks.load(Relaxed).max(1)))
    }

    /// What the session machine wants to know of the options.
    pub(crate) fn session(&self) -> Config {
        Config {
            tick: self.tick(),
            conn_est_retries: self.conn_est_retries.load(Relaxed),
            conn_est_timeout: self.conn_est_timeout.load(Relaxed),
            tx_retries: self.tx_retries.load(Relaxed),
            tx_ticks: self.tx_ticks.load(Relaxed),
            conn_up_idle: self.conn_up_idle.load(Relaxed),
            conn_up_retries: self.conn_up_retries.load(Relaxed),
            max_tx_bufs: self.max_tx_bufs.load(Relaxed),
            slow_mode: self.slow_mode.load(Relaxed),
            ..Config::default()
        }
    }

    /// What the LAN resolver wants to know of the options.
    pub(crate) fn resolver(&self) -> LrConfig {
        LrConfig {
            tick: self.tick(),
            auto_add: self.auto_add.load(Relaxed),
            res_retries: self.res_retries.load(Relaxed),
            res_ticks: self.res_ticks.load(Relaxed),
        }
    }
}
