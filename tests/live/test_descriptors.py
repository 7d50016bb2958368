"""Whose sockets are: looked for in /proc where that is of use, and no more often."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from tcptop_rtt.model.records import ENTRY, Hold, Records
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.sources.descriptors import FRESH_S, Descriptors
from tests.live.pairs import Pair, connected

_SOON_S = FRESH_S - 0.1
NOBODYS = 1 << 40
"""The inode of no socket."""


class Counting(Descriptors):
    """On a clock of its own.

    :param sees_ends: looks again when a process has ended, which on a busy machine is at any time
    """

    def __init__(self, sees_ends: bool = False) -> None:
        self.now_s = 0.0
        self.looks = 0
        self._sees_ends = sees_ends
        super().__init__(Direct(), lambda: self.now_s)

    def _look(self) -> None:
        self.looks += 1
        super()._look()

    def _has_one_ended(self) -> bool:
        return self._sees_ends and super()._has_one_ended()

    def scan(self, *inodes: int) -> Records:
        self.begin()
        sockets = np.zeros(len(inodes), ENTRY)
        sockets["inode"], sockets["uid"] = inodes, os.geteuid()
        sockets["hold"], sockets["lport"] = Hold.SOCKET | Hold.FILE | Hold.UNSEEN, np.arange(len(inodes))
        return self.add_holders(sockets)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with connected() as pair:
        yield pair


def inode_of(end: socket.socket) -> int:
    return os.fstat(end.fileno()).st_ino


def test_a_process_is_told_with_all_that_makes_it_out(pair: Pair) -> None:
    (entry,) = Counting().scan(inode_of(pair[0]))
    ours = psutil.Process()
    assert (entry["tgid"], entry["pid"], entry["process_uid"]) == (ours.pid, ours.pid, os.geteuid())
    assert entry["comm"].decode() == ours.name()[:15]
    # As /proc counts: in ticks.
    assert entry["started_ns"] / 1e9 == pytest.approx(ours.create_time() - psutil.boot_time(), abs=1.1)
    assert entry["hold"] == Hold.SOCKET | Hold.FILE


def test_every_process_that_holds_a_socket_has_an_entry_and_others_stay_as_they_are(pair: Pair) -> None:
    client = pair[0]
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True, pass_fds=[client.fileno()]
    ) as process:
        entries = Counting().scan(inode_of(pair[1]), NOBODYS, inode_of(client), 0)
        process.communicate("\n")
    assert entries["lport"].tolist() == [0, 1, 2, 2, 3]
    assert entries["tgid"][[0, 1, 4]].tolist() == [os.getpid(), 0, 0]
    assert set(entries["tgid"][2:4].tolist()) == {os.getpid(), process.pid}
    assert [int(hold) for hold in entries["hold"]] == [3, 11, 3, 3, 11]


def test_a_new_socket_is_looked_for_at_once(pair: Pair) -> None:
    descriptors = Counting()
    descriptors.scan()
    with connected() as other:
        descriptors.now_s = _SOON_S
        (entry,) = descriptors.scan(inode_of(other[0]))
        assert entry["tgid"] == os.getpid()
    assert descriptors.looks == 2
    descriptors.scan(inode_of(pair[0]))
    assert descriptors.looks == 2


def test_what_was_looked_for_in_vain_is_not_looked_for_again_until_all_is_old() -> None:
    descriptors = Counting()
    descriptors.scan()
    for _ in range(3):
        descriptors.now_s += _SOON_S / 3
        descriptors.scan(NOBODYS)
    assert descriptors.looks == 2
    descriptors.now_s += FRESH_S * 100
    descriptors.scan(NOBODYS)
    assert descriptors.looks == 3


_LISTEN = """
import os, socket
end = socket.create_server(("127.0.0.1", 0))
print(os.fstat(end.fileno()).st_ino, flush=True)
input()
"""


def test_when_a_process_ends_its_sockets_are_looked_for_again() -> None:
    descriptors = Counting(sees_ends=True)
    with subprocess.Popen(
        [sys.executable, "-c", _LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        inode = int(process.stdout.readline())
        (entry,) = descriptors.scan(inode)
        assert entry["tgid"] == process.pid
        process.communicate("\n")
    descriptors.now_s = _SOON_S
    (entry,) = descriptors.scan(inode)
    assert (entry["tgid"], entry["pid"], entry["comm"]) == (0, 0, b"")


def test_without_a_free_descriptor_it_is_an_error() -> None:
    script = """
import os, resource
from tests.live.test_descriptors import Counting
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    os.close(taken.pop())
try:
    Counting().scan()
except OSError as error:
    print(error.errno)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "24\n"
