// SPDX-License-Identifier: GPL-2.0

//! The packet of the LAN resolver.

use super::{
    any_bytes,
    hostile_u32,
    is_inside,
    string, //
};
use proptest::prelude::*;
use qnet_host_tests::proto::wire::lr::{
    Kind,
    LrError,
    Packet,
    Party,
    FIXED_LEN,
    MAX_LEN, //
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

const SAMPLE: Packet<'_> = Packet {
    kind: Kind::Request,
    src: Party {
        name: b"al",
        domain: b"q",
        mac: Some(MAC),
    },
    dst: Party {
        name: b"be",
        domain: b"",
        mac: None,
    },
};

/// The pairs of [`SAMPLE`], and what they point to.
const PAIRS: [u32; 12] = [0, 3, 3, 2, 5, 8, 13, 3, 16, 1, 0, 0];
const ITEMS: &[u8] = b"al\0q\0\x08\x01\x02\0\0\0\0\x09be\0\0";

/// A packet put together by hand; `length` is its own idea of its length.
fn raw(head: [u8; 4], length: usize, pairs: &[u32; 12], items: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
    bytes.extend(pairs.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(items);
    bytes
}

/// The sample with other pairs and items.
fn with(pairs: [u32; 12], items: &[u8]) -> Vec<u8> {
    raw([1, 0, 1, 0], FIXED_LEN + items.len(), &pairs, items)
}

fn emitted(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = vec![0xee; packet.emitted_len()];
    assert_eq!(packet.emit(&mut out), Some(out.len()));
    out
}

fn all_inside(packet: &Packet<'_>, bytes: &[u8]) -> bool {
    [packet.src, packet.dst].iter().all(|party| {
        [party.name, party.domain]
            .iter()
            .all(|s| is_inside(s, bytes) && !s.contains(&0))
    })
}

#[test]
fn items_are_where_the_pairs_say() {
    let bytes = with(PAIRS, ITEMS);
    assert_eq!(emitted(&SAMPLE), bytes);
    assert_eq!(Packet::parse(&bytes), Ok(SAMPLE));
}

#[test]
fn an_absent_party_has_offset_and_length_0() {
    let packet = Packet {
        kind: Kind::Reply,
        dst: Party::default(),
        ..SAMPLE
    };
    let mut pairs = PAIRS;
    pairs[6..].fill(0);
    let bytes = raw([1, 0, 2, 0], FIXED_LEN + 13, &pairs, &ITEMS[..13]);
    assert_eq!(emitted(&packet), bytes);
    assert_eq!(Packet::parse(&bytes), Ok(packet));
}

#[test]
fn strings_need_no_nul() {
    let mut pairs = PAIRS;
    pairs[1] = 2;
    pairs[3] = 1;
    pairs[7] = 2;
    pairs[9] = 0;
    assert_eq!(Packet::parse(&with(pairs, ITEMS)), Ok(SAMPLE));
    // And end at the first one.
    let padded = with([0, 5, 5, 1, 0, 0, 0, 5, 5, 0, 0, 0], b"al\0zzq");
    let packet = Packet::parse(&padded).unwrap();
    assert_eq!(
        (packet.src.name, packet.src.domain),
        (&b"al"[..], &b"q"[..])
    );
}

#[test]
fn the_offset_of_what_is_absent_does_not_matter() {
    let mut pairs = PAIRS;
    pairs[10] = u32::MAX;
    assert_eq!(Packet::parse(&with(pairs, ITEMS)), Ok(SAMPLE));
}

#[test]
fn addresses_of_other_families_are_no_mac() {
    let mut items = ITEMS.to_vec();
    items[6] = 2;
    let packet = Packet::parse(&with(PAIRS, &items)).map(|packet| packet.src.mac);
    assert_eq!(packet, Ok(None));
}

#[test]
fn bytes_behind_the_packet_do_not_matter() {
    let mut bytes = with(PAIRS, ITEMS);
    bytes.resize(bytes.len() + 20, 0xff);
    assert_eq!(Packet::parse(&bytes), Ok(SAMPLE));
}

#[test]
fn bad_packets_are_refused() {
    let good = FIXED_LEN + ITEMS.len();
    let head = |head, length| Packet::parse(&raw(head, length, &PAIRS, ITEMS)).map(|_| ());
    assert_eq!(head([1, 0, 1, 0], good), Ok(()));
    // The spare bytes are not looked at.
    assert_eq!(head([1, 7, 1, 7], good), Ok(()));
    assert_eq!(head([0, 0, 1, 0], good), Err(LrError::Version));
    assert_eq!(head([2, 0, 1, 0], good), Err(LrError::Version));
    assert_eq!(head([1, 0, 0, 0], good), Err(LrError::Kind));
    assert_eq!(head([1, 0, 3, 0], good), Err(LrError::Kind));
    assert_eq!(head([1, 0, 1, 0], good + 1), Err(LrError::Length));
    assert_eq!(head([1, 0, 1, 0], 0), Err(LrError::Length));
    assert_eq!(head([1, 0, 1, 0], FIXED_LEN - 1), Err(LrError::Length));
    assert_eq!(head([1, 0, 1, 0], u32::MAX as usize), Err(LrError::Length));
    // The items end with the packet, not with the payload.
    assert_eq!(head([1, 0, 1, 0], good - 1), Err(LrError::Item));
    assert_eq!(Packet::parse(&[1; 55]), Err(LrError::Short));
}

#[test]
fn items_outside_the_packet_are_refused() {
    for pair in [0, 2, 4, 6, 8] {
        for (offset, length) in [
            (17, 1),
            (0, 18),
            (16, 2),
            (1, u32::MAX),
            (u32::MAX, 1),
            (u32::MAX, u32::MAX),
            (0x8000_0000, 0x8000_0000),
        ] {
            let mut pairs = PAIRS;
            pairs[pair] = offset;
            pairs[pair + 1] = length;
            let bytes = with(pairs, ITEMS);
            let parsed = Packet::parse(&bytes);
            assert_eq!(
                parsed,
                Err(LrError::Item),
                "pair {pair}: {offset}, {length}"
            );
        }
    }
}

#[test]
fn bad_addresses_are_refused() {
    let address = |length, bytes: &[u8]| {
        let mut pairs = [0; 12];
        pairs[5] = length;
        Packet::parse(&with(pairs, bytes)).map(|packet| packet.src.mac)
    };
    let good = [8, 1, 2, 0, 0, 0, 0, 9, 0xff];
    assert_eq!(address(8, &good), Ok(Some(MAC)));
    assert_eq!(address(9, &good), Ok(Some(MAC)));
    for length in 1..8 {
        assert_eq!(address(length, &good), Err(LrError::Address));
    }
    assert_eq!(address(8, &[7, 1, 2, 0, 0, 0, 0, 9]), Err(LrError::Address));
}

#[test]
fn a_nul_inside_is_not_emitted() {
    let mut packet = SAMPLE;
    packet.src.domain = b"a\0b";
    assert_eq!(packet.emit(&mut [0; 200]), None);
}

#[test]
fn the_longest_names_fit() {
    let party = Party {
        name: &[b'n'; 63],
        domain: &[b'd'; 253],
        mac: Some(MAC),
    };
    let packet = Packet {
        src: party,
        dst: party,
        ..SAMPLE
    };
    assert_eq!(packet.emitted_len(), MAX_LEN);
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(
        request: bool,
        names in [string(63), string(63)],
        domains in [string(253), string(253)],
        macs: [Option<[u8; 6]>; 2],
    ) {
        let party = |i: usize| Party { name: &names[i], domain: &domains[i], mac: macs[i] };
        let kind = if request { Kind::Request } else { Kind::Reply };
        let packet = Packet { kind, src: party(0), dst: party(1) };
        let bytes = emitted(&packet);
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        for len in 0..bytes.len() {
            prop_assert!(Packet::parse(&bytes[..len]).is_err());
            prop_assert_eq!(packet.emit(&mut vec![0; len]), None);
        }
        // A packet that knows it was cut has an item outside.
        let mut cut = bytes;
        for len in FIXED_LEN..cut.len() {
            cut[4..8].copy_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
            prop_assert_eq!(Packet::parse(&cut[..len]), Err(LrError::Item));
        }
    }

    #[test]
    fn hostile_pairs_stay_inside(
        pairs in proptest::array::uniform12(hostile_u32()),
        items in any_bytes(200),
    ) {
        let bytes = with(pairs, &items);
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(all_inside(&packet, &bytes));
        }
    }

    #[test]
    fn hostile_bytes_stay_inside(bytes in any_bytes(200), good_head: bool) {
        let mut bytes = bytes;
        if good_head && bytes.len() >= 8 {
            let len = u32::try_from(bytes.len()).unwrap();
            bytes[..4].copy_from_slice(&[1, 0, 2, 0]);
            bytes[4..8].copy_from_slice(&len.to_le_bytes());
        }
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(all_inside(&packet, &bytes));
        }
    }

    #[test]
    fn mutations_stay_inside(at in 0..FIXED_LEN + ITEMS.len(), value: u8) {
        let mut bytes = with(PAIRS, ITEMS);
        bytes[at] = value;
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(all_inside(&packet, &bytes));
            let again = emitted(&packet);
            prop_assert_eq!(Packet::parse(&again), Ok(packet));
        }
    }
}
