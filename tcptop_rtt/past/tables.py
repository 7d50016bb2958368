"""The tables of a snapshot, as columns in which little differs from one snapshot to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import matched
from tcptop_rtt.model.listeners import LISTENER, no_listeners
from tcptop_rtt.model.rows import ROW, Indices, Rows, no_rows
from tcptop_rtt.model.snapshot import CELL_NS, SPARK_CELLS, Snapshot
from tcptop_rtt.model.targets import TARGET, no_targets
from tcptop_rtt.past.change import Columns

Tables = tuple[Columns, ...]
"""Connections with the cells of their sparklines, listeners, targets."""

_PLACE = "place"
"""Where a row of a table beside that of connections was in it."""

_NO_ROWS, _NO_LISTENERS, _NO_TARGETS = no_rows(), no_listeners(), no_targets()
"""Shared by all that is kept: a hundred empty columns are 10 KB."""


def rest_of(snapshot: Snapshot) -> Snapshot:
    """What is kept as it is: no table."""
    return replace(
        snapshot, rows=_NO_ROWS, cells_us=(), trace=None, listeners=_NO_LISTENERS, targets=_NO_TARGETS
    )


def tables_of(snapshot: Snapshot, before: Tables) -> Tables:
    """All that a snapshot has of connections, listeners and targets.

    :param before: those of the snapshot before, whose places rows keep; empty: there is none
    """
    connections = {name: snapshot.rows[name] for name in ROW.names or ()}
    connections.update(zip(_cell_names(snapshot.clock_ns), snapshot.cells_us, strict=True))
    _, listeners, targets = before or (None, _NO_LISTENERS, _NO_TARGETS)
    return connections, _split(snapshot.listeners, listeners["id"]), _split(snapshot.targets, targets["id"])


def snapshot_of(rest: Snapshot, tables: Tables) -> Snapshot:
    """The snapshot as it went in, but for the trace."""
    connections, listeners, targets = tables
    return replace(
        rest,
        rows=Rows({name: connections[name] for name in ROW.names or ()}),
        cells_us=tuple(connections[name] for name in _cell_names(rest.clock_ns)),
        listeners=_joined(listeners, LISTENER),
        targets=_joined(targets, TARGET),
    )


def _cell_names(clock_ns: int) -> list[str]:
    """A second's cell keeps its name as long as it is there: so it does not change from second to second."""
    now = clock_ns // CELL_NS
    return [f"cell {second % SPARK_CELLS}" for second in range(now - SPARK_CELLS + 1, now + 1)]


def _split(table: NDArray[np.void], before: NDArray[np.uint64]) -> Columns:
    """The columns of a table whose rows are in an order of its own, and move with each that comes or goes."""
    order = _kept_places(before, table["id"])
    columns = {name: table[name][order] for name in table.dtype.names or ()}
    return columns | {_PLACE: order.astype(np.uint32)}


def _kept_places(before: NDArray[np.uint64], now: NDArray[np.uint64]) -> Indices:
    """An order of the rows of now: those that were there stay where they were, as far as there is room."""
    at = matched(before, now)
    stays = np.flatnonzero((at >= 0) & (at < len(now)))
    order = np.full(len(now), -1)
    order[at[stays]] = stays
    order[order < 0] = np.setdiff1d(np.arange(len(now)), stays, assume_unique=True)
    return order


def _joined(columns: Columns, dtype: np.dtype[Any]) -> NDArray[np.void]:
    table = np.zeros(len(columns[_PLACE]), dtype)
    for name in dtype.names or ():
        table[name][columns[_PLACE]] = columns[name]
    table.setflags(write=False)
    return table
