// SPDX-License-Identifier: GPL-2.0
/* ChannelCreate and ChannelDestroy (neutrino-api.md 6.1, 6.2, 6.4). */
#include <errno.h>
#include <sys/resource.h>

#include "pair.h"

CASE(LOCAL, first_chid_is_1)
{
	WANT(CALL(process_on(SERVER), ChannelCreate, 0), 1);
}

CASE(LOCAL, second_chid_is_another)
{
	struct actor *server = process_on(SERVER);
	int first = new_channel(server, 0), second = new_channel(server, 0);

	HOLDS(first > 0 && second > 0 && first != second);
}

CASE(LOCAL, create_r)
{
	struct actor *server = process_on(SERVER);

	WANT(CALL(server, ChannelCreate_r, 0), 1);
	WANT(CALL(server, ChannelCreate_r, 0x40000000), -EINVAL);
	WANT(error_of(server), 0);
}

static const struct flag {
	const char *name;
	unsigned value;
} understood[] = {
	{ "fixed_priority", _NTO_CHF_FIXED_PRIORITY },
	{ "unblock", _NTO_CHF_UNBLOCK },
	{ "thread_death", _NTO_CHF_THREAD_DEATH },
	{ "disconnect", _NTO_CHF_DISCONNECT },
	{ "sender_len", _NTO_CHF_SENDER_LEN },
	{ "coid_disconnect", _NTO_CHF_COID_DISCONNECT },
	{ "reply_len", _NTO_CHF_REPLY_LEN },
	{ "all", _NTO_CHF_FIXED_PRIORITY | _NTO_CHF_UNBLOCK | _NTO_CHF_THREAD_DEATH |
		 _NTO_CHF_DISCONNECT | _NTO_CHF_SENDER_LEN | _NTO_CHF_COID_DISCONNECT |
		 _NTO_CHF_REPLY_LEN },
};

ROWS(BOTH, messages_with_flag, understood)
{
	const struct flag *flag = row;
	struct pair p = pair_up(flag->value);

	works(&p);
}

/* Asynchronous and global channels, pausing and restarting are nothing that this library has. */
static const struct flag refused[] = {
	{ "sticky", 0x0100 },
	{ "async_nonblock", 0x0200 },
	{ "async", 0x0400 },
	{ "global", 0x0800 },
	{ "msg_pausing", 0x2000 },
	{ "sig_restart", 0x4000 },
	{ "unblock_timer", 0x8000 },
	{ "unknown", 0x40000000 },
};

ROWS(LOCAL, refuses_flag, refused)
{
	const struct flag *flag = row;

	FAILS(process_on(SERVER), EINVAL, ChannelCreate, flag->value);
}

/* The network manager is the module, so a second one is one too many, whoever asks. */
CASE(LOCAL, refuses_net_msg)
{
	struct actor *server = process_on(SERVER);

	WANT(CALL(server, ChannelCreate, 0x0010), -1);
	HOLDS(error_of(server) == EPERM || error_of(server) == EAGAIN || error_of(server) == EINVAL);
}

static const struct flag only_once[] = {
	{ "thread_death", _NTO_CHF_THREAD_DEATH },
	{ "coid_disconnect", _NTO_CHF_COID_DISCONNECT },
};

ROWS(LOCAL, once_a_process, only_once)
{
	const struct flag *flag = row;
	struct actor *server = process_on(SERVER);
	int chid = new_channel(server, flag->value);

	FAILS(server, EBUSY, ChannelCreate, flag->value);
	WANT(CALL(server, ChannelDestroy, chid), 0);
	new_channel(server, flag->value);
}

/* 6.4: "EAGAIN no object". */
CASE(LOCAL, create_without_descriptors_is_EAGAIN)
{
	struct actor *server = process_on(SERVER);
	struct rlimit *limit = mem(sizeof(*limit));

	new_channel(server, 0);
	WANT(CALL(server, setrlimit, RLIMIT_NOFILE, limit), 0);
	FAILS(server, EAGAIN, ChannelCreate, 0);
}

CASE(LOCAL, destroy)
{
	struct actor *server = process_on(SERVER);
	int chid = new_channel(server, 0);

	WANT(CALL(server, ChannelDestroy, chid), 0);
	FAILS(server, EINVAL, ChannelDestroy, chid);
}

CASE(LOCAL, destroy_r)
{
	struct actor *server = process_on(SERVER);
	int chid = new_channel(server, 0);

	WANT(CALL(server, ChannelDestroy_r, chid), 0);
	WANT(CALL(server, ChannelDestroy_r, chid), -EINVAL);
	WANT(error_of(server), 0);
}

static const struct number {
	const char *name;
	int value;
} no_channels[] = { { "zero", 0 }, { "minus_one", -1 }, { "never_made", 4711 }, { "largest", 0x7fffffff } };

ROWS(LOCAL, destroy_of_none_is_EINVAL, no_channels)
{
	const struct number *number = row;
	struct actor *server = process_on(SERVER);

	new_channel(server, 0);
	FAILS(server, EINVAL, ChannelDestroy, number->value);
}

CASE(LOCAL, destroy_by_another_process_is_EINVAL)
{
	struct pair p = pair_up(0);
	struct actor *child = child_of(p.server);

	FAILS(child, EINVAL, ChannelDestroy, p.chid);
	works(&p);
}

CASE(LOCAL, destroy_wakes_receivers)
{
	struct actor *server = process_on(SERVER), *receiver = thread_of(server);
	int chid = new_channel(server, 0);
	char *in = mem(ROOM);

	BEGIN(receiver, MsgReceive, chid, in, ROOM, NULL);
	await_blocked(receiver);
	WANT(CALL(server, ChannelDestroy, chid), 0);
	FINISH_FAILS(receiver, ESRCH);
}

CASE(BOTH, destroy_wakes_SEND_blocked)
{
	struct pair p = pair_up(0);

	begin_send(&p, "x", 1);
	await_blocked(p.client);
	flushed(&p, thread_of(p.client));
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FINISH_FAILS(p.client, ESRCH);
}

CASE(BOTH, destroy_wakes_REPLY_blocked)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FINISH_FAILS(p.client, ESRCH);
}

/* An UNBLOCK pulse would have nowhere to go to. */
CASE(BOTH, destroy_wakes_REPLY_blocked_in_spite_of_unblock_flag)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);

	hold(&p);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FINISH_FAILS(p.client, ESRCH);
}

CASE(BOTH, destroyed_channel_makes_connections_dead)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FINISH_FAILS(p.client, ESRCH);
	FAILS(p.client, EBADF, MsgSend, p.coid, "x", 1, NULL, 0);
	FAILS(p.client, EBADF, MsgSendPulse, p.coid, -1, 1, 1);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
}

CASE(BOTH, destroyed_channel_ends_rcvids)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
	FINISH_FAILS(p.client, ESRCH);
}

CASE(BOTH, other_channels_stay_when_one_is_destroyed)
{
	struct pair p = pair_up(0), q = pair_of(p.server, p.client, 0);

	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	works(&q);
}

CASE(LOCAL, destroyed_channel_cannot_be_received_from)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FAILS(p.server, ESRCH, MsgReceive, p.chid, p.in, ROOM, NULL);
}
