#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Message passing on two nodes under signals, time-outs, forks and deaths, on the debug kernel, at
# length (Documentation/testing.md). The last line is "N passed, N failed".
#
#   tools/stress.sh [--seconds N] [--seed N]     by default ten minutes, and another seed each time

. "$(dirname "$0")/lib.sh"

if ! in_build_root; then
	"$QNET_TOP/tools/setup.sh" stock
	exec "$QNET_TOP/tools/enter" env QNET_ELAPSED="$SECONDS" tools/stress.sh "$@"
fi

seconds=600 seed=$(date +%s)
while [ $# -gt 0 ]; do
	case $1 in
	--seconds) seconds=$2 ;;
	--seed) seed=$2 ;;
	*) die "usage: tools/stress.sh [--seconds N] [--seed N]" ;;
	esac
	shift 2
done

cd "$QNET_TOP"
step build/log/stress-kernel.log "building the debug kernel, if it is not there" -- tools/kernel/debug.sh
step build/log/stress-module.log "building the module for the debug kernel" -- tools/module.sh debug
step build/log/stress-programs.log "building the programs" -- tools/userspace.sh

# Before and after the trouble everything may take minutes on an emulated machine.
status=0
tools/vm run --name stress-long --kernel debug --kmemleak --ktap script --script tests/vm/stress.sh \
	--module build/module/debug/qnet.ko --programs build/target/userspace/release --timeout $((seconds + 900)) \
	--argument=--seconds "--argument=$seconds" --argument=--seed "--argument=$seed" || status=$?

# A machine that is not well at its end is a failure, too.
awk -F '[ :,]+' -v status=$status '
	$2 == "\"passed\"" { passed = $3 }
	$2 == "\"failed\"" { failed = $3 }
	END {
		if (status != 0 && failed == 0)
			failed = 1
		printf "%d passed, %d failed\n", passed, failed
		exit failed != 0
	}' build/vm/stress-long/result.json
