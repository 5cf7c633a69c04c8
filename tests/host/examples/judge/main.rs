// SPDX-License-Identifier: GPL-2.0

//! Lets Wireshark judge what is emitted: writes a capture with each record, then compares tshark's
//! decode of it with the values that were put in. `judge.sh` runs the three steps:
//!
//! ```text
//! judge write FILE.pcap
//! tshark -T pdml -r FILE.pcap > FILE.pdml
//! judge compare FILE.pdml
//! ```

mod cases;
mod fields;
mod pdml;

use qnet_host_tests::pcap;
use std::env;
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["write", file] => write(file),
        ["compare", file] => compare(file),
        _ => Err("usage: judge write FILE.pcap | judge compare FILE.pdml".to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn write(file: &str) -> Result<(), String> {
    let cases = cases::all();
    let capture = pcap::write(cases.iter().map(|case| case.frame.as_slice()));
    fs::write(file, capture).map_err(|error| format!("{file}: {error}"))
}

fn compare(file: &str) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let cases = cases::all();
    let packets = pdml::packets(&text);
    if packets.len() != cases.len() {
        return Err(format!("{} frames, not {}", packets.len(), cases.len()));
    }
    let mut complaints = Vec::new();
    for (number, (case, packet)) in (1..).zip(cases.iter().zip(packets)) {
        let of_frame = |complaint| format!("frame {number} ({}): {complaint}", case.title);
        complaints.extend(case.judge(packet).into_iter().map(of_frame));
    }
    if complaints.is_empty() {
        let values: usize = cases.iter().map(|case| case.values.len()).sum();
        println!("{} frames, {values} values: as emitted", cases.len());
        return Ok(());
    }
    Err(complaints.join("\n"))
}
