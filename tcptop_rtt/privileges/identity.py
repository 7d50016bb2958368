"""Becoming another user, for good or to make a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tcptop_rtt.system_call import LIBC


def become(uid: int, gid: int) -> None:
    """That user, in that group and no other.

    :raises OSError: CAP_SETUID or CAP_SETGID is missing, or there is no such user in this user namespace
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


@contextmanager
def files_of(uid: int, gid: int) -> Iterator[None]:
    """While this lasts, what this thread does with files it does as that user, in that group: setfsuid(2).

    It takes CAP_SETUID and CAP_SETGID, or that they are the real ones.

    :raises PermissionError: it has not
    """
    before = LIBC.setfsgid(gid), LIBC.setfsuid(uid)
    try:
        # Whether it has been done is only known by asking once more, for what was before.
        if (LIBC.setfsuid(uid), LIBC.setfsgid(gid)) != (uid, gid):
            raise PermissionError(f"it cannot be done as UID {uid}")
        yield
    finally:
        LIBC.setfsuid(before[1])
        LIBC.setfsgid(before[0])
