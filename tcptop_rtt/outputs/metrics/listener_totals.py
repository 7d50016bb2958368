"""Listeners, counted by process and service."""

from __future__ import annotations

import numpy as np

from tcptop_rtt.model.ids import gained, matched
from tcptop_rtt.model.listeners import is_full, no_listeners
from tcptop_rtt.model.rows import LISTEN
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.metrics import labels
from tcptop_rtt.outputs.metrics.choice import Choice
from tcptop_rtt.outputs.metrics.totals import Table, Totals
from tcptop_rtt.view.filter import select_others

_COLUMNS = dict.fromkeys(("listeners", "full", "queue", "queue_limit", "drops"), 1)


class ListenerTotals:
    """Counts the listeners of each snapshot, and their drops since the previous one."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._totals = Totals(choice.most, labels.OF_LISTENERS, _COLUMNS, choice.started_ns)
        self._last = no_listeners()
        self._is_first = True

    def take(self, snapshot: Snapshot) -> Table:
        """Count the next snapshot, and return all totals so far."""
        now, then, totals = snapshot.listeners, self._last, self._totals
        dropped = gained(then, now, "drops", matched(then["id"], now["id"]))
        if self._is_first:
            dropped[:] = 0  # drops from before the program's start do not count
        self._last, self._is_first = now, False

        chosen = select_others(now, LISTEN, self._choice.filter, snapshot.health.lacking)
        now, dropped = now[chosen], dropped[chosen]
        shared = labels.of_listeners(now.__getitem__)
        slots = totals.locate(shared, labels.texts_of_listener, snapshot.clock_ns, snapshot.time_ns)
        totals.add("drops", slots, np.maximum(dropped, 0))
        totals.set("listeners", slots, np.ones(len(now)))
        totals.set("full", slots, is_full(now.__getitem__))
        for name in ("queue", "queue_limit"):
            totals.set(name, slots, now[name])
        return totals.freeze()
