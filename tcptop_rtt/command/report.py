"""The report on a command's connections after its end: two tables, or JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop_rtt.command.account import MOST, Account
from tcptop_rtt.command.columns import CONNECTIONS, SERVICES, Column
from tcptop_rtt.model.outside import name_of
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt

LISTED = 20
"""At most this many services, and connections with the slowest RTTs, are listed; JSON has all."""


_GAP = "  "


class Ended(NamedTuple):
    """How and when the command ended."""

    arguments: Sequence[str]
    status: int
    """As in a shell: the exit status, or 128 plus the number of the signal that ended the command."""
    lasted_ns: int


def write_tables(out: Writer, account: Account, ended: Ended, width: int | None = None) -> None:
    """Write the report as tables for people.

    :param width: of the terminal; None if the output is no terminal
    """
    connections = account.connections()
    services = account.services(connections)
    name = fmt.printable(name_of(" ".join(ended.arguments)))
    count = f"{len(connections) or 'no'} {fmt.noun(len(connections), 'connection')}"
    lasted = fmt.rtt(ended.lasted_ns / 1000)
    out.write(f"\ntcptop-rtt: {name}: exit status {ended.status} after {lasted}, {count}\n")
    for note in _notes(account):
        out.write(f"tcptop-rtt: {note}\n")
    if len(connections):
        out.write("\n")
        _table(out, SERVICES, services[:LISTED], width)
        _rest(out, len(services) - LISTED, "service")
        out.write("\n")
        slowest = np.argsort(-connections["p99_us"].astype(np.int64), kind="stable")[:LISTED]
        listed = connections if len(connections) <= LISTED else connections[slowest]
        _table(out, CONNECTIONS, listed, width)
        _rest(out, len(connections) - LISTED, "connection", ", with lower RTTs")
        out.write("\n")
    out.flush()


def write_json(out: Writer, account: Account, ended: Ended) -> None:
    """Write the report as JSON Lines: a line per service and connection, then one about the run."""
    connections = account.connections()
    for event, columns, rows in (
        ("service", SERVICES, account.services(connections)),
        ("connection", CONNECTIONS, connections),
    ):
        values_of = {name: of for column in columns for name, of in column.values.items()}
        for values in zip(*(of(rows.__getitem__, frozenset()) for of in values_of.values()), strict=True):
            _line(out, {"event": event, **dict(zip(values_of, values, strict=True))})
    _line(
        out,
        {
            "event": "run",
            "command": list(ended.arguments),
            "exit_status": ended.status,
            "lasted_ns": ended.lasted_ns,
            "connections": len(connections),
            "not_kept": account.not_kept,
            "lost": account.dropped_records,
            "untracked": account.untracked,
        },
    )
    out.flush()


def _line(out: Writer, line: dict[str, object]) -> None:
    out.write_bytes(encoded(line))


def _notes(account: Account) -> list[str]:
    """Return notes on what may be missing from the report."""
    notes = []
    if account.not_kept:
        more = f"{account.not_kept:,} more {fmt.noun(account.not_kept, 'connection')}"
        notes.append(f"{more} than the {MOST:,} that are kept: not counted")
    if account.dropped_records or account.untracked:
        lost, untracked = account.dropped_records, account.untracked
        notes.append(
            f"{lost:,} {fmt.noun(lost, 'record was', 'records were')} lost and {untracked:,} "
            f"{fmt.noun(untracked, 'connection')} not tracked: what follows may be incomplete"
        )
    still_open = account.unfinished()
    if still_open:
        notes.append(f"{still_open:,} still open: their numbers are those at this moment")
    return notes


def _table(out: Writer, columns: Sequence[Column], rows: NDArray[np.void], width: int | None) -> None:
    cells = {column: [column.title, *map(column.text, rows)] for column in columns}
    widths = {column: max(map(len, texts)) for column, texts in cells.items()}
    while width is not None and sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
        last = max(widths, key=lambda column: column.goes)
        if not last.goes:
            break
        del widths[last]
    for number in range(len(rows) + 1):
        padded = (
            cells[column][number].rjust(wide) if column.numeric else cells[column][number].ljust(wide)
            for column, wide in widths.items()
        )
        out.write(_GAP.join(padded).rstrip() + "\n")


def _rest(out: Writer, count: int, one: str, which: str = "") -> None:
    if count > 0:
        out.write(f"and {count:,} more {fmt.noun(count, one)}{which}: --json has all\n")
