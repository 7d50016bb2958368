"""A gate for scripts: watches conditions; the exit code says whether one of them has held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.json_line import encoded
from tcptop_rtt.outputs.recordings import Complaints
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import addresses
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.conditions import Condition, Measured
from tcptop_rtt.view.fields import CONNECTIONS
from tcptop_rtt.view.filter import Filter
from tcptop_rtt.view.own_health import what_is_missed

HELD = 3
"""The exit code if a condition has held."""
_WORST = 3
"""The number of connections that are named as evidence."""


class Gate:
    """Writes one line when a condition has held for its required time, and then stops the feed.

    :param chosen: a filter that connections must match, in addition to the condition's
    :param watched_ns: how long to watch; None for no limit
    :param stop: called when watching ends
    :param say: called with one line about each problem because of which connections may not be judged
    """

    def __init__(
        self,
        out: Writer,
        conditions: Sequence[Condition],
        chosen: Filter,
        as_json: bool,
        watched_ns: int | None,
        stop: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._out = out
        self._filter = chosen
        self._json = as_json
        self._watched_ns = watched_ns
        self._stop = stop
        self._complaints = Complaints(say)
        self._since: dict[Condition, tuple[int, int]] = {}
        """For each condition that holds, since when: by CLOCK_MONOTONIC and by the wall clock."""
        self._conditions = conditions
        self._began_ns: int | None = None
        self._judged_ns = 0
        self._over = False
        self.exit_code = 0
        """0 until a condition has held for its required time."""

    def begin(self, origin: Origin) -> None:
        """Write nothing."""

    def show(self, snapshot: Snapshot) -> None:
        """Check the conditions on the next snapshot."""
        if self._over:
            return
        self._complaints.take(snapshot.health.problem or what_is_missed(snapshot.health))
        now_ns = snapshot.clock_ns
        if self._began_ns is None:
            self._began_ns = now_ns
        self._judged_ns = now_ns - self._began_ns
        for condition in self._conditions:
            measured = condition.measure(snapshot.rows, self._filter, snapshot.health.lacking)
            if not measured.holds:
                self._since.pop(condition, None)
                continue
            since_ns, since_time_ns = self._since.setdefault(condition, (now_ns, snapshot.time_ns))
            if now_ns - since_ns >= condition.lasting_ns:
                self._tell(condition, measured, since_time_ns, snapshot)
                self.exit_code = HELD
                self._end()
                return
        if self._watched_ns is not None and self._judged_ns >= self._watched_ns:
            self._end()

    def end(self, dropped_records: int) -> None:
        """Write nothing."""

    @property
    def too_short(self) -> str:
        """Why a condition could not hold for its time; empty if each could."""
        longest_ns = max(condition.lasting_ns for condition in self._conditions)
        if self._over or self._judged_ns >= longest_ns:
            return ""
        judged, longest = (fmt.span(ns / 1e6) for ns in (self._judged_ns, longest_ns))
        return f"there were only {judged} to judge, and a condition has to hold for {longest}"

    def _end(self) -> None:
        self._over = True
        self._stop()

    def _tell(self, condition: Condition, measured: Measured, since_ns: int, snapshot: Snapshot) -> None:
        rows, lacking = snapshot.rows, snapshot.health.lacking
        worst = CONNECTIONS.views(rows[measured.indices[:_WORST]], lacking)
        if self._json:
            self._out.write_bytes(encoded(_line(condition, measured, since_ns, snapshot)))
        else:
            names = [f"{fmt.process(row)} {addresses.remote(row)} {fmt.rtt_now(row)}" for row in worst]
            worst_ones = f"; worst: {', '.join(names)}" if names else ""
            self._out.write(f"{_sentence(condition, measured, since_ns)}{worst_ones}\n")
        self._out.flush()


def _sentence(condition: Condition, measured: Measured, since_ns: int) -> str:
    count = len(measured.indices)
    of = f"{count} {fmt.noun(count, 'connection')}"
    if measured.known < count:
        of = f"{measured.known} of {of}"
    value = fmt.UNKNOWN if measured.value is None else condition.aggregate.text(measured.value)
    return f"{fmt.printable(condition.text)}: {value} of {of}, since {fmt.clock(since_ns / 1e9)}"


def _line(condition: Condition, measured: Measured, since_ns: int, snapshot: Snapshot) -> dict[str, Any]:
    rows = snapshot.rows.take(measured.indices[:_WORST])
    columns = [field.values(rows.__getitem__, snapshot.health.lacking) for field in CONNECTIONS.fields]
    return {
        "event": "held",
        "time_ns": snapshot.time_ns,
        "since_ns": since_ns,
        "condition": condition.text,
        "value": measured.value,
        "connections": len(measured.indices),
        "known": measured.known,
        "worst": [dict(zip(CONNECTIONS.names, values, strict=True)) for values in zip(*columns, strict=True)],
    }
