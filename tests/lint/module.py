# SPDX-License-Identifier: GPL-2.0
"""Rules for the built module. They are a step of their own, because they need the module."""

import re
import subprocess
from pathlib import Path

from .tree import TOP

# The kernel's own limit for C functions (-Wframe-larger-than); nothing limits Rust functions, and a
# kernel stack is 16 KiB.
_FRAME_LIMIT = 2048
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
_FRAME = re.compile(r"\bsub\s+\$0x([0-9a-f]+),%rsp")


def frames(kind: str = "stock") -> list[str]:
    """No function of the module takes more of the kernel's stack than the kernel allows itself."""
    wrong = []
    for size, name in sorted(_frames(TOP / f"build/module/{kind}/qnet.ko"), reverse=True):
        if size > _FRAME_LIMIT:
            wrong.append(f"{name}: a stack frame of {size} bytes, and {_FRAME_LIMIT} is the limit")
    return wrong


def _frames(module: Path) -> list[tuple[int, str]]:
    command = ["objdump", "--disassemble", "--no-show-raw-insn", "--demangle", str(module)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: list[tuple[int, str]] = []
    function = ""
    for line in listing.splitlines():
        if match := _FUNCTION.match(line):
            function = match.group(1)
        elif match := _FRAME.search(line):
            found.append((int(match.group(1), 16), function))
    if not found:
        raise RuntimeError(f"{module} has no function with a stack frame: is it a module?")
    return found


def information() -> list[str]:
    """The module says who made it, what it is, and under which licence."""
    module = TOP / "build/module/stock/qnet.ko"
    fields = subprocess.run(["modinfo", module], check=True, capture_output=True, text=True).stdout
    said = dict(line.split(":", 1) for line in fields.splitlines() if ":" in line)
    wanted = {"license": "GPL", "description": "", "author": "", "alias": "net-pf-18"}
    wrong = [f"no {name} in the module" for name in wanted if name not in said]
    parameters = [line.removeprefix("parm:").strip() for line in fields.splitlines() if line.startswith("parm:")]
    described = re.compile(r"\w+:.*\w.* \(\w+\)")
    wrong += [f"the parameter {line} has no description" for line in parameters if not described.match(line)]
    return wrong + [f"the licence is {said.get('license', '').strip()}"] * ("GPL" not in said.get("license", ""))
