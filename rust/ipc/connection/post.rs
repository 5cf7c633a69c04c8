// SPDX-License-Identifier: GPL-2.0

//! Messages for whose answers no thread waits: `sendmsg()` and `recvmsg()`, and what a `poll()` is told.

use super::{
    there::There,
    Connection,
    Request,
    Target, //
    CLEARING,
    SERVING,
};
use crate::{
    ipc::{
        channel::Channel,
        mailbox::{
            Place,
            Posted, //
        },
        parked::Parked,
        pins::Pins,
        transaction::{
            Outcome,
            Transaction, //
        },
    },
    knet::{
        sock::Ready,
        timer::now_ns,
        trace,
        user::UserBuf,
        work, //
    },
    node::Peer,
    proto::kif::connection::State,
    stats::Counter,
    uapi, //
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue::WorkItem, //
};

/// How many nanoseconds at a time it is waited for the way, so that many that wait take turns.
const CLEARING_SLICE: u64 = 200_000_000;

impl WorkItem<SERVING> for Connection {
    type Pointer = Arc<Connection>;

    fn run(this: Arc<Self>) {
        this.mailbox.serve();
        this.ring();
    }
}

impl WorkItem<CLEARING> for Connection {
    type Pointer = Arc<Connection>;

    fn run(this: Arc<Self>) {
        if !this.wait_for_way() {
            // If it was put there again meanwhile, it comes all the same.
            let _ = work::enqueue_long::<_, CLEARING>(this);
            return;
        }
        this.mailbox.block(false);
        this.ring();
    }
}

/// Why a message was not sent that nobody waits with.
pub(crate) enum Unsent {
    /// This node could not, or the wait for it is over.
    Waited(Error),
    /// The other node does not want it.
    Refused(Error),
}

impl From<Error> for Unsent {
    fn from(error: Error) -> Self {
        Unsent::Waited(error)
    }
}

impl Unsent {
    /// The same, if it says that something is short, so that nobody takes it for a reason to poll.
    fn not_for_poll(self) -> Self {
        match self {
            Unsent::Waited(EAGAIN) => Unsent::Waited(ENOBUFS),
            Unsent::Refused(EAGAIN) => Unsent::Refused(ENOBUFS),
            unsent => unsent,
        }
    }
}

impl Connection {
    /// Sends a message without waiting for its answer, which [`collect`](Self::collect) gets. Process
    /// context; it waits until the message is out, or the request's time is over.
    ///
    /// Errors: as [`send`](Self::send), but for those of the answer, and `ENOBUFS` in place of `EAGAIN`;
    /// `EMSGSIZE` for more than `QNET_POST_MAX` bytes, or room for more.
    pub(crate) fn post(self: &Arc<Self>, request: &Request, cookie: u64) -> Result<(), Unsent> {
        let most = request.message.len().max(request.reply.len());
        if most > uapi::QNET_POST_MAX {
            return Err(EMSGSIZE.into());
        }
        let mine = self.of_caller()?;
        trace::Send::trace(|| mine.traced(request));
        if let Some(error) = mine.mailbox.take_failure() {
            return Err(error.into());
        }
        let place = mine
            .mailbox
            .place(request.timeout.deadline, || mine.is_cut_off())?;
        let posted = match &mine.target {
            Target::Here { channel, .. } => mine
                .post_here(channel, request, cookie, place)
                .map_err(Unsent::from),
            Target::There { peer, pid, chid } => {
                mine.post_there(peer, *pid, *chid, request, cookie, place)
            }
        };
        if posted.is_err() {
            // Its place is free again.
            mine.ring();
        }
        posted.map_err(Unsent::not_for_poll)
    }

    fn post_here(
        self: &Arc<Self>,
        channel: &Arc<Channel>,
        request: &Request,
        cookie: u64,
        place: Place<'_>,
    ) -> Result {
        let room = request.reply.len();
        let mut kept = None;
        let queued = self.queue_here(channel, request, room, |transaction| {
            // All of the message is in the transaction.
            let request = Request {
                message: UserBuf::room(0)?,
                reply: UserBuf::room(room)?,
                ..*request
            };
            let posted = Posted::new(transaction, 0, cookie, request)?;
            place.put(posted)?;
            kept = Some(transaction.clone());
            Ok(())
        });
        if let (Err(_), Some(transaction)) = (&queued, kept) {
            self.mailbox.remove(&transaction);
        }
        let transaction = queued?;
        if self.is_ended() {
            // Who ended the connection in between may have found nothing in the mailbox, and in the
            // queue.
            self.abandon_posted();
            channel.forget(&transaction);
        }
        Ok(())
    }

    fn post_there(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        request: &Request,
        cookie: u64,
        place: Place<'_>,
    ) -> Result<(), Unsent> {
        if self.is_dead() {
            return Err(EBADF.into());
        }
        self.node.stats.count(Counter::ClientKercalls);
        let bytes = request.message.read_piece(0, uapi::QNET_POST_MAX)?;
        let room = request.reply.len();
        let client = self.client(bytes.len() + room)?;
        let request = Request {
            message: UserBuf::kept(bytes)?,
            reply: UserBuf::room(room)?,
            ..*request
        };
        let sender = self.sender(&request, u32::from(peer.nd))?;
        let transaction = Transaction::new(&self.node, client, sender, None, GFP_KERNEL_ACCOUNT)?;
        // From now on others may finish it.
        transaction.mark_posted();
        let handle = self.enter_send(&transaction)?;
        let mut kept = false;
        let sent = Posted::new(&transaction, handle, cookie, request).and_then(|posted| {
            place.put(posted.clone())?;
            kept = true;
            self.transmit_posted(peer, pid, chid, &posted)
        });
        match sent {
            // It is out. Should the server or the session be gone meanwhile, the answer is here, or
            // comes: why there is none.
            Ok(()) if !self.is_ended() => {
                if transaction.is_answered() {
                    // Before it was in the mailbox that rang for nobody.
                    self.ring();
                }
                Ok(())
            }
            sent => {
                let removed = self.mailbox.remove(&transaction);
                if kept && !removed && !self.is_ended() && transaction.is_finished() {
                    // Somebody has collected the answer already.
                    return Ok(());
                }
                self.unpost(&transaction, handle, sent.err().unwrap_or(EBADF))
            }
        }
    }

    /// A message to another node, which is in no mailbox, could not be sent; or the connection has
    /// ended meanwhile, when who ended it may have found nothing in the mailbox.
    fn unpost(
        self: &Arc<Self>,
        transaction: &Arc<Transaction>,
        handle: u32,
        error: Error,
    ) -> Result<(), Unsent> {
        transaction.leave();
        self.forget_send(handle);
        if error == ETIMEDOUT {
            self.clear_way();
        }
        match transaction.take_answer() {
            Some(Outcome::Error(told)) => Err(Unsent::Refused(Error::from_errno(told))),
            _ => Err(error.into()),
        }
    }

    fn transmit_posted(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        pid: i32,
        chid: i32,
        posted: &Posted,
    ) -> Result {
        let request = &posted.request;
        self.node.find_paths(peer, request.timeout.deadline)?;
        // Its bytes are the kernel's, so that nothing will be pinned.
        let pins = Pins::new(peer, posted.handle);
        let there = There {
            pins: &pins,
            connection: self,
            peer,
            pid,
            chid,
            request,
            timeout: &request.timeout,
            transaction: &posted.transaction,
            handle: posted.handle,
            tells: Cell::new(false),
        };
        there.transmit()
    }

    /// A message found the way blocked: who polls the connection is told when it is free.
    fn clear_way(self: &Arc<Self>) {
        self.mailbox.block(true);
        // If it waits already, it looks again.
        let _ = work::enqueue_long::<_, CLEARING>(self.clone());
    }

    /// Waits a while until there is a path to the other node, and room in its session; says whether
    /// there is, or nobody wants that any more. By the workqueue. That there is no path, the next
    /// message tells.
    fn wait_for_way(&self) -> bool {
        let Target::There { peer, .. } = &self.target else {
            return true;
        };
        if self.is_dead() {
            return true;
        }
        if let Err(error) = self.node.find_paths(peer, None) {
            self.mailbox.fail(error);
            return true;
        }
        let until = Some(now_ns().saturating_add(CLEARING_SLICE));
        // A session that has ended has room for anything.
        let waited = peer.wait_for_room(peer.connection(), until);
        self.is_dead() || !waited.is_err_and(|error| error == ETIMEDOUT)
    }

    /// Gets the answer of a message that was posted, and the message. Process context; it waits until
    /// `deadline`.
    ///
    /// Errors: `EBADF` when the connection is dead, `ETIMEDOUT`, `EINTR`, `EAGAIN`, `ENOMEM`.
    pub(crate) fn collect(
        self: &Arc<Self>,
        deadline: Option<u64>,
    ) -> Result<(Arc<Posted>, Outcome)> {
        let mine = self.of_caller()?;
        let (posted, outcome, was_full) = mine
            .mailbox
            .take(deadline, |under_way| !under_way && mine.is_cut_off())?
            .ok_or(EBADF)?;
        if posted.handle != 0 {
            mine.forget_send(posted.handle);
        }
        if was_full {
            mine.ring();
        }
        Ok((posted, outcome))
    }

    /// What the calling process may do without waiting: get an answer, post a message.
    pub(crate) fn ready(&self) -> Ready {
        if self.owner.is_caller() {
            return self.ready_of_owner();
        }
        match self.heir_of_caller() {
            Some(heir) => heir.ready_of_owner(),
            // It has sent nothing yet.
            None => Ready {
                receive: false,
                send: true,
                hung_up: self.channel().is_some_and(|channel| channel.is_destroyed()),
            },
        }
    }

    fn ready_of_owner(&self) -> Ready {
        let (answered, room) = self.mailbox.ready();
        let connecting = matches!(*self.state.lock(), State::Connecting { .. });
        Ready {
            receive: answered,
            send: room && !connecting,
            hung_up: self.is_cut_off(),
        }
    }

    /// Something that is polled for may have changed. Legal in softirq; no lock may be held.
    pub(in crate::ipc) fn ring(&self) {
        if let Some(bell) = &self.bell {
            self.mailbox.changed();
            // What it is may be another process's.
            bell.ring(Ready::default());
        }
    }

    /// A server wants something of the sender of a message for which no thread waits. Legal in softirq.
    pub(in crate::ipc) fn serve_soon(self: &Arc<Self>) {
        // If it is to run already, it sees this too.
        let _ = work::enqueue::<_, SERVING>(self.clone());
    }

    /// Ends messages for which no thread waits. Process context.
    pub(super) fn abandon_posted(self: &Arc<Self>) {
        let posted = self.mailbox.take_all();
        self.abandon(posted.iter().map(|posted| Parked {
            transaction: posted.transaction.clone(),
            handle: posted.handle,
            pinned: KVec::new(),
        }));
    }
}
