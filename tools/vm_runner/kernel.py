# SPDX-License-Identifier: GPL-2.0
"""The kernels that tools/setup.sh left in the build root: images, and modules with what they need."""

import lzma
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import Unusable

HOME = Path("/srv/qnet")


@dataclass(frozen=True)
class Module:
    """A kernel module as it goes into the image: its name, its bytes, the names it depends on."""

    name: str
    data: bytes
    needs: tuple[str, ...]


class Kernel:
    """A bootable image and the folder with its modules."""

    def __init__(self, name: str, image: Path, modules: Path, builtin: Path | None) -> None:
        self.name = name
        self.image = image
        self._modules = modules
        self._builtin = builtin
        if not image.exists():
            raise Unusable(f"there is no {name} kernel at {image}: run tools/setup.sh {name} first.")

    @cached_property
    def _files(self) -> dict[str, Path]:
        found = {}
        for path in self._modules.rglob("*.ko*"):
            if path.suffix in (".ko", ".xz"):
                found[_canonical(path.name.split(".ko")[0])] = path
        return found

    @cached_property
    def _built_in(self) -> set[str]:
        if self._builtin is None or not self._builtin.exists():
            return set()
        lines = self._builtin.read_text(encoding="ascii").split()
        return {_canonical(Path(line).name.removesuffix(".ko")) for line in lines}

    def load_order(self, names: list[str]) -> list[Module]:
        """The modules of these names and what they need, each after what it needs."""
        order: dict[str, Module] = {}
        for name in names:
            self._visit(_canonical(name), order)
        return list(order.values())

    def _visit(self, name: str, order: dict[str, Module]) -> None:
        if name in order or name in self._built_in:
            return
        path = self._files.get(name)
        if path is None:
            raise Unusable(f"the {self.name} kernel has no module {name}.")
        module = read_module(path)
        for need in module.needs:
            self._visit(need, order)
        order[name] = module


def find(name: str) -> Kernel:
    """The kernel of this name: "stock" (Debian's) or "debug" (KASAN, lockdep, KUnit)."""
    if name == "stock":
        stamp = HOME / "stock.release"
        if not stamp.exists():
            raise Unusable("there is no stock kernel yet: run tools/setup.sh stock first.")
        modules = HOME / "stock/usr/lib/modules" / stamp.read_text(encoding="ascii").strip()
        return Kernel(name, modules / "vmlinuz", modules, None)
    if name == "debug":
        out = HOME / "debug"
        return Kernel(name, out / "arch/x86/boot/bzImage", out, out / "modules.builtin")
    raise Unusable(f"there is no kernel called {name}: stock and debug are the two.")


def read_module(path: Path) -> Module:
    """Reads a .ko or .ko.xz file."""
    if not path.exists():
        raise Unusable(f"there is no module {path}: build it first (tools/module.sh).")
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    needs: tuple[str, ...] = ()
    # The .modinfo section is a row of NUL-closed "key=value" strings.
    for text in data.split(b"\0"):
        if text.startswith(b"depends="):
            needs = tuple(_canonical(n) for n in text[8:].decode().split(",") if n)
    return Module(_canonical(path.name.split(".ko")[0]), data, needs)


def _canonical(name: str) -> str:
    return name.replace("-", "_")
