// SPDX-License-Identifier: GPL-2.0
/* Who may connect to a channel (neutrino-api.md 6.2 PRIVATE; issue 4, part 7). */
#include <errno.h>
#include <sys/qnet.h>
#include <unistd.h>

#include "pair.h"

/* Anybody may, when the server has said nothing. */
CASE(BOTH, by_default_anybody)
{
	struct actor *server = process_on(SERVER), *client = process_on(CLIENT);
	struct pair p;

	WANT(CALL(client, setuid, 1000), 0);
	p = pair_of(server, client, 0);
	works(&p);
}

CASE(LOCAL, private_channel_is_for_its_process)
{
	struct actor *server = process_on(SERVER);
	struct pair p = pair_of(server, thread_of(server), _NTO_CHF_PRIVATE);

	works(&p);
}

CASE(LOCAL, private_channel_refuses_others)
{
	struct actor *server = process_on(SERVER), *client = process_on(CLIENT);
	int chid = new_channel(server, _NTO_CHF_PRIVATE);

	FAILS(client, EPERM, ConnectAttach, 0, pid_of(server), chid, 0, 0);
	FAILS(child_of(server), EPERM, ConnectAttach, 0, pid_of(server), chid, 0, 0);
}

CASE(REMOTE, private_channel_refuses_other_nodes)
{
	struct pair p = pair_up(_NTO_CHF_PRIVATE);

	FAILS(p.client, EPERM, MsgSend, p.coid, "x", 1, NULL, 0);
	nothing_queued(&p);
}

struct access {
	const char *name;
	uid_t owner;
	gid_t group;
	mode_t mode;
	bool allowed;	/* to user 1000 of group 1001 */
};

static const struct access accesses[] = {
	{ "owner", 1000, 2000, 0200, true }, { "owner_without_right", 1000, 1001, 0022, false },
	{ "group", 2000, 1001, 0020, true }, { "group_without_right", 2000, 1001, 0202, false },
	{ "others", 2000, 2000, 0002, true }, { "others_without_right", 2000, 2000, 0220, false },
	{ "nobody", 1000, 1001, 0, false },
};

static struct actor *user_1000(void)
{
	struct actor *client = process_on(CLIENT);

	WANT(CALL(client, setresgid, 1001, 1001, 1001), 0);
	WANT(CALL(client, setresuid, 1000, 1000, 1000), 0);
	return client;
}

ROWS(LOCAL, as_for_a_file, accesses)
{
	const struct access *access = row;
	struct actor *server = process_on(SERVER), *client = user_1000();
	int chid = new_channel(server, 0), coid;

	WANT(CALL(server, qnet_channel_access, chid, access->owner, access->group, access->mode), 0);
	coid = CALL(client, ConnectAttach, 0, pid_of(server), chid, 0, 0);
	HOLDS((coid != -1) == access->allowed);
	if (!access->allowed)
		HOLDS(error_of(client) == EPERM || error_of(client) == EACCES);
}

ROWS(REMOTE, as_for_a_file_on_another_node, accesses)
{
	const struct access *access = row;
	struct pair p = pair_of(process_on(SERVER), user_1000(), 0);

	WANT(CALL(p.server, qnet_channel_access, p.chid, access->owner, access->group, access->mode), 0);
	if (access->allowed) {
		works(&p);
		return;
	}
	WANT(CALL(p.client, MsgSend, p.coid, "x", 1, NULL, 0), -1);
	HOLDS(error_of(p.client) == EPERM || error_of(p.client) == EACCES);
	nothing_queued(&p);
}

/* remote=marked restricts other nodes to channels that say so. */
CASE(REMOTE, unmarked_channel_refuses_when_marks_are_asked_for)
{
	struct pair p;

	HOLDS(world_option(SERVER, "remote=marked"));
	p = pair_up(0);
	WANT(CALL(p.client, MsgSend, p.coid, "x", 1, NULL, 0), -1);
	HOLDS(error_of(p.client) == EPERM || error_of(p.client) == EACCES);
}

CASE(REMOTE, marked_channel_is_open_when_marks_are_asked_for)
{
	struct pair p;

	HOLDS(world_option(SERVER, "remote=marked"));
	p = pair_up(_QNET_CHF_REMOTE);
	works(&p);
}
