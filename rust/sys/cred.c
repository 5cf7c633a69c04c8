// SPDX-License-Identifier: GPL-2.0
/*
 * Credentials and user namespaces, for rust/knet/cred.rs. Ids are passed as
 * the numbers that they have in the initial user namespace; -1 is none.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "helpers.h"

/**
 * qnet_helper_current_cred() - the caller's credentials
 *
 * Return: the credentials, with a reference.
 */
const struct cred *qnet_helper_current_cred(void)
{
	return get_current_cred();
}

/**
 * qnet_helper_process_cred() - the credentials of a process
 * @pid: the process
 *
 * Those of its first thread, as everybody looks at them. Legal in softirq.
 *
 * Return: the credentials, with a reference; NULL if the process is gone.
 */
const struct cred *qnet_helper_process_cred(struct pid *pid)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(pid, PIDTYPE_TGID);
	return task ? get_task_cred(task) : NULL;
}

/**
 * qnet_helper_is_current_cred() - compare credentials with the caller's
 * @cred: the credentials
 *
 * Credentials never change: who gets other ids gets another object.
 *
 * Return: whether they are the very same.
 */
bool qnet_helper_is_current_cred(const struct cred *cred)
{
	return cred == current_cred();
}

/**
 * qnet_helper_get_cred() - take a reference
 * @cred: the credentials
 */
void qnet_helper_get_cred(const struct cred *cred)
{
	get_cred(cred);
}

/**
 * qnet_helper_put_cred() - drop a reference
 * @cred: the credentials
 */
void qnet_helper_put_cred(const struct cred *cred)
{
	put_cred(cred);
}

/**
 * qnet_helper_cred_ids() - tell who somebody is
 * @cred: the credentials
 * @ids: filled
 */
void qnet_helper_cred_ids(const struct cred *cred, struct qnet_ids *ids)
{
	ids->ruid = __kuid_val(cred->uid);
	ids->euid = __kuid_val(cred->euid);
	ids->suid = __kuid_val(cred->suid);
	ids->rgid = __kgid_val(cred->gid);
	ids->egid = __kgid_val(cred->egid);
	ids->sgid = __kgid_val(cred->sgid);
}

/**
 * qnet_helper_cred_groups() - copy supplementary groups
 * @cred: the credentials
 * @from: which is to be the first
 * @groups: where they go
 * @room: how many fit there
 *
 * Return: how many groups there are altogether.
 */
u32 qnet_helper_cred_groups(const struct cred *cred, u32 from, u32 *groups,
			    u32 room)
{
	const struct group_info *info = cred->group_info;
	u32 all = info->ngroups;
	u32 i;

	for (i = 0; i < room && from + i < all; i++)
		groups[i] = __kgid_val(info->gid[from + i]);
	return all;
}

/**
 * qnet_helper_cred_is_within() - tell where credentials count
 * @cred: the credentials
 * @ns: a user namespace
 *
 * Return: whether they are of that namespace or of one below it.
 */
bool qnet_helper_cred_is_within(const struct cred *cred,
				struct user_namespace *ns)
{
	const struct user_namespace *of = cred->user_ns;

	while (of->level > ns->level)
		of = of->parent;
	return of == ns;
}

/**
 * qnet_helper_current_in_group() - tell whether the caller is in a group
 * @gid: the group
 *
 * Return: whether it is, by its effective or a supplementary group.
 */
bool qnet_helper_current_in_group(u32 gid)
{
	return in_egroup_p(KGIDT_INIT(gid));
}

/**
 * qnet_helper_net_user_ns() - the owner of a network namespace
 * @net: the network namespace
 *
 * Return: the user namespace, with a reference.
 */
struct user_namespace *qnet_helper_net_user_ns(const struct net *net)
{
	return get_user_ns(net->user_ns);
}

/**
 * qnet_helper_current_user_ns() - the caller's user namespace
 *
 * Return: the namespace, with a reference.
 */
struct user_namespace *qnet_helper_current_user_ns(void)
{
	return get_user_ns(current_user_ns());
}

/**
 * qnet_helper_get_user_ns() - take a reference
 * @ns: the namespace
 */
void qnet_helper_get_user_ns(struct user_namespace *ns)
{
	get_user_ns(ns);
}

/**
 * qnet_helper_put_user_ns() - drop a reference
 * @ns: the namespace
 */
void qnet_helper_put_user_ns(struct user_namespace *ns)
{
	put_user_ns(ns);
}

/**
 * qnet_helper_uid_from() - find a user by number
 * @ns: the namespace that the number belongs to
 * @number: the number
 *
 * Return: the user; -1 if the number is nobody's.
 */
u32 qnet_helper_uid_from(struct user_namespace *ns, u32 number)
{
	return __kuid_val(make_kuid(ns, number));
}

/**
 * qnet_helper_gid_from() - find a group by number
 * @ns: the namespace that the number belongs to
 * @number: the number
 *
 * Return: the group; -1 if the number is none's.
 */
u32 qnet_helper_gid_from(struct user_namespace *ns, u32 number)
{
	return __kgid_val(make_kgid(ns, number));
}

/**
 * qnet_helper_uid_number() - the number of a user
 * @ns: the namespace that the number is to belong to
 * @uid: the user, or -1
 *
 * Return: the number; the overflow id (65534) if there is none.
 */
u32 qnet_helper_uid_number(struct user_namespace *ns, u32 uid)
{
	return from_kuid_munged(ns, KUIDT_INIT(uid));
}

/**
 * qnet_helper_gid_number() - the number of a group
 * @ns: the namespace that the number is to belong to
 * @gid: the group, or -1
 *
 * Return: the number; the overflow id (65534) if there is none.
 */
u32 qnet_helper_gid_number(struct user_namespace *ns, u32 gid)
{
	return from_kgid_munged(ns, KGIDT_INIT(gid));
}

/**
 * qnet_helper_user_ns_has() - tell whether an owner has numbers
 * @ns: a user namespace
 * @uid: the user
 * @gid: the group
 *
 * Return: whether both have a number there.
 */
bool qnet_helper_user_ns_has(struct user_namespace *ns, u32 uid, u32 gid)
{
	return kuid_has_mapping(ns, KUIDT_INIT(uid)) &&
	       kgid_has_mapping(ns, KGIDT_INIT(gid));
}

/**
 * qnet_helper_may() - tell whether the caller has a capability
 * @ns: the user namespace in which it must have it
 * @what: what it wants to do
 *
 * Return: whether it has.
 */
bool qnet_helper_may(struct user_namespace *ns, enum qnet_capability what)
{
	switch (what) {
	case QNET_MAY_CHOWN:
		return ns_capable(ns, CAP_CHOWN);
	case QNET_MAY_CONNECT:
		return ns_capable(ns, CAP_DAC_OVERRIDE);
	case QNET_MAY_EXCEED:
		/* A limit that is met is no attempt to break a rule. */
		return ns_capable_noaudit(ns, CAP_SYS_RESOURCE);
	}
	return false;
}

/**
 * qnet_helper_process_session() - the session of a process
 * @pid: the process
 * @ns: the pid namespace that the number is to belong to
 *
 * Return: the number; 0 if there is none.
 */
int qnet_helper_process_session(struct pid *pid, struct pid_namespace *ns)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(pid, PIDTYPE_TGID);
	return task ? task_session_nr_ns(task, ns) : 0;
}
