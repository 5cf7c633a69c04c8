# SPDX-License-Identifier: GPL-2.0
"""Runs tests/vm/netem.sh in a guest and reads what it prints, cell by cell, as it comes."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MODULE = "build/module/stock/qnet.ko"
PROGRAMS = "build/target/userspace/release"
_COUNTER = re.compile(r"^(\w[^:]*?)\s*: (\d+)")
_DROPPED = re.compile(r"\(dropped (\d+),")


@dataclass
class Outcome:
    """What a cell came to."""

    name: str
    status: int = -1  # of the client
    client: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    # For each node its counters; those of its link are there, too, because it has one.
    stats: dict[str, dict[str, int]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)  # by the faulty link, each way
    complete: bool = False

    def total(self, label: str) -> int:
        """A counter, both nodes together."""
        return sum(counters.get(label, 0) for counters in self.stats.values())

    def drops(self) -> dict[str, int]:
        """What the nodes threw away, by reason."""
        labels = sorted({label for counters in self.stats.values() for label in counters if label.startswith("drop ")})
        return {label.removeprefix("drop "): self.total(label) for label in labels if self.total(label)}


class Reader:
    """Puts the guest's lines together."""

    def __init__(self) -> None:
        self.module_gone = False
        self._cell: Outcome | None = None
        self._node = ""

    def take(self, line: str) -> Outcome | None:
        """Reads a line; gives a cell when its last one has come."""
        word, _, rest = line.partition(" ")
        if line == "module gone":
            self.module_gone = True
        elif word == "cell":
            self._cell = Outcome(rest)
            self._node = ""
        elif self._cell is not None:
            return self._within(self._cell, word, rest, line)
        return None

    def unfinished(self) -> Outcome | None:
        """The cell that did not come to its end, if there is one."""
        return self._cell

    def _within(self, cell: Outcome, word: str, rest: str, line: str) -> Outcome | None:
        if word == "end":
            cell.complete = True
            self._cell = None
            return cell
        if word == "status":
            cell.status = int(rest)
        elif word in ("client", "server") and rest.startswith("{"):
            setattr(cell, word, json.loads(rest))
        elif word == "stats":
            self._node = rest
            cell.stats[rest] = {}
        elif self._node:
            counter, dropped = _COUNTER.match(line), _DROPPED.search(line)
            if counter:
                # The label `kif server_msgs` stands twice, as a gauge and as a counter: the last counts.
                cell.stats[self._node][counter.group(1)] = int(counter.group(2))
            elif dropped:
                cell.dropped[self._node] = int(dropped.group(1))
        return None


class Guest:
    """The machine with all the cells."""

    def __init__(self, name: str, cells: list[str], at_once: int, seconds: float) -> None:
        arguments = [word for argument in (str(at_once), *cells) for word in ("--argument", argument)]
        self._command = [
            "tools/vm", "run", "--name", name, "--script", "tests/vm/netem.sh", "--timeout", str(seconds),
            "--module", MODULE, "--programs", PROGRAMS, "--load", "sch_netem", *arguments,
        ]  # fmt: skip
        self.complaints: list[str] = []

    def run(self) -> Iterator[Outcome]:
        """The cells as they come to their end; the last one perhaps did not."""
        reader = Reader()
        with subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout or ():
                if line.startswith(("tools/vm:", "qnet:")) or self.complaints:
                    self.complaints.append(line.rstrip())
                    continue
                done = reader.take(line.rstrip("\n"))
                if done:
                    yield done
        rest = reader.unfinished()
        if rest:
            yield rest
        if process.returncode:
            self.complaints.append(f"the machine ended with status {process.returncode}")
        if not reader.module_gone:
            self.complaints.append("the module did not go")
