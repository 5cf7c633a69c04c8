/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C side of rust/knet: prototypes and the structures that C and Rust
 * share. Each function is described where it is defined.
 */
#ifndef _QNET_HELPERS_H
#define _QNET_HELPERS_H

#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/sock.h>

struct cred;
struct pid;
struct pid_namespace;
struct seq_file;
struct user_namespace;

/* --- locks and waiting --- */

enum qnet_wait_result {
	QNET_WAIT_WOKEN,
	QNET_WAIT_TIMED_OUT,
	QNET_WAIT_SIGNAL,
};

/* A deadline that never comes. */
#define QNET_WAIT_FOREVER	0xffffffffffffffffULL

/**
 * struct qnet_waiter_info - a thread that waits
 * @since: CLOCK_MONOTONIC nanoseconds, exact to a tick
 * @tid: in the pid namespace of who asked; 0: it has no number there
 */
struct qnet_waiter_info {
	u64 since;
	int tid;
};

void qnet_helper_spin_lock_bh(spinlock_t *lock);
void qnet_helper_spin_unlock_bh(spinlock_t *lock);
int qnet_helper_spin_trylock_bh(spinlock_t *lock);
void qnet_helper_local_bh_disable(void);
void qnet_helper_local_bh_enable(void);
int qnet_helper_wait(struct wait_queue_head *wq, spinlock_t *lock, u64 deadline,
		     bool killable);

/* What a pending signal will do to the calling thread. */
enum qnet_signal_kind {
	QNET_SIGNAL_NONE,
	QNET_SIGNAL_HANDLER,	/* run a handler of the program's */
	QNET_SIGNAL_OTHER,	/* something that the program does not see */
	QNET_SIGNAL_FATAL,	/* end it */
};

enum qnet_signal_kind qnet_helper_pending_signal(void);
u64 qnet_helper_siphash(const void *data, size_t len, u64 key0, u64 key1);
bool qnet_helper_is_administrator(void);
int qnet_helper_may_signal(struct pid *process);
int qnet_helper_send_signal(struct pid *process, int tid, int signo, int code,
			    s64 value, bool caller);
unsigned int qnet_helper_waiters(struct wait_queue_head *wq);
bool qnet_helper_waiter_at(struct wait_queue_head *wq, unsigned int n,
			   struct pid_namespace *ns,
			   struct qnet_waiter_info *info);
void qnet_helper_wake_one(struct wait_queue_head *wq);
void qnet_helper_wake_all(struct wait_queue_head *wq);

/* --- timers --- */

/**
 * struct qnet_timer - a timer that keeps its owner alive while it is armed
 * @timer: soft, CLOCK_MONOTONIC, absolute
 * @lock: serialises arming, expiring and shutting down
 * @dead: arming does nothing any more
 * @armed: the timer owns a reference to its owner
 * @owner: the argument of @expired and @put; set by the first arming
 * @expired: called when the time has come; takes over the reference
 * @put: drops one reference to the owner
 */
struct qnet_timer {
	struct hrtimer timer;
	/* Serialises arming, expiring and shutting down. */
	spinlock_t lock;
	bool dead;
	bool armed;
	const void *owner;
	void (*expired)(const void *owner);
	void (*put)(const void *owner);
};

void qnet_helper_timer_init(struct qnet_timer *t);
bool qnet_helper_timer_arm(struct qnet_timer *t, u64 ns, const void *owner,
			   void (*expired)(const void *owner),
			   void (*put)(const void *owner));
void qnet_helper_timer_shutdown(struct qnet_timer *t);
u64 qnet_helper_now_ns(void);
u64 qnet_helper_tick_ns(void);

/* --- network namespaces --- */

/**
 * struct qnet_pernet - our memory in each namespace
 * @data: what can be found in it; NULL while the namespace comes and goes
 * @home: from init to pre_exit, what tells @data where it is
 */
struct qnet_pernet {
	void __rcu *data;
	const void *home;
};

struct qnet_pernet *qnet_helper_pernet_slot(const struct net *net,
					    unsigned int id);
const void *qnet_helper_pernet_get(struct qnet_pernet *slot,
				   void (*get)(const void *object));
void qnet_helper_pernet_set(struct qnet_pernet *slot, void *data);
void *qnet_helper_pernet_take(struct qnet_pernet *slot);

/* --- sockets --- */

/**
 * struct qnet_sock - our socket
 * @sk: never touched from Rust
 * @data: one reference to the Rust object; NULL before and after its life
 */
struct qnet_sock {
	struct sock sk;
	void *data;
};

int qnet_helper_sock_attach(struct net *net, struct socket *sock, int family,
			    struct proto *proto, const struct proto_ops *ops,
			    bool kern, void *data);
void *qnet_helper_sock_detach(struct socket *sock);

/**
 * enum qnet_poll - what may be done with a socket
 * @QNET_POLL_IN: receive
 * @QNET_POLL_OUT: send
 * @QNET_POLL_HUP: nothing any more
 */
enum qnet_poll {
	QNET_POLL_IN = 1,
	QNET_POLL_OUT = 2,
	QNET_POLL_HUP = 4,
};

struct qnet_iov;

unsigned int qnet_helper_msg_part_count(const struct msghdr *msg);
void qnet_helper_msg_parts(const struct msghdr *msg, struct qnet_iov *parts);
int qnet_helper_msg_control(struct msghdr *msg, int type, void *to, size_t size);
bool qnet_helper_msg_has_room(const struct msghdr *msg, size_t size);
int qnet_helper_msg_put(struct msghdr *msg, int type, void *data, int size);
unsigned int qnet_helper_msg_flags(const struct msghdr *msg);
void qnet_helper_msg_truncated(struct msghdr *msg);
bool qnet_helper_msg_has_name(const struct msghdr *msg);
u64 qnet_helper_sock_wait_ns(struct socket *sock, bool sends, unsigned int flags);
void qnet_helper_sock_poll(struct file *file, struct socket *sock,
			   struct poll_table_struct *table);
unsigned int qnet_helper_poll_mask(unsigned int what);
void qnet_helper_sock_ring(struct sock *sk, unsigned int what);
struct sock *qnet_helper_sock_hold(struct socket *sock);
void qnet_helper_sock_get(struct sock *sk);
void qnet_helper_sock_put(struct sock *sk);
unsigned int qnet_helper_sock_rcvbuf(const struct sock *sk);
void qnet_helper_sock_set_peer(struct sock *sk, struct pid *pid,
			       const struct cred *cred);

/* --- work --- */

int qnet_helper_work_begin(void);
void qnet_helper_work_end(void);
struct workqueue_struct *qnet_helper_workqueue(bool waits);

/* --- network devices --- */

/**
 * struct qnet_netdev - a held network device
 * @dev: the device
 * @tracker: who holds it, for the debug kernel
 */
struct qnet_netdev {
	struct net_device *dev;
	netdevice_tracker tracker;
};

void qnet_helper_netdev_hold(struct qnet_netdev *held, struct net_device *dev);
bool qnet_helper_netdev_by_name(struct qnet_netdev *held, struct net *net,
				const char *name);
void qnet_helper_netdev_put(struct qnet_netdev *held);
void qnet_helper_netdev_name(struct net_device *dev, char *name);
void qnet_helper_netdev_mac(const struct net_device *dev, u8 *mac);
u32 qnet_helper_netdev_ifindex(const struct net_device *dev);
u32 qnet_helper_netdev_mtu(const struct net_device *dev);
bool qnet_helper_netdev_is_up(const struct net_device *dev);
bool qnet_helper_netdev_has_carrier(const struct net_device *dev);
bool qnet_helper_netdev_is_ethernet(const struct net_device *dev);
u32 qnet_helper_netdev_next(struct qnet_netdev *held, struct net *net,
			    u32 last);
struct net *qnet_helper_netdev_net(const struct net_device *dev);
struct net_device *qnet_helper_notifier_dev(void *info);

/* --- socket buffers (skb.c) --- */

/**
 * struct qnet_rx - what the Ethernet header said
 * @src: who sent the frame
 * @unicast: it was sent to us alone
 */
struct qnet_rx {
	u8 src[6];
	bool unicast;
};

struct sk_buff *qnet_helper_rx_begin(struct sk_buff *skb,
				     const struct net_device *dev,
				     struct qnet_rx *rx);
struct sk_buff *qnet_helper_rx_copy(struct sk_buff *skb);
struct sk_buff *qnet_helper_rx_join_begin(void);
void qnet_helper_rx_join_add(struct sk_buff *whole, struct sk_buff *last,
			     struct sk_buff *part);
bool qnet_helper_skb_may_pull(struct sk_buff *skb, unsigned int len);
void qnet_helper_skb_skip(struct sk_buff *skb, unsigned int len);
bool qnet_helper_skb_trim(struct sk_buff *skb, unsigned int len);
u32 qnet_helper_skb_crc32_be(const struct sk_buff *skb, u32 seed, u32 from,
			     u32 to);
bool qnet_helper_skb_to_user(const struct sk_buff *skb, int offset, u64 base,
			     size_t len);
bool qnet_helper_skb_to_buf(const struct sk_buff *skb, int offset, void *to,
			    int len);
struct sk_buff *qnet_helper_tx_alloc(unsigned int len, bool sleep);
unsigned int qnet_helper_skb_room(const struct sk_buff *skb);
void *qnet_helper_skb_put_zero(struct sk_buff *skb, unsigned int len);
bool qnet_helper_skb_writable(const struct sk_buff *skb);
struct sk_buff *qnet_helper_tx_clone(struct sk_buff *skb);
int qnet_helper_tx_transmit(struct sk_buff *skb, struct net_device *dev,
			    const u8 *dst, u16 ethertype);
bool qnet_helper_is_tapped(struct net *net);
void qnet_helper_tx_show(struct sk_buff *skb, struct net *net, u16 ethertype);
struct sk_buff *qnet_helper_test_skb(unsigned int linear, unsigned int paged);
struct sk_buff *qnet_helper_test_clone(struct sk_buff *skb);
struct sk_buff *qnet_helper_test_arrived(struct net_device *dev, u8 pkt_type,
					 bool ethernet);
bool qnet_helper_test_loopback_up(struct net *net);

/* --- pages with the data of a message (pages.c) --- */

struct qnet_pages;

/* More than a message of 64 KiB with its head needs. */
#define QNET_PAGES_MAX		0x20000

/* The largest allocation that is tried for them: 32 KiB. */
#define QNET_PAGES_ORDER	3

struct qnet_pages *qnet_helper_pages_alloc(u32 len, bool sleep,
					   unsigned int max_order);
void qnet_helper_pages_write(struct qnet_pages *p, u32 at, const void *from,
			     u32 len);
bool qnet_helper_pages_from_user(struct qnet_pages *p, u32 at, u64 base,
				 u32 len);
bool qnet_helper_pages_from_skb(struct qnet_pages *p, const struct sk_buff *skb,
				u32 offset);
int qnet_helper_pages_pin_begin(struct qnet_pages **pages, u32 len,
				u32 capacity);
int qnet_helper_pages_pin(struct qnet_pages *p, u64 base, u32 len);
void qnet_helper_pages_get(struct qnet_pages *p);
void qnet_helper_pages_put(struct qnet_pages *p);
bool qnet_helper_pages_unused(const struct qnet_pages *p);
int qnet_helper_pages_wait(struct qnet_pages *p, u32 ms);
bool qnet_helper_pages_copied(const struct qnet_pages *p);
bool qnet_helper_pages_attach(struct sk_buff *skb, struct qnet_pages *p,
			      u32 offset, u32 len);
struct sk_buff *qnet_helper_tx_with_pages(const void *head, u32 head_len,
					  struct qnet_pages *p, u32 offset,
					  u32 len, bool *copied);
#if IS_ENABLED(CONFIG_KUNIT)
u64 qnet_helper_test_user_memory(size_t len);
u32 qnet_helper_test_pages_pieces(const struct qnet_pages *p);
#endif

/* --- tasks and processes --- */

struct pid *qnet_helper_current_tgid(void);
struct pid *qnet_helper_current_thread(void);
struct pid *qnet_helper_find_process(int nr);
bool qnet_helper_pid_alive(struct pid *pid);
int qnet_helper_pid_number(struct pid *pid);
bool qnet_helper_pid_is_in_current(const struct pid *pid);
bool qnet_helper_pid_is_init(struct pid *pid);
bool qnet_helper_pid_is_in(const struct pid *pid,
			   const struct pid_namespace *ns);
bool qnet_helper_is_current_tgid(const struct pid *pid);
struct pid_namespace *qnet_helper_current_pid_ns(void);
void qnet_helper_get_pid_ns(struct pid_namespace *ns);
void qnet_helper_put_pid_ns(struct pid_namespace *ns);
void qnet_helper_get_pid(struct pid *pid);
int qnet_helper_current_tid(void);
size_t qnet_helper_hostname(u8 *to, size_t len);

/* --- credentials (cred.c) --- */

/**
 * struct qnet_ids - who somebody is, in numbers of the initial user namespace
 * @ruid: real user
 * @euid: effective user
 * @suid: saved user
 * @rgid: real group
 * @egid: effective group
 * @sgid: saved group
 */
struct qnet_ids {
	u32 ruid;
	u32 euid;
	u32 suid;
	u32 rgid;
	u32 egid;
	u32 sgid;
};

/* The capabilities that are asked for. */
enum qnet_capability {
	QNET_MAY_CHOWN,
	QNET_MAY_CONNECT,
	QNET_MAY_EXCEED,
};

const struct cred *qnet_helper_current_cred(void);
const struct cred *qnet_helper_process_cred(struct pid *pid);
bool qnet_helper_is_current_cred(const struct cred *cred);
void qnet_helper_get_cred(const struct cred *cred);
void qnet_helper_put_cred(const struct cred *cred);
void qnet_helper_cred_ids(const struct cred *cred, struct qnet_ids *ids);
u32 qnet_helper_cred_groups(const struct cred *cred, u32 from, u32 *groups,
			    u32 room);
bool qnet_helper_cred_is_within(const struct cred *cred,
				struct user_namespace *ns);
bool qnet_helper_current_in_group(u32 gid);
struct user_namespace *qnet_helper_net_user_ns(const struct net *net);
struct user_namespace *qnet_helper_current_user_ns(void);
void qnet_helper_get_user_ns(struct user_namespace *ns);
void qnet_helper_put_user_ns(struct user_namespace *ns);
u32 qnet_helper_uid_from(struct user_namespace *ns, u32 number);
u32 qnet_helper_gid_from(struct user_namespace *ns, u32 number);
u32 qnet_helper_uid_number(struct user_namespace *ns, u32 uid);
u32 qnet_helper_gid_number(struct user_namespace *ns, u32 gid);
bool qnet_helper_user_ns_has(struct user_namespace *ns, u32 uid, u32 gid);
bool qnet_helper_may(struct user_namespace *ns, enum qnet_capability what);
int qnet_helper_process_session(struct pid *pid, struct pid_namespace *ns);

/* --- how threads are scheduled (priority.c) --- */

/**
 * struct qnet_sched - how a thread is scheduled
 * @policy: SCHED_*
 * @rt_priority: 1 to 99 in real time, else 0
 * @nice: -20 to 19; without effect in real time
 * @reserved: 0
 * @slack: how late its timers may be, in nanoseconds; 0 in real time
 */
struct qnet_sched {
	u32 policy;
	u32 rt_priority;
	s32 nice;
	u32 reserved;
	u64 slack;
};

struct task_struct *qnet_helper_current_task(void);
void qnet_helper_get_task(struct task_struct *task);
void qnet_helper_put_task(struct task_struct *task);
bool qnet_helper_is_current_task(const struct task_struct *task);
bool qnet_helper_task_is_dead(const struct task_struct *task);
void qnet_helper_sched_get(struct task_struct *task, struct qnet_sched *s);
int qnet_helper_sched_set(struct task_struct *task, const struct qnet_sched *s);
int qnet_helper_current_effective(void);
int qnet_helper_current_own(void);
u32 qnet_helper_rlimit_rtprio(void);
s32 qnet_helper_rlimit_nice(void);
bool qnet_helper_may_raise(void);

/* --- the death of processes (death.c) --- */

/**
 * struct qnet_death - notice of a process's death
 * @wait: in the queue of @pid while the process lives
 * @work: calls @died
 * @lock: serialises the first starting with stopping
 * @stopped: it is not to be started any more; under @lock without a @pid, and
 *	under its queue's lock with one
 * @pid: the process, with a reference; set once
 * @owner: the argument of @died and @put
 * @died: called when the process is dead; takes over the reference
 * @put: drops one reference to the owner
 *
 * While the process is watched, it owns a reference to its owner.
 */
struct qnet_death {
	struct wait_queue_entry wait;
	struct work_struct work;
	/* Serialises the first starting with stopping. */
	spinlock_t lock;
	bool stopped;
	struct pid *pid;
	const void *owner;
	void (*died)(const void *owner);
	void (*put)(const void *owner);
};

void qnet_helper_death_init(struct qnet_death *d);
void qnet_helper_death_destroy(struct qnet_death *d);
int qnet_helper_death_start(struct qnet_death *d, struct pid *pid,
			    const void *owner,
			    void (*died)(const void *owner),
			    void (*put)(const void *owner));
void qnet_helper_death_stop(struct qnet_death *d);
int qnet_helper_death_begin(void);
void qnet_helper_death_end(void);
struct pid *qnet_helper_test_process(unsigned int ms);

/* --- user memory --- */

bool qnet_helper_from_user(void *to, u64 base, size_t len);
bool qnet_helper_to_user(u64 base, const void *from, size_t len);

/* --- proc files (proc.c) --- */

typedef int (*qnet_show_t)(struct net *net, struct seq_file *m);

int qnet_helper_proc_top(const char *name, qnet_show_t show);
void qnet_helper_proc_top_remove(const char *name);
int qnet_helper_proc_net(const char *name, qnet_show_t show);
void qnet_helper_proc_net_remove(void);

/* --- generic netlink (genl.c) --- */

/**
 * struct qnet_genl_option - one row of QNET_CMD_OPTION_GET
 * @name: closed by a NUL
 * @value: closed by a NUL
 */
struct qnet_genl_option {
	char name[32];
	char value[512];
};

/**
 * struct qnet_genl_link - one row of QNET_CMD_LINK_GET
 * @ifname: closed by a NUL
 * @ifindex: 0 if there is no such interface
 * @mtu: in bytes
 * @state: enum qnet_link_state
 * @mac: hardware address
 */
struct qnet_genl_link {
	char ifname[16];
	u32 ifindex;
	u32 mtu;
	u32 state;
	u8 mac[6];
};

/**
 * struct qnet_genl_node - one row of QNET_CMD_NODE_GET
 * @nd: 0 for this node
 * @state: enum qnet_node_state
 * @age_ms: milliseconds since it was last heard
 * @name: closed by a NUL
 * @domain: closed by a NUL, may be empty
 * @ifname: closed by a NUL, may be empty
 * @mac: hardware address
 */
struct qnet_genl_node {
	u32 nd;
	u32 state;
	u64 age_ms;
	char name[64];
	char domain[256];
	char ifname[16];
	u8 mac[6];
};

/**
 * struct qnet_genl_channel - one row of QNET_CMD_CHANNEL_GET
 * @pid: its process, in the reader's pid namespace
 * @chid: its number
 * @flags: QNET_CHF_*
 * @messages: messages that wait to be received
 * @pulses: pulses that wait to be received
 * @waiting: threads that wait for one
 */
struct qnet_genl_channel {
	s32 pid;
	s32 chid;
	u32 flags;
	u32 messages;
	u32 pulses;
	u32 waiting;
};

/**
 * struct qnet_genl_blocked - one row of QNET_CMD_BLOCKED_GET
 * @age_ms: milliseconds since it is blocked
 * @bytes: length of its message
 * @state: enum qnet_blocked_state
 * @client_nd: the node of the thread
 * @client_pid: its process
 * @tid: the thread
 * @coid: its name for the connection
 * @nd: the node of the server
 * @pid: its process
 * @chid: its channel
 */
struct qnet_genl_blocked {
	u64 age_ms;
	u64 bytes;
	u32 state;
	u32 client_nd;
	s32 client_pid;
	s32 tid;
	s32 coid;
	u32 nd;
	s32 pid;
	s32 chid;
};

/**
 * struct qnet_genl_place - where a dump goes on; zero where it begins
 * @process: by number in the initial pid namespace
 * @chid: its channel
 * @at: a place there
 */
struct qnet_genl_place {
	s32 process;
	s32 chid;
	u64 at;
};

/**
 * struct qnet_genl_event - what QNET_CMD_EVENT tells
 * @type: enum qnet_event_type
 * @reason: enum qnet_end_reason, of a session that has ended
 * @nd: of a node or a session
 * @ifindex: of a link
 * @ifname: of a link, closed by a NUL
 * @name: of a node or a session, closed by a NUL; empty: it is a link's
 * @domain: closed by a NUL, may be empty
 */
struct qnet_genl_event {
	u32 type;
	u32 reason;
	u32 nd;
	u32 ifindex;
	char ifname[16];
	char name[64];
	char domain[256];
};

/**
 * struct qnet_genl_ops - what the commands of the family do
 * @userns: whether the owner of a network namespace may configure its node
 * @set_option: name and value, not closed by a NUL
 * @bind: binds an interface by name
 * @unbind: unbinds it
 * @option_at: fills the row with this index; 0: there is none
 * @link_at: likewise
 * @node_at: fills the first row at or behind the position and moves the
 *	position behind it; 0: there is none
 * @channel_at: likewise, for the reader who is the caller
 * @blocked_at: likewise
 */
struct qnet_genl_ops {
	bool (*userns)(void);
	int (*set_option)(struct net *net, const u8 *name, size_t name_len,
			  const u8 *value, size_t value_len);
	int (*bind)(struct net *net, const u8 *name, size_t len);
	int (*unbind)(struct net *net, const u8 *name, size_t len);
	int (*option_at)(struct net *net, size_t at,
			 struct qnet_genl_option *row);
	int (*link_at)(struct net *net, size_t at, struct qnet_genl_link *row);
	int (*node_at)(struct net *net, u32 *at, struct qnet_genl_node *row);
	int (*channel_at)(struct net *net, struct qnet_genl_place *place,
			  struct qnet_genl_channel *row);
	int (*blocked_at)(struct net *net, struct qnet_genl_place *place,
			  struct qnet_genl_blocked *row);
};

int qnet_helper_genl_register(const struct qnet_genl_ops *ops);
void qnet_helper_genl_unregister(void);
bool qnet_helper_genl_heard(struct net *net);
void qnet_helper_genl_event(struct net *net,
			    const struct qnet_genl_event *event);

/* --- module parameters that are strings (param.c) --- */

const char *qnet_helper_param_bind(void);
const char *qnet_helper_param_host(void);
const char *qnet_helper_param_remote(void);
u16 qnet_helper_param_family(void);
bool qnet_helper_param_userns(void);

#endif /* _QNET_HELPERS_H */
