// SPDX-License-Identifier: GPL-2.0
/* MsgSend in its sixteen forms, and its errors (neutrino-api.md 6.4). */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "pair.h"

struct buffers {
	char out[9], in[16];
	iov_t siov[2], riov[2];
};

#define PLAIN(name) \
	static long by_##name(int coid, struct buffers *b) \
	{ return name(coid, b->out, sizeof(b->out), b->in, sizeof(b->in)); }
#define VECTORS(name) \
	static long by_##name(int coid, struct buffers *b) \
	{ return name(coid, b->siov, 2, b->riov, 2); }
#define REPLY_VECTOR(name) \
	static long by_##name(int coid, struct buffers *b) \
	{ return name(coid, b->out, sizeof(b->out), b->riov, 2); }
#define SEND_VECTOR(name) \
	static long by_##name(int coid, struct buffers *b) \
	{ return name(coid, b->siov, 2, b->in, sizeof(b->in)); }

PLAIN(MsgSend) PLAIN(MsgSend_r) PLAIN(MsgSendnc) PLAIN(MsgSendnc_r)
VECTORS(MsgSendv) VECTORS(MsgSendv_r) VECTORS(MsgSendvnc) VECTORS(MsgSendvnc_r)
REPLY_VECTOR(MsgSendsv) REPLY_VECTOR(MsgSendsv_r) REPLY_VECTOR(MsgSendsvnc) REPLY_VECTOR(MsgSendsvnc_r)
SEND_VECTOR(MsgSendvs) SEND_VECTOR(MsgSendvs_r) SEND_VECTOR(MsgSendvsnc) SEND_VECTOR(MsgSendvsnc_r)

struct form {
	const char *name;
	long (*send)(int coid, struct buffers *buffers);
};

#define FORM(name) { #name, by_##name }
static const struct form forms[] = {
	FORM(MsgSend), FORM(MsgSend_r), FORM(MsgSendnc), FORM(MsgSendnc_r),
	FORM(MsgSendv), FORM(MsgSendv_r), FORM(MsgSendvnc), FORM(MsgSendvnc_r),
	FORM(MsgSendsv), FORM(MsgSendsv_r), FORM(MsgSendsvnc), FORM(MsgSendsvnc_r),
	FORM(MsgSendvs), FORM(MsgSendvs_r), FORM(MsgSendvsnc), FORM(MsgSendvsnc_r),
};

static bool gives_errno(const struct form *form)
{
	return !strstr(form->name, "_r");
}

static struct buffers *buffers(void)
{
	struct buffers *b = mem(sizeof(*b));

	memcpy(b->out, "separated", 9);
	SETIOV(&b->siov[0], b->out, 4);
	SETIOV(&b->siov[1], b->out + 4, 5);
	SETIOV(&b->riov[0], b->in, 3);
	SETIOV(&b->riov[1], b->in + 3, 13);
	return b;
}

ROWS(BOTH, form_moves_both_ways, forms)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	struct buffers *b = buffers();
	int rcvid;

	BEGIN(p.client, form->send, p.coid, b);
	rcvid = receive(&p);
	WANT(p.info->msglen, 9);
	WANT(memcmp(p.in, "separated", 9), 0);
	WANT(CALL(p.server, MsgReply, rcvid, 21, "an answer", 10), 0);
	WANT(FINISH(p.client), 21);
	WANT(strcmp(b->in, "an answer"), 0);
}

ROWS(BOTH, form_tells_errors, forms)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	struct buffers *b = buffers();

	BEGIN(p.client, form->send, p.coid, b);
	WANT(CALL(p.server, MsgError, receive(&p), EBUSY), 0);
	if (gives_errno(form)) {
		FINISH_FAILS(p.client, EBUSY);
		return;
	}
	WANT(FINISH(p.client), -EBUSY);
	WANT(error_of(p.client), 0);
}

struct number {
	const char *name;
	long value;
};

static const struct number statuses[] = {
	{ "0", 0 }, { "1", 1 }, { "300", 300 }, { "largest", INT_MAX },
};

ROWS(BOTH, status, statuses)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	answer(&p, hold(&p), number->value);
}

/* Between nodes a status has 32 bits: it is a field of a packet. */
CASE(LOCAL, status_is_a_long)
{
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgReply, rcvid, 0x123456789aL, NULL, 0), 0);
	WANT(FINISH(p.client), 0x123456789aL);
}

CASE(BOTH, nothing_both_ways)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, NULL, 0, NULL, 0);
	rcvid = receive(&p);
	WANT(p.info->msglen, 0);
	answer(&p, rcvid, 5);
}

CASE(BOTH, nothing_in_no_parts)
{
	struct pair p = pair_up(0);

	BEGIN(p.client, MsgSendv, p.coid, NULL, 0, NULL, 0);
	answer(&p, receive(&p), 5);
}

CASE(BOTH, empty_parts_between_others)
{
	struct pair p = pair_up(0);
	iov_t *iov = mem(4 * sizeof(*iov));

	SETIOV(&iov[0], NULL, 0);
	SETIOV(&iov[1], "ab", 2);
	SETIOV(&iov[2], NULL, 0);
	SETIOV(&iov[3], "cd", 2);
	BEGIN(p.client, MsgSendv, p.coid, iov, 4, NULL, 0);
	receive(&p);
	WANT(p.info->msglen, 4);
	WANT(memcmp(p.in, "abcd", 4), 0);
}

CASE(BOTH, a_thousand_parts)
{
	struct pair p = pair_up(0);
	char *bytes = pattern(2000);
	iov_t *iov = mem(1000 * sizeof(*iov));
	int n;

	for (n = 0; n < 1000; n++)
		SETIOV(&iov[n], bytes + 2 * n, 2);
	BEGIN(p.client, MsgSendv, p.coid, iov, 1000, NULL, 0);
	receive(&p);
	WANT(p.info->msglen, 2000);
	want_pattern(p.in, 2000, 0);
}

CASE(BOTH, reply_is_clipped_to_the_clients_room)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, p.reply, 4);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgReply, rcvid, 1, "abcdefgh", 8), 0);
	WANT(FINISH(p.client), 1);
	WANT(memcmp(p.reply, "abcd\0\0\0\0", 8), 0);
}

CASE(BOTH, shorter_reply_leaves_the_rest)
{
	struct pair p = pair_up(0);
	int rcvid;

	strcpy(p.reply, "unchanged");
	begin_send(&p, "x", 1);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgReply, rcvid, 1, "abc", 3), 0);
	WANT(FINISH(p.client), 1);
	WANT(strcmp(p.reply, "abchanged"), 0);
}

CASE(BOTH, message_is_clipped_to_the_servers_room)
{
	struct pair p = pair_up(0);
	int rcvid;

	begin_send(&p, "abcdefgh", 8);
	rcvid = CALL(p.server, MsgReceive, p.chid, p.in, 4, p.info);
	HOLDS(rcvid > 0);
	WANT(memcmp(p.in, "abcd\0\0\0\0", 8), 0);
	answer(&p, rcvid, 0);
}

static const struct number no_connections[] = {
	{ "descriptor_of_a_file", 0 }, { "minus_one", -1 }, { "closed_descriptor", 900 },
	{ "side_channel", 900 | _NTO_SIDE_CHANNEL }, { "bit_31", INT_MIN + 1 },
};

ROWS(LOCAL, to_none_is_EBADF, no_connections)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.client, EBADF, MsgSend, number->value, "x", 1, NULL, 0);
	works(&p);
}

CASE(LOCAL, to_a_channel_is_EBADF)
{
	struct pair p = pair_up(0);

	FAILS(p.server, EBADF, MsgSend, 4711, "x", 1, NULL, 0);
}

CASE(BOTH, bad_message_is_EFAULT)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EFAULT, MsgSend, p.coid, NOWHERE, 8, NULL, 0);
	nothing_queued(&p);
	works(&p);
}

CASE(BOTH, message_that_ends_nowhere_is_EFAULT)
{
	char *pages = arena_share(2 * 4096);
	struct pair p;

	/* Before the processes begin, so that it holds in all of them. */
	mprotect(pages + 4096, 4096, PROT_NONE);
	p = pair_up(0);
	FAILS(p.client, EFAULT, MsgSend, p.coid, pages + 4090, 8, NULL, 0);
	nothing_queued(&p);
	begin_send(&p, pages + 4090, 6);
	answer(&p, receive(&p), 0);
}

CASE(BOTH, bad_parts_are_EFAULT)
{
	struct pair p = pair_up(0);

	FAILS(p.client, EFAULT, MsgSendv, p.coid, NOWHERE, 2, NULL, 0);
	works(&p);
}

CASE(BOTH, too_long_in_all_is_EOVERFLOW)
{
	struct pair p = pair_up(0);
	iov_t *iov = mem(2 * sizeof(*iov));

	SETIOV(&iov[0], "x", SSIZE_MAX);
	SETIOV(&iov[1], "x", SSIZE_MAX);
	FAILS(p.client, EOVERFLOW, MsgSendv, p.coid, iov, 2, NULL, 0);
	FAILS(p.client, EOVERFLOW, MsgSendsv, p.coid, "x", 1, iov, 2);
	works(&p);
}

/* 6.4, MsgReply: EFAULT for a bad buffer of the client, which the client hears of, too. */
CASE(LOCAL, bad_reply_area_is_EFAULT_for_both)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, NOWHERE, 8);
	rcvid = receive(&p);
	FAILS(p.server, EFAULT, MsgReply, rcvid, 0, "reply", 5);
	FINISH_FAILS(p.client, EFAULT);
}

/* The server's node cannot know of it when the reply leaves. */
CASE(REMOTE, bad_reply_area_is_EFAULT_for_the_client)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, NOWHERE, 8);
	rcvid = receive(&p);
	WANT(CALL(p.server, MsgReply, rcvid, 0, "reply", 5), 0);
	FINISH_FAILS(p.client, EFAULT);
}

CASE(BOTH, bad_reply_area_without_a_reply_is_no_error)
{
	struct pair p = pair_up(0);

	BEGIN(p.client, MsgSend, p.coid, "x", 1, NOWHERE, 8);
	answer(&p, receive(&p), 3);
}

/* Each of several threads gets its own answer. */
CASE(BOTH, threads_on_one_connection)
{
	struct pair p = pair_up(0);
	struct actor *threads[8];
	int rcvid, n;

	for (n = 0; n < 8; n++) {
		char *number = mem(1);

		*number = n;
		threads[n] = thread_of(p.client);
		BEGIN(threads[n], MsgSend, p.coid, number, 1, NULL, 0);
	}
	for (n = 0; n < 8; n++) {
		rcvid = receive(&p);
		WANT(CALL(p.server, MsgReply, rcvid, 100 + p.in[0], NULL, 0), 0);
	}
	for (n = 0; n < 8; n++)
		WANT(FINISH(threads[n]), 100 + n);
}

CASE(BOTH, messages_of_a_thread_keep_their_order)
{
	struct pair p = pair_up(0);
	int n;

	for (n = 0; n < 50; n++) {
		char *number = mem(1);

		*number = n;
		begin_send(&p, number, 1);
		answer(&p, receive(&p), n);
		WANT(p.in[0], n);
	}
}
