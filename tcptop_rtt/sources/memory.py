"""Handing back the memory that compiling has taken: it happens once, at the start."""

from __future__ import annotations

import ctypes
from pathlib import Path

_MADV_DONTNEED = 4  # include/uapi/asm-generic/mman-common.h
_COMPILER = ("LLVM", "clang", "bcc")


def release_compiler_memory() -> None:
    """What the compiler has freed, and its code, which the page cache has in case it is needed again."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # musl has none
        libc.malloc_trim(0)
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, permissions, *_, path = line.split(maxsplit=5)
        if permissions == "r-xp" and any(name in path for name in _COMPILER):
            start, end = (int(address, 16) for address in addresses.split("-"))
            # Only code, as the loader has written to what else is read-only by now.
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
