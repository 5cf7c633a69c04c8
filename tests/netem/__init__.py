# SPDX-License-Identifier: GPL-2.0
"""Messages of all lengths over links with faults: which cells there are, what each must come to."""
