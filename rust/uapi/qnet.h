/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The whole interface between qnet.ko and programs: the address, the ioctls
 * and the generic-netlink family. Every field has a fixed width and every
 * user pointer is a __u64, so that 32-bit and 64-bit programs use the same
 * calls. Reserved fields are zero in both directions, and checked.
 *
 * A structure begins with its size as the caller knows it. A kernel that
 * knows a longer one takes the missing fields as zero; a kernel that knows a
 * shorter one wants the rest to be zero (else E2BIG).
 */
#ifndef _UAPI_LINUX_QNET_H
#define _UAPI_LINUX_QNET_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/socket.h>

/* The number of this interface; QNET_IOC_VERSION tells the module's. */
#define QNET_ABI_VERSION	1

/*
 * The address family: AF_ASH's number, which nobody implements. The module
 * parameter family= moves it, and /sys/module/qnet/parameters/family tells.
 */
#define AF_QNET			18
#define PF_QNET			AF_QNET

/* Qnet's EtherType, and the number of its protocol over IP. */
#define ETH_P_QNET		0x8204
#define IPPROTO_QNET		106

/* Lengths without the closing NUL. */
#define QNET_NAME_MAX		63	/* of a node's name */
#define QNET_FQNN_MAX		255	/* of name.domain */

/* A scattered buffer has not more parts than this. */
#define QNET_PARTS_MAX		1024

/*
 * bind(): makes a channel. nd, pid, chid and index are 0, flags are channel
 * flags. getsockname() then tells pid and chid.
 * connect(): attaches to the channel chid of process pid on node nd (0: this
 * node; pid 0: the caller's). flags are connection flags, index is 0 or
 * QNET_SIDE_CHANNEL. getpeername() tells it all back.
 */
struct sockaddr_qnet {
	__kernel_sa_family_t	sq_family;	/* AF_QNET */
	__u16			sq_reserved;
	__u32			sq_flags;
	__u32			sq_nd;
	__s32			sq_pid;
	__s32			sq_chid;
	__u32			sq_index;
};

#define QNET_SIDE_CHANNEL	0x40000000

/*
 * Flags of a channel that are understood; their values are Neutrino's, but for
 * the last.
 */
#define QNET_CHF_FIXED_PRIORITY	0x0001
#define QNET_CHF_UNBLOCK	0x0002	/* a pulse when a client wants to leave */
#define QNET_CHF_THREAD_DEATH	0x0004	/* a pulse when a thread of ours ends */
#define QNET_CHF_DISCONNECT	0x0008	/* a pulse when a client has left */
#define QNET_CHF_SENDER_LEN	0x0020
#define QNET_CHF_COID_DISCONNECT 0x0040	/* a pulse when a server of ours is gone */
#define QNET_CHF_REPLY_LEN	0x0080
#define QNET_CHF_PRIVATE	0x1000
/* Other nodes may connect in spite of the option remote=marked. */
#define QNET_CHF_REMOTE		0x01000000

/* Flags of a connection that are understood. */
#define QNET_COF_CLOEXEC	0x0001
#define QNET_COF_NOSHARE	0x0040

/* States in which a call may be blocked, as bits of a time-out. */
#define QNET_TIMEOUT_SEND	0x10
#define QNET_TIMEOUT_RECEIVE	0x20
#define QNET_TIMEOUT_REPLY	0x40

/* Codes of the pulses that the module itself sends. */
#define QNET_PULSE_UNBLOCK	-32	/* value: the rcvid */
#define QNET_PULSE_DISCONNECT	-33	/* scoid: the client that has left */
#define QNET_PULSE_THREADDEATH	-34	/* value: the thread */
#define QNET_PULSE_COIDDEATH	-35	/* value: the coid whose server is gone */

/* Flags of a received message. */
#define QNET_MI_UNBLOCK_REQ	0x100	/* its client wants to leave */
#define QNET_MI_NET_CRED_DIRTY	0x200	/* its client's ids have changed */

/* Errors that QNX has and Linux has not; they keep QNX's numbers. */
#define QNET_ENOREMOTE		300
#define QNET_ESRVRFAULT		312

/* One part of a scattered buffer. */
struct qnet_iov {
	__u64	base;
	__u64	len;
};

/*
 * A buffer of the caller: len bytes at base, when parts is 0; otherwise base
 * points to parts structures qnet_iov, and len is 0.
 */
struct qnet_buf {
	__u64	base;
	__u64	len;
	__u32	parts;
	__u32	reserved;
};

/* In states: ns is a time of CLOCK_MONOTONIC, and not how long. */
#define QNET_TIMEOUT_ABSOLUTE	0x80000000

/* When states is not 0: give up after ns nanoseconds in one of the states. */
struct qnet_timeout {
	__u64	ns;
	__u32	states;		/* QNET_TIMEOUT_* */
	__u32	reserved;
};

struct qnet_version {
	__u32	size;
	__u32	abi;		/* out: QNET_ABI_VERSION of the module */
	__u32	family;		/* out: the address family */
	__u32	reserved;
};

/* On a connection. Returns 0 when there is a reply, its status in status. */
struct qnet_send {
	__u32			size;
	__u32			flags;		/* 0 */
	struct qnet_buf		send;
	struct qnet_buf		reply;
	struct qnet_timeout	timeout;
	__s32			coid;		/* the caller's name for the connection */
	__u32			reserved;
	__s64			status;		/* out */
	__u64			replied;	/* out: bytes put into reply */
};

/* What a receiver is told of a message: Neutrino's _msg_info, 64 bit. */
struct qnet_msg_info {
	__u32	nd;
	__u32	srcnd;
	__s32	pid;		/* 0: of this node, without a number here */
	__s32	tid;		/* 0: of another pid namespace of this node */
	__s32	chid;
	__s32	scoid;
	__s32	coid;
	__s16	priority;
	__s16	flags;
	__s64	msglen;
	__s64	srcmsglen;
	__s64	dstmsglen;
	__u32	type_id;
	__u32	reserved;
};

/* A pulse: Neutrino's _pulse, 64 bit. */
struct qnet_pulse {
	__u16	type;		/* 0 */
	__u16	subtype;	/* 0 */
	__s8	code;
	__u8	zero[3];
	__s64	value;
	__s32	scoid;
	__u32	reserved;
};

#define QNET_RECEIVE_PULSE	0x1	/* messages stay in the queue */

/*
 * On a channel. When rcvid is not 0, that message is answered first, as
 * QNET_IOC_REPLY does with status and reply; reply_error tells how that went,
 * and the call goes on. Returns 0 with the message's rcvid; or, with rcvid 0,
 * a pulse, which does not touch buf, and info is zero; with a message, pulse
 * is.
 */
struct qnet_receive {
	__u32			size;
	__u32			flags;		/* QNET_RECEIVE_* */
	struct qnet_buf		buf;
	struct qnet_timeout	timeout;
	__s32			rcvid;		/* in and out */
	__u32			reserved;
	struct qnet_msg_info	info;		/* out */
	struct qnet_pulse	pulse;		/* out */
	__s64			status;
	struct qnet_buf		reply;
	__s32			reply_error;	/* out: 0 or an errno number */
	__u32			reserved2;
};

/* On any socket of the process that received rcvid. */
struct qnet_reply {
	__u32		size;
	__u32		flags;		/* 0 */
	__s32		rcvid;
	__u32		reserved;
	__s64		status;		/* what MsgSend returns */
	struct qnet_buf	buf;
};

/* On any socket of the process that received rcvid. */
struct qnet_error {
	__u32	size;
	__u32	flags;		/* 0 */
	__s32	rcvid;
	/*
	 * A Linux errno number, positive. 0: success. -1: that of the client's
	 * signal or time-out.
	 */
	__s32	error;
};

/*
 * On any socket of the process that received rcvid, whose client is blocked.
 * READ: copies bytes of its message, from offset on, into buf. WRITE: copies
 * buf into its reply area, from offset on. done is less than buf has when the
 * message or the reply area ends before.
 */
struct qnet_transfer {
	__u32			size;
	__u32			flags;		/* 0 */
	__s32			rcvid;
	__u32			reserved;
	__u64			offset;
	struct qnet_buf		buf;
	struct qnet_timeout	timeout;	/* QNET_TIMEOUT_REPLY counts */
	__u64			done;		/* out: bytes copied */
};

/* MsgInfo, on any socket of the process that received rcvid. */
struct qnet_rcvid_info {
	__u32			size;
	__u32			flags;		/* 0 */
	__s32			rcvid;
	__u32			reserved;
	struct qnet_msg_info	info;		/* out */
};

/* MsgCurrent, as above. 0: the thread works for nobody. */
struct qnet_current {
	__u32	size;
	__u32	flags;		/* 0 */
	__s32	rcvid;
	__u32	reserved;
};

#define QNET_KEYDATA_VERIFY	0
#define QNET_KEYDATA_CALCULATE	1
#define QNET_KEYDATA_CALCULATE_REUSE 2

/* MsgKeyData, as above. VERIFY: newkey is 0 if key is that of data, else -1. */
struct qnet_keydata {
	__u32		size;
	__u32		flags;		/* 0 */
	__s32		rcvid;
	__u32		op;		/* QNET_KEYDATA_* */
	__u32		key;
	__u32		newkey;		/* out */
	struct qnet_buf	data;
};

/*
 * On a connection: MsgSendPulse. It blocks only to another node, until there
 * is a session, and room in it.
 */
struct qnet_send_pulse {
	__u32	size;
	__u32	flags;		/* 0 */
	/* 1 to 255; -1: the caller's; 0 counts as 1, but not to another node */
	__s32	priority;
	__s32	code;		/* -128 to 127; a program's own are 0 to 127 */
	__s64	value;		/* to another node: 32 bits */
};

/* Kinds of event that can be delivered; their values are Neutrino's. */
#define QNET_SIGEV_NONE		0
#define QNET_SIGEV_SIGNAL	1
#define QNET_SIGEV_SIGNAL_CODE	2
#define QNET_SIGEV_SIGNAL_THREAD 3
#define QNET_SIGEV_PULSE	4
#define QNET_SIGEV_UNBLOCK	5

/* Neutrino's sigevent. */
struct qnet_event {
	__s32	notify;		/* QNET_SIGEV_* */
	__s32	id;		/* the signal, or the coid of the pulse */
	__s64	value;
	__s16	code;
	__s16	priority;	/* of a pulse; -1: the caller's */
	__u32	reserved;
};

#define QNET_DELIVER_VERIFY	0x1	/* only look whether it could be */

/*
 * MsgDeliverEvent, on any socket of the process that received rcvid, whether it
 * has answered it or not. rcvid 0: to the caller itself.
 */
struct qnet_deliver {
	__u32			size;
	__u32			flags;		/* QNET_DELIVER_* */
	__s32			rcvid;
	__u32			reserved;
	struct qnet_event	event;
};

/* ConnectClientInfo, on any socket. scoid -1: the caller. */
struct qnet_client_info {
	__u32	size;
	__u32	flags;		/* 0 */
	__s32	scoid;
	__u32	ngroups;	/* in: room at groups; out: how many there are */
	__u64	groups;		/* array of __u32 */
	__u32	nd;		/* from here on: out */
	__s32	pid;
	__s32	sid;
	__u32	reserved;
	__u32	ruid;
	__u32	euid;
	__u32	suid;
	__u32	rgid;
	__u32	egid;
	__u32	sgid;
};

#define QNET_CONNECTION_DEAD	0x1	/* the server is gone */

/* On a connection: what ConnectServerInfo tells. */
struct qnet_connection_info {
	__u32	size;
	__u32	flags;		/* out: QNET_CONNECTION_* */
	__u32	nd;		/* out */
	__s32	pid;		/* out */
	__s32	chid;		/* out */
	__s32	scoid;		/* out: the caller's, or -1 */
	__s32	coid;		/* out: as QNET_IOC_COID said, or -1 */
	__u32	reserved;
};

/* On a connection: the number by which the process calls it. */
struct qnet_coid {
	__u32	size;
	__s32	coid;
};

/*
 * On any socket: gives back the scoid of a client that has left, of which the
 * server was told by QNET_PULSE_DISCONNECT.
 */
struct qnet_free_scoid {
	__u32	size;
	__s32	scoid;
};

/*
 * On a channel: who may connect to it, as for a file with this owner and mode,
 * of which the bits 0222 count. Before the first call anybody may. uid and gid
 * -1: as before, at first the maker's.
 */
struct qnet_access {
	__u32	size;
	__u32	flags;		/* 0 */
	__u32	uid;
	__u32	gid;
	__u32	mode;
	__u32	reserved;
};

/* SignalKill, on any socket. signo 0 only asks whether it could be. */
struct qnet_signal {
	__u32			size;
	__u32			flags;		/* 0 */
	__u32			nd;
	__s32			pid;
	__s32			tid;		/* 0: any thread */
	__s32			signo;
	__s32			code;
	__u32			reserved;
	__s64			value;
	struct qnet_timeout	timeout;	/* QNET_TIMEOUT_REPLY counts */
};

/*
 * netmgr_remote_nd, on any socket: the number that the node remote_nd has for
 * the one that this node calls local_nd.
 */
struct qnet_remote_nd {
	__u32			size;
	__u32			flags;		/* 0 */
	__u32			remote_nd;
	__u32			local_nd;
	__u32			nd;		/* out */
	__u32			reserved;
	struct qnet_timeout	timeout;	/* QNET_TIMEOUT_REPLY counts */
};

/*
 * On any socket. STRTOND: finds the node that the string (len bytes at
 * string, no NUL needed) names, asking the LAN if it must; used tells how
 * many bytes of it belong to the name. NDTOSTR: writes at most len bytes and
 * a NUL if there is room; used is the whole length without the NUL.
 */
struct qnet_node_name {
	__u32			size;
	__u32			flags;		/* 0 */
	__u64			string;
	__u32			len;
	__u32			used;		/* out */
	__u32			nd;
	__u32			reserved;
	struct qnet_timeout	timeout;	/* states is 0: no time-out */
};

/*
 * sendmsg(), recvmsg() and poll(): messages without a thread that waits.
 *
 * On a connection, sendmsg() sends a message and does not wait for the reply,
 * which recvmsg() gets, one at a time; on a channel, recvmsg() is MsgReceive
 * and sendmsg() is MsgReply or MsgError. The control messages have this level.
 * A channel wants room for QNET_CM_RECEIVED, and QNET_CM_REPLY.
 */
#define SOL_QNET		0x8204

#define QNET_CM_POST		1	/* sendmsg() on a connection, may be absent */
#define QNET_CM_ANSWER		2	/* recvmsg() on a connection, if there is room */
#define QNET_CM_RECEIVED	3	/* recvmsg() on a channel */
#define QNET_CM_REPLY		4	/* sendmsg() on a channel */

#define QNET_POST_MAX		65536	/* bytes of such a message */
#define QNET_POST_ROOM		8192	/* bytes for the reply, when nothing is said */
/* Bytes of messages of other nodes that wait in a channel: SO_RCVBUF at first. */
#define QNET_RCVBUF		8388608

struct qnet_cm_post {
	__u64	cookie;		/* comes back with the answer */
	__u32	room;		/* bytes for the reply, not above QNET_POST_MAX */
	__s32	coid;		/* the caller's name for the connection */
};

struct qnet_cm_answer {
	__u64	cookie;
	__s64	status;		/* what the server replied */
	__s32	error;		/* 0, or the errno number of a message that failed */
	__u32	reserved;
};

struct qnet_cm_received {
	__s32			rcvid;	/* 0: a pulse */
	__u32			reserved;
	struct qnet_msg_info	info;	/* of a message */
	struct qnet_pulse	pulse;
};

struct qnet_cm_reply {
	__s32	rcvid;
	__s32	error;		/* not 0: as in struct qnet_error, without data */
	__s64	status;		/* what MsgSend returns */
};

#define QNET_IOC_MAGIC		'q'
#define QNET_IOC_VERSION	_IOWR(QNET_IOC_MAGIC, 0, struct qnet_version)
#define QNET_IOC_SEND		_IOWR(QNET_IOC_MAGIC, 1, struct qnet_send)
#define QNET_IOC_RECEIVE	_IOWR(QNET_IOC_MAGIC, 2, struct qnet_receive)
#define QNET_IOC_REPLY		_IOW(QNET_IOC_MAGIC, 3, struct qnet_reply)
#define QNET_IOC_ERROR		_IOW(QNET_IOC_MAGIC, 4, struct qnet_error)
/* ConnectDetach: who is blocked on the connection gets EBADF. */
#define QNET_IOC_DETACH		_IO(QNET_IOC_MAGIC, 5)
/* ChannelDestroy: who is blocked on the channel gets ESRCH. */
#define QNET_IOC_DESTROY	_IO(QNET_IOC_MAGIC, 6)
#define QNET_IOC_STRTOND	_IOWR(QNET_IOC_MAGIC, 7, struct qnet_node_name)
#define QNET_IOC_NDTOSTR	_IOWR(QNET_IOC_MAGIC, 8, struct qnet_node_name)
#define QNET_IOC_READ		_IOWR(QNET_IOC_MAGIC, 9, struct qnet_transfer)
#define QNET_IOC_WRITE		_IOWR(QNET_IOC_MAGIC, 10, struct qnet_transfer)
#define QNET_IOC_SEND_PULSE	_IOW(QNET_IOC_MAGIC, 11, struct qnet_send_pulse)
#define QNET_IOC_INFO		_IOWR(QNET_IOC_MAGIC, 12, struct qnet_rcvid_info)
#define QNET_IOC_CURRENT	_IOW(QNET_IOC_MAGIC, 13, struct qnet_current)
#define QNET_IOC_KEYDATA	_IOWR(QNET_IOC_MAGIC, 14, struct qnet_keydata)
#define QNET_IOC_DELIVER	_IOW(QNET_IOC_MAGIC, 15, struct qnet_deliver)
#define QNET_IOC_CLIENT_INFO	_IOWR(QNET_IOC_MAGIC, 16, struct qnet_client_info)
#define QNET_IOC_CONNECTION_INFO \
	_IOWR(QNET_IOC_MAGIC, 17, struct qnet_connection_info)
#define QNET_IOC_COID		_IOW(QNET_IOC_MAGIC, 18, struct qnet_coid)
#define QNET_IOC_ACCESS		_IOW(QNET_IOC_MAGIC, 19, struct qnet_access)
#define QNET_IOC_SIGNAL		_IOW(QNET_IOC_MAGIC, 20, struct qnet_signal)
#define QNET_IOC_REMOTE_ND	_IOWR(QNET_IOC_MAGIC, 21, struct qnet_remote_nd)
#define QNET_IOC_FREE_SCOID	_IOW(QNET_IOC_MAGIC, 22, struct qnet_free_scoid)

/*
 * Generic netlink: the settings and tables of the caller's network namespace.
 * Setting needs CAP_NET_ADMIN in the initial user namespace (or, with the
 * module parameter userns=1, in the one that owns the network namespace).
 */
#define QNET_GENL_NAME		"qnet"
#define QNET_GENL_VERSION	1

/* The multicast group that hears QNET_CMD_EVENT of its network namespace. */
#define QNET_GENL_EVENTS	"events"

enum qnet_cmd {
	QNET_CMD_UNSPEC,
	QNET_CMD_OPTION_SET,	/* OPTION, VALUE */
	QNET_CMD_OPTION_GET,	/* dump: OPTION, VALUE */
	QNET_CMD_LINK_ADD,	/* IFNAME: bind the interface */
	QNET_CMD_LINK_DEL,	/* IFNAME: unbind it */
	QNET_CMD_LINK_GET,	/* dump: IFNAME, IFINDEX, MAC, MTU, STATE */
	QNET_CMD_NODE_GET,	/* dump: ND, NAME, DOMAIN, IFNAME, MAC, AGE_MS, STATE */
	QNET_CMD_CHANNEL_GET,	/* dump: PID, CHID, FLAGS, MESSAGES, PULSES, WAITING */
	QNET_CMD_BLOCKED_GET,	/* dump: STATE, AGE_MS, the client: CLIENT_ND, CLIENT_PID,
				 * TID, COID, BYTES; the server: ND, PID, CHID
				 */
	QNET_CMD_EVENT,		/* only sent, to QNET_GENL_EVENTS: EVENT; of a link also
				 * IFNAME, IFINDEX; of a node and a session ND, NAME,
				 * DOMAIN; of a session that has ended REASON
				 */
	__QNET_CMD_MAX,
};

#define QNET_CMD_MAX		(__QNET_CMD_MAX - 1)

enum qnet_attr {
	QNET_A_UNSPEC,
	QNET_A_OPTION,		/* string: the option's name */
	QNET_A_VALUE,		/* string: its value */
	QNET_A_IFNAME,		/* string */
	QNET_A_IFINDEX,		/* u32; 0: there is no such interface now */
	QNET_A_MAC,		/* 6 bytes */
	QNET_A_MTU,		/* u32, bytes */
	QNET_A_STATE,		/* u32: enum qnet_link_state, qnet_node_state or
				 * qnet_blocked_state
				 */
	QNET_A_ND,		/* u32; 0: this node */
	QNET_A_NAME,		/* string */
	QNET_A_DOMAIN,		/* string, empty: none */
	QNET_A_AGE_MS,		/* u64: milliseconds since it was last heard, or since it
				 * is blocked
				 */
	QNET_A_PID,		/* s32, in the reader's pid namespace; 0: it has no number
				 * there; of a process of another node, its number there
				 */
	QNET_A_CHID,		/* s32 */
	QNET_A_FLAGS,		/* u32: QNET_CHF_* */
	QNET_A_MESSAGES,	/* u32: messages that wait to be received */
	QNET_A_PULSES,		/* u32: pulses that wait to be received */
	QNET_A_WAITING,		/* u32: threads that wait for a message or a pulse; 256 of either at most */
	QNET_A_CLIENT_ND,	/* u32; 0: this node */
	QNET_A_CLIENT_PID,	/* s32, as QNET_A_PID */
	QNET_A_TID,		/* s32, as QNET_A_PID */
	QNET_A_COID,		/* s32: the client's name for its connection */
	QNET_A_BYTES,		/* u64: length of the message */
	QNET_A_EVENT,		/* u32: enum qnet_event_type */
	QNET_A_REASON,		/* u32: enum qnet_end_reason */
	__QNET_A_MAX,
};

#define QNET_A_MAX		(__QNET_A_MAX - 1)

enum qnet_link_state {
	QNET_LINK_ABSENT,	/* bound by name, no such interface */
	QNET_LINK_DOWN,
	QNET_LINK_UP,
};

enum qnet_node_state {
	QNET_NODE_LOCAL,	/* this node */
	QNET_NODE_KNOWN,	/* heard of; no session */
	QNET_NODE_OPENING,	/* a session is being made */
	QNET_NODE_UP,		/* a session is up */
};

/* Why a thread is blocked; the values are Neutrino's. */
enum qnet_blocked_state {
	QNET_BLOCKED_SEND = 4,	/* its message has not been received */
	QNET_BLOCKED_RECEIVE = 5, /* it waits for a message, on its own channel */
	QNET_BLOCKED_REPLY = 6,	/* its message has not been answered */
};

enum qnet_event_type {
	QNET_EVENT_UNSPEC,
	QNET_EVENT_LINK_BOUND,	/* the node uses an interface from now on */
	QNET_EVENT_LINK_UP,	/* frames can leave by it */
	QNET_EVENT_LINK_DOWN,	/* they cannot any more */
	QNET_EVENT_LINK_UNBOUND, /* the node has let it go */
	QNET_EVENT_SESSION_OPENED, /* a session is being opened, by either side */
	QNET_EVENT_NODE_UP,	/* the node has answered: a session with it is up */
	QNET_EVENT_NODE_CHANGED, /* it was heard from another address */
	QNET_EVENT_NODE_DOWN,	/* it is lost, has left or was started anew */
	QNET_EVENT_SESSION_ENDED, /* a session is over, for REASON */
};

enum qnet_end_reason {
	QNET_END_LOCAL,		/* this node has closed it */
	QNET_END_UNREACHABLE,	/* nobody answered its set-up */
	QNET_END_LINK_FAILED,	/* nothing was acknowledged for too long */
	QNET_END_PEER_DOWN,	/* the other node has closed it, or has lost it */
	QNET_END_PEER_RESTARTED, /* the other node was started anew */
};

#endif /* _UAPI_LINUX_QNET_H */
