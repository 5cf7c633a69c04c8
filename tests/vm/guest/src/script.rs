// SPDX-License-Identifier: GPL-2.0

//! What the tests ask of the scripted server.
//!
//! A request begins with 16 bytes: a magic number, what is to be done, a tag that the server
//! writes down, and an argument. The magic keeps the first two bytes out of 0x100..0x1ff, which
//! the judge of captures would read as a QNX input/output message. Any other message is echoed.

use qnet_sys::qnet_event;

/// The first two bytes of a request.
pub const MAGIC: u16 = 0x7151;
/// The length of a request's head.
pub const HEAD: usize = 16;

macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)*) => {
        /// What the server is to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op {
            $( $(#[doc = $doc])+ $name = $number, )*
        }

        impl Op {
            fn from_number(number: u16) -> Option<Self> {
                match number {
                    $( $number => Some(Op::$name), )*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    /// Reply the whole message with status 0.
    Echo = 1,
    /// Reply what follows the head, with the argument as status.
    Status = 2,
    /// Fail the send with the argument.
    Error = 3,
    /// Reply the message's `struct qnet_msg_info`.
    Info = 4,
    /// Keep the message unanswered until it is asked for on the control channel.
    Hold = 5,
    /// Reply as many bytes of the pattern as the argument says.
    ReplyLength = 6,
    /// Kill the own process with SIGKILL.
    Die = 7,
    /// End the own process in order.
    Exit = 8,
    /// Sleep as many milliseconds as the argument says, then reply.
    Sleep = 9,
    /// Reply twice, and write down what the second reply says.
    Twice = 10,
    /// Let a child try to answer, then reply what it got as status.
    ForkReply = 11,
    /// Reply, and receive nothing more until `Resume`.
    Pause = 12,
    /// Let the next receive have as much room as the argument says, and reply.
    Room = 13,
    /// Let a child try to receive on the channel, then reply what it got as status.
    ForkReceive = 14,
    /// Reply from memory that is not there, write down what that says, then reply in order.
    ReplyFault = 15,
    /// Read bytes of the message as `range()` of the argument says, and reply them, with their
    /// number as status, or the negative error number.
    Read = 16,
    /// Write as much of a pattern as `range()` of the argument says into the reply area, then reply
    /// nothing, with the number of bytes as status, or the negative error number.
    Write = 17,
    /// As `Write`, and reply ten bytes of another pattern.
    WriteAndReply = 18,
    /// Read the whole message again and again, by as many threads as the argument says at once, in
    /// pieces of odd lengths, and reply how many bytes were wrong.
    ReadByThreads = 19,
    /// Read the whole message until that fails, and write down with which error.
    ReadUntilError = 20,
    /// Write into the whole reply area until that fails, and write down with which error.
    WriteUntilError = 21,
    /// Reply how much of the message the receive stored.
    Pushed = 22,
    /// Keep the event that follows the head, as `event()` packs it, until `Fire`; reply what
    /// MsgVerifyEvent says of it, as status.
    Register = 23,
    /// Let messages of other nodes that wait in the work channel have as many bytes as the argument says
    /// (SO_RCVBUF), and reply how that went.
    ReceiveBuffer = 24,
    /// Reply who the client is, as `struct qnet_client_info` says from `ngroups` on without the
    /// address, and then the groups.
    ClientInfo = 60,

    /// On the control channel: set the mode of the work channel to the argument; reply how that went.
    Mode = 160,
    /// On the control channel: go on receiving.
    Resume = 100,
    /// Answer what is held with the argument as status; reply what each answer said.
    Release = 101,
    /// Reply how many are held, as status.
    Held = 102,
    /// Reply the tags that were written down, and forget them.
    Log = 103,
    /// Reply the results that were written down, and forget them.
    Results = 104,
    /// Destroy the work channel.
    Destroy = 105,
    /// Fail the sends that are held with the argument; reply what each answer said.
    Fail = 106,
    /// Start as many more threads as the argument says on the work channel.
    Threads = 107,
    /// Make one more work channel with the argument as flags, and reply its number as status.
    Open = 108,
    /// Reply the pulses that came (code, value, scoid), and forget them.
    Pulses = 109,
    /// Deliver the event that is kept, and reply what that said, as status.
    Fire = 110,
    /// Reply the flags of the message that is held the longest, as MsgInfo tells them, as status.
    HeldFlags = 111,

    /// To the agent of another machine: start a server.
    Spawn = 200,
    /// To the agent: kill the server whose process is the argument.
    Kill = 201,
    /// To the agent: end.
    Stop = 202,
}

/// An offset and a length in one number.
pub fn range(offset: u32, length: u32) -> i64 {
    ((u64::from(offset) << 32) | u64::from(length)) as i64
}

/// The offset and the length again.
pub fn unrange(argument: i64) -> (usize, usize) {
    let argument = argument as u64;
    ((argument >> 32) as usize, argument as u32 as usize)
}

/// A request, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What to do.
    pub op: Op,
    /// What to write down; 0 is not written down.
    pub tag: u32,
    /// With what.
    pub argument: i64,
    /// What follows the head.
    pub rest: &'a [u8],
}

impl<'a> Request<'a> {
    /// Takes a message apart, if it is a request.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let (head, rest) = message.split_first_chunk::<HEAD>()?;
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        if word(0) != MAGIC {
            return None;
        }
        Some(Self {
            op: Op::from_number(word(2))?,
            tag: u32::from_le_bytes(head[4..8].try_into().ok()?),
            argument: i64::from_le_bytes(head[8..16].try_into().ok()?),
            rest,
        })
    }
}

/// Puts a request together.
pub fn request(op: Op, tag: u32, argument: i64, rest: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD + rest.len());
    message.extend(MAGIC.to_le_bytes());
    message.extend((op as u16).to_le_bytes());
    message.extend(tag.to_le_bytes());
    message.extend(argument.to_le_bytes());
    message.extend(rest);
    message
}

/// Bytes that tell their place, different for each seed.
pub fn pattern(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}

/// A list of numbers as a reply carries it.
pub fn pack(numbers: impl IntoIterator<Item = i32>) -> Vec<u8> {
    numbers.into_iter().flat_map(i32::to_le_bytes).collect()
}

/// The list again.
pub fn unpack(bytes: &[u8]) -> Vec<i32> {
    bytes
        .chunks_exact(4)
        .map(|chunk| i32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]))
        .collect()
}

/// An event as a request carries it.
pub fn event(event: &qnet_event) -> Vec<u8> {
    pack([
        event.notify,
        event.id,
        event.value as i32,
        i32::from(event.code),
        i32::from(event.priority),
    ])
}

/// The event again.
pub fn unevent(bytes: &[u8]) -> Option<qnet_event> {
    match unpack(bytes)[..] {
        [notify, id, value, code, priority] => Some(qnet_event {
            notify,
            id,
            value: i64::from(value),
            code: code as i16,
            priority: priority as i16,
            ..Default::default()
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let message = request(Op::Status, 7, -5, b"xyz");
        let parsed = Request::parse(&message).unwrap();
        assert_eq!(
            (parsed.op, parsed.tag, parsed.argument),
            (Op::Status, 7, -5)
        );
        assert_eq!(parsed.rest, b"xyz");
        assert_eq!(Request::parse(&message[..15]), None);
        assert_eq!(Request::parse(&pattern(1, 64)), None);
        assert_eq!(unrange(range(u32::MAX, 7)), (0xffff_ffff, 7));
        assert_eq!(unpack(&pack([1, -2, 300])), [1, -2, 300]);
        let pulse = qnet_event {
            notify: 4,
            id: 3,
            value: -2,
            code: 5,
            priority: -1,
            ..Default::default()
        };
        assert_eq!(unevent(&event(&pulse)), Some(pulse));
    }
}
