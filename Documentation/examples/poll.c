// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A server and its client in one thread, which waits for both by poll(): none
 * of the calls blocks.
 *
 *	cc -o poll poll.c
 *	./poll
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <qnet.h> /* installed as <linux/qnet.h> */

/* Room for one control message. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(struct qnet_cm_received))];
};

/* The header of a call with a control message of so many bytes. */
static struct msghdr message(struct iovec *part, union control *control, int type, size_t size)
{
	struct msghdr header = { .msg_iov = part, .msg_iovlen = 1,
				 .msg_control = control, .msg_controllen = CMSG_SPACE(size) };

	memset(control, 0, sizeof(*control));
	control->head.cmsg_level = SOL_QNET;
	control->head.cmsg_type = type;
	control->head.cmsg_len = CMSG_LEN(size);
	return header;
}

/* The server: says how long a message is. */
static int serve(int channel)
{
	char bytes[100];
	struct iovec part = { bytes, sizeof(bytes) };
	union control control;
	struct qnet_cm_received received;
	struct qnet_cm_reply reply = { 0 };
	struct msghdr header = message(&part, &control, QNET_CM_RECEIVED, sizeof(received));

	if (recvmsg(channel, &header, 0) == -1)
		return -1;
	memcpy(&received, CMSG_DATA(&control.head), sizeof(received));
	reply.rcvid = received.rcvid;
	reply.status = received.info.srcmsglen;
	part.iov_len = snprintf(bytes, sizeof(bytes), "hello, process %d", received.info.pid);
	header = message(&part, &control, QNET_CM_REPLY, sizeof(reply));
	memcpy(CMSG_DATA(&control.head), &reply, sizeof(reply));
	return sendmsg(channel, &header, 0);
}

/* The client: sends a message, and does not wait for the answer, ... */
static int ask(int connection)
{
	char bytes[] = "how long is this?";
	struct iovec part = { bytes, sizeof(bytes) };
	union control control;
	struct qnet_cm_post post = { .cookie = 42, .room = 100, .coid = connection };
	struct msghdr header = message(&part, &control, QNET_CM_POST, sizeof(post));

	memcpy(CMSG_DATA(&control.head), &post, sizeof(post));
	return sendmsg(connection, &header, 0);
}

/* ... which it gets here. */
static int answered(int connection)
{
	char bytes[100];
	struct iovec part = { bytes, sizeof(bytes) };
	union control control;
	struct qnet_cm_answer answer;
	struct msghdr header = message(&part, &control, QNET_CM_ANSWER, sizeof(answer));
	ssize_t length = recvmsg(connection, &header, 0);

	if (length == -1)
		return -1;
	memcpy(&answer, CMSG_DATA(&control.head), sizeof(answer));
	printf("message %llu: error %d, status %lld, \"%.*s\"\n", (unsigned long long)answer.cookie,
	       answer.error, (long long)answer.status, (int)length, bytes);
	return 0;
}

int main(void)
{
	struct sockaddr_qnet name = { .sq_family = AF_QNET };
	socklen_t length = sizeof(name);
	struct pollfd both[2] = { { .events = POLLIN }, { .events = POLLIN } };

	both[0].fd = socket(AF_QNET, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	both[1].fd = socket(AF_QNET, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(both[0].fd, (struct sockaddr *)&name, sizeof(name)) == -1 ||
	    getsockname(both[0].fd, (struct sockaddr *)&name, &length) == -1) {
		perror("the channel");
		return 1;
	}
	/* The name of the channel is the address to connect to. */
	name.sq_flags = 0;
	if (connect(both[1].fd, (struct sockaddr *)&name, sizeof(name)) == -1 || ask(both[1].fd) == -1) {
		perror("the connection");
		return 1;
	}
	while (poll(both, 2, -1) > 0) {
		if ((both[0].revents & POLLIN) && serve(both[0].fd) == -1)
			break;
		if (both[1].revents & POLLIN)
			return answered(both[1].fd) == 0 ? 0 : 1;
	}
	perror("poll");
	return 1;
}
