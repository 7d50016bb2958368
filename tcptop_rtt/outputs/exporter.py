"""The program as an exporter of metrics, without a screen. It prints only where the metrics are."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from tcptop_rtt.signals import on_stop
from tcptop_rtt.standard_streams import complain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.outputs.metrics.aggregate import Aggregate
    from tcptop_rtt.outputs.recordings import Recordings
    from tcptop_rtt.view.filter import Filter


class Taker(Protocol):
    """One way to export metrics. It works in threads of its own, so that its caller never waits."""

    @property
    def where(self) -> str:
        """A line for the user that says where the metrics are."""
        ...

    def histograms(self) -> Mapping[str, NDArray[np.float64]]:
        """Return the histograms that it needs: upper bounds in microseconds, by column name."""
        ...

    def show(self, aggregate: Aggregate) -> None:
        """Take the numbers of the next snapshot."""
        ...

    def deliver(self) -> bool:
        """Pass on the last numbers; return within seconds whether they have arrived."""
        ...

    def close(self) -> None:
        """Release all resources, within seconds."""
        ...


class Exporter:
    """Passes the totals of a feed to the takers.

    :param options: of the command line, with ``prometheus``, ``otlp`` or both
    :param cleanup: gets the functions that close the takers
    :raises TcptopError: exporting is not possible; the message says why, and what to do
    """

    def __init__(self, options: argparse.Namespace, cleanup: ExitStack) -> None:
        self._options = options
        self._started_ns = time.time_ns()
        self._takers: list[Taker] = []
        if options.prometheus is not None:
            from tcptop_rtt.outputs.prometheus.scraped import Scraped

            self._add(Scraped(options.prometheus), cleanup)
        if options.otlp is not None:
            from tcptop_rtt.outputs.otlp.pushed import Pushed

            self._add(Pushed(options), cleanup)

    def _add(self, taker: Taker, cleanup: ExitStack) -> None:
        self._takers.append(taker)
        cleanup.callback(taker.close)

    def run(self, feed: Feed, chosen: Filter, recordings: Recordings) -> int:
        """Export until a signal comes or enough updates are made; return the exit code.

        It is 1 if a recording is incomplete, or if the last of a number of updates has not arrived.

        :param feed: open
        :param recordings: recordings of the same snapshots
        """
        from tcptop_rtt.outputs.metrics.aggregate import Aggregator
        from tcptop_rtt.outputs.metrics.choice import Choice
        from tcptop_rtt.outputs.recordings import Complaints

        on_stop(lambda *_: feed.stop())
        options = self._options
        histograms: dict[str, Any] = {}
        for taker in self._takers:
            histograms |= taker.histograms()
        prefixes, most = options.prometheus_prefix, options.prometheus_series
        choice = Choice(chosen, prefixes, most, self._started_ns, histograms)
        aggregator = Aggregator(feed.origin, choice)
        complaints = Complaints(complain)
        has_arrived = True
        recordings.start()
        last = None if options.count is None else 1 + (options.count - 1) * options.refreshes_per_update
        for count, snapshot in enumerate(feed.snapshots(), 1):
            recordings.show(snapshot)
            complaints.take(recordings.problem)
            aggregate = aggregator.take(snapshot)
            for taker in self._takers:
                taker.show(aggregate)
            if count == 1:
                self._say_where()
            if count == last:
                has_arrived = all(taker.deliver() for taker in self._takers)
                break
        _, failure = recordings.finish()
        complaints.take(failure)
        return int(bool(failure) or not has_arrived)

    def _say_where(self) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write("".join(f"{taker.where}\n" for taker in self._takers))
            sys.stdout.flush()
