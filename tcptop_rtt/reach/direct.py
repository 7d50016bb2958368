"""Uses the rights of this process itself."""

from __future__ import annotations

import os
import socket

from tcptop_rtt.model.outside import read_bytes
from tcptop_rtt.model.reach import Holders, Netlink, Reach, SocketUse
from tcptop_rtt.reach.holders import holders
from tcptop_rtt.reach.netns import Ways
from tcptop_rtt.reach.use import use_of
from tcptop_rtt.sources import bpf_call
from tcptop_rtt.sources.netlink import connected_socket

_SOCKSTAT = "/proc/thread-self/net/sockstat"
_SOCKSTAT_BYTES = 4096


class Direct(Reach):
    """Looks into processes and network namespaces with the rights of this process."""

    def __init__(self) -> None:
        self._ways = Ways()

    @property
    def netns(self) -> int:
        return self._ways.ours

    def namespaces(self) -> tuple[int, ...]:
        return self._ways.find()

    def iterator_in(self, netns: int, link: int) -> int:
        with self._ways.inside(netns):
            return bpf_call.create_iterator(link)

    def netlink_in(self, netns: int) -> Netlink:
        with self._ways.inside(netns):
            time_wait = _time_wait()
            return Netlink(connected_socket().detach(), time_wait)

    def interface_names(self, netns: int) -> dict[int, bytes]:
        with self._ways.inside(netns):
            return {index: os.fsencode(name) for index, name in socket.if_nameindex()}

    def count_run_time(self) -> int:
        return bpf_call.count_run_time()

    def holders(self) -> Holders:
        return holders()

    def use_of(self, pid: int, inode: int) -> SocketUse | None:
        return use_of(pid, inode)


def _time_wait() -> int | None:
    """The number of sockets in TIME-WAIT in the network namespace of this thread; None if unknown."""
    try:
        words = read_bytes(_SOCKSTAT, _SOCKSTAT_BYTES).partition(b"TCP:")[2].split()
    except OSError:
        return None
    return int(words[words.index(b"tw") + 1]) if b"tw" in words else None
