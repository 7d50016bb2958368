"""Takes a snapshot's tables apart into columns that change little from one snapshot to the next."""

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
"""The columns of connections, with the cells of their sparklines, of listeners and of targets."""

_PLACE = "place"
"""The column that holds the place of a listener or target in its table."""

_NO_ROWS, _NO_LISTENERS, _NO_TARGETS = no_rows(), no_listeners(), no_targets()
"""Shared by all kept snapshots, as a hundred empty columns take 10 KB."""


def rest_of(snapshot: Snapshot) -> Snapshot:
    """Returns a snapshot without its tables, sparklines and trace."""
    return replace(
        snapshot, rows=_NO_ROWS, cells_us=(), trace=None, listeners=_NO_LISTENERS, targets=_NO_TARGETS
    )


def tables_of(snapshot: Snapshot, before: Tables) -> Tables:
    """Returns the columns of a snapshot's connections, listeners and targets.

    :param before: the tables of the previous snapshot, where rows keep their places; empty: there is none
    """
    connections = {name: snapshot.rows[name] for name in ROW.names or ()}
    connections.update(zip(_cell_names(snapshot.clock_ns), snapshot.cells_us, strict=True))
    _, listeners, targets = before or (None, _NO_LISTENERS, _NO_TARGETS)
    return connections, _split(snapshot.listeners, listeners["id"]), _split(snapshot.targets, targets["id"])


def snapshot_of(rest: Snapshot, tables: Tables) -> Snapshot:
    """Returns the whole snapshot again, without the trace."""
    connections, listeners, targets = tables
    return replace(
        rest,
        rows=Rows({name: connections[name] for name in ROW.names or ()}),
        cells_us=tuple(connections[name] for name in _cell_names(rest.clock_ns)),
        listeners=_joined(listeners, LISTENER),
        targets=_joined(targets, TARGET),
    )


def _cell_names(clock_ns: int) -> list[str]:
    """Returns the cells' names, oldest first. A second keeps its name, so that its column stays the same."""
    now = clock_ns // CELL_NS
    return [f"cell {second % SPARK_CELLS}" for second in range(now - SPARK_CELLS + 1, now + 1)]


def _split(table: NDArray[np.void], before: NDArray[np.uint64]) -> Columns:
    """Returns a table's columns. Rows keep their places here, though they move in the table."""
    order = _kept_places(before, table["id"])
    columns = {name: table[name][order] for name in table.dtype.names or ()}
    return columns | {_PLACE: order.astype(np.uint32)}


def _kept_places(before: NDArray[np.uint64], now: NDArray[np.uint64]) -> Indices:
    """Returns an order of the current rows. Known rows keep their places, if the table is long enough."""
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
