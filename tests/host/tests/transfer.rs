// SPDX-License-Identifier: GPL-2.0

//! Long messages: what is clipped, how it is cut into pieces, how much is outstanding.

use proptest::prelude::*;
use qnet_host_tests::proto::kif::transfer::{
    ahead_of_reply, clip, cost, piece, Credit, Full, Load, Piece, Pieces, MAX_DATA, MAX_QUEUED,
    MAX_READS, WINDOW, WRITE_CREDIT,
};

#[test]
fn what_is_beyond_the_end_is_clipped() {
    for (offset, wanted, whole, there) in [
        (0, 10, 10, 10),
        (0, 11, 10, 10),
        (9, 5, 10, 1),
        (10, 5, 10, 0),
        (u64::MAX, u64::MAX, 10, 0),
        (3, u64::MAX, u64::MAX, u64::MAX - 3),
        (0, 0, 0, 0),
    ] {
        assert_eq!(
            clip(offset, wanted, whole),
            there,
            "{offset} {wanted} {whole}"
        );
    }
}

#[test]
fn a_piece_is_what_the_way_takes_and_never_nothing() {
    assert_eq!(piece(1461, 20), 1441);
    assert_eq!(piece(MAX_DATA + 20, 20), MAX_DATA);
    assert_eq!(piece(1 << 20, 20), MAX_DATA);
    assert_eq!(piece(20, 20), 1);
    assert_eq!(piece(0, 20), 1);
}

#[test]
fn the_last_piece_of_a_reply_is_the_reply() {
    for (length, piece, ahead) in [
        (0, 100, 0),
        (1, 100, 0),
        (100, 100, 0),
        (101, 100, 100),
        (200, 100, 100),
        (201, 100, 200),
        (5, 0, 0),
    ] {
        assert_eq!(ahead_of_reply(length, piece), ahead, "{length} by {piece}");
    }
}

fn read(pieces: &mut Pieces) -> Vec<Piece> {
    std::iter::from_fn(|| pieces.ask()).collect()
}

#[test]
fn a_few_pieces_are_outstanding() {
    let mut pieces = Pieces::new(1000, 10 * 100 + 7, 100);
    let asked = read(&mut pieces);
    assert_eq!(asked.len(), WINDOW);
    assert_eq!(
        asked[3],
        Piece {
            offset: 1300,
            nbytes: 100
        }
    );
    assert!(pieces.is_waiting());
    assert!(pieces.arrived(1200, 100).is_some());
    assert!(!pieces.is_waiting());
    // Its place is free only when it was taken.
    assert_eq!(pieces.ask(), None);
    assert_eq!(pieces.take().map(|(_, piece)| piece.offset), Some(1200));
    assert_eq!(
        pieces.ask(),
        Some(Piece {
            offset: 1400,
            nbytes: 100
        })
    );
    assert_eq!(pieces.finished(), None);
}

#[test]
fn nothing_is_to_be_had_of_nothing() {
    let mut pieces = Pieces::new(5, 0, 100);
    assert_eq!(pieces.ask(), None);
    assert!(!pieces.is_waiting());
    assert_eq!(pieces.finished(), Some(5));
}

#[test]
fn a_probe_is_one_piece_without_a_byte() {
    let mut pieces = Pieces::probe();
    assert_eq!(pieces.finished(), None);
    assert_eq!(
        pieces.ask(),
        Some(Piece {
            offset: 0,
            nbytes: 0
        })
    );
    assert_eq!(pieces.ask(), None);
    assert!(pieces.is_waiting());
    assert!(pieces.refused(0));
    pieces.retry();
    assert_eq!(
        pieces.ask(),
        Some(Piece {
            offset: 0,
            nbytes: 0
        })
    );
    assert!(pieces.arrived(0, 0).is_some());
    assert!(pieces.take().is_some());
    assert_eq!(pieces.finished(), Some(0));
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    let mut pieces = Pieces::new(0, 300, 100);
    assert_eq!(pieces.arrived(0, 10), None);
    pieces.ask();
    assert_eq!(pieces.arrived(1, 10), None);
    assert_eq!(pieces.arrived(0, 101), None);
    assert!(!pieces.refused(100));
    assert!(pieces.arrived(0, 100).is_some());
    assert_eq!(pieces.arrived(0, 100), None);
}

#[test]
fn a_refused_piece_is_asked_for_again() {
    let mut pieces = Pieces::new(0, 100, 100);
    pieces.ask();
    assert!(pieces.refused(0));
    assert!(pieces.has_refused() && pieces.is_waiting());
    assert_eq!(pieces.ask(), None);
    pieces.retry();
    assert!(!pieces.has_refused());
    assert_eq!(
        pieces.ask(),
        Some(Piece {
            offset: 0,
            nbytes: 100
        })
    );
}

#[test]
fn a_piece_that_comes_short_is_asked_for_the_rest() {
    let mut pieces = Pieces::new(0, 100, 100);
    pieces.ask();
    assert!(pieces.arrived(0, 30).is_some());
    assert_eq!(pieces.take().map(|(_, piece)| piece.nbytes), Some(30));
    assert_eq!(
        pieces.ask(),
        Some(Piece {
            offset: 30,
            nbytes: 70
        })
    );
    // A message that ends before it should.
    assert!(pieces.arrived(30, 0).is_some());
    assert!(pieces.take().is_some());
    assert_eq!(pieces.finished(), Some(30));
}

#[test]
fn a_client_has_a_bounded_number_of_reads() {
    let mut load = Load::default();
    for _ in 0..MAX_READS {
        assert_eq!(load.admit_read(), Ok(()));
    }
    assert_eq!(load.admit_read(), Err(Full));
    load.read_done();
    assert_eq!(load.admit_read(), Ok(()));
}

#[test]
fn what_waits_to_be_written_is_bounded_by_bytes_and_by_number() {
    for nbytes in [0, 1, 1400, MAX_DATA as u64] {
        let mut load = Load::default();
        let mut count = 0;
        while load.admit_write(nbytes).is_ok() {
            count += 1;
        }
        assert!(count * cost(nbytes) <= MAX_QUEUED);
        assert!((count + 1) * cost(nbytes) > MAX_QUEUED);
        load.write_done(nbytes);
        assert_eq!(load.admit_write(nbytes), Ok(()));
    }
    assert_eq!(Load::default().admit_write(u64::MAX), Err(Full));
}

proptest! {
    /// However pieces come, come short or are refused, all bytes are had once.
    #[test]
    fn all_bytes_come_once(
        offset in 0u64..1000,
        length in 0u64..2000,
        piece in 1u32..300,
        choices in proptest::collection::vec((0usize..WINDOW, 0u32..4), 0..4000),
    ) {
        let mut pieces = Pieces::new(offset, length, piece);
        let mut had = vec![0u8; length as usize];
        let mut outstanding = Vec::new();
        let mut choices = choices.into_iter().chain(std::iter::repeat((0, 0)));
        let mut steps = 0;
        while pieces.finished().is_none() {
            steps += 1;
            prop_assert!(steps < 100_000);
            outstanding.extend(read(&mut pieces));
            prop_assert!(outstanding.len() <= WINDOW);
            if outstanding.is_empty() {
                prop_assert!(pieces.has_refused());
                pieces.retry();
                continue;
            }
            prop_assert!(pieces.is_waiting());
            let (which, how) = choices.next().unwrap();
            let asked: Piece = outstanding.swap_remove(which % outstanding.len());
            if how == 1 {
                prop_assert!(pieces.refused(asked.offset));
                continue;
            }
            let nbytes = if how == 2 { asked.nbytes.div_ceil(2) } else { asked.nbytes };
            prop_assert!(pieces.arrived(asked.offset, nbytes).is_some());
            while let Some((place, piece)) = pieces.take() {
                prop_assert!(place < WINDOW);
                let start = (piece.offset - offset) as usize;
                for byte in &mut had[start..start + piece.nbytes as usize] {
                    *byte += 1;
                }
            }
        }
        prop_assert_eq!(pieces.finished(), Some(offset + length));
        prop_assert!(had.iter().all(|count| *count == 1));
    }

    /// Whatever writers do at once, who keeps to the credit never meets the client's bound.
    #[test]
    fn the_credit_keeps_below_the_bound(
        steps in proptest::collection::vec((0u8..4, 0u64..=MAX_DATA as u64), 0..2000),
    ) {
        let (mut credit, mut load) = (Credit::default(), Load::default());
        let mut begun = Vec::new();
        let mut queued = Vec::new();
        let mut probes = Vec::new();
        let mut confirmed = 0;
        for (what, nbytes) in steps {
            match what {
                // A writer begins; or it sends what it has begun.
                0 => if credit.begin(nbytes).is_ok() {
                    begun.push(nbytes);
                }
                1 => if let Some(nbytes) = begun.pop() {
                    prop_assert_eq!(load.admit_write(nbytes), Ok(()));
                    queued.push(nbytes);
                    credit.sent(nbytes);
                }
                // A probe is sent; the client does all before it and answers.
                2 => probes.push((credit.mark(), queued.len())),
                _ => if !probes.is_empty() {
                    let (mark, end) = probes.remove(0);
                    for nbytes in &queued[confirmed..end.max(confirmed)] {
                        load.write_done(*nbytes);
                    }
                    confirmed = confirmed.max(end);
                    credit.confirmed(mark);
                }
            }
        }
        // Once everything is confirmed, the credit is there again.
        for nbytes in begun {
            credit.sent(nbytes);
        }
        credit.confirmed(credit.mark());
        prop_assert_eq!(credit.begin(WRITE_CREDIT), Ok(()));
    }
}
