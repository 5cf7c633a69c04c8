// SPDX-License-Identifier: GPL-2.0
/* One large shared mapping, made before the first process of a case, handed out from its start. */
#include "arena.h"

#include <err.h>
#include <stdint.h>
#include <sys/mman.h>

#include "suite.h"

/* Pages that nobody touches cost nothing. */
#define ARENA_SIZE (256UL << 20)

static char *arena;
static size_t used;

void *arena_share(size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		err(1, "mmap");
	return base;
}

void *mem(size_t size)
{
	void *start;

	if (!arena)
		arena = arena_share(ARENA_SIZE);
	start = arena + used;
	used += (size + 63) & ~63UL;
	if (used > ARENA_SIZE)
		FAIL("the case uses more than %lu bytes", ARENA_SIZE);
	return start;
}

/* Neighbouring pages, blocks of 64 KiB and lines differ. */
static uint8_t pattern_byte(size_t place)
{
	return place ^ place >> 8 ^ place >> 16 ^ place >> 12;
}

void *pattern(size_t size)
{
	uint8_t *bytes = mem(size);
	size_t n;

	for (n = 0; n < size; n++)
		bytes[n] = pattern_byte(n);
	return bytes;
}

void want_pattern(const void *bytes, size_t size, size_t offset)
{
	const uint8_t *got = bytes;
	size_t n;

	for (n = 0; n < size; n++)
		if (got[n] != pattern_byte(offset + n))
			FAIL("byte %zu of %zu: wanted %#x, came %#x", n, size,
			     pattern_byte(offset + n), got[n]);
}
