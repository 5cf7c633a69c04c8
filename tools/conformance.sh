#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs the conformance suite: Neutrino's calls through the C library, on one node and between two
# (Documentation/testing.md). The last line is "N passed, N failed".
#
#   tools/conformance.sh [--built] [WORD...]     --built: the module and the programs are there already;
#                                                words: only cases whose names hold one of them

. "$(dirname "$0")/lib.sh"

if ! in_build_root; then
	"$QNET_TOP/tools/setup.sh" stock
	exec "$QNET_TOP/tools/enter" env QNET_ELAPSED="$SECONDS" tools/conformance.sh "$@"
fi

cd "$QNET_TOP"
if [ "${1:-}" = --built ]; then
	shift
else
	step build/log/conformance-module.log "building the module for Debian's stock kernel" -- tools/module.sh stock
	step build/log/conformance-programs.log "building the programs" -- tools/userspace.sh
fi
step build/log/conformance-suite.log "compiling the suite" -- tests/conformance/build.sh

status=0
tools/vm run --name conformance --script tests/conformance/guest.sh --module build/module/stock/qnet.ko \
	--add build/conformance/qnet-conformance --add build/target/userspace/release/qnet --timeout 900 \
	"${@/#/--argument=}" || status=$?

# A case without a result has failed, and so has the run when the machine is not well at its end.
# What differs from QNX on purpose counts as neither.
awk -v status=$status '
	/^1\.\./ { planned += substr($0, 4) }
	/^ok / { passed++ }
	/^differs / { different++ }
	END {
		failed = planned - passed - different
		if (failed == 0 && (status != 0 || planned == 0))
			failed = 1
		printf "%d differ from QNX as Documentation/conformance.md says\n", different
		printf "%d passed, %d failed\n", passed, failed
		exit failed != 0
	}' build/vm/conformance/script.log
