/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Neutrino message passing on Linux, for programs linked with -lqnet.
 *
 * Names, values and meanings are those that QNX programmers know; only what
 * is implemented is declared. The manual pages ChannelCreate(3),
 * ConnectAttach(3), MsgSend(3), MsgReceive(3), MsgRead(3), MsgWrite(3),
 * MsgReply(3) and TimerTimeout(3) tell the rest.
 *
 * Each call has two forms: Name() returns -1 and sets errno, Name_r() returns
 * the negative error number and leaves errno alone.
 */
#ifndef _QNET_SYS_NEUTRINO_H
#define _QNET_SYS_NEUTRINO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
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
#define _NTO_CHF_SENDER_LEN	0x0020	/* fill srcmsglen */
#define _NTO_CHF_REPLY_LEN	0x0080	/* fill dstmsglen */
#define _NTO_CHF_PRIVATE	0x1000	/* no other process may connect */

/* Flags of ConnectAttach(). */
#define _NTO_COF_CLOEXEC	0x0001	/* exec closes the connection */
#define _NTO_COF_NOSHARE	0x0040	/* share nothing with other connections */

/* States of TimerTimeout(). */
#define _NTO_TIMEOUT_SEND	0x10	/* no server has received the message */
#define _NTO_TIMEOUT_RECEIVE	0x20	/* no message has come */
#define _NTO_TIMEOUT_REPLY	0x40	/* the server has not answered */

/* What TimerTimeout() does when the time has passed: end the blocked call. */
#define SIGEV_UNBLOCK		5
#define SIGEV_UNBLOCK_INIT(event) ((event)->sigev_notify = SIGEV_UNBLOCK)

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
	int16_t flags;		/* 0 */
	ssize_t msglen;		/* bytes received */
	ssize_t srcmsglen;	/* bytes sent by the client */
	ssize_t dstmsglen;	/* the client's room for a reply */
	uint32_t type_id;	/* 0 */
	uint32_t reserved;	/* 0 */
};

struct sigevent;

int ChannelCreate(unsigned flags);
int ChannelCreate_r(unsigned flags);
int ChannelDestroy(int chid);
int ChannelDestroy_r(int chid);

int ConnectAttach(uint32_t nd, pid_t pid, int chid, unsigned index, int flags);
int ConnectAttach_r(uint32_t nd, pid_t pid, int chid, unsigned index, int flags);
int ConnectDetach(int coid);
int ConnectDetach_r(int coid);

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

ssize_t MsgRead(int rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgRead_r(int rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgReadv(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgReadv_r(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgWrite(int rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWrite_r(int rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWritev(int rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgWritev_r(int rcvid, const iov_t *iov, size_t parts, size_t offset);

int MsgReply(int rcvid, long status, const void *msg, size_t bytes);
int MsgReply_r(int rcvid, long status, const void *msg, size_t bytes);
int MsgReplyv(int rcvid, long status, const iov_t *iov, size_t parts);
int MsgReplyv_r(int rcvid, long status, const iov_t *iov, size_t parts);
int MsgError(int rcvid, int error);
int MsgError_r(int rcvid, int error);

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
