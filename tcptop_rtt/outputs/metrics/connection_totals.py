"""Connections, counted by process, service, direction and remote network."""

from __future__ import annotations

from functools import partial

import numpy as np

from tcptop_rtt.model.rows import CONNECT_ERRORS, fields_of, no_rows
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.metrics import labels
from tcptop_rtt.outputs.metrics.choice import Choice
from tcptop_rtt.outputs.metrics.gains import COUNTERS, gains, is_open
from tcptop_rtt.outputs.metrics.histogram import spread
from tcptop_rtt.outputs.metrics.totals import Table, Totals
from tcptop_rtt.view import causes
from tcptop_rtt.view.filter import select

_COLUMNS = {
    **dict.fromkeys(COUNTERS, 1),
    **dict.fromkeys(("open", "stalled", "opened", "closed"), 1),
    **dict.fromkeys(("connects", "connect_us", "samples", "rtt_us"), 1),
    "failures": len(CONNECT_ERRORS),
    **dict.fromkeys(("held_up", "ever_held_up"), len(causes.NAMES)),
}


class ConnectionTotals:
    """Counts the connections of each snapshot, and their gains since the previous one."""

    def __init__(self, choice: Choice) -> None:
        columns = _COLUMNS | {name: len(bounds) + 1 for name, bounds in choice.histograms.items()}
        self._choice = choice
        self._totals = Totals(choice.most, labels.OF_CONNECTIONS, columns, choice.started_ns)
        self._last = no_rows()

    @property
    def label_sets(self) -> int:
        """The number of sets of labels, without the one for others."""
        return self._totals.in_use

    def take(self, snapshot: Snapshot) -> Table:
        """Count the next snapshot, and return all totals so far."""
        rows, lacking, totals = snapshot.rows, snapshot.health.lacking, self._totals
        # Gains need all rows, as a filter may select different connections each time.
        gained, self._last = gains(self._last, rows), rows
        chosen = select(rows, self._choice.filter, lacking)
        get = fields_of(rows, chosen)
        shared = labels.of_connections(get, snapshot.listeners, self._choice.prefixes)
        texts = partial(labels.texts_of_connection, prefixes=self._choice.prefixes)
        slots = totals.locate(shared, texts, snapshot.clock_ns, snapshot.time_ns)

        for name, gain in gained.counters.items():
            totals.add(name, slots, gain[chosen])
        for name, mask in (("opened", gained.opened), ("closed", gained.closed)):
            totals.add(name, slots, mask[chosen])
        connected = gained.connected[chosen]
        totals.add("connects", slots, connected)
        totals.add("connect_us", slots, np.where(connected, get("connect_us"), 0))
        failed = np.flatnonzero(gained.failed[chosen])
        totals.add_kinds("failures", slots[failed], get("connect_error")[failed])

        sampled = np.flatnonzero(get("rtt_samples"))
        sampled_rows = fields_of(rows, chosen[sampled])
        totals.add("samples", slots[sampled], sampled_rows("rtt_samples"))
        totals.add("rtt_us", slots[sampled], sampled_rows("rtt_sum_us"))
        for name, bounds_us in self._choice.histograms.items():
            for kinds, samples in spread(sampled_rows, bounds_us):
                totals.add_kinds(name, slots[sampled], kinds, samples)

        is_up = is_open(rows)[chosen]
        totals.set("open", slots, is_up)
        totals.set("stalled", slots, is_up & get("stalled"))
        verdicts = causes.verdicts(get, lacking)
        totals.set_kinds("held_up", slots, verdicts)
        totals.add_kinds("ever_held_up", slots, verdicts)
        return totals.freeze()
