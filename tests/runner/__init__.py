# SPDX-License-Identifier: GPL-2.0
"""Goes through the steps of `make check`, one after another, and counts the tests in each."""
