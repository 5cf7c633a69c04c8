# SPDX-License-Identifier: GPL-2.0
"""Judges captures of Qnet traffic: by tshark's dissector, and by a second reading of the same bytes.

tshark notices what is malformed and CRCs that are wrong. What it does not notice (a nested head that
lies, a value that is not the one that was sent) is found by reading each frame here once more,
independently of the module's own code, and comparing value by value.
"""
