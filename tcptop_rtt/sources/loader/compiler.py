"""Compiles BPF programs by bcc, from our own text and headers only, and without a temporary file.

Our own headers stand in for the kernel headers that bcc includes: those are neither needed nor used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char_p, c_size_t, c_void_p

from bcc import BPF, libbcc

from tcptop_rtt.model.errors import TcptopError, why
from tcptop_rtt.sources.loader.files import STAND_INS
from tcptop_rtt.system_call import require_descriptors

_DESCRIPTORS = 8
"""How many free descriptors compiling takes at once, and a few more."""

libbcc.lib.libbpf_set_print(None)  # libbpf's messages would go to the terminal
# bcc's module does not declare this function.
libbcc.lib.bpf_table_name.restype, libbcc.lib.bpf_table_name.argtypes = c_char_p, [c_void_p, c_size_t]


def compile_program(text: bytes, *flags: str) -> BPF:
    """Compile a program's text to a module of bcc. Its maps are made, but nothing is loaded yet.

    :raises TcptopError: the compiler refuses the text; has the compiler's first message
    """
    try:
        require_descriptors(_DESCRIPTORS)  # if clang cannot open a header, bcc crashes on the missing types
    except OSError as error:
        raise TcptopError(f"cannot compile: {why(error)}") from error
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
    """The descriptors of a module's maps, by name."""
    count = libbcc.lib.bpf_num_tables(module.module)
    names = [libbcc.lib.bpf_table_name(module.module, place) for place in range(count)]
    return {name.decode(): libbcc.lib.bpf_table_fd(module.module, name) for name in names}


def instructions_of(module: BPF, function: str) -> bytes:
    """A function's instructions, with descriptors of the module's maps; empty if it is missing."""
    if not libbcc.lib.bpf_function_start(module.module, function.encode()):
        return b""
    return bytes(module.dump_func(function.encode()))


@contextmanager
def _only_our_headers() -> Iterator[None]:
    """Leave the working directory: bcc first looks there for headers, which may be anybody's."""
    before = os.open(".", os.O_PATH | os.O_DIRECTORY)  # its path may be too long, or gone
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
    """Redirect descriptor 2 into memory, and give a descriptor to read the compiler's messages from."""
    messages = os.memfd_create("compiler-messages")
    saved = os.dup(2)
    try:
        os.dup2(messages, 2)
        yield messages
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(messages)
