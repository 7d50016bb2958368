"""The themes: the colour of everything that is drawn, by its role.

Each text has a contrast of at least 4.5:1 to every background that it appears on, as WCAG 2 asks for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours as ``#rrggbb``, or as ``ansi_...`` for the terminal's own colour of that name."""

    name: str
    meaning: str
    dark: bool
    background: str
    header: str  # behind the titles of the columns
    panel: str  # behind the lines at the top and the bottom
    surface: str  # behind the help, the command palette and input fields
    cursor: str  # behind the selected line
    foreground: str
    header_text: str
    sorted: str  # the title of the column that is sorted by
    dim: str  # text of less importance
    accent: str  # keys, filters
    good: str
    warn: str
    bad: str
    name_text: str  # names of hosts and processes
    spark: str
    smooth: str  # the chart's line
    rule: str  # axes and scroll bars: no text
    grid: str
    cursor_style: str = "none"
    """``reverse``: the selected line is reversed instead of having a background of its own."""

    @property
    def ansi(self) -> bool:
        """Whether it uses the terminal's own colours."""
        return self.background.startswith("ansi_")


PALETTES = {
    palette.name: palette
    for palette in (
        Palette(
            name="dark",
            meaning="for a dark terminal",
            dark=True,
            background="#121212",
            header="#2b2b2b",
            panel="#1f2328",
            surface="#1e1e1e",
            cursor="#1d3a57",
            foreground="#dedede",
            header_text="#b0b0b0",
            sorted="#ffffff",
            dim="#a3a3a3",
            accent="#e0b060",
            good="#74b58a",
            warn="#d9a13c",
            bad="#ff8080",
            name_text="#7cc0ff",
            spark="#5fa3dc",
            smooth="#d9a13c",
            rule="#686868",
            grid="#3a3a3a",
        ),
        Palette(
            name="light",
            meaning="for a light terminal",
            dark=False,
            background="#fbfbfb",
            header="#e2e2e2",
            panel="#ececec",
            surface="#f2f2f2",
            cursor="#cfe2f5",
            foreground="#1c1c1c",
            header_text="#4a4a4a",
            sorted="#000000",
            dim="#545454",
            accent="#7a3a90",
            good="#1c6133",
            warn="#744d00",
            bad="#b00020",
            name_text="#0a4a8c",
            spark="#2f6ea8",
            smooth="#9a6400",
            rule="#8a8a8a",
            grid="#cccccc",
        ),
        Palette(
            name="contrast",
            meaning="as much contrast as there is",
            dark=True,
            background="#000000",
            header="#000000",
            panel="#000000",
            surface="#000000",
            cursor="#00286b",
            foreground="#ffffff",
            header_text="#ffffff",
            sorted="#ffff66",
            dim="#dcdcdc",
            accent="#ffff66",
            good="#8cffae",
            warn="#ffd24a",
            bad="#ffa0a0",
            name_text="#9fe3ff",
            spark="#9fd8ff",
            smooth="#ffd24a",
            rule="#b0b0b0",
            grid="#808080",
        ),
        Palette(
            name="ansi",
            meaning="16 colours, those that the terminal has set",
            dark=True,
            background="ansi_black",
            header="ansi_white",
            panel="ansi_black",
            surface="ansi_black",
            cursor="ansi_black",
            cursor_style="reverse",
            foreground="ansi_bright_white",
            header_text="ansi_black",
            sorted="ansi_black",
            dim="ansi_white",
            accent="ansi_bright_cyan",
            good="ansi_green",
            warn="ansi_bright_yellow",
            bad="ansi_bright_red",
            name_text="ansi_bright_cyan",
            spark="ansi_cyan",
            smooth="ansi_bright_yellow",
            rule="ansi_white",
            grid="ansi_bright_black",
        ),
    )
}
"""The palettes by name, in the order in which the user steps through them."""

SIXTEEN_COLOURS = PALETTES["ansi"]
"""For terminals with 16 colours, where shades of other palettes may change colour: dark yellow to red."""


def for_background(red: float, green: float, blue: float) -> Palette:
    """The palette for a terminal of this background, each part from 0 to 1."""
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5
    return PALETTES["light" if light else "dark"]
