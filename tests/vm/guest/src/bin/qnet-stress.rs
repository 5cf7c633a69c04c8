// SPDX-License-Identifier: GPL-2.0

//! Message passing on two nodes under signals, time-outs, forks and deaths; every message is
//! accounted for. Prints its results in KTAP.

use std::process::ExitCode;

use clap::Parser;
use qnet_guest::stress::{
    run,
    Options, //
};

#[derive(Parser)]
#[command(version, about = "Message passing under all kinds of trouble at once")]
struct Arguments {
    /// How long there is trouble
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Chooses all that is chosen at random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Messages for each signal, stop or kill, on the average
    #[arg(long, default_value_t = 15)]
    every: u32,
    /// The two network namespaces, whose names are their nodes'
    #[arg(num_args = 2)]
    nodes: Vec<String>,
}

fn main() -> ExitCode {
    let Arguments {
        seconds,
        seed,
        every,
        nodes,
    } = Arguments::parse();
    let Ok(nodes) = nodes.try_into() else {
        unreachable!("clap wants two")
    };
    let options = Options {
        nodes,
        seconds,
        seed,
        every,
    };
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("qnet-stress: {error}");
            ExitCode::from(2)
        }
    }
}
