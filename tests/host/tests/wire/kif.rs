// SPDX-License-Identifier: GPL-2.0

//! The KIF messages.

use super::{
    any_bytes,
    hostile_u32, //
};
use proptest::option;
use proptest::prelude::*;
use qnet_host_tests::proto::wire::kif::{
    parse,
    Connect,
    Credentials,
    Event,
    KifError,
    Message,
    MsgRead,
    MsgSend,
    Pulse,
    PulseInfo,
    SigEvent,
    Signal,
    Transfer,
    Unblock,
    Vtid,
    MAX_FIXED,
    MAX_GROUPS, //
};

const VTID: Vtid = Vtid {
    tid: 1,
    coid: 2,
    priority: 3,
    srcmsglen: 4,
    keydata: 5,
    srcnd: 6,
    dstmsglen: 7,
};

const CREDENTIALS: Credentials = Credentials {
    nd: 1,
    pid: 2,
    sid: 3,
    flags: 4,
    ruid: 5,
    euid: 6,
    suid: 7,
    rgid: 8,
    egid: 9,
    sgid: 10,
    ngroups: 2,
    groups: [11, 12, 0, 0, 0, 0, 0, 0],
};

const CONNECT: Connect = Connect {
    version: 1,
    server_pid: 2,
    server_chid: 3,
    client_id: 4,
    client_pid: 5,
    credentials: None,
};

const SEND: MsgSend = MsgSend {
    server_id: 9,
    client_handle: 8,
    vtid: VTID,
    nbytes: 0,
    credentials: None,
};

const PULSE: Pulse = Pulse {
    server_id: 9,
    client_handle: 0,
    vtid: VTID,
    pulse: PulseInfo {
        ptype: 0x0102,
        subtype: 0x0304,
        code: -5,
        value: 6,
        scoid: 7,
    },
    priority: 8,
    credentials: None,
};

const TRANSFER: Transfer = Transfer {
    status: -1,
    handle: 2,
    offset: 3,
    nbytes: 0,
};

const SIGNAL: Signal = Signal {
    client_handle: 1,
    pid: 2,
    tid: 3,
    signo: 4,
    code: 5,
    value: 6,
    credentials: None,
};

/// The fixed part as it travels.
fn fixed(message: &Message) -> Vec<u8> {
    let mut out = [0xee; MAX_FIXED + 1];
    let len = message.emit(&mut out).unwrap();
    assert_eq!(len, message.fixed_len());
    assert!(len <= MAX_FIXED);
    out[..len].to_vec()
}

fn parse_all(bytes: &[u8]) -> Result<(Message, usize), KifError> {
    parse(bytes, bytes.len())
}

/// `words` of a message behind its head {type, size}.
fn words(head: [u16; 2], words: &[u32]) -> Vec<u8> {
    let mut bytes = head.map(u16::to_le_bytes).concat();
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

/// One of each type without data and credentials, with its bytes by the table of the reference.
fn samples() -> Vec<(Message, Vec<u8>)> {
    let connect = [1, 2, 3, 4, 5];
    let vtid = [1, 2, 3, 4, 5, 6, 7, 0];
    let send = |id: u32| [&[id, 8], &vtid[..], &[0]].concat();
    let pulse = [0x0304_0102, 0xfb, 6, 7, 8];
    let pulse = |id: u32| [&[id, 0], &vtid[..], &pulse].concat();
    let transfer = [u32::MAX, 2, 3, 0];
    let joined = |first: u16, second: [u16; 2], rest: &[u32]| {
        [words([first, 24], &connect), words(second, rest)].concat()
    };
    vec![
        (Message::Connect(CONNECT), words([0, 24], &connect)),
        (
            Message::ConnectMsgSend(
                CONNECT,
                MsgSend {
                    server_id: 0,
                    ..SEND
                },
            ),
            joined(1, [5, 48], &send(0)),
        ),
        (
            Message::ConnectSuccess {
                version: 1,
                client_id: 2,
                server_id: 3,
                scoid: 4,
                nbytes: 5,
            },
            words([2, 24], &[1, 2, 3, 4, 5]),
        ),
        (
            Message::ConnectFail {
                version: 1,
                client_id: 2,
                status: 3,
            },
            words([3, 16], &[1, 2, 3]),
        ),
        (
            Message::Unblock(Unblock {
                server_id: 1,
                client_handle: 2,
                tid: 3,
            }),
            words([4, 16], &[1, 2, 3]),
        ),
        (Message::MsgSend(SEND), words([5, 48], &send(9))),
        (
            Message::MsgRead(MsgRead {
                msgread_handle: 1,
                client_handle: 2,
                offset: 3,
                nbytes: 4,
            }),
            words([6, 20], &[1, 2, 3, 4]),
        ),
        (Message::MsgReadXfer(TRANSFER), words([7, 20], &transfer)),
        (Message::MsgWrite(TRANSFER), words([8, 20], &transfer)),
        (Message::MsgReply(TRANSFER), words([9, 20], &transfer)),
        (Message::MsgError(TRANSFER), words([10, 20], &transfer)),
        (
            Message::Event(Event {
                client_handle: 1,
                event: SigEvent {
                    notify: 2,
                    union1: 3,
                    value: 4,
                    code: 5,
                    priority: -1,
                },
            }),
            words([11, 24], &[1, 2, 3, 4, 0xffff_0005]),
        ),
        (Message::Pulse(PULSE), words([12, 64], &pulse(9))),
        (
            Message::Signal(SIGNAL),
            words([13, 28], &[1, 2, 3, 4, 5, 6]),
        ),
        (Message::Disconnect { server_id: 1 }, words([14, 8], &[1])),
        (Message::ConnectDeath { client_id: 1 }, words([15, 8], &[1])),
        (Message::MsgReadError(TRANSFER), words([16, 20], &transfer)),
        (
            Message::ConnectPulse(
                CONNECT,
                Pulse {
                    server_id: 0,
                    ..PULSE
                },
            ),
            joined(17, [12, 64], &pulse(0)),
        ),
    ]
}

fn vtid() -> impl Strategy<Value = Vtid> {
    any::<[i32; 7]>().prop_map(|v| Vtid {
        tid: v[0],
        coid: v[1],
        priority: v[2],
        srcmsglen: v[3],
        keydata: v[4],
        srcnd: v[5],
        dstmsglen: v[6],
    })
}

prop_compose! {
    fn credentials()(
        v: [u32; 10],
        groups: [u32; MAX_GROUPS],
        ngroups in 0..=MAX_GROUPS,
    ) -> Credentials {
        let mut groups = groups;
        groups[ngroups..].fill(0);
        Credentials {
            nd: v[0],
            pid: v[1] as i32,
            sid: v[2] as i32,
            flags: v[3],
            ruid: v[4],
            euid: v[5],
            suid: v[6],
            rgid: v[7],
            egid: v[8],
            sgid: v[9],
            ngroups: ngroups as u32,
            groups,
        }
    }
}

prop_compose! {
    fn connect()(
        version: u32,
        server: [i32; 2],
        client_id: u32,
        client_pid: i32,
        credentials in option::of(credentials()),
    ) -> Connect {
        let [server_pid, server_chid] = server;
        Connect { version, server_pid, server_chid, client_id, client_pid, credentials }
    }
}

prop_compose! {
    fn send()(
        server_id: u32,
        client_handle: u32,
        vtid in vtid(),
        nbytes in 0..600_u32,
        credentials in option::of(credentials()),
    ) -> MsgSend {
        MsgSend { server_id, client_handle, vtid, nbytes, credentials }
    }
}

prop_compose! {
    fn pulse()(
        server_id: u32,
        client_handle: u32,
        vtid in vtid(),
        types: [u16; 2],
        code: i8,
        value: i32,
        scoid: i32,
        priority: i32,
        credentials in option::of(credentials()),
    ) -> Pulse {
        let pulse = PulseInfo { ptype: types[0], subtype: types[1], code, value, scoid };
        Pulse { server_id, client_handle, vtid, pulse, priority, credentials }
    }
}

prop_compose! {
    fn signal()(
        client_handle: u32,
        v: [i32; 5],
        credentials in option::of(credentials()),
    ) -> Signal {
        let [pid, tid, signo, code, value] = v;
        Signal { client_handle, pid, tid, signo, code, value, credentials }
    }
}

fn transfer() -> impl Strategy<Value = Transfer> {
    (any::<i32>(), any::<[u32; 2]>(), 0..600_u32).prop_map(|(status, v, nbytes)| Transfer {
        status,
        handle: v[0],
        offset: v[1],
        nbytes,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let any3 = any::<[u32; 3]>;
    prop_oneof![
        connect().prop_map(Message::Connect),
        (connect(), send()).prop_map(|(c, s)| Message::ConnectMsgSend(c, s)),
        any::<[u32; 5]>().prop_map(|v| Message::ConnectSuccess {
            version: v[0],
            client_id: v[1],
            server_id: v[2],
            scoid: v[3] as i32,
            nbytes: v[4],
        }),
        any3().prop_map(|v| Message::ConnectFail {
            version: v[0],
            client_id: v[1],
            status: v[2] as i32,
        }),
        any3().prop_map(|v| Message::Unblock(Unblock {
            server_id: v[0],
            client_handle: v[1],
            tid: v[2] as i32,
        })),
        send().prop_map(Message::MsgSend),
        any::<[u32; 4]>().prop_map(|v| Message::MsgRead(MsgRead {
            msgread_handle: v[0],
            client_handle: v[1],
            offset: v[2],
            nbytes: v[3],
        })),
        transfer().prop_map(Message::MsgReadXfer),
        transfer().prop_map(Message::MsgWrite),
        transfer().prop_map(Message::MsgReply),
        transfer().prop_map(Message::MsgError),
        (any::<u32>(), any::<[i32; 3]>(), any::<[i16; 2]>()).prop_map(|(client_handle, v, w)| {
            let event = SigEvent {
                notify: v[0],
                union1: v[1],
                value: v[2],
                code: w[0],
                priority: w[1],
            };
            Message::Event(Event {
                client_handle,
                event,
            })
        }),
        pulse().prop_map(Message::Pulse),
        signal().prop_map(Message::Signal),
        any::<u32>().prop_map(|server_id| Message::Disconnect { server_id }),
        any::<u32>().prop_map(|client_id| Message::ConnectDeath { client_id }),
        transfer().prop_map(Message::MsgReadError),
        (connect(), pulse()).prop_map(|(c, p)| Message::ConnectPulse(c, p)),
    ]
}

#[test]
fn each_type_has_its_bytes() {
    let samples = samples();
    assert_eq!(samples.len(), 18);
    for (message, bytes) in samples {
        assert_eq!(fixed(&message), bytes, "{message:?}");
        assert_eq!(parse_all(&bytes), Ok((message, bytes.len())));
    }
}

#[test]
fn credentials_stand_behind_the_fields() {
    let bytes = words(
        [0x100, 76],
        &[1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 11, 12],
    );
    let credentials = Some(CREDENTIALS);
    let connect = Connect {
        credentials,
        ..CONNECT
    };
    assert_eq!(fixed(&Message::Connect(connect)), bytes);
    assert_eq!(parse_all(&bytes), Ok((Message::Connect(connect), 76)));

    // And before the data.
    let send = Message::MsgSend(MsgSend {
        nbytes: 2,
        credentials,
        ..SEND
    });
    let bytes = fixed(&send);
    assert_eq!(bytes.len(), 48 + 52);
    assert_eq!(bytes[48..], fixed(&Message::Connect(connect))[24..]);
    let whole = [&bytes, b"hi".as_slice()].concat();
    assert_eq!(parse_all(&whole), Ok((send, 100)));
}

#[test]
fn only_clients_have_credentials() {
    let credentials = [0; 44];
    for (message, bytes) in samples() {
        let size = u16::from_le_bytes([bytes[2], bytes[3]]) + 44;
        let (first, second) = bytes.split_at(usize::from(size - 44));
        let mut bytes = [first, &credentials, second].concat();
        bytes[1] |= 1;
        bytes[2..4].copy_from_slice(&size.to_le_bytes());
        let parsed = parse_all(&bytes);
        match bytes[0] {
            0 | 1 | 5 | 12 | 13 | 17 => {
                let (parsed, start) = parsed.unwrap();
                assert_eq!(start, bytes.len());
                assert_eq!(fixed(&parsed), bytes, "{message:?}");
            }
            _ => assert_eq!(parsed, Err(KifError::Type), "{message:?}"),
        }
    }
}

#[test]
fn a_head_tells_the_exact_size() {
    for (message, bytes) in samples() {
        let size = u16::from_le_bytes([bytes[2], bytes[3]]);
        for wrong in [0, size - 4, size - 1, size + 1, size + 4, u16::MAX] {
            let mut bytes = bytes.clone();
            bytes[2..4].copy_from_slice(&wrong.to_le_bytes());
            // There is room for what a larger size claims.
            bytes.resize(300, 0);
            assert_eq!(
                parse_all(&bytes),
                Err(KifError::Size),
                "{message:?} {wrong}"
            );
        }
    }
}

#[test]
fn a_combined_message_has_a_second_head_of_its_kind() {
    for (kind, second) in [(1, 5), (17, 12)] {
        let samples = samples();
        let (message, bytes) = &samples[kind];
        for other in 0..=u8::MAX {
            let mut bytes = bytes.clone();
            bytes[24] = other;
            let expected = match other {
                _ if other == second => Ok((*message, bytes.len())),
                0x80.. => Err(KifError::Endian),
                _ => Err(KifError::Type),
            };
            assert_eq!(parse_all(&bytes), expected);
        }
        for wrong in [0, 24, 47, 49, 63, 65, 76] {
            let mut bytes = bytes.clone();
            bytes[26..28].copy_from_slice(&u16::to_le_bytes(wrong));
            bytes.resize(300, 0);
            assert_eq!(parse_all(&bytes), Err(KifError::Size));
        }
    }
}

#[test]
fn unknown_types_and_flags_are_refused() {
    for low in 18..=0x7f {
        assert_eq!(parse_all(&words([low, 24], &[0; 30])), Err(KifError::Type));
    }
    for bit in 9..15 {
        let word = 14 | (1 << bit);
        assert_eq!(parse_all(&words([word, 8], &[1])), Err(KifError::Type));
    }
}

#[test]
fn big_endian_messages_are_refused() {
    for word in [0x8080 | 14, 0x8000 | 14, 0x0080 | 14, 0x8e80] {
        assert_eq!(parse_all(&words([word, 8], &[1])), Err(KifError::Endian));
    }
}

#[test]
fn data_is_measured_not_read() {
    let transfer = Transfer {
        nbytes: 3000,
        ..TRANSFER
    };
    for message in [
        Message::MsgReadXfer(transfer),
        Message::MsgWrite(transfer),
        Message::MsgReply(transfer),
        Message::MsgError(transfer),
        Message::MsgReadError(transfer),
    ] {
        let bytes = fixed(&message);
        assert_eq!(message.data_len(), 3000);
        assert_eq!(parse(&bytes, 3020), Ok((message, 20)));
        // What follows the data is ignored.
        assert_eq!(parse(&bytes, 3021), Ok((message, 20)));
        assert_eq!(parse(&bytes, 3019), Err(KifError::Data));
        assert_eq!(parse(&bytes, 20), Err(KifError::Data));
        assert_eq!(parse(&bytes, 19), Err(KifError::Short));
        assert_eq!(parse(&bytes[..19], 3020), Err(KifError::Short));
    }
}

#[test]
fn a_message_without_data_ends_with_its_fixed_part() {
    let bytes = fixed(&Message::MsgReply(TRANSFER));
    let longer = [&bytes, b"junk".as_slice()].concat();
    assert_eq!(parse_all(&longer), Ok((Message::MsgReply(TRANSFER), 24)));
}

#[test]
fn counts_of_others_are_no_data() {
    // How much is wanted, and how much may be pushed, does not follow.
    let read = Message::MsgRead(MsgRead {
        nbytes: u32::MAX,
        ..MsgRead::default()
    });
    assert_eq!(parse_all(&fixed(&read)), Ok((read, 20)));
    let success = Message::ConnectSuccess {
        version: 1,
        client_id: 2,
        server_id: 3,
        scoid: 4,
        nbytes: u32::MAX,
    };
    assert_eq!(parse_all(&fixed(&success)), Ok((success, 24)));
}

#[test]
fn there_are_at_most_8_groups() {
    let with = |ngroups| {
        Message::Connect(Connect {
            credentials: Some(Credentials {
                ngroups,
                groups: [7; MAX_GROUPS],
                ..CREDENTIALS
            }),
            ..CONNECT
        })
    };
    let most = with(8);
    assert_eq!(parse_all(&fixed(&most)), Ok((most, 100)));
    for ngroups in [9, 10, 255, 0x4000_0000, u32::MAX] {
        assert_eq!(with(ngroups).emit(&mut [0; 500]), None);
        let mut bytes = fixed(&most);
        bytes[64..68].copy_from_slice(&ngroups.to_le_bytes());
        bytes.resize(1000, 0);
        assert_eq!(parse_all(&bytes), Err(KifError::Groups));
    }
    // Fewer than the size tells.
    let mut bytes = fixed(&most);
    bytes[64] = 7;
    assert_eq!(parse_all(&bytes), Err(KifError::Size));
}

#[test]
fn the_longest_fixed_part_is_a_pulse_with_two_credentials() {
    let credentials = Some(Credentials {
        ngroups: 8,
        groups: [1; MAX_GROUPS],
        ..CREDENTIALS
    });
    let message = Message::ConnectPulse(
        Connect {
            credentials,
            ..CONNECT
        },
        Pulse {
            credentials,
            ..PULSE
        },
    );
    assert_eq!(message.fixed_len(), MAX_FIXED);
    assert_eq!(parse_all(&fixed(&message)), Ok((message, MAX_FIXED)));
}

#[test]
fn spare_bytes_do_not_matter() {
    let mut bytes = fixed(&Message::Pulse(PULSE));
    bytes[40..44].fill(0xff);
    bytes[49..52].fill(0xff);
    assert_eq!(parse_all(&bytes), Ok((Message::Pulse(PULSE), 64)));
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(message in message()) {
        let mut bytes = fixed(&message);
        let start = bytes.len();
        bytes.resize(start + message.data_len() as usize, 0xdd);
        prop_assert_eq!(parse_all(&bytes), Ok((message, start)));
        let linear = &bytes[..bytes.len().min(MAX_FIXED)];
        prop_assert_eq!(parse(linear, bytes.len()), Ok((message, start)));
        for len in 0..bytes.len() {
            prop_assert!(parse_all(&bytes[..len]).is_err());
            prop_assert!(parse(&bytes, len).is_err());
        }
        for len in 0..start {
            prop_assert!(parse(&bytes[..len], bytes.len()).is_err());
            prop_assert_eq!(message.emit(&mut vec![0; len]), None);
        }
    }

    #[test]
    fn hostile_bytes_stay_inside(
        head in (0..18_u16, any::<bool>(), 0..120_u16),
        rest in any_bytes(300),
        total in 0..400_usize,
    ) {
        let (kind, credentials, size) = head;
        let word = kind | if credentials { 0x100 } else { 0 };
        let bytes = [words([word, size], &[]), rest].concat();
        if let Ok((message, start)) = parse(&bytes, total) {
            prop_assert!(start <= total);
            prop_assert!(message.data_len() as usize <= total - start);
            prop_assert!(message.fixed_len() <= bytes.len().min(total));
            prop_assert_eq!(parse_all(&fixed(&message)).is_ok(), message.data_len() == 0);
        }
    }

    #[test]
    fn mutations_stay_inside(
        message in message(),
        at in 0..MAX_FIXED,
        value in hostile_u32(),
        width in 1..=4_usize,
    ) {
        let mut bytes = fixed(&message);
        bytes.resize(bytes.len() + message.data_len() as usize, 0xdd);
        let at = at % bytes.len();
        let end = bytes.len().min(at + width);
        bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        if let Ok((message, start)) = parse_all(&bytes) {
            prop_assert!(start + message.data_len() as usize <= bytes.len());
            prop_assert!(message.fixed_len() <= bytes.len());
            // Spare bytes apart, the fixed part is the same again.
            let mut again = fixed(&message);
            again.resize(again.len() + message.data_len() as usize, 0);
            prop_assert_eq!(parse_all(&again).map(|(message, _)| message), Ok(message));
        }
    }

    #[test]
    fn noise_is_no_trouble(bytes in any_bytes(400), total in any::<usize>()) {
        let _ = parse(&bytes, total);
    }
}
