# SPDX-License-Identifier: GPL-2.0
"""Starts QEMU: how the machine is emulated, and which files its ports lead to."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import clock

# A machine whose result is a count of instructions: one processor, no clock of the host's, and no
# `rep movsb` that would count each byte as an instruction.
_COUNTING = ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "max,-erms,-fsrm"]


@dataclass
class Machine:
    """One guest: its files, its size, its link."""

    folder: Path
    kernel: Path
    initramfs: Path
    append: list[str] = field(default_factory=list)
    processors: int = 2
    memory: int = 1024
    counting: bool = False
    network: list[str] = field(default_factory=list)

    @property
    def console(self) -> Path:
        """What the kernel says."""
        return self.folder / "console.log"

    @property
    def log(self) -> Path:
        """What the script says."""
        return self.folder / "script.log"

    @property
    def archive(self) -> Path:
        """The tar archive of the guest's /out."""
        return self.folder / "out.tar"

    @property
    def control(self) -> Path:
        """The socket by which the guest meets the other guests."""
        return self.folder / "control.sock"

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the emulator. Its own complaints go to qemu.log."""
        for path in (self.console, self.log, self.archive):
            path.write_bytes(b"")
        self.control.unlink(missing_ok=True)
        with (self.folder / "qemu.log").open("wb") as complaints:
            return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints)

    def command(self) -> list[str]:
        """The whole command line."""
        append = ["console=ttyS0", "panic=-1", "oops=panic", "rdinit=/init", *self.append]
        processors = 1 if self.counting else self.processors
        if self.counting:
            accelerator = _COUNTING
            append.append("mitigations=off")
        elif hardware_virtualisation():
            accelerator = ["-accel", "kvm", "-cpu", "host"]
        else:
            # Page tables of five levels are slower to emulate, and an interrupt that comes while the
            # kernel patches its choice between four and five makes KASAN see wild accesses.
            accelerator = ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]
            append += clock.kernel_arguments()
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
        # A socket each: without ACPI the firmware's table of processors lists no second core.
        command += ["-smp", f"{processors},sockets={processors},cores=1", "-m", str(self.memory)]
        command += ["-machine", "pc", "-no-reboot", *accelerator]
        command += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs), "-append", " ".join(append)]
        command += ["-serial", f"file:{self.console}", "-device", "virtio-serial-pci"]
        command += _port("log", f"file,path={self.log}")
        command += _port("out", f"file,path={self.archive}")
        command += _port("control", f"socket,path={self.control},server=on,wait=off")
        return command + self.network


def _port(name: str, backend: str) -> list[str]:
    kind, _, rest = backend.partition(",")
    return ["-chardev", f"{kind},id={name},{rest}", "-device", f"virtserialport,chardev={name},name=qnet.{name}"]


def hardware_virtualisation() -> bool:
    """Does this processor run guests by itself?

    The device /dev/kvm alone says nothing: there are machines where it exists and only emulates.
    """
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    return bool(re.search(r"^flags\s*:.*\b(?:vmx|svm)\b", flags, re.MULTILINE)) and Path("/dev/kvm").exists()


def link(index: int, folder: Path, capture: bool) -> list[str]:
    """The network device of guest 0 or 1 of a pair: datagram sockets, a frame each."""
    here, there = folder / f"link{index}.sock", folder / f"link{1 - index}.sock"
    here.unlink(missing_ok=True)
    options = ["-netdev", f"dgram,id=link,local.type=unix,local.path={here},remote.type=unix,remote.path={there}"]
    options += ["-device", f"virtio-net-pci,netdev=link,mac=52:54:00:71:6e:{0x0A + index:02x}"]
    if capture:
        options += ["-object", f"filter-dump,id=dump,netdev=link,file={folder / 'link.pcap'}"]
    return options
