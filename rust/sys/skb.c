// SPDX-License-Identifier: GPL-2.0
/*
 * Socket buffers for rust/knet/skb.rs: one function per step of the receive
 * and of the transmit path.
 */

#include <linux/crc32.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "helpers.h"

/* A copy of a frame up to this length is in one piece, within one page. */
#define QNET_COPY_LINEAR	SKB_WITH_OVERHEAD(PAGE_SIZE)

/* Room for the heads of a frame whose data are elsewhere. */
#define QNET_HEAD_ROOM		128

/**
 * qnet_helper_rx_begin() - take over a frame that a packet handler got
 * @skb: the frame; data is behind the Ethernet header. Consumed.
 * @dev: the device that the handler is for
 * @rx: filled with what the Ethernet header said
 *
 * Frames that are not for us (other hosts', our own) are dropped. So are those
 * that came in through @dev and belong to a device on top of it: a handler is
 * also called for frames that a VLAN, macvlan, ipvlan, bond, team or
 * tc/BPF redirection has moved from its device to another one, which may even
 * be in another network namespace. What is bound is the device, not the cable.
 * (A bond's, a bridge's and a macvlan's own frames have it as their device.)
 *
 * A frame with the tag of a VLAN that has no device needs nothing here: the
 * core made it PACKET_OTHERHOST. It removed the tag of VLAN 0, which says only
 * how urgent the frame is.
 *
 * We may keep the frame for long. So pages of another program's zero-copy
 * transmission are copied, and references to what has nothing to do with its
 * bytes (sender's socket, route, connection tracking, security path,
 * extensions, device) are dropped.
 *
 * Return: the frame, nobody else's; or NULL.
 */
struct sk_buff *qnet_helper_rx_begin(struct sk_buff *skb,
				     const struct net_device *dev,
				     struct qnet_rx *rx)
{
	if (unlikely(skb->dev != dev))
		goto ignore;
	switch (skb->pkt_type) {
	case PACKET_HOST:
	case PACKET_BROADCAST:
	case PACKET_MULTICAST:
		break;
	default:
		goto ignore;
	}
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return NULL;
	/* Pages of a device's own memory can be read by nobody. */
	if (unlikely(!skb_frags_readable(skb) ||
		     skb_orphan_frags_rx(skb, GFP_ATOMIC)))
		goto drop;
	/* An XDP program or a tunnel may have left none. */
	if (unlikely(!skb_mac_header_was_set(skb) ||
		     skb->data - skb_mac_header(skb) < ETH_HLEN))
		goto drop;
	ether_addr_copy(rx->src, eth_hdr(skb)->h_source);
	rx->unicast = skb->pkt_type == PACKET_HOST;

	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	/* Nobody corrects it when bytes are cut off. */
	skb->ip_summed = CHECKSUM_NONE;
	/* It is not held, and may go before the frame does. */
	skb->dev = NULL;
	return skb;

ignore:
	consume_skb(skb);
	return NULL;
drop:
	kfree_skb(skb);
	return NULL;
}

/**
 * qnet_helper_rx_copy() - copy a frame, so that nothing of its driver is kept
 * @skb: the frame. Consumed.
 *
 * Return: the copy, in one piece if it is short; or NULL.
 */
struct sk_buff *qnet_helper_rx_copy(struct sk_buff *skb)
{
	unsigned int len = skb->len;
	unsigned int linear = len <= QNET_COPY_LINEAR ? len : QNET_HEAD_ROOM;
	struct qnet_pages *pages = NULL;
	struct sk_buff *copy = NULL;

	if (len - linear > QNET_PAGES_MAX)
		goto drop;
	copy = alloc_skb(linear, GFP_ATOMIC);
	if (!copy || skb_copy_bits(skb, 0, skb_put(copy, linear), linear))
		goto drop;
	if (len > linear) {
		pages = qnet_helper_pages_alloc(len - linear, false,
						QNET_PAGES_ORDER);
		if (!pages ||
		    !qnet_helper_pages_from_skb(pages, skb, linear) ||
		    !qnet_helper_pages_attach(copy, pages, 0, len - linear))
			goto drop;
		qnet_helper_pages_put(pages);
	}
	consume_skb(skb);
	return copy;

drop:
	if (pages)
		qnet_helper_pages_put(pages);
	kfree_skb(copy);
	kfree_skb(skb);
	return NULL;
}

/**
 * qnet_helper_rx_join_begin() - make a frame to join others to
 *
 * Return: an empty frame, with room for the heads to be pulled; or NULL.
 */
struct sk_buff *qnet_helper_rx_join_begin(void)
{
	return alloc_skb(QNET_HEAD_ROOM, GFP_ATOMIC);
}

/**
 * qnet_helper_rx_join_add() - append a frame to one that others were joined to
 * @whole: from qnet_helper_rx_join_begin()
 * @last: the part that was added last, or NULL
 * @part: nobody else's, not empty; belongs to @whole from now on. It may be a
 *	clone, have fragments, and be joined itself.
 */
void qnet_helper_rx_join_add(struct sk_buff *whole, struct sk_buff *last,
			     struct sk_buff *part)
{
	part->next = NULL;
	part->prev = NULL;
	if (last)
		last->next = part;
	else
		skb_shinfo(whole)->frag_list = part;
	whole->len += part->len;
	whole->data_len += part->len;
	whole->truesize += part->truesize;
}

/**
 * qnet_helper_skb_may_pull() - bring the first bytes into the linear part
 * @skb: the frame
 * @len: bytes
 *
 * Return: whether they are there.
 */
bool qnet_helper_skb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

/**
 * qnet_helper_skb_trim() - cut a frame off
 * @skb: the frame
 * @len: what remains
 *
 * Return: whether it worked; if there is no memory for it, the frame is as it
 * was.
 */
bool qnet_helper_skb_trim(struct sk_buff *skb, unsigned int len)
{
	return !pskb_trim(skb, len);
}

/**
 * qnet_helper_skb_skip() - remove bytes from the beginning
 * @skb: the frame
 * @len: bytes; it has them
 *
 * If there is no memory to reach beyond the linear part, the frame becomes
 * empty, so that nothing is left to be misread. Its pieces go when it goes.
 */
void qnet_helper_skb_skip(struct sk_buff *skb, unsigned int len)
{
	if (likely(pskb_pull(skb, len)))
		return;
	skb->len = 0;
	skb->data_len = 0;
	skb_reset_tail_pointer(skb);
}

/*
 * The bytes of a piece of @n bytes that are in the range; the range moves to
 * the beginning of the next piece.
 */
static u32 qnet_crc_piece(u32 crc, const u8 *bytes, u32 n, u32 *from, u32 *to)
{
	if (*from < n)
		crc = crc32_be(crc, bytes + *from, min(n, *to) - *from);
	*from -= min(n, *from);
	*to -= min(n, *to);
	return crc;
}

/**
 * qnet_helper_skb_crc32_be() - CRC of a part of a frame, fragments included
 * @skb: the frame
 * @seed: what the CRC of the bytes before is
 * @from: first byte
 * @to: behind the last byte, at least @from, at most the frame's length
 *
 * skb_seq_read() would do, if it went into lists in a list: of a frame whose
 * parts were joined by a driver, and which was joined to others here. It calls
 * itself as deep as lists are in each other, as skb_copy_bits() does.
 *
 * Return: the CRC, most significant bit first, not inverted.
 */
u32 qnet_helper_skb_crc32_be(const struct sk_buff *skb, u32 seed, u32 from,
			     u32 to)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	struct sk_buff *part;
	u32 crc = seed;
	unsigned int i;

	crc = qnet_crc_piece(crc, skb->data, skb_headlen(skb), &from, &to);
	for (i = 0; to && i < shinfo->nr_frags; i++) {
		const skb_frag_t *frag = &shinfo->frags[i];
		u32 offset, n, done;
		struct page *page;

		skb_frag_foreach_page(frag, skb_frag_off(frag),
				      skb_frag_size(frag), page, offset, n,
				      done) {
			u8 *bytes = kmap_local_page(page);

			crc = qnet_crc_piece(crc, bytes + offset, n, &from,
					     &to);
			kunmap_local(bytes);
		}
	}
	for (part = shinfo->frag_list; to && part; part = part->next) {
		u32 n = min(to, part->len);

		if (from < n)
			crc = qnet_helper_skb_crc32_be(part, crc, from, n);
		from -= min(n, from);
		to -= n;
	}
	return crc;
}

/**
 * qnet_helper_skb_to_user() - copy from a frame to the caller's memory
 * @skb: the frame
 * @offset: first byte
 * @base: address in user space
 * @len: bytes; the frame has them
 *
 * Return: whether all of it could be written.
 */
bool qnet_helper_skb_to_user(const struct sk_buff *skb, int offset, u64 base,
			     size_t len)
{
	struct iov_iter iter;

	/* Most messages are in the linear part. */
	if (offset + len <= skb_headlen(skb))
		return !copy_to_user(u64_to_user_ptr(base), skb->data + offset,
				     len);
	if (import_ubuf(ITER_DEST, u64_to_user_ptr(base), len, &iter))
		return false;
	return !skb_copy_datagram_iter(skb, offset, &iter, len);
}

/**
 * qnet_helper_skb_to_buf() - copy from a frame to kernel memory
 * @skb: the frame
 * @offset: first byte
 * @to: where to
 * @len: bytes
 *
 * Return: whether the frame has them.
 */
bool qnet_helper_skb_to_buf(const struct sk_buff *skb, int offset, void *to,
			    int len)
{
	return !skb_copy_bits(skb, offset, to, len);
}

/**
 * qnet_helper_tx_alloc() - make a frame to be sent
 * @len: bytes behind the link-layer header
 * @sleep: the caller may sleep for memory
 *
 * Return: an empty frame, with room for one clone beside it; or NULL.
 */
struct sk_buff *qnet_helper_tx_alloc(unsigned int len, bool sleep)
{
	struct sk_buff *skb;

	skb = alloc_skb_fclone(LL_MAX_HEADER + len,
			       sleep ? GFP_KERNEL_ACCOUNT : GFP_ATOMIC);
	if (skb)
		skb_reserve(skb, LL_MAX_HEADER);
	return skb;
}

/**
 * qnet_helper_skb_room() - tell how much can be put
 * @skb: the frame, which is linear
 *
 * Return: bytes; 0 while others share the frame.
 */
unsigned int qnet_helper_skb_room(const struct sk_buff *skb)
{
	return skb_cloned(skb) ? 0 : skb_tailroom(skb);
}

/**
 * qnet_helper_skb_put_zero() - append zeros
 * @skb: the frame
 * @len: bytes; there is room for them
 *
 * Return: the first of them.
 */
void *qnet_helper_skb_put_zero(struct sk_buff *skb, unsigned int len)
{
	return skb_put_zero(skb, len);
}

/**
 * qnet_helper_skb_writable() - tell whether nobody else sees the bytes
 * @skb: the frame
 *
 * Return: whether they may be written.
 */
bool qnet_helper_skb_writable(const struct sk_buff *skb)
{
	return !skb_cloned(skb) && !skb_shared(skb);
}

/**
 * qnet_helper_tx_clone() - make a frame that can be sent while we keep ours
 * @skb: ours; from now on it never leaves us as it is
 *
 * The first clone out at a time owns the headroom and takes its link-layer
 * header without a copy; see "dataref and headerless skbs" in skbuff.h.
 *
 * Return: the clone, or NULL.
 */
struct sk_buff *qnet_helper_tx_clone(struct sk_buff *skb)
{
	if (!skb->nohdr && !skb_cloned(skb))
		__skb_header_release(skb);
	return skb_clone(skb, GFP_ATOMIC);
}

/**
 * qnet_helper_tx_transmit() - send a frame
 * @skb: the frame without link-layer header. Consumed.
 * @dev: the device
 * @dst: whom to
 * @ethertype: in host order
 *
 * Return: 0, or a negative errno if the frame is known to be lost.
 */
int qnet_helper_tx_transmit(struct sk_buff *skb, struct net_device *dev,
			    const u8 *dst, u16 ethertype)
{
	int rc = -ENETDOWN;

	if (unlikely(!netif_running(dev)))
		goto drop;
	rc = -EMSGSIZE;
	if (unlikely(skb->len > READ_ONCE(dev->mtu)))
		goto drop;
	rc = -ENOMEM;
	if (unlikely(skb->nohdr)) {
		/* Clones were made of it: only a clone of it may leave us. */
		struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

		if (!clone)
			goto drop;
		consume_skb(skb);
		skb = clone;
	}
	if (unlikely(skb_cow_head(skb, LL_RESERVED_SPACE(dev))))
		goto drop;
	skb_reset_network_header(skb);
	skb->dev = dev;
	skb->protocol = htons(ethertype);
	rc = -EINVAL;
	if (unlikely(dev_hard_header(skb, dev, ethertype, dst, NULL, skb->len) < 0))
		goto drop;
	rc = dev_queue_xmit(skb);
	return rc > 0 ? net_xmit_errno(rc) : rc;

drop:
	kfree_skb(skb);
	return rc;
}

/**
 * qnet_helper_is_tapped() - tell whether anybody taps the loopback device
 * @net: of this namespace
 *
 * Return: whether somebody does.
 */
bool qnet_helper_is_tapped(struct net *net)
{
	const struct net_device *dev = net->loopback_dev;

	return netif_running(dev) && dev_nit_active(dev);
}

static void qnet_show_to(const struct list_head *taps, struct sk_buff *skb)
{
	struct packet_type *tap;
	struct sk_buff *seen;

	list_for_each_entry_rcu(tap, taps, list) {
		seen = skb_clone(skb, GFP_ATOMIC);
		if (seen)
			tap->func(seen, skb->dev, tap, skb->dev);
	}
}

/**
 * qnet_helper_tx_show() - show a frame to those who tap the loopback device
 * @skb: the frame without link-layer header. Consumed.
 * @net: of this namespace
 * @ethertype: in host order
 *
 * As an incoming frame, because libpcap ignores the outgoing ones of a loopback
 * device. It is not given to netif_receive_skb(): no filter, no redirection
 * and no handler of the protocol sees it, and nobody counts it as unhandled.
 * Who listens for one protocol only is no tap and does not see it either.
 */
void qnet_helper_tx_show(struct sk_buff *skb, struct net *net, u16 ethertype)
{
	struct net_device *dev = net->loopback_dev;

	if (skb_cow_head(skb, LL_RESERVED_SPACE(dev)) ||
	    dev_hard_header(skb, dev, ethertype, NULL, NULL, skb->len) < 0) {
		kfree_skb(skb);
		return;
	}
	skb->protocol = eth_type_trans(skb, dev);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	__net_timestamp(skb);
	/* Taps expect to be called as by the receive path. */
	local_bh_disable();
	rcu_read_lock();
	qnet_show_to(&net->ptype_all, skb);
	qnet_show_to(&dev->ptype_all, skb);
	rcu_read_unlock();
	local_bh_enable();
	consume_skb(skb);
}

/**
 * qnet_helper_test_skb() - make a frame in pieces, for the unit tests
 * @linear: bytes in the linear part
 * @paged: bytes in two page fragments
 *
 * Byte n holds n, modulo 256.
 *
 * Return: the frame, or NULL.
 */
struct sk_buff *qnet_helper_test_skb(unsigned int linear, unsigned int paged)
{
	unsigned int part[2] = { paged / 3, paged - paged / 3 };
	struct sk_buff *skb = alloc_skb(linear, GFP_KERNEL);
	unsigned int i, j, n = 0;

	if (!skb)
		return NULL;
	for (i = 0; i < linear; i++)
		*(u8 *)skb_put(skb, 1) = n++;
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		struct page *page = alloc_page(GFP_KERNEL);
		u8 *bytes;

		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		bytes = page_address(page);
		for (j = 0; j < part[i]; j++)
			bytes[j] = n++;
		skb_add_rx_frag(skb, i, page, 0, part[i], PAGE_SIZE);
	}
	return skb;
}

/**
 * qnet_helper_test_clone() - clone a frame, for the unit tests
 * @skb: the frame
 *
 * Return: the clone, or NULL.
 */
struct sk_buff *qnet_helper_test_clone(struct sk_buff *skb)
{
	return skb_clone(skb, GFP_KERNEL);
}

/**
 * qnet_helper_test_arrived() - make a frame as a packet handler gets it
 * @dev: the device that the core says it is for
 * @pkt_type: whom it is for
 * @ethernet: it has an Ethernet header, from 02:01:01:01:01:01
 *
 * It also has what a frame may have picked up on its way.
 *
 * Return: the frame, of 20 bytes; or NULL.
 */
struct sk_buff *qnet_helper_test_arrived(struct net_device *dev, u8 pkt_type,
					 bool ethernet)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN + 20, GFP_KERNEL);

	if (!skb)
		return NULL;
	if (ethernet) {
		skb_reset_mac_header(skb);
		memset(skb_put(skb, ETH_HLEN), 1, ETH_HLEN);
		eth_hdr(skb)->h_source[0] = 2;
		skb_pull(skb, ETH_HLEN);
	}
	memset(skb_put(skb, 20), 0x20, 20);
	skb->dev = dev;
	skb->pkt_type = pkt_type;
	skb->mark = 7;
	skb->skb_iif = 1;
	skb->tstamp = ktime_get_real();
	skb->ip_summed = CHECKSUM_PARTIAL;
	return skb;
}

/**
 * qnet_helper_test_loopback_up() - switch the loopback device on
 * @net: of this namespace
 *
 * Return: whether it is up.
 */
bool qnet_helper_test_loopback_up(struct net *net)
{
	int rc;

	rtnl_lock();
	rc = dev_open(net->loopback_dev, NULL);
	rtnl_unlock();
	return !rc;
}
