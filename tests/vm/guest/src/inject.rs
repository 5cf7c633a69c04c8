// SPDX-License-Identifier: GPL-2.0

//! Frames that a node has to drop, and the counter under which it has to say so.
//!
//! The one table of this file names the counters of `rust/stats.rs`. A case's frames are made from
//! a session that is up between the two nodes, as its sender would see it.

use crate::frames::{
    self,
    crc,
    ethernet,
    frame,
    init,
    kif,
    kind,
    resolver,
    sized,
    Header,
    Mac,
    BROADCAST,
    CRC, //
};

/// What is known of the session that the frames pretend to belong to.
#[derive(Clone, Debug)]
pub struct Session {
    /// The receiver's address.
    pub to: Mac,
    /// The sender's address.
    pub from: Mac,
    /// The sender's node.
    pub name: String,
    /// The receiver's node.
    pub peer: String,
    /// The last message that was sent.
    pub last: Vec<u8>,
    /// A message of a session before this one.
    pub earlier: Vec<u8>,
}

impl Session {
    /// The header of the next message that the receiver waits for.
    fn next(&self) -> Header {
        let last = Header::of_frame(&self.last).unwrap_or(Header::new(kind::USER, 0));
        Header {
            kind: kind::USER,
            layer: 0,
            flags: frames::WHOLE,
            seq: last.seq.wrapping_add(1),
            length: 0,
            offset: 0,
            crc: 0,
            ..last
        }
    }

    fn frame(&self, header: Header, payload: &[u8]) -> Vec<u8> {
        frame(self.to, self.from, &header, payload)
    }

    fn sized(&self, header: Header, payload: &[u8]) -> Vec<u8> {
        sized(self.to, self.from, header, payload)
    }

    /// What makes the receiver think that the sender has ended the session.
    pub fn down(&self) -> Vec<u8> {
        let header = Header {
            kind: kind::DOWN,
            seq: 0,
            ..self.next()
        };
        self.frame(header, &[])
    }

    /// As many messages as there are payloads, each the one that is waited for.
    fn messages<'a>(&self, payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let next = self.next();
        payloads
            .into_iter()
            .zip(0..)
            .map(|(payload, n)| {
                let seq = next.seq.wrapping_add(n);
                self.sized(Header { seq, ..next }, payload)
            })
            .collect()
    }
}

/// Frames, and what they have to do.
pub struct Case {
    /// What they are.
    pub name: &'static str,
    /// The counter that has to move, once a frame.
    pub counter: &'static str,
    /// How many of the frames, the first ones, are taken.
    pub taken: u64,
    /// Whether they use up numbers of the session, which cannot go on then.
    pub ends_session: bool,
    /// Options that the receiver must have for it.
    pub options: &'static [&'static str],
    /// The frames.
    pub frames: fn(&Session) -> Vec<Vec<u8>>,
}

impl Case {
    const fn new(
        name: &'static str,
        counter: &'static str,
        frames: fn(&Session) -> Vec<Vec<u8>>,
    ) -> Self {
        Self {
            name,
            counter,
            taken: 0,
            ends_session: false,
            options: &[],
            frames,
        }
    }

    const fn taking(self, taken: u64) -> Self {
        Self { taken, ..self }
    }

    const fn ends_session(self) -> Self {
        Self {
            ends_session: true,
            ..self
        }
    }

    const fn with(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }
}

/// All cases.
pub const CASES: &[Case] = &[
    Case::new("short", "drop short", |s| {
        // From a lone version byte to one byte too few, with each padding.
        let header = Header::new(kind::USER, 0).bytes();
        [(2, 1), (2, 20), (2, 35), (0, 35), (3, 35)]
            .into_iter()
            .map(|(pad, length)| {
                ethernet(s.to, s.from, &[&[0; 3][..pad], &header[..length]].concat())
            })
            .collect()
    }),
    Case::new("other_byte_order", "drop endian", |s| {
        let header = Header {
            version: 0xaa,
            ..s.next()
        };
        vec![s.frame(header, &[]), s.frame(header, &[0; 100])]
    }),
    Case::new("version", "drop version", |s| {
        [1, 0x29, 0x2b, 0x7f, 0xff]
            .into_iter()
            .map(|version| {
                let header = Header {
                    version,
                    ..s.next()
                };
                s.frame(header, &[])
            })
            .collect()
    }),
    Case::new("type", "drop type", |s| {
        [6, 7, 0xc, 0x80, 0xff]
            .into_iter()
            .map(|kind| s.frame(Header { kind, ..s.next() }, &[]))
            .collect()
    }),
    Case::new("layer", "drop layer", |s| {
        [4, 0x80, 0xff]
            .into_iter()
            .map(|layer| s.frame(Header { layer, ..s.next() }, &[]))
            // A resolver's layer in a message, and a resolver's packet of another layer.
            .chain([
                s.frame(
                    Header {
                        layer: 2,
                        ..s.next()
                    },
                    &[],
                ),
                s.sized(
                    Header::new(kind::LRES, 0),
                    &resolver(1, &s.name, s.from, &s.peer),
                ),
            ])
            .collect()
    }),
    // The first fragment is the one at offset 0, and no other.
    Case::new("flags", "drop flags", |s| {
        [(0, 0), (2, 0), (0x80, 0), (1, 100), (3, 8)]
            .into_iter()
            .map(|(flags, offset)| {
                let header = Header {
                    flags,
                    offset,
                    ..s.next()
                };
                s.sized(header, &[0x55; 8])
            })
            .collect()
    }),
    Case::new("length", "drop length", |s| {
        [(1, 0), (101, 100), (0x8000_0000, 10), (u32::MAX, 1400)]
            .into_iter()
            .map(|(length, real)| s.frame(Header { length, ..s.next() }, &vec![0x55; real]))
            .collect()
    }),
    Case::new("offset", "drop offset", |s| {
        [0x2_0000, 0x8000_0000, u32::MAX - 3, u32::MAX]
            .into_iter()
            .map(|offset| s.sized(Header { offset, ..s.next() }, &[0x55; 8]))
            .collect()
    }),
    Case::new("fragment", "drop fragment", |s| {
        // The first says where the message ends; the others end elsewhere, or lie behind that.
        let ends = [(2, 100), (2, 200), (2, 20), (0, 500)];
        ends.into_iter()
            .map(|(flags, offset)| {
                let header = Header {
                    flags,
                    offset,
                    ..s.next()
                };
                s.sized(header, &[0x55; 50])
            })
            .collect()
    })
    .taking(1)
    .ends_session(),
    Case::new("gap", "drop gap", |s| {
        // Each leaves a gap before it; 64 are kept, and the missing end is one of them.
        (1..=70)
            .map(|at| {
                let header = Header {
                    flags: 0,
                    offset: 100 * at,
                    ..s.next()
                };
                s.sized(header, &[0x55; 50])
            })
            .collect()
    })
    .taking(63)
    .ends_session(),
    Case::new("missing_of_nothing", "drop ack", |s| {
        // What a peer misses of a message that was never sent, and lists that are none.
        let header = Header {
            kind: kind::NACK,
            seq: 0x0100_0000,
            ..s.next()
        };
        let range =
            |offset: u32, length: u32| [offset.to_le_bytes(), length.to_le_bytes()].concat();
        [
            range(0, 50),
            range(0, 0),
            range(u32::MAX, 2),
            vec![0; 7],
            vec![1; 65 * 8],
            vec![],
        ]
        .map(|payload| s.sized(header, &payload))
        .to_vec()
    }),
    Case::new("crc", "drop crc", |s| {
        let payload = kif(5, &[1; 11]);
        let header = Header {
            flags: frames::WHOLE | CRC,
            length: payload.len() as u32,
            ..s.next()
        };
        let right = crc(&header, &payload);
        let changed = [&payload[..47], &[payload[47] ^ 1]].concat();
        vec![
            s.frame(header, &payload),
            s.frame(
                Header {
                    crc: right ^ 1,
                    ..header
                },
                &payload,
            ),
            s.frame(
                Header {
                    crc: right,
                    ..header
                },
                &changed,
            ),
            // The sum covers the header, too.
            s.frame(
                Header {
                    crc: right,
                    seq: header.seq.wrapping_add(1),
                    ..header
                },
                &payload,
            ),
        ]
    }),
    Case::new("no_crc", "drop no_crc", |s| {
        vec![s.frame(s.next(), &[]), s.down()]
    })
    .with(&["do_crc=1", "enforce_crc=1"]),
    Case::new("unknown_connection", "drop unknown_conn", |s| {
        let next = s.next();
        [kind::USER, kind::ACK, kind::UP, kind::REM_UP, kind::DOWN]
            .into_iter()
            .flat_map(|kind| {
                [
                    0,
                    1,
                    next.dst_conn.wrapping_add(1),
                    next.dst_conn ^ 0x8000_0000,
                ]
                .map(|dst_conn| {
                    s.frame(
                        Header {
                            kind,
                            dst_conn,
                            ..next
                        },
                        &[],
                    )
                })
            })
            .collect()
    }),
    Case::new("replayed_from_before", "drop unknown_conn", |s| {
        vec![s.earlier.clone(), s.earlier.clone()]
    }),
    Case::new("wrong_peer", "drop wrong_peer", |s| {
        let next = s.next();
        let conn = Header {
            src_conn: next.src_conn ^ 1,
            ..next
        };
        let stranger = [2, 0xba, 0xd, 0, 0, 1];
        let ack = Header {
            kind: kind::ACK,
            ..conn
        };
        let down = Header {
            kind: kind::DOWN,
            ..next
        };
        vec![
            s.frame(conn, &[]),
            s.frame(ack, &[]),
            frame(s.to, stranger, &next, &[]),
            frame(s.to, stranger, &down, &[]),
        ]
    }),
    Case::new("duplicate", "drop duplicate", |s| {
        vec![s.last.clone(), s.last.clone(), s.last.clone()]
    }),
    Case::new("window", "drop window", |s| {
        let next = s.next();
        [1000, 0x4000_0000]
            .into_iter()
            .map(|far| {
                let seq = next.seq.wrapping_add(far);
                s.sized(Header { seq, ..next }, &[0x55; 8])
            })
            .collect()
    }),
    Case::new("acknowledged_before_sent", "drop ack", |s| {
        let next = s.next();
        [0x0100_0000, 0x4000_0000]
            .into_iter()
            .map(|offset| {
                let ack = Header {
                    kind: kind::ACK,
                    seq: 1,
                    offset,
                    ..next
                };
                s.frame(ack, &[])
            })
            .collect()
    }),
    Case::new("set_up_malformed", "drop tcs_malformed", |s| {
        let header = Header::new(kind::INIT, 0);
        let good = init([&s.name, "", &s.peer, ""]);
        let mut outside = good.clone();
        outside[0..2].copy_from_slice(&0xffffu16.to_le_bytes());
        let mut at_the_end = good.clone();
        let end = (good.len() - 8) as u16;
        at_the_end[6..8].copy_from_slice(&end.to_le_bytes());
        [
            &[][..],
            &good[..7],
            &good[..8],
            &good[..good.len() - 2],
            &outside,
            &at_the_end,
            &init(["", "", &s.peer, ""]),
            &init(["a/b", "", &s.peer, ""]),
            &init([&"n".repeat(64), "", &s.peer, ""]),
        ]
        .into_iter()
        .map(|payload| s.sized(header, payload))
        .collect()
    }),
    Case::new("set_up_for_another", "drop not_for_us", |s| {
        let header = Header::new(kind::INIT, 0);
        vec![
            s.sized(header, &init([&s.name, "", "somebody-else", ""])),
            s.sized(header, &init([&s.name, "", &s.peer, "another.domain"])),
        ]
    }),
    Case::new("message_to_everybody", "drop not_for_us", |s| {
        let down = Header {
            kind: kind::DOWN,
            ..s.next()
        };
        [s.next(), down]
            .into_iter()
            .map(|header| frame(BROADCAST, s.from, &header, &[]))
            .collect()
    }),
    Case::new("resolver_malformed", "drop lr_malformed", |s| {
        let header = Header::new(kind::LRES, 2);
        let good = resolver(1, "gamma", s.from, &s.peer);
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = good.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed
        };
        [
            Vec::new(),
            good[..55].to_vec(),
            good[..good.len() - 1].to_vec(),
            with(0, &[2]),
            with(2, &[0]),
            with(2, &[3]),
            with(4, &[0xff; 4]),
            with(4, &[55, 0, 0, 0]),
            with(8, &[0xff; 4]),
            with(12, &[0xff; 4]),
            with(12, &[0xff, 0xff, 0xff, 0x7f]),
            with(24, &[0xf0, 0xff, 0xff, 0xff]),
        ]
        .iter()
        .map(|payload| frames::sized(BROADCAST, s.from, header, payload))
        .collect()
    }),
    // A frame may be longer than what is in it: this is no drop, the request is answered.
    Case::new("trailing_bytes", "lr replies", |s| {
        let payload = resolver(1, &s.name, s.from, &s.peer);
        let header = Header {
            length: payload.len() as u32,
            ..Header::new(kind::LRES, 2)
        };
        let long = [payload, vec![0xee; 1300]].concat();
        vec![frame(BROADCAST, s.from, &header, &long)]
    }),
    Case::new("duplicate_name", "lr duplicate_name", |s| {
        let stranger = [2, 0xba, 0xd, 0, 0, 2];
        let payload = resolver(2, &s.peer, stranger, &s.peer);
        let frame = sized(BROADCAST, stranger, Header::new(kind::LRES, 2), &payload);
        vec![frame]
    }),
    Case::new("kernel_interface_malformed", "drop kif_malformed", |s| {
        let msgsend = kif(5, &[1, 2, 3, 4, 10, 0, 0, 0, 0, 0, 0]);
        let lying = {
            let mut bytes = msgsend.clone();
            bytes[2..4].copy_from_slice(&0xffffu16.to_le_bytes());
            bytes
        };
        let too_much = kif(5, &[1, 2, 3, 4, 10, 0, 0, 0, 0, 0, 5000]);
        // A write and bytes that were asked for, with more data than there are; a request to read that
        // is cut off, one with credentials, and one that is too long.
        let write = kif(8, &[0, 2, 0, 5000]);
        let transfer = kif(7, &[0, 2, 0, u32::MAX]);
        let read = kif(6, &[1, 2, 0, 100]);
        let claimed = kif(0x106, &[1, 2, 0, 100]);
        let long = kif(6, &[1, 2, 0, 100, 0]);
        let groups = kif(0x100, &[1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        let mut nested = kif(1, &[1, 1, 1, 1, 1]);
        nested.extend(kif(9, &[0, 1, 0, 0]));
        s.messages([
            &[5][..],
            &msgsend[..3],
            &msgsend[..20],
            &kif(99, &[0; 16]),
            &kif(0x8085, &[0; 12]),
            &lying,
            &too_much,
            &groups,
            &nested,
            &write,
            &transfer,
            &read[..19],
            &claimed,
            &long,
        ])
    })
    .ends_session(),
    Case::new("kernel_interface_handle", "drop kif_handle", |s| {
        s.messages([
            // A reply and an error to nobody, a message to no connection, the end of none.
            &kif(9, &[0, 0x7777_7777, 0, 0])[..],
            &kif(10, &[3, 0x7777_7777, 0, 0]),
            &kif(5, &[0x7777_7777, 2, 3, 4, 10, 0, 0, 0, 0, 0, 0]),
            &kif(14, &[0x7777_7777]),
            &kif(15, &[0x7777_7777]),
            // Reading from nobody, which is answered, too; writing to nobody; bytes for nobody.
            &kif(6, &[1, 0x7777_7777, 0, 100]),
            &kif(6, &[0x7777_7777, 0, u32::MAX, u32::MAX]),
            &kif(8, &[0, 0x7777_7777, u32::MAX, 0]),
            &kif(7, &[0, 0x7777_7777, 0, 0]),
            &kif(16, &[3, 0x7777_7777, 0, 0]),
        ])
    })
    .ends_session(),
];
