// SPDX-License-Identifier: GPL-2.0

//! MsgDeliverEvent: a server does to a client what that has asked for.
//!
//! An event acts on the client alone: a pulse goes over a connection of the client's own, a signal
//! to the client's process or thread. It needs no rights of the server's, because the client gave it
//! away; for that reason nothing can be delivered to anybody who is not a client. It does no more than
//! the client could have done when it last used its connection: a process that has become somebody
//! else since, by exec, has given nothing away, and what its old user may not do the server may not.

use super::{
    priority::Lender,
    process::{
        Process,
        Whose, //
    },
    seen::Seen,
    transaction::Transaction,
    Connection, //
};
use crate::{
    knet::{
        pid::{
            self,
            Pid, //
        },
        signal,
        skb::Context, //
    },
    node::{
        Draft,
        Node,
        Tag, //
    },
    proto::{
        kif::{
            event::Event,
            priority, //
        },
        wire::kif::{
            self,
            Message, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Whom an event is for.
pub(super) struct Target<'a> {
    pub(super) process: &'a Pid,
    pub(super) tid: i32,
    /// Who it was when it gave the event away; `None` for the server itself.
    pub(super) seen: Option<&'a Seen>,
    /// The message that its thread waits for the answer of, if it does.
    pub(super) message: Option<&'a Arc<Transaction>>,
}

/// Who delivers an event, as far as that shows.
pub(super) struct Deliverer {
    /// Its priority, for a pulse that takes that.
    priority: i16,
    /// Whose that priority is.
    lender: Lender,
    from: signal::Sender,
}

impl Deliverer {
    /// Somebody on another node.
    pub(super) const ELSEWHERE: Self = Self {
        priority: priority::ORDINARY,
        lender: Lender::There,
        from: signal::Sender::Elsewhere,
    };

    /// The calling thread.
    fn caller() -> Self {
        Self {
            priority: pid::caller_priority(),
            lender: Lender::Here,
            from: signal::Sender::Caller,
        }
    }
}

impl Target<'_> {
    /// Whether its process is still somebody whom it may signal itself.
    fn may_be_signalled(&self) -> Result {
        match self.seen {
            Some(seen) => seen.may_signal(self.process),
            None => Ok(()),
        }
    }

    /// The connection over which a pulse of it goes.
    fn way(&self, node: &Node, coid: i32) -> Result<Arc<Connection>> {
        let process = Process::of(node, self.process).ok_or(ESRCH)?;
        let connection = process.connection(coid).ok_or(EBADF)?;
        connection.may_pulse()?;
        Ok(connection)
    }
}

/// Delivers an event of the server `caller` to the client that `rcvid` names, whether its message is
/// answered or not; 0 names the server itself. With `verify` it is only looked whether that can be.
/// Process context.
///
/// Errors: `ESRCH` when there is no such client, `EBADF` for a coid that the client has not, `EPERM`
/// for what the client itself may not do, `EINVAL` for a signal that another node has not got,
/// `EAGAIN`, `ENOMEM`; `ENOREMOTE` for `verify` of a client on another node. Whether an event reaches another node is not known here.
pub(crate) fn deliver_by(caller: &Arc<Process>, rcvid: i32, event: &Event, verify: bool) -> Result {
    let node = &caller.node;
    if rcvid == 0 {
        let target = Target {
            process: &caller.pid,
            tid: pid::caller_tid(),
            seen: None,
            message: None,
        };
        return if verify {
            verify_here(node, &target, event)
        } else {
            deliver(node, &target, event, &Deliverer::caller())
        };
    }
    let (whose, tid, message) = caller.client_of(rcvid)?;
    match whose {
        Whose::Here(connection) => {
            let target = Target {
                process: connection.owner(),
                tid,
                seen: Some(connection.seen()),
                message: message.as_ref(),
            };
            match verify {
                true => verify_here(node, &target, event),
                false => deliver(node, &target, event, &Deliverer::caller()),
            }
        }
        Whose::There { .. } if verify => Err(super::no_remote()),
        Whose::There { server, handle } => {
            let event = event.to_wire(pid::caller_priority()).map_err(|_| EINVAL)?;
            let message = Message::Event(kif::Event {
                client_handle: handle,
                event,
            });
            let draft = Draft::new(node, &message, 0, Context::Sleep)?;
            server
                .peer
                .send(server.session(), draft, Tag::None, None)
                .map_err(|error| match error {
                    EHOSTDOWN => ESRCH,
                    ENOBUFS => EAGAIN,
                    error => error,
                })
        }
    }
}

/// Whether an event can be delivered to a client of this node.
fn verify_here(node: &Node, target: &Target<'_>, event: &Event) -> Result {
    if !target.process.alive() {
        return Err(ESRCH);
    }
    match event {
        Event::Pulse { coid, .. } => target.way(node, *coid).map(drop),
        Event::Signal { .. } => target.may_be_signalled(),
        Event::Nothing | Event::Unblock => Ok(()),
    }
}

/// Delivers an event to a client of this node. Legal in softirq, unless the caller delivers it; no
/// lock may be held.
///
/// Errors: as [`deliver_by`].
pub(super) fn deliver(
    node: &Node,
    target: &Target<'_>,
    event: &Event,
    deliverer: &Deliverer,
) -> Result {
    match *event {
        Event::Nothing => Ok(()),
        Event::Signal {
            signo,
            code,
            value,
            to_thread,
        } => {
            target.may_be_signalled()?;
            let info = signal::Info {
                signo,
                code: i32::from(code.unwrap_or(0)),
                value,
                from: deliverer.from,
            };
            let sent = match to_thread {
                true => signal::send(target.process, Some(target.tid), &info),
                false => Err(ESRCH),
            };
            match sent {
                // A process that lost the thread still has others.
                Err(error) if error == ESRCH => signal::send(target.process, None, &info),
                sent => sent,
            }
        }
        Event::Pulse {
            coid,
            priority,
            code,
            value,
        } => {
            let connection = target.way(node, coid)?;
            connection.pulse_at_once(
                (priority.unwrap_or(deliverer.priority), deliverer.lender),
                code,
                value,
            )
        }
        Event::Unblock => {
            if let Some(message) = target.message {
                message.tell_to_leave();
            }
            Ok(())
        }
    }
}
