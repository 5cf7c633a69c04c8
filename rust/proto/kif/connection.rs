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
    /// A CONNECT is on its way.
    Connecting,
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
    /// What a sender is to do, and the state it leaves behind.
    pub fn begin(self) -> (State, Begin) {
        match self {
            State::Idle => (State::Connecting, Begin::Connect),
            State::Connecting => (self, Begin::Wait),
            State::Connected { server_id, session } => (self, Begin::Send { server_id, session }),
            State::Dead => (self, Begin::Dead),
        }
    }

    /// CONNECT_SUCCESS came over `session`. `None`: nobody asked, or not any more.
    pub fn succeeded(self, server_id: u32, session: u32) -> Option<State> {
        match self {
            State::Connecting => Some(State::Connected { server_id, session }),
            _ => None,
        }
    }

    /// CONNECT_FAIL came, or the CONNECT could not be sent. `None`: nobody asked.
    pub fn failed(self) -> Option<State> {
        match self {
            State::Connecting => Some(State::Idle),
            _ => None,
        }
    }

    /// The session `session` ended, on which the connection may have been made. A CONNECT under
    /// way is lost with whatever session carried it.
    pub fn session_ended(self, session: u32) -> State {
        match self {
            State::Connected { session: mine, .. } if mine == session => State::Dead,
            State::Connecting => State::Idle,
            _ => self,
        }
    }
}
