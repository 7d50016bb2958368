"""The program as an exporter: without a screen; standard output has nothing but where it serves."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from tcptop_rtt.outputs.prometheus.server import PATH, MetricsServer

if TYPE_CHECKING:
    from tcptop_rtt.feeds.base import Feed
    from tcptop_rtt.view.filter import Filter


class Exporter:
    """Serves the totals of a feed.

    :param options: of the command line, ``prometheus`` among them
    :param cleanup: gives the port back
    :raises TcptopError: it cannot be served there: why, and what to do
    """

    def __init__(self, options: argparse.Namespace, cleanup: ExitStack) -> None:
        self._options = options
        self._started_ns = time.time_ns()
        self._server = MetricsServer(options.prometheus)
        cleanup.callback(self._server.close)

    def run(self, feed: Feed, chosen: Filter, stop_signals: Iterable[signal.Signals]) -> int:
        """Serve until a signal comes, or there were as many refreshes as are asked for; the exit code.

        :param feed: open
        """
        from tcptop_rtt.outputs.metrics.aggregate import Aggregator
        from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US
        from tcptop_rtt.outputs.prometheus.exposition import text_of

        for number in stop_signals:
            signal.signal(number, lambda *_: feed.stop())
        options = self._options
        aggregator = Aggregator(
            feed.origin,
            chosen,
            options.prometheus_prefix,
            options.prometheus_series,
            self._started_ns,
            {"buckets": BOUNDS_US},
        )
        for count, snapshot in enumerate(feed.snapshots(), 1):
            self._server.show(partial(text_of, aggregator.take(snapshot)))
            if count == 1:
                self._say_where()
            if count == options.count:
                break
        return 0

    def _say_where(self) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write(f"metrics at http://{self._server.address}{PATH}\n")
            sys.stdout.flush()
