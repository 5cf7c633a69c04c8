// SPDX-License-Identifier: GPL-2.0

//! Log lines that a peer can cause: as many as `net_ratelimit()` lets through.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use crate::sys::bindings;

/// Whether a line may be written now.
pub(crate) fn allowed() -> bool {
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_net_ratelimit() }
}

/// Like `pr_warn!`, but not too often.
macro_rules! pr_warn_ratelimited {
    ($($arg:tt)*) => {
        if $crate::knet::log::allowed() {
            ::kernel::pr_warn!($($arg)*);
        }
    };
}
pub(crate) use pr_warn_ratelimited;
