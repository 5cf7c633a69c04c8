// SPDX-License-Identifier: GPL-2.0
/* MsgKeyData (neutrino-api.md 6.4). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

static iov_t *data(const char *words)
{
	iov_t *iov = mem(sizeof(*iov));

	SETIOV(iov, words, strlen(words));
	return iov;
}

CASE(BOTH, calculated_key_is_verified)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("/dev/ser1"), 1), 0);
	answer(&p, rcvid, 0);
	rcvid = hold(&p);
	*verdict = 77;
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key, verdict, data("/dev/ser1"), 1), 0);
	WANT(*verdict, 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, key_of_other_data_is_not_verified)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("/dev/ser1"), 1), 0);
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key, verdict, data("/dev/ser2"), 1), 0);
	WANT(*verdict, 0xffffffffL);
	answer(&p, rcvid, 0);
}

CASE(BOTH, other_key_is_not_verified)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("x"), 1), 0);
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key ^ 1, verdict, data("x"), 1), 0);
	WANT(*verdict, 0xffffffffL);
	answer(&p, rcvid, 0);
}

CASE(BOTH, reused_key_is_verified)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("a"), 1), 0);
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE_REUSE, 0, key, data("b"), 1), 0);
	*verdict = 77;
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key, verdict, data("b"), 1), 0);
	WANT(*verdict, 0);
	answer(&p, rcvid, 0);
}

/* The key lives in the client's thread. */
CASE(BOTH, key_of_another_thread_is_not_verified)
{
	struct pair p = pair_up(0), q = pair_with_client(&p, thread_of(p.client));
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("x"), 1), 0);
	answer(&p, rcvid, 0);
	rcvid = hold(&q);
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key, verdict, data("x"), 1), 0);
	WANT(*verdict, 0xffffffffL);
	answer(&q, rcvid, 0);
}

CASE(BOTH, data_in_parts_have_the_same_key)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key)), *verdict = mem(sizeof(*verdict));
	iov_t *iov = mem(2 * sizeof(*iov));
	int rcvid = hold(&p);

	SETIOV(&iov[0], "abc", 3);
	SETIOV(&iov[1], "def", 3);
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, iov, 2), 0);
	*verdict = 77;
	WANT(CALL(p.server, MsgKeyData, rcvid, _NTO_KEYDATA_VERIFY, *key, verdict, data("abcdef"), 1), 0);
	WANT(*verdict, 0);
	answer(&p, rcvid, 0);
}

CASE(BOTH, needs_root)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key));
	int rcvid = hold(&p);

	WANT(CALL(p.server, setuid, 1000), 0);
	FAILS(p.server, EPERM, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("x"), 1);
	answer(&p, rcvid, 0);
}

CASE(BOTH, after_the_reply_is_ESRCH)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key));
	int rcvid = hold(&p);

	answer(&p, rcvid, 0);
	FAILS(p.server, ESRCH, MsgKeyData, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("x"), 1);
	WANT(CALL(p.server, MsgKeyData_r, rcvid, _NTO_KEYDATA_CALCULATE, 0, key, data("x"), 1), -ESRCH);
	WANT(error_of(p.server), 0);
}

CASE(BOTH, unknown_operation_is_EINVAL)
{
	struct pair p = pair_up(0);
	uint32_t *key = mem(sizeof(*key));
	int rcvid = hold(&p);

	FAILS(p.server, EINVAL, MsgKeyData, rcvid, 99, 0, key, data("x"), 1);
	answer(&p, rcvid, 0);
}
