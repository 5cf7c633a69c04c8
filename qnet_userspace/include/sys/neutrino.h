/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Neutrino message passing on Linux, for programs linked with -lqnet.
 *
 * Names, values and meanings are those that QNX programmers know. Each call
 * has a manual page, and conformance.md (in share/doc/qnet; Documentation/ of
 * the source) tells where one differs from QNX's and what is absent. What else
 * there is, and QNX has not, is in <sys/qnet.h>.
 *
 * Each call has two forms: Name() returns -1 and sets errno, Name_r() returns
 * the negative error number and leaves errno alone.
 */
#ifndef _QNET_SYS_NEUTRINO_H
#define _QNET_SYS_NEUTRINO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/siginfo.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call whose name ends in _r returns when nothing is wrong. */
#ifndef EOK
#define EOK		0
#endif

/* Errors that QNX has and Linux has not; they keep QNX's numbers. */
#ifndef ENOREMOTE
#define ENOREMOTE	300	/* there is no network manager: no module qnet */
#endif
#ifndef ESRVRFAULT
#define ESRVRFAULT	312	/* a buffer is outside of the server's memory */
#endif

/* The node that the program runs on, and "the same machine?" (0: yes). */
#define ND_LOCAL_NODE	0
#define ND_NODE_BITS	16
#define ND_NODE_MASK	((1U << ND_NODE_BITS) - 1)
#define ND_NODE_CMP(nd1, nd2) \
	((int)((uint32_t)(nd1) & ND_NODE_MASK) - (int)((uint32_t)(nd2) & ND_NODE_MASK))

/* The bit of a connection's number that is outside of the descriptors' space. */
#define _NTO_SIDE_CHANNEL	0x40000000

/* Flags of ChannelCreate(). */
#define _NTO_CHF_FIXED_PRIORITY	0x0001	/* the receiver keeps its priority */
#define _NTO_CHF_UNBLOCK	0x0002	/* a pulse when a client wants to leave */
#define _NTO_CHF_THREAD_DEATH	0x0004	/* a pulse when a thread of ours ends */
#define _NTO_CHF_DISCONNECT	0x0008	/* a pulse when a client has left */
#define _NTO_CHF_SENDER_LEN	0x0020	/* no effect: srcmsglen is always told */
#define _NTO_CHF_COID_DISCONNECT 0x0040	/* a pulse when a server of ours is gone */
#define _NTO_CHF_REPLY_LEN	0x0080	/* no effect: dstmsglen is always told */
#define _NTO_CHF_PRIVATE	0x1000	/* no other process may connect */
/* Those that QNX has besides: EINVAL. */
#define _NTO_CHF_NET_MSG	0x0010
#define _NTO_CHF_STICKY		0x0100
#define _NTO_CHF_ASYNC_NONBLOCK	0x0200
#define _NTO_CHF_ASYNC		0x0400
#define _NTO_CHF_GLOBAL		0x0800
#define _NTO_CHF_MSG_PAUSING	0x2000
#define _NTO_CHF_SIG_RESTART	0x4000
#define _NTO_CHF_UNBLOCK_TIMER	0x8000

/* Flags of ConnectAttach(), and of the connections that are told of. */
#define _NTO_COF_CLOEXEC	0x0001	/* exec closes the connection */
#define _NTO_COF_DEAD		0x0002	/* the server is gone; only told */
#define _NTO_COF_NOSHARE	0x0040	/* share nothing with other connections */
/* Those that QNX has besides: EINVAL. */
#define _NTO_COF_NETCON		0x0080
#define _NTO_COF_NONBLOCK	0x0100
#define _NTO_COF_ASYNC		0x0200
#define _NTO_COF_GLOBAL		0x0400
#define _NTO_COF_INSECURE	0x1000

/* Flags of a message, in struct _msg_info. */
#define _NTO_MI_ENDIAN_BIG	0x0001
#define _NTO_MI_ENDIAN_DIFF	0x0002
#define _NTO_MI_UNBLOCK_REQ	0x0100	/* the client wants to leave */
#define _NTO_MI_NET_CRED_DIRTY	0x0200	/* the client's ids have changed */
#define _NTO_MI_CONSTRAINED	0x0400
#define _NTO_MI_CHROOT		0x0800

/* Flags of a client, in struct _client_info. */
#define _NTO_CI_ENDIAN_BIG	0x00000001
#define _NTO_CI_BKGND_PGRP	0x00000004
#define _NTO_CI_ORPHAN_PGRP	0x00000008
#define _NTO_CI_STOPPED		0x00000080
#define _NTO_CI_UNABLE		0x00000100
#define _NTO_CI_FULL_GROUPS	0x80000000U	/* all of its groups are told */

/* States of TimerTimeout(). */
#define _NTO_TIMEOUT_SEND	0x10	/* no server has received the message */
#define _NTO_TIMEOUT_RECEIVE	0x20	/* no message has come */
#define _NTO_TIMEOUT_REPLY	0x40	/* the server has not answered */
/* States of calls that are not in this library: no call of it ends by them. */
#define _NTO_TIMEOUT_NANOSLEEP	0x1000
#define _NTO_TIMEOUT_NET_SEND	0x80000
#define _NTO_TIMEOUT_NET_REPLY	0x100000

/* What MsgKeyData() does. */
#define _NTO_KEYDATA_VERIFY	0	/* is it the key of these data? */
#define _NTO_KEYDATA_CALCULATE	1	/* make a key */
#define _NTO_KEYDATA_CALCULATE_REUSE 2	/* the same */

/* What a pulse is recognized by. A program's own codes are not negative. */
#define _PULSE_TYPE		0
#define _PULSE_SUBTYPE		0
#define _PULSE_CODE_MINAVAIL	0
#define _PULSE_CODE_MAXAVAIL	127
#define _PULSE_CODE_UNBLOCK	(-32)	/* value: the rcvid */
#define _PULSE_CODE_DISCONNECT	(-33)	/* scoid: the client that has left */
#define _PULSE_CODE_THREADDEATH	(-34)	/* value: the thread */
#define _PULSE_CODE_COIDDEATH	(-35)	/* value: the coid whose server is gone */
/* Those that QNX has besides, and that do not come here. */
#define _PULSE_CODE_NET_ACK	(-36)
#define _PULSE_CODE_NET_UNBLOCK	(-37)
#define _PULSE_CODE_NET_DETACH	(-38)
#define _PULSE_CODE_RESTART	(-39)
#define _PULSE_CODE_NORESTART	(-40)
#define _PULSE_CODE_UNBLOCK_RESTART (-41)
#define _PULSE_CODE_UNBLOCK_TIMER (-42)

/* One part of a scattered message. */
typedef struct iovec iov_t;

#define SETIOV(iov, address, length) \
	((iov)->iov_base = (void *)(address), (iov)->iov_len = (length))
#define GETIOVBASE(iov)	((iov)->iov_base)
#define GETIOVLEN(iov)	((iov)->iov_len)

/* What a receiver is told of a message. */
struct _msg_info {
	uint32_t nd;		/* the client's node, as the server numbers it */
	uint32_t srcnd;		/* the server's node, as the client numbers it */
	pid_t pid;		/* the client's process */
	int32_t tid;		/* its thread */
	int32_t chid;		/* the channel it was received on */
	int32_t scoid;		/* the server's number for the client process */
	int32_t coid;		/* the client's number for the connection */
	int16_t priority;	/* the client's priority */
	int16_t flags;		/* _NTO_MI_* */
	ssize_t msglen;		/* bytes received */
	ssize_t srcmsglen;	/* bytes sent by the client */
	ssize_t dstmsglen;	/* the client's room for a reply */
	uint32_t type_id;	/* 0 */
	uint32_t reserved;	/* 0 */
};

/* What ConnectServerInfo() tells: nd, pid, chid, scoid, coid and flags (_NTO_COF_*). */
#define _server_info _msg_info

/* What MsgReceive() stores of a pulse. */
struct _pulse {
	uint16_t type;		/* _PULSE_TYPE */
	uint16_t subtype;	/* _PULSE_SUBTYPE */
	int8_t code;		/* _PULSE_CODE_*, or the program's own */
	uint8_t zero[3];
	union sigval value;
	int32_t scoid;		/* the server's number for the process that sent it */
};

struct _cred_info {
	uid_t ruid;
	uid_t euid;
	uid_t suid;
	gid_t rgid;
	gid_t egid;
	gid_t sgid;
	uint32_t ngroups;	/* how many there are in grouplist */
	gid_t grouplist[8];	/* more, if there is room for more behind it */
};

/* What ConnectClientInfo() tells. */
struct _client_info {
	uint32_t nd;		/* the client's node */
	pid_t pid;		/* its process */
	pid_t sid;		/* its session */
	uint32_t flags;		/* _NTO_CI_* */
	struct _cred_info cred;
};

int ChannelCreate(unsigned flags);
int ChannelCreate_r(unsigned flags);
int ChannelDestroy(int chid);
int ChannelDestroy_r(int chid);

int ConnectAttach(uint32_t nd, pid_t pid, int chid, unsigned index, int flags);
int ConnectAttach_r(uint32_t nd, pid_t pid, int chid, unsigned index, int flags);
int ConnectDetach(int coid);
int ConnectDetach_r(int coid);
/*
 * Of the connection coid of process pid (0: this one), or the next higher one:
 * its number, and what it leads to. info NULL: only of one that is not dead.
 */
int ConnectServerInfo(pid_t pid, int coid, struct _server_info *info);
int ConnectServerInfo_r(pid_t pid, int coid, struct _server_info *info);
/* Of a client; scoid -1: of this process. ngroups: the room in grouplist. */
int ConnectClientInfo(int scoid, struct _client_info *info, int ngroups);
int ConnectClientInfo_r(int scoid, struct _client_info *info, int ngroups);
/* Changes the flags in mask (only _NTO_COF_CLOEXEC) to bits; returns the old ones. */
int ConnectFlags(pid_t pid, int coid, unsigned mask, unsigned bits);
int ConnectFlags_r(pid_t pid, int coid, unsigned mask, unsigned bits);

/*
 * The names with nc are no cancellation points. The other names are none
 * either, in this library.
 */
long MsgSend(int coid, const void *smsg, size_t sbytes, void *rmsg, size_t rbytes);
long MsgSend_r(int coid, const void *smsg, size_t sbytes, void *rmsg, size_t rbytes);
long MsgSendnc(int coid, const void *smsg, size_t sbytes, void *rmsg, size_t rbytes);
long MsgSendnc_r(int coid, const void *smsg, size_t sbytes, void *rmsg, size_t rbytes);
long MsgSendv(int coid, const iov_t *siov, size_t sparts, const iov_t *riov, size_t rparts);
long MsgSendv_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov, size_t rparts);
long MsgSendvnc(int coid, const iov_t *siov, size_t sparts, const iov_t *riov, size_t rparts);
long MsgSendvnc_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov, size_t rparts);
long MsgSendsv(int coid, const void *smsg, size_t sbytes, const iov_t *riov, size_t rparts);
long MsgSendsv_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov, size_t rparts);
long MsgSendsvnc(int coid, const void *smsg, size_t sbytes, const iov_t *riov, size_t rparts);
long MsgSendsvnc_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov, size_t rparts);
long MsgSendvs(int coid, const iov_t *siov, size_t sparts, void *rmsg, size_t rbytes);
long MsgSendvs_r(int coid, const iov_t *siov, size_t sparts, void *rmsg, size_t rbytes);
long MsgSendvsnc(int coid, const iov_t *siov, size_t sparts, void *rmsg, size_t rbytes);
long MsgSendvsnc_r(int coid, const iov_t *siov, size_t sparts, void *rmsg, size_t rbytes);

int MsgReceive(int chid, void *msg, size_t bytes, struct _msg_info *info);
int MsgReceive_r(int chid, void *msg, size_t bytes, struct _msg_info *info);
int MsgReceivev(int chid, const iov_t *iov, size_t parts, struct _msg_info *info);
int MsgReceivev_r(int chid, const iov_t *iov, size_t parts, struct _msg_info *info);
/* Only pulses; info is not touched. */
int MsgReceivePulse(int chid, void *pulse, size_t bytes, struct _msg_info *info);
int MsgReceivePulse_r(int chid, void *pulse, size_t bytes, struct _msg_info *info);
int MsgReceivePulsev(int chid, const iov_t *piov, size_t parts, struct _msg_info *info);
int MsgReceivePulsev_r(int chid, const iov_t *piov, size_t parts, struct _msg_info *info);

int MsgInfo(int rcvid, struct _msg_info *info);
int MsgInfo_r(int rcvid, struct _msg_info *info);
/* Declares for which message the thread works; 0: for none. */
int MsgCurrent(int rcvid);
int MsgCurrent_r(int rcvid);
int MsgKeyData(int rcvid, int op, uint32_t key, uint32_t *newkey, const iov_t *iov, size_t parts);
int MsgKeyData_r(int rcvid, int op, uint32_t key, uint32_t *newkey, const iov_t *iov, size_t parts);

ssize_t MsgRead(int rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgRead_r(int rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgReadv(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgReadv_r(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgWrite(int rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWrite_r(int rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWritev(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgWritev_r(int rcvid, const iov_t *iov, size_t parts, size_t offset);

/* ENOSYS, as on QNX, where its arguments are not documented. */
ssize_t MsgReadwritev(int rcvid, ...);
ssize_t MsgReadwritev_r(int rcvid, ...);

int MsgReply(int rcvid, long status, const void *msg, size_t bytes);
int MsgReply_r(int rcvid, long status, const void *msg, size_t bytes);
int MsgReplyv(int rcvid, long status, const iov_t *iov, size_t parts);
int MsgReplyv_r(int rcvid, long status, const iov_t *iov, size_t parts);
int MsgError(int rcvid, int error);
int MsgError_r(int rcvid, int error);

/* A pulse, which nobody answers. priority -1: the caller's. */
int MsgSendPulse(int coid, int priority, int code, int value);
int MsgSendPulse_r(int coid, int priority, int code, int value);
int MsgSendPulsePtr(int coid, int priority, int code, void *value);
int MsgSendPulsePtr_r(int coid, int priority, int code, void *value);

/* An event to the sender of a message, answered or not; rcvid 0: to this process. */
int MsgDeliverEvent(int rcvid, const struct sigevent *event);
int MsgDeliverEvent_r(int rcvid, const struct sigevent *event);
/* Could it be delivered? */
int MsgVerifyEvent(int rcvid, const struct sigevent *event);
int MsgVerifyEvent_r(int rcvid, const struct sigevent *event);

/* A signal to a process of any node. tid 0: to any of its threads. */
int SignalKill(uint32_t nd, pid_t pid, int tid, int signo, int code, int value);
int SignalKill_r(uint32_t nd, pid_t pid, int tid, int signo, int code, int value);

/*
 * Arms a time-out for the thread's next call: it fails with ETIMEDOUT when it
 * is blocked in one of the states of flags once *ntime nanoseconds have passed
 * since TimerTimeout(), or, with TIMER_ABSTIME in flags, once the clock id
 * shows *ntime. ntime NULL: at once. notify: NULL or SIGEV_UNBLOCK. Returns
 * the states that were armed before, whose remaining time goes to *otime.
 */
int TimerTimeout(clockid_t id, int flags, const struct sigevent *notify,
		 const uint64_t *ntime, uint64_t *otime);
int TimerTimeout_r(clockid_t id, int flags, const struct sigevent *notify,
		   const uint64_t *ntime, uint64_t *otime);

#ifdef __cplusplus
}
#endif

#endif /* _QNET_SYS_NEUTRINO_H */
