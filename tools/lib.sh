# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What every shell script of this tree shares: where things are kept, how progress is told, how a
# script gives up. Sourced, never run.

set -euo pipefail

QNET_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The build root, the kernels and the downloaded packages live in the user's cache folder, so that
# a second clone does not fetch them again.
QNET_CACHE=${QNET_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/qnet}
# The Debian release whose packages the build root is made of, and the suite with the kernel.
QNET_SUITE=trixie
QNET_BACKPORTS=trixie-backports
QNET_ROOT=$QNET_CACHE/root-$QNET_SUITE

if [ -t 2 ]; then
	QNET_BOLD=$(printf '\033[1m') QNET_PLAIN=$(printf '\033[0m')
else
	QNET_BOLD='' QNET_PLAIN=''
fi

# A script that calls another one passes on how long it has been running.
SECONDS=${QNET_ELAPSED:-0}

# in_build_root: is this the build root already?
in_build_root() {
	[ "$QNET_TOP" = /src/qnet ] && [ -e /srv/qnet/packages.stamp ]
}

# say WORDS: one line of progress, with the seconds since the script began.
say() {
	printf '%s[%4ds]%s %s\n' "$QNET_BOLD" "$SECONDS" "$QNET_PLAIN" "$*" >&2
}

# die WORDS: one clear sentence that says what is wrong and what to do, then exit status 1.
die() {
	printf 'qnet: %s\n' "$*" >&2
	exit 1
}

# step LOG WORDS -- COMMAND...: run a long command with its output in LOG and a line on the
# terminal at the start, each half minute, and at the end. Shows the log's tail on failure.
step() {
	local log=$1 words=$2 began=$SECONDS pid status=0
	shift 3
	mkdir -p "$(dirname "$log")"
	say "$words ..."
	"$@" >"$log" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - began)) -ge 30 ] && [ $(((SECONDS - began) % 30)) -eq 0 ]; then
			say "$words ... $((SECONDS - began)) s so far"
			sleep 1
		fi
	done
	wait "$pid" || status=$?
	if [ "$status" -ne 0 ]; then
		tail -n 30 "$log" >&2
		die "$words failed (status $status); the whole log is $log"
	fi
	say "$words: done in $((SECONDS - began)) s"
}

# need_space DIR MEBIBYTES WORDS: refuse to begin what would fill the disk.
need_space() {
	local dir=$1 want=$2 words=$3 have
	while [ ! -e "$dir" ]; do dir=$(dirname "$dir"); done
	have=$(df -Pm "$dir" | awk 'NR == 2 { print $4 }')
	[ "$have" -ge "$want" ] ||
		die "$words needs $want MiB free below $dir, and there are $have; free some space or set QNET_CACHE to another disk."
}

# native_environment: Debian keeps LLVM's tools and libclang, which bindgen needs, out of the usual places.
native_environment() {
	local llvm=/usr/lib/llvm-19
	if [ -d $llvm ]; then
		export PATH=$llvm/bin:$PATH LIBCLANG_PATH=${LIBCLANG_PATH:-$llvm/lib}
	fi
}

# need_tool COMMAND PACKAGE: refuse to begin without a command, and name the package that has it.
need_tool() {
	command -v "$1" >/dev/null || die "the command $1 is missing: install Debian's package $2 (README.md lists all that a build needs)."
}

# check_rustc CONFIG: the kernel's Rust metadata can be read by the very compiler that made it only.
check_rustc() {
	local want have
	need_tool rustc rustc
	want=$(sed -n 's/^CONFIG_RUSTC_VERSION=//p' "$1")
	have=$(rustc --version | awk '{ split($2, v, /[.]/); print v[1] * 100000 + v[2] * 100 + v[3] }')
	[ "$have" = "$want" ] ||
		die "the kernel was built by rustc $(rustc_name "$want"), and $(command -v rustc) is $(rustc_name "$have"): put Debian's rustc first in PATH (PATH=/usr/bin:\$PATH)."
}

# rustc_name NUMBER: a version as people write it.
rustc_name() {
	printf '%d.%d.%d' $(($1 / 100000)) $(($1 / 100 % 1000)) $(($1 % 100))
}
