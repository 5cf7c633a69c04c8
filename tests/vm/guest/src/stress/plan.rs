// SPDX-License-Identifier: GPL-2.0

//! What a message is to be: what its server does with it, how long it and its reply are, when its
//! sender gives up. Client, server and judge read it from the ledger.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::Duration, //
};

use qnet::{
    Error,
    States,
    Timeout, //
};

use super::ledger::Record;
use crate::bulk::Random;

/// The longest message, and the longest reply.
pub(super) const LONGEST: usize = 200 * 1024;
/// The longest of those that are short.
pub(super) const SHORT: usize = 4096;
/// The shortest: its number.
pub(super) const SHORTEST: usize = 4;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $weight:literal,)*) => {
        /// What the server does with a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($(#[doc = $doc])+ $name,)*
        }

        /// Each kind, and how often it is chosen.
        const KINDS: &[(Kind, u64)] = &[$((Kind::$name, $weight),)*];
    };
}

kinds! {
    /// Replies.
    Reply = 20,
    /// Replies and receives in one call.
    ReplyReceive = 10,
    /// Leaves it to another thread to reply, after a while.
    Late = 15,
    /// Fails it.
    Fail = 10,
    /// Replies twice, by two threads at once.
    Twice = 8,
    /// Reads pieces of it again, then replies.
    Read = 10,
    /// Writes the second half of the reply first.
    Write = 10,
    /// Signals the sender, then leaves the reply to another thread.
    Signal = 2,
    /// Delivers an event that ends the sender's call, then leaves the reply to another thread.
    Unblock = 2,
    /// Delivers a pulse to itself by the client's connection, and replies.
    PulseEvent = 5,
    /// Keeps it until its client wants to leave, or is gone.
    Hold = 4,
    /// It is a pulse: there is nothing to answer.
    Pulse = 8,
    /// It is a pulse that a message of the kind before asks for.
    Delivered = 0,
}

/// Errors that servers fail messages with: some whose numbers QNX has, too, some that are translated
/// on their way to another node, and one that Linux has not.
const FAILURES: &[Error] = &[
    Error::EPERM,
    Error::EIO,
    Error::ENOSPC,
    Error::EDEADLK,
    Error::ENOTSUP,
    Error::EOVERFLOW,
    Error::ECONNREFUSED,
    Error::EMORE,
];

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// The server is on another node.
    pub(super) remote: bool,
    /// In which states the time-out counts: `QNET_TIMEOUT_*`.
    pub(super) states: u32,
    failure: usize,
}

impl Plan {
    /// Chooses one.
    pub(super) fn choose(random: &mut Random, remote: bool) -> Self {
        let all: u64 = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut left = random.number() % all;
        let mut kind = Kind::Reply;
        for (candidate, weight) in KINDS {
            if left < *weight {
                kind = *candidate;
                break;
            }
            left -= weight;
        }
        let both = States::SEND | States::REPLY;
        let states = match random.number() % 8 {
            // Nobody else ends a send whose message is kept.
            _ if kind == Kind::Hold => both.bits(),
            0 => States::SEND.bits(),
            1 => States::REPLY.bits(),
            2 => both.bits(),
            _ => 0,
        };
        let states = if kind == Kind::Pulse { 0 } else { states };
        Self {
            kind,
            remote,
            states,
            failure: random.number() as usize % FAILURES.len(),
        }
    }

    /// One of this kind, without a time-out.
    pub(super) fn plain(kind: Kind, remote: bool) -> Self {
        Self {
            kind,
            remote,
            states: 0,
            failure: 0,
        }
    }

    /// What the ledger keeps.
    pub(super) fn pack(self) -> u32 {
        let bytes = [
            self.kind as u8,
            u8::from(self.remote),
            self.states as u8,
            self.failure as u8,
        ];
        u32::from_le_bytes(bytes)
    }

    /// That of a record.
    pub(super) fn of(record: &Record) -> Self {
        Self::unpack(record.plan.load(SeqCst))
    }

    /// What the ledger has kept.
    fn unpack(packed: u32) -> Self {
        let [kind, remote, states, failure] = packed.to_le_bytes();
        Self {
            kind: KINDS[kind as usize].0,
            remote: remote != 0,
            states: u32::from(states),
            failure: failure as usize,
        }
    }

    /// With which error the server fails it.
    pub(super) fn failure(self) -> Error {
        FAILURES[self.failure]
    }

    /// Whether it is one of the kinds that nobody answers.
    pub(super) fn is_pulse(self) -> bool {
        matches!(self.kind, Kind::Pulse | Kind::Delivered)
    }

    /// How long the sender waits: from not at all to half a second.
    pub(super) fn timeout(self, random: &mut Random) -> Timeout {
        match self.states {
            0 => Timeout::NEVER,
            states => Timeout::after(Duration::from_micros(random.length(0, 500_000) as u64))
                .in_states(States::from_bits(states)),
        }
    }
}

/// How much of a reply comes ahead of it.
pub(super) fn written_ahead(plan: Plan, room: usize) -> usize {
    match plan.kind {
        Kind::Write => room / 2,
        _ => 0,
    }
}

/// The seed of a message's bytes behind its number.
pub(super) fn message_seed(id: u32) -> u64 {
    2 * u64::from(id)
}

/// The seed of the bytes of its reply.
pub(super) fn reply_seed(id: u32) -> u64 {
    2 * u64::from(id) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed() {
        let mut random = Random::new(1);
        for n in 0..10_000 {
            let plan = Plan::choose(&mut random, n % 2 == 0);
            assert!(plan.kind != Kind::Delivered);
            assert!(plan.kind != Kind::Hold || plan.states == 0x50);
            assert_eq!(Plan::unpack(plan.pack()), plan);
        }
    }
}
