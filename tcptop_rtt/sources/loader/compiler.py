"""Compiling BPF programs by bcc, out of nothing but our own text and headers, and without a temporary file.

Our own headers stand in for those of the kernel that bcc includes: none are needed, and none are taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_size_t, c_void_p

from bcc import BPF, libbcc

from tcptop_rtt.model.errors import TcptopError, remedy
from tcptop_rtt.sources.loader.files import STAND_INS

_DESCRIPTORS = 8
"""Free ones that compiling takes at once, and a few more."""

libbcc.lib.libbpf_set_print(None)  # what it has to say would go to the terminal
# bcc itself asks for no table's name.
libbcc.lib.bpf_table_name.restype, libbcc.lib.bpf_table_name.argtypes = c_char_p, [c_void_p, c_size_t]


def compile_program(text: bytes, *flags: str) -> BPF:
    """bcc's module of a program's text; its maps are made, nothing is loaded yet.

    :raises TcptopError: the compiler refuses it; with its first message
    """
    _require_descriptors()
    page = f"-DPAGE_SIZE={os.sysconf('SC_PAGE_SIZE')}"
    with _only_our_headers(), _messages() as messages:
        try:
            return BPF(text=text, cflags=[page, *flags])
        except Exception as error:
            os.lseek(messages, 0, os.SEEK_SET)
            lines = os.read(messages, 1 << 16).decode(errors="replace").splitlines()
            reason = next((line for line in lines if "error" in line), str(error))
            raise TcptopError(f"cannot compile for Linux {os.uname().release}: {reason}") from error


def map_descriptors(module: BPF) -> dict[str, int]:
    """Of a module's maps, by their names."""
    count = libbcc.lib.bpf_num_tables(module.module)
    names = [libbcc.lib.bpf_table_name(module.module, place) for place in range(count)]
    return {name.decode(): libbcc.lib.bpf_table_fd(module.module, name) for name in names}


def instructions_of(module: BPF, function: str) -> bytes:
    """A function's instructions, with descriptors of the module's maps; nothing: it has none of this name."""
    if not libbcc.lib.bpf_function_start(module.module, function.encode()):
        return b""
    return bytes(module.dump_func(function.encode()))


def _require_descriptors() -> None:
    """bcc goes on when clang cannot open a header, and crashes on the types that are missing then."""
    spare: list[int] = []
    try:
        while len(spare) < _DESCRIPTORS:
            spare.append(os.open(STAND_INS, os.O_PATH))
    except OSError as error:
        raise TcptopError(f"cannot compile: {error.strerror}{remedy(error)}") from error
    finally:
        for descriptor in spare:
            os.close(descriptor)


@contextmanager
def _only_our_headers() -> Iterator[None]:
    """bcc looks for headers in the working directory first, which anybody may have written to."""
    before = os.open(".", os.O_PATH | os.O_DIRECTORY)  # its path may be too long for a name, or gone
    os.environ["BCC_KERNEL_SOURCE"] = str(STAND_INS)
    try:
        os.chdir(STAND_INS / "include")
        yield
    finally:
        os.fchdir(before)
        os.close(before)
        del os.environ["BCC_KERNEL_SOURCE"]


@contextmanager
def _messages() -> Iterator[int]:
    """What the compiler writes to descriptor 2: a descriptor to read it from."""
    messages = os.memfd_create("compiler-messages")
    saved = os.dup(2)
    try:
        os.dup2(messages, 2)
        yield messages
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(messages)
