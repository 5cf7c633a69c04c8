// SPDX-License-Identifier: GPL-2.0
/* TimerTimeout in all states (neutrino-api.md 6.4). */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pair.h"

#define SENDING (_NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY)

struct time {
	const char *name;
	int64_t nanoseconds;	/* -1: ntime is NULL */
};

static const struct time times[] = {
	{ "null", -1 }, { "0", 0 }, { "1_ns", 1 }, { "50_ms", 50 * MILLISECONDS },
};

static void arm(struct actor *actor, int states, const struct time *time)
{
	uint64_t *ntime = mem(sizeof(*ntime));
	struct sigevent *event = mem(sizeof(*event));

	SIGEV_UNBLOCK_INIT(event);
	*ntime = time->nanoseconds;
	HOLDS(CALL(actor, TimerTimeout, CLOCK_MONOTONIC, states, event,
		   time->nanoseconds == -1 ? NULL : ntime, NULL) != -1);
}

static int64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void passed_since(int64_t begin, const struct time *time)
{
	HOLDS(now(CLOCK_MONOTONIC) - begin >= time->nanoseconds);
}

ROWS(LOCAL, receive, times)
{
	const struct time *time = row;
	struct pair p = pair_up(0);
	int64_t begin = now(CLOCK_MONOTONIC);

	arm(p.server, _NTO_TIMEOUT_RECEIVE, time);
	FAILS(p.server, ETIMEDOUT, MsgReceive, p.chid, p.in, ROOM, NULL);
	passed_since(begin, time);
	works(&p);
}

ROWS(LOCAL, pulse_receive, times)
{
	const struct time *time = row;
	struct pair p = pair_up(0);

	arm(p.server, _NTO_TIMEOUT_RECEIVE, time);
	FAILS(p.server, ETIMEDOUT, MsgReceivePulse, p.chid, p.in, ROOM, NULL);
}

ROWS(BOTH, send_that_nobody_receives, times)
{
	const struct time *time = row;
	struct pair p = pair_up(0);
	int64_t begin = now(CLOCK_MONOTONIC);

	arm(p.client, _NTO_TIMEOUT_SEND, time);
	begin_send(&p, "x", 1);
	FINISH_FAILS(p.client, ETIMEDOUT);
	passed_since(begin, time);
	flushed(&p, p.client);
	nothing_queued(&p);
	works(&p);
}

/* The time is long enough for the server to receive, and then runs out. */
CASE(BOTH, send_that_nobody_answers)
{
	struct pair p = pair_up(0);
	int rcvid;

	time_out(p.client, SENDING, 1000 * MILLISECONDS);
	begin_send(&p, "x", 1);
	rcvid = receive(&p);
	FINISH_FAILS(p.client, ETIMEDOUT);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
	works(&p);
}

CASE(BOTH, message_that_waits_is_received_with_ntime_null)
{
	struct pair p = pair_up(0);

	begin_send(&p, "x", 1);
	await_blocked(p.client);
	flushed(&p, thread_of(p.client));
	arm(p.server, _NTO_TIMEOUT_RECEIVE, &times[0]);
	answer(&p, receive(&p), 4);
}

CASE(BOTH, answer_in_time)
{
	struct pair p = pair_up(0);

	time_out(p.client, SENDING, 60000 * MILLISECONDS);
	begin_send(&p, "x", 1);
	answer(&p, receive(&p), 5);
}

CASE(BOTH, other_states_do_not_count)
{
	struct pair p = pair_up(0);

	time_out(p.client, _NTO_TIMEOUT_RECEIVE, 1);
	begin_send(&p, "x", 1);
	await_blocked(p.client);
	answer(&p, receive(&p), 6);
}

/* To another node SEND and REPLY are one state: the client's node does not see the receive. */
CASE(LOCAL, send_state_does_not_count_once_received)
{
	struct pair p = pair_up(0);
	int64_t end = now(CLOCK_MONOTONIC) + 2000 * MILLISECONDS;
	int rcvid;

	time_out(p.client, _NTO_TIMEOUT_SEND, 1000 * MILLISECONDS);
	begin_send(&p, "x", 1);
	rcvid = receive(&p);
	/* Time itself is what this case is about. */
	AWAIT(now(CLOCK_MONOTONIC) > end);
	answer(&p, rcvid, 7);
}

CASE(LOCAL, reply_state_does_not_count_until_received)
{
	struct pair p = pair_up(0);

	time_out(p.client, _NTO_TIMEOUT_REPLY, 1);
	begin_send(&p, "x", 1);
	await_blocked(p.client);
	/* The send may end before the receive does, which receive() takes for an early failure. */
	if (CALL(p.server, MsgReceive, p.chid, p.in, ROOM, NULL) <= 0)
		FAIL("MsgReceive failed");
	FINISH_FAILS(p.client, ETIMEDOUT);
}

CASE(BOTH, concerns_one_call)
{
	struct pair p = pair_up(0);

	time_out(p.client, SENDING, 0);
	begin_send(&p, "x", 1);
	FINISH_FAILS(p.client, ETIMEDOUT);
	begin_send(&p, "x", 1);
	await_blocked(p.client);
	answer(&p, receive(&p), 8);
}

CASE(BOTH, concerns_the_next_call_even_if_that_does_not_block)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	time_out(p.server, _NTO_TIMEOUT_RECEIVE, 0);
	WANT(CALL(p.server, MsgInfo, rcvid, p.info), 0);
	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, NULL);
	await_blocked(p.server);
	WANT(CALL(thread_of(p.server), MsgReply, rcvid, 9, NULL, 0), 0);
	WANT(FINISH(p.client), 9);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	WANT(FINISH(p.server), 0);
}

CASE(BOTH, concerns_the_calling_thread)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.client);

	time_out(other, SENDING, 0);
	begin_send(&p, "x", 1);
	await_blocked(p.client);
	answer(&p, receive(&p), 10);
}

/* 6.5: pulses cannot be timed out. */
CASE(BOTH, pulse_is_not_concerned)
{
	struct pair p = pair_up(0);

	time_out(p.client, SENDING, 0);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 2, 3), 0);
	receive_pulse(&p, 2);
}

struct clock {
	const char *name;
	clockid_t id;
};

static const struct clock clocks[] = {
	{ "realtime", CLOCK_REALTIME }, { "monotonic", CLOCK_MONOTONIC },
};

ROWS(LOCAL, relative_to_clock, clocks)
{
	const struct clock *clock = row;
	struct pair p = pair_up(0);
	uint64_t *ntime = mem(sizeof(*ntime));

	*ntime = 30 * MILLISECONDS;
	WANT(CALL(p.server, TimerTimeout, clock->id, _NTO_TIMEOUT_RECEIVE, NULL, ntime, NULL), 0);
	FAILS(p.server, ETIMEDOUT, MsgReceive, p.chid, p.in, ROOM, NULL);
}

ROWS(LOCAL, absolute_by_clock, clocks)
{
	const struct clock *clock = row;
	struct pair p = pair_up(0);
	uint64_t *ntime = mem(sizeof(*ntime));

	*ntime = now(clock->id) + 100 * MILLISECONDS;
	WANT(CALL(p.server, TimerTimeout, clock->id, _NTO_TIMEOUT_RECEIVE | TIMER_ABSTIME, NULL,
		  ntime, NULL), 0);
	FAILS(p.server, ETIMEDOUT, MsgReceive, p.chid, p.in, ROOM, NULL);
	HOLDS(now(clock->id) >= (int64_t)*ntime);
}

ROWS(LOCAL, absolute_time_that_has_passed, clocks)
{
	const struct clock *clock = row;
	struct pair p = pair_up(0);
	uint64_t *ntime = mem(sizeof(*ntime));

	*ntime = 1;
	WANT(CALL(p.server, TimerTimeout, clock->id, _NTO_TIMEOUT_RECEIVE | TIMER_ABSTIME, NULL,
		  ntime, NULL), 0);
	FAILS(p.server, ETIMEDOUT, MsgReceive, p.chid, p.in, ROOM, NULL);
}

CASE(LOCAL, tells_what_was_left)
{
	struct actor *client = process_on(CLIENT);
	uint64_t *left = mem(sizeof(*left));

	time_out(client, SENDING, 60000 * MILLISECONDS);
	HOLDS(CALL(client, TimerTimeout, CLOCK_MONOTONIC, 0, NULL, NULL, left) != -1);
	HOLDS(*left > 0 && *left <= 60000 * MILLISECONDS);
}

CASE(LOCAL, bad_clock_is_EINVAL)
{
	struct actor *client = process_on(CLIENT);
	uint64_t *ntime = mem(sizeof(*ntime));

	FAILS(client, EINVAL, TimerTimeout, 4711, SENDING, NULL, ntime, NULL);
	WANT(CALL(client, TimerTimeout_r, 4711, SENDING, NULL, ntime, NULL), -EINVAL);
	WANT(error_of(client), 0);
}
