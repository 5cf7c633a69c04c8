// SPDX-License-Identifier: GPL-2.0
/* Entering the network namespaces that `ip netns add` has made, and their nodes' options. */
#include "world.h"

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena.h"

struct world world = { .where = LOCAL };

/* Shared with the cases: an option is not what world_defaults() has set. */
static bool *changed;

void world_enter(enum side side)
{
	const char *name = world.namespaces[is_remote() ? side : CLIENT];
	char path[128];
	int fd;

	if (!name)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || setns(fd, CLONE_NEWNET) == -1)
		err(1, "%s", path);
	close(fd);
}

/* Set-up, not the interface under test: the `qnet` command does it. */
bool world_option(enum side side, const char *option)
{
	const char *name = world.namespaces[is_remote() ? side : CLIENT];
	char command[256];

	*changed = true;
	snprintf(command, sizeof(command), "qnet -n %s set %s >/dev/null", name, option);
	return name && system(command) == 0;
}

/*
 * By default root of another node is nobody, and nobody may signal root's
 * processes. Most cases are about something else, and root's.
 */
bool world_defaults(void)
{
	if (!changed)
		changed = arena_share(sizeof(*changed));
	else if (!*changed)
		return true;
	if (!world_option(SERVER, "maproot=0 remote_signals=1 remote=any") ||
	    !world_option(CLIENT, "maproot=0 remote_signals=1 remote=any"))
		return false;
	*changed = false;
	return true;
}
