// SPDX-License-Identifier: GPL-2.0
/* What servers learn of their clients: ConnectClientInfo (neutrino-api.md 2.1 maproot, 6.2, 6.3, 6.5). */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pair.h"

struct client {
	struct pair pair;
	struct _client_info *info;
	int scoid;
};

/* A client that is somebody; its connection is made after it has become that. */
static struct client client_of(uid_t uid, gid_t gid, const gid_t *groups, int count)
{
	struct actor *server = process_on(SERVER), *actor = process_on(CLIENT);
	gid_t *list = mem(16 * sizeof(*list));
	struct client client = { .info = mem(sizeof(*client.info)) };
	int rcvid;

	memcpy(list, groups, count * sizeof(*groups));
	WANT(CALL(actor, setgroups, count, list), 0);
	WANT(CALL(actor, setresgid, gid, gid, gid), 0);
	WANT(CALL(actor, setresuid, uid, uid, uid), 0);
	client.pair = pair_of(server, actor, 0);
	rcvid = hold(&client.pair);
	client.scoid = client.pair.info->scoid;
	answer(&client.pair, rcvid, 0);
	return client;
}

static void ask(const struct client *client)
{
	HOLDS(CALL(client->pair.server, ConnectClientInfo, client->scoid, client->info, 8) != -1);
}

static const gid_t none[1];

CASE(BOTH, pid_and_session)
{
	struct client c = client_of(1000, 1001, none, 0);

	ask(&c);
	WANT(c.info->pid, pid_of(c.pair.client));
	WANT(c.info->sid, getsid(pid_of(c.pair.client)));
}

CASE(LOCAL, nd_is_0)
{
	struct client c = client_of(1000, 1001, none, 0);

	ask(&c);
	WANT(c.info->nd, 0);
}

CASE(REMOTE, nd_is_the_clients_node)
{
	struct client c = client_of(1000, 1001, none, 0);

	ask(&c);
	WANT(ND_NODE_CMP(c.info->nd, node_seen_by(c.pair.server, SERVER)), 0);
}

CASE(BOTH, ids)
{
	struct client c = client_of(1000, 1001, none, 0);

	ask(&c);
	WANT(c.info->cred.ruid, 1000);
	WANT(c.info->cred.euid, 1000);
	WANT(c.info->cred.suid, 1000);
	WANT(c.info->cred.rgid, 1001);
	WANT(c.info->cred.egid, 1001);
	WANT(c.info->cred.sgid, 1001);
}

static int become_different_ids(void)
{
	return setresgid(2001, 2002, 2003) || setresuid(1001, 1002, 1003);
}

CASE(BOTH, real_effective_and_saved_ids_differ)
{
	struct actor *server = process_on(SERVER), *actor = process_on(CLIENT);
	struct client c = { .info = mem(sizeof(*c.info)) };

	WANT(CALL(actor, become_different_ids), 0);
	c.pair = pair_of(server, actor, 0);
	hold(&c.pair);
	c.scoid = c.pair.info->scoid;
	ask(&c);
	WANT(c.info->cred.ruid, 1001);
	WANT(c.info->cred.euid, 1002);
	WANT(c.info->cred.suid, 1003);
	WANT(c.info->cred.rgid, 2001);
	WANT(c.info->cred.egid, 2002);
	WANT(c.info->cred.sgid, 2003);
}

CASE(BOTH, groups)
{
	static const gid_t groups[] = { 3001, 3002, 3003 };
	struct client c = client_of(1000, 1001, groups, 3);

	ask(&c);
	WANT(c.info->flags, _NTO_CI_FULL_GROUPS);
	WANT(c.info->cred.ngroups, 3);
	WANT(c.info->cred.grouplist[0], 3001);
	WANT(c.info->cred.grouplist[1], 3002);
	WANT(c.info->cred.grouplist[2], 3003);
}

/* A claim has room for 8 groups, as QNX's has. */
CASE(BOTH, more_groups_than_travel)
{
	static const gid_t groups[] = { 3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008, 3009 };
	struct client c = client_of(1000, 1001, groups, 9);

	ask(&c);
	WANT(c.info->cred.ngroups, 8);
	WANT(c.info->cred.grouplist[7], 3008);
	WANT(c.info->flags & _NTO_CI_FULL_GROUPS, 0);
	WANT(CALL(c.pair.server, ConnectClientInfo, c.scoid, c.info, 0), is_remote() ? 8 : 9);
}

CASE(BOTH, no_groups)
{
	struct client c = client_of(1000, 1001, none, 0);

	ask(&c);
	WANT(c.info->cred.ngroups, 0);
}

/* 6.4: ngroups 0 = just return the count. */
CASE(BOTH, count_of_groups)
{
	static const gid_t groups[] = { 3001, 3002, 3003 };
	struct client c = client_of(1000, 1001, groups, 3);

	WANT(CALL(c.pair.server, ConnectClientInfo, c.scoid, c.info, 0), 3);
}

CASE(BOTH, info_r)
{
	struct client c = client_of(1000, 1001, none, 0);

	HOLDS(CALL(c.pair.server, ConnectClientInfo_r, c.scoid, c.info, 8) >= 0);
	WANT(c.info->cred.euid, 1000);
	WANT(CALL(c.pair.server, ConnectClientInfo_r, 0x12345, c.info, 8), -EINVAL);
	WANT(error_of(c.pair.server), 0);
}

struct number {
	const char *name;
	int value;
};

static const struct number no_scoids[] = {
	{ "0", 0 }, { "minus_2", -2 }, { "never_given", 900 | _NTO_SIDE_CHANNEL },
};

ROWS(LOCAL, of_none_is_EINVAL, no_scoids)
{
	const struct number *number = row;
	struct client c = client_of(1000, 1001, none, 0);

	FAILS(c.pair.server, EINVAL, ConnectClientInfo, number->value, c.info, 8);
}

/* 6.4: scoid -1 = caller. */
CASE(LOCAL, of_oneself)
{
	struct client c = client_of(1000, 1001, none, 0);

	HOLDS(CALL(c.pair.client, ConnectClientInfo, -1, c.info, 8) != -1);
	WANT(c.info->pid, pid_of(c.pair.client));
	WANT(c.info->cred.euid, 1000);
	WANT(c.info->cred.egid, 1001);
	WANT(c.info->nd, 0);
}

/* 6.5: sent again when the process's ids change, and before the message that follows. */
CASE(BOTH, ids_that_changed)
{
	struct actor *server = process_on(SERVER), *actor = process_on(CLIENT);
	struct client c = { .info = mem(sizeof(*c.info)) };
	int rcvid;

	c.pair = pair_of(server, actor, 0);
	works(&c.pair);
	WANT(CALL(actor, setresuid, 1000, 1000, 1000), 0);
	rcvid = hold(&c.pair);
	c.scoid = c.pair.info->scoid;
	ask(&c);
	WANT(c.info->cred.euid, 1000);
	answer(&c.pair, rcvid, 0);
}

CASE(BOTH, groups_that_changed)
{
	struct client c = { .info = mem(sizeof(*c.info)) };
	gid_t *list = mem(sizeof(*list));

	c.pair = pair_up(0);
	works(&c.pair);
	*list = 3333;
	WANT(CALL(c.pair.client, setgroups, 1, list), 0);
	hold(&c.pair);
	c.scoid = c.pair.info->scoid;
	ask(&c);
	WANT(c.info->cred.ngroups, 1);
	WANT(c.info->cred.grouplist[0], 3333);
}

/* Past the C library, which changes the ids of all threads. */
static long thread_becomes(uid_t uid)
{
	return syscall(SYS_setresuid, uid, uid, uid);
}

/* Who the client is, that is who has sent: the other threads may be somebody else. */
CASE(BOTH, ids_of_the_thread_that_sends)
{
	struct client c = { .info = mem(sizeof(*c.info)) };
	struct actor *worker;
	struct pair r;
	int rcvid;

	c.pair = pair_up(0);
	worker = thread_of(c.pair.client);
	r = c.pair;
	r.client = worker;
	works(&c.pair);
	c.scoid = c.pair.info->scoid;
	WANT(CALL(worker, thread_becomes, 1000), 0);
	rcvid = hold(&r);
	WANT(r.info->scoid, c.scoid);
	ask(&c);
	WANT(c.info->cred.euid, 1000);
	HOLDS(r.info->flags & _NTO_MI_NET_CRED_DIRTY);
	answer(&r, rcvid, 0);
	/* Asked for later, it is still who has sent. */
	ask(&c);
	WANT(c.info->cred.euid, 1000);
	works(&c.pair);
	ask(&c);
	WANT(c.info->cred.euid, 0);
}

CASE(LOCAL, root_is_root)
{
	struct client c = client_of(0, 0, none, 0);

	ask(&c);
	WANT(c.info->cred.ruid, 0);
	WANT(c.info->cred.euid, 0);
}

/* 2.1: root of another node is user and group 99 here. */
CASE(REMOTE, root_is_99)
{
	struct client c;

	HOLDS(world_option(SERVER, "maproot=99"));
	c = client_of(0, 0, none, 0);
	ask(&c);
	WANT(c.info->cred.ruid, 99);
	WANT(c.info->cred.euid, 99);
	WANT(c.info->cred.suid, 99);
	WANT(c.info->cred.rgid, 99);
	WANT(c.info->cred.egid, 99);
}

CASE(REMOTE, root_is_as_the_option_says)
{
	struct client c;

	HOLDS(world_option(SERVER, "maproot=1234"));
	c = client_of(0, 0, none, 0);
	ask(&c);
	WANT(c.info->cred.euid, 1234);
}

CASE(REMOTE, others_are_not_mapped_as_root)
{
	struct client c;

	HOLDS(world_option(SERVER, "maproot=99"));
	c = client_of(1000, 1001, none, 0);
	ask(&c);
	WANT(c.info->cred.euid, 1000);
	WANT(c.info->cred.egid, 1001);
}

CASE(BOTH, after_the_last_detach_is_EINVAL)
{
	struct pair p = pair_up(_NTO_CHF_DISCONNECT);
	struct _client_info *info = mem(sizeof(*info));
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	WANT(CALL(p.client, ConnectDetach, p.coid), 0);
	receive_pulse(&p, _PULSE_CODE_DISCONNECT);
	WANT(CALL(p.server, ConnectDetach, scoid), 0);
	FAILS(p.server, EINVAL, ConnectClientInfo, scoid, info, 8);
}
