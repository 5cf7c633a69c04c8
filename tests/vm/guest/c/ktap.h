/* SPDX-License-Identifier: GPL-2.0 */
/* What the C tests have in common: checks that end a case, and the report. */
#ifndef KTAP_H
#define KTAP_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char reason[256];
static int reason_line;

static int same(long got, long want, const char *what, int line)
{
	if (got == want)
		return 1;
	snprintf(reason, sizeof(reason), "%s is %ld, not %ld (errno %d)", what, got, want, errno);
	reason_line = line;
	return 0;
}

/* Ends the case unless the values are the same. */
#define WANT(got, want) do { \
	if (!same((long)(got), (long)(want), #got, __LINE__)) \
		return 1; \
} while (0)

/* Ends the case unless the call returns -1 with this errno. */
#define FAILS(call, error) do { \
	errno = 0; \
	WANT(call, -1); \
	WANT(errno, error); \
} while (0)

struct case_of {
	const char *name;
	int (*run)(void);
};

/* Runs the cases and prints their results in KTAP; 1 if one has failed. */
static int run_suite(const char *suite, const struct case_of *cases, size_t count)
{
	size_t n;
	int bad = 0;

	printf("KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: %s\n    1..%zu\n", suite, count);
	for (n = 0; n < count; n++) {
		int failed;

		fflush(stdout);
		/* A case that hangs ends the program, and the report is short of results then. */
		alarm(60);
		failed = cases[n].run();
		if (failed) {
			bad = 1;
			printf("    # %s: line %d: %s\n", cases[n].name, reason_line, reason);
		}
		printf("    %sok %zu %s\n", failed ? "not " : "", n + 1, cases[n].name);
	}
	printf("%sok 1 %s\n", bad ? "not " : "", suite);
	return bad;
}

#endif /* KTAP_H */
