# SPDX-License-Identifier: GPL-2.0
"""The verdict on a capture."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from . import capture, frame
from .frame import Frame


@dataclass
class Verdict:
    """What was found in a capture."""

    frames: list[Frame] = field(default_factory=list)
    foreign: int = 0  # frames of other protocols
    malformed: int = 0
    crc_correct: int = 0
    crc_incorrect: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing is wrong, and there was something to judge."""
        return bool(self.frames) and not self.complaints

    @property
    def with_crc(self) -> int:
        """How many frames have the CRC flag."""
        return sum(1 for seen in self.frames if seen.crc_flag)

    def kinds(self) -> Counter[str]:
        """How many frames there are of each kind."""
        return Counter(seen.kind for seen in self.frames)

    def line(self) -> str:
        """The verdict in one line."""
        total = len(self.frames)
        if not self.with_crc:
            crc = "no frame has the CRC flag"
        elif self.crc_incorrect:
            crc = f"CRC incorrect in {self.crc_incorrect} of {self.with_crc}"
        else:
            crc = f"CRC correct in {self.crc_correct} of {self.with_crc} with the CRC flag"
        return f"{total} frames, {self.malformed} malformed, {crc}"


def of(path: Path) -> Verdict:
    """Judges a capture."""
    verdict = Verdict()
    pairs = zip(capture.frames(path), capture.opinions(path), strict=True)
    for number, (raw, opinion) in enumerate(pairs, 1):
        if raw[12:14] != frame.ETHERTYPE.to_bytes(2, "big"):
            verdict.foreign += 1
            continue
        _judge(verdict, number, raw, opinion)
    return verdict


def _judge(verdict: Verdict, number: int, raw: bytes, opinion: capture.Opinion) -> None:
    def complain(words: str) -> None:
        verdict.complaints.append(f"frame {number}: {words}")

    if opinion.malformed:
        verdict.malformed += 1
        complain("tshark calls it malformed")
    try:
        seen = frame.read(raw)
    except frame.Malformed as error:
        complain(str(error))
        return
    verdict.frames.append(seen)
    if seen.crc_flag:
        # tshark checks packets that are whole only.
        right = seen.crc_right and (opinion.crc == "correct" or seen.kind == "FRAGMENT")
        verdict.crc_correct += right
        verdict.crc_incorrect += not right
        if not right:
            complain(f"CRC: tshark says {opinion.crc or 'nothing'}, and it is {'right' if seen.crc_right else 'wrong'}")
    for words in _differences(seen, opinion):
        complain(f"{seen.kind}: {words}")
    if seen.kind in ("MSGSEND", "CONNECT_MSGSEND") and (
        len(seen.data) < 4 or 0x100 <= int.from_bytes(seen.data[:2], "little") <= 0x1FF
    ):
        complain(f"{seen.kind}: tshark cannot judge this data: it reads it as a QNX message")


def _differences(seen: Frame, opinion: capture.Opinion) -> list[str]:
    """Where the two readings of a frame differ, or one has a value that the other has not."""
    wrong = []
    names = seen.values.keys() | opinion.fields.keys()
    if seen.kind == "FRAGMENT":
        names = {name for name in names if name.startswith(("qnet6.l4.", "qnet6.qos."))}
    for name in sorted(names):
        ours, theirs = seen.values.get(name), opinion.fields.get(name)
        if theirs is None and ours in ("", None):
            continue
        if ours is None or theirs is None:
            wrong.append(f"{name}: tshark has {theirs}, the bytes have {ours}")
        elif not _same(ours, theirs):
            wrong.append(f"{name}: tshark says {theirs}, the bytes say {ours}")
    return wrong


def _same(ours: frame.Value, theirs: str) -> bool:
    if isinstance(ours, str):
        return ours == theirs
    return all((int(word, 0) - ours) % (1 << 32) == 0 for word in theirs.split(","))
