// SPDX-License-Identifier: GPL-2.0

//! Calls on sockets that io_uring makes.

use std::{
    marker::PhantomData,
    mem,
    os::fd::{
        AsRawFd,
        RawFd, //
    },
    ptr, //
};

use io_uring::{
    opcode,
    squeue,
    types,
    IoUring, //
};
use qnet::{
    raw::Control,
    Error, //
};
use qnet_sys::SOL_QNET;

use crate::Outcome;

/// The head of a `recvmsg()` and what it points to, which stay where they are until it is done.
struct Head {
    header: libc::msghdr,
    part: libc::iovec,
    room: [u64; 32],
}

/// A ring whose calls use buffers that live for `'a`.
pub struct Ring<'a> {
    ring: IoUring,
    calls: u64,
    heads: Vec<(u64, Box<Head>)>,
    _buffers: PhantomData<&'a mut [u8]>,
}

/// What calls of a ring have said.
pub struct Done {
    /// What each returned, in the order in which they were asked for.
    pub results: Vec<Result<usize, Error>>,
    heads: Vec<(u64, Box<Head>)>,
}

impl<'a> Ring<'a> {
    /// A ring for so many calls.
    pub fn new(calls: u32) -> Outcome<Self> {
        Ok(Self {
            ring: IoUring::new(calls)?,
            calls: 0,
            heads: Vec::new(),
            _buffers: PhantomData,
        })
    }

    fn push(&mut self, call: squeue::Entry) -> Outcome {
        let call = call.user_data(self.calls);
        self.calls += 1;
        // SAFETY: What the call uses lives until `finish`: buffers for `'a`, heads in this ring. A
        // ring that is dropped before ends its calls first.
        unsafe { self.ring.submission().push(&call)? };
        self.ring.submit()?;
        Ok(())
    }

    /// Asks for `send()`.
    pub fn send(&mut self, fd: &impl AsRawFd, bytes: &'a [u8]) -> Outcome {
        let call = opcode::Send::new(
            types::Fd(fd.as_raw_fd()),
            bytes.as_ptr(),
            bytes.len() as u32,
        );
        self.push(call.build())
    }

    /// Asks for `recv()`.
    pub fn receive(&mut self, fd: &impl AsRawFd, bytes: &'a mut [u8]) -> Outcome {
        let (at, len) = (bytes.as_mut_ptr(), bytes.len() as u32);
        self.push(opcode::Recv::new(types::Fd(fd.as_raw_fd()), at, len).build())
    }

    /// Asks for `recvmsg()`, with room for a control message.
    pub fn receive_control(&mut self, fd: &impl AsRawFd, bytes: &'a mut [u8]) -> Outcome {
        let mut head = Box::new(Head {
            // SAFETY: All zero is a valid header, without anything.
            header: unsafe { mem::zeroed() },
            part: libc::iovec {
                iov_base: bytes.as_mut_ptr().cast(),
                iov_len: bytes.len(),
            },
            room: [0; 32],
        });
        head.header.msg_iov = &mut head.part;
        head.header.msg_iovlen = 1;
        head.header.msg_control = head.room.as_mut_ptr().cast();
        head.header.msg_controllen = mem::size_of_val(&head.room) as _;
        let at: *mut libc::msghdr = &mut head.header;
        self.heads.push((self.calls, head));
        let fd: RawFd = fd.as_raw_fd();
        self.push(opcode::RecvMsg::new(types::Fd(fd), at).build())
    }

    /// Waits until all calls are done.
    pub fn finish(mut self) -> Outcome<Done> {
        self.ring.submit_and_wait(self.calls as usize)?;
        let mut results: Vec<_> = self
            .ring
            .completion()
            .map(|done| (done.user_data(), done.result()))
            .collect();
        results.sort_unstable();
        Ok(Done {
            results: results
                .into_iter()
                .map(|(_, result)| match usize::try_from(result) {
                    Ok(length) => Ok(length),
                    Err(_) => Err(Error::from_errno(-result)),
                })
                .collect(),
            heads: self.heads,
        })
    }
}

impl Done {
    /// The control message that the call got, counted from 0.
    pub fn control<T: Control>(&self, call: u64) -> Option<T> {
        let (_, head) = self.heads.iter().find(|(number, _)| *number == call)?;
        // SAFETY: The kernel has filled the head's room; what kind of message it is, is looked at
        // before it is read.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&head.header);
            let is_it = !first.is_null()
                && (*first).cmsg_level == SOL_QNET
                && (*first).cmsg_type == T::TYPE;
            is_it.then(|| ptr::read_unaligned(libc::CMSG_DATA(first).cast::<T>()))
        }
    }
}
