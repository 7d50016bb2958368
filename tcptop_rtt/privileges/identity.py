"""Becoming another user, for good or only to make a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tcptop_rtt.system_call import LIBC


def become(uid: int, gid: int) -> None:
    """Become a user, in this group and no other.

    :raises OSError: CAP_SETUID or CAP_SETGID is missing, or there is no such user in this user namespace
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


@contextmanager
def files_of(uid: int, gid: int) -> Iterator[None]:
    """Let this thread access files as this user, in this group, inside the ``with`` block: setfsuid(2).

    Needs CAP_SETUID and CAP_SETGID, unless this is the process's own user and group.

    :raises PermissionError: these capabilities are missing
    """
    before = LIBC.setfsgid(gid), LIBC.setfsuid(uid)
    try:
        # These calls report no error. A second call returns what the first one has set.
        if (LIBC.setfsuid(uid), LIBC.setfsgid(gid)) != (uid, gid):
            raise PermissionError(f"it cannot be done as UID {uid}")
        yield
    finally:
        LIBC.setfsuid(before[1])
        LIBC.setfsgid(before[0])
