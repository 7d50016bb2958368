"""The lines above the details of one connection: its process, its endpoints, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tcptop_rtt.model.connection import Connection
from tcptop_rtt.model.rows import DIRECTIONS
from tcptop_rtt.screens import details_blocks
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.glyphs import Glyphs
from tcptop_rtt.view.watched import Watched
from tcptop_rtt.widgets.styled import COMMON_STYLES, Part, StyledLines, component_classes

MIN_ENDPOINT = 21
"""The least cells of an endpoint: an IPv4 address and a port always fit."""
TITLE_REST = 40
"""The most cells of the first line besides the endpoints: process, PID, arrow, state."""


class TitleLines(StyledLines):
    """Shows a connection's process, its endpoints, and the verdict."""

    COMPONENT_CLASSES: ClassVar[set[str]] = component_classes(
        "title-lines", "name", "value", "flag", "stalled", *COMMON_STYLES
    )

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def show(self, watched: Watched, flags: Sequence[str] = (), message: str = "", problem: str = "") -> None:
        """Shows what is known of the connection.

        :param flags: words in capitals before its name
        :param message: what has just been done
        :param problem: why there will be no newer snapshot
        """
        row, verdict, closed = watched.row, watched.verdict, watched.closed
        if row is None or verdict is None:
            self.set_lines([[("this connection is gone", "dim")]])
            return
        first: list[Part] = []
        for flag in flags:
            first += [(f" {flag} ", "flag"), ("  ", "")]
        state = fmt.state(row.state, closed, row.stalled)
        if row.host:
            first.append((fmt.printable(row.host, self._glyphs) + "  ", "value"))
        first += [
            (fmt.process(row, self._glyphs), "name"),
            (f" {fmt.pid(row)}  ", "dim"),
            *self._endpoints(row),
            (f"  {state}", "stalled" if state == "STALLED" else "dim"),
        ]
        second: list[Part] = []
        if message:
            second += [(f" {message} ", "flag"), ("  ", "")]
        if problem:
            second += [("! " + fmt.printable(problem, self._glyphs) + "  ", "bad")]
        if not (row.stalled and not closed):
            second += [("RTT ", "dim"), (fmt.rtt_now(row), fmt.rtt_level(row)), ("  ", "")]
        second.append((str(verdict), details_blocks.style_of(verdict)))
        self.set_lines([first, second])

    def _endpoints(self, row: Connection) -> list[Part]:
        local = addresses.local(row, self._glyphs)
        remote = addresses.remote(row, self._glyphs)
        room = max(2 * MIN_ENDPOINT, self.size.width - TITLE_REST)
        if len(local) + len(remote) > room:
            local = addresses.shorten(local, max(MIN_ENDPOINT, room - len(remote)), self._glyphs)
            remote = addresses.shorten(remote, room - len(local), self._glyphs)
        return [
            (local, "value"),
            (f" {self._arrow(row.direction)} ", "dim"),
            (remote, "value"),
        ]

    def _arrow(self, direction: int) -> str:
        glyphs = self._glyphs
        arrows = {"out": glyphs.outgoing, "in": glyphs.incoming, None: glyphs.unknown_direction}
        return arrows[DIRECTIONS[direction] if direction < len(DIRECTIONS) else None]
