// SPDX-License-Identifier: GPL-2.0

//! The agent of a machine: it starts and kills servers there for tests that run on another.

use std::collections::HashMap;

use qnet::{
    Channel,
    Error,
    Message, //
};

use crate::{
    script::{
        pack,
        Op,
        Request, //
    },
    world::{
        self,
        Keeper, //
    },
    Outcome, //
};

/// Serves until it is told to stop. Its first channel has the number 1.
pub fn run() -> Outcome {
    let channel = Channel::create()?;
    println!(
        "qnet-vmtest: agent: pid {} chid {}",
        std::process::id(),
        channel.id()
    );
    let mut servers = HashMap::new();
    let mut buffer = [0; 64];
    loop {
        let message = channel.receive(&mut buffer)?;
        let length = message.len();
        let Some(request) = Request::parse(&buffer[..length]) else {
            // A program that looks whether anybody is here.
            let _ = message.reply(0, &buffer[..length]);
            continue;
        };
        if request.op == Op::Stop {
            message.reply(0, &[])?;
            return Ok(());
        }
        // A client that went away is no reason to end.
        let _ = serve(&mut servers, message, request);
    }
}

fn serve(
    servers: &mut HashMap<i64, Keeper>,
    message: Message,
    request: Request<'_>,
) -> Result<(), Error> {
    match request.op {
        Op::Spawn => match world::started(None) {
            Ok((keeper, ids)) => {
                servers.insert(i64::from(ids[0]), keeper);
                message.reply(0, &pack(ids))
            }
            Err(error) => {
                eprintln!("qnet-vmtest: agent: {error}");
                message.error(Error::EAGAIN)
            }
        },
        Op::Kill => match servers.remove(&request.argument) {
            Some(Keeper::Child(mut child)) => {
                let _ = child.kill();
                let _ = child.wait();
                message.reply(0, &[])
            }
            // It was killed before.
            _ => message.reply(0, &[]),
        },
        _ => message.error(Error::ENOSYS),
    }
}
