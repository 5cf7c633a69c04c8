// SPDX-License-Identifier: LGPL-2.1-or-later

//! ChannelCreate() and ChannelDestroy().

use std::ffi::{
    c_int,
    c_uint, //
};

use qnet::{
    raw,
    Channel,
    ChannelFlags,
    Error,
    Result, //
};

use crate::{
    answer,
    channels::{
        self,
        CHANNELS, //
    },
    timer, //
};

fn create(flags: c_uint) -> Result<c_int> {
    timer::drop_armed();
    channels::empty_after_fork();
    let channel = Channel::with_flags(ChannelFlags::from_bits(flags))?;
    let chid = channel.id();
    CHANNELS.insert(chid, channel.into());
    Ok(chid)
}

fn destroy(chid: c_int) -> Result<c_int> {
    timer::drop_armed();
    let stay = CHANNELS.end(chid).map_err(|_| Error::EINVAL)?;
    // The module has no reason to refuse; were it to, closing the descriptor does the rest.
    let _ = raw::destroy(stay.borrow());
    Ok(0)
}

/// Makes a channel; see ChannelCreate(3).
#[no_mangle]
pub extern "C" fn ChannelCreate(flags: c_uint) -> c_int {
    answer::classic(|| create(flags))
}

/// Makes a channel; see ChannelCreate(3).
#[no_mangle]
pub extern "C" fn ChannelCreate_r(flags: c_uint) -> c_int {
    answer::plain(|| create(flags))
}

/// Ends a channel; see ChannelCreate(3).
#[no_mangle]
pub extern "C" fn ChannelDestroy(chid: c_int) -> c_int {
    answer::classic(|| destroy(chid))
}

/// Ends a channel; see ChannelCreate(3).
#[no_mangle]
pub extern "C" fn ChannelDestroy_r(chid: c_int) -> c_int {
    answer::plain(|| destroy(chid))
}
