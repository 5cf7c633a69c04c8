#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the module and takes a warning for a failure.
#
#   tests/runner/module.sh stock|debug [CLIPPY=1]

. "$(dirname "$0")/../../tools/lib.sh"

kind=$1
export QNET_MODULE_OUT=$QNET_TOP/build/module/$kind
[ "${2:-}" != CLIPPY=1 ] || QNET_MODULE_OUT=$QNET_TOP/build/module/clippy
log=$QNET_TOP/build/log/build-${QNET_MODULE_OUT##*/}.log
mkdir -p "${log%/*}"

status=0
"$QNET_TOP/tools/module.sh" "$@" >"$log" 2>&1 || status=$?
cat "$log"
if grep -qE '^(warning|WARNING)\b|[: ]warning: ' "$log"; then
	# What compiled with a warning would not be compiled again, and the next run would not see it.
	rm -rf "$QNET_MODULE_OUT"
	die "the build printed warnings."
fi
exit "$status"
