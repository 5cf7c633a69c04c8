// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pulses and events, as QNX programs use them: a server that counts, and tells
 * its clients when it has counted far enough.
 *
 *	cc -o pulses pulses.c -lqnet -lpthread
 *	./pulses
 *
 * A client registers an event and goes on. The server is driven by pulses from
 * a thread of its own, and delivers the event when its time has come. It learns
 * by a pulse that a client has left, and forgets it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/neutrino.h>

#define CODE_TICK	(_PULSE_CODE_MINAVAIL + 0)
#define CODE_REACHED	(_PULSE_CODE_MINAVAIL + 1)
#define MESSAGE_WAIT	0x2001
#define TICKS		3

/* The message of a client that wants to be told. */
struct wait_message {
	uint16_t type;
	uint16_t subtype;
	uint32_t ticks;
	struct sigevent event;
};

/* Whatever the server receives. */
union request {
	uint16_t type;
	struct _pulse pulse;
	struct wait_message wait;
};

static int fail(const char *what)
{
	fprintf(stderr, "pulses: %s: %s (%d)\n", what, strerror(errno), errno);
	return EXIT_FAILURE;
}

/* The client that waits: one is enough here. */
struct client {
	int rcvid;
	int scoid;
	uint32_t ticks;
	struct sigevent event;
};

static void accept_client(struct client *client, int rcvid, const union request *request,
			  const struct _msg_info *info)
{
	if (info->msglen < (ssize_t)sizeof(request->wait) || request->type != MESSAGE_WAIT) {
		MsgError(rcvid, ENOSYS);
		return;
	}
	client->rcvid = rcvid;
	client->scoid = info->scoid;
	client->ticks = request->wait.ticks;
	client->event = request->wait.event;
	MsgReply(rcvid, EOK, NULL, 0);
}

/* Returns 1 when the last client has left. */
static int handle_pulse(struct client *client, const struct _pulse *pulse)
{
	switch (pulse->code) {
	case CODE_TICK:
		printf("server: tick %d\n", pulse->value.sival_int);
		if (client->ticks && --client->ticks == 0)
			MsgDeliverEvent(client->rcvid, &client->event);
		return 0;
	case _PULSE_CODE_DISCONNECT:
		ConnectDetach(pulse->scoid);
		return pulse->scoid == client->scoid;
	default:
		return 0;
	}
}

static void *serve(void *argument)
{
	int chid = *(int *)argument;
	struct client client = { .ticks = 0 };
	struct _msg_info info;
	union request request;

	for (;;) {
		int rcvid = MsgReceive(chid, &request, sizeof(request), &info);

		if (rcvid == -1) {
			fail("MsgReceive");
			return NULL;
		}
		if (rcvid > 0)
			accept_client(&client, rcvid, &request, &info);
		else if (handle_pulse(&client, &request.pulse))
			return NULL;
	}
}

/* Asks the server for a pulse on a channel of its own, and waits for it. */
static int wait_for_server(int server)
{
	struct wait_message message = { .type = MESSAGE_WAIT, .ticks = TICKS };
	struct _pulse pulse;
	int chid = ChannelCreate(0), self, tick;

	if (chid == -1)
		return fail("ChannelCreate");
	self = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
	if (self == -1)
		return fail("ConnectAttach");
	SIGEV_PULSE_INIT(&message.event, self, SIGEV_PULSE_PRIO_INHERIT, CODE_REACHED, 0);
	if (MsgSend(server, &message, sizeof(message), NULL, 0) == -1)
		return fail("MsgSend");
	for (tick = 1; tick <= TICKS; tick++) {
		if (MsgSendPulse(server, -1, CODE_TICK, tick) == -1)
			return fail("MsgSendPulse");
	}
	if (MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL) == -1)
		return fail("MsgReceivePulse");
	printf("client: pulse %d has come\n", pulse.code);
	ConnectDetach(self);
	ChannelDestroy(chid);
	return EXIT_SUCCESS;
}

int main(void)
{
	pthread_t server;
	int coid, result, chid = ChannelCreate(_NTO_CHF_DISCONNECT);

	if (chid == -1)
		return fail("ChannelCreate");
	errno = pthread_create(&server, NULL, serve, &chid);
	if (errno)
		return fail("pthread_create");
	coid = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
	if (coid == -1)
		return fail("ConnectAttach");
	result = wait_for_server(coid);
	ConnectDetach(coid);
	pthread_join(server, NULL);
	return result;
}
