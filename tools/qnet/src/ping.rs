// SPDX-License-Identifier: GPL-2.0

//! How long a message takes to another node and back.
//!
//! What is measured is MsgSend() to a process that does not exist. It goes all the way that any message
//! goes, to the other node's kernel interface, which finds nobody and says so. So it needs no server
//! there, and every node that talks Qnet answers it.

use std::{
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use clap::Args;
use qnet::{
    Address,
    Connection,
    Error,
    Node,
    Timeout, //
};
use serde::Serialize;

use crate::{
    problem::Problem,
    show, //
};

/// A process that no node has.
const NOBODY: i32 = i32::MAX;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Args)]
pub(crate) struct Request {
    /// The node, perhaps with a quality of service: beta~exclusive:eth1
    node: String,
    /// How often; 0: until it is interrupted
    #[arg(long, short = 'c', value_name = "TIMES", default_value_t = 4)]
    count: u32,
    /// Seconds from one to the next
    #[arg(long, short = 'i', value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Summary {
    node: String,
    nd: u32,
    sent: usize,
    answered: usize,
    min_us: Option<f64>,
    avg_us: Option<f64>,
    max_us: Option<f64>,
    /// In the order in which they were sent; none that was not answered.
    round_trips_us: Vec<Option<f64>>,
}

/// One round trip, when there is no end at which to sum up.
#[derive(Debug, Serialize)]
struct Single {
    n: u32,
    /// None for one that was not answered.
    round_trip_us: Option<f64>,
}

impl Single {
    fn new(n: u32, result: &Result<Duration, Error>) -> Self {
        Self {
            n,
            round_trip_us: result.as_ref().ok().copied().map(micros),
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Summary {
    fn new(node: String, nd: u32, round_trips: &[Option<Duration>]) -> Self {
        let answered: Vec<_> = round_trips.iter().flatten().copied().map(micros).collect();
        let sum: f64 = answered.iter().sum();
        Self {
            node,
            nd,
            sent: round_trips.len(),
            answered: answered.len(),
            min_us: answered.iter().copied().reduce(f64::min),
            avg_us: (!answered.is_empty()).then(|| sum / answered.len() as f64),
            max_us: answered.iter().copied().reduce(f64::max),
            round_trips_us: round_trips.iter().map(|time| time.map(micros)).collect(),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} sent, {} answered",
            self.node, self.sent, self.answered
        )?;
        match (self.min_us, self.avg_us, self.max_us) {
            (Some(min), Some(avg), Some(max)) => write!(
                f,
                "; least {:.3} ms, mean {:.3} ms, most {:.3} ms",
                min / 1e3,
                avg / 1e3,
                max / 1e3
            ),
            _ => Ok(()),
        }
    }
}

/// Measures, and shows each round trip and what came of all.
pub(crate) fn run(request: &Request, json: bool) -> Result<(), Problem> {
    let node = find(&request.node)?;
    let mut round_trips = Vec::new();
    for n in 1.. {
        let result = round_trip(node);
        let is_read = match (json, request.count) {
            (false, _) => show::line_if_read(&line(&request.node, n, &result))?,
            (true, 0) => show::json_line(&Single::new(n, &result))?,
            // All of them come with the summary.
            (true, _) => true,
        };
        if !is_read {
            return Ok(());
        }
        if request.count != 0 {
            round_trips.push(result.ok());
        }
        if n == request.count {
            break;
        }
        thread::sleep(request.interval);
    }
    let summary = Summary::new(request.node.clone(), node.as_raw(), &round_trips);
    match json {
        true => show::json(&summary)?,
        false => show::line(&summary.to_string())?,
    }
    match summary.answered {
        0 => Err(Problem::new(format!("{} did not answer", request.node))),
        _ => Ok(()),
    }
}

fn find(name: &str) -> Result<Node, Problem> {
    let node =
        Node::lookup_timeout(name, Timeout::after(PATIENCE)).map_err(|error| match error {
            Error::ENOTSUP => Problem::no_module(),
            Error::EINVAL => Problem::new(format!(
                "'{name}' is no name of a node: it is NAME, NAME.DOMAIN or NAME~QOS"
            )),
            _ => Problem::new(format!(
            "no node answers to the name '{name}' ({error}): 'qnet nodes' lists those that are \
             known, 'qnet links' the interfaces that this one asks on"
        )),
        })?;
    match node.is_local() {
        true => Err(Problem::new(format!(
            "'{name}' is this node itself: there is no way to measure"
        ))),
        false => Ok(node),
    }
}

/// Sends one message and waits for the answer that there is nobody to receive it.
fn round_trip(node: Node) -> Result<Duration, Error> {
    let nobody = Address {
        node,
        pid: NOBODY,
        chid: 1,
    };
    let connection = Connection::attach(nobody)?;
    let began = Instant::now();
    match connection.send_timeout(&[], &mut [], PATIENCE) {
        Ok(_) | Err(Error::ESRCH) => Ok(began.elapsed()),
        Err(error) => Err(error),
    }
}

fn line(node: &str, n: u32, result: &Result<Duration, Error>) -> String {
    match result {
        Ok(time) => format!("{node}: {n}: {:.3} ms", time.as_secs_f64() * 1e3),
        Err(error) => format!("{node}: {n}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert!(seconds("-1").is_err());
        assert!(seconds("soon").is_err());
    }

    #[test]
    fn summaries() {
        let times = [
            Some(Duration::from_micros(100)),
            None,
            Some(Duration::from_micros(300)),
        ];
        let summary = Summary::new("beta".into(), 1, &times);
        assert_eq!((summary.sent, summary.answered), (3, 2));
        assert_eq!(
            summary.to_string(),
            "beta: 3 sent, 2 answered; least 0.100 ms, mean 0.200 ms, most 0.300 ms"
        );
        let summary = Summary::new("beta".into(), 1, &[None]);
        assert_eq!(summary.to_string(), "beta: 1 sent, 0 answered");
        assert_eq!(summary.avg_us, None);
    }

    #[test]
    fn single_ones() {
        let answered = Single::new(1, &Ok(Duration::from_micros(1500)));
        assert_eq!((answered.n, answered.round_trip_us), (1, Some(1500.0)));
        let lost = Single::new(2, &Err(Error::EHOSTDOWN));
        assert_eq!(lost.round_trip_us, None);
    }

    #[test]
    fn lines() {
        let time = Ok(Duration::from_micros(1500));
        assert_eq!(line("beta", 2, &time), "beta: 2: 1.500 ms");
        let lost = line("beta", 3, &Err(Error::EHOSTDOWN));
        assert!(lost.starts_with("beta: 3: "), "{lost}");
    }
}
