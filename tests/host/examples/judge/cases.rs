// SPDX-License-Identifier: GPL-2.0

//! The frames that are judged: each record, with and without a CRC.

use crate::fields::{
    header_values,
    kif_values,
    lr_values,
    nr_values,
    tcs_values,
    Value, //
};
use crate::pdml;
use qnet_host_tests::frame::{
    ethernet,
    packet,
    Link,
    PAD, //
};
use qnet_host_tests::proto::time::Nanos;
use qnet_host_tests::proto::wire::ack::{
    emit_ranges,
    emit_room,
    Range, //
};
use qnet_host_tests::proto::wire::kif::{
    self,
    Connect,
    Credentials,
    Event,
    Message,
    MsgRead,
    MsgSend,
    Pulse,
    PulseInfo,
    SigEvent,
    Signal,
    Transfer,
    Unblock,
    Vtid, //
};
use qnet_host_tests::proto::wire::l4::{
    Flags,
    Header,
    Layer,
    PacketType, //
};
use qnet_host_tests::proto::wire::lr::{
    self,
    Kind,
    Party, //
};
use qnet_host_tests::proto::wire::nr;
use qnet_host_tests::proto::wire::tcs::Init;
use qnet_host_tests::sim::{
    self,
    World, //
};

const ALPHA: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BETA: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// tshark takes the data of a MSGSEND for a QNX message. Hence there are at least 4 bytes, and the
/// first u16 is not the number of such a message.
const DATA: &[u8] = b"hello, world";

/// A frame, and what tshark must tell about it.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) frame: Vec<u8>,
    pub(crate) values: Vec<Value>,
    /// tshark checks the CRC of whole packets only, and complains about zero.
    crc_is_checked: bool,
}

impl Case {
    /// What is wrong with tshark's view of the frame.
    pub(crate) fn judge(&self, packet: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        if packet.to_lowercase().contains("malformed") {
            complaints.push("malformed".to_string());
        }
        if self.crc_is_checked && !packet.contains("[correct]") {
            complaints.push("wrong CRC".to_string());
        }
        let mut shown = pdml::fields(packet);
        for (name, value) in &self.values {
            match shown.find(|(found, _)| found == name) {
                Some((_, text)) if value.matches(text) => {}
                Some((_, text)) => complaints.push(format!("{name} is {text}, not {value:?}")),
                None => complaints.push(format!("no {name}, or not in its place")),
            }
        }
        complaints
    }
}

/// All frames. Those of the second half are like those of the first, without CRC.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    for crc in [Flags::CRC, Flags::NONE] {
        cases.crc = crc;
        cases.add_control();
        cases.add_acks();
        cases.add_lan();
        cases.add_nodes();
        cases.add_connects();
        cases.add_messages();
        cases.add_transfers();
        cases.add_fragments();
        cases.add_session();
    }
    cases.list
}

/// The bytes of one fragment of a MSGREAD_XFER that is `length` bytes long, and what tshark tells
/// about them. It decodes the first fragment, as far as it goes.
fn transfer_part(h: &Header, length: u32) -> (Vec<u8>, Vec<Value>) {
    let head = Message::MsgReadXfer(Transfer::default()).fixed_len() as u32;
    let Some(nbytes) = length.checked_sub(head) else {
        let message = Message::Disconnect { server_id: 7 };
        let mut payload = vec![0x55; length as usize];
        message.emit(&mut payload).unwrap();
        return (payload, kif_values(&message, &[]));
    };
    let message = Message::MsgReadXfer(Transfer {
        status: 0,
        handle: 91,
        offset: 0,
        nbytes,
    });
    let mut whole = vec![0x55; length as usize];
    message.emit(&mut whole).unwrap();
    let start = h.offset as usize;
    let part = whole[start..start + h.length as usize].to_vec();
    let values = match h.flags.contains(Flags::FIRST) {
        true => kif_values(&message, &part[head as usize..]),
        false => Vec::new(),
    };
    (part, values)
}

#[derive(Default)]
struct Cases {
    list: Vec<Case>,
    crc: Flags,
}

impl Cases {
    /// A header with numbers that differ from field to field and from case to case.
    fn header(&self, ptype: PacketType, layer: Layer) -> Header {
        let n = u16::try_from(self.list.len()).unwrap();
        Header {
            ptype,
            flags: Flags::WHOLE.union(self.crc),
            layer,
            src_nd_for_dst: 0x1000 + n,
            dst_nd_for_src: 0x2000 + n,
            src_conn_id: 0x5a17_0000 + u32::from(n),
            dst_conn_id: 0x31c4_0000 + u32::from(n),
            seq: 0x7000_0000 + u32::from(n),
            qos_type: n % 4,
            src_qos_idx: 0x3000 + n,
            offset: 0,
            length: 0,
            crc: 0,
        }
    }

    fn add(&mut self, title: &str, header: Header, payload: &[u8], values: Vec<Value>) {
        let header = Header {
            length: u32::try_from(payload.len()).unwrap(),
            ..header
        };
        let link = Link {
            dst: BETA,
            src: ALPHA,
        };
        self.list.push(Case {
            title: title.to_string(),
            frame: ethernet(link, PAD, &packet(&header, payload)),
            values: [header_values(&header), values].concat(),
            crc_is_checked: header.flags.contains(Flags::WHOLE.union(Flags::CRC)),
        });
    }

    fn add_init(&mut self, init: Init<'_>) {
        let mut payload = vec![0; init.emitted_len()];
        init.emit(&mut payload).unwrap();
        let header = Header {
            dst_nd_for_src: 0,
            dst_conn_id: 0,
            ..self.header(PacketType::TcsInit, Layer::Kif)
        };
        self.add("INIT", header, &payload, tcs_values(&init));
    }

    fn add_lr(&mut self, title: &str, packet: lr::Packet<'_>) {
        let mut payload = vec![0; packet.emitted_len()];
        packet.emit(&mut payload).unwrap();
        let header = self.header(PacketType::Lres, Layer::Lr);
        self.add(title, header, &payload, lr_values(&packet));
    }

    fn add_nr(&mut self, message: nr::Message<'_>) {
        let mut payload = vec![0; message.emitted_len()];
        message.emit(&mut payload).unwrap();
        let header = self.header(PacketType::User, Layer::Nr);
        self.add("NR", header, &payload, nr_values(&message));
    }

    fn add_kif(&mut self, title: &str, message: Message) {
        let mut payload = [0; kif::MAX_FIXED];
        let len = message.emit(&mut payload).unwrap();
        let data = &DATA[..message.data_len() as usize];
        let payload = [&payload[..len], data].concat();
        let header = self.header(PacketType::User, Layer::Kif);
        self.add(title, header, &payload, kif_values(&message, data));
    }

    fn add_control(&mut self) {
        self.add_init(Init {
            src_name: b"alpha",
            src_domain: b"qnx.example",
            dst_name: b"beta",
            dst_domain: b"dfw",
        });
        self.add_init(Init {
            src_name: b"alpha",
            src_domain: b"",
            dst_name: b"beta",
            dst_domain: b"",
        });
        for (title, ptype) in [
            ("REM_UP", PacketType::TcsRemUp),
            ("UP", PacketType::TcsUp),
            ("DOWN", PacketType::TcsDown),
            ("REM_DOWN", PacketType::TcsRemDown),
        ] {
            let header = self.header(ptype, Layer::Kif);
            self.add(title, header, &[], Vec::new());
        }
    }

    fn add_acks(&mut self) {
        let header = Header {
            offset: 0x7654_3210,
            ..self.header(PacketType::Ack, Layer::Kif)
        };
        self.add("ACK", header, &[], Vec::new());
        let header = Header {
            offset: 0x7654_3210,
            ..self.header(PacketType::Ack, Layer::Seq)
        };
        self.add("ACK with room", header, &emit_room(0xfeed), Vec::new());

        let ranges = [(1420, 1600), (9000, 1)].map(|(offset, length)| Range { offset, length });
        let mut payload = [0; 16];
        assert_eq!(emit_ranges(ranges, &mut payload), Some(16));
        let header = self.header(PacketType::Nack, Layer::Seq);
        self.add("NACK", header, &payload, Vec::new());

        let header = self.header(PacketType::User, Layer::Seq);
        self.add("SEQ", header, &[], Vec::new());
    }

    fn add_lan(&mut self) {
        let alpha = Party {
            name: b"alpha",
            domain: b"qnx.example",
            mac: Some(ALPHA),
        };
        let beta = Party {
            name: b"beta",
            domain: b"dfw",
            mac: None,
        };
        let packet = |kind, src, dst| lr::Packet { kind, src, dst };
        self.add_lr("request", packet(Kind::Request, alpha, beta));
        self.add_lr("reply", packet(Kind::Reply, alpha, beta));
        self.add_lr("announcement", packet(Kind::Reply, alpha, Party::default()));
        let lonely = Party {
            domain: b"",
            ..alpha
        };
        self.add_lr("no domain", packet(Kind::Reply, lonely, lonely));
        self.add_lr("both MACs", packet(Kind::Reply, alpha, alpha));
    }

    fn add_nodes(&mut self) {
        self.add_nr(nr::Message::Ping);
        self.add_nr(nr::Message::PingReply);
        let name = b"beta.qnx.example";
        self.add_nr(nr::Message::RemoteRequest { id: 0x1234, name });
        let (id, nd) = (0x1235, 0x3456_789a);
        self.add_nr(nr::Message::RemoteAnswer { id, nd });
        let (id, status) = (0x1236, 265);
        self.add_nr(nr::Message::RemoteError { id, status });
    }

    fn add_connects(&mut self) {
        for credentials in [None, Some(credentials(0)), Some(credentials(8))] {
            let connect = Connect {
                version: 1,
                server_pid: 4097,
                server_chid: 3,
                client_id: 7,
                client_pid: 1201,
                credentials,
            };
            self.add_kif("CONNECT", Message::Connect(connect));
            let send = MsgSend {
                server_id: 0,
                ..send()
            };
            let message = Message::ConnectMsgSend(connect, send);
            self.add_kif("CONNECT_MSGSEND", message);
            for credentials in [None, credentials] {
                let pulse = Pulse {
                    server_id: 0,
                    credentials,
                    ..pulse()
                };
                self.add_kif("CONNECT_PULSE", Message::ConnectPulse(connect, pulse));
            }
        }
        self.add_kif(
            "CONNECT_SUCCESS",
            Message::ConnectSuccess {
                version: 1,
                client_id: 7,
                server_id: 0x4000_0002,
                scoid: 0x4000_0003,
                nbytes: 8192,
            },
        );
        self.add_kif(
            "CONNECT_FAIL",
            Message::ConnectFail {
                version: 1,
                client_id: 7,
                status: 300,
            },
        );
        self.add_kif("DISCONNECT", Message::Disconnect { server_id: 21 });
        self.add_kif("CONNECT_DEATH", Message::ConnectDeath { client_id: 22 });
    }

    fn add_messages(&mut self) {
        self.add_kif("MSGSEND", Message::MsgSend(send()));
        self.add_kif(
            "UNBLOCK",
            Message::Unblock(Unblock {
                server_id: 31,
                client_handle: 32,
                tid: 33,
            }),
        );
        self.add_kif(
            "EVENT",
            Message::Event(Event {
                client_handle: 41,
                event: SigEvent {
                    notify: 4,
                    union1: 42,
                    value: -43,
                    code: 44,
                    priority: 45,
                },
            }),
        );
        for credentials in [None, Some(credentials(2))] {
            let pulse = Pulse {
                credentials,
                ..pulse()
            };
            self.add_kif("PULSE", Message::Pulse(pulse));
            let signal = Signal {
                client_handle: 51,
                pid: 52,
                tid: 53,
                signo: 54,
                code: -55,
                value: 56,
                credentials,
            };
            self.add_kif("SIGNAL", Message::Signal(signal));
        }
    }

    fn add_transfers(&mut self) {
        self.add_kif(
            "MSGREAD",
            Message::MsgRead(MsgRead {
                msgread_handle: 61,
                client_handle: 62,
                offset: 8192,
                nbytes: 63,
            }),
        );
        let transfer = |status, nbytes| Transfer {
            status,
            handle: 71,
            offset: 72,
            nbytes,
        };
        self.add_kif("MSGREAD_XFER", Message::MsgReadXfer(transfer(0, 12)));
        self.add_kif("MSGWRITE", Message::MsgWrite(transfer(0, 9)));
        self.add_kif("MSGREPLY", Message::MsgReply(transfer(-3, 5)));
        self.add_kif("MSGREPLY without data", Message::MsgReply(transfer(3, 0)));
        self.add_kif("MSGERROR", Message::MsgError(transfer(260, 0)));
        self.add_kif("MSGREAD_ERROR", Message::MsgReadError(transfer(312, 0)));
    }

    /// What two sessions say to each other over a link that loses a fragment: a long message, which
    /// is reported and repaired, one that is given up, little room, and the heartbeat.
    fn add_session(&mut self) {
        let mut world = World::new(2, Nanos::from_micros(40), 1);
        world.change(1, 0, |session, _| session.set_room(Some(20_000)));
        world.send(0, 1, sim::node::Kind::Request);
        world.link(0, 1).lose_next(&[4]);
        let long = world.send_long(0, 1, sim::node::Kind::Pulse, 9000);
        assert!(world.run_to_rest(Nanos::from_secs(1)));
        assert!(world.delivered.contains(&long));
        world.link(0, 1).lose_next(&[0]);
        let given_up = world.send_long(0, 1, sim::node::Kind::Pulse, 100);
        assert!(world.give_up(0, 1, given_up));
        world.run_for(Nanos::from_secs(12));
        let mut kinds = [0; 7];
        for sent in &world.sent {
            let h = sent.frame.header();
            let header = Header {
                flags: h.flags.union(self.crc),
                ..h
            };
            let own = sent.frame.payload();
            let (kind, title, payload, values) = match (h.ptype, h.layer) {
                (PacketType::User, Layer::Kif) => {
                    let length = sent.frame.message.unwrap().length;
                    let (payload, values) = transfer_part(&h, length);
                    let kind = usize::from(!h.flags.contains(Flags::WHOLE));
                    (kind, "message of a session", payload, values)
                }
                (PacketType::User, Layer::Nr) => {
                    let message = nr::Message::parse(own).unwrap();
                    let kind = 2 + usize::from(message == nr::Message::PingReply);
                    (kind, "heartbeat", own.to_vec(), nr_values(&message))
                }
                (PacketType::User, _) => (4, "SEQ of a session", Vec::new(), Vec::new()),
                (PacketType::Nack, _) => (5, "NACK of a session", own.to_vec(), Vec::new()),
                (PacketType::Ack, Layer::Seq) => (6, "ACK of a session", own.to_vec(), Vec::new()),
                _ => continue,
            };
            kinds[kind] += 1;
            self.add(title, header, &payload, values);
        }
        assert!(kinds.iter().all(|n| *n > 0), "{kinds:?}");
    }

    /// A message cut in two. tshark decodes the first fragment, as far as it goes.
    fn add_fragments(&mut self) {
        let transfer = Transfer {
            status: 0,
            handle: 81,
            offset: 8192,
            nbytes: 1500,
        };
        let message = Message::MsgReadXfer(transfer);
        let mut payload = vec![0x55; message.fixed_len() + 1500];
        message.emit(&mut payload).unwrap();
        let (head, tail) = payload.split_at(1420);

        let first = Header {
            flags: Flags::FIRST.union(self.crc),
            ..self.header(PacketType::User, Layer::Kif)
        };
        let values = kif_values(&message, &head[message.fixed_len()..]);
        self.add("first fragment", first, head, values);
        let last = Header {
            flags: Flags::LAST.union(self.crc),
            offset: 1420,
            ..self.header(PacketType::User, Layer::Kif)
        };
        self.add("last fragment", last, tail, Vec::new());
    }
}

fn vtid() -> Vtid {
    Vtid {
        tid: 101,
        coid: 102,
        priority: 103,
        srcmsglen: 104,
        keydata: 105,
        srcnd: 106,
        dstmsglen: 107,
    }
}

fn send() -> MsgSend {
    MsgSend {
        server_id: 0x4000_0001,
        client_handle: 279,
        vtid: vtid(),
        nbytes: 12,
        credentials: None,
    }
}

fn pulse() -> Pulse {
    Pulse {
        server_id: 0x4000_0001,
        client_handle: 0,
        vtid: vtid(),
        pulse: PulseInfo {
            ptype: 0,
            subtype: 0,
            code: -5,
            value: 1234,
            scoid: 0x4000_0002,
        },
        priority: 12,
        credentials: None,
    }
}

fn credentials(ngroups: u32) -> Credentials {
    let mut groups = [201, 202, 203, 204, 205, 206, 207, 208];
    groups[ngroups as usize..].fill(0);
    Credentials {
        nd: 111,
        pid: 112,
        sid: 113,
        flags: 114,
        ruid: 115,
        euid: 116,
        suid: 117,
        rgid: 118,
        egid: 119,
        sgid: 120,
        ngroups,
        groups,
    }
}
