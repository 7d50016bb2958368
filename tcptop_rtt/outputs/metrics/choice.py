"""What is counted, by what it is told apart, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.prefixes import Prefixes
from tcptop_rtt.view.filter import Filter


@dataclass(frozen=True, slots=True)
class Choice:
    """It stays as it is while the program runs.

    :param filter: which connections; of listeners what it asks of process, address, port and state
    :param most: sets of labels of connections, and as many of listeners
    :param started_ns: when the program was, Unix time
    :param histograms: of RTT samples: columns by name, with the upper bounds of their buckets in microseconds
    """

    filter: Filter
    prefixes: Prefixes
    most: int
    started_ns: int
    histograms: Mapping[str, NDArray[np.float64]]
