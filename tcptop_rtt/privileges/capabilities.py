"""Capabilities of this thread: capabilities(7)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Collection

from tcptop_rtt.system_call import LIBC, checked, prctl

DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, BPF = 2, 19, 21, 39  # include/uapi/linux/capability.h
_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
    "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN",
    "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
    "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
    "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

_VERSION_3 = 0x20080522
_HEADER, _DATA = struct.Struct("=Ii"), struct.Struct("=6I")
_CAPBSET_READ, _CAPBSET_DROP, _SET_SECUREBITS, _CAP_AMBIENT = 23, 24, 28, 47  # include/uapi/linux/prctl.h
_NO_NEW_PRIVS = 38  # include/uapi/linux/prctl.h
_AMBIENT_CLEAR_ALL = 4
_SECURE = 0xEF
"""Neither root, nor a change of user, nor the ambient set adds capabilities, and KEEP_CAPS keeps none.
All of this is locked for good (include/uapi/linux/securebits.h)."""


def names_of(mask: int) -> list[str]:
    """The names of the capabilities in a mask; numbers for capabilities that are newer than this program."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return [f"CAP_{_NAMES[bit]}" if bit < len(_NAMES) else f"CAP_{bit}" for bit in bits]


def permitted() -> set[int]:
    """The permitted capabilities of this thread."""
    _, low, _, _, high, _ = _get()
    mask = low | high << 32
    return {bit for bit in range(64) if mask >> bit & 1}


def use(effective: Collection[int]) -> None:
    """Make only these of the permitted capabilities effective, for now."""
    _set(_mask(effective), _mask(permitted()))


def bound(kept: Collection[int]) -> None:
    """Never let this thread, or what it starts, gain other capabilities than these, even as another user.

    :raises OSError: CAP_SETPCAP is missing
    """
    bit = 0
    while True:
        try:
            is_in = prctl(_CAPBSET_READ, bit)
        except OSError:  # the kernel has no such capability
            break
        if is_in and bit not in kept:
            prctl(_CAPBSET_DROP, bit)
        bit += 1
    prctl(_SET_SECUREBITS, _SECURE)


def no_new_privileges() -> None:
    """Let no program that is executed have more rights than this process."""
    prctl(_NO_NEW_PRIVS, 1)


def drop(kept: Collection[int]) -> None:
    """Keep only these capabilities, and pass none on to executed programs."""
    prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    mask = _mask(set(kept) & permitted())
    _set(mask, mask)


def _mask(bits: Collection[int]) -> int:
    return sum(1 << bit for bit in bits)


def _get() -> tuple[int, ...]:
    buffer = ctypes.create_string_buffer(_DATA.size)
    checked(LIBC.capget(_HEADER.pack(_VERSION_3, 0), buffer))
    return _DATA.unpack(buffer.raw)


def _set(effective: int, permitted: int) -> None:
    low = 0xFFFFFFFF
    data = _DATA.pack(effective & low, permitted & low, 0, effective >> 32, permitted >> 32, 0)
    checked(LIBC.capset(_HEADER.pack(_VERSION_3, 0), data))
