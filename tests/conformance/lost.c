// SPDX-License-Identifier: GPL-2.0
/* A node that cannot be reached any more (neutrino-api.md 6.4 MsgSend, 6.5). */
#include <errno.h>

#include "pair.h"

/* Ticks so short that the loss of a node is noticed within a second. */
static void cut(void)
{
	HOLDS(world_option(SERVER, "periodic_ticks=50 conn_up_idle=10"));
	HOLDS(world_option(CLIENT, "periodic_ticks=50 conn_up_idle=10"));
	HOLDS(world_link(false));
}

/* "Send across Qnet failed", or "cannot talk to the remote node". */
static void fails_for_the_node(struct actor *client)
{
	WANT(FINISH(client), -1);
	HOLDS(error_of(client) == EHOSTDOWN || error_of(client) == EHOSTUNREACH);
}

CASE(REMOTE, while_REPLY_blocked)
{
	struct pair p = pair_up(0);

	hold(&p);
	cut();
	fails_for_the_node(p.client);
}

CASE(REMOTE, while_SEND_blocked)
{
	struct pair p = pair_up(0);

	begin_send(&p, "x", 1);
	await_blocked(p.client);
	flushed(&p, thread_of(p.client));
	cut();
	fails_for_the_node(p.client);
}

CASE(REMOTE, before_the_send)
{
	struct pair p = pair_up(0);

	works(&p);
	cut();
	begin_send(&p, "x", 1);
	fails_for_the_node(p.client);
}

/* 6.5: DISCONNECT pulse for clients of a dead node; their messages are nobody's. */
CASE(REMOTE, server_is_told_of_its_clients)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	int rcvid = hold(&p), scoid = p.info->scoid;

	cut();
	receive_pulse(&p, _PULSE_CODE_DISCONNECT);
	WANT(p.pulse->scoid, scoid);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
}

/* With _NTO_CHF_UNBLOCK too: the client is gone, whatever the server does. */
CASE(REMOTE, with_unblock_flag)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);

	hold(&p);
	cut();
	fails_for_the_node(p.client);
}

static bool sends(const struct pair *p)
{
	time_out(p->client, _NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY, 5000 * MILLISECONDS);
	return CALL(p->client, MsgSend, p->coid, "x", 1, NULL, 0) != -1;
}

static long serve_one(int chid, char *in)
{
	int rcvid = MsgReceive(chid, in, ROOM, NULL);

	return rcvid > 0 ? MsgReply(rcvid, 0, NULL, 0) : rcvid;
}

CASE(REMOTE, new_connection_once_it_is_back)
{
	struct pair p = pair_up(0), q;

	hold(&p);
	cut();
	fails_for_the_node(p.client);
	HOLDS(world_link(true));
	q = pair_with_client(&p, p.client);
	BEGIN(p.server, serve_one, q.chid, q.in);
	/* The link is not up at once. */
	AWAIT(sends(&q));
	WANT(FINISH(p.server), 0);
}
