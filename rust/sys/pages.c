// SPDX-License-Identifier: GPL-2.0
/*
 * Pages with the data of a message, for rust/knet/pages.rs: our own, filled
 * once, or the program's, which frames refer to.
 *
 * Why nothing of this can harm the kernel: our own pages are written before
 * the first frame refers to them and never after. A program may write to its
 * pages while they are on their way; then it sends other bytes than it meant
 * to, and nothing else happens, because no length, offset or header is ever
 * read from them. Nothing that is kept here (a CRC) may be computed from them,
 * either; see TxPages::pinned().
 */

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/test.h>
#include <linux/mman.h>
#endif

#include "helpers.h"

/* Pages of the program that are looked up at a time. */
#define QNET_PIN_BATCH	16

/**
 * struct qnet_pages - data in pages, in order
 * @ubuf: what a frame knows of pinned pages. Its count is of all who hold this
 *	structure: Rust, and of pinned pages each frame that refers to them.
 * @mmp: what was charged to the program's user
 * @pinned: the pages are the program's
 * @copied: the stack had to copy a frame that referred to pinned pages
 * @len: bytes in all pieces; while pages are being pinned, so far
 * @count: used pieces
 * @capacity: pieces there is room for
 * @vec: pieces: first page of the folio, offset from there, bytes. Within one
 *	folio, so that one reference to it holds the piece.
 */
struct qnet_pages {
	struct ubuf_info ubuf;
	struct mmpin mmp;
	bool pinned;
	bool copied;
	u32 len;
	u32 count;
	u32 capacity;
	struct bio_vec vec[] __counted_by(capacity);
};

static struct qnet_pages *qnet_pages_new(u32 capacity, gfp_t gfp)
{
	struct qnet_pages *p = kzalloc_flex(*p, vec, capacity, gfp);

	if (!p)
		return NULL;
	p->capacity = capacity;
	refcount_set(&p->ubuf.refcnt, 1);
	return p;
}

static void qnet_pages_free(struct qnet_pages *p)
{
	bool pinned = p->pinned;
	u32 i;

	for (i = 0; i < p->count; i++) {
		struct bio_vec *v = &p->vec[i];

		/* A piece was pinned page by page: see qnet_pages_pinned(). */
		if (pinned)
			unpin_user_folio(page_folio(v->bv_page),
					 DIV_ROUND_UP(offset_in_page(v->bv_offset) +
						      v->bv_len, PAGE_SIZE));
		else
			put_page(v->bv_page);
	}
	if (pinned)
		mm_unaccount_pinned_pages(&p->mmp);
	kfree(p);
	if (pinned)
		module_put(THIS_MODULE);
}

/**
 * qnet_helper_pages_put() - drop a reference
 * @p: the pages
 *
 * Wakes who waits to be the last that holds them. Any context but hardirq.
 */
void qnet_helper_pages_put(struct qnet_pages *p)
{
	int old;

	if (__refcount_dec_and_test(&p->ubuf.refcnt, &old)) {
		qnet_pages_free(p);
	} else if (old == 2) {
		/*
		 * Whoever is left may free @p at any time. Only its address is
		 * used from here on, as a name; the barrier puts the count
		 * before the look at who waits.
		 */
		smp_mb();
		wake_up_var(p);
	}
}

/**
 * qnet_helper_pages_get() - take one more reference
 * @p: the pages
 */
void qnet_helper_pages_get(struct qnet_pages *p)
{
	refcount_inc(&p->ubuf.refcnt);
}

/*
 * A frame does not refer to pinned pages any more. This may be the last thing
 * that runs in the module (a killed thread does not wait, its socket is
 * closed), so the module is held by the pages, and let go within an RCU read
 * section: the kernel waits for all of those before it frees the module's
 * code. The same is relied on by vhost_net for its callback.
 */
static void qnet_pages_complete(struct sk_buff *skb, struct ubuf_info *ubuf,
				bool zerocopy)
{
	struct qnet_pages *p = container_of(ubuf, struct qnet_pages, ubuf);

	rcu_read_lock();
	if (skb && !zerocopy)
		WRITE_ONCE(p->copied, true);
	qnet_helper_pages_put(p);
	rcu_read_unlock();
}

static const struct ubuf_info_ops qnet_pages_ubuf_ops = {
	.complete = qnet_pages_complete,
};

/**
 * qnet_helper_pages_alloc() - allocate pages for data
 * @len: bytes, at most QNET_PAGES_MAX
 * @sleep: the caller may sleep for memory; it is charged to its memory cgroup
 * @max_order: the largest allocation to try; QNET_PAGES_ORDER but in tests
 *
 * The pages hold anything until they are written.
 *
 * Return: the pages, with one reference; or NULL.
 */
struct qnet_pages *qnet_helper_pages_alloc(u32 len, bool sleep,
					   unsigned int max_order)
{
	/*
	 * No reserve for emergencies is touched: a frame that refers to such
	 * pages would be dropped by whoever receives it on this machine.
	 */
	gfp_t one = (sleep ? GFP_KERNEL_ACCOUNT : GFP_ATOMIC) | __GFP_NOMEMALLOC;
	/* Several in a row are good to have, and not worth any effort. */
	gfp_t many = (one & ~(__GFP_DIRECT_RECLAIM | __GFP_HIGH)) |
		     __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY;
	struct qnet_pages *p;
	unsigned int order;
	u32 left = len;

	if (!sleep)
		one |= __GFP_NOWARN;
	p = qnet_pages_new(DIV_ROUND_UP(len, PAGE_SIZE),
			   one & ~__GFP_NOMEMALLOC);
	if (!p)
		return NULL;
	p->len = len;
	order = max_order;
	while (left) {
		struct page *page;

		/* Not more than the data fill: 28 KiB are 16, 8 and 4. */
		order = min_t(unsigned int, order,
			      ilog2(DIV_ROUND_UP(left, PAGE_SIZE)));
		page = alloc_pages(order ? many : one, order);
		if (!page) {
			if (order--)
				continue;
			qnet_pages_free(p);
			return NULL;
		}
		bvec_set_page(&p->vec[p->count++], page,
			      min_t(u32, left, PAGE_SIZE << order), 0);
		left -= p->vec[p->count - 1].bv_len;
	}
	return p;
}

/* The piece that byte @at is in; @at becomes the offset within it. */
static u32 qnet_pages_find(const struct qnet_pages *p, u32 *at)
{
	u32 i;

	for (i = 0; i < p->count && *at >= p->vec[i].bv_len; i++)
		*at -= p->vec[i].bv_len;
	return i;
}

/*
 * The next bytes of our own pages, from byte @at on: as many as are in one
 * piece, at most *@n, which becomes their number.
 */
static void *qnet_pages_bytes(const struct qnet_pages *p, u32 at, u32 *n)
{
	u32 i = qnet_pages_find(p, &at);

	*n = min(*n, p->vec[i].bv_len - at);
	return page_address(p->vec[i].bv_page) + p->vec[i].bv_offset + at;
}

/**
 * qnet_helper_pages_write() - fill our own pages from kernel memory
 * @p: pages that no frame refers to yet
 * @at: first byte
 * @from: what to write
 * @len: bytes; @p has them from @at on
 */
void qnet_helper_pages_write(struct qnet_pages *p, u32 at, const void *from,
			     u32 len)
{
	while (len) {
		u32 n = len;
		void *to = qnet_pages_bytes(p, at, &n);

		memcpy(to, from, n);
		at += n;
		from += n;
		len -= n;
	}
}

/**
 * qnet_helper_pages_from_user() - fill our own pages from the caller's memory
 * @p: pages that no frame refers to yet
 * @at: first byte
 * @base: address in user space
 * @len: bytes; @p has them from @at on
 *
 * Return: whether all could be read.
 */
bool qnet_helper_pages_from_user(struct qnet_pages *p, u32 at, u64 base,
				 u32 len)
{
	while (len) {
		u32 n = len;
		void *to = qnet_pages_bytes(p, at, &n);

		if (copy_from_user(to, u64_to_user_ptr(base), n))
			return false;
		at += n;
		base += n;
		len -= n;
	}
	return true;
}

/**
 * qnet_helper_pages_from_skb() - fill our own pages from a frame
 * @p: pages that no frame refers to yet
 * @skb: the frame
 * @offset: its first byte; it has as many from there on as @p has
 *
 * Return: whether they could be read.
 */
bool qnet_helper_pages_from_skb(struct qnet_pages *p, const struct sk_buff *skb,
				u32 offset)
{
	u32 at = 0;

	while (at < p->len) {
		u32 n = p->len - at;
		void *to = qnet_pages_bytes(p, at, &n);

		if (skb_copy_bits(skb, offset + at, to, n))
			return false;
		at += n;
	}
	return true;
}

/* Fills @to from the bytes of @from, which may be pinned, from @at on. */
static void qnet_pages_from_pages(struct qnet_pages *to,
				  const struct qnet_pages *from, u32 at)
{
	u32 i = qnet_pages_find(from, &at);
	u32 done = 0;

	for (; done < to->len; at = 0, i++) {
		const struct bio_vec *v = &from->vec[i];

		while (at < v->bv_len && done < to->len) {
			u32 offset = v->bv_offset + at;
			u32 n = min3(v->bv_len - at, to->len - done,
				     (u32)(PAGE_SIZE - offset_in_page(offset)));
			void *bytes = kmap_local_page(v->bv_page +
						      (offset >> PAGE_SHIFT));

			qnet_helper_pages_write(to, done,
						bytes + offset_in_page(offset),
						n);
			kunmap_local(bytes);
			at += n;
			done += n;
		}
	}
}

/**
 * qnet_helper_pages_pin_begin() - make room for the caller's own pages
 * @pages: set to what is to be filled by qnet_helper_pages_pin(); it has one
 *	reference
 * @len: bytes, at most QNET_PAGES_MAX
 * @capacity: pages that they can be in
 *
 * The pages are charged as those of MSG_ZEROCOPY are. The caller holds the
 * module (by an open socket).
 *
 * Return: 0; -ENOMEM, or -ENOBUFS beyond RLIMIT_MEMLOCK.
 */
int qnet_helper_pages_pin_begin(struct qnet_pages **pages, u32 len,
				u32 capacity)
{
	struct qnet_pages *p = qnet_pages_new(capacity, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!p)
		return -ENOMEM;
	/* The worst case of each piece, for a list of many. */
	rc = mm_account_pinned_pages(&p->mmp, max_t(size_t, len,
						    (size_t)capacity << PAGE_SHIFT));
	if (rc) {
		kfree(p);
		return rc;
	}
	__module_get(THIS_MODULE);
	p->pinned = true;
	p->ubuf.ops = &qnet_pages_ubuf_ops;
	/*
	 * SKBFL_DONT_ORPHAN, which MSG_ZEROCOPY sets, is not set, as vhost_net
	 * does not set it: then clones, and frames that go over to the receive
	 * path of this machine (veth), get copies, and only the queue and the
	 * driver of the device that a frame was sent to hold the program's
	 * pages. With it, a packet socket at the other end of a veth pair could
	 * hold them for ever, and our caller waits for them.
	 */
	p->ubuf.flags = SKBFL_ZEROCOPY_FRAG;
	*pages = p;
	return 0;
}

/* Appends a page that was pinned just now. */
static void qnet_pages_pinned(struct qnet_pages *p, struct page *page,
			      u32 offset, u32 len)
{
	struct page *head = compound_head(page);
	u32 in_folio = ((page - head) << PAGE_SHIFT) + offset;
	struct bio_vec *last = p->count ? &p->vec[p->count - 1] : NULL;

	p->len += len;
	/*
	 * A piece takes a further page only as a whole from its beginning, so
	 * that the number of its pages is the number of its pins. (Two parts of
	 * a scattered buffer may be in one page; then it was pinned twice.)
	 */
	if (last && !offset && last->bv_page == head &&
	    last->bv_offset + last->bv_len == in_folio) {
		last->bv_len += len;
		return;
	}
	bvec_set_page(&p->vec[p->count++], head, len, in_folio);
}

/**
 * qnet_helper_pages_pin() - append a part of the caller's memory
 * @p: from qnet_helper_pages_pin_begin(), with room for it
 * @base: address in user space
 * @len: bytes, at least one
 *
 * Only the reading is asked for, so read-only mappings will do. Pages that
 * were shared by a fork become the caller's own first, so that a write by the
 * caller does not part them from what is sent. They are held for as long as a
 * message is under way, hence no FOLL_LONGTERM.
 *
 * Return: 0 or a negative errno; what was pinned before it remains in @p.
 */
int qnet_helper_pages_pin(struct qnet_pages *p, u64 base, u32 len)
{
	unsigned long start = (unsigned long)base;
	struct page *pages[QNET_PIN_BATCH];

	while (len) {
		u32 offset = offset_in_page(start);
		u32 want = min_t(u32, DIV_ROUND_UP(offset + len, PAGE_SIZE),
				 QNET_PIN_BATCH);
		int got = pin_user_pages_fast(start - offset, want, 0, pages);
		int i;

		if (got <= 0)
			return got ?: -EFAULT;
		for (i = 0; i < got; i++, offset = 0) {
			u32 n = min_t(u32, len, PAGE_SIZE - offset);

			qnet_pages_pinned(p, pages[i], offset, n);
			start += n;
			len -= n;
		}
	}
	return 0;
}

/**
 * qnet_helper_pages_unused() - tell whether nobody else holds them
 * @p: the pages, to which the caller has one reference
 *
 * Return: whether it is the only one. Then all reading by others is over.
 */
bool qnet_helper_pages_unused(const struct qnet_pages *p)
{
	/* Pairs with the release of __refcount_dec_and_test(). */
	return smp_load_acquire(&p->ubuf.refcnt.refs.counter) == 1;
}

/**
 * qnet_helper_pages_wait() - sleep until nobody else holds them
 * @p: the pages, to which the caller has one reference
 * @ms: for how long at the most
 *
 * Only a signal that kills ends the wait.
 *
 * Return: 0, -EINTR or -ETIMEDOUT.
 */
int qnet_helper_pages_wait(struct qnet_pages *p, u32 ms)
{
	long left = msecs_to_jiffies(ms);

	if (qnet_helper_pages_unused(p))
		return 0;
	left = ___wait_var_event(p,
				 ___wait_cond_timeout(qnet_helper_pages_unused(p)),
				 TASK_KILLABLE, 0, left,
				 __ret = schedule_timeout(__ret));
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/**
 * qnet_helper_pages_copied() - tell whether pinning was in vain
 * @p: the pages
 *
 * Return: whether the stack copied a frame that referred to them.
 */
bool qnet_helper_pages_copied(const struct qnet_pages *p)
{
	return READ_ONCE(p->copied);
}

/**
 * qnet_helper_pages_attach() - let a frame refer to data
 * @skb: the frame, which has no fragments
 * @p: the pages, which are not written to any more
 * @offset: first byte
 * @len: bytes, at least one; @p has them
 *
 * Return: false if they are in more pieces than a frame can have.
 */
bool qnet_helper_pages_attach(struct sk_buff *skb, struct qnet_pages *p,
			      u32 offset, u32 len)
{
	u32 at = offset;
	u32 first = qnet_pages_find(p, &at);
	u32 left = len;
	u32 i;

	for (i = first; left; i++) {
		if (i - first == MAX_SKB_FRAGS)
			return false;
		left -= min(left, p->vec[i].bv_len - (i == first ? at : 0));
	}
	for (i = first, left = len; left; at = 0, i++) {
		const struct bio_vec *v = &p->vec[i];
		u32 n = min(left, v->bv_len - at);

		get_page(v->bv_page);
		/* Whether the program's page is an emergency reserve is not ours to say. */
		skb_fill_page_desc_noacc(skb, i - first, v->bv_page,
					 v->bv_offset + at, n);
		left -= n;
	}
	skb->len += len;
	skb->data_len += len;
	skb->truesize += len;
	/*
	 * Other frames refer to the pages as well, and are kept to be sent
	 * again: nobody may encrypt them in place.
	 */
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	if (p->pinned)
		skb_zcopy_set(skb, &p->ubuf, NULL);
	return true;
}

/**
 * qnet_helper_tx_with_pages() - make a frame of a head and a range of data
 * @head: what comes behind the link-layer header
 * @head_len: bytes of it
 * @p: the data
 * @offset: first byte
 * @len: bytes; @p has them
 * @copied: set if the data were in too many pieces and had to be copied
 *
 * Return: the frame, or NULL. Any context.
 */
struct sk_buff *qnet_helper_tx_with_pages(const void *head, u32 head_len,
					  struct qnet_pages *p, u32 offset,
					  u32 len, bool *copied)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + head_len, GFP_ATOMIC);
	struct qnet_pages *own;
	bool done;

	*copied = false;
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_put_data(skb, head, head_len);
	if (!len || qnet_helper_pages_attach(skb, p, offset, len))
		return skb;

	own = qnet_helper_pages_alloc(len, false, QNET_PAGES_ORDER);
	if (!own)
		goto drop;
	qnet_pages_from_pages(own, p, offset);
	done = qnet_helper_pages_attach(skb, own, 0, len);
	qnet_helper_pages_put(own);
	if (!done)
		goto drop;
	*copied = true;
	return skb;

drop:
	kfree_skb(skb);
	return NULL;
}

#if IS_ENABLED(CONFIG_KUNIT)
/**
 * qnet_helper_test_user_memory() - give a unit test memory as a program has
 * @len: bytes
 *
 * It goes away with the test's thread.
 *
 * Return: the address, or 0.
 */
u64 qnet_helper_test_user_memory(size_t len)
{
	unsigned long base;

	if (kunit_attach_mm())
		return 0;
	base = vm_mmap(NULL, 0, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	return IS_ERR_VALUE(base) ? 0 : base;
}

/**
 * qnet_helper_test_pages_pieces() - count the pieces
 * @p: the pages
 *
 * Return: how many there are.
 */
u32 qnet_helper_test_pages_pieces(const struct qnet_pages *p)
{
	return p->count;
}
#endif
