# SPDX-License-Identifier: GPL-2.0
"""Rules for Rust: format, where unsafe may stand, and that each use says why it is sound."""

import re
from pathlib import Path

from .lexer import code_only
from .tree import files, run, text, with_suffix

# The two layers of the module that may hold unsafe code (Documentation/architecture.md).
_UNSAFE_LAYERS = (Path("rust/sys"), Path("rust/knet"))
_UNSAFE = re.compile(r"\bunsafe\b")
_NEEDS_REASON = re.compile(r"\bunsafe\s*(?:\{|impl\b|extern\s*\{)")
_UNSAFE_FN = re.compile(r"\bunsafe\s+(?:extern\s+)?fn\s+(\w+)")


def _module_files() -> list[Path]:
    return [path for path in with_suffix(".rs") if path.parts[0] == "rust"]


def _in_unsafe_layer(path: Path) -> bool:
    return any(layer in path.parents for layer in _UNSAFE_LAYERS)


def formatted() -> list[str]:
    """The module is formatted as the kernel formats Rust, the workspaces as Cargo does."""
    # rustfmt follows `mod` lines, so that it names a file more than once.
    unformatted = set(run("rustfmt", "--check", "--files-with-diff", "--edition", "2021", *_module_files()))
    wrong = [f"not formatted: {line}" for line in sorted(unformatted)]
    for path in files():
        if path.name == "Cargo.toml" and "[workspace]" in text(path):
            wrong += run("cargo", "fmt", "--all", "--check", "--manifest-path", path, "--", "--color", "never")
    return wrong


def unsafe_layers() -> list[str]:
    """No unsafe outside sys/ and knet/, and the compiler is told to hold it."""
    wrong = []
    for path in _module_files():
        if _in_unsafe_layer(path):
            continue
        for number, line in enumerate(code_only(text(path)).splitlines(), 1):
            if _UNSAFE.search(line.replace("unsafe_code", "")):
                wrong.append(f"{path}:{number}: unsafe outside of rust/sys and rust/knet")
    root = text(Path("rust/qnet.rs"))
    for name in re.findall(r"^(?:pub(?:\(crate\))? )?mod (\w+);", root, re.MULTILINE):
        if name in ("sys", "knet"):
            continue
        single, folder = Path(f"rust/{name}.rs"), Path(f"rust/{name}/mod.rs")
        path = single if single in files() else folder
        # `deny` is for a folder with a macro (pinned_drop) that writes an unsafe impl; what people write
        # there was looked at above.
        if not re.search(r"^#!\[(?:forbid|deny)\(unsafe_code\)\]", text(path), re.MULTILINE):
            wrong.append(f"{path}: lacks #![forbid(unsafe_code)]")
    return wrong


def reasons() -> list[str]:
    """Each unsafe block and impl has a SAFETY comment, each unsafe fn tells its callers their duties."""
    wrong = []
    for path in with_suffix(".rs"):
        lines = text(path).splitlines()
        for number, line in enumerate(code_only(text(path)).splitlines(), 1):
            if _NEEDS_REASON.search(line) and not _has_reason(lines, number - 1, "SAFETY:"):
                wrong.append(f"{path}:{number}: unsafe without a SAFETY comment")
            function = _UNSAFE_FN.search(line)
            if not function or _is_declared_elsewhere(lines, number - 1):
                continue
            if not _has_reason(lines, number - 1, "# Safety", "SAFETY:"):
                wrong.append(f"{path}:{number}: unsafe fn {function.group(1)} without a Safety section")
    return wrong


def _has_reason(lines: list[str], index: int, *words: str) -> bool:
    """Is there such a word in the comment above the statement that this line belongs to, or in the line?"""
    if any(word in lines[index] for word in words):
        return True
    statement = True  # still among the lines of the statement itself
    for line in reversed(lines[max(0, index - 60) : index]):
        bare = line.strip()
        if any(word in bare for word in words) and bare.startswith(("//", "/*", "*")):
            return True
        if bare.startswith(("//", "/*", "*", "#[", "#![")):
            statement = False
            continue
        # A statement may be spread over lines before its unsafe block: `let x =`, `foo(`, `match`.
        if not statement or not bare or bare.endswith((";", "}", "{")):
            return False
    return False


def _is_declared_elsewhere(lines: list[str], index: int) -> bool:
    """Does the function implement a trait's, which has the Safety section?"""
    indentation = len(lines[index]) - len(lines[index].lstrip())
    for line in reversed(lines[:index]):
        if line.strip() and len(line) - len(line.lstrip()) < indentation and not line.strip().startswith(("//", "#")):
            return bool(re.match(r"\s*(?:unsafe )?impl\b.*\bfor\b", line)) or " for " in line
    return False
