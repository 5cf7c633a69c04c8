// SPDX-License-Identifier: GPL-2.0
/*
 * Signals to processes, for rust/knet/signal.rs.
 */

#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

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
 * @code: its code; not one of the kernel's own
 * @value: its value
 *
 * Any context but hard interrupts.
 *
 * Return: 0, -ESRCH, or what sending gives.
 */
int qnet_helper_send_signal(struct pid *process, int tid, int signo, int code,
			    s64 value)
{
	struct task_struct *leader, *thread;
	struct kernel_siginfo info;

	clear_siginfo(&info);
	info.si_signo = signo;
	info.si_code = code < 0 ? code : SI_QUEUE;
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
