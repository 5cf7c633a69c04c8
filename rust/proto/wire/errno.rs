// SPDX-License-Identifier: GPL-2.0

//! Error numbers. They travel as QNX numbers them, which from 35 on is not as Linux does.
//!
//! A number that is not in the table keeps its value on both ways, as long as the value does not mean
//! another error on the other side; then [`EIO`] stands in for it. So 0 is 0, the errors that only
//! QNX has (ENOREMOTE 300 to EENDIAN 313) have QNX's numbers on Linux, and the codes of a program's
//! own survive.

/// The error that both sides know by this number, for what cannot be told to the other.
pub const EIO: i32 = 5;

/// Up to here both number alike.
const SAME_UP_TO: i32 = 34;

/// Linux, QNX. The numbers are those of QNX's documentation where it lists them; its list follows
/// System V below 100 and BSD + 200 from 236 on, and so do the rows that fill its gaps. Where two rows have the same Linux number the first one tells what travels.
const TABLE: &[(i32, i32)] = &[
    (42, 35),   // ENOMSG
    (43, 36),   // EIDRM
    (35, 45),   // EDEADLK
    (37, 46),   // ENOLCK
    (125, 47),  // ECANCELED
    (95, 48),   // ENOTSUP
    (122, 49),  // EDQUOT
    (61, 61),   // ENODATA
    (74, 77),   // EBADMSG
    (36, 78),   // ENAMETOOLONG
    (75, 79),   // EOVERFLOW
    (84, 88),   // EILSEQ
    (38, 89),   // ENOSYS
    (40, 90),   // ELOOP
    (85, 91),   // ERESTART
    (39, 93),   // ENOTEMPTY
    (95, 103),  // EOPNOTSUPP
    (116, 122), // ESTALE
    (115, 236), // EINPROGRESS
    (114, 237), // EALREADY
    (88, 238),  // ENOTSOCK
    (89, 239),  // EDESTADDRREQ
    (90, 240),  // EMSGSIZE
    (91, 241),  // EPROTOTYPE
    (92, 242),  // ENOPROTOOPT
    (93, 243),  // EPROTONOSUPPORT
    (94, 244),  // ESOCKTNOSUPPORT
    (96, 246),  // EPFNOSUPPORT
    (97, 247),  // EAFNOSUPPORT
    (98, 248),  // EADDRINUSE
    (99, 249),  // EADDRNOTAVAIL
    (100, 250), // ENETDOWN
    (101, 251), // ENETUNREACH
    (102, 252), // ENETRESET
    (103, 253), // ECONNABORTED
    (104, 254), // ECONNRESET
    (105, 255), // ENOBUFS
    (106, 256), // EISCONN
    (107, 257), // ENOTCONN
    (108, 258), // ESHUTDOWN
    (109, 259), // ETOOMANYREFS
    (110, 260), // ETIMEDOUT
    (111, 261), // ECONNREFUSED
    (112, 264), // EHOSTDOWN
    (113, 265), // EHOSTUNREACH
];

/// The number that travels for an error of Linux's.
pub fn to_wire(linux: i32) -> i32 {
    if linux <= SAME_UP_TO {
        return linux;
    }
    if let Some((_, qnx)) = TABLE.iter().find(|(number, _)| *number == linux) {
        return *qnx;
    }
    match TABLE.iter().any(|(_, qnx)| *qnx == linux) {
        true => EIO,
        false => linux,
    }
}

/// Linux's number for an error that travelled.
pub fn from_wire(qnx: i32) -> i32 {
    if qnx <= SAME_UP_TO {
        return qnx;
    }
    if let Some((linux, _)) = TABLE.iter().find(|(_, number)| *number == qnx) {
        return *linux;
    }
    match TABLE.iter().any(|(linux, _)| *linux == qnx) {
        true => EIO,
        false => qnx,
    }
}
