# SPDX-License-Identifier: GPL-2.0
"""Documentation against code: what one of them names, the other names too."""

import re
import subprocess
import tempfile
from pathlib import Path

from .tree import TOP, files, run, text, with_suffix

_ROW = re.compile(r"^\|\s*`([^`]+)`", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_VERDICTS = ("same", "different", "absent", "ours")
_BLOCK = re.compile(r"^```(c|rust)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _rows(page: str) -> set[str]:
    """What stands in backquotes at the beginnings of a page's table rows."""
    path = Path("Documentation") / page
    return set(_ROW.findall(text(path))) if path in files() else set()


def _compare(what: str, page: str, documented: set[str], real: set[str]) -> list[str]:
    if not real:
        return [f"no {what} found in the code: has its form changed?"]
    wrong = [f"{what} {name}: not in Documentation/{page}" for name in sorted(real - documented)]
    return wrong + [f"{what} {name}: in Documentation/{page} and not in the code" for name in sorted(documented - real)]


def counters() -> list[str]:
    """Documentation/statistics.md explains every counter and gauge, and no other."""
    real = set(re.findall(r'^    \w+ = "([^"]+)",', text(Path("rust/stats.rs")), re.MULTILINE))
    shown = text(Path("rust/procfs.rs"))
    real |= set(re.findall(r'^ +\("([^"]+)", &counters\.', shown, re.MULTILINE))
    of_peers = shown.partition("fn show_peer")[2]
    real |= set(re.findall(r'^ +\("([^"]+)", ', of_peers, re.MULTILINE))
    real |= set(re.findall(r': .*\\n", "(\w+)"', of_peers))
    return _compare("counter", "statistics.md", _rows("statistics.md"), real)


def options() -> list[str]:
    """Documentation/options.md explains every module parameter and every option of `qnet set`, and no other."""
    real = set(re.findall(r"^    (\w+): \d+\.\.=\d+;", text(Path("rust/config.rs")), re.MULTILINE))
    module = TOP / "build/module/stock/qnet.ko"
    listed = subprocess.run(["modinfo", "-F", "parm", module], check=True, capture_output=True, text=True).stdout
    real |= {line.partition(":")[0] for line in listed.splitlines()}
    refused = text(Path("tools/qnet/src/option.rs")).partition("const REFUSED")[2].partition("];")[0]
    real |= set(re.findall(r'\(\s+"([^"]+)",', refused))
    return _compare("option", "options.md", _rows("options.md"), real)


def packages() -> list[str]:
    """Documentation/dependencies.md says of every package that set-up installs what it is for."""
    source = text(Path("tools/setup.sh"))
    listed = re.findall(r'^(?:PACKAGES|BACKPORTED)="([^"]*)"', source, re.MULTILINE)
    real = {name for words in listed for name in words.split()}
    page = text(Path("Documentation/dependencies.md")).partition("## Packages in the build root")[2]
    documented = set(_ROW.findall(page.partition("\n## ")[0]))
    return _compare("package", "dependencies.md", documented, real)


def calls() -> list[str]:
    """Documentation/conformance.md says of every call that the headers declare how it compares with QNX's, and of no other."""
    declared = {
        name
        for path in files()
        if path.parts[:3] == ("qnet_userspace", "include", "sys")
        for name in re.findall(r"^(?:int|long|ssize_t) (\w+)\(", text(path), re.MULTILINE)
    }
    real = {name for name in declared if name.removesuffix("_r") == name}
    wrong = [f"{name} is not declared" for name in declared if name.endswith("_r") and name.removesuffix("_r") not in real]
    rows = re.findall(r"^\| (`.+?) \| (\w+) \|", text(Path("Documentation/conformance.md")), re.MULTILINE)
    verdicts = {name: verdict for cell, verdict in rows for name in re.findall(r"`(\w+)`", cell)}
    wrong += [f"{name}: {verdict} is no verdict" for name, verdict in verdicts.items() if verdict not in _VERDICTS]
    listed = {name for name, verdict in verdicts.items() if verdict != "absent"}
    wrong += [f"{name} is declared, and absent in conformance.md" for name in real & (verdicts.keys() - listed)]
    return wrong + _compare("call", "conformance.md", listed, real)


def crate() -> list[str]:
    """What Documentation/conformance.md names of the Rust crate is there."""
    section = text(Path("Documentation/conformance.md")).partition("\n## The Rust crate\n")[2]
    named = set(re.findall(r"`([A-Z]\w+::\w+)`", section))
    real = {
        f"{kind}::{function}"
        for path in files()
        if path.parts[:3] == ("qnet_userspace", "qnet", "src")
        for kind, block in re.findall(r"^impl (\w+) \{\n(.*?)^\}$", text(path), re.MULTILINE | re.DOTALL)
        for function in re.findall(r"^    pub (?:const )?fn (\w+)", block, re.MULTILINE)
    }
    if not named or not real:
        return ["nothing of the crate found: has the form of the page or of the code changed?"]
    return [f"{name}: in Documentation/conformance.md and not in the crate" for name in sorted(named - real)]


def ioctls() -> list[str]:
    """qnet(7) has an entry for each ioctl, and for no other."""
    real = set(re.findall(r"^#define (QNET_IOC_\w+)\s+\\?\s*_IO", text(Path("rust/uapi/qnet.h")), re.MULTILINE))
    section = text(Path("Documentation/man/qnet.7")).partition(".SS Ioctls\n")[2].partition("\n.SS ")[0]
    heads = re.findall(r"^\.TP\n(.*)$", section, re.MULTILINE)
    return _compare("ioctl", "man/qnet.7", set(re.findall(r"QNET_IOC_\w+", "\n".join(heads))), real)


def links() -> list[str]:
    """Links between pages lead somewhere."""
    wrong = []
    for page in with_suffix(".md"):
        for target in _LINK.findall(text(page)):
            if "://" not in target and not (TOP / page.parent / target).exists():
                wrong.append(f"{page}: the link to {target} leads nowhere")
    return wrong


def first_programs() -> list[str]:
    """The programs that README.md shows are the ones that the tests compile and run."""
    examples = [_without_licence(text(p)) for p in files() if "examples" in p.parts and p.suffix in (".c", ".rs")]
    wrong = []
    for language, block in _BLOCK.findall(text(Path("README.md"))):
        if "main(" in block and block.strip() not in examples:
            wrong.append(f"README.md: the {language} program is not one of the example files")
    return wrong


def _without_licence(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if "SPDX-License-Identifier" not in line).strip()


def man_pages() -> list[str]:
    """Manual pages are well formed, and their example programs compile against the headers."""
    wrong = []
    for page in files():
        if page.parts[:2] != ("Documentation", "man") or not re.fullmatch(r"\.\d", page.suffix):
            continue
        for number, block in enumerate(re.findall(r"^\.EX\n(.*?)^\.EE$", text(page), re.MULTILINE | re.DOTALL), 1):
            if "main(" in block:
                wrong += _compile(f"{page} (example {number})", _plain(block))
    return wrong


def _plain(block: str) -> str:
    """What a reader sees of a block: roff's escapes undone."""
    lines = [line.removeprefix(r"\&") for line in block.splitlines() if not line.startswith((".", "'"))]
    plain = "\n".join(lines)
    for escape, meaning in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\&", ""), (r"\e", "\\"), (r"\\", "\\")):
        plain = plain.replace(escape, meaning)
    return plain


def _compile(name: str, source: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source + "\n")
        file.flush()
        includes = [f"-I{folder}" for folder in ("qnet_userspace/include", "rust/uapi")]
        complaints = run("gcc-14", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *includes, file.name)
    return [line.replace(file.name, name) for line in complaints]
