# SPDX-License-Identifier: GPL-2.0
"""Which files there are, and rules that hold for all of them."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
_SKIPPED = {".git", "build", "target", "__pycache__"}
# Files whose format has no comments, or that another program writes.
_WITHOUT_LICENCE = {".pcap", ".pcapng", ".lock", ".txt", ".json", ".bin", ".proptest-regressions"}
_LICENCES = ("GPL-2.0", "GPL-2.0 WITH Linux-syscall-note", "LGPL-2.1-or-later", "GPL-2.0-only", "GPL-2.0-or-later")
_SPDX = re.compile(r"^(?://|#|/\*|\.\\\"|<!--|;)\s*SPDX-License-Identifier: (.+?)\s*(?:\*/|-->)?$")
# Where this was written is nobody's business, and where packages come from is the user's choice.
_PLACES = re.compile(r"debian\.org|(?<!/)\bcrates\.io|/work/|/home/[a-z]|/root/\.|\bpypi\b", re.IGNORECASE)
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|\bunimplemented!|\btodo!")


@cache
def files() -> tuple[Path, ...]:
    """All files of the tree that are not built, relative to its top."""
    return tuple(sorted(_walk(TOP)))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _SKIPPED:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file() and path.name != "qnet.ko":
            yield path.relative_to(TOP)


def with_suffix(*suffixes: str) -> list[Path]:
    """The files that end so."""
    return [path for path in files() if path.suffix in suffixes]


def text(path: Path) -> str:
    """A file's content."""
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def interpreter(path: Path) -> str:
    """The program that a script names in its first line."""
    first = text(path).partition("\n")[0]
    return first if first.startswith("#!") else ""


def run(*command: str | Path) -> list[str]:
    """Runs a command at the top of the tree; its output when it fails, nothing when it succeeds."""
    done = subprocess.run(command, cwd=TOP, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).splitlines() or [f"{command[0]} ended with status {done.returncode}"]


def licences() -> list[str]:
    """Each file begins with its licence (scripts, after the line that names their shell)."""
    wrong = []
    for path in files():
        # A page of prose needs none, and the licences have none themselves.
        if path.suffix in (*_WITHOUT_LICENCE, ".md") or path.name in ("COPYING", "LICENSE"):
            continue
        lines = text(path).splitlines()
        line = next((line for line in lines[:2] if not line.startswith("#!")), "")
        match = _SPDX.match(line)
        if not match:
            wrong.append(f"{path}: the first line is not an SPDX-License-Identifier")
        elif match.group(1) not in _LICENCES:
            wrong.append(f"{path}: the licence {match.group(1)} is not one of this project's")
    return wrong


def places() -> list[str]:
    """No host names of package archives, no paths of somebody's machine."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path in files()
        if path.suffix not in (".lock", ".pcap", ".pcapng") and path != Path("tests/lint/tree.py")
        for number, line in enumerate(text(path).splitlines(), 1)
        if _PLACES.search(line)
    ]


def unfinished() -> list[str]:
    """Nothing is left for later in the text of a program."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path in with_suffix(".rs", ".c", ".h", ".py", ".sh")
        if path != Path("tests/lint/tree.py")
        for number, line in enumerate(text(path).splitlines(), 1)
        if _UNFINISHED.search(line)
    ]


def whitespace() -> list[str]:
    """No blanks at the ends of lines, and a newline at the end of each file."""
    wrong = []
    for path in files():
        if path.suffix in (".pcap", ".pcapng", ".bin"):
            continue
        content = text(path)
        if content and not content.endswith("\n"):
            wrong.append(f"{path}: no newline at the end")
        for number, line in enumerate(content.splitlines(), 1):
            # Two blanks at the end of a line are Markdown for a line break; one says nothing.
            if line != line.rstrip() and not (path.suffix == ".md" and line.endswith("  ")):
                wrong.append(f"{path}:{number}: blanks at the end of the line")
    return wrong


def shell() -> list[str]:
    """Shell scripts are clean for shellcheck."""
    scripts = [path for path in files() if path.suffix == ".sh" or re.search(r"\b(?:ba|da)?sh$", interpreter(path))]
    # The guests' library is at /qnet/lib.sh in the guest only.
    return run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", "--exclude=SC1091", *scripts)


def python() -> list[str]:
    """Python programs compile without a warning, and say what each module, class and function is for."""
    import ast
    import warnings

    wrong = []
    for path in with_suffix(".py"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                tree = ast.parse(text(path), str(path))
            except (SyntaxError, SyntaxWarning) as error:
                wrong.append(f"{path}: {error}")
                continue
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        local = {n.name for f in functions for n in ast.walk(f) if isinstance(n, ast.FunctionDef) and n is not f}
        for node in [tree, *ast.walk(tree)]:
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                continue
            name = getattr(node, "name", "module")
            if not name.startswith("_") and name not in local and not ast.get_docstring(node):
                wrong.append(f"{path}: {name} has no docstring")
            if isinstance(node, ast.FunctionDef) and node.returns is None:
                wrong.append(f"{path}: {name} has no return type")
    return sorted(set(wrong))


def c_style() -> list[str]:
    """The kernel's C passes the kernel's own style check."""
    checkpatch = Path("/srv/qnet/tree/src/scripts/checkpatch.pl")
    sources = [path for path in with_suffix(".c", ".h") if path.parts[0] == "rust"]
    # New files come with no change to MAINTAINERS here, and there is no commit to describe.
    ignored = "FILE_PATH_CHANGES,COMMIT_MESSAGE,SPDX_LICENSE_TAG"
    options = ("--no-tree", "--no-summary", "--terse", "--quiet", "--ignore", ignored)
    return run("perl", checkpatch, *options, "-f", *sources)
