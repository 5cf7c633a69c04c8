# SPDX-License-Identifier: GPL-2.0
"""What a cell must have come to."""

from .cells import Cell
from .guest import Outcome

# Reasons that only a frame with a wrong bit, or a fault of ours, can give. Each bit of a frame with a
# CRC counts, so with it they are `crc`, or what is looked at before the CRC can be. Addresses are not
# covered by it: a sender's that is wrong makes the packet that of a wrong peer.
_BROKEN = (
    "short", "endian", "version", "type", "layer", "flags", "length", "offset", "fragment", "crc", "no_crc",
    "lr_malformed", "kif_malformed", "kif_handle", "kif_unsupported", "tcs_malformed", "nr", "wrong_peer",
)  # fmt: skip
_BEHIND_THE_CRC = ("fragment", "kif_malformed", "kif_handle", "kif_unsupported", "tcs_malformed", "nr")
# Losses that the module has no reason for in any cell.
_NEVER = ("no_memory", "limit")


def judge(cell: Cell, messages: int, outcome: Outcome) -> list[str]:
    """Everything that is wrong with a cell; nothing when it is good."""
    if not outcome.complete or not outcome.client:
        return [f"it did not come to its end (the client's status is {outcome.status})"]
    return _messages(messages, outcome) + _drops(cell, outcome) + _faults(cell, outcome)


def _messages(messages: int, outcome: Outcome) -> list[str]:
    """Every message came, once, in order, and was what was sent."""
    client, server = outcome.client, outcome.server
    wrong = [f"the client ended with status {outcome.status}"] * (outcome.status != 0)
    if not server:
        return [*wrong, "the server gave no account"]
    for side, figures in (("client", client), ("server", server)):
        if figures["messages"] != messages:
            wrong.append(f"{figures['messages']} messages at the {side}, not {messages}")
        if figures["errors"]:
            wrong.append(f"errors at the {side}: {figures['errors']}")
    if client["bytes_out"] != server["bytes"]:
        wrong.append(f"{client['bytes_out']} bytes were sent and {server['bytes']} came")
    counts = {"client corrupted": client["corrupted"], **{k: server[k] for k in ("corrupted", "twice", "lost", "out_of_order")}}
    return wrong + [f"{name}: {count}" for name, count in counts.items() if count]


def _drops(cell: Cell, outcome: Outcome) -> list[str]:
    """Nothing was thrown away that need not be."""
    forbidden = set(_NEVER) | set(_BEHIND_THE_CRC if cell.corrupt else _BROKEN)
    wrong = [f"drop {name}: {count}" for name, count in outcome.drops().items() if name in forbidden]
    wrong += [f"{label}: {outcome.total(label)}" for label in ("kif nd_down", "qos tx_failed", "txd bad") if outcome.total(label)]
    return wrong


def _faults(cell: Cell, outcome: Outcome) -> list[str]:
    """The link had the faults that it was to have, or the cell has shown nothing."""
    drops = outcome.drops()
    lost = sum(outcome.dropped.values())
    wrong = []
    if (cell.loss != "0") != (lost > 0):
        wrong.append(f"the link lost {lost} frames")
    if lost and not outcome.total("qos tx_retransmitted"):
        wrong.append("frames were lost and none was sent again")
    if cell.corrupt and not drops.get("crc"):
        wrong.append("no frame was corrupted")
    if cell.duplicate and not drops.get("duplicate"):
        wrong.append("no frame was doubled")
    return wrong


def judge_without_crc(outcome: Outcome) -> list[str]:
    """Corruption gets through where nothing looks for it: the programs' check sees what they are given."""
    if not outcome.complete or not outcome.server:
        return [f"it did not come to its end (the client's status is {outcome.status})"]
    got_through = outcome.client.get("corrupted", 0) + outcome.server["corrupted"]
    wrong = ["no corrupted content got through, so the check may be blind"] * (not got_through)
    # That a frame has a CRC says one bit of its header, which is corrupted as often as any other: of
    # hundreds of bits in an acknowledgement, of thousands in a message.
    checked = outcome.drops().get("crc", 0)
    return wrong + [f"{checked} frames were dropped for a CRC that they do not have"] * (checked > 0 and checked >= got_through)
