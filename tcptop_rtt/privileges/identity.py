"""Becoming another user for good."""

from __future__ import annotations

import os


def become(uid: int, gid: int) -> None:
    """That user, in that group and no other.

    :raises OSError: CAP_SETUID or CAP_SETGID is missing, or there is no such user in this user namespace
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
