// SPDX-License-Identifier: GPL-2.0

//! The ioctls that send pulses and deliver events.

use super::{
    argument::{
        reserved,
        Argument, //
    },
    QnetSocket, //
};
use crate::{
    ipc::events,
    knet::pid,
    proto::kif::{
        event::Event,
        priority, //
    },
    uapi, //
};
use kernel::prelude::*;

/// MsgSendPulse.
#[inline(never)]
pub(super) fn send_pulse(socket: &QnetSocket, argument: &Argument) -> Result {
    let call: uapi::SendPulse = argument.read()?;
    reserved(call.flags == 0)?;
    let priority = match call.priority {
        -1 => pid::caller_priority(),
        claimed => i16::try_from(claimed)
            .ok()
            .filter(|claimed| (priority::MIN..=priority::MAX).contains(claimed))
            .ok_or(EINVAL)?,
    };
    let code = i8::try_from(call.code).map_err(|_| EINVAL)?;
    let connection = socket.connection()?;
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
