"""What the side of a connection that asks waits for, from its request to the answer, in parts.

Of a connection that was opened from here that is us, of one that was accepted it is the peer.
:class:`~tcptop_rtt.view.cause_columns.Columns` computes the parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.view.glyphs import Glyphs

Times = NDArray[np.float64]

PARTS = ("path", "queue", "peer", "ours", "to send")
"""In the order of a bar, and of :class:`Waits`."""


class Waits(NamedTuple):
    """Microseconds per request, or per round trip where there are no requests; shape (N,) each."""

    path_us: Times  # the lowest RTT
    queue_us: Times  # what the RTT is above it
    peer_us: Times  # until the peer's process answers
    ours_us: Times  # until ours does
    to_send_us: Times  # for room in the peer's window, or in our send buffer
    known: NDArray[np.bool_]
    several: NDArray[np.bool_]  # requests overtake each other: which answer belongs to which is not known

    @property
    def total_us(self) -> Times:
        """All parts."""
        return self.path_us + self.queue_us + self.peer_us + self.ours_us + self.to_send_us

    def of_each(self) -> list[Wait]:
        """Row by row."""
        parts = np.stack(self[: len(PARTS)], axis=1).tolist()
        each = zip(parts, self.known.tolist(), self.several.tolist(), strict=True)
        return [Wait(tuple(one) if is_known else None, several) for one, is_known, several in each]


class Wait(NamedTuple):
    """Of one row."""

    parts_us: tuple[float, ...] | None  # None: they are not known
    several: bool


def bar(parts_us: tuple[float, ...], cells: int, glyphs: Glyphs) -> str:
    """The parts as so many cells; a part that would take less than half of one has none."""
    whole = sum(parts_us)
    if whole <= 0:
        return ""
    ends = np.round(np.cumsum(parts_us) / whole * cells).astype(int)
    widths = np.diff(ends, prepend=0).tolist()
    return "".join(glyph * width for glyph, width in zip(glyphs.waits, widths, strict=True))
