// SPDX-License-Identifier: GPL-2.0
/* A server and a client, and the steps that cases have in common. */
#include "pair.h"

#include <errno.h>
#include <string.h>
#include <sys/netmgr.h>
#include <time.h>

uint32_t node_seen_by(struct actor *actor, enum side actors_side)
{
	const char *name = world.names[actors_side == CLIENT ? SERVER : CLIENT];
	long nd = -1;

	if (!is_remote())
		return 0;
	/* The first question may be asked before the link is up. */
	AWAIT((nd = CALL(actor, netmgr_strtond, name, NULL)) != -1);
	return nd;
}

int new_channel(struct actor *owner, unsigned flags)
{
	int chid = CALL(owner, ChannelCreate, flags);

	if (chid == -1)
		FAIL("ChannelCreate(%#x): %s", flags, error_name(error_of(owner)));
	return chid;
}

int attach(struct actor *actor, uint32_t nd, struct actor *server, int chid)
{
	int coid = CALL(actor, ConnectAttach, nd, pid_of(server), chid, _NTO_SIDE_CHANNEL, 0);

	if (coid == -1)
		FAIL("ConnectAttach: %s", error_name(error_of(actor)));
	return coid;
}

struct pair pair_of(struct actor *server, struct actor *client, unsigned flags)
{
	struct pair pair = { .server = server, .client = client };

	pair.in = mem(ROOM);
	pair.reply = mem(ROOM);
	pair.pulse = (struct _pulse *)pair.in;
	pair.info = mem(sizeof(*pair.info));
	pair.chid = new_channel(server, flags);
	pair.nd = node_seen_by(client, CLIENT);
	pair.coid = attach(client, pair.nd, server, pair.chid);
	return pair;
}

struct pair pair_up(unsigned flags)
{
	struct actor *server = process_on(SERVER);

	return pair_of(server, process_on(CLIENT), flags);
}

struct pair pair_with_client(const struct pair *pair, struct actor *client)
{
	struct pair other = *pair;

	other.client = client;
	other.reply = mem(ROOM);
	other.coid = attach(client, pair->nd, pair->server, pair->chid);
	return other;
}

void begin_send(const struct pair *pair, const void *bytes, size_t size)
{
	BEGIN(pair->client, MsgSend, pair->coid, bytes, size, pair->reply, ROOM);
}

int receive(const struct pair *pair)
{
	int rcvid;

	BEGIN(pair->server, MsgReceive, pair->chid, pair->in, ROOM, pair->info);
	/* A send that fails early is told at once, and not as a receive that waits for ever. */
	AWAIT(!is_busy(pair->server) || has_returned(pair->client));
	if (is_busy(pair->server))
		FAIL("the send returned %ld (%s) before it was received", FINISH(pair->client),
		     error_name(error_of(pair->client)));
	rcvid = FINISH(pair->server);
	if (rcvid <= 0)
		FAIL("MsgReceive: wanted a message, came %d (%s)", rcvid,
		     error_name(error_of(pair->server)));
	return rcvid;
}

int hold(const struct pair *pair)
{
	begin_send(pair, "held", 4);
	return receive(pair);
}

void answer(const struct pair *pair, int rcvid, int status)
{
	WANT(CALL(pair->server, MsgReply, rcvid, status, NULL, 0), 0);
	WANT(FINISH(pair->client), status);
}

void works(const struct pair *pair)
{
	answer(pair, hold(pair), 4711);
}

void receive_pulse(const struct pair *pair, int code)
{
	WANT(CALL(pair->server, MsgReceive, pair->chid, pair->in, ROOM, NULL), 0);
	WANT(pair->pulse->code, code);
}

void time_out(struct actor *actor, int states, uint64_t nanoseconds)
{
	uint64_t *time = mem(sizeof(*time));

	*time = nanoseconds;
	HOLDS(CALL(actor, TimerTimeout, CLOCK_MONOTONIC, states, NULL, time, NULL) != -1);
}

void nothing_queued(const struct pair *pair)
{
	time_out(pair->server, _NTO_TIMEOUT_RECEIVE, 0);
	FAILS(pair->server, ETIMEDOUT, MsgReceive, pair->chid, pair->in, ROOM, NULL);
}

/*
 * Between two nodes everything goes by one session, which keeps the order. So
 * what has been sent before a message to another channel was answered is there.
 */
void flushed(const struct pair *pair, struct actor *sender)
{
	struct actor *other = process_on(SERVER);
	struct pair probe = *pair;

	probe.server = other;
	probe.client = sender;
	probe.in = mem(ROOM);
	probe.info = mem(sizeof(*probe.info));
	probe.chid = new_channel(other, 0);
	probe.coid = attach(sender, pair->nd, other, probe.chid);
	works(&probe);
}

static bool wants_to_leave(const struct pair *pair, struct actor *thread, int rcvid)
{
	WANT(CALL(thread, MsgInfo, rcvid, pair->info), 0);
	return pair->info->flags & _NTO_MI_UNBLOCK_REQ;
}

void await_unblock_request(const struct pair *pair, struct actor *thread, int rcvid)
{
	AWAIT(wants_to_leave(pair, thread, rcvid));
}
