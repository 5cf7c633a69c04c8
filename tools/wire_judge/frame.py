# SPDX-License-Identifier: GPL-2.0
"""Reads one frame by the page on the wire format, into values named as tshark names its fields."""

import struct
from dataclasses import dataclass, field

ETHERTYPE = 0x8204
_HEADER = 36
_LITTLE_ENDIAN = 0x2A
_FIRST, _LAST, _CRC = 1, 2, 4

INIT, REM_UP, UP, DOWN, REM_DOWN, USER, ACK, NACK, LRES = 1, 2, 3, 4, 5, 8, 9, 10, 11
KIF, NR, LR, SEQ = 0, 1, 2, 3

KIF_NAMES = (
    "CONNECT CONNECT_MSGSEND CONNECT_SUCCESS CONNECT_FAIL UNBLOCK MSGSEND MSGREAD MSGREAD_XFER MSGWRITE "
    "MSGREPLY MSGERROR EVENT PULSE SIGNAL DISCONNECT CONNECT_DEATH MSGREAD_ERROR CONNECT_PULSE"
).split()
_TYPE_NAMES = {
    INIT: "TCS_INIT", REM_UP: "TCS_REM_UP", UP: "TCS_UP", DOWN: "TCS_DOWN", REM_DOWN: "TCS_REM_DOWN",
    ACK: "ACK", NACK: "NACK",
}  # fmt: skip

Value = int | str


class Malformed(Exception):
    """The frame does not follow the page."""


@dataclass
class Frame:
    """What one frame says."""

    source: str
    destination: str
    kind: str = ""  # TCS_INIT, ACK, LR_REQUEST, MSGSEND, ...
    values: dict[str, Value] = field(default_factory=dict)
    data: bytes = b""  # of the message, in frames that carry some
    nested: tuple[int, int] = (0, 0)  # type and size of the MSGSEND's own head in a CONNECT_MSGSEND
    crc_flag: bool = False
    crc_right: bool = False


def crc32_mpeg2(data: bytes) -> int:
    """The CRC of the page: not reflected, initial value 0, no final xor."""
    crc = 0
    for byte in data:
        crc = (crc << 8) & 0xFFFFFFFF ^ _TABLE[(crc >> 24) ^ byte]
    return crc


def _table_entry(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc & 0xFFFFFFFF


_TABLE = [_table_entry(byte) for byte in range(256)]


def read(raw: bytes) -> Frame:
    """Reads an Ethernet frame with Qnet's EtherType."""
    if len(raw) < 14 or struct.unpack_from(">H", raw, 12)[0] != ETHERTYPE:
        raise Malformed("not a Qnet frame")
    frame = Frame(source=_mac(raw[6:12]), destination=_mac(raw[:6]))
    body = raw[14:]
    pad = next((n for n in range(4) if body[n : n + 1] == bytes([_LITTLE_ENDIAN])), None)
    if pad is None or any(body[:pad]):
        raise Malformed("no version byte behind at most three zero bytes")
    packet = body[pad:]
    if len(packet) < _HEADER:
        raise Malformed("shorter than its header")
    payload = _header(frame, packet)
    if frame.values["qnet6.l4.flags"] != _FIRST | _LAST | (_CRC if frame.crc_flag else 0):
        frame.kind = "FRAGMENT"
        return frame
    _payload(frame, payload)
    return frame


def _header(frame: Frame, packet: bytes) -> bytes:
    names = "ver type flags layer".split()
    values: dict[str, Value] = dict(zip((f"qnet6.l4.{n}" for n in names), packet[:4], strict=True))
    fields = struct.unpack_from("<HHIIIHHIII", packet, 4)
    names = "src_nd_for_dst dst_nd_for_src sconn dconn seq qos_type src_qos_idx".split()
    values.update(zip((f"qnet6.qos.{n}" for n in names), fields[:7], strict=True))
    offset, length, crc = fields[7:]
    values.update({"qnet6.l4.offset": offset, "qnet6.l4.length": length})
    if length > len(packet) - _HEADER:
        raise Malformed(f"claims {length} payload bytes and has {len(packet) - _HEADER}")
    payload = packet[_HEADER : _HEADER + length]
    frame.values = values
    frame.crc_flag = bool(packet[2] & _CRC)
    frame.crc_right = crc == crc32_mpeg2(packet[:32] + bytes(4) + payload)
    if not frame.crc_flag and crc:
        raise Malformed("a CRC without the flag")
    return payload


def _payload(frame: Frame, payload: bytes) -> None:
    kind, layer = int(frame.values["qnet6.l4.type"]), int(frame.values["qnet6.l4.layer"])
    if kind == LRES:
        _lan_resolver(frame, payload)
    elif kind == INIT:
        _init(frame, payload)
    elif kind in _TYPE_NAMES:
        frame.kind = _TYPE_NAMES[kind]
        if kind not in (ACK, NACK) and payload:
            raise Malformed(f"{frame.kind} with a payload")
    elif kind == USER and layer == SEQ:
        frame.kind = "SEQ"
    elif kind == USER and layer == NR:
        frame.kind = "NR"
    elif kind in (0, USER) and layer == KIF:
        _kif(frame, payload)
    else:
        raise Malformed(f"type {kind} with layer {layer}")


def _init(frame: Frame, payload: bytes) -> None:
    frame.kind = "TCS_INIT"
    if len(payload) < 8:
        raise Malformed("TCS_INIT without offsets")
    names = "src_name src_domain dst_name dst_domain".split()
    for name, offset in zip(names, struct.unpack_from("<4H", payload), strict=True):
        end = payload.find(b"\0", 8 + offset)
        if end < 0:
            raise Malformed(f"TCS_INIT's {name} has no end")
        frame.values[f"qnet6.qos.{name}_off"] = offset
        frame.values[f"qnet6.qos.{name}"] = payload[8 + offset : end].decode()


def _lan_resolver(frame: Frame, payload: bytes) -> None:
    if len(payload) < 56:
        raise Malformed("a LAN resolver packet shorter than its header")
    version, zero, kind, zero2, length = struct.unpack_from("<4BI", payload)
    if version != 1 or zero or zero2 or kind not in (1, 2) or length != len(payload):
        raise Malformed(f"LAN resolver: version {version}, type {kind}, length {length} of {len(payload)}")
    frame.kind = "LR_REQUEST" if kind == 1 else "LR_REPLY"
    frame.values.update({"qnet6.lr.ver": version, "qnet6.lr.type": kind, "qnet6.lr.length": length})
    for index, side in enumerate(("src", "dst")):
        pairs = struct.unpack_from("<6I", payload, 8 + 24 * index)
        items = [_item(payload, *pairs[at : at + 2]) for at in (0, 2, 4)]
        for name, value in (("name.name" if side == "src" else "name", items[0]), ("domain", items[1])):
            if value:
                frame.values[f"qnet6.lr.{side}.{name}"] = value.rstrip(b"\0").decode()
        if items[2]:
            if items[2][:2] != bytes((8, 1)) or len(items[2]) != 8:
                raise Malformed("an address that is no MAC address")
            frame.values[f"qnet6.lr.{side}.addr"] = _mac(items[2][2:])


def _item(payload: bytes, offset: int, length: int) -> bytes:
    if 56 + offset + length > len(payload) or offset >= len(payload) - 56:
        raise Malformed(f"an item at {offset}, {length} bytes, is outside of the packet")
    return payload[56 + offset : 56 + offset + length]


def _kif(frame: Frame, payload: bytes) -> None:
    kind, size = _kif_head(payload)
    frame.kind = KIF_NAMES[kind]
    rest = payload[:size]
    if frame.kind == "CONNECT_PULSE":
        # tshark looks no further than the head.
        return
    if frame.kind in ("CONNECT", "CONNECT_MSGSEND"):
        _words(frame, "connect", rest, " server_pid server_chid client_id client_pid".split(" "))
        frame.values["qnet6.kif.version"] = _word(rest, 4)
        if frame.kind == "CONNECT_MSGSEND":
            # A whole second message follows, with a head of its own.
            inner, inner_size = _kif_head(payload[size:])
            frame.nested = (inner, inner_size)
            if KIF_NAMES[inner] != "MSGSEND":
                raise Malformed(f"CONNECT_MSGSEND with {KIF_NAMES[inner]} behind")
            _msgsend(frame, payload[size:], inner_size)
    elif frame.kind == "MSGSEND":
        _msgsend(frame, payload, size)
    elif frame.kind == "PULSE":
        _vtid(frame, payload, size)
    elif frame.kind == "CONNECT_SUCCESS":
        # tshark has the two ids the other way round.
        _words(frame, "connect_success", rest, " server_id client_id scoid nbytes".split(" "))
        frame.values["qnet6.kif.version"] = _word(rest, 4)
    elif frame.kind == "CONNECT_FAIL":
        _words(frame, "connect_fail", rest, " client_id status".split(" "))
        frame.values["qnet6.kif.version"] = _word(rest, 4)
    elif frame.kind in ("MSGREAD_XFER", "MSGWRITE", "MSGREPLY", "MSGERROR", "MSGREAD_ERROR"):
        _words(frame, "msgwrite", rest, "status handle offset nbytes".split())
        frame.data = _data(payload, size, int(frame.values["qnet6.kif.msgwrite.nbytes"]))
    elif frame.kind == "DISCONNECT":
        _words(frame, "disconnect", rest, ["server_id"])
    elif frame.kind == "CONNECT_DEATH":
        _words(frame, "connect_death", rest, ["client_id"])


def _kif_head(payload: bytes) -> tuple[int, int]:
    if len(payload) < 4:
        raise Malformed("a kernel interface message shorter than its head")
    kind, size = struct.unpack_from("<HH", payload)
    if kind & ~0x017F or kind & 0x7F >= len(KIF_NAMES):
        raise Malformed(f"kernel interface message of type {kind:#06x}")
    if size > len(payload):
        raise Malformed(f"{KIF_NAMES[kind & 0x7F]} of size {size} in {len(payload)} bytes")
    return kind & 0x7F, size


def _vtid(frame: Frame, message: bytes, size: int) -> None:
    """What MSGSEND and PULSE begin with; tshark has one set of names for both."""
    _words(frame, "msgsend", message[:size], ["server_id", "client_handle"])
    names = "tid coid priority srcmsglen keydata srcnd dstmsglen zero".split()
    for index, name in enumerate(names):
        frame.values[f"qnet6.kif.msgsend.vtid_info.{name}"] = _word(message, 12 + 4 * index)


def _msgsend(frame: Frame, message: bytes, size: int) -> None:
    _vtid(frame, message, size)
    nbytes = _word(message, 44)
    frame.values["qnet6.kif.msgsend.nbytes"] = nbytes
    if size != 48:
        # Credentials stand behind the fields when the client's have changed.
        groups = _word(message[:size], 48 + 40) if size >= 48 + 44 else 0
        if size != 48 + 44 + 4 * groups:
            raise Malformed(f"MSGSEND of size {size}")
    frame.data = _data(message, size, nbytes)


def _words(frame: Frame, group: str, message: bytes, names: list[str]) -> None:
    """Words behind the head; an empty name is left out."""
    for index, name in enumerate(names):
        value = _word(message, 4 + 4 * index)
        if name:
            frame.values[f"qnet6.kif.{group}.{name}"] = value


def _word(message: bytes, at: int) -> int:
    if at + 4 > len(message):
        raise Malformed("a kernel interface message shorter than its fields")
    return int(struct.unpack_from("<i", message, at)[0])


def _data(message: bytes, size: int, nbytes: int) -> bytes:
    if nbytes < 0 or size + nbytes != len(message):
        raise Malformed(f"{nbytes} data bytes announced, {len(message) - size} there")
    return message[size:]


def _mac(raw: bytes) -> str:
    return raw.hex(":")
