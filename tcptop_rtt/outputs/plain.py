"""Plain text tables, one per snapshot, for pipes and files."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view import known
from tcptop_rtt.view.filter import Filter, select
from tcptop_rtt.view.ranking import Ranking

_COLUMNS: tuple[tuple[str, int, Callable[[np.void], str]], ...] = (
    ("PROCESS", -15, fmt.process),
    ("PID", 7, fmt.pid),
    ("LOCAL", -24, fmt.local),
    ("REMOTE", -24, fmt.remote),
    ("STATE", -10, lambda row: fmt.state(int(row["state"]), bool(row["closed"]), bool(row["stalled"]))),
    ("RTT", fmt.AGED_RTT_WIDTH, fmt.rtt_now),
    ("JITTER", 7, lambda row: fmt.rtt(known.value(row, "rttvar_us"))),
    ("MIN", 7, lambda row: fmt.rtt(known.value(row, "min_rtt_us"))),
    ("RETR", 5, lambda row: fmt.tally(int(row["retrans"]))),
    ("IN", 6, lambda row: fmt.bits(row["in_bps"])),
    ("OUT", 6, lambda row: fmt.bits(row["out_bps"])),
    ("AGE", 5, fmt.age_of),
)
"""Title, width (negative: aligned left), text of a row."""


class PlainTables:
    """Writes each snapshot as a table, slowest connection first.

    :param note: what there is to say of an empty table
    """

    def __init__(self, out: Writer, chosen: Filter, note: Callable[[], str]) -> None:
        self._out = out
        self._filter = chosen
        self._note = note

    def begin(self, hook: str) -> None:
        """Nothing goes before the first table."""

    def show(self, snapshot: Snapshot) -> None:
        """One table."""
        rows = snapshot.rows
        ranking = Ranking(rows, select(rows, self._filter), "rtt", descending=True)
        moment = time.strftime("%H:%M:%S", time.localtime(snapshot.time_ns / 1e9))
        health = snapshot.health
        problem = f"  ! {fmt.printable(health.problem)}" if health.problem else ""
        self._out.write(
            f"{moment}  {health.hook}  {len(ranking)} connections  {health.samples_per_s:.0f} samples/s  "
            f"{health.lost} lost{problem}\n"
        )
        self._line([title for title, _, _ in _COLUMNS])
        for row in rows[ranking.window(0, len(ranking))]:
            self._line([text(row) for _, _, text in _COLUMNS])
        note = "" if len(ranking) else self._note()
        if note:
            self._out.write(note + "\n")
        self._out.write("\n")
        self._out.flush()

    def end(self, lost: int) -> None:
        """Nothing goes after the last table."""

    def _line(self, cells: list[str]) -> None:
        padded = (
            cell.ljust(-width) if width < 0 else cell.rjust(width)
            for cell, (_, width, _) in zip(cells, _COLUMNS, strict=True)
        )
        self._out.write(" ".join(padded).rstrip() + "\n")
