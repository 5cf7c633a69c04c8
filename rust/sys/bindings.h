/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads to make rust/sys/bindings_generated.rs. The allow-list
 * in Kbuild picks from it.
 */
#ifndef _QNET_BINDINGS_H
#define _QNET_BINDINGS_H

#include <linux/crc32.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <qnet.h>

#include "helpers.h"
#include "trace.h"

/*
 * What the C compiler says of the types that Rust embeds or allocates;
 * rust/sys/mod.rs compares.
 */
enum qnet_sizes {
	QNET_SIZEOF_SOCK	= sizeof(struct sock),
	QNET_SIZEOF_QNET_SOCK	= sizeof(struct qnet_sock),
	QNET_SIZEOF_PROTO	= sizeof(struct proto),
	QNET_SIZEOF_PROTO_OPS	= sizeof(const struct proto_ops),
	QNET_SIZEOF_SOCKET	= sizeof(struct socket),
	QNET_SIZEOF_SK_BUFF	= sizeof(struct sk_buff),
	QNET_SIZEOF_PACKET_TYPE	= sizeof(struct packet_type),
	QNET_SIZEOF_PERNET_OPS	= sizeof(struct pernet_operations),
	QNET_SIZEOF_NOTIFIER	= sizeof(struct notifier_block),
	QNET_SIZEOF_WAIT_HEAD	= sizeof(struct wait_queue_head),
	QNET_SIZEOF_TIMER	= sizeof(struct qnet_timer),
	QNET_SIZEOF_DEATH	= sizeof(struct qnet_death),
	QNET_SIZEOF_NETDEV	= sizeof(struct qnet_netdev),
	QNET_OFFSET_SOCK_DATA	= offsetof(struct qnet_sock, data),
	QNET_OFFSET_SKB_LEN	= offsetof(struct sk_buff, len),
	QNET_OFFSET_SKB_DATA	= offsetof(struct sk_buff, data),
	QNET_OFFSET_SOCKET_SK	= offsetof(struct socket, sk),
};

#endif /* _QNET_BINDINGS_H */
