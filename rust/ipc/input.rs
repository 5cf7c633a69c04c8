// SPDX-License-Identifier: GPL-2.0

//! Messages of the kernel interface that come from other nodes.
//!
//! Everything here runs in softirq, after the session has put the messages into order. A handle
//! counts only for the peer, and the session, that it was given to. What cannot be answered for
//! want of memory ends the session, because a client that is never told would wait for ever.

use super::{
    channel::Room,
    connection::{
        Connection,
        KIF_VERSION, //
    },
    events,
    priority::Lender,
    process::Process,
    pulse::Pulse,
    requests::{
        Asker,
        Request, //
    },
    rights::{
        claim_may_signal,
        claim_of,
        Claim, //
    },
    server::{
        error_draft,
        ServerConnection,
        NOT_QUEUED, //
    },
    transaction::{
        Client,
        Outcome,
        Payload,
        Sender,
        Transaction,
        MAX_ERRNO, //
    },
};
use crate::{
    knet::{
        signal,
        skb::{
            Context,
            RxSkb, //
        },
    },
    node::{
        Charge,
        Draft,
        Peer,
        Tag, //
    },
    proto::{
        kif::{
            connection::State,
            event as kif_event,
            priority,
            transaction::Event,
            transfer::piece, //
        },
        wire::{
            errno,
            kif::{
                self,
                Connect,
                Message,
                MsgRead,
                MsgSend,
                Transfer,
                Unblock, //
            },
            signo, //
        },
    },
    stats::Counter, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

/// A message that has come, over the session `session`, under the number `seq`.
struct Arrival<'a> {
    peer: &'a Arc<Peer>,
    session: u32,
    seq: u32,
}

/// Takes the message `seq` of `peer` in.
pub(crate) fn message(peer: &Arc<Peer>, session: u32, seq: u32, skb: RxSkb) {
    let arrival = Arrival { peer, session, seq };
    if let Err(counter) = arrival.take(skb) {
        peer.node.stats.count(counter);
        if matches!(counter, Counter::DropNoMemory) {
            // It is acknowledged and cannot come again, so its sender must learn of it.
            peer.close_session(session);
        }
    }
}

impl Arrival<'_> {
    fn take(&self, mut skb: RxSkb) -> Result<(), Counter> {
        let total = skb.len();
        let linear = skb
            .pull(total.min(kif::MAX_FIXED))
            .ok_or(Counter::DropNoMemory)?;
        let (message, offset) = kif::parse(linear, total).map_err(|_| Counter::DropKifMalformed)?;
        // What lies behind the data is nothing.
        let length = offset + message.data_len() as usize;
        skb.truncate(length).map_err(|_| Counter::DropNoMemory)?;
        match message {
            Message::Connect(connect) => self.connect(&connect, With::Nothing),
            Message::ConnectPulse(connect, pulse) => self.connect(&connect, With::Pulse(pulse)),
            Message::ConnectMsgSend(connect, send) => {
                self.connect(&connect, With::Message(send, skb, offset))
            }
            Message::Pulse(pulse) => {
                let server = self.server(pulse.server_id)?;
                self.pulse(&server, &pulse)
            }
            Message::Event(event) => self.event(&event),
            Message::Signal(signal) => {
                self.signal(&signal);
                Ok(())
            }
            Message::MsgSend(send) => {
                let server = self.server(send.server_id)?;
                self.msgsend(server, &send, skb, offset);
                Ok(())
            }
            Message::ConnectSuccess {
                client_id,
                server_id,
                nbytes,
                ..
            } => self.connect_success(client_id, server_id, nbytes),
            Message::ConnectFail {
                client_id, status, ..
            } => self.connect_fail(client_id, status),
            Message::MsgReply(transfer) => {
                let outcome = Outcome::Reply {
                    status: i64::from(transfer.status),
                    data: answer_data(skb, offset),
                    offset: u64::from(transfer.offset),
                };
                self.answer(&transfer, outcome)
            }
            Message::MsgRead(read) => self.msgread(&read),
            Message::MsgWrite(write) => self.msgwrite(&write, answer_data(skb, offset)),
            Message::MsgReadXfer(transfer) => {
                self.msgread_answer(&transfer, Ok(answer_data(skb, offset)))
            }
            Message::MsgReadError(transfer) => {
                self.msgread_answer(&transfer, Err(error_from_wire(transfer.status)))
            }
            Message::MsgError(transfer) => self.answer(&transfer, error_outcome(&transfer)),
            Message::Unblock(unblock) => self.unblock(&unblock),
            Message::Disconnect { server_id } => self.disconnect(server_id),
            Message::ConnectDeath { client_id } => self.connect_death(client_id),
        }
    }

    /// Sends an answer to the message that has come. The session ends if that cannot be.
    fn send(&self, draft: Result<Draft>) {
        let sent = draft.and_then(|draft| {
            self.peer
                .send(self.session, draft, Tag::None, Some(self.seq))
        });
        match sent {
            Ok(()) => {}
            // The session has ended already, and its end tells the client.
            Err(error) if error == EHOSTDOWN => {}
            Err(_) => self.peer.close_session(self.session),
        }
    }

    /// The message that has come answers the one with this tag, which acknowledges it.
    fn answered(&self, tag: Tag) {
        self.peer.answered(self.session, tag);
    }

    fn draft(&self, message: &Message) -> Result<Draft> {
        Draft::new(&self.peer.node, message, 0, Context::Atomic)
    }

    fn server(&self, server_id: u32) -> Result<Arc<ServerConnection>, Counter> {
        let servers = self.peer.node.ipc.servers.lock();
        match servers.get(server_id) {
            Some(server) if server.is_of(self.peer, self.session) => Ok(server.clone()),
            _ => Err(Counter::DropKifHandle),
        }
    }

    fn connection(&self, client_id: u32) -> Result<Arc<Connection>, Counter> {
        let clients = self.peer.node.ipc.clients.lock();
        match clients.get(client_id) {
            Some(connection) if connection.is_to(self.peer) => Ok(connection.clone()),
            _ => Err(Counter::DropKifHandle),
        }
    }

    fn connect(&self, connect: &Connect, with: With) -> Result<(), Counter> {
        if connect.version != KIF_VERSION {
            self.connect_refused(connect, EOPNOTSUPP);
            return Err(Counter::DropKifUnsupported);
        }
        match ServerConnection::connect(self.peer, self.session, connect) {
            Ok((server_id, server)) => {
                let fixed = Message::MsgSend(MsgSend::default()).fixed_len();
                let nbytes = piece(self.peer.payload_limit(), fixed);
                self.send(self.draft(&Message::ConnectSuccess {
                    version: KIF_VERSION,
                    client_id: connect.client_id,
                    server_id,
                    scoid: server.scoid,
                    nbytes: u32::try_from(nbytes).unwrap_or(u32::MAX),
                }));
                match with {
                    With::Nothing => {}
                    With::Message(send, skb, offset) => self.msgsend(server, &send, skb, offset),
                    With::Pulse(pulse) => return self.pulse(&server, &pulse),
                }
            }
            Err(error) => self.connect_refused(connect, error),
        }
        Ok(())
    }

    /// Puts a pulse into its channel's queue. Nobody waits for it, so that one for which there is no
    /// room is lost.
    fn pulse(&self, server: &ServerConnection, pulse: &kif::Pulse) -> Result<(), Counter> {
        if let Some(said) = &pulse.credentials {
            server.claims.replace(Claim::new(&self.peer.node, said));
        }
        if pulse.pulse.code < 0 {
            // Those codes are the module's own, which no other node can speak for.
            return Err(Counter::DropKifMalformed);
        }
        claim_may_signal(&server.claims.get(), &server.channel.process)
            .map_err(|_| Counter::SignalRefused)?;
        let queued = server.channel.queue_pulse(
            Pulse {
                priority: priority::clamp(pulse.priority),
                lender: Lender::There,
                code: pulse.pulse.code,
                value: i64::from(pulse.pulse.value),
                scoid: server.scoid,
            },
            Room::Remote,
        );
        match queued {
            Ok(()) => Ok(()),
            // The channel's end is told by CONNECT_DEATH.
            Err(error) if error == ESRCH => Ok(()),
            Err(_) => Err(Counter::PulsesLost),
        }
    }

    /// Somebody on another node sends a signal, and waits for the answer.
    fn signal(&self, signal: &kif::Signal) {
        let node = &self.peer.node;
        let status = match self.send_signal(signal) {
            Ok(()) => 0,
            Err(error) => {
                if error == EPERM {
                    node.stats.count(Counter::SignalRefused);
                }
                -error.to_errno()
            }
        };
        let answer = Transfer {
            status: errno::to_wire(status),
            handle: signal.client_handle,
            offset: 0,
            nbytes: 0,
        };
        self.send(self.draft(&match status {
            0 => Message::MsgReply(answer),
            _ => Message::MsgError(answer),
        }));
    }

    /// Sends the signal to a process that has a channel here.
    fn send_signal(&self, signal: &kif::Signal) -> Result {
        let node = &self.peer.node;
        let signo = signo::from_wire(signal.signo).ok_or(EINVAL)?;
        // The first process of a namespace is never signalled from outside.
        if node.options.remote_signals.load(Relaxed) == 0 || signal.pid == 1 {
            return Err(EPERM);
        }
        let process = Process::by_number(node, signal.pid, &node.wire_pids())
            .filter(|process| process.has_channels())
            .ok_or(ESRCH)?;
        // That of a namespace below this one has another number here.
        if process.pid.is_init() {
            return Err(EPERM);
        }
        let claim = claim_of(node, signal.credentials.as_ref());
        claim_may_signal(&claim, &process)?;
        if signo == 0 {
            return Ok(());
        }
        let info = signal::Info {
            signo,
            code: signal.code,
            value: i64::from(signal.value),
            from: signal::Sender::Elsewhere,
        };
        let tid = (signal.tid != 0).then_some(signal.tid);
        signal::send(&process.pid, tid, &info)
    }

    /// A server delivers an event to a client of this node.
    fn event(&self, event: &kif::Event) -> Result<(), Counter> {
        let (connection, tid, message) = {
            let waiting = self.peer.node.ipc.waiting.lock();
            match waiting.client(event.client_handle) {
                Some((connection, tid, message)) if connection.is_to(self.peer) => {
                    (connection.clone(), tid, message.cloned())
                }
                _ => return Err(Counter::DropKifHandle),
            }
        };
        let event =
            kif_event::Event::from_wire(&event.event).map_err(|_| Counter::DropKifMalformed)?;
        let target = events::Target {
            process: connection.owner(),
            tid,
            seen: Some(connection.seen()),
            message: message.as_ref(),
        };
        events::deliver(
            &self.peer.node,
            &target,
            &event,
            &events::Deliverer::ELSEWHERE,
        )
        .map_err(|_| Counter::EventsLost)
    }

    fn connect_refused(&self, connect: &Connect, error: Error) {
        self.send(self.draft(&Message::ConnectFail {
            version: KIF_VERSION,
            client_id: connect.client_id,
            status: errno::to_wire(-error.to_errno()),
        }));
    }

    /// Puts a message into its channel's queue, or says why not.
    fn msgsend(&self, server: Arc<ServerConnection>, send: &MsgSend, skb: RxSkb, offset: usize) {
        let node = &self.peer.node;
        if let Some(said) = &send.credentials {
            server.claims.replace(Claim::new(node, said));
        }
        let client_changed = server.claims.take_change();
        let sender = Sender {
            tid: send.vtid.tid,
            coid: send.vtid.coid,
            priority: priority::clamp(send.vtid.priority),
            srcnd: u32::try_from(send.vtid.srcnd).unwrap_or(0),
            // A message is not shorter than what came of it.
            srcmsglen: i64::from(send.vtid.srcmsglen).max(i64::from(send.nbytes)),
            dstmsglen: i64::from(send.vtid.dstmsglen.max(0)),
            client_changed,
        };
        let client = Client::Remote {
            server: server.clone(),
            handle: send.client_handle,
            seq: self.seq,
        };
        let charge = Charge::pay(self.peer, &skb);
        let queued = if charge.is_none() {
            Err(EAGAIN)
        } else {
            let payload = Some(Payload::Frame {
                skb,
                offset,
                _charge: charge,
            });
            Transaction::new(node, client, sender, payload, GFP_ATOMIC)
                .and_then(|transaction| server.channel.queue(&transaction, true))
        };
        match queued {
            // Who ended the session in between may have searched the queue before.
            Ok(()) if server.is_cut_off() => server.forget_queued(),
            Ok(()) => {}
            // The channel's end is told by CONNECT_DEATH, which comes before this.
            Err(error) if error == ESRCH => {}
            Err(_) => {
                node.stats.count(Counter::ServerBusy);
                if client_changed {
                    server.claims.keep_change();
                }
                let again = -EAGAIN.to_errno();
                let handle = send.client_handle;
                self.send(error_draft(
                    node,
                    handle,
                    again,
                    NOT_QUEUED,
                    Context::Atomic,
                ));
            }
        }
    }

    fn connect_success(&self, client_id: u32, server_id: u32, nbytes: u32) -> Result<(), Counter> {
        self.answered(Tag::Connect(client_id));
        let taken = self.connection(client_id).is_ok_and(|connection| {
            if connection.is_connecting_by(self.session) {
                connection.takes_at_most(nbytes);
            }
            connection.change(|state: State| state.succeeded(server_id, self.session))
        });
        if taken {
            if let Ok(connection) = self.connection(client_id) {
                connection.send_unblocks_due(self.session, server_id);
            }
            return Ok(());
        }
        // The client has detached while its CONNECT was under way: so must the server.
        self.send(self.draft(&Message::Disconnect { server_id }));
        Err(Counter::DropKifHandle)
    }

    fn connect_fail(&self, client_id: u32, status: i32) -> Result<(), Counter> {
        self.answered(Tag::Connect(client_id));
        let connection = self.connection(client_id)?;
        if !connection.is_connecting_by(self.session) {
            return Err(Counter::DropKifHandle);
        }
        // Those who wait are told first: whoever finds the connection idle after that connects anew.
        connection.fail_waiting(Event::Answer, error_from_wire(status));
        connection.change(|state| state.refused(self.session));
        connection.forget_unblocks_due();
        Ok(())
    }

    /// A reply or an error came for a send of this node.
    fn answer(&self, transfer: &Transfer, outcome: Outcome) -> Result<(), Counter> {
        self.answered(Tag::Send(transfer.handle));
        let transaction = {
            let mut waiting = self.peer.node.ipc.waiting.lock();
            match waiting.message(transfer.handle) {
                Some(transaction) if transaction.is_out_by(self.peer, self.session) => {
                    waiting.take(transfer.handle)
                }
                _ => None,
            }
        };
        let transaction = transaction.ok_or(Counter::DropKifHandle)?.message();
        let event = match outcome {
            Outcome::Busy => Event::NotQueued,
            _ => Event::Answer,
        };
        transaction
            .finish(event, outcome)
            .map_err(|_| Counter::DropKifHandle)
    }

    /// The send of this node that waits under `handle` for the peer.
    fn waiting(&self, handle: u32) -> Option<Arc<Transaction>> {
        let waiting = self.peer.node.ipc.waiting.lock();
        let transaction = waiting.message(handle)?;
        transaction
            .is_out_by(self.peer, self.session)
            .then(|| transaction.clone())
    }

    /// A server wants bytes of a message: the client's thread will send them.
    fn msgread(&self, read: &MsgRead) -> Result<(), Counter> {
        self.answered(Tag::Send(read.client_handle));
        let request = Request::Read {
            asker: Asker::There {
                peer: self.peer.clone(),
                session: self.session,
                handle: read.msgread_handle,
            },
            offset: u64::from(read.offset),
            nbytes: read.nbytes,
        };
        let Some(transaction) = self.waiting(read.client_handle) else {
            // Its server waits for an answer.
            request.refuse(ESRCH);
            return Err(Counter::DropKifHandle);
        };
        match transaction.push(request) {
            Ok(()) => Ok(()),
            Err((request, error)) if error == ESRCH => {
                request.refuse(error);
                Ok(())
            }
            Err((request, _)) => {
                self.peer.node.stats.count(Counter::ReadBusy);
                request.refuse(EAGAIN);
                Ok(())
            }
        }
    }

    /// A server writes into a reply area: the client's thread will copy it.
    fn msgwrite(&self, write: &Transfer, data: Payload) -> Result<(), Counter> {
        let transaction = self.waiting(write.handle).ok_or(Counter::DropKifHandle)?;
        let request = Request::Write {
            asker: None,
            offset: u64::from(write.offset),
            data,
        };
        match transaction.push(request) {
            Ok(()) => Ok(()),
            Err((_, error)) if error == ENOBUFS => {
                // The reply has a hole now, so that the send must not succeed.
                let outcome = Outcome::Abandoned(error.to_errno());
                // If it was finished in between, the rest of the reply has not been waited for.
                let _ = transaction.finish(Event::Abandon, outcome);
                Err(Counter::DropLimit)
            }
            Err((_, error)) if error == ENOMEM => Err(Counter::DropNoMemory),
            Err(_) => Err(Counter::DropKifHandle),
        }
    }

    /// A client's node answered a MSGREAD of this one.
    fn msgread_answer(&self, transfer: &Transfer, data: Result<Payload>) -> Result<(), Counter> {
        let exchange = {
            let exchanges = self.peer.node.ipc.exchanges.lock();
            match exchanges.get(transfer.handle) {
                Some(exchange) if exchange.is_by(self.peer, self.session) => exchange.clone(),
                _ => return Err(Counter::DropKifHandle),
            }
        };
        let offset = u64::from(transfer.offset);
        let asked = match data {
            Ok(data) => exchange.arrived(offset, transfer.nbytes, Some(data)),
            Err(error) => {
                exchange.refused(offset, error);
                true
            }
        };
        match asked {
            true => Ok(()),
            // Nobody asked for these bytes.
            false => Err(Counter::DropKifMalformed),
        }
    }

    /// A client wants to leave.
    fn unblock(&self, unblock: &Unblock) -> Result<(), Counter> {
        let server = self.server(unblock.server_id)?;
        let handle = unblock.client_handle;
        let find = || {
            server
                .channel
                .find(|send| send.is_remote_send(&server, handle))
        };
        self.peer.node.stats.count(Counter::ServerUnblock);
        if !server.has_message(handle) {
            // If its answer is under way, that comes before this one.
            self.let_go(handle);
            return Ok(());
        }
        let found = find().or_else(|| {
            // It is answered, or on the way from the queue to a server, which will look here.
            server.ask_for(handle);
            find().filter(|_| server.was_asked_for(handle))
        });
        let Some(transaction) = found else {
            return Ok(());
        };
        if transaction.ask_server() {
            return Ok(());
        }
        let let_go = transaction.finish(Event::Abandon, Outcome::Error(EINTR.to_errno()));
        if let_go.is_ok() {
            self.let_go(handle);
        }
        // Who finished it takes it out of the queue and the table.
        server.channel.fail_if(
            |send| send.is_remote_send(&server, handle) && send.is_finished(),
            Event::Abandon,
            EINTR,
        );
        Ok(())
    }

    /// The client need not wait for that send any more.
    fn let_go(&self, handle: u32) {
        let node = &self.peer.node;
        let error = -EINTR.to_errno();
        self.send(error_draft(node, handle, error, 0, Context::Atomic));
    }

    fn disconnect(&self, server_id: u32) -> Result<(), Counter> {
        let server = {
            let mut servers = self.peer.node.ipc.servers.lock();
            match servers.get(server_id) {
                Some(server) if server.is_of(self.peer, self.session) => servers.remove(server_id),
                _ => None,
            }
        };
        server.ok_or(Counter::DropKifHandle)?.ended();
        Ok(())
    }

    fn connect_death(&self, client_id: u32) -> Result<(), Counter> {
        let connection = self.connection(client_id)?;
        if !connection.change(|state| state.server_gone(self.session)) {
            return Err(Counter::DropKifHandle);
        }
        connection.fail_waiting(Event::ServerGone, ESRCH);
        connection.tell_if_dead();
        Ok(())
    }
}

/// What comes together with a CONNECT.
enum With {
    Nothing,
    Message(MsgSend, RxSkb, usize),
    Pulse(kif::Pulse),
}

/// Data that a program here waits for, which are never charged: a peer must not be able to keep them
/// out.
fn answer_data(skb: RxSkb, offset: usize) -> Payload {
    Payload::Frame {
        skb,
        offset,
        _charge: None,
    }
}

/// The error that a status on the wire stands for; one that is none counts as EIO.
fn error_from_wire(status: i32) -> Error {
    match errno::from_wire(status) {
        error @ 1..=MAX_ERRNO => Error::from_errno(-error),
        _ => EIO,
    }
}

/// What a MSGERROR means to the sender.
fn error_outcome(transfer: &Transfer) -> Outcome {
    if transfer.offset == NOT_QUEUED {
        return Outcome::Busy;
    }
    if transfer.status == 0 {
        // MsgError(rcvid, EOK) lets the send succeed.
        return Outcome::done();
    }
    Outcome::Error(error_from_wire(transfer.status).to_errno())
}
