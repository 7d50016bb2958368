"""The kernel's own accounts of its BPF programs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tcptop_rtt.sources import bpf_call

_STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
_LIBBPF = ctypes.CDLL("libbcc.so.0", use_errno=True)  # libbpf comes with it


class Account(NamedTuple):
    """Of one program, while accounts are kept."""

    name: str
    time_ns: int
    runs: int


class _ProgramInfo(ctypes.Structure):
    """What is used of ``struct bpf_prog_info``, of include/uapi/linux/bpf.h."""

    _fields_ = (
        ("to_name", ctypes.c_uint64 * 8),
        ("name", ctypes.c_char * 16),
        ("to_run_time", ctypes.c_uint64 * 14),
        ("run_time_ns", ctypes.c_uint64),
        ("run_cnt", ctypes.c_uint64),
    )


@contextmanager
def bpf_stats() -> Iterator[None]:
    """While this lasts, the kernel accounts the time of every BPF program."""
    before = _STATS.read_text()
    _STATS.write_text("1")
    try:
        yield
    finally:
        _STATS.write_text(before)


def programs() -> dict[int, Account]:
    """The accounts of every program of the machine so far, by its number."""
    found: dict[int, Account] = {}
    number = ctypes.c_uint32(0)
    while not _LIBBPF.bpf_prog_get_next_id(number, ctypes.byref(number)):
        fd = _LIBBPF.bpf_prog_get_fd_by_id(number)
        if fd >= 0:
            info = _ProgramInfo()
            length = ctypes.c_uint32(ctypes.sizeof(info))
            _LIBBPF.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(length))
            os.close(fd)
            found[number.value] = Account(info.name.decode(), info.run_time_ns, info.run_cnt)
    return found


def attached_again(program_fd: int, tracepoint: bytes | None = None) -> int:
    """A new link of a program that was attached before, to the same place.

    :param tracepoint: where that is; None: the program knows it from its loading
    """
    if tracepoint is None:
        return bpf_call.attach_tracing(program_fd)
    link: int = _LIBBPF.bpf_raw_tracepoint_open(tracepoint, program_fd)
    if link < 0:
        raise OSError(-link, os.strerror(-link))
    return link
