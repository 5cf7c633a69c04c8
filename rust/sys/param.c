// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters that module! of Rust cannot define: strings, which it
 * does not know, and those that programs read in /sys/module/qnet/parameters,
 * where it shows nothing. They cannot be changed while the module is loaded.
 */

#include <linux/module.h>
#include <linux/moduleparam.h>

#include <qnet.h>

#include "helpers.h"

static ushort qnet_family = AF_QNET;
module_param_named(family, qnet_family, ushort, 0444);
MODULE_PARM_DESC(family, "Number of the address family (default: 18)");

static bool qnet_userns;
module_param_named(userns, qnet_userns, bool, 0444);
MODULE_PARM_DESC(userns, "Whether the owner of a network namespace may configure its node (default: no)");

static char *qnet_bind = "";
module_param_named(bind, qnet_bind, charp, 0444);
MODULE_PARM_DESC(bind, "Interfaces to bind, separated by commas; all: every Ethernet interface (default: none)");

static char *qnet_host = "";
module_param_named(host, qnet_host, charp, 0444);
MODULE_PARM_DESC(host, "Name of this node, may have a domain (default: the host's name)");

static char *qnet_remote = "any";
module_param_named(remote, qnet_remote, charp, 0444);
MODULE_PARM_DESC(remote, "Channels that other nodes may connect to: any, or those that are marked (default: any)");

/**
 * qnet_helper_param_bind() - the parameter bind=
 *
 * Return: a string that stays as long as the module.
 */
const char *qnet_helper_param_bind(void)
{
	return qnet_bind;
}

/**
 * qnet_helper_param_host() - the parameter host=
 *
 * Return: a string that stays as long as the module.
 */
const char *qnet_helper_param_host(void)
{
	return qnet_host;
}

/**
 * qnet_helper_param_remote() - the parameter remote=
 *
 * Return: a string that stays as long as the module.
 */
const char *qnet_helper_param_remote(void)
{
	return qnet_remote;
}

/**
 * qnet_helper_param_family() - the parameter family=
 *
 * Return: the number of the address family.
 */
u16 qnet_helper_param_family(void)
{
	return qnet_family;
}

/**
 * qnet_helper_param_userns() - the parameter userns=
 *
 * Return: whether the owner of a network namespace may configure its node.
 */
bool qnet_helper_param_userns(void)
{
	return qnet_userns;
}
