"""What a feed is: the contract between whatever makes snapshots and the front end that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from tcptop_rtt.model.question import Question
from tcptop_rtt.model.snapshot import Health, Origin, ProcessKey, Snapshot


class Capability(Enum):
    """What not every feed can do. A front end does not offer what its feed cannot."""

    TRACE = auto()
    """To report every ACK of one connection."""
    REFRESH = auto()
    """To take another time between two snapshots."""
    MEASURE = auto()
    """To measure what the program costs."""
    PLAY = auto()
    """To stop, to go on, and to go to any time: it has a player."""


@dataclass(frozen=True, slots=True)
class Playing:
    """How something is being played. Times are of its own wall clock, Unix epoch."""

    on: bool = True
    """It goes on by itself."""
    speed: float = 1.0
    first_ns: int = 0
    last_ns: int = 0
    """As far as is known."""
    at_ns: int = 0
    at_end: bool = False
    """Nothing comes after what is shown."""
    problem: str = ""
    """What of it cannot be read; empty: all can."""
    moments: Sequence[Mapping[str, Any]] = ()
    """What has been of note, in the words of the stream."""


class Player(Protocol):
    """Decides what a feed shows next. Any thread may call it; the answer is a snapshot at once."""

    @property
    def playing(self) -> Playing:
        """As it is now."""
        ...

    def play(self, on: bool, /) -> None:
        """Go on, or stand still."""
        ...

    def step(self, count: int, /) -> None:
        """So many snapshots on, or back if that is negative; it stands still then."""
        ...

    def set_speed(self, speed: float, /) -> None:
        """So many times as fast as it has been."""
        ...

    def seek(self, time_ns: int, /) -> None:
        """To what was at a time."""
        ...


class Feed(Protocol):
    """Where snapshots come from.

    One thread calls :meth:`open`, then :meth:`snapshots` or :meth:`run`, and asks for :attr:`origin` and
    :meth:`cgroup`; it waits inside these calls. All else may be called from any thread and at any time,
    before ``open`` too, never waits, and takes effect at the next turn of that thread.

    Times in a snapshot are by the feed's own clock, and the feed says what is known of a process: a front end
    asks neither the clocks nor the ``/proc`` of this machine.
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do; once it is open, it never changes."""
        ...

    @property
    def health(self) -> Health:
        """How it is doing, before the first snapshot; each snapshot has its own."""
        ...

    @property
    def origin(self) -> Origin:
        """Where the snapshots are from; known once it is open."""
        ...

    @property
    def player(self) -> Player | None:
        """What it is played by; None: it cannot PLAY."""
        return None

    @property
    def question(self) -> Question | None:
        """What it asks a server of many hosts; its snapshots are answers. None: it asks none."""
        return None

    @property
    def stage(self) -> str:
        """What :meth:`open` waits for at this moment; empty: for nothing that takes long."""
        return ""

    def open(self) -> None:
        """Wait until it can begin, or is stopped.

        :raises TcptopError: it cannot run here, and why
        :raises OSError: the system has not what it takes just now, such as a free descriptor
        """
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """A first snapshot at once, then one per refresh until stopped, and a last one."""
        ...

    def run(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish these snapshots."""
        for snapshot in self.snapshots():
            publish(snapshot)

    def stop(self) -> None:
        """Make ``open`` or the iteration end soon. A signal handler may call it."""
        ...

    def set_refresh(self, seconds: float, /) -> None:
        """Set the time between two snapshots; the answer is a snapshot at once. Without REFRESH: nothing."""
        ...

    def set_trace(self, connection: int | None, /) -> None:
        """Report every ACK of one connection in ``Snapshot.trace``; None: of none. Without TRACE there is no
        single ACK in it, if there is a trace at all, but what the feed knows of the process.
        """
        ...

    def measure_cost(self) -> None:
        """Measure what the program costs for about a second; the answer is a snapshot, with a newer
        ``Snapshot.cost``. Without MEASURE: nothing.
        """
        return

    def ask(self, question: Question, /) -> None:  # noqa: ARG002
        """Ask the server something else; the answer is a snapshot. Without a question: nothing."""
        return

    def cgroup(self, process: ProcessKey, /) -> str | None:
        """The path of a process's control group; None if it is not known."""
        ...
