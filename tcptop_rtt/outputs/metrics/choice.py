"""What is counted, by which labels, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.prefixes import Prefixes
from tcptop_rtt.view.filter import Filter


@dataclass(frozen=True, slots=True)
class Choice:
    """What the metrics count. This does not change while the program runs.

    :param filter: selects connections, and listeners by their process, address, port and state
    :param most: limit for the sets of labels of connections, and for those of listeners
    :param started_ns: when the program was started, Unix time
    :param histograms: the upper bounds in microseconds of each histogram of RTT samples, by column name
    """

    filter: Filter
    prefixes: Prefixes
    most: int
    started_ns: int
    histograms: Mapping[str, NDArray[np.float64]]
