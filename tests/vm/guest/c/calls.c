// SPDX-License-Identifier: GPL-2.0
/*
 * The C library's calls around messages, with the module there: pulses and
 * events, who is connected to whom, and what QNX has not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/prctl.h>
#include <sys/qnet.h>
#include <sys/wait.h>

#include "ktap.h"

/* A source that was written for QNX: qnet_userspace/libqnet/tests/c/qnx.c. */
int qnx_serve(int chid, unsigned limit);
int qnx_ask(int coid, int value);
int qnx_events(void);

/* A channel of this process with these flags and a connection to it. */
static int open_pair(unsigned flags, int *chid, int *coid)
{
	*chid = ChannelCreate(flags);
	WANT(*chid > 0, 1);
	*coid = ConnectAttach(ND_LOCAL_NODE, 0, *chid, _NTO_SIDE_CHANNEL, 0);
	WANT(*coid != -1, 1);
	return 0;
}

static int close_pair(int chid, int coid)
{
	WANT(ConnectDetach(coid), 0);
	WANT(ChannelDestroy(chid), 0);
	return 0;
}

static int pulses(void)
{
	struct _pulse pulse;
	struct _msg_info info, untouched;
	char head[5], tail[40];
	iov_t parts[2];
	int chid, coid;

	WANT(open_pair(0, &chid, &coid), 0);
	memset(&info, 0x5a, sizeof(info));
	untouched = info;
	WANT(MsgSendPulse(coid, 10, 3, -4), 0);
	WANT(MsgReceive(chid, &pulse, sizeof(pulse), &info), 0);
	WANT(pulse.type, _PULSE_TYPE);
	WANT(pulse.subtype, _PULSE_SUBTYPE);
	WANT(pulse.code, 3);
	WANT(pulse.value.sival_int, -4);
	WANT(memcmp(&info, &untouched, sizeof(info)), 0);
	WANT(MsgSendPulsePtr_r(coid, 0, 4, &pulse), 0);
	WANT(MsgReceivePulse_r(chid, &pulse, sizeof(pulse), &info), 0);
	WANT(pulse.value.sival_ptr == &pulse, 1);
	WANT(memcmp(&info, &untouched, sizeof(info)), 0);
	SETIOV(&parts[0], head, sizeof(head));
	SETIOV(&parts[1], tail, sizeof(tail));
	WANT(MsgSendPulse_r(coid, -1, 5, 6), 0);
	WANT(MsgReceivev(chid, parts, 2, NULL), 0);
	WANT(head[4], 5);
	WANT(MsgSendPulse(coid, -1, 7, 6), 0);
	WANT(MsgReceivePulsev(chid, parts, 2, NULL), 0);
	WANT(head[4], 7);
	/* What finds no room is lost. */
	WANT(MsgSendPulse(coid, -1, 8, 0), 0);
	FAILS(MsgReceive(chid, &pulse, sizeof(pulse) - 5, NULL), EFAULT);
	WANT(MsgSendPulse(coid, -1, 8, 0), 0);
	FAILS(MsgReceivePulse(chid, NULL, sizeof(pulse), NULL), EFAULT);
	WANT(TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_RECEIVE, NULL, NULL, NULL), 0);
	FAILS(MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL), ETIMEDOUT);
	FAILS(MsgSendPulse(coid, 256, 1, 0), EINVAL);
	FAILS(MsgSendPulse(coid, 10, 128, 0), EINVAL);
	FAILS(MsgSendPulse(0, 10, 1, 0), EBADF);
	WANT(close_pair(chid, coid), 0);
	FAILS(MsgSendPulse(coid, 10, 1, 0), EBADF);
	return 0;
}

static int events(void)
{
	struct sigevent event;
	struct _pulse pulse;
	int chid, coid;

	WANT(qnx_events(), 0);
	WANT(open_pair(0, &chid, &coid), 0);
	SIGEV_PULSE_INIT(&event, coid, SIGEV_PULSE_PRIO_INHERIT, 9, 77);
	SIGEV_MAKE_CRITICAL(&event);
	WANT(MsgVerifyEvent(0, &event), 0);
	WANT(MsgDeliverEvent(0, &event), 0);
	WANT(MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL), 0);
	WANT(pulse.code, 9);
	WANT(pulse.value.sival_int, 77);
	WANT(close_pair(chid, coid), 0);
	FAILS(MsgVerifyEvent(0, &event), EBADF);
	WANT(MsgDeliverEvent_r(0, &event), -EBADF);
	/* Neither is of the kinds that are delivered. */
	event.sigev_notify = SIGEV_THREAD;
	FAILS(MsgDeliverEvent(0, &event), EINVAL);
	FAILS(MsgDeliverEvent(0x12345, &event), EINVAL);
	SIGEV_NONE_INIT(&event);
	FAILS(MsgDeliverEvent(0x12345, &event), ESRCH);
	return 0;
}

static volatile sig_atomic_t handled;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal == SIGUSR2 && info->si_value.sival_int == 31)
		handled++;
}

static int signals(void)
{
	struct sigaction action;
	struct sigevent event;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO;
	WANT(sigaction(SIGUSR2, &action, NULL), 0);
	WANT(SignalKill(ND_LOCAL_NODE, getpid(), 0, SIGUSR2, SI_QUEUE, 31), 0);
	WANT(handled, 1);
	WANT(SignalKill_r(ND_LOCAL_NODE, getpid(), gettid(), SIGUSR2, SI_QUEUE, 31), 0);
	WANT(handled, 2);
	SIGEV_SIGNAL_CODE_INIT(&event, SIGUSR2, 31, SI_QUEUE);
	WANT(MsgDeliverEvent(0, &event), 0);
	WANT(handled, 3);
	WANT(SignalKill(ND_LOCAL_NODE, getpid(), 0, 0, 0, 0), 0);
	FAILS(SignalKill(ND_LOCAL_NODE, 0, 0, SIGUSR2, 0, 0), ESRCH);
	FAILS(SignalKill(ND_LOCAL_NODE, 4000000, 0, SIGUSR2, 0, 0), ESRCH);
	FAILS(SignalKill(ND_LOCAL_NODE, getpid(), 0, 100, 0, 0), EINVAL);
	return 0;
}

static void *send_hello(void *argument)
{
	return (void *)MsgSend_r(*(int *)argument, "hello", 5, NULL, 0);
}

/* What a server is told of a message that waits for its answer. */
static int told(void)
{
	struct _msg_info info, again;
	struct _client_info client;
	struct _pulse pulse;
	uint32_t key, wrong = 1;
	iov_t data;
	pthread_t thread;
	void *status;
	char text[8];
	int chid, coid, rcvid;

	WANT(open_pair(_NTO_CHF_UNBLOCK | _NTO_CHF_SENDER_LEN | _NTO_CHF_REPLY_LEN, &chid, &coid), 0);
	WANT(pthread_create(&thread, NULL, send_hello, &coid), 0);
	rcvid = MsgReceive(chid, text, 3, &info);
	WANT(rcvid > 0, 1);
	WANT(MsgInfo(rcvid, &again), 0);
	WANT(memcmp(&info, &again, sizeof(info)), 0);
	WANT(ConnectClientInfo(info.scoid, &client, 8), 0);
	WANT(client.nd, ND_LOCAL_NODE);
	WANT(client.pid, getpid());
	WANT(client.sid, getsid(0));
	WANT(client.cred.euid, geteuid());
	WANT(client.cred.rgid, getgid());
	FAILS(ConnectClientInfo(0x7ffffff0, &client, 8), EINVAL);
	WANT(MsgCurrent(rcvid), 0);
	WANT(MsgCurrent(0), 0);
	SETIOV(&data, text, 3);
	WANT(MsgKeyData(rcvid, _NTO_KEYDATA_CALCULATE, 0, &key, &data, 1), 0);
	WANT(MsgKeyData_r(rcvid, _NTO_KEYDATA_VERIFY, key, &wrong, &data, 1), 0);
	WANT(wrong, 0);
	text[0] = 'x';
	WANT(MsgKeyData(rcvid, _NTO_KEYDATA_VERIFY, key, &wrong, &data, 1), 0);
	WANT((int)wrong, -1);
	FAILS(MsgKeyData(rcvid, 3, key, &wrong, &data, 1), EINVAL);
	/* A signal: the server is told, and decides. */
	WANT(pthread_kill(thread, SIGUSR2), 0);
	WANT(MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL), 0);
	WANT(pulse.code, _PULSE_CODE_UNBLOCK);
	WANT(pulse.value.sival_int, rcvid);
	WANT(MsgInfo(rcvid, &info), 0);
	WANT(info.flags & _NTO_MI_UNBLOCK_REQ, _NTO_MI_UNBLOCK_REQ);
	WANT(MsgError(rcvid, -1), 0);
	WANT(pthread_join(thread, &status), 0);
	WANT((long)status, -EINTR);
	FAILS(MsgInfo(rcvid, &info), ESRCH);
	WANT(MsgCurrent_r(rcvid), -ESRCH);
	return close_pair(chid, coid);
}

/* A client that leaves, whose number the server gives back. */
static int leaving(void)
{
	struct _pulse pulse;
	int chid = ChannelCreate(_NTO_CHF_DISCONNECT), status, scoid;
	pid_t parent = getpid(), child;

	WANT(chid > 0, 1);
	child = fork();
	if (child == 0) {
		int coid = ConnectAttach(ND_LOCAL_NODE, parent, chid, 0, 0);

		_exit(coid == -1 || MsgSendPulse(coid, -1, 1, 0) == -1);
	}
	WANT(waitpid(child, &status, 0), child);
	WANT(status, 0);
	WANT(MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL), 0);
	WANT(pulse.code, 1);
	scoid = pulse.scoid;
	WANT(MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL), 0);
	WANT(pulse.code, _PULSE_CODE_DISCONNECT);
	WANT(pulse.scoid, scoid);
	WANT(ConnectDetach(scoid), 0);
	FAILS(ConnectDetach(scoid), EINVAL);
	WANT(ChannelDestroy(chid), 0);
	return 0;
}

static int connections(void)
{
	struct _server_info info;
	int chid = ChannelCreate(0), plain, next, side;

	WANT(chid > 0, 1);
	plain = ConnectAttach(0, 0, chid, 400, 0);
	next = ConnectAttach(0, 0, chid, 420, _NTO_COF_CLOEXEC);
	side = ConnectAttach(0, 0, chid, 440 | _NTO_SIDE_CHANNEL, 0);
	WANT(plain, 400);
	WANT(side, 440 | _NTO_SIDE_CHANNEL);
	WANT(ConnectServerInfo(0, plain, &info), plain);
	WANT(info.coid, plain);
	WANT(info.nd, 0);
	WANT(info.pid, getpid());
	WANT(info.chid, chid);
	WANT(info.flags, 0);
	WANT(ConnectServerInfo(0, plain + 1, &info), next);
	WANT(ConnectServerInfo(getpid(), next + 1, NULL), side);
	WANT(ConnectServerInfo_r(0, side + 1, &info), -EINVAL);
	WANT(ConnectFlags(0, plain, 0, 0), 0);
	WANT(ConnectFlags(0, plain, _NTO_COF_CLOEXEC, _NTO_COF_CLOEXEC), 0);
	WANT(ConnectFlags(getpid(), plain, _NTO_COF_CLOEXEC, 0), _NTO_COF_CLOEXEC);
	WANT(fcntl(plain, F_GETFD), 0);
	WANT(ConnectFlags_r(0, next, 0, 0), _NTO_COF_CLOEXEC);
	/* Those of a dead channel are passed over, unless they are asked about. */
	WANT(ChannelDestroy(chid), 0);
	WANT(ConnectServerInfo(0, plain, &info), plain);
	WANT(info.flags, _NTO_COF_DEAD);
	FAILS(ConnectServerInfo(0, plain, NULL), EINVAL);
	WANT(ConnectDetach(plain) | ConnectDetach(next) | ConnectDetach(side), 0);
	FAILS(ConnectServerInfo(0, plain, &info), EINVAL);
	return 0;
}

/* The connections of another process, which lets itself be traced. */
static int connections_of_others(void)
{
	struct _server_info info;
	int chid, coid, ready[2], status;
	char byte;
	pid_t child;

	WANT(open_pair(0, &chid, &coid), 0);
	WANT(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int own = ConnectAttach(0, getppid(), chid, 500, 0);

		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		if (write(ready[1], own == 500 ? "y" : "n", 1) != 1)
			_exit(1);
		pause();
	}
	WANT(read(ready[0], &byte, 1), 1);
	WANT(byte, 'y');
	WANT(ConnectServerInfo(child, 450, &info), 500);
	WANT(info.pid, getpid());
	WANT(info.chid, chid);
	FAILS(ConnectFlags(child, 500, _NTO_COF_CLOEXEC, 0), EPERM);
	WANT(kill(child, SIGKILL), 0);
	WANT(waitpid(child, &status, 0), child);
	FAILS(ConnectServerInfo(child, 500, &info), ESRCH);
	close(ready[0]);
	close(ready[1]);
	return close_pair(chid, coid);
}

/* Answers each message together with the wait for the next, until a pulse comes. */
static void *serve_in_turn(void *argument)
{
	int chid = *(int *)argument;
	struct qnet_answer answer = { .rcvid = 0 };
	struct _msg_info info;
	char buffer[32];
	iov_t reply;
	long served;

	for (served = 0;; served++) {
		int rcvid = qnet_reply_receive_r(chid, &answer, buffer, sizeof(buffer), &info);

		if (rcvid <= 0)
			return (void *)(rcvid ? (long)rcvid : served);
		SETIOV(&reply, buffer, info.msglen);
		answer.rcvid = rcvid;
		answer.status = info.msglen;
		answer.iov = &reply;
		answer.parts = 1;
	}
}

static int reply_and_receive(void)
{
	struct qnet_answer answer = { .rcvid = 0x12345 };
	pthread_t thread;
	void *served;
	int chid, coid, n;
	char reply[16];

	WANT(open_pair(0, &chid, &coid), 0);
	WANT(pthread_create(&thread, NULL, serve_in_turn, &chid), 0);
	for (n = 0; n < 20; n++) {
		memset(reply, 0, sizeof(reply));
		WANT(MsgSend(coid, "0123456789", 10, reply, sizeof(reply)), 10);
		WANT(memcmp(reply, "0123456789", 10), 0);
	}
	WANT(MsgSendPulse(coid, -1, 1, 0), 0);
	WANT(pthread_join(thread, &served), 0);
	WANT((long)served, 20);
	/* That there is nobody to answer does not keep it from receiving. */
	WANT(MsgSendPulse(coid, -1, 1, 0), 0);
	WANT(qnet_reply_receive(chid, &answer, &(struct _pulse){ 0 }, sizeof(struct _pulse), NULL), 0);
	WANT(answer.error, ESRCH);
	return close_pair(chid, coid);
}

static int descriptors(void)
{
	int channel;
	int chid, coid;

	WANT(open_pair(0, &chid, &coid), 0);
	channel = qnet_channel_fd(chid);
	WANT(channel > 2, 1);
	WANT(fcntl(channel, F_GETFD), FD_CLOEXEC);
	WANT(fcntl(QNET_CONNECTION_FD(coid), F_GETFD), FD_CLOEXEC);
	WANT(qnet_channel_access(chid, -1, -1, 0600), 0);
	WANT(close_pair(chid, coid), 0);
	FAILS(qnet_channel_fd(chid), ESRCH);
	return 0;
}

static void *serve(void *argument)
{
	return (void *)(long)qnx_serve(*(int *)argument, 1);
}

static int a_source_of_qnx(void)
{
	pthread_t thread;
	void *status;
	int chid, coid;

	WANT(open_pair(_NTO_CHF_DISCONNECT | _NTO_CHF_UNBLOCK, &chid, &coid), 0);
	WANT(pthread_create(&thread, NULL, serve, &chid), 0);
	WANT(qnx_ask(coid, 1234), 1234);
	WANT(pthread_join(thread, &status), 0);
	WANT((long)status, EOK);
	return close_pair(chid, coid);
}

static const struct case_of cases[] = {
	{ "pulses", pulses },
	{ "events", events },
	{ "signals", signals },
	{ "told", told },
	{ "leaving", leaving },
	{ "connections", connections },
	{ "connections_of_others", connections_of_others },
	{ "reply_and_receive", reply_and_receive },
	{ "descriptors", descriptors },
	{ "a_source_of_qnx", a_source_of_qnx },
};

/* Called by qnet-calls.rs. */
int calls_main(void);

int calls_main(void)
{
	return run_suite("c_calls", cases, sizeof(cases) / sizeof(cases[0]));
}
