// SPDX-License-Identifier: GPL-2.0

//! What happens to frames on their way, one direction of a link.

use std::vec::Vec;

use crate::proto::time::{
    Instant,
    Nanos, //
};

use super::rng::Rng;

/// What Ethernet adds to a frame on the wire: header, checksum, preamble and the gap to the next.
const OVERHEAD: u64 = 14 + 4 + 8 + 12;

/// One direction of a link and its faults, in percent of the frames.
#[derive(Clone, Debug)]
pub struct Link {
    /// No frame passes.
    pub cut: bool,
    /// Frames that are lost.
    pub loss: u32,
    /// Frames that arrive twice.
    pub duplicate: u32,
    /// Frames whose content changes; a receiver that checks CRCs drops them.
    pub corrupt: u32,
    /// Frames that are held back by up to `reorder_by`, so that later ones overtake them.
    pub reorder: u32,
    /// How long a frame may be held back.
    pub reorder_by: Nanos,
    /// How long each frame is under way.
    pub delay: Nanos,
    /// How long each frame takes up the link, which carries one at a time.
    pub each: Nanos,
    /// The same for each 1,000 bytes: 8 microseconds are 1 GBit/s.
    pub kilobyte: Nanos,
    /// What would have to wait longer than this for the link to be free is lost.
    pub queue: Nanos,
    /// Longer frames are lost: pad, header and payload.
    pub mtu: usize,
    /// The frames with these numbers are lost, counted from the first one that is sent.
    pub lose: Vec<u64>,
    /// Frames that were sent.
    pub sent: u64,
    /// Frames that found the queue full.
    pub overflown: u64,
    /// When the link is free again.
    busy: Instant,
}

/// A frame that will arrive.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it does.
    pub at: Instant,
    /// Whether its content changed.
    pub corrupt: bool,
}

impl Link {
    /// A link without faults.
    pub fn perfect(delay: Nanos) -> Self {
        Self {
            cut: false,
            loss: 0,
            duplicate: 0,
            corrupt: 0,
            reorder: 0,
            reorder_by: Nanos::ZERO,
            delay,
            each: Nanos::ZERO,
            kilobyte: Nanos::ZERO,
            queue: Nanos::MAX,
            mtu: 1500,
            lose: Vec::new(),
            sent: 0,
            overflown: 0,
            busy: Instant::from_nanos(0),
        }
    }

    /// From the next frame on, those with these numbers are lost; the next one has number 0.
    pub fn lose_next(&mut self, numbers: &[u64]) {
        self.lose = numbers.iter().map(|n| n + self.sent).collect();
    }

    /// What becomes of a frame of `length` bytes that is sent now.
    pub fn send(&mut self, length: usize, now: Instant, rng: &mut Rng) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let number = self.sent;
        self.sent += 1;
        if self.cut || length > self.mtu {
            return arrivals;
        }
        if self.busy.since(now) > self.queue {
            self.overflown += 1;
            return arrivals;
        }
        let on_wire = length.max(46) as u64 + OVERHEAD;
        let bytes = Nanos(self.kilobyte.as_nanos() * on_wire / 1000);
        self.busy = self.busy.max(now).after(self.each.plus(bytes));
        if rng.percent(self.loss) || self.lose.contains(&number) {
            return arrivals;
        }
        let copies = if rng.percent(self.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut at = self.busy.after(self.delay);
            if rng.percent(self.reorder) {
                at = at.after(Nanos(rng.below(self.reorder_by.as_nanos())));
            }
            let corrupt = rng.percent(self.corrupt);
            arrivals.push(Arrival { at, corrupt });
        }
        arrivals
    }
}
