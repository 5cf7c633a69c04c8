// SPDX-License-Identifier: GPL-2.0
/* What fork() and exec() do to channels and connections (neutrino-api.md 6.2, 6.4; issue 4, part 4). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"
#include "pair.h"

/* A pair whose connection is a descriptor, which children and programs inherit. */
static struct pair inheritable(unsigned channel_flags, int connection_flags)
{
	struct pair p = pair_up(channel_flags);

	p.coid = CALL(p.client, ConnectAttach, p.nd, pid_of(p.server), p.chid, 0, connection_flags);
	HOLDS(p.coid != -1);
	return p;
}

static struct pair of_child(const struct pair *p)
{
	struct pair q = *p;

	q.client = child_of(p->client);
	q.reply = mem(ROOM);
	return q;
}

CASE(BOTH, child_sends_on_its_parents_connection)
{
	struct pair p = inheritable(0, 0), q = of_child(&p);

	works(&q);
	works(&p);
}

CASE(BOTH, child_is_a_client_of_its_own)
{
	struct pair p = inheritable(0, 0), q;
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	q = of_child(&p);
	rcvid = hold(&q);
	WANT(q.info->pid, pid_of(q.client));
	HOLDS(q.info->scoid != scoid);
	answer(&q, rcvid, 0);
}

/* ConnectServerInfo tells each its own scoid. */
CASE(LOCAL, server_info_of_a_child)
{
	struct pair p = inheritable(0, 0), q;
	struct _server_info *info = mem(sizeof(*info));
	int scoid;

	works(&p);
	scoid = p.info->scoid;
	q = of_child(&p);
	works(&q);
	WANT(CALL(q.client, ConnectServerInfo, 0, q.coid, info), q.coid);
	WANT(info->scoid, q.info->scoid);
	WANT(info->pid, pid_of(p.server));
	WANT(CALL(p.client, ConnectServerInfo, 0, p.coid, info), p.coid);
	WANT(info->scoid, scoid);
}

CASE(BOTH, parent_and_child_are_blocked_at_once)
{
	struct pair p = inheritable(0, 0), q = of_child(&p);
	int first = hold(&p), second = hold(&q);

	answer(&p, first, 1);
	answer(&q, second, 2);
}

CASE(BOTH, child_sends_a_pulse)
{
	struct pair p = inheritable(0, 0), q = of_child(&p);

	WANT(CALL(q.client, MsgSendPulse, q.coid, -1, 8, 9), 0);
	receive_pulse(&p, 8);
}

CASE(BOTH, childs_detach_leaves_the_parents)
{
	struct pair p = inheritable(0, 0), q = of_child(&p);

	works(&q);
	WANT(CALL(q.client, ConnectDetach, q.coid), 0);
	FAILS(q.client, EBADF, MsgSend, q.coid, "x", 1, NULL, 0);
	works(&p);
}

CASE(BOTH, childs_end_is_told_for_itself)
{
	struct pair p = inheritable(_NTO_CHF_DISCONNECT, 0), q;
	int rcvid, scoid;

	works(&p);
	q = of_child(&p);
	rcvid = hold(&q);
	scoid = q.info->scoid;
	answer(&q, rcvid, 0);
	kill_process(q.client);
	receive_pulse(&p, _PULSE_CODE_DISCONNECT);
	WANT(p.pulse->scoid, scoid);
	works(&p);
}

CASE(BOTH, parents_end_leaves_the_child)
{
	struct pair p = inheritable(0, 0), q = of_child(&p);

	works(&p);
	works(&q);
	kill_process(p.client);
	works(&q);
}

CASE(LOCAL, child_does_not_receive_on_its_parents_channel)
{
	struct pair p = pair_up(0);
	struct actor *child = child_of(p.server);

	FAILS(child, ESRCH, MsgReceive, p.chid, p.in, ROOM, NULL);
	works(&p);
}

CASE(LOCAL, childs_first_chid_is_1)
{
	struct pair p = pair_up(0);

	WANT(CALL(child_of(p.server), ChannelCreate, 0), 1);
}

CASE(BOTH, child_serves_with_a_channel_of_its_own)
{
	struct pair p = pair_up(0), q = pair_of(child_of(p.server), p.client, 0);

	works(&q);
	works(&p);
}

/* Only the thread that forks goes on in the child: another one's send has no copy. */
CASE(BOTH, fork_while_another_thread_is_blocked)
{
	struct pair p = inheritable(0, 0), q = p;
	int rcvid = hold(&p);

	q.client = child_of(thread_of(p.client));
	q.reply = mem(ROOM);
	works(&q);
	kill_process(q.client);
	answer(&p, rcvid, 3);
}

int exec_send(int coid)
{
	return -MsgSend_r(coid, "exec", 4, NULL, 0);
}

/* Starts this program again with a coid: its exit status. */
static int exec_and_wait(int coid)
{
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", coid);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "qnet-conformance", EXEC_SEND, number, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

CASE(BOTH, exec_keeps_a_connection)
{
	struct pair p = inheritable(0, 0);

	BEGIN(p.client, exec_and_wait, p.coid);
	WANT(CALL(p.server, MsgReply, receive(&p), 0, NULL, 0), 0);
	WANT(memcmp(p.in, "exec", 4), 0);
	WANT(FINISH(p.client), 0);
}

/* _NTO_COF_CLOEXEC: the program finds no connection. */
CASE(BOTH, exec_closes_a_connection_with_cloexec)
{
	struct pair p = inheritable(0, _NTO_COF_CLOEXEC);

	WANT(CALL(p.client, exec_and_wait, p.coid), EBADF);
}

CASE(BOTH, exec_closes_a_connection_that_got_cloexec_later)
{
	struct pair p = inheritable(0, 0);

	WANT(CALL(p.client, ConnectFlags, 0, p.coid, _NTO_COF_CLOEXEC, _NTO_COF_CLOEXEC), 0);
	WANT(CALL(p.client, exec_and_wait, p.coid), EBADF);
}

static int become_another_program(void)
{
	return execl("/bin/sleep", "sleep", "1000", NULL);
}

/* A channel does not outlive the program that made it. */
CASE(BOTH, exec_of_the_server_ends_its_channels)
{
	struct pair p = pair_up(0);

	hold(&p);
	BEGIN(p.server, become_another_program);
	FINISH_FAILS(p.client, ESRCH);
}
