#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Shows the main job: two nodes in one virtual machine find each other and pass messages, and tshark
# decodes what went over the link. Sets up what is missing. Leaves build/demo.pcapng and
# build/demo-crc.pcapng.

. "$(dirname "$0")/lib.sh"

if ! in_build_root; then
	"$QNET_TOP/tools/setup.sh" stock
	exec "$QNET_TOP/tools/enter" env QNET_ELAPSED="$SECONDS" tools/demo.sh
fi

cd "$QNET_TOP"
step build/log/demo-module.log "building the module for Debian's stock kernel" -- tools/module.sh stock
step build/log/demo-programs.log "building libqnet, the qnet command and the demo's programs" -- tools/userspace.sh
rm -f build/demo.pcapng build/demo-crc.pcapng
say "booting Debian's kernel $(cat /srv/qnet/stock.release) in QEMU"
tools/vm run --name demo --script tools/demo/guest.sh --module build/module/stock/qnet.ko \
	--programs build/target/userspace/release --add /usr/bin/dumpcap ||
	die "the demo failed in the machine; the kernel's log is build/vm/demo/console.log."
cp build/vm/demo/out/demo.pcapng build/vm/demo/out/demo-crc.pcapng build/

printf '\n'
say "what was on the link, decoded by tshark"
env PYTHONPATH=tools PYTHONDONTWRITEBYTECODE=1 python3 -m wire_judge --show 12 build/demo.pcapng build/demo-crc.pcapng
printf '\n'
say "done; the captures are build/demo.pcapng and build/demo-crc.pcapng"
