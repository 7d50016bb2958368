"""System calls that Python has no function for, and whether they will find room. All raise OSError."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack

LIBC = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call by its number."""
    return checked(LIBC.syscall(ctypes.c_long(number), *map(_whole, arguments)))


def prctl(option: int, *arguments: int) -> int:
    """Call prctl(2), with 0 for the arguments that are not given."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return checked(LIBC.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, padded)))


def require_descriptors(count: int) -> None:
    """Check that so many descriptors are free, before something begins that would stop halfway without."""
    with ExitStack() as spare:
        for _ in range(count):
            spare.callback(os.close, os.eventfd(0))


def checked(result: int) -> int:
    """Return the result of a C function.

    :raises OSError: the function failed, as errno says
    """
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _whole(argument: int | ctypes.Array[ctypes.c_char] | None) -> object:
    """Return an int as a long: ctypes would pass a plain one as 32 bits."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
