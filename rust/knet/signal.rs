// SPDX-License-Identifier: GPL-2.0

//! Signals to processes.
//!
//! C header: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::pid::Pid;
use crate::sys::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What a signal tells its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    /// Its number.
    pub(crate) signo: i32,
    /// Its code; one that is reserved for the kernel, or says that `tgkill()` was called, counts as
    /// `SI_QUEUE`.
    pub(crate) code: i32,
    /// Its value.
    pub(crate) value: i64,
    /// Who sends it.
    pub(crate) from: Sender,
}

/// Who a signal's receiver is told that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The calling process, in whose context it must be sent.
    Caller,
    /// Somebody on another node: no pid, and the overflow uid.
    Elsewhere,
}

/// Sends a signal to a process, or to one thread of it, by its number in the process's own pid
/// namespace. Nobody's rights are looked at. Legal in softirq; no lock of the process may be held.
///
/// A signal for a process with its value goes to a thread that does not block it; if all do, it
/// waits for any of them without its value: `send_sig_info()`, which takes one, is for a thread, and
/// what sends to a process with one (`group_send_sig_info()`, `do_send_sig_info()`, `send_sigqueue()`)
/// is not exported. `kill_pid_usb_asyncio()` is, but puts an address into the place of pid and uid.
///
/// Errors: `ESRCH` when there is no such process or thread, `EAGAIN` when too many wait.
pub(crate) fn send(pid: &Pid, tid: Option<i32>, info: &Info) -> Result {
    // SAFETY: `pid` is held.
    to_result(unsafe {
        bindings::qnet_helper_send_signal(
            pid.as_ptr(),
            tid.unwrap_or(0),
            info.signo,
            info.code,
            info.value,
            info.from == Sender::Caller,
        )
    })
}

/// Whether the caller may signal a process: the kernel's own answer, which security modules have a
/// say in. Process context.
///
/// Errors: `EPERM`, or what a security module says; `ESRCH` when it is gone.
pub(crate) fn caller_may_signal(pid: &Pid) -> Result {
    // SAFETY: `pid` is held.
    to_result(unsafe { bindings::qnet_helper_may_signal(pid.as_ptr()) })
}
