// SPDX-License-Identifier: GPL-2.0
/* Servers, clients, threads and connections that end (neutrino-api.md 6.2 pulse codes, 6.4, 6.5). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "pair.h"

struct way {
	const char *name;
	void (*end)(struct actor *actor);
};

static const struct way ways[] = { { "by_kill_9", kill_process }, { "by_exit", exit_process } };

ROWS(BOTH, server_ends_while_REPLY_blocked, ways)
{
	const struct way *way = row;
	struct pair p = pair_up(0);

	hold(&p);
	way->end(p.server);
	FINISH_FAILS(p.client, ESRCH);
}

ROWS(BOTH, server_ends_while_SEND_blocked, ways)
{
	const struct way *way = row;
	struct pair p = pair_up(0);

	begin_send(&p, "x", 1);
	await_blocked(p.client);
	flushed(&p, thread_of(p.client));
	way->end(p.server);
	FINISH_FAILS(p.client, ESRCH);
}

ROWS(BOTH, connection_to_an_ended_server_is_dead, ways)
{
	const struct way *way = row;
	struct pair p = pair_up(0);

	hold(&p);
	way->end(p.server);
	FINISH_FAILS(p.client, ESRCH);
	FAILS(p.client, EBADF, MsgSend, p.coid, "x", 1, NULL, 0);
	FAILS(p.client, EBADF, MsgSendPulse, p.coid, -1, 1, 1);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
}

/* The same when nothing is left of it at all, and for who could not signal it. */
CASE(BOTH, pulse_to_a_server_that_was_reaped)
{
	struct pair p = pair_up(0);

	works(&p);
	kill_process(p.server);
	WANT(waitpid(pid_of(p.server), NULL, 0), pid_of(p.server));
	FAILS(p.client, EBADF, MsgSendPulse, p.coid, -1, 1, 1);
	WANT(CALL(p.client, setuid, 1000), 0);
	FAILS(p.client, EBADF, MsgSendPulse, p.coid, -1, 1, 1);
}

CASE(BOTH, server_ends_with_several_blocked)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	struct pair r = pair_with_client(&p, thread_of(p.client));

	hold(&p);
	hold(&q);
	begin_send(&r, "x", 1);
	await_blocked(r.client);
	kill_process(p.server);
	FINISH_FAILS(p.client, ESRCH);
	FINISH_FAILS(q.client, ESRCH);
	HOLDS(FINISH(r.client) == -1);
	HOLDS(error_of(r.client) == ESRCH);
}

/* A channel is its maker's alone: a child that has the descriptor keeps nothing alive. */
CASE(BOTH, server_ends_and_its_child_does_not)
{
	struct pair p = pair_up(0);
	struct actor *child = child_of(p.server);

	hold(&p);
	kill_process(p.server);
	FINISH_FAILS(p.client, ESRCH);
	HOLDS(!is_busy(child));
}

/* A thread of the server ends, the process does not: others can answer. */
CASE(BOTH, receiving_thread_ends)
{
	struct pair p = pair_up(0);
	struct actor *receiver = thread_of(p.server);
	int rcvid;

	begin_send(&p, "x", 1);
	rcvid = CALL(receiver, MsgReceive, p.chid, p.in, ROOM, p.info);
	HOLDS(rcvid > 0);
	end_thread(receiver);
	HOLDS(is_busy(p.client));
	answer(&p, rcvid, 61);
}

static struct pair hold_with(unsigned flags, int *rcvid)
{
	struct pair p = pair_up(flags);

	*rcvid = hold(&p);
	return p;
}

static void told_of_disconnect(const struct pair *p, int scoid)
{
	receive_pulse(p, _PULSE_CODE_DISCONNECT);
	WANT(p->pulse->scoid, scoid);
	WANT(p->pulse->value.sival_int, 0);
}

ROWS(BOTH, client_that_ended_is_told_by_a_pulse, ways)
{
	const struct way *way = row;
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	way->end(p.client);
	told_of_disconnect(&p, scoid);
}

CASE(BOTH, blocked_client_is_killed)
{
	int rcvid;
	struct pair p = hold_with(_NTO_CHF_DISCONNECT, &rcvid);
	int scoid = p.info->scoid;

	kill_process(p.client);
	told_of_disconnect(&p, scoid);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
	FAILS(p.server, ESRCH, MsgRead, rcvid, p.in, 1, 0);
	FAILS(p.server, ESRCH, MsgInfo, rcvid, p.info);
}

CASE(BOTH, SEND_blocked_client_is_killed)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	begin_send(&p, "never received", 14);
	await_blocked(p.client);
	kill_process(p.client);
	told_of_disconnect(&p, scoid);
	nothing_queued(&p);
}

CASE(BOTH, last_detach_is_told_by_a_pulse)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	told_of_disconnect(&p, scoid);
}

/* 6.2: the pulse comes when all connections of one client are gone. */
CASE(BOTH, first_detach_of_two_is_not_told)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT), q = pair_with_client(&p, p.client);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	works(&q);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	works(&q);
	nothing_queued(&p);
	WANT(CALL(p.client, ConnectDetach, q.coid), 0);
	told_of_disconnect(&p, scoid);
	nothing_queued(&p);
}

CASE(BOTH, without_flag_no_client_is_told_of)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));

	works(&p);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	works(&q);
	nothing_queued(&p);
}

/* 6.4, ConnectDetach: the server frees a dead scoid with it. */
CASE(BOTH, server_detaches_the_scoid)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	told_of_disconnect(&p, scoid);
	WANT(CALL(p.server, ConnectDetach, scoid), 0);
	FAILS(p.server, EINVAL, ConnectDetach, scoid);
}

CASE(BOTH, each_client_has_its_pulse)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT), q = pair_with_client(&p, process_on(CLIENT));
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	works(&q);
	kill_process(p.client);
	told_of_disconnect(&p, scoid);
	works(&q);
	nothing_queued(&p);
}

/* 6.2: value = tid. It is told of threads of the channel's process that have received. */
CASE(LOCAL, own_thread_that_ended_is_told_by_a_pulse)
{
	struct pair p = pair_up(_NTO_CHF_THREAD_DEATH);
	struct actor *other = thread_of(p.server);
	int tid;

	/* It has sent once, so that its number is known. */
	p.client = other;
	p.coid = attach(other, 0, p.server, p.chid);
	begin_send(&p, "x", 1);
	answer(&p, receive(&p), 0);
	tid = p.info->tid;
	time_out(other, _NTO_TIMEOUT_RECEIVE, 0);
	FAILS(other, ETIMEDOUT, MsgReceive, p.chid, p.in, ROOM, NULL);
	end_thread(other);
	receive_pulse(&p, _PULSE_CODE_THREADDEATH);
	WANT(p.pulse->value.sival_int, tid);
}

CASE(LOCAL, without_flag_no_thread_is_told_of)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);

	HOLDS(CALL(other, ChannelCreate, 0) != -1);
	end_thread(other);
	nothing_queued(&p);
}

/* A client's own channel hears of its servers' ends: code -35, value = dead coid, scoid -1. */
static struct pair listener(const struct pair *p)
{
	struct pair own = *p;

	own.server = p->client;
	own.chid = new_channel(p->client, _NTO_CHF_COID_DISCONNECT);
	own.in = mem(ROOM);
	own.pulse = (struct _pulse *)own.in;
	return own;
}

static void told_of_dead_coid(const struct pair *own, int coid)
{
	receive_pulse(own, _PULSE_CODE_COIDDEATH);
	WANT(own->pulse->value.sival_int, coid);
	WANT(own->pulse->scoid, -1);
}

ROWS(BOTH, dead_server_is_told_to_its_clients, ways)
{
	const struct way *way = row;
	struct pair p = pair_up(0), own = listener(&p);

	works(&p);
	way->end(p.server);
	told_of_dead_coid(&own, p.coid);
}

CASE(BOTH, destroyed_channel_is_told_to_its_clients)
{
	struct pair p = pair_up(0), own = listener(&p);

	works(&p);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	told_of_dead_coid(&own, p.coid);
}

CASE(BOTH, each_dead_coid_is_told)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, p.client), own = listener(&p);
	int first;

	works(&p);
	works(&q);
	kill_process(p.server);
	receive_pulse(&own, _PULSE_CODE_COIDDEATH);
	first = own.pulse->value.sival_int;
	HOLDS(first == p.coid || first == q.coid);
	told_of_dead_coid(&own, p.coid + q.coid - first);
}

/* What the process itself has detached needs no telling. */
CASE(BOTH, own_detach_is_not_told)
{
	struct pair p = pair_up(0), own = listener(&p), q = pair_with_client(&p, process_on(CLIENT));

	works(&p);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	works(&q);
	kill_process(p.server);
	nothing_queued(&own);
}

/* A dead coid is no coid for others: its number stays taken until it is detached. */
CASE(BOTH, dead_coid_can_be_detached)
{
	struct pair p = pair_up(0), own = listener(&p);

	works(&p);
	kill_process(p.server);
	told_of_dead_coid(&own, p.coid);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	FAILS(p.client, EINVAL, ConnectDetach, p.coid);
}
