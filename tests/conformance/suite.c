// SPDX-License-Identifier: GPL-2.0
/*
 * Runs each case in a process of its own, tells what became of it, and leaves
 * no process behind.
 */
#include "suite.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/neutrino.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "arena.h"

/*
 * Against hangs: what a case waits for comes within milliseconds, but emulated
 * machines on a busy host stand still for seconds.
 */
#define CASE_SECONDS 90
#define END_SECONDS 30

static struct suite_case *cases;
static size_t case_count;
/* Shared with the case's processes: why it failed. */
static char *reason;

#define REASON_SIZE 512

void suite_add(struct suite_case entry)
{
	cases = reallocarray(cases, case_count + 1, sizeof(*cases));
	if (!cases)
		abort();
	cases[case_count++] = entry;
}

void suite_add_rows(struct suite_case entry, const void *rows, size_t size, size_t count)
{
	size_t n;

	for (n = 0; n < count; n++) {
		entry.row = (const char *)rows + n * size;
		entry.name = *(const char *const *)entry.row;
		suite_add(entry);
	}
}

const char *error_name(int error)
{
	static char number[16];
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(number, sizeof(number), "errno %d", error);
	return number;
}

void suite_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;
	int used;

	used = snprintf(reason, REASON_SIZE, "%s:%d: ", file, line);
	va_start(arguments, format);
	vsnprintf(reason + used, REASON_SIZE - used, format, arguments);
	va_end(arguments);
	_exit(1);
}

void suite_want(const char *file, int line, const char *what, long got, long wanted)
{
	int error = actor_last_error();

	if (got == wanted)
		return;
	if (got == -1 && error)
		suite_fail(file, line, "%s: wanted %ld, came -1 (%s)", what, wanted, error_name(error));
	suite_fail(file, line, "%s: wanted %ld, came %ld", what, wanted, got);
}

/* The file without folder and ending, the family of the row, the name. */
static void full_name(const struct suite_case *entry, char *name, size_t size)
{
	const char *world_name = world.where == LOCAL ? "local" : is_remote() ? "remote" : "absent";
	const char *file = strrchr(entry->file, '/');

	file = file ? file + 1 : entry->file;
	snprintf(name, size, "%s/%.*s/%s%s%s", world_name, (int)strcspn(file, "."), file,
		 entry->family, *entry->family ? "/" : "", entry->name);
}

static bool is_wanted(const struct suite_case *entry, char **words)
{
	char name[256];

	if (!(entry->where & world.where))
		return false;
	full_name(entry, name, sizeof(name));
	if (!*words)
		return true;
	for (; *words; words++)
		if (strstr(name, *words))
			return true;
	return false;
}

static void __attribute__((noreturn)) case_process(const struct suite_case *entry)
{
	setpgid(0, 0);
	/* Its own blocked calls are bounded; this is for loops that do not end. */
	alarm(CASE_SECONDS);
	entry->run(entry->row);
	_exit(0);
}

static struct timespec deadline(int seconds)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += seconds;
	return time;
}

static bool is_over(struct timespec end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end.tv_sec;
}

/* Kills all that the case has left, and waits for its end. The first that stays is told. */
static void clear_away(pid_t group)
{
	struct timespec end = deadline(END_SECONDS);
	pid_t pid;

	for (;;) {
		kill(-group, SIGKILL);
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid == -1)
			return;
		if (is_over(end))
			break;
		if (pid == 0)
			usleep(1000);
	}
	if (!*reason)
		snprintf(reason, REASON_SIZE, "a process of the case cannot be killed");
}

/* Runs one case: true when it passed. */
static bool passes(const struct suite_case *entry)
{
	int status = 0;
	pid_t pid;

	*reason = '\0';
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		case_process(entry);
	/* Done on both sides, because either may come first. */
	setpgid(pid, pid);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	clear_away(pid);
	if (*reason)
		return false;
	if (WIFSIGNALED(status))
		snprintf(reason, REASON_SIZE, "ended by signal %d (%s)", WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? "it took too long" : "it crashed");
	else if (WEXITSTATUS(status))
		snprintf(reason, REASON_SIZE, "exit status %d", WEXITSTATUS(status));
	return !*reason;
}

/* Runs one case and prints its line. */
static void judge(const struct suite_case *entry)
{
	const char *difference;
	char name[256];
	bool passed;

	full_name(entry, name, sizeof(name));
	difference = suite_difference(name);
	passed = passes(entry);
	if (passed && difference)
		printf("not ok %s: it is as on QNX, and said to differ: %s\n", name, difference);
	else if (passed)
		printf("ok %s\n", name);
	else if (difference)
		printf("differs %s: %s (%s)\n", name, difference, reason);
	else
		printf("not ok %s: %s\n", name, reason);
	fflush(stdout);
}

void suite_run(char **words)
{
	size_t n, plan = 0;

	reason = arena_share(REASON_SIZE);
	/* What a case's processes leave behind becomes ours, so that we can wait for it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (n = 0; n < case_count; n++)
		plan += is_wanted(&cases[n], words);
	printf("1..%zu\n", plan);
	for (n = 0; n < case_count; n++) {
		if (!is_wanted(&cases[n], words))
			continue;
		/* What the case before has changed, and perhaps not changed back. */
		if (is_remote() && !world_defaults())
			errx(1, "the options of the nodes cannot be set");
		judge(&cases[n]);
	}
}
