// SPDX-License-Identifier: GPL-2.0

//! The payload of TCS_INIT.

use super::{
    any_bytes,
    is_inside,
    string, //
};
use proptest::prelude::*;
use qnet_host_tests::proto::wire::tcs::{
    Init,
    InitError,
    MAX_LEN, //
};

const SAMPLE: Init<'_> = Init {
    src_name: b"a",
    src_domain: b"",
    dst_name: b"bc",
    dst_domain: b"d.e",
};

const SAMPLE_BYTES: &[u8] = b"\0\0\x02\0\x03\0\x06\0a\0\0bc\0d.e\0";

fn emitted(init: &Init<'_>) -> Vec<u8> {
    let mut out = vec![0xee; init.emitted_len()];
    assert_eq!(init.emit(&mut out), Some(out.len()));
    out
}

#[test]
fn strings_are_where_the_offsets_say() {
    assert_eq!(emitted(&SAMPLE), SAMPLE_BYTES);
    assert_eq!(Init::parse(SAMPLE_BYTES), Ok(SAMPLE));
}

#[test]
fn strings_may_share_bytes_and_stand_in_any_order() {
    let init = Init::parse(b"\x03\0\x01\0\x03\0\0\0xy\0z\0").unwrap();
    assert_eq!(
        init,
        Init {
            src_name: b"z",
            src_domain: b"y",
            dst_name: b"z",
            dst_domain: b"xy",
        }
    );
}

#[test]
fn bytes_behind_the_strings_do_not_matter() {
    let longer = [SAMPLE_BYTES, b"junk"].concat();
    assert_eq!(Init::parse(&longer), Ok(SAMPLE));
}

#[test]
fn bad_payloads_are_refused() {
    assert_eq!(Init::parse(b""), Err(InitError::Short));
    assert_eq!(Init::parse(&[0; 7]), Err(InitError::Short));
    // No byte for even an empty string.
    assert_eq!(Init::parse(&[0; 8]), Err(InitError::Offset));
    let at = |offset: u8| [&[0, 0, 0, 0, 0, 0, offset, 0], b"ab\0".as_slice()].concat();
    assert!(Init::parse(&at(2)).is_ok());
    assert_eq!(Init::parse(&at(3)), Err(InitError::Offset));
    assert_eq!(Init::parse(&at(255)), Err(InitError::Offset));
    let open = b"\0\0\0\0\0\0\0\0abc";
    assert_eq!(Init::parse(open), Err(InitError::Unterminated));
}

#[test]
fn what_cannot_be_read_back_is_not_emitted() {
    let mut out = [0; MAX_LEN];
    let nul = Init {
        src_domain: b"a\0b",
        ..SAMPLE
    };
    assert_eq!(nul.emit(&mut out), None);
    let long = vec![b'x'; 0x1_0000];
    let far = Init {
        src_name: &long,
        ..SAMPLE
    };
    assert_eq!(far.emit(&mut vec![0; 0x2_0000]), None);
}

#[test]
fn the_longest_names_fit() {
    let (name, domain) = ([b'n'; 63], [b'd'; 253]);
    let init = Init {
        src_name: &name,
        src_domain: &domain,
        dst_name: &name,
        dst_domain: &domain,
    };
    assert_eq!(init.emitted_len(), MAX_LEN);
}

proptest! {
    #[test]
    fn parse_gives_what_was_emitted(
        src_name in string(63),
        src_domain in string(253),
        dst_name in string(63),
        dst_domain in string(253),
    ) {
        let init = Init {
            src_name: &src_name,
            src_domain: &src_domain,
            dst_name: &dst_name,
            dst_domain: &dst_domain,
        };
        let bytes = emitted(&init);
        prop_assert_eq!(Init::parse(&bytes), Ok(init));
        for len in 0..bytes.len() {
            prop_assert!(Init::parse(&bytes[..len]).is_err());
            prop_assert_eq!(init.emit(&mut vec![0; len]), None);
        }
    }

    #[test]
    fn hostile_bytes_stay_inside(offsets in any::<[u8; 8]>(), low: bool, tail in any_bytes(64)) {
        let mut offsets = offsets;
        if low {
            // Offsets that mostly are inside.
            offsets.iter_mut().skip(1).step_by(2).for_each(|byte| *byte = 0);
            offsets.iter_mut().step_by(2).for_each(|byte| *byte %= 64);
        }
        let bytes = [offsets.as_slice(), &tail].concat();
        if let Ok(init) = Init::parse(&bytes) {
            for string in [init.src_name, init.src_domain, init.dst_name, init.dst_domain] {
                prop_assert!(is_inside(string, &bytes));
                prop_assert!(!string.contains(&0));
            }
        }
    }

    #[test]
    fn mutations_stay_inside(at in 0..SAMPLE_BYTES.len(), value: u8) {
        let mut bytes = SAMPLE_BYTES.to_vec();
        bytes[at] = value;
        if let Ok(init) = Init::parse(&bytes) {
            prop_assert!(is_inside(init.dst_domain, &bytes));
            let again = emitted(&init);
            prop_assert_eq!(Init::parse(&again), Ok(init));
        }
    }
}
