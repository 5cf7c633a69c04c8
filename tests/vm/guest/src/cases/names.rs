// SPDX-License-Identifier: GPL-2.0

//! Nodes by name.

use std::time::Duration;

use qnet::{
    raw,
    Error,
    Node,
    Timeout, //
};

use super::{
    fails_with,
    skip,
    Case,
    Scope, //
};
use crate::{
    ensure,
    ensure_eq,
    sys,
    world::World,
    Outcome, //
};

pub(super) const CASES: &[Case] = &[
    Case::new("own_name", Scope::Both, own_name),
    Case::new("other_name", Scope::Remote, other_name),
    Case::new("forms", Scope::Remote, forms),
    Case::new("policies", Scope::Remote, policies),
    Case::new("unknown_name", Scope::Both, unknown_name),
    Case::new("unknown_name_in_time", Scope::Both, unknown_name_in_time),
    Case::new("bad_names", Scope::Both, bad_names),
    Case::new("name_cut_to_the_buffer", Scope::Both, name_cut),
    Case::new("unknown_descriptor", Scope::Both, unknown_descriptor),
];

/// What a name that no node has is answered with (ENETDOWN: this node has no link to ask on).
const UNKNOWN: [Error; 4] = [
    Error::EHOSTUNREACH,
    Error::ENOENT,
    Error::ESRCH,
    Error::ENETDOWN,
];
/// What a name that no node can have is answered with.
const BAD: [Error; 2] = [Error::EINVAL, Error::ENAMETOOLONG];

fn own_name(_: &World) -> Outcome {
    let Ok(name) = Node::LOCAL.name() else {
        return skip("this node has no name");
    };
    ensure!(!name.is_empty(), "the name is empty");
    ensure_eq!(Node::lookup(&name)?, Node::LOCAL);
    ensure_eq!(Node::lookup(&format!("/net/{name}"))?, Node::LOCAL);
    Ok(())
}

fn other_name(world: &World) -> Outcome {
    let wanted = world.node_name().unwrap_or_default();
    ensure!(!world.node().is_local(), "the server's node is ours");
    let name = world.node().name()?;
    ensure!(
        name == wanted || name.split_once('.').is_some_and(|(name, _)| name == wanted),
        "the node {wanted} says that it is {name}"
    );
    ensure_eq!(Node::lookup(&name)?, world.node());
    Ok(())
}

fn forms(world: &World) -> Outcome {
    let name = world.node().name()?;
    let node = world.node().as_raw();
    for (text, used) in [
        (name.clone(), name.len()),
        (format!("/net/{name}"), name.len() + 5),
        (format!("/net/{name}/dev/ser1"), name.len() + 5),
        (format!("{name}/dev"), name.len()),
    ] {
        let got = raw::strtond(text.as_bytes(), Timeout::NEVER)?;
        ensure_eq!(got, (node, used), "{text}");
    }
    Ok(())
}

/// Each quality of service is a node of its own, on the same machine.
fn policies(world: &World) -> Outcome {
    let plain = world.node();
    let name = plain.name()?;
    ensure_eq!(Node::lookup(&format!("{name}~loadbalance"))?, plain);
    let mut seen = vec![plain];
    for policy in ["redundant", "exclusive", "preferred", "preferred:nosuch0"] {
        let text = format!("{name}~{policy}");
        let node = Node::lookup(&text)?;
        ensure!(node.is_same_machine(plain), "{text} is another machine");
        ensure!(!seen.contains(&node), "{text} has another one's descriptor");
        ensure_eq!(Node::lookup(&text)?, node, "asked again");
        ensure_eq!(node.name()?, text);
        seen.push(node);
    }
    for bad in ["nonsense", "Redundant", ":veth0"] {
        fails_with(bad, Node::lookup(&format!("{name}~{bad}")), &BAD)?;
    }
    Ok(())
}

fn unknown_name(_: &World) -> Outcome {
    let before = sys::now();
    fails_with(
        "an unknown name",
        Node::lookup("nobody-is-called-that"),
        &UNKNOWN,
    )?;
    let took = Duration::from_nanos(sys::now() - before);
    ensure!(took < Duration::from_secs(5), "it took {took:?}");
    fails_with(
        "a path that is no node's",
        Node::lookup("/net/"),
        &[&UNKNOWN[..], &BAD].concat(),
    )?;
    Ok(())
}

fn unknown_name_in_time(_: &World) -> Outcome {
    let result = Node::lookup_timeout("nobody-is-called-so", Duration::from_millis(20).into());
    // A node without a link has nobody to ask and knows at once.
    fails_with(
        "an unknown name",
        result,
        &[&UNKNOWN[..], &[Error::ETIMEDOUT]].concat(),
    )?;
    Ok(())
}

fn bad_names(_: &World) -> Outcome {
    let long = "n".repeat(64);
    let longer = format!("a.{}", "d".repeat(300));
    for name in ["", "a\0b", ".", ".b", long.as_str(), longer.as_str()] {
        fails_with(name, Node::lookup(name), &[&UNKNOWN[..], &BAD].concat())?;
    }
    let huge = vec![b'n'; 100_000];
    fails_with("a huge name", raw::strtond(&huge, Timeout::NEVER), &BAD)?;
    Ok(())
}

fn name_cut(world: &World) -> Outcome {
    let Ok(name) = world.node().name() else {
        return skip("this node has no name");
    };
    for room in 0..=name.len() + 1 {
        let mut buffer = [0xee; 300];
        let length = raw::ndtostr(world.node().as_raw(), &mut buffer[..room])?;
        ensure_eq!(length, name.len(), "with room for {room}");
        ensure!(
            buffer[room..].iter().all(|byte| *byte == 0xee),
            "something was written behind {room} bytes"
        );
        let end = buffer[..room]
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(room);
        ensure!(
            name.as_bytes().starts_with(&buffer[..end]) && end + 1 >= room.min(name.len()),
            "with room for {room} it is {:?}",
            &buffer[..room]
        );
    }
    Ok(())
}

fn unknown_descriptor(_: &World) -> Outcome {
    let wanted = [&UNKNOWN[..], &BAD, &[Error::ENXIO]].concat();
    for nd in [0xfffe, 0x7fff_0000 | 0xfffd] {
        fails_with("an unknown descriptor", Node::from_raw(nd).name(), &wanted)?;
    }
    Ok(())
}
