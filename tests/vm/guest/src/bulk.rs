// SPDX-License-Identifier: GPL-2.0

//! Messages of all lengths whose every byte is checked at both ends: what the client and the server
//! of `qnet-bulk` agree on.
//!
//! A request that is long enough begins with a [`Head`], and its bytes behind it are a pattern; a
//! shorter one is the beginning of a pattern. The server counts the messages of each client thread,
//! so that a message which is lost, comes twice or overtakes another shows in the next head.

use std::collections::HashMap;

/// The first bytes of a head. The first two keep it out of what the judge of captures would read as a
/// QNX input/output message.
const MAGIC: u32 = 0x6b62_7151;
/// The length of a head.
pub const HEAD: usize = 48;
/// The length of the shortest message that the judge of captures can read.
pub const JUDGED: usize = 4;

/// The client thread begins: what it may have sent before does not count.
pub const BEGIN: u32 = 1;
/// The server is to end.
pub const STOP: u32 = 2;

/// What a request begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// [`BEGIN`], [`STOP`].
    pub flags: u32,
    /// How many messages its thread has sent before, or tried to.
    pub serial: u64,
    /// How many of them have failed, and may have arrived or not.
    pub failed: u64,
    /// The length of the request.
    pub request: u64,
    /// The length of the reply that is wanted.
    pub reply: u64,
    /// The seed of the request's pattern; that of the reply is one more.
    pub seed: u64,
}

impl Head {
    /// The head as it travels.
    pub fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.flags.to_le_bytes());
        let words = [
            self.serial,
            self.failed,
            self.request,
            self.reply,
            self.seed,
        ];
        for (place, word) in bytes[8..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The head that a message begins with.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let head = message.first_chunk::<HEAD>()?;
        let word = |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes);
        let half = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes);
        if half(0).ok()? != MAGIC {
            return None;
        }
        Some(Self {
            flags: half(4).ok()?,
            serial: word(8).ok()?,
            failed: word(16).ok()?,
            request: word(24).ok()?,
            reply: word(32).ok()?,
            seed: word(40).ok()?,
        })
    }
}

/// The bytes of a pattern, eight at a time.
struct Pattern(u64);

impl Pattern {
    fn eight(&mut self) -> [u8; 8] {
        // Knuth's MMIX generator.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The high bits are the better ones. The second byte is never 1, for the judge.
        (self.0.rotate_left(32) | 0x4000).to_le_bytes()
    }
}

/// Fills a buffer with the pattern of a seed.
pub fn fill(seed: u64, bytes: &mut [u8]) {
    let mut pattern = Pattern(seed);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        chunk.copy_from_slice(&pattern.eight());
    }
    let rest = chunks.into_remainder();
    let last = pattern.eight();
    rest.copy_from_slice(&last[..rest.len()]);
}

/// Whether a buffer holds the pattern of a seed.
pub fn holds(seed: u64, bytes: &[u8]) -> bool {
    let mut pattern = Pattern(seed);
    let mut chunks = bytes.chunks_exact(8);
    let all = chunks.by_ref().all(|chunk| *chunk == pattern.eight());
    let rest = chunks.remainder();
    all && *rest == pattern.eight()[..rest.len()]
}

/// The seed of a message that is too short for a head, and of the reply to it, which is as long.
pub fn short_seed(length: usize) -> u64 {
    0x5107 + length as u64
}

/// Makes a request.
pub fn make(head: &Head, message: &mut Vec<u8>) {
    let length = head.request as usize;
    message.resize(length, 0);
    if length < HEAD {
        fill(short_seed(length), message);
    } else {
        message[..HEAD].copy_from_slice(&head.bytes());
        fill(head.seed, &mut message[HEAD..]);
    }
}

/// Whether a whole request is as it was made.
pub fn is_whole(message: &[u8]) -> bool {
    if message.len() < HEAD {
        return holds(short_seed(message.len()), message);
    }
    match Head::parse(message) {
        Some(head) => head.request == message.len() as u64 && holds(head.seed, &message[HEAD..]),
        None => false,
    }
}

/// Numbers that look random, the same for each seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one (splitmix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A length between both, of which each order of magnitude is as likely as another; 0 counts as
    /// one.
    pub fn length(&mut self, least: usize, most: usize) -> usize {
        if most <= least {
            return least;
        }
        let unit = (self.number() >> 11) as f64 / (1u64 << 53) as f64;
        // One more than the length, so that 0 has a logarithm.
        let (low, high) = ((least as f64 + 1.0).ln(), (most as f64 + 2.0).ln());
        let length = (low + (high - low) * unit).exp() - 1.0;
        (length as usize).clamp(least, most)
    }
}

/// A client thread: its node, process and thread.
pub type Sender = (u32, i32, i32);

/// What is wrong with the sequence of a thread's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Messages that came more than once.
    pub twice: u64,
    /// Messages that did not come though their sends succeeded.
    pub lost: u64,
    /// Heads that came after a later one.
    pub order: u64,
}

/// The messages of one thread.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u64,
    last: u64,
}

/// The messages of all threads.
#[derive(Debug, Default)]
pub struct Ledger {
    threads: HashMap<Sender, Seen>,
    /// What was wrong so far.
    pub wrong: Wrong,
}

impl Ledger {
    /// A message came.
    pub fn came(&mut self, sender: Sender, head: Option<&Head>) {
        let seen = self.threads.entry(sender).or_default();
        let Some(head) = head else {
            seen.count += 1;
            return;
        };
        if head.flags & BEGIN != 0 {
            *seen = Seen {
                count: head.serial,
                last: head.serial,
            };
        } else if head.serial <= seen.last {
            self.wrong.order += 1;
        }
        // Of those before, all have come but some of those whose sends failed.
        let least = head.serial.saturating_sub(head.failed);
        self.wrong.twice += seen.count.saturating_sub(head.serial);
        self.wrong.lost += least.saturating_sub(seen.count);
        // What was wrong once is not counted again.
        *seen = Seen {
            count: seen.count.clamp(least, head.serial) + 1,
            last: head.serial,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for length in [0, 1, 7, 8, 47, 48, 49, 100, 4096] {
            let head = Head {
                flags: BEGIN,
                serial: 5,
                failed: 1,
                request: length as u64,
                reply: 9,
                seed: 77,
            };
            let mut message = Vec::new();
            make(&head, &mut message);
            assert_eq!(message.len(), length);
            assert!(is_whole(&message));
            assert_eq!(Head::parse(&message), (length >= HEAD).then_some(head));
            if length >= 2 {
                let first = u16::from_le_bytes([message[0], message[1]]);
                assert!(!(0x100..0x200).contains(&first), "{first:x}");
            }
            for at in 0..length.min(60) {
                message[at] ^= 1;
                // A change of the head's other fields shows in the ledger, or in the reply.
                let compared = length < HEAD || at < 4 || (24..32).contains(&at) || at >= HEAD;
                assert!(!is_whole(&message) || !compared, "{length} {at}");
                message[at] ^= 1;
            }
        }
    }

    #[test]
    fn lengths() {
        let mut random = Random::new(1);
        let lengths: Vec<_> = (0..10_000).map(|_| random.length(0, 1 << 20)).collect();
        assert!(lengths.contains(&0));
        assert!(lengths.iter().all(|length| *length <= 1 << 20));
        assert!(lengths.iter().any(|length| *length > 1 << 19));
        let short = lengths.iter().filter(|length| **length < 1024).count();
        assert!((4000..6000).contains(&short), "{short}");
        assert_eq!(random.length(4, 4), 4);
    }

    #[test]
    fn ledger() {
        let me = (0, 1, 2);
        let head = |flags, serial, failed| Head {
            flags,
            serial,
            failed,
            ..Default::default()
        };
        let mut ledger = Ledger::default();
        ledger.came(me, Some(&head(BEGIN, 0, 0)));
        ledger.came(me, None);
        ledger.came(me, Some(&head(0, 2, 0)));
        // One failed: it may have come or not.
        ledger.came(me, Some(&head(0, 4, 1)));
        ledger.came(me, Some(&head(0, 5, 1)));
        ledger.came(me, None);
        ledger.came(me, Some(&head(0, 7, 2)));
        assert_eq!(ledger.wrong, Wrong::default());
        ledger.came(me, Some(&head(0, 7, 2)));
        assert_eq!(ledger.wrong.order, 1, "the same again");
        ledger.came(me, Some(&head(0, 9, 0)));
        assert!(ledger.wrong.lost > 0);
        let before = ledger.wrong;
        ledger.came(me, Some(&head(BEGIN, 0, 0)));
        assert_eq!(ledger.wrong, before);
        // A short message came twice: it has no number, but the next head has.
        ledger.came(me, None);
        ledger.came(me, None);
        ledger.came(me, Some(&head(0, 2, 0)));
        assert_eq!(ledger.wrong.twice, before.twice + 1);
    }
}
