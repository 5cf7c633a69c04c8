// SPDX-License-Identifier: LGPL-2.1-or-later

//! The first program: a server thread and a client in one process, on one node.
//!
//! `cargo run --example first` needs the module qnet to be loaded.

use std::thread;

use qnet::{
    Channel,
    Connection, //
};

fn main() -> qnet::Result<()> {
    let channel = Channel::create()?;
    let address = channel.address();

    let server = thread::spawn(move || -> qnet::Result<()> {
        let mut request = [0; 64];
        let message = channel.receive(&mut request)?;
        let text = String::from_utf8_lossy(&request[..message.len()]);
        println!("server: {:?} from process {}", text, message.info().pid);
        message.reply(7, b"pleased to meet you")
    });

    let connection = Connection::attach(address)?;
    let mut answer = [0; 64];
    let reply = connection.send(b"hello", &mut answer)?;
    let text = String::from_utf8_lossy(&answer[..reply.len]);
    println!("client: status {}, {:?}", reply.status, text);
    server.join().expect("the server thread ends")
}
