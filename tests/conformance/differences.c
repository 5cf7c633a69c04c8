// SPDX-License-Identifier: GPL-2.0
/*
 * Where this library differs from QNX on purpose, and Documentation/conformance.md
 * says so. The cases want what QNX does, and are told apart from failures by this
 * table. One that comes out as on QNX after all is a failure: the row, and what is
 * documented, have to go.
 */
#include <stddef.h>
#include <string.h>

#include "suite.h"

static const struct {
	const char *name;	/* of the case, without its world */
	const char *reason;
} differences[] = {
	{ "channel/create_without_descriptors_is_EAGAIN", "a channel takes a descriptor: EMFILE" },
	{ "receive/pulse_into_a_bad_buffer_is_EFAULT", "the library stores pulses: SIGSEGV" },
	{ "send/bad_reply_area_is_EFAULT_for_both", "the client copies its reply itself" },
};

const char *suite_difference(const char *name)
{
	size_t n;

	for (n = 0; n < sizeof(differences) / sizeof(differences[0]); n++)
		if (!strcmp(strchr(name, '/') + 1, differences[n].name))
			return differences[n].reason;
	return NULL;
}
