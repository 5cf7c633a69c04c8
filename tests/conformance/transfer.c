// SPDX-License-Identifier: GPL-2.0
/* MsgRead and MsgWrite in all forms: offsets, clipping, errors (neutrino-api.md 6.4). */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "pair.h"

static ssize_t by_MsgRead(int rcvid, iov_t *iov, size_t offset)
{
	return MsgRead(rcvid, iov[0].iov_base, 6, offset);
}

static ssize_t by_MsgRead_r(int rcvid, iov_t *iov, size_t offset)
{
	return MsgRead_r(rcvid, iov[0].iov_base, 6, offset);
}

static ssize_t by_MsgReadv(int rcvid, iov_t *iov, size_t offset)
{
	return MsgReadv(rcvid, iov, 2, offset);
}

static ssize_t by_MsgReadv_r(int rcvid, iov_t *iov, size_t offset)
{
	return MsgReadv_r(rcvid, iov, 2, offset);
}

static ssize_t by_MsgWrite(int rcvid, iov_t *iov, size_t offset)
{
	return MsgWrite(rcvid, iov[0].iov_base, 6, offset);
}

static ssize_t by_MsgWrite_r(int rcvid, iov_t *iov, size_t offset)
{
	return MsgWrite_r(rcvid, iov[0].iov_base, 6, offset);
}

static ssize_t by_MsgWritev(int rcvid, iov_t *iov, size_t offset)
{
	return MsgWritev(rcvid, iov, 2, offset);
}

static ssize_t by_MsgWritev_r(int rcvid, iov_t *iov, size_t offset)
{
	return MsgWritev_r(rcvid, iov, 2, offset);
}

struct form {
	const char *name;
	ssize_t (*move)(int rcvid, iov_t *iov, size_t offset);
};

#define FORM(name) { #name, by_##name }
static const struct form reads[] = {
	FORM(MsgRead), FORM(MsgRead_r), FORM(MsgReadv), FORM(MsgReadv_r),
};
static const struct form writes[] = {
	FORM(MsgWrite), FORM(MsgWrite_r), FORM(MsgWritev), FORM(MsgWritev_r),
};
static const struct form all[] = {
	FORM(MsgRead), FORM(MsgRead_r), FORM(MsgReadv), FORM(MsgReadv_r),
	FORM(MsgWrite), FORM(MsgWrite_r), FORM(MsgWritev), FORM(MsgWritev_r),
};

/* Six bytes in two parts. */
static iov_t *parts(char *bytes)
{
	iov_t *iov = mem(2 * sizeof(*iov));

	SETIOV(&iov[0], bytes, 2);
	SETIOV(&iov[1], bytes + 2, 4);
	return iov;
}

/* A client that sends ten bytes, with room for ten. */
static int hold_ten(const struct pair *p)
{
	memcpy(p->reply, "..........", 11);
	BEGIN(p->client, MsgSend, p->coid, "0123456789", 10, p->reply, 10);
	return receive(p);
}

static char *six(void)
{
	return memcpy(mem(8), "abcdef", 6);
}

ROWS(BOTH, form_reads_at_an_offset, reads)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);
	char *into = mem(8);

	WANT(CALL(p.server, form->move, rcvid, parts(into), 3), 6);
	WANT(memcmp(into, "345678", 7), 0);
	answer(&p, rcvid, 0);
}

ROWS(BOTH, form_reads_short_at_the_end, reads)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);
	char *into = mem(8);

	WANT(CALL(p.server, form->move, rcvid, parts(into), 7), 3);
	WANT(memcmp(into, "789\0", 4), 0);
	answer(&p, rcvid, 0);
}

ROWS(BOTH, form_writes_at_an_offset, writes)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, form->move, rcvid, parts(six()), 3), 6);
	answer(&p, rcvid, 0);
	WANT(memcmp(p.reply, "...abcdef.", 11), 0);
}

ROWS(BOTH, form_writes_clipped_to_the_reply_area, writes)
{
	const struct form *form = row;
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, form->move, rcvid, parts(six()), 7), 3);
	answer(&p, rcvid, 0);
	WANT(memcmp(p.reply, ".......abc\0\0", 12), 0);
}

ROWS(BOTH, form_fails_after_the_reply, all)
{
	const struct form *form = row;
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	answer(&p, rcvid, 0);
	if (!strstr(form->name, "_r")) {
		FAILS(p.server, ESRCH, form->move, rcvid, parts(six()), 0);
		return;
	}
	WANT(CALL(p.server, form->move, rcvid, parts(six()), 0), -ESRCH);
	WANT(error_of(p.server), 0);
}

struct number {
	const char *name;
	int value;
};

static const struct number no_rcvids[] = {
	{ "0", 0 }, { "minus_one", -1 }, { "never_given", 0x12345 },
};

ROWS(LOCAL, read_from_none_is_ESRCH, no_rcvids)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgRead, number->value, p.in, 1, 0);
}

ROWS(LOCAL, write_to_none_is_ESRCH, no_rcvids)
{
	const struct number *number = row;
	struct pair p = pair_up(0);

	FAILS(p.server, ESRCH, MsgWrite, number->value, p.in, 1, 0);
}

CASE(BOTH, read_at_the_end_is_nothing)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgRead, rcvid, p.in, 10, 10), 0);
	WANT(CALL(p.server, MsgRead, rcvid, p.in, 10, 5000), 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, read_of_nothing)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgRead, rcvid, NULL, 0, 0), 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, read_again_and_again)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p), n;

	for (n = 0; n < 5; n++) {
		memset(p.in, 0, 10);
		WANT(CALL(p.server, MsgRead, rcvid, p.in, 10, 0), 10);
		WANT(memcmp(p.in, "0123456789", 10), 0);
	}
	answer(&p, rcvid, 0);
}

CASE(BOTH, read_by_another_thread)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	memset(p.in, 0, 10);
	WANT(CALL(thread_of(p.server), MsgRead, rcvid, p.in, 10, 0), 10);
	WANT(memcmp(p.in, "0123456789", 10), 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, read_by_another_process_is_ESRCH)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	FAILS(child_of(p.server), ESRCH, MsgRead, rcvid, p.in, 10, 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, read_into_a_bad_buffer_is_ESRVRFAULT)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	FAILS(p.server, ESRVRFAULT, MsgRead, rcvid, NOWHERE, 10, 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, write_from_a_bad_buffer_is_ESRVRFAULT)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	FAILS(p.server, ESRVRFAULT, MsgWrite, rcvid, NOWHERE, 10, 0);
	answer(&p, rcvid, 0);
}

#define LONG (512 << 10)

/* What is beyond the first part of a message is read where the client has it. */
CASE(BOTH, read_of_what_the_client_has_not_is_EFAULT)
{
	char *bytes = arena_share(LONG);
	struct pair p;
	int rcvid;

	mprotect(bytes + LONG / 2, LONG / 2, PROT_NONE);
	p = pair_up(0);
	BEGIN(p.client, MsgSend, p.coid, bytes, LONG, NULL, 0);
	rcvid = receive(&p);
	FAILS(p.server, EFAULT, MsgRead, rcvid, p.in, ROOM, LONG / 2 + 8192);
	WANT(CALL(p.server, MsgRead, rcvid, p.in, ROOM, 0), ROOM);
	answer(&p, rcvid, 0);
}

/* Between nodes a write is kept on the server's node until the reply, so only this case is certain. */
CASE(LOCAL, write_into_a_bad_reply_area_is_EFAULT)
{
	struct pair p = pair_up(0);
	int rcvid;

	BEGIN(p.client, MsgSend, p.coid, "x", 1, NOWHERE, 8);
	rcvid = receive(&p);
	FAILS(p.server, EFAULT, MsgWrite, rcvid, "abc", 3, 0);
}

CASE(BOTH, write_beyond_the_reply_area_is_nothing)
{
	struct pair p = pair_up(_NTO_CHF_REPLY_LEN);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "abc", 3, 10), 0);
	answer(&p, rcvid, 0);
	WANT(memcmp(p.reply, "..........", 11), 0);
}

CASE(BOTH, write_by_another_thread)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(thread_of(p.server), MsgWrite, rcvid, "abc", 3, 0), 3);
	answer(&p, rcvid, 0);
	WANT(memcmp(p.reply, "abc.......", 11), 0);
}

CASE(BOTH, writes_come_in_their_order)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "aaaaaa", 6, 0), 6);
	WANT(CALL(p.server, MsgWrite, rcvid, "bbbbbb", 6, 3), 6);
	WANT(CALL(p.server, MsgWrite, rcvid, "c", 1, 4), 1);
	answer(&p, rcvid, 0);
	WANT(memcmp(p.reply, "aaabcbbbb.", 11), 0);
}

/* 6.4: MsgReply's data always go to offset 0. */
CASE(BOTH, reply_after_a_write_goes_to_the_start)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "abcdef", 6, 2), 6);
	WANT(CALL(p.server, MsgReply, rcvid, 7, "RE", 2), 0);
	WANT(FINISH(p.client), 7);
	WANT(memcmp(p.reply, "REabcdef..", 11), 0);
}

/* What was read is what was sent, whatever was written meanwhile. */
CASE(BOTH, read_after_a_write)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	WANT(CALL(p.server, MsgWrite, rcvid, "abcdef", 6, 0), 6);
	WANT(CALL(p.server, MsgRead, rcvid, p.in, 10, 0), 10);
	WANT(memcmp(p.in, "0123456789", 10), 0);
	answer(&p, rcvid, 0);
}

/* 6.4: not implemented: ENOSYS; remote: ENOREMOTE. */
CASE(BOTH, readwrite_is_not_implemented)
{
	struct pair p = pair_up(0);
	int rcvid = hold_ten(&p);

	FAILS(p.server, is_remote() ? ENOREMOTE : ENOSYS, MsgReadwritev, rcvid);
	answer(&p, rcvid, 0);
}
