// SPDX-License-Identifier: LGPL-2.1-or-later

//! netmgr_strtond(), netmgr_ndtostr(), netmgr_path() and netmgr_remote_nd().

use std::{
    ffi::{
        c_char,
        c_int,
        c_uint,
        CStr, //
    },
    ptr,
};

use qnet::{
    raw,
    Error,
    Node,
    Result, //
};

use crate::{
    answer,
    timer, //
};

const DIR_SHOW: c_uint = 0x1;
const DIR_HIDE: c_uint = 0x2;
const QOS_SHOW: c_uint = 0x4;
const QOS_HIDE: c_uint = 0x8;
const NAME_SHOW: c_uint = 0x10;
const NAME_HIDE: c_uint = 0x20;
const DOMAIN_SHOW: c_uint = 0x40;
const DOMAIN_HIDE: c_uint = 0x80;
const LOCAL_STR: c_uint = 0x1000;
const SEP_FORCE: c_uint = 0x2000;

const PARTS: c_uint =
    DIR_SHOW | DIR_HIDE | QOS_SHOW | QOS_HIDE | NAME_SHOW | NAME_HIDE | DOMAIN_SHOW | DOMAIN_HIDE;

/// The directory that every node's name is in.
const DIRECTORY: &str = "/net/";
/// The quality of service of a name that tells none.
const DEFAULT_QOS: &str = "loadbalance";

fn check(flags: c_uint) -> Result<()> {
    let pairs = [
        DIR_SHOW | DIR_HIDE,
        QOS_SHOW | QOS_HIDE,
        NAME_SHOW | NAME_HIDE,
        DOMAIN_SHOW | DOMAIN_HIDE,
    ];
    let unknown = flags & !(PARTS | LOCAL_STR | SEP_FORCE) != 0;
    if unknown || pairs.iter().any(|pair| flags & pair == *pair) {
        return Err(Error::EINVAL);
    }
    Ok(())
}

/// A node's name in its parts.
struct Parts<'a> {
    name: &'a str,
    domain: &'a str,
    qos: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes apart what the module says: `name`, `name.domain`, either with `~qos` behind it.
    fn of(text: &'a str) -> Self {
        let (full, qos) = match text.split_once('~') {
            Some((full, qos)) => (full, Some(qos)),
            None => (text, None),
        };
        let (name, domain) = full.split_once('.').unwrap_or((full, ""));
        Self { name, domain, qos }
    }

    /// Puts together what `flags` ask for, on a node whose own domain is `local_domain`.
    fn join(&self, flags: c_uint, local_domain: &str) -> String {
        let mut text = String::new();
        let force = flags & SEP_FORCE != 0;
        if flags & DIR_SHOW != 0 {
            text.push_str(DIRECTORY);
        }
        if flags & NAME_HIDE == 0 {
            if force && text.is_empty() {
                text.push('/');
            }
            text.push_str(self.name);
        }
        if self.shows_domain(flags, local_domain) {
            // A domain alone has no dot unless one is asked for.
            if force || !(text.is_empty() || text.ends_with('/')) {
                text.push('.');
            }
            text.push_str(self.domain);
        }
        if let Some(qos) = self.shown_qos(flags) {
            if force || !(text.is_empty() || text.ends_with('/')) {
                text.push('~');
            }
            text.push_str(qos);
        }
        if flags & DIR_SHOW != 0 && !text.ends_with('/') {
            text.push('/');
        }
        text
    }

    fn shows_domain(&self, flags: c_uint, local_domain: &str) -> bool {
        let hidden = flags & DOMAIN_HIDE != 0
            || flags & (LOCAL_STR | DOMAIN_SHOW) == LOCAL_STR && self.domain == local_domain;
        !hidden && !self.domain.is_empty()
    }

    fn shown_qos(&self, flags: c_uint) -> Option<&'a str> {
        match self.qos {
            _ if flags & QOS_HIDE != 0 => None,
            None if flags & QOS_SHOW != 0 => Some(DEFAULT_QOS),
            qos => qos,
        }
    }
}

fn describe(flags: c_uint, nd: u32) -> Result<String> {
    check(flags)?;
    let text = match Node::from_raw(nd).name() {
        Ok(text) => text,
        // Without Qnet there is this node alone, and its directory is the root's.
        Err(Error::ENOTSUP) if nd == 0 && flags & DIR_SHOW != 0 => return Ok("/".to_owned()),
        Err(error) => return Err(error),
    };
    // Only this form of the name needs to know where it will be read.
    let local = match flags & LOCAL_STR {
        0 => String::new(),
        _ => Node::LOCAL.name()?,
    };
    Ok(Parts::of(&text).join(flags, Parts::of(&local).domain))
}

/// # Safety
///
/// `name` must be null or a string, and `end` null or valid to write.
unsafe fn strtond(name: *const c_char, end: *mut *mut c_char) -> Result<c_int> {
    let timeout = timer::take();
    if name.is_null() {
        return Err(Error::EINVAL);
    }
    // SAFETY: It is not null, and the caller says that it is a string then.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    let (nd, used) = raw::strtond(bytes, timeout).map_err(absent)?;
    // SAFETY: The caller says that it is null or valid.
    if let Some(end) = unsafe { end.as_mut() } {
        *end = name.wrapping_add(used.min(bytes.len())).cast_mut();
    }
    Ok(nd as c_int)
}

/// Without Qnet no node can be found.
fn absent(error: Error) -> Error {
    match error {
        Error::EAFNOSUPPORT => Error::ENOTSUP,
        other => other,
    }
}

fn remote_nd(remote: c_int, local: c_int) -> Result<c_int> {
    let timeout = timer::take();
    if remote < 0 || local < 0 {
        return Err(Error::EINVAL);
    }
    let (asked, named) = (Node::from_raw(remote as u32), Node::from_raw(local as u32));
    if asked.is_local() {
        return Ok(local);
    }
    if asked.is_same_machine(named) {
        return Ok(0);
    }
    let nd = raw::remote_nd(remote as u32, local as u32, timeout).map_err(absent)?;
    Ok(nd as c_int)
}

/// The path of `suffix` on the node that `name` begins with; what follows the node there comes
/// first.
fn path(name: &[u8], suffix: &[u8]) -> Result<Vec<u8>> {
    let (nd, used) = match name {
        [] => (0, 0),
        name => raw::strtond(name, timer::take()).map_err(absent)?,
    };
    let mut path = describe(DIR_SHOW, nd)?.into_bytes();
    for part in [&name[used.min(name.len())..], suffix] {
        let part = part.strip_prefix(b"/").unwrap_or(part);
        if !part.is_empty() && path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend(part);
    }
    Ok(path)
}

/// Finds the node that a string names; see netmgr_strtond(3).
///
/// # Safety
///
/// `nodename` must be null or a string, and `endstr` null or valid to write.
#[no_mangle]
pub unsafe extern "C" fn netmgr_strtond(
    nodename: *const c_char,
    endstr: *mut *mut c_char,
) -> c_int {
    answer::classic(|| {
        // SAFETY: The caller promises what is asked for.
        unsafe { strtond(nodename, endstr) }
    })
}

/// Tells the name of a node; see netmgr_strtond(3).
///
/// # Safety
///
/// `buf` must be valid to write for `maxbuf` bytes.
#[no_mangle]
pub unsafe extern "C" fn netmgr_ndtostr(
    flags: c_uint,
    nd: c_int,
    buf: *mut c_char,
    maxbuf: usize,
) -> c_int {
    answer::classic(|| {
        timer::drop_armed();
        let text = describe(flags, nd as u32)?;
        // SAFETY: The caller promises what is asked for.
        unsafe { copy_out(text.as_bytes(), buf, maxbuf) };
        Ok(text.len() as c_int)
    })
}

/// Tells the number that another node has for a node; see netmgr_remote_nd(3).
#[no_mangle]
pub extern "C" fn netmgr_remote_nd(remote: c_int, local: c_int) -> c_int {
    answer::classic(|| remote_nd(remote, local))
}

/// Writes the path of something on a node; see netmgr_strtond(3).
///
/// # Safety
///
/// `nodename` and `suffix` must be null or strings, and `buf` valid to write for `maxbuf` bytes.
#[no_mangle]
pub unsafe extern "C" fn netmgr_path(
    nodename: *const c_char,
    suffix: *const c_char,
    buf: *mut c_char,
    maxbuf: usize,
) -> c_int {
    answer::classic(|| {
        // SAFETY: The caller promises what is asked for.
        let text = unsafe { path(bytes_of(nodename), bytes_of(suffix)) }?;
        if text.len() >= maxbuf {
            return Err(Error::ENAMETOOLONG);
        }
        // SAFETY: As above.
        unsafe { copy_out(&text, buf, maxbuf) };
        Ok(text.len() as c_int)
    })
}

/// The bytes of a string, none for null.
///
/// # Safety
///
/// `string` must be null or a string that stays for `'a`.
unsafe fn bytes_of<'a>(string: *const c_char) -> &'a [u8] {
    if string.is_null() {
        return &[];
    }
    // SAFETY: It is not null, and the caller says that it is a string then.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// Writes as much of `text` as fits, and a NUL behind it.
///
/// # Safety
///
/// `buf` must be valid to write for `maxbuf` bytes.
unsafe fn copy_out(text: &[u8], buf: *mut c_char, maxbuf: usize) {
    let Some(room) = maxbuf.checked_sub(1) else {
        return;
    };
    let length = text.len().min(room);
    // SAFETY: There is room for `length` bytes and a NUL, and the text is not in the caller's
    // buffer.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), buf.cast(), length);
        *buf.add(length) = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(text: &str, flags: c_uint) -> String {
        Parts::of(text).join(flags, "qnx.com")
    }

    #[test]
    fn documented_examples() {
        assert_eq!(join("peterv.qnx.com", DIR_SHOW), "/net/peterv.qnx.com/");
        assert_eq!(join("peterv.qnx.com", LOCAL_STR), "peterv");
        assert_eq!(
            join("peterv.anotherhost.com", LOCAL_STR),
            "peterv.anotherhost.com"
        );
        let only_qos = SEP_FORCE | DIR_HIDE | NAME_HIDE | DOMAIN_HIDE | QOS_SHOW;
        assert_eq!(join("self.qnx.com", only_qos), "~loadbalance");
    }

    #[test]
    fn parts() {
        assert_eq!(join("a.b.c", 0), "a.b.c");
        assert_eq!(join("a", 0), "a");
        assert_eq!(join("a.b~exclusive:en0", 0), "a.b~exclusive:en0");
        assert_eq!(join("a.b~exclusive:en0", QOS_HIDE), "a.b");
        assert_eq!(join("a.b", QOS_SHOW), "a.b~loadbalance");
        assert_eq!(join("a.b", DOMAIN_HIDE), "a");
        assert_eq!(join("a.b", NAME_HIDE), "b");
        assert_eq!(join("a.b", NAME_HIDE | SEP_FORCE), ".b");
        assert_eq!(join("a.b", SEP_FORCE), "/a.b");
        assert_eq!(join("a.b", SEP_FORCE | DIR_SHOW), "/net/a.b/");
        assert_eq!(join("a.b", DIR_SHOW | NAME_HIDE | DOMAIN_HIDE), "/net/");
        assert_eq!(join("a.qnx.com", LOCAL_STR | DOMAIN_SHOW), "a.qnx.com");
        assert_eq!(
            join("a.b", NAME_HIDE | DOMAIN_HIDE | QOS_SHOW),
            "loadbalance"
        );
    }

    #[test]
    fn flags_that_contradict() {
        assert_eq!(check(DIR_SHOW | QOS_HIDE | LOCAL_STR | SEP_FORCE), Ok(()));
        for bad in [0x3, 0xc, 0x30, 0xc0, 0x100, 0x8000_0000] {
            assert_eq!(check(bad), Err(Error::EINVAL), "{bad:#x}");
        }
    }
}
