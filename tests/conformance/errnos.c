// SPDX-License-Identifier: GPL-2.0
/* Every error number arrives as the program knows it (neutrino-api.md 6.6). */
#include <errno.h>

#include "pair.h"

struct error {
	const char *name;
	int value;
};

#define ERROR(name) { #name, name }
/* QNX's own keep their numbers; <errno.h> has no names for most of them. */
static const struct error errors[] = {
	ERROR(EDEADLK), ERROR(ECANCELED), ERROR(ENOTSUP), ERROR(ENODATA), ERROR(EBADMSG),
	ERROR(ENAMETOOLONG), ERROR(EOVERFLOW), ERROR(EILSEQ), ERROR(ENOSYS), ERROR(ELOOP),
	ERROR(ENOTEMPTY), ERROR(EOPNOTSUPP), ERROR(ESTALE), ERROR(EINPROGRESS), ERROR(EMSGSIZE),
	ERROR(EADDRINUSE), ERROR(ENETDOWN), ERROR(ENETUNREACH), ERROR(ECONNABORTED),
	ERROR(ECONNRESET), ERROR(ENOBUFS), ERROR(ENOTCONN), ERROR(ESHUTDOWN), ERROR(ETIMEDOUT),
	ERROR(ECONNREFUSED), ERROR(EHOSTDOWN), ERROR(EHOSTUNREACH), ERROR(ENOREMOTE),
	{ "EMORE", 309 }, { "ENOLIC", 311 }, ERROR(ESRVRFAULT), { "EENDIAN", 313 },
	{ "unknown_to_both_302", 302 },
};

ROWS(BOTH, error, errors)
{
	const struct error *error = row;
	struct pair p = pair_up(0);
	int rcvid = hold(&p);

	WANT(CALL(p.server, MsgError, rcvid, error->value), 0);
	FINISH_FAILS(p.client, error->value);
}

/* 1 to 34 are the same on both. */
CASE(BOTH, first_34)
{
	struct pair p = pair_up(0);
	int number, rcvid;

	for (number = 1; number <= 34; number++) {
		rcvid = hold(&p);
		WANT(CALL(p.server, MsgError, rcvid, number), 0);
		FINISH_FAILS(p.client, number);
	}
}

/* A status that looks like an error number is none. */
CASE(BOTH, statuses_are_not_translated)
{
	static const int statuses[] = { 11, 45, 110, 260, 312 };
	struct pair p = pair_up(0);
	size_t n;

	for (n = 0; n < sizeof(statuses) / sizeof(statuses[0]); n++)
		answer(&p, hold(&p), statuses[n]);
}
