#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# How many instructions a round trip costs, on one node and between two, counted by QEMU: one
# processor, guest time is the number of instructions, repeatable to about 1 %.
#
#   tools/bench.sh [BYTES,BYTES...]     lengths of the messages; 1 by default

. "$(dirname "$0")/lib.sh"

if ! in_build_root; then
	"$QNET_TOP/tools/setup.sh" stock
	exec "$QNET_TOP/tools/enter" env QNET_ELAPSED="$SECONDS" tools/bench.sh "$@"
fi

cd "$QNET_TOP"
step build/log/bench-module.log "building the module for Debian's stock kernel" -- tools/module.sh stock
step build/log/bench-programs.log "building the benchmark" -- tools/userspace.sh
say "counting instructions in QEMU ..."
tools/vm run --icount --name bench --timeout 900 --script tools/bench/guest.sh --argument "${1:-1}" \
	--module build/module/stock/qnet.ko --programs build/target/userspace/release
say "done: nanoseconds are instructions"
