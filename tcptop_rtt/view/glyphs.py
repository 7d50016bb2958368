"""The characters to draw with, as far as the terminal's encoding has them."""

from __future__ import annotations

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
    """The smoothed line's height inside its cell: three characters, from below."""
    axis: str
    tick: str
    grid: str
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
    line="▁─▔",
    axis="│",
    tick="┤",
    grid="┈",
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
    line="***",
    axis="|",
    tick="+",
    grid=" ",
    share="#",
    rest=".",
    waits="pqaos",
    outgoing="->",
    incoming="<-",
    unknown_direction="<->",
)
