// SPDX-License-Identifier: GPL-2.0
/* MsgDeliverEvent, MsgVerifyEvent, SignalKill (neutrino-api.md 6.2, 6.4, 6.5). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

/* When the server delivers: while the client is blocked, or after it was answered. */
struct moment {
	const char *name;
	bool answered;
};

static const struct moment moments[] = { { "while_pending", false }, { "when_answered", true } };

/*
 * The client has sent, with a thread that then does nothing else, and the
 * server has the rcvid.
 */
static struct pair subscribe(const struct moment *moment, int *rcvid)
{
	struct pair p = pair_up(0);

	*rcvid = hold(&p);
	if (moment->answered)
		answer(&p, *rcvid, 0);
	return p;
}

/* A channel of the client's own, and its connection to that. */
static struct pair own_channel(const struct pair *p)
{
	struct actor *other = thread_of(p->client);
	struct pair own = *p;

	own.server = other;
	own.in = mem(ROOM);
	own.pulse = (struct _pulse *)own.in;
	own.chid = new_channel(other, 0);
	own.coid = attach(other, 0, p->client, own.chid);
	own.nd = 0;
	return own;
}

static struct sigevent *new_event(void)
{
	return mem(sizeof(struct sigevent));
}

ROWS(BOTH, pulse, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, own.coid, 10, 41, 42);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	receive_pulse(&own, 41);
	WANT(own.pulse->value.sival_int, 42);
}

ROWS(BOTH, pulse_r, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, own.coid, 10, 41, -1);
	WANT(CALL(p.server, MsgDeliverEvent_r, rcvid, event), 0);
	receive_pulse(&own, 41);
	WANT(own.pulse->value.sival_int, -1);
}

/* Programs fill in what they need, over whatever was on their stack. */
ROWS(BOTH, value_in_half_of_its_union, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	memset(event, 0x5a, sizeof(*event));
	event->sigev_notify = SIGEV_PULSE;
	event->sigev_coid = own.coid;
	event->sigev_priority = 10;
	event->sigev_code = 41;
	event->sigev_value.sival_int = -42;
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	receive_pulse(&own, 41);
	WANT(own.pulse->value.sival_int, -42);
}

ROWS(BOTH, several_pulses, moments)
{
	int rcvid, n;
	struct pair p = subscribe(row, &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	for (n = 0; n < 10; n++) {
		SIGEV_PULSE_INIT(event, own.coid, 10, n, 0);
		WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	}
	for (n = 0; n < 10; n++)
		receive_pulse(&own, n);
}

ROWS(BOTH, pulse_with_the_delivering_threads_priority, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, own.coid, SIGEV_PULSE_PRIO_INHERIT, 43, 44);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	receive_pulse(&own, 43);
}

CASE(BOTH, pulse_from_another_thread)
{
	int rcvid;
	struct pair p = subscribe(&moments[0], &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, own.coid, 10, 45, 46);
	WANT(CALL(thread_of(p.server), MsgDeliverEvent, rcvid, event), 0);
	receive_pulse(&own, 45);
}

/* The event travels in the message, as real clients send it. */
CASE(BOTH, event_that_came_in_the_message)
{
	struct pair p = pair_up(0), own = own_channel(&p);
	struct sigevent *event = new_event();
	int rcvid;

	SIGEV_PULSE_INIT(event, own.coid, 10, 47, 48);
	begin_send(&p, event, sizeof(*event));
	rcvid = receive(&p);
	answer(&p, rcvid, 0);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, (struct sigevent *)p.in), 0);
	receive_pulse(&own, 47);
}

ROWS(BOTH, signal, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid);
	struct sigevent *event = new_event();

	/* Handled by whichever thread: the sending one may be blocked. */
	thread_of(p.client);
	count_signal(own_channel(&p).server, SIGUSR1, 0);
	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	await_signals(p.client, 1);
}

ROWS(BOTH, signal_with_code_and_value, moments)
{
	int rcvid;
	struct pair p = subscribe(row, &rcvid);
	struct sigevent *event = new_event();

	count_signal(own_channel(&p).server, SIGUSR2, 0);
	SIGEV_SIGNAL_CODE_INIT(event, SIGUSR2, 4242, SI_QUEUE);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	await_signals(p.client, 1);
	WANT(signal_value(p.client), 4242);
	WANT(signal_code(p.client), SI_QUEUE);
	WANT(signal_pid(p.client), is_remote() ? 0 : pid_of(p.server));
	WANT(signal_uid(p.client), is_remote() ? 65534 : 0);
}

CASE(BOTH, signal_to_the_thread_that_sent)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, thread_of(p.client));
	struct sigevent *event = new_event();
	int rcvid;

	count_signal(p.client, SIGUSR1, 0);
	rcvid = hold(&q);
	answer(&q, rcvid, 0);
	SIGEV_SIGNAL_THREAD_INIT(event, SIGUSR1, 5, SI_QUEUE);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	await_signals(p.client, 1);
	WANT(signal_thread_id(p.client), tid_of(q.client));
}

/* The blocked call ends: what with, is not documented for this way. */
CASE(BOTH, unblock)
{
	int rcvid;
	struct pair p = subscribe(&moments[0], &rcvid);
	struct sigevent *event = new_event();

	SIGEV_UNBLOCK_INIT(event);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	WANT(FINISH(p.client), -1);
	HOLDS(error_of(p.client) == EINTR || error_of(p.client) == ETIMEDOUT);
}

ROWS(BOTH, none, moments)
{
	const struct moment *moment = row;
	int rcvid;
	struct pair p = subscribe(moment, &rcvid);
	struct sigevent *event = new_event();

	SIGEV_NONE_INIT(event);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	if (!moment->answered)
		answer(&p, rcvid, 1);
}

/* Issue 4, part 7: an event from another node never kills or stops. */
CASE(REMOTE, killing_signal_is_not_delivered)
{
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid);
	struct sigevent *event = new_event();

	SIGEV_SIGNAL_INIT(event, SIGKILL);
	CALL(p.server, MsgDeliverEvent, rcvid, event);
	SIGEV_SIGNAL_INIT(event, SIGSTOP);
	CALL(p.server, MsgDeliverEvent, rcvid, event);
	works(&p);
	works(&p);
}

/* 6.5: a remote delivery's value is not reliable, so errors are a local affair. */
CASE(LOCAL, bad_coid_is_EBADF)
{
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, 900, 10, 1, 1);
	FAILS(p.server, EBADF, MsgDeliverEvent, rcvid, event);
}

CASE(LOCAL, dead_client_is_ESRCH)
{
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid);
	struct sigevent *event = new_event();

	kill_process(p.client);
	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	FAILS(p.server, ESRCH, MsgDeliverEvent, rcvid, event);
}

/* No event does in the client's name what the client may not do: the kill rule is not gone round. */
CASE(LOCAL, pulse_to_a_server_that_the_client_may_not_signal)
{
	struct actor *friend = process_on(SERVER), *client = process_on(CLIENT);
	struct pair roots, friends;
	struct sigevent *event = new_event();
	int rcvid;

	WANT(CALL(client, setuid, 1000), 0);
	WANT(CALL(friend, setuid, 1000), 0);
	roots = pair_of(process_on(SERVER), client, 0);
	friends = pair_of(friend, client, 0);
	SIGEV_PULSE_INIT(event, roots.coid, 10, 1, 1);
	FAILS(client, EPERM, MsgSendPulse, roots.coid, 10, 1, 1);
	FAILS(client, EPERM, MsgDeliverEvent, 0, event);
	FAILS(client, EPERM, MsgVerifyEvent, 0, event);
	rcvid = hold(&friends);
	FAILS(friend, EPERM, MsgDeliverEvent, rcvid, event);
	FAILS(friend, EPERM, MsgVerifyEvent, rcvid, event);
	answer(&friends, rcvid, 0);
	nothing_queued(&roots);
}

CASE(LOCAL, pulse_to_a_server_that_the_client_may_signal)
{
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid), other = pair_of(process_on(SERVER), p.client, 0);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, other.coid, 10, 17, 1);
	WANT(CALL(p.server, MsgDeliverEvent, rcvid, event), 0);
	receive_pulse(&other, 17);
}

/* As after an exec that changes ids: who gave the event away could not signal who is there now. */
CASE(LOCAL, signal_to_a_client_that_has_become_somebody_else)
{
	struct actor *server = process_on(SERVER), *client = process_on(CLIENT);
	struct sigevent *event = new_event();
	struct pair p;
	int rcvid;

	count_signal(client, SIGUSR1, 0);
	WANT(CALL(client, setresuid, 1000, 1000, 0), 0);
	p = pair_of(server, client, 0);
	rcvid = hold(&p);
	answer(&p, rcvid, 0);
	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	WANT(CALL(server, MsgDeliverEvent, rcvid, event), 0);
	await_signals(client, 1);
	WANT(CALL(client, setresuid, 0, 0, 0), 0);
	FAILS(server, EPERM, MsgDeliverEvent, rcvid, event);
	FAILS(server, EPERM, MsgVerifyEvent, rcvid, event);
	/* Who sends anew gives away anew. */
	rcvid = hold(&p);
	answer(&p, rcvid, 0);
	WANT(CALL(server, MsgDeliverEvent, rcvid, event), 0);
	await_signals(client, 2);
}

struct number {
	const char *name;
	int value;
};

static const struct number bad_types[] = { { "intr", 6 }, { "thread", 7 }, { "99", 99 }, { "minus_1", -1 } };

ROWS(LOCAL, bad_type_is_EINVAL, bad_types)
{
	const struct number *number = row;
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid);
	struct sigevent *event = new_event();

	event->sigev_notify = number->value;
	FAILS(p.server, EINVAL, MsgDeliverEvent, rcvid, event);
}

static const struct number bad_signals[] = { { "minus_1", -1 }, { "65", 65 }, { "1000", 1000 } };

ROWS(LOCAL, bad_signal_is_EINVAL, bad_signals)
{
	const struct number *number = row;
	int rcvid;
	struct pair p = subscribe(&moments[1], &rcvid);
	struct sigevent *event = new_event();

	SIGEV_SIGNAL_INIT(event, number->value);
	FAILS(p.server, EINVAL, MsgDeliverEvent, rcvid, event);
}

CASE(LOCAL, to_no_rcvid_is_ESRCH)
{
	struct pair p = pair_up(0);
	struct sigevent *event = new_event();

	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	FAILS(p.server, ESRCH, MsgDeliverEvent, 0x12345, event);
	WANT(CALL(p.server, MsgDeliverEvent_r, 0x12345, event), -ESRCH);
	WANT(error_of(p.server), 0);
}

/* 6.4: rcvid 0 is the calling thread's own process. */
CASE(LOCAL, pulse_to_oneself)
{
	struct actor *server = process_on(SERVER);
	struct pair p = pair_of(server, server, 0);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, p.coid, 10, 51, 52);
	WANT(CALL(server, MsgDeliverEvent, 0, event), 0);
	receive_pulse(&p, 51);
	WANT(p.pulse->value.sival_int, 52);
}

CASE(LOCAL, signal_to_oneself)
{
	struct actor *server = process_on(SERVER);
	struct sigevent *event = new_event();

	count_signal(server, SIGUSR1, 0);
	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	WANT(CALL(server, MsgDeliverEvent, 0, event), 0);
	await_signals(server, 1);
}

CASE(LOCAL, verify_own_event)
{
	struct actor *server = process_on(SERVER);
	struct pair p = pair_of(server, server, 0);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, p.coid, 10, 1, 1);
	WANT(CALL(server, MsgVerifyEvent, 0, event), 0);
	WANT(CALL(server, MsgVerifyEvent_r, 0, event), 0);
	nothing_queued(&p);
}

CASE(LOCAL, verify_own_event_with_bad_coid_is_EBADF)
{
	struct actor *server = process_on(SERVER);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, 900, 10, 1, 1);
	FAILS(server, EBADF, MsgVerifyEvent, 0, event);
}

ROWS(LOCAL, verify_bad_type_is_EINVAL, bad_types)
{
	const struct number *number = row;
	struct actor *server = process_on(SERVER);
	struct sigevent *event = new_event();

	event->sigev_notify = number->value;
	FAILS(server, EINVAL, MsgVerifyEvent, 0, event);
}

CASE(LOCAL, verify_clients_event)
{
	int rcvid;
	struct pair p = subscribe(&moments[0], &rcvid), own = own_channel(&p);
	struct sigevent *event = new_event();

	SIGEV_PULSE_INIT(event, own.coid, 10, 1, 1);
	WANT(CALL(p.server, MsgVerifyEvent, rcvid, event), 0);
	nothing_queued(&own);
	SIGEV_PULSE_INIT(event, 900, 10, 1, 1);
	FAILS(p.server, EBADF, MsgVerifyEvent, rcvid, event);
}

CASE(LOCAL, verify_for_no_rcvid_is_ESRCH)
{
	struct pair p = pair_up(0);
	struct sigevent *event = new_event();

	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	FAILS(p.server, ESRCH, MsgVerifyEvent, 0x12345, event);
}

/* 6.4: remote: unsupported. */
CASE(REMOTE, verify_for_a_remote_client_is_ENOREMOTE)
{
	int rcvid;
	struct pair p = subscribe(&moments[0], &rcvid);
	struct sigevent *event = new_event();

	SIGEV_SIGNAL_INIT(event, SIGUSR1);
	FAILS(p.server, ENOREMOTE, MsgVerifyEvent, rcvid, event);
	answer(&p, rcvid, 1);
}

/* The target has a channel: another node's signals reach only such processes (issue 4, part 7). */
CASE(BOTH, signalkill)
{
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR1, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR1, SI_QUEUE, 77), 0);
	await_signals(p.server, 1);
}

CASE(BOTH, signalkill_r)
{
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR1, 0);
	WANT(CALL(p.client, SignalKill_r, p.nd, pid_of(p.server), 0, SIGUSR1, SI_QUEUE, 77), 0);
	await_signals(p.server, 1);
	WANT(CALL(p.client, SignalKill_r, p.nd, pid_of(p.server), 0, 1000, 0, 0), -EINVAL);
	WANT(error_of(p.client), 0);
}

CASE(BOTH, signalkill_value_and_code)
{
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR2, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR2, SI_QUEUE, 78), 0);
	await_signals(p.server, 1);
	WANT(signal_value(p.server), 78);
	WANT(signal_code(p.server), SI_QUEUE);
	WANT(signal_pid(p.server), is_remote() ? 0 : pid_of(p.client));
}

/* rt_sigqueueinfo() does not let a program say that either. */
CASE(BOTH, signalkill_is_no_tgkill)
{
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR2, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR2, SI_TKILL, 78), 0);
	await_signals(p.server, 1);
	WANT(signal_code(p.server), SI_QUEUE);
}

/* On the wire the numbers are QNX's, which has not got this one. */
CASE(REMOTE, signalkill_of_what_qnx_has_not_got_is_EINVAL)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, SignalKill, p.nd, pid_of(p.server), 0, SIGSTKFLT, 0, 0);
}

struct signal_row {
	const char *name;
	int number;
};

static const struct signal_row travelling[] = {
	{ "SIGUSR1", SIGUSR1 }, { "SIGBUS", SIGBUS }, { "SIGCHLD", SIGCHLD }, { "SIGTSTP", SIGTSTP },
	{ "SIGURG", SIGURG }, { "SIGXFSZ", SIGXFSZ }, { "SIGRTMIN", 34 }, { "SIGRTMIN_15", 49 },
};

ROWS(BOTH, signalkill_of, travelling)
{
	const struct signal_row *sent = row;
	struct pair p = pair_up(0);

	count_signal(p.server, sent->number, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, sent->number, SI_QUEUE, 79), 0);
	await_signals(p.server, 1);
	WANT(signal_value(p.server), 79);
}

CASE(BOTH, signalkill_to_a_thread)
{
	struct pair p = pair_up(0);
	struct actor *other = thread_of(p.server);

	count_signal(p.server, SIGUSR1, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), tid_of(other), SIGUSR1, SI_QUEUE, 1), 0);
	await_signals(p.server, 1);
	WANT(signal_thread_id(p.server), tid_of(other));
}

CASE(BOTH, signalkill_0_only_asks)
{
	struct pair p = pair_up(0);

	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, 0, 0, 0), 0);
	works(&p);
}

ROWS(BOTH, signalkill_bad_signal_is_EINVAL, bad_signals)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EINVAL, SignalKill, p.nd, pid_of(p.server), 0, number->value, 0, 0);
}

CASE(BOTH, signalkill_to_no_process_is_ESRCH)
{
	struct pair p = pair_up(0);

	kill_process(p.server);
	FAILS(p.client, ESRCH, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR1, 0, 0);
}

/* 6.4: pid 0: ESRCH. On the own node it is the caller's process group, as for kill(). */
CASE(REMOTE, signalkill_pid_0_is_ESRCH)
{
	struct pair p = pair_up(0);

	FAILS(p.client, ESRCH, SignalKill, p.nd, 0, 0, SIGUSR1, 0, 0);
}

CASE(BOTH, signalkill_without_permission_is_EPERM)
{
	struct pair p = pair_up(0);

	count_signal(p.server, SIGUSR1, 0);
	WANT(CALL(p.client, setuid, 1000), 0);
	FAILS(p.client, EPERM, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR1, 0, 0);
	WANT(signal_count(p.server), 0);
}

/* Issue 4, part 7: off unless the option says otherwise. */
CASE(REMOTE, signalkill_needs_the_option)
{
	struct pair p = pair_up(0);

	HOLDS(world_option(SERVER, "remote_signals=0"));
	count_signal(p.server, SIGUSR1, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(p.server), 0, SIGUSR1, 0, 0), -1);
	works(&p);
	WANT(signal_count(p.server), 0);
}

CASE(REMOTE, signalkill_to_a_process_without_channels)
{
	struct pair p = pair_up(0);
	struct actor *bystander = process_on(SERVER);

	count_signal(bystander, SIGUSR1, 0);
	WANT(CALL(p.client, SignalKill, p.nd, pid_of(bystander), 0, SIGUSR1, 0, 0), -1);
	works(&p);
	WANT(signal_count(bystander), 0);
}
