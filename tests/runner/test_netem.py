# SPDX-License-Identifier: GPL-2.0
"""Tests of the cells with faults: that all pairs are there, and which lies the judge must see."""

import unittest
from dataclasses import replace

from netem.cells import LOSS, MTU, Cell, every, groups, pairwise
from netem.guest import Outcome, Reader
from netem.judge import judge, judge_without_crc

from . import step

_CELL = Cell("1", reorder=False, duplicate=True, corrupt=True, mtu=1500)
_SAID = """noise before
cell {name}
status 0
client {{"messages":10,"bytes_out":99,"bytes_in":80,"errors":{{}},"corrupted":{corrupted},"elapsed_ns":5}}
stats alpha1
**** Qnet compiled on Nov 22 2026 at 09:46:33 running on alpha1
kif server_msgs         : 0,8
kif server_msgs         : 3
qos tx_retransmitted    : 4
drop crc                : 2
drop duplicate          : 3
{more}
peer beta1 nd 0x1
path                    : veth0 Up
qdisc netem 8001: root refcnt 2 limit 100000 loss 1%
 Sent 9 bytes 1 pkt (dropped 6, overlimits 0 requeues 0)
stats beta1
drop crc                : 5
server {{"messages":{came},"bytes":99,"corrupted":0,"twice":{twice},"lost":0,"out_of_order":0,"errors":{{}}}}
end {name}
module gone"""


def _outcome(more: str = "", came: int = 10, twice: int = 0, corrupted: int = 0) -> Outcome:
    reader = Reader()
    said = _SAID.format(name=_CELL.name, more=more, came=came, twice=twice, corrupted=corrupted)
    done = [outcome for line in said.splitlines() if (outcome := reader.take(line))]
    assert len(done) == 1 and reader.module_gone
    return done[0]


class Pairs(unittest.TestCase):
    """The choice of cells."""

    def test_all_pairs(self) -> None:
        """Each pair of values of two factors is in a cell; counted without the generator's own code."""
        cells = pairwise()
        factors = {"loss": LOSS, "reorder": (0, 1), "duplicate": (0, 1), "corrupt": (0, 1), "mtu": MTU}
        for one, ones in factors.items():
            for other, others in factors.items():
                if one != other:
                    wanted = {(a, b) for a in ones for b in others}
                    self.assertEqual(wanted, {(getattr(cell, one), getattr(cell, other)) for cell in cells})

    def test_number(self) -> None:
        """About two dozen, none twice, always the same."""
        cells = pairwise()
        self.assertEqual(24, len(set(cells)))
        self.assertEqual(24, len({cell.name for cell in cells}))
        self.assertEqual(cells, pairwise())

    def test_groups(self) -> None:
        """A selection that lacks a pair shows."""
        cells = [cell for cell in every() if not (cell.reorder and cell.mtu == 576)]
        self.assertEqual(1, len(groups(every(), 2) - groups(cells, 2)))

    def test_faults(self) -> None:
        """tc is told what the cell says, and nothing for a link without faults."""
        self.assertEqual("", Cell("0", reorder=False, duplicate=False, corrupt=False, mtu=576).netem(1))
        words = Cell("10", reorder=True, duplicate=True, corrupt=True, mtu=576).netem(7)
        for word in ("loss 10%", "reorder 25% 50%", "duplicate 1%", "corrupt 1%", "seed 7"):
            self.assertIn(word, words)


class Judge(unittest.TestCase):
    """What makes a cell bad."""

    def test_good(self) -> None:
        """A good cell is good, and its numbers are read."""
        good = _outcome()
        self.assertEqual([], judge(_CELL, 10, good))
        self.assertEqual({"crc": 7, "duplicate": 3}, good.drops())
        self.assertEqual((4, 6), (good.total("qos tx_retransmitted"), sum(good.dropped.values())))

    def test_messages(self) -> None:
        """Lost, doubled and corrupted messages, and a client that failed."""
        bad = (_outcome(came=9), _outcome(twice=1), _outcome(corrupted=1), replace(_outcome(), status=1),
               replace(_outcome(), server={}), replace(_outcome(), complete=False))  # fmt: skip
        for outcome in bad:
            self.assertEqual(1, len(judge(_CELL, 10, outcome)), judge(_CELL, 10, outcome))
        self.assertTrue(judge(_CELL, 11, _outcome()))

    def test_drops(self) -> None:
        """What nothing on the link explains."""
        for line in ("drop no_memory: 1", "drop kif_handle: 1", "kif nd_down: 1", "qos tx_failed: 1", "txd bad: 1"):
            self.assertEqual([line], judge(_CELL, 10, _outcome(line)))
        clean = replace(_CELL, corrupt=False)
        self.assertEqual(["drop crc: 7"], judge(clean, 10, _outcome()))

    def test_faults_that_were_not(self) -> None:
        """A cell whose link lost, doubled or corrupted nothing has shown nothing."""
        outcome = _outcome()
        for label in ("drop crc", "drop duplicate", "qos tx_retransmitted"):
            for counters in outcome.stats.values():
                counters.pop(label, None)
        self.assertEqual(3, len(judge(_CELL, 10, outcome)))
        self.assertEqual(["the link lost 0 frames"], judge(_CELL, 10, replace(_outcome(), dropped={})))
        self.assertEqual(["the link lost 6 frames"], judge(replace(_CELL, loss="0"), 10, _outcome()))

    def test_without_crc(self) -> None:
        """There corruption must get through."""
        blind = _outcome(corrupted=2)
        for counters in blind.stats.values():
            counters.pop("drop crc", None)
        self.assertEqual([], judge_without_crc(blind))
        counters = next(iter(blind.stats.values()))
        counters["drop crc"] = 1
        self.assertEqual([], judge_without_crc(blind), "the bit that says so was corrupted")
        counters["drop crc"] = blind.server["corrupted"] + blind.client["corrupted"]
        self.assertEqual(1, len(judge_without_crc(blind)), "the CRC is looked at")
        del counters["drop crc"]
        blind.client["corrupted"] = 0
        self.assertEqual(1, len(judge_without_crc(blind)))


class Counter(unittest.TestCase):
    """How the step counts."""

    def test_last_line(self) -> None:
        """The program's own numbers are taken, and only its last line's."""
        tally = step.closing("1 passed, 0 failed\nnoise\n5 passed, 2 failed\n", False)
        self.assertEqual((5, 2), (tally.passed, tally.failed))
        self.assertEqual(0, step.closing("5 passed, 2 failed\nit died", False).passed)
