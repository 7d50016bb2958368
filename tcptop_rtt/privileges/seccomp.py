"""Filters of system calls, by the distribution's libseccomp, which knows their numbers on each machine."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Collection

_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000  # include/uapi/linux/seccomp.h
_MASKED_EQUAL, _NOT_EQUAL = 7, 1  # enum scmp_compare of seccomp.h
_BAD_ARCHITECTURE = 2  # SCMP_FLTATR_ACT_BADARCH
_INT = 0xFFFFFFFF
"""The bits of an argument of type int: the kernel ignores those above the lower 32."""


class _Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def equals(argument: int, value: int, mask: int = _INT) -> _Comparison:
    """The condition that the masked bits of an argument equal a value."""
    return _Comparison(argument, _MASKED_EQUAL, mask, value)


def differs(argument: int, value: int) -> _Comparison:
    """The condition that an argument differs from a value."""
    return _Comparison(argument, _NOT_EQUAL, value, 0)


class Filter:
    """The system calls that this thread, and what it starts, may make.

    :param allows: whether all calls are allowed except refused ones; else only the allowed ones are
    :raises OSError: libseccomp is missing
    """

    def __init__(self, allows: bool) -> None:
        self._library = _library()
        self._context = self._library.seccomp_init(_ALLOW if allows else _ERRNO | errno.EPERM)
        if not self._context:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        # Calls of another architecture have other numbers, so they end the process.
        self._library.seccomp_attr_set(self._context, _BAD_ARCHITECTURE, _KILL_PROCESS)

    def refuse(self, call: str, *where: _Comparison, error: int = errno.EPERM) -> None:
        """Refuse a call where all conditions hold. A call that this machine lacks is skipped."""
        self._add(_ERRNO | error, call, where)

    def allow(self, call: str, *where: _Comparison) -> None:
        """Allow a call where all conditions hold. A call that this machine lacks is skipped."""
        self._add(_ALLOW, call, where)

    def _add(self, action: int, call: str, where: Collection[_Comparison]) -> None:
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        comparisons = (_Comparison * len(where))(*where)
        _checked(self._library.seccomp_rule_add_array(self._context, action, number, len(where), comparisons))

    def load(self) -> None:
        """Enforce the filter from now on, for good.

        :raises OSError: the kernel has no such filters
        """
        try:
            _checked(self._library.seccomp_load(self._context))
        finally:
            self._library.seccomp_release(self._context)


@functools.cache
def _library() -> ctypes.CDLL:
    """Load libseccomp.

    :raises OSError: it is missing
    """
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    ]
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_release.restype = None
    return library


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
