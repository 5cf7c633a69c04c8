// SPDX-License-Identifier: LGPL-2.1-or-later

//! MsgSendPulse(), MsgDeliverEvent(), MsgVerifyEvent() and SignalKill(): what is sent and not waited
//! for.

use std::ffi::{
    c_int,
    c_short,
    c_void, //
};

use qnet::{
    raw,
    Error,
    Node,
    Result, //
};
use qnet_sys::{
    qnet_event,
    qnet_signal, //
};

use crate::{
    answer::calls,
    msg::{
        answer_to_nobody,
        on_connection, //
    },
    timer, //
};

/// The bits of `sigev_notify` that say what the event is: `SIGEV_TYPE_MASK` of the header.
const TYPE_MASK: c_int = 0xff;
/// `SIGEV_FLAG_CRITICAL` of the header, which has no effect.
const FLAG_CRITICAL: c_int = 0x100;

/// A member of a union with pointers, of which only a number is looked at.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word(pub c_int);

/// What an event that is a signal or a pulse has besides its value.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The code of the signal or of the pulse.
    pub sigev_code: c_short,
    /// The priority of a pulse.
    pub sigev_priority: c_short,
}

/// An event: `struct sigevent` of the header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct sigevent {
    /// What it is, and flags.
    pub sigev_notify: c_int,
    /// The signal, or where a pulse goes.
    pub sigev_signo: Word,
    /// `union sigval`, of which `sival_int` is the lower half where this library runs.
    pub sigev_value: i64,
    /// What else there is of it.
    pub detail: Detail,
}

// The lower half of a value is its first.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "sival_int is taken for the lower half of sival_ptr"
);

impl sigevent {
    /// What is to happen, without the flags.
    pub(crate) fn kind(&self) -> Result<c_int> {
        match self.sigev_notify & !(TYPE_MASK | FLAG_CRITICAL) {
            0 => Ok(self.sigev_notify & TYPE_MASK),
            _ => Err(Error::EINVAL),
        }
    }

    /// The event as the module takes it: with zeroes where a program may have left anything.
    fn raw(&self) -> Result<qnet_event> {
        let notify = self.kind()?;
        let (id, code) = (self.sigev_signo.0, self.detail.sigev_code);
        let event = qnet_event {
            notify,
            ..Default::default()
        };
        Ok(match notify {
            qnet_sys::QNET_SIGEV_SIGNAL => qnet_event { id, ..event },
            qnet_sys::QNET_SIGEV_SIGNAL_CODE | qnet_sys::QNET_SIGEV_SIGNAL_THREAD => qnet_event {
                id,
                code,
                value: self.sigev_value,
                ..event
            },
            qnet_sys::QNET_SIGEV_PULSE => qnet_event {
                id,
                code,
                value: self.sigev_value,
                priority: self.detail.sigev_priority,
                ..event
            },
            _ => event,
        })
    }
}

/// # Safety
///
/// `event` must be null or valid to read.
unsafe fn deliver(rcvid: c_int, flags: u32, event: *const sigevent) -> Result<c_int> {
    timer::drop_armed();
    // SAFETY: The caller says that it is null or valid.
    let event = unsafe { event.as_ref() }.ok_or(Error::EFAULT)?;
    raw::deliver(rcvid, flags, event.raw()?).map_err(answer_to_nobody)?;
    Ok(0)
}

fn send_pulse(coid: c_int, priority: c_int, code: c_int, value: i64) -> Result<c_int> {
    timer::drop_armed();
    raw::send_pulse(coid, priority, code, value).map_err(|error| on_connection(coid, error))?;
    Ok(0)
}

fn signal(signal: qnet_signal) -> Result<c_int> {
    let timeout = timer::take();
    let node = Node::from_raw(signal.nd);
    raw::signal(signal, timeout).map_err(|error| match error {
        Error::EAFNOSUPPORT if node.is_local() => Error::ENOTSUP,
        Error::EAFNOSUPPORT => Error::ENOREMOTE,
        other => other,
    })?;
    Ok(0)
}

calls! {
    /// Sends a pulse; see MsgSendPulse(3).
    fn MsgSendPulse MsgSendPulse_r
        (coid: c_int, priority: c_int, code: c_int, value: c_int) -> c_int
        = send_pulse(coid, priority, code, i64::from(value));
    /// Sends a pulse whose value is a pointer; see MsgSendPulse(3).
    fn MsgSendPulsePtr MsgSendPulsePtr_r
        (coid: c_int, priority: c_int, code: c_int, value: *mut c_void) -> c_int
        = send_pulse(coid, priority, code, value as i64);
    /// Delivers an event; see MsgDeliverEvent(3).
    pointers fn MsgDeliverEvent MsgDeliverEvent_r
        (rcvid: c_int, event: *const sigevent) -> c_int
        = deliver(rcvid, 0, event);
    /// Looks whether an event could be delivered; see MsgDeliverEvent(3).
    pointers fn MsgVerifyEvent MsgVerifyEvent_r
        (rcvid: c_int, event: *const sigevent) -> c_int
        = deliver(rcvid, qnet_sys::QNET_DELIVER_VERIFY, event);
    /// Sends a signal to a process of any node; see SignalKill(3).
    fn SignalKill SignalKill_r
        (nd: u32, pid: libc::pid_t, tid: c_int, signo: c_int, code: c_int, value: c_int) -> c_int
        = signal(qnet_signal {
            nd,
            pid,
            tid,
            signo,
            code,
            value: i64::from(value),
            ..Default::default()
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_counts_is_passed_on() {
        let event = sigevent {
            sigev_notify: qnet_sys::QNET_SIGEV_SIGNAL | FLAG_CRITICAL,
            sigev_signo: Word(10),
            sigev_value: -1,
            detail: Detail {
                sigev_code: 5,
                sigev_priority: 6,
            },
        };
        let raw = event.raw().unwrap();
        assert_eq!((raw.notify, raw.id), (1, 10));
        assert_eq!((raw.value, raw.code, raw.priority), (0, 0, 0));
        let event = sigevent {
            sigev_notify: qnet_sys::QNET_SIGEV_PULSE,
            ..event
        };
        let raw = event.raw().unwrap();
        assert_eq!((raw.value, raw.code, raw.priority), (-1, 5, 6));
        let event = sigevent {
            sigev_notify: 0x204,
            ..event
        };
        assert_eq!(event.raw(), Err(Error::EINVAL));
    }
}
