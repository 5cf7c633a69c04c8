# SPDX-License-Identifier: GPL-2.0
"""Reads captures: the bytes by tshark's own conversion, the decoded values by its dissector."""

import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The values that both readings are compared in. tshark prints some in hexadecimal.
FIELDS = (
    "qnet6.l4.ver qnet6.l4.type qnet6.l4.flags qnet6.l4.layer qnet6.l4.offset qnet6.l4.length "
    "qnet6.qos.src_nd_for_dst qnet6.qos.dst_nd_for_src qnet6.qos.sconn qnet6.qos.dconn qnet6.qos.seq "
    "qnet6.qos.qos_type qnet6.qos.src_qos_idx "
    "qnet6.qos.src_name_off qnet6.qos.src_name qnet6.qos.src_domain_off qnet6.qos.src_domain "
    "qnet6.qos.dst_name_off qnet6.qos.dst_name qnet6.qos.dst_domain_off qnet6.qos.dst_domain "
    "qnet6.lr.ver qnet6.lr.type qnet6.lr.length qnet6.lr.src.name.name qnet6.lr.src.domain qnet6.lr.src.addr "
    "qnet6.lr.dst.name qnet6.lr.dst.domain qnet6.lr.dst.addr "
    "qnet6.kif.version qnet6.kif.connect.server_pid qnet6.kif.connect.server_chid "
    "qnet6.kif.connect.client_id qnet6.kif.connect.client_pid "
    "qnet6.kif.connect_success.client_id qnet6.kif.connect_success.server_id "
    "qnet6.kif.connect_success.scoid qnet6.kif.connect_success.nbytes "
    "qnet6.kif.connect_fail.client_id qnet6.kif.connect_fail.status qnet6.kif.connect_death.client_id "
    "qnet6.kif.msgsend.server_id qnet6.kif.msgsend.client_handle qnet6.kif.msgsend.vtid_info.tid "
    "qnet6.kif.msgsend.vtid_info.coid qnet6.kif.msgsend.vtid_info.priority "
    "qnet6.kif.msgsend.vtid_info.srcmsglen qnet6.kif.msgsend.vtid_info.keydata "
    "qnet6.kif.msgsend.vtid_info.srcnd qnet6.kif.msgsend.vtid_info.dstmsglen qnet6.kif.msgsend.vtid_info.zero "
    "qnet6.kif.msgsend.nbytes qnet6.kif.msgwrite.status qnet6.kif.msgwrite.handle qnet6.kif.msgwrite.offset "
    "qnet6.kif.msgwrite.nbytes qnet6.kif.disconnect.server_id"
).split()


@dataclass(frozen=True)
class Opinion:
    """What tshark says of a frame."""

    malformed: bool
    crc: str  # "correct", "incorrect", or "" when the flag is off
    fields: dict[str, str]


def frames(path: Path) -> list[bytes]:
    """The frames of a capture, whatever its format."""
    data = _run("tshark", "-r", path, "-F", "pcap", "-w", "-", text=False)
    assert isinstance(data, bytes)
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    found, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack_from(f"{order}I", data, at + 8)[0]
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return found


def opinions(path: Path) -> list[Opinion]:
    """tshark's opinion of each frame."""
    words = text(path, "-V")
    frames_said = re.split(r"^Frame \d+: ", words, flags=re.MULTILINE)[1:]
    options = [word for name in FIELDS for word in ("-e", name)]
    rows = text(path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", *options).splitlines()
    return [_opinion(said, row) for said, row in zip(frames_said, rows, strict=True)]


def text(path: Path, *options: str) -> str:
    """What tshark prints about a capture."""
    said = _run("tshark", "-r", path, *options)
    assert isinstance(said, str)
    return said


def _opinion(said: str, row: str) -> Opinion:
    crc = re.search(r"^\s*crc32:.*\[(\w+)", said, re.MULTILINE)
    used = re.search(r"= CRC: Used", said)
    fields = {name: value for name, value in zip(FIELDS, row.split("\t"), strict=True) if value}
    malformed = "malformed" in said.lower() or "exception occurred" in said.lower()
    return Opinion(malformed, crc.group(1) if crc and used else "", fields)


def _run(*command: str | Path, text: bool = True) -> str | bytes:
    done = subprocess.run(command, check=False, capture_output=True, text=text)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr!r}")
    output: str | bytes = done.stdout
    return output
