# SPDX-License-Identifier: GPL-2.0
"""Writes the archive format that the kernel unpacks as its first root file system (cpio "newc")."""

import stat
from pathlib import PurePosixPath
from typing import BinaryIO

_TRAILER = "TRAILER!!!"


class Archive:
    """A cpio archive under construction. Parent folders are made as they are needed."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0
        self._folders: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Adds a folder and those above it."""
        path = path.strip("/")
        if not path or path in self._folders:
            return
        self._parent(path)
        self._folders.add(path)
        self._entry(path, stat.S_IFDIR | mode, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a regular file."""
        self._parent(path)
        self._entry(path.strip("/"), stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """Adds a symbolic link."""
        self._parent(path)
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Adds a character device."""
        self._parent(path)
        self._entry(path.strip("/"), stat.S_IFCHR | mode, b"", (major, minor))

    def close(self) -> None:
        """Ends the archive. Nothing can be added after this."""
        self._entry(_TRAILER, 0, b"")

    def _parent(self, path: str) -> None:
        self.folder(str(PurePosixPath(path.strip("/")).parent).removeprefix("."))

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        raw = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
        self._out.write(head + b"\0" * (-len(head) % 4))
        self._out.write(data + b"\0" * (-len(data) % 4))
