// SPDX-License-Identifier: GPL-2.0
/* What happens when a blocked client wants to leave (neutrino-api.md 6.4 "Unblock rules", 6.5). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "pair.h"

/* How a client comes to want that. */
struct reason {
	const char *name;
	int restart;	/* the signal's SA_* flags; -1: a time-out */
	int error;	/* what the client's send fails with */
};

static const struct reason reasons[] = {
	{ "by_a_signal", 0, EINTR }, { "by_a_signal_with_restart", SA_RESTART, EINTR },
	{ "by_a_time_out", -1, ETIMEDOUT },
};

/* The client's send is REPLY-blocked and wants to leave. */
static int hold_unwilling(const struct pair *p, const struct reason *reason)
{
	int rcvid;

	if (reason->restart == -1)
		time_out(p->client, _NTO_TIMEOUT_REPLY, 100 * MILLISECONDS);
	else
		count_signal(p->client, SIGUSR1, reason->restart);
	begin_send(p, "held", 4);
	rcvid = receive(p);
	if (reason->restart != -1)
		signal_thread(p->client, SIGUSR1);
	return rcvid;
}

ROWS(BOTH, without_flag_leaves_at_once, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(0);
	int rcvid = hold_unwilling(&p, reason);

	FINISH_FAILS(p.client, reason->error);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
	nothing_queued(&p);
}

ROWS(BOTH, with_flag_the_server_gets_a_pulse, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, reason), scoid = p.info->scoid;

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(p.pulse->value.sival_int, rcvid);
	WANT(p.pulse->scoid, scoid);
	HOLDS(is_busy(p.client));
	WANT(CALL(p.server, MsgInfo, rcvid, p.info), 0);
	HOLDS(p.info->flags & _NTO_MI_UNBLOCK_REQ);
}

/* The server decides: its reply is what the send returns. */
ROWS(BOTH, reply_after_the_pulse_wins, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, reason);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	answer(&p, rcvid, 31);
}

/* 6.4, MsgError: -1 is the error stored at unblock time. */
ROWS(BOTH, error_minus_1_is_what_made_it_leave, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, reason);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(CALL(p.server, MsgError, rcvid, -1), 0);
	FINISH_FAILS(p.client, reason->error);
}

ROWS(BOTH, other_error_after_the_pulse, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, reason);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(CALL(p.server, MsgError, rcvid, EAGAIN), 0);
	FINISH_FAILS(p.client, EAGAIN);
}

/* The pulse is withdrawn if the server replies first. */
ROWS(BOTH, reply_before_the_pulse_withdraws_it, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, reason);

	await_unblock_request(&p, p.server, rcvid);
	answer(&p, rcvid, 32);
	nothing_queued(&p);
	works(&p);
}

/* Each client's wish is told once. */
CASE(BOTH, one_pulse_however_often_it_is_signalled)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	signal_thread(p.client, SIGUSR1);
	signal_thread(p.client, SIGUSR1);
	nothing_queued(&p);
	answer(&p, rcvid, 33);
	nothing_queued(&p);
}

CASE(BOTH, message_can_be_read_and_written_after_the_pulse)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	memset(p.in, 0, 8);
	WANT(CALL(p.server, MsgRead, rcvid, p.in, 8, 0), 4);
	WANT(memcmp(p.in, "held", 4), 0);
	WANT(CALL(p.server, MsgWrite, rcvid, "abc", 3, 0), 3);
	answer(&p, rcvid, 34);
	WANT(memcmp(p.reply, "abc", 4), 0);
}

CASE(BOTH, handler_runs_once_the_send_has_returned)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	answer(&p, rcvid, 35);
	await_signals(p.client, 1);
	WANT(signal_count(p.client), 1);
}

CASE(BOTH, next_message_has_no_flag)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	answer(&p, rcvid, 36);
	hold(&p);
	WANT(p.info->flags & _NTO_MI_UNBLOCK_REQ, 0);
}

/* A SEND-blocked client is released at once, whatever the channel's flags. */
ROWS(BOTH, SEND_blocked_leaves_at_once, reasons)
{
	const struct reason *reason = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);

	if (reason->restart == -1)
		time_out(p.client, _NTO_TIMEOUT_SEND, 100 * MILLISECONDS);
	else
		count_signal(p.client, SIGUSR1, reason->restart);
	begin_send(&p, "never received", 14);
	if (reason->restart != -1) {
		await_blocked(p.client);
		signal_thread(p.client, SIGUSR1);
	}
	FINISH_FAILS(p.client, reason->error);
	flushed(&p, p.client);
	nothing_queued(&p);
}

/* The pulse has the client's priority. */
CASE(BOTH, pulse_has_the_clients_priority)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK), q = pair_with_client(&p, thread_of(p.client));
	int rcvid;

	WANT(CALL(p.client, setpriority, PRIO_PROCESS, 0, -10), 0);
	rcvid = hold_unwilling(&p, &reasons[0]);
	WANT(CALL(q.client, MsgSendPulse, q.coid, 14, 14, 0), 0);
	WANT(CALL(q.client, MsgSendPulse, q.coid, 16, 16, 0), 0);
	flushed(&q, q.client);
	await_unblock_request(&p, p.server, rcvid);
	receive_pulse(&p, 16);
	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	receive_pulse(&p, 14);
}

/* Issue 4, part 4: SIGKILL leaves at once; the server gets UNBLOCK, later ESRCH. */
CASE(BOTH, killed_client_leaves_at_once)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold(&p);

	kill_process(p.client);
	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(p.pulse->value.sival_int, rcvid);
	FAILS(p.server, ESRCH, MsgReply, rcvid, 0, NULL, 0);
}

CASE(BOTH, two_clients_are_told_apart)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK), q = pair_with_client(&p, process_on(CLIENT));
	int first = hold(&p), second = hold_unwilling(&q, &reasons[0]);

	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	WANT(p.pulse->value.sival_int, second);
	answer(&q, second, 2);
	answer(&p, first, 1);
}

CASE(BOTH, receivers_of_pulses_alone_get_it)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	WANT(CALL(p.server, MsgReceivePulse, p.chid, p.in, ROOM, NULL), 0);
	WANT(p.pulse->code, _PULSE_CODE_UNBLOCK);
	answer(&p, rcvid, 1);
}

/* It is skipped when the channel goes. */
CASE(BOTH, destroyed_channel_releases_it)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	await_unblock_request(&p, p.server, rcvid);
	WANT(CALL(p.server, ChannelDestroy, p.chid), 0);
	FINISH_FAILS(p.client, ESRCH);
}

CASE(BOTH, dead_server_releases_it)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold_unwilling(&p, &reasons[0]);

	await_unblock_request(&p, p.server, rcvid);
	kill_process(p.server);
	FINISH_FAILS(p.client, ESRCH);
}
