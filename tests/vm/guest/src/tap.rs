// SPDX-License-Identifier: GPL-2.0

//! A raw socket on an interface: sends any frame, and sees all that pass.

use std::{
    ffi::CString,
    mem,
    os::fd::{
        AsRawFd,
        OwnedFd, //
    },
};

use crate::{
    frames::Mac,
    sys,
    Outcome, //
};

/// A raw socket on one interface of the calling thread's network namespace.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    mac: Mac,
}

impl Tap {
    /// Opens it.
    pub fn open(interface: &str) -> Outcome<Self> {
        // Only a socket for every protocol sees what this machine itself sends.
        let all = (libc::ETH_P_ALL as u16).to_be();
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(all))?;
        let name = CString::new(interface)?;
        // SAFETY: The name is a string with a NUL.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(format!("there is no interface {interface}").into());
        }
        // SAFETY: All zero is a valid address.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = all;
        address.sll_ifindex = index as i32;
        let place: *const libc::sockaddr_ll = &address;
        // SAFETY: The address is valid and as long as is told.
        sys::checked(unsafe {
            libc::bind(
                socket.as_raw_fd(),
                place.cast(),
                mem::size_of_val(&address) as u32,
            )
        })?;
        Ok(Self {
            socket,
            mac: mac_of(interface)?,
        })
    }

    /// The interface's own address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends a whole frame.
    pub fn send(&self, frame: &[u8]) -> Outcome {
        // SAFETY: The bytes are there.
        let sent = sys::checked(unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
            )
        } as i64)?;
        match sent as usize == frame.len() {
            true => Ok(()),
            false => Err("a frame was cut".into()),
        }
    }

    /// The frames that passed since the last look.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; 65536];
        loop {
            // SAFETY: There is as much room as is told.
            let length = unsafe {
                libc::recv(
                    self.socket.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(length) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(_) => return frames,
            }
        }
    }
}

/// The address of an interface of the calling thread's network namespace.
fn mac_of(interface: &str) -> Outcome<Mac> {
    let socket = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: All zero is a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err("the interface's name is too long".into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: The request is valid, and its name has a NUL.
    unsafe { sys::ioctl_on(&socket, libc::SIOCGIFHWADDR as u32, &mut request) }?;
    // SAFETY: That is the member which the call fills in.
    let data = unsafe { request.ifr_ifru.ifru_hwaddr }.sa_data;
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(data) {
        *to = from as u8;
    }
    Ok(mac)
}
