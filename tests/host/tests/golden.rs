// SPDX-License-Identifier: GPL-2.0

//! A short session between two nodes, frame by frame: what is parsed must be what Wireshark decodes,
//! and emitting that must give the captured bytes. The capture was not made by this code.

use qnet_host_tests::frame::{
    ethernet,
    packet,
    Link,
    ETHERNET_LEN,
    PAD, //
};
use qnet_host_tests::pcap;
use qnet_host_tests::proto::wire::ack::{
    emit_ranges,
    parse_room,
    Range,
    Ranges, //
};
use qnet_host_tests::proto::wire::kif::{
    self,
    Connect,
    Credentials,
    Message,
    MsgSend,
    Pulse,
    PulseInfo,
    Transfer,
    Vtid, //
};
use qnet_host_tests::proto::wire::l4::{
    self,
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

const ALPHA: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BETA: [u8; 6] = [2, 0, 0, 0, 0, 2];
const BROADCAST: [u8; 6] = [0xff; 6];
const DOMAIN: &[u8] = b"qnx.example";

const ALPHA_CONN: u32 = 0x5a17_0001;
const BETA_CONN: u32 = 0x31c4_0001;
/// What alpha calls beta, and what beta calls alpha.
const BETA_ND: u16 = 2;
const ALPHA_ND: u16 = 5;
const SERVER_ID: u32 = 0x4000_0001;

const TO_BETA: Link = Link {
    dst: BETA,
    src: ALPHA,
};
const TO_ALPHA: Link = Link {
    dst: ALPHA,
    src: BETA,
};

/// The frame with this number in golden.txt.
fn captured(number: usize) -> Vec<u8> {
    let frames = pcap::read(include_bytes!("../vectors/golden.pcap"));
    assert_eq!(frames.len(), 21);
    frames[number - 1].clone()
}

/// A header of alpha's on the open connection.
fn from_alpha(ptype: PacketType, layer: Layer, seq: u32, length: u32, crc: u32) -> Header {
    Header {
        ptype,
        flags: Flags::WHOLE.union(Flags::CRC),
        layer,
        src_nd_for_dst: BETA_ND,
        dst_nd_for_src: ALPHA_ND,
        src_conn_id: ALPHA_CONN,
        dst_conn_id: BETA_CONN,
        seq,
        qos_type: 0,
        src_qos_idx: 0,
        offset: 0,
        length,
        crc,
    }
}

/// A header of beta's on the open connection.
fn from_beta(ptype: PacketType, layer: Layer, seq: u32, length: u32, crc: u32) -> Header {
    Header {
        src_nd_for_dst: ALPHA_ND,
        dst_nd_for_src: BETA_ND,
        src_conn_id: BETA_CONN,
        dst_conn_id: ALPHA_CONN,
        ..from_alpha(ptype, layer, seq, length, crc)
    }
}

/// A header without a connection.
fn unconnected(header: Header) -> Header {
    Header {
        src_nd_for_dst: 0,
        dst_nd_for_src: 0,
        src_conn_id: 0,
        dst_conn_id: 0,
        ..header
    }
}

/// Checks that captured frame `number` goes over `link` with `header`, and that header and payload
/// make the same frame again. Returns the payload.
fn check(number: usize, link: Link, header: Header) -> Vec<u8> {
    let frame = captured(number);
    let (pad, parsed) = l4::parse(&frame[ETHERNET_LEN..], frame.len() - ETHERNET_LEN).unwrap();
    assert_eq!((pad, parsed), (PAD, header), "frame {number}");

    let start = ETHERNET_LEN + pad + l4::HEADER_LEN;
    let payload = frame[start..start + header.length as usize].to_vec();
    // The emitter computes the CRC: the one that it is given here is not looked at.
    let emitted = packet(&Header { crc: 0, ..header }, &payload);
    assert_eq!(ethernet(link, pad, &emitted), frame, "frame {number}");
    payload
}

/// Checks that `payload` is `message` with `data` behind it, both ways.
fn check_kif(payload: &[u8], message: Message, data: &[u8]) {
    let linear = &payload[..payload.len().min(kif::MAX_FIXED)];
    let start = payload.len() - data.len();
    assert_eq!(kif::parse(linear, payload.len()), Ok((message, start)));
    assert_eq!(&payload[start..], data);

    let mut out = [0; kif::MAX_FIXED];
    let len = message.emit(&mut out).unwrap();
    assert_eq!(len, message.fixed_len());
    assert_eq!(&out[..len], &payload[..start]);
}

fn check_lr(payload: &[u8], lr: lr::Packet<'_>) {
    assert_eq!(lr::Packet::parse(payload), Ok(lr));
    let mut out = [0; lr::MAX_LEN];
    let len = lr.emit(&mut out).unwrap();
    assert_eq!((len, &out[..len]), (lr.emitted_len(), payload));
}

fn check_nr(payload: &[u8], message: nr::Message<'_>) {
    assert_eq!(nr::Message::parse(payload), Ok(message));
    let mut out = [0; nr::MAX_LEN];
    let len = message.emit(&mut out).unwrap();
    assert_eq!((len, &out[..len]), (message.emitted_len(), payload));
}

fn vtid(priority: i32, srcmsglen: i32) -> Vtid {
    Vtid {
        tid: 1,
        coid: 3,
        priority,
        srcmsglen,
        keydata: 0,
        srcnd: 2,
        dstmsglen: 64,
    }
}

#[test]
fn frame_1_asks_the_lan_for_beta() {
    let link = Link {
        dst: BROADCAST,
        src: ALPHA,
    };
    let header = unconnected(from_alpha(PacketType::Lres, Layer::Lr, 0, 99, 0xf506_e75d));
    check_lr(
        &check(1, link, header),
        lr::Packet {
            kind: Kind::Request,
            src: Party {
                name: b"alpha",
                domain: DOMAIN,
                mac: Some(ALPHA),
            },
            dst: Party {
                name: b"beta",
                domain: DOMAIN,
                mac: None,
            },
        },
    );
}

#[test]
fn frame_2_answers_alpha() {
    let header = unconnected(from_beta(PacketType::Lres, Layer::Lr, 0, 99, 0x7ede_f700));
    check_lr(
        &check(2, TO_ALPHA, header),
        lr::Packet {
            kind: Kind::Reply,
            src: Party {
                name: b"beta",
                domain: DOMAIN,
                mac: Some(BETA),
            },
            dst: Party {
                name: b"alpha",
                domain: DOMAIN,
                mac: None,
            },
        },
    );
}

#[test]
fn frame_3_opens_a_connection() {
    let header = Header {
        dst_nd_for_src: 0,
        dst_conn_id: 0,
        ..from_alpha(PacketType::TcsInit, Layer::Kif, 0, 43, 0xdd95_fb5b)
    };
    let payload = check(3, TO_BETA, header);
    let init = Init {
        src_name: b"alpha",
        src_domain: DOMAIN,
        dst_name: b"beta",
        dst_domain: DOMAIN,
    };
    assert_eq!(Init::parse(&payload), Ok(init));
    let mut out = [0; 43];
    assert_eq!(init.emit(&mut out), Some(init.emitted_len()));
    assert_eq!(out.as_slice(), payload);
}

#[test]
fn frames_4_and_5_complete_it() {
    let rem_up = from_beta(PacketType::TcsRemUp, Layer::Kif, 0, 0, 0xa9a4_6ded);
    assert_eq!(check(4, TO_ALPHA, rem_up), []);
    let up = from_alpha(PacketType::TcsUp, Layer::Kif, 0, 0, 0xbc7b_1345);
    assert_eq!(check(5, TO_BETA, up), []);
}

#[test]
fn frame_6_connects_and_sends() {
    let header = from_alpha(PacketType::User, Layer::Kif, 1, 129, 0x35a2_601a);
    let credentials = Credentials {
        nd: 2,
        pid: 1201,
        sid: 1201,
        flags: 0,
        ruid: 1000,
        euid: 1000,
        suid: 1000,
        rgid: 1000,
        egid: 1000,
        sgid: 1000,
        ngroups: 2,
        groups: [4, 24, 0, 0, 0, 0, 0, 0],
    };
    let connect = Connect {
        version: 1,
        server_pid: 4097,
        server_chid: 1,
        client_id: 7,
        client_pid: 1201,
        credentials: Some(credentials),
    };
    let send = MsgSend {
        server_id: 0,
        client_handle: 278,
        vtid: vtid(10, 5),
        nbytes: 5,
        credentials: None,
    };
    let message = Message::ConnectMsgSend(connect, send);
    check_kif(&check(6, TO_BETA, header), message, b"hello");
}

#[test]
fn frame_7_accepts_the_connection() {
    let header = from_beta(PacketType::User, Layer::Kif, 1, 24, 0x1dac_b0d8);
    // Wireshark shows the two ids the other way round; the order is QNX's own.
    let message = Message::ConnectSuccess {
        version: 1,
        client_id: 7,
        server_id: SERVER_ID,
        scoid: 0x4000_0001,
        nbytes: 8192,
    };
    check_kif(&check(7, TO_ALPHA, header), message, b"");
}

#[test]
fn frames_8_and_9_reply_and_acknowledge() {
    let header = from_beta(PacketType::User, Layer::Kif, 2, 23, 0x7981_5767);
    let message = Message::MsgReply(Transfer {
        status: 0,
        handle: 278,
        offset: 0,
        nbytes: 3,
    });
    check_kif(&check(8, TO_ALPHA, header), message, b"yes");

    let ack = Header {
        offset: 3,
        ..from_alpha(PacketType::Ack, Layer::Kif, 2, 0, 0xb8af_6f36)
    };
    assert_eq!(parse_room(&check(9, TO_BETA, ack)), Ok(None));
}

#[test]
fn frame_10_sends_on_the_connection() {
    let header = from_alpha(PacketType::User, Layer::Kif, 2, 53, 0x7e29_3462);
    let message = Message::MsgSend(MsgSend {
        server_id: SERVER_ID,
        client_handle: 279,
        vtid: vtid(10, 5),
        nbytes: 5,
        credentials: None,
    });
    check_kif(&check(10, TO_BETA, header), message, b"hello");
}

#[test]
fn frame_11_answers_with_an_error() {
    let header = from_beta(PacketType::User, Layer::Kif, 3, 20, 0x1d14_f5c0);
    let message = Message::MsgError(Transfer {
        status: 260,
        handle: 279,
        offset: 0,
        nbytes: 0,
    });
    check_kif(&check(11, TO_ALPHA, header), message, b"");
}

#[test]
fn frames_12_and_13_send_a_pulse_and_acknowledge() {
    let header = from_alpha(PacketType::User, Layer::Kif, 3, 64, 0x7b41_db0a);
    let message = Message::Pulse(Pulse {
        server_id: SERVER_ID,
        client_handle: 0,
        vtid: vtid(12, 0),
        pulse: PulseInfo {
            ptype: 0,
            subtype: 0,
            code: 5,
            value: 1234,
            scoid: 0x4000_0001,
        },
        priority: 12,
        credentials: None,
    });
    check_kif(&check(12, TO_BETA, header), message, b"");

    let ack = Header {
        offset: 4,
        ..from_beta(PacketType::Ack, Layer::Kif, 3, 0, 0x57a6_b512)
    };
    assert_eq!(parse_room(&check(13, TO_ALPHA, ack)), Ok(None));
}

#[test]
fn frame_14_is_the_first_fragment_of_a_transfer() {
    let header = Header {
        flags: Flags::FIRST.union(Flags::CRC),
        ..from_alpha(PacketType::User, Layer::Kif, 4, 1420, 0x89de_2dd7)
    };
    let payload = check(14, TO_BETA, header);
    let message = Message::MsgReadXfer(Transfer {
        status: 0,
        handle: 300,
        offset: 8192,
        nbytes: 3000,
    });
    // The message is whole when the fragments are together.
    let fixed = 20;
    let total = fixed + 3000;
    assert_eq!(
        kif::parse(&payload[..kif::MAX_FIXED], total),
        Ok((message, fixed))
    );
    assert_eq!(
        kif::parse(&payload, payload.len()),
        Err(kif::KifError::Data)
    );
    assert!(payload[fixed..].iter().all(|byte| *byte == 0x55));
    let whole = [&payload[..fixed], &[0x55; 3000]].concat();
    check_kif(&whole, message, &[0x55; 3000]);
}

#[test]
fn frame_15_tells_what_is_missing_of_it() {
    let header = from_beta(PacketType::Nack, Layer::Seq, 4, 8, 0x7303_b510);
    let payload = check(15, TO_ALPHA, header);
    let missing = Range {
        offset: 1420,
        length: 1600,
    };
    let ranges: Vec<_> = Ranges::parse(&payload).unwrap().collect();
    assert_eq!(ranges, [missing]);
    let mut out = [0; 8];
    assert_eq!(emit_ranges(ranges, &mut out), Some(8));
    assert_eq!(out.as_slice(), payload);
}

#[test]
fn frames_16_and_17_ping() {
    let header = from_beta(PacketType::User, Layer::Nr, 0, 1, 0x6abf_0743);
    check_nr(&check(16, TO_ALPHA, header), nr::Message::Ping);
    let header = from_alpha(PacketType::User, Layer::Nr, 0, 1, 0xcd04_f109);
    check_nr(&check(17, TO_BETA, header), nr::Message::PingReply);
}

#[test]
fn frames_18_and_19_disconnect_and_acknowledge() {
    let header = from_alpha(PacketType::User, Layer::Kif, 5, 8, 0xc6c6_35d1);
    let message = Message::Disconnect {
        server_id: SERVER_ID,
    };
    check_kif(&check(18, TO_BETA, header), message, b"");

    let ack = Header {
        offset: 6,
        ..from_beta(PacketType::Ack, Layer::Kif, 5, 0, 0xe044_53ea)
    };
    assert_eq!(parse_room(&check(19, TO_ALPHA, ack)), Ok(None));
}

#[test]
fn frames_20_and_21_take_the_connection_down() {
    let down = from_alpha(PacketType::TcsDown, Layer::Kif, 0, 0, 0xba96_a7d3);
    assert_eq!(check(20, TO_BETA, down), []);
    let rem_down = from_beta(PacketType::TcsRemDown, Layer::Kif, 0, 0, 0xaf49_d97b);
    assert_eq!(check(21, TO_ALPHA, rem_down), []);
}
