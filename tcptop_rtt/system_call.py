"""System calls that Python has no function for. All raise OSError."""

from __future__ import annotations

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """A system call by its number."""
    return checked(LIBC.syscall(ctypes.c_long(number), *map(_whole, arguments)))


def prctl(option: int, *arguments: int) -> int:
    """prctl(2)."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return checked(LIBC.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, padded)))


def checked(result: int) -> int:
    """What a function of C has returned.

    :raises OSError: it has failed
    """
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _whole(argument: int | ctypes.Array[ctypes.c_char] | None) -> object:
    """C would take a plain int for one of 32 bits."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
