// SPDX-License-Identifier: GPL-2.0

//! MsgSendPulse, and the pulses of events.

use super::{
    comes_back,
    gone_is_dead,
    Connection,
    Target, //
};
use crate::{
    ipc::{
        channel::Room,
        priority::Lender,
        pulse::Pulse,
        rights::caller_may_signal,
        tap, //
    },
    knet::{
        pid,
        skb::Context, //
    },
    node::{
        Draft,
        Peer,
        Tag, //
    },
    proto::{
        kif::connection::{
            Begin,
            State, //
        },
        wire::kif::{
            self,
            Message,
            PulseInfo,
            Vtid, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

impl Connection {
    /// MsgSendPulse. Process context; to another node it may block until there is a session, and room.
    ///
    /// Errors: `EBADF` when the connection is dead or its channel gone, `EPERM` when the caller may not
    /// signal the server, which another node does not tell, `EAGAIN` when too much waits,
    /// `EHOSTUNREACH`, `EHOSTDOWN`, `EINTR`, `ENOMEM`.
    pub(crate) fn pulse(self: &Arc<Self>, priority: i16, code: i8, value: i64) -> Result {
        let mine = self.of_caller()?;
        match &mine.target {
            Target::Here { channel, .. } => {
                if mine.is_cut_off() {
                    return Err(EBADF);
                }
                mine.seen.renew();
                caller_may_signal(&channel.process.pid).map_err(gone_is_dead)?;
                mine.pulse_at_once((priority, Lender::Here), code, value)
            }
            Target::There { peer, pid, chid } => {
                mine.seen.renew();
                let way = PulseThere {
                    connection: &mine,
                    peer,
                    pid: *pid,
                    chid: *chid,
                    // Handles have 31 bits, so that this is none of a send's.
                    attempt: 1 << 31 | pid::caller_tid().unsigned_abs(),
                };
                let pulse = kif::Pulse {
                    credentials: mine.told.news(peer),
                    ..way.record(priority, code, value)
                };
                way.transmit(&pulse)
            }
        }
    }

    /// Sends a pulse without blocking: to another node only if the connection is up. Legal in softirq;
    /// no lock may be held.
    ///
    /// Errors: as [`Self::pulse`], and `EAGAIN` when the connection is not up.
    pub(in crate::ipc) fn pulse_at_once(
        self: &Arc<Self>,
        (priority, lender): (i16, Lender),
        code: i8,
        value: i64,
    ) -> Result {
        match &self.target {
            Target::Here { channel, scoid } => {
                if self.is_dead() {
                    return Err(EBADF);
                }
                let pulse = Pulse {
                    priority,
                    lender,
                    code,
                    value,
                    scoid: *scoid,
                };
                channel
                    .queue_pulse(pulse, Room::Program)
                    .map_err(gone_is_dead)?;
                tap::pulsed(&self.node, &self.owner, channel, &pulse);
                Ok(())
            }
            Target::There { peer, pid, chid } => {
                let way = PulseThere {
                    connection: self,
                    peer,
                    pid: *pid,
                    chid: *chid,
                    attempt: 0,
                };
                let pulse = way.record(priority, code, value);
                let state = *self.state.lock();
                match state {
                    State::Connected { server_id, session } => {
                        way.send(server_id, session, &pulse, Context::Atomic)
                    }
                    State::Dead => Err(EBADF),
                    State::Idle | State::Connecting { .. } => Err(EAGAIN),
                }
            }
        }
    }

    /// Whether an event may send a pulse over it, in the name of who has used it last: to a channel of
    /// its own process it always may, another node decides for itself. Legal in softirq.
    ///
    /// Errors: as [`Seen::may_signal`].
    pub(in crate::ipc) fn may_pulse(&self) -> Result {
        match self.channel() {
            Some(channel) if !channel.process.pid.same(&self.owner) => {
                self.seen.may_signal(&channel.process.pid)
            }
            _ => Ok(()),
        }
    }
}

/// A pulse on its way to another node.
struct PulseThere<'a> {
    connection: &'a Arc<Connection>,
    peer: &'a Arc<Peer>,
    pid: i32,
    chid: i32,
    /// By what the connection knows the thread that connects it.
    attempt: u32,
}

impl PulseThere<'_> {
    /// The pulse as it travels, with the lower 32 bits of `value`.
    fn record(&self, priority: i16, code: i8, value: i64) -> kif::Pulse {
        kif::Pulse {
            pulse: PulseInfo {
                code,
                // CAST: The network has 32 bits for it, which are all of a `sival_int`; what a program
                // left in the other half of the union is nothing to refuse the pulse for.
                value: value as i32,
                ..PulseInfo::default()
            },
            priority: i32::from(priority),
            vtid: Vtid {
                priority: i32::from(priority),
                srcnd: i32::from(self.peer.nd),
                ..Vtid::default()
            },
            ..kif::Pulse::default()
        }
    }

    /// Hands the pulse to the session, connecting first if need be. Process context.
    fn transmit(&self, pulse: &kif::Pulse) -> Result {
        loop {
            match self.connection.begin(self.attempt) {
                Begin::Dead => return Err(EBADF),
                Begin::Wait => self
                    .connection
                    .wait_for_connect(None, || false)
                    .map_err(comes_back)?,
                Begin::Connect => {
                    let failed = |_: &Error| self.connection.connect_failed(self.attempt);
                    return self.connect(pulse).map_err(comes_back).inspect_err(failed);
                }
                Begin::Send { server_id, session } => {
                    self.peer.wait_for_room(session, None).map_err(comes_back)?;
                    return self.send(server_id, session, pulse, Context::Sleep);
                }
            }
        }
    }

    /// Sends the pulse with the CONNECT.
    fn connect(&self, pulse: &kif::Pulse) -> Result {
        self.peer.node.find_paths(self.peer, None)?;
        let session = self.peer.open()?;
        self.connection
            .change(|state| state.carried_by(self.attempt, session));
        let connect = self
            .connection
            .connect_record(self.peer, self.pid, self.chid);
        let message = Message::ConnectPulse(connect, *pulse);
        let draft = Draft::new(&self.peer.node, &message, 0, Context::Sleep)?;
        self.peer.wait_for_room(session, None)?;
        let tag = Tag::Connect(connect.client_id);
        self.peer.send(session, draft, tag, None)?;
        self.connection.told.is_told();
        Ok(())
    }

    /// Sends the pulse over a connection that is up.
    fn send(&self, server_id: u32, session: u32, pulse: &kif::Pulse, context: Context) -> Result {
        let message = Message::Pulse(kif::Pulse {
            server_id,
            ..*pulse
        });
        let priority = i16::try_from(pulse.priority).unwrap_or(0);
        let draft = Draft::new(&self.peer.node, &message, 0, context)?.with_priority(priority);
        self.peer
            .send(session, draft, Tag::None, None)
            .map_err(|error| if error == ENOBUFS { EAGAIN } else { error })
    }
}
