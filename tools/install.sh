#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Puts what was built in its place, or removes it. `make install` calls this with DESTDIR and PREFIX.
#
#   tools/install.sh install|uninstall     (QNET_BUILT and QNET_MODULE: what was built elsewhere)

. "$(dirname "$0")/lib.sh"

PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}
BUILT=${QNET_BUILT:-$QNET_TOP/build/target/native/release}
MODULE=${QNET_MODULE:-$QNET_TOP/qnet.ko}
root=$DESTDIR$PREFIX

# The kernel's release that the module was built for.
release_of() {
	modinfo -F vermagic "$1" | cut -d' ' -f1
}

# put MODE FILE TARGET: installs a file and says so.
put() {
	install -D -m "$1" "$2" "$3"
	printf '  %s\n' "$3"
}

put_module() {
	local release
	release=$(release_of "$MODULE")
	put 0644 "$MODULE" "$DESTDIR/lib/modules/$release/updates/qnet.ko"
	strip --strip-debug "$DESTDIR/lib/modules/$release/updates/qnet.ko"
	# A package's own scripts run depmod where it is unpacked.
	[ -n "$DESTDIR" ] || depmod -a "$release"
}

put_library() {
	local version header
	version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$QNET_TOP/qnet_userspace/Cargo.toml" | head -n 1)
	put 0755 "$BUILT/libqnet_c.so" "$root/lib/libqnet.so.0"
	ln -sf libqnet.so.0 "$root/lib/libqnet.so"
	put 0644 "$BUILT/libqnet_c.a" "$root/lib/libqnet.a"
	(cd "$QNET_TOP/qnet_userspace/include" && find . -name '*.h' -printf '%P\n') | sort | while read -r header; do
		put 0644 "$QNET_TOP/qnet_userspace/include/$header" "$root/include/$header"
	done
	put 0644 "$QNET_TOP/rust/uapi/qnet.h" "$root/include/linux/qnet.h"
	mkdir -p "$root/lib/pkgconfig"
	sed "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$PREFIX/lib|; s|@VERSION@|$version|" \
		"$QNET_TOP/qnet_userspace/libqnet.pc.in" >"$root/lib/pkgconfig/libqnet.pc"
	printf '  %s\n' "$root/lib/pkgconfig/libqnet.pc"
	[ -n "$DESTDIR" ] || ldconfig
}

put_command() {
	put 0755 "$BUILT/qnet" "$root/bin/qnet"
}

put_pages() {
	local page
	for page in "$QNET_TOP"/Documentation/man/*.[1-9]; do
		[ -e "$page" ] || continue
		if [ -L "$page" ]; then
			mkdir -p "$root/share/man/man${page##*.}"
			cp -P "$page" "$root/share/man/man${page##*.}/"
		else
			put 0644 "$page" "$root/share/man/man${page##*.}/${page##*/}"
		fi
	done
}

# What the manual pages refer to, and what that refers to.
DOCUMENTS="conformance.md observing.md options.md statistics.md"

put_documents() {
	local document
	for document in $DOCUMENTS; do
		put 0644 "$QNET_TOP/Documentation/$document" "$root/share/doc/qnet/$document"
	done
}

# Everything that put_* puts, for this kernel and all others.
remove() {
	local page header document
	rm -fv "$DESTDIR"/lib/modules/*/updates/qnet.ko
	rm -fv "$root/lib/libqnet.so.0" "$root/lib/libqnet.so" "$root/lib/libqnet.a" "$root/lib/pkgconfig/libqnet.pc"
	(cd "$QNET_TOP/qnet_userspace/include" && find . -name '*.h' -printf '%P\n') | while read -r header; do
		rm -fv "$root/include/$header"
	done
	rm -fv "$root/include/linux/qnet.h" "$root/bin/qnet"
	for page in "$QNET_TOP"/Documentation/man/*.[1-9]; do
		rm -fv "$root/share/man/man${page##*.}/${page##*/}"
	done
	for document in $DOCUMENTS; do
		rm -fv "$root/share/doc/qnet/$document"
	done
	if [ -d "$root/share/doc/qnet" ]; then
		rmdir --ignore-fail-on-non-empty "$root/share/doc/qnet"
	fi
	if [ -z "$DESTDIR" ]; then
		depmod -a || true
		ldconfig
	fi
}

need_tool modinfo kmod
need_tool strip binutils
if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then
	die "installing below $PREFIX and /lib/modules needs root: run make first, then sudo make install."
fi
case ${1:-} in
install)
	for file in "$MODULE" "$BUILT/libqnet_c.so" "$BUILT/qnet"; do
		[ -e "$file" ] || die "$file is not built yet: run make and make userspace."
	done
	say "installing into $root"
	put_module
	put_library
	put_command
	put_pages
	put_documents
	;;
uninstall) remove ;;
*) die "usage: tools/install.sh install|uninstall" ;;
esac
