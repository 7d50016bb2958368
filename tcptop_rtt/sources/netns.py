"""Doing something inside another process's network namespace."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h


@contextmanager
def network_namespace_of(pid: int) -> Iterator[None]:
    """While this lasts, the calling thread, and no other, is in that namespace.

    :raises OSError: there is no such process, or CAP_SYS_ADMIN is missing
    """
    with open("/proc/thread-self/ns/net", "rb") as ours, open(f"/proc/{pid}/ns/net", "rb") as theirs:
        _enter(theirs.fileno())
        try:
            yield
        finally:
            _enter(ours.fileno())


def _enter(namespace_fd: int) -> None:
    # os.setns() is there only from Python 3.12 on.
    if ctypes.CDLL(None, use_errno=True).setns(namespace_fd, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
