// SPDX-License-Identifier: GPL-2.0
/* The priority that a receiver takes from its sender, and MsgCurrent (neutrino-api.md 6.4; issue 4, part 3). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pair.h"

/* As the kernel has it: 20 + niceness, or -1 - real-time priority. Lent priority shows there. */
static long kernel_priority(const struct actor *actor)
{
	char path[64], line[512], *rest;
	long priority = 1000;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid_of(actor), tid_of(actor));
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		FAIL("%s cannot be read", path);
	fclose(file);
	rest = strrchr(line, ')');
	/* State, 14 more, then the priority. */
	if (!rest || sscanf(rest + 2, "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
			    &priority) != 1)
		FAIL("no priority in %s", path);
	return priority;
}

static void set_nice(struct actor *actor, int nice)
{
	WANT(CALL(actor, setpriority, PRIO_PROCESS, 0, nice), 0);
}

static void set_real_time(struct actor *actor, int policy, int priority)
{
	struct sched_param *param = mem(sizeof(*param));

	param->sched_priority = priority;
	WANT(CALL(actor, sched_setscheduler, 0, policy, param), 0);
}

static void limit_real_time(struct actor *actor, int priority)
{
	struct rlimit *limit = mem(sizeof(*limit));

	limit->rlim_cur = priority;
	limit->rlim_max = priority;
	WANT(CALL(actor, setrlimit, RLIMIT_RTPRIO, limit), 0);
	/* On Linux the limit is for those without CAP_SYS_NICE. */
	WANT(CALL(actor, setuid, 1000), 0);
}

/* What other nodes ask for needs limits that allow it, also for a privileged server. */
static void let_rise(struct actor *actor)
{
	struct rlimit *limit = mem(sizeof(*limit));

	limit->rlim_cur = 40;
	limit->rlim_max = 40;
	WANT(CALL(actor, setrlimit, RLIMIT_NICE, limit), 0);
}

struct nice {
	const char *name;
	int value;
};

static const struct nice levels[] = {
	{ "nice_minus_20", -20 }, { "nice_minus_10", -10 }, { "nice_10", 10 }, { "nice_18", 18 },
};

ROWS(BOTH, receiver_takes_the_senders, levels)
{
	const struct nice *nice = row;
	struct pair p = pair_up(0);
	int rcvid;

	let_rise(p.server);
	set_nice(p.client, nice->value);
	rcvid = hold(&p);
	WANT(kernel_priority(p.server), 20 + nice->value);
	answer(&p, rcvid, 0);
	WANT(kernel_priority(p.server), 20);
}

ROWS(BOTH, blocked_receiver_takes_the_senders, levels)
{
	const struct nice *nice = row;
	struct pair p = pair_up(0);

	let_rise(p.server);
	set_nice(p.client, nice->value);
	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, p.info);
	await_blocked(p.server);
	begin_send(&p, "x", 1);
	HOLDS(FINISH(p.server) > 0);
	WANT(kernel_priority(p.server), 20 + nice->value);
}

struct real_time {
	const char *name;
	int policy, priority, limit, wanted;
};

static const struct real_time real_times[] = {
	{ "fifo_10", SCHED_FIFO, 10, 50, 10 }, { "rr_10", SCHED_RR, 10, 50, 10 },
	{ "fifo_50_clipped_to_20", SCHED_FIFO, 50, 20, 20 },
};

ROWS(BOTH, receiver_takes_the_senders_real_time, real_times)
{
	const struct real_time *time = row;
	struct pair p = pair_up(0);
	int rcvid;

	limit_real_time(p.server, time->limit);
	set_real_time(p.client, time->policy, time->priority);
	rcvid = hold(&p);
	WANT(kernel_priority(p.server), -1 - time->wanted);
	answer(&p, rcvid, 0);
	WANT(kernel_priority(p.server), 20);
}

CASE(BOTH, fixed_priority_keeps_the_receivers)
{
	struct pair p = pair_up(_NTO_CHF_FIXED_PRIORITY);

	set_nice(p.client, -10);
	hold(&p);
	WANT(kernel_priority(p.server), 20);
}

CASE(BOTH, restored_by_error)
{
	struct pair p = pair_up(0);
	int rcvid;

	let_rise(p.server);
	set_nice(p.client, -10);
	rcvid = hold(&p);
	WANT(CALL(p.server, MsgError, rcvid, EIO), 0);
	WANT(kernel_priority(p.server), 20);
}

CASE(BOTH, restored_by_msgcurrent_0)
{
	struct pair p = pair_up(0);
	int rcvid;

	let_rise(p.server);
	set_nice(p.client, -10);
	rcvid = hold(&p);
	WANT(CALL(p.server, MsgCurrent, 0), 0);
	WANT(kernel_priority(p.server), 20);
	answer(&p, rcvid, 0);
}

CASE(BOTH, msgcurrent_chooses_the_client)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	int first, second;

	let_rise(p.server);
	set_nice(p.client, -10);
	set_nice(q.client, 10);
	first = hold(&p);
	second = hold(&q);
	WANT(kernel_priority(p.server), 30);
	WANT(CALL(p.server, MsgCurrent, first), 0);
	WANT(kernel_priority(p.server), 10);
	WANT(CALL(p.server, MsgCurrent, second), 0);
	WANT(kernel_priority(p.server), 30);
	answer(&p, first, 0);
	answer(&q, second, 0);
	WANT(kernel_priority(p.server), 20);
}

/* What takes a priority away again must take all of it: there and back to the own one. */
CASE(BOTH, msgcurrent_back_to_the_own_priority)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	int first, second;

	set_nice(p.client, 10);
	first = hold(&p);
	second = hold(&q);
	WANT(kernel_priority(p.server), 20);
	WANT(CALL(p.server, MsgCurrent, first), 0);
	WANT(kernel_priority(p.server), 30);
	WANT(CALL(p.server, MsgCurrent, second), 0);
	WANT(kernel_priority(p.server), 20);
	answer(&p, first, 0);
	answer(&q, second, 0);
	WANT(kernel_priority(p.server), 20);
}

/* A channel that lends nothing ends what another one has lent. */
CASE(LOCAL, msgcurrent_of_a_fixed_priority_channel)
{
	struct pair p = pair_up(0), q = pair_of(p.server, process_on(CLIENT), _NTO_CHF_FIXED_PRIORITY);
	int lent, fixed;

	set_nice(p.client, 10);
	fixed = hold(&q);
	lent = hold(&p);
	WANT(kernel_priority(p.server), 30);
	WANT(CALL(p.server, MsgCurrent, fixed), 0);
	WANT(kernel_priority(p.server), 20);
	answer(&p, lent, 0);
	answer(&q, fixed, 0);
}

/* Whoever waits for a mutex lifts its owner for as long as that has it, and no longer. */
CASE(LOCAL, a_mutex_lends_besides)
{
	struct pair p = pair_up(0);
	struct actor *worker = thread_of(p.server);
	pthread_mutexattr_t *kind = mem(sizeof(*kind));
	pthread_mutex_t *mutex = mem(sizeof(*mutex));
	int rcvid;

	WANT(pthread_mutexattr_init(kind), 0);
	WANT(pthread_mutexattr_setprotocol(kind, PTHREAD_PRIO_INHERIT), 0);
	WANT(pthread_mutexattr_setpshared(kind, PTHREAD_PROCESS_SHARED), 0);
	WANT(pthread_mutex_init(mutex, kind), 0);
	set_real_time(worker, SCHED_FIFO, 10);
	set_real_time(p.client, SCHED_FIFO, 10);
	WANT(CALL(p.server, pthread_mutex_lock, mutex), 0);
	BEGIN(worker, pthread_mutex_lock, mutex);
	AWAIT(kernel_priority(p.server) == -11);
	rcvid = hold(&p);
	WANT(CALL(p.server, pthread_mutex_unlock, mutex), 0);
	WANT(FINISH(worker), 0);
	WANT(kernel_priority(p.server), -11);
	answer(&p, rcvid, 0);
	WANT(kernel_priority(p.server), 20);
	WANT(CALL(worker, pthread_mutex_unlock, mutex), 0);
}

CASE(BOTH, msgcurrent_for_another_thread)
{
	struct pair p = pair_up(0);
	struct actor *worker = thread_of(p.server);
	int rcvid;

	let_rise(p.server);
	set_nice(p.client, -10);
	rcvid = hold(&p);
	WANT(CALL(worker, MsgCurrent, rcvid), 0);
	WANT(kernel_priority(worker), 10);
	WANT(CALL(worker, MsgReply, rcvid, 3, NULL, 0), 0);
	WANT(FINISH(p.client), 3);
	WANT(kernel_priority(worker), 20);
}

CASE(LOCAL, msgcurrent_of_none_is_ESRCH)
{
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgCurrent, 0x12345);
	WANT(CALL(p.server, MsgCurrent_r, 0x12345), -ESRCH);
	WANT(error_of(p.server), 0);
}

CASE(BOTH, msgcurrent_after_the_reply_is_ESRCH)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	answer(&p, rcvid, 0);
	FAILS(p.server, ESRCH, MsgCurrent, rcvid);
}

CASE(LOCAL, msgcurrent_r)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgCurrent_r, rcvid), 0);
	WANT(CALL(p.server, MsgCurrent_r, 0), 0);
	answer(&p, rcvid, 0);
}

/* A pulse lends, too. */
CASE(BOTH, receiver_takes_the_pulses)
{
	struct pair p = pair_up(0);

	let_rise(p.server);
	WANT(CALL(p.client, MsgSendPulse, p.coid, 15, 1, 1), 0);
	receive_pulse(&p, 1);
	WANT(kernel_priority(p.server), 10);
	WANT(CALL(p.server, MsgCurrent, 0), 0);
	WANT(kernel_priority(p.server), 20);
}

/* The server is root's, and its limits are 0: what another node claims lifts it no higher than it is itself. */
CASE(REMOTE, privilege_is_not_lent_to_other_nodes)
{
	struct pair p = pair_up(0);
	struct rlimit *none = mem(sizeof(*none));
	int rcvid;

	WANT(CALL(p.server, setrlimit, RLIMIT_NICE, none), 0);
	WANT(CALL(p.server, setrlimit, RLIMIT_RTPRIO, none), 0);
	set_real_time(p.client, SCHED_FIFO, 50);
	rcvid = hold(&p);
	WANT(p.info->priority, 70);
	WANT(kernel_priority(p.server), 20);
	WANT(CALL(p.server, MsgCurrent, rcvid), 0);
	WANT(kernel_priority(p.server), 20);
	answer(&p, rcvid, 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, 255, 1, 1), 0);
	receive_pulse(&p, 1);
	WANT(kernel_priority(p.server), 20);
}
