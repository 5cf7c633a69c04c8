# SPDX-License-Identifier: GPL-2.0
"""`python3 -m netem [--short]`: runs the cells in a guest, prints a table, ends with the numbers."""

import argparse
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from .cells import Cell, pairwise
from .guest import MODULE, PROGRAMS, Guest, Outcome
from .judge import judge, judge_without_crc

_SEED = 20260101
_LONGEST = 1 << 20
# Corruption without a CRC may cost a message: programs give it up after this time.
_BLIND = Cell("0", reorder=False, duplicate=False, corrupt=True, mtu=1500)
_BLIND_MESSAGES = 500
_BLIND_OPTIONS = "--no-verify --timeout-ms 5000"
# In `make check`: what every value, though not every pair, occurs in.
_SHORT = (
    Cell("0", reorder=False, duplicate=False, corrupt=False, mtu=65535),
    Cell("0.1", reorder=True, duplicate=True, corrupt=False, mtu=9000),
    Cell("1", reorder=False, duplicate=True, corrupt=True, mtu=1500),
    Cell("10", reorder=True, duplicate=False, corrupt=True, mtu=576),
)
# What `make check` has in a short form, in full.
_SCRIPTS = (("links",), ("namespaces32", "--load", "bridge", "--argument", "60"))
_COLUMNS = "cell messages MB seconds MB/s retr NACKs longest-ms drops".split()
_WIDTHS = (44, 8, 7, 7, 6, 8, 7, 10)


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    cells: tuple[Cell, ...]
    messages: int
    blind: int  # messages without a CRC
    threads: int
    at_once: int
    patience: int  # seconds for one cell, against hangs
    seconds: float  # for all


_PLANS = {
    "full": Plan(tuple(pairwise()), 10_000, _BLIND_MESSAGES, 8, 3, 2400, 7200),
    "short": Plan(_SHORT, 250, 100, 8, 3, 400, 560),
}


def main() -> int:
    """Does what the command line says; the result is the exit status."""
    parser = argparse.ArgumentParser(prog="netem")
    parser.add_argument("--short", action="store_true", help="a few cells with fewer messages")
    parser.add_argument("--seed", type=int, default=_SEED, help="of lengths, contents and faults")
    parser.add_argument("--messages", type=int, help="in each cell")
    parser.add_argument("--cell", action="append", help="only this one (repeatable); by its name in the table")
    options = parser.parse_args()
    plan = _PLANS["short" if options.short else "full"]
    messages = options.messages or plan.messages
    chosen = [cell for cell in plan.cells if not options.cell or cell.name in options.cell]
    blind = not options.cell or "no-crc" in options.cell
    print(f"{len(chosen)} cells, {messages} messages each, 0 to {_LONGEST} bytes, seed {options.seed}")
    _row(_COLUMNS)
    failed = _run(plan, chosen, messages, options.seed, blind)
    total = len(chosen) + blind + 1
    passed = total - failed
    if not options.short and not options.cell:
        for script in _SCRIPTS:
            good, bad = _script(*script)
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _script(name: str, *options: str) -> tuple[int, int]:
    """Runs a script in a guest and shows its results: how many passed, how many failed."""
    print(f"\n{name}:")
    command = ["tools/vm", "run", "--ktap", "script", "--name", f"{name}-full", "--script", f"tests/vm/{name}.sh"]
    command += ["--module", MODULE, "--programs", PROGRAMS, "--load", "sch_netem", "--timeout", "1500", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines():
        if not line.startswith(("KTAP", "1..")):
            print(f"    {line}", flush=True)
    passed, failed = 0, 0
    for good, bad in re.findall(r"^tools/vm: \S+: (\d+) passed, (\d+) failed", done.stderr, re.MULTILINE):
        passed, failed = int(good), int(bad)
    return passed, failed or int(done.returncode != 0)


def _run(plan: Plan, cells: list[Cell], messages: int, seed: int, blind: bool) -> int:
    by_name = {cell.name: cell for cell in cells}
    lines = [_line(cell.name, cell, cell.corrupt, plan, messages, seed, "") for cell in cells]
    if blind:
        lines.append(_line("no-crc", _BLIND, False, plan, plan.blind, seed, _BLIND_OPTIONS))
    guest = Guest("netem", lines, plan.at_once, plan.seconds)
    began, good = time.monotonic(), 0
    for outcome in guest.run():
        if outcome.name == "no-crc":
            wrong = judge_without_crc(outcome)
        else:
            wrong = judge(by_name[outcome.name], messages, outcome)
        _show(outcome, wrong)
        good += not wrong
    for words in guest.complaints:
        print(words)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of them by processors"
    print(f"the machine: {'FAILED' if guest.complaints else 'ok'}, {spent}")
    return len(lines) - good + bool(guest.complaints)


def _line(name: str, cell: Cell, crc: bool, plan: Plan, messages: int, seed: int, more: str) -> str:
    """A cell as the guest takes it."""
    server = f"--threads {plan.threads // 2}" + (" --no-verify" if more else "")
    client = f"--messages {messages} --threads {plan.threads} --min-size 0 --max-size {_LONGEST} --seed {seed} {more}"
    return "|".join([name, str(cell.mtu), str(int(crc)), cell.netem(seed), str(plan.patience), server, client])


def _show(outcome: Outcome, wrong: list[str]) -> None:
    client = outcome.client
    drops = " ".join(f"{name}:{count}" for name, count in outcome.drops().items())
    megabytes = (client.get("bytes_out", 0) + client.get("bytes_in", 0)) / 1e6
    seconds = client.get("elapsed_ns", 0) / 1e9
    row = [outcome.name, client.get("messages", 0), f"{megabytes:.1f}", f"{seconds:.1f}"]
    row += [f"{client.get('goodput', 0) / 1e6:.1f}", outcome.total("qos tx_retransmitted"), outcome.total("nacks txd")]
    _row([*row, f"{client.get('longest_ms', 0):.0f}", drops or "-"])
    if outcome.name == "no-crc" and outcome.server:
        seen = client.get("corrupted", 0) + outcome.server["corrupted"]
        print(f"    without a CRC, corrupted content got through in {seen} messages and the programs noticed")
    for words in wrong:
        print(f"    FAILED: {words}")
    sys.stdout.flush()


def _row(cells: list[object] | list[str]) -> None:
    widths = [*_WIDTHS, 0]
    print("  ".join(f"{cell:<{w}}" if n in (0, 8) else f"{cell:>{w}}" for n, (cell, w) in enumerate(zip(cells, widths))).rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
