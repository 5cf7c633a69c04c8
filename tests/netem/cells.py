# SPDX-License-Identifier: GPL-2.0
"""The cells: combinations of faults and MTUs, chosen so that every pair of values occurs."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import combinations, product

# How often a frame is doubled, its copy following at once, or one bit of it turned over.
_DUPLICATE, _CORRUPT = "1%", "1%"
# Three frames of four wait a millisecond, the fourth overtakes them.
_REORDER = "delay 1ms reorder 25% 50%"
# Frames that may wait in the faulty link. A queue that drops would be a fault nobody asked for.
_LIMIT = 100_000
LOSS = ("0", "0.1", "1", "10")
# A veth takes no MTU above 65535, the most that the kernel's Ethernet interfaces can have.
MTU = (576, 1500, 9000, 65535)
_WANTED = 24


@dataclass(frozen=True)
class Cell:
    """One combination."""

    loss: str
    reorder: bool
    duplicate: bool
    corrupt: bool
    mtu: int

    @property
    def name(self) -> str:
        """What it is called in the table, and by the guest."""
        faults = ("reorder", self.reorder), ("duplicate", self.duplicate), ("corrupt", self.corrupt)
        return "-".join([f"loss{self.loss}", *(word for word, on in faults if on), f"mtu{self.mtu}"])

    def netem(self, seed: int) -> str:
        """What tc is told of each end of the link; nothing for a link without faults."""
        words = [_REORDER] * self.reorder
        if self.loss != "0":
            words.append(f"loss {self.loss}%")
        if self.duplicate:
            words.append(f"duplicate {_DUPLICATE}")
        if self.corrupt:
            words.append(f"corrupt {_CORRUPT}")
        return f"limit {_LIMIT} {' '.join(words)} seed {seed}" if words else ""


_Value = tuple[int, object]  # which factor, and its value


def every() -> list[Cell]:
    """All combinations there are."""
    flag = (False, True)
    return [Cell(*values) for values in product(LOSS, flag, flag, flag, MTU)]


def groups(cells: Iterable[Cell], size: int) -> set[tuple[_Value, ...]]:
    """The groups of so many values that occur together in a cell."""
    return {group for cell in cells for group in combinations(enumerate(astuple(cell)), size)}


def pairwise() -> list[Cell]:
    """A selection in which every pair of values occurs, filled up with what brings most triples.

    Greedy and without chance: the next cell is the one that adds most pairs, then most triples, and
    the earliest of equals.
    """
    left, chosen = every(), []
    pairs, triples = groups(left, 2), groups(left, 3)
    while pairs or len(chosen) < _WANTED:
        best = max(left, key=lambda cell: (len(groups([cell], 2) & pairs), len(groups([cell], 3) & triples)))
        left.remove(best)
        chosen.append(best)
        pairs -= groups([best], 2)
        triples -= groups([best], 3)
    # Those that take longest first, so that none is still running when all others are done.
    return sorted(chosen, key=lambda cell: (-float(cell.loss), cell.mtu))
