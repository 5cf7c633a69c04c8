#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Is what `make install` puts in place enough to build and run programs with? Does `make uninstall`
# leave nothing? Does a build that cannot be say why? Prints KTAP; runs in the build root.

. "$(dirname "$0")/../../tools/lib.sh"
set +e

cd "$QNET_TOP" || exit
release=$(cat /srv/qnet/stock.release)
export DESTDIR=$QNET_TOP/build/install PREFIX=/usr QNET_BUILT=$QNET_TOP/build/target/userspace/release \
	QNET_MODULE=$QNET_TOP/build/module/stock/qnet.ko
log=$QNET_TOP/build/log/install-case.log
number=0 failures=0

# check NAME COMMAND...: one result.
check() {
	local name=$1
	shift
	number=$((number + 1))
	if ("$@") >"$log" 2>&1; then
		echo "ok $number $name"
	else
		failures=$((failures + 1))
		sed 's/^/# /' "$log"
		echo "not ok $number $name"
	fi
}

# installed FILE...: all of them are there.
installed() {
	local file
	for file in "$@"; do
		[ -e "$DESTDIR/$file" ] || die "$file is not there"
	done
}

# The manual pages are there, and the documents that pages, headers and documents name: all of them, and no other.
documented() {
	local doc=$DESTDIR/usr/share/doc/qnet man=$DESTDIR/usr/share/man named
	installed usr/share/man/man3/MsgSend.3 usr/share/man/man3/MsgSendvsnc_r.3 usr/share/man/man7/qnet.7 \
		usr/share/man/man8/qnet.8
	named=$(grep -ohE '\b[a-z]+\.md\b' "$man"/man[1-9]/* "$doc"/*.md "$DESTDIR"/usr/include/sys/*.h | sort -u)
	diff <(find "$doc" -type f -printf '%f\n' | sort) <(echo "$named")
}

# flags NAME: the options of this name in libqnet.pc, as they are below DESTDIR.
flags() {
	sed -n "s/^$1: //p" "$DESTDIR/usr/lib/pkgconfig/libqnet.pc" |
		sed "s|\\\${includedir}|$DESTDIR/usr/include|g; s|\\\${libdir}|$DESTDIR/usr/lib|g"
}

# compile OUTPUT OPTION...: builds the first C program with what libqnet.pc says.
compile() {
	local output=$1
	shift
	# shellcheck disable=SC2046 # Lists of words.
	gcc-14 -Wall -Wextra -Werror $(flags Cflags) -o "$output" Documentation/examples/first.c $(flags Libs) "$@"
}

# says WORDS COMMAND...: the command fails, and its last words hold these.
says() {
	local words=$1 said
	shift
	said=$("$@" 2>&1) && die "it did not fail"
	grep -qE "$words" <<<"$said" || die "it said: $said"
}

# A program without the module fails with a sentence that says so.
runs_without_module() {
	says 'not supported|ENOREMOTE' env LD_LIBRARY_PATH="$DESTDIR/usr/lib" "$QNET_TOP/build/install-first"
}

nothing_left() {
	local left
	left=$(find "$DESTDIR" ! -type d)
	[ -z "$left" ] || die "left: $left"
}

# with_fake NAME WORDS COMMAND...: puts a program that prints WORDS first in PATH.
with_fake() {
	local name=$1 words=$2 folder
	shift 2
	folder=$(mktemp -d)
	printf '#!/bin/sh\necho "%s"\n' "$words" >"$folder/$name"
	chmod +x "$folder/$name"
	PATH=$folder:$PATH "$@"
}

prepare=("$QNET_TOP/tools/kernel/prepare.sh" --check)
native=("$QNET_TOP/tools/module.sh" native)
bare=$(mktemp -d)
echo CONFIG_RUST=n >"$bare/.config"

rm -rf "$DESTDIR"
echo "KTAP version 1"
echo "1..16"
check "install" tools/install.sh install
check "the module is where modprobe looks" installed "lib/modules/$release/updates/qnet.ko"
check "library, headers, command are there" installed usr/lib/libqnet.so.0 usr/lib/libqnet.so usr/lib/libqnet.a \
	usr/include/sys/neutrino.h usr/include/sys/netmgr.h usr/include/sys/siginfo.h usr/include/sys/qnet.h \
	usr/include/linux/qnet.h usr/bin/qnet usr/lib/pkgconfig/libqnet.pc
check "manual pages are there, and what they refer to" documented
check "the first C program builds" compile "$QNET_TOP/build/install-first" -lpthread
check "without the module it says what is missing" runs_without_module
check "the first C program builds statically" compile "$QNET_TOP/build/install-first-static" -static -lpthread
check "uninstall" tools/install.sh uninstall
check "uninstall leaves nothing" nothing_left
check "an old kernel is refused in words" says "needs 7.3 or newer" env KERNEL=6.12.1 "${native[@]}"
check "a missing headers package is named" says "linux-headers-7.9.9" "${prepare[@]}" 7.9.9 /tmp/none
check "a tree without configuration is refused in words" says "no configured kernel tree" env KDIR=/tmp "${native[@]}"
check "a tree without Rust is refused in words" says "CONFIG_RUST" env KDIR="$bare" "${native[@]}"
check "a headers package is no tree, in words" says "Rust metadata" \
	env KDIR="/usr/src/linux-headers-$release" "${native[@]}"
check "another rustc is refused in words" with_fake rustc "rustc 1.99.0 (fake)" says "was built by rustc 1.85.1" \
	env KDIR="/srv/qnet/tree/$release" "${native[@]}"
check "too little disk is said in words" with_fake df "$(printf 'x\nx 1 1 1 1 1')" says "MiB free" \
	"${prepare[@]}" "$release" "$bare/tree"
rm -rf "$bare"
[ "$failures" -eq 0 ]
