"""A process of another user in a network namespace of its own, and what /proc says of processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_WAITS = """
import os, socket
unix, _ = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
netns, inode = os.stat("/proc/self/ns/net").st_ino, os.fstat(unix.fileno()).st_ino
print(netns, inode, unix.fileno(), client.getsockname()[1], flush=True)
unix.recv(1)
"""


class Other(NamedTuple):
    """The process, and what it has."""

    pid: int
    netns: int
    inode: int  # of a socket that it waits for
    descriptor: int  # of that one
    port: int  # the local one of a connection


@contextmanager
def others() -> Iterator[Other]:
    """UID and GID of it are 1."""
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command += ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "/usr/bin/python3", "-c", _WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield Other(process.pid, *map(int, process.stdout.readline().split()))
        process.kill()


def status(pid: int) -> dict[str, str]:
    """proc_pid_status(5), of a thread too."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_gone(pid: int) -> bool:
    """It has ended, whoever has to be told."""
    try:
        return status(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True
