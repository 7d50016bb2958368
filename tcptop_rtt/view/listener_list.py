"""The listeners of a snapshot as a list, and the connections that wait at each listener."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import LISTEN, Indices, Mask, fields_of
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter, select_others
from tcptop_rtt.view.listener_fields import TABLE, label
from tcptop_rtt.view.listening import listening, waits_at
from tcptop_rtt.view.listing import Kind, Listing, count
from tcptop_rtt.view.side_rows import no_sparks


class ListenerList(Listing):
    """The listeners that match a filter, which can ask for process, address, port and state."""

    table = TABLE

    def __init__(self, snapshot: Snapshot, filter: Filter, names: Names = NO_NAMES) -> None:  # noqa: A002
        lacking = self._lacking = snapshot.health.lacking
        self.rows = listening(snapshot.listeners, snapshot.each_end, lacking)
        self.indices = select_others(snapshot.listeners, LISTEN, filter, lacking, names)
        self.total = self.shown = count(snapshot)

    def views(self, indices: Indices) -> list[Any]:
        return self.table.views(self.rows[indices], self._lacking)

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """Empty sparklines: a listener has no RTT."""
        return no_sparks(len(indices))


def _inside(snapshot: Snapshot, indices: Indices, listener: int) -> Mask:
    return waits_at(snapshot.listeners, listener, fields_of(snapshot.each_end, indices))


LISTENERS = Kind(
    TABLE,
    ListenerList,
    _inside,
    label,
    empty="nothing listens on this machine",
    emptied="no connection waits to be accepted there: Esc goes back to the listeners",
    first="why",
)
