#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Builds the module.
#
#   tools/module.sh stock|debug [MAKE-ARGUMENT...]
#       in the build root, for Debian's stock kernel or for the debug kernel; leaves
#       build/module/stock/qnet.ko or build/module/debug/qnet.ko (or in QNET_MODULE_OUT, below build/)
#   tools/module.sh native [MAKE-ARGUMENT...]
#       with this machine's own tools, for the running kernel, for the installed release KERNEL or for
#       the prepared tree KDIR; leaves qnet.ko at the top

. "$(dirname "$0")/lib.sh"

kind=${1:-}
case $kind in
stock | debug) in_build_root || exec "$QNET_TOP/tools/enter" tools/module.sh "$@" ;;
native) ;;
*) die "usage: tools/module.sh stock|debug|native [MAKE-ARGUMENT...]" ;;
esac
shift
LOG=$QNET_TOP/build/log/module-$kind.log

# A kernel is built by one compiler, and so are its modules: fills the array `compiler`.
compiler_of() {
	local config=$1
	if grep -q '^CONFIG_CC_IS_CLANG=y' "$config"; then
		compiler=("LLVM=-$(($(sed -n 's/^CONFIG_CLANG_VERSION=//p' "$config") / 10000))")
	else
		compiler=("CC=gcc-$(($(sed -n 's/^CONFIG_GCC_VERSION=//p' "$config") / 10000))")
	fi
}

# Refuses a tree that Rust modules cannot be built for, in words.
check_tree() {
	local tree=$1
	[ -e "$tree/.config" ] || die "$tree is no configured kernel tree (it has no .config)."
	grep -q '^CONFIG_RUST=y' "$tree/.config" || die "the kernel of $tree is configured without CONFIG_RUST: qnet needs it."
	grep -q '^CONFIG_MODULES=y' "$tree/.config" || die "the kernel of $tree is configured without modules."
	[ -e "$tree/rust/libkernel.rmeta" ] ||
		die "$tree lacks the kernel's Rust metadata (Debian's headers package has none): run 'make prepare modules_prepare' there, or leave KDIR out to have a tree made."
	[ -e "$tree/Module.symvers" ] || die "$tree has no Module.symvers: build that kernel, or copy the file from its headers package."
	check_rustc "$tree/.config"
}

# The running kernel's release, or a sentence on how to get a kernel that will do.
native_release() {
	local release=${KERNEL:-$(uname -r)}
	if [ "$(printf '%s\n7.3\n' "$release" | sort -V | head -n 1)" != 7.3 ]; then
		die "the kernel is $release, and qnet needs 7.3 or newer built with CONFIG_RUST: install Debian's backports kernel with its headers and source and boot it (README.md), or name an installed one with KERNEL=, or a prepared tree with KDIR=. 'make demo' needs none of this."
	fi
	printf '%s\n' "$release"
}

native_tree() {
	local release tree headers
	if [ -n "${KDIR:-}" ]; then
		kdir=$KDIR
		return
	fi
	release=$(native_release)
	tree=$QNET_CACHE/tree headers=/usr/src/linux-headers-$release
	kdir=$tree/$release
	# Debian may update a kernel without another release name: then its symbols are others.
	if ! cmp -s "$headers/Module.symvers" "$kdir/Module.symvers"; then
		"$QNET_TOP/tools/kernel/prepare.sh" --check "$release" "$tree"
		step "$QNET_TOP/build/log/prepare.log" "preparing a tree for the kernel $release in $tree (about a minute, once)" -- \
			"$QNET_TOP/tools/kernel/prepare.sh" "$release" "$tree"
	fi
}

# A module that the kernel will refuse is worth a word before insmod says "Operation not permitted".
warn_of_lockdown() {
	if grep -qE '\[(integrity|confidentiality)\]' /sys/kernel/security/lockdown 2>/dev/null; then
		say "note: this kernel is locked down (Secure Boot) and takes signed modules only: README.md, 'Secure Boot', says how to sign qnet.ko"
	fi
}

build() {
	local out=$1
	shift
	mkdir -p "$out"
	# Two builds into one folder would spoil each other.
	exec 9>"$out.lock"
	flock 9
	make -C "$kdir" "${compiler[@]}" M="$QNET_TOP" MO="$out" -j"$(nproc)" "$@" modules
}

case $kind in
stock)
	release=$(cat /srv/qnet/stock.release 2>/dev/null) || die "there is no kernel tree yet: run tools/setup.sh stock first."
	kdir=/srv/qnet/tree/$release
	;;
debug)
	kdir=/srv/qnet/debug
	[ -e $kdir/qnet.stamp ] || die "there is no debug kernel yet: run tools/setup.sh debug first."
	;;
native)
	native_environment
	native_tree
	;;
esac
check_tree "$kdir"
compiler_of "$kdir/.config"
if [ "$kind" = native ]; then
	step "$LOG" "building qnet.ko for $(cat "$kdir/include/config/kernel.release")" -- build "$QNET_TOP/build/module/native" "$@"
	cp "$QNET_TOP/build/module/native/qnet.ko" "$QNET_TOP/qnet.ko"
	warn_of_lockdown
else
	out=${QNET_MODULE_OUT:-build/module/$kind}
	build "$QNET_TOP/${out#"$QNET_TOP/"}" "$@"
fi
