// SPDX-License-Identifier: GPL-2.0
/* A node that cannot be reached any more (neutrino-api.md 6.4 MsgSend, 6.5). */
#include <errno.h>

#include "pair.h"

/* "Send across Qnet failed", or "cannot talk to the remote node". */
static void fails_for_the_node(struct actor *client)
{
	WANT(FINISH(client), -1);
	HOLDS(error_of(client) == EHOSTDOWN || error_of(client) == EHOSTUNREACH);
}

CASE(REMOTE, before_the_send)
{
	struct pair p = pair_up(0);

	works(&p);
	HOLDS(world_link(false));
	begin_send(&p, "x", 1);
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

/*
 * It takes ten seconds until a silent node counts as lost, so one loss has to do:
 * for clients that are REPLY-blocked, with _NTO_CHF_UNBLOCK and without, and
 * SEND-blocked, and for their server.
 */
CASE(REMOTE, while_blocked)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT), q = pair_up(_NTO_CHF_UNBLOCK);
	struct pair r = pair_with_client(&p, thread_of(p.client)), again;
	int rcvid = hold(&p), scoid = p.info->scoid;

	hold(&q);
	begin_send(&r, "never received", 14);
	await_blocked(r.client);
	flushed(&p, thread_of(p.client));
	HOLDS(world_link(false));
	fails_for_the_node(p.client);
	fails_for_the_node(q.client);
	fails_for_the_node(r.client);

	/* 6.5: DISCONNECT pulse for clients of a dead node; their messages are nobody's. */
	/* The server's node notices later, and until then the message that waits is there. */
	WANT(CALL(p.server, MsgReceivePulse, p.chid, p.in, ROOM, NULL), 0);
	WANT(p.pulse->code, _PULSE_CODE_DISCONNECT);
	WANT(p.pulse->scoid, scoid);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
	nothing_queued(&p);

	/* When the node is back, there is a new connection to it; the link is not up at once. */
	HOLDS(world_link(true));
	again = pair_with_client(&p, p.client);
	BEGIN(p.server, serve_one, p.chid, p.in);
	AWAIT(sends(&again));
	WANT(FINISH(p.server), 0);
}
