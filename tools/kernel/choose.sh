#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Prints "RELEASE VERSION SERIES" of the kernel to build for: the newest 7.x cloud kernel whose
# image, modules, headers and source packages are all offered at one version. Runs in the build root.

. "$(dirname "$0")/../lib.sh"

# offered PACKAGE VERSION: does apt offer this package at this version?
offered() {
	apt-cache madison "$1" 2>/dev/null | awk -F' *\\| *' -v v="$2" '$2 == v { found = 1 } END { exit !found }'
}

candidates() {
	if [ -n "${QNET_KERNEL:-}" ]; then
		printf '%s\n' "$QNET_KERNEL"
		return
	fi
	apt-cache search --names-only '^linux-headers-7\..*\+deb13-cloud-amd64$' |
		sed 's/^linux-headers-\([^ ]*\) .*/\1/' | sort -rV
}

apt-get update -q=2 >&2 || die "apt cannot fetch its package lists: see the lines above."
missing=''
for release in $(candidates); do
	version=$(apt-cache madison "linux-headers-$release" | awk -F' *\\| *' 'NR == 1 { print $2 }')
	series=$(printf '%s' "$release" | cut -d. -f1,2)
	lacks=''
	for package in "linux-headers-$release" "linux-source-$series" "linux-binary-$release" "linux-modules-$release"; do
		offered "$package" "$version" || lacks="$lacks $package"
	done
	if [ -z "$lacks" ]; then
		printf '%s %s %s\n' "$release" "$version" "$series"
		exit 0
	fi
	missing="$missing $release lacks$lacks;"
done
die "apt offers no 7.x kernel with image, headers and source at one version (${missing:- none listed;}) set QNET_KERNEL to a release that has them, or try again when Debian has caught up."
