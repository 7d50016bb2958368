"""Uses the rights of a helper process, by asking it. This process has given up its own."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tcptop_rtt.helper import Helper
from tcptop_rtt.model.reach import BlockedThread, Holder, Holders, Netlink, Reach, SocketUse
from tcptop_rtt.reach.direct import Direct
from tcptop_rtt.reach.wire import Answer, Question, ask

PATIENCE_S = 60.0
"""After this time without an answer the helper is ended, and the program goes on without it."""
_SCHED = 2
"""CPUCLOCK_SCHED in include/linux/posix-timers_types.h: with a PID it names the clock of a process."""
_GONE = "what looks into other processes and network namespaces has ended: start tcptop-rtt again"


class _GoneError(OSError):
    """The helper has ended."""


class Brokered(Reach):
    """Asks a helper, except about this process's own network namespace, for which no rights are needed.

    Once the helper has ended, other processes and network namespaces are unknown: :attr:`problem` says so.

    :param user: user and group that the helper becomes; None to stay the same user
    """

    def __init__(self, user: tuple[int, int] | None = None) -> None:
        self._own = Direct()
        self._lock = threading.Lock()
        self._problem = ""
        self._cpu_s = 0.0
        # Nothing waits for the helper to start before the first question.
        self._helper = Helper("tcptop_rtt.reach.broker", *map(str, user or ()))
        self._helper.channel.settimeout(PATIENCE_S)

    @property
    def pid(self) -> int:
        """The PID of the helper."""
        return self._helper.process.pid

    @property
    def problem(self) -> str:
        if not self._problem and self._helper.process.poll() is not None:
            self._problem = _GONE
        return self._problem

    def cpu_s(self) -> float:
        with suppress(OSError):  # the helper has ended
            self._cpu_s = time.clock_gettime(~self.pid << 3 | _SCHED)
        return self._cpu_s

    @property
    def netns(self) -> int:
        return self._own.netns

    def namespaces(self) -> Sequence[int]:
        try:
            return tuple(self._ask("namespaces").value)
        except _GoneError:
            return (self.netns,)

    def iterator_in(self, netns: int, link: int) -> int:
        if netns == self.netns:
            return self._own.iterator_in(netns, link)
        return _descriptor(self._ask("iterator", netns, descriptor=link))

    def netlink_in(self, netns: int) -> Netlink:
        if netns == self.netns:
            return self._own.netlink_in(netns)
        answer = self._ask("netlink", netns)
        return Netlink(_descriptor(answer), answer.value)

    def interface_names(self, netns: int) -> Mapping[int, bytes]:
        if netns == self.netns:
            return self._own.interface_names(netns)
        return {index: name.encode("latin-1") for index, name in self._ask("names", netns).value}

    def count_run_time(self) -> int:
        return _descriptor(self._ask("count"))

    def holders(self) -> Holders:
        try:
            found, is_partial, cost_s = self._ask("holders").value
        except _GoneError:
            return Holders((), True, 0.0)
        holders = [
            Holder(inode, pid, started_ns, uid, comm.encode("latin-1"))
            for inode, pid, started_ns, uid, comm in found
        ]
        return Holders(holders, is_partial, cost_s)

    def use_of(self, pid: int, inode: int) -> SocketUse | None:
        use = self._ask("use", pid, inode).value
        if use is None:
            return None
        descriptors, blocked = use
        threads = (BlockedThread(tid, comm.encode("latin-1"), call) for tid, comm, call in blocked)
        return SocketUse(tuple(descriptors), tuple(threads))

    def close(self) -> None:
        """End the helper."""
        with suppress(OSError):
            self._helper.channel.shutdown(2)  # a thread that waits for an answer waits no longer
        self._helper.end()
        with self._lock:
            self._helper.channel.close()

    def _ask(self, word: str, *numbers: int, descriptor: int | None = None) -> Answer:
        """Ask the helper, and wait for its answer.

        :raises _GoneError: the helper has ended
        :raises OSError: the helper cannot do it
        """
        with self._lock:
            if self._problem:
                raise _GoneError(errno.ESRCH, self._problem)
            try:
                answer = ask(self._helper.channel, Question(word, numbers, descriptor))
            except (BrokenPipeError, ConnectionResetError, TimeoutError, ValueError):
                self._problem = _GONE
                self._helper.end()
                raise _GoneError(errno.ESRCH, _GONE) from None
        if answer.error is not None:
            raise OSError(*answer.error)
        return answer


def _descriptor(answer: Answer) -> int:
    if answer.descriptor is None:
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    return answer.descriptor
