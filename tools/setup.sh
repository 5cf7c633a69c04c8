#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Sets up what `make demo` and `make check` need, on any Debian 12 or 13 machine: a build root (a
# Debian 13 tree with the compilers, QEMU and tshark), the stock backports kernel with a source
# tree that modules can be built against, and on demand the debug kernel for the KUnit suites.
# What is there already is not made again.
#
#   tools/setup.sh [root] [stock] [debug]     (stock, when nothing is named)
#   tools/setup.sh remove                     deletes the build root with all that is in it

. "$(dirname "$0")/lib.sh"

LOGS=$QNET_CACHE/log

# Why each package is needed stands in Documentation/dependencies.md; a test compares the lists.
PACKAGES="build-essential gcc-14 rustc rust-src rustfmt rust-clippy cargo bindgen clang-19
libclang-19-dev lld-19 llvm-19 bc flex bison libssl-dev dwarves kmod cpio rsync python3 xz-utils perl
qemu-system-x86 busybox-static iproute2 tshark shellcheck ca-certificates"
# These two must come from the suite that the kernel comes from, or apt finds no solution.
BACKPORTED="libelf-dev libelf1t64 libdw-dev libdw1t64"

[ "$(id -u)" -eq 0 ] || die "this needs root (chroot, mount, apt): run it as root or with sudo."
[ "$(uname -m)" = x86_64 ] || die "the kernel that qnet is built for is amd64, and this machine is $(uname -m)."
command -v apt-get >/dev/null || die "this needs a Debian machine (12 or 13): there is no apt-get here."

# The mirror that this machine's own apt uses; debootstrap's default when it names none.
mirror() {
	if [ -n "${QNET_MIRROR:-}" ]; then
		printf '%s\n' "$QNET_MIRROR"
		return
	fi
	# shellcheck disable=SC2016 # apt expands $(REPO_URI), not the shell.
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' 2>/dev/null |
		grep -v security | head -n 1
}

host_tools() {
	command -v debootstrap >/dev/null && return
	step "$LOGS/host-apt.log" "installing debootstrap on this machine" -- \
		sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap'
}

bootstrap() {
	[ -e "$QNET_ROOT/etc/debian_version" ] && return
	need_space "$QNET_CACHE" 9000 "the build root with two kernels"
	host_tools
	rm -rf --one-file-system "$QNET_ROOT.new"
	mkdir -p "$QNET_CACHE"
	# shellcheck disable=SC2046 # The mirror is one word or none.
	step "$LOGS/debootstrap.log" "making the build root $QNET_ROOT (Debian $QNET_SUITE)" -- \
		debootstrap --variant=minbase "$QNET_SUITE" "$QNET_ROOT.new" $(mirror)
	sed "s/ $QNET_SUITE / $QNET_BACKPORTS /" "$QNET_ROOT.new/etc/apt/sources.list" \
		>"$QNET_ROOT.new/etc/apt/sources.list.d/backports.list"
	mkdir -p "$QNET_ROOT.new/srv/qnet" "$QNET_ROOT.new/src/qnet"
	mv "$QNET_ROOT.new" "$QNET_ROOT"
}

# A machine behind a proxy with an authority of its own trusts it by these files; so must the
# clients (cargo) inside the build root.
trust_host_authorities() {
	local from=/usr/local/share/ca-certificates to=$QNET_ROOT/usr/local/share/ca-certificates
	[ -n "$(ls "$from" 2>/dev/null)" ] || return 0
	mkdir -p "$to"
	cp -u "$from"/*.crt "$to/" 2>/dev/null || true
}

root() {
	local backported='' want stamp=$QNET_ROOT/srv/qnet/packages.stamp name
	bootstrap
	want=$(printf '%s' "$PACKAGES $BACKPORTED" | sha256sum)
	[ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return
	trust_host_authorities
	for name in $BACKPORTED; do backported="$backported $name/$QNET_BACKPORTS"; done
	# shellcheck disable=SC2086 # Lists of words.
	step "$LOGS/packages.log" "installing compilers, QEMU and tshark into the build root (about 2.5 GB)" -- \
		"$QNET_TOP/tools/enter" sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" && update-ca-certificates' \
		sh $PACKAGES $backported
	printf '%s' "$want" >"$stamp"
}

# The newest 7.x kernel whose image, headers and source are all there at one version, or the one
# that QNET_KERNEL names (7.3.4+deb13-cloud-amd64, say).
choose_kernel() {
	"$QNET_TOP/tools/enter" env QNET_KERNEL="${QNET_KERNEL:-}" tools/kernel/choose.sh
}

stock() {
	local stamp=$QNET_ROOT/srv/qnet/stock.release want=${QNET_KERNEL:-}
	root
	if [ -e "$stamp" ] && { [ -z "$want" ] || [ "$(cat "$stamp")" = "$want" ]; }; then
		return
	fi
	local release version series
	read -r release version series < <(choose_kernel) ||
		die "no kernel to build for: see the lines above."
	need_space "$QNET_ROOT" 5000 "the kernel source with what is built from it"
	step "$LOGS/kernel-fetch.log" "fetching Debian's kernel $release ($version), its headers and its source" -- \
		"$QNET_TOP/tools/enter" tools/kernel/fetch.sh "$release" "$version" "$series"
	step "$LOGS/kernel-prepare.log" "preparing the kernel tree for Rust modules" -- \
		"$QNET_TOP/tools/enter" tools/kernel/prepare.sh "$release" /srv/qnet/tree
	printf '%s\n' "$release" >"$stamp"
}

debug() {
	stock
	"$QNET_TOP/tools/enter" tools/kernel/debug.sh --is-built && return
	step "$LOGS/kernel-debug.log" "building the debug kernel (KASAN, lockdep, KUnit; about 14 CPU minutes, once)" -- \
		"$QNET_TOP/tools/enter" tools/kernel/debug.sh
}

# The mounts of tools/enter end with the command that made them, so nothing foreign is below the root.
remove() {
	rm -rf --one-file-system "$QNET_ROOT" "$QNET_ROOT.new"
}

# Two clones share the cache folder: one sets up, the other waits for it.
mkdir -p "$QNET_CACHE"
exec 8>"$QNET_CACHE/lock"
if ! flock --nonblock 8; then
	say "another run is setting up; waiting for it"
	flock 8
fi

for what in "${@:-stock}"; do
	case $what in
	root | stock | debug | remove) "$what" ;;
	*) die "usage: tools/setup.sh [root] [stock] [debug] [remove], not '$what'." ;;
	esac
done
