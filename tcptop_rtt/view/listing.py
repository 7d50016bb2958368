"""What a table lists of a snapshot: connections, connections behind one row, or groups of connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import distinct
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Indices, Mask, Rows, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view import causes, ends, naming
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter, listed
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.group_fields import TABLES, label
from tcptop_rtt.view.grouping import Grouping, Groups, ids_of
from tcptop_rtt.view.table import Table


class Listing(Protocol):
    """The rows of a table for one snapshot."""

    table: Table
    rows: Rows | NDArray[np.void]
    indices: Indices
    """The rows to list, ascending."""
    total: int
    """How many connections there are, listed or not."""
    shown: int
    """How many connections are in the list, one by one or in groups."""

    def views(self, indices: Indices) -> list[Any]:
        """The objects that the cells of some rows are made of."""
        ...

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """The sparklines of some rows: shape (SPARK_CELLS, number of rows)."""
        ...

    def row_of(self, id: int) -> int | None:  # noqa: A002
        """The number of the row that shows the item with this id; None if there is none."""
        found = np.flatnonzero(self.rows["id"] == np.uint64(id))
        return int(found[0]) if len(found) else None


@dataclass(frozen=True, eq=False)
class Kind:
    """A table other than that of connections. Each of its rows stands for some connections.

    :param list: lists the rows that match a filter
    :param inside: which of some connections belong to the row with an id
    :param label: the name of a row
    :param empty: the text where there is no row; empty if its rows are groups of the connections
    :param reads: the field of connections that its rows are made from; empty if none is needed
    :param unseen: the text where that field is not available
    :param emptied: the text where a row has no connection any more
    :param first: the column that it is sorted by at first; empty to keep the previous order
    """

    table: Table
    list: Callable[[Snapshot, Filter, Names], Listing]
    inside: Callable[[Snapshot, Indices, int], Mask]
    label: Callable[[np.void, Glyphs], str]
    empty: str = ""
    reads: str = ""
    unseen: str = ""
    emptied: str = "no connection of this group is left: Esc goes back to the groups"
    first: str = ""

    @property
    def name(self) -> str:
        """The plural name of its rows."""
        return self.table.name

    @property
    def of_connections(self) -> bool:
        """Whether its rows are groups of the connections, so that filters for connections select them."""
        return not self.empty


class Scope(NamedTuple):
    """Limits a list to the connections of one row."""

    kind: Kind
    id: int
    label: str


class ConnectionList(Listing):
    """The connections that match a filter. Two ends that the snapshot shows in one row are listed once."""

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
        self.indices = matching(snapshot, filter, scope, names)
        self.total, self.shown = count(snapshot), len(self.indices)

    def views(self, indices: Indices) -> list[Any]:
        lacking, both = self._snapshot.health.lacking, self._snapshot.ends
        found = _named_views(self.table, self.rows[indices], lacking, self._names)
        if both is not None:
            ends.show_both(found, indices, both, lacking)
        return found

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        return self._snapshot.spark_us(indices)

    def row_of(self, id: int) -> int | None:  # noqa: A002
        found, both = super().row_of(id), self._snapshot.ends
        return found if found is None or both is None else int(both.line[found])


class GroupList(Listing):
    """The groups of the connections that match a filter."""

    def __init__(
        self,
        grouping: Grouping,
        snapshot: Snapshot,
        filter: Filter,  # noqa: A002
        names: Names = NO_NAMES,
    ) -> None:
        self._snapshot = snapshot
        self._names = names
        self.table = TABLES[grouping]
        counted = replace(snapshot, rows=snapshot.each_end, ends=None) if grouping.by_end else snapshot
        self._connections = connections = matching(counted, filter, None, names)
        get = fields_of(counted.rows, connections)
        self._groups = Groups(grouping, get, causes.verdicts(get, snapshot.health.lacking))
        self.rows = self._groups.rows
        self.indices = np.arange(len(self.rows))
        self.total, self.shown = count(snapshot), len(_lines(snapshot, connections))

    def views(self, indices: Indices) -> list[Any]:
        return _named_views(self.table, self.rows[indices], frozenset(), self._names)

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """For each group and cell, the highest RTT of the group's connections."""
        members = [self._connections[self._groups.members.of(int(group))] for group in indices]
        cells = [[np.fmax.reduce(cell[rows]) for rows in members] for cell in self._snapshot.cells_us]
        highest = np.array(cells, np.float32)
        return highest.reshape(len(self._snapshot.cells_us), len(members))


def _named_views(table: Table, rows: NDArray[np.void], lacking: frozenset[str], names: Names) -> list[Any]:
    """The views of rows with peers. Names that are not known yet are looked up meanwhile."""
    naming.ask(names, rows)
    return table.views(rows, lacking, names)


def count(snapshot: Snapshot) -> int:
    """How many connections there are."""
    number = len(snapshot.rows) - int(np.count_nonzero(snapshot.rows["connect_error"]))
    return number if snapshot.ends is None else number - int(np.count_nonzero(snapshot.ends.other >= 0)) // 2


def matching(
    snapshot: Snapshot,
    filter: Filter,  # noqa: A002
    scope: Scope | None,
    names: Names = NO_NAMES,
) -> Indices:
    """The rows of the connections that match a filter and are in the scope, ascending.

    A row that shows both ends is found if either end matches.
    """
    indices = listed(snapshot.rows, filter, snapshot.health.lacking, names)
    if scope is not None:
        indices = indices[scope.kind.inside(snapshot, indices, scope.id)]
    return _lines(snapshot, indices)


def _lines(snapshot: Snapshot, indices: Indices) -> Indices:
    """The rows that show these connections, ascending."""
    return indices if snapshot.ends is None else distinct(snapshot.ends.line[indices])


def _in_group(grouping: Grouping, snapshot: Snapshot, indices: Indices, group: int) -> Mask:
    rows = snapshot.each_end if grouping.by_end else snapshot.rows
    found: Mask = ids_of(grouping, fields_of(rows, indices)) == np.uint64(group)
    return found


def groups(grouping: Grouping) -> Kind:
    """The table of one kind of groups."""
    return Kind(
        TABLES[grouping],
        partial(GroupList, grouping),
        partial(_in_group, grouping),
        partial(label, grouping),
    )
