# SPDX-License-Identifier: GPL-2.0
"""Finds in a kernel's log what no run may have: panics, warnings, and what the sanitizers report."""

import re

# What the kernel prints when something is wrong. The words are those of lib/, kernel/ and mm/.
_BAD = re.compile(
    r"Kernel panic|\bOops\b|\bBUG\b|\bWARNING: |general protection fault|\bKASAN\b.*\b(?:in|at)\b|"
    r"\bUBSAN\b|\bKCSAN\b|\bKFENCE\b.*\b(?:in|at)\b|INFO: (?:possible|suspicious|task|rcu|trying)|"
    r"\bstall(?:s|ed)? (?:on|detected)|possible (?:circular|recursive) locking|inconsistent lock state|"
    r"suspicious RCU usage|bad unlock balance|held lock freed|still held|sleeping function called|"
    r"scheduling while atomic|soft lockup|hard LOCKUP|hung_task|blocked for more than|refcount_t: |"
    r"list_(?:add|del) corruption|Bad page|unregister_netdevice: waiting|ref_tracker: .*(?:leaked|has)|"
    r"\bkmemleak: \d+ new suspected|unreferenced object|unable to handle|rcu_(?:preempt|sched) .*stall|"
    r"-+\[ cut here \]-+|slab.*(?:corrupt|overwritten|Objects remaining)|Attempted to kill init|"
    r"Out of memory|page allocation failure|Voluntary context switch within RCU|irq \d+: nobody cared|"
    r"rust_kernel: panicked|attempt to (?:add|subtract|multiply|negate|shift|divide|calculate)"
)
# Lines that match above and say nothing bad.
_HARMLESS = re.compile(
    r"KASAN.*(?:initialized|init)|kunit: |fail_page_alloc|BUG: using.*disabled|"
    r"Command line:|Kernel command line:|"
    # A guest of several processors whose clocks QEMU's plain emulation does not keep in step.
    r"clocksource:|tsc: Marking TSC unstable"
)
_CONTEXT = 25


def find(log: str) -> list[str]:
    """The first bad lines of the log, each with what follows it; empty when there is nothing."""
    lines = log.splitlines()
    found: list[str] = []
    end_of_last = -1
    for index, line in enumerate(lines):
        if index <= end_of_last or not _BAD.search(line) or _HARMLESS.search(line):
            continue
        end_of_last = index + _CONTEXT
        found.append("\n".join(lines[index : end_of_last + 1]))
        if len(found) == 3:
            break
    return found
