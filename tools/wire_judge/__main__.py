# SPDX-License-Identifier: GPL-2.0
"""`python3 -m wire_judge [--show N] FILE...`: prints the verdict on captures; status 1 when one is bad."""

import argparse
import sys
from pathlib import Path

from . import capture, verdict
from .verdict import Verdict


def main() -> int:
    """Judges the captures that are named."""
    parser = argparse.ArgumentParser(prog="wire_judge")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print tshark's decode of the first N frames")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    verdicts = [(path, verdict.of(path)) for path in options.files]
    if options.show:
        _show(*verdicts[0], options.show)
    for path, found in verdicts:
        print(f"{path}: {found.line()}")
        for words in found.complaints[:20]:
            print(f"  {words}")
    return 0 if all(found.good for _, found in verdicts) else 1


def _show(path: Path, found: Verdict, count: int) -> None:
    print(f"\nThe first {count} of {len(found.frames)} frames:\n")
    lines = capture.text(path, "-t", "r", "-c", str(count)).splitlines()
    print("\n".join(f"  {line}" for line in lines))
    sends = [n for n, seen in enumerate(found.frames, 1) if seen.kind in ("CONNECT_MSGSEND", "MSGSEND")]
    if sends and not found.foreign:
        print(f"\nFrame {sends[0]}, the first message, in full:\n")
        whole = capture.text(path, "-V", "-Y", f"frame.number == {sends[0]}").splitlines()
        begin = next((n for n, line in enumerate(whole) if line.startswith("QNX6 QNET LWL4")), 0)
        print("\n".join(f"  {line}" for line in whole[begin:] if line))
    kinds = ", ".join(f"{number} {kind}" for kind, number in found.kinds().most_common())
    print(f"\nAll frames: {kinds}\n")


if __name__ == "__main__":
    sys.exit(main())
