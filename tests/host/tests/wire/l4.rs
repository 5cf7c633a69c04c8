// SPDX-License-Identifier: GPL-2.0

//! The L4 header.

use super::{
    any_bytes,
    hostile_u32, //
};
use proptest::prelude::*;
use proptest::sample::select;
use qnet_host_tests::proto::wire::l4::{
    parse,
    put_crc,
    Flags,
    Header,
    HeaderError,
    Layer,
    PacketType,
    HEADER_LEN,
    MAX_LINEAR,
    MAX_MESSAGE,
    MAX_PAD, //
};

const TYPES: [PacketType; 10] = [
    PacketType::UserData,
    PacketType::TcsInit,
    PacketType::TcsRemUp,
    PacketType::TcsUp,
    PacketType::TcsDown,
    PacketType::TcsRemDown,
    PacketType::User,
    PacketType::Ack,
    PacketType::Nack,
    PacketType::Lres,
];
const LAYERS: [Layer; 4] = [Layer::Kif, Layer::Nr, Layer::Lr, Layer::Seq];

const SAMPLE: Header = Header {
    ptype: PacketType::User,
    flags: Flags::WHOLE.union(Flags::CRC),
    layer: Layer::Nr,
    src_nd_for_dst: 0x0102,
    dst_nd_for_src: 0x0304,
    src_conn_id: 0x0506_0708,
    dst_conn_id: 0x090a_0b0c,
    seq: 0x0d0e_0f10,
    qos_type: 0x1112,
    src_qos_idx: 0x1314,
    offset: 0,
    length: 3,
    crc: 0x191a_1b1c,
};

/// The frame behind the EtherType: `pad` zeros, the header and its payload.
fn frame(header: &Header, pad: usize) -> Vec<u8> {
    let mut bytes = [0; HEADER_LEN];
    header.emit(&mut bytes);
    [
        vec![0; pad],
        bytes.to_vec(),
        vec![0xee; header.length as usize],
    ]
    .concat()
}

fn parse_all(frame: &[u8]) -> Result<(usize, Header), HeaderError> {
    parse(frame, frame.len())
}

/// A sample frame with one byte of its header changed.
fn with_byte(at: usize, value: u8) -> Result<(usize, Header), HeaderError> {
    let mut frame = frame(&SAMPLE, 2);
    frame[2 + at] = value;
    parse_all(&frame)
}

prop_compose! {
    /// Any header that is sound, with at most 1500 bytes of payload.
    fn header()(
        ptype in select(&TYPES),
        layer in select(&LAYERS),
        flags: u8,
        nds: [u16; 2],
        conn_ids: [u32; 2],
        seq: u32,
        qos: [u16; 2],
        offset in prop_oneof![Just(0), any::<u32>()],
        length in 0..1500_u32,
        crc: u32,
    ) -> Header {
        let (offset, flags) = match ptype.is_data() {
            true => {
                let offset = offset % (MAX_MESSAGE as u32 - length + 1);
                let first = if offset == 0 { Flags::FIRST } else { Flags::NONE };
                (offset, Flags::from_bits(flags).without(Flags::FIRST).union(first))
            }
            false => (offset, Flags::from_bits(flags)),
        };
        Header {
            ptype,
            flags,
            layer,
            src_nd_for_dst: nds[0],
            dst_nd_for_src: nds[1],
            src_conn_id: conn_ids[0],
            dst_conn_id: conn_ids[1],
            seq,
            qos_type: qos[0],
            src_qos_idx: qos[1],
            offset,
            length,
            crc,
        }
    }
}

#[test]
fn fields_are_where_they_belong() {
    let mut bytes = [0; HEADER_LEN];
    let header = Header {
        offset: 0x1516_1718,
        length: 0x1920_2122,
        crc: 0x2324_2526,
        ..SAMPLE
    };
    header.emit(&mut bytes);
    let expected = [
        0x2a, 8, 7, 1, 2, 1, 4, 3, 8, 7, 6, 5, 0xc, 0xb, 0xa, 9, 0x10, 0xf, 0xe, 0xd, 0x12, 0x11,
        0x14, 0x13, 0x18, 0x17, 0x16, 0x15, 0x22, 0x21, 0x20, 0x19, 0x26, 0x25, 0x24, 0x23,
    ];
    assert_eq!(bytes, expected);
    put_crc(&mut bytes, 0x0102_0304);
    assert_eq!(bytes[..32], expected[..32]);
    assert_eq!(bytes[32..], [4, 3, 2, 1]);
}

#[test]
fn header_is_found_behind_up_to_three_pad_bytes() {
    for pad in 0..=MAX_PAD {
        assert_eq!(parse_all(&frame(&SAMPLE, pad)), Ok((pad, SAMPLE)));
    }
    let far = frame(&SAMPLE, MAX_PAD + 1);
    assert_eq!(parse_all(&far), Err(HeaderError::Version));
}

#[test]
fn linear_part_may_end_with_the_header() {
    let header = Header {
        length: 1400,
        ..SAMPLE
    };
    for pad in 0..=MAX_PAD {
        let frame = frame(&header, pad);
        assert_eq!(parse(&frame[..MAX_LINEAR], frame.len()), Ok((pad, header)));
        let too_little = parse(&frame[..pad + HEADER_LEN - 1], frame.len());
        assert_eq!(too_little, Err(HeaderError::Short));
    }
}

#[test]
fn linear_part_may_be_longer_than_the_frame() {
    let frame = frame(&SAMPLE, 2);
    assert_eq!(parse(&frame, 37), Err(HeaderError::Short));
    assert_eq!(parse(&frame, 38), Err(HeaderError::Length));
    assert_eq!(parse(&frame, 41), Ok((2, SAMPLE)));
}

#[test]
fn bytes_behind_the_payload_do_not_matter() {
    let mut frame = frame(&SAMPLE, 2);
    frame.resize(46, 0xaa);
    assert_eq!(parse_all(&frame), Ok((2, SAMPLE)));
}

#[test]
fn other_byte_order_is_told_apart() {
    assert_eq!(with_byte(0, 0xaa), Err(HeaderError::OtherEndian));
    // It is told even when the frame is too short for a header.
    assert_eq!(parse(&[0, 0, 0xaa], 3), Err(HeaderError::OtherEndian));
}

#[test]
fn unknown_versions_types_and_layers_are_refused() {
    for byte in 0..=u8::MAX {
        if !matches!(byte, 0x2a | 0xaa) {
            // The type, 8, is not taken for a version.
            assert_eq!(with_byte(0, byte), Err(HeaderError::Version));
        }
        let ptype = TYPES.into_iter().find(|ptype| ptype.to_wire() == byte);
        let parsed = with_byte(1, byte).map(|(_, header)| header.ptype);
        assert_eq!(parsed, ptype.ok_or(HeaderError::Type));
        let layer = LAYERS.into_iter().find(|layer| layer.to_wire() == byte);
        let parsed = with_byte(3, byte).map(|(_, header)| header.layer);
        assert_eq!(parsed, layer.ok_or(HeaderError::Layer));
    }
}

#[test]
fn unknown_flags_are_kept() {
    let (_, header) = with_byte(2, 0xff).unwrap();
    assert_eq!(header.flags.bits(), 0xff);
    assert!(header.flags.contains(Flags::WHOLE.union(Flags::CRC)));
}

#[test]
fn a_fragment_is_first_exactly_at_offset_0() {
    for ptype in [PacketType::User, PacketType::UserData] {
        for (flags, offset, good) in [
            (Flags::WHOLE, 0, true),
            (Flags::FIRST, 0, true),
            (Flags::LAST, 1, true),
            (Flags::NONE, 1, true),
            (Flags::NONE, 0, false),
            (Flags::LAST, 0, false),
            (Flags::WHOLE, 1, false),
            (Flags::FIRST, 1, false),
        ] {
            let header = Header {
                ptype,
                flags,
                offset,
                ..SAMPLE
            };
            let expected = if good {
                Ok((2, header))
            } else {
                Err(HeaderError::Flags)
            };
            assert_eq!(parse_all(&frame(&header, 2)), expected);
        }
    }
}

#[test]
fn a_fragment_ends_inside_the_longest_message() {
    let longest = MAX_MESSAGE as u32;
    assert!(longest > 65536);
    for (offset, good) in [
        (longest - 3, true),
        (longest - 2, false),
        (u32::MAX, false),
        (u32::MAX - 2, false),
    ] {
        let header = Header {
            flags: Flags::LAST,
            offset,
            ..SAMPLE
        };
        let expected = if good {
            Ok((2, header))
        } else {
            Err(HeaderError::Offset)
        };
        assert_eq!(parse_all(&frame(&header, 2)), expected);
    }
}

#[test]
fn an_ack_may_want_any_sequence_number() {
    for ptype in [PacketType::Ack, PacketType::Nack] {
        let header = Header {
            ptype,
            offset: u32::MAX,
            length: 4,
            ..SAMPLE
        };
        assert_eq!(parse_all(&frame(&header, 2)), Ok((2, header)));
    }
}

#[test]
fn a_frame_without_a_version_is_short_only_if_it_could_have_one() {
    assert_eq!(parse_all(&[]), Err(HeaderError::Short));
    assert_eq!(parse_all(&[0; 3]), Err(HeaderError::Short));
    assert_eq!(parse_all(&[0; 4]), Err(HeaderError::Version));
    assert_eq!(parse_all(&[0; 60]), Err(HeaderError::Version));
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(header in header(), pad in 0..=MAX_PAD, tail in 0..60_usize) {
        let mut frame = frame(&header, pad);
        frame.resize(frame.len() + tail, 0);
        prop_assert_eq!(parse_all(&frame), Ok((pad, header)));
        let linear = &frame[..frame.len().min(MAX_LINEAR)];
        prop_assert_eq!(parse(linear, frame.len()), Ok((pad, header)));
    }

    #[test]
    fn each_truncation_is_an_error(header in header(), pad in 0..=MAX_PAD) {
        let frame = frame(&header, pad);
        for len in 0..frame.len() {
            prop_assert!(parse_all(&frame[..len]).is_err());
            prop_assert!(parse(&frame, len).is_err());
        }
    }

    #[test]
    fn what_is_accepted_is_inside_and_the_same_again(
        bytes in any_bytes(120),
        pad in 0..=MAX_PAD,
        total in 0..200_usize,
    ) {
        let mut bytes = bytes;
        // Most random bytes end at the version: give half of them one.
        if bytes.len() > pad && total % 2 == 0 {
            bytes[..pad].fill(0);
            bytes[pad] = 0x2a;
        }
        if let Ok((pad, header)) = parse(&bytes, total) {
            prop_assert!(pad + HEADER_LEN + header.length as usize <= total);
            let mut out = [0; HEADER_LEN];
            header.emit(&mut out);
            prop_assert_eq!(&out[..], &bytes[pad..pad + HEADER_LEN]);
        }
    }

    #[test]
    fn hostile_lengths_and_offsets_stay_inside(
        header in header(),
        offset in hostile_u32(),
        length in hostile_u32(),
        total in 0..2000_usize,
    ) {
        let frame = frame(&Header { offset, length: 0, ..header }, 2);
        let mut frame = frame;
        frame[2 + 28..2 + 32].copy_from_slice(&length.to_le_bytes());
        if let Ok((_, parsed)) = parse(&frame, total) {
            prop_assert!(2 + HEADER_LEN + length as usize <= total);
            prop_assert_eq!(parsed.length, length);
            if parsed.ptype.is_data() {
                prop_assert!(u64::from(offset) + u64::from(length) <= MAX_MESSAGE as u64);
            }
        }
    }
}
