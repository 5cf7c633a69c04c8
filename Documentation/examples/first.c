// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The first program: a server thread and a client in one process, or a server
 * and a client in two, on one node or on two.
 *
 *	cc -o first first.c -lqnet -lpthread
 *	./first			serves itself
 *	./first serve		tells its PID and CHID, and serves until it is interrupted
 *	./first NODE PID CHID	sends to that server
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <unistd.h>

static int fail(const char *what)
{
	/* ENOREMOTE and ESRVRFAULT are Neutrino's; the C library knows no text. */
	fprintf(stderr, "first: %s: %s (%d)\n", what, strerror(errno), errno);
	return EXIT_FAILURE;
}

/* Answers the next message. */
static int answer(int chid)
{
	struct _msg_info info;
	char request[64];
	int rcvid;

	do {
		rcvid = MsgReceive(chid, request, sizeof(request), &info);
	} while (rcvid == 0); /* a pulse, which nobody answers, and of which info says nothing */
	if (rcvid == -1)
		return fail("MsgReceive");
	printf("server: \"%.*s\" from process %d\n", (int)info.msglen, request, (int)info.pid);
	/* A client that is gone meanwhile is no reason not to serve the next one. */
	if (MsgReply(rcvid, 7, "pleased to meet you", 20) == -1)
		fail("MsgReply");
	return EXIT_SUCCESS;
}

static void *serve_one(void *argument)
{
	answer(*(int *)argument);
	return NULL;
}

static int ask(int nd, pid_t pid, int chid)
{
	char reply[64] = "";
	long status;
	int coid = ConnectAttach(nd, pid, chid, _NTO_SIDE_CHANNEL, 0);

	if (coid == -1)
		return fail("ConnectAttach");
	status = MsgSend(coid, "hello", 5, reply, sizeof(reply) - 1);
	if (status == -1)
		return fail("MsgSend");
	printf("client: status %ld, \"%s\"\n", status, reply);
	if (ConnectDetach(coid) == -1)
		return fail("ConnectDetach");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	pthread_t server;
	int chid, nd, result;

	if (argc == 4) {
		nd = netmgr_strtond(argv[1], NULL);
		if (nd == -1)
			return fail(argv[1]);
		return ask(nd, atoi(argv[2]), atoi(argv[3]));
	}
	chid = ChannelCreate(_NTO_CHF_SENDER_LEN | _NTO_CHF_REPLY_LEN);
	if (chid == -1)
		return fail("ChannelCreate");
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		printf("./first NODE %d %d\n", (int)getpid(), chid);
		fflush(stdout);
		while (answer(chid) == EXIT_SUCCESS)
			fflush(stdout);
		return EXIT_FAILURE;
	}
	errno = pthread_create(&server, NULL, serve_one, &chid);
	if (errno)
		return fail("pthread_create");
	result = ask(ND_LOCAL_NODE, 0, chid);
	if (result != EXIT_SUCCESS)
		ChannelDestroy(chid);
	pthread_join(server, NULL);
	return result;
}
