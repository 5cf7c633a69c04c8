// SPDX-License-Identifier: LGPL-2.1-or-later

//! Pulses and events: a server that is told by pulses, and a client that it tells.
//!
//! `cargo run --example pulses` needs the module qnet to be loaded.

use std::thread;

use qnet::{
    Channel,
    ChannelFlags,
    Connection,
    Event,
    Priority,
    PulseKind,
    Received,
    Timeout, //
};

const TICK: i8 = 0;
const REACHED: i8 = 1;

/// Counts ticks until the last client has left. A client's message is the number of the connection
/// on which it wants a pulse after the third tick.
fn serve(channel: &Channel) -> qnet::Result<()> {
    let mut buffer = [0; 4];
    let mut waiting = None;
    let mut ticks = 0;
    loop {
        match channel.receive_any(&mut buffer, Timeout::NEVER)? {
            Received::Message(message) => {
                let event = Event::Pulse {
                    coid: i32::from_ne_bytes(buffer),
                    priority: Priority::CALLER,
                    code: REACHED,
                    value: 0,
                };
                waiting = Some((message.rcvid(), event));
                message.reply(0, &[])?;
            }
            Received::Pulse(pulse) => match pulse.kind() {
                PulseKind::Program if pulse.code == TICK => {
                    ticks += 1;
                    println!("server: tick {}", pulse.value);
                    if let (3, Some((client, event))) = (ticks, &waiting) {
                        client.deliver(event)?;
                    }
                }
                PulseKind::Disconnect(_) => return Ok(()),
                _ => {}
            },
        }
    }
}

fn main() -> qnet::Result<()> {
    let channel = Channel::with_flags(ChannelFlags::DISCONNECT)?;
    let connection = Connection::attach(channel.address())?;
    let server = thread::spawn(move || serve(&channel));

    let own = Channel::create()?;
    let own_end = Connection::attach(own.address())?;
    connection.send(&own_end.id().to_ne_bytes(), &mut [])?;
    for tick in 1..=3 {
        connection.send_pulse(TICK, tick)?;
    }
    let pulse = own.receive_pulse(Timeout::NEVER)?;
    println!("client: pulse {} has come", pulse.code);
    connection.detach()?;
    server.join().expect("the server thread ends")
}
