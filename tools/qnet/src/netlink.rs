// SPDX-License-Identifier: GPL-2.0

//! The module's generic netlink family.

use neli::{
    attr::Attribute,
    consts::{
        genl::{
            Cmd,
            NlAttrType, //
        },
        nl::NlmF,
        socket::NlFamily, //
    },
    err::{
        RouterError,
        SocketError, //
    },
    genl::{
        AttrTypeBuilder,
        Genlmsghdr,
        GenlmsghdrBuilder,
        Nlattr,
        NlattrBuilder,
        NoUserHeader, //
    },
    nl::{
        NlPayload,
        Nlmsghdr, //
    },
    router::synchronous::{
        NlRouter,
        NlRouterReceiverHandle, //
    },
    socket::synchronous::NlSocketHandle,
    types::{
        Buffer,
        GenlBuffer, //
    },
    utils::Groups,
    ToBytes, //
};

use rustix::io::Errno;

use crate::problem::Problem;

/// What the module can be asked to do.
#[neli::neli_enum(serialized_type = "u8")]
pub(crate) enum Command {
    /// Sets an option.
    OptionSet = qnet_sys::QNET_CMD_OPTION_SET,
    /// Lists the options.
    OptionGet = qnet_sys::QNET_CMD_OPTION_GET,
    /// Binds an interface.
    LinkAdd = qnet_sys::QNET_CMD_LINK_ADD,
    /// Unbinds an interface.
    LinkDel = qnet_sys::QNET_CMD_LINK_DEL,
    /// Lists the links.
    LinkGet = qnet_sys::QNET_CMD_LINK_GET,
    /// Lists the nodes.
    NodeGet = qnet_sys::QNET_CMD_NODE_GET,
    /// Lists the channels.
    ChannelGet = qnet_sys::QNET_CMD_CHANNEL_GET,
    /// Lists the blocked threads.
    BlockedGet = qnet_sys::QNET_CMD_BLOCKED_GET,
    /// Tells of an event.
    Event = qnet_sys::QNET_CMD_EVENT,
}

impl Cmd for Command {}

/// What the module tells and is told.
#[neli::neli_enum(serialized_type = "u16")]
pub(crate) enum Attr {
    /// An option's name.
    Option = qnet_sys::QNET_A_OPTION,
    /// Its value.
    Value = qnet_sys::QNET_A_VALUE,
    /// An interface's name.
    Ifname = qnet_sys::QNET_A_IFNAME,
    /// Its number.
    Ifindex = qnet_sys::QNET_A_IFINDEX,
    /// A hardware address.
    Mac = qnet_sys::QNET_A_MAC,
    /// The longest frame's payload.
    Mtu = qnet_sys::QNET_A_MTU,
    /// The state of a link or a node.
    State = qnet_sys::QNET_A_STATE,
    /// A node's descriptor.
    Nd = qnet_sys::QNET_A_ND,
    /// Its name.
    Name = qnet_sys::QNET_A_NAME,
    /// Its domain.
    Domain = qnet_sys::QNET_A_DOMAIN,
    /// How long it is silent, or blocked.
    AgeMs = qnet_sys::QNET_A_AGE_MS,
    /// A process.
    Pid = qnet_sys::QNET_A_PID,
    /// Its channel.
    Chid = qnet_sys::QNET_A_CHID,
    /// The channel's flags.
    Flags = qnet_sys::QNET_A_FLAGS,
    /// Messages that wait to be received.
    Messages = qnet_sys::QNET_A_MESSAGES,
    /// Pulses that wait to be received.
    Pulses = qnet_sys::QNET_A_PULSES,
    /// Threads that wait for one.
    Waiting = qnet_sys::QNET_A_WAITING,
    /// The node of a blocked thread.
    ClientNd = qnet_sys::QNET_A_CLIENT_ND,
    /// Its process.
    ClientPid = qnet_sys::QNET_A_CLIENT_PID,
    /// The thread itself.
    Tid = qnet_sys::QNET_A_TID,
    /// Its name for the connection.
    Coid = qnet_sys::QNET_A_COID,
    /// The length of its message.
    Bytes = qnet_sys::QNET_A_BYTES,
    /// What has happened.
    Event = qnet_sys::QNET_A_EVENT,
    /// Why a session has ended.
    Reason = qnet_sys::QNET_A_REASON,
}

impl NlAttrType for Attr {}

/// `NLMSGERR_ATTR_MSG`: the words of an extended acknowledgement.
const WORDS: u16 = 1;

type Message = Genlmsghdr<Command, Attr>;
type Answers = NlRouterReceiverHandle<u16, Message>;

/// One row of a dump, or one event.
pub(crate) struct Row(Message);

impl Row {
    fn bytes(&self, wanted: Attr) -> Option<&[u8]> {
        self.0
            .attrs()
            .iter()
            .find(|attr: &&Nlattr<Attr, Buffer>| *attr.nla_type().nla_type() == wanted)
            .map(|attr| attr.payload().as_ref())
    }

    /// A string, without its NUL; empty when it is not told.
    pub(crate) fn text(&self, wanted: Attr) -> String {
        let bytes = self.bytes(wanted).unwrap_or_default();
        let end = bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }

    /// A number of 32 bits; 0 when it is not told.
    pub(crate) fn u32(&self, wanted: Attr) -> u32 {
        let bytes = self.bytes(wanted).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }

    /// A number of 32 bits with a sign; 0 when it is not told.
    pub(crate) fn i32(&self, wanted: Attr) -> i32 {
        self.u32(wanted) as i32
    }

    /// Whether it is told.
    pub(crate) fn has(&self, wanted: Attr) -> bool {
        self.bytes(wanted).is_some()
    }

    /// A number of 64 bits, when it is told.
    pub(crate) fn u64(&self, wanted: Attr) -> Option<u64> {
        let bytes = self.bytes(wanted)?.try_into().ok()?;
        Some(u64::from_ne_bytes(bytes))
    }

    /// A hardware address as it is written, when one is told that is not all zero.
    pub(crate) fn mac(&self, wanted: Attr) -> Option<String> {
        let bytes = self.bytes(wanted)?;
        let told = bytes.len() == 6 && bytes.iter().any(|byte| *byte != 0);
        told.then(|| {
            let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            pairs.join(":")
        })
    }
}

/// A way to the module.
pub(crate) struct Client {
    router: NlRouter,
    family: u16,
}

impl Client {
    /// Finds the module's family.
    pub(crate) fn connect() -> Result<Self, Problem> {
        let failed =
            |error: RouterError<u16, Buffer>| Problem::new(format!("generic netlink: {error}"));
        let (router, _) =
            NlRouter::connect(NlFamily::Generic, None, Groups::empty()).map_err(failed)?;
        router.enable_ext_ack(true).map_err(failed)?;
        let family = router
            .resolve_genl_family(qnet_sys::QNET_GENL_NAME)
            .map_err(|_| Problem::no_module())?;
        Ok(Self { router, family })
    }

    fn send(
        &self,
        what: &str,
        command: Command,
        flags: NlmF,
        attributes: &[(Attr, &str)],
    ) -> Result<Answers, Problem> {
        let broken = |error: &dyn std::fmt::Display| Problem::new(format!("{what}: {error}"));
        let mut attrs = GenlBuffer::new();
        for (kind, text) in attributes {
            attrs.push(string_attribute(*kind, text).map_err(|error| broken(&error))?);
        }
        let message = GenlmsghdrBuilder::<Command, Attr, NoUserHeader>::default()
            .cmd(command)
            .version(qnet_sys::QNET_GENL_VERSION)
            .attrs(attrs)
            .build()
            .map_err(|error| broken(&error))?;
        self.router
            .send(self.family, flags, NlPayload::Payload(message))
            .map_err(|error| explain(what, &error))
    }

    /// Tells the module to do something, and waits until it has.
    pub(crate) fn tell(
        &self,
        what: &str,
        command: Command,
        attributes: &[(Attr, &str)],
    ) -> Result<(), Problem> {
        for answer in self.send(what, command, NlmF::ACK, attributes)? {
            answer.map_err(|error| explain(what, &error))?;
        }
        Ok(())
    }

    /// Asks for all rows of a table.
    pub(crate) fn dump(&self, what: &str, command: Command) -> Result<Vec<Row>, Problem> {
        let mut rows = Vec::new();
        for answer in self.send(what, command, NlmF::DUMP, &[])? {
            let answer: Nlmsghdr<u16, Message> = answer.map_err(|error| explain(what, &error))?;
            if let NlPayload::Payload(message) = answer.nl_payload() {
                rows.push(Row(message.clone()));
            }
        }
        Ok(rows)
    }
}

/// What a listener hears.
pub(crate) enum Heard {
    /// Something has happened.
    Event(Row),
    /// Something has happened that there was no room for.
    Lost,
}

/// A way by which the module tells what happens. It begins when it is opened.
pub(crate) struct Listener {
    socket: NlSocketHandle,
    family: u16,
    /// What came together and was not taken yet, the last first.
    heard: Vec<Row>,
}

impl Listener {
    /// Joins the group of the module's family.
    pub(crate) fn open() -> Result<Self, Problem> {
        let failed = |error: SocketError| Problem::new(format!("listening for events: {error}"));
        let Client { router, family } = Client::connect()?;
        let group = router
            .resolve_nl_mcast_group(qnet_sys::QNET_GENL_NAME, qnet_sys::QNET_GENL_EVENTS)
            .map_err(|_| Problem::no_module())?;
        let socket = NlSocketHandle::connect(NlFamily::Generic, None, Groups::empty());
        let socket = socket.map_err(failed)?;
        socket
            .add_mcast_membership(Groups::new_groups(&[group]))
            .map_err(failed)?;
        Ok(Self {
            socket,
            family,
            heard: Vec::new(),
        })
    }

    /// Waits for the next event.
    pub(crate) fn next(&mut self) -> Result<Heard, Problem> {
        loop {
            if let Some(row) = self.heard.pop() {
                return Ok(Heard::Event(row));
            }
            match self.receive() {
                Ok(rows) => self.heard = rows,
                Err(SocketError::Io(error)) if is(&error, Errno::NOBUFS) => return Ok(Heard::Lost),
                Err(SocketError::Io(error)) if is(&error, Errno::INTR) => {}
                Err(error) => {
                    return Err(Problem::new(format!("listening for events: {error}")));
                }
            }
        }
    }

    fn receive(&self) -> Result<Vec<Row>, SocketError> {
        let (messages, _) = self.socket.recv::<u16, Message>()?;
        let mut rows = Vec::new();
        for message in messages {
            let message = message?;
            match message.nl_payload() {
                NlPayload::Payload(payload) if *message.nl_type() == self.family => {
                    rows.push(Row(payload.clone()));
                }
                _ => {}
            }
        }
        rows.reverse();
        Ok(rows)
    }
}

fn is(error: &std::io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

fn string_attribute(
    kind: Attr,
    text: &str,
) -> Result<Nlattr<Attr, Buffer>, Box<dyn std::error::Error>> {
    let kind = AttrTypeBuilder::default().nla_type(kind).build()?;
    Ok(NlattrBuilder::default()
        .nla_type(kind)
        .nla_payload(text)
        .build()?)
}

/// Says what the module said.
fn explain<T: std::fmt::Debug, P: std::fmt::Debug>(
    what: &str,
    error: &RouterError<T, P>,
) -> Problem {
    match error {
        RouterError::Nlmsgerr(refusal) => {
            let words = refusal.ext_ack().iter().find_map(|attr| {
                let mut kind = std::io::Cursor::new(Vec::new());
                attr.nla_type().nla_type().to_bytes(&mut kind).ok()?;
                if kind.into_inner() != WORDS.to_ne_bytes() {
                    return None;
                }
                let text = String::from_utf8_lossy(attr.payload().as_ref()).into_owned();
                Some(text.trim_end_matches('\0').to_owned())
            });
            Problem::refused(what, -*refusal.error(), words.as_deref())
        }
        other => Problem::new(format!("{what}: {other}")),
    }
}
