// SPDX-License-Identifier: GPL-2.0
/*
 * How threads are scheduled, for rust/knet/priority.rs.
 */

#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <uapi/linux/sched/types.h>

#include "helpers.h"

/**
 * qnet_helper_current_task() - the calling thread
 *
 * Return: the thread, with a reference.
 */
struct task_struct *qnet_helper_current_task(void)
{
	return get_task_struct(current);
}

/**
 * qnet_helper_get_task() - take a reference
 * @task: the thread
 */
void qnet_helper_get_task(struct task_struct *task)
{
	get_task_struct(task);
}

/**
 * qnet_helper_put_task() - drop a reference
 * @task: the thread
 */
void qnet_helper_put_task(struct task_struct *task)
{
	put_task_struct(task);
}

/**
 * qnet_helper_is_current_task() - tell whether a thread is the caller
 * @task: the thread
 *
 * Return: whether it is.
 */
bool qnet_helper_is_current_task(const struct task_struct *task)
{
	return task == current;
}

/**
 * qnet_helper_task_is_dead() - tell whether a thread has ended
 * @task: the thread
 *
 * Return: whether it has.
 */
bool qnet_helper_task_is_dead(const struct task_struct *task)
{
	return READ_ONCE(task->exit_state);
}

/**
 * qnet_helper_sched_get() - tell how a thread is scheduled
 * @task: the thread
 * @s: filled
 *
 * A change at the same time may be seen in part.
 */
void qnet_helper_sched_get(struct task_struct *task, struct qnet_sched *s)
{
	s->policy = READ_ONCE(task->policy);
	s->rt_priority = READ_ONCE(task->rt_priority);
	s->nice = task_nice(task);
	s->reserved = 0;
	s->slack = READ_ONCE(task->timer_slack_ns);
}

/**
 * qnet_helper_sched_set() - change how a thread is scheduled
 * @task: the thread
 * @s: how it is to be
 *
 * Process context, no lock held. Whether it may be so is not checked. What @s
 * does not name stays: the time slice, and what its children begin with.
 *
 * Return: 0 or an error.
 */
int qnet_helper_sched_set(struct task_struct *task, const struct qnet_sched *s)
{
	struct sched_attr attr = {
		.size		= sizeof(attr),
		.sched_policy	= s->policy,
		.sched_nice	= s->nice,
		.sched_priority	= s->rt_priority,
	};
	int rc;

	if (s->policy == task->policy && s->rt_priority == task->rt_priority) {
		set_user_nice(task, s->nice);
		return 0;
	}
	if (task->sched_reset_on_fork)
		attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	if (task->se.custom_slice)
		attr.sched_runtime = task->se.slice;
	rc = sched_setattr_nocheck(task, &attr);
	if (rc)
		return rc;
	/* In real time the call above leaves it as it was. */
	set_user_nice(task, s->nice);
	/* In real time the kernel has set it to 0, and knows only a default for the way back. */
	if (!s->rt_priority && s->slack) {
		task_lock(task);
		task->timer_slack_ns = s->slack;
		task_unlock(task);
	}
	return 0;
}

/**
 * qnet_helper_current_effective() - the caller's priority as Neutrino counts
 *
 * With what was lent to it, by a client or by the waiters of a mutex.
 *
 * Return: 1..20 for an ordinary thread (10 at nice 0), 21..119 for a
 * real-time one, 120 for a deadline one.
 */
int qnet_helper_current_effective(void)
{
	int prio = READ_ONCE(current->prio);

	if (prio < 0)
		return 120;
	if (prio < MAX_RT_PRIO)
		return 20 + MAX_RT_PRIO - 1 - prio;
	return clamp(10 - PRIO_TO_NICE(prio) / 2, 1, 20);
}

/**
 * qnet_helper_current_own() - the caller's own priority as Neutrino counts
 *
 * Without what the waiters of a mutex lend to it.
 *
 * Return: 1..20 for an ordinary thread (10 at nice 0), 21..119 for a
 * real-time one.
 */
int qnet_helper_current_own(void)
{
	if (current->rt_priority)
		return 20 + current->rt_priority;
	return clamp(10 - task_nice(current) / 2, 1, 20);
}

/**
 * qnet_helper_rlimit_rtprio() - how far the caller may go in real time
 *
 * Return: 0 to 99. Where real time is shared out to groups it is 0, because a
 * group that has none of it would never run.
 */
u32 qnet_helper_rlimit_rtprio(void)
{
	if (IS_ENABLED(CONFIG_RT_GROUP_SCHED))
		return 0;
	return min_t(unsigned long, rlimit(RLIMIT_RTPRIO), MAX_RT_PRIO - 1);
}

/**
 * qnet_helper_rlimit_nice() - how far the caller may go otherwise
 *
 * Return: the least niceness, -20 to 20.
 */
s32 qnet_helper_rlimit_nice(void)
{
	return MAX_NICE + 1 - (s32)min_t(unsigned long, rlimit(RLIMIT_NICE),
					 NICE_WIDTH);
}

/**
 * qnet_helper_may_raise() - tell whether these limits do not concern the caller
 *
 * Return: whether it has CAP_SYS_NICE.
 */
bool qnet_helper_may_raise(void)
{
	return !IS_ENABLED(CONFIG_RT_GROUP_SCHED) &&
	       capable_noaudit(CAP_SYS_NICE);
}
