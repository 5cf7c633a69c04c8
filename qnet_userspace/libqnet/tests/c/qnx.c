// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Written as for QNX, with the two headers of message passing: a server that
 * is told by pulses, and a client that it tells by an event. It is compiled as
 * C and as C++, with <signal.h> before and behind them (tests/headers.rs), and
 * run against the module (tests/vm).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/neutrino.h>
#include <sys/netmgr.h>

#define CODE_TICK	(_PULSE_CODE_MINAVAIL + 1)
#define CODE_DONE	(_PULSE_CODE_MINAVAIL + 2)
#define TYPE_REGISTER	(0x2000 + 1)

/* What a client sends to be told later. */
typedef struct {
	uint16_t type;
	uint16_t subtype;
	struct sigevent event;
} register_msg_t;

typedef union {
	uint16_t type;
	struct _pulse pulse;
	register_msg_t reg;
} recv_buf_t;

typedef struct {
	int chid;
	int waiting_rcvid;
	struct sigevent waiting_event;
	unsigned ticks, gone;
} server_t;

static void handle_pulse(server_t *server, const struct _pulse *pulse)
{
	switch (pulse->code) {
	case _PULSE_CODE_UNBLOCK:
		MsgError(pulse->value.sival_int, EINTR);
		break;
	case _PULSE_CODE_DISCONNECT:
		server->gone++;
		ConnectDetach(pulse->scoid);
		break;
	case _PULSE_CODE_THREADDEATH:
	case _PULSE_CODE_COIDDEATH:
		break;
	case CODE_TICK:
		server->ticks += pulse->value.sival_int;
		if (server->waiting_rcvid &&
		    MsgDeliverEvent(server->waiting_rcvid, &server->waiting_event) == -1)
			perror("MsgDeliverEvent");
		break;
	default:
		fprintf(stderr, "unexpected pulse %d %p\n", pulse->code, pulse->value.sival_ptr);
	}
}

static void handle_message(server_t *server, int rcvid, const recv_buf_t *msg,
			   const struct _msg_info *info)
{
	struct _client_info client;

	if (ConnectClientInfo(info->scoid, &client, 0) == -1 || client.cred.euid == 65534) {
		MsgError(rcvid, EPERM);
		return;
	}
	switch (msg->type) {
	case TYPE_REGISTER:
		if (info->msglen < (ssize_t)sizeof(msg->reg) ||
		    MsgVerifyEvent(rcvid, &msg->reg.event) == -1) {
			MsgError(rcvid, EBADMSG);
			return;
		}
		server->waiting_rcvid = rcvid;
		server->waiting_event = msg->reg.event;
		MsgReply(rcvid, EOK, NULL, 0);
		break;
	default:
		MsgError(rcvid, ENOSYS);
	}
}

/* Serves until `limit' ticks have come. */
int qnx_serve(int chid, unsigned limit);

int qnx_serve(int chid, unsigned limit)
{
	server_t server;
	recv_buf_t msg;
	struct _msg_info info;

	memset(&server, 0, sizeof(server));
	server.chid = chid;
	while (server.ticks < limit) {
		int rcvid = MsgReceive(server.chid, &msg, sizeof(msg), &info);

		if (rcvid == -1)
			return errno;
		if (rcvid == 0)
			handle_pulse(&server, &msg.pulse);
		else
			handle_message(&server, rcvid, &msg, &info);
	}
	return EOK;
}

/* Asks for an event on a channel of its own, and waits for it: the event's value. */
int qnx_ask(int coid, int value);

int qnx_ask(int coid, int value)
{
	register_msg_t msg;
	struct _pulse pulse;
	int chid = ChannelCreate(0), self = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
	int got = -1;

	if (chid == -1 || self == -1)
		return -1;
	msg.type = TYPE_REGISTER;
	msg.subtype = 0;
	SIGEV_PULSE_INIT(&msg.event, self, SIGEV_PULSE_PRIO_INHERIT, CODE_DONE, value);
	if (MsgSend(coid, &msg, sizeof(msg), NULL, 0) == EOK &&
	    MsgSendPulse(coid, -1, CODE_TICK, 1) == EOK &&
	    MsgReceivePulse(chid, &pulse, sizeof(pulse), NULL) == EOK && pulse.code == CODE_DONE)
		got = pulse.value.sival_int;
	ConnectDetach(self);
	ChannelDestroy(chid);
	return got;
}

/* What the names of an event mean, however the headers were included. */
int qnx_events(void);

int qnx_events(void)
{
	struct sigevent event;
	union sigval value;

	SIGEV_SIGNAL_INIT(&event, 10);
	if (event.sigev_notify != 1 || event.sigev_signo != 10)
		return 1;
	SIGEV_SIGNAL_CODE_INIT(&event, 10, -3, 5);
	if (event.sigev_notify != 2 || event.sigev_value.sival_int != -3 || event.sigev_code != 5)
		return 2;
	SIGEV_SIGNAL_THREAD_INIT(&event, 11, &event, 6);
	if (event.sigev_notify != 3 || event.sigev_value.sival_ptr != &event)
		return 3;
	SIGEV_PULSE_INIT(&event, 0x40000007, 21, 8, 9);
	if (event.sigev_notify != 4 || event.sigev_coid != 0x40000007 || event.sigev_priority != 21 ||
	    event.sigev_code != 8 || event.sigev_value.sival_int != 9)
		return 4;
	SIGEV_UNBLOCK_INIT(&event);
	if (event.sigev_notify != 5)
		return 5;
	SIGEV_NONE_INIT(&event);
	if (event.sigev_notify != 0 || SIGEV_NONE != 0 || SIGEV_SIGNAL != 1)
		return 6;
	event.sigev_notify = SIGEV_PULSE;
	SIGEV_MAKE_CRITICAL(&event);
	value.sival_int = 7;
	event.sigev_value = value;
	return SIGEV_GET_TYPE(&event) != SIGEV_PULSE || event.sigev_value.sival_int != 7;
}
