"""The table of listeners: its fields and columns. The stream has only the fields that a scan reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tcptop_rtt.model import known
from tcptop_rtt.model.listeners import LISTENER
from tcptop_rtt.model.rows import Get
from tcptop_rtt.view import addresses, cells, parsing, side_rows, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.field_kinds import host, integer, interface, text
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.listening import LISTENING, TROUBLES
from tcptop_rtt.view.side_rows import SideRow, count, number
from tcptop_rtt.view.sort_keys import Keys
from tcptop_rtt.view.table import Column, Table


def label(row: np.void, glyphs: Glyphs = UNICODE) -> str:
    """The endpoint that a listener listens on."""
    address = int(row["family"]), row["laddr"].tobytes(), int(row["lport"])
    interface = int(row["ifindex"]), bytes(row["interface"])
    return addresses.endpoint(*address, *interface, glyphs)


def _local(listener: SideRow, glyphs: Glyphs) -> Cell:
    return Cell(label(listener.row, glyphs))


def _trouble(listener: SideRow) -> str | None:
    return TROUBLES[int(listener.row["trouble"])]


def _queue(listener: SideRow, glyphs: Glyphs) -> Cell:
    is_full = _trouble(listener) == "queue-full"
    return count("queue", "bad" if is_full else "")(listener, glyphs)


def _age(listener: SideRow) -> str:
    return (">" if listener.row["oldest_is_older"] else "") + fmt.age(int(listener.row["oldest_ns"]))


def _oldest(listener: SideRow, _: Glyphs) -> Cell:
    if listener.row["oldest_ns"]:
        return Cell(_age(listener), "warn" if _trouble(listener) else "")
    # Another part of the scan finds the waiting connections: it may run after they have been accepted.
    return Cell(fmt.UNKNOWN if listener.number("queue") else fmt.NOTHING, "dim")


def _drops_per_s(listener: SideRow, _: Glyphs) -> Cell:
    rate = float(listener.row["drops_per_s"])
    if np.isnan(rate) or "drops" in listener.lacking:
        return Cell(fmt.UNKNOWN, "dim")
    return Cell(fmt.per_second(rate), "bad" if rate else "dim")


def _read(listener: SideRow, _: Glyphs) -> Cell:
    read_ms = int(listener.row["read_ms"])
    return Cell("" if read_ms < known.FRESH_MS else fmt.age(read_ms * 1_000_000), "dim")


def _why(listener: SideRow, _: Glyphs) -> Cell:
    match _trouble(listener):
        case "queue-full":
            return Cell("queue full", "bad")
        case "drops":
            return Cell(f"drops {fmt.per_second(float(listener.row['drops_per_s']))}/s", "bad")
        case "backlog":
            return Cell(f"backlog {_age(listener)}", "warn")
        case _:
            return Cell("")


def _by_trouble(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """Sort keys: the worst trouble is the highest; for the same trouble, the longer queue."""
    trouble = get("trouble")
    worst = np.where(trouble > 0, len(TROUBLES) - trouble, 0)
    return Keys([worst, get("queue"), get("oldest_ns"), get("live")], np.zeros(len(trouble), bool))


_UNIT = Column(
    "unit", "UNIT", 20, 12, "the container, pod or systemd unit of the process", cells.text("unit"),
    sort_keys.by_text("unit"), numeric=False, cut="end",
)  # fmt: skip

_FIELDS = (
    integer("id", "a number for the listener, never used twice in one run", nullable=False),
    host("where it is"),
    side_rows.endpoint(
        "l", "local", "LOCAL", "the address that it listens on",
        "address and port; 0.0.0.0 and [::]: all addresses", _local,
    ),
    integer("lport", "its port", nullable=False),
    side_rows.process(
        "the name of the process; of several of the oldest",
        "who listens; of several the oldest", "nginx",
    ),
    number(
        "pid", "its number; null beside a comm: it is in another PID namespace", "pid", "PID", 7, 7,
        side_rows.pid,
    ),
    integer("uid", "the process's effective one; the socket's where no process is known", nullable=False),
    integer("started_ns", "when the process was started, nanoseconds since the machine was"),
    number(
        "queue", "connections that wait to be accepted (sk_ack_backlog)", "queue", "QUEUE", 6, 1, _queue
    ),
    number(
        "queue_limit", "it is full when more than so many wait (sk_max_ack_backlog)", "limit", "LIMIT", 6, 2,
        count("queue_limit"),
    ),
    number(
        "oldest_ns", "how long one has waited to be accepted, at this address and port; >: or longer",
        "oldest", "OLDEST", 6, 6, _oldest,
    ),
    number(
        "drops_per_s", "dropped per second, over about the last five; ?: it has been read once only",
        "drops_per_s", "DROP/s", 6, 5, _drops_per_s, sort_keys.by_number("drops_per_s"),
    ),
    number(
        "drops", "handshakes and segments that it has dropped (sk_drops): most overflows of the queue",
        "drops", "DROPS", 6, 8, count("drops", "warn"),
    ),
    number(
        "live", "connections accepted at this address and port, and open", "live", "LIVE", 5, 10,
        count("live"),
    ),
    text(
        "unit", "the container, the pod or the unit of systemd that the process runs in", "nginx.service",
        _UNIT,
    ),
    number(
        "read_ms", "since a scan has read queue and drops; on the screen from 10 s on", "read", "READ", 5, 11,
        _read, sort_keys.by_number("read_ms"),
    ),
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    interface("that it is bound to, as with link-local addresses; its number, if it has no name"),
    integer("ifindex", "the number of that interface; 0: it is bound to none", nullable=False),
    side_rows.verdict(
        "trouble", "queue full: it takes no more; drops: it drops some; backlog: one has waited for too long",
        16, 4, _why, _by_trouble,
    ),
)  # fmt: skip

_IN_THE_STREAM: dict[str, dict[str, Any]] = {
    # In the stream, id, laddr and lport belong to connections: a search for port 443 must not find listeners.
    "id": {"name": "listener"},
    "laddr": {"name": "listen_address"},
    "lport": {"name": "listen_port"},
    "drops_per_s": {"type": "number", "values": values.reals("drops_per_s"), "parse": parsing.reals},
}

STREAMED = tuple(
    replace(field, **_IN_THE_STREAM.get(field.name, {}))
    for field in _FIELDS
    if field.name in (LISTENER.names or ())
)
"""The fields of a listener in the stream: the others follow from these and from the connections."""

TABLE = Table("listeners", LISTENING, _FIELDS, side_rows.views, {})
