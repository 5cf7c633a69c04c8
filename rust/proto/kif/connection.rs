// SPDX-License-Identifier: GPL-2.0

//! A client's connection to a channel on another node.
//!
//! `ConnectAttach()` sends nothing; the first message takes the CONNECT along (CONNECT_MSGSEND), or
//! sends it ahead when the two do not fit one packet. Messages of other threads wait until the
//! answer is there. A connection whose server is gone is dead for good, as on Neutrino; one whose
//! server was never reached can try again.

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent, or what was sent did not arrive.
    Idle,
    /// A CONNECT is on its way, or being made.
    Connecting {
        /// Whose it is: the client handle of the send that began it.
        attempt: u32,
        /// The session that carries it: the local connection id; 0 until it is chosen.
        session: u32,
    },
    /// The server's node knows the connection by this `server_id`.
    Connected {
        /// The server's node's name for the connection.
        server_id: u32,
        /// The session over which it was made: the local connection id. It ends with it.
        session: u32,
    },
    /// The server is gone, or the connection was detached. Further sends fail with EBADF.
    Dead,
}

/// What a sender is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Send the CONNECT, with or without the message.
    Connect,
    /// Wait until the CONNECT of another thread is answered.
    Wait,
    /// Send the message to this `server_id`, over this session.
    Send {
        /// The server's node's name for the connection.
        server_id: u32,
        /// The session that the name belongs to.
        session: u32,
    },
    /// Fail with EBADF.
    Dead,
}

impl State {
    /// What the sender with the client handle `attempt` is to do, and the state it leaves behind.
    pub fn begin(self, attempt: u32) -> (State, Begin) {
        match self {
            State::Idle => (
                State::Connecting {
                    attempt,
                    session: 0,
                },
                Begin::Connect,
            ),
            State::Connecting { .. } => (self, Begin::Wait),
            State::Connected { server_id, session } => (self, Begin::Send { server_id, session }),
            State::Dead => (self, Begin::Dead),
        }
    }

    /// The CONNECT of `attempt` goes over `session`. `None`: it is no longer its turn.
    pub fn carried_by(self, attempt: u32, session: u32) -> Option<State> {
        match self {
            State::Connecting { attempt: mine, .. } if mine == attempt => {
                Some(State::Connecting { attempt, session })
            }
            _ => None,
        }
    }

    /// CONNECT_SUCCESS came over `session`. `None`: nobody asked by that session.
    pub fn succeeded(self, server_id: u32, session: u32) -> Option<State> {
        match self {
            State::Connecting { session: mine, .. } if mine == session => {
                Some(State::Connected { server_id, session })
            }
            _ => None,
        }
    }

    /// CONNECT_FAIL came over `session`. `None`: nobody asked by that session.
    pub fn refused(self, session: u32) -> Option<State> {
        match self {
            State::Connecting { session: mine, .. } if mine == session => Some(State::Idle),
            _ => None,
        }
    }

    /// The CONNECT of `attempt` could not be sent. `None`: it was no longer its turn.
    pub fn failed(self, attempt: u32) -> Option<State> {
        match self {
            State::Connecting { attempt: mine, .. } if mine == attempt => Some(State::Idle),
            _ => None,
        }
    }

    /// CONNECT_DEATH came over `session`. `None`: the connection was not made by that session.
    pub fn server_gone(self, session: u32) -> Option<State> {
        match self {
            State::Connected { session: mine, .. } | State::Connecting { session: mine, .. }
                if mine == session =>
            {
                Some(State::Dead)
            }
            _ => None,
        }
    }

    /// The session `session` ended. `None`: the connection does not depend on it.
    pub fn session_ended(self, session: u32) -> Option<State> {
        match self {
            State::Connected { session: mine, .. } if mine == session => Some(State::Dead),
            State::Connecting { session: mine, .. } if mine == session => Some(State::Idle),
            _ => None,
        }
    }
}
