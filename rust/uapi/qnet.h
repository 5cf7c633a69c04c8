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

/* Flags of a channel that are understood; their values are Neutrino's. */
#define QNET_CHF_FIXED_PRIORITY	0x0001
#define QNET_CHF_SENDER_LEN	0x0020
#define QNET_CHF_REPLY_LEN	0x0080
#define QNET_CHF_PRIVATE	0x1000

/* Flags of a connection that are understood. */
#define QNET_COF_CLOEXEC	0x0001
#define QNET_COF_NOSHARE	0x0040

/* States in which a call may be blocked, as bits of a time-out. */
#define QNET_TIMEOUT_SEND	0x10
#define QNET_TIMEOUT_RECEIVE	0x20
#define QNET_TIMEOUT_REPLY	0x40

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
	__s32	pid;
	__s32	tid;
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

/* On a channel. Returns 0 with the message's rcvid. */
struct qnet_receive {
	__u32			size;
	__u32			flags;		/* 0 */
	struct qnet_buf		buf;
	struct qnet_timeout	timeout;
	__s32			rcvid;		/* out */
	__u32			reserved;
	struct qnet_msg_info	info;		/* out */
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
	__s32	error;		/* a Linux errno number, positive; 0: success */
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

/*
 * Generic netlink: the settings and tables of the caller's network namespace.
 * Setting needs CAP_NET_ADMIN in the initial user namespace (or, with the
 * module parameter userns=1, in the one that owns the network namespace).
 */
#define QNET_GENL_NAME		"qnet"
#define QNET_GENL_VERSION	1

enum qnet_cmd {
	QNET_CMD_UNSPEC,
	QNET_CMD_OPTION_SET,	/* OPTION, VALUE */
	QNET_CMD_OPTION_GET,	/* dump: OPTION, VALUE */
	QNET_CMD_LINK_ADD,	/* IFNAME: bind the interface */
	QNET_CMD_LINK_DEL,	/* IFNAME: unbind it */
	QNET_CMD_LINK_GET,	/* dump: IFNAME, IFINDEX, MAC, MTU, STATE */
	QNET_CMD_NODE_GET,	/* dump: ND, NAME, DOMAIN, IFNAME, MAC, AGE_MS, STATE */
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
	QNET_A_STATE,		/* u32: enum qnet_link_state or qnet_node_state */
	QNET_A_ND,		/* u32; 0: this node */
	QNET_A_NAME,		/* string */
	QNET_A_DOMAIN,		/* string, empty: none */
	QNET_A_AGE_MS,		/* u64: milliseconds since it was last heard */
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

#endif /* _UAPI_LINUX_QNET_H */
