"""What the requesting side of a connection waits for, from its request to the answer, in parts.

This side is the one that opened the connection: this host or, if it was accepted here, the peer.
:class:`~tcptop_rtt.view.cause_columns.Columns` computes the parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.view.glyphs import Glyphs

Times = NDArray[np.float64]

PARTS = ("path", "queue", "peer", "ours", "to send")
"""The names of the parts, in the order of a bar and of :class:`Waits`."""


class Waits(NamedTuple):
    """Microseconds per request, or per round trip where there are no requests; shape (N,) each."""

    path_us: Times  # the lowest RTT
    queue_us: Times  # by how much the RTT is above the lowest
    peer_us: Times  # until the peer's process answers
    ours_us: Times  # until our process answers
    to_send_us: Times  # for room in the peer's window, or in our send buffer
    known: NDArray[np.bool_]
    several: NDArray[np.bool_]  # requests overlap: which answer belongs to which is not known

    @property
    def total_us(self) -> Times:
        """The sum of all parts."""
        return self.path_us + self.queue_us + self.peer_us + self.ours_us + self.to_send_us

    def of_each(self) -> list[Wait]:
        """The wait of each row."""
        parts = np.stack(self[: len(PARTS)], axis=1).tolist()
        each = zip(parts, self.known.tolist(), self.several.tolist(), strict=True)
        return [Wait(tuple(one) if is_known else None, several) for one, is_known, several in each]


class Wait(NamedTuple):
    """The wait of one row."""

    parts_us: tuple[float, ...] | None  # None: they are not known
    several: bool


def bar(parts_us: tuple[float, ...], cells: int, glyphs: Glyphs) -> str:
    """A bar of so many cells that shows the parts; a part of less than one cell may be left out."""
    whole = sum(parts_us)
    if whole <= 0:
        return ""
    ends = np.round(np.cumsum(parts_us) / whole * cells).astype(int)
    widths = np.diff(ends, prepend=0).tolist()
    return "".join(glyph * width for glyph, width in zip(glyphs.waits, widths, strict=True))
