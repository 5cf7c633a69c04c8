// SPDX-License-Identifier: GPL-2.0

//! What tshark must show of each record: its names of the fields, in the order of its decode.

use qnet_host_tests::proto::wire::kif::{
    Connect,
    Credentials,
    Message,
    MsgSend,
    Pulse,
    Transfer,
    Vtid, //
};
use qnet_host_tests::proto::wire::l4::Header;
use qnet_host_tests::proto::wire::lr::{
    Kind,
    Packet,
    Party, //
};
use qnet_host_tests::proto::wire::nr;
use qnet_host_tests::proto::wire::tcs::Init;

/// The name of a field, and its value.
pub(crate) type Value = (String, Shown);

/// A value as tshark shows it.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// A number, in whichever base.
    Number(i64),
    /// A text, or bytes in hexadecimal.
    Text(String),
}

impl Shown {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Text(expected) => expected == text,
            Self::Number(expected) => number(text) == Some(*expected),
        }
    }
}

fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn n(name: &str, value: impl Into<i64>) -> Value {
    (format!("qnet6.{name}"), Shown::Number(value.into()))
}

fn text(name: &str, value: &[u8]) -> Value {
    let value = String::from_utf8(value.to_vec()).unwrap();
    (format!("qnet6.{name}"), Shown::Text(value))
}

fn hex(name: &str, value: &[u8], separator: &str) -> Value {
    let digits: Vec<_> = value.iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("qnet6.{name}"), Shown::Text(digits.join(separator)))
}

pub(crate) fn header_values(header: &Header) -> Vec<Value> {
    vec![
        n("l4.ver", 42),
        n("l4.type", header.ptype.to_wire()),
        n("l4.flags", header.flags.bits()),
        n("l4.layer", header.layer.to_wire()),
        n("qos.src_nd_for_dst", header.src_nd_for_dst),
        n("qos.dst_nd_for_src", header.dst_nd_for_src),
        n("qos.sconn", header.src_conn_id),
        n("qos.dconn", header.dst_conn_id),
        n("qos.seq", header.seq),
        n("qos.qos_type", header.qos_type),
        n("qos.src_qos_idx", header.src_qos_idx),
        n("l4.offset", header.offset),
        n("l4.length", header.length),
    ]
}

pub(crate) fn tcs_values(init: &Init<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    let mut offset = 0;
    for (name, string) in [
        ("src_name", init.src_name),
        ("src_domain", init.src_domain),
        ("dst_name", init.dst_name),
        ("dst_domain", init.dst_domain),
    ] {
        values.push(n(&format!("qos.{name}_off"), offset));
        values.push(text(&format!("qos.{name}"), string));
        offset += string.len() as i64 + 1;
    }
    values
}

pub(crate) fn lr_values(packet: &Packet<'_>) -> Vec<Value> {
    let kind = match packet.kind {
        Kind::Request => 1,
        Kind::Reply => 2,
    };
    let length = packet.emitted_len() as i64;
    let mut values = vec![n("lr.ver", 1), n("lr.type", kind), n("lr.length", length)];
    // The names of the fields are not regular in tshark.
    let mut offset = 0;
    values.extend(party_values(
        &packet.src,
        &mut offset,
        [
            "lr.src.name.off",
            "lr.src.name.len",
            "lr.src.name.name",
            "lr.src.domain.off",
            "lr.src.domain.len",
            "lr.src.domain",
            "lr.src.addr.off",
            "lr.src.addr.len",
            "lr.src.addr",
        ],
    ));
    values.extend(party_values(
        &packet.dst,
        &mut offset,
        [
            "lr.dst.name.off",
            "lr.dst.name.len",
            "lr.dst.name",
            "lr.dst.domain.off",
            "lr.dst_domain_len",
            "lr.dst.domain",
            "lr.dst.addr.off",
            "lr.dst.addr.len",
            "lr.dst.addr",
        ],
    ));
    values
}

fn party_values(party: &Party<'_>, offset: &mut i64, names: [&str; 9]) -> Vec<Value> {
    let [name_off, name_len, name, domain_off, domain_len, domain, addr_off, addr_len, addr] =
        names;
    let closed = |string: &[u8]| match party.name {
        [] => 0,
        _ => string.len() as i64 + 1,
    };
    let mut place = |off: &str, len: &str, length: i64| {
        let at = if length == 0 { 0 } else { *offset };
        *offset += length;
        [n(off, at), n(len, length)]
    };
    let mut values = Vec::new();
    values.extend(place(name_off, name_len, closed(party.name)));
    values.push(text(name, party.name));
    values.extend(place(domain_off, domain_len, closed(party.domain)));
    values.push(text(domain, party.domain));
    values.extend(place(addr_off, addr_len, party.mac.map_or(0, |_| 8)));
    values.extend(party.mac.map(|mac| hex(addr, &mac, ":")));
    values
}

pub(crate) fn nr_values(message: &nr::Message<'_>) -> Vec<Value> {
    match message {
        nr::Message::Ping => vec![n("nr.type", 0)],
        nr::Message::PingReply => vec![n("nr.type", 1)],
        nr::Message::RemoteRequest { id, name } => vec![
            n("nr.type", 2),
            n("nr.req_len", name.len() as i64),
            n("nr.req_id", *id),
            text("nr.req_name", name),
        ],
        nr::Message::RemoteAnswer { id, nd } => vec![
            n("nr.type", 3),
            n("nr.rep_spare", 0),
            n("nr.rep_id", *id),
            n("nr.rep_nd", *nd),
        ],
        nr::Message::RemoteError { id, status } => vec![
            n("nr.type", 4),
            n("nr.rep_spare", 0),
            n("nr.rep_id", *id),
            n("nr.rep_status", *status),
        ],
    }
}

/// The values of a message with `data`, or as much of it as is in the frame.
pub(crate) fn kif_values(message: &Message, data: &[u8]) -> Vec<Value> {
    match message {
        Message::Connect(connect) => connect_values(0, connect),
        Message::ConnectMsgSend(connect, send) => {
            [connect_values(1, connect), send_values(send, data)].concat()
        }
        Message::ConnectSuccess {
            version,
            client_id,
            server_id,
            scoid,
            nbytes,
        } => vec![
            n("kif.type", 2),
            n("kif.size", 24),
            n("kif.version", *version),
            // tshark has the two ids the other way round.
            n("kif.connect_success.server_id", *client_id),
            n("kif.connect_success.client_id", *server_id),
            n("kif.connect_success.scoid", *scoid),
            n("kif.connect_success.nbytes", *nbytes),
        ],
        Message::ConnectFail {
            version,
            client_id,
            status,
        } => vec![
            n("kif.type", 3),
            n("kif.size", 16),
            n("kif.version", *version),
            n("kif.connect_fail.client_id", *client_id),
            n("kif.connect_fail.status", *status),
        ],
        Message::Unblock(unblock) => vec![
            n("kif.type", 4),
            n("kif.size", 16),
            n("kif.unblock.server_id", unblock.server_id),
            n("kif.unblock.client_handle", unblock.client_handle),
            n("kif.unblock.tid", unblock.tid),
        ],
        Message::MsgSend(send) => send_values(send, data),
        Message::MsgRead(read) => vec![
            n("kif.type", 6),
            n("kif.size", 20),
            n("kif.msgread.msgread_handle", read.msgread_handle),
            n("kif.msgread.client_handle", read.client_handle),
            n("kif.msgread.offset", read.offset),
            n("kif.msgread.nbytes", read.nbytes),
        ],
        Message::MsgReadXfer(transfer) => transfer_values(7, transfer, data),
        Message::MsgWrite(transfer) => transfer_values(8, transfer, data),
        Message::MsgReply(transfer) => transfer_values(9, transfer, data),
        Message::MsgError(transfer) => transfer_values(10, transfer, data),
        Message::Event(event) => vec![
            n("kif.type", 11),
            n("kif.size", 24),
            n("kif.event.client_handle", event.client_handle),
            n("kif.event.sigevent_notify", event.event.notify),
            n("kif.event.sigevent_union1", event.event.union1),
            n("kif.event.sigevent_sigvalue", event.event.value),
            n(
                "kif.event.sigevent_union2",
                i64::from(event.event.code) + (i64::from(event.event.priority) << 16),
            ),
        ],
        Message::Pulse(pulse) => pulse_values(pulse),
        Message::Signal(signal) => [
            vec![
                n("kif.type", 13),
                n("kif.size", message.fixed_len() as i64),
                n("kif.signal.client_handle", signal.client_handle),
                n("kif.signal.pid", signal.pid),
                n("kif.signal.tid", signal.tid),
                n("kif.signal.signo", signal.signo),
                n("kif.signal.code", signal.code),
                n("kif.signal.value", signal.value),
            ],
            credentials_values(&signal.credentials),
        ]
        .concat(),
        Message::Disconnect { server_id } => vec![
            n("kif.type", 14),
            n("kif.size", 8),
            n("kif.disconnect.server_id", *server_id),
        ],
        Message::ConnectDeath { client_id } => vec![
            n("kif.type", 15),
            n("kif.size", 8),
            n("kif.connect_death.client_id", *client_id),
        ],
        Message::MsgReadError(transfer) => transfer_values(16, transfer, data),
        // tshark looks no further than the head.
        Message::ConnectPulse(connect, _) => {
            connect_values(17, connect).into_iter().take(2).collect()
        }
    }
}

fn connect_values(kind: i64, connect: &Connect) -> Vec<Value> {
    let size = Message::Connect(*connect).fixed_len() as i64;
    [
        vec![
            n("kif.type", kind),
            n("kif.size", size),
            n("kif.version", connect.version),
            n("kif.connect.server_pid", connect.server_pid),
            n("kif.connect.server_chid", connect.server_chid),
            n("kif.connect.client_id", connect.client_id),
            n("kif.connect.client_pid", connect.client_pid),
        ],
        credentials_values(&connect.credentials),
    ]
    .concat()
}

fn credentials_values(credentials: &Option<Credentials>) -> Vec<Value> {
    let Some(c) = credentials else {
        return Vec::new();
    };
    let mut values = vec![
        n("kif.client_info.nd", c.nd),
        n("kif.client_info.pid", c.pid),
        n("kif.client_info.sid", c.sid),
        n("kif.client_info.flags", c.flags),
        n("kif.client_info.cred.ruid", c.ruid),
        n("kif.client_info.cred.euid", c.euid),
        n("kif.client_info.cred.suid", c.suid),
        n("kif.client_info.cred.rgid", c.rgid),
        n("kif.client_info.cred.egid", c.egid),
        n("kif.client_info.cred.sgid", c.sgid),
        n("kif.client_info.cred.ngroups", c.ngroups),
    ];
    // tshark has one field for all groups, and the first of them as its value.
    let first = c.groups().first();
    values.extend(first.map(|group| n("kif.client_info.cred.grouplist", *group)));
    values
}

fn vtid_values(vtid: &Vtid) -> Vec<Value> {
    vec![
        n("kif.msgsend.vtid_info.tid", vtid.tid),
        n("kif.msgsend.vtid_info.coid", vtid.coid),
        n("kif.msgsend.vtid_info.priority", vtid.priority),
        n("kif.msgsend.vtid_info.srcmsglen", vtid.srcmsglen),
        n("kif.msgsend.vtid_info.keydata", vtid.keydata),
        n("kif.msgsend.vtid_info.srcnd", vtid.srcnd),
        n("kif.msgsend.vtid_info.dstmsglen", vtid.dstmsglen),
        n("kif.msgsend.vtid_info.zero", 0),
    ]
}

fn send_values(send: &MsgSend, data: &[u8]) -> Vec<Value> {
    let mut values = vec![
        n("kif.type", 5),
        n("kif.size", 48),
        n("kif.msgsend.server_id", send.server_id),
        n("kif.msgsend.client_handle", send.client_handle),
    ];
    values.extend(vtid_values(&send.vtid));
    values.push(n("kif.msgsend.nbytes", send.nbytes));
    if let [low, high, ..] = data {
        let first = u16::from_le_bytes([*low, *high]);
        values.push(n("kif.msgsend.msg.type", first));
    }
    values
}

fn pulse_values(pulse: &Pulse) -> Vec<Value> {
    let size = Message::Pulse(*pulse).fixed_len() as i64;
    let mut values = vec![
        n("kif.type", 12),
        n("kif.size", size),
        n("kif.msgsend.server_id", pulse.server_id),
        n("kif.msgsend.client_handle", pulse.client_handle),
    ];
    values.extend(vtid_values(&pulse.vtid));
    values.extend([
        n("kif.pulse.pulse.type", pulse.pulse.ptype),
        n("kif.pulse.pulse.subtype", pulse.pulse.subtype),
        n("kif.pulse.pulse.code", pulse.pulse.code),
        n("kif.pulse.pulse.reserved", 0),
        n("kif.pulse.pulse.value", pulse.pulse.value),
        n("kif.pulse.pulse.scoid", pulse.pulse.scoid),
        n("kif.pulse.priority", pulse.priority),
    ]);
    values.extend(credentials_values(&pulse.credentials));
    values
}

fn transfer_values(kind: i64, transfer: &Transfer, data: &[u8]) -> Vec<Value> {
    let mut values = vec![
        n("kif.type", kind),
        n("kif.size", 20),
        n("kif.msgwrite.status", transfer.status),
        n("kif.msgwrite.handle", transfer.handle),
        n("kif.msgwrite.offset", transfer.offset),
        n("kif.msgwrite.nbytes", transfer.nbytes),
    ];
    if !data.is_empty() {
        values.push(hex("kif.msgwrite.data", data, ":"));
    }
    values
}
