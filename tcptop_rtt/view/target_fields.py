"""The table of failed connects, one row per target: its fields and columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tcptop_rtt.model.rows import CONNECT_ERRORS, Get
from tcptop_rtt.model.targets import COUNTS, TARGET
from tcptop_rtt.view import addresses, parsing, side_rows, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cause_words import NOT_CONNECTED, way_to_fail
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.field_kinds import host, integer
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.side_rows import SideRow, count, number
from tcptop_rtt.view.sort_keys import Keys
from tcptop_rtt.view.table import Table


def label(row: np.void, glyphs: Glyphs = UNICODE) -> str:
    """The endpoint of a target."""
    return addresses.endpoint(int(row["family"]), row["raddr"].tobytes(), int(row["rport"]), glyphs=glyphs)


def _remote(target: SideRow, glyphs: Glyphs) -> Cell:
    return Cell(label(target.row, glyphs))


def _per_s(target: SideRow, _: Glyphs) -> Cell:
    rate = float(target.row["per_s"])
    return Cell(fmt.per_second(rate), "bad" if rate else "dim")


def _latest(target: SideRow, _: Glyphs) -> Cell:
    return Cell(fmt.age_in_steps(int(target.row["latest_ms"]) * 1_000_000), "dim")


def _why(target: SideRow, _: Glyphs) -> Cell:
    kind = way_to_fail(int(target.row["connect_error"]))
    rate = float(target.row["per_s"])
    return Cell(f"{kind} {fmt.per_second(rate)}/s", "bad") if rate else Cell(kind, "dim")


def _by_rate(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    """Sort keys: the highest rate is the highest; for the same rate, the latest failure."""
    recent = ~get("latest_ms")
    return Keys([sort_keys.bits(get("per_s")), recent], np.zeros(len(recent), bool))


_TITLES = ("REFUSED", "TIMEOUT", "UNREACH", "GIVEN UP", "NO PORT", "OTHER")

_FIELDS = (
    integer("id", "a number for the target, the same as long as the program runs", nullable=False),
    host("from where"),
    side_rows.endpoint("r", "remote", "REMOTE", "the address", "where connects go", _remote),
    integer("rport", "its port"),
    side_rows.process("the name of the process", "the process that connects", "curl"),
    number("pid", "the process id of the latest one", "pid", "PID", 7, 7, side_rows.pid),
    number("count", "how many connects have failed", "count", "N", 6, 1, count("count")),
    number("per_s", "failures per second, over about five", "per_s", "N/s", 6, 4, _per_s, _by_rate),
    number(
        "latest_ms",
        "since the latest failure",
        "latest",
        "LAST",
        5,
        5,
        _latest,
        sort_keys.by_number("latest_ms"),
    ),
    *(
        number(name, meaning, name, title, len(title), 10 + at, count(name))
        for at, (name, title, meaning) in enumerate(zip(COUNTS, _TITLES, NOT_CONNECTED, strict=True))
    ),
    integer("netns", "inode number of the network namespace"),
    integer("family", "4 or 6", nullable=False),
    side_rows.verdict(
        "connect_error", "how the latest one has failed; red: they go on failing", 18, 2, _why, _by_rate
    ),
)  # fmt: skip

_IN_THE_STREAM: dict[str, dict[str, Any]] = {
    # In the stream, id, raddr and rport belong to connections.
    "id": {"name": "target"},
    "raddr": {"name": "target_address"},
    "rport": {"name": "target_port"},
    "per_s": {"type": "number", "values": values.reals("per_s"), "parse": parsing.reals},
    "connect_error": {
        "type": "string",
        "values": values.choices("connect_error", CONNECT_ERRORS),
        "parse": parsing.choices(CONNECT_ERRORS),
        "choices": tuple(error for error in CONNECT_ERRORS if error),
    },
}

STREAMED = tuple(replace(field, **_IN_THE_STREAM.get(field.name, {})) for field in _FIELDS)
"""The fields of a target in the stream."""

TABLE = Table("failed connects", TARGET, _FIELDS, side_rows.views, {})
