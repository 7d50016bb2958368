"""The tables of a fleet: the same columns for each, behind what a row has in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.model.fleet import FLEET_ROW
from tcptop_rtt.model.names import NO_NAMES, Names
from tcptop_rtt.model.rows import Get, Mask
from tcptop_rtt.model.snapshot import SPARK_CELLS
from tcptop_rtt.view import causes, matches, sort_keys
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.cells import Cell
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.numbers import Numbers
from tcptop_rtt.view.sort_keys import Keys, SortKeys
from tcptop_rtt.view.table import Column, Field, Table
from tcptop_rtt.view.values import Values


class FleetRow:
    """One row, with what its cells need."""

    closed = False

    def __init__(self, row: np.void) -> None:
        self.row = row


def _views(
    rows: NDArray[np.void], lacking: frozenset[str], names: Names = NO_NAMES, /  # noqa: ARG001
) -> list[FleetRow]:  # fmt: skip
    return [FleetRow(row) for row in rows]


def label(row: np.void, glyphs: Glyphs) -> str:
    """What a row is called."""
    return fmt.printable(bytes(row["name"]), glyphs) or fmt.UNKNOWN


def span(range_s: int) -> str:
    """A time range as it is given: ``90s``, ``15m``, ``2h``."""
    for unit, seconds in (("d", 86_400), ("h", 3600), ("m", 60)):
        if range_s % seconds == 0:
            return f"{range_s // seconds}{unit}"
    return f"{range_s}s"


def _known(name: str) -> Numbers:
    def numbers(get: Get, lacking: frozenset[str]) -> tuple[NDArray[Any], Mask]:  # noqa: ARG001
        return get(name), np.isnan(get(name))

    return numbers


def _values(name: str) -> Values:
    """Numbers to the sixth digit: no more is known."""

    def values(get: Get, lacking: frozenset[str]) -> list[Any]:  # noqa: ARG001
        rounded = [None if number != number else float(f"{number:.6g}") for number in get(name).tolist()]
        return [int(number) if number and number.is_integer() else number for number in rounded]

    return values


def _texts(name: str) -> Values:
    return lambda get, _: [text.decode("utf-8", "replace") or None for text in get(name).tolist()]


def _sort(name: str) -> SortKeys:
    def keys(get: Get, lacking: frozenset[str]) -> Keys:  # noqa: ARG001
        numbers = get(name)
        return Keys([sort_keys.bits(np.nan_to_num(numbers))], np.isnan(numbers))

    return keys


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
    def of_row(row: FleetRow, _: Glyphs) -> Cell:
        number = float(row.row[name])
        return Cell(fmt.NOTHING, "dim") if number != number else cell(number)

    column = Column(key, title, width, priority, meaning, of_row, _sort(name))
    match = matches.numbers(_known(name), matches.unit_of(name))
    return Field(name, "number", meaning, _values(name), match, column=column)


def _rtt(name: str, key: str, title: str, priority: int, meaning: str, judged: bool = True) -> Field:
    def cell(us: float) -> Cell:
        return Cell(fmt.rtt(us), fmt.level(us) if judged and us else "dim")

    return _number(name, key, title, fmt.RTT_WIDTH, priority, meaning, cell)


def _plain(text: Callable[[float], str], style: str = "") -> Callable[[float], Cell]:
    return lambda number: Cell(text(number), style if number >= 0.05 else "dim")


def _tally(number: float) -> str:
    return fmt.tally(round(number))


def _why(row: FleetRow, glyphs: Glyphs) -> Cell:
    rank, count = int(row.row["why_rank"]), float(row.row["why_count"])
    if not rank:
        return Cell("")
    name = fmt.printable(bytes(row.row["why"]), glyphs).replace("-", " ") or fmt.UNKNOWN
    cause = causes.numbered(rank) if rank < len(causes.NAMES) else None
    is_rate = count != round(count)
    number = f"{fmt.per_second(count)}/s" if is_rate else fmt.tally(round(count))
    return Cell(f"{name} {number}", "bad" if cause and cause.stops else "warn")


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

    def name_cell(row: FleetRow, glyphs: Glyphs) -> Cell:
        return Cell(label(row.row, glyphs))

    first = Column(
        "process", _TITLES[name], 24, 0, _MEANINGS[name], name_cell, _by_name,
        least=(14, 0), wide=40, numeric=False, cut="end",
    )  # fmt: skip
    spark = Column(
        "spark", f"LAST {span(range_s)}", 8, 7, f"mean RTT {of_range}", None, _sort("mean_us"),
        wide=SPARK_CELLS, numeric=False,
    )  # fmt: skip
    why = Column(
        "why", "WHY", 18, 3, "the worst that holds connections up, and how many", _why, _by_why,
        falls=True, numeric=False, cut="end",
    )  # fmt: skip
    name_match = matches.names("name", "web1")
    fields = (
        Field("name", "string", first.meaning, _texts("name"), name_match, column=first,
              words=("host", "proc", "service", "network")),
        _number("connections", "count", "N", 6, 1, "open connections", _plain(_tally)),
        _number("stalled", "stalled", "STALL", 5, 4, "of them, how many are stalled", _plain(_tally, "bad")),
        _rtt("p50_us", "p50", "P50", 5, f"median of the RTTs {of_range}"),
        _rtt("p99_us", "rtt", "P99", 2, f"99th percentile of the RTTs {of_range}"),
        Field("mean_us", "number", f"mean RTT {of_range}", _values("mean_us"),
              matches.numbers(_known("mean_us"), matches.unit_of("mean_us")), column=spark, words=("mean",)),
        _rtt("answer_us", "answer", "ANSWER", 11, f"mean time to the peer's answer {of_range}", judged=False),
        _number("opened_per_s", "new", "NEW/s", 6, 12, "connections opened", _plain(fmt.per_second)),
        _number("failed_per_s", "failed", "FAIL/s", 6, 6, "connects failed", _plain(fmt.per_second, "bad")),
        _number("retrans_per_s", "retrans", "RETR/s", 6, 8, "segments sent again",
                _plain(fmt.per_second, "warn")),
        _number("in_bps", "in", "IN b/s", 7, 9, "received, bits per second", _plain(fmt.bits)),
        _number("out_bps", "out", "OUT b/s", 7, 10, "sent and acknowledged, bits per second",
                _plain(fmt.bits)),
        Field("why", "string", why.meaning, _texts("why"), matches.names("why", "loss"), column=why),
        Field("why_count", "number", "how many it holds up, or per second", _values("why_count"),
              matches.numbers(_known("why_count"), matches.unit_of("why_count"))),
    )  # fmt: skip
    return Table(name, FLEET_ROW, fields, _views, {})
