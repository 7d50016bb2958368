"""Names of network namespaces: those that ``ip netns`` gives, and a name for this process's own."""

from __future__ import annotations

import os
from itertools import islice

from tcptop_rtt.model.outside import name_of

DIRECTORY = "/run/netns"
MOST = 1024
"""At most so many names are compared."""
OURS = "ours"


def own_netns() -> int:
    """The inode number of this process's network namespace; 0: unknown."""
    return _inode_of("/proc/self/ns/net")


def namespace_name(inode: int, directory: str = DIRECTORY) -> str:
    """The name of a network namespace; empty if it has none.

    :param inode: the namespace's inode number, as in a row
    """
    if inode == own_netns():
        return OURS
    try:
        with os.scandir(directory) as entries:
            for entry in islice(entries, MOST):
                if _inode_of(entry.path) == inode:
                    return name_of(entry.name)
    except OSError:
        pass
    return ""


def _inode_of(path: str) -> int:
    """The inode of the namespace at that path; 0 if there is none, as while a mount is made or removed."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
