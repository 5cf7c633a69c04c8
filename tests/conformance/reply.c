// SPDX-License-Identifier: GPL-2.0
/* MsgReply and MsgError in all forms, and their errors (neutrino-api.md 6.4). */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "pair.h"

static int by_MsgReply(int rcvid, const iov_t *iov)
{
	return MsgReply(rcvid, 17, iov[0].iov_base, 6);
}

static int by_MsgReply_r(int rcvid, const iov_t *iov)
{
	return MsgReply_r(rcvid, 17, iov[0].iov_base, 6);
}

static int by_MsgReplyv(int rcvid, const iov_t *iov)
{
	return MsgReplyv(rcvid, 17, iov, 2);
}

static int by_MsgReplyv_r(int rcvid, const iov_t *iov)
{
	return MsgReplyv_r(rcvid, 17, iov, 2);
}

struct form {
	const char *name;
	int (*reply)(int rcvid, const iov_t *iov);
};

#define FORM(name) { #name, by_##name }
static const struct form forms[] = {
	FORM(MsgReply), FORM(MsgReply_r), FORM(MsgReplyv), FORM(MsgReplyv_r),
};

static const iov_t *parts(void)
{
	iov_t *iov = mem(2 * sizeof(*iov));
	char *bytes = mem(6);

	memcpy(bytes, "answer", 6);
	SETIOV(&iov[0], bytes, 2);
	SETIOV(&iov[1], bytes + 2, 4);
	return iov;
}

ROWS(BOTH, form_answers, forms)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, form->reply, rcvid, parts()), 0);
	WANT(FINISH(p.client), 17);
	WANT(memcmp(p.reply, "answer", 7), 0);
}

ROWS(BOTH, form_answers_once, forms)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	answer(&p, rcvid, 0);
	if (!strstr(form->name, "_r")) {
		FAILS(p.server, ESRCH, form->reply, rcvid, parts());
		return;
	}
	WANT(CALL(p.server, form->reply, rcvid, parts()), -ESRCH);
	WANT(error_of(p.server), 0);
}

struct number {
	const char *name;
	int value;
};

static const struct number no_rcvids[] = {
	{ "0", 0 }, { "minus_one", -1 }, { "never_given", 0x12345 }, { "largest", 0x7fffffff },
};

ROWS(LOCAL, to_none_is_ESRCH, no_rcvids)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgReply, number->value, 0, NULL, 0);
}

ROWS(LOCAL, error_to_none_is_ESRCH, no_rcvids)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgError, number->value, EIO);
}

CASE(BOTH, from_another_thread)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);
	int rcvid = hold(&p);

	WANT(CALL(other, MsgReply, rcvid, 8, NULL, 0), 0);
	WANT(FINISH(p.client), 8);
}

CASE(BOTH, from_another_process_is_ESRCH)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	FAILS(child_of(p.server), ESRCH, MsgReply, rcvid, 0, NULL, 0);
	answer(&p, rcvid, 1);
}

CASE(BOTH, in_any_order)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, process_on(CLIENT));
	int first = hold(&p), second = hold(&q);

	answer(&q, second, 2);
	answer(&p, first, 1);
}

CASE(BOTH, by_a_thread_that_did_not_receive_after_the_receiver_ended)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);
	int rcvid;

	begin_send(&p, "x", 1);
	rcvid = CALL(other, MsgReceive, p.chid, p.in, ROOM, NULL);
	end_thread(other);
	answer(&p, rcvid, 9);
}

/* 6.4: ESRVRFAULT, and the client then gets the same code. */
CASE(BOTH, bad_buffer_is_ESRVRFAULT_for_both)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	FAILS(p.server, ESRVRFAULT, MsgReply, rcvid, 0, NOWHERE, 8);
	FINISH_FAILS(p.client, ESRVRFAULT);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
}

CASE(BOTH, error)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError, rcvid, EIO), 0);
	FINISH_FAILS(p.client, EIO);
	FAILS(p.server, ESRCH, MsgError, rcvid, EIO);
}

CASE(BOTH, error_r)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError_r, rcvid, EIO), 0);
	FINISH_FAILS(p.client, EIO);
	WANT(CALL(p.server, MsgError_r, rcvid, EIO), -ESRCH);
	WANT(error_of(p.server), 0);
}

/* 6.4: EOK = success. */
CASE(BOTH, error_EOK_is_success)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError, rcvid, 0), 0);
	WANT(FINISH(p.client), 0);
}

CASE(BOTH, reply_after_error_is_ESRCH)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError, rcvid, EIO), 0);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
}

/* 6.4: ERESTART makes the client send again. */
CASE(BOTH, error_ERESTART_sends_again)
{
	struct pair p = pair_up(0);
	int rcvid;

	begin_send(&p, "again", 5);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgError, rcvid, ERESTART), 0);
	memset(p.in, 0, 8);
	rcvid = receive(&p);
	WANT(memcmp(p.in, "again", 6), 0);
	answer(&p, rcvid, 55);
}

/* As long as the server wants it, and with what the server reads itself. */
CASE(BOTH, error_ERESTART_again_and_again)
{
	const size_t size = 200000;
	struct pair p = pair_up(0);
	char *in = mem(size);
	int n, rcvid;

	begin_send(&p, pattern(size), size);
	for (n = 0; n < 5; n++)
		WANT(CALL(p.server, MsgError, receive(&p), ERESTART), 0);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgRead, rcvid, in, size, 0), size);
	want_pattern(in, size, 0);
	answer(&p, rcvid, 56);
}

/* The time is that of the call, and runs out all the same. */
CASE(BOTH, error_ERESTART_does_not_prolong_a_time_out)
{
	struct pair p = pair_up(0);

	time_out(p.client, _NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY, 300 * MILLISECONDS);
	begin_send(&p, "again", 5);
	WANT(CALL(p.server, MsgError, receive(&p), ERESTART), 0);
	receive(&p);
	FINISH_FAILS(p.client, ETIMEDOUT);
	works(&p);
}

CASE(BOTH, error_ERESTART_and_then_a_signal)
{
	struct pair p = pair_up(0);

	count_signal(p.client, SIGUSR1, SA_RESTART);
	begin_send(&p, "again", 5);
	WANT(CALL(p.server, MsgError, receive(&p), ERESTART), 0);
	receive(&p);
	signal_thread(p.client, SIGUSR1);
	FINISH_FAILS(p.client, EINTR);
	works(&p);
}

/* A client that wants to leave does not come back: its server has let it go. */
CASE(BOTH, error_ERESTART_lets_a_client_go_that_has_asked)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid;

	count_signal(p.client, SIGUSR1, 0);
	rcvid = hold(&p);
	signal_thread(p.client, SIGUSR1);
	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(CALL(p.server, MsgError, rcvid, ERESTART), 0);
	FINISH_FAILS(p.client, EINTR);
	nothing_queued(&p);
	works(&p);
}

CASE(BOTH, error_ERESTART_to_a_client_that_was_killed)
{
	struct pair p = pair_up(0), q;
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError, rcvid, ERESTART), 0);
	receive(&p);
	kill_process(p.client);
	q = pair_with_client(&p, process_on(CLIENT));
	works(&q);
}

/* 6.4: not after MsgWrite. */
CASE(BOTH, error_ERESTART_after_a_write_is_an_error)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "abc", 3, 0), 3);
	WANT(CALL(p.server, MsgError, rcvid, ERESTART), 0);
	FINISH_FAILS(p.client, ERESTART);
}

/* What was written before an error is in the reply area. */
CASE(BOTH, error_after_a_write_keeps_what_was_written)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "abc", 3, 2), 3);
	WANT(CALL(p.server, MsgError, rcvid, EIO), 0);
	FINISH_FAILS(p.client, EIO);
	WANT(memcmp(p.reply, "\0\0abc", 6), 0);
}
