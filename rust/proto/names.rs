// SPDX-License-Identifier: GPL-2.0

//! Names of nodes: name, domain, both together (FQNN), and the strings in which programs give them.
//!
//! A name is what the LAN knows a node by in its domain; `name.domain` is unique among the nodes
//! that talk to each other. Names are compared byte by byte: `Bob` and `bob` are two nodes.

use core::cmp::Ordering;
use core::fmt;

/// The longest name.
pub const NAME_MAX: usize = 63;

/// The longest `name.domain`.
pub const FQNN_MAX: usize = 255;

/// The longest domain: what an FQNN has room for beside a name of one byte and the dot.
pub const DOMAIN_MAX: usize = FQNN_MAX - 2;

/// The longest name of a network interface (the kernel's `IFNAMSIZ`, without NUL).
pub const INTERFACE_MAX: usize = 15;

/// The directory under which programs see the nodes.
const NET_DIRECTORY: &[u8] = b"/net/";

/// Why bytes are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is no name.
    Empty,
    /// A byte that cannot stand in a name or domain.
    Byte,
    /// A name, domain, FQNN or interface is too long.
    Long,
    /// A domain has an empty part: it starts or ends with a dot or has two in a row.
    Label,
    /// The policy after the `~` is unknown, or its interface is missing.
    Qos,
}

/// Whether `byte` can stand in a name. Blanks and control bytes cannot, so that a name is one word
/// in each table that shows it; bytes above ASCII can.
const fn is_name_byte(byte: u8) -> bool {
    !matches!(byte, 0..=b' ' | 0x7f | b'/' | b'.' | b'~')
}

/// A copy of `bytes`, followed by zeros.
fn padded<const N: usize>(bytes: &[u8]) -> Result<[u8; N], NameError> {
    let mut copy = [0; N];
    let head = copy.get_mut(..bytes.len()).ok_or(NameError::Long)?;
    head.copy_from_slice(bytes);
    Ok(copy)
}

/// A short byte string, kept in place. What is behind its end is zero, hence the derived comparison
/// is right.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    fn new(bytes: &[u8]) -> Result<Self, NameError> {
        Ok(Self {
            bytes: padded(bytes)?,
            len: u8::try_from(bytes.len()).map_err(|_| NameError::Long)?,
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.len))
            .unwrap_or(&self.bytes)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), NameError> {
        let start = usize::from(self.len);
        let end = start.checked_add(bytes.len()).ok_or(NameError::Long)?;
        self.bytes
            .get_mut(start..end)
            .ok_or(NameError::Long)?
            .copy_from_slice(bytes);
        self.len = u8::try_from(end).map_err(|_| NameError::Long)?;
        Ok(())
    }
}

/// Shows bytes as text in quotes, with escapes for what is not ASCII.
fn debug(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", bytes.escape_ascii())
}

/// The name of a node, without its domain.
///
/// It has 1 to [`NAME_MAX`] bytes; none of them is `/`, `.`, `~`, a blank or a control byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(Text<NAME_MAX>);

impl Name {
    /// The name that `bytes` spell.
    pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if !bytes.iter().copied().all(is_name_byte) {
            return Err(NameError::Byte);
        }
        Text::new(bytes).map(Self)
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

/// The domain of a node: nothing, or labels with dots between.
///
/// A label has at least one byte, of those that a name may have. There is no dot at either end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Domain(Text<DOMAIN_MAX>);

impl Domain {
    /// No domain.
    pub const EMPTY: Self = Self(Text::EMPTY);

    /// The domain that `bytes` spell.
    pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        for label in bytes.split(|byte| *byte == b'.') {
            if label.is_empty() {
                return Err(NameError::Label);
            }
            if !label.iter().copied().all(is_name_byte) {
                return Err(NameError::Byte);
            }
        }
        Text::new(bytes).map(Self)
    }

    /// The bytes of the domain.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether there is no domain.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

/// The fully qualified name of a node: `name.domain`, or `name` when the domain is empty.
///
/// Its order is that of its bytes, which decides whose connection stays when two nodes open one to
/// each other at the same time.
#[derive(Clone, PartialEq, Eq)]
pub struct Fqnn {
    text: Text<FQNN_MAX>,
    /// A name has no dot, hence the name is what is in front of the first one.
    name_len: u8,
}

impl Fqnn {
    /// Puts name and domain together.
    pub fn new(name: &Name, domain: &Domain) -> Result<Self, NameError> {
        let mut text = Text::EMPTY;
        text.push(name.as_bytes())?;
        if !domain.is_empty() {
            text.push(b".")?;
            text.push(domain.as_bytes())?;
        }
        Ok(Self {
            text,
            name_len: name.0.len,
        })
    }

    /// The FQNN of a name and a domain as a peer sent them.
    pub fn from_parts(name: &[u8], domain: &[u8]) -> Result<Self, NameError> {
        Self::new(&Name::new(name)?, &Domain::new(domain)?)
    }

    /// The bytes of `name.domain`.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The bytes of the name.
    pub fn name(&self) -> &[u8] {
        let all = self.as_bytes();
        all.get(..usize::from(self.name_len)).unwrap_or(all)
    }

    /// The bytes of the domain.
    pub fn domain(&self) -> &[u8] {
        let dot = usize::from(self.name_len);
        self.as_bytes()
            .split_at_checked(dot.saturating_add(1))
            .map_or(&[], |(_, domain)| domain)
    }
}

impl Ord for Fqnn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Fqnn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Fqnn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

/// Takes a host name apart at its first dot: `bob.fubar.dfw` is `bob` in the domain `fubar.dfw`.
pub fn parse_host(host: &[u8]) -> Result<Fqnn, NameError> {
    let mut parts = host.splitn(2, |byte| *byte == b'.');
    let name = Name::new(parts.next().unwrap_or_default())?;
    let domain = match parts.next() {
        None => Domain::EMPTY,
        Some([]) => return Err(NameError::Label),
        Some(domain) => Domain::new(domain)?,
    };
    Fqnn::new(&name, &domain)
}

/// The name of a node whose host name tells nothing (`localhost`): `EA` and the last three octets of
/// its MAC address, `EAdd3528` for 00:0c:29:dd:35:28.
pub fn name_from_mac(mac: [u8; 6]) -> Name {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let high = |octet: u8| DIGITS[usize::from(octet >> 4)];
    let low = |octet: u8| DIGITS[usize::from(octet & 15)];
    let [_, _, _, a, b, c] = mac;
    let text = [
        b'E',
        b'A',
        high(a),
        low(a),
        high(b),
        low(b),
        high(c),
        low(c),
    ];
    let mut name = Text::EMPTY;
    for (to, from) in name.bytes.iter_mut().zip(text) {
        *to = from;
        name.len += 1;
    }
    Name(name)
}

/// How the packets of a session are spread over the links to its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u16)]
pub enum Policy {
    /// Any link may be used.
    #[default]
    LoadBalance = 0,
    /// Each message goes over all links.
    Redundant = 1,
    /// One link only, even if it fails.
    Exclusive = 2,
    /// One link while it lives, else the others.
    Preferred = 3,
}

impl Policy {
    /// The policy that travels as `number` in a header's `qos_type`.
    pub const fn from_wire(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::LoadBalance,
            1 => Self::Redundant,
            2 => Self::Exclusive,
            3 => Self::Preferred,
            _ => return None,
        })
    }

    /// The number that it travels as.
    pub const fn to_wire(self) -> u16 {
        self as u16
    }

    /// The word for it in a node string.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::LoadBalance => b"loadbalance",
            Self::Redundant => b"redundant",
            Self::Exclusive => b"exclusive",
            Self::Preferred => b"preferred",
        }
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        // The two words mean the same.
        if word == b"sequential" {
            return Some(Self::Exclusive);
        }
        [
            Self::LoadBalance,
            Self::Redundant,
            Self::Exclusive,
            Self::Preferred,
        ]
        .into_iter()
        .find(|policy| policy.as_bytes() == word)
    }
}

/// The name of a network interface.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interface(Text<INTERFACE_MAX>);

impl Interface {
    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(self.as_bytes(), f)
    }
}

/// The part of a node string behind the `~`: `policy`, or `policy:interface`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qos {
    /// The policy.
    pub policy: Policy,
    /// The interface that it names.
    pub interface: Option<Interface>,
}

/// A string with which a program names a node, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeString {
    /// The name.
    pub name: Name,
    /// The domain; [`None`] when the string has none, which means the reader's own.
    pub domain: Option<Domain>,
    /// The quality of service, if the string has one.
    pub qos: Option<Qos>,
    /// How many bytes of the string belong to all that: where `netmgr_strtond()` ends.
    pub used: usize,
}

impl NodeString {
    /// The FQNN that is meant by a reader in the domain `own`.
    pub fn fqnn(&self, own: &Domain) -> Result<Fqnn, NameError> {
        Fqnn::new(&self.name, self.domain.as_ref().unwrap_or(own))
    }
}

/// The longest start of `bytes` whose bytes are all `wanted`, and the rest.
fn span(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !wanted(*byte));
    bytes
        .split_at_checked(end.unwrap_or(bytes.len()))
        .unwrap_or((bytes, &[]))
}

/// Reads the start of a string as a node: `name`, `name.domain` or `/net/` before either, with or
/// without `~policy[:interface]` behind. It ends at the first byte that cannot belong to it: of
/// `/net/lab2~exclusive:en0/dev/ser1` it is what is before `/dev`.
pub fn parse_node_string(string: &[u8]) -> Result<NodeString, NameError> {
    let text = string.strip_prefix(NET_DIRECTORY).unwrap_or(string);
    let (name, rest) = span(text, is_name_byte);
    let name = Name::new(name)?;
    let (domain, rest) = match rest.strip_prefix(b".") {
        None => (None, rest),
        Some(rest) => {
            let (domain, rest) = span(rest, |byte| byte == b'.' || is_name_byte(byte));
            if domain.is_empty() {
                return Err(NameError::Label);
            }
            (Some(Domain::new(domain)?), rest)
        }
    };
    let (qos, rest) = match rest.strip_prefix(b"~") {
        None => (None, rest),
        Some(rest) => parse_qos(rest).map(|(qos, rest)| (Some(qos), rest))?,
    };
    Ok(NodeString {
        name,
        domain,
        qos,
        used: string.len().saturating_sub(rest.len()),
    })
}

/// Reads what follows the `~`, and returns what follows that.
fn parse_qos(text: &[u8]) -> Result<(Qos, &[u8]), NameError> {
    let (word, rest) = span(text, |byte| byte.is_ascii_lowercase());
    let policy = Policy::from_word(word).ok_or(NameError::Qos)?;
    let Some(rest) = rest.strip_prefix(b":") else {
        let interface = None;
        return Ok((Qos { policy, interface }, rest));
    };
    // A dot can stand in the name of an interface: eth0.5 is a VLAN.
    let (name, rest) = span(rest, |byte| byte == b'.' || is_name_byte(byte));
    if name.is_empty() {
        return Err(NameError::Qos);
    }
    let interface = Some(Interface(Text::new(name)?));
    Ok((Qos { policy, interface }, rest))
}
