// SPDX-License-Identifier: GPL-2.0
/* netmgr_*, and node descriptors (neutrino-api.md 4.2, 6.1, 6.7). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/netmgr.h>

#include "pair.h"

#define NAME_SIZE 300

struct form {
	const char *name;
	const char *format;	/* with the node's name in it */
	const char *rest;	/* where *endstr is to point */
};

/* Simple name, directory form, with more behind it. */
static const struct form forms[] = {
	{ "name", "%s", "" }, { "directory", "/net/%s", "" },
	{ "directory_and_path", "/net/%s/dev/ser1", "/dev/ser1" },
	{ "name_and_path", "%s/dev", "/dev" },
	{ "default_policy", "%s~loadbalance", "" },
};

ROWS(BOTH, strtond, forms)
{
	const struct form *form = row;
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);
	char *text = mem(NAME_SIZE), **end = mem(sizeof(*end));

	snprintf(text, NAME_SIZE, form->format, world.names[SERVER]);
	WANT(CALL(client, netmgr_strtond, text, end), nd);
	WANT(strcmp(*end, form->rest), 0);
}

CASE(BOTH, strtond_without_end)
{
	struct actor *client = process_on(CLIENT);

	WANT(CALL(client, netmgr_strtond, world.names[SERVER], NULL), node_seen_by(client, CLIENT));
}

CASE(LOCAL, strtond_of_no_node)
{
	WANT(CALL(process_on(CLIENT), netmgr_strtond, "nobody-is-called-that", NULL), -1);
}

/* 4.2: another QoS string makes another descriptor of the same machine. */
CASE(REMOTE, policies_are_descriptors_of_one_machine)
{
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);
	char *text = mem(NAME_SIZE);
	int other;

	snprintf(text, NAME_SIZE, "%s~preferred:veth0", world.names[SERVER]);
	other = CALL(client, netmgr_strtond, text, NULL);
	HOLDS(other > 0);
	HOLDS((uint32_t)other != nd);
	WANT(ND_NODE_CMP(other, nd), 0);
}

/* 6.4: the connection is another one, and the scoid the same. */
CASE(REMOTE, policies_share_the_scoid)
{
	struct pair p = pair_up(0), q = p;
	char *text = mem(NAME_SIZE);
	int rcvid = hold(&p), scoid = p.info->scoid;

	answer(&p, rcvid, 0);
	snprintf(text, NAME_SIZE, "%s~preferred:veth0", world.names[SERVER]);
	q.nd = CALL(p.client, netmgr_strtond, text, NULL);
	q.coid = attach(p.client, q.nd, p.server, p.chid);
	rcvid = hold(&q);
	WANT(q.info->scoid, scoid);
	answer(&q, rcvid, 0);
}

struct flags {
	const char *name;
	unsigned flags;
	const char *format;
};

/* Names without a domain, as the nodes of this suite have them. */
static const struct flags texts[] = {
	{ "default", 0, "%s" },
	{ "local_str", ND2S_LOCAL_STR, "%s" },
	{ "dir_show", ND2S_DIR_SHOW, "/net/%s/" },
	{ "qos_show", ND2S_QOS_SHOW, "%s~loadbalance" },
	{ "qos_alone", ND2S_SEP_FORCE | ND2S_DIR_HIDE | ND2S_NAME_HIDE | ND2S_DOMAIN_HIDE |
		       ND2S_QOS_SHOW, "~loadbalance%.0s" },
};

ROWS(BOTH, ndtostr, texts)
{
	const struct flags *flags = row;
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);
	char *text = mem(NAME_SIZE), wanted[NAME_SIZE];
	int length = CALL(client, netmgr_ndtostr, flags->flags, nd, text, NAME_SIZE);

	snprintf(wanted, sizeof(wanted), flags->format, world.names[SERVER]);
	if (strcmp(text, wanted))
		FAIL("wanted %s, came %s", wanted, text);
	WANT(length, strlen(wanted));
}

/* 6.7: the full length even if truncated. */
CASE(BOTH, ndtostr_cut)
{
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);
	char *text = mem(NAME_SIZE);

	memset(text, '#', 8);
	WANT(CALL(client, netmgr_ndtostr, ND2S_NAME_SHOW, nd, text, 3), strlen(world.names[SERVER]));
	WANT(strncmp(text, world.names[SERVER], 2), 0);
	WANT(text[3], '#');
}

CASE(BOTH, ndtostr_gives_what_strtond_takes)
{
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);
	char *text = mem(NAME_SIZE);

	HOLDS(CALL(client, netmgr_ndtostr, 0, nd, text, NAME_SIZE) > 0);
	WANT(CALL(client, netmgr_strtond, text, NULL), nd);
}

CASE(LOCAL, ndtostr_of_no_node)
{
	char *text = mem(NAME_SIZE);

	WANT(CALL(process_on(CLIENT), netmgr_ndtostr, 0, 0xfffe, text, NAME_SIZE), -1);
}

/* 6.7: "what remote_nd calls local_nd"; remote is self: local_nd. */
CASE(BOTH, remote_nd_of_the_own_node)
{
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);

	WANT(CALL(client, netmgr_remote_nd, 0, nd), nd);
}

/* Both the same node: 0. */
CASE(BOTH, remote_nd_of_itself)
{
	struct actor *client = process_on(CLIENT);
	uint32_t nd = node_seen_by(client, CLIENT);

	WANT(CALL(client, netmgr_remote_nd, nd, nd), 0);
}

/* What the server calls the client's node is what MsgInfo tells the server. */
CASE(REMOTE, remote_nd_of_the_client)
{
	struct pair p = pair_up(0);
	int nd = CALL(p.client, netmgr_remote_nd, p.nd, 0);

	HOLDS(nd > 0);
	answer(&p, hold(&p), 0);
	WANT(ND_NODE_CMP(nd, p.info->nd), 0);
}

CASE(BOTH, path)
{
	struct actor *client = process_on(CLIENT);
	char *text = mem(NAME_SIZE), wanted[NAME_SIZE];

	HOLDS(CALL(client, netmgr_path, world.names[SERVER], "dev/ser1", text, NAME_SIZE) != -1);
	snprintf(wanted, sizeof(wanted), "/net/%s/dev/ser1", world.names[SERVER]);
	if (strcmp(text, wanted))
		FAIL("wanted %s, came %s", wanted, text);
}

CASE(BOTH, path_without_room_is_ENAMETOOLONG)
{
	struct actor *client = process_on(CLIENT);
	char *text = mem(NAME_SIZE);

	FAILS(client, ENAMETOOLONG, netmgr_path, world.names[SERVER], "dev/ser1", text, 8);
}

CASE(LOCAL, nd_node_cmp)
{
	WANT(ND_NODE_CMP(0x10005, 0x20005), 0);
	HOLDS(ND_NODE_CMP(0x10005, 0x10006) != 0);
	HOLDS(ND_NODE_CMP(ND_LOCAL_NODE, 0x10000) == 0);
}
