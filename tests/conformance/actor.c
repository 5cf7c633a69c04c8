// SPDX-License-Identifier: GPL-2.0
/*
 * The loop that an actor's thread runs, in shared memory that the case and all
 * actors see, and what /proc says of the thread.
 */
#include "actor.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/neutrino.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "suite.h"

/* How long a call may take that does not block: emulated machines stand still for seconds. */
#define PATIENCE_SECONDS 25
#define GLANCE_NANOSECONDS 2000000L

typedef long (*entry)(long, long, long, long, long, long);

struct signals {
	atomic_int count;
	int value, code, thread, pid, uid;
};

struct actor {
	sem_t order, report;
	const char *name;	/* of the function */
	void (*function)(void);
	size_t width;		/* of what it returns */
	long arguments[6];
	long result;
	int error;
	bool busy;		/* known to the case alone */
	pid_t pid, tid;
	struct signals signals;	/* of the whole process, kept with its first thread */
	struct actor *process;	/* the first thread */
	struct actor *spawner;	/* makes the process's other threads: the first may be blocked */
};

/* The actor that counts this process's signals. */
static struct actor *counter;
static int last_error;

static void wait_for(sem_t *semaphore)
{
	/* Signals are what some cases are about. */
	while (sem_wait(semaphore) == -1 && errno == EINTR)
		;
}

/* Signals are for those actors that make the calls under test. */
static void take_signals(bool take)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(take ? SIG_UNBLOCK : SIG_BLOCK, &all, NULL);
}

static void *loop(void *argument)
{
	struct actor *actor = argument;

	take_signals(actor != actor->process->spawner);
	actor->pid = getpid();
	actor->tid = gettid();
	sem_post(&actor->report);
	for (;;) {
		const long *a = actor->arguments;

		wait_for(&actor->order);
		if (!actor->function)
			return NULL;
		errno = 0;
		actor->result = ((entry)actor->function)(a[0], a[1], a[2], a[3], a[4], a[5]);
		actor->error = errno;
		if (actor->width < sizeof(long))
			actor->result = (int)actor->result;
		sem_post(&actor->report);
	}
}

static struct actor *new_thread(struct actor *process)
{
	struct actor *actor = mem(sizeof(*actor));

	sem_init(&actor->order, 1, 0);
	sem_init(&actor->report, 1, 0);
	actor->process = process ? process : actor;
	return actor;
}

static struct actor *new_process(void)
{
	struct actor *actor = new_thread(NULL);

	actor->spawner = new_thread(actor);
	return actor;
}

static bool waited(sem_t *semaphore, int seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &end) == -1)
		if (errno != EINTR)
			return false;
	return true;
}

static struct actor *started(struct actor *actor)
{
	if (!waited(&actor->report, PATIENCE_SECONDS))
		FAIL("an actor does not start");
	return actor;
}

static int start_thread(struct actor *actor)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, loop, actor);

	return error ? error : pthread_detach(thread);
}

static void __attribute__((noreturn)) run_process(struct actor *actor)
{
	counter = actor;
	start_thread(actor->spawner);
	started(actor->spawner);
	loop(actor);
	/* The thread was told to end, and it is the process's first. */
	pthread_exit(NULL);
}

struct actor *process_on(enum side side)
{
	struct actor *actor = new_process();

	switch (fork()) {
	case -1:
		FAIL("fork: %s", error_name(errno));
	case 0:
		/* Only the case itself is to be ended by its alarm. */
		signal(SIGALRM, SIG_IGN);
		world_enter(side);
		run_process(actor);
	default:
		return started(actor);
	}
}

struct actor *thread_of(struct actor *owner)
{
	struct actor *actor = new_thread(owner->process);

	WANT(CALL(owner->process->spawner, start_thread, actor), 0);
	return started(actor);
}

static int start_child(struct actor *actor)
{
	pid_t pid = fork();

	if (pid == 0)
		run_process(actor);
	return pid == -1 ? -1 : 0;
}

struct actor *child_of(struct actor *parent)
{
	struct actor *actor = new_process();

	WANT(CALL(parent, start_child, actor), 0);
	return started(actor);
}

pid_t pid_of(const struct actor *actor)
{
	return actor->pid;
}

pid_t tid_of(const struct actor *actor)
{
	return actor->tid;
}

void actor_begin(struct actor *actor, const char *name, void (*function)(void), size_t width,
		 const long *arguments)
{
	if (actor->busy)
		FAIL("%s is still in %s", name, actor->name);
	actor->name = name;
	actor->function = function;
	actor->width = width;
	memcpy(actor->arguments, arguments, sizeof(actor->arguments));
	actor->busy = true;
	sem_post(&actor->order);
}

/* The character that /proc tells of a process or thread: 'Z' too when there is none. */
static char state_in(const char *path)
{
	char line[512], *name_end;
	FILE *file = fopen(path, "re");
	char state = 'Z';

	if (!file)
		return state;
	if (fgets(line, sizeof(line), file)) {
		name_end = strrchr(line, ')');
		if (name_end && name_end[1])
			state = name_end[2];
	}
	fclose(file);
	return state;
}

static char process_state(const struct actor *actor)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid_of(actor));
	return state_in(path);
}

long actor_finish(struct actor *actor, const char *file, int line)
{
	int seconds;

	for (seconds = 0; !waited(&actor->report, 1); seconds++) {
		if (process_state(actor) == 'Z')
			suite_fail(file, line, "%s: its process has died", actor->name);
		if (seconds == PATIENCE_SECONDS)
			suite_fail(file, line, "%s does not return", actor->name);
	}
	actor->busy = false;
	last_error = actor->error;
	return actor->result;
}

void actor_finish_fails(struct actor *actor, int error, const char *file, int line)
{
	long result = actor_finish(actor, file, line);
	char wanted[32];

	if (result == -1 && actor->error == error)
		return;
	snprintf(wanted, sizeof(wanted), "%s", error_name(error));
	if (result == -1)
		suite_fail(file, line, "%s: wanted %s, came %s", actor->name, wanted,
			   error_name(actor->error));
	suite_fail(file, line, "%s: wanted %s, came the value %ld", actor->name, wanted, result);
}

int error_of(const struct actor *actor)
{
	return actor->error;
}

int actor_last_error(void)
{
	return last_error;
}

static bool has_reported(const struct actor *actor)
{
	int value = 0;

	sem_getvalue((sem_t *)&actor->report, &value);
	return value > 0;
}

bool is_busy(const struct actor *actor)
{
	return actor->busy && !has_reported(actor);
}

bool has_returned(const struct actor *actor)
{
	return actor->busy && has_reported(actor);
}

void actor_pause(int tries, const char *what, const char *file, int line)
{
	struct timespec glance = { .tv_nsec = GLANCE_NANOSECONDS };

	if (tries > PATIENCE_SECONDS * (1000000000L / GLANCE_NANOSECONDS))
		suite_fail(file, line, "it does not come about that %s", what);
	nanosleep(&glance, NULL);
}

/*
 * The system call that the thread sleeps in, or -1. A thread that is running
 * has no number there. All blocking calls of the module are ioctls, and an
 * actor without work waits in a futex.
 */
static long sleeps_in(const struct actor *actor)
{
	char path[64], line[128];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid_of(actor), tid_of(actor));
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file) && sscanf(line, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

void await_blocked(struct actor *actor)
{
	int tries;

	for (tries = 0; sleeps_in(actor) != SYS_ioctl; tries++) {
		if (!is_busy(actor))
			FAIL("%s returned %ld (%s) instead of blocking", actor->name, actor->result,
			     error_name(actor->error));
		actor_pause(tries, "the call blocks", __FILE__, __LINE__);
	}
}

void await_state(struct actor *actor, char state)
{
	AWAIT(process_state(actor) == state);
}

/* Of a process that is killed, the first thread may have ended while others still run. */
static bool is_last_thread(const struct actor *actor)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/task", pid_of(actor));
	/* Two links that each directory has, and one for each thread. */
	return stat(path, &status) == -1 || status.st_nlink <= 3;
}

void await_death(struct actor *actor)
{
	AWAIT(process_state(actor) == 'Z' && is_last_thread(actor));
}

void signal_thread(struct actor *actor, int number)
{
	if (tgkill(pid_of(actor), tid_of(actor), number) == -1)
		FAIL("tgkill: %s", error_name(errno));
}

void signal_process(struct actor *actor, int number)
{
	if (kill(pid_of(actor), number) == -1)
		FAIL("kill: %s", error_name(errno));
}

void kill_process(struct actor *actor)
{
	signal_process(actor, SIGKILL);
	await_death(actor);
}

void end_thread(struct actor *actor)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid_of(actor), tid_of(actor));
	actor->function = NULL;
	sem_post(&actor->order);
	AWAIT(state_in(path) == 'Z');
}

static int leave(void)
{
	exit(0);
}

void exit_process(struct actor *actor)
{
	BEGIN(actor, leave);
	await_death(actor);
}

static void handle(int number, siginfo_t *info, void *context)
{
	struct signals *signals = &counter->signals;

	(void)number;
	(void)context;
	signals->value = info->si_value.sival_int;
	signals->code = info->si_code;
	signals->pid = info->si_pid;
	signals->uid = info->si_uid;
	signals->thread = gettid();
	signals->count++;
}

static int set_handler(int number, int flags)
{
	struct sigaction action = { .sa_flags = flags | SA_SIGINFO };

	action.sa_sigaction = handle;
	return sigaction(number, &action, NULL);
}

void count_signal(struct actor *actor, int number, int flags)
{
	WANT(CALL(actor, set_handler, number, flags), 0);
}

int signal_count(const struct actor *actor)
{
	return actor->process->signals.count;
}

int signal_value(const struct actor *actor)
{
	return actor->process->signals.value;
}

int signal_code(const struct actor *actor)
{
	return actor->process->signals.code;
}

int signal_thread_id(const struct actor *actor)
{
	return actor->process->signals.thread;
}

int signal_pid(const struct actor *actor)
{
	return actor->process->signals.pid;
}

int signal_uid(const struct actor *actor)
{
	return actor->process->signals.uid;
}

void await_signals(struct actor *actor, int count)
{
	AWAIT(signal_count(actor) >= count);
}
