"""Makes the cells of tables: each has a text, and the name of the style that colours it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.hosts import name_of
from tcptop_rtt.model.rows import Holder
from tcptop_rtt.view import addresses, naming, waits
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.causes import Cause
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown


class Cell(NamedTuple):
    """A cell's text, and the name of the table's style that colours it."""

    text: str
    style: str = ""


MakeCell = Callable[[Any, Glyphs], Cell]
"""Makes a cell of a view (see ``Table.views``), with the characters that the terminal can show."""


def process(row: Connection, glyphs: Glyphs) -> Cell:
    """The process that holds the socket."""
    return Cell(fmt.process(row, glyphs), "" if row.holder == Holder.PROCESS else "dim")


def pid(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The PID of the process that holds the socket."""
    return Cell(fmt.pid(row), "" if row.holder == Holder.PROCESS else "dim")


def local(row: Connection, glyphs: Glyphs) -> Cell:
    """Our address and port."""
    return Cell(addresses.local(row, glyphs), "dim")


def remote(row: Shown, glyphs: Glyphs) -> Cell:
    """The peer's address and port, or their names."""
    return Cell(naming.remote(row, row.names, glyphs))


def state(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The connection's state, or STALLED, or CLOSED."""
    text = fmt.state(row.state, row.closed, row.stalled)
    return Cell(text, "stalled" if text == "STALLED" else "dim")


def rtt(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The current RTT, or an older one with its age."""
    level = fmt.rtt_level(row)
    style = "stalled" if row.stalled else "dim" if level == "unknown" else level
    return Cell(fmt.rtt_now(row), style)


def peak(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The highest RTT of the last minutes: dim where its level is that of the row's RTT."""
    us = row.peak_rtt_us
    worse = us is not None and fmt.level(us) != fmt.level(row.rtt.us)
    return Cell(fmt.peak(row), fmt.level(us) if us and worse else "dim")


def text(name: str) -> MakeCell:
    """Text from outside, made printable."""
    return lambda row, glyphs: Cell(fmt.printable(bytes(row.row[name]), glyphs), "dim")


def host(name: str) -> MakeCell:
    """The name of a host, or of both where a row shows both ends."""
    return lambda row, glyphs: Cell(fmt.printable(name_of(int(row.row[name])), glyphs), "dim")


def microseconds(name: str) -> MakeCell:
    """A time, formatted as an RTT."""
    return lambda row, _: Cell(fmt.rtt(row.number(name)), "dim")


def quotient(total_us: str, count: str) -> MakeCell:
    """A mean time, formatted as an RTT: a sum of times divided by their number."""

    def cell(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
        total, of = row.number(total_us), row.number(count)
        return Cell(fmt.rtt(None if total is None or of is None else total / of), "dim")

    return cell


WAIT_CELLS = 9


def wait(row: Shown, glyphs: Glyphs) -> Cell:
    """A bar of the parts that the side that asks waits for."""
    if row.wait.several:
        return Cell("several", "dim")
    return Cell(waits.bar(row.wait.parts_us, WAIT_CELLS, glyphs) if row.wait.parts_us else "")


def retrans(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The retransmits: a warning if there were any in the last minute."""
    return Cell(fmt.tally(row.retrans), "warn" if row.retrans_1m else "dim")


def rate(of: Callable[[Connection], float | None]) -> MakeCell:
    """A rate in bits per second."""

    def cell(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
        bps = of(row)
        return Cell(fmt.NOTHING if bps is None else fmt.bits(bps), "" if bps and bps >= 1 else "dim")

    return cell


def age(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The age of the connection."""
    return Cell(fmt.age_of(row), "dim")


def why(row: Shown, glyphs: Glyphs) -> Cell:
    """What holds the connection up; empty if nothing does, or too little is known."""
    return cause(row.cause, _of_host(row, row.cause, glyphs) if row.cause else "")


def _of_host(row: Shown, found: Cause, glyphs: Glyphs) -> str:
    """Returns a cause in words; where a row shows both ends, with the name of the host at fault."""
    if row.ends is None:
        return found.words(row).brief
    here, there = row.ends if row.ends[0].cause is found else row.ends[::-1]
    brief = found.words(here).brief
    if found.who == "network":
        return brief
    host = here.host if found.who == "us" else there.host
    return f"{fmt.printable(host, glyphs)}: {brief.removeprefix('peer ')}"


def cause(of: Cause | None, text: str) -> Cell:
    """The text of a cause, coloured by its severity."""
    return Cell(text, "" if of is None else "bad" if of.stops else "warn")
