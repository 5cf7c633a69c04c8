/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this library has and QNX has not, for programs linked with -lqnet.
 *
 * As in <sys/neutrino.h>, name() returns -1 and sets errno, and name_r()
 * returns the negative error number.
 */
#ifndef _QNET_SYS_QNET_H
#define _QNET_SYS_QNET_H

#include <sys/neutrino.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of ChannelCreate(): other nodes may connect in spite of the option remote=marked. */
#define _QNET_CHF_REMOTE	0x01000000

/* The descriptor of a connection, for poll(2) and its like. */
#define QNET_CONNECTION_FD(coid) ((coid) & ~_NTO_SIDE_CHANNEL)

/* An answer that goes out before the next message is received. */
struct qnet_answer {
	int rcvid;		/* the message, or 0: there is none to answer */
	int error;		/* out: 0, or why it could not be answered */
	long status;		/* what MsgSend() returns */
	const iov_t *iov;	/* the reply */
	size_t parts;
};

/*
 * MsgReply() and MsgReceive() in one system call. What becomes of the answer
 * is told in it, and has no part in the result, which is MsgReceive()'s.
 */
int qnet_reply_receive(int chid, struct qnet_answer *answer, void *msg, size_t bytes,
		       struct _msg_info *info);
int qnet_reply_receive_r(int chid, struct qnet_answer *answer, void *msg, size_t bytes,
			 struct _msg_info *info);
int qnet_reply_receivev(int chid, struct qnet_answer *answer, const iov_t *iov, size_t parts,
			struct _msg_info *info);
int qnet_reply_receivev_r(int chid, struct qnet_answer *answer, const iov_t *iov, size_t parts,
			  struct _msg_info *info);

/*
 * Who may connect to a channel: as who may write a file with this owner, group
 * and mode. uid or gid -1: as before, at first the maker's.
 */
int qnet_channel_access(int chid, uid_t uid, gid_t gid, mode_t mode);
int qnet_channel_access_r(int chid, uid_t uid, gid_t gid, mode_t mode);

/* The descriptor of a channel, for poll(2) and its like; ChannelDestroy() closes it. */
int qnet_channel_fd(int chid);
int qnet_channel_fd_r(int chid);

#ifdef __cplusplus
}
#endif

#endif /* _QNET_SYS_QNET_H */
