// SPDX-License-Identifier: GPL-2.0
/*
 * Socket buffers for rust/knet/skb.rs: one function per step of the receive
 * and of the transmit path.
 */

#include <linux/crc32.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "helpers.h"

/**
 * qnet_helper_rx_begin() - take over a frame that a packet handler got
 * @skb: the frame; data is behind the Ethernet header. Consumed.
 * @rx: filled with what the Ethernet header said
 *
 * Frames that are not for us (other hosts', our own) are dropped. Pages of
 * another program's zero-copy transmission are copied, because we may keep
 * the frame for long.
 *
 * Return: the frame, nobody else's; or NULL.
 */
struct sk_buff *qnet_helper_rx_begin(struct sk_buff *skb, struct qnet_rx *rx)
{
	switch (skb->pkt_type) {
	case PACKET_HOST:
	case PACKET_BROADCAST:
	case PACKET_MULTICAST:
		break;
	default:
		consume_skb(skb);
		return NULL;
	}
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return NULL;
	if (skb_orphan_frags_rx(skb, GFP_ATOMIC) ||
	    !skb_mac_header_was_set(skb)) {
		kfree_skb(skb);
		return NULL;
	}
	/* The sender's socket must not be charged for what we hold. */
	skb_orphan(skb);
	ether_addr_copy(rx->src, eth_hdr(skb)->h_source);
	rx->unicast = skb->pkt_type == PACKET_HOST;
	return skb;
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
 * qnet_helper_skb_crc32_be() - CRC of a part of a frame, fragments included
 * @skb: the frame
 * @seed: what the CRC of the bytes before is
 * @from: first byte
 * @to: behind the last byte, at most the frame's length
 *
 * Return: the CRC, most significant bit first, not inverted.
 */
u32 qnet_helper_skb_crc32_be(struct sk_buff *skb, u32 seed, u32 from, u32 to)
{
	struct skb_seq_state state;
	unsigned int done = 0;
	unsigned int n;
	const u8 *data;

	if (to <= skb_headlen(skb))
		return crc32_be(seed, skb->data + from, to - from);

	skb_prepare_seq_read(skb, from, to, &state);
	while (done < to - from) {
		n = skb_seq_read(done, &data, &state);
		if (!n)
			break;
		/* A piece is given to its own end, not to ours. */
		n = min(n, to - from - done);
		seed = crc32_be(seed, data, n);
		done += n;
	}
	skb_abort_seq_read(&state);
	return seed;
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
			       sleep ? GFP_KERNEL : GFP_ATOMIC);
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
