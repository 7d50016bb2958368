"""Remembers which processes have a descriptor of which socket, and when to look into /proc again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among, distinct
from tcptop_rtt.model.reach import Reach
from tcptop_rtt.model.records import ENTRY, Hold, Records, take_rows

HOLDER = np.dtype(
    [("inode", "u8"), *((name, ENTRY[name]) for name in ("tgid", "pid", "started_ns", "process_uid", "comm"))]
)
_PROCESS = [name for name in HOLDER.names or () if name != "inode"]

FRESH_S = 5.0
"""The least time between two regular listings of all descriptors: a socket may be passed on meanwhile."""
MOST_SHARE, REFRESH_SHARE = 0.05, 0.02
"""The shares of one core that listing them may take: if something new has come, and if nothing has."""

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class Descriptors:
    """Remembers what the latest look into /proc has found, and looks again if that is of use.

    :param reach: looks into processes
    :param clock_s: measures the time between two looks
    """

    def __init__(self, reach: Reach, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._reach = reach
        self._clock_s = clock_s
        self._held = np.zeros(0, HOLDER)
        self._in_vain: NDArray[np.uint64] = np.zeros(0, np.uint64)
        """Inodes whose process an earlier look did not find: they are no reason to look again."""
        self._missed: list[NDArray[np.uint64]] = []
        self._next_look = self._next_refresh = -np.inf
        self._denied = False
        self._unknown = self._was_unknown = False

    @property
    def incomplete(self) -> bool:
        """Whether there are sockets of processes that this user may not look into."""
        return self._denied and (self._unknown or self._was_unknown)

    def begin(self) -> None:
        """Begin a scan: look again if the latest look is old, or if one of its processes has ended.

        :raises OSError: no descriptor is free
        """
        self._in_vain = distinct(np.concatenate(self._missed)) if self._missed else self._in_vain[:0]
        self._missed.clear()
        self._was_unknown, self._unknown = self._unknown, False
        now = self._clock_s()
        if now >= self._next_refresh or (now >= self._next_look and self._has_one_ended()):
            self._look()

    def _has_one_ended(self) -> bool:
        return not set(distinct(self._held["pid"]).tolist()) <= set(map(int, _pids()))

    def add_holders(self, sockets: Records) -> Records:
        """Return one entry per process that has a descriptor of a socket, with that process. The entry of a
        socket without a known process stays as it is.
        """
        inodes = sockets["inode"]
        first, count = self._places(inodes)
        in_vain = among(inodes, self._in_vain)
        if self._clock_s() >= self._next_look and (self._is_missed(sockets, count) & ~in_vain).any():
            self._look()
            first, count = self._places(inodes)
            self._missed.append(inodes[self._is_missed(sockets, count)])
        else:
            self._missed.append(inodes[in_vain])
        joined = self._joined(sockets, first, count)
        self._unknown |= bool(((joined["inode"] != 0) & (joined["tgid"] == 0)).any())
        return joined

    def _is_missed(self, sockets: Records, count: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which sockets have no known process, although this user may be able to look into it."""
        missed: NDArray[np.bool_] = (sockets["inode"] != 0) & (count == 0)
        if self._denied and os.geteuid():
            missed &= sockets["uid"] == os.geteuid()
        return missed

    def _places(self, inodes: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """By inode, the place in ``_held`` of the first process that has it, and how many have it."""
        first, after = (np.searchsorted(self._held["inode"], inodes, side) for side in _SIDES)
        return first, np.where(inodes != 0, after - first, 0)

    def _joined(self, sockets: Records, first: NDArray[np.intp], count: NDArray[np.intp]) -> Records:
        lines = np.maximum(count, 1)
        of_socket = np.repeat(np.arange(len(sockets)), lines)
        joined = take_rows(sockets, of_socket)
        held = np.flatnonzero(count[of_socket])
        # The holders of one socket are neighbours, in _held and in the result.
        number = np.arange(len(joined)) - np.repeat(np.cumsum(lines) - lines, lines)
        processes = self._held[(first[of_socket] + number)[held]]
        for name in _PROCESS:
            joined[name][held] = processes[name]
        joined["hold"][held] = Hold.SOCKET | Hold.FILE
        return joined

    def _look(self) -> None:
        holders = self._reach.holders()
        self._denied = holders.is_partial
        held = np.array([(h.inode, h.pid, h.pid, *h[2:]) for h in holders.found], HOLDER)
        self._held = held[np.argsort(held["inode"], kind="stable")]
        self._next_look = self._clock_s() + holders.cost_s / MOST_SHARE
        self._next_refresh = self._clock_s() + max(holders.cost_s / REFRESH_SHARE, FRESH_S)


def _pids() -> Iterator[str]:
    with os.scandir("/proc") as entries:
        yield from (entry.name for entry in entries if entry.name.isdecimal())
