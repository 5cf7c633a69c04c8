// SPDX-License-Identifier: GPL-2.0

//! The channels of the node, and who is blocked on whom.

use std::fs;

use serde::Serialize;

use crate::{
    netlink::{
        Attr,
        Client,
        Command,
        Row, //
    },
    problem::Problem,
    show::{
        self,
        or_dash,
        Table, //
    },
};

/// A channel.
#[derive(Debug, Serialize)]
pub(crate) struct Channel {
    /// Its process; none that has no number in this pid namespace.
    pid: Option<i32>,
    /// What that process runs.
    command: Option<String>,
    chid: i32,
    flags: u32,
    /// Messages that wait to be received.
    messages: u32,
    /// Pulses that wait to be received.
    pulses: u32,
    /// Threads that wait for a message or a pulse.
    waiting: u32,
}

impl From<&Row> for Channel {
    fn from(row: &Row) -> Self {
        let pid = number(row, Attr::Pid);
        Self {
            pid,
            command: pid.and_then(command_of),
            chid: row.i32(Attr::Chid),
            flags: row.u32(Attr::Flags),
            messages: row.u32(Attr::Messages),
            pulses: row.u32(Attr::Pulses),
            waiting: row.u32(Attr::Waiting),
        }
    }
}

impl Table for Channel {
    const HEAD: &'static [&'static str] = &[
        "PID", "COMMAND", "CHID", "FLAGS", "MESSAGES", "PULSES", "WAITING",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            cell(self.pid),
            or_dash(self.command.as_deref().unwrap_or_default()),
            self.chid.to_string(),
            format!("{:#x}", self.flags),
            self.messages.to_string(),
            self.pulses.to_string(),
            self.waiting.to_string(),
        ]
    }
}

/// Where a thread or a channel is.
#[derive(Debug, Serialize)]
struct End {
    /// The node; 0: this one.
    nd: u32,
    /// The process; none that has no number in this pid namespace.
    pid: Option<i32>,
    /// What that process runs, if it is one of this node.
    command: Option<String>,
}

impl End {
    fn new(row: &Row, nd: Attr, pid: Attr) -> Self {
        let (nd, pid) = (row.u32(nd), number(row, pid));
        let here = pid.filter(|_| nd == 0);
        Self {
            nd,
            pid,
            command: here.and_then(command_of),
        }
    }

    /// As it stands in a table: process, and its node or what it runs.
    fn cell(&self) -> String {
        let pid = cell(self.pid);
        match (&self.command, self.nd) {
            (Some(command), _) => format!("{pid} {command}"),
            (None, 0) => pid,
            (None, nd) => format!("{pid} on nd {nd:#x}"),
        }
    }
}

/// A thread that is blocked.
#[derive(Debug, Serialize)]
pub(crate) struct Blocked {
    state: &'static str,
    /// For how many milliseconds.
    age_ms: u64,
    client: End,
    tid: Option<i32>,
    /// Its name for the connection, if it sends.
    coid: Option<i32>,
    /// The length of its message, if it sends.
    bytes: Option<u64>,
    server: End,
    chid: i32,
}

impl From<&Row> for Blocked {
    fn from(row: &Row) -> Self {
        let state = row.u32(Attr::State);
        let sends = state != qnet_sys::QNET_BLOCKED_RECEIVE;
        Self {
            state: match state {
                qnet_sys::QNET_BLOCKED_SEND => "SEND",
                qnet_sys::QNET_BLOCKED_RECEIVE => "RECEIVE",
                qnet_sys::QNET_BLOCKED_REPLY => "REPLY",
                _ => "unknown",
            },
            age_ms: row.u64(Attr::AgeMs).unwrap_or(0),
            client: End::new(row, Attr::ClientNd, Attr::ClientPid),
            tid: number(row, Attr::Tid),
            coid: sends.then(|| row.i32(Attr::Coid)),
            bytes: row.u64(Attr::Bytes).filter(|_| sends),
            server: End::new(row, Attr::Nd, Attr::Pid),
            chid: row.i32(Attr::Chid),
        }
    }
}

impl Table for Blocked {
    const HEAD: &'static [&'static str] = &[
        "STATE", "SINCE", "CLIENT", "TID", "COID", "BYTES", "SERVER", "CHID",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.state.to_owned(),
            show::time(self.age_ms),
            self.client.cell(),
            cell(self.tid),
            or_dash(&self.coid.map_or(String::new(), |coid| format!("{coid:#x}"))),
            cell(self.bytes),
            self.server.cell(),
            self.chid.to_string(),
        ]
    }
}

/// All channels, and all threads that are blocked.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    channels: Vec<Channel>,
    blocked: Vec<Blocked>,
}

impl Listing {
    /// Asks the module.
    pub(crate) fn read(client: &Client) -> Result<Self, Problem> {
        let channels = client.dump("listing the channels", Command::ChannelGet)?;
        let blocked = client.dump("listing the blocked threads", Command::BlockedGet)?;
        Ok(Self {
            channels: channels.iter().map(Channel::from).collect(),
            blocked: blocked.iter().map(Blocked::from).collect(),
        })
    }

    /// Shows it: one table below the other, or one object.
    pub(crate) fn show(&self, json: bool) -> Result<(), Problem> {
        if json {
            return show::json(self);
        }
        show::rows(false, &self.channels)?;
        if !self.blocked.is_empty() {
            show::line("")?;
            show::rows(false, &self.blocked)?;
        }
        Ok(())
    }
}

/// A number of a process or a thread; 0 stands for none.
fn number(row: &Row, wanted: Attr) -> Option<i32> {
    Some(row.i32(wanted)).filter(|number| *number != 0)
}

fn cell<T: ToString>(value: Option<T>) -> String {
    or_dash(&value.map_or(String::new(), |value| value.to_string()))
}

/// What a process runs. It may be gone by now.
fn command_of(pid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(harmless(name.trim_end()))
}

/// A name that a program has chosen for itself, without what would mean something to a terminal.
fn harmless(name: &str) -> String {
    let mut shown = String::new();
    for letter in name.chars() {
        match letter.is_control() {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(nd: u32, command: Option<&str>) -> End {
        End {
            nd,
            pid: Some(7),
            command: command.map(str::to_owned),
        }
    }

    #[test]
    fn ends() {
        assert_eq!(end(0, Some("devb")).cell(), "7 devb");
        assert_eq!(end(0, None).cell(), "7");
        assert_eq!(end(0x1_0002, None).cell(), "7 on nd 0x10002");
    }

    #[test]
    fn names_do_nothing_to_a_terminal() {
        assert_eq!(harmless("devb-\u{e9}"), "devb-\u{e9}");
        assert_eq!(harmless("a\x1b[2J\rb"), "a\\u{1b}[2J\\rb");
        assert_eq!(harmless("\u{9b}m\x7f"), "\\u{9b}m\\u{7f}");
    }

    #[test]
    fn cells() {
        let blocked = Blocked {
            state: "REPLY",
            age_ms: 5_000,
            client: end(2, None),
            tid: None,
            coid: Some(0x4000_0003),
            bytes: Some(12),
            server: end(0, Some("server")),
            chid: 1,
        };
        let cells = blocked.cells();
        assert_eq!(cells.len(), Blocked::HEAD.len());
        let wanted = [
            "REPLY",
            "5 s",
            "7 on nd 0x2",
            "-",
            "0x40000003",
            "12",
            "7 server",
            "1",
        ];
        assert_eq!(cells, wanted);
        let channel = Channel {
            pid: None,
            command: None,
            chid: 1,
            flags: 0x22,
            messages: 3,
            pulses: 0,
            waiting: 1,
        };
        assert_eq!(channel.cells(), ["-", "-", "1", "0x22", "3", "0", "1"]);
    }

    #[test]
    fn myself() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(command_of(pid).is_some());
    }
}
