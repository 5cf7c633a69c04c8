// SPDX-License-Identifier: GPL-2.0

//! The ioctls that send pulses and deliver events.

use super::{
    argument::{
        reserved,
        timeout,
        Argument, //
    },
    QnetSocket, //
};
use crate::{
    ipc::{
        events,
        rights,
        Connection, //
    },
    knet::{
        pid::{
            self,
            Pid, //
        },
        signal, //
    },
    proto::{
        kif::{
            event::{
                Event,
                MAX_SIGNAL, //
            },
            priority, //
        },
        wire::{
            kif,
            signo, //
        },
    },
    uapi, //
};
use kernel::prelude::*;

/// MsgSendPulse.
#[inline(never)]
pub(super) fn send_pulse(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::SendPulse = argument.read()?;
    reserved(call.flags == 0)?;
    let connection = socket.connection()?;
    let priority = match call.priority {
        -1 => pid::caller_priority(),
        // The lowest there is, as on QNX 7, but not to another node.
        0 if connection.channel().is_some() => priority::MIN,
        claimed => i16::try_from(claimed)
            .ok()
            .filter(|claimed| (priority::MIN..=priority::MAX).contains(claimed))
            .ok_or(EINVAL)?,
    };
    let code = i8::try_from(call.code).map_err(|_| EINVAL)?;
    // Codes of the module's own must not be told by anybody to a server that believes them.
    let own = connection
        .channel()
        .is_some_and(|channel| channel.process.pid.is_caller());
    if code < 0 && !own {
        return Err(EPERM);
    }
    connection.pulse(priority, code, call.value)
}

/// MsgDeliverEvent and MsgVerifyEvent.
#[inline(never)]
pub(super) fn deliver(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::Deliver = argument.read()?;
    let known = call.flags & !uapi::QNET_DELIVER_VERIFY == 0;
    reserved(known && call.reserved == 0 && call.event.reserved == 0)?;
    let told = &call.event;
    let event = Event::new(told.notify, told.id, told.value, told.code, told.priority)
        .map_err(|_| EINVAL)?;
    let verify = call.flags & uapi::QNET_DELIVER_VERIFY != 0;
    events::deliver_by(&socket.caller()?, call.rcvid, &event, verify)
}

/// SignalKill.
#[inline(never)]
pub(super) fn signal_kill(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::Signal = argument.read()?;
    reserved(call.flags == 0 && call.reserved == 0)?;
    let timeout = timeout(&call.timeout)?;
    if call.pid <= 0 {
        return Err(ESRCH);
    }
    if call.tid < 0 || !(0..=MAX_SIGNAL).contains(&call.signo) {
        return Err(EINVAL);
    }
    if call.nd == 0 {
        return signal_here(&call);
    }
    let signal = kif::Signal {
        pid: call.pid,
        tid: call.tid,
        signo: signo::to_wire(call.signo).ok_or(EINVAL)?,
        code: call.code,
        // CAST: The network has 32 bits for it.
        value: call.value as i32,
        ..kif::Signal::default()
    };
    Connection::signal(&socket.node, call.nd, &signal, &timeout)
}

/// SignalKill on this node.
fn signal_here(call: &uapi::Signal) -> Result {
    let process = Pid::from_nr(call.pid).filter(Pid::alive).ok_or(ESRCH)?;
    rights::caller_may_signal(&process)?;
    if call.signo == 0 {
        return Ok(());
    }
    let info = signal::Info {
        signo: call.signo,
        code: call.code,
        value: call.value,
        from: signal::Sender::Caller,
    };
    signal::send(&process, (call.tid != 0).then_some(call.tid), &info)
}
