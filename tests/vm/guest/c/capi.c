// SPDX-License-Identifier: GPL-2.0
/*
 * The C library's calls with the module there: what C programs see and Rust ones do not.
 *
 *	qnet-capi [NODE]	NODE: another node, whose name is looked up and told
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"

#define MILLISECOND 1000000ULL

static const char *other_node;

/* A server: echoes with the length as status, until it receives "quit". */
static void *echo(void *argument)
{
	int chid = *(int *)argument;
	struct _msg_info info;
	char buffer[256];

	for (;;) {
		int rcvid = MsgReceive(chid, buffer, sizeof(buffer), &info);

		if (rcvid == -1)
			return (void *)(long)errno;
		if (info.msglen == 5 && !memcmp(buffer, "error", 5))
			MsgError(rcvid, ESRVRFAULT);
		else if (info.msglen == 4 && !memcmp(buffer, "info", 4))
			MsgReply(rcvid, 1, &info, sizeof(info));
		else if (info.msglen == 4 && !memcmp(buffer, "hold", 4))
			continue;
		else
			MsgReply(rcvid, info.msglen, buffer, info.msglen);
		if (info.msglen == 4 && !memcmp(buffer, "quit", 4))
			return NULL;
	}
}

struct pair {
	int chid, coid;
	pthread_t thread;
};

static int pair(struct pair *pair)
{
	pair->chid = ChannelCreate(_NTO_CHF_SENDER_LEN | _NTO_CHF_REPLY_LEN);
	if (pair->chid == -1)
		return -1;
	pair->coid = ConnectAttach(ND_LOCAL_NODE, 0, pair->chid, _NTO_SIDE_CHANNEL, 0);
	if (pair->coid == -1)
		return -1;
	return pthread_create(&pair->thread, NULL, echo, &pair->chid);
}

static int unpair(struct pair *pair)
{
	void *ended;

	WANT(MsgSend(pair->coid, "quit", 4, NULL, 0), 4);
	WANT(pthread_join(pair->thread, &ended), 0);
	WANT((long)ended, 0);
	WANT(ConnectDetach(pair->coid), 0);
	WANT(ChannelDestroy(pair->chid), 0);
	return 0;
}

static int send_forms(void)
{
	struct pair p;
	char one[4], two[60];
	iov_t siov[2], riov[2];
	int form;

	WANT(pair(&p), 0);
	SETIOV(&siov[0], "sepa", 4);
	SETIOV(&siov[1], "rated", 5);
	SETIOV(&riov[0], one, sizeof(one));
	SETIOV(&riov[1], two, sizeof(two));
	for (form = 0; form < 16; form++) {
		long status = -1;

		memset(one, 0, sizeof(one));
		memset(two, 0, sizeof(two));
		switch (form) {
		case 0: status = MsgSend(p.coid, "separated", 9, two, sizeof(two)); break;
		case 1: status = MsgSend_r(p.coid, "separated", 9, two, sizeof(two)); break;
		case 2: status = MsgSendnc(p.coid, "separated", 9, two, sizeof(two)); break;
		case 3: status = MsgSendnc_r(p.coid, "separated", 9, two, sizeof(two)); break;
		case 4: status = MsgSendvs(p.coid, siov, 2, two, sizeof(two)); break;
		case 5: status = MsgSendvs_r(p.coid, siov, 2, two, sizeof(two)); break;
		case 6: status = MsgSendvsnc(p.coid, siov, 2, two, sizeof(two)); break;
		case 7: status = MsgSendvsnc_r(p.coid, siov, 2, two, sizeof(two)); break;
		case 8: status = MsgSendsv(p.coid, "separated", 9, riov, 2); break;
		case 9: status = MsgSendsv_r(p.coid, "separated", 9, riov, 2); break;
		case 10: status = MsgSendsvnc(p.coid, "separated", 9, riov, 2); break;
		case 11: status = MsgSendsvnc_r(p.coid, "separated", 9, riov, 2); break;
		case 12: status = MsgSendv(p.coid, siov, 2, riov, 2); break;
		case 13: status = MsgSendv_r(p.coid, siov, 2, riov, 2); break;
		case 14: status = MsgSendvnc(p.coid, siov, 2, riov, 2); break;
		case 15: status = MsgSendvnc_r(p.coid, siov, 2, riov, 2); break;
		}
		WANT(status, 9);
		if (form < 8) {
			WANT(memcmp(two, "separated", 9), 0);
		} else {
			WANT(memcmp(one, "sepa", 4), 0);
			WANT(memcmp(two, "rated", 5), 0);
		}
	}
	return unpair(&p);
}

static int receive_and_reply_in_parts(void)
{
	int chid = ChannelCreate(0), coid, rcvid, status;
	char one[3], two[10];
	iov_t iov[2];
	pid_t child;

	WANT(chid > 0, 1);
	coid = ConnectAttach(0, getpid(), chid, 0, 0);
	WANT(coid >= 0 && coid < _NTO_SIDE_CHANNEL, 1);
	child = fork();
	if (child == 0) {
		char reply[16] = "";
		int bad = MsgSend(coid, "abcdefgh", 8, reply, sizeof(reply)) != 77 ||
			  strcmp(reply, "defabc");

		_exit(bad);
	}
	SETIOV(&iov[0], one, sizeof(one));
	SETIOV(&iov[1], two, sizeof(two));
	rcvid = MsgReceivev(chid, iov, 2, NULL);
	WANT(rcvid > 0, 1);
	WANT(memcmp(one, "abc", 3), 0);
	WANT(memcmp(two, "defgh", 5), 0);
	SETIOV(&iov[0], two, 3);
	SETIOV(&iov[1], one, 3);
	WANT(MsgReplyv(rcvid, 77, iov, 2), 0);
	FAILS(MsgReplyv(rcvid, 77, iov, 2), ESRCH);
	WANT(MsgReply_r(rcvid, 0, NULL, 0), -ESRCH);
	WANT(MsgError_r(rcvid, EIO), -ESRCH);
	WANT(waitpid(child, &status, 0), child);
	WANT(status, 0);
	WANT(ConnectDetach(coid), 0);
	WANT(ChannelDestroy(chid), 0);
	return 0;
}

static int read_and_write(void)
{
	int chid = ChannelCreate(0), coid, rcvid, status;
	char one[4], two[8];
	iov_t iov[2];
	pid_t child;

	WANT(chid > 0, 1);
	coid = ConnectAttach(0, getpid(), chid, 0, 0);
	child = fork();
	if (child == 0) {
		char reply[16] = "................";

		_exit(MsgSend(coid, "abcdefghij", 10, reply, sizeof(reply)) != 3 ||
		      memcmp(reply, "answer12.one.two", 16));
	}
	rcvid = MsgReceive(chid, one, 2, NULL);
	WANT(rcvid > 0, 1);
	WANT(MsgRead(rcvid, one, sizeof(one), 1), 4);
	WANT(memcmp(one, "bcde", 4), 0);
	WANT(MsgRead_r(rcvid, two, sizeof(two), 7), 3);
	WANT(memcmp(two, "hij", 3), 0);
	WANT(MsgRead(rcvid, two, sizeof(two), 10), 0);
	SETIOV(&iov[0], one, 1);
	SETIOV(&iov[1], two, 5);
	WANT(MsgReadv(rcvid, iov, 2, 2), 6);
	WANT(one[0], 'c');
	WANT(memcmp(two, "defgh", 5), 0);
	WANT(MsgReadv_r(rcvid, iov, 2, 9), 1);
	WANT(MsgWrite(rcvid, ".one.", 5, 8), 5);
	WANT(MsgWrite_r(rcvid, ".two of which is clipped", 24, 12), 4);
	SETIOV(&iov[0], "an", 2);
	SETIOV(&iov[1], "swer12", 6);
	WANT(MsgWritev(rcvid, iov, 2, 0), 8);
	WANT(MsgWritev_r(rcvid, iov, 2, 16), 0);
	FAILS(MsgRead(rcvid, (void *)8, 4, 0), ESRVRFAULT);
	FAILS(MsgWrite(rcvid, (void *)8, 4, 0), ESRVRFAULT);
	WANT(MsgReply(rcvid, 3, NULL, 0), 0);
	FAILS(MsgRead(rcvid, one, 1, 0), ESRCH);
	WANT(MsgWrite_r(rcvid, one, 1, 0), -ESRCH);
	WANT(waitpid(child, &status, 0), child);
	WANT(status, 0);
	WANT(ConnectDetach(coid), 0);
	WANT(ChannelDestroy(chid), 0);
	return 0;
}

static int error_numbers(void)
{
	struct pair p;

	WANT(pair(&p), 0);
	FAILS(MsgSend(p.coid, "error", 5, NULL, 0), ESRVRFAULT);
	errno = 5;
	WANT(MsgSend_r(p.coid, "error", 5, NULL, 0), -ESRVRFAULT);
	WANT(errno, 5);
	return unpair(&p);
}

static int information(void)
{
	struct pair p;
	struct _msg_info info;

	WANT(pair(&p), 0);
	WANT(p.coid & _NTO_SIDE_CHANNEL, _NTO_SIDE_CHANNEL);
	WANT(MsgSend(p.coid, "info", 4, &info, sizeof(info)), 1);
	WANT(info.nd, 0);
	WANT(info.srcnd, 0);
	WANT(info.pid, getpid());
	WANT(info.tid > 0, 1);
	WANT(info.chid, p.chid);
	WANT(info.coid, p.coid);
	WANT(info.scoid & _NTO_SIDE_CHANNEL, _NTO_SIDE_CHANNEL);
	WANT(info.msglen, 4);
	WANT(info.srcmsglen, 4);
	WANT(info.dstmsglen, sizeof(info));
	WANT(info.flags, 0);
	return unpair(&p);
}

static int connection_numbers(void)
{
	int chid = ChannelCreate(0), coid, other;

	WANT(chid > 0, 1);
	coid = ConnectAttach(0, 0, chid, 100, 0);
	WANT(coid, 100);
	WANT(fcntl(coid, F_GETFD) & FD_CLOEXEC, 0);
	other = ConnectAttach(0, 0, chid, 100, _NTO_COF_CLOEXEC);
	WANT(other, 101);
	WANT(fcntl(other, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	WANT(ConnectDetach(other), 0);
	other = ConnectAttach(0, 0, chid, 200 | _NTO_SIDE_CHANNEL, _NTO_COF_NOSHARE);
	WANT(other, 200 | _NTO_SIDE_CHANNEL);
	WANT(fcntl(200, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	WANT(ConnectDetach(other), 0);
	FAILS(ConnectDetach(other), EINVAL);
	WANT(ConnectDetach(coid), 0);
	FAILS(ConnectDetach(coid), EINVAL);
	FAILS(ConnectDetach(0), EINVAL);
	FAILS(ConnectAttach(0, 0, chid, 0, 0x4000), EINVAL);
	FAILS(ConnectAttach(0, 0, chid + 1, 0, 0), ESRCH);
	FAILS(MsgSend(0, "x", 1, NULL, 0), EBADF);
	FAILS(MsgSend(coid, "x", 1, NULL, 0), EBADF);
	WANT(ChannelDestroy(chid), 0);
	FAILS(ChannelDestroy(chid), EINVAL);
	FAILS(MsgReceive(chid, &coid, sizeof(coid), NULL), ESRCH);
	FAILS(ChannelCreate(0x40000000), EINVAL);
	return 0;
}

static unsigned long long now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int time_outs(void)
{
	struct pair p;
	struct sigevent event;
	uint64_t ns = 100 * MILLISECOND, left = 0;
	unsigned long long before;
	int chid;

	WANT(pair(&p), 0);
	memset(&event, 0, sizeof(event));
	SIGEV_UNBLOCK_INIT(&event);

	before = now(CLOCK_MONOTONIC);
	WANT(TimerTimeout(CLOCK_REALTIME, _NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY, &event, &ns, NULL), 0);
	FAILS(MsgSend(p.coid, "hold", 4, NULL, 0), ETIMEDOUT);
	WANT(now(CLOCK_MONOTONIC) - before >= ns, 1);

	/* It concerns one call, and the next is not concerned. */
	WANT(TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_RECEIVE, NULL, &ns, NULL), 0);
	WANT(MsgSend(p.coid, "1234", 4, NULL, 0), 4);
	WANT(TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_REPLY, NULL, &ns, &left), 0);
	WANT(left, 0);
	WANT(TimerTimeout(CLOCK_MONOTONIC, 0, NULL, NULL, &left), _NTO_TIMEOUT_REPLY);
	WANT(left > 0 && left <= ns, 1);

	chid = ChannelCreate(0);
	WANT(TimerTimeout_r(CLOCK_MONOTONIC, _NTO_TIMEOUT_RECEIVE, NULL, NULL, NULL), 0);
	WANT(MsgReceive_r(chid, &ns, sizeof(ns), NULL), -ETIMEDOUT);
	ns = now(CLOCK_REALTIME) + 100 * MILLISECOND;
	before = now(CLOCK_REALTIME);
	WANT(TimerTimeout(CLOCK_REALTIME, _NTO_TIMEOUT_RECEIVE | TIMER_ABSTIME, NULL, &ns, NULL), 0);
	WANT(MsgReceive_r(chid, &event, sizeof(event), NULL), -ETIMEDOUT);
	WANT(now(CLOCK_REALTIME) - before >= 99 * MILLISECOND, 1);
	WANT(ChannelDestroy(chid), 0);
	return unpair(&p);
}

static int destroy_wakes(void)
{
	pthread_t threads[4];
	int chid = ChannelCreate(0), n;

	for (n = 0; n < 4; n++)
		WANT(pthread_create(&threads[n], NULL, echo, &chid), 0);
	usleep(50000);
	WANT(ChannelDestroy(chid), 0);
	for (n = 0; n < 4; n++) {
		void *ended;

		WANT(pthread_join(threads[n], &ended), 0);
		WANT((long)ended, ESRCH);
	}
	return 0;
}

static void *hold(void *argument)
{
	return (void *)MsgSend_r(*(int *)argument, "hold", 4, NULL, 0);
}

static int detach_wakes(void)
{
	struct pair p;
	pthread_t thread;
	void *ended;
	int coid;

	WANT(pair(&p), 0);
	coid = ConnectAttach(0, 0, p.chid, 0, 0);
	WANT(pthread_create(&thread, NULL, hold, &coid), 0);
	usleep(100000);
	WANT(ConnectDetach(coid), 0);
	WANT(pthread_join(thread, &ended), 0);
	WANT((long)ended, -EBADF);
	return unpair(&p);
}

/* Channels come and go while others receive on them. */
static int channels_under_way(void)
{
	int round;

	for (round = 0; round < 100; round++) {
		struct pair p;
		pthread_t thread;
		void *ended;

		WANT(pair(&p), 0);
		WANT(pthread_create(&thread, NULL, hold, &p.coid), 0);
		if (round % 3 == 0)
			usleep(1000);
		WANT(ChannelDestroy(p.chid), 0);
		WANT(pthread_join(p.thread, &ended), 0);
		WANT((long)ended, ESRCH);
		WANT(pthread_join(thread, &ended), 0);
		/* It was blocked, or came when the channel was gone. */
		if ((long)ended != -EBADF)
			WANT((long)ended, -ESRCH);
		WANT(ConnectDetach(p.coid), 0);
	}
	return 0;
}

static int forks(void)
{
	struct pair p;
	pid_t child;
	int status;

	WANT(pair(&p), 0);
	child = fork();
	if (child == 0) {
		char reply[8];
		int chid;

		if (MsgReceive_r(p.chid, reply, sizeof(reply), NULL) != -ESRCH)
			_exit(1);
		if (ChannelDestroy_r(p.chid) != -EINVAL)
			_exit(2);
		if (MsgSend_r(p.coid, "child", 5, reply, sizeof(reply)) != 5)
			_exit(3);
		chid = ChannelCreate(0);
		if (chid != 1)
			_exit(4);
		if (MsgReply_r(0x12345, 0, NULL, 0) != -ESRCH)
			_exit(5);
		_exit(ChannelDestroy(chid) ? 6 : 0);
	}
	WANT(waitpid(child, &status, 0), child);
	WANT(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
	WANT(MsgSend(p.coid, "mine", 4, NULL, 0), 4);
	return unpair(&p);
}

static int names(void)
{
	char name[300], again[300], *end;
	int nd, length;

	length = netmgr_ndtostr(0, ND_LOCAL_NODE, name, sizeof(name));
	if (length == -1 && errno == EINVAL) {
		puts("    # this node has no name");
	} else {
		WANT(length, strlen(name));
		WANT(netmgr_strtond(name, &end), 0);
		WANT(*end, 0);
		WANT(netmgr_ndtostr(0, 0, again, 3), length);
		WANT(strlen(again), 2);
	}
	FAILS(netmgr_ndtostr(ND2S_QOS_SHOW | ND2S_QOS_HIDE, 0, name, sizeof(name)), EINVAL);
	if (!other_node)
		return 0;
	nd = netmgr_strtond(other_node, &end);
	WANT(nd > 0, 1);
	WANT(*end, 0);
	WANT(ND_NODE_CMP(nd, ND_LOCAL_NODE) != 0, 1);
	WANT(netmgr_ndtostr(ND2S_LOCAL_STR, nd, name, sizeof(name)) > 0, 1);
	WANT(strcmp(name, other_node), 0);
	length = netmgr_ndtostr(ND2S_DIR_SHOW, nd, name, sizeof(name));
	WANT(strncmp(name, "/net/", 5), 0);
	strcat(name, "dev/ser1");
	WANT(netmgr_strtond(name, &end), nd);
	/* The slash between the name and the rest belongs to either. */
	WANT(end - name == length || end - name == length - 1, 1);
	return 0;
}

/* A daemon that closes every descriptor that it does not know. */
static int closes_everything(void)
{
	struct pair p;
	int fd;

	WANT(MsgReply_r(0x12345, 0, NULL, 0), -ESRCH);
	for (fd = 3; fd < 300; fd++)
		close(fd);
	WANT(MsgReply_r(0x12345, 0, NULL, 0), -ESRCH);
	for (fd = 3; fd < 300; fd++)
		close(fd);
	WANT(open("/dev/null", O_RDONLY) >= 3, 1);
	WANT(open("/dev/null", O_RDONLY) >= 3, 1);
	WANT(MsgReply_r(0x12345, 0, NULL, 0), -ESRCH);
	WANT(pair(&p), 0);
	return unpair(&p);
}

static const struct case_of cases[] = {
	{ "send_forms", send_forms },
	{ "receive_and_reply_in_parts", receive_and_reply_in_parts },
	{ "read_and_write", read_and_write },
	{ "error_numbers", error_numbers },
	{ "information", information },
	{ "connection_numbers", connection_numbers },
	{ "time_outs", time_outs },
	{ "destroy_wakes", destroy_wakes },
	{ "detach_wakes", detach_wakes },
	{ "channels_under_way", channels_under_way },
	{ "forks", forks },
	{ "names", names },
	{ "closes_everything", closes_everything },
};

/* Called by qnet-capi.rs, with the argument of its own main. */
int capi_main(const char *node);

int capi_main(const char *node)
{
	other_node = node;
	return run_suite("c_library", cases, sizeof(cases) / sizeof(cases[0]));
}
