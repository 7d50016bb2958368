"""The table of what has been compared: its fields, of which screen, plain tables and JSON Lines are made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing.compared import COMPARED, MEASURES
from tcptop_rtt.comparing.tally import KINDS
from tcptop_rtt.model.prefixes import USUAL_PREFIXES
from tcptop_rtt.model.rows import Get
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import matches, networks, numbers, sort_keys, values
from tcptop_rtt.view.cells import Cell, MakeCell
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.group_fields import label as group_label
from tcptop_rtt.view.grouping import SERVICES
from tcptop_rtt.view.side_rows import SideRow, views
from tcptop_rtt.view.sort_keys import Keys, bits
from tcptop_rtt.view.table import Column, Field, Table

MARK = "*"
"""Behind a shift that is more than chance."""
TOO_FEW = "few"
"""In place of a mark: there is too little on a side to tell."""


class _Measure(NamedTuple):
    name: str
    key: str
    title: str
    meaning: str
    text: Callable[[float], str]
    worse: int
    """Which way is bad: 1, up; 0, neither."""
    priority: int


_MEASURES = (
    _Measure("p50_us", "p50", "P50", "median of the RTT samples", fmt.rtt, 1, 2),
    _Measure("p99_us", "p99", "P99", "99th percentile of the RTT samples", fmt.rtt, 1, 3),
    _Measure("loss", "loss", "LOSS", "share of the data segments sent again", fmt.percent1, 1, 4),
    _Measure("in_bps", "in", "IN b/s", "received, bits per second", fmt.bits, 0, 6),
    _Measure("out_bps", "out", "OUT b/s", "sent and acknowledged, bits per second", fmt.bits, 0, 5),
    _Measure("connections", "count", "CONNS", "open at a time", fmt.per_second, 0, 7),
)


def label(row: np.void, glyphs: Glyphs = UNICODE) -> str:
    """The service or the remote network."""
    if KINDS[row["kind"]] == "service":
        return group_label(SERVICES, row, glyphs)
    return networks.text(int(row["family"]), row["raddr"].tobytes(), USUAL_PREFIXES)


def shift(rows: Get, name: str) -> NDArray[np.float64]:
    """How far a number has shifted, as a share of what it was: 0.5: half as much again; -1: there is none.

    Where there was none before it is inf; where one of both is not known, nan. Of loss the shares are
    subtracted.
    """
    before, after = rows(f"{name}_a"), rows(f"{name}_b")
    if name == "loss":
        return np.asarray(after - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where((before == 0) & (after == 0), 0.0, after / before - 1)
    return np.asarray(found)


def shift_text(row: np.void, name: str) -> str:
    """As ``+50%``, ``x12``, ``new``, ``gone``; loss in points of a per cent: ``+1.2``; empty: not known."""
    moved = float(shift(row.__getitem__, name))
    if np.isnan(moved):
        return ""
    if name == "loss":
        return f"{100 * moved:+.1f}" if abs(moved) >= _LEAST_LOSS else "0.0"
    if np.isinf(moved):
        return "new"
    if moved <= -1:
        return "gone"
    if moved >= _TIMES:
        return f"x{moved + 1:.0f}"
    return f"{moved:+.0%}" if abs(moved) >= _LEAST_SHARE else "0%"


_TIMES = 9.995
_LEAST_LOSS, _LEAST_SHARE = 0.0005, 0.005


def mark(row: np.void, name: str) -> str:
    """What is said of chance: :data:`MARK`, :data:`TOO_FEW` or nothing."""
    if row[f"{name}_beyond"]:
        return MARK
    return TOO_FEW if np.isnan(row[f"{name}_chance"]) else ""


def _of_measure(measure: _Measure) -> MakeCell:
    def cell(view: SideRow, glyphs: Glyphs) -> Cell:
        row = view.row
        before, after = (_said(measure, float(row[f"{measure.name}_{side}"])) for side in "ab")
        if before == after == fmt.NOTHING:
            return Cell(fmt.NOTHING, "dim")
        said = f"{before}{glyphs.outgoing}{after} {shift_text(row, measure.name):>5}"
        style = "dim"
        if row[f"{measure.name}_beyond"]:
            rises = bool(row[f"{measure.name}_b"] > row[f"{measure.name}_a"])
            style = "warn" if not measure.worse else "bad" if rises else "good"
        return Cell(f"{said} {mark(row, measure.name):<3}", style)

    return cell


def _said(measure: _Measure, value: float) -> str:
    return fmt.NOTHING if np.isnan(value) else measure.text(value)


def _by_shift(name: str) -> Callable[[Get, frozenset[str]], Keys]:
    """The farthest first, up or down; those that may be chance after all that are not."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        far = far_off(get, name)
        return Keys([bits(np.where(np.isnan(far), 0, far))], np.isnan(far), ~get(f"{name}_beyond"))

    return keys


def far_off(get: Get, name: str) -> NDArray[np.float64]:
    """How far, whichever way: twice as much is as far as half as much."""
    moved = shift(get, name)
    if name == "loss":
        return np.abs(moved) * _LOSS_WEIGHT
    with np.errstate(divide="ignore"):
        return np.minimum(np.abs(np.log2(np.maximum(moved + 1, 0))), _FARTHEST)


_LOSS_WEIGHT = 50.0
"""Two points of a per cent more are as far as twice the RTT."""
_FARTHEST = 20.0


def _farthest(get: Get) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Of each row how far the farthest shift beyond chance is, and which one; 0: there is none."""
    far = np.stack([np.where(get(f"{name}_beyond"), far_off(get, name), 0.0) for name in MEASURES])
    return far.max(axis=0), far.argmax(axis=0)


def _by_farthest(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    far, _ = _farthest(get)
    samples = get("samples_a") + get("samples_b")  # of those without the busiest come first
    return Keys([bits(far), bits(samples)], np.zeros(len(far), bool))


def _farthest_cell(view: SideRow, _: Glyphs) -> Cell:
    far, at = _farthest(lambda name: np.array([view.row[name]]))
    if not far[0]:
        return Cell(fmt.NOTHING, "dim")
    measure = _MEASURES[int(at[0])]
    return Cell(f"{measure.title.split()[0].lower()} {shift_text(view.row, measure.name)}", "warn")


def _label_cell(view: SideRow, glyphs: Glyphs) -> Cell:
    return Cell(label(view.row, glyphs))


def _by_label(get: Get, lacking: frozenset[str]) -> Keys:
    service = sort_keys.by_service(get, lacking)
    network = sort_keys.by_endpoint("r")(get, lacking)
    unknown = np.zeros(len(get("kind")), bool)
    return Keys([get("kind"), *service.columns, *network.columns], unknown)


def _labels(get: Get, _: frozenset[str]) -> list[str]:
    rows = np.zeros(len(get("id")), COMPARED)
    for name in ("kind", "family", "raddr", "rport", "comm", "direction"):
        rows[name] = get(name)
    return [label(row) for row in rows]


def _field(name: str, type_: str, meaning: str, of: values.Values, column: Column | None = None) -> Field:
    match = matches.numbers(numbers.of_field(name), matches.unit_of(name))
    return Field(name, type_, meaning, of, match, column=column)


def _shifts(name: str, get: Get, _: frozenset[str]) -> list[Any]:
    return [value if np.isfinite(value) else None for value in shift(get, name).tolist()]


def _beyond(name: str, get: Get, _: frozenset[str]) -> list[Any]:
    few = np.isnan(get(f"{name}_chance"))
    return [None if one else bool(marked) for one, marked in zip(few, get(f"{name}_beyond"), strict=True)]


def _fields_of(measure: _Measure) -> tuple[Field, ...]:
    name, of = measure.name, measure.meaning
    meaning = f"{of}, A and B, how far it has shifted; {MARK}: more than chance, {TOO_FEW}: too few to tell"
    width = {"p50": 24, "p99": 24, "loss": 21, "count": 17}.get(measure.key, 20)
    column = Column(
        measure.key,
        measure.title,
        width,
        measure.priority,
        meaning,
        _of_measure(measure),
        _by_shift(name),
    )
    return (
        *(
            _field(f"{name}_{side}", "number", f"{of}, of {side.upper()}", values.reals(f"{name}_{side}"))
            for side in "ab"
        ),
        _field(
            f"{name}_shift",
            "number",
            f"{of}: B less A" + ("" if name == "loss" else ", divided by A; null: A is 0 or not known"),
            partial(_shifts, name),
            column,
        ),
        _field(
            f"{name}_chance",
            "number",
            f"{of}: the probability of such a shift by chance; null: too little data",
            values.reals(f"{name}_chance"),
        ),
        _field(
            f"{name}_beyond_chance",
            "boolean",
            f"{of}: the shift is more than chance; null: too little data",
            partial(_beyond, name),
        ),
    )


_FIELDS = (
    _field(
        "group",
        "string",
        "the service, by the server's port and, if it is ours, its process; or the remote network",
        _labels,
        Column(
            "process", "GROUP", 16, 0, "service, or remote network", _label_cell, _by_label,
            wide=30, numeric=False, cut="end",
        ),
    ),
    _field("kind", "string", "service or network", lambda get, _: [KINDS[kind] for kind in get("kind")]),
    _field("comm", "string", "of a service of ours, the process's name", values.texts("comm")),
    _field(
        "rport",
        "integer",
        "of a service, the server's port",
        values.integers("rport"),
    ),
    _field("samples_a", "integer", "how many RTT samples A has", values.integers("samples_a")),
    _field("samples_b", "integer", "how many B has", values.integers("samples_b")),
    _field(
        "farthest",
        "string",
        "the measure that has shifted farthest beyond chance; null: none has",
        lambda get, _: [
            MEASURES[at] if far else None for far, at in zip(*_farthest(get), strict=True)
        ],
        Column(
            "most", "MOST", 10, 1, "what has shifted farthest beyond chance", _farthest_cell, _by_farthest,
            numeric=False, falls=True,
        ),
    ),
    *(field for measure in _MEASURES for field in _fields_of(measure)),
)  # fmt: skip

TABLE = Table("groups", COMPARED, _FIELDS, views, {})
"""What has been compared."""
