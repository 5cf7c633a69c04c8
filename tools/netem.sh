#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Messages of all lengths over links with faults: every pair of loss, reordering, doubling, corruption
# and MTU (Documentation/testing.md). The last line is "N passed, N failed".
#
#   tools/netem.sh [--short] [--cell NAME]... [--messages N] [--seed N]

. "$(dirname "$0")/lib.sh"

if ! in_build_root; then
	"$QNET_TOP/tools/setup.sh" stock
	exec "$QNET_TOP/tools/enter" env QNET_ELAPSED="$SECONDS" tools/netem.sh "$@"
fi

cd "$QNET_TOP"
step build/log/netem-module.log "building the module for Debian's stock kernel" -- tools/module.sh stock
step build/log/netem-programs.log "building the programs" -- tools/userspace.sh
exec env PYTHONPATH=tests:tools PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 python3 -m netem "$@"
