#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Installs the headers and the source of one Debian kernel into the build root and unpacks its
# image and modules (without installing them: this machine does not boot it) below /srv/qnet/stock.
#
#   fetch.sh RELEASE VERSION SERIES

. "$(dirname "$0")/../lib.sh"

release=$1 version=$2 series=$3
export DEBIAN_FRONTEND=noninteractive

apt-get update
apt-get install -y --no-install-recommends "linux-headers-$release=$version" "linux-source-$series=$version"
rm -rf /srv/qnet/stock /srv/qnet/debs
mkdir -p /srv/qnet/stock /srv/qnet/debs
cd /srv/qnet/debs
apt-get download "linux-binary-$release=$version" "linux-modules-$release=$version"
for package in *.deb; do dpkg-deb --extract "$package" /srv/qnet/stock; done
rm -rf /srv/qnet/debs
test -e "/srv/qnet/stock/usr/lib/modules/$release/vmlinuz" || die "the package linux-binary-$release holds no vmlinuz."
