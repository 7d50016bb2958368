"""Serves metrics for Prometheus to scrape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from tcptop_rtt.outputs.prometheus.options import Address
from tcptop_rtt.outputs.prometheus.server import PATH, MetricsServer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tcptop_rtt.outputs.metrics.aggregate import Aggregate


class Scraped:
    """A ``Taker`` that serves the latest numbers.

    :raises TcptopError: the address cannot be used; the message says why, and what to do
    """

    def __init__(self, address: Address) -> None:
        self._server = MetricsServer(address)
        self.where = f"metrics at http://{address}{PATH}"

    def histograms(self) -> Mapping[str, NDArray[np.float64]]:
        """Return the bounds of the histogram."""
        from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US

        return {"buckets": BOUNDS_US}

    def show(self, aggregate: Aggregate) -> None:
        """Serve these numbers from now on."""
        from tcptop_rtt.outputs.prometheus.exposition import text_of

        self._server.show(partial(text_of, aggregate))

    def deliver(self) -> bool:
        """Return True: what is not asked for is not missed."""
        return True

    def close(self) -> None:
        """Stop serving, and close the port."""
        self._server.close()
