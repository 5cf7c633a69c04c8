/* SPDX-License-Identifier: GPL-2.0 */
/* What a program does that was started by a client's exec(). */
#ifndef CONFORMANCE_EXEC_H
#define CONFORMANCE_EXEC_H

/* The word in the command line that asks for exec_send(). */
#define EXEC_SEND "exec-send"

/* Sends a word on an inherited connection: 0, or the error number. */
int exec_send(int coid);

#endif
