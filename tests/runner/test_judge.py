# SPDX-License-Identifier: GPL-2.0
"""Tests of the judge of captures: each kind of lie in a frame must be noticed."""

import struct
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from wire_judge import capture, frame, verdict

_GOLDEN = Path("tests/host/vectors/golden.pcap")
_PAYLOAD = 14 + 2 + 36  # where it begins: Ethernet, pad, L4 header
_CRC = _PAYLOAD - 4


def _write(path: Path, frames: list[bytes]) -> None:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = (struct.pack("<IIII", 0, number, len(raw), len(raw)) + raw for number, raw in enumerate(frames))
    path.write_bytes(head + b"".join(records))


def _with_right_crc(raw: bytearray) -> bytes:
    length = struct.unpack_from("<I", raw, _PAYLOAD - 8)[0]
    packet = raw[16 : 16 + 32] + bytes(4) + raw[_PAYLOAD : _PAYLOAD + length]
    struct.pack_into("<I", raw, _CRC, frame.crc32_mpeg2(bytes(packet)))
    return bytes(raw)


class Judge(unittest.TestCase):
    """The golden capture, whole and damaged."""

    def setUp(self) -> None:
        """Reads the frames of the golden capture by their kind."""
        self.frames = capture.frames(_GOLDEN)
        self.kinds = {frame.read(raw).kind: raw for raw in self.frames}

    def judge(self, *frames: bytes) -> verdict.Verdict:
        """The verdict on a capture of these frames."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "test.pcap"
            _write(path, list(frames))
            return verdict.of(path)

    def damaged(self, kind: str, damage: Callable[[bytearray], None]) -> list[str]:
        """The complaints about a frame of this kind after some damage, its CRC made right again."""
        raw = bytearray(self.kinds[kind])
        damage(raw)
        return self.judge(_with_right_crc(raw)).complaints

    def test_check_value(self) -> None:
        """The CRC is the one of the page."""
        self.assertEqual(0x89A1897F, frame.crc32_mpeg2(b"123456789"))

    def test_golden(self) -> None:
        """The golden capture is good, and has frames of many kinds."""
        found = verdict.of(_GOLDEN)
        self.assertEqual([], found.complaints)
        self.assertTrue(found.good)
        self.assertIn("21 frames, 0 malformed, CRC correct in 21 of 21", found.line())
        self.assertGreater(len(found.kinds()), 10)

    def test_wrong_crc(self) -> None:
        """A CRC that is wrong is noticed."""
        raw = bytearray(self.kinds["MSGSEND"])
        raw[_CRC] ^= 1
        self.assertFalse(self.judge(bytes(raw)).good)

    def test_nested_head(self) -> None:
        """A wrong nested head in a CONNECT_MSGSEND, which tshark does not notice."""
        size = struct.unpack_from("<H", self.kinds["CONNECT_MSGSEND"], _PAYLOAD + 2)[0]

        def lie(raw: bytearray) -> None:
            struct.pack_into("<H", raw, _PAYLOAD + size, 9)

        self.assertTrue(self.damaged("CONNECT_MSGSEND", lie))

    def test_size_of_nested_head(self) -> None:
        """A nested head with the size of another message."""
        size = struct.unpack_from("<H", self.kinds["CONNECT_MSGSEND"], _PAYLOAD + 2)[0]

        def lie(raw: bytearray) -> None:
            struct.pack_into("<H", raw, _PAYLOAD + size + 2, 44)

        self.assertTrue(self.damaged("CONNECT_MSGSEND", lie))

    def test_data_length(self) -> None:
        """More data announced than there is."""

        def lie(raw: bytearray) -> None:
            struct.pack_into("<I", raw, _PAYLOAD + 44, 4000)

        self.assertTrue(self.damaged("MSGSEND", lie))

    def test_absent_item(self) -> None:
        """An absent item of a LAN resolver packet whose offset points out of it."""

        def lie(raw: bytearray) -> None:
            struct.pack_into("<I", raw, _PAYLOAD + 48, 4000)

        self.assertTrue(self.damaged("LR_REQUEST", lie))

    def test_data_that_cannot_be_judged(self) -> None:
        """Data that tshark would read as a QNX message."""

        def lie(raw: bytearray) -> None:
            struct.pack_into("<H", raw, _PAYLOAD + 48, 0x101)

        self.assertTrue(self.damaged("MSGSEND", lie))

    def test_length_of_packet(self) -> None:
        """More payload announced than the frame has."""
        raw = bytearray(self.kinds["ACK"])
        struct.pack_into("<I", raw, _PAYLOAD - 8, 1000)
        self.assertTrue(self.judge(bytes(raw)).complaints)

    def test_foreign(self) -> None:
        """Frames of other protocols are not judged, and a capture of nothing else is not good."""
        found = self.judge(self.frames[0][:12] + b"\x08\x00" + bytes(60))
        self.assertEqual((1, False), (found.foreign, found.good))
