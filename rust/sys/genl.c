// SPDX-License-Identifier: GPL-2.0
/*
 * The generic-netlink family of rust/uapi/qnet.h: tables, parsing of the
 * attributes and filling of the rows. What a command does is decided by the
 * Rust functions of struct qnet_genl_ops (rust/knet/genl.rs). And the messages
 * by which those who listen are told of events.
 */

#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/user_namespace.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <qnet.h>

#include "helpers.h"

/* Set before the family is registered, constant as long as it is. */
static const struct qnet_genl_ops *qnet_genl_ops;

static struct genl_family qnet_genl_family;

/* The family is registered: its group is ours. Read under RCU. */
static bool qnet_genl_live;

/* The index of the group of events. */
#define QNET_GENL_GROUP		0

static const struct genl_multicast_group qnet_genl_groups[] = {
	[QNET_GENL_GROUP] = { .name = QNET_GENL_EVENTS },
};

/*
 * Setting needs CAP_NET_ADMIN of the sender and of whoever opened the socket,
 * in the initial user namespace; in the one that owns the network namespace
 * if the administrator of the machine has allowed that.
 */
static bool qnet_genl_may_set(const struct sk_buff *skb, const struct net *net)
{
	struct user_namespace *ns = &init_user_ns;

	if (qnet_genl_ops->userns())
		ns = net->user_ns;
	return netlink_ns_capable(skb, ns, CAP_NET_ADMIN);
}

static int qnet_genl_option_set(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	struct nlattr *name, *value;

	if (!qnet_genl_may_set(skb, net))
		return -EPERM;
	if (GENL_REQ_ATTR_CHECK(info, QNET_A_OPTION) ||
	    GENL_REQ_ATTR_CHECK(info, QNET_A_VALUE))
		return -EINVAL;
	name = info->attrs[QNET_A_OPTION];
	value = info->attrs[QNET_A_VALUE];
	return qnet_genl_ops->set_option(net, nla_data(name),
					 strlen(nla_data(name)),
					 nla_data(value),
					 strlen(nla_data(value)));
}

static int qnet_genl_link_add(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	const char *name;

	if (!qnet_genl_may_set(skb, net))
		return -EPERM;
	if (GENL_REQ_ATTR_CHECK(info, QNET_A_IFNAME))
		return -EINVAL;
	name = nla_data(info->attrs[QNET_A_IFNAME]);
	return qnet_genl_ops->bind(net, name, strlen(name));
}

static int qnet_genl_link_del(struct sk_buff *skb, struct genl_info *info)
{
	struct net *net = genl_info_net(info);
	const char *name;

	if (!qnet_genl_may_set(skb, net))
		return -EPERM;
	if (GENL_REQ_ATTR_CHECK(info, QNET_A_IFNAME))
		return -EINVAL;
	name = nla_data(info->attrs[QNET_A_IFNAME]);
	return qnet_genl_ops->unbind(net, name, strlen(name));
}

static int qnet_genl_fill_option(struct sk_buff *skb,
				 const struct qnet_genl_option *row)
{
	return nla_put_string(skb, QNET_A_OPTION, row->name) ?:
	       nla_put_string(skb, QNET_A_VALUE, row->value);
}

static int qnet_genl_fill_link(struct sk_buff *skb,
			       const struct qnet_genl_link *row)
{
	return nla_put_string(skb, QNET_A_IFNAME, row->ifname) ?:
	       nla_put_u32(skb, QNET_A_IFINDEX, row->ifindex) ?:
	       nla_put(skb, QNET_A_MAC, ETH_ALEN, row->mac) ?:
	       nla_put_u32(skb, QNET_A_MTU, row->mtu) ?:
	       nla_put_u32(skb, QNET_A_STATE, row->state);
}

static int qnet_genl_fill_node(struct sk_buff *skb,
			       const struct qnet_genl_node *row)
{
	return nla_put_u32(skb, QNET_A_ND, row->nd) ?:
	       nla_put_string(skb, QNET_A_NAME, row->name) ?:
	       nla_put_string(skb, QNET_A_DOMAIN, row->domain) ?:
	       nla_put_string(skb, QNET_A_IFNAME, row->ifname) ?:
	       nla_put(skb, QNET_A_MAC, ETH_ALEN, row->mac) ?:
	       nla_put_u64_64bit(skb, QNET_A_AGE_MS, row->age_ms,
				 QNET_A_UNSPEC) ?:
	       nla_put_u32(skb, QNET_A_STATE, row->state);
}

static int qnet_genl_fill_channel(struct sk_buff *skb,
				  const struct qnet_genl_channel *row)
{
	return nla_put_s32(skb, QNET_A_PID, row->pid) ?:
	       nla_put_s32(skb, QNET_A_CHID, row->chid) ?:
	       nla_put_u32(skb, QNET_A_FLAGS, row->flags) ?:
	       nla_put_u32(skb, QNET_A_MESSAGES, row->messages) ?:
	       nla_put_u32(skb, QNET_A_PULSES, row->pulses) ?:
	       nla_put_u32(skb, QNET_A_WAITING, row->waiting);
}

static int qnet_genl_fill_blocked(struct sk_buff *skb,
				  const struct qnet_genl_blocked *row)
{
	return nla_put_u32(skb, QNET_A_STATE, row->state) ?:
	       nla_put_u64_64bit(skb, QNET_A_AGE_MS, row->age_ms,
				 QNET_A_UNSPEC) ?:
	       nla_put_u32(skb, QNET_A_CLIENT_ND, row->client_nd) ?:
	       nla_put_s32(skb, QNET_A_CLIENT_PID, row->client_pid) ?:
	       nla_put_s32(skb, QNET_A_TID, row->tid) ?:
	       nla_put_s32(skb, QNET_A_COID, row->coid) ?:
	       nla_put_u64_64bit(skb, QNET_A_BYTES, row->bytes,
				 QNET_A_UNSPEC) ?:
	       nla_put_u32(skb, QNET_A_ND, row->nd) ?:
	       nla_put_s32(skb, QNET_A_PID, row->pid) ?:
	       nla_put_s32(skb, QNET_A_CHID, row->chid);
}

static int qnet_genl_fill_event(struct sk_buff *skb,
				const struct qnet_genl_event *event)
{
	int rc = nla_put_u32(skb, QNET_A_EVENT, event->type);

	if (!event->name[0])
		return rc ?:
		       nla_put_string(skb, QNET_A_IFNAME, event->ifname) ?:
		       nla_put_u32(skb, QNET_A_IFINDEX, event->ifindex);
	rc = rc ?:
	     nla_put_u32(skb, QNET_A_ND, event->nd) ?:
	     nla_put_string(skb, QNET_A_NAME, event->name) ?:
	     nla_put_string(skb, QNET_A_DOMAIN, event->domain);
	if (event->type != QNET_EVENT_SESSION_ENDED)
		return rc;
	return rc ?: nla_put_u32(skb, QNET_A_REASON, event->reason);
}

static void *qnet_genl_begin_row(struct sk_buff *skb,
				 struct netlink_callback *cb)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &qnet_genl_family, NLM_F_MULTI,
			   genl_info_dump(cb)->genlhdr->cmd);
}

/*
 * The dumps: a row at a time, until there is none or the buffer is
 * full; cb->args[0] is the position of the row that did not fit. Returning
 * the length asks for another call, and a call that adds nothing ends it.
 */
static int qnet_genl_option_dump(struct sk_buff *skb,
				 struct netlink_callback *cb)
{
	struct net *net = sock_net(cb->skb->sk);
	struct qnet_genl_option *row;
	void *hdr;
	int rc;

	row = kzalloc_obj(*row);
	if (!row)
		return -ENOMEM;
	for (;;) {
		rc = qnet_genl_ops->option_at(net, cb->args[0], row);
		if (rc <= 0)
			break;
		hdr = qnet_genl_begin_row(skb, cb);
		if (!hdr)
			break;
		if (qnet_genl_fill_option(skb, row)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0]++;
	}
	kfree(row);
	return rc < 0 ? rc : skb->len;
}

static int qnet_genl_link_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct net *net = sock_net(cb->skb->sk);
	struct qnet_genl_link row;
	void *hdr;
	int rc;

	for (;;) {
		memset(&row, 0, sizeof(row));
		rc = qnet_genl_ops->link_at(net, cb->args[0], &row);
		if (rc <= 0)
			break;
		hdr = qnet_genl_begin_row(skb, cb);
		if (!hdr)
			break;
		if (qnet_genl_fill_link(skb, &row)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		cb->args[0]++;
	}
	return rc < 0 ? rc : skb->len;
}

static int qnet_genl_node_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct net *net = sock_net(cb->skb->sk);
	struct qnet_genl_node *row;
	void *hdr;
	u32 at;
	int rc;

	/* The position behind the highest node is U32_MAX + 1. */
	if (cb->args[0] > U32_MAX)
		return 0;
	row = kzalloc_obj(*row);
	if (!row)
		return -ENOMEM;
	for (;;) {
		at = cb->args[0];
		rc = qnet_genl_ops->node_at(net, &at, row);
		if (rc <= 0)
			break;
		hdr = qnet_genl_begin_row(skb, cb);
		if (!hdr)
			break;
		if (qnet_genl_fill_node(skb, row)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		/* A position that does not move would never end. */
		if (at <= cb->args[0]) {
			cb->args[0] = (long)U32_MAX + 1;
			break;
		}
		cb->args[0] = at;
	}
	kfree(row);
	return rc < 0 ? rc : skb->len;
}

/*
 * Channels and blocked threads. cb->args holds the place of the row that did
 * not fit. Who reads may be in another pid namespace each time.
 */
static int qnet_genl_listing_dump(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	bool channels = genl_info_dump(cb)->genlhdr->cmd == QNET_CMD_CHANNEL_GET;
	struct net *net = sock_net(cb->skb->sk);
	struct qnet_genl_place place;
	union {
		struct qnet_genl_channel channel;
		struct qnet_genl_blocked blocked;
	} row;
	void *hdr;
	int rc;

	BUILD_BUG_ON(sizeof(place) > sizeof(cb->args));
	for (;;) {
		memcpy(&place, cb->args, sizeof(place));
		if (channels)
			rc = qnet_genl_ops->channel_at(net, &place,
						       &row.channel);
		else
			rc = qnet_genl_ops->blocked_at(net, &place,
						       &row.blocked);
		if (rc <= 0)
			break;
		hdr = qnet_genl_begin_row(skb, cb);
		if (!hdr)
			break;
		if (channels ? qnet_genl_fill_channel(skb, &row.channel) :
			       qnet_genl_fill_blocked(skb, &row.blocked)) {
			genlmsg_cancel(skb, hdr);
			break;
		}
		genlmsg_end(skb, hdr);
		memcpy(cb->args, &place, sizeof(place));
	}
	return rc < 0 ? rc : skb->len;
}

static const struct nla_policy qnet_genl_set_policy[QNET_A_VALUE + 1] = {
	[QNET_A_OPTION]	= { .type = NLA_NUL_STRING, .len = 31 },
	[QNET_A_VALUE]	= { .type = NLA_NUL_STRING, .len = 511 },
};

static const struct nla_policy qnet_genl_link_policy[QNET_A_IFNAME + 1] = {
	[QNET_A_IFNAME]	= { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

/*
 * No GENL_ADMIN_PERM: which capability is asked for depends on a parameter of
 * the module (qnet_genl_may_set()).
 */
static const struct genl_split_ops qnet_genl_split_ops[] = {
	{
		.cmd		= QNET_CMD_OPTION_SET,
		.doit		= qnet_genl_option_set,
		.policy		= qnet_genl_set_policy,
		.maxattr	= ARRAY_SIZE(qnet_genl_set_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= QNET_CMD_OPTION_GET,
		.dumpit		= qnet_genl_option_dump,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= QNET_CMD_LINK_ADD,
		.doit		= qnet_genl_link_add,
		.policy		= qnet_genl_link_policy,
		.maxattr	= ARRAY_SIZE(qnet_genl_link_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= QNET_CMD_LINK_DEL,
		.doit		= qnet_genl_link_del,
		.policy		= qnet_genl_link_policy,
		.maxattr	= ARRAY_SIZE(qnet_genl_link_policy) - 1,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= QNET_CMD_LINK_GET,
		.dumpit		= qnet_genl_link_dump,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= QNET_CMD_NODE_GET,
		.dumpit		= qnet_genl_node_dump,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= QNET_CMD_CHANNEL_GET,
		.dumpit		= qnet_genl_listing_dump,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= QNET_CMD_BLOCKED_GET,
		.dumpit		= qnet_genl_listing_dump,
		.flags		= GENL_CMD_CAP_DUMP,
	},
};

/* parallel_ops: the Rust side has its own locks and may take the RTNL. */
static struct genl_family qnet_genl_family __ro_after_init = {
	.name		= QNET_GENL_NAME,
	.version	= QNET_GENL_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= qnet_genl_split_ops,
	.n_split_ops	= ARRAY_SIZE(qnet_genl_split_ops),
	.mcgrps		= qnet_genl_groups,
	.n_mcgrps	= ARRAY_SIZE(qnet_genl_groups),
};

/**
 * qnet_helper_genl_register() - register the family
 * @ops: what the commands do; stays as long as the family
 *
 * Return: 0 or a negative errno.
 */
int qnet_helper_genl_register(const struct qnet_genl_ops *ops)
{
	int rc;

	if (qnet_genl_ops)
		return -EBUSY;
	qnet_genl_ops = ops;
	rc = genl_register_family(&qnet_genl_family);
	if (rc)
		qnet_genl_ops = NULL;
	else
		/* Pairs with qnet_genl_is_live(): the group has its number. */
		smp_store_release(&qnet_genl_live, true);
	return rc;
}

/**
 * qnet_helper_genl_unregister() - unregister it; waits for running commands
 */
void qnet_helper_genl_unregister(void)
{
	/* Events that are being told are over before the group is another's. */
	WRITE_ONCE(qnet_genl_live, false);
	synchronize_rcu();
	genl_unregister_family(&qnet_genl_family);
	qnet_genl_ops = NULL;
}

static bool qnet_genl_is_live(void)
{
	/* Pairs with qnet_helper_genl_register(). */
	return smp_load_acquire(&qnet_genl_live);
}

/**
 * qnet_helper_genl_heard() - tell whether anybody listens to events
 * @net: in this namespace
 *
 * Return: whether somebody does.
 */
bool qnet_helper_genl_heard(struct net *net)
{
	bool heard;

	rcu_read_lock();
	heard = qnet_genl_is_live() &&
		genl_has_listeners(&qnet_genl_family, net, QNET_GENL_GROUP);
	rcu_read_unlock();
	return heard;
}

/**
 * qnet_helper_genl_event() - tell those who listen of an event
 * @net: in this namespace
 * @event: what has happened
 *
 * A listener whose buffer is full misses it, and its next read says ENOBUFS;
 * so do all if there is no memory. Any context.
 */
void qnet_helper_genl_event(struct net *net,
			    const struct qnet_genl_event *event)
{
	struct sk_buff *skb;
	void *hdr;

	rcu_read_lock();
	if (!qnet_genl_is_live())
		goto out;
	/* Not more than the structure, and the heads of at most five. */
	skb = genlmsg_new(sizeof(*event) + 5 * nla_total_size(0), GFP_ATOMIC);
	if (!skb) {
		genl_set_err(&qnet_genl_family, net, 0, QNET_GENL_GROUP,
			     -ENOBUFS);
		goto out;
	}
	hdr = genlmsg_put(skb, 0, 0, &qnet_genl_family, 0, QNET_CMD_EVENT);
	if (WARN_ON_ONCE(!hdr || qnet_genl_fill_event(skb, event))) {
		nlmsg_free(skb);
		goto out;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&qnet_genl_family, net, skb, 0,
				QNET_GENL_GROUP, GFP_ATOMIC);
out:
	rcu_read_unlock();
}

/* A program that asks for the family loads the module. */
MODULE_ALIAS_GENL_FAMILY(QNET_GENL_NAME);
