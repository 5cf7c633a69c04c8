// SPDX-License-Identifier: GPL-2.0
/*
 * Signals to processes, for rust/knet/signal.rs.
 */

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "helpers.h"

/* Under RCU: a thread that takes the signal at once, or NULL. */
static struct task_struct *qnet_ready_thread(struct task_struct *leader,
					     int signo)
{
	struct task_struct *thread;

	for_each_thread(leader, thread) {
		if (!sigismember(&thread->blocked, signo) &&
		    !(thread->flags & PF_EXITING))
			return thread;
	}
	return NULL;
}

/* Under RCU: the thread with that number in the process's own namespace. */
static struct task_struct *qnet_thread(struct task_struct *leader,
				       struct pid *process, int tid)
{
	struct pid_namespace *ns = ns_of_pid(process);
	struct task_struct *thread;

	for_each_thread(leader, thread) {
		if (task_pid_nr_ns(thread, ns) == tid)
			return thread;
	}
	return NULL;
}

/*
 * Says who sends. The kernel translates the ids of the calling process for the
 * receiver. Those of somebody on another node mean nothing here: pid 0, and the
 * uid that stands for one without a number.
 */
static void qnet_name_sender(struct kernel_siginfo *info, bool caller)
{
	if (caller) {
		info->si_pid = task_tgid_vnr(current);
		info->si_uid = from_kuid_munged(current_user_ns(),
						current_uid());
	} else {
		info->si_pid = 0;
		info->si_uid = from_kuid_munged(&init_user_ns, INVALID_UID);
	}
}

/**
 * qnet_helper_may_signal() - tell whether the caller may signal a process
 * @process: the process
 *
 * By the rule of kill(), with the security modules and the audit that see that
 * call. Process context.
 *
 * Return: 0, -EPERM or what a security module says, -ESRCH.
 */
int qnet_helper_may_signal(struct pid *process)
{
	return kill_pid(process, 0, 0);
}

/**
 * qnet_helper_send_signal() - send a signal to a process or a thread
 * @process: the process
 * @tid: the thread, by its number in the process's own pid namespace, or 0
 * @signo: the signal
 * @code: its code; for one that rt_sigqueueinfo() would refuse it is SI_QUEUE
 * @value: its value
 * @caller: whether the calling process sends it, or somebody on another node
 *
 * Any context but hard interrupts; process context if the caller sends.
 *
 * Return: 0, -ESRCH, or what sending gives.
 */
int qnet_helper_send_signal(struct pid *process, int tid, int signo, int code,
			    s64 value, bool caller)
{
	struct task_struct *leader, *thread;
	struct kernel_siginfo info;

	clear_siginfo(&info);
	info.si_signo = signo;
	info.si_code = code < 0 && code != SI_TKILL ? code : SI_QUEUE;
	qnet_name_sender(&info, caller);
	info.si_ptr = (void __user *)(unsigned long)value;

	guard(rcu)();
	leader = pid_task(process, PIDTYPE_TGID);
	if (!leader)
		return -ESRCH;
	if (tid) {
		thread = qnet_thread(leader, process, tid);
		return thread ? send_sig_info(signo, &info, thread) : -ESRCH;
	}
	thread = qnet_ready_thread(leader, signo);
	if (thread)
		return send_sig_info(signo, &info, thread);
	return kill_pid(process, signo, 1);
}
