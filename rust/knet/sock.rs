// SPDX-License-Identifier: GPL-2.0

//! An address family whose sockets are Rust objects.
//!
//! Only calls that come by a file reach the object, so it is released once, when the last file is
//! gone and nobody is inside a call. The socket lock of the kernel is not taken around calls:
//! objects have locks of their own.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use super::{
    cred::Cred,
    msg::Msg,
    net::Net,
    pid::Pid,
    timer::now_ns, //
};
use crate::sys::bindings;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc, //
    },
    ThisModule, //
};

/// An object behind a socket.
pub(crate) trait Socket: Sized + Send + Sync + 'static {
    /// A socket of `ty` is made in `net`. Process context.
    ///
    /// If the kernel has no memory for its own part, the object is dropped without
    /// [`release`](Self::release).
    fn create(net: &Net, ty: c_int, protocol: c_int, kern: bool) -> Result<Arc<Self>>;

    /// The last file is gone. Process context.
    fn release(self: &Arc<Self>);

    /// `bind()`, with the address as given. `bell` is the socket's.
    fn bind(self: &Arc<Self>, bell: Bell, addr: &[u8]) -> Result;

    /// `connect()`, with the address as given; `flags` are the file's, and `bell` is the socket's.
    fn connect(self: &Arc<Self>, bell: Bell, addr: &[u8], flags: c_int) -> Result;

    /// `sendmsg()`, and what else sends. It may sleep until `deadline`, a time of
    /// [`now_ns`](super::timer::now_ns); 0: not at all. How many bytes were sent. Errors of a wait
    /// are to be passed through [`of_wait`].
    fn sendmsg(self: &Arc<Self>, msg: &mut Msg<'_>, deadline: Option<u64>) -> Result<usize>;

    /// `recvmsg()`, and what else receives, likewise.
    fn recvmsg(
        self: &Arc<Self>,
        msg: &mut Msg<'_>,
        flags: u32,
        deadline: Option<u64>,
    ) -> Result<usize>;

    /// What a `poll()` is told. What becomes possible later is rung by the [`Bell`].
    fn poll(&self) -> Ready;

    /// `getsockname()`, or `getpeername()` with `peer`. `out` is zero; the length is returned.
    fn name(&self, peer: bool, out: &mut [u8; 128]) -> Result<usize>;

    /// `ioctl()`, of 64-bit and of 32-bit programs. `ENOIOCTLCMD` for a command that is not known.
    ///
    /// Results that do not fit an `int` are `EOVERFLOW`.
    fn ioctl(self: &Arc<Self>, cmd: u32, arg: usize) -> Result<isize>;
}

/// What may be done with a socket without sleeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Receiving.
    pub(crate) receive: bool,
    /// Sending.
    pub(crate) send: bool,
    /// Nothing any more: the other end is gone.
    pub(crate) hung_up: bool,
}

impl Ready {
    fn bits(self) -> c_uint {
        let bit = |is: bool, bit: c_uint| if is { bit } else { 0 };
        bit(self.receive, bindings::qnet_poll_QNET_POLL_IN)
            | bit(self.send, bindings::qnet_poll_QNET_POLL_OUT)
            | bit(self.hung_up, bindings::qnet_poll_QNET_POLL_HUP)
    }
}

/// By which who polls a socket is woken.
///
/// # Invariants
///
/// It owns a reference to a `struct sock` of ours.
pub(crate) struct Bell(NonNull<bindings::sock>);

// SAFETY: A `struct sock` may be used by any thread, as far as the helpers do.
unsafe impl Send for Bell {}
// SAFETY: As above.
unsafe impl Sync for Bell {}

impl Bell {
    /// # Safety
    ///
    /// `sock` is a socket of ours, and a file of it is held.
    unsafe fn of(sock: *mut bindings::socket) -> Self {
        // INVARIANT: The helper takes a reference.
        // SAFETY: As the caller promises; such a socket has a `struct sock`.
        Self(unsafe { NonNull::new_unchecked(bindings::qnet_helper_sock_hold(sock)) })
    }

    /// Wakes who polls the socket: what `ready` says is possible now, which io_uring takes for true; if it
    /// says nothing, who polls looks for himself. Legal in softirq; no lock may
    /// be held.
    #[inline]
    pub(crate) fn ring(&self, ready: Ready) {
        // SAFETY: By the invariant it is held.
        unsafe { bindings::qnet_helper_sock_ring(self.0.as_ptr(), ready.bits()) }
    }

    /// How many bytes may wait for the socket, as SO_RCVBUF says. Any context.
    pub(crate) fn rcvbuf(&self) -> usize {
        // SAFETY: By the invariant it is held.
        unsafe { bindings::qnet_helper_sock_rcvbuf(self.0.as_ptr()) as usize }
    }

    /// The socket is connected to that process, as SO_PEERCRED tells. Process context.
    pub(crate) fn peer_is(&self, pid: &Pid, cred: &Cred) {
        // SAFETY: By the invariant it is held, and so are the others.
        unsafe { bindings::qnet_helper_sock_set_peer(self.0.as_ptr(), pid.as_ptr(), cred.as_ptr()) }
    }
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        // INVARIANT: The helper takes one more reference.
        // SAFETY: By the invariant it is held.
        unsafe { bindings::qnet_helper_sock_get(self.0.as_ptr()) };
        Self(self.0)
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: By the invariant the reference is ours.
        unsafe { bindings::qnet_helper_sock_put(self.0.as_ptr()) }
    }
}

/// The kernel's tables of a family.
struct Tables {
    proto: UnsafeCell<bindings::proto>,
    ops: UnsafeCell<bindings::proto_ops>,
    family: UnsafeCell<bindings::net_proto_family>,
}

// SAFETY: Written by `Family::register` alone, of which `TAKEN` lets only one be under way, before
// the kernel knows them; `proto` is also written by the kernel, under its own locks.
unsafe impl Sync for Tables {}

static TABLES: Tables = Tables {
    proto: UnsafeCell::new(pin_init::zeroed()),
    ops: UnsafeCell::new(pin_init::zeroed()),
    family: UnsafeCell::new(pin_init::zeroed()),
};

/// Whether the tables are in use.
static TAKEN: Atomic<u32> = Atomic::new(0);

/// A registered address family.
pub(crate) struct Family<S: Socket> {
    number: u8,
    _sockets: PhantomData<S>,
}

// SAFETY: A registration may be dropped by any thread; it holds no `S`.
unsafe impl<S: Socket> Send for Family<S> {}
// SAFETY: It has no methods that change anything.
unsafe impl<S: Socket> Sync for Family<S> {}

impl<S: Socket> Family<S> {
    /// Registers a family. From here on programs make sockets, each of which keeps the module.
    ///
    /// Errors: `EEXIST` if the number is taken, `ENOBUFS` if it is too high, `EBUSY` if this
    /// module has registered one already.
    pub(crate) fn register(
        number: u8,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result<Self> {
        TAKEN.cmpxchg(0, 1, Acquire).map_err(|_| EBUSY)?;
        // SAFETY: Nobody else uses the tables, because they were not taken.
        let result = unsafe { Self::fill_and_register(number, name, module) };
        if result.is_err() {
            TAKEN.store(0, Release);
        }
        result.map(|()| Self {
            number,
            _sockets: PhantomData,
        })
    }

    /// # Safety
    ///
    /// The tables are the caller's.
    unsafe fn fill_and_register(
        number: u8,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let module: *mut bindings::module = module.as_ptr().cast();
        let proto = Self::proto(name, module);
        let ops = Self::ops(number, module);
        let family = bindings::net_proto_family {
            family: number.into(),
            create: Some(create::<S>),
            owner: module,
        };
        // SAFETY: As the caller promises.
        unsafe {
            TABLES.proto.get().write(proto);
            TABLES.ops.get().write(ops);
            TABLES.family.get().write(family);
        }
        // SAFETY: The tables are static, filled, and not registered.
        to_result(unsafe { bindings::proto_register(TABLES.proto.get(), 1) })?;
        // SAFETY: As above.
        let result = to_result(unsafe { bindings::sock_register(TABLES.family.get()) });
        if result.is_err() {
            // SAFETY: It was registered just before, and no socket was made.
            unsafe { bindings::proto_unregister(TABLES.proto.get()) };
        }
        result
    }

    fn proto(name: &'static CStr, module: *mut bindings::module) -> bindings::proto {
        let mut proto = bindings::proto {
            owner: module,
            obj_size: size_of::<bindings::qnet_sock>() as c_uint,
            ..pin_init::zeroed()
        };
        for (to, from) in proto.name.iter_mut().zip(name.to_bytes_with_nul()) {
            *to = *from;
        }
        if let Some(last) = proto.name.last_mut() {
            *last = 0;
        }
        proto
    }

    fn ops(number: u8, module: *mut bindings::module) -> bindings::proto_ops {
        bindings::proto_ops {
            family: number.into(),
            owner: module,
            release: Some(release::<S>),
            bind: Some(bind::<S>),
            connect: Some(connect::<S>),
            socketpair: Some(bindings::sock_no_socketpair),
            accept: Some(bindings::sock_no_accept),
            getname: Some(getname::<S>),
            ioctl: Some(ioctl::<S>),
            #[cfg(CONFIG_COMPAT)]
            compat_ioctl: Some(compat_ioctl::<S>),
            gettstamp: Some(bindings::sock_gettstamp),
            listen: Some(bindings::sock_no_listen),
            shutdown: Some(bindings::sock_no_shutdown),
            sendmsg: Some(sendmsg::<S>),
            recvmsg: Some(recvmsg::<S>),
            poll: Some(poll::<S>),
            mmap: Some(bindings::sock_no_mmap),
            ..pin_init::zeroed()
        }
    }
}

impl<S: Socket> Drop for Family<S> {
    fn drop(&mut self) {
        // SAFETY: Both were registered by `register`. Sockets keep the module, so there is none.
        unsafe {
            bindings::sock_unregister(self.number.into());
            bindings::proto_unregister(TABLES.proto.get());
        }
        TAKEN.store(0, Release);
    }
}

/// # Safety
///
/// Called by the kernel for a new socket, in process context.
unsafe extern "C" fn create<S: Socket>(
    net: *mut bindings::net,
    sock: *mut bindings::socket,
    protocol: c_int,
    kern: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: `sock` is the caller's, and valid.
        let ty = unsafe { (*sock).type_ };
        // SAFETY: `net` is valid for the call.
        let namespace = unsafe { Net::from_raw(net) };
        let object = S::create(namespace, ty.into(), protocol, kern != 0)?;
        let data = Arc::into_raw(object);
        // SAFETY: The tables are registered, and say what size the socket has. The reference goes
        // to the socket if the helper succeeds.
        let attached = to_result(unsafe {
            bindings::qnet_helper_sock_attach(
                net,
                sock,
                (*TABLES.family.get()).family,
                TABLES.proto.get(),
                TABLES.ops.get(),
                kern != 0,
                data.cast_mut().cast(),
            )
        });
        if attached.is_err() {
            // SAFETY: The helper did not take it.
            drop(unsafe { Arc::from_raw(data) });
        }
        attached.map(|()| 0)
    })
}

/// The object of a socket, without a reference of its own.
///
/// # Safety
///
/// `sock` is a socket of `Family<S>`, and a file of it is held for the time of the use.
#[inline]
unsafe fn object<S: Socket>(sock: *mut bindings::socket) -> ManuallyDrop<Arc<S>> {
    // SAFETY: `create` put the reference there, and only `release` takes it out, which does not
    // run while a file is held. It is not dropped here.
    unsafe {
        let sk = (*sock).sk.cast::<bindings::qnet_sock>();
        ManuallyDrop::new(Arc::from_raw((*sk).data.cast::<S>()))
    }
}

/// # Safety
///
/// Called by the kernel when the last file of a socket of ours is gone.
unsafe extern "C" fn release<S: Socket>(sock: *mut bindings::socket) -> c_int {
    // SAFETY: Nobody uses the socket any more.
    let data = unsafe { bindings::qnet_helper_sock_detach(sock) };
    if !data.is_null() {
        // SAFETY: The socket's reference, from `create`.
        let object: Arc<S> = unsafe { Arc::from_raw(data.cast_const().cast()) };
        object.release();
    }
    0
}

/// The address that a program gave.
///
/// # Safety
///
/// `len` bytes at `addr` can be read during `'a`, or `len` is not positive.
unsafe fn address<'a>(addr: *mut bindings::sockaddr_unsized, len: c_int) -> &'a [u8] {
    match usize::try_from(len) {
        // SAFETY: As the caller promises.
        Ok(len) if len > 0 => unsafe { slice::from_raw_parts(addr.cast(), len) },
        _ => &[],
    }
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with an address of its own.
unsafe extern "C" fn bind<S: Socket>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr_unsized,
    len: c_int,
) -> c_int {
    // SAFETY: As the kernel promises.
    let (object, bell, addr) = unsafe { (object::<S>(sock), Bell::of(sock), address(addr, len)) };
    from_result(|| object.bind(bell, addr).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with an address of its own.
unsafe extern "C" fn connect<S: Socket>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr_unsized,
    len: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: As the kernel promises.
    let (object, bell, addr) = unsafe { (object::<S>(sock), Bell::of(sock), address(addr, len)) };
    from_result(|| object.connect(bell, addr, flags).map(|()| 0))
}

/// Until when a call on a socket may wait.
///
/// # Safety
///
/// `sock` is a socket of ours, and a file of it is held.
unsafe fn deadline(sock: *mut bindings::socket, sends: bool, flags: c_uint) -> Option<u64> {
    // SAFETY: As the caller promises.
    match unsafe { bindings::qnet_helper_sock_wait_ns(sock, sends, flags) } {
        u64::MAX => None,
        0 => Some(0),
        ns => Some(now_ns().saturating_add(ns)),
    }
}

/// What a program is told, as by other sockets, of an error that ended a wait until `deadline`, before
/// which nothing was done.
pub(crate) fn of_wait(error: Error, deadline: Option<u64>) -> Error {
    match error {
        ETIMEDOUT if deadline.is_some() => EAGAIN,
        EINTR if deadline.is_none() => ERESTARTSYS,
        error => error,
    }
}

/// What a program is told.
fn told(result: Result<usize>) -> c_int {
    // A message has not as many bytes.
    from_result(|| c_int::try_from(result?).map_err(|_| EOVERFLOW))
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with a message header of its own.
unsafe extern "C" fn sendmsg<S: Socket>(
    sock: *mut bindings::socket,
    header: *mut bindings::msghdr,
    _len: usize,
) -> c_int {
    // SAFETY: As the kernel promises.
    let (object, msg) = unsafe { (object::<S>(sock), Msg::from_raw(header)) };
    let Some(mut msg) = msg else {
        return EINVAL.to_errno();
    };
    // SAFETY: As the kernel promises.
    let deadline = unsafe { deadline(sock, true, msg.flags()) };
    told(object.sendmsg(&mut msg, deadline))
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with a message header of its own.
unsafe extern "C" fn recvmsg<S: Socket>(
    sock: *mut bindings::socket,
    header: *mut bindings::msghdr,
    _len: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: As the kernel promises.
    let (object, msg) = unsafe { (object::<S>(sock), Msg::from_raw(header)) };
    let Some(mut msg) = msg else {
        return EINVAL.to_errno();
    };
    // CAST: Flags are bits.
    let flags = flags as u32;
    // SAFETY: As the kernel promises.
    let deadline = unsafe { deadline(sock, false, flags) };
    told(object.recvmsg(&mut msg, flags, deadline))
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with a file of it that is held.
unsafe extern "C" fn poll<S: Socket>(
    file: *mut bindings::file,
    sock: *mut bindings::socket,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // Before the look at what is possible: what comes after that rings.
    // SAFETY: As the kernel promises.
    let object = unsafe {
        bindings::qnet_helper_sock_poll(file, sock, table);
        object::<S>(sock)
    };
    // SAFETY: It has no preconditions.
    unsafe { bindings::qnet_helper_poll_mask(object.poll().bits()) }
}

/// # Safety
///
/// Called by the kernel for a socket of ours, with room for a `struct sockaddr_storage`.
unsafe extern "C" fn getname<S: Socket>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr,
    peer: c_int,
) -> c_int {
    // SAFETY: As the kernel promises.
    let object = unsafe { object::<S>(sock) };
    let mut out = [0; 128];
    from_result(|| {
        // 2 is asked by BPF for getpeername() of an unconnected socket; the answer is the same.
        let len = object.name(peer != 0, &mut out)?.min(out.len());
        // SAFETY: There is room for 128 bytes.
        unsafe { addr.cast::<[u8; 128]>().write_unaligned(out) };
        c_int::try_from(len).map_err(|_| EINVAL)
    })
}

/// # Safety
///
/// Called by the kernel for a socket of ours.
unsafe extern "C" fn ioctl<S: Socket>(
    sock: *mut bindings::socket,
    cmd: c_uint,
    arg: c_ulong,
) -> c_int {
    // SAFETY: As the kernel promises.
    let object = unsafe { object::<S>(sock) };
    match object.ioctl(cmd, arg) {
        Ok(value) => c_int::try_from(value).unwrap_or(EOVERFLOW.to_errno()),
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// Called by the kernel for a socket of ours and a 32-bit program.
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl<S: Socket>(
    sock: *mut bindings::socket,
    cmd: c_uint,
    arg: c_ulong,
) -> c_int {
    // What the structures of the ABI hold is the same for both; only the pointer is cut.
    // SAFETY: As the kernel promises.
    unsafe { ioctl::<S>(sock, cmd, arg & 0xffff_ffff) }
}
