// SPDX-License-Identifier: GPL-2.0

//! System calls that the tests need and that neither the standard library nor `qnet` has.

use std::{
    ffi::c_int,
    io::{
        self,
        Read,
        Write, //
    },
    mem,
    os::{
        fd::{
            AsRawFd,
            FromRawFd,
            OwnedFd, //
        },
        unix::net::UnixStream, //
    },
    ptr,
    sync::atomic::{
        AtomicI32,
        AtomicU32,
        Ordering, //
    },
    time::Duration, //
};

use qnet::Error;
use qnet_sys::{
    qnet_client_info,
    qnet_current,
    QNET_IOC_CLIENT_INFO,
    QNET_IOC_CURRENT, //
};

/// What a system call says: a number that is not negative, or an error.
pub fn checked(value: impl Into<i64>) -> Result<i64, Error> {
    match value.into() {
        -1 => Err(last()),
        value => Ok(value),
    }
}

fn last() -> Error {
    Error::from_errno(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// An ioctl with any number and any argument, right or wrong.
///
/// # Safety
///
/// Whatever the kernel does with the argument must be allowed to happen to this process: tests
/// pass pointers to their own structures, or to memory that is not there.
pub unsafe fn ioctl(fd: &impl AsRawFd, number: u32, argument: u64) -> Result<i64, Error> {
    // SAFETY: The caller answers for the argument.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), number as _, argument) })
}

/// An ioctl on a structure of the caller.
///
/// # Safety
///
/// The pointers inside of `argument` must be to memory that the kernel may use as it will, or to
/// none.
pub unsafe fn ioctl_on<T>(fd: &impl AsRawFd, number: u32, argument: &mut T) -> Result<i64, Error> {
    // SAFETY: The structure is valid; the caller answers for what it points to.
    unsafe { ioctl(fd, number, argument as *mut T as u64) }
}

/// Who a client is, and its groups as far as there is room for so many.
pub fn client_info(
    socket: &impl AsRawFd,
    scoid: i32,
    room: usize,
) -> Result<(qnet_client_info, Vec<u32>), Error> {
    let mut groups = vec![0; room];
    let mut info = qnet_client_info {
        size: mem::size_of::<qnet_client_info>() as u32,
        scoid,
        ngroups: room as u32,
        groups: groups.as_mut_ptr() as u64,
        ..Default::default()
    };
    // SAFETY: There is room for so many groups.
    unsafe { ioctl_on(socket, QNET_IOC_CLIENT_INFO, &mut info)? };
    groups.truncate(info.ngroups as usize);
    Ok((info, groups))
}

/// MsgCurrent.
pub fn works_for(socket: &impl AsRawFd, rcvid: i32) -> Result<(), Error> {
    let mut current = qnet_current {
        size: mem::size_of::<qnet_current>() as u32,
        rcvid,
        ..Default::default()
    };
    // SAFETY: There is no pointer in it.
    unsafe { ioctl_on(socket, QNET_IOC_CURRENT, &mut current).map(drop) }
}

/// A socket of any kind.
pub fn socket(family: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd, Error> {
    // SAFETY: This call takes numbers and gives a new descriptor.
    let fd = checked(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: The descriptor is new, so this is its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// What of `events` may be done with a descriptor, once something of it may, within `patience`.
pub fn poll(fd: &impl AsRawFd, events: i16, patience: Duration) -> Result<i16, Error> {
    let mut one = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: There is one structure.
    checked(unsafe { libc::poll(&mut one, 1, patience.as_millis() as c_int) })?;
    Ok(one.revents)
}

/// `read()`: how many bytes there were.
pub fn read(fd: &impl AsRawFd, bytes: &mut [u8]) -> Result<usize, Error> {
    // SAFETY: There is room for so many bytes.
    let got = unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
    checked(got as i64).map(|got| got as usize)
}

/// `recv()` without flags: how many bytes there were.
pub fn receive(fd: &impl AsRawFd, bytes: &mut [u8]) -> Result<usize, Error> {
    // SAFETY: There is room for so many bytes.
    let got = unsafe { libc::recv(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    checked(got as i64).map(|got| got as usize)
}

/// An epoll descriptor.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// One that waits for nothing.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: This call takes numbers and gives a new descriptor.
        let fd = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: The descriptor is new, so this is its only owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as c_int) }))
    }

    /// Waits for a descriptor to become readable, and calls it `number`.
    pub fn add(&self, fd: &impl AsRawFd, number: u64) -> Result<(), Error> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: number,
        };
        // SAFETY: The structure is valid.
        checked(unsafe {
            libc::epoll_ctl(
                self.0.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &mut event,
            )
        })
        .map(drop)
    }

    /// The number of one that is readable, once one is, within `patience`.
    pub fn wait(&self, patience: Duration) -> Result<Option<u64>, Error> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: There is room for one structure.
        let count = checked(unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                &mut event,
                1,
                patience.as_millis() as c_int,
            )
        })?;
        Ok((count == 1).then_some(event.u64))
    }
}

/// Calls on a descriptor do not block from now on, or do.
pub fn set_nonblocking(fd: &impl AsRawFd, nonblocking: bool) -> Result<(), Error> {
    let flags = if nonblocking { libc::O_NONBLOCK } else { 0 };
    // SAFETY: This call takes numbers.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// A descriptor sends this process SIGIO from now on.
pub fn set_asynchronous(fd: &impl AsRawFd) -> Result<(), Error> {
    // SAFETY: These calls take numbers.
    unsafe {
        checked(libc::fcntl(fd.as_raw_fd(), libc::F_SETOWN, libc::getpid()))?;
        checked(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC)).map(drop)
    }
}

/// Sets an option of a socket, of those that every kind has.
pub fn set_option<T>(fd: &impl AsRawFd, option: c_int, value: T) -> Result<(), Error> {
    // SAFETY: The kernel only reads the value, whose length it is told.
    checked(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            mem::size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Who is at the other end of a socket.
pub fn peer_credentials(fd: &impl AsRawFd) -> Result<libc::ucred, Error> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = mem::size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: The places are valid, and the kernel is told how long the first is.
    checked(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &mut length,
        )
    })?;
    Ok(credentials)
}

/// The calling thread's number.
pub fn gettid() -> i32 {
    // SAFETY: This call takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// Sends a signal to a process.
pub fn kill(pid: i32, signal: c_int) -> Result<(), Error> {
    // SAFETY: This call takes numbers; the tests signal their own children.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends a signal to a thread of this process.
pub fn kill_thread(tid: i32, signal: c_int) -> Result<(), Error> {
    kill_thread_of(std::process::id() as i32, tid, signal)
}

/// Sends a signal to a thread of a process.
pub fn kill_thread_of(pid: i32, tid: i32, signal: c_int) -> Result<(), Error> {
    // SAFETY: This call takes numbers; the tests signal their own threads, and those of children.
    checked(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// A thread of this process that is stopped, alone, as by a debugger; it goes on when this is dropped.
#[derive(Debug)]
pub struct Stopped {
    tracer: i32,
    /// Its end tells the tracer to let the thread go on.
    stop: Option<UnixStream>,
}

impl Stopped {
    /// Stops the thread, by a child that traces it.
    pub fn thread(tid: i32) -> Result<Self, Error> {
        let pair = UnixStream::pair();
        let (mut ours, mut theirs) = pair.map_err(|_| last())?;
        let end = ours.as_raw_fd();
        let tracer = fork(|| {
            // SAFETY: The child's copy of the other end, which it does not use.
            unsafe { libc::close(end) };
            let stopped = trace(libc::PTRACE_SEIZE, tid)
                .and_then(|()| trace(libc::PTRACE_INTERRUPT, tid))
                .and_then(|()| {
                    // SAFETY: No place for a status is given.
                    checked(unsafe { libc::waitpid(tid, ptr::null_mut(), libc::__WALL) })
                });
            if let Err(error) = stopped {
                return error.errno();
            }
            let told = theirs.write_all(&[1]).and_then(|()| theirs.read(&mut [0]));
            match trace(libc::PTRACE_DETACH, tid) {
                Ok(()) => i32::from(told.is_err()),
                Err(error) => error.errno(),
            }
        })?;
        drop(theirs);
        let mut byte = [0];
        match ours.read(&mut byte) {
            Ok(1) => Ok(Self {
                tracer,
                stop: Some(ours),
            }),
            _ => Err(wait(tracer).map(Error::from_errno)?),
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.stop = None;
        assert_eq!(wait(self.tracer), Ok(0), "the tracer's status");
    }
}

/// ptrace() with no more arguments than these.
fn trace(what: libc::c_uint, tid: i32) -> Result<(), Error> {
    // As wide as the C library reads them: of a plain 0 it would read more than there is.
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: Nothing of these requests is an address.
    checked(unsafe { libc::ptrace(what, tid, none, none) }).map(drop)
}

extern "C" fn nothing(_: c_int) {}

/// Handles a signal by doing nothing, with the given `SA_*` flags.
pub fn handle(signal: c_int, flags: c_int) -> Result<(), Error> {
    // SAFETY: All zero is a valid structure: no mask, no restorer.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let handler: extern "C" fn(c_int) = nothing;
    action.sa_sigaction = handler as usize;
    action.sa_flags = flags;
    // SAFETY: The structure is valid and the handler does nothing.
    checked(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }).map(drop)
}

/// What the last signal that [`Told`] handled said: its code, its value, and how many there were.
static TOLD: (AtomicI32, AtomicI32, AtomicU32) =
    (AtomicI32::new(0), AtomicI32::new(0), AtomicU32::new(0));

extern "C" fn tell(_: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: The kernel gives a handler the signal's information, and the signals of the tests carry
    // a value.
    let (code, value) = unsafe { ((*info).si_code, (*info).si_value().sival_ptr as usize) };
    TOLD.0.store(code, Ordering::Relaxed);
    TOLD.1.store(value as i32, Ordering::Relaxed);
    TOLD.2.fetch_add(1, Ordering::Release);
}

/// A signal whose code and value are of interest. A process has one at a time.
#[derive(Debug)]
pub struct Told {
    before: u32,
}

impl Told {
    /// Handles the signal from now on.
    pub fn of(signal: c_int) -> Result<Self, Error> {
        // SAFETY: All zero is a valid structure: no mask, no restorer.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = tell;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: The structure is valid, and the handler only stores numbers.
        checked(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) })?;
        Ok(Self {
            before: TOLD.2.load(Ordering::Acquire),
        })
    }

    /// Waits until the signal has come: its code and its value.
    pub fn wait(&self, patience: Duration) -> Result<(c_int, i32), Error> {
        within(patience, || {
            (TOLD.2.load(Ordering::Acquire) != self.before).then(|| {
                (
                    TOLD.0.load(Ordering::Relaxed),
                    TOLD.1.load(Ordering::Relaxed),
                )
            })
        })
        .ok_or(Error::ETIMEDOUT)
    }
}

/// What a child of [`fork`] does, and with which status it ends.
pub fn in_child(child: impl FnOnce() -> c_int) -> Result<c_int, Error> {
    wait(fork(child)?)
}

/// Starts a child that does this and ends with that status: its number.
///
/// The child ends with `_exit`, so nothing of the parent runs twice.
pub fn fork(child: impl FnOnce() -> c_int) -> Result<i32, Error> {
    // SAFETY: The tests fork while their process has no other thread that holds a lock which the
    // child needs; the child makes system calls and ends.
    match checked(unsafe { libc::fork() })? {
        0 => {
            let status = child();
            // SAFETY: Ends the child at once.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid as i32),
    }
}

/// Waits for a child: its status, or 128 and the number of the signal that ended it.
pub fn wait(pid: i32) -> Result<c_int, Error> {
    let mut status = 0;
    // SAFETY: The place for the status is valid.
    checked(unsafe { libc::waitpid(pid, &mut status, 0) })?;
    Ok(exit_status(status))
}

fn exit_status(status: c_int) -> c_int {
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    }
}

/// A child that has ended, if there is one, and its status as of [`wait`].
pub fn ended() -> Option<(i32, c_int)> {
    let mut status = 0;
    // SAFETY: The place for the status is valid.
    match unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) } {
        pid if pid > 0 => Some((pid, exit_status(status))),
        _ => None,
    }
}

/// Whether this process has children that it did not wait for.
pub fn has_children() -> bool {
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: All zero is a valid structure, and the call may write to it.
    let told = unsafe { libc::waitid(libc::P_ALL, 0, &mut mem::zeroed(), how) };
    told == 0
}

/// Makes the children of children that end this process's own.
pub fn adopt_orphans() -> Result<(), Error> {
    // SAFETY: This call takes numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Memory for a `T` of all zero bytes that children of this process share with it, for as long as it
/// lives.
///
/// # Safety
///
/// All zero must be a valid `T`, and other processes change it at any time: it is to be of atomic
/// numbers.
pub unsafe fn shared<T: Sync>() -> Result<&'static T, Error> {
    // SAFETY: A new mapping, wherever the kernel likes.
    let place = unsafe {
        libc::mmap(
            ptr::null_mut(),
            mem::size_of::<T>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED {
        return Err(last());
    }
    // SAFETY: The mapping is long enough, begins with a page, is all zero, and is never taken back.
    Ok(unsafe { &*place.cast::<T>() })
}

/// Sets how the calling thread is scheduled: an ordinary one with this niceness.
pub fn set_nice(nice: i32) -> Result<(), Error> {
    // SAFETY: This call takes numbers.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, gettid() as libc::id_t, nice) })
        .map(drop)
}

/// Sets how the calling thread is scheduled: in real time, first in first out.
pub fn set_fifo(priority: i32) -> Result<(), Error> {
    let param = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: The structure is valid.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) }).map(drop)
}

/// Sets how the calling thread is scheduled: as an ordinary one.
pub fn set_ordinary() -> Result<(), Error> {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: The structure is valid.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &param) }).map(drop)
}

/// Sets how far this process may go without privilege: in real time, and 20 less the least niceness.
pub fn limit_priority(real_time: u64, nice: u64) -> Result<(), Error> {
    for (resource, value) in [(libc::RLIMIT_RTPRIO, real_time), (libc::RLIMIT_NICE, nice)] {
        let limit = libc::rlimit {
            rlim_cur: value,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: The structure is valid.
        checked(unsafe { libc::setrlimit(resource, &limit) })?;
    }
    Ok(())
}

/// How a thread of this process is scheduled: its policy, and its priority in real time or else its
/// niceness.
pub fn scheduled(tid: i32) -> Result<(c_int, c_int), Error> {
    // SAFETY: This call takes numbers.
    let policy = checked(unsafe { libc::sched_getscheduler(tid) })? as c_int;
    let mut param = libc::sched_param { sched_priority: 0 };
    // SAFETY: The structure can be written.
    checked(unsafe { libc::sched_getparam(tid, &mut param) })?;
    if param.sched_priority != 0 {
        return Ok((policy, param.sched_priority));
    }
    // The system call itself, because -1 is a niceness: it says 20 less the niceness.
    // SAFETY: This call takes numbers.
    let said = checked(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, tid) })?;
    Ok((policy, 20 - said as c_int))
}

/// Makes the calling thread, and no other, one of the user and the group `id`, in these groups more.
pub fn become_user(id: u32, groups: &[u32]) -> Result<(), Error> {
    // SAFETY: The array is valid; the others take numbers. The C library's functions would change
    // all threads.
    unsafe {
        checked(libc::syscall(
            libc::SYS_setgroups,
            groups.len(),
            groups.as_ptr(),
        ))?;
        checked(libc::syscall(libc::SYS_setresgid, id, id, id))?;
        checked(libc::syscall(libc::SYS_setresuid, id, id, id)).map(drop)
    }
}

/// Lets this process have at most so many descriptors.
pub fn limit_files(count: u64) -> Result<(), Error> {
    let limit = libc::rlimit {
        rlim_cur: count,
        rlim_max: count,
    };
    // SAFETY: The structure is valid.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}

/// Two pages, of which the second is not there: bytes that end where memory ends.
#[derive(Debug)]
pub struct Edge {
    base: *mut u8,
}

impl Edge {
    /// The size of a page.
    pub const PAGE: usize = 4096;

    /// Maps the pages.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: A new mapping, wherever the kernel likes.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                2 * Self::PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(last());
        }
        let base: *mut u8 = base.cast();
        // SAFETY: The second page is ours, and nothing is in it.
        checked(unsafe {
            libc::mprotect(base.add(Self::PAGE).cast(), Self::PAGE, libc::PROT_NONE)
        })?;
        Ok(Self { base })
    }

    /// The address so many bytes before the end of what is there.
    pub fn before(&self, bytes: usize) -> u64 {
        self.base as u64 + (Self::PAGE - bytes) as u64
    }

    /// Copies bytes to the address [`before`](Self::before) as many as they are.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        assert!(bytes.len() <= Self::PAGE);
        let address = self.before(bytes.len());
        // SAFETY: The bytes fit into the first page, which is ours.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
        address
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // SAFETY: The mapping is ours, and nobody keeps an address in it.
        unsafe { libc::munmap(self.base.cast(), 2 * Self::PAGE) };
    }
}

/// Makes the next child of this process have the number `pid`, runs it, and never returns in it.
pub fn fork_with_pid(pid: i32, child: impl FnOnce() -> c_int) -> Result<i32, Error> {
    let wanted = [pid];
    // struct clone_args of linux/sched.h, up to set_tid_size.
    let mut arguments = [0u64; 10];
    arguments[4] = libc::SIGCHLD as u64;
    arguments[8] = wanted.as_ptr() as u64;
    arguments[9] = wanted.len() as u64;
    // SAFETY: The structure and what it points to are valid. Like fork(), and this process has
    // one thread.
    match checked(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            arguments.as_mut_ptr(),
            mem::size_of_val(&arguments),
        )
    })? {
        0 => {
            let status = child();
            // SAFETY: Ends the child at once.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid as i32),
    }
}

/// The monotonic clock, in nanoseconds.
pub fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: The place for the time is valid, and this clock cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Asks again until there is an answer or the time is over.
pub fn within<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = now() + time.as_nanos() as u64;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
