"""Names of network namespaces: those that ``ip netns`` gives, and a name for this process's own."""

from __future__ import annotations

import os
from itertools import islice

from tcptop_rtt.model.outside import name_of

DIRECTORY = "/run/netns"
MOST = 1024
"""At most so many names are compared."""
OURS = "ours"


def namespace_name(inode: int, directory: str = DIRECTORY) -> str:
    """The name of a network namespace; empty if it has none.

    :param inode: the namespace's inode number, as in a row
    """
    try:
        if os.stat("/proc/self/ns/net").st_ino == inode:
            return OURS
        with os.scandir(directory) as entries:
            for entry in islice(entries, MOST):
                if _inode_of(entry.path) == inode:
                    return name_of(entry.name)
    except OSError:
        pass
    return ""


def _inode_of(path: str) -> int:
    """The inode of the namespace that is mounted there; 0 while the mount is being made or removed."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
