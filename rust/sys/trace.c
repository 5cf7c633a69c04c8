// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of trace.h are made here, with the functions by which Rust
 * calls them when they are on.
 */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "trace.h"
