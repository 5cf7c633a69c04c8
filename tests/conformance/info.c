// SPDX-License-Identifier: GPL-2.0
/* What receivers are told, MsgInfo, and ConnectServerInfo (neutrino-api.md 6.3, 6.4). */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/resource.h>

#include "pair.h"

static int same_info(const struct pair *p, int rcvid)
{
	struct _msg_info *again = mem(sizeof(*again));

	WANT(CALL(p->server, MsgInfo, rcvid, again), 0);
	return !memcmp(again, p->info, sizeof(*again));
}

CASE(BOTH, msginfo_repeats_what_receive_told)
{
	struct pair p = pair_up(_NTO_CHF_SENDER_LEN | _NTO_CHF_REPLY_LEN);
	int rcvid = hold(&p);

	HOLDS(same_info(&p, rcvid));
	answer(&p, rcvid, 0);
}

CASE(BOTH, msginfo_from_another_thread)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);
	int rcvid = hold(&p);

	WANT(CALL(other, MsgInfo, rcvid, p.info), 0);
	WANT(p.info->pid, pid_of(p.client));
	answer(&p, rcvid, 0);
}

CASE(BOTH, msginfo_after_the_reply_is_ESRCH)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	answer(&p, rcvid, 0);
	FAILS(p.server, ESRCH, MsgInfo, rcvid, p.info);
}

CASE(LOCAL, msginfo_of_none_is_ESRCH)
{
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgInfo, 0x12345, p.info);
	WANT(CALL(p.server, MsgInfo_r, 0x12345, p.info), -ESRCH);
	WANT(error_of(p.server), 0);
}

CASE(BOTH, msginfo_r)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgInfo_r, rcvid, p.info), 0);
	answer(&p, rcvid, 0);
}

CASE(LOCAL, nd_and_srcnd_are_0)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(p.info->nd, 0);
	WANT(p.info->srcnd, 0);
}

/* nd: the client's node as the server numbers it; srcnd: the server's as the client does. */
CASE(REMOTE, nd_is_the_clients_node)
{
	struct pair p = pair_up(0);
	uint32_t nd = node_seen_by(p.server, SERVER);

	hold(&p);
	HOLDS(nd != 0);
	WANT(ND_NODE_CMP(p.info->nd, nd), 0);
}

CASE(REMOTE, srcnd_is_the_servers_node)
{
	struct pair p = pair_up(0);

	hold(&p);
	HOLDS(p.nd != 0);
	WANT(ND_NODE_CMP(p.info->srcnd, p.nd), 0);
}

CASE(BOTH, pid)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(p.info->pid, pid_of(p.client));
}

CASE(BOTH, tid_differs_between_threads)
{
	struct pair p = pair_up(0), q = p;
	int tid;

	q.client = thread_of(p.client);
	hold(&p);
	tid = p.info->tid;
	HOLDS(tid > 0);
	hold(&q);
	HOLDS(q.info->tid > 0 && q.info->tid != tid);
	WANT(q.info->pid, pid_of(p.client));
}

CASE(BOTH, tid_stays)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p), tid = p.info->tid;

	answer(&p, rcvid, 0);
	hold(&p);
	WANT(p.info->tid, tid);
}

CASE(BOTH, chid)
{
	struct pair p = pair_up(0), q = pair_of(p.server, p.client, 0);

	hold(&q);
	WANT(q.info->chid, q.chid);
	HOLDS(q.chid != p.chid);
}

CASE(BOTH, scoid_has_bit_30)
{
	struct pair p = pair_up(0);

	hold(&p);
	HOLDS(p.info->scoid > 0 && p.info->scoid & _NTO_SIDE_CHANNEL);
}

CASE(BOTH, scoid_stays)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	hold(&p);
	WANT(p.info->scoid, scoid);
}

CASE(BOTH, coid)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(p.info->coid, p.coid);
}

CASE(BOTH, coid_that_is_a_descriptor)
{
	struct pair p = pair_up(0);

	p.coid = CALL(p.client, ConnectAttach, p.nd, pid_of(p.server), p.chid, 77, 0);
	hold(&p);
	WANT(p.info->coid, 77);
}

CASE(BOTH, msglen_is_what_was_received)
{
	struct pair p = pair_up(_NTO_CHF_SENDER_LEN);

	begin_send(&p, "abcdefgh", 8);
	HOLDS(CALL(p.server, MsgReceive, p.chid, p.in, 5, p.info) > 0);
	WANT(p.info->msglen, 5);
}

CASE(BOTH, srcmsglen_is_what_was_sent)
{
	struct pair p = pair_up(_NTO_CHF_SENDER_LEN);

	begin_send(&p, "abcdefgh", 8);
	HOLDS(CALL(p.server, MsgReceive, p.chid, p.in, 5, p.info) > 0);
	WANT(p.info->srcmsglen, 8);
}

CASE(BOTH, dstmsglen_is_the_room_for_a_reply)
{
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);

	BEGIN(p.client, MsgSend, p.coid, "x", 1, p.reply, 1234);
	receive(&p);
	WANT(p.info->dstmsglen, 1234);
}

CASE(BOTH, dstmsglen_is_that_of_all_parts)
{
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);
	iov_t *iov = mem(2 * sizeof(*iov));

	SETIOV(&iov[0], p.reply, 100);
	SETIOV(&iov[1], p.reply + 100, 23);
	BEGIN(p.client, MsgSendsv, p.coid, "x", 1, iov, 2);
	receive(&p);
	WANT(p.info->dstmsglen, 123);
}

/* A little-endian machine's message from its like. */
CASE(BOTH, flags_are_0)
{
	struct pair p = pair_up(0);

	hold(&p);
	WANT(p.info->flags & ~_NTO_MI_NET_CRED_DIRTY, 0);
}

struct priority {
	const char *name;
	int policy, value, wanted;
};

/* Issue 4, part 3: 10 - nice/2, and 20 more than a real-time priority. */
static const struct priority priorities[] = {
	{ "nice_0", SCHED_OTHER, 0, 10 }, { "nice_10", SCHED_OTHER, 10, 5 },
	{ "nice_18", SCHED_OTHER, 18, 1 }, { "nice_19", SCHED_OTHER, 19, 1 },
	{ "nice_minus_10", SCHED_OTHER, -10, 15 }, { "nice_minus_20", SCHED_OTHER, -20, 20 },
	{ "fifo_1", SCHED_FIFO, 1, 21 }, { "fifo_50", SCHED_FIFO, 50, 70 },
	{ "rr_30", SCHED_RR, 30, 50 },
};

static void set_priority(struct actor *actor, const struct priority *priority)
{
	struct sched_param *param = mem(sizeof(*param));

	if (priority->policy == SCHED_OTHER) {
		WANT(CALL(actor, setpriority, PRIO_PROCESS, 0, priority->value), 0);
		return;
	}
	param->sched_priority = priority->value;
	WANT(CALL(actor, sched_setscheduler, 0, priority->policy, param), 0);
}

ROWS(BOTH, priority, priorities)
{
	const struct priority *priority = row;
	struct pair p = pair_up(_NTO_CHF_FIXED_PRIORITY);

	set_priority(p.client, priority);
	hold(&p);
	WANT(p.info->priority, priority->wanted);
}

CASE(BOTH, server_info)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	WANT(CALL(p.client, ConnectServerInfo, 0, p.coid, info), p.coid);
	WANT(info->nd, p.nd);
	WANT(info->pid, pid_of(p.server));
	WANT(info->chid, p.chid);
}

CASE(BOTH, server_info_r)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	WANT(CALL(p.client, ConnectServerInfo_r, 0, p.coid, info), p.coid);
	WANT(CALL(p.client, ConnectServerInfo_r, 0, 0x7ffffff0, info), -EINVAL);
	WANT(error_of(p.client), 0);
}

CASE(BOTH, server_info_of_the_next_higher_coid)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	WANT(CALL(p.client, ConnectAttach, p.nd, pid_of(p.server), p.chid, 500, 0), 500);
	WANT(CALL(p.client, ConnectServerInfo, 0, 400, info), 500);
	WANT(info->pid, pid_of(p.server));
}

CASE(BOTH, server_info_beyond_the_last_is_EINVAL)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	FAILS(p.client, EINVAL, ConnectServerInfo, 0, 0x7ffffff0, info);
}

CASE(LOCAL, server_info_of_no_process_is_ESRCH)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));
	struct actor *gone = process_on(CLIENT);

	kill_process(gone);
	FAILS(p.client, ESRCH, ConnectServerInfo, pid_of(gone), p.coid, info);
}

CASE(BOTH, server_info_of_the_own_pid)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	WANT(CALL(p.client, ConnectServerInfo, pid_of(p.client), p.coid, info), p.coid);
}

CASE(BOTH, server_info_tells_that_a_connection_is_dead)
{
	struct pair p = pair_up(0);
	struct _server_info *info = mem(sizeof(*info));

	hold(&p);
	kill_process(p.server);
	FINISH_FAILS(p.client, ESRCH);
	WANT(CALL(p.client, ConnectServerInfo, 0, p.coid, info), p.coid);
	HOLDS(info->flags & _NTO_COF_DEAD);
}

/* 6.4: info NULL skips the dead ones. */
CASE(BOTH, server_info_without_info_skips_dead_connections)
{
	struct pair p = pair_up(0);

	hold(&p);
	kill_process(p.server);
	FINISH_FAILS(p.client, ESRCH);
	FAILS(p.client, EINVAL, ConnectServerInfo, 0, p.coid, NULL);
}

CASE(BOTH, server_info_without_info_finds_live_ones)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, ConnectServerInfo, 0, p.coid, NULL), p.coid);
}
