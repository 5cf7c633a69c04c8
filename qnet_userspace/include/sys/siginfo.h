/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events: Neutrino's struct sigevent, which a client fills in and gives to a
 * server, and which the server delivers with MsgDeliverEvent(3).
 *
 * An event travels inside of messages, also to and from QNX, so its layout and
 * its numbers are Neutrino's. The C library has another structure of this
 * name, with other numbers under the same names, for timer_create() and its
 * like. So this header lets the C library define its own first, whichever is
 * included first, and takes the names over: after it, `struct sigevent' and
 * SIGEV_* are Neutrino's. The C library's calls that take an event then refuse
 * ours when the program is compiled; what uses them belongs into another file.
 */
#ifndef _QNET_SYS_SIGINFO_H
#define _QNET_SYS_SIGINFO_H

/* Every header of the C library that has the structure inside of another one. */
#include <aio.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Strict ISO C has no such union in <signal.h>. */
#if !defined(_POSIX_C_SOURCE) || _POSIX_C_SOURCE < 199309L
union sigval {
	int sival_int;
	void *sival_ptr;
};
#endif

#undef sigev_notify_function
#undef sigev_notify_attributes

struct _qnet_sigevent {
	int sigev_notify;		/* SIGEV_*, and SIGEV_FLAG_* */
	__extension__ union {
		int sigev_signo;	/* of a signal */
		int sigev_coid;		/* where a pulse goes */
		int sigev_id;
		void (*sigev_notify_function)(union sigval value);
	};
	union sigval sigev_value;
	__extension__ union {
		__extension__ struct {
			short sigev_code;
			short sigev_priority;
		};
		void *sigev_notify_attributes;
	};
};

#define sigevent		_qnet_sigevent

#undef SIGEV_NONE
#undef SIGEV_SIGNAL
#undef SIGEV_THREAD
#undef SIGEV_THREAD_ID

#define SIGEV_NONE		0
#define SIGEV_SIGNAL		1	/* a signal */
#define SIGEV_SIGNAL_CODE	2	/* a signal with a code and a value */
#define SIGEV_SIGNAL_THREAD	3	/* such a signal to the thread */
#define SIGEV_PULSE		4
#define SIGEV_UNBLOCK		5	/* the blocked call ends */
#define SIGEV_INTR		6	/* not delivered here */
#define SIGEV_THREAD		7	/* not delivered here */

/* The bits of sigev_notify that are one of these numbers. */
#define SIGEV_TYPE_MASK		0xff
/* Taken, and without effect. */
#define SIGEV_FLAG_CRITICAL	0x100
#define SIGEV_MAKE_CRITICAL(event)  ((event)->sigev_notify |= SIGEV_FLAG_CRITICAL)
#define SIGEV_CLEAR_CRITICAL(event) ((event)->sigev_notify &= ~SIGEV_FLAG_CRITICAL)

/* A pulse's priority: that of the thread that delivers it. */
#define SIGEV_PULSE_PRIO_INHERIT (-1)

#define SIGEV_GET_TYPE(event)	((event)->sigev_notify & SIGEV_TYPE_MASK)

#define SIGEV_NONE_INIT(event)	((event)->sigev_notify = SIGEV_NONE)
#define SIGEV_UNBLOCK_INIT(event) ((event)->sigev_notify = SIGEV_UNBLOCK)
#define SIGEV_SIGNAL_INIT(event, signal) \
	((event)->sigev_notify = SIGEV_SIGNAL, (event)->sigev_signo = (signal))
/* value: a number or a pointer. */
#define SIGEV_SIGNAL_CODE_INIT(event, signal, value, code) \
	((event)->sigev_notify = SIGEV_SIGNAL_CODE, (event)->sigev_signo = (signal), \
	 (event)->sigev_value.sival_ptr = (void *)(intptr_t)(value), \
	 (event)->sigev_code = (short)(code))
#define SIGEV_SIGNAL_THREAD_INIT(event, signal, value, code) \
	((event)->sigev_notify = SIGEV_SIGNAL_THREAD, (event)->sigev_signo = (signal), \
	 (event)->sigev_value.sival_ptr = (void *)(intptr_t)(value), \
	 (event)->sigev_code = (short)(code))
#define SIGEV_PULSE_INIT(event, coid, priority, code, value) \
	((event)->sigev_notify = SIGEV_PULSE, (event)->sigev_coid = (coid), \
	 (event)->sigev_value.sival_ptr = (void *)(intptr_t)(value), \
	 (event)->sigev_code = (short)(code), (event)->sigev_priority = (short)(priority))
#define SIGEV_PULSE_INT_INIT	SIGEV_PULSE_INIT
#define SIGEV_PULSE_PTR_INIT	SIGEV_PULSE_INIT

#ifdef __cplusplus
}
#endif

#endif /* _QNET_SYS_SIGINFO_H */
