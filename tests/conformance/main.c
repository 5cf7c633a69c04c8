// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of Neutrino's calls as the C library has them, against what is documented of them.
 *
 *	qnet-conformance local NAMESPACE NODE [WORD...]
 *	qnet-conformance remote NAMESPACE NODE NAMESPACE NODE [WORD...]
 *	qnet-conformance absent [WORD...]
 *
 * The first namespace and node are the clients'. With words, only cases whose
 * names hold one of them run. Prints a plan, and `ok NAME` or `not ok NAME: why`
 * for each case.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "suite.h"

static char **local_world(char **arguments)
{
	world.where = LOCAL;
	world.namespaces[CLIENT] = arguments[0];
	world.names[CLIENT] = arguments[1];
	world.names[SERVER] = arguments[1];
	return arguments + 2;
}

static char **remote_world(char **arguments)
{
	world.where = REMOTE;
	world.namespaces[CLIENT] = arguments[0];
	world.names[CLIENT] = arguments[1];
	world.namespaces[SERVER] = arguments[2];
	world.names[SERVER] = arguments[3];
	return arguments + 4;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], EXEC_SEND))
		return exec_send(atoi(argv[2]));
	if (argc >= 4 && !strcmp(argv[1], "local"))
		argv = local_world(argv + 2);
	else if (argc >= 6 && !strcmp(argv[1], "remote"))
		argv = remote_world(argv + 2);
	else if (argc >= 2 && !strcmp(argv[1], "absent"))
		world.where = ABSENT, argv += 2;
	else
		errx(2, "usage: qnet-conformance local|remote|absent [NAMESPACE NODE]... [WORD...]");
	suite_run(argv);
	return 0;
}
