// SPDX-License-Identifier: GPL-2.0
/* Signals in blocked calls (neutrino-api.md 6.4; issue 4, part 4): unblock.c has the protocol. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "pair.h"

struct flags {
	const char *name;
	int value;
};

static const struct flags handlers[] = { { "handler", 0 }, { "handler_with_restart", SA_RESTART } };

ROWS(LOCAL, receive_ends_with_EINTR, handlers)
{
	const struct flags *flags = row;
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR1, flags->value);
	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, NULL);
	await_blocked(p.server);
	signal_thread(p.server, SIGUSR1);
	FINISH_FAILS(p.server, EINTR);
	WANT(signal_count(p.server), 1);
	works(&p);
}

ROWS(LOCAL, pulse_receive_ends_with_EINTR, handlers)
{
	const struct flags *flags = row;
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR1, flags->value);
	BEGIN(p.server, MsgReceivePulse, p.chid, p.in, ROOM, NULL);
	await_blocked(p.server);
	signal_thread(p.server, SIGUSR1);
	FINISH_FAILS(p.server, EINTR);
}

/* Never sent twice, whatever the handler's flags: the send that failed was received once. */
ROWS(BOTH, send_is_never_repeated, handlers)
{
	const struct flags *flags = row;
	struct pair p = pair_up(0);

	count_signal(p.client, SIGUSR1, flags->value);
	hold(&p);
	signal_thread(p.client, SIGUSR1);
	FINISH_FAILS(p.client, EINTR);
	WANT(signal_count(p.client), 1);
	flushed(&p, p.client);
	nothing_queued(&p);
	works(&p);
}

static int set_disposition(int number, int ignore)
{
	return signal(number, ignore ? SIG_IGN : SIG_DFL) == SIG_ERR;
}

static const struct flags harmless[] = {
	{ "default_SIGCHLD", SIGCHLD }, { "default_SIGWINCH", SIGWINCH }, { "default_SIGURG", SIGURG },
};

ROWS(BOTH, signal_that_does_nothing_by_default, harmless)
{
	const struct flags *number = row;
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold(&p);

	signal_thread(p.client, number->value);
	signal_process(p.client, number->value);
	nothing_queued(&p);
	answer(&p, rcvid, 71);
}

CASE(BOTH, ignored_signal)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid;

	WANT(CALL(p.client, set_disposition, SIGUSR1, 1), 0);
	rcvid = hold(&p);
	signal_thread(p.client, SIGUSR1);
	nothing_queued(&p);
	answer(&p, rcvid, 72);
}

static int mask(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

CASE(BOTH, masked_signal)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid;

	count_signal(p.client, SIGUSR1, 0);
	WANT(CALL(p.client, mask, SIGUSR1), 0);
	rcvid = hold(&p);
	signal_thread(p.client, SIGUSR1);
	nothing_queued(&p);
	answer(&p, rcvid, 73);
	WANT(signal_count(p.client), 0);
}

/* A process that is stopped and goes on waits on, and its message is there once. */
CASE(BOTH, stop_and_continue_while_REPLY_blocked)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid = hold(&p), n;

	for (n = 0; n < 3; n++) {
		signal_process(p.client, SIGSTOP);
		await_state(p.client, 'T');
		signal_process(p.client, SIGCONT);
		await_blocked(p.client);
	}
	nothing_queued(&p);
	answer(&p, rcvid, 74);
}

CASE(BOTH, stop_and_continue_while_SEND_blocked)
{
	struct pair p = pair_up(0);
	int n;

	begin_send(&p, "once", 4);
	await_blocked(p.client);
	for (n = 0; n < 3; n++) {
		signal_process(p.client, SIGSTOP);
		await_state(p.client, 'T');
		signal_process(p.client, SIGCONT);
		await_blocked(p.client);
	}
	answer(&p, receive(&p), 75);
	flushed(&p, p.client);
	nothing_queued(&p);
}

/* Also one that has asked to leave, and waits for the server's word. */
CASE(BOTH, stop_and_continue_after_a_time_out)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	int rcvid;

	time_out(p.client, _NTO_TIMEOUT_REPLY, 100 * MILLISECONDS);
	rcvid = hold(&p);
	receive_pulse(&p, _PULSE_CODE_UNBLOCK);
	signal_process(p.client, SIGSTOP);
	await_state(p.client, 'T');
	signal_process(p.client, SIGCONT);
	await_blocked(p.client);
	nothing_queued(&p);
	WANT(CALL(p.server, MsgError, rcvid, -1), 0);
	FINISH_FAILS(p.client, ETIMEDOUT);
	works(&p);
}

/* Whether the signal is pending; then it is taken. */
static long take_signal(int number)
{
	const struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return sigtimedwait(&set, NULL, &now) == number;
}

/* A signal that is on its way is not sent again when its sender is stopped meanwhile. */
CASE(REMOTE, stop_and_continue_while_a_signal_travels)
{
	struct pair p = pair_up(0);
	int number = SIGRTMIN;

	WANT(CALL(p.server, mask, number), 0);
	works(&p);
	HOLDS(world_link(false));
	BEGIN(p.client, SignalKill, p.nd, pid_of(p.server), 0, number, SI_QUEUE, 1);
	await_blocked(p.client);
	signal_process(p.client, SIGSTOP);
	await_state(p.client, 'T');
	signal_process(p.client, SIGCONT);
	FINISH_FAILS(p.client, EINTR);
	HOLDS(world_link(true));
	works(&p);
	WANT(CALL(p.server, take_signal, number), 1);
	WANT(CALL(p.server, take_signal, number), 0);
}

CASE(BOTH, reply_while_the_client_is_stopped)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	signal_process(p.client, SIGSTOP);
	await_state(p.client, 'T');
	WANT(CALL(p.server, MsgReply, rcvid, 76, "late", 4), 0);
	signal_process(p.client, SIGCONT);
	WANT(FINISH(p.client), 76);
	WANT(memcmp(p.reply, "late", 4), 0);
}

CASE(BOTH, stop_and_continue_while_RECEIVE_blocked)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.server, MsgReceive, p.chid, p.in, ROOM, p.info);
	await_blocked(p.server);
	signal_process(p.server, SIGSTOP);
	await_state(p.server, 'T');
	begin_send(&p, "x", 1);
	await_blocked(p.client);
	signal_process(p.server, SIGCONT);
	rcvid = FINISH(p.server);
	HOLDS(rcvid > 0);
	answer(&p, rcvid, 77);
}

/* A handler on another thread is that thread's affair. */
CASE(BOTH, signal_to_another_thread)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK);
	struct actor *other = thread_of(p.client);
	int rcvid;

	count_signal(p.client, SIGUSR1, 0);
	rcvid = hold(&p);
	signal_thread(other, SIGUSR1);
	await_signals(p.client, 1);
	nothing_queued(&p);
	answer(&p, rcvid, 78);
}

/* SIGKILL needs nobody's leave. */
CASE(BOTH, SIGKILL_in_all_states)
{
	struct pair p = pair_up(_NTO_CHF_UNBLOCK), q = pair_with_client(&p, process_on(CLIENT));
	struct pair other = pair_up(0);

	hold(&p);
	begin_send(&q, "x", 1);
	await_blocked(q.client);
	BEGIN(other.server, MsgReceive, other.chid, other.in, ROOM, NULL);
	await_blocked(other.server);
	kill_process(p.client);
	kill_process(q.client);
	kill_process(other.server);
}
