"""The characters to draw with, as far as the terminal's encoding has them."""

from __future__ import annotations

import locale
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Glyphs:
    """One character each, but for those between endpoints and in their middle."""

    unicode: bool
    """Whether text may hold characters beyond ASCII, and the chart may use braille."""
    cursor: str
    cut: str
    """Stands for what has been cut off."""
    gap: str
    """Stands in an endpoint for its middle."""
    spark: str
    """The levels of a sparkline, from the lowest. A full block would fuse with the row above."""
    rising: str
    falling: str
    sample: str
    line: str
    """The smoothed line: level, where a fall begins and ends, where a rise begins and ends, upright."""
    axis: str
    tick: str
    corner: str
    base: str
    """The time axis, on which marks stand."""
    level: str
    """A line at one RTT across the chart."""
    stall: str
    """Fills the time in which a connection was stalled."""
    upright: str
    """The chart's cursor."""
    share: str
    rest: str
    """What a share leaves of its bar."""
    waits: str
    """The parts of a wait: path, queue, the peer's process, ours, waiting to send."""
    outgoing: str
    incoming: str
    unknown_direction: str


UNICODE = Glyphs(
    unicode=True,
    cursor="▸",
    cut="…",
    gap="…",
    spark="▁▂▃▄▅▆▇",
    rising="▲",
    falling="▼",
    sample="⣿",
    line="─╮╰╯╭│",
    axis="│",
    tick="┤",
    corner="└",
    base="─",
    level="┈",
    stall="░",
    upright="╎",
    share="■",
    rest="·",
    waits="━▓─═▒",
    outgoing="→",
    incoming="←",
    unknown_direction="↔",
)
ASCII = Glyphs(
    unicode=False,
    cursor=">",
    cut="~",
    gap="..",
    spark="_.:-=+#",
    rising="^",
    falling="v",
    sample="|",
    line="******",
    axis="|",
    tick="+",
    corner="+",
    base="-",
    level=".",
    stall="/",
    upright=":",
    share="#",
    rest=".",
    waits="pqaos",
    outgoing="->",
    incoming="<-",
    unknown_direction="<->",
)


def of_locale() -> Glyphs:
    """Those that the terminal's encoding has."""
    return UNICODE if "utf" in locale.getencoding().lower() else ASCII
