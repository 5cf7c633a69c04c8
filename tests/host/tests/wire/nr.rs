// SPDX-License-Identifier: GPL-2.0

//! The messages of the node resolver.

use super::{
    any_bytes,
    is_inside,
    string, //
};
use proptest::prelude::*;
use qnet_host_tests::proto::wire::nr::{
    Message,
    NrError,
    MAX_LEN, //
};

const SAMPLES: [(Message<'_>, &[u8]); 5] = [
    (Message::Ping, &[0]),
    (Message::PingReply, &[1]),
    (
        Message::RemoteRequest {
            id: 0x0102,
            name: b"beta",
        },
        &[2, 4, 2, 1, b'b', b'e', b't', b'a'],
    ),
    (
        Message::RemoteAnswer {
            id: 0x0102,
            nd: 0x0304_0506,
        },
        &[3, 0, 2, 1, 6, 5, 4, 3],
    ),
    (
        Message::RemoteError { id: 7, status: 300 },
        &[4, 0, 7, 0, 44, 1, 0, 0],
    ),
];

fn emitted(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0xee; message.emitted_len()];
    assert_eq!(message.emit(&mut out), Some(out.len()));
    out
}

#[test]
fn messages_have_their_bytes() {
    for (message, bytes) in SAMPLES {
        assert_eq!(emitted(&message), bytes);
        assert_eq!(Message::parse(bytes), Ok(message));
        let longer = [bytes, &[0xff; 9]].concat();
        assert_eq!(Message::parse(&longer), Ok(message));
        for len in 0..bytes.len() {
            assert_eq!(Message::parse(&bytes[..len]), Err(NrError::Short));
            assert_eq!(message.emit(&mut vec![0; len]), None);
        }
    }
}

#[test]
fn a_name_may_carry_its_nul() {
    let message = Message::parse(b"\x02\x05\x07\0beta\0");
    let expected = Message::RemoteRequest {
        id: 7,
        name: b"beta",
    };
    assert_eq!(message, Ok(expected));
}

#[test]
fn unknown_types_are_refused() {
    for byte in 5..=u8::MAX {
        assert_eq!(Message::parse(&[byte; 300]), Err(NrError::Type));
    }
}

#[test]
fn what_cannot_be_read_back_is_not_emitted() {
    let request = |name| Message::RemoteRequest { id: 1, name };
    let mut out = [0; 300];
    assert_eq!(request(&[b'x'; 255]).emit(&mut out), Some(MAX_LEN));
    assert_eq!(request(&[b'x'; 256]).emit(&mut out), None);
    assert_eq!(request(b"a\0").emit(&mut out), None);
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(id: u16, name in string(255), nd: u32, status: i32) {
        for message in [
            Message::RemoteRequest { id, name: &name },
            Message::RemoteAnswer { id, nd },
            Message::RemoteError { id, status },
        ] {
            let bytes = emitted(&message);
            prop_assert_eq!(Message::parse(&bytes), Ok(message));
            for len in 0..bytes.len() {
                prop_assert_eq!(Message::parse(&bytes[..len]), Err(NrError::Short));
            }
        }
    }

    #[test]
    fn hostile_bytes_stay_inside(kind in 0..6_u8, rest in any_bytes(300)) {
        let bytes = [&[kind], rest.as_slice()].concat();
        if let Ok(message) = Message::parse(&bytes) {
            if let Message::RemoteRequest { name, .. } = message {
                prop_assert!(is_inside(name, &bytes));
            }
            let again = emitted(&message);
            prop_assert_eq!(Message::parse(&again), Ok(message));
        }
    }
}
