/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the servers and the clients of a case are: on one node, or on two,
 * which are two network namespaces of this machine.
 */
#ifndef CONFORMANCE_WORLD_H
#define CONFORMANCE_WORLD_H

#include <stdbool.h>

/* In which worlds a case means something. */
enum where {
	LOCAL = 1,	/* client and server are on one node */
	REMOTE = 2,	/* they are on two */
	BOTH = LOCAL | REMOTE,
	ABSENT = 4,	/* the module is not loaded */
};

enum side {
	CLIENT,
	SERVER,
};

struct world {
	enum where where;
	const char *namespaces[2];	/* by side; NULL: the one that it runs in */
	const char *names[2];		/* of the nodes, by side */
};

/* The world that the present case runs in. */
extern struct world world;

static inline bool is_remote(void)
{
	return world.where == REMOTE;
}

/* Cuts the link between the nodes (false), or joins them again. */
bool world_link(bool up);

/*
 * Sets options (NAME=VALUE...) of a side's node; world_defaults() sets what cases
 * rely on otherwise, and joins the nodes. All tell whether it could be done.
 */
bool world_option(enum side side, const char *options);
bool world_defaults(void);

/* Moves the calling process to a side's namespace. Exits when it cannot. */
void world_enter(enum side side);

#endif
