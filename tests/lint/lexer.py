# SPDX-License-Identifier: GPL-2.0
"""Takes comments and literals out of Rust source, so that words in them are not taken for code."""

import re

_TOKEN = re.compile(
    r"//[^\n]*"
    r"|/\*"
    r'|b?c?r(?P<hashes>#*)"'
    r'|[bc]?"(?:\\.|[^"\\])*"'
    r"|b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\])'",
    re.DOTALL,
)


def code_only(source: str) -> str:
    """The source with blanks in place of comments, strings and character literals; lines stay lines."""
    out = []
    at = 0
    while match := _TOKEN.search(source, at):
        out.append(source[at : match.start()])
        end = _end(source, match)
        out.append(re.sub(r"[^\n]", " ", source[match.start() : end]))
        at = end
    out.append(source[at:])
    return "".join(out)


def _end(source: str, match: re.Match[str]) -> int:
    if match.group() == "/*":
        return _end_of_comment(source, match.end())
    if match.group("hashes") is not None:
        closing = '"' + match.group("hashes")
        end = source.find(closing, match.end())
        return len(source) if end < 0 else end + len(closing)
    return match.end()


def _end_of_comment(source: str, at: int) -> int:
    """Block comments nest."""
    depth = 1
    for mark in re.finditer(r"/\*|\*/", source[at:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return at + mark.end()
    return len(source)
