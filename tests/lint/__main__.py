# SPDX-License-Identifier: GPL-2.0
"""Runs the checks of the tree, those of the module ("module"), or those named; prints KTAP."""

import sys
from collections.abc import Callable

from . import docs, module, rust, tree

_Checks = tuple[Callable[[], list[str]], ...]
_TREE: _Checks = (
    tree.licences,
    tree.whitespace,
    tree.places,
    tree.unfinished,
    tree.shell,
    tree.python,
    tree.c_style,
    rust.formatted,
    rust.unsafe_layers,
    rust.reasons,
    docs.counters,
    docs.packages,
    docs.calls,
    docs.crate,
    docs.ioctls,
    docs.links,
    docs.first_programs,
    docs.man_pages,
)
# These look at the module as it was built for the stock kernel.
_MODULE: _Checks = (module.frames, module.information, docs.options)
_SHOWN = 40


def main() -> int:
    """The exit status: 0 when everything is as it should be."""
    names = sys.argv[1:]
    if names == ["module"]:
        chosen = list(_MODULE)
    else:
        chosen = [check for check in (*_TREE, *_MODULE) if check.__name__ in names] or list(_TREE)
    print(f"KTAP version 1\n1..{len(chosen)}")
    failed = 0
    for number, check in enumerate(chosen, 1):
        try:
            wrong = check()
        except Exception as error:  # A check that cannot be made has failed; the others go on.
            wrong = [f"{type(error).__name__}: {error}"]
        for line in wrong[:_SHOWN]:
            print(f"# {line}")
        if len(wrong) > _SHOWN:
            print(f"# ... and {len(wrong) - _SHOWN} more")
        name = f"{check.__module__.split('.')[-1]}.{check.__name__}"
        print(f"{'not ok' if wrong else 'ok'} {number} {name}: {(check.__doc__ or '').splitlines()[0]}", flush=True)
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
