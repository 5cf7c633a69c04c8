/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that all processes of a case share at the same address, so that an
 * argument or a result needs no copying between them.
 */
#ifndef CONFORMANCE_ARENA_H
#define CONFORMANCE_ARENA_H

#include <stddef.h>

/* A new shared mapping of its own, all zero. */
void *arena_share(size_t size);

/* Zeroed memory, aligned for anything, for as long as the case runs. */
void *mem(size_t size);

/* Bytes that are the same on every call, and differ from place to place. */
void *pattern(size_t size);

/* Ends the case unless the bytes are those of pattern() from `offset` on. */
void want_pattern(const void *bytes, size_t size, size_t offset);

/* An address that nothing is mapped at. */
#define NOWHERE ((void *)8)

#endif
