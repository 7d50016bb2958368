"""The stream's ``column`` and ``state`` lines, each of which is about one field of many rows.

An idle connection has no line of its own for hours, but its ages, queues and rates change. A ``column`` line
has the changes of one field in the rows without a line, and a ``state`` line all values of one field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model import known
from tcptop_rtt.model.ids import among, places
from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.rows import Get, Indices, Mask, Rows, as_words, is_same, no_rows
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot
from tcptop_rtt.model.targets import no_targets
from tcptop_rtt.view.streamed import (
    CLOCKS,
    CONNECTION_COLUMNS,
    LISTENER_COLUMNS,
    OF_A_HOLDER,
    OF_A_LINE,
    TARGET_COLUMNS,
    Kind,
    advanced,
)

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a snapshot, in the order of their ids."""

    rows: Rows | NDArray[np.void]
    indices: Indices
    is_all: bool = False
    """The part is all rows in their order, so columns need not be copied."""

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The ids of the rows."""
        return self.get("id")

    def get(self, name: str) -> NDArray[Any]:
        """Return a column of the part."""
        return self.rows[name] if self.is_all else self.rows[name][self.indices]

    def find(self, ids: NDArray[np.uint64]) -> tuple[Indices, Mask]:
        """Return the place of each id in the part, -1 if it is not there; and which ids are there."""
        own = self.ids
        if len(own) == len(ids) and (own == ids).all():
            return np.arange(len(ids)), np.ones(len(ids), bool)
        at = places(own, ids)
        return at, at >= 0


def part_of(rows: Rows | NDArray[np.void], indices: Indices | None = None) -> Part:
    """Return the rows at the indices, or all rows, as a part."""
    is_all = indices is None
    indices = np.arange(len(rows)) if indices is None else indices
    ids = rows["id"][indices]
    ordered = len(ids) < 2 or bool((ids[1:] > ids[:-1]).all())
    return Part(rows, indices, is_all) if ordered else Part(rows, indices[np.argsort(ids)])


NOTHING = {
    CONNECTION_COLUMNS.name: part_of(no_rows()),
    LISTENER_COLUMNS.name: part_of(no_listeners()),
    TARGET_COLUMNS.name: part_of(no_targets()),
}


def _getter(part: Part, at: Indices) -> Get:
    rows = part.indices[at]
    return lambda name: part.rows[name][rows]


def changes(
    kind: Kind,
    last: Part,
    now: Part,
    with_line: NDArray[np.uint64],
    elapsed_ns: tuple[int, int],
    lacking: frozenset[str],
) -> Iterator[Line]:
    """Yield the changes in rows that have no line of their own.

    :param with_line: the ids of the rows that have one, ascending
    :param elapsed_ns: CLOCK_MONOTONIC of the previous and of this snapshot
    """
    ids = now.ids
    places, met = last.find(ids)
    quiet = np.flatnonzero(met & ~among(ids, with_line))
    if not len(quiet):
        return
    before_at, now_at = last.indices[places[quiet]], now.indices[quiet]
    in_place = len(last.rows) == len(now.rows) and bool((before_at == now_at).all())
    closed = np.zeros(len(quiet), bool)
    if kind is CONNECTION_COLUMNS:
        closed = now.rows["closed"][now_at]
    turned = _Turned(last.rows, before_at, now.rows, now_at)
    for field in kind.changing:
        name = kind.raw[field.name]
        was, is_ = last.rows[name], now.rows[name]
        differs = turned.of(name)
        if in_place and is_same(was, is_) and differs is None and name not in OF_A_LINE:
            continue
        if in_place and differs is None and name not in CLOCKS and not _differ(was, is_)[now_at].any():
            continue  # compared in place, without copying the rows
        was, is_ = was[before_at], is_[now_at]
        added: Line = {}
        if name in CLOCKS:
            unit_ns = CLOCKS[name]
            elapsed = elapsed_ns[1] // unit_ns - elapsed_ns[0] // unit_ns
            open_ms, closed_ms = (_common(was[mask], is_[mask], elapsed) for mask in (~closed, closed))
            added = {"plus": open_ms, "plus_closed": closed_ms}
            was = advanced(was, closed, open_ms, closed_ms)
            added = {key: value for key, value in added.items() if value}
        unlike = _differ(was, is_)
        differs = unlike if differs is None else differs | unlike
        if name in OF_A_LINE:
            differs = now.rows["rtt_samples"][now_at] > 0  # samples after a connection's last line
        if is_.dtype.kind == "f":
            differs &= ~(np.isnan(was) & np.isnan(is_))
        at = quiet[differs]
        if len(at) and name in known.MAY_SAY_NOTHING:
            unknown = known.is_unknown(_getter(now, at), name, lacking)
            unknown &= known.is_unknown(_getter(last, places[at]), name, lacking)
            at = at[~unknown]
        if len(at) or added:
            values = list(field.values(_getter(now, at), lacking))
            yield {
                "table": kind.name,
                "field": field.name,
                **added,
                "ids": ids[at].tolist(),
                "values": values,
            }


class _Turned:
    """Finds rows in which a field became known or unknown because another field changed."""

    def __init__(
        self, before: Rows | NDArray[np.void], before_at: Indices, now: Rows | NDArray[np.void], at: Indices
    ) -> None:
        self._before, self._before_at, self._now, self._at = before, before_at, now, at
        self._found: dict[str, Mask] = {}

    def of(self, name: str) -> Mask | None:
        """Return these rows for a field; None if there are none."""
        others = ("holder",) if name in OF_A_HOLDER else () if name in OF_A_LINE else known.told_by(name)
        masks = [mask for mask in map(self._by, others) if mask.any()]
        return np.logical_or.reduce(masks) if masks else None

    def _by(self, other: str) -> Mask:
        if other not in self._found:
            was, is_ = self._before[other][self._before_at], self._now[other][self._at]
            if other != "holder":
                was, is_ = known.is_nothing(other, was), known.is_nothing(other, is_)
            self._found[other] = was != is_
        return self._found[other]


def _common(was: NDArray[Any], is_: NDArray[Any], elapsed: int) -> int:
    """Return how much most ages have grown: by the elapsed time, or by 0 if they were not read again."""
    if not len(was):
        return 0
    grown = is_ - was
    middle = int(np.partition(grown, len(grown) // 2)[len(grown) // 2])
    least = min(1 << 52, np.iinfo(grown.dtype).max // 2)
    candidates = [number for number in (elapsed, 0, middle) if 0 <= number < least]  # a clock may go back
    return max(candidates, key=lambda number: int(np.count_nonzero(grown == number)))


def _differ(one: NDArray[Any], other: NDArray[Any]) -> Mask:
    """Return where two columns differ. Texts and addresses are compared as integers."""
    is_text = one.dtype.kind in "SV"
    found: Mask = np.any(as_words(one) != as_words(other), axis=1) if is_text else one != other
    return found


def state(kind: Kind, part: Part, lacking: frozenset[str]) -> Iterator[Line]:
    """Yield a line for each field, with the values of all rows."""
    rows = part.indices

    def get(name: str) -> NDArray[Any]:
        return part.rows[name][rows]

    columns = [(field.name, field.values(get, lacking)) for field in kind.fields]
    if kind is CONNECTION_COLUMNS:
        columns.append(("closed", get("closed").tolist()))
    columns.sort(key=lambda column: kind.raw.get(column[0]) != "id")  # the ids come first
    for name, values in columns:
        yield {"table": kind.name, "field": name, "values": values}


# --- cells of sparklines ------------------------------------------------------------


def cell_changes(last: Snapshot | None, before: Part, now: Snapshot, part: Part) -> Iterator[Line]:
    """Yield the changes in the cells of sparklines, a line for each second."""
    ids = part.ids
    places, met = before.find(ids)
    old = dict(cells_of(last)) if last is not None else {}
    in_place = bool(met.all()) and len(before.rows) == len(part.rows)
    in_place = in_place and bool((before.indices[places] == part.indices).all())
    for second, cells in cells_of(now):
        earlier = old.get(second)
        if in_place and earlier is not None and is_same(earlier, cells):
            continue
        values = cells[part.indices]
        was = np.full(len(values), np.nan, np.float32)
        if earlier is not None:
            was[met] = earlier[before.indices[places[met]]]
        at = np.flatnonzero((was != values) & ~(np.isnan(was) & np.isnan(values)))
        if len(at):
            yield {"table": "cells", "second": second, "ids": ids[at].tolist(), "values": _whole(values[at])}


def cell_state(now: Snapshot, part: Part) -> Iterator[Line]:
    """Yield all cells that have a value, a line for each second."""
    ids = part.ids
    for second, cells in cells_of(now):
        values = cells[part.indices]
        at = np.flatnonzero(~np.isnan(values))
        if len(at):
            yield {"table": "cells", "second": second, "ids": ids[at].tolist(), "values": _whole(values[at])}


def cells_of(snapshot: Snapshot) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Return each second of CLOCK_MONOTONIC with the cells of all rows."""
    newest = snapshot.clock_ns // CELL_NS
    return zip(range(newest - SPARK_CELLS + 1, newest + 1), snapshot.cells_us, strict=True)


def _whole(values: NDArray[np.float32]) -> list[int | None]:
    numbers: list[int | None] = np.nan_to_num(values).astype(np.int64).tolist()
    for at in np.flatnonzero(np.isnan(values)).tolist():
        numbers[at] = None
    return numbers
