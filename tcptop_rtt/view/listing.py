"""What a table lists of a snapshot: connections, all or those of one group, or the groups of them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Indices, Rows, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import causes
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.group_fields import TABLES
from tcptop_rtt.view.grouping import Grouping, Groups, ids_of
from tcptop_rtt.view.table import Table


class Scope(NamedTuple):
    """Only the connections of one group."""

    grouping: Grouping
    id: int
    label: str


class Listing(Protocol):
    """Rows of a table, of one snapshot."""

    table: Table
    rows: Rows | NDArray[np.void]
    indices: Indices
    """Those to be listed, ascending."""
    total: int
    """How many connections there are, listed or not."""
    shown: int
    """How many connections are in the list, one by one or in groups."""

    def views(self, indices: Indices) -> list[Any]:
        """What the cells of some rows are made of."""
        ...

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """The sparklines of some rows: shape (SPARK_CELLS, number of rows)."""
        ...


class ConnectionList(Listing):
    """Connections that match a filter, one by one."""

    table = CONNECTIONS

    def __init__(
        self,
        snapshot: Snapshot,
        filter: Filter,  # noqa: A002
        scope: Scope | None = None,
        names: Names = NO_NAMES,
    ) -> None:
        self._snapshot = snapshot
        self._names = names
        self.rows = snapshot.rows
        self.indices = _matching(snapshot, filter, scope, names)
        self.total, self.shown = len(snapshot.rows), len(self.indices)

    def views(self, indices: Indices) -> list[Any]:
        return self.table.views(self.rows[indices], self._snapshot.health.unknown, self._names)

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        return self._snapshot.spark_us(indices)


class GroupList(Listing):
    """The groups of the connections that match a filter."""

    def __init__(
        self,
        snapshot: Snapshot,
        filter: Filter,  # noqa: A002
        grouping: Grouping,
        names: Names = NO_NAMES,
    ) -> None:
        self._snapshot = snapshot
        self._names = names
        self.table = TABLES[grouping]
        self._connections = connections = _matching(snapshot, filter, None, names)
        get = fields_of(snapshot.rows, connections)
        self._groups = Groups(grouping, get, causes.verdicts(get, snapshot.health.unknown))
        self.rows = self._groups.rows
        self.indices = np.arange(len(self.rows))
        self.total, self.shown = len(snapshot.rows), len(connections)

    def views(self, indices: Indices) -> list[Any]:
        return self.table.views(self.rows[indices], frozenset(), self._names)

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """The highest of all connections of a group."""
        members = [self._connections[self._groups.members.of(int(group))] for group in indices]
        cells = [[np.fmax.reduce(cell[rows]) for rows in members] for cell in self._snapshot.cells_us]
        highest = np.array(cells, np.float32)
        return highest.reshape(len(self._snapshot.cells_us), len(members))


def _matching(snapshot: Snapshot, filter: Filter, scope: Scope | None, names: Names) -> Indices:  # noqa: A002
    indices = select(snapshot.rows, filter, snapshot.health.unknown, names)
    if scope is None:
        return indices
    ids = ids_of(scope.grouping, fields_of(snapshot.rows, indices))
    inside: Indices = indices[ids == np.uint64(scope.id)]
    return inside
