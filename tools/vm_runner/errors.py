# SPDX-License-Identifier: GPL-2.0
"""The one error that the runner reports as a sentence."""


class Unusable(Exception):
    """Something that the run needs is missing or cannot be used; the text says what to do."""
