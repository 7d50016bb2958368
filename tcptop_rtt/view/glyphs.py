"""The characters that the screen is drawn with: Unicode, or ASCII if the terminal's encoding is not UTF."""

from __future__ import annotations

import locale
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Glyphs:
    """The characters of one encoding. Each is one cell wide, except ``gap`` and the direction arrows."""

    unicode: bool
    """Whether text may hold characters beyond ASCII, and the chart may use braille."""
    cursor: str
    cut: str
    """Marks where text was cut off."""
    gap: str
    """Replaces the middle of an endpoint that is too long."""
    spark: str
    """The levels of a sparkline, from the lowest. A full block is left out: it would touch the row above."""
    rising: str
    falling: str
    sample: str
    line: str
    """The pieces of the srtt line: level, begin and end of a fall, begin and end of a rise, upright."""
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
    """Fills the rest of the bar of a share."""
    waits: str
    """The parts of a wait: path, queue, the peer's process, our process, waiting to send."""
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
    """The glyphs that the terminal's encoding has."""
    return UNICODE if "utf" in locale.getencoding().lower() else ASCII
