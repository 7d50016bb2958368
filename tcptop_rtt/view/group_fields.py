"""The tables of groups: a first column with the group's name, then the same columns for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import hosts
from tcptop_rtt.model.names import NO_NAMES, Address, Names
from tcptop_rtt.model.records import Direction
from tcptop_rtt.model.snapshot import SPARK_CELLS, SPARK_S
from tcptop_rtt.view import addresses, causes, cells, sort_keys
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.field_kinds import integer
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.grouping import GROUP, HOSTS, PROCESSES, SERVICES, UNITS, Grouping
from tcptop_rtt.view.sort_keys import SortKeys
from tcptop_rtt.view.table import Column, Cut, Field, Table


class Group:
    """A row of a table of groups, with what its cells need."""

    closed = False

    def __init__(self, row: np.void, names: Names) -> None:
        self.row = row
        self.names = names


def _views(
    rows: NDArray[np.void], lacking: frozenset[str], names: Names = NO_NAMES, /  # noqa: ARG001
) -> list[Group]:  # fmt: skip
    return [Group(row, names) for row in rows]


def label(grouping: Grouping, row: np.void, glyphs: Glyphs, names: Names = NO_NAMES) -> str:
    """The name of a group: what its connections have in common."""
    name = fmt.printable(bytes(row["comm"]), glyphs)
    if grouping is HOSTS:
        address = Address(int(row["family"]), row["raddr"].tobytes())
        interface = int(row["ifindex"]), bytes(row["interface"])
        return names.host(address) or addresses.host(*address, *interface, glyphs)
    if grouping is PROCESSES:
        host = fmt.printable(hosts.name_of(int(row["host"])), glyphs)
        process = fmt.holder(int(row["holder"]), bytes(row["comm"]), glyphs)
        return f"{f'{host}: ' if host else ''}{process} {row['pid'] or ''}".rstrip()
    if grouping is UNITS:
        return fmt.printable(bytes(row["unit"]), glyphs) or fmt.NOTHING
    port = f":{int(row['rport']) or fmt.UNKNOWN} {names.service(int(row['rport']))}".rstrip()
    server = name or fmt.UNKNOWN if row["direction"] == Direction.IN else glyphs.outgoing
    return f"{server} {port}"


def _number(name: str, column: Column) -> Field:
    return integer(name, column.meaning, column, nullable=False)


def _rtt(name: str, key: str, title: str, priority: int, meaning: str) -> Field:
    def cell(group: Group, _: Glyphs) -> Cell:
        us = int(group.row[name])
        return Cell(fmt.rtt(us), fmt.level(us) if us else "dim")

    sort = sort_keys.by_positive(name)
    return _number(name, Column(key, title, fmt.RTT_WIDTH, priority, meaning, cell, sort))


def _count(
    name: str,
    key: str,
    title: str,
    width: int,
    priority: int,
    meaning: str,
    style: str = "",
    text: Callable[[Any], str] = fmt.tally,
) -> Field:
    def cell(group: Group, _: Glyphs) -> Cell:
        number = group.row[name].item()
        return Cell(text(number), style if number else "dim")

    return _number(name, Column(key, title, width, priority, meaning, cell, sort_keys.by_positive(name)))


def _why(group: Group, _: Glyphs) -> Cell:
    cause = causes.numbered(int(group.row["verdict"]))
    return cells.cause(cause, cause.name if cause else "")


def _table(grouping: Grouping, title: str, meaning: str, sort: SortKeys) -> Table:
    def name(group: Group, glyphs: Glyphs) -> Cell:
        return Cell(label(grouping, group.row, glyphs, group.names))

    # Addresses of one network differ at their ends.
    cut: Cut = "middle" if grouping is HOSTS else "end"
    first = Column("process", title, 24, 0, meaning, name, sort, wide=40, numeric=False, cut=cut)
    spark = Column(
        "spark", f"LAST {SPARK_S}s", 8, 7, "highest RTT per second of the group", None, None,
        wide=SPARK_CELLS, numeric=False,
    )  # fmt: skip
    meant = "the most severe cause in the group"
    why = Column(
        "why", "WHY", 16, 3, meant, _why, sort_keys.by_verdict, falls=True, numeric=False, cut="before number"
    )  # fmt: skip
    fields = (
        _number("id", first),
        _count("count", "count", "N", 6, 1, "how many connections"),
        _count("stalled", "stalled", "STALL", 5, 4, "how many of them are stalled", "bad"),
        _rtt("p50_us", "p50", "P50", 5, "median of the RTTs of now"),
        _rtt("p95_us", "rtt", "P95", 2, "95th percentile of the RTTs of now"),
        _rtt("worst_us", "worst", "WORST", 6, "the highest of them"),
        _number("rtt_hi_us", spark),
        _count("retrans_per_s", "retrans", "RETR/s", 6, 8, "sent again per second", "warn", fmt.per_second),
        _count("in_bps", "in", "IN b/s", 7, 9, "received, bits per second", "", fmt.bits),
        _count("out_bps", "out", "OUT b/s", 7, 10, "sent and acknowledged, bits per second", "", fmt.bits),
        _number("verdict", why),
    )  # fmt: skip
    return Table(grouping.name, GROUP, fields, _views, {})


TABLES = {
    HOSTS: _table(HOSTS, "REMOTE HOST", "the peer's address", sort_keys.by_endpoint("r")),
    SERVICES: _table(
        SERVICES, "SERVICE", "the server's port, and our process if it is the server", sort_keys.by_service
    ),
    PROCESSES: _table(PROCESSES, "PROCESS", "name and process id", sort_keys.by_name),
    UNITS: _table(UNITS, "UNIT", "container, pod or systemd unit", sort_keys.by_text("unit")),
}
"""The table of each grouping, in the order in which the user steps through them."""
