"""The feed of other hosts: waits for their streams, and merges them into one."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator, Mapping, Sequence

from tcptop_rtt.feeds.base import Capability, Feed
from tcptop_rtt.feeds.clock import Clock
from tcptop_rtt.feeds.remote import ssh as ssh_
from tcptop_rtt.feeds.remote.host import RemoteHost
from tcptop_rtt.feeds.remote.merging import Part, merged
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.hosts import number_of
from tcptop_rtt.model.snapshot import Health, Origin, ProcessKey, Snapshot
from tcptop_rtt.view import format as fmt

FIRST_S = 40.0
"""The longest wait for a first host: to connect, and to compile the BPF program there."""
OTHERS_S = 3.0
"""The longest wait for the other hosts after the first one."""
LATE_S = 5.0
"""A host that is silent for longer than this, and than three refreshes, is shown as a problem."""
LEAVE_S = 1.0
"""How long ssh has to end after it was asked to, before it is killed."""
QUIET_REFRESHES = 1.5
"""After so many refreshes without news a snapshot comes all the same; after one, news may be near."""
NOT_YET = "no answer yet"


class RemoteFeed(Feed):
    """Snapshots of other hosts. If the stream of a host ends, its rows disappear.

    :param hosts: the names as ssh takes them, each once
    :param ssh: the command that connects
    :param command: the command to run there; None: the usual one, which writes the stream
    :param variables: the environment for ``ssh``: that of the user, who has the keys
    """

    def __init__(
        self,
        hosts: Sequence[str],
        ssh: str,
        command: str | None,
        refresh_s: float,
        variables: Mapping[str, str],
        clock: Clock | None = None,
    ) -> None:
        self._refresh_s = refresh_s
        self._clock = clock or Clock()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = self._is_open = False
        self._merged: dict[str, Snapshot | None] = {}
        self._health = Health()
        command = command or ssh_.remote_command(refresh_s)
        for host in hosts:
            number_of(host.encode())  # before a stream could use up the numbers
        self._hosts = [
            RemoteHost(host, ssh_.arguments(host, ssh, command), variables, lambda: self._wake.put(None))
            for host in hosts
        ]

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Always empty: the hosts take no requests."""
        return frozenset()

    @property
    def health(self) -> Health:
        """The health of all hosts together."""
        return self._health

    @property
    def origin(self) -> Origin:
        """The origin of the only host, or the names of all hosts, without a kernel and a boot time."""
        first = self._hosts[0].origin
        if len(self._hosts) == 1:
            return first or Origin(self._hosts[0].name, "", "", 0)
        return Origin(", ".join(host.name for host in self._hosts), "", self._health.hook, 0)

    def note(self) -> str:
        """What to say if the table is empty. May be called at any time."""
        if any(host.state.snapshot and len(host.state.snapshot.rows) for host in self._hosts):
            return ""
        return "no host that has answered has a TCP connection"

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process on one of the hosts."""
        found = (host.cgroup(process) for host in self._hosts)
        return next((path for path in found if path is not None), None)

    def open(self) -> None:
        """Connect to all hosts, and wait for the first streams.

        :raises TcptopError: there is no stream; the message says why
        """
        if self._is_open:
            return
        self._is_open = True
        for host in self._hosts:
            host.start()
        begun_s = self._clock.monotonic_s()
        limit_s = begun_s + FIRST_S
        first_s: float | None = None
        while not self._stopped:
            now_s = self._clock.monotonic_s()
            self._advance()
            if all(host.state.tried for host in self._hosts):
                break
            if first_s is None and any(host.state.snapshot for host in self._hosts):
                first_s = now_s
            end_s = limit_s if first_s is None else min(limit_s, first_s + OTHERS_S)
            if now_s >= end_s:
                break
            self._clock.wait(self._wake, end_s - now_s)
        if not self._stopped and not any(host.state.snapshot for host in self._hosts):
            raise TcptopError(self._why_none())

    def _why_none(self) -> str:
        return "; ".join(f"{host.name}: {host.state.problem or NOT_YET}" for host in self._hosts)

    def stop(self) -> None:
        """Make :meth:`open` or the iteration end soon."""
        self._stopped = True
        self._wake.put(None)

    def close(self) -> None:
        """End all connections."""
        for number in (signal.SIGTERM, signal.SIGKILL):  # a command may ignore the first
            for host in self._hosts:
                host.stop(number)
            end_s = self._clock.monotonic_s() + LEAVE_S
            if all(host.join(max(0.0, end_s - self._clock.monotonic_s())) for host in self._hosts):
                break

    def set_refresh(self, _: float) -> None:
        """Does nothing: the refresh interval of the hosts is set when they start."""

    def set_trace(self, _: int | None) -> None:
        """Does nothing: the hosts take no requests."""

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield a snapshot when a host sends one or falls silent; those of several hosts share one.

        Each snapshot of a host is in one of these, also where several have come together. While nothing
        comes, the time goes on: the same rows are yielded again.
        """
        self.open()
        reported, due_s = "", 0.0
        while True:
            last = self._stopped
            self._advance()
            problem = self._problem()
            now_s = self._clock.monotonic_s()
            if last or problem != reported or self._has_news() or now_s >= due_s:
                reported, due_s = problem, now_s + QUIET_REFRESHES * self._refresh_s
                yield self._snapshot(problem)
            if last:
                return
            if not self._is_behind():
                self._pause(self._refresh_s / 2)
            if not (self._stopped or self._is_behind()):
                left_s = max(0.0, due_s - self._clock.monotonic_s())
                self._clock.wait(self._wake, min(left_s, 1.0))

    def _pause(self, seconds: float) -> None:
        end_s = self._clock.monotonic_s() + seconds
        while not self._stopped and (left_s := end_s - self._clock.monotonic_s()) > 0:
            self._clock.wait(self._wake, left_s)

    def _advance(self) -> None:
        """Go to the next state of each host whose snapshot, if it has one, has been merged."""
        for host in self._hosts:
            if not self._is_new(host):
                host.advance()

    def _is_new(self, host: RemoteHost) -> bool:
        return self._merged.get(host.name) is not host.state.snapshot

    def _has_news(self) -> bool:
        return any(map(self._is_new, self._hosts))

    def _is_behind(self) -> bool:
        """Whether a host has sent more than what is shown."""
        return any(host.is_ahead for host in self._hosts)

    def _snapshot(self, problem: str) -> Snapshot:
        several = len(self._hosts) > 1
        parts = []
        for host in self._hosts:
            state = host.state
            if state.snapshot is not None:
                name = host.name if several else ""
                parts.append(Part(name, state.seed, state.snapshot, self._is_new(host)))
            self._merged[host.name] = state.snapshot
        found = merged(parts, self._clock.wall_ns(), self._clock.monotonic_ns(), problem)
        self._health = found.health
        return found

    def _problem(self) -> str:
        """The hosts that have a problem, and which; empty if none has."""
        found = []
        for host in self._hosts:
            state = host.state
            silent_s = self._clock.monotonic_s() - state.came_s
            if state.snapshot is None:
                again = "; trying again" if state.tried else ""
                found.append(f"{host.name}: {state.problem or NOT_YET}{again}")
            elif state.problem:
                found.append(f"{host.name}: {state.problem}")
            elif silent_s > max(LATE_S, 3 * self._refresh_s):
                found.append(f"{host.name}: silent since {fmt.clock(state.time_ns / 1e9)}, rows are of then")
        return "; ".join(found)
