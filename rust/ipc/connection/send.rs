// SPDX-License-Identifier: GPL-2.0

//! MsgSend: to a channel of this node, or of another.

use super::{
    comes_back,
    gone_is_dead,
    there::There, //
    Connection,
    Request,
    Target,
};
use crate::{
    ipc::{
        channel::Channel,
        parked::Parked,
        pins::Pins,
        tap,
        transaction::{
            Client,
            Outcome,
            Payload,
            Sender,
            Timeout,
            Transaction,
            Waited,
            Way, //
        },
        vtids::Evicted, //
    },
    knet::{
        pid::{
            self,
            Pid, //
        },
        timer::now_ns,
        trace,
        wait::{
            pending_signal,
            Signal,
            Wait, //
        },
    },
    node::Peer,
    proto::kif::{
        connection::State,
        transaction::Event,
        transfer::MAX_DATA, //
    },
    stats::Counter,
    uapi, //
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The first wait before a message is sent again that the server's node had no room for, in
/// nanoseconds; it doubles up to [`LAST_BACKOFF`].
const FIRST_BACKOFF: u64 = 1_000_000;
/// The longest such wait, in nanoseconds.
const LAST_BACKOFF: u64 = 200_000_000;

impl Connection {
    /// MsgSend. Process context. The status of the reply, and how many bytes of it were stored.
    ///
    /// Errors: `EBADF` when the connection is dead, `ESRCH` when the server went while the caller
    /// was blocked, `EHOSTUNREACH` and `EHOSTDOWN` when the other node cannot be reached or was
    /// lost, `EAGAIN` when the user has too much under way, `EMSGSIZE`, `EFAULT`, `EINTR`,
    /// `ETIMEDOUT`, and what the server passed to MsgError.
    pub(crate) fn send(self: &Arc<Self>, request: &Request) -> Result<(i64, usize)> {
        let mine = self.of_caller()?;
        let mut parked = mine.parked.take(&request.call);
        if parked.is_none() {
            trace::Send::trace(|| mine.traced(request));
        } else {
            self.let_go(&mine);
        }
        let mut timeout = request.timeout;
        loop {
            match mine.send_once(request, &timeout, parked.take())? {
                Outcome::Reply {
                    status,
                    data,
                    offset,
                } => {
                    // What is before the offset came ahead of the reply, as far as there was room.
                    let at = usize::try_from(offset).unwrap_or(usize::MAX);
                    let stored = data.copy_range(0, data.len(), &request.reply, at)?;
                    data.count_copied(&self.node, stored);
                    return Ok((status, at.min(request.reply.len()) + stored));
                }
                Outcome::Error(error) | Outcome::Abandoned(error) => {
                    return Err(Error::from_errno(error))
                }
                Outcome::Busy => return Err(EAGAIN),
                // A server that is faster than this thread must not keep a signal out.
                Outcome::Again { .. } if pending_signal() != Signal::None => {
                    return Err(comes_back(EINTR));
                }
                // However often: a signal or the time-out ends it as it ends the first wait.
                Outcome::Again { deadline } => timeout.deadline = deadline.or(timeout.deadline),
            }
        }
    }

    /// Sends the message and waits, or goes on waiting for one that is parked.
    fn send_once(
        self: &Arc<Self>,
        request: &Request,
        timeout: &Timeout,
        parked: Option<Parked>,
    ) -> Result<Outcome> {
        match (&self.target, parked) {
            (Target::Here { channel, .. }, None) => self.send_here(channel, request, timeout),
            (Target::Here { channel, .. }, Some(parked)) => {
                self.wait_here(channel, &parked.transaction, request, timeout)
            }
            (Target::There { peer, pid, chid }, parked) => {
                self.send_there(peer, *pid, *chid, request, timeout, parked)
            }
        }
    }

    #[cold]
    pub(super) fn traced(&self, request: &Request) -> trace::Send {
        let (pid, chid) = match &self.target {
            Target::Here { channel, .. } => (channel.process.pid.number(), channel.chid),
            Target::There { pid, chid, .. } => (*pid, *chid),
        };
        trace::Send {
            nd: self.address.nd,
            pid,
            chid,
            coid: request.coid,
            priority: pid::caller_priority(),
            bytes: request.message.len() as u64,
        }
    }

    /// Whose message it is, which is charged to its user with the bytes that are kept of it.
    pub(super) fn client(self: &Arc<Self>, bytes: usize) -> Result<Client> {
        Ok(Client::Thread {
            connection: self.clone(),
            process: Pid::of_caller(),
            _charged: Some(self.charged.user().message(&self.node, bytes)?),
        })
    }

    pub(super) fn sender(&self, request: &Request, srcnd: u32) -> Result<Sender> {
        Ok(Sender {
            tid: pid::caller_tid(),
            coid: request.coid,
            priority: pid::caller_priority(),
            srcnd,
            srcmsglen: i64::try_from(request.message.len()).map_err(|_| EOVERFLOW)?,
            dstmsglen: i64::try_from(request.reply.len()).map_err(|_| EOVERFLOW)?,
            client_changed: self.seen.sends(),
        })
    }

    fn send_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        let transaction = self.queue_here(channel, request, 0, |_| Ok(()))?;
        self.wait_here(channel, &transaction, request, timeout)
    }

    /// Puts a message into the queue of a channel of this node. `room` bytes are kept for the reply.
    /// `before` is called before anybody else knows the message.
    pub(super) fn queue_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        room: usize,
        before: impl FnOnce(&Arc<Transaction>) -> Result,
    ) -> Result<Arc<Transaction>> {
        if self.is_dead() {
            return Err(EBADF);
        }
        // Short messages are copied now; of a long one, the rest when the server receives it.
        let bytes = request.message.read_piece(0, MAX_DATA)?;
        let client = self.client(bytes.len() + room)?;
        let sender = self.sender(request, 0)?;
        let tells = sender.client_changed;
        let payload = Some(Payload::Copied(bytes));
        let queued = Transaction::new(&self.node, client, sender, payload, GFP_KERNEL_ACCOUNT)
            .and_then(|transaction| {
                before(&transaction)?;
                tap::sent(&self.node, &transaction);
                channel.queue(&transaction, false).map_err(gone_is_dead)?;
                Ok(transaction)
            });
        if queued.is_err() && tells {
            self.seen.keep_change();
        }
        let transaction = queued?;
        if self.is_dead() {
            // Detached in between: who did it may have searched the queue before it was there. If
            // the outcome is decided already, it is fetched below.
            let _ = transaction.finish(Event::Abandon, Outcome::Abandoned(EBADF.to_errno()));
        }
        Ok(transaction)
    }

    /// Waits for the answer of a server on this node.
    fn wait_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        transaction: &Arc<Transaction>,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        let way = Way {
            remote: false,
            wants_to_know: channel.has(uapi::QNET_CHF_UNBLOCK),
            ask: &|| transaction.tell_server(),
        };
        loop {
            match transaction.wait(timeout, &way, &request.memory(None)) {
                Waited::Interrupted => self.park(request, transaction, 0)?,
                Waited::Done(outcome) => {
                    if let Outcome::Abandoned(_) = outcome {
                        channel.forget(transaction);
                    }
                    return Ok(outcome);
                }
            }
        }
    }

    /// Leaves the kernel for a while, in the middle of a send; it has succeeded if there is nothing to come
    /// back for, because the outcome is there.
    ///
    /// Errors: `ERESTARTNOINTR`, by which the call comes back; `EINTR` without memory for that.
    fn park(
        self: &Arc<Self>,
        request: &Request,
        transaction: &Arc<Transaction>,
        handle: u32,
    ) -> Result {
        let parked = Parked {
            transaction: transaction.clone(),
            handle,
            pinned: KVec::new(),
        };
        match self.parked.put(&request.call, parked, || self.is_ended()) {
            Ok(oldest) => {
                self.abandon(oldest);
                Err(ERESTARTNOINTR)
            }
            Err(parked) if self.is_ended() => {
                // Who ended it may have found the message in neither queue nor table.
                let abandoned = Outcome::Abandoned(EBADF.to_errno());
                let _ = parked.transaction.finish(Event::Abandon, abandoned);
                Ok(())
            }
            Err(parked) => {
                self.abandon([parked]);
                Err(EINTR)
            }
        }
    }

    fn send_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        timeout: &Timeout,
        parked: Option<Parked>,
    ) -> Result<Outcome> {
        let mut parked = parked;
        if parked.is_none() {
            self.node.stats.count(Counter::ClientKercalls);
        }
        // One time for all that can block on the way.
        let timeout = timeout.fixed();
        let mut backoff = FIRST_BACKOFF;
        loop {
            let outcome = match parked.take() {
                Some(parked) => self.resume_there(peer, request, &timeout, parked)?,
                None => self.try_there(peer, pid, chid, request, &timeout)?,
            };
            if !matches!(outcome, Outcome::Busy) {
                return Ok(outcome);
            }
            self.back_off(backoff, timeout.deadline)
                .map_err(comes_back)?;
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    /// Sleeps `ns` nanoseconds, but not beyond `deadline`; the end of the connection ends the sleep.
    fn back_off(&self, ns: u64, deadline: Option<u64>) -> Result {
        let full = now_ns().saturating_add(ns);
        let until = deadline.map_or(full, |deadline| deadline.min(full));
        let mut state = self.state.lock();
        loop {
            if *state == State::Dead {
                return Err(EBADF);
            }
            match self.changed.wait(&mut state, Some(until)) {
                Wait::Woken => {}
                Wait::TimedOut if deadline == Some(until) => return Err(ETIMEDOUT),
                Wait::TimedOut => return Ok(()),
                Wait::Signal => return Err(EINTR),
            }
        }
    }

    fn try_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        timeout: &Timeout,
    ) -> Result<Outcome> {
        if self.is_dead() {
            return Err(EBADF);
        }
        self.node
            .find_paths(peer, timeout.deadline)
            .map_err(comes_back)?;
        let client = self.client(request.message.len().min(MAX_DATA))?;
        let sender = self.sender(request, u32::from(peer.nd))?;
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        let handle = self.enter_send(&transaction)?;
        let pins = Pins::new(peer, handle);
        let there = There {
            pins: &pins,
            connection: self,
            peer,
            pid,
            chid,
            request,
            timeout,
            transaction: &transaction,
            handle,
            tells: Cell::new(false),
        };
        let sent = there.transmit().map_err(comes_back);
        let outcome = match sent {
            Ok(()) => self.wait_there(peer, &pins, request, timeout, &transaction, handle),
            Err(error) => {
                transaction.leave();
                Err(error)
            }
        };
        let answered = matches!(
            outcome,
            Ok(Outcome::Reply { .. } | Outcome::Error(_) | Outcome::Again { .. })
        );
        if answered && there.tells.get() {
            // Whatever the answer is, it says that the message was there.
            self.told.is_told();
        }
        self.leave_send(&outcome, handle, &pins);
        outcome
    }

    /// Goes on waiting for the answer of another node, after the thread had to leave the kernel.
    fn resume_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        request: &Request,
        timeout: &Timeout,
        parked: Parked,
    ) -> Result<Outcome> {
        let Parked {
            transaction,
            handle,
            pinned,
        } = parked;
        let pins = Pins::again(peer, handle, pinned);
        let outcome = self.wait_there(peer, &pins, request, timeout, &transaction, handle);
        self.leave_send(&outcome, handle, &pins);
        outcome
    }

    /// Enters a send to another node into the node's table: its client handle.
    pub(super) fn enter_send(self: &Arc<Self>, transaction: &Arc<Transaction>) -> Result<u32> {
        let tid = transaction.sender.tid;
        let message = transaction.clone();
        let mut evicted = Evicted::new();
        let handle = {
            let mut waiting = self.node.ipc.waiting.lock();
            waiting.begin(&self.threads, tid, self.clone(), message, &mut evicted)
        };
        drop(evicted);
        handle
    }

    /// Takes a send out of the node's table, unless its thread comes back to it. Whoever finished the
    /// transaction may have taken it out already.
    fn leave_send(self: &Arc<Self>, outcome: &Result<Outcome>, handle: u32, pins: &Pins<'_>) {
        let comes_back = matches!(outcome, Err(error) if *error == ERESTARTNOINTR);
        // What is on its way goes on meanwhile.
        if comes_back && self.parked.keep_pins(handle, pins) {
            return;
        }
        self.forget_send(handle);
        pins.release();
    }

    /// Takes a send out of the node's table. After the end of the connection its handle may be another's.
    pub(super) fn forget_send(self: &Arc<Self>, handle: u32) {
        let waiting = {
            let mut waiting = self.node.ipc.waiting.lock();
            let mine = waiting.message(handle).is_some_and(|it| it.is_on(self));
            if mine {
                waiting.take(handle)
            } else {
                None
            }
        };
        drop(waiting);
        if self.is_dead() {
            // Who ended the connection in between may have found no threads.
            self.forget_threads();
        }
    }

    /// Ends sends whose threads do not come back: their servers learn that nobody waits, and who
    /// reads from their clients that there is nothing to read. Process context.
    pub(super) fn abandon(self: &Arc<Self>, parked: impl IntoIterator<Item = Parked>) {
        for Parked {
            transaction,
            handle,
            ..
        } in parked
        {
            match &self.target {
                Target::Here { channel, .. } => {
                    transaction.die(&|| transaction.tell_server());
                    channel.forget(&transaction);
                }
                Target::There { peer, .. } => {
                    transaction.die(&|| self.unblock(peer, &transaction, handle));
                    self.forget_send(handle);
                }
            }
        }
    }

    /// Waits for the answer of another node.
    fn wait_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pins: &Pins<'_>,
        request: &Request,
        timeout: &Timeout,
        transaction: &Arc<Transaction>,
        handle: u32,
    ) -> Result<Outcome> {
        let way = Way {
            remote: true,
            wants_to_know: true,
            ask: &|| self.unblock(peer, transaction, handle),
        };
        loop {
            match transaction.wait(timeout, &way, &request.memory(Some(pins))) {
                Waited::Interrupted => self.park(request, transaction, handle)?,
                Waited::Done(outcome) => return Ok(outcome),
            }
        }
    }
}
