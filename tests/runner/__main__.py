# SPDX-License-Identifier: GPL-2.0
"""`tests/run`: goes through the steps, tells what it is doing, and ends with the numbers."""

import argparse
import os
import sys
import time

from vm_runner import ktap
from vm_runner.ktap import Tally

from .plan import steps
from .step import Step

_HEARTBEAT = 30.0  # seconds between two signs of life
_TAIL = 25  # lines of a failed step's log that are shown when it ends
_AGAIN = 15  # and at the very end, because of a long output often only that is kept


class Run:
    """The chosen steps on their way."""

    def __init__(self, chosen: list[Step], before: float) -> None:
        self._steps = chosen
        self._by_name = {step.name: step for step in chosen}
        self._began = time.monotonic() - before

    def go(self) -> bool:
        """Runs everything; true when nothing failed."""
        for step in self._steps:
            if step.background:
                step.start()
        ahead = [step for step in self._steps if not step.background]
        for number, step in enumerate(ahead, 1):
            self._say(f"{number}/{len(ahead)} {step.name}: {step.words}")
            if self._ready(step):
                step.start()
                self._wait(step)
            self._tell(step)
        for step in self._steps:
            if step.background:
                self._wait(step)
        return self._summary()

    def _ready(self, step: Step) -> bool:
        for name in step.needs:
            need = self._by_name[name]
            self._wait(need)
            if not need.good:
                step.refuse(f"not run, because {name} failed")
                if need.background:
                    self._tell(need)
                return False
        return True

    def _wait(self, step: Step) -> None:
        began = time.monotonic()
        while not step.join(_HEARTBEAT):
            self._say(f"    {step.name} ... {time.monotonic() - began:.0f} s so far")

    def _tell(self, step: Step) -> None:
        word = "ok" if step.good else "FAILED"
        remark = f" ({step.remark})" if step.remark else ""
        self._say(f"    {word}: {step.tally}{remark} in {step.spent:.1f} s")
        self._show(step, _TAIL)

    def _show(self, step: Step, most: int) -> None:
        if not step.good and step.log.exists() and not step.remark.startswith("not run"):
            text = step.log.read_text(errors="replace")
            lines = ktap.failures(text) or text.splitlines()
            print("\n".join(f"        | {line}" for line in lines[-most:]))
            print(f"        the whole log: {step.log}")

    def _summary(self) -> bool:
        total = Tally()
        width = max(len(step.name) for step in self._steps)
        print(f"\n{'step':{width}}  passed  failed  skipped  seconds")
        for step in self._steps:
            total.add(step.tally)
            numbers = f"{step.tally.passed:6}  {step.tally.failed:6}  {step.tally.skipped:7}  {step.spent:7.1f}"
            print(f"{step.name:{width}}  {numbers}  {step.remark}".rstrip())
        for step in self._steps:
            if not step.good:
                print(f"{step.name} failed:")
                self._show(step, _AGAIN)
        self._say("all steps done; logs are in build/log, what the machines left in build/vm")
        skipped = f", {total.skipped} skipped" if total.skipped else ""
        print(f"{total.passed} passed, {total.failed} failed{skipped}", flush=True)
        return total.failed == 0

    def _say(self, words: str) -> None:
        print(f"[{time.monotonic() - self._began:5.0f}s] {words}", flush=True)


def _choose(every: list[Step], names: list[str]) -> list[Step]:
    """The steps named, by name or by group, and all that they need, in the order of the plan."""
    if not names:
        return every
    unknown = set(names) - {step.name for step in every} - {step.group for step in every}
    if unknown:
        sys.exit(f"qnet: there is no step {', '.join(sorted(unknown))}: tests/run --list tells all.")
    wanted = {step.name for step in every if step.name in names or (step.group and step.group in names)}
    for step in reversed(every):
        if step.name in wanted:
            wanted.update(step.needs)
    return [step for step in every if step.name in wanted]


def main() -> int:
    """Does what the command line says; the result is the exit status."""
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("--list", action="store_true", help="list the steps")
    parser.add_argument("steps", nargs="*", help="steps or groups (lint, host, kunit, vm); all by default")
    options = parser.parse_args()
    every = steps()
    if options.list:
        for step in every:
            print(f"{step.name:18} {step.group:6} {step.words}")
        return 0
    # The steps' own scripts begin to count anew.
    before = float(os.environ.pop("QNET_ELAPSED", "0"))
    return 0 if Run(_choose(every, options.steps), before).go() else 1


if __name__ == "__main__":
    sys.exit(main())
