// SPDX-License-Identifier: GPL-2.0
/*
 * Notice of a process's death, for rust/knet/death.rs.
 *
 * A watch lies in the wait queue of a pid, as a poll of a pidfd does. That
 * queue is woken, under tasklist_lock and with interrupts off, when the
 * process has become a zombie without any thread left, and again when it is
 * reaped; and also at times that mean nothing to us, as when a traced first
 * thread ends before the others. So each time the process is looked at, as
 * pidfd_poll() does it. The rest is done by a work item.
 */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "helpers.h"

static struct workqueue_struct *qnet_death_queue;

/* The first thread may end before the others: the process lives on. */
static bool qnet_process_is_dead(struct pid *pid)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(pid, PIDTYPE_PID);
	return !task || (task->exit_state && !delay_group_leader(task));
}

/* The queue's lock is held. */
static int qnet_death_wake(struct wait_queue_entry *wait, unsigned int mode,
			   int flags, void *key)
{
	struct qnet_death *d = container_of(wait, struct qnet_death, wait);

	if (qnet_process_is_dead(d->pid)) {
		/* Out of the queue: the work is queued once. */
		list_del_init(&wait->entry);
		queue_work(qnet_death_queue, &d->work);
	}
	return 0;
}

/*
 * Begins to wait, or queues the work if there is nothing to wait for. Returns
 * false if the watch was stopped.
 */
static bool qnet_death_enlist(struct qnet_death *d)
{
	struct wait_queue_head *queue = &d->pid->wait_pidfd;
	bool stopped;

	spin_lock_irq(&queue->lock);
	stopped = d->stopped;
	if (stopped)
		goto out;
	/* What changes after this look wakes the queue, for which it is locked. */
	if (qnet_process_is_dead(d->pid))
		queue_work(qnet_death_queue, &d->work);
	else
		__add_wait_queue(queue, &d->wait);
out:
	spin_unlock_irq(&queue->lock);
	return !stopped;
}

static void qnet_death_work(struct work_struct *work)
{
	struct qnet_death *d = container_of(work, struct qnet_death, work);
	void (*died)(const void *owner) = d->died;
	const void *owner = d->owner;

	/*
	 * Only a look under tasklist_lock is exact, and that lock is not for
	 * modules. While a thread takes over the place of the first one, in
	 * exec, the look of qnet_death_enlist() may have been wrong.
	 */
	if (!qnet_process_is_dead(d->pid)) {
		if (qnet_death_enlist(d))
			return;
		d->put(owner);
	} else {
		/* This may drop the last reference: d is not touched behind it. */
		died(owner);
	}
	module_put(THIS_MODULE);
}

/**
 * qnet_helper_death_init() - make a watch that watches nothing
 * @d: its memory
 */
void qnet_helper_death_init(struct qnet_death *d)
{
	init_waitqueue_func_entry(&d->wait, qnet_death_wake);
	INIT_LIST_HEAD(&d->wait.entry);
	INIT_WORK(&d->work, qnet_death_work);
	spin_lock_init(&d->lock);
	d->stopped = false;
	d->pid = NULL;
	d->owner = NULL;
	d->died = NULL;
	d->put = NULL;
}

/**
 * qnet_helper_death_destroy() - give back what a watch holds
 * @d: the watch, which is not started or has ended
 */
void qnet_helper_death_destroy(struct qnet_death *d)
{
	put_pid(d->pid);
}

/**
 * qnet_helper_death_start() - watch a process
 * @d: the watch
 * @pid: the process, which may be dead
 * @owner: the object that holds the watch
 * @died: called in process context with the owner's reference
 * @put: drops a reference to the owner
 *
 * On success it takes over one reference to @owner, and holds this module.
 *
 * Return: 0; -EBUSY if it was started before, -ESHUTDOWN if it was stopped,
 * -ENODEV if there is no queue for the work.
 */
int qnet_helper_death_start(struct qnet_death *d, struct pid *pid,
			    const void *owner,
			    void (*died)(const void *owner),
			    void (*put)(const void *owner))
{
	int rc = 0;

	might_sleep();
	if (!qnet_death_queue)
		return -ENODEV;
	spin_lock_irq(&d->lock);
	if (d->pid) {
		rc = -EBUSY;
	} else if (d->stopped) {
		rc = -ESHUTDOWN;
	} else {
		d->owner = owner;
		d->died = died;
		d->put = put;
		d->pid = get_pid(pid);
	}
	spin_unlock_irq(&d->lock);
	if (rc)
		return rc;
	/* The caller is code of ours that runs, so that it is held now, too. */
	__module_get(THIS_MODULE);
	if (!qnet_death_enlist(d)) {
		module_put(THIS_MODULE);
		return -ESHUTDOWN;
	}
	return 0;
}

/**
 * qnet_helper_death_stop() - end a watch for good
 * @d: the watch
 *
 * Process context. When it returns, @died neither runs nor will run; but if it
 * is called by @died itself, that one is left to end.
 */
void qnet_helper_death_stop(struct qnet_death *d)
{
	struct wait_queue_head *queue;
	bool ours;

	might_sleep();
	spin_lock_irq(&d->lock);
	if (!d->pid) {
		d->stopped = true;
		spin_unlock_irq(&d->lock);
		return;
	}
	spin_unlock_irq(&d->lock);

	queue = &d->pid->wait_pidfd;
	spin_lock_irq(&queue->lock);
	d->stopped = true;
	ours = !list_empty(&d->wait.entry);
	list_del_init(&d->wait.entry);
	spin_unlock_irq(&queue->lock);

	/* Whoever finds the watch in a queue has its reference, and no other. */
	if (current_work() == &d->work)
		return;
	if (cancel_work_sync(&d->work))
		ours = true;
	if (ours) {
		d->put(d->owner);
		module_put(THIS_MODULE);
	}
}

/**
 * qnet_helper_death_begin() - make the queue that the callbacks run in
 *
 * Return: 0, -EBUSY if there is one, -ENOMEM.
 */
int qnet_helper_death_begin(void)
{
	if (qnet_death_queue)
		return -EBUSY;
	qnet_death_queue = alloc_workqueue("qnet_death", WQ_UNBOUND, 0);
	return qnet_death_queue ? 0 : -ENOMEM;
}

/**
 * qnet_helper_death_end() - run what is in the queue, and end it
 *
 * Each started watch holds the module, so there is none.
 */
void qnet_helper_death_end(void)
{
	destroy_workqueue(qnet_death_queue);
	qnet_death_queue = NULL;
}

static int qnet_test_process(void *ms)
{
	msleep((unsigned long)ms);
	return 0;
}

/**
 * qnet_helper_test_process() - make a process, for the unit tests
 * @ms: how long it lives
 *
 * Return: its pid, with a reference; or NULL.
 */
struct pid *qnet_helper_test_process(unsigned int ms)
{
	struct task_struct *task;
	struct pid *pid;

	task = kthread_create(qnet_test_process, (void *)(unsigned long)ms,
			      "qnet_test");
	if (IS_ERR(task))
		return NULL;
	pid = get_pid(task_tgid(task));
	wake_up_process(task);
	return pid;
}
