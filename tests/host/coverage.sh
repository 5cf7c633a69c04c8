#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures which branches of rust/proto the tests take, prints a table with a line a file, and fails
# when the total is under 90 percent. Runs in the build root, from anywhere in the checkout:
# tools/enter tests/host/coverage.sh

set -eu
cd "$(dirname "$0")"
top=$(cd ../.. && pwd)
least=90
# A directory of its own, because the flags are not those of other builds.
export CARGO_TARGET_DIR="$top/build/target/host-coverage"
profiles=$CARGO_TARGET_DIR/profiles

# Counting branches is not stable yet; the compiler of the distribution is told to allow it.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-C instrument-coverage -Z coverage-options=branch"
# A part of the random cases has to do.
: "${QNET_CASES:=10}"
export QNET_CASES

rm -rf "$profiles"
mkdir -p "$profiles"
export LLVM_PROFILE_FILE="$profiles/%m-%p.profraw"
log=$CARGO_TARGET_DIR/coverage.log
cargo test --locked --tests --no-run >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
cargo test --locked --tests >>"$log" 2>&1 || { cat "$log" >&2; exit 1; }

llvm-profdata merge --sparse --output="$profiles/all.profdata" "$profiles"/*.profraw
# The first program is an argument, the others are options.
objects=$(sed -n 's/.*Executable .*(\(.*\))$/--object=\1/p' "$log" | sort -u | sed '1s/--object=//')
# shellcheck disable=SC2086 # One argument a line, without blanks in them.
llvm-cov export --format=text --summary-only --instr-profile="$profiles/all.profdata" $objects "$top"/rust/proto \
	>"$profiles/summary.json"
python3 - "$profiles/summary.json" "$top/rust/proto/" "$least" <<'END'
import json
import sys

path, top, least = sys.argv[1], sys.argv[2], float(sys.argv[3])
with open(path, encoding="utf-8") as file:
    files = json.load(file)["data"][0]["files"]
total = {"branches": [0, 0], "lines": [0, 0]}
print(f"{'file':<24}{'branches':>16}{'lines':>16}")
for entry in sorted(files, key=lambda entry: entry["filename"]):
    name = entry["filename"].partition("rust/proto/")[2]
    if not name:
        continue
    cells = ""
    for kind, sums in total.items():
        covered, count = entry["summary"][kind]["covered"], entry["summary"][kind]["count"]
        sums[0] += covered
        sums[1] += count
        cells += f"{covered:>5}/{count:<5}{100 * covered / count if count else 100:>4.0f}%"
    print(f"{name:<24}{cells}")
share = {kind: 100 * covered / max(count, 1) for kind, (covered, count) in total.items()}
print(f"branches: {share['branches']:.1f} percent of {total['branches'][1]}, lines: {share['lines']:.1f} percent")
if share["branches"] < least or not total["branches"][1]:
    sys.exit(f"fewer than {least:.0f} percent of the branches")
END
