"""The palettes as Textual themes, and the choice of the first theme."""

from __future__ import annotations

from dataclasses import fields

from textual.theme import Theme

from tcptop_rtt.view.palettes import PALETTES, SIXTEEN_COLOURS, Palette


def theme(palette: Palette) -> Theme:
    """Returns a theme whose variables are the palette's colours, with ``-`` for ``_``."""
    own = {
        field.name.replace("_", "-"): str(getattr(palette, field.name))
        for field in fields(palette)
        if field.name not in ("name", "meaning", "dark")
    }
    return Theme(
        palette.name,
        primary=palette.spark,
        accent=palette.accent,
        success=palette.good,
        warning=palette.warn,
        error=palette.bad,
        foreground=palette.foreground,
        background=palette.background,
        surface=palette.surface,
        panel=palette.panel,
        dark=palette.dark,
        ansi=palette.ansi,
        variables=own | _of_textual(palette),
    )


def _of_textual(palette: Palette) -> dict[str, str]:
    """Returns colours that Textual would otherwise mix for its own widgets, with less contrast."""
    return {
        "ansi-background": palette.background,
        "ansi-foreground": palette.foreground,
        "text": palette.foreground,
        "text-muted": palette.dim,
        "text-disabled": palette.dim,
        "foreground-muted": palette.dim,
        "border": palette.spark,
        "block-cursor-foreground": palette.background,
        "block-cursor-background": palette.foreground,
        "block-cursor-blurred-foreground": palette.background,
        "block-cursor-blurred-background": palette.foreground,
        "scrollbar": palette.rule,
        "scrollbar-hover": palette.dim,
        "scrollbar-active": palette.spark,
        "scrollbar-background": palette.background,
        "block-hover-background": palette.surface,
        "input-cursor-foreground": palette.background,
        "input-cursor-background": palette.foreground,
        "input-cursor-text-style": "none",
        "input-selection-foreground": palette.background,
        "input-selection-background": palette.foreground,
    }


THEMES = {name: theme(palette) for name, palette in PALETTES.items()}


def usable(no_color: bool) -> list[str]:
    """Returns the usable themes. Without colour they need greys, and the terminal's own are unknown."""
    return [name for name, each in THEMES.items() if not (no_color and each.ansi)]


def first_theme(asked: str | None, colour_system: str | None, no_color: bool) -> str:
    """Returns the name of the theme to begin with.

    :param asked: the theme that the user asked for, if any
    :param colour_system: what the terminal can show, as Rich calls it: ``truecolor``, ``256``, ``standard``
    """
    wanted = asked or (SIXTEEN_COLOURS.name if colour_system == "standard" else "dark")
    names = usable(no_color)
    return wanted if wanted in names else names[0]


def next_theme(name: str, no_color: bool) -> str:
    """Returns the theme after this one. After the last comes the first."""
    names = usable(no_color)
    return names[(names.index(name) + 1) % len(names)]
