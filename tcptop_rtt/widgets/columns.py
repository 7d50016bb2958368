"""The table's columns, in one place: title, width, importance, sort key, text and meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rich.cells import cell_len, set_cell_size

from tcptop_rtt.model.rows import Holder
from tcptop_rtt.model.snapshot import SPARK_CELLS, SPARK_S
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import known


class Cell(NamedTuple):
    """A cell's text, and the component class (without its prefix) that colours it."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``width`` is what it needs, ``wide`` what it can use, both in cells."""

    key: str
    title: str
    width: int
    wide: int
    priority: int  # 0 goes last when the terminal gets narrow
    meaning: str
    cell: Callable[[np.void, int, bool], Cell]  # row, width, unicode
    sortable: bool = True
    numeric: bool = True  # right-aligned; sorted from high to low at first


class Placed(NamedTuple):
    """A column with the width that it got."""

    column: Column
    width: int


def _process(row: np.void, width: int, unicode: bool) -> Cell:
    name = fmt.process(row, unicode)
    if cell_len(name) > width:
        name = set_cell_size(name, width - 1) + ("…" if unicode else "~")
    return Cell(name, "" if row["holder"] == Holder.PROCESS else "dim")


def _pid(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell(fmt.pid(row), "" if row["holder"] == Holder.PROCESS else "dim")


def _local(row: np.void, width: int, unicode: bool) -> Cell:
    text = fmt.local(row, unicode)
    return Cell(fmt.shorten(text, width, unicode), "dim")


def _remote(row: np.void, width: int, unicode: bool) -> Cell:
    text = fmt.remote(row, unicode)
    return Cell(fmt.shorten(text, width, unicode))


def _state(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    text = fmt.state(int(row["state"]), bool(row["closed"]), bool(row["stalled"]))
    return Cell(text, "stalled" if text == "STALLED" else "dim")


def _rtt(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    level = fmt.rtt_level(row)
    style = "stalled" if row["stalled"] else "dim" if level == "unknown" else level
    return Cell(fmt.rtt_now(row), style)


def _jitter(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell(fmt.rtt(known.value(row, "rttvar_us")), "dim")


def _min_rtt(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell(fmt.rtt(known.value(row, "min_rtt_us")), "dim")


def _retrans(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell(fmt.tally(int(row["retrans"])), "warn" if row["retrans_1m"] else "dim")


def _in(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return _rate(float(row["in_bps"]))


def _out(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return _rate(float(row["out_bps"]))


def _rate(bps: float) -> Cell:
    return Cell(fmt.bits(bps), "" if bps >= 1 else "dim")


def _age(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell(fmt.age_of(row), "dim")


def _spark(row: np.void, width: int, unicode: bool) -> Cell:  # noqa: ARG001
    return Cell("")  # drawn by the table, for all visible rows at once


COLUMNS = (
    Column(
        "process",
        "PROCESS",
        15,
        15,
        1,
        "who holds the socket; (name): listens, has not accepted it; -: nobody any more; ?: not known",
        _process,
        numeric=False,
    ),
    Column("pid", "PID", 7, 7, 4, "process id; -: none; ?: not known", _pid),
    Column("local", "LOCAL", 21, 47, 9, "our address and port", _local, numeric=False),
    Column("remote", "REMOTE", 21, 47, 2, "the peer's address and port", _remote, numeric=False),
    Column(
        "state",
        "STATE",
        10,
        10,
        3,
        "as in ss; STALLED: retransmitting or probing, no answer; CLOSED: gone, leaves in a few seconds",
        _state,
        numeric=False,
    ),
    Column(
        "rtt",
        "RTT",
        fmt.AGED_RTT_WIDTH,
        fmt.AGED_RTT_WIDTH,
        0,
        "smoothed round-trip time (srtt); green < 50 ms, yellow < 150 ms, red above; dim with an age: the "
        "latest sample is so old, or of the handshake; ~: estimated from what it receives; no ACK: stalled",
        _rtt,
    ),
    Column(
        "spark",
        f"LAST {SPARK_S}s",
        4,
        SPARK_CELLS,
        5,
        "highest RTT per second; all rows share the log scale in the title; space: no sample",
        _spark,
        sortable=False,
        numeric=False,
    ),
    Column(
        "jitter", "JITTER", fmt.RTT_WIDTH, fmt.RTT_WIDTH, 10, "mean deviation of the RTT (rttvar)", _jitter
    ),
    Column(
        "min_rtt",
        "MIN",
        fmt.RTT_WIDTH,
        fmt.RTT_WIDTH,
        12,
        "lowest RTT of the last minutes (min_rtt)",
        _min_rtt,
    ),
    Column(
        "retrans",
        "RETR",
        5,
        5,
        6,
        "segments retransmitted, in total; yellow: in the last minute, too",
        _retrans,
    ),
    Column("in", "IN b/s", 7, 7, 7, "received, bits per second", _in),
    Column("out", "OUT b/s", 8, 8, 8, "sent and acknowledged, bits per second", _out),
    Column("age", "AGE", 5, 5, 11, "since it was opened; >: it was there before we started", _age),
)

BY_KEY = {column.key: column for column in COLUMNS}
SORTABLE = tuple(column.key for column in COLUMNS if column.sortable)


def arrow(descending: bool, unicode: bool) -> str:
    """The mark of the column that the table is sorted by."""
    return ("▼" if descending else "▲") if unicode else ("v" if descending else "^")


_GROW = ("spark", "remote", "local")
"""Who gets spare width, in this order."""

GUTTER = 1
"""Cells before the first column: the cursor's mark."""
GAP = 1


@lru_cache(maxsize=64)
def place(width: int, long_addresses: bool) -> tuple[Placed, ...]:
    """The columns that fit into ``width`` cells; the most important one always does.

    :param long_addresses: there are IPv6 addresses, so wider address columns are of use.
    """
    room = width - GUTTER
    widths: dict[str, int] = {}
    for column in sorted(COLUMNS, key=lambda column: column.priority):
        needs = column.width + (GAP if widths else 0)
        if needs <= room or not widths:
            widths[column.key] = min(column.width, max(1, room))
            room -= needs
    for key in _GROW:
        column = BY_KEY[key]
        wide = column.wide if long_addresses or key not in ("local", "remote") else column.width
        if key in widths and room > 0:
            more = min(room, wide - column.width)
            widths[key] += more
            room -= more
    return tuple(Placed(column, widths[column.key]) for column in COLUMNS if column.key in widths)
