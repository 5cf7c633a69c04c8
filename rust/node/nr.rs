// SPDX-License-Identifier: GPL-2.0

//! The node resolver: what number another node has for a third one, `netmgr_remote_nd()`.
//!
//! A node descriptor means something on one node only. A program that passes one on to another node
//! asks that node first, by name. Questions wait here, by an id of their own, until the answer comes
//! over the session by which they went, or that session ends.

use super::{
    frame::Draft,
    peer::{
        Peer,
        Tag, //
    },
    Node,
};
use crate::{
    knet::{
        atomic_account,
        cred::Cred,
        lock::SpinLockBh,
        new_spinlock_bh,
        skb::{
            Context,
            RxSkb, //
        },
        take_first,
        timer::now_ns,
        wait::{
            Wait,
            WaitQueue, //
        },
    },
    proto::{
        names::{
            self,
            Domain,
            Fqnn, //
        },
        wire::{
            errno,
            nr::{
                self,
                Message, //
            },
        },
    },
    stats::Counter, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The most questions of a namespace at a time.
const MOST: usize = 256;
/// The most of them of one user: nodes that do not answer must not take everybody's.
const MOST_OF_A_USER: usize = 32;
/// How long an answer is waited for, in nanoseconds. A node that lives answers at once.
const PATIENCE: u64 = 5_000_000_000;

/// A question that waits for its answer.
struct Question {
    id: u16,
    /// Who asks.
    uid: u32,
    peer: Arc<Peer>,
    session: u32,
    answer: Option<Result<u32>>,
}

/// What changes, under the lock.
struct Inner {
    questions: KVec<Question>,
    last_id: u16,
}

/// The questions of one node.
#[pin_data]
pub(super) struct Questions {
    #[pin]
    inner: SpinLockBh<Inner>,
    /// Woken when an answer comes.
    #[pin]
    answered: WaitQueue,
}

impl Questions {
    /// None.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_spinlock_bh!(Inner {
                questions: KVec::new(),
                last_id: 0,
            }),
            answered <- WaitQueue::new(),
        })
    }

    fn enter(&self, uid: u32, peer: &Arc<Peer>, session: u32) -> Result<u16> {
        let mut inner = self.inner.lock();
        let his = inner
            .questions
            .iter()
            .filter(|question| question.uid == uid);
        if inner.questions.len() >= MOST || his.count() >= MOST_OF_A_USER {
            return Err(EAGAIN);
        }
        loop {
            inner.last_id = inner.last_id.wrapping_add(1);
            let id = inner.last_id;
            if !inner.questions.iter().any(|question| question.id == id) {
                break;
            }
        }
        let id = inner.last_id;
        inner.questions.push(
            Question {
                id,
                uid,
                peer: peer.clone(),
                session,
                answer: None,
            },
            atomic_account(),
        )?;
        Ok(id)
    }

    fn leave(&self, id: u16) {
        let left = {
            let mut inner = self.inner.lock();
            take_first(&mut inner.questions, |other| other.id == id)
        };
        drop(left);
    }

    /// The answer to a question has come over that session; says whether there was such a question.
    fn answer(&self, peer: &Arc<Peer>, session: u32, id: u16, answer: Result<u32>) -> bool {
        let known = {
            let mut inner = self.inner.lock();
            let question = inner.questions.iter_mut().find(|question| {
                question.id == id
                    && question.session == session
                    && Arc::ptr_eq(&question.peer, peer)
            });
            match question {
                Some(question) => {
                    question.answer = question.answer.or(Some(answer));
                    true
                }
                None => false,
            }
        };
        if known {
            self.answered.wake_all();
        }
        known
    }

    /// Waits for the answer. Process context.
    fn wait(&self, id: u16, deadline: u64) -> Result<u32> {
        let mut inner = self.inner.lock();
        loop {
            let answer = inner
                .questions
                .iter()
                .find(|question| question.id == id)
                .and_then(|question| question.answer);
            if let Some(answer) = answer {
                return answer;
            }
            match self.answered.wait(&mut inner, Some(deadline)) {
                Wait::Woken => {}
                Wait::TimedOut => return Err(ETIMEDOUT),
                Wait::Signal => return Err(EINTR),
            }
        }
    }

    /// A session has ended: its questions have no answer. Legal in softirq.
    pub(super) fn session_ended(&self, peer: &Arc<Peer>, session: u32) {
        {
            let mut inner = self.inner.lock();
            for question in &mut inner.questions {
                if question.session == session && Arc::ptr_eq(&question.peer, peer) {
                    question.answer = question.answer.or(Some(Err(EHOSTDOWN)));
                }
            }
        }
        self.answered.wake_all();
    }
}

impl Node {
    /// The number that the node `remote` has for the node that this one calls `local`. Process
    /// context.
    ///
    /// Errors: `EINVAL` for numbers that are not in use here, `ENOENT` when the other node does not
    /// know that node, `EHOSTUNREACH` and `EHOSTDOWN`, `EINTR`, `ETIMEDOUT`, `EAGAIN`, `ENOMEM`.
    pub(crate) fn remote_nd(
        self: &Arc<Self>,
        remote: u32,
        local: u32,
        deadline: Option<u64>,
    ) -> Result<u32> {
        let number = |nd: u32| nd & 0xffff;
        if number(remote) == number(local) {
            return Ok(0);
        }
        if number(remote) == 0 {
            return Ok(local);
        }
        let fqnn = match number(local) {
            0 => self.fqnn().ok_or(EINVAL)?,
            _ => self.peer_by_nd(local).ok_or(EINVAL)?.fqnn.clone(),
        };
        let peer = self.peer_by_nd(remote).ok_or(EINVAL)?;
        self.find_paths(&peer, deadline)?;
        let session = peer.open()?;
        let uid = Cred::of_caller().ids().ruid;
        let id = self.questions.enter(uid, &peer, session)?;
        let asked = self.ask_peer(&peer, session, id, &fqnn, deadline);
        let answer = asked.and_then(|()| {
            let patience = now_ns().saturating_add(PATIENCE);
            let until = deadline.map_or(patience, |deadline| deadline.min(patience));
            self.questions.wait(id, until)
        });
        self.questions.leave(id);
        answer
    }

    /// Finds the paths to a peer that has none. Process context.
    ///
    /// Errors: `EHOSTUNREACH` when nobody answers to its name, `EINTR`, `ETIMEDOUT`.
    pub(crate) fn find_paths(self: &Arc<Self>, peer: &Arc<Peer>, deadline: Option<u64>) -> Result {
        if peer.is_located() {
            return Ok(());
        }
        let resolved = self.resolve(&peer.fqnn, deadline);
        let base = resolved.map_err(|error| match error {
            EINTR | ETIMEDOUT => error,
            _ => EHOSTUNREACH,
        })?;
        // With a QoS of its own it goes by the same paths.
        base.tell_paths(peer);
        Ok(())
    }

    fn ask_peer(
        &self,
        peer: &Arc<Peer>,
        session: u32,
        id: u16,
        fqnn: &Fqnn,
        deadline: Option<u64>,
    ) -> Result {
        let name = fqnn.as_bytes();
        let draft = Draft::nr(self, &Message::RemoteRequest { id, name }, Context::Sleep)?;
        peer.wait_for_room(session, deadline)?;
        peer.send(session, draft, Tag::None, None)
    }

    /// This node's number for the node of that name.
    fn number_of(&self, name: &[u8]) -> Result<u32> {
        let parsed = names::parse_node_string(name).map_err(|_| EINVAL)?;
        let fqnn = parsed.fqnn(&Domain::EMPTY).map_err(|_| EINVAL)?;
        if self.is_me(fqnn.name(), fqnn.domain()) {
            return Ok(0);
        }
        let peer = self.peer_by_name(&fqnn).ok_or(ENOENT)?;
        Ok(peer.descriptor())
    }
}

/// Takes the message `seq` of the node resolver in that `peer` has sent. Softirq.
pub(super) fn message(
    peer: &Arc<Peer>,
    session: u32,
    seq: u32,
    mut skb: RxSkb,
) -> Result<(), Counter> {
    let length = skb.len().min(nr::MAX_LEN);
    let bytes = skb.pull(length).ok_or(Counter::DropNoMemory)?;
    let node = &peer.node;
    let known = match Message::parse(bytes).map_err(|_| Counter::DropNr)? {
        Message::RemoteRequest { id, name } => {
            let answer = match node.number_of(name) {
                Ok(nd) => Message::RemoteAnswer { id, nd },
                Err(error) => Message::RemoteError {
                    id,
                    status: errno::to_wire(-error.to_errno()),
                },
            };
            let sent = Draft::nr(node, &answer, Context::Atomic)
                .and_then(|draft| peer.send(session, draft, Tag::None, Some(seq)));
            // Who asks does not wait without end.
            return sent.map_err(|_| Counter::DropNoMemory);
        }
        Message::RemoteAnswer { id, nd } => node.questions.answer(peer, session, id, Ok(nd)),
        Message::RemoteError { id, status } => {
            let error = match errno::from_wire(status) {
                error @ 1..=511 => Error::from_errno(-error),
                _ => EIO,
            };
            node.questions.answer(peer, session, id, Err(error))
        }
        // A heartbeat is no message of a session's order.
        Message::Ping | Message::PingReply => false,
    };
    match known {
        true => Ok(()),
        false => Err(Counter::DropNr),
    }
}
