"""The tables of a fleet: all have the same columns after the first one, which names the rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tcptop_rtt.model.fleet import FLEET_ROW
from tcptop_rtt.model.rows import Get
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.view import causes, matches, numbers, sort_keys, values
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.field_kinds import text
from tcptop_rtt.view.field_units import unit_of
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.questions import Match
from tcptop_rtt.view.side_rows import SideRow, views
from tcptop_rtt.view.sort_keys import Keys
from tcptop_rtt.view.table import Column, Field, Table
from tcptop_rtt.view.values import Values


def label(row: np.void, glyphs: Glyphs) -> str:
    """Returns the name of a row."""
    return fmt.printable(bytes(row["name"]), glyphs) or fmt.UNKNOWN


def span(range_s: int) -> str:
    """Formats a time range as it is entered: ``90s``, ``15m``, ``2h``."""
    for unit, seconds in (("d", 86_400), ("h", 3600), ("m", 60)):
        if range_s % seconds == 0:
            return f"{range_s // seconds}{unit}"
    return f"{range_s}s"


def _to_six_digits(name: str) -> Values:
    """The values of a field, rounded to six significant digits: the numbers are no more precise."""

    def of_rows(get: Get, lacking: frozenset[str]) -> list[Any]:
        numbers = values.reals(name)(get, lacking)
        rounded = [None if number is None else float(f"{number:.6g}") for number in numbers]
        return [int(number) if number and number.is_integer() else number for number in rounded]

    return of_rows


def _field(name: str, meaning: str, column: Column | None = None, words: tuple[str, ...] = ()) -> Field:
    match = matches.numbers(numbers.of_field(name), unit_of(name))
    return Field(name, "number", meaning, _to_six_digits(name), match, column=column, words=words)


def _by_why(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    rank = get("why_rank")
    columns = [np.where(rank, 255 - rank, 0), sort_keys.bits(np.nan_to_num(get("why_count")))]
    return Keys(columns, rank == 0)


def _by_name(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
    names = get("name")
    padded = np.char.lower(names).astype("S32")
    words = np.ascontiguousarray(padded).view(">u8").reshape(len(names), 4)
    return Keys([words[:, at].astype(np.uint64) for at in range(4)], names == b"")


def _number(
    name: str, key: str, title: str, width: int, priority: int, meaning: str, cell: Callable[[float], Cell]
) -> Field:
    def of_row(row: SideRow, _: Glyphs) -> Cell:
        number = float(row.row[name])
        return Cell(fmt.NOTHING, "dim") if number != number else cell(number)

    column = Column(key, title, width, priority, meaning, of_row, sort_keys.by_number(name))
    return _field(name, meaning, column)


def _rtt(name: str, key: str, title: str, priority: int, meaning: str, judged: bool = True) -> Field:
    def cell(us: float) -> Cell:
        return Cell(fmt.rtt(us), fmt.level(us) if judged and us else "dim")

    return _number(name, key, title, fmt.RTT_WIDTH, priority, meaning, cell)


def _plain(say: Callable[[float], str], style: str = "") -> Callable[[float], Cell]:
    return lambda number: Cell(say(number), style if number >= 0.05 else "dim")


def _tally(number: float) -> str:
    return fmt.tally(round(number))


def _why(row: SideRow, glyphs: Glyphs) -> Cell:
    rank, count = int(row.row["why_rank"]), float(row.row["why_count"])
    if not rank:
        return Cell("")
    name = fmt.printable(bytes(row.row["why"]), glyphs).replace("-", " ") or fmt.UNKNOWN
    cause = causes.numbered(rank) if rank < len(causes.NAMES) else None
    number = f"{fmt.per_second(count)}/s" if row.row["why_is_rate"] else fmt.tally(round(count))
    return Cell(f"{name} {number}", "bad" if cause and cause.stops else "warn")


def _whys() -> Match:
    """The name of the worst that holds connections up; empty, and so none of them, where nothing does."""

    def read(raw: tuple[bytes, int]) -> str | None:
        name, rank = raw
        return fmt.printable(name) or (None if rank else "")

    return matches.texts(
        lambda get, _: list(zip(get("why").tolist(), get("why_rank").tolist(), strict=True)), read, "loss"
    )


_TITLES = {"hosts": "HOST", "processes": "PROCESS", "services": "SERVICE", "networks": "REMOTE NETWORK"}
ONE = {"hosts": "host", "processes": "process", "services": "service", "networks": "network"}
"""What one row is called."""
_MEANINGS = {
    "hosts": "the exporter that was scraped",
    "processes": "the name of the process",
    "services": "the process, and the port of the end that was called; to: the peer's",
    "networks": "the beginning of the peer's address",
}


@lru_cache(maxsize=64)
def table(name: str, range_s: int) -> Table:
    """The table of that name, for one time range."""
    of_range = f"over the last {span(range_s)}"

    def name_cell(row: SideRow, glyphs: Glyphs) -> Cell:
        return Cell(label(row.row, glyphs))

    first = Column(
        "process", _TITLES[name], 24, 0, _MEANINGS[name], name_cell, _by_name,
        least=(14, 0), wide=40, numeric=False, cut="end",
    )  # fmt: skip
    spark = Column(
        "spark", f"LAST {span(range_s)}", 8, 7, f"mean RTT {of_range}", None, sort_keys.by_number("mean_us"),
        wide=SPARK_CELLS, numeric=False,
    )  # fmt: skip
    why = Column(
        "why", "WHY", 18, 3, "the worst that holds connections up, and how many", _why, _by_why,
        falls=True, numeric=False, cut="before number",
    )  # fmt: skip
    fields = (
        text("name", first.meaning, "web1", first, ("host", "proc", "service", "network")),
        _number("connections", "count", "N", 6, 1, "open connections", _plain(_tally)),
        _number("stalled", "stalled", "STALL", 5, 4, "of them, how many are stalled", _plain(_tally, "bad")),
        _rtt("p50_us", "p50", "P50", 5, f"median of the RTTs {of_range}"),
        _rtt("p99_us", "rtt", "P99", 2, f"99th percentile of the RTTs {of_range}"),
        _field("mean_us", f"mean RTT {of_range}", spark, ("mean",)),
        _rtt("answer_us", "answer", "ANSWER", 11, f"mean time to the peer's answer {of_range}", judged=False),
        _number("opened_per_s", "new", "NEW/s", 6, 12, "connections opened", _plain(fmt.per_second)),
        _number("failed_per_s", "failed", "FAIL/s", 6, 6, "connects failed", _plain(fmt.per_second, "bad")),
        _number("retrans_per_s", "retrans", "RETR/s", 6, 8, "segments sent again",
                _plain(fmt.per_second, "warn")),
        _number("in_bps", "in", "IN b/s", 7, 9, "received, bits per second", _plain(fmt.bits)),
        _number("out_bps", "out", "OUT b/s", 7, 10, "sent and acknowledged, bits per second",
                _plain(fmt.bits)),
        text("why", why.meaning, "loss", why, match=_whys()),
        _field("why_count", "how many it holds up, or per second"),
    )  # fmt: skip
    return Table(name, FLEET_ROW, fields, views, {})
