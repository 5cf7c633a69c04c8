// SPDX-License-Identifier: GPL-2.0

//! Events: what a client asks a server to do to it one day, Neutrino's `sigevent`.
//!
//! A server delivers an event with MsgDeliverEvent. It acts on the client, by its own coids and on
//! its own threads, and never on anybody else.

use crate::proto::wire::{
    kif::SigEvent,
    signo, //
};

/// The kind of an event is told by these bits of it; the others are flags that change nothing here
/// (`SIGEV_FLAG_CRITICAL`).
const TYPE_MASK: i32 = 0xff;
/// The highest signal.
pub const MAX_SIGNAL: i32 = 64;
/// Signals that no event can be: to kill and to stop cannot be asked for.
const KILL: i32 = 9;
/// See [`KILL`].
const STOP: i32 = 19;
/// The priority of a pulse that takes that of who delivers it.
const INHERIT: i16 = -1;
/// The highest priority of a pulse.
const MAX_PRIORITY: i16 = 255;

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing happens.
    Nothing,
    /// A signal.
    Signal {
        /// Which.
        signo: i32,
        /// Its code and value, for one that has them.
        code: Option<i16>,
        /// See `code`.
        value: i64,
        /// Whether it is for the client's thread and not for its process.
        to_thread: bool,
    },
    /// A pulse on a connection of the client's own.
    Pulse {
        /// The client's number for the connection.
        coid: i32,
        /// `None`: that of who delivers it.
        priority: Option<i16>,
        /// The code.
        code: i8,
        /// The value.
        value: i64,
    },
    /// The client's thread is to leave the call that it is blocked in.
    Unblock,
}

/// What is no event, or one that cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl Event {
    /// The event that these fields of a `sigevent` tell. `id` is the signal or the coid.
    pub fn new(
        notify: i32,
        id: i32,
        value: i64,
        code: i16,
        priority: i16,
    ) -> Result<Self, Invalid> {
        match notify & TYPE_MASK {
            0 => Ok(Event::Nothing),
            kind @ 1..=3 => {
                if !(1..=MAX_SIGNAL).contains(&id) || id == KILL || id == STOP {
                    return Err(Invalid);
                }
                Ok(Event::Signal {
                    signo: id,
                    code: (kind != 1).then_some(code),
                    value,
                    to_thread: kind == 3,
                })
            }
            // A connection that its process has not named yet is called by no number.
            4 if id < 0 => Err(Invalid),
            4 => Ok(Event::Pulse {
                coid: id,
                priority: match priority {
                    INHERIT => None,
                    1..=MAX_PRIORITY => Some(priority),
                    _ => return Err(Invalid),
                },
                // Negative codes are the system's, and nobody's to deliver.
                code: i8::try_from(code)
                    .ok()
                    .filter(|code| *code >= 0)
                    .ok_or(Invalid)?,
                value,
            }),
            5 => Ok(Event::Unblock),
            _ => Err(Invalid),
        }
    }

    /// The same as it came from another node.
    pub fn from_wire(event: &SigEvent) -> Result<Self, Invalid> {
        let id = match event.notify & TYPE_MASK {
            1..=3 => signo::from_wire(event.union1).ok_or(Invalid)?,
            _ => event.union1,
        };
        Self::new(
            event.notify,
            id,
            i64::from(event.value),
            event.code,
            event.priority,
        )
    }

    /// As it goes to another node, when it is delivered by somebody of this priority.
    ///
    /// Of a value the lower 32 bits go, which are all of a `sival_int`.
    ///
    /// Errors: [`Invalid`] for a signal that QNX has not got.
    pub fn to_wire(&self, deliverer: i16) -> Result<SigEvent, Invalid> {
        Ok(match *self {
            Event::Nothing => SigEvent::default(),
            Event::Signal {
                signo,
                code,
                value,
                to_thread,
            } => SigEvent {
                notify: match (code, to_thread) {
                    (_, true) => 3,
                    (Some(_), false) => 2,
                    (None, false) => 1,
                },
                union1: signo::to_wire(signo).ok_or(Invalid)?,
                value: value as i32,
                code: code.unwrap_or(0),
                priority: 0,
            },
            Event::Pulse {
                coid,
                priority,
                code,
                value,
            } => SigEvent {
                notify: 4,
                union1: coid,
                value: value as i32,
                code: i16::from(code),
                priority: priority.unwrap_or(deliverer),
            },
            Event::Unblock => SigEvent {
                notify: 5,
                ..SigEvent::default()
            },
        })
    }
}
