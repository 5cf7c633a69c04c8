# SPDX-License-Identifier: GPL-2.0
"""Boots Linux under QEMU from an initramfs made on the spot, runs a script there and judges it.

Needs Python's standard library and qemu-system-x86_64, and runs inside the build root (tools/enter).
"""
