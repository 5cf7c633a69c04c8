/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and numbers of Qnet nodes, for programs linked with -lqnet: see
 * netmgr_strtond(3) and netmgr_remote_nd(3).
 */
#ifndef _QNET_SYS_NETMGR_H
#define _QNET_SYS_NETMGR_H

#include <stddef.h>
#include <sys/neutrino.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What netmgr_ndtostr() writes of the directory, the quality of service, the
 * name and the domain. SHOW and HIDE of one part exclude each other; without
 * either, name and domain are shown, the directory is not, and the quality of
 * service is if it is not the default.
 */
#define ND2S_DIR_SHOW		0x0001
#define ND2S_DIR_HIDE		0x0002
#define ND2S_QOS_SHOW		0x0004
#define ND2S_QOS_HIDE		0x0008
#define ND2S_NAME_SHOW		0x0010
#define ND2S_NAME_HIDE		0x0020
#define ND2S_DOMAIN_SHOW	0x0040
#define ND2S_DOMAIN_HIDE	0x0080
/* The shortest name that means the node on this node. */
#define ND2S_LOCAL_STR		0x1000
/* Begin with a separator ('/', '.' or '~'), whatever is shown first. */
#define ND2S_SEP_FORCE		0x2000

/*
 * The descriptor of the node that the string names, or -1 with errno set.
 * *endstr, if endstr is not NULL, is the first character behind the name.
 */
int netmgr_strtond(const char *nodename, char **endstr);

/*
 * Writes the name of the node into buf, cut to maxbuf bytes with the closing
 * NUL, and returns its whole length, or -1 with errno set.
 */
int netmgr_ndtostr(unsigned flags, int nd, char *buf, size_t maxbuf);

/*
 * The descriptor that the node remote_nd has for the node that this one calls
 * local_nd, or -1 with errno set.
 */
int netmgr_remote_nd(int remote_nd, int local_nd);

/*
 * Writes the path of suffix on the node into the maxbuf bytes at path:
 * /net/node.domain/suffix. Returns its length, or -1 with errno set. It is a
 * name for netmgr_strtond(); there is no file system /net.
 */
int netmgr_path(const char *nodename, const char *suffix, char *path, size_t maxbuf);

#ifdef __cplusplus
}
#endif

#endif /* _QNET_SYS_NETMGR_H */
