"""Metrics as Prometheus scrapes them."""

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
    """Serves the latest numbers: a ``Taker``.

    :raises TcptopError: it cannot be done there: why, and what to do
    """

    def __init__(self, address: Address) -> None:
        self._server = MetricsServer(address)
        self.where = f"metrics at http://{address}{PATH}"

    def histograms(self) -> Mapping[str, NDArray[np.float64]]:
        """Those with fixed bounds."""
        from tcptop_rtt.outputs.metrics.histogram import BOUNDS_US

        return {"buckets": BOUNDS_US}

    def show(self, aggregate: Aggregate) -> None:
        """Serve these from now on."""
        from tcptop_rtt.outputs.prometheus.exposition import text_of

        self._server.show(partial(text_of, aggregate))

    def close(self) -> None:
        """Give the port back."""
        self._server.close()
