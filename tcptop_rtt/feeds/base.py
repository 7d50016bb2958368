"""The interface of feeds: the contract between what makes snapshots and the front end that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from tcptop_rtt.model.question import Question
from tcptop_rtt.model.snapshot import Health, Origin, ProcessKey, Snapshot


class Capability(Enum):
    """An ability that not every feed has. A front end offers only what its feed can do."""

    TRACE = auto()
    """It can report every ACK of one connection."""
    REFRESH = auto()
    """Its time between two snapshots can be changed."""
    MEASURE = auto()
    """It can measure what the program costs."""
    PLAY = auto()
    """It has a player: it can pause, continue, and go to any time."""


@dataclass(frozen=True, slots=True)
class Playing:
    """The state of a player. Times are of the recording's wall clock, Unix epoch."""

    on: bool = True
    """It is playing, not paused."""
    speed: float = 1.0
    first_ns: int = 0
    last_ns: int = 0
    """The latest time known so far."""
    at_ns: int = 0
    at_end: bool = False
    """The last snapshot is shown."""
    problem: str = ""
    """What cannot be read; empty if everything can."""
    moments: Sequence[Mapping[str, Any]] = ()
    """Notable moments, as the stream describes them."""


class Player(Protocol):
    """Controls what a feed shows next. Any thread may call it; each call brings a snapshot at once."""

    @property
    def playing(self) -> Playing:
        """The current state."""
        ...

    def play(self, on: bool, /) -> None:
        """Play, or pause."""
        ...

    def step(self, count: int, /) -> None:
        """Go forward by so many snapshots, or back if negative, and pause there."""
        ...

    def set_speed(self, speed: float, /) -> None:
        """Play so many times as fast as the original."""
        ...

    def seek(self, time_ns: int, /) -> None:
        """Go to a time."""
        ...


class Feed(Protocol):
    """Makes snapshots.

    One thread calls :meth:`open`, then :meth:`snapshots` or :meth:`run`, and asks for :attr:`origin` and
    :meth:`cgroup`; it waits inside these calls. Everything else may be called from any thread and at any
    time, before ``open`` too. It never waits, and takes effect at the next turn of the first thread.

    Times in a snapshot are by the feed's own clock, and facts about processes come from the feed: a front end
    uses neither the clocks nor the ``/proc`` of this machine.
    """

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the feed can do; constant once the feed is open."""
        ...

    @property
    def health(self) -> Health:
        """The health before the first snapshot; each snapshot has its own."""
        ...

    @property
    def origin(self) -> Origin:
        """Where the snapshots are from; known once the feed is open."""
        ...

    @property
    def player(self) -> Player | None:
        """The player; None without PLAY."""
        return None

    @property
    def question(self) -> Question | None:
        """The question that the feed asks the server of a fleet; None if the feed asks no server."""
        return None

    @property
    def stage(self) -> str:
        """What :meth:`open` is waiting for; empty if for nothing that takes long."""
        return ""

    @property
    def problem(self) -> str:
        """What of a recording could not be read so far; empty if all of it, or if there is none."""
        return ""

    def open(self) -> None:
        """Wait until the feed can begin, or is stopped.

        :raises TcptopError: the feed cannot run here; the message says why
        :raises OSError: the system lacks something at the moment, such as a free descriptor
        """
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield a snapshot at once, then one per refresh until stopped, and a last one."""
        ...

    def run(self, publish: Callable[[Snapshot], None]) -> None:
        """Publish each of the :meth:`snapshots`."""
        for snapshot in self.snapshots():
            publish(snapshot)

    def stop(self) -> None:
        """Make ``open`` or the iteration end soon. A signal handler may call it."""
        ...

    def set_refresh(self, seconds: float, /) -> None:
        """Set the time between two snapshots, and make one at once. Without REFRESH this does nothing."""
        ...

    def set_trace(self, connection: int | None, /) -> None:
        """Report every ACK of one connection in ``Snapshot.trace``; None: of no connection.

        Without TRACE there is no trace, or one without single ACKs that has what is known of the process.
        """
        ...

    def scan(self) -> None:
        """Read all sockets, however lately that was done, and make a snapshot at once.

        A feed that reads no sockets itself does nothing.
        """
        return

    def measure_cost(self) -> None:
        """Measure what the program costs for about a second, then make a snapshot with a newer
        ``Snapshot.cost``. Without MEASURE this does nothing.
        """
        return

    def ask(self, question: Question, /) -> None:  # noqa: ARG002
        """Ask the server another question. This does nothing if :attr:`question` is None."""
        return

    def cgroup(self, process: ProcessKey, /) -> str | None:
        """The path of a process's control group; None if not known."""
        ...
