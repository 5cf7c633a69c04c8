# SPDX-License-Identifier: GPL-2.0
"""Lets guests wait for each other: a guest writes "meet NAME" and goes on when all have."""

import selectors
import socket
import time
from pathlib import Path


class Meeting:
    """The host's ends of the guests' control ports."""

    def __init__(self, size: int) -> None:
        self._present = set(range(size))
        self._size = size
        self._selector = selectors.DefaultSelector()
        self._sockets: dict[int, socket.socket] = {}
        self._partial: dict[int, bytes] = {}
        self._waiting: dict[str, set[int]] = {}

    def attend(self, index: int, path: Path) -> None:
        """Connects to the control port of a guest that was just started."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for _ in range(200):
            try:
                end.connect(str(path))
                break
            except OSError:
                time.sleep(0.02)
        else:
            end.close()
            return  # The emulator did not start; its end is noticed elsewhere.
        end.setblocking(False)
        self._sockets[index] = end
        self._partial[index] = b""
        self._selector.register(end, selectors.EVENT_READ, index)

    def wait(self, seconds: float) -> None:
        """Waits at most so long, and serves the guests that asked meanwhile."""
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._receive(int(key.data))

    def leave(self, index: int) -> None:
        """A guest has ended: whoever waits for it, now or later, is told so."""
        self._present.discard(index)
        for name, guests in self._waiting.items():
            self._answer(guests, f"gone {name}")
        self._waiting.clear()

    def close(self) -> None:
        """Closes all connections."""
        for end in self._sockets.values():
            end.close()
        self._selector.close()

    def _receive(self, index: int) -> None:
        try:
            data = self._sockets[index].recv(4096)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._sockets[index])
            return
        *lines, self._partial[index] = (self._partial[index] + data).split(b"\n")
        for line in lines:
            verb, _, name = line.decode(errors="replace").partition(" ")
            if verb == "meet":
                self._arrive(index, name)

    def _arrive(self, index: int, name: str) -> None:
        guests = self._waiting.setdefault(name, set())
        guests.add(index)
        if len(self._present) < self._size:
            self._answer(self._waiting.pop(name), f"gone {name}")
        elif len(guests) == self._size:
            self._answer(self._waiting.pop(name), f"met {name}")

    def _answer(self, guests: set[int], words: str) -> None:
        for index in guests:
            try:
                self._sockets[index].sendall(words.encode() + b"\n")
            except OSError:
                continue
