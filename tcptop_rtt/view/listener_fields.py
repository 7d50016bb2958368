"""The table of listeners: its fields, which the stream has as far as scans bring them, and its columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.rows import Get
from tcptop_rtt.view import cells, matches, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cells import Cell, MakeCell
from tcptop_rtt.view.fields import integer
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.listening import LISTENING, TROUBLES
from tcptop_rtt.view.sort_keys import Keys, SortKeys
from tcptop_rtt.view.table import Column, Field, Table


class Listener:
    """One row, with what its cells need."""

    closed = False

    def __init__(self, row: np.void, lacking: frozenset[str]) -> None:
        self.row = row
        self.lacking = lacking

    @property
    def trouble(self) -> str | None:
        """The worst that is wrong with it."""
        return TROUBLES[int(self.row["trouble"])]

    def number(self, name: str) -> int | None:
        """One of its numbers; None: this kernel does not tell it."""
        return None if name in self.lacking else int(self.row[name])


def _views(rows: NDArray[np.void], lacking: frozenset[str]) -> list[Listener]:
    return [Listener(row, lacking) for row in rows]


def label(row: np.void, glyphs: Glyphs = UNICODE) -> str:
    """Where it listens."""
    address = int(row["family"]), row["laddr"].tobytes(), int(row["lport"])
    return fmt.endpoint(*address, int(row["ifindex"]), glyphs=glyphs)


def _process(listener: Listener, glyphs: Glyphs) -> Cell:
    name = fmt.printable(bytes(listener.row["comm"]), glyphs)
    return Cell(name or fmt.UNKNOWN, "" if name else "dim")


def _pid(listener: Listener, _: Glyphs) -> Cell:
    return Cell(str(listener.row["pid"] or fmt.UNKNOWN), "dim")


def _count(name: str, style: str = "") -> MakeCell:
    def cell(listener: Listener, _: Glyphs) -> Cell:
        number = listener.number(name)
        return Cell(fmt.UNKNOWN if number is None else fmt.tally(number), style if number else "dim")

    return cell


def _queue(listener: Listener, glyphs: Glyphs) -> Cell:
    text, style = _count("queue")(listener, glyphs)
    return Cell(text, "bad" if listener.trouble == "queue-full" else style)


def _age(listener: Listener) -> str:
    return (">" if listener.row["oldest_is_older"] else "") + fmt.age(int(listener.row["oldest_ns"]))


def _oldest(listener: Listener, _: Glyphs) -> Cell:
    if listener.row["oldest_ns"]:
        return Cell(_age(listener), "warn" if listener.trouble else "")
    # Who waits there is found by another part of the scan, which may have come too late.
    return Cell(fmt.UNKNOWN if listener.number("queue") else fmt.NOTHING, "dim")


def _drops_per_s(listener: Listener, _: Glyphs) -> Cell:
    rate = float(listener.row["drops_per_s"])
    if np.isnan(rate) or "drops" in listener.lacking:
        return Cell(fmt.UNKNOWN, "dim")
    return Cell(fmt.per_second(rate), "bad" if rate else "dim")


def _read(listener: Listener, _: Glyphs) -> Cell:
    read_ms = int(listener.row["read_ms"])
    return Cell("" if read_ms < known.FRESH_MS else fmt.age(read_ms * 1_000_000), "dim")


def _why(listener: Listener, _: Glyphs) -> Cell:
    match listener.trouble:
        case "queue-full":
            return Cell("queue full", "bad")
        case "drops":
            return Cell(f"drops {fmt.per_second(float(listener.row['drops_per_s']))}/s", "bad")
        case "backlog":
            return Cell(f"backlog {_age(listener)}", "warn")
        case _:
            return Cell("")


def _by_trouble(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """The worst is the highest; of those alike the one with the longer queue."""
    trouble = get("trouble")
    worst = np.where(trouble > 0, len(TROUBLES) - trouble, 0)
    return Keys([worst, get("queue"), get("oldest_ns"), get("live")], np.zeros(len(trouble), bool))


def _by_rate(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    rates = get("drops_per_s")
    return Keys([np.nan_to_num(rates).astype(np.float32).view(np.uint32)], np.isnan(rates))


def _number(
    name: str,
    meaning: str,
    key: str,
    title: str,
    width: int,
    priority: int,
    cell: MakeCell,
    sort: SortKeys | None = None,
) -> Field:
    sort = sort or sort_keys.by_positive(name)
    return integer(name, meaning, Column(key, title, width, priority, meaning, cell, sort))


def _text(name: str, meaning: str, example: str, column: Column | None = None) -> Field:
    return Field(name, "string", meaning, values.texts(name), matches.names(name, example), column=column)


def _cell_of_label(listener: Listener, glyphs: Glyphs) -> Cell:
    return Cell(label(listener.row, glyphs))


_LOCAL = Column(
    "local",
    "LOCAL",
    21,
    0,
    "address and port; 0.0.0.0 and [::]: all addresses",
    _cell_of_label,
    sort_keys.by_endpoint("l"),
    wide=47,
    numeric=False,
    cut="middle",
)
_PROCESS = Column(
    "process",
    "PROCESS",
    15,
    9,
    "who listens; of several the one with the lowest PID",
    _process,
    sort_keys.by_name,
    least=(10, 3),
    numeric=False,
    cut="end",
)
_UNIT = Column(
    "unit",
    "UNIT",
    20,
    12,
    "the container, pod or systemd unit of the process",
    cells.text("unit"),
    sort_keys.by_text("unit"),
    numeric=False,
    cut="end",
)
_WHY = Column(
    "why",
    "WHY",
    16,
    4,
    "queue full: it takes no more; drops: it drops some; backlog: one has waited for a second",
    _why,
    _by_trouble,
    numeric=False,
    falls=True,
    cut="end",
)

_FIELDS = (
    integer("id", "a number for the listener, never used twice in one run", nullable=False),
    Field(
        "laddr",
        "string",
        "the address that it listens on",
        values.addresses("laddr"),
        matches.addresses("laddr"),
        nullable=False,
        column=_LOCAL,
    ),
    integer("lport", "its port", nullable=False),
    _text("comm", "the name of the process; of several of the one with the lowest PID", "nginx", _PROCESS),
    _number(
        "pid", "its number; null beside a comm: it is in another PID namespace", "pid", "PID", 7, 7, _pid
    ),
    integer(
        "uid", "the process's effective one; the socket's, as long as no process is known", nullable=False
    ),
    integer("started_ns", "when the process was started, nanoseconds since the machine was"),
    _number("queue", "connections that wait to be accepted (sk_ack_backlog)", "queue", "QUEUE", 6, 1, _queue),
    _number(
        "queue_limit",
        "it is full when more than so many wait (sk_max_ack_backlog)",
        "limit",
        "LIMIT",
        6,
        2,
        _count("queue_limit"),
    ),
    _number(
        "oldest_ns",
        "how long one has waited to be accepted, at this address and port; >: or longer",
        "oldest",
        "OLDEST",
        6,
        6,
        _oldest,
    ),
    _number(
        "drops_per_s",
        "dropped per second, over about the last five; ?: it has been read once only",
        "drops_per_s",
        "DROP/s",
        6,
        5,
        _drops_per_s,
        _by_rate,
    ),
    _number(
        "drops",
        "handshakes and segments that it has dropped (sk_drops): most overflows of the queue",
        "drops",
        "DROPS",
        6,
        8,
        _count("drops", "warn"),
    ),
    _number(
        "live",
        "connections accepted at this address and port, and open",
        "live",
        "LIVE",
        5,
        10,
        _count("live"),
    ),
    _text(
        "unit",
        "the container, the pod or the unit of systemd that the process runs in",
        "nginx.service",
        _UNIT,
    ),
    _number(
        "read_ms",
        "since a scan has read queue and drops; on the screen from 10 s on",
        "read",
        "READ",
        5,
        11,
        _read,
        sort_keys.by_number("read_ms"),
    ),
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    integer("ifindex", "of the interface that it is bound to; 0: none", nullable=False),
    integer("trouble", "what is wrong, the worst", _WHY),
)

STREAMED = tuple(
    field for field in _FIELDS if field.name in (LISTENER.names or ()) and field.name != "drops_per_s"
)
"""What the stream has of a listener: the rest can be told from this and from the connections."""

TABLE: Table = Table("listeners", LISTENING, _FIELDS, _views, dict[str, Any]())
