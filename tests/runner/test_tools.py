# SPDX-License-Identifier: GPL-2.0
"""Tests of the tools that judge the others: what they must notice, and what they must let pass."""

import io
import unittest
from pathlib import Path

from vm_runner import cpio, kernel, ktap, splat
from vm_runner.errors import Unusable

from . import step
from .__main__ import _choose
from .plan import steps
from .step import Step


class Splat(unittest.TestCase):
    """Every kind of complaint a kernel has."""

    BAD = (
        "[    4.318125] Kernel panic - not syncing: sysrq triggered crash",
        "BUG: KASAN: slab-use-after-free in qnet_rx+0x21/0x50 [qnet]",
        "BUG: unable to handle page fault for address: 0000000000001000",
        "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
        "WARNING: net/core/sock.c:3014 at sk_alloc+0x2a/0x40, CPU#0: server/112",
        "WARNING: possible circular locking dependency detected",
        "WARNING: possible recursive locking detected",
        "WARNING: inconsistent lock state",
        "WARNING: suspicious RCU usage",
        "WARNING: bad unlock balance detected!",
        "BUG: sleeping function called from invalid context at mm/slab.h:321",
        "BUG: scheduling while atomic: server/112/0x00000101",
        "INFO: task client:113 blocked for more than 120 seconds.",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
        "refcount_t: underflow; use-after-free.",
        "list_del corruption. prev->next should be ffff888, but was dead",
        "unregister_netdevice: waiting for veth0 to become free. Usage count = 2",
        "ref_tracker: net notrefcnt@ff11 has 1/1 users at",
        "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        'unreferenced object 0xffff888 (size 64):',
        "UBSAN: array-index-out-of-bounds in qnet.c:1:2",
        "BUG qnet-sock (Tainted: G O): Objects remaining in qnet-sock on __kmem_cache_shutdown()",
        "rust_kernel: panicked at rust/ipc/channel.rs:10:9:",
    )
    GOOD = (
        "kasan: KernelAddressSanitizer initialized",
        "qnet: loading out-of-tree module taints kernel.",
        "qnet: module verification failed: signature and/or required key missing - tainting kernel",
        "clocksource: tsc: mask: 0xffffffffffffffff max_cycles: 0x233fb79287d",
        "    ok 1 warning_is_given",
        "Kernel command line: console=ttyS0 panic=-1 oops=panic",
        "reboot: Restarting system",
    )

    def test_notices_each(self) -> None:
        """Each bad line is found amid good ones."""
        for line in self.BAD:
            with self.subTest(line):
                self.assertEqual(1, len(splat.find("\n".join([*self.GOOD, line, *self.GOOD]))))

    def test_lets_pass(self) -> None:
        """A clean log has nothing."""
        self.assertEqual([], splat.find("\n".join(self.GOOD)))


class Ktap(unittest.TestCase):
    """The counting of results."""

    def count(self, text: str) -> tuple[int, int, int]:
        """Passed, failed and skipped of a log."""
        tally, _ = ktap.judge(text)
        return tally.passed, tally.failed, tally.skipped

    def test_counts(self) -> None:
        """Passed, failed and skipped are told apart."""
        log = "noise\nKTAP version 1\n1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no link\n"
        self.assertEqual((1, 1, 1), self.count(log))

    def test_failures(self) -> None:
        """What failed is told with its reasons, and nothing else is."""
        log = (
            "# complaint: x\n# a table\nKTAP version 1\n1..1\n    KTAP version 1\n    1..2\n    # of the first\n    ok 1 a\n"
            "    # 2 in all\n    # message 7\n    not ok 2 b\nnot ok 1 suite\nok 2 other # SKIP\n# the end\n"
        )
        wanted = ["# complaint: x", "    # 2 in all", "    # message 7", "    not ok 2 b", "not ok 1 suite"]
        self.assertEqual(wanted, ktap.failures(log))

    def test_several_documents(self) -> None:
        """Programs that run one after another are all counted."""
        self.assertEqual((3, 0, 0), self.count("KTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..2\nok 1 b\nok 2 c\n"))

    def test_missing_results(self) -> None:
        """A program that dies before its last test has failed."""
        self.assertEqual((1, 2), self.count("KTAP version 1\n1..3\nok 1 - a\n")[:2])

    def test_nothing(self) -> None:
        """No KTAP is no success."""
        self.assertEqual((0, 0, 0), self.count("insmod: cannot insert\n"))

    def test_module_suites(self) -> None:
        """Suites of a module, as the kernel prints them with its time stamps."""
        log = (
            "[    1.0] KTAP version 1\n[    1.0] 1..0\n[    2.0] KTAP version 1\n[    2.0] 1..1\n"
            "[    2.0]     KTAP version 1\n[    2.0]     # Subtest: qnet\n[    2.0]     1..2\n"
            "[    2.0]     ok 1 one\n[    2.1] qnet: a line of the module's\n[    2.2]     not ok 2 two\n"
            "[    2.3] not ok 1 qnet\n"
        )
        self.assertEqual((1, 1, 0), self.count(log))


class Cpio(unittest.TestCase):
    """The archive that the kernel unpacks."""

    def test_entries(self) -> None:
        """Entries are aligned, folders come first and once, the trailer ends it."""
        out = io.BytesIO()
        archive = cpio.Archive(out)
        archive.file("/a/b/c", b"hello")
        archive.link("/a/d", "b/c")
        archive.close()
        data = out.getvalue()
        self.assertEqual(0, len(data) % 4)
        self.assertEqual(5, data.count(b"070701"))
        self.assertLess(data.index(b"a/b\0"), data.index(b"a/b/c\0"))
        self.assertTrue(data.rstrip(b"\0").endswith(b"TRAILER!!!"))


class Counting(unittest.TestCase):
    """How steps count, and that a crash is no success."""

    def run_step(self, command: list[str], count: step.Counter) -> Step:
        """Runs a command as a step."""
        made = Step(f"selftest-{self._testMethodName}", "", command, count, seconds=20)
        made.run()
        return made

    def test_cargo(self) -> None:
        """All programs of a `cargo test` are added up."""
        log = "test result: ok. 3 passed; 0 failed; 1 ignored; 0\ntest result: FAILED. 1 passed; 2 failed; 0 ignored;"
        tally = step.cargo(log, False)
        self.assertEqual((4, 2, 1), (tally.passed, tally.failed, tally.skipped))

    def test_crash(self) -> None:
        """A command that fails without a failed test counts as one."""
        made = self.run_step(["sh", "-c", "echo 'test result: ok. 3 passed; 0 failed; 0 ignored;'; exit 7"], step.cargo)
        self.assertEqual((3, 1), (made.tally.passed, made.tally.failed))
        self.assertFalse(made.good)

    def test_silence(self) -> None:
        """A command that tests nothing has failed."""
        self.assertEqual(1, self.run_step(["true"], step.cargo).tally.failed)

    def test_missing_command(self) -> None:
        """A command that does not exist has failed."""
        self.assertEqual(1, self.run_step(["/nonexistent"], step.one).tally.failed)

    def test_hang(self) -> None:
        """A command that hangs is stopped, with its children."""
        made = Step("selftest-hang", "", ["sh", "-c", "sleep 100 & sleep 100"], step.one, seconds=0.5)
        made.run()
        self.assertFalse(made.good)
        self.assertLess(made.spent, 10)
        self.assertIn("stopped", made.remark)

    def test_choice(self) -> None:
        """A step brings what it needs, and nothing else."""
        names = [chosen.name for chosen in _choose(steps(), ["kunit"])]
        self.assertIn("debug-kernel", names)
        self.assertIn("module-debug", names)
        self.assertNotIn("host", names)

    def test_needs_are_steps(self) -> None:
        """What a step needs comes before it in the plan."""
        seen: set[str] = set()
        for planned in steps():
            self.assertLessEqual(set(planned.needs), seen)
            seen.add(planned.name)


class Modules(unittest.TestCase):
    """Reading of modules."""

    def test_dependencies(self) -> None:
        """A module comes after what it depends on."""
        order = [module.name for module in kernel.find("stock").load_order(["virtio_net", "veth"])]
        self.assertLess(order.index("net_failover"), order.index("virtio_net"))
        self.assertLess(order.index("failover"), order.index("net_failover"))

    def test_unknown(self) -> None:
        """A module that is not there is a sentence, not a trace."""
        with self.assertRaisesRegex(Unusable, "no module nonsense"):
            kernel.find("stock").load_order(["nonsense"])
        with self.assertRaisesRegex(Unusable, "build it first"):
            kernel.read_module(Path("/nonexistent.ko"))
