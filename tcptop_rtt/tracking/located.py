"""Records together with the row that each of them is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.records import Records, take_rows
from tcptop_rtt.model.rows import Indices


@dataclass(frozen=True, slots=True)
class Located:
    """A batch of records in order of time, all of one dtype.

    :param rows: the row of each record; several records may have the same one
    :param kinds: the ``kind`` of each record, copied into an array of its own as it is read often
    """

    records: Records
    rows: Indices
    kinds: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A field of all records."""
        return self.records[name]

    def at(self, places: Indices) -> Located:
        """The records at these places of the batch, in that order."""
        return Located(take_rows(self.records, places), self.rows[places], self.kinds[places])

    def where(self, mask: NDArray[np.bool_]) -> Located:
        """The records that the mask marks, without a copy if it marks all."""
        return self if np.count_nonzero(mask) == len(mask) else self.at(mask.nonzero()[0])
