"""Parses the file of settings. Each entry is checked; an error says what would be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptop_rtt.model.errors import UsageError
from tcptop_rtt.view.palettes import PALETTES
from tcptop_rtt.view.preferences import NO_PREFERENCES, Preferences
from tcptop_rtt.view.thresholds import DEFAULTS, Thresholds

if TYPE_CHECKING:
    from tcptop_rtt.view.table import Column

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.1, 3600.0
_SHOWN_CHARACTERS = 60
"""How much of a wrong value an error shows."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in the file."""

    preferences: Preferences = NO_PREFERENCES
    interval_s: float | None = None
    """None if the file does not set it."""
    thresholds: Thresholds = DEFAULTS


class _Limit(NamedTuple):
    """How a threshold is written in the file."""

    field: str
    factor: float  # from the number in the file to that of the field
    least: float
    most: float


LIMITS = {
    "rtt_yellow_ms": _Limit("yellow_us", 1000, 0.001, 60_000),
    "rtt_red_ms": _Limit("red_us", 1000, 0.001, 60_000),
    "queue_factor": _Limit("queue_factor", 1, 1.1, 1000),
    "queue_ms": _Limit("queue_us", 1000, 0.001, 60_000),
    "loss_percent": _Limit("loss_share", 0.01, 0.001, 100),
    "loss_segments": _Limit("loss_segments", 1, 1, 1_000_000),
    "limited_percent": _Limit("limited_share", 0.01, 1, 100),
    "answer_ms": _Limit("slow_answer_us", 1000, 1, 10_000),
    "unread_ms": _Limit("unread_ms", 1, 1, 3_600_000),
    "unread_bytes": _Limit("unread_bytes", 1, 1, 1 << 30),
    "backlog_s": _Limit("backlog_ns", 1e9, 0.001, 3600),
}


def parse(raw: bytes, path: str) -> Settings:
    """The settings in the content of a file.

    :raises UsageError: something in it is wrong: where, and what would be right
    """
    import tomllib  # most users have no file

    try:
        entries = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}: line {line} is no UTF-8") from None
    except ValueError as error:  # no TOML, or a number of thousands of digits
        raise UsageError(f"{path}: {_clean(str(error))}") from None
    except RecursionError:
        raise UsageError(f"{path}: brackets within brackets, too many of them") from None
    return _Checked(entries, path).settings()


class _Checked:
    """Checks the entries of a file. Each method raises UsageError if an entry is wrong."""

    def __init__(self, entries: dict[str, Any], path: str) -> None:
        self._entries = entries
        self._path = path

    def settings(self) -> Settings:
        self._names(self._entries, "", ("theme", "interval", "columns", "thresholds", "keys"))
        return Settings(
            Preferences(self._theme(), self._columns(), self._keys(), self._path),
            self._interval(),
            self._thresholds(),
        )

    def _theme(self) -> str | None:
        theme = self._entries.get("theme")
        if theme is not None and not (isinstance(theme, str) and theme in PALETTES):
            raise self._wrong("theme", theme, f"is none of {', '.join(PALETTES)}")
        return theme

    def _interval(self) -> float | None:
        if "interval" not in self._entries:
            return None
        return self._number("interval", self._entries["interval"], SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S)

    def _columns(self) -> tuple[Column, ...] | None:
        if "columns" not in self._entries:
            return None
        from tcptop_rtt.view.fields import CONNECTIONS

        keys = self._entries["columns"]
        if not isinstance(keys, list):
            raise self._wrong("columns", keys, 'is no list such as ["process", "remote", "rtt"]')
        for key in keys:
            if not isinstance(key, str) or key not in CONNECTIONS.column:
                raise self._wrong("columns", key, f"is none of {', '.join(CONNECTIONS.column)}")
            if keys.count(key) > 1:
                raise self._wrong("columns", key, "is there twice")
        columns = tuple(CONNECTIONS.column[key] for key in keys)
        if not any(column.cell for column in columns):
            raise self._wrong("columns", keys, "has no column of text, such as rtt")
        return columns

    def _keys(self) -> dict[str, str]:
        keys = self._table("keys")
        for action, key in keys.items():
            if not isinstance(key, str):
                raise self._wrong(f"keys.{action}", key, 'is no key such as "R", "F2" or "Ctrl-R"')
        return keys

    def _thresholds(self) -> Thresholds:
        found: dict[str, Any] = {}
        written = self._table("thresholds")
        self._names(written, "thresholds.", tuple(LIMITS))
        for name, value in written.items():
            limit = LIMITS[name]
            number = self._number(f"thresholds.{name}", value, limit.least, limit.most) * limit.factor
            whole = isinstance(getattr(DEFAULTS, limit.field), int)
            found[limit.field] = round(number) if whole else number
        thresholds = replace(DEFAULTS, **found)
        if thresholds.yellow_us > thresholds.red_us:
            raise UsageError(
                f"{self._path}: thresholds: rtt_yellow_ms ({thresholds.yellow_us / 1000:g}) is more than "
                f"rtt_red_ms ({thresholds.red_us / 1000:g}): it has to be less"
            )
        return thresholds

    def _table(self, name: str) -> dict[str, Any]:
        table = self._entries.get(name, {})
        if not isinstance(table, dict):
            raise self._wrong(name, table, f"is no section: its lines stand below [{name}]")
        return table

    def _names(self, entries: dict[str, Any], place: str, names: tuple[str, ...]) -> None:
        for name in entries:
            if name not in names:
                raise self._wrong(place.rstrip(".") or "settings", name, f"is none of {', '.join(names)}")

    def _number(self, name: str, value: object, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._wrong(name, value, f"is no number from {least:g} to {most:g}")
        return float(value)

    def _wrong(self, name: str, value: object, why: str) -> UsageError:
        try:
            shown = _clean(repr(value))
        except ValueError:  # Python refuses to print a number of thousands of digits
            shown = "a number of thousands of digits"
        cut = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."
        return UsageError(f"{self._path}: {_clean(name)}: {cut} {why}")


def _clean(text: str) -> str:
    """The text as a line that is safe for a terminal: only printable ASCII, and ``?`` for the rest."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)
