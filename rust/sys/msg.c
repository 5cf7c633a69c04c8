// SPDX-License-Identifier: GPL-2.0
/*
 * What sendmsg(), recvmsg() and poll() were called with, and the sleepers of
 * a socket.
 */

#include <linux/net.h>
#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/compat.h>
#include <net/sock.h>
#include <qnet.h>

#include "helpers.h"

/**
 * qnet_helper_msg_part_count() - count the parts of a program's buffer
 * @msg: the call's
 *
 * Return: the number, 0 for memory that is not a program's.
 */
unsigned int qnet_helper_msg_part_count(const struct msghdr *msg)
{
	if (iter_is_ubuf(&msg->msg_iter))
		return 1;
	if (iter_is_iovec(&msg->msg_iter))
		return max(msg->msg_iter.nr_segs, 1UL);
	return 0;
}

/**
 * qnet_helper_msg_parts() - tell the parts of a program's buffer
 * @msg: the call's
 * @parts: filled, with room for as many as qnet_helper_msg_part_count() says;
 *	what is not needed has no length
 */
void qnet_helper_msg_parts(const struct msghdr *msg, struct qnet_iov *parts)
{
	struct iov_iter iter = msg->msg_iter;
	unsigned int i, count = qnet_helper_msg_part_count(msg);

	for (i = 0; i < count; i++) {
		parts[i].base = 0;
		parts[i].len = 0;
		if (!iov_iter_count(&iter))
			continue;
		parts[i].len = iov_iter_single_seg_count(&iter);
		parts[i].base = (unsigned long)iter_iov_addr(&iter);
		/* A part without bytes is passed over by that too. */
		iov_iter_advance(&iter, parts[i].len);
	}
}

/**
 * qnet_helper_msg_control() - read the control message of a sendmsg()
 * @msg: the call's
 * @type: of the only control message that may be there
 * @to: filled
 * @size: of what it holds
 *
 * Return: 1 if it is there, 0 if there is none, -EINVAL for any other.
 */
int qnet_helper_msg_control(struct msghdr *msg, int type, void *to, size_t size)
{
	struct cmsghdr *cmsg;
	int found = 0;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg) || cmsg->cmsg_level != SOL_QNET ||
		    cmsg->cmsg_type != type ||
		    cmsg->cmsg_len != CMSG_LEN(size) || found)
			return -EINVAL;
		memcpy(to, CMSG_DATA(cmsg), size);
		found = 1;
	}
	return found;
}

/**
 * qnet_helper_msg_has_room() - tell whether a recvmsg() takes a control message
 * @msg: the call's
 * @size: of what that holds
 *
 * Return: whether all of it fits.
 */
bool qnet_helper_msg_has_room(const struct msghdr *msg, size_t size)
{
	size_t header = CMSG_LEN(0);

#ifdef CONFIG_COMPAT
	if (msg->msg_flags & MSG_CMSG_COMPAT)
		header = sizeof(struct compat_cmsghdr);
#endif
	return msg->msg_control && msg->msg_controllen >= header + size;
}

/**
 * qnet_helper_msg_put() - give a recvmsg() its control message
 * @msg: the call's
 * @type: of the control message
 * @data: what it holds
 * @size: of that
 *
 * Return: 0 or -EFAULT.
 */
int qnet_helper_msg_put(struct msghdr *msg, int type, void *data, int size)
{
	return put_cmsg(msg, SOL_QNET, type, size, data);
}

/**
 * qnet_helper_msg_flags() - tell the flags of a sendmsg()
 * @msg: the call's
 *
 * Return: the flags, without what the kernel adds for itself.
 */
unsigned int qnet_helper_msg_flags(const struct msghdr *msg)
{
	return msg->msg_flags & ~MSG_CMSG_COMPAT;
}

/**
 * qnet_helper_msg_truncated() - tell a recvmsg() that there was more
 * @msg: the call's
 */
void qnet_helper_msg_truncated(struct msghdr *msg)
{
	msg->msg_flags |= MSG_TRUNC;
}

/**
 * qnet_helper_msg_has_name() - tell whether a sendmsg() names an address
 * @msg: the call's
 *
 * Return: whether it does.
 */
bool qnet_helper_msg_has_name(const struct msghdr *msg)
{
	return msg->msg_name;
}

/**
 * qnet_helper_sock_wait_ns() - tell how long a call on a socket may wait
 * @sock: the socket
 * @sends: whether it sends
 * @flags: the call's
 *
 * Return: nanoseconds; U64_MAX: for ever.
 */
u64 qnet_helper_sock_wait_ns(struct socket *sock, bool sends, unsigned int flags)
{
	bool nonblock = flags & MSG_DONTWAIT;
	long timeout = sends ? sock_sndtimeo(sock->sk, nonblock) :
			       sock_rcvtimeo(sock->sk, nonblock);

	return timeout == MAX_SCHEDULE_TIMEOUT ? U64_MAX : jiffies_to_nsecs(timeout);
}

/**
 * qnet_helper_sock_poll() - have a poll() woken by a socket
 * @file: its file
 * @sock: the socket
 * @table: the call's
 */
void qnet_helper_sock_poll(struct file *file, struct socket *sock,
			   struct poll_table_struct *table)
{
	sock_poll_wait(file, sock, table);
}

static __poll_t qnet_poll_mask(unsigned int what)
{
	__poll_t mask = 0;

	if (what & QNET_POLL_IN)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (what & QNET_POLL_OUT)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (what & QNET_POLL_HUP)
		mask |= EPOLLHUP | EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	return mask;
}

/**
 * qnet_helper_poll_mask() - tell a poll() what may be done
 * @what: of enum qnet_poll
 *
 * Return: the kernel's bits for it.
 */
unsigned int qnet_helper_poll_mask(unsigned int what)
{
	return (__force unsigned int)qnet_poll_mask(what);
}

/**
 * qnet_helper_sock_ring() - wake who polls a socket, and send its SIGIO
 * @sk: the socket, perhaps without files by now
 * @what: of enum qnet_poll: what may have become possible; 0: anything, who
 *	polls is to look for himself
 */
void qnet_helper_sock_ring(struct sock *sk, unsigned int what)
{
	struct socket_wq *wq;

	guard(rcu)();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_sync_poll(&wq->wait, qnet_poll_mask(what));
	sk_wake_async_rcu(sk, SOCK_WAKE_WAITD, POLL_IN);
}

/**
 * qnet_helper_sock_hold() - hold the struct sock of a socket
 * @sock: the socket
 *
 * Return: the struct sock, which lives until qnet_helper_sock_put().
 */
struct sock *qnet_helper_sock_hold(struct socket *sock)
{
	sock_hold(sock->sk);
	return sock->sk;
}

/**
 * qnet_helper_sock_get() - hold a struct sock once more
 * @sk: held already
 */
void qnet_helper_sock_get(struct sock *sk)
{
	sock_hold(sk);
}

/**
 * qnet_helper_sock_put() - let a struct sock go
 * @sk: held
 */
void qnet_helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}

/**
 * qnet_helper_sock_rcvbuf() - tell how much may wait for a socket
 * @sk: held
 *
 * Return: bytes.
 */
unsigned int qnet_helper_sock_rcvbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_rcvbuf);
}

/**
 * qnet_helper_sock_set_peer() - tell a socket whose the other end is
 * @sk: held, and connected just now
 * @pid: the process
 * @cred: its credentials
 *
 * SO_PEERCRED, SO_PEERPIDFD and SO_PEERGROUPS tell it on.
 */
void qnet_helper_sock_set_peer(struct sock *sk, struct pid *pid,
			       const struct cred *cred)
{
	guard(spinlock)(&sk->sk_peer_lock);
	if (sk->sk_peer_pid)
		return;
	sk->sk_peer_pid = get_pid(pid);
	sk->sk_peer_cred = get_cred(cred);
}
