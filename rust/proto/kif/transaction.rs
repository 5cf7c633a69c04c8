// SPDX-License-Identifier: GPL-2.0

//! The life of one message: sent, received, finished.
//!
//! A transaction is finished exactly once, by whoever comes first: the reply, an error, the
//! client's signal or time-out, the end of the channel, of the connection, of the client or of the
//! node. Everybody else is told [`TooLate`]. The shell asks [`State::step`] under the transaction's
//! lock, which makes the decision one atomic change.

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In the queue of its channel, or on its way there. Its client is SEND-blocked.
    Sent,
    /// A server has it. Its client is REPLY-blocked.
    Received,
    /// Its outcome is decided.
    Finished,
}

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A server takes it from the queue.
    Receive,
    /// A server answers it, with a reply or with an error.
    Answer,
    /// The client gives up waiting: a signal, a time-out, the detach of its connection, its death.
    Abandon,
    /// The channel, the server or its node is gone.
    ServerGone,
    /// The server's node had no room for the message: it was not queued.
    NotQueued,
}

/// The event came after the outcome was decided, or before it could happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

impl State {
    /// The state after `event`, or [`TooLate`] if the event no longer means anything.
    ///
    /// A transaction that crosses the network is [`State::Sent`] at the client's node until it is
    /// finished, because no packet tells that the server has received it. That is why an answer
    /// finishes a sent one too.
    pub fn step(self, event: Event) -> Result<State, TooLate> {
        match (self, event) {
            (State::Finished, _) => Err(TooLate),
            (State::Sent, Event::Receive) => Ok(State::Received),
            (State::Received, Event::Receive | Event::NotQueued) => Err(TooLate),
            (State::Sent | State::Received, Event::Answer | Event::Abandon | Event::ServerGone)
            | (State::Sent, Event::NotQueued) => Ok(State::Finished),
        }
    }
}

/// Why a blocked client wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal whose handler is to run, or an event of type UNBLOCK.
    Signal,
    /// Its time-out.
    TimedOut,
    /// It has been killed: no program is left that could see the answer.
    Killed,
}

/// How a blocked client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It leaves at once.
    AtOnce,
    /// It leaves at once, and a server that wants to know is told.
    AtOnceAndTell,
    /// It asks to be let go, and waits for the answer. It asks once.
    Ask,
    /// It has asked already.
    Wait,
}

impl Cause {
    /// How a client leaves whose message is in `state`. `wants_to_know` says that the channel is one
    /// with `_NTO_CHF_UNBLOCK`, `remote` that it is on another node, which has to be asked in any
    /// case, and `asked` that this client has asked before.
    pub fn departure(
        self,
        state: State,
        wants_to_know: bool,
        remote: bool,
        asked: bool,
    ) -> Departure {
        let concerned = remote || (wants_to_know && state == State::Received);
        match self {
            Cause::Killed if concerned && !asked => Departure::AtOnceAndTell,
            Cause::Signal | Cause::TimedOut if concerned && asked => Departure::Wait,
            Cause::Signal | Cause::TimedOut if concerned => Departure::Ask,
            _ => Departure::AtOnce,
        }
    }
}

/// The states in which a time-out counts: bits with Neutrino's values (`_NTO_TIMEOUT_SEND` ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutStates(u32);

impl TimeoutStates {
    /// SEND-blocked: the server has not received the message.
    pub const SEND: u32 = 0x10;
    /// RECEIVE-blocked: no message has come.
    pub const RECEIVE: u32 = 0x20;
    /// REPLY-blocked: the server has received the message and not replied.
    pub const REPLY: u32 = 0x40;

    /// Takes the bits; `None` if there is one that means nothing.
    pub fn new(bits: u32) -> Option<Self> {
        if bits & !(Self::SEND | Self::RECEIVE | Self::REPLY) == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Whether a receiver's time-out runs.
    pub fn runs_in_receive(self) -> bool {
        self.0 & Self::RECEIVE != 0
    }

    /// Whether the time-out of a server runs that waits for its client's thread, in MsgRead and
    /// MsgWrite: Neutrino calls it REPLY-blocked then.
    pub fn runs_in_transfer(self) -> bool {
        self.0 & Self::REPLY != 0
    }

    /// Whether a sender's time-out runs while the transaction is in `state`. Over the network the
    /// client cannot tell SEND from REPLY, so there either bit lets it run.
    pub fn runs_in(self, state: State, remote: bool) -> bool {
        let bits = match state {
            State::Finished => 0,
            _ if remote => Self::SEND | Self::REPLY,
            State::Sent => Self::SEND,
            State::Received => Self::REPLY,
        };
        self.0 & bits != 0
    }

    /// Whether a sender must be woken when its message is received, because its time-out begins
    /// or ends to run then.
    pub fn cares_for_receive(self) -> bool {
        let of_sender = self.0 & (Self::SEND | Self::REPLY);
        of_sender == Self::SEND || of_sender == Self::REPLY
    }
}
