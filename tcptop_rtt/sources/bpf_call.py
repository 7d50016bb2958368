"""The used commands of bpf(2), called without a library: libbpf comes with a compiler of 60 MiB.

Attributes are laid out like ``union bpf_attr`` of include/uapi/linux/bpf.h. All functions raise OSError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

from tcptop_rtt.system_call import call

_NUMBERS = {"x86_64": 321, "aarch64": 280}
"""The call's number: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h."""

_MAP_CREATE, _MAP_LOOKUP_ELEM, _PROG_LOAD = 0, 1, 5  # enum bpf_cmd
_OBJ_GET_INFO_BY_FD, _RAW_TRACEPOINT_OPEN = 15, 17
_LINK_CREATE, ENABLE_STATS, ITER_CREATE = 28, 32, 33

WITHOUT_RIGHTS = frozenset({_MAP_LOOKUP_ELEM, _OBJ_GET_INFO_BY_FD, ITER_CREATE})
"""The commands that read from a running program. Where :func:`is_allowed`, they take no capability."""

_TRACING = 26  # BPF_PROG_TYPE_TRACING in enum bpf_prog_type
TRACE_RAW_TP, TRACE_FENTRY, TRACE_ITER = 23, 24, 28  # enum bpf_attach_type
_RUN_TIME = 0  # BPF_STATS_RUN_TIME in enum bpf_stats_type

_ATTEMPTS = 5
"""How often loading is tried, as in libbpf: a signal may interrupt the check of a program (EAGAIN)."""


class MapInfo(NamedTuple):
    """The properties of a map."""

    type: int
    key_bytes: int
    value_bytes: int
    max_entries: int
    flags: int


class RunTime(NamedTuple):
    """What a program has cost while the kernel counted."""

    time_ns: int
    runs: int


def is_allowed() -> bool:
    """Whether this thread may use the commands that take no capability, such as looking a key up.

    Before Linux 5.19 some machines refuse these without CAP_BPF.
    """
    try:
        _call(_OBJ_GET_INFO_BY_FD, struct.pack("=iIQ", -1, 0, 0))
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def create_map(name: str, info: MapInfo) -> int:
    """Create a map, and return its descriptor."""
    return _call(_MAP_CREATE, struct.pack("=5I2I16s", *info, 0, 0, _named(name)))


def map_info(map_fd: int) -> MapInfo:
    """The properties of a map."""
    kind, _, *rest = struct.unpack("=6I", _info(map_fd, 24))  # struct bpf_map_info
    return MapInfo(kind, *rest)


def look_up(map_fd: int, key: bytes, value_bytes: int) -> bytes | None:
    """The value at a key; None if there is none.

    :param value_bytes: the size of the map's values
    """
    key_buffer, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value_bytes)
    addresses = ctypes.addressof(key_buffer), ctypes.addressof(value)
    try:
        _call(_MAP_LOOKUP_ELEM, struct.pack("=IIQQQ", map_fd, 0, *addresses, 0))
    except FileNotFoundError:
        return None
    return value.raw


def load_program(name: str, code: bytes, attach_type: int, target_type: int) -> int:
    """Load a program, which the kernel checks, and return its descriptor.

    :param code: its instructions, with descriptors of its maps
    :param target_type: the BTF number of the kernel function or type that it will be attached to
    """
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(instructions), ctypes.addressof(licence)
    no_log, no_types = bytes(16), bytes(36)
    attributes = (
        struct.pack("=IIQQ", _TRACING, len(code) // 8, *addresses)
        + no_log
        + struct.pack("=II16sII", 0, 0, _named(name), 0, attach_type)
        + no_types
        + struct.pack("=I", target_type)
    )
    for _ in range(_ATTEMPTS - 1):
        try:
            return _call(_PROG_LOAD, attributes)
        except BlockingIOError:
            continue
    return _call(_PROG_LOAD, attributes)


def attach_tracing(program_fd: int) -> int:
    """Attach a program to its tracepoint or function, and return the descriptor of the link."""
    return _call(_RAW_TRACEPOINT_OPEN, struct.pack("=QI", 0, program_fd))


def attach_iterator(program_fd: int) -> int:
    """Attach an iterator, and return the descriptor of its link."""
    return _call(_LINK_CREATE, struct.pack("=4I", program_fd, 0, TRACE_ITER, 0))


def create_iterator(link_fd: int) -> int:
    """A new descriptor, from which the iterator's output can be read."""
    return _call(ITER_CREATE, struct.pack("=2I", link_fd, 0))


def count_run_time() -> int:
    """Have the kernel count what each program costs, until the returned descriptor is closed."""
    return _call(ENABLE_STATS, struct.pack("=I", _RUN_TIME))


def run_time(program_fd: int) -> RunTime:
    """What a program has cost so far while the kernel counted."""
    return RunTime(*struct.unpack_from("=QQ", _info(program_fd, 208), 192))  # struct bpf_prog_info


def _named(name: str) -> bytes:
    return name.encode()[:15]  # BPF_OBJ_NAME_LEN without the terminating zero


def _info(fd: int, size: int) -> bytes:
    """The first bytes of the kernel's description of an object."""
    buffer = ctypes.create_string_buffer(size)
    _call(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, size, ctypes.addressof(buffer)))
    return buffer.raw


def _call(command: int, attributes: bytes) -> int:
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"no number of bpf(2) is known for {os.uname().machine}")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return call(number, command, buffer, len(attributes))
