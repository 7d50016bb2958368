"""The stream's lines of listeners: one when it is first met, when it has changed, and when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.listeners import no_listeners
from tcptop_rtt.model.rows import LISTEN
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.view.filter import Filter, as_rows, select
from tcptop_rtt.view.listener_fields import STREAMED

_NEWS = ("pid", "comm", "unit", "queue", "queue_limit", "drops")
"""A listener has changed when one of these has."""


class ListenerLines:
    """Makes the lines of the listeners that match, snapshot by snapshot.

    :param chosen: asks for process, address, port and state; what else it may ask for no listener has
    """

    def __init__(self, chosen: Filter) -> None:
        self._filter = chosen
        self._last = no_listeners()

    def lines(self, snapshot: Snapshot) -> Iterator[dict[str, Any]]:
        """What has changed since the previous snapshot."""
        last, now = self._last, snapshot.listeners
        followed = np.isin(now["id"], last["id"])  # its process may have changed
        followed[select(as_rows(now, LISTEN), self._filter, snapshot.health.unknown)] = True
        now = now[followed]
        self._last = now = now[np.argsort(now["id"])]
        met, there = np.isin(now["id"], last["id"]), np.isin(last["id"], now["id"])
        news = ~met
        for name in _NEWS:
            news[met] |= now[name][met] != last[name][there]
        yield from _lines(snapshot, now[news], closed=False)
        yield from _lines(snapshot, last[~there], closed=True)


def _lines(snapshot: Snapshot, listeners: NDArray[np.void], closed: bool) -> Iterator[dict[str, Any]]:
    columns = [field.values(listeners.__getitem__, snapshot.health.unknown) for field in STREAMED]
    for values in zip(*columns, strict=True):
        line = {"event": "listener", "time_ns": snapshot.time_ns, "closed": closed}
        yield line | {field.name: value for field, value in zip(STREAMED, values, strict=True)}
