// SPDX-License-Identifier: GPL-2.0
/*
 * Files below /proc for rust/knet/proc.rs: one that shows the opener's
 * network namespace, and one in each namespace's /proc/net.
 */

#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <net/net_namespace.h>

#include "helpers.h"

/* What an open top-level file remembers. */
struct qnet_proc_open {
	struct net *net;
	qnet_show_t show;
};

static int qnet_proc_top_show(struct seq_file *m, void *unused)
{
	struct qnet_proc_open *o = m->private;

	return o->show(o->net, m);
}

static int qnet_proc_top_open(struct inode *inode, struct file *file)
{
	struct qnet_proc_open *o;
	int rc;

	o = kmalloc_obj(*o, GFP_KERNEL_ACCOUNT);
	if (!o)
		return -ENOMEM;
	o->net = get_net(current->nsproxy->net_ns);
	o->show = (qnet_show_t)pde_data(inode);
	rc = single_open(file, qnet_proc_top_show, o);
	if (rc) {
		put_net(o->net);
		kfree(o);
	}
	return rc;
}

static int qnet_proc_top_release(struct inode *inode, struct file *file)
{
	struct qnet_proc_open *o = ((struct seq_file *)file->private_data)->private;
	int rc = single_release(inode, file);

	put_net(o->net);
	kfree(o);
	return rc;
}

static const struct proc_ops qnet_proc_top_ops = {
	.proc_open	= qnet_proc_top_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_release	= qnet_proc_top_release,
};

/**
 * qnet_helper_proc_top() - make a file in /proc
 * @name: its name
 * @show: prints it, for the namespace of whoever opened it
 *
 * Return: 0 or -ENOMEM.
 */
int qnet_helper_proc_top(const char *name, qnet_show_t show)
{
	if (!proc_create_data(name, 0444, NULL, &qnet_proc_top_ops, show))
		return -ENOMEM;
	return 0;
}

/**
 * qnet_helper_proc_top_remove() - remove it; waits for readers
 * @name: its name
 */
void qnet_helper_proc_top_remove(const char *name)
{
	remove_proc_entry(name, NULL);
}

/* The file in each namespace; set while qnet_proc_net_ops is registered. */
static const char *qnet_proc_net_name;
static qnet_show_t qnet_proc_net_show_fn;

static int qnet_proc_net_show(struct seq_file *m, void *unused)
{
	return qnet_proc_net_show_fn(seq_file_single_net(m), m);
}

static int __net_init qnet_proc_net_init(struct net *net)
{
	if (!proc_create_net_single(qnet_proc_net_name, 0444, net->proc_net,
				    qnet_proc_net_show, NULL))
		return -ENOMEM;
	return 0;
}

static void __net_exit qnet_proc_net_exit(struct net *net)
{
	remove_proc_entry(qnet_proc_net_name, net->proc_net);
}

static struct pernet_operations qnet_proc_net_ops = {
	.init = qnet_proc_net_init,
	.exit = qnet_proc_net_exit,
};

/**
 * qnet_helper_proc_net() - make a file in each namespace's /proc/net
 * @name: its name
 * @show: prints it
 *
 * Return: 0 or a negative errno.
 */
int qnet_helper_proc_net(const char *name, qnet_show_t show)
{
	int rc;

	if (qnet_proc_net_name)
		return -EBUSY;
	qnet_proc_net_name = name;
	qnet_proc_net_show_fn = show;
	rc = register_pernet_subsys(&qnet_proc_net_ops);
	if (rc)
		qnet_proc_net_name = NULL;
	return rc;
}

/**
 * qnet_helper_proc_net_remove() - remove it everywhere; waits for readers
 */
void qnet_helper_proc_net_remove(void)
{
	unregister_pernet_subsys(&qnet_proc_net_ops);
	qnet_proc_net_name = NULL;
}
