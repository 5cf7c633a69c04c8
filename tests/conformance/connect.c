// SPDX-License-Identifier: GPL-2.0
/* ConnectAttach, ConnectDetach, ConnectFlags (neutrino-api.md 6.1, 6.2, 6.4). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pair.h"

static int attach_with(const struct pair *p, unsigned index, int flags)
{
	return CALL(p->client, ConnectAttach, p->nd, pid_of(p->server), p->chid, index, flags);
}

static struct pair with_coid(struct pair p, int coid)
{
	HOLDS(coid != -1);
	p.coid = coid;
	return p;
}

CASE(BOTH, coid_is_a_descriptor_by_default)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 0, 0));

	HOLDS(q.coid >= 0 && q.coid < _NTO_SIDE_CHANNEL);
	works(&q);
}

CASE(BOTH, side_channel_has_bit_30)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, _NTO_SIDE_CHANNEL, 0));

	HOLDS(q.coid & _NTO_SIDE_CHANNEL);
	works(&q);
}

CASE(BOTH, index_is_the_lowest_coid)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 100, 0));

	WANT(q.coid, 100);
	WANT(attach_with(&p, 100, 0), 101);
	works(&q);
}

CASE(BOTH, index_of_a_side_channel)
{
	struct pair p = pair_up(0);

	WANT(attach_with(&p, 200 | _NTO_SIDE_CHANNEL, 0), 200 | _NTO_SIDE_CHANNEL);
}

CASE(BOTH, attach_r)
{
	struct pair p = pair_up(0);
	int coid = CALL(p.client, ConnectAttach_r, p.nd, pid_of(p.server), p.chid, 50, 0);

	WANT(coid, 50);
	WANT(CALL(p.client, ConnectAttach_r, p.nd, pid_of(p.server), p.chid, 0, 0x40000000), -EINVAL);
	WANT(error_of(p.client), 0);
}

CASE(LOCAL, pid_0_is_the_own_process)
{
	struct actor *server = process_on(SERVER);
	int chid = new_channel(server, 0);

	HOLDS(CALL(server, ConnectAttach, 0, 0, chid, _NTO_SIDE_CHANNEL, 0) != -1);
}

CASE(LOCAL, thread_sends_to_its_own_process)
{
	struct actor *server = process_on(SERVER);
	struct pair p = pair_of(server, thread_of(server), 0);

	works(&p);
}

CASE(LOCAL, attach_to_no_process_is_ESRCH)
{
	struct actor *client = process_on(CLIENT), *server = process_on(SERVER);
	pid_t pid = pid_of(server);

	kill_process(server);
	FAILS(client, ESRCH, ConnectAttach, 0, pid, 1, 0, 0);
}

CASE(LOCAL, attach_to_process_without_channels_is_ESRCH)
{
	FAILS(process_on(CLIENT), ESRCH, ConnectAttach, 0, pid_of(process_on(SERVER)), 1, 0, 0);
}

CASE(LOCAL, attach_to_no_channel_is_ESRCH)
{
	struct pair p = pair_up(0);

	FAILS(p.client, ESRCH, ConnectAttach, 0, pid_of(p.server), p.chid + 1, 0, 0);
}

/* 6.4: nothing is sent by attaching; what is wrong on the far node shows at the first use. */
CASE(REMOTE, attach_to_no_channel_shows_at_first_send)
{
	struct pair p = pair_up(0);
	int coid = CALL(p.client, ConnectAttach, p.nd, pid_of(p.server), p.chid + 1, 0, 0);

	HOLDS(coid != -1);
	FAILS(p.client, ESRCH, MsgSend, coid, "x", 1, NULL, 0);
}

CASE(REMOTE, attach_to_no_process_shows_at_first_send)
{
	struct pair p = pair_up(0);
	int coid;

	kill_process(p.server);
	coid = CALL(p.client, ConnectAttach, p.nd, pid_of(p.server), p.chid, 0, 0);
	HOLDS(coid != -1);
	FAILS(p.client, ESRCH, MsgSend, coid, "x", 1, NULL, 0);
}

/* 6.4: "Connect Pulse": the first thing on a connection may be a pulse. */
CASE(REMOTE, pulse_opens_the_connection)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 7, 8), 0);
	receive_pulse(&p, 7);
	works(&p);
}

/* What a program cannot ask for: report-only, network manager's, asynchronous, global, unknown. */
static const struct number {
	const char *name;
	int value;
} refused[] = {
	{ "dead", 0x2 }, { "netcon", 0x80 }, { "async", 0x200 }, { "global", 0x400 },
	{ "unknown", 0x40000000 },
};

ROWS(BOTH, refuses_flag, refused)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, ConnectAttach, p.nd, pid_of(p.server), p.chid, 0, number->value);
}

CASE(BOTH, refuses_index_beyond_the_range)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, ConnectAttach, p.nd, pid_of(p.server), p.chid, 0x80000000U, 0);
}

CASE(BOTH, noshare)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 0, _NTO_COF_NOSHARE));

	works(&q);
	works(&p);
}

CASE(BOTH, attach_without_descriptors_is_EMFILE)
{
	struct pair p = pair_up(0);
	struct rlimit *limit = mem(sizeof(*limit));

	WANT(CALL(p.client, setrlimit, RLIMIT_NOFILE, limit), 0);
	FAILS(p.client, EMFILE, ConnectAttach, p.nd, pid_of(p.server), p.chid, 0, 0);
}

/* 6.1: a scoid is the server's handle for a client process on a node. */
CASE(BOTH, connections_of_a_process_share_the_scoid)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 0, 0));
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	rcvid = hold(&q);
	WANT(q.info->scoid, scoid);
	WANT(q.info->coid, q.coid);
	answer(&q, rcvid, 0);
}

CASE(BOTH, processes_have_scoids_of_their_own)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	rcvid = hold(&q);
	HOLDS(q.info->scoid != scoid);
	answer(&q, rcvid, 0);
}

CASE(BOTH, detach)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	FAILS(p.client, EINVAL, ConnectDetach, p.coid);
	FAILS(p.client, EBADF, MsgSend, p.coid, "x", 1, NULL, 0);
}

CASE(BOTH, detach_r)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, ConnectDetach_r, p.coid), 0);
	WANT(CALL(p.client, ConnectDetach_r, p.coid), -EINVAL);
	WANT(error_of(p.client), 0);
}

static const struct number no_connections[] = {
	{ "descriptor_of_a_file", 0 }, { "minus_one", -1 }, { "closed_descriptor", 900 },
	{ "side_channel", 900 | _NTO_SIDE_CHANNEL },
};

ROWS(LOCAL, detach_of_none_is_EINVAL, no_connections)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, ConnectDetach, number->value);
	works(&p);
}

CASE(BOTH, detach_leaves_other_connections)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 0, 0));

	works(&p);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	works(&q);
}

CASE(BOTH, detach_wakes_SEND_blocked_thread)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.client);

	begin_send(&p, "x", 1);
	await_blocked(p.client);
	WANT(CALL(other, ConnectDetach, p.coid), 0);
	FINISH_FAILS(p.client, EBADF);
}

CASE(BOTH, detach_wakes_REPLY_blocked_thread)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	struct actor *other = thread_of(p.client);
	int rcvid = hold(&p);

	WANT(CALL(other, ConnectDetach, p.coid), 0);
	FINISH_FAILS(p.client, EBADF);
	receive_pulse(&p, _PULSE_CODE_DISCONNECT);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
}

CASE(BOTH, detach_leaves_threads_on_other_connections_blocked)
{
	struct pair p = pair_up(0), q = with_coid(p, attach_with(&p, 0, 0));
	struct actor *other = thread_of(p.client);
	int rcvid = hold(&p);

	WANT(CALL(other, ConnectDetach, q.coid), 0);
	answer(&p, rcvid, 12);
}

CASE(BOTH, flags_cloexec_can_be_changed)
{
	struct pair p = pair_up(0);
	int coid = attach_with(&p, 0, 0);

	WANT(CALL(p.client, ConnectFlags, 0, coid, _NTO_COF_CLOEXEC, _NTO_COF_CLOEXEC), 0);
	WANT(CALL(p.client, ConnectFlags, 0, coid, _NTO_COF_CLOEXEC, 0), _NTO_COF_CLOEXEC);
	WANT(CALL(p.client, ConnectFlags, 0, coid, 0, 0), 0);
}

CASE(BOTH, flags_tell_what_attach_was_given)
{
	struct pair p = pair_up(0);
	int coid = attach_with(&p, 0, _NTO_COF_CLOEXEC);

	HOLDS(CALL(p.client, ConnectFlags, 0, coid, 0, 0) & _NTO_COF_CLOEXEC);
}

CASE(LOCAL, flags_of_the_own_pid)
{
	struct pair p = pair_up(0);
	int coid = attach_with(&p, 0, 0);

	WANT(CALL(p.client, ConnectFlags, pid_of(p.client), coid, 0, 0), 0);
}

ROWS(LOCAL, flags_of_none_is_EBADF, no_connections)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EBADF, ConnectFlags, 0, number->value, 0, 0);
}

CASE(LOCAL, flags_of_no_process_is_ESRCH)
{
	struct pair p = pair_up(0);
	struct actor *gone = process_on(CLIENT);

	kill_process(gone);
	FAILS(p.client, ESRCH, ConnectFlags, pid_of(gone), p.coid, 0, 0);
}

CASE(BOTH, flags_r)
{
	struct pair p = pair_up(0);
	int coid = attach_with(&p, 0, 0);

	WANT(CALL(p.client, ConnectFlags_r, 0, coid, _NTO_COF_CLOEXEC, _NTO_COF_CLOEXEC), 0);
	WANT(CALL(p.client, ConnectFlags_r, 0, 900, 0, 0), -EBADF);
	WANT(error_of(p.client), 0);
}
