// SPDX-License-Identifier: GPL-2.0
/*
 * The workqueues for what a program is not to wait for: one for what is done
 * soon, and one for what waits itself.
 */

#include <linux/workqueue.h>

#include "helpers.h"

static struct workqueue_struct *qnet_queue;
static struct workqueue_struct *qnet_long_queue;

/**
 * qnet_helper_work_begin() - make the workqueues
 *
 * Return: 0, -EBUSY if there are some, -ENOMEM.
 */
int qnet_helper_work_begin(void)
{
	if (qnet_queue)
		return -EBUSY;
	qnet_queue = alloc_workqueue("qnet", WQ_UNBOUND, 0);
	if (!qnet_queue)
		return -ENOMEM;
	qnet_long_queue = alloc_workqueue("qnet_long", WQ_UNBOUND, 0);
	if (qnet_long_queue)
		return 0;
	destroy_workqueue(qnet_queue);
	qnet_queue = NULL;
	return -ENOMEM;
}

/**
 * qnet_helper_work_end() - run what is in the workqueues, and end them
 */
void qnet_helper_work_end(void)
{
	destroy_workqueue(qnet_long_queue);
	destroy_workqueue(qnet_queue);
	qnet_long_queue = NULL;
	qnet_queue = NULL;
}

/**
 * qnet_helper_workqueue() - tell a workqueue
 * @waits: that of items which wait themselves
 *
 * Return: it, between qnet_helper_work_begin() and qnet_helper_work_end().
 */
struct workqueue_struct *qnet_helper_workqueue(bool waits)
{
	return waits ? qnet_long_queue : qnet_queue;
}
