// SPDX-License-Identifier: GPL-2.0

//! `qnet`: shows and configures this machine's Qnet node, or the node that another network namespace
//! is.

mod channel;
mod link;
mod monitor;
mod netlink;
mod node;
mod option;
mod ping;
mod problem;
mod show;
mod stats;

use std::{
    fs::File,
    path::Path,
    process::ExitCode, //
};

use clap::{
    Parser,
    Subcommand, //
};
use rustix::thread::{
    move_into_link_name_space,
    LinkNameSpaceType, //
};

use crate::{
    netlink::Client,
    option::Assignment,
    problem::Problem, //
};

/// Show and configure a Qnet node
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// The node of this network namespace (a name of `ip netns`, or a path)
    #[arg(long, short = 'n', global = true, value_name = "NAMESPACE")]
    netns: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the nodes that are known
    Nodes,
    /// List the interfaces that Qnet is bound to
    Links,
    /// Let Qnet use an interface (or `all`)
    Bind {
        /// Its name
        interface: String,
    },
    /// Let Qnet use an interface no more
    Unbind {
        /// Its name
        interface: String,
    },
    /// Set options
    Set {
        /// The option and its new value; `qnet get` lists them
        #[arg(required = true, value_name = "NAME=VALUE")]
        assignments: Vec<Assignment>,
    },
    /// List the options, or some of them
    Get {
        /// Their names
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Print the value alone
        #[arg(long, short = 'v', conflicts_with = "json")]
        value_only: bool,
    },
    /// List the channels, and which threads are blocked on whom
    Channels,
    /// Measure how long a message takes to a node and back
    Ping(ping::Request),
    /// Show links, nodes and sessions that come and go, as it happens
    Monitor,
    /// Show what the node has counted (/proc/net/qnetstats)
    Stats {
        /// Only lines whose name contains one of these
        #[arg(value_name = "WORD")]
        words: Vec<String>,
        /// Only what is not zero
        #[arg(long, short = 'z')]
        nonzero: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("qnet: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Problem> {
    if let Some(name) = &arguments.netns {
        enter(name)?;
    }
    let json = arguments.json;
    match arguments.action {
        Action::Nodes => show::rows(json, &node::all(&Client::connect()?)?),
        Action::Links => show::rows(json, &link::all(&Client::connect()?)?),
        Action::Bind { interface } => link::bind(&Client::connect()?, &interface),
        Action::Unbind { interface } => link::unbind(&Client::connect()?, &interface),
        Action::Set { assignments } => {
            let client = Client::connect()?;
            assignments
                .iter()
                .try_for_each(|assignment| option::set(&client, assignment))
        }
        Action::Get { names, value_only } => {
            let options = option::chosen(option::all(&Client::connect()?)?, &names)?;
            if value_only {
                for option in &options {
                    show::line(&option.value)?;
                }
                return Ok(());
            }
            show::rows(json, &options)
        }
        Action::Channels => channel::Listing::read(&Client::connect()?)?.show(json),
        Action::Ping(request) => ping::run(&request, json),
        Action::Monitor => monitor::run(json),
        Action::Stats { words, nonzero } => {
            let stats = stats::read()?;
            if json {
                show::json(&stats.chosen(&words, nonzero))
            } else if words.is_empty() && !nonzero {
                show::text(&stats.text)
            } else {
                show::text(&stats.chosen(&words, nonzero).to_string())
            }
        }
    }
}

/// Moves this program, which has one thread now, into a network namespace.
fn enter(name: &str) -> Result<(), Problem> {
    let path = if name.contains('/') {
        Path::new(name).to_owned()
    } else {
        Path::new("/run/netns").join(name)
    };
    let failed = |error: std::io::Error| Problem::namespace(name, &error);
    let file = File::open(path).map_err(failed)?;
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind)
        .map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments() {
        Arguments::command().debug_assert();
        let parsed = Arguments::parse_from(["qnet", "set", "auto_add=0", "host=a.b", "--json"]);
        assert!(parsed.json);
        assert!(Arguments::try_parse_from(["qnet", "set", "auto_add"]).is_err());
        assert!(Arguments::try_parse_from(["qnet", "bind"]).is_err());
        assert!(Arguments::try_parse_from(["qnet", "ping", "beta~preferred:eth0", "-c0"]).is_ok());
        assert!(Arguments::try_parse_from(["qnet", "ping", "beta", "-i", "soon"]).is_err());
    }
}
