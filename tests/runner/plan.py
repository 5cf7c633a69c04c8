# SPDX-License-Identifier: GPL-2.0
"""The steps of the tests, in the order in which they run. Documentation/testing.md explains them."""

from .step import Step, cargo, closing, machine, nothing, one, results, unittest

_PROGRAMS = "build/target/userspace/release"


def steps() -> list[Step]:
    """All steps."""
    return [_debug_kernel(), *_on_the_host(), *_builds(), *_in_machines()]


def _debug_kernel() -> Step:
    return Step(
        name="debug-kernel",
        words="building the debug kernel (14 CPU minutes, once)",
        command=["nice", "-n", "15", "tools/kernel/debug.sh"],
        count=nothing,
        background=True,
        seconds=3000,
    )


def _on_the_host() -> list[Step]:
    lints = ("--all-targets", "--", "-D", "warnings")
    return [
        Step("lint", "formatting, rules of the tree, documentation against code", _python("lint"), results, "lint"),
        Step("runner", "the test tools themselves",
             _python("unittest", "discover", "-s", "tests/runner", "-t", "tests"), unittest, "host"),
        Step("host", "protocol: codecs, machines, simulated networks", _cargo("tests/host", "test"),
             cargo, "host", seconds=1200),
        Step("judge", "every record that the codecs emit, judged by tshark", ["tests/host/judge.sh"], one, "host"),
        Step("panics", "no function of the protocol can panic", ["tests/host/panics.sh"], one, "host"),
        Step("coverage", "the tests of the protocol take 90 percent of its branches", ["tests/host/coverage.sh"], one, "host"),
        Step("userspace", "user space without the module", _cargo("qnet_userspace", "test", "--workspace"),
             cargo, "host"),
        Step("clippy-host", "clippy: protocol tests", _cargo("tests/host", "clippy", *lints), one, "lint"),
        Step("clippy-userspace", "clippy: user space", _cargo("qnet_userspace", "clippy", "--workspace", *lints),
             one, "lint"),
    ]


def _builds() -> list[Step]:
    return [
        Step("programs", "building libqnet, the commands and the guest programs", ["tools/userspace.sh"], nothing),
        Step("module", "the module for the stock kernel builds without a warning",
             ["tests/runner/module.sh", "stock"], one, "lint"),
        Step("lint-module", "rules for the built module", _python("lint", "module"), results, "lint", ("module",)),
        Step("clippy-module", "clippy: the module", ["tests/runner/module.sh", "stock", "CLIPPY=1"], one, "lint"),
        Step("module-debug", "the module for the debug kernel builds without a warning",
             ["tests/runner/module.sh", "debug"], one, needs=("debug-kernel",)),
        Step("install", "what `make install` puts in place can be used", ["tests/runner/install.sh"], results, "host",
             ("module", "programs")),
    ]


def _in_machines() -> list[Step]:
    # They measure time: they wait until the build of the debug kernel no longer keeps the machine busy.
    stock = ("module", "programs", "debug-kernel")
    debug = ("module-debug", "programs")
    return [
        Step("kunit", "suites in the module, on the debug kernel",
             _vm("run", "kunit", "debug", "--kmemleak", "--ktap", "console", "--append", "kunit.enable=1",
                 "--append", "kunit.autorun=1", "--append", "kunit.filter_glob=qnet*"), machine, "kunit", debug),
        Step("namespaces", "two nodes in two namespaces, stock kernel",
             _vm("run", "namespaces", "stock", "--ktap", "script"), machine, "vm", stock),
        Step("pair", "two nodes on two machines, stock kernel",
             _vm("pair", "pair", "stock", "--ktap", "script", "--capture"), machine, "vm", stock),
        Step("pair-wire", "what the two machines said to each other, judged by tshark",
             _python("wire_judge", "build/vm/pair/link.pcap"), one, "vm", ("pair",)),
        Step("namespaces-debug", "two nodes in two namespaces, debug kernel",
             _vm("run", "namespaces", "debug", "--ktap", "script", "--kmemleak", "--timeout", "1100",
                 "--argument=--light", "--argument=--limit", "--argument=300"), machine, "vm", debug, seconds=1200),
        Step("lifecycle", "module, nodes and namespaces come and go, stock kernel",
             _vm("run", "lifecycle", "stock", "--ktap", "script", "--load", "dummy"), machine, "vm", stock),
        Step("lifecycle-debug", "module, nodes and namespaces come and go, debug kernel",
             _vm("run", "lifecycle", "debug", "--ktap", "script", "--kmemleak"), machine, "vm", debug),
        Step("stress", "signals, time-outs, forks and deaths on two nodes, every message accounted for",
             _vm("run", "stress", "stock", "--ktap", "script"), machine, "vm", stock),
        Step("stress-debug", "the same on the debug kernel",
             _vm("run", "stress", "debug", "--ktap", "script", "--kmemleak"), machine, "vm", debug),
        Step("conformance", "Neutrino's calls through the C library, on one node and between two",
             ["tools/conformance.sh", "--built"], closing, "vm", stock),
        Step("netem", "messages of all lengths over links with faults, the short form of `make netem`",
             _python("netem", "--short"), closing, "vm", stock),
        Step("links", "two and four links, one cut or changed under load, the short form",
             _vm("run", "links", "stock", "--ktap", "script", "--argument", "short"), machine, "vm", stock),
        Step("through", "frames through bridge, macvlan, VLAN, bond, mirred",
             _vm("run", "through", "stock", "--ktap", "script", *_loads(
                 "bridge", "macvlan", "8021q", "bonding", "sch_ingress", "cls_matchall", "act_mirred", "dummy")),
             machine, "vm", stock),
        Step("namespaces-32", "32 nodes on one bridge",
             _vm("run", "namespaces32", "stock", "--ktap", "script", "--load", "bridge", "--argument", "20"),
             machine, "vm", stock),
        Step("copies", "how often a byte of a message is copied",
             _vm("run", "copies", "stock", "--ktap", "script"), machine, "vm", stock),
        Step("wire", "ten thousand messages of all kinds over a lossy link, recorded",
             _vm("run", "wire", "stock", "--ktap", "script", "--add", "/usr/bin/dumpcap"), machine, "vm", stock),
        Step("wire-judge", "every frame of them, judged by tshark",
             _python("wire_judge", *_kinds("FRAGMENT", "NACK", "ACK", "MSGREAD", "MSGREAD_XFER", "MSGREPLY", "TCS_INIT"),
                     "build/vm/wire/out/wire.pcapng"), one, "vm", ("wire",)),
        Step("seen", "events, channels, round trips, tracepoints, local messages in a capture",
             _vm("run", "seen", "stock", "--ktap", "script", "--add", "/usr/bin/dumpcap"), machine, "vm", stock),
        Step("seen-wire", "the local messages that were captured, judged by tshark",
             _python("wire_judge", *_kinds("MSGSEND", "MSGREPLY"), "build/vm/seen/out/local.pcapng"), one, "vm", ("seen",)),
        Step("goodput", "what lost frames cost, in instructions",
             _vm("run", "goodput", "stock", "--ktap", "script", "--icount"), machine, "vm", stock),
        Step("demo", "the demo; its captures judged, and compared with what was sent",
             _python("runner.demo"), results, "vm", stock),
    ]


def _python(*words: str) -> list[str]:
    return ["python3", "-m", *words]


def _cargo(folder: str, verb: str, *words: str) -> list[str]:
    target = "host" if folder == "tests/host" else "userspace"
    script = 'cd "$1" && export CARGO_TARGET_DIR="/src/qnet/build/target/$2" && shift 2 && exec nice cargo "$@"'
    return ["sh", "-c", script, "sh", folder, target, verb, "--locked", *words]


def _kinds(*kinds: str) -> list[str]:
    return [word for kind in kinds for word in ("--kind", kind)]


def _loads(*modules: str) -> list[str]:
    return [word for module in modules for word in ("--load", module)]


def _vm(kind: str, script: str, kernel: str, *options: str) -> list[str]:
    name = script if kernel == "stock" else f"{script}-{kernel}"
    return [
        "tools/vm", kind, "--quiet", "--kernel", kernel, "--name", name, "--script", f"tests/vm/{script}.sh",
        "--module", f"build/module/{kernel}/qnet.ko", "--programs", _PROGRAMS, "--load", "sch_netem", "--timeout", "500", *options,
    ]
