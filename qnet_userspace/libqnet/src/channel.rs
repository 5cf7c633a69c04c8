// SPDX-License-Identifier: LGPL-2.1-or-later

//! ChannelCreate() and ChannelDestroy(), and what else a channel is asked for.

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
    answer::calls,
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

fn access(chid: c_int, uid: libc::uid_t, gid: libc::gid_t, mode: libc::mode_t) -> Result<c_int> {
    timer::drop_armed();
    let stay = CHANNELS.enter(chid)?;
    raw::set_access(stay.borrow(), uid, gid, mode)?;
    Ok(0)
}

fn descriptor(chid: c_int) -> Result<c_int> {
    timer::drop_armed();
    Ok(CHANNELS.enter(chid)?.fd())
}

calls! {
    /// Makes a channel; see ChannelCreate(3).
    fn ChannelCreate ChannelCreate_r (flags: c_uint) -> c_int = create(flags);
    /// Ends a channel; see ChannelCreate(3).
    fn ChannelDestroy ChannelDestroy_r (chid: c_int) -> c_int = destroy(chid);
    /// Says who may connect to a channel; see qnet_channel_access(3).
    fn qnet_channel_access qnet_channel_access_r
        (chid: c_int, uid: libc::uid_t, gid: libc::gid_t, mode: libc::mode_t) -> c_int
        = access(chid, uid, gid, mode);
    /// Tells the descriptor of a channel; see qnet_channel_access(3).
    fn qnet_channel_fd qnet_channel_fd_r (chid: c_int) -> c_int = descriptor(chid);
}
