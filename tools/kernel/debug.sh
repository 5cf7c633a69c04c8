#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the kernel that the KUnit suites run on: the same source as the stock kernel, with KASAN,
# lockdep, kmemleak, fault injection and KUnit (tests/kunit/debug-kernel.config). RUST together
# with KASAN requires clang, so this kernel is built by LLVM 19. Runs in the build root.
#
#   debug.sh [--is-built]

. "$(dirname "$0")/../lib.sh"

src=/srv/qnet/tree/src out=/srv/qnet/debug config=$QNET_TOP/tests/kunit/debug-kernel.config
want=$({ grep CONFIG_ "$config" && cat "$src/.qnet-sublevel"; } | sha256sum)

if [ "${1:-}" = --is-built ]; then
	[ "$(cat $out/qnet.stamp 2>/dev/null)" = "$want" ]
	exit
fi
# Another run may be at it: then this one waits, and finds it done.
exec 7>/srv/qnet/debug.lock
flock 7
[ "$(cat $out/qnet.stamp 2>/dev/null)" != "$want" ] || exit 0
make=(make -C "$src" O="$out" LLVM=-19 -j"$(nproc)")
rm -rf "$out"
mkdir -p "$out"
"${make[@]}" KCONFIG_ALLCONFIG="$config" allnoconfig
for option in RUST KUNIT KASAN PROVE_LOCKING DEBUG_KMEMLEAK; do
	grep -q "^CONFIG_$option=y" $out/.config || die "the debug kernel's configuration lost CONFIG_$option."
done
"${make[@]}" bzImage modules
printf '%s' "$want" >$out/qnet.stamp
