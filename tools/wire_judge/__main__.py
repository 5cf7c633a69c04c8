# SPDX-License-Identifier: GPL-2.0
"""`python3 -m wire_judge FILE...`: prints the verdict on captures; the status is 1 when one is bad."""

import sys
from pathlib import Path

from . import verdict


def main() -> int:
    """Judges the captures that are named."""
    bad = 0
    for name in sys.argv[1:]:
        found = verdict.of(Path(name))
        print(f"{name}: {found.line()}")
        for words in found.complaints[:20]:
            print(f"  {words}")
        bad += not found.good
    return 1 if bad or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
