// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for rust/knet: inline functions and macros of the kernel, and
 * sequences that would cost several calls from Rust. Per-message work makes
 * one call here, not ten.
 */

#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <linux/wait.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <qnet.h>

#include "helpers.h"

/* --- locks and waiting --- */

/**
 * qnet_helper_spin_lock_bh() - take a lock that softirqs take too
 * @lock: the lock
 */
void qnet_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

/**
 * qnet_helper_spin_unlock_bh() - release it
 * @lock: the lock
 */
void qnet_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

/**
 * qnet_helper_local_bh_disable() - keep softirqs off this CPU
 */
void qnet_helper_local_bh_disable(void)
{
	local_bh_disable();
}

/**
 * qnet_helper_local_bh_enable() - let them run again
 */
void qnet_helper_local_bh_enable(void)
{
	local_bh_enable();
}

/**
 * qnet_helper_spin_trylock_bh() - take it if nobody has it
 * @lock: the lock
 *
 * Return: whether it was taken.
 */
int qnet_helper_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

/* A thread that waits, in the queue that it waits in. */
struct qnet_waiter {
	struct wait_queue_entry wait;
	u64 since;
};

/*
 * A function of our own, because there may be other entries in a queue, and
 * qnet_helper_waiter_at() has to tell them apart.
 */
static int qnet_wake_waiter(struct wait_queue_entry *wait, unsigned int mode,
			    int sync, void *key)
{
	return autoremove_wake_function(wait, mode, sync, key);
}

/*
 * Leaves the queue. Returns whether a waker has already taken us out, in which
 * case its wake-up is ours and must not be reported as anything else: an
 * exclusive wake-up that is dropped would be missing elsewhere. Wakers work
 * under wq->lock, so the answer is exact.
 */
static bool qnet_leave_queue(struct wait_queue_head *wq,
			     struct wait_queue_entry *wait)
{
	unsigned long flags;
	bool woken;

	__set_current_state(TASK_RUNNING);
	if (list_empty_careful(&wait->entry))
		return true;
	spin_lock_irqsave(&wq->lock, flags);
	woken = list_empty(&wait->entry);
	if (!woken)
		list_del_init(&wait->entry);
	spin_unlock_irqrestore(&wq->lock, flags);
	return woken;
}

/**
 * qnet_helper_wait() - release a lock, sleep until woken, take it again
 * @wq: the queue to wait on, exclusively and behind the others
 * @lock: held, with softirqs off; guards the condition that is waited for
 * @deadline: CLOCK_MONOTONIC nanoseconds, or QNET_WAIT_FOREVER; 0: not at all
 * @killable: only a fatal signal ends the wait
 *
 * The caller is queued before the lock is released, so that a waker who
 * changes the condition under the lock and wakes afterwards is never missed.
 *
 * Return: enum qnet_wait_result. A wake-up wins over a signal and over the
 * deadline.
 */
int qnet_helper_wait(struct wait_queue_head *wq, spinlock_t *lock, u64 deadline,
		     bool killable)
{
	/* A system that is suspended must not wait for an answer. */
	unsigned int state = killable ? TASK_KILLABLE | TASK_FREEZABLE :
					TASK_INTERRUPTIBLE;
	/* What is beyond the clock's end must not become negative. */
	ktime_t expires = ns_to_ktime(min_t(u64, deadline, KTIME_MAX));
	struct qnet_waiter waiter = { .since = ktime_get_coarse_ns() };
	bool timed_out = false;

	/* A signal that is pending does not matter to who does not wait. */
	if (!deadline)
		return QNET_WAIT_TIMED_OUT;
	init_wait_func(&waiter.wait, qnet_wake_waiter);
	prepare_to_wait_exclusive(wq, &waiter.wait, state);
	if (signal_pending_state(state, current)) {
		if (qnet_leave_queue(wq, &waiter.wait))
			return QNET_WAIT_WOKEN;
		return QNET_WAIT_SIGNAL;
	}

	spin_unlock_bh(lock);
	if (deadline == QNET_WAIT_FOREVER)
		schedule();
	else
		timed_out = !schedule_hrtimeout_range(&expires, 0,
						      HRTIMER_MODE_ABS);
	if (qnet_leave_queue(wq, &waiter.wait)) {
		timed_out = false;
	} else if (signal_pending_state(state, current)) {
		spin_lock_bh(lock);
		return QNET_WAIT_SIGNAL;
	}
	spin_lock_bh(lock);
	return timed_out ? QNET_WAIT_TIMED_OUT : QNET_WAIT_WOKEN;
}

/* Whether one of the signals has a handler. The siglock is held. */
static bool qnet_has_handler(const sigset_t *signals)
{
	int signo;

	for (signo = 1; signo <= _NSIG; signo++) {
		__sighandler_t handler;

		if (!sigismember((sigset_t *)signals, signo))
			continue;
		handler = current->sighand->action[signo - 1].sa.sa_handler;
		if (handler != SIG_DFL && handler != SIG_IGN)
			return true;
	}
	return false;
}

/**
 * qnet_helper_pending_signal() - what a pending signal will do to the caller
 *
 * A wait ends for more than signals with handlers: to stop, to be traced, to
 * be frozen, to do work for the kernel. Process context.
 *
 * Return: enum qnet_signal_kind.
 */
enum qnet_signal_kind qnet_helper_pending_signal(void)
{
	sigset_t signals;
	bool handler;

	if (!signal_pending(current))
		return QNET_SIGNAL_NONE;
	if (fatal_signal_pending(current))
		return QNET_SIGNAL_FATAL;
	spin_lock_irq(&current->sighand->siglock);
	sigorsets(&signals, &current->pending.signal,
		  &current->signal->shared_pending.signal);
	sigandnsets(&signals, &signals, &current->blocked);
	handler = qnet_has_handler(&signals);
	spin_unlock_irq(&current->sighand->siglock);
	return handler ? QNET_SIGNAL_HANDLER : QNET_SIGNAL_OTHER;
}

/*
 * The most threads of a queue that are told of: interrupts are off meanwhile,
 * and who asks needs no privilege.
 */
#define QNET_MOST_WAITERS	256

/**
 * qnet_helper_waiters() - count the threads in qnet_helper_wait()
 * @wq: the queue
 *
 * Return: how many there are, up to QNET_MOST_WAITERS.
 */
unsigned int qnet_helper_waiters(struct wait_queue_head *wq)
{
	struct wait_queue_entry *entry;
	unsigned int count = 0;
	unsigned long flags;

	spin_lock_irqsave(&wq->lock, flags);
	list_for_each_entry(entry, &wq->head, entry) {
		count += entry->func == qnet_wake_waiter;
		if (count == QNET_MOST_WAITERS)
			break;
	}
	spin_unlock_irqrestore(&wq->lock, flags);
	return count;
}

/**
 * qnet_helper_waiter_at() - tell who waits
 * @wq: the queue
 * @n: which of its threads in qnet_helper_wait()
 * @ns: the pid namespace of who asks
 * @info: filled
 *
 * A thread in the queue is alive: it leaves the queue before it goes on.
 *
 * Return: whether there is such a thread among the first QNET_MOST_WAITERS.
 */
bool qnet_helper_waiter_at(struct wait_queue_head *wq, unsigned int n,
			   struct pid_namespace *ns,
			   struct qnet_waiter_info *info)
{
	struct wait_queue_entry *entry;
	bool found = false;
	unsigned long flags;

	if (n >= QNET_MOST_WAITERS)
		return false;
	spin_lock_irqsave(&wq->lock, flags);
	list_for_each_entry(entry, &wq->head, entry) {
		if (entry->func != qnet_wake_waiter || n--)
			continue;
		info->since = container_of(entry, struct qnet_waiter,
					   wait)->since;
		info->tid = task_pid_nr_ns(entry->private, ns);
		found = true;
		break;
	}
	spin_unlock_irqrestore(&wq->lock, flags);
	return found;
}

/**
 * qnet_helper_wake_one() - wake the waiter that has waited longest, if any
 * @wq: the queue
 *
 * The wake-up is of the "sync" kind, since the one who wakes is about to
 * sleep (a client for its reply, a server for the next message).
 */
void qnet_helper_wake_one(struct wait_queue_head *wq)
{
	/* Waiters queue under the lock that the condition was changed under. */
	if (waitqueue_active(wq))
		__wake_up_sync_key(wq, TASK_NORMAL, NULL);
}

/**
 * qnet_helper_wake_all() - wake every waiter
 * @wq: the queue
 */
void qnet_helper_wake_all(struct wait_queue_head *wq)
{
	/* Waiters queue under the lock that the condition was changed under. */
	if (waitqueue_active(wq))
		wake_up_all(wq);
}

/* --- timers --- */

static enum hrtimer_restart qnet_timer_fn(struct hrtimer *timer)
{
	struct qnet_timer *t = container_of(timer, struct qnet_timer, timer);

	spin_lock(&t->lock);
	if (hrtimer_is_queued(timer)) {
		/* It was moved after it had been taken out to expire. */
		spin_unlock(&t->lock);
		return HRTIMER_NORESTART;
	}
	t->armed = false;
	spin_unlock(&t->lock);
	/* This may drop the last reference: t is not touched behind it. */
	t->expired(t->owner);
	return HRTIMER_NORESTART;
}

/**
 * qnet_helper_timer_init() - make a timer that is not armed
 * @t: its memory
 */
void qnet_helper_timer_init(struct qnet_timer *t)
{
	hrtimer_setup(&t->timer, qnet_timer_fn, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
	spin_lock_init(&t->lock);
	t->dead = false;
	t->armed = false;
	t->owner = NULL;
	t->expired = NULL;
	t->put = NULL;
}

/**
 * qnet_helper_timer_arm() - let a timer expire at a given time
 * @t: the timer; it may be armed already, or just be expiring
 * @ns: CLOCK_MONOTONIC
 * @owner: the object that holds the timer, the same at every call
 * @expired: called in softirq context with the owner's reference
 * @put: drops a reference to the owner
 *
 * The caller gives one reference to @owner. An armed timer owns one, and a
 * running @expired has another. Which of them there is cannot be told from
 * the hrtimer: while its function runs, it may be queued again or not, and
 * may or may not have got as far as to take t->lock. Therefore t->armed.
 *
 * Return: true if the caller's reference was not needed and is still its own.
 */
bool qnet_helper_timer_arm(struct qnet_timer *t, u64 ns, const void *owner,
			   void (*expired)(const void *owner),
			   void (*put)(const void *owner))
{
	ktime_t at = ns_to_ktime(min_t(u64, ns, KTIME_MAX));
	bool surplus = true;

	spin_lock_bh(&t->lock);
	if (t->dead)
		goto out;
	/* If it expires while we look, it does so at or after this look. */
	if (hrtimer_is_queued(&t->timer) &&
	    hrtimer_get_expires(&t->timer) == at)
		goto out;
	if (!t->expired) {
		t->owner = owner;
		t->expired = expired;
		t->put = put;
	}
	surplus = t->armed;
	t->armed = true;
	hrtimer_start(&t->timer, at, HRTIMER_MODE_ABS_SOFT);
out:
	spin_unlock_bh(&t->lock);
	return surplus;
}

/**
 * qnet_helper_timer_shutdown() - end a timer for good
 * @t: the timer
 *
 * Process context. When it returns, the timer is neither armed nor expiring,
 * and stays so.
 */
void qnet_helper_timer_shutdown(struct qnet_timer *t)
{
	bool was_armed;

	might_sleep();
	spin_lock_bh(&t->lock);
	t->dead = true;
	spin_unlock_bh(&t->lock);
	hrtimer_cancel(&t->timer);
	spin_lock_bh(&t->lock);
	was_armed = t->armed;
	t->armed = false;
	spin_unlock_bh(&t->lock);
	if (was_armed)
		t->put(t->owner);
}

/**
 * qnet_helper_now_ns() - tell CLOCK_MONOTONIC
 *
 * Return: nanoseconds.
 */
u64 qnet_helper_now_ns(void)
{
	return ktime_get_ns();
}

/**
 * qnet_helper_tick_ns() - tell CLOCK_MONOTONIC at the last tick
 *
 * Return: nanoseconds.
 */
u64 qnet_helper_tick_ns(void)
{
	return ktime_get_coarse_ns();
}

/* --- network namespaces --- */

/**
 * qnet_helper_pernet_slot() - find our memory in a namespace
 * @net: the namespace, which has it
 * @id: from register_pernet_subsys()
 *
 * Return: the memory.
 */
struct qnet_pernet *qnet_helper_pernet_slot(const struct net *net,
					    unsigned int id)
{
	return net_generic(net, id);
}

/**
 * qnet_helper_pernet_get() - find our object in a namespace
 * @slot: our memory there, which does not vanish during the call
 * @get: takes a reference to the object
 *
 * Return: the object with a reference, or NULL.
 */
const void *qnet_helper_pernet_get(struct qnet_pernet *slot,
				   void (*get)(const void *object))
{
	const void *object = rcu_dereference_check(slot->data, true);

	if (object)
		get(object);
	return object;
}

/**
 * qnet_helper_pernet_set() - put our object into a new namespace
 * @slot: our memory there
 * @data: the object, with a reference
 */
void qnet_helper_pernet_set(struct qnet_pernet *slot, void *data)
{
	rcu_assign_pointer(slot->data, data);
}

/**
 * qnet_helper_pernet_take() - take our object out of a namespace
 * @slot: our memory in a namespace that is ending
 *
 * Return: the object with the slot's reference.
 */
void *qnet_helper_pernet_take(struct qnet_pernet *slot)
{
	return rcu_replace_pointer(slot->data, NULL, true);
}

/* --- sockets --- */

/**
 * qnet_helper_sock_attach() - make the struct sock of a new socket
 * @net: its namespace
 * @sock: the socket, still without a struct sock
 * @family: address family
 * @proto: registered, with room for struct qnet_sock
 * @ops: the socket's operations
 * @kern: a socket of the kernel's own
 * @data: the Rust object, with a reference that the socket takes over
 *
 * Return: 0 or -ENOMEM, in which case nothing was taken over.
 */
int qnet_helper_sock_attach(struct net *net, struct socket *sock, int family,
			    struct proto *proto, const struct proto_ops *ops,
			    bool kern, void *data)
{
	struct sock *sk;

	sk = sk_alloc(net, family, GFP_KERNEL, proto, kern);
	if (!sk)
		return -ENOMEM;
	sock->state = SS_UNCONNECTED;
	sock->ops = ops;
	sock_init_data(sock, sk);
	sk->sk_rcvbuf = QNET_RCVBUF;
	container_of(sk, struct qnet_sock, sk)->data = data;
	return 0;
}

/**
 * qnet_helper_sock_detach() - separate a socket from its struct sock
 * @sock: the socket; its last file is gone, so nobody is inside a call
 *
 * Return: the Rust object with the socket's reference, NULL if there is none.
 */
void *qnet_helper_sock_detach(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct qnet_sock *qsk;
	void *data;

	if (!sk)
		return NULL;
	qsk = container_of(sk, struct qnet_sock, sk);
	data = qsk->data;
	qsk->data = NULL;
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return data;
}

/* --- network devices --- */

/**
 * qnet_helper_netdev_hold() - hold a device
 * @held: filled
 * @dev: the device, known to be there
 */
void qnet_helper_netdev_hold(struct qnet_netdev *held, struct net_device *dev)
{
	held->dev = dev;
	netdev_hold(dev, &held->tracker, GFP_ATOMIC);
}

/**
 * qnet_helper_netdev_by_name() - find and hold a device
 * @held: filled
 * @net: where to look
 * @name: closed by a NUL
 *
 * Return: whether there is one.
 */
bool qnet_helper_netdev_by_name(struct qnet_netdev *held, struct net *net,
				const char *name)
{
	held->dev = netdev_get_by_name(net, name, &held->tracker, GFP_KERNEL);
	return held->dev;
}

/**
 * qnet_helper_netdev_put() - hold it no more
 * @held: from qnet_helper_netdev_hold() or qnet_helper_netdev_by_name()
 */
void qnet_helper_netdev_put(struct qnet_netdev *held)
{
	netdev_put(held->dev, &held->tracker);
}

/**
 * qnet_helper_netdev_name() - copy a device's name
 * @dev: the device
 * @name: room for IFNAMSIZ bytes, closed by a NUL afterwards
 */
void qnet_helper_netdev_name(struct net_device *dev, char *name)
{
	strscpy_pad(name, dev->name, IFNAMSIZ);
}

/**
 * qnet_helper_netdev_mac() - copy an Ethernet device's address
 * @dev: the device
 * @mac: room for six bytes; zeros if the device has another kind of address
 */
void qnet_helper_netdev_mac(const struct net_device *dev, u8 *mac)
{
	if (dev->addr_len == ETH_ALEN)
		ether_addr_copy(mac, dev->dev_addr);
	else
		eth_zero_addr(mac);
}

/**
 * qnet_helper_netdev_ifindex() - tell a device's number
 * @dev: the device
 *
 * Return: the number, not 0.
 */
u32 qnet_helper_netdev_ifindex(const struct net_device *dev)
{
	return READ_ONCE(dev->ifindex);
}

/**
 * qnet_helper_netdev_mtu() - tell what a frame may carry
 * @dev: the device
 *
 * Return: bytes behind the link-layer header.
 */
u32 qnet_helper_netdev_mtu(const struct net_device *dev)
{
	return READ_ONCE(dev->mtu);
}

/**
 * qnet_helper_netdev_is_up() - tell whether a device runs
 * @dev: the device
 *
 * Return: whether it is there and up.
 */
bool qnet_helper_netdev_is_up(const struct net_device *dev)
{
	return netif_running(dev) && netif_device_present(dev);
}

/**
 * qnet_helper_netdev_has_carrier() - tell whether a device has a link
 * @dev: the device
 *
 * Return: whether it has.
 */
bool qnet_helper_netdev_has_carrier(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

/**
 * qnet_helper_netdev_is_ethernet() - tell whether a device takes our frames
 * @dev: the device
 *
 * Return: whether it has Ethernet headers; a loopback has another type.
 */
bool qnet_helper_netdev_is_ethernet(const struct net_device *dev)
{
	return dev->type == ARPHRD_ETHER && dev->addr_len == ETH_ALEN;
}

/**
 * qnet_helper_netdev_next() - walk the devices of a namespace; RTNL is held
 * @held: filled with the next device
 * @net: the namespace
 * @last: number of the device before; 0: begin
 *
 * Return: the next device's number, 0 if there is none.
 */
u32 qnet_helper_netdev_next(struct qnet_netdev *held, struct net *net, u32 last)
{
	unsigned long at = last;
	struct net_device *dev;

	ASSERT_RTNL();
	at++;
	dev = xa_find(&net->dev_by_index, &at, ULONG_MAX, XA_PRESENT);
	if (!dev)
		return 0;
	qnet_helper_netdev_hold(held, dev);
	return at;
}

/**
 * qnet_helper_netdev_net() - tell a device's namespace
 * @dev: the device
 *
 * Return: the namespace, without a reference.
 */
struct net *qnet_helper_netdev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

/**
 * qnet_helper_notifier_dev() - the device that a notification is about
 * @info: the notifier's argument
 *
 * Return: the device.
 */
struct net_device *qnet_helper_notifier_dev(void *info)
{
	return netdev_notifier_info_to_dev(info);
}

/* --- hashes --- */

/**
 * qnet_helper_siphash() - a hash with a secret key
 * @data: what is hashed
 * @len: bytes
 * @key0: the key
 * @key1: its other half
 *
 * Return: the hash.
 */
u64 qnet_helper_siphash(const void *data, size_t len, u64 key0, u64 key1)
{
	const siphash_key_t key = { .key = { key0, key1 } };

	return siphash(data, len, &key);
}

/* --- tasks, processes, credentials --- */

/**
 * qnet_helper_is_administrator() - whether the caller may do what root may
 *
 * Return: whether it has CAP_SYS_ADMIN in the initial user namespace.
 */
bool qnet_helper_is_administrator(void)
{
	return capable(CAP_SYS_ADMIN);
}

/**
 * qnet_helper_current_tgid() - the caller's process
 *
 * Return: the pid, with a reference.
 */
struct pid *qnet_helper_current_tgid(void)
{
	return get_pid(task_tgid(current));
}

/**
 * qnet_helper_current_thread() - the caller's thread
 *
 * Return: the pid, with a reference.
 */
struct pid *qnet_helper_current_thread(void)
{
	return get_pid(task_pid(current));
}

/**
 * qnet_helper_find_process() - find a process by its number
 * @nr: the number in the caller's pid namespace
 *
 * Return: the pid with a reference; NULL if the number is not a process's.
 */
struct pid *qnet_helper_find_process(int nr)
{
	struct pid *pid;

	rcu_read_lock();
	pid = find_vpid(nr);
	if (pid && !pid_has_task(pid, PIDTYPE_TGID))
		pid = NULL;
	pid = get_pid(pid);
	rcu_read_unlock();
	return pid;
}

/**
 * qnet_helper_get_pid() - take a reference
 * @pid: the pid
 */
void qnet_helper_get_pid(struct pid *pid)
{
	get_pid(pid);
}

/**
 * qnet_helper_pid_alive() - tell whether a process still has a thread
 * @pid: the pid
 *
 * The first thread may end before the others. One that has ended and waits for
 * its parent has none.
 *
 * Return: whether it has.
 */
bool qnet_helper_pid_alive(struct pid *pid)
{
	struct task_struct *task;

	guard(rcu)();
	task = pid_task(pid, PIDTYPE_TGID);
	return task && (!task->exit_state || delay_group_leader(task));
}

/**
 * qnet_helper_pid_number() - tell a pid's number in the initial namespace
 * @pid: the pid
 *
 * Return: the number, which no other process has while this one lives.
 */
int qnet_helper_pid_number(struct pid *pid)
{
	return pid_nr(pid);
}

/**
 * qnet_helper_pid_is_in() - tell whether a process was made in a namespace
 * @pid: the pid
 * @ns: the namespace
 *
 * Return: whether it was, so that its threads call themselves by their numbers
 * there.
 */
bool qnet_helper_pid_is_in(const struct pid *pid,
			   const struct pid_namespace *ns)
{
	return pid->numbers[pid->level].ns == ns;
}

/**
 * qnet_helper_pid_is_in_current() - the same for the caller's own namespace
 * @pid: the pid
 *
 * Return: whether it was made there.
 */
bool qnet_helper_pid_is_in_current(const struct pid *pid)
{
	return qnet_helper_pid_is_in(pid, task_active_pid_ns(current));
}

/**
 * qnet_helper_pid_is_init() - tell whether a process is the first of a namespace
 * @pid: the pid
 *
 * Return: whether it is the first process of the one that it was made in.
 */
bool qnet_helper_pid_is_init(struct pid *pid)
{
	return is_child_reaper(pid);
}

/**
 * qnet_helper_is_current_tgid() - tell whether a process is the caller's
 * @pid: the pid
 *
 * Return: whether it is.
 */
bool qnet_helper_is_current_tgid(const struct pid *pid)
{
	return pid == task_tgid(current);
}

/**
 * qnet_helper_current_pid_ns() - the caller's pid namespace
 *
 * Return: the namespace, with a reference.
 */
struct pid_namespace *qnet_helper_current_pid_ns(void)
{
	return get_pid_ns(task_active_pid_ns(current));
}

/**
 * qnet_helper_get_pid_ns() - take a reference
 * @ns: the namespace
 */
void qnet_helper_get_pid_ns(struct pid_namespace *ns)
{
	get_pid_ns(ns);
}

/**
 * qnet_helper_put_pid_ns() - drop a reference
 * @ns: the namespace
 */
void qnet_helper_put_pid_ns(struct pid_namespace *ns)
{
	put_pid_ns(ns);
}

/**
 * qnet_helper_current_tid() - the caller's thread
 *
 * Return: its number in its own pid namespace.
 */
int qnet_helper_current_tid(void)
{
	return task_pid_vnr(current);
}

/**
 * qnet_helper_hostname() - copy the host's name
 * @to: where to, without a NUL
 * @len: room
 *
 * Return: how many bytes were copied.
 */
size_t qnet_helper_hostname(u8 *to, size_t len)
{
	char name[__NEW_UTS_LEN + 1];

	/* The lock of the names is not for modules: a copy made during a change is mixed. */
	memcpy(name, utsname()->nodename, sizeof(name));
	name[__NEW_UTS_LEN] = '\0';
	len = min(len, strlen(name));
	memcpy(to, name, len);
	return len;
}

/* --- user memory --- */

/**
 * qnet_helper_from_user() - copy from the caller's memory
 * @to: where to
 * @base: address in user space
 * @len: bytes
 *
 * Return: whether all of it was there.
 */
bool qnet_helper_from_user(void *to, u64 base, size_t len)
{
	return !copy_from_user(to, u64_to_user_ptr(base), len);
}

/**
 * qnet_helper_to_user() - copy to the caller's memory
 * @base: address in user space
 * @from: where from
 * @len: bytes
 *
 * Return: whether all of it was there.
 */
bool qnet_helper_to_user(u64 base, const void *from, size_t len)
{
	return !copy_to_user(u64_to_user_ptr(base), from, len);
}
