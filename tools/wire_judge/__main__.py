# SPDX-License-Identifier: GPL-2.0
"""`python3 -m wire_judge [--show N] [--kind KIND]... FILE...`: prints the verdict on captures; status 1 when one is bad."""

import argparse
import sys
from pathlib import Path

from . import capture, verdict
from .verdict import Verdict


def main() -> int:
    """Judges the captures that are named."""
    parser = argparse.ArgumentParser(prog="wire_judge")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print tshark's decode of the first N frames")
    parser.add_argument("--kind", action="append", default=[], help="of frame that must be there (repeatable)")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    verdicts = [(path, verdict.of(path)) for path in options.files]
    if options.show:
        _show_first(*verdicts[0], options.show)
        _show_message(*verdicts[-1])
        print()
    for path, found in verdicts:
        print(f"{path}: {found.line()}")
        for words in found.complaints[:20]:
            print(f"  {words}")
    kinds = {kind for _, found in verdicts for kind in found.kinds()}
    absent = [kind for kind in options.kind if kind not in kinds]
    if absent:
        print(f"no frame is {' or '.join(absent)}; there are {', '.join(sorted(kinds))}")
        return 1
    return 0 if all(found.good for _, found in verdicts) else 1


def _show_first(path: Path, found: Verdict, count: int) -> None:
    print(f"\nThe first {count} of {len(found.frames)} frames in {path}:\n")
    _indented(capture.text(path, "-t", "r", "-c", str(count)).splitlines())
    kinds = ", ".join(f"{number} {kind}" for kind, number in found.kinds().most_common())
    print(f"\nAll of them: {kinds}")


def _show_message(path: Path, found: Verdict) -> None:
    sends = [n for n, seen in enumerate(found.frames, 1) if seen.kind in ("CONNECT_MSGSEND", "MSGSEND")]
    if not sends or found.foreign:
        return
    print(f"\nFrame {sends[0]} in {path}, the first message, in full:\n")
    whole = capture.text(path, "-V", "-Y", f"frame.number == {sends[0]}").splitlines()
    begin = next((n for n, line in enumerate(whole) if line.startswith("QNX6 QNET LWL4")), 0)
    _indented(whole[begin:])


def _indented(lines: list[str]) -> None:
    print("\n".join(f"  {line}" for line in lines if line))


if __name__ == "__main__":
    sys.exit(main())
