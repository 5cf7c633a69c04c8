// SPDX-License-Identifier: GPL-2.0

//! The options of a node: what a number or a word tunes, its default and its range.
//!
//! Names, meanings and defaults are those of Neutrino's `lsm-qnet.so`. The module parameters of the
//! same names give the values that every new network namespace begins with; `qnet set` changes them
//! for one namespace. Documentation/options.md lists them all, and a test compares the two.

#![forbid(unsafe_code)]

use crate::{
    knet::param,
    proto::{
        kif::rights::Squash,
        lr::LrConfig,
        qos::config::Config,
        time::Nanos, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// One option as people see it.
pub(crate) struct Spec {
    /// Its name, as in `qnet set NAME=VALUE` and as a module parameter.
    pub(crate) name: &'static str,
    /// The smallest value it takes.
    pub(crate) min: u32,
    /// The greatest value it takes.
    pub(crate) max: u32,
    /// The words for its values, from 0 on; none if it is written as a number.
    words: &'static [&'static str],
}

impl Spec {
    /// The value that a text means.
    ///
    /// Errors: `EINVAL` for what is neither a number nor a word of it, `ERANGE` for a number out of
    /// range.
    fn parse(&self, text: &[u8]) -> Result<u32> {
        if !self.words.is_empty() {
            let place = self.words.iter().position(|word| word.as_bytes() == text);
            return u32::try_from(place.ok_or(EINVAL)?).map_err(|_| EINVAL);
        }
        let value = core::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
            .ok_or(EINVAL)?;
        if value < self.min || value > self.max {
            return Err(ERANGE);
        }
        Ok(value)
    }
}

/// The value of an option, as people read it.
pub(crate) enum Value {
    /// A number.
    Number(u32),
    /// A word.
    Word(&'static str),
}

macro_rules! options {
    (
        $($(#[$doc:meta])* $name:ident: $min:literal..=$max:literal;)*
        @words
        $($(#[$word_doc:meta])* $word_name:ident: $($word:literal)|+;)*
    ) => {
        /// The options of one node. Reading and setting one is a single relaxed access: legal in
        /// every context, and a change concerns what is decided after it.
        pub(crate) struct Options {
            $($(#[$doc])* pub(crate) $name: Atomic<u32>,)*
            $($(#[$word_doc])* pub(crate) $word_name: Atomic<u32>,)*
        }

        /// All options, in the order of the table below.
        pub(crate) const SPECS: &[Spec] = &[
            $(Spec { name: stringify!($name), min: $min, max: $max, words: &[] },)*
            $({
                const WORDS: &[&str] = &[$($word),+];
                let max = WORDS.len() as u32 - 1;
                Spec { name: stringify!($word_name), min: 0, max, words: WORDS }
            },)*
        ];

        impl Options {
            /// The values that the module was loaded with, each number brought into its range.
            ///
            /// Errors: `EINVAL` for a word that an option does not know.
            pub(crate) fn from_parameters() -> Result<Self> {
                Ok(Self {
                    $($name: Atomic::new(
                        crate::module_parameters::$name.value().clamp($min, $max)
                    ),)*
                    $($word_name: Atomic::new(
                        word_of(stringify!($word_name), param::$word_name())?
                    ),)*
                })
            }

            /// The option at `index` of [`SPECS`].
            fn at(&self, index: usize) -> Option<&Atomic<u32>> {
                let all = [$(&self.$name,)* $(&self.$word_name),*];
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
    /// Whom root of another node counts as here, user and group; 0: as root.
    maproot: 0..=4294967294;
    /// Whom everybody of another node counts as here, user and group; 4294967295: as himself.
    mapany: 0..=4294967295;
    /// Whether programs of other nodes may signal processes here.
    remote_signals: 0..=1;
    /// Channels that one user may have.
    user_channels: 0..=4294967295;
    /// Connections that one user may have.
    user_connections: 0..=4294967295;
    /// Messages of one user that may be under way.
    user_messages: 0..=4294967295;
    /// Bytes of one user's messages that may wait in the kernel's memory.
    user_bytes: 0..=4294967295;
    @words
    /// Which channels programs of other nodes may connect to.
    remote: "any" | "marked";
}

/// The value of a word that the module was loaded with.
///
/// Errors: `EINVAL`, and the log says why.
fn word_of(name: &str, word: &[u8]) -> Result<u32> {
    let spec = SPECS.iter().find(|spec| spec.name == name).ok_or(EINVAL)?;
    spec.parse(word)
        .inspect_err(|_| pr_err!("{}= is one of {:?}\n", spec.name, spec.words))
}

impl Options {
    /// Sets the option `name` from its text.
    ///
    /// Errors: `ENOENT` for an unknown name, `EINVAL` for what is no number or not one of its words,
    /// `ERANGE` for a number out of the option's range.
    pub(crate) fn set(&self, name: &[u8], text: &[u8]) -> Result {
        let index = SPECS
            .iter()
            .position(|spec| spec.name.as_bytes() == name)
            .ok_or(ENOENT)?;
        let spec = SPECS.get(index).ok_or(ENOENT)?;
        let value = spec.parse(text)?;
        self.at(index).ok_or(ENOENT)?.store(value, Relaxed);
        Ok(())
    }

    /// Name and value of the option at `index`, for a listing.
    pub(crate) fn get(&self, index: usize) -> Option<(&'static str, Value)> {
        let spec = SPECS.get(index)?;
        let value = self.at(index)?.load(Relaxed);
        let value = match spec.words.get(value as usize) {
            Some(word) => Value::Word(word),
            None => Value::Number(value),
        };
        Some((spec.name, value))
    }

    /// Which claims of other nodes are not believed.
    pub(crate) fn squash(&self) -> Squash {
        let any = self.mapany.load(Relaxed);
        Squash {
            root: self.maproot.load(Relaxed),
            any: (any != u32::MAX).then_some(any),
        }
    }

    /// Whether other nodes may connect only to channels that are marked for it.
    pub(crate) fn only_marked(&self) -> bool {
        self.remote.load(Relaxed) != 0
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
