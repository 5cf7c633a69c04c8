# SPDX-License-Identifier: GPL-2.0
"""Tells an emulated guest how fast its clock runs.

Under plain emulation the guest's time-stamp counter is the host's. A kernel without ACPI finds nothing
to measure it against, and one with several processors does not trust it: both would then keep time by
ticks of 4 ms, far too coarse for Qnet's timers. So the host measures it and the guest is told.
"""

import ctypes
import mmap
import time

# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_COUNTER = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_MEASURE_SECONDS = 0.05


def kernel_arguments() -> list[str]:
    """What to add to the kernel's command line; nothing when the host's counter cannot be read."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return []
    page.write(_READ_COUNTER)
    counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    ticks, began = counter(), time.monotonic_ns()
    time.sleep(_MEASURE_SECONDS)
    ticks, nanoseconds = counter() - ticks, time.monotonic_ns() - began
    return [f"tsc_early_khz={ticks * 1_000_000 // nanoseconds}", "tsc=reliable"]
