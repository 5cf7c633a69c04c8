// SPDX-License-Identifier: GPL-2.0

//! The error numbers.

use proptest::prelude::*;
use qnet_host_tests::proto::wire::errno::{
    from_wire,
    to_wire,
    EIO, //
};

/// Name, QNX, Linux: the table of the reference.
const REFERENCE: [(&str, i32, i32); 30] = [
    ("EDEADLK", 45, 35),
    ("ECANCELED", 47, 125),
    ("ENOTSUP", 48, 95),
    ("ENODATA", 61, 61),
    ("EBADMSG", 77, 74),
    ("ENAMETOOLONG", 78, 36),
    ("EOVERFLOW", 79, 75),
    ("EILSEQ", 88, 84),
    ("ENOSYS", 89, 38),
    ("ELOOP", 90, 40),
    ("ERESTART", 91, 85),
    ("ENOTEMPTY", 93, 39),
    ("ESTALE", 122, 116),
    ("EINPROGRESS", 236, 115),
    ("EMSGSIZE", 240, 90),
    ("EADDRINUSE", 248, 98),
    ("ENETDOWN", 250, 100),
    ("ENETUNREACH", 251, 101),
    ("ECONNABORTED", 253, 103),
    ("ECONNRESET", 254, 104),
    ("ENOBUFS", 255, 105),
    ("ENOTCONN", 257, 107),
    ("ESHUTDOWN", 258, 108),
    ("ETIMEDOUT", 260, 110),
    ("ECONNREFUSED", 261, 111),
    ("EHOSTDOWN", 264, 112),
    ("EHOSTUNREACH", 265, 113),
    // Only QNX has these: they keep their numbers.
    ("ENOREMOTE", 300, 300),
    ("ESRVRFAULT", 312, 312),
    ("EENDIAN", 313, 313),
];

/// Linux's socket errors that have a row of QNX's without being in the reference's excerpt.
const SOCKET_ERRORS: [(i32, i32); 12] = [
    (237, 114),
    (238, 88),
    (239, 89),
    (241, 91),
    (242, 92),
    (243, 93),
    (244, 94),
    (246, 96),
    (247, 97),
    (249, 99),
    (252, 102),
    (256, 106),
];

#[test]
fn the_table_of_the_reference_holds_both_ways() {
    for (name, qnx, linux) in REFERENCE {
        assert_eq!(to_wire(linux), qnx, "{name}");
        assert_eq!(from_wire(qnx), linux, "{name}");
    }
    for (qnx, linux) in SOCKET_ERRORS {
        assert_eq!((to_wire(linux), from_wire(qnx)), (qnx, linux));
    }
}

#[test]
fn the_first_34_are_the_same() {
    for number in 0..=34 {
        assert_eq!((to_wire(number), from_wire(number)), (number, number));
    }
}

#[test]
fn linux_has_one_number_for_two() {
    assert_eq!(from_wire(48), 95);
    assert_eq!(from_wire(103), 95);
    assert_eq!(to_wire(95), 48);
}

#[test]
fn a_number_never_turns_into_another_error() {
    // Linux 78 is EREMCHG, QNX 78 is ENAMETOOLONG; QNX 75 is nothing known, Linux 75 EOVERFLOW.
    assert_eq!(to_wire(78), EIO);
    assert_eq!(from_wire(75), EIO);
    for linux in 0..600 {
        let back = from_wire(to_wire(linux));
        assert!(
            back == linux || (back == EIO && to_wire(linux) == EIO),
            "{linux}"
        );
    }
    for qnx in 0..600 {
        let back = to_wire(from_wire(qnx));
        assert!(
            back == qnx || from_wire(qnx) == EIO || (qnx, back) == (103, 48),
            "{qnx}"
        );
    }
}

#[test]
fn all_but_a_few_of_linux_survive() {
    let lost: Vec<_> = (0..=133).filter(|n| from_wire(to_wire(*n)) != *n).collect();
    // EL2NSYNC, EL3HLT, EL3RST, ELNRNG, EUNATCH, EBADFD, EREMCHG, ELIBACC.
    assert_eq!(lost, [45, 46, 47, 48, 49, 77, 78, 79]);
}

proptest! {
    #[test]
    fn numbers_of_programs_survive(number in prop_oneof![314..=i32::MAX, i32::MIN..=0]) {
        prop_assert_eq!(to_wire(number), number);
        prop_assert_eq!(from_wire(number), number);
    }
}
