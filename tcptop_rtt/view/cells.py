"""What the cells of tables say: of a row its text, and the name of the style that colours it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import Holder
from tcptop_rtt.view import addresses, naming, waits
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.causes import Cause
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.shown import Shown


class Cell(NamedTuple):
    """A cell's text, and what colours it: the name of a style of the table."""

    text: str
    style: str = ""


MakeCell = Callable[[Any, Glyphs], Cell]
"""Of a row as its table's ``views`` makes it, with the characters of the terminal."""


def process(row: Connection, glyphs: Glyphs) -> Cell:
    """Who holds the socket."""
    return Cell(fmt.process(row, glyphs), "" if row.holder == Holder.PROCESS else "dim")


def pid(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """Its number."""
    return Cell(fmt.pid(row), "" if row.holder == Holder.PROCESS else "dim")


def local(row: Connection, glyphs: Glyphs) -> Cell:
    """Our address and port."""
    return Cell(addresses.local(row, glyphs), "dim")


def remote(row: Shown, glyphs: Glyphs) -> Cell:
    """The peer's, or its names."""
    return Cell(naming.remote(row, row.names, glyphs))


def state(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The state, or what is wrong."""
    text = fmt.state(row.state, row.closed, row.stalled)
    return Cell(text, "stalled" if text == "STALLED" else "dim")


def rtt(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The RTT of now, or how old it is."""
    level = fmt.rtt_level(row)
    style = "stalled" if row.stalled else "dim" if level == "unknown" else level
    return Cell(fmt.rtt_now(row), style)


def peak(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """The highest RTT of the last minutes: dim where it is no worse than now."""
    us = row.peak_rtt_us
    worse = us is not None and fmt.level(us) != fmt.level(row.rtt.us)
    return Cell(fmt.peak(row), fmt.level(us) if us and worse else "dim")


def text(name: str) -> MakeCell:
    """Bytes of others, as they may be shown."""
    return lambda row, glyphs: Cell(fmt.printable(bytes(row.row[name]), glyphs), "dim")


def microseconds(name: str) -> MakeCell:
    """A time as the RTT is written."""
    return lambda row, _: Cell(fmt.rtt(row.number(name)), "dim")


def quotient(total_us: str, count: str) -> MakeCell:
    """A time per one of several, which is known where their sum is."""

    def cell(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
        total, of = row.number(total_us), row.number(count)
        return Cell(fmt.rtt(None if total is None or of is None else total / of), "dim")

    return cell


WAIT_CELLS = 9


def wait(row: Shown, glyphs: Glyphs) -> Cell:
    """What the side that asks waits for, as a bar."""
    if row.wait.several:
        return Cell("several", "dim")
    return Cell(waits.bar(row.wait.parts_us, WAIT_CELLS, glyphs) if row.wait.parts_us else "")


def retrans(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """Segments sent again: a warning if there were some in the last minute."""
    return Cell(fmt.tally(row.retrans), "warn" if row.retrans_1m else "dim")


def rate(of: Callable[[Connection], float | None]) -> MakeCell:
    """Bits per second."""

    def cell(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
        bps = of(row)
        return Cell(fmt.NOTHING if bps is None else fmt.bits(bps), "" if bps and bps >= 1 else "dim")

    return cell


def age(row: Connection, glyphs: Glyphs) -> Cell:  # noqa: ARG001
    """How old the connection is."""
    return Cell(fmt.age_of(row), "dim")


def why(row: Shown, glyphs: Glyphs) -> Cell:
    """What holds it up; nothing where all is well, or too little is known."""
    return cause(row.cause, _of_host(row, row.cause, glyphs) if row.cause else "")


def _of_host(row: Shown, found: Cause, glyphs: Glyphs) -> str:
    """A cause in words; where both ends are shown, with the host that it is at."""
    if row.ends is None:
        return found.words(row).brief
    here, there = row.ends if row.ends[0].cause is found else row.ends[::-1]
    brief = found.words(here).brief
    if found.who == "network":
        return brief
    host = here.host if found.who == "us" else there.host
    return f"{fmt.printable(host, glyphs)}: {brief.removeprefix('peer ')}"


def cause(of: Cause | None, text: str) -> Cell:
    """What holds something up, in the colour of how bad that is."""
    return Cell(text, "" if of is None else "bad" if of.stops else "warn")
