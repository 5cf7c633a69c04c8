#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds libqnet, the `qnet` command and the guest programs.
#
#   tools/userspace.sh [native] [CARGO-ARGUMENT...]
#       in the build root, into build/target/userspace/release; native: with this machine's own cargo,
#       into build/target/native/release

. "$(dirname "$0")/lib.sh"

target=userspace
if [ "${1:-}" = native ]; then
	shift
	target=native
	need_tool cargo cargo
elif ! in_build_root; then
	exec "$QNET_TOP/tools/enter" tools/userspace.sh "$@"
fi
export CARGO_TARGET_DIR=$QNET_TOP/build/target/$target
cd "$QNET_TOP/qnet_userspace"
if [ "$target" = native ]; then
	step "$QNET_TOP/build/log/userspace.log" "building libqnet and the qnet command" -- \
		cargo build --release --workspace --locked "$@"
else
	nice cargo build --release --workspace --locked "$@"
fi
