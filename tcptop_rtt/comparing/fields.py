"""The table of compared groups: its fields, for the screen, plain tables and JSON Lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.comparing.compared import COMPARED, MEASURES
from tcptop_rtt.comparing.shifts import MARK, TOO_FEW, far_off, farthest, mark, shift, shift_text
from tcptop_rtt.comparing.tally import KEY, KINDS
from tcptop_rtt.model.prefixes import USUAL_PREFIXES
from tcptop_rtt.model.rows import DIRECTIONS, Get, Mask
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import matches, networks, numbers, sort_keys, values
from tcptop_rtt.view.cells import Cell, MakeCell
from tcptop_rtt.view.field_kinds import choice, integer, text
from tcptop_rtt.view.field_units import Unit, unit_of
from tcptop_rtt.view.glyphs import UNICODE, Glyphs
from tcptop_rtt.view.group_fields import label as group_label
from tcptop_rtt.view.grouping import SERVICES
from tcptop_rtt.view.questions import Answer, Ask, Match
from tcptop_rtt.view.side_rows import SideRow, views
from tcptop_rtt.view.sort_keys import Keys, bits
from tcptop_rtt.view.table import Column, Field, Table


class _Measure(NamedTuple):
    name: str
    key: str
    title: str
    meaning: str
    text: Callable[[float], str]
    worse: int
    """1: a rise is bad; 0: neither direction is."""
    priority: int


_MEASURES = (
    _Measure("p50_us", "p50", "P50", "median of the RTT samples", fmt.rtt, 1, 2),
    _Measure("p99_us", "p99", "P99", "99th percentile of the RTT samples", fmt.rtt, 1, 3),
    _Measure("loss", "loss", "LOSS", "share of the data segments sent again", fmt.percent1, 1, 4),
    _Measure("in_bps", "in", "IN b/s", "received, bits per second", fmt.bits, 0, 6),
    _Measure("out_bps", "out", "OUT b/s", "sent and acknowledged, bits per second", fmt.bits, 0, 5),
    _Measure("connections", "count", "CONNS", "open at a time", fmt.per_second, 0, 7),
)
_BY_NAME = {measure.name: measure for measure in _MEASURES}


def label(row: np.void, glyphs: Glyphs = UNICODE) -> str:
    """Returns the name of the service or of the remote network."""
    if KINDS[row["kind"]] == "service":
        return group_label(SERVICES, row, glyphs)
    return networks.text(int(row["family"]), row["raddr"].tobytes(), USUAL_PREFIXES)


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
    """Sorts by the farthest shift, up or down; shifts that may be chance come after all others."""

    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        far = far_off(get, name)
        return Keys([bits(np.where(np.isnan(far), 0, far))], np.isnan(far), ~get(f"{name}_beyond"))

    return keys


def _by_farthest(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    far, _ = farthest(get)
    samples = get("samples_a") + get("samples_b")  # rows without a shift are sorted by these
    return Keys([bits(far), bits(samples)], np.zeros(len(far), bool))


def _farthest_names(get: Get, _: frozenset[str]) -> list[str | None]:
    return [MEASURES[at] if far else None for far, at in zip(*farthest(get), strict=True)]


def _farthest_cell(view: SideRow, _: Glyphs) -> Cell:
    far, at = farthest(lambda name: np.array([view.row[name]]))
    if not far[0]:
        return Cell(fmt.NOTHING, "dim")
    measure = _BY_NAME[MEASURES[int(at[0])]]
    return Cell(f"{measure.title.split()[0].lower()} {shift_text(view.row, measure.name)}", "warn")


def _label_cell(view: SideRow, glyphs: Glyphs) -> Cell:
    return Cell(label(view.row, glyphs))


def _by_label(get: Get, lacking: frozenset[str]) -> Keys:
    service = sort_keys.by_service(get, lacking)
    network = sort_keys.by_endpoint("r")(get, lacking)
    unknown = np.zeros(len(get("kind")), bool)
    return Keys([get("kind"), *service.columns, *network.columns], unknown)


def labels(get: Get, _: frozenset[str]) -> list[str]:
    """Returns the names of groups."""
    rows = np.zeros(len(get("id")), KEY)
    for name in KEY.names or ():
        rows[name] = get(name)
    return [label(row) for row in rows]


def _real(name: str, meaning: str, unit: Unit) -> Field:
    match = matches.numbers(numbers.of_field(name), unit)
    return Field(name, "number", meaning, values.reals(name), match)


def _shift_known(name: str, get: Get, _: frozenset[str]) -> tuple[NDArray[np.float64], Mask]:
    moved = shift(get, name)
    return moved, np.isnan(moved)


def _shifts(name: str, get: Get, _: frozenset[str]) -> list[Any]:
    return [value if np.isfinite(value) else None for value in shift(get, name).tolist()]


def _beyond(name: str, get: Get, _: frozenset[str]) -> list[Any]:
    few = np.isnan(get(f"{name}_chance"))
    return [None if one else bool(marked) for one, marked in zip(few, get(f"{name}_beyond"), strict=True)]


def _is_beyond(name: str) -> Match:
    """Matches only groups with enough data to judge the shift."""
    flag = matches.flags(f"{name}_beyond")

    def ask(sign: str, text: str) -> Ask:
        asked = flag.ask(sign, text)

        def answer(get: Get, lacking: frozenset[str]) -> Answer:
            yes, no = asked(get, lacking)
            has_chance = ~np.isnan(get(f"{name}_chance"))
            return Answer(yes & has_chance, no & has_chance)

        return answer

    return Match(ask, flag.example)


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
    unit, share = unit_of(name), unit_of("")
    return (
        *(_real(f"{name}_{side}", f"{of}, of {side.upper()}", unit) for side in "ab"),
        Field(
            f"{name}_shift",
            "number",
            f"{of}: B minus A" + ("" if name == "loss" else ", divided by A; null: A is 0 or not known"),
            partial(_shifts, name),
            matches.numbers(partial(_shift_known, name), share),
            column=column,
        ),
        _real(
            f"{name}_chance",
            f"{of}: the probability of such a shift by chance; null: too little data",
            share,
        ),
        Field(
            f"{name}_beyond_chance",
            "boolean",
            f"{of}: the shift is more than chance; null: too little data",
            partial(_beyond, name),
            _is_beyond(name),
        ),
    )


_FIELDS = (
    Field(
        "group",
        "string",
        "the service, by the server's port and, if it is ours, its process; or the remote network",
        labels,
        matches.texts(labels, str, "nginx"),
        column=Column(
            "process", "GROUP", 16, 0, "service, or remote network", _label_cell, _by_label,
            wide=30, numeric=False, cut="end",
        ),
    ),
    choice("kind", "service or network", KINDS),
    text("comm", "of a service of ours, the process's name", "nginx", words=("proc",)),
    integer("rport", "of a service, the server's port", words=("port",)),
    integer("samples_a", "how many RTT samples A has"),
    integer("samples_b", "how many RTT samples B has"),
    Field(
        "farthest",
        "string",
        "the measure that has shifted farthest beyond chance; null: none has",
        _farthest_names,
        matches.texts(_farthest_names, lambda name: name or "", MEASURES[0]),
        column=Column(
            "most", "MOST", 10, 1, "what has shifted farthest beyond chance", _farthest_cell, _by_farthest,
            numeric=False, falls=True,
        ),
    ),
    *(field for measure in _MEASURES for field in _fields_of(measure)),
)  # fmt: skip

_ALSO_ASKED = {
    **dict.fromkeys(("remote", "raddr"), matches.addresses("raddr")),
    **dict.fromkeys(("dir", "direction"), matches.choices("direction", DIRECTIONS)),
    "family": matches.numbers(numbers.of_field("family"), unit_of("family")),
}
"""Filter words without a field: a network's address and family, and who opened a service's connections."""

FIRST_SORT = "most"

TABLE = Table("groups", COMPARED, _FIELDS, views, _ALSO_ASKED)
"""The table of compared groups."""
