// SPDX-License-Identifier: GPL-2.0
/* MsgSendPulse, and the order of pulses and messages (neutrino-api.md 6.2, 6.4, 6.5). */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pair.h"

struct number {
	const char *name;
	int value;
};

/* The range of programs (6.2). */
static const struct number codes[] = { { "0", 0 }, { "1", 1 }, { "127", 127 } };

ROWS(BOTH, code, codes)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, number->value, 1), 0);
	receive_pulse(&p, number->value);
}

static const struct number values[] = {
	{ "0", 0 }, { "1", 1 }, { "minus_1", -1 }, { "largest", INT_MAX }, { "least", INT_MIN },
};

ROWS(BOTH, value, values)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, number->value), 0);
	receive_pulse(&p, 1);
	WANT(p.pulse->value.sival_int, number->value);
}

static const struct number good_priorities[] = {
	{ "1", 1 }, { "10", 10 }, { "20", 20 }, { "63", 63 }, { "callers", -1 },
};

ROWS(BOTH, priority, good_priorities)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, number->value, 1, 1), 0);
	receive_pulse(&p, 1);
}

/* 6.4: 0 becomes 1; 6.5: but not towards another node. */
CASE(LOCAL, priority_0_becomes_1)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, 0, 1, 1), 0);
	receive_pulse(&p, 1);
}

CASE(REMOTE, priority_0_is_EINVAL)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, MsgSendPulse, p.coid, 0, 1, 1);
}

static const struct number bad_priorities[] = { { "256", 256 }, { "minus_2", -2 }, { "100000", 100000 } };

ROWS(BOTH, bad_priority_is_EINVAL, bad_priorities)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, MsgSendPulse, p.coid, number->value, 1, 1);
	nothing_queued(&p);
}

static const struct number bad_codes[] = { { "128", 128 }, { "minus_129", -129 } };

ROWS(BOTH, bad_code_is_EINVAL, bad_codes)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, MsgSendPulse, p.coid, -1, number->value, 1);
	nothing_queued(&p);
}

CASE(BOTH, type_and_subtype_are_0)
{
	struct pair p = pair_up(0);

	memset(p.in, 0x5a, sizeof(*p.pulse));
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
	WANT(p.pulse->type, 0);
	WANT(p.pulse->subtype, 0);
}

CASE(BOTH, scoid_is_the_clients)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
	WANT(p.pulse->scoid, scoid);
}

CASE(BOTH, send_r)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse_r, p.coid, -1, 5, 6), 0);
	receive_pulse(&p, 5);
	WANT(CALL(p.client, MsgSendPulse_r, p.coid, 1000, 5, 6), -EINVAL);
	WANT(error_of(p.client), 0);
}

CASE(BOTH, pointer_as_value)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulsePtr, p.coid, -1, 5, (void *)0x7ffcfedcba98), 0);
	receive_pulse(&p, 5);
	WANT(p.pulse->value.sival_int, (int)0xfedcba98);
	if (!is_remote())
		WANT((long)p.pulse->value.sival_ptr, 0x7ffcfedcba98);
}

CASE(LOCAL, to_none_is_EBADF)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EBADF, MsgSendPulse, 900, -1, 1, 1);
	FAILS(p.client, EBADF, MsgSendPulse, 0, -1, 1, 1);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	FAILS(p.client, EBADF, MsgSendPulse, p.coid, -1, 1, 1);
}

CASE(LOCAL, to_oneself)
{
	struct actor *server = process_on(SERVER);
	struct pair p = pair_of(server, server, 0);

	WANT(CALL(server, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
}

/* A pulse is a queued copy: it needs nobody who waits, and outlives its sender. */
CASE(BOTH, outlives_its_sender)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 3, 4), 0);
	flushed(&p, p.client);
	kill_process(p.client);
	receive_pulse(&p, 3);
}

CASE(BOTH, rcvid_0_cannot_be_answered)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
	FAILS(p.server, ESRCH, MsgReply, 0, 0, NULL, 0);
}

CASE(BOTH, equals_come_in_their_order)
{
	struct pair p = pair_up(0);
	int n;

	for (n = 0; n < 60; n++)
		WANT(CALL(p.client, MsgSendPulse, p.coid, 10, n, n), 0);
	for (n = 0; n < 60; n++)
		receive_pulse(&p, n);
	nothing_queued(&p);
}

CASE(BOTH, higher_comes_first)
{
	static const int sent[] = { 10, 12, 5, 20, 12 }, wanted[] = { 3, 1, 4, 0, 2 };
	struct pair p = pair_up(0);
	int n;

	for (n = 0; n < 5; n++)
		WANT(CALL(p.client, MsgSendPulse, p.coid, sent[n], n, 0), 0);
	flushed(&p, p.client);
	for (n = 0; n < 5; n++)
		receive_pulse(&p, wanted[n]);
}

static struct pair sender_with_nice(const struct pair *p, int nice)
{
	struct pair q = pair_with_client(p, thread_of(p->client));

	WANT(CALL(q.client, setpriority, PRIO_PROCESS, 0, nice), 0);
	return q;
}

/* 6.4: messages and pulses share one queue, by priority. */
CASE(BOTH, messages_and_pulses_share_a_queue)
{
	struct pair p = pair_up(0), low = sender_with_nice(&p, 10), high = sender_with_nice(&p, -10);

	begin_send(&low, "low", 4);
	await_blocked(low.client);
	begin_send(&high, "high", 5);
	await_blocked(high.client);
	WANT(CALL(p.client, MsgSendPulse, p.coid, 10, 1, 0), 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, 20, 2, 0), 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, 1, 3, 0), 0);
	flushed(&p, low.client == p.client ? high.client : p.client);
	receive_pulse(&p, 2);
	receive(&p);
	WANT(strcmp(p.in, "high"), 0);
	receive_pulse(&p, 1);
	receive(&p);
	WANT(strcmp(p.in, "low"), 0);
	receive_pulse(&p, 3);
}

CASE(BOTH, higher_message_comes_first)
{
	struct pair p = pair_up(0), low = sender_with_nice(&p, 10), high = sender_with_nice(&p, -10);

	begin_send(&low, "low", 4);
	await_blocked(low.client);
	begin_send(&high, "high", 5);
	await_blocked(high.client);
	flushed(&p, p.client);
	receive(&p);
	WANT(strcmp(p.in, "high"), 0);
	WANT(p.info->priority, 15);
	receive(&p);
	WANT(strcmp(p.in, "low"), 0);
	WANT(p.info->priority, 5);
}

CASE(BOTH, callers_priority_counts)
{
	struct pair p = pair_up(0), high = sender_with_nice(&p, -10);

	WANT(CALL(p.client, MsgSendPulse, p.coid, 12, 1, 0), 0);
	flushed(&p, p.client);
	WANT(CALL(high.client, MsgSendPulse, high.coid, -1, 2, 0), 0);
	flushed(&p, high.client);
	receive_pulse(&p, 2);
	receive_pulse(&p, 1);
}

/* 6.5: an incoming priority is clipped to the local maximum, and the pulse is not lost. */
CASE(REMOTE, high_priority_arrives)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, 255, 1, 0), 0);
	receive_pulse(&p, 1);
}

CASE(BOTH, many_wait_in_the_queue)
{
	struct pair p = pair_up(0);
	int n;

	for (n = 0; n < 200; n++)
		WANT(CALL(p.client, MsgSendPulse, p.coid, 10, 1, n), 0);
	for (n = 0; n < 200; n++) {
		receive_pulse(&p, 1);
		WANT(p.pulse->value.sival_int, n);
	}
}

/* 6.4: the rule of kill(). An unprivileged process's pulse to root's is refused. */
CASE(LOCAL, without_permission_is_EPERM)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, setuid, 1000), 0);
	FAILS(p.client, EPERM, MsgSendPulse, p.coid, -1, 1, 1);
	nothing_queued(&p);
}

/* Between nodes the check is made at the target, which nobody waits for. */
CASE(REMOTE, without_permission_does_not_arrive)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, setuid, 1000), 0);
	CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1);
	flushed(&p, p.client);
	nothing_queued(&p);
}

/* Root of another node is user 99 here (maproot), who may not signal root but himself. */
CASE(REMOTE, of_mapped_root_to_root_does_not_arrive)
{
	struct pair p = pair_up(0);

	HOLDS(world_option(SERVER, "maproot=99"));
	CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1);
	flushed(&p, p.client);
	nothing_queued(&p);
}

CASE(REMOTE, of_mapped_root_to_its_like)
{
	struct actor *server = process_on(SERVER);
	struct pair p;

	HOLDS(world_option(SERVER, "maproot=99"));
	WANT(CALL(server, setuid, 99), 0);
	p = pair_of(server, process_on(CLIENT), 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
}

CASE(BOTH, between_processes_of_one_user)
{
	struct actor *server = process_on(SERVER), *client = process_on(CLIENT);
	struct pair p;

	WANT(CALL(server, setuid, 1000), 0);
	WANT(CALL(client, setuid, 1000), 0);
	p = pair_of(server, client, 0);
	WANT(CALL(client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	receive_pulse(&p, 1);
}
