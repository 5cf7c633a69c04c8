#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Asks the compiler whether the protocol can panic: builds it optimized, with overflow checks as the
# kernel does, and lists each function of it from which a call into core's panics is left. There may
# be none. Runs in the build root, from anywhere in the checkout: tools/enter tests/host/panics.sh

set -eu
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
# A directory of its own, because the flags are not those of other builds.
export CARGO_TARGET_DIR="$top/build/target/host-panics"

cargo rustc --quiet --locked --release --lib -- -C codegen-units=1 -C overflow-checks=on
library=$CARGO_TARGET_DIR/release/libqnet_host_tests.rlib

# The archive's first member is metadata, which objdump complains about.
found=$(objdump --disassemble --reloc --no-show-raw-insn --demangle "$library" 2>/dev/null | awk '
	/^[0-9a-f]+ <.*>:$/ {
		functions++
		name = $0
		sub(/^[0-9a-f]+ </, "", name)
		sub(/>:$/, "", name)
	}
	/R_X86_64_.*(core::panicking|core::slice::index|_failed|core::option::|core::result::)/ {
		if (name ~ /qnet_host_tests::proto::/ && !seen[name, $NF]++)
			print name ": " $NF
	}
	END { if (functions < 50) print "only " functions " functions were found: objdump failed" }
')
if [ -n "$found" ]; then
	echo "$found"
	exit 1
fi
echo "no function of the protocol can panic"
