// SPDX-License-Identifier: LGPL-2.1-or-later

//! Pulses: small messages that nobody waits for.

use std::num::NonZeroI32;

use qnet_sys::qnet_pulse;

use crate::Rcvid;

/// How urgent a pulse is, on Neutrino's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(i32);

impl Priority {
    /// That of the thread that sends it.
    pub const CALLER: Priority = Priority(-1);

    /// A fixed one, from 1 to 255; the module refuses 0.
    pub const fn fixed(priority: u8) -> Self {
        Self(priority as i32)
    }

    pub(crate) const fn raw(self) -> i32 {
        self.0
    }
}

/// A pulse that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// A program's own are 0 to 127; those of the module are negative.
    pub code: i8,
    /// What it says.
    pub value: i64,
    /// This process's number for the process that sent it.
    pub scoid: i32,
}

/// What a pulse means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulseKind {
    /// A program sent it.
    Program,
    /// The client of this message wants to leave, and stays until it is answered.
    Unblock(Rcvid),
    /// The client with this scoid has closed all of its connections.
    Disconnect(i32),
    /// This thread has ended.
    ThreadDeath(i32),
    /// The server of the connection with this coid is gone.
    ConnectionDeath(i32),
    /// The module sent it, and this crate does not know what it means.
    Unknown,
}

impl Pulse {
    /// What it means.
    pub fn kind(&self) -> PulseKind {
        let value = self.value as i32;
        match self.code {
            0.. => PulseKind::Program,
            qnet_sys::QNET_PULSE_UNBLOCK => NonZeroI32::new(value)
                .map_or(PulseKind::Unknown, |rcvid| PulseKind::Unblock(rcvid.into())),
            qnet_sys::QNET_PULSE_DISCONNECT => PulseKind::Disconnect(self.scoid),
            qnet_sys::QNET_PULSE_THREADDEATH => PulseKind::ThreadDeath(value),
            qnet_sys::QNET_PULSE_COIDDEATH => PulseKind::ConnectionDeath(value),
            _ => PulseKind::Unknown,
        }
    }
}

impl From<qnet_pulse> for Pulse {
    fn from(raw: qnet_pulse) -> Self {
        Self {
            code: raw.code,
            value: raw.value,
            scoid: raw.scoid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let kind = |code, value| {
            let scoid = 7;
            Pulse { code, value, scoid }.kind()
        };
        assert_eq!(kind(0, 5), PulseKind::Program);
        assert_eq!(kind(127, 5), PulseKind::Program);
        assert!(matches!(kind(-32, 5), PulseKind::Unblock(rcvid) if rcvid.get() == 5));
        assert_eq!(kind(-32, 0), PulseKind::Unknown);
        assert_eq!(kind(-33, 0), PulseKind::Disconnect(7));
        assert_eq!(kind(-34, 5), PulseKind::ThreadDeath(5));
        assert_eq!(
            kind(-35, 0x4000_0005),
            PulseKind::ConnectionDeath(0x4000_0005)
        );
        assert_eq!(kind(-36, 0), PulseKind::Unknown);
    }

    #[test]
    fn priorities() {
        assert_eq!(Priority::CALLER.raw(), -1);
        assert_eq!(Priority::fixed(255).raw(), 255);
    }
}
