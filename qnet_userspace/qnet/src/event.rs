// SPDX-License-Identifier: LGPL-2.1-or-later

//! Events: what a server does to a client that does not wait for it.

use qnet_sys::qnet_event;

use crate::{
    raw,
    Priority,
    Result, //
};

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalTo {
    /// Any thread of the process.
    Process,
    /// The thread that sent the message.
    Thread,
}

/// An event: what a client asks a server to do to it when something has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing.
    None,
    /// A signal without a value, to any thread of the process.
    Signal(i32),
    /// A signal with a code and a value.
    SignalValue {
        /// Who gets it.
        to: SignalTo,
        /// Which one.
        signal: i32,
        /// Its `si_code`.
        code: i16,
        /// Its `si_value`.
        value: i64,
    },
    /// A pulse on one of the client's connections.
    Pulse {
        /// The connection, as the client numbers it.
        coid: i32,
        /// How urgent it is.
        priority: Priority,
        /// 0 to 127.
        code: i8,
        /// What it says.
        value: i64,
    },
    /// The end of the thread's blocked call.
    Unblock,
}

impl Event {
    /// Delivers the event to the calling process itself.
    pub fn deliver(&self) -> Result<()> {
        raw::deliver(0, 0, self.raw())
    }

    pub(crate) fn raw(&self) -> qnet_event {
        let (notify, event) = match *self {
            Self::None => (qnet_sys::QNET_SIGEV_NONE, qnet_event::default()),
            Self::Signal(id) => (
                qnet_sys::QNET_SIGEV_SIGNAL,
                qnet_event {
                    id,
                    ..Default::default()
                },
            ),
            Self::SignalValue {
                to,
                signal,
                code,
                value,
            } => (
                match to {
                    SignalTo::Process => qnet_sys::QNET_SIGEV_SIGNAL_CODE,
                    SignalTo::Thread => qnet_sys::QNET_SIGEV_SIGNAL_THREAD,
                },
                qnet_event {
                    id: signal,
                    code,
                    value,
                    ..Default::default()
                },
            ),
            Self::Pulse {
                coid,
                priority,
                code,
                value,
            } => (
                qnet_sys::QNET_SIGEV_PULSE,
                qnet_event {
                    id: coid,
                    value,
                    code: i16::from(code),
                    // -1 to 255.
                    priority: priority.raw() as i16,
                    ..Default::default()
                },
            ),
            Self::Unblock => (qnet_sys::QNET_SIGEV_UNBLOCK, qnet_event::default()),
        };
        qnet_event { notify, ..event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_neutrino_has_them() {
        assert_eq!(Event::None.raw(), qnet_event::default());
        assert_eq!(
            (Event::Signal(10).raw().notify, Event::Signal(10).raw().id),
            (1, 10)
        );
        let raw = Event::SignalValue {
            to: SignalTo::Thread,
            signal: 34,
            code: -2,
            value: 5,
        }
        .raw();
        assert_eq!((raw.notify, raw.id, raw.code, raw.value), (3, 34, -2, 5));
        let raw = Event::Pulse {
            coid: 0x4000_0003,
            priority: Priority::CALLER,
            code: 7,
            value: -1,
        }
        .raw();
        assert_eq!(
            (raw.notify, raw.id, raw.priority, raw.code, raw.value),
            (4, 0x4000_0003, -1, 7, -1)
        );
        assert_eq!(Event::Unblock.raw().notify, 5);
    }
}
