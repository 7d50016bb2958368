"""The hardware of a guest: what it takes to have qemu emulate it, or this machine's processor run it."""

from __future__ import annotations

import fcntl
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "amd64"
"""The architecture of the machines that the lab runs on, as Debian names it."""

_KVM_CREATE_VM = 0xAE01  # include/uapi/linux/kvm.h


@dataclass(frozen=True)
class Machine:
    """A kind of virtual machine."""

    qemu: str
    """The program."""
    options: tuple[str, ...]
    """Its own of that program's options; the chardev named output is its second serial line."""
    emulated: str
    """The processor where it is emulated."""
    boot: str
    """Parameters of the kernel; those that it does not know go to the environment of the first program."""


MACHINES = {
    "amd64": Machine(
        "qemu-system-x86_64",
        ("-machine", "pc,hpet=off", "-serial", "chardev:output"),
        # Debian 12's qemu gets AVX2 wrong: numpy did not sort what it sorted. With ERMS, kernel and libc copy
        # and clear memory byte by byte, which is the slowest way where each byte is emulated.
        "max,avx2=off,erms=off",
        "console=ttyS0 output=/dev/ttyS1 tsc=reliable",
    ),
    "arm64": Machine(
        "qemu-system-aarch64",
        ("-machine", "virt", "-device", "pci-serial,chardev=output"),
        "neoverse-n1",  # of those with a stock server's instructions the fastest to emulate
        "console=ttyAMA0 output=/dev/ttyS0",
    ),
}


def command(
    architecture: str,
    *,
    kernel: Path,
    initramfs: Path,
    boot: str,
    counting: bool,
    console: Path,
    shares: Mapping[str, Path],
    exchange: Path,
) -> list[str]:
    """What starts a guest; it writes its second serial line to standard output.

    :param shares: directories that it sees read-only, by the tags to mount them by
    :param exchange: one that it may write to, by the tag of that name
    """
    machine = MACHINES[architecture]
    processor = ["-cpu", machine.emulated]
    if counting:
        processor += ["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0"]
    elif architecture == HOST and kvm_works():
        processor = ["-cpu", "host", "-accel", "kvm", "-smp", "2"]
    else:
        # With a thread for each CPU, qemu before 8.1 may go on with a breakpoint that is no longer there:
        # where fentry programs come and go under traffic, the guest then stands still.
        processor += ["-accel", "tcg,thread=single", "-smp", "2"]
    return [
        machine.qemu,
        *processor,
        *("-m", "2G", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-serial", f"file:{console}", "-chardev", "stdio,id=output,signal=off", *machine.options),
        *("-kernel", str(kernel), "-initrd", str(initramfs)),
        *("-append", f"{machine.boot} quiet panic=-1 {boot}"),
        *(option for tag, path in shares.items() for option in _shared(tag, path, readonly="on")),
        *_shared("exchange", exchange, readonly="off"),
    ]


@functools.cache
def kvm_works() -> bool:
    """Whether this machine's processor runs guests itself: /dev/kvm alone does not tell."""
    try:
        with open("/dev/kvm", "rb+", buffering=0) as kvm:
            os.close(fcntl.ioctl(kvm, _KVM_CREATE_VM, 0))
    except OSError:
        return False
    return bool({"vmx", "svm"} & set(Path("/proc/cpuinfo").read_text().split()))


def _shared(tag: str, path: Path, readonly: str) -> list[str]:
    where = str(path).replace(",", ",,")
    return [
        *("-fsdev", f"local,id={tag},path={where},security_model=none,readonly={readonly},multidevs=remap"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    ]
