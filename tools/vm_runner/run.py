# SPDX-License-Identifier: GPL-2.0
"""Runs guests to their end: follows what they print, lets them meet, stops them when they hang."""

import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import splat
from .meeting import Meeting
from .qemu import Machine

_GLANCE = 0.03  # seconds between two looks at the guests


@dataclass
class Outcome:
    """What became of one guest."""

    machine: Machine
    status: int | None = None  # of the script; None when the guest never told
    splats: list[str] = field(default_factory=list)
    late: bool = False
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """The script succeeded and the kernel had nothing to complain of."""
        return self.status == 0 and not self.splats and not self.late

    def complaints(self) -> list[str]:
        """Why the guest is not good, in words."""
        words = []
        if self.late:
            words.append(f"it was stopped after {self.seconds:.0f} s; the kernel's last words:\n{self._tail()}")
        elif self.status is None:
            words.append(f"it ended without a report; the kernel's last words:\n{self._tail()}")
        elif self.status != 0:
            words.append(f"its script ended with status {self.status}")
        words += [f"the kernel complained:\n{text}" for text in self.splats]
        return words

    def _tail(self) -> str:
        complaints = (self.machine.folder / "qemu.log").read_text(errors="replace")
        console = self.machine.console.read_text(errors="replace").splitlines()
        return complaints + "\n".join(console[-15:])


class _Follower:
    """Copies what a guest's script prints to our own output as it comes."""

    def __init__(self, path: Path, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._read = 0
        self._rest = b""

    def follow(self) -> None:
        """Prints the whole lines that came since the last call."""
        with self._path.open("rb") as log:
            log.seek(self._read)
            data = log.read()
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            sys.stdout.write(f"{self._prefix}{line.decode(errors='replace')}\n")
        if lines:
            sys.stdout.flush()


def run(machines: list[Machine], seconds: float, quiet: bool) -> list[Outcome]:
    """Starts the machines and waits for the end of all of them."""
    meeting = Meeting(len(machines))
    processes: list[subprocess.Popen[bytes]] = []
    prefixes = [f"{m.folder.name}| " if len(machines) > 1 else "" for m in machines]
    followers = [] if quiet else [_Follower(m.log, p) for m, p in zip(machines, prefixes, strict=True)]
    outcomes = [Outcome(machine) for machine in machines]
    try:
        for machine in machines:
            processes.append(machine.start())
        for index, machine in enumerate(machines):
            meeting.attend(index, machine.control)
        _watch(processes, outcomes, followers, meeting, seconds)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        meeting.close()
    for outcome in outcomes:
        _judge(outcome)
    return outcomes


def _watch(
    processes: list[subprocess.Popen[bytes]],
    outcomes: list[Outcome],
    followers: list[_Follower],
    meeting: Meeting,
    seconds: float,
) -> None:
    began = time.monotonic()
    running = set(range(len(processes)))
    while running:
        meeting.wait(_GLANCE)
        for follower in followers:
            follower.follow()
        spent = time.monotonic() - began
        for index in sorted(running):
            outcomes[index].seconds = spent
            if processes[index].poll() is not None:
                running.discard(index)
                meeting.leave(index)
            elif spent > seconds:
                outcomes[index].late = True
                processes[index].kill()
    for follower in followers:
        follower.follow()


def _judge(outcome: Outcome) -> None:
    outcome.splats = splat.find(outcome.machine.console.read_text(errors="replace"))
    out = outcome.machine.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    try:
        with tarfile.open(outcome.machine.archive) as archive:
            archive.extractall(out, filter="data")
        outcome.status = int((out / "status").read_text(encoding="ascii"))
    except (tarfile.TarError, OSError, ValueError, EOFError):
        outcome.status = None
