// SPDX-License-Identifier: GPL-2.0
/*
 * The workqueue for what a program is not to wait for.
 */

#include <linux/workqueue.h>

#include "helpers.h"

static struct workqueue_struct *qnet_queue;

/**
 * qnet_helper_work_begin() - make the workqueue
 *
 * Return: 0, -EBUSY if there is one, -ENOMEM.
 */
int qnet_helper_work_begin(void)
{
	if (qnet_queue)
		return -EBUSY;
	qnet_queue = alloc_workqueue("qnet", WQ_UNBOUND, 0);
	return qnet_queue ? 0 : -ENOMEM;
}

/**
 * qnet_helper_work_end() - run what is in the workqueue, and end it
 */
void qnet_helper_work_end(void)
{
	destroy_workqueue(qnet_queue);
	qnet_queue = NULL;
}

/**
 * qnet_helper_workqueue() - tell the workqueue
 *
 * Return: it, between qnet_helper_work_begin() and qnet_helper_work_end().
 */
struct workqueue_struct *qnet_helper_workqueue(void)
{
	return qnet_queue;
}
