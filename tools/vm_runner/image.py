# SPDX-License-Identifier: GPL-2.0
"""Makes the initramfs of a guest: busybox, iproute2, modules, programs with their libraries."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .cpio import Archive
from .errors import Unusable
from .kernel import Kernel, read_module

_GUEST = Path(__file__).parent / "guest"
_BUSYBOX = Path("/bin/busybox")
# Programs that every guest has, beside busybox's applets. The shell is dash, because busybox's takes
# its own applets before what PATH finds, and its `ip` knows no namespaces.
_PROGRAMS = (("/bin/dash", "/bin/sh"), ("/sbin/ip", "/sbin/ip"), ("/sbin/tc", "/sbin/tc"))
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


@dataclass
class Contents:
    """What a guest is to have. Paths on the left are the build root's."""

    script: Path
    arguments: list[str] = field(default_factory=list)
    modules: list[Path] = field(default_factory=list)  # put at /qnet/NAME.ko, loaded by the script
    loaded: list[str] = field(default_factory=list)  # the kernel's own, loaded before the script
    programs: list[tuple[Path, str]] = field(default_factory=list)


def programs_in(folder: Path) -> list[tuple[Path, str]]:
    """The programs (for /qnet/bin) and shared libraries (for /qnet/lib) that a folder holds."""
    found = []
    for path in sorted(folder.glob("*")):
        if not path.is_file() or not path.stat().st_mode & 0o111 or not _read(path).startswith(b"\x7fELF"):
            continue
        home = "lib" if ".so" in path.suffixes else "bin"
        found.append((path, f"/qnet/{home}/{path.name}"))
    if not found:
        raise Unusable(f"there are no programs in {folder}: run tools/userspace.sh first.")
    return found


def write(path: Path, kernel: Kernel, contents: Contents) -> None:
    """Writes the initramfs to `path`."""
    with path.open("wb") as out:
        archive = Archive(out)
        _base(archive)
        _modules(archive, kernel, contents)
        programs = [(Path(source), target) for source, target in _PROGRAMS] + contents.programs
        _programs(archive, programs)
        archive.file("/qnet/script", _read(contents.script), 0o755)
        archive.file("/qnet/arguments", "".join(f"{a}\n" for a in contents.arguments).encode())
        archive.close()


def _base(archive: Archive) -> None:
    for folder in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "var/run/netns", "out"):
        archive.folder(folder)
    # The kernel opens this before init runs and can mount anything.
    archive.device("/dev/console", 5, 1)
    archive.file("/bin/busybox", _read(_BUSYBOX), 0o755)
    applets = subprocess.run([_BUSYBOX, "--list"], check=True, capture_output=True, text=True)
    for applet in applets.stdout.split():
        if applet not in ("busybox", "sh", "ip", "tc"):
            archive.link(f"/bin/{applet}", "busybox")
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.file("/etc/hosts", b"127.0.0.1 localhost\n")
    for name in ("init", "lib.sh"):
        target = "/init" if name == "init" else f"/qnet/{name}"
        archive.file(target, _read(_GUEST / name), 0o755)


def _modules(archive: Archive, kernel: Kernel, contents: Contents) -> None:
    order = kernel.load_order(contents.loaded)
    archive.file("/qnet/load", "".join(f"{m.name}\n" for m in order).encode())
    for module in order:
        archive.file(f"/lib/modules/{module.name}.ko", module.data)
    for path in contents.modules:
        archive.file(f"/qnet/{read_module(path).name}.ko", _without_debug_information(path))


def _without_debug_information(file: Path) -> bytes:
    """Most of a module or program is what debuggers want, and takes memory of the guest."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "--strip-debug", "-o", stripped.name, file], check=True)
        return Path(stripped.name).read_bytes()


def _programs(archive: Archive, programs: Iterable[tuple[Path, str]]) -> None:
    libraries: set[str] = set()
    for source, target in programs:
        data = _read(source)
        executable = 0o755 if source.stat().st_mode & 0o111 else 0o644
        if data.startswith(b"\x7fELF"):
            data = _without_debug_information(source)
            libraries |= _libraries(source)
        archive.file(target, data, executable)
    for library in sorted(libraries):
        archive.file(library, _read(Path(library)), 0o755)


def _libraries(program: Path) -> set[str]:
    """The shared libraries that a program loads, as the build root's loader finds them."""
    found = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    if "not found" in found.stdout:
        raise Unusable(f"a library of {program} is missing:\n{found.stdout}")
    return {m.group(1) for m in map(_LIBRARY.search, found.stdout.splitlines()) if m}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}.") from error
