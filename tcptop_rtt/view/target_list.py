"""The targets of failed connects of a snapshot as a list, and the connections to each target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.ids import among
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import CLOSED, Indices, Mask
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter, select_others
from tcptop_rtt.view.listing import Kind, Listing, count
from tcptop_rtt.view.side_rows import no_sparks
from tcptop_rtt.view.target_fields import TABLE, label

_SHARED = ("host", "netns", "raddr", "rport", "comm")


class TargetList(Listing):
    """The targets that match a filter, which can ask for process, address and port."""

    table = TABLE

    def __init__(self, snapshot: Snapshot, filter: Filter, names: Names = NO_NAMES) -> None:  # noqa: A002
        lacking = self._lacking = snapshot.health.lacking
        self.rows = snapshot.targets
        self.indices = select_others(snapshot.targets, CLOSED, filter, lacking, names)
        self.total = self.shown = count(snapshot)

    def views(self, indices: Indices) -> list[Any]:
        return self.table.views(self.rows[indices], self._lacking)

    def spark_us(self, indices: Indices) -> NDArray[np.float32]:
        """Empty sparklines: a target has no RTT."""
        return no_sparks(len(indices))


def _inside(snapshot: Snapshot, indices: Indices, target: int) -> Mask:
    """Which connections go to the target with this id, from a process of the same name."""
    inside = np.ones(len(indices), bool)
    places = np.flatnonzero(snapshot.targets["id"] == np.uint64(target))
    for name in _SHARED:
        inside &= among(snapshot.rows[name][indices], snapshot.targets[name][places])
    return inside


TARGETS = Kind(
    TABLE,
    TargetList,
    _inside,
    label,
    empty="no connect has failed since tcptop-rtt was started",
    reads="connect_error",
    unseen="connects that fail are seen with BPF only",
    emptied="there is no connection to it now: Esc goes back",
    first="why",
)
