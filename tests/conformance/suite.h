/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cases, and how they say what they want.
 *
 * A case is a function that returns when all is well. It runs in a process of
 * its own, which ends at the first thing that is not as wanted.
 */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include <stddef.h>

#include "world.h"

struct suite_case {
	const char *file;
	const char *family;	/* what rows of a table have in common, or "" */
	const char *name;
	enum where where;
	void (*run)(const void *row);
	const void *row;
};

void suite_add(struct suite_case entry);

/* Adds a case for each of `count` rows, which begin with their name. */
void suite_add_rows(struct suite_case entry, const void *rows, size_t size, size_t count);

/* Runs the cases of the present world whose names hold one of the words (all without words). */
void suite_run(char **words);

/* Why a case is not as on QNX, when that is on purpose, or NULL (differences.c). */
const char *suite_difference(const char *name);

/* CASE(worlds, name) { ... } */
#define CASE(worlds, title) \
	static void case_##title(const void *row); \
	static void __attribute__((constructor)) add_##title(void) \
	{ \
		suite_add((struct suite_case){ __FILE__, "", #title, worlds, case_##title, NULL }); \
	} \
	static void case_##title(const void *row __attribute__((unused)))

/* ROWS(worlds, name, table) { ... }: a case for each row of an array; `row` points to it. */
#define ROWS(worlds, title, table) \
	static void case_##title(const void *row); \
	static void __attribute__((constructor)) add_##title(void) \
	{ \
		suite_add_rows((struct suite_case){ __FILE__, #title, NULL, worlds, case_##title, NULL }, \
			       table, sizeof((table)[0]), sizeof(table) / sizeof((table)[0])); \
	} \
	static void case_##title(const void *row)

/* Ends the case with these words. */
#define FAIL(...) suite_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Ends the case unless the two are the same. */
#define WANT(got, wanted) \
	suite_want(__FILE__, __LINE__, #got, (long)(got), (long)(wanted))

/* Ends the case unless the condition holds. */
#define HOLDS(condition) \
	((condition) ? (void)0 : suite_fail(__FILE__, __LINE__, "%s does not hold", #condition))

void suite_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void suite_want(const char *file, int line, const char *what, long got, long wanted);

/* The name of an error number, in memory that the next calls use again. */
const char *error_name(int error);

#endif
