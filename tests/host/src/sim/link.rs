// SPDX-License-Identifier: GPL-2.0

//! What happens to frames on their way, one direction of a link.

use std::vec::Vec;

use crate::proto::time::{
    Instant,
    Nanos, //
};

use super::rng::Rng;

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
            busy: Instant::from_nanos(0),
        }
    }

    /// What becomes of a frame that is sent now.
    pub fn send(&mut self, now: Instant, rng: &mut Rng) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        if self.cut || rng.percent(self.loss) {
            return arrivals;
        }
        self.busy = self.busy.max(now).after(self.each);
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
