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

/* Set-up, not the interface under test: commands do it. `%s` is a side's namespace. */
static bool run_on(enum side side, const char *format, const char *argument)
{
	const char *name = world.namespaces[is_remote() ? side : CLIENT];
	char command[256];

	snprintf(command, sizeof(command), format, name, argument);
	return name && system(command) == 0;
}

bool world_option(enum side side, const char *options)
{
	*changed = true;
	return run_on(side, "qnet -n %s set %s >/dev/null", options);
}

bool world_link(bool up)
{
	*changed = true;
	return run_on(SERVER, "ip -n %s link set veth0 %s", up ? "up" : "down");
}

/*
 * By default root of another node is nobody, and nobody may signal root's
 * processes. Most cases are about something else, and root's.
 */
bool world_defaults(void)
{
	static const char defaults[] = "maproot=0 remote_signals=1 remote=any";

	if (!changed)
		changed = arena_share(sizeof(*changed));
	else if (!*changed)
		return true;
	if (!world_option(SERVER, defaults) || !world_option(CLIENT, defaults) || !world_link(true))
		return false;
	*changed = false;
	return true;
}
