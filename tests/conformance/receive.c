// SPDX-License-Identifier: GPL-2.0
/* MsgReceive and MsgReceivePulse in all forms, and their errors (neutrino-api.md 6.4). */
#include <errno.h>
#include <string.h>

#include "pair.h"

static int by_MsgReceive(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceive(chid, iov[0].iov_base, ROOM, info);
}

static int by_MsgReceive_r(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceive_r(chid, iov[0].iov_base, ROOM, info);
}

static int by_MsgReceivev(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivev(chid, iov, 2, info);
}

static int by_MsgReceivev_r(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivev_r(chid, iov, 2, info);
}

static int by_MsgReceivePulse(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivePulse(chid, iov[0].iov_base, ROOM, info);
}

static int by_MsgReceivePulse_r(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivePulse_r(chid, iov[0].iov_base, ROOM, info);
}

static int by_MsgReceivePulsev(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivePulsev(chid, iov, 2, info);
}

static int by_MsgReceivePulsev_r(int chid, iov_t *iov, struct _msg_info *info)
{
	return MsgReceivePulsev_r(chid, iov, 2, info);
}

struct form {
	const char *name;
	int (*receive)(int chid, iov_t *iov, struct _msg_info *info);
};

#define FORM(name) { #name, by_##name }
static const struct form of_messages[] = {
	FORM(MsgReceive), FORM(MsgReceive_r), FORM(MsgReceivev), FORM(MsgReceivev_r),
};
static const struct form of_all[] = {
	FORM(MsgReceive), FORM(MsgReceive_r), FORM(MsgReceivev), FORM(MsgReceivev_r),
	FORM(MsgReceivePulse), FORM(MsgReceivePulse_r), FORM(MsgReceivePulsev), FORM(MsgReceivePulsev_r),
};

static bool gives_errno(const struct form *form)
{
	return !strstr(form->name, "_r");
}

/* The pair's buffer in two parts, of which the first is short. */
static iov_t *parts(const struct pair *p)
{
	iov_t *iov = mem(2 * sizeof(*iov));

	SETIOV(&iov[0], p->in, 3);
	SETIOV(&iov[1], p->in + 3, ROOM - 3);
	return iov;
}

ROWS(BOTH, form_takes_a_message, of_messages)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid;

	begin_send(&p, "abcdefgh", 8);
	rcvid = CALL(p.server, form->receive, p.chid, parts(&p), p.info);
	HOLDS(rcvid > 0);
	WANT(memcmp(p.in, "abcdefgh", 9), 0);
	WANT(p.info->msglen, 8);
	answer(&p, rcvid, 1);
}

ROWS(BOTH, form_takes_a_pulse, of_all)
{
	const struct form *form = row;
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 33, 44), 0);
	WANT(CALL(p.server, form->receive, p.chid, parts(&p), NULL), 0);
	WANT(p.pulse->code, 33);
	WANT(p.pulse->value.sival_int, 44);
}

ROWS(LOCAL, form_tells_errors, of_all)
{
	const struct form *form = row;
	struct pair p = pair_up(0);

	if (gives_errno(form)) {
		FAILS(p.server, ESRCH, form->receive, p.chid + 1, parts(&p), NULL);
		return;
	}
	WANT(CALL(p.server, form->receive, p.chid + 1, parts(&p), NULL), -ESRCH);
	WANT(error_of(p.server), 0);
}

CASE(LOCAL, other_processes_channel_is_ESRCH)
{
	struct pair p = pair_up(0);

	FAILS(p.client, ESRCH, MsgReceive, p.chid, p.in, ROOM, NULL);
	FAILS(child_of(p.server), ESRCH, MsgReceive, p.chid, p.in, ROOM, NULL);
}

CASE(LOCAL, connection_is_no_channel)
{
	struct pair p = pair_up(0);
	int coid = CALL(p.server, ConnectAttach, 0, 0, p.chid, 300, 0);

	FAILS(p.server, ESRCH, MsgReceive, coid, p.in, ROOM, NULL);
}

CASE(BOTH, info_may_be_null)
{
	struct pair p = pair_up(0);
	int rcvid;

	begin_send(&p, "x", 1);
	rcvid = CALL(p.server, MsgReceive, p.chid, p.in, ROOM, NULL);
	HOLDS(rcvid > 0);
	answer(&p, rcvid, 2);
}

/* 6.3: for pulses MsgReceive does not update the structure. */
CASE(BOTH, pulse_leaves_info_alone)
{
	struct pair p = pair_up(0);

	memset(p.info, 0x5a, sizeof(*p.info));
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 1, 1), 0);
	WANT(CALL(p.server, MsgReceive, p.chid, p.in, ROOM, p.info), 0);
	WANT(p.info->pid, 0x5a5a5a5a);
	WANT(p.info->chid, 0x5a5a5a5a);
}

CASE(BOTH, pulse_only_leaves_messages)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.client);

	begin_send(&p, "message", 7);
	await_blocked(p.client);
	WANT(CALL(other, MsgSendPulse, p.coid, 1, 9, 9), 0);
	WANT(CALL(p.server, MsgReceivePulse, p.chid, p.in, ROOM, NULL), 0);
	WANT(p.pulse->code, 9);
	answer(&p, receive(&p), 0);
	WANT(memcmp(p.in, "message", 7), 0);
}

CASE(BOTH, pulse_only_waits_while_there_are_messages_alone)
{
	struct pair p = pair_up(0);

	begin_send(&p, "message", 7);
	await_blocked(p.client);
	flushed(&p, thread_of(p.client));
	time_out(p.server, _NTO_TIMEOUT_RECEIVE, 0);
	FAILS(p.server, ETIMEDOUT, MsgReceivePulse, p.chid, p.in, ROOM, NULL);
	answer(&p, receive(&p), 0);
}

CASE(BOTH, blocked_receiver_gets_a_message)
{
	struct pair p = pair_up(0);

	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, p.info);
	await_blocked(p.server);
	begin_send(&p, "x", 1);
	answer(&p, FINISH(p.server), 6);
}

CASE(BOTH, blocked_pulse_receiver_gets_a_pulse)
{
	struct pair p = pair_up(0);

	BEGIN(p.server, MsgReceivePulse, p.chid, p.in, ROOM, p.info);
	await_blocked(p.server);
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 6, 7), 0);
	WANT(FINISH(p.server), 0);
	WANT(p.pulse->value.sival_int, 7);
}

CASE(BOTH, message_passes_by_a_pulse_receiver)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);
	char *in = mem(ROOM);

	BEGIN(other, MsgReceivePulse, p.chid, in, ROOM, NULL);
	await_blocked(other);
	works(&p);
	HOLDS(is_busy(other));
	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 6, 7), 0);
	WANT(FINISH(other), 0);
}

CASE(BOTH, two_receivers_get_one_each)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, thread_of(p.client));
	struct actor *other = thread_of(p.server);
	char *in = mem(ROOM);

	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, NULL);
	await_blocked(p.server);
	BEGIN(other, MsgReceive, p.chid, in, ROOM, NULL);
	await_blocked(other);
	begin_send(&p, "x", 1);
	begin_send(&q, "x", 1);
	WANT(CALL(p.server, MsgReply, FINISH(p.server), 1, NULL, 0), 0);
	WANT(CALL(other, MsgReply, FINISH(other), 1, NULL, 0), 0);
	WANT(FINISH(p.client), 1);
	WANT(FINISH(q.client), 1);
}

/* 6.4: the buffer must hold a pulse, else EFAULT, and the pulse is lost. */
CASE(BOTH, pulse_into_a_short_buffer_is_EFAULT)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 6, 7), 0);
	flushed(&p, p.client);
	FAILS(p.server, EFAULT, MsgReceive, p.chid, p.in, 4, NULL);
	nothing_queued(&p);
}

CASE(BOTH, pulse_into_a_bad_buffer_is_EFAULT)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, MsgSendPulse, p.coid, -1, 6, 7), 0);
	flushed(&p, p.client);
	FAILS(p.server, EFAULT, MsgReceive, p.chid, NOWHERE, ROOM, NULL);
}

CASE(BOTH, message_into_a_bad_buffer_is_EFAULT)
{
	struct pair p = pair_up(0);

	begin_send(&p, "abcdefgh", 8);
	FAILS(p.server, EFAULT, MsgReceive, p.chid, NOWHERE, ROOM, NULL);
}

CASE(BOTH, message_into_no_buffer)
{
	struct pair p = pair_up(0);
	int rcvid;

	begin_send(&p, "abcdefgh", 8);
	rcvid = CALL(p.server, MsgReceive, p.chid, NULL, 0, p.info);
	HOLDS(rcvid > 0);
	WANT(p.info->msglen, 0);
	WANT(CALL(p.server, MsgRead, rcvid, p.in, ROOM, 0), 8);
	answer(&p, rcvid, 0);
}

/* A sender's bad buffer is its own affair: the receive goes on. */
CASE(BOTH, senders_fault_does_not_end_the_receive)
{
	struct pair p = pair_up(0);

	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, p.info);
	await_blocked(p.server);
	FAILS(p.client, EFAULT, MsgSend, p.coid, NOWHERE, 8, NULL, 0);
	begin_send(&p, "x", 1);
	answer(&p, FINISH(p.server), 1);
}
