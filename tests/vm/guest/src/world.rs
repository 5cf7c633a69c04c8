// SPDX-License-Identifier: GPL-2.0

//! Where a test's servers run: here, in another network namespace, or on another machine.

use std::{
    io::{
        BufRead,
        BufReader, //
    },
    process::{
        Child,
        Command,
        Stdio, //
    },
    time::Duration, //
};

use qnet::{
    Address,
    ChannelFlags,
    Connection,
    Error,
    Node,
    Reply, //
};

use crate::{
    script::{
        request,
        unpack,
        Op, //
    },
    sys,
    Outcome, //
};

/// How long a step may take that takes no time when all is well.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where servers run, and how they are reached from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this node.
    Local,
    /// In another network namespace of this machine, which is a node of its own.
    Namespace {
        /// The namespace of the servers.
        server: String,
        /// The name of their node.
        node: String,
    },
    /// On another machine, by an agent that runs there.
    Machine {
        /// The name of its node.
        node: String,
        /// The agent's process.
        pid: i32,
        /// The agent's channel.
        chid: i32,
    },
}

/// What a test has.
#[derive(Debug)]
pub struct World {
    place: Place,
    node: Node,
    light: bool,
}

impl World {
    /// Finds the node of the place, waiting for its discovery if need be. `light` is for machines
    /// that are slow: where a case repeats something, it does so less often.
    pub fn find(place: Place, light: bool) -> Outcome<Self> {
        let node = match &place {
            Place::Local => Node::LOCAL,
            Place::Namespace { node, .. } | Place::Machine { node, .. } => find_node(node)?,
        };
        Ok(Self { place, node, light })
    }

    /// How often to repeat what should be repeated so many times.
    pub fn times(&self, count: u32) -> u32 {
        match self.light {
            true => count.div_ceil(10),
            false => count,
        }
    }

    /// Whether messages cross a link.
    pub fn is_remote(&self) -> bool {
        self.place != Place::Local
    }

    /// The node of the servers.
    pub fn node(&self) -> Node {
        self.node
    }

    /// The command that configures the servers' node, if it can be configured from here.
    pub fn configure(&self) -> Option<Command> {
        let mut command = Command::new("qnet");
        match &self.place {
            Place::Local => {}
            Place::Namespace { server, .. } => {
                command.args(["-n", server]);
            }
            Place::Machine { .. } => return None,
        }
        command.arg("set");
        Some(command)
    }

    /// The name of that node, if it is another one.
    pub fn node_name(&self) -> Option<&str> {
        match &self.place {
            Place::Local => None,
            Place::Namespace { node, .. } | Place::Machine { node, .. } => Some(node),
        }
    }

    /// How long messages are whose length is of no concern: one frame, when there is a link.
    pub fn usual_maximum(&self) -> usize {
        if self.is_remote() {
            1200
        } else {
            65536
        }
    }

    /// Starts a server.
    pub fn server(&self) -> Outcome<Server> {
        let (keeper, ids) = match &self.place {
            Place::Local => started(None)?,
            Place::Namespace { server, .. } => started(Some(server))?,
            Place::Machine { pid, chid, .. } => {
                let agent = Connection::attach(self.address(*pid, *chid))?;
                let mut ids = [0; 12];
                agent.send(&request(Op::Spawn, 0, 0, &[]), &mut ids)?;
                let ids = unpack(&ids);
                (Keeper::Agent(agent), [ids[0], ids[1], ids[2]])
            }
        };
        let [pid, work, control] = ids;
        let control = Connection::attach(self.address(pid, control))?;
        Ok(Server {
            address: self.address(pid, work),
            control,
            keeper,
        })
    }

    /// Tells the agent of another machine to end.
    pub fn stop_agent(&self) -> Outcome {
        if let Place::Machine { pid, chid, .. } = self.place {
            let agent = Connection::attach(self.address(pid, chid))?;
            agent.send_timeout(&request(Op::Stop, 0, 0, &[]), &mut [], PATIENCE)?;
        }
        Ok(())
    }

    fn address(&self, pid: i32, chid: i32) -> Address {
        Address {
            node: self.node,
            pid,
            chid,
        }
    }
}

/// Finds a node by its name, waiting for its discovery if need be.
pub fn find_node(name: &str) -> Outcome<Node> {
    let mut last = Error::EHOSTUNREACH;
    sys::within(PATIENCE, || match Node::lookup(name) {
        Ok(node) => Some(node),
        Err(error) => {
            last = error;
            None
        }
    })
    .ok_or_else(|| format!("node {name}: {last}").into())
}

/// Starts a server process and reads its numbers.
pub fn started(namespace: Option<&str>) -> Outcome<(Keeper, [i32; 3])> {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(name) = namespace {
        command.args(["--netns", name]);
    }
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let keeper = Keeper::Child(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let ids: Vec<i32> = line.split_whitespace().flat_map(str::parse).collect();
    match ids[..] {
        [pid, work, control] => Ok((keeper, [pid, work, control])),
        _ => Err(format!("the server did not start: {line:?}").into()),
    }
}

/// Who can end a server.
#[derive(Debug)]
pub enum Keeper {
    /// It is our child.
    Child(Child),
    /// An agent on its machine.
    Agent(Connection),
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Its work channel.
    pub address: Address,
    control: Connection,
    keeper: Keeper,
}

impl Server {
    /// A new connection to the work channel.
    pub fn connect(&self) -> Outcome<Connection> {
        Ok(Connection::attach(self.address)?)
    }

    /// Kills the server, and returns when it is dead.
    pub fn kill(&mut self) -> Outcome {
        match &mut self.keeper {
            Keeper::Child(child) => {
                child.kill()?;
                child.wait()?;
            }
            Keeper::Agent(agent) => {
                let pid = i64::from(self.address.pid);
                agent.send(&request(Op::Kill, 0, pid, &[]), &mut [])?;
            }
        }
        Ok(())
    }

    /// Asks the server something on its control channel: the status and the numbers it replied.
    pub fn ask(&self, op: Op, argument: i64) -> Outcome<(i64, Vec<i32>)> {
        let mut reply = [0; 1300];
        let Reply { status, len } =
            self.control
                .send_timeout(&request(op, 0, argument, &[]), &mut reply, PATIENCE)?;
        Ok((status, unpack(&reply[..len])))
    }

    /// The address of one more work channel of the server, with these flags.
    pub fn open(&self, flags: ChannelFlags) -> Outcome<Address> {
        let (chid, _) = self.ask(Op::Open, i64::from(flags.bits()))?;
        Ok(Address {
            chid: chid as i32,
            ..self.address
        })
    }

    /// Waits until so many pulses have come, and gives them: code, value and scoid of each.
    pub fn wait_pulses(&self, count: usize) -> Outcome<Vec<[i32; 3]>> {
        let numbers = self.gather(Op::Pulses, 3 * count)?;
        let pulses: Vec<_> = numbers
            .chunks_exact(3)
            .map(|pulse| [pulse[0], pulse[1], pulse[2]])
            .collect();
        match pulses.len() >= count {
            true => Ok(pulses),
            false => Err(format!("{} pulses, not {count}: {pulses:?}", pulses.len()).into()),
        }
    }

    /// Waits until the server holds so many messages.
    pub fn wait_held(&self, count: i64) -> Outcome {
        let mut held = 0;
        let mut failure = None;
        sys::within(PATIENCE, || match self.ask(Op::Held, 0) {
            Ok((now, _)) => {
                held = now;
                (held == count).then_some(())
            }
            Err(error) => {
                failure = Some(error);
                Some(())
            }
        })
        .ok_or_else(|| format!("the server holds {held} messages, not {count}"))?;
        failure.map_or(Ok(()), Err)
    }

    /// The tags that the server wrote down.
    pub fn tags(&self) -> Outcome<Vec<i32>> {
        let mut all = Vec::new();
        loop {
            let (_, mut tags) = self.ask(Op::Log, 0)?;
            if tags.is_empty() {
                return Ok(all);
            }
            all.append(&mut tags);
        }
    }

    /// The results that the server wrote down.
    pub fn results(&self) -> Outcome<Vec<i32>> {
        Ok(self.ask(Op::Results, 0)?.1)
    }

    /// The results, once there are so many.
    pub fn wait_results(&self, count: usize) -> Outcome<Vec<i32>> {
        self.gather(Op::Results, count)
    }

    /// Asks for numbers until there are so many, or the time is over.
    fn gather(&self, op: Op, count: usize) -> Outcome<Vec<i32>> {
        let mut all = Vec::new();
        let mut failure = None;
        sys::within(PATIENCE, || match self.ask(op, 0) {
            Ok((_, mut numbers)) => {
                all.append(&mut numbers);
                (all.len() >= count).then_some(())
            }
            Err(error) => {
                failure = Some(error);
                Some(())
            }
        });
        match failure {
            Some(failure) => Err(failure),
            None => Ok(all),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
