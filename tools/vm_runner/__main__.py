# SPDX-License-Identifier: GPL-2.0
"""The command line of the runner: `tools/vm run`, `tools/vm pair`, `tools/vm ktap`."""

import argparse
import json
import sys
from pathlib import Path

from . import image, kernel, ktap, qemu
from .errors import Unusable
from .run import Outcome, run

_HOME = Path("build/vm")


def main() -> int:
    """Does what the command line says; the result is the exit status."""
    options = _parser().parse_args()
    try:
        if options.command == "ktap":
            return _ktap(options)
        return _boot(options, ["a", "b"] if options.command == "pair" else [""])
    except Unusable as error:
        print(f"qnet: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/vm")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("run", "boot one machine"), ("pair", "boot two machines, joined by a link")):
        command = commands.add_parser(name, help=words)
        _boot_options(command)
        if name == "pair":
            command.add_argument("--capture", action="store_true", help="record the link in NAME/link.pcap")
    judge = commands.add_parser("ktap", help="judge KTAP output")
    judge.add_argument("files", nargs="+", type=Path)
    return parser


def _boot_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--script", required=True, type=Path, help="run by the guest's shell; a pair's gets a or b as $1")
    add("--argument", action="append", default=[], help="an argument of the script (repeatable)")
    add("--kernel", default="stock", choices=["stock", "debug"])
    add("--name", help="keep logs and files in build/vm/NAME (the script's name)")
    add("--module", action="append", default=[], type=Path, help="put a .ko at /qnet/NAME.ko (repeatable)")
    add("--load", action="append", default=[], help="load a module of the kernel's own first (repeatable)")
    add("--add", action="append", default=[], metavar="FILE[:PATH]", help="a file, by default in /qnet/bin")
    add("--programs", action="append", default=[], type=Path, help="a folder: all its programs and libraries")
    add("--append", action="append", default=[], help="an argument of the kernel (repeatable)")
    add("--timeout", type=float, default=300.0, help="seconds after which the machine is stopped")
    add("--smp", type=int, default=2, help="processors")
    add("--memory", type=int, default=1024, help="MiB")
    add("--icount", action="store_true", help="count instructions: guest time is their number")
    add("--kmemleak", action="store_true", help="look for leaks at the end (debug kernel)")
    add("--ktap", choices=["script", "console"], help="judge the KTAP in this log too")
    add("--quiet", action="store_true", help="do not print what the script prints")


def _boot(options: argparse.Namespace, names: list[str]) -> int:
    home = _HOME / (options.name or options.script.stem)
    home.mkdir(parents=True, exist_ok=True)
    chosen = kernel.find(options.kernel)
    machines = []
    for index, name in enumerate(names):
        folder = home / name
        folder.mkdir(exist_ok=True)
        contents = _contents(options, name)
        network: list[str] = []
        if name:
            contents.loaded.append("virtio_net")
            network = qemu.link(index, home, options.capture and index == 0)
        image.write(folder / "initramfs", chosen, contents)
        append = options.append + (["qnet.kmemleak"] if options.kmemleak else [])
        machines.append(
            qemu.Machine(
                folder=folder,
                kernel=chosen.image,
                initramfs=folder / "initramfs",
                append=append,
                processors=options.smp,
                memory=options.memory,
                counting=options.icount,
                network=network,
            )
        )
    outcomes = run(machines, options.timeout, options.quiet)
    return _report(options, home, outcomes)


def _contents(options: argparse.Namespace, name: str) -> image.Contents:
    programs = []
    for item in options.add:
        source, _, target = item.partition(":")
        programs.append((Path(source), target or f"/qnet/bin/{Path(source).name}"))
    for folder in options.programs:
        programs += image.programs_in(folder)
    return image.Contents(
        script=options.script,
        arguments=([name] if name else []) + options.argument,
        modules=options.module,
        loaded=["veth", *options.load],
        programs=programs,
    )


def _report(options: argparse.Namespace, home: Path, outcomes: list[Outcome]) -> int:
    good = True
    total = ktap.Tally()
    for outcome in outcomes:
        machine = outcome.machine
        name = machine.folder.relative_to(_HOME)
        for words in outcome.complaints():
            print(f"tools/vm: {name}: {words}", file=sys.stderr)
        good = good and outcome.good
        if options.ktap:
            log = (machine.log if options.ktap == "script" else machine.console).read_text(errors="replace")
            tally, report = ktap.judge(log)
            for line in ktap.failures(log):
                print(f"tools/vm: {name}: {line}", file=sys.stderr)
            (machine.folder / "ktap.log").write_text(report, encoding="utf-8")
            total.add(tally)
        machine.initramfs.unlink()
    if options.ktap:
        print(f"tools/vm: {home.relative_to(_HOME)}: {total}", file=sys.stderr)
        good = good and total.failed == 0 and total.passed + total.skipped > 0
    result = {
        "good": good,
        "seconds": max(outcome.seconds for outcome in outcomes),
        "passed": total.passed,
        "failed": total.failed,
        "skipped": total.skipped,
        "complaints": [words for outcome in outcomes for words in outcome.complaints()],
    }
    (home / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0 if good else 1


def _ktap(options: argparse.Namespace) -> int:
    total = ktap.Tally()
    for path in options.files:
        tally, report = ktap.judge(path.read_text(errors="replace"))
        sys.stdout.write(report)
        total.add(tally)
    print(total)
    return 0 if total.failed == 0 and total.passed + total.skipped > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
