# SPDX-License-Identifier: GPL-2.0
"""Judges test results in KTAP with the parser of the kernel's own source tree.

The parser reads one document. A log may hold several: a script runs several programs, and a kernel runs
its own suites before those of a module.
"""

import io
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import Unusable

_PARSER = Path("/srv/qnet/tree/src/tools/testing/kunit")
_STAMP = re.compile(r"^\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")
_START = re.compile(r"^KTAP version \d+$")
_RESULT = re.compile(r"^\s*(not )?ok \d+")
_REASONS = 12  # lines of explanation shown of one failed test
# A program that finds something wrong long before it prints its results begins the line thus.
_COMPLAINT = "# complaint: "


@dataclass
class Tally:
    """How many tests ended which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Tally") -> None:
        """Adds another tally to this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def judge(text: str) -> tuple[Tally, str]:
    """Counts the tests of all documents in the text, and gives the parser's own report of them."""
    tally = Tally()
    report = io.StringIO()
    for document in documents(text):
        tally.add(_parse(document, report))
    return tally, report.getvalue()


def documents(text: str) -> list[list[str]]:
    """The KTAP documents in the text, without the kernel's time stamps."""
    lines = [_STAMP.sub("", line.rstrip("\r")) for line in text.splitlines()]
    starts = [index for index, line in enumerate(lines) if _START.match(line)]
    ends = [*starts, len(lines)][1:]
    found = [lines[begin:end] for begin, end in zip(starts, ends, strict=True)]
    # A kernel whose own suites are all filtered out says so with an empty plan.
    return [document for document in found if document[1:2] != ["1..0"]]


def failures(text: str) -> list[str]:
    """The lines of the tests that failed, each after the last lines with which it explains itself, and the first
    complaints."""
    found = [line for line in text.splitlines() if line.startswith(_COMPLAINT)][:_REASONS]
    reasons: list[str] = []
    for line in (line for document in documents(text) for line in document):
        result = _RESULT.match(line)
        if result and result.group(1):
            found += [*reasons[-_REASONS:], line]
        if result:
            reasons = []
        elif line.lstrip().startswith("# "):
            reasons.append(line)
    return found


def _parse(document: list[str], report: io.StringIO) -> Tally:
    parser: Any = _load()
    printer: Any = import_module("kunit_printer").Printer(True, report)
    test = parser.parse_run_tests(iter(document), printer)
    counts = test.counts
    # What is wrong with the form alone (a missing plan, say) is an error without a failed test.
    return Tally(counts.passed, counts.failed + counts.crashed or int(counts.errors > 0), counts.skipped)


def _load() -> Any:
    if not (_PARSER / "kunit_parser.py").exists():
        raise Unusable(f"{_PARSER} is missing: run tools/setup.sh stock first.")
    if str(_PARSER) not in sys.path:
        sys.path.append(str(_PARSER))
    return import_module("kunit_parser")
