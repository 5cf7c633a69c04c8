# SPDX-License-Identifier: GPL-2.0
"""One step of the tests: a command with a log, a time limit, and a way to count what it tested."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vm_runner import ktap
from vm_runner.ktap import Tally

LOGS = Path("build/log")
Counter = Callable[[str, bool], Tally]


def one(_log: str, good: bool) -> Tally:
    """The step is a single test."""
    return Tally(passed=int(good), failed=int(not good))


def nothing(_log: str, good: bool) -> Tally:
    """The step prepares others and tests nothing; it counts only when it fails."""
    return Tally(failed=int(not good))


def cargo(log: str, _good: bool) -> Tally:
    """The step runs `cargo test`, each of whose programs ends with a line of results."""
    tally = Tally()
    for match in re.finditer(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", log, re.MULTILINE):
        passed, failed, ignored = map(int, match.groups())
        tally.add(Tally(passed, failed, ignored))
    return tally


def unittest(log: str, _good: bool) -> Tally:
    """The step runs Python's unittest."""
    ran = re.search(r"^Ran (\d+) tests? in", log, re.MULTILINE)
    bad = sum(map(int, re.findall(r"\b(?:failures|errors)=(\d+)", log)))
    return Tally(passed=int(ran.group(1)) - bad, failed=bad) if ran else Tally()


def results(log: str, _good: bool) -> Tally:
    """The step prints KTAP."""
    return ktap.judge(log)[0]


def closing(log: str, _good: bool) -> Tally:
    """The step's last line is "N passed, N failed"."""
    last = re.search(r"^(\d+) passed, (\d+) failed\n*\Z", log, re.MULTILINE)
    return Tally(*map(int, last.groups())) if last else Tally()


def machine(log: str, _good: bool) -> Tally:
    """The step boots virtual machines, and tools/vm tells how many tests ran in them."""
    tally = Tally()
    for match in re.finditer(r"^tools/vm: \S+: (\d+) passed, (\d+) failed, (\d+) skipped$", log, re.MULTILINE):
        tally.add(Tally(*map(int, match.groups())))
    return tally


@dataclass
class Step:
    """What is run, and what came of it."""

    name: str
    words: str
    command: list[str]
    count: Counter = one
    group: str = ""
    needs: tuple[str, ...] = ()
    background: bool = False  # started at once, waited for by those who need it
    seconds: float = 600.0  # a bound against hangs, not an expectation

    tally: Tally = field(default_factory=Tally)
    spent: float = 0.0
    done: bool = False
    remark: str = ""
    _thread: threading.Thread | None = None

    @property
    def log(self) -> Path:
        """Where the output goes."""
        return LOGS / f"{self.name}.log"

    @property
    def good(self) -> bool:
        """Has the step run without a failure?"""
        return self.done and self.tally.failed == 0

    def refuse(self, remark: str) -> None:
        """Counts the step as failed without running it."""
        self.tally, self.done, self.remark = Tally(failed=1), True, remark

    def start(self) -> None:
        """Starts the command on a thread of its own."""
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Waits a while for the thread's end, and tells whether it came."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.done

    def run(self) -> None:
        """Runs the command to its end and counts."""
        began = time.monotonic()
        LOGS.mkdir(parents=True, exist_ok=True)
        try:
            status = self._execute()
            self._judge(status)
        except Exception as error:  # A crash of the step must not be taken for a success.
            self.refuse(f"{type(error).__name__}: {error}")
        self.spent = time.monotonic() - began
        self.done = True

    def _execute(self) -> int:
        with self.log.open("wb") as log:
            # A group of its own, so that what a command leaves behind is ended with it.
            process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                return process.wait(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                self.remark = f"stopped after {self.seconds:.0f} s"
                return -1
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _judge(self, status: int) -> None:
        tally = self.count(self.log.read_text(errors="replace"), status == 0)
        if status != 0 and tally.failed == 0:
            tally.failed = 1
            self.remark = self.remark or f"ended with status {status}"
        elif tally.passed + tally.failed + tally.skipped == 0 and self.count is not nothing:
            tally.failed = 1
            self.remark = "ran no test"
        self.tally = tally
