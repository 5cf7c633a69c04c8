#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Makes a kernel tree that Rust modules can be built against, out of Debian's linux-source and
# linux-headers packages. The headers package has the configuration and Module.symvers but not the
# Rust metadata, which `make prepare` on the matching source makes.
#
#   prepare.sh [--check] RELEASE DIRECTORY
#       makes DIRECTORY/src (the source) and DIRECTORY/RELEASE; --check only says what is missing

. "$(dirname "$0")/../lib.sh"

only_check=
if [ "$1" = --check ]; then
	only_check=yes
	shift
fi
release=$1 tree=$2
headers=/usr/src/linux-headers-$release
series=$(printf '%s' "$release" | cut -d. -f1,2)
sublevel=$(printf '%s' "$release" | cut -d+ -f1 | cut -d- -f1)
tarball=/usr/src/linux-source-$series.tar.xz
out=$tree/$release

native_environment

[ -e "$headers/.config" ] || die "$headers/.config is missing: install the package linux-headers-$release."
[ -e "$tarball" ] || die "$tarball is missing: install the package linux-source-$series at the version of linux-headers-$release."
grep -q '^CONFIG_RUST=y' "$headers/.config" || die "the kernel $release is built without CONFIG_RUST: use Debian's backports kernel 7.x."
gcc=gcc-$(($(sed -n 's/^CONFIG_GCC_VERSION=//p' "$headers/.config") / 10000))
need_tool make make
need_tool bindgen bindgen
need_tool bc bc
need_tool flex flex
need_tool bison bison
need_tool pahole dwarves
need_tool "$gcc" "$gcc"
need_tool clang-19 clang-19
need_tool xz xz-utils
[ -e "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/core/src/lib.rs" ] ||
	die "the source of Rust's core library is missing: install Debian's package rust-src."
[ -e /usr/include/gelf.h ] || die "the header gelf.h is missing: install Debian's package libelf-dev."
check_rustc "$headers/.config"
need_space "$tree" 4000 "the kernel tree"
[ -z "$only_check" ] || exit 0

if [ "$(cat "$tree/src/.qnet-sublevel" 2>/dev/null)" != "$sublevel" ]; then
	rm -rf "$tree/src" "$tree/src.new"
	mkdir -p "$tree/src.new"
	tar -C "$tree/src.new" --strip-components=1 -xf "$tarball"
	found=$(make -s -C "$tree/src.new" kernelversion)
	[ "$found" = "$sublevel" ] ||
		die "linux-source-$series holds $found, and the kernel is $sublevel: install the two packages at one version."
	printf '%s' "$sublevel" >"$tree/src.new/.qnet-sublevel"
	mv "$tree/src.new" "$tree/src"
fi

rm -rf "$out"
mkdir -p "$out"
cp "$headers/.config" "$out/.config"
make=(make -C "$tree/src" O="$out" CC="$gcc" LOCALVERSION="${release#"$sublevel"}" -j"$(nproc)")
"${make[@]}" olddefconfig
grep -q '^CONFIG_RUST=y' "$out/.config" ||
	die "the configuration lost CONFIG_RUST: $(make -s -C "$tree/src" O="$out" rustavailable 2>&1 | tail -n 1)"
"${make[@]}" prepare modules_prepare
# Last, so that a tree which has it is a whole one.
cp "$headers/Module.symvers" "$out/Module.symvers"
