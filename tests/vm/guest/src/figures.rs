// SPDX-License-Identifier: GPL-2.0

//! Times of many round trips, and what is said of them.

use std::fmt;

use qnet::{
    Connection,
    Result, //
};

use crate::sys;

/// Sorted times, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures(Vec<u64>);

impl Figures {
    /// Sorts times, of which there must be one at least.
    pub fn new(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        (!times.is_empty()).then_some(Self(times))
    }

    /// Sends `message` so many times, after as many again uncounted to warm up as a tenth.
    pub fn of_round_trips(
        connection: &Connection,
        message: &[u8],
        reply: &mut [u8],
        count: usize,
    ) -> Result<Option<Self>> {
        for _ in 0..count / 10 {
            connection.send(message, reply)?;
        }
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let before = sys::now();
            connection.send(message, reply)?;
            times.push(sys::now() - before);
        }
        Ok(Self::new(times))
    }

    /// The time below which so many hundredths of the times are.
    pub fn percentile(&self, hundredths: usize) -> u64 {
        let last = self.0.len() - 1;
        self.0[(last * hundredths).div_ceil(100).min(last)]
    }

    /// How many times there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: u64| ns as f64 / 1000.0;
        write!(
            f,
            "{} round trips: min {:.1} us, median {:.1} us, p99 {:.1} us",
            self.count(),
            us(self.percentile(0)),
            us(self.percentile(50)),
            us(self.percentile(99))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert_eq!(Figures::new(Vec::new()), None);
        let figures = Figures::new((1..=101).rev().map(|n| n * 1000).collect()).unwrap();
        assert_eq!(figures.percentile(0), 1000);
        assert_eq!(figures.percentile(50), 51_000);
        assert_eq!(figures.percentile(99), 100_000);
        assert_eq!(
            figures.to_string(),
            "101 round trips: min 1.0 us, median 51.0 us, p99 100.0 us"
        );
        assert_eq!(Figures::new(vec![5]).unwrap().percentile(99), 5);
    }
}
