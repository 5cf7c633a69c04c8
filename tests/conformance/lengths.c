// SPDX-License-Identifier: GPL-2.0
/* Messages and replies of all lengths (neutrino-api.md 6.4, 6.5 "First part of a message"). */
#include "pair.h"

struct length {
	const char *name;
	size_t bytes;
};

/* Around the packet, QNX's first part, this module's first part, and beyond. */
static const struct length lengths[] = {
	{ "1", 1 }, { "1400", 1400 }, { "1500", 1500 }, { "8191", 8191 }, { "8192", 8192 },
	{ "8193", 8193 }, { "65535", 65535 }, { "65536", 65536 }, { "65537", 65537 },
	{ "1000000", 1000000 }, { "4MiB", 4 << 20 },
};

/* The server takes what has come and reads the rest, as the resource-manager library does. */
ROWS(BOTH, message, lengths)
{
	const struct length *length = row;
	struct pair p = pair_up(_NTO_CHF_SENDER_LEN);
	char *message = pattern(length->bytes), *got = mem(length->bytes);
	size_t have;
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, message, length->bytes, NULL, 0);
	rcvid = CALL(p.server, MsgReceive, p.chid, got, length->bytes, p.info);
	HOLDS(rcvid > 0);
	WANT(p.info->srcmsglen, length->bytes);
	have = p.info->msglen;
	HOLDS(have > 0 && have <= length->bytes);
	WANT(CALL(p.server, MsgRead, rcvid, got + have, length->bytes - have, have),
	     length->bytes - have);
	want_pattern(got, length->bytes, 0);
	answer(&p, rcvid, 1);
}

ROWS(BOTH, reply, lengths)
{
	const struct length *length = row;
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);
	char *reply = pattern(length->bytes), *got = mem(length->bytes);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, got, length->bytes);
	rcvid = receive(&p);
	WANT(p.info->dstmsglen, length->bytes);
	WANT(CALL(p.server, MsgReply, rcvid, 2, reply, length->bytes), 0);
	WANT(FINISH(p.client), 2);
	want_pattern(got, length->bytes, 0);
}

ROWS(BOTH, write, lengths)
{
	const struct length *length = row;
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);
	char *bytes = pattern(length->bytes), *got = mem(length->bytes);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, got, length->bytes);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgWrite, rcvid, bytes, length->bytes, 0), length->bytes);
	answer(&p, rcvid, 2);
	want_pattern(got, length->bytes, 0);
}

/* Pieces of a long message in any order, and over the borders of what came first. */
CASE(BOTH, pieces_of_a_long_message)
{
	static const size_t offsets[] = { 999000, 0, 8000, 65530, 500000, 131071, 65530 };
	struct pair p = pair_up(0);
	char *message = pattern(1000000);
	size_t n;
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, message, 1000000, NULL, 0);
	rcvid = receive(&p);
	for (n = 0; n < sizeof(offsets) / sizeof(offsets[0]); n++) {
		WANT(CALL(p.server, MsgRead, rcvid, p.in, 1000, offsets[n]), 1000);
		want_pattern(p.in, 1000, offsets[n]);
	}
	answer(&p, rcvid, 1);
}

CASE(BOTH, two_threads_read_one_message)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);
	char *message = pattern(2 << 20), *got = mem(2 << 20);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, message, 2 << 20, NULL, 0);
	rcvid = receive(&p);
	BEGIN(p.server, MsgRead, rcvid, got, 1 << 20, 0);
	BEGIN(other, MsgRead, rcvid, got + (1 << 20), 1 << 20, 1 << 20);
	WANT(FINISH(p.server), 1 << 20);
	WANT(FINISH(other), 1 << 20);
	want_pattern(got, 2 << 20, 0);
	answer(&p, rcvid, 1);
}
