# SPDX-License-Identifier: GPL-2.0
"""Runs the demo and compares what tshark and we decode from its captures with what was sent.

What was sent is known: tools/demo/guest.sh gives the interfaces their addresses, tests/vm/guest's
qnet-demo its messages, and the server wrote its numbers into a file. Prints KTAP.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from wire_judge import verdict
from wire_judge.frame import Frame
from wire_judge.verdict import Verdict

_ALPHA, _BETA = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
_OUT = Path("build/vm/demo/out")
_REQUEST, _REPLY, _STATUS, _PING = b"what is the answer?", b"42, says beta", 42, b"ping"
_ROUND_TRIPS = 1000


class Demo:
    """The demo's captures, judged."""

    def __init__(self) -> None:
        self.plain = Verdict()
        self.checked = Verdict()

    def runs(self) -> list[str]:
        """the demo runs"""
        done = subprocess.run(["tools/demo.sh"], check=False, capture_output=True, text=True)
        Path("build/log/demo-output.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            return (done.stdout + done.stderr).splitlines()[-30:]
        self.plain = verdict.of(Path("build/demo.pcapng"))
        self.checked = verdict.of(Path("build/demo-crc.pcapng"))
        return []

    def plain_is_good(self) -> list[str]:
        """nothing in the capture is malformed, and tshark reads every field as we do"""
        return self.plain.complaints + ["the capture is empty"] * (not self.plain.frames)

    def checked_is_good(self) -> list[str]:
        """with do_crc=1 every frame has a CRC, and every CRC is correct"""
        frames = self.checked.frames
        bare = [f"frame without CRC: {seen.kind}" for seen in frames if not seen.crc_flag]
        return self.checked.complaints + bare + ["the capture is empty"] * (not frames)

    def announcements(self) -> list[str]:
        """both nodes announce their name and address to everybody"""
        wrong = []
        for name, mac in (("alpha", _ALPHA), ("beta", _BETA)):
            mine = [seen for seen in self._kind("LR_REPLY") if seen.source == mac]
            if not any(seen.destination == "ff:ff:ff:ff:ff:ff" for seen in mine):
                wrong.append(f"{name} announced nothing")
            for seen in mine:
                wrong += _expect(seen, {"qnet6.lr.src.name.name": name, "qnet6.lr.src.addr": mac})
        return wrong

    def session(self) -> list[str]:
        """the session is opened by name, and both sides use the ids and numbers that they told"""
        init, accept, confirm = (self._one(kind) for kind in ("TCS_INIT", "TCS_REM_UP", "TCS_UP"))
        opener, answerer = init.values["qnet6.qos.sconn"], accept.values["qnet6.qos.sconn"]
        number = init.values["qnet6.qos.src_nd_for_dst"]
        back = accept.values["qnet6.qos.src_nd_for_dst"]
        names = {"qnet6.qos.src_name": "alpha", "qnet6.qos.dst_name": "beta"}
        wrong = _expect(init, {**names, "qnet6.qos.dst_nd_for_src": 0, "qnet6.qos.dconn": 0})
        wrong += _expect(accept, {"qnet6.qos.dconn": opener, "qnet6.qos.dst_nd_for_src": number})
        wrong += _expect(confirm, {"qnet6.qos.sconn": opener, "qnet6.qos.dconn": answerer})
        if not int(opener) >> 16 or not int(answerer) >> 16:
            wrong.append("a connection id without a life")
        for seen in self.plain.frames:
            if seen.kind.startswith(("LR_", "TCS_INIT", "TCS_REM_UP")):
                continue
            if seen.source == _ALPHA:
                wanted = {"sconn": opener, "dconn": answerer, "src_nd_for_dst": number, "dst_nd_for_src": back}
            else:
                wanted = {"sconn": answerer, "dconn": opener, "src_nd_for_dst": back, "dst_nd_for_src": number}
            wrong += _expect(seen, {f"qnet6.qos.{name}": value for name, value in wanted.items()})
        return wrong

    def connection(self) -> list[str]:
        """the connection names the server's process and channel, and the client's own number for it comes back"""
        pid, chid = map(int, (_OUT / "server").read_text(encoding="ascii").split())
        connect = next(seen for seen in self.plain.frames if seen.kind in ("CONNECT", "CONNECT_MSGSEND"))
        success = self._one("CONNECT_SUCCESS")
        wrong = _expect(connect, {"qnet6.kif.connect.server_pid": pid, "qnet6.kif.connect.server_chid": chid})
        wrong += _expect(connect, {"qnet6.kif.version": 1})
        # tshark's names of the two ids are exchanged; both readings use its names.
        client = connect.values["qnet6.kif.connect.client_id"]
        wrong += _expect(success, {"qnet6.kif.connect_success.server_id": client})
        server = success.values["qnet6.kif.connect_success.client_id"]
        for seen in self._kind("MSGSEND"):
            wrong += _expect(seen, {"qnet6.kif.msgsend.server_id": server})
        return wrong

    def messages(self) -> list[str]:
        """every message and every reply has the bytes, lengths, status and handle that belong to it"""
        sent: dict[int, Frame] = {}
        wrong, round_trips, answers = [], 0, 0
        for seen in _without_repetitions(self.plain.frames):
            if seen.kind in ("MSGSEND", "CONNECT_MSGSEND"):
                handle = int(seen.values["qnet6.kif.msgsend.client_handle"])
                if handle in sent:
                    wrong.append(f"handle {handle} was used twice at once")
                sent[handle] = seen
                wrong += _expect(seen, {
                    "qnet6.kif.msgsend.nbytes": len(seen.data),
                    "qnet6.kif.msgsend.vtid_info.srcmsglen": len(seen.data),
                    "qnet6.kif.msgsend.vtid_info.srcnd": seen.values["qnet6.qos.src_nd_for_dst"],
                    "qnet6.kif.msgsend.vtid_info.zero": 0,
                })  # fmt: skip
            elif seen.kind == "MSGREPLY":
                request = sent.pop(int(seen.values["qnet6.kif.msgwrite.handle"]), None)
                if request is None:
                    wrong.append("a reply to nothing")
                    continue
                wrong += _expect(seen, {"qnet6.kif.msgwrite.nbytes": len(seen.data), "qnet6.kif.msgwrite.offset": 0})
                status = seen.values["qnet6.kif.msgwrite.status"]
                answers += (request.data, seen.data, status) == (_REQUEST, _REPLY, _STATUS)
                round_trips += (request.data, seen.data, status) == (_PING, _PING, 0)
        if answers != 1:
            wrong.append(f"{answers} times {_REQUEST!r} answered by {_REPLY!r}, not once")
        if round_trips < _ROUND_TRIPS:
            wrong.append(f"{round_trips} round trips, not {_ROUND_TRIPS}")
        return wrong + [f"{len(sent)} messages without a reply"] * bool(sent)

    def sequence(self) -> list[str]:
        """sequence numbers begin at 1 in each direction and leave nothing out"""
        wrong = []
        for mac in (_ALPHA, _BETA):
            data = (seen for seen in self.plain.frames if seen.source == mac and seen.values["qnet6.l4.type"] == 8)
            numbers = sorted({int(seen.values["qnet6.qos.seq"]) for seen in data})
            if numbers != list(range(1, len(numbers) + 1)):
                wrong.append(f"{mac}: {len(numbers)} numbers from {numbers[0]} to {numbers[-1]}")
        return wrong

    def _kind(self, kind: str) -> list[Frame]:
        return [seen for seen in self.plain.frames if seen.kind == kind]

    def _one(self, kind: str) -> Frame:
        """The first frame of a kind."""
        found = self._kind(kind)
        if not found:
            raise LookupError(f"no {kind} in the capture")
        return found[0]


def _expect(seen: Frame, wanted: dict[str, int | str]) -> list[str]:
    return [
        f"{seen.kind}: {name} is {seen.values.get(name)}, not {value}"
        for name, value in wanted.items()
        if seen.values.get(name) != value
    ]


def _without_repetitions(frames: list[Frame]) -> list[Frame]:
    """The frames less those that repeat a sequence number of their sender."""
    known: set[tuple[str, int]] = set()
    first = []
    for seen in frames:
        key = (seen.source, int(seen.values["qnet6.qos.seq"]))
        if seen.values["qnet6.l4.type"] == 8 and key not in known:
            known.add(key)
            first.append(seen)
    return first


def main() -> int:
    """The exit status: 0 when everything is as it should be."""
    demo = Demo()
    checks: list[Callable[[], list[str]]] = [
        demo.runs, demo.plain_is_good, demo.checked_is_good, demo.announcements, demo.session, demo.connection,
        demo.messages, demo.sequence,
    ]  # fmt: skip
    print(f"KTAP version 1\n1..{len(checks)}")
    failed = 0
    for number, check in enumerate(checks, 1):
        try:
            wrong = check()
        except (LookupError, StopIteration, OSError, ValueError, KeyError) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        for line in wrong[:15]:
            print(f"# {line}")
        print(f"{'not ok' if wrong else 'ok'} {number} {check.__doc__}", flush=True)
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
