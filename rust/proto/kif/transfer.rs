// SPDX-License-Identifier: GPL-2.0

//! Long messages: how MsgRead, MsgWrite and long replies become pieces, and how much of them may be
//! outstanding.
//!
//! A message longer than what its send pushes stays in the memory of the blocked client. The server
//! asks for pieces of it, a few at a time ([`Pieces`]); the client's thread serves them, from a
//! queue that is bounded ([`Load`]). What a server writes into the client's reply area is bounded
//! too, by a credit that the client's progress renews ([`Credit`]). An honest server keeps to the
//! credit, so that only one that does not ever meets the bound of the queue.

/// The most bytes of data that one piece has.
pub const MAX_DATA: usize = 65_536;
/// The most pieces of one call that are outstanding at a time.
pub const WINDOW: usize = 4;
/// The most reads of one message that are outstanding at its client.
pub const MAX_READS: u32 = 16;
/// The most that writes of one message which the client has not taken yet may cost.
pub const MAX_QUEUED: u64 = 4 << 20;
/// What writes may cost that the client has not confirmed.
pub const WRITE_CREDIT: u64 = 1 << 20;
/// What a write costs beyond its bytes, so that many short ones are no way around the bounds.
pub const WRITE_OVERHEAD: u64 = 4096;

/// How many of `wanted` bytes at `offset` there are, if there are `whole` bytes in all.
pub fn clip(offset: u64, wanted: u64, whole: u64) -> u64 {
    whole.saturating_sub(offset).min(wanted)
}

/// How many bytes of data a message with a fixed part of `fixed` bytes may have on a way that takes
/// `limit` bytes of payload; at least one, so that everything gets done sometime.
pub fn piece(limit: usize, fixed: usize) -> usize {
    limit.saturating_sub(fixed).clamp(1, MAX_DATA)
}

/// How many of the `length` bytes of a reply go ahead as writes, when the reply itself can have
/// `piece` bytes: whole pieces, and as few as can be.
pub fn ahead_of_reply(length: u64, piece: u64) -> u64 {
    match length
        .checked_sub(1)
        .and_then(|last| last.checked_div(piece))
    {
        Some(pieces) => pieces.saturating_mul(piece),
        None => 0,
    }
}

/// What a write of so many bytes costs.
pub fn cost(nbytes: u64) -> u64 {
    nbytes.saturating_add(WRITE_OVERHEAD)
}

/// Bytes of a message or of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub nbytes: u32,
}

/// Where one of the outstanding pieces stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    /// To be asked for.
    Wanted(Piece),
    /// Asked for, not there.
    Asked(Piece),
    /// The first is there and not yet taken; the rest is to be asked for again.
    Arrived(Piece, Piece),
    /// The client has too much to do: to be asked for again after a while.
    Refused(Piece),
}

/// The pieces of one call.
#[derive(Clone, Debug)]
pub struct Pieces {
    next: u64,
    end: u64,
    piece: u32,
    slots: [Slot; WINDOW],
}

impl Pieces {
    /// Those of the `length` bytes at `offset`, of at most `piece` bytes each.
    pub fn new(offset: u64, length: u64, piece: u32) -> Self {
        Self {
            next: offset,
            end: offset.saturating_add(length),
            piece: piece.max(1),
            slots: [Slot::Free; WINDOW],
        }
    }

    /// One piece without a byte: its answer says that the client has done all that it was sent
    /// before.
    pub fn probe() -> Self {
        let mut pieces = Self::new(0, 0, 1);
        if let Some(slot) = pieces.slots.first_mut() {
            *slot = Slot::Wanted(Piece {
                offset: 0,
                nbytes: 0,
            });
        }
        pieces
    }

    /// The next piece to ask for, which counts as asked for from now on.
    pub fn ask(&mut self) -> Option<Piece> {
        for slot in &mut self.slots {
            if let Slot::Wanted(piece) = *slot {
                *slot = Slot::Asked(piece);
                return Some(piece);
            }
        }
        let left = self.end.saturating_sub(self.next);
        let nbytes = u32::try_from(left).unwrap_or(u32::MAX).min(self.piece);
        let slot = self.slots.iter_mut().find(|slot| **slot == Slot::Free)?;
        if nbytes == 0 {
            return None;
        }
        let piece = Piece {
            offset: self.next,
            nbytes,
        };
        *slot = Slot::Asked(piece);
        self.next = self.next.saturating_add(u64::from(nbytes));
        Some(piece)
    }

    fn asked(&mut self, offset: u64) -> Option<(usize, &mut Slot, Piece)> {
        self.slots
            .iter_mut()
            .enumerate()
            .find_map(|(index, slot)| match *slot {
                Slot::Asked(piece) if piece.offset == offset => Some((index, slot, piece)),
                _ => None,
            })
    }

    /// The first `nbytes` of the piece that was asked for at `offset` have come: in which place they
    /// are to be kept. `None`: they were not asked for.
    ///
    /// Fewer than asked for means that the way back has shorter pieces, none that the message ends
    /// there.
    pub fn arrived(&mut self, offset: u64, nbytes: u32) -> Option<usize> {
        let (index, slot, asked) = self.asked(offset)?;
        let left = asked.nbytes.checked_sub(nbytes)?;
        let behind = offset.saturating_add(u64::from(nbytes));
        let rest = Piece {
            offset: behind,
            nbytes: if nbytes == 0 { 0 } else { left },
        };
        *slot = Slot::Arrived(Piece { offset, nbytes }, rest);
        if nbytes == 0 {
            self.end = self.end.min(offset);
        }
        Some(index)
    }

    /// The client refused the piece at `offset` for now. Whether it was asked for.
    pub fn refused(&mut self, offset: u64) -> bool {
        match self.asked(offset) {
            Some((_, slot, piece)) => {
                *slot = Slot::Refused(piece);
                true
            }
            None => false,
        }
    }

    /// Whether a piece was refused and not asked for again.
    pub fn has_refused(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| matches!(slot, Slot::Refused(_)))
    }

    /// A while has passed: what was refused is asked for again.
    pub fn retry(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Refused(piece) = *slot {
                *slot = Slot::Wanted(piece);
            }
        }
    }

    /// A piece that has come, and the place in which it was kept, which is free from now on.
    pub fn take(&mut self) -> Option<(usize, Piece)> {
        let end = self.end;
        self.slots
            .iter_mut()
            .enumerate()
            .find_map(|(index, slot)| match *slot {
                Slot::Arrived(piece, rest) => {
                    *slot = if rest.nbytes == 0 || rest.offset >= end {
                        Slot::Free
                    } else {
                        Slot::Wanted(rest)
                    };
                    Some((index, piece))
                }
                _ => None,
            })
    }

    /// Whether there is nothing to do before something comes or is refused.
    pub fn is_waiting(&self) -> bool {
        let has = |wanted: fn(&Slot) -> bool| self.slots.iter().any(wanted);
        !has(|slot| matches!(slot, Slot::Wanted(_) | Slot::Arrived(..)))
            && has(|slot| matches!(slot, Slot::Asked(_) | Slot::Refused(_)))
            && (self.next >= self.end || !has(|slot| *slot == Slot::Free))
    }

    /// Where the bytes end that there are, once everything has been asked for, has come and was
    /// taken.
    pub fn finished(&self) -> Option<u64> {
        let free = self.slots.iter().all(|slot| *slot == Slot::Free);
        (free && self.next >= self.end).then_some(self.end)
    }
}

/// Too much is outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What is outstanding at a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    reads: u32,
    queued: u64,
}

impl Load {
    /// Takes one more read.
    pub fn admit_read(&mut self) -> Result<(), Full> {
        if self.reads >= MAX_READS {
            return Err(Full);
        }
        self.reads += 1;
        Ok(())
    }

    /// A read was served.
    pub fn read_done(&mut self) {
        self.reads = self.reads.saturating_sub(1);
    }

    /// Takes one more write.
    pub fn admit_write(&mut self, nbytes: u64) -> Result<(), Full> {
        let queued = self.queued.saturating_add(cost(nbytes));
        if queued > MAX_QUEUED {
            return Err(Full);
        }
        self.queued = queued;
        Ok(())
    }

    /// Whether nothing is outstanding.
    pub fn is_idle(&self) -> bool {
        self.reads == 0 && self.queued == 0
    }

    /// A write was copied.
    pub fn write_done(&mut self, nbytes: u64) {
        self.queued = self.queued.saturating_sub(cost(nbytes));
    }
}

/// What servers have written to a client on another node, and what that client has confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Begun.
    begun: u64,
    /// Handed to the session.
    sent: u64,
    /// Copied by the client.
    confirmed: u64,
}

impl Credit {
    /// Begins a write, if the credit is not used up: then the client is to confirm first.
    pub fn begin(&mut self, nbytes: u64) -> Result<(), Full> {
        if self.begun.saturating_sub(self.confirmed) >= WRITE_CREDIT {
            return Err(Full);
        }
        self.begun = self.begun.saturating_add(cost(nbytes));
        Ok(())
    }

    /// A write that was begun has been handed to the session, or has failed.
    pub fn sent(&mut self, nbytes: u64) {
        self.sent = self.sent.saturating_add(cost(nbytes));
    }

    /// What a client that answers a probe sent from now on has confirmed.
    pub fn mark(&self) -> u64 {
        self.sent
    }

    /// The client answered a probe that was sent after [`Self::mark`].
    pub fn confirmed(&mut self, mark: u64) {
        self.confirmed = self.confirmed.max(mark);
    }
}
