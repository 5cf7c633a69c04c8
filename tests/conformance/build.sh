#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Compiles the conformance suite as a program of a user would be: with the C library's headers, and
# linked with its archive. Runs in the build root, after tools/userspace.sh.

. "$(dirname "$0")/../../tools/lib.sh"

cd "$QNET_TOP"
mkdir -p build/conformance
exec gcc-14 -std=gnu17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Iqnet_userspace/include -o build/conformance/qnet-conformance \
	tests/conformance/*.c build/target/userspace/release/libqnet_c.a -lgcc_s -lpthread -lm -ldl -lc
