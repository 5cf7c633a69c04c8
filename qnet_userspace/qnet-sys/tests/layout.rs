// SPDX-License-Identifier: LGPL-2.1-or-later

//! Compares this crate with `rust/uapi/qnet.h` as a C compiler sees it.

use std::{
    fmt::Write as _,
    fs,
    mem::offset_of,
    path::{
        Path,
        PathBuf, //
    },
    process::Command, //
};

use qnet_sys::*;

/// What to compare: C expressions and the values that Rust has for them.
#[derive(Default)]
struct Table {
    rows: Vec<(String, u64)>,
}

impl Table {
    fn add(&mut self, c: impl Into<String>, rust: u64) {
        self.rows.push((c.into(), rust));
    }
}

macro_rules! layout {
    ($table:expr, $($name:ident { $($field:ident),* $(,)? })*) => {
        $(
            $table.add(
                format!("sizeof(struct {})", stringify!($name)),
                size_of::<$name>() as u64,
            );
            $(
                $table.add(
                    format!("offsetof(struct {}, {})", stringify!($name), c_name(stringify!($field))),
                    offset_of!($name, $field) as u64,
                );
                $table.add(
                    format!("sizeof(((struct {} *)0)->{})", stringify!($name), c_name(stringify!($field))),
                    field_size(|value: &$name| size_of_val(&value.$field)) as u64,
                );
            )*
            // A field that only one side has would show here, since neither side may have padding.
            $table.add(
                format!("sizeof(struct {}) /* fields */", stringify!($name)),
                0 $(+ field_size(|value: &$name| size_of_val(&value.$field)) as u64)*,
            );
        )*
    };
}

macro_rules! numbers {
    ($table:expr, $($name:ident)*) => {
        $( $table.add(stringify!($name), $name as u64); )*
    };
}

/// A field's name in C, where it may be one that is a keyword here.
fn c_name(field: &str) -> &str {
    field.strip_prefix("r#").unwrap_or(field)
}

fn field_size<T: Default>(size: impl Fn(&T) -> usize) -> usize {
    size(&T::default())
}

fn table() -> Table {
    let mut table = Table::default();
    layout! { table,
        sockaddr_qnet { sq_family, sq_reserved, sq_flags, sq_nd, sq_pid, sq_chid, sq_index }
        qnet_iov { base, len }
        qnet_buf { base, len, parts, reserved }
        qnet_timeout { ns, states, reserved }
        qnet_version { size, abi, family, reserved }
        qnet_send { size, flags, send, reply, timeout, coid, reserved, status, replied }
        qnet_msg_info {
            nd, srcnd, pid, tid, chid, scoid, coid, priority, flags, msglen, srcmsglen, dstmsglen,
            type_id, reserved,
        }
        qnet_receive {
            size, flags, buf, timeout, rcvid, reserved, info, pulse, status, reply, reply_error,
            reserved2,
        }
        qnet_reply { size, flags, rcvid, reserved, status, buf }
        qnet_error { size, flags, rcvid, error }
        qnet_transfer { size, flags, rcvid, reserved, offset, buf, timeout, done }
        qnet_pulse { r#type, subtype, code, zero, value, scoid, reserved }
        qnet_rcvid_info { size, flags, rcvid, reserved, info }
        qnet_current { size, flags, rcvid, reserved }
        qnet_keydata { size, flags, rcvid, op, key, newkey, data }
        qnet_send_pulse { size, flags, priority, code, value }
        qnet_event { notify, id, value, code, priority, reserved }
        qnet_deliver { size, flags, rcvid, reserved, event }
        qnet_client_info {
            size, flags, scoid, ngroups, groups, nd, pid, sid, reserved, ruid, euid, suid, rgid, egid,
            sgid,
        }
        qnet_connection_info { size, flags, nd, pid, chid, scoid, coid, reserved }
        qnet_coid { size, coid }
        qnet_free_scoid { size, scoid }
        qnet_cm_post { cookie, room, coid }
        qnet_cm_answer { cookie, status, error, reserved }
        qnet_cm_received { rcvid, reserved, info, pulse }
        qnet_cm_reply { rcvid, error, status }
        qnet_access { size, flags, uid, gid, mode, reserved }
        qnet_signal { size, flags, nd, pid, tid, signo, code, reserved, value, timeout }
        qnet_remote_nd { size, flags, remote_nd, local_nd, nd, reserved, timeout }
        qnet_node_name { size, flags, string, len, used, nd, reserved, timeout }
    }
    numbers! { table,
        QNET_ABI_VERSION AF_QNET ETH_P_QNET IPPROTO_QNET QNET_NAME_MAX QNET_FQNN_MAX
        QNET_PARTS_MAX QNET_SIDE_CHANNEL QNET_CHF_FIXED_PRIORITY QNET_CHF_UNBLOCK
        QNET_CHF_THREAD_DEATH QNET_CHF_DISCONNECT QNET_CHF_SENDER_LEN QNET_CHF_COID_DISCONNECT
        QNET_CHF_REPLY_LEN QNET_CHF_PRIVATE QNET_CHF_REMOTE QNET_COF_CLOEXEC QNET_COF_NOSHARE
        QNET_TIMEOUT_SEND QNET_TIMEOUT_RECEIVE QNET_TIMEOUT_REPLY QNET_PULSE_UNBLOCK
        QNET_PULSE_DISCONNECT QNET_PULSE_THREADDEATH QNET_PULSE_COIDDEATH QNET_MI_UNBLOCK_REQ
        QNET_MI_NET_CRED_DIRTY QNET_ENOREMOTE QNET_ESRVRFAULT QNET_RECEIVE_PULSE
        QNET_KEYDATA_VERIFY QNET_KEYDATA_CALCULATE QNET_KEYDATA_CALCULATE_REUSE QNET_SIGEV_NONE
        QNET_SIGEV_SIGNAL QNET_SIGEV_SIGNAL_CODE QNET_SIGEV_SIGNAL_THREAD QNET_SIGEV_PULSE
        QNET_SIGEV_UNBLOCK QNET_DELIVER_VERIFY QNET_CONNECTION_DEAD QNET_IOC_MAGIC
        QNET_IOC_VERSION QNET_IOC_SEND QNET_IOC_RECEIVE QNET_IOC_REPLY QNET_IOC_ERROR
        QNET_IOC_DETACH QNET_IOC_DESTROY QNET_IOC_STRTOND QNET_IOC_NDTOSTR QNET_IOC_READ
        QNET_IOC_WRITE QNET_IOC_SEND_PULSE QNET_IOC_INFO QNET_IOC_CURRENT QNET_IOC_KEYDATA
        QNET_IOC_DELIVER QNET_IOC_CLIENT_INFO QNET_IOC_CONNECTION_INFO QNET_IOC_COID
        QNET_IOC_ACCESS QNET_IOC_SIGNAL QNET_IOC_REMOTE_ND QNET_IOC_FREE_SCOID
        SOL_QNET QNET_CM_POST QNET_CM_ANSWER QNET_CM_RECEIVED QNET_CM_REPLY QNET_POST_MAX
        QNET_POST_ROOM QNET_RCVBUF
        QNET_TIMEOUT_ABSOLUTE QNET_GENL_VERSION
        QNET_CMD_OPTION_SET QNET_CMD_OPTION_GET QNET_CMD_LINK_ADD QNET_CMD_LINK_DEL
        QNET_CMD_LINK_GET QNET_CMD_NODE_GET QNET_CMD_MAX QNET_A_OPTION QNET_A_VALUE QNET_A_IFNAME
        QNET_A_IFINDEX QNET_A_MAC QNET_A_MTU QNET_A_STATE QNET_A_ND QNET_A_NAME QNET_A_DOMAIN
        QNET_A_AGE_MS QNET_A_MAX QNET_LINK_ABSENT QNET_LINK_DOWN QNET_LINK_UP QNET_NODE_LOCAL
        QNET_NODE_KNOWN QNET_NODE_OPENING QNET_NODE_UP
        QNET_CMD_CHANNEL_GET QNET_CMD_BLOCKED_GET QNET_CMD_EVENT QNET_A_PID QNET_A_CHID
        QNET_A_FLAGS QNET_A_MESSAGES QNET_A_PULSES QNET_A_WAITING QNET_A_CLIENT_ND
        QNET_A_CLIENT_PID QNET_A_TID QNET_A_COID QNET_A_BYTES QNET_A_EVENT QNET_A_REASON
        QNET_BLOCKED_SEND QNET_BLOCKED_RECEIVE QNET_BLOCKED_REPLY QNET_EVENT_LINK_BOUND
        QNET_EVENT_LINK_UP QNET_EVENT_LINK_DOWN QNET_EVENT_LINK_UNBOUND QNET_EVENT_SESSION_OPENED
        QNET_EVENT_NODE_UP QNET_EVENT_NODE_CHANGED QNET_EVENT_NODE_DOWN QNET_EVENT_SESSION_ENDED
        QNET_END_LOCAL QNET_END_UNREACHABLE QNET_END_LINK_FAILED QNET_END_PEER_DOWN
        QNET_END_PEER_RESTARTED
    }
    table
}

/// The header, which stands in the kernel module's tree.
fn header() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rust/uapi/qnet.h")
}

/// The values that a C compiler has for the expressions of `table`.
fn ask_c(table: &Table) -> Vec<u64> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    let mut text = format!(
        "#include <stddef.h>\n#include <stdio.h>\n#include {:?}\nint main(void)\n{{\n",
        header()
    );
    for (expression, _) in &table.rows {
        writeln!(
            text,
            "\tprintf(\"%llu\\n\", (unsigned long long)({expression}));"
        )
        .unwrap();
    }
    text.push_str("\treturn 0;\n}\n");
    fs::write(&source, text).unwrap();
    let built = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o"])
        .arg(&program)
        .arg(&source)
        .status()
        .expect("a C compiler (cc) is needed");
    assert!(built.success(), "the header does not compile: {source:?}");
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect()
}

#[test]
fn matches_the_header() {
    let table = table();
    let c = ask_c(&table);
    assert_eq!(c.len(), table.rows.len());
    let different: Vec<_> = table
        .rows
        .iter()
        .zip(c)
        .filter(|((_, rust), c)| rust != c)
        .map(|((what, rust), c)| format!("{what}: C {c:#x}, Rust {rust:#x}"))
        .collect();
    assert!(different.is_empty(), "{different:#?}");
}

/// Every number that the header defines is here, so that a new one is not forgotten.
#[test]
fn knows_every_name() {
    let text = fs::read_to_string(header()).unwrap();
    let known: Vec<_> = table().rows.into_iter().map(|(c, _)| c).collect();
    let not_numbers = [
        "_UAPI_LINUX_QNET_H",
        "PF_QNET",
        "QNET_GENL_NAME",
        "QNET_GENL_EVENTS",
        "QNET_CMD_UNSPEC",
        "QNET_A_UNSPEC",
        "QNET_EVENT_UNSPEC",
    ];
    let mut missing = Vec::new();
    for line in text.lines() {
        let name = if let Some(rest) = line.strip_prefix("#define ") {
            rest.split_whitespace().next()
        } else {
            // A line of an enumeration: a tab and a name.
            line.strip_prefix('\t')
                .and_then(|rest| rest.split(',').next())
                .filter(|name| name.starts_with("QNET_") && !name.contains(' '))
        };
        let Some(name) = name else { continue };
        if !not_numbers.contains(&name) && !known.iter().any(|known| known == name) {
            missing.push(name.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(QNET_GENL_NAME, "qnet");
    assert_eq!(QNET_GENL_EVENTS, "events");
}
