// SPDX-License-Identifier: GPL-2.0
/* What the calls say while the module is not loaded: Qnet is absent (neutrino-api.md 6.4, 6.7). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/netmgr.h>

#include "pair.h"

CASE(ABSENT, attach_to_another_node_is_ENOREMOTE)
{
	FAILS(process_on(CLIENT), ENOREMOTE, ConnectAttach, 1, 1, 1, 0, 0);
}

CASE(ABSENT, send_is_EBADF)
{
	FAILS(process_on(CLIENT), EBADF, MsgSend, 900, "x", 1, NULL, 0);
}

CASE(ABSENT, pulse_is_EBADF)
{
	FAILS(process_on(CLIENT), EBADF, MsgSendPulse, 900, -1, 1, 1);
}

CASE(ABSENT, reply_is_ESRCH)
{
	FAILS(process_on(CLIENT), ESRCH, MsgReply, 0x12345, 0, NULL, 0);
}

CASE(ABSENT, receive_is_ESRCH)
{
	char *in = mem(ROOM);

	FAILS(process_on(CLIENT), ESRCH, MsgReceive, 1, in, ROOM, NULL);
}

CASE(ABSENT, signal_to_another_node_is_ENOREMOTE)
{
	FAILS(process_on(CLIENT), ENOREMOTE, SignalKill, 1, 1, 0, SIGUSR1, 0, 0);
}

CASE(ABSENT, strtond_is_ENOTSUP)
{
	FAILS(process_on(CLIENT), ENOTSUP, netmgr_strtond, "beta", NULL);
}

/* 6.7: Qnet absent and nd 0: "/". */
CASE(ABSENT, ndtostr_of_the_own_node_with_directory)
{
	char *text = mem(16);

	WANT(CALL(process_on(CLIENT), netmgr_ndtostr, ND2S_DIR_SHOW, 0, text, 16), 1);
	WANT(strcmp(text, "/"), 0);
}
