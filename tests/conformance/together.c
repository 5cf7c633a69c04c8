// SPDX-License-Identifier: GPL-2.0
/* Reply and receive in one call, which QNX has not got (<sys/qnet.h>; issue 4, part 9). */
#include <errno.h>
#include <string.h>
#include <sys/qnet.h>

#include "pair.h"

static struct qnet_answer *answer_to(int rcvid, long status)
{
	struct qnet_answer *answer = mem(sizeof(*answer));
	iov_t *iov = mem(sizeof(*iov));
	char *words = memcpy(mem(8), "answer", 6);

	SETIOV(iov, words, 6);
	*answer = (struct qnet_answer){ .rcvid = rcvid, .status = status, .iov = iov, .parts = 1 };
	return answer;
}

CASE(BOTH, answers_and_receives)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	struct qnet_answer *given = answer_to(hold(&p), 91);
	int rcvid;

	begin_send(&q, "next", 4);
	rcvid = CALL(p.server, qnet_reply_receive, p.chid, given, p.in, ROOM, p.info);
	HOLDS(rcvid > 0);
	WANT(given->error, 0);
	WANT(memcmp(p.in, "next", 4), 0);
	WANT(FINISH(p.client), 91);
	WANT(memcmp(p.reply, "answer", 7), 0);
	answer(&q, rcvid, 92);
}

CASE(BOTH, without_an_answer)
{
	struct pair p = pair_up(0);
	struct qnet_answer *given = answer_to(0, 0);
	int rcvid;

	begin_send(&p, "x", 1);
	rcvid = CALL(p.server, qnet_reply_receive, p.chid, given, p.in, ROOM, p.info);
	HOLDS(rcvid > 0);
	answer(&p, rcvid, 93);
}

/* What is wrong with the answer does not keep the server from its next message. */
CASE(BOTH, answer_that_comes_too_late)
{
	struct pair p = pair_up(0);
	struct qnet_answer *given;
	int rcvid = hold(&p);

	answer(&p, rcvid, 0);
	given = answer_to(rcvid, 94);
	begin_send(&p, "x", 1);
	rcvid = CALL(p.server, qnet_reply_receive, p.chid, given, p.in, ROOM, p.info);
	HOLDS(rcvid > 0);
	WANT(given->error, ESRCH);
	answer(&p, rcvid, 95);
}

CASE(BOTH, then_a_pulse)
{
	struct pair p = pair_up(0);
	struct qnet_answer *given = answer_to(hold(&p), 96);

	BEGIN(p.server, qnet_reply_receive, p.chid, given, p.in, ROOM, p.info);
	WANT(FINISH(p.client), 96);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 9, 10), 0);
	WANT(FINISH(p.server), 0);
	WANT(p.pulse->code, 9);
}
