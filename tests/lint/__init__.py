# SPDX-License-Identifier: GPL-2.0
"""Rules of this tree that a program can check. Each check returns what it finds wrong."""
