#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Has Wireshark judge what the codecs emit. Runs in the build root, from anywhere in the checkout:
# tools/enter tests/host/judge.sh

set -eu
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
: "${CARGO_TARGET_DIR:=$top/build/target/host}"
export CARGO_TARGET_DIR

out=$top/build/judge
mkdir -p "$out"
judge() { cargo run --quiet --locked --example judge -- "$@"; }

judge write "$out/judge.pcap"
# Which checks tshark makes is not to depend on the preferences of whoever runs this.
HOME=$out XDG_CONFIG_HOME=$out tshark -T pdml -r "$out/judge.pcap" >"$out/judge.pdml" 2>"$out/judge.log" || {
	cat "$out/judge.log" >&2
	exit 1
}
judge compare "$out/judge.pdml"
