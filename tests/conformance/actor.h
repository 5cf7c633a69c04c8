/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Actors: threads, of one process or of several, that make the calls which a
 * case tells them to make. The case itself makes none: it tells the server to
 * receive and the client to send in one sequence, and while a call blocks it
 * goes on.
 */
#ifndef CONFORMANCE_ACTOR_H
#define CONFORMANCE_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "world.h"

struct actor;

/* A process on a side; one more thread of a process; a child by fork(). */
struct actor *process_on(enum side side);
struct actor *thread_of(struct actor *owner);
struct actor *child_of(struct actor *parent);

pid_t pid_of(const struct actor *actor);
pid_t tid_of(const struct actor *actor);

/*
 * BEGIN(who, function, arguments...) lets the actor call the function;
 * FINISH(who) waits for the end of the call, gives its value, and fails the
 * case if it does not end; CALL() is both. Arguments that are pointers point to
 * memory that is shared (arena.h), or to constants.
 *
 * The sizeof lets the compiler check the arguments against the prototype. That
 * the call itself passes all of them as long is right where they travel in
 * registers, as on x86-64, arm64 and riscv64.
 */
#define BEGIN(who, function, ...) \
	actor_begin(who, #function, (void (*)(void))(function), \
		    sizeof(function(__VA_ARGS__)), (const long[6]){ AS_LONGS(__VA_ARGS__) })
#define FINISH(who) actor_finish(who, __FILE__, __LINE__)
#define CALL(who, ...) ({ \
	struct actor *called_ = (who); \
	BEGIN(called_, __VA_ARGS__); \
	FINISH(called_); \
})

/* Ends the case unless the call returns -1 with this errno. */
#define FAILS(who, error, ...) ({ \
	struct actor *called_ = (who); \
	BEGIN(called_, __VA_ARGS__); \
	FINISH_FAILS(called_, error); \
})
#define FINISH_FAILS(who, error) \
	actor_finish_fails(who, error, __FILE__, __LINE__)

#define AS_LONGS(...) \
	PICK(0 __VA_OPT__(,) __VA_ARGS__, LONGS6, LONGS5, LONGS4, LONGS3, LONGS2, LONGS1, LONGS0, 0)(__VA_ARGS__)
#define PICK(zero, a, b, c, d, e, f, name, ...) name
#define LONGS0() 0
#define LONGS1(a) (long)(a)
#define LONGS2(a, b) (long)(a), (long)(b)
#define LONGS3(a, b, c) (long)(a), (long)(b), (long)(c)
#define LONGS4(a, b, c, d) (long)(a), (long)(b), (long)(c), (long)(d)
#define LONGS5(a, b, c, d, e) (long)(a), (long)(b), (long)(c), (long)(d), (long)(e)
#define LONGS6(a, b, c, d, e, f) \
	(long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)

void actor_begin(struct actor *actor, const char *name, void (*function)(void), size_t width,
		 const long *arguments);
long actor_finish(struct actor *actor, const char *file, int line);
void actor_finish_fails(struct actor *actor, int error, const char *file, int line);

/* errno after the actor's last call; after the last call of any actor. */
int error_of(const struct actor *actor);
int actor_last_error(void);

/* Has a call that was begun not returned? Has it, and nobody has asked for its value? */
bool is_busy(const struct actor *actor);
bool has_returned(const struct actor *actor);

/* Waits until the thread sleeps inside of a call of the module. */
void await_blocked(struct actor *actor);
/* Waits until the kernel says that the process is in this state (as in ps). */
void await_state(struct actor *actor, char state);
/* Waits until the process is no more than an exit status. */
void await_death(struct actor *actor);

/* A signal to the thread, to the process. */
void signal_thread(struct actor *actor, int number);
void signal_process(struct actor *actor, int number);
/* kill -9, and waits for the death. */
void kill_process(struct actor *actor);
/* Lets the thread end, or the process by exit(). */
void end_thread(struct actor *actor);
void exit_process(struct actor *actor);

/* Lets the thread handle the signal by counting it, with these SA_* flags. */
void count_signal(struct actor *actor, int number, int flags);
/* How often it was handled, and what came with it the last time. */
int signal_count(const struct actor *actor);
int signal_value(const struct actor *actor);
int signal_code(const struct actor *actor);
int signal_thread_id(const struct actor *actor);
int signal_pid(const struct actor *actor);
int signal_uid(const struct actor *actor);
/* Waits until it was handled so often. */
void await_signals(struct actor *actor, int count);

/* Asks again until it is so; fails the case with these words when it does not become so. */
#define AWAIT(condition) \
	for (int tries = 0; !(condition); tries++) \
		actor_pause(tries, #condition, __FILE__, __LINE__)
void actor_pause(int tries, const char *what, const char *file, int line);

#endif
