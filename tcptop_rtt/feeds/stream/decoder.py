"""Decodes lines of the stream into snapshots: from a recording, a file, or another host.

The lines may come from anybody, and from other versions: an unreadable line is skipped and reported.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec

from tcptop_rtt.feeds.stream import parts
from tcptop_rtt.feeds.stream.state import Line, State
from tcptop_rtt.feeds.stream.tables import BadLineError, ids_of
from tcptop_rtt.model.snapshot import CELL_NS, Origin, ProcessKey, Snapshot
from tcptop_rtt.recording.reader import MOST_LINE_BYTES, Complain
from tcptop_rtt.view import format as fmt
from tcptop_rtt.view.streamed import FORMAT_VERSION, SIDES

MOST_LINES = 1 << 23
"""The largest number of lines for one snapshot."""
MOST_BYTES = 1 << 30
"""The most bytes of one snapshot. More than 500,000 connections have room, each on a line of its own."""
MOST_ROW_BYTES = 1 << 16
"""The most bytes of a line that is not a list of values; a connection's takes 3,000."""
_LISTS = ("column", "state", "refresh")

_Value = str | int | float | bool | None
_Flat = _Value | list[_Value]
_decode = msgspec.json.Decoder(dict[str, _Flat | dict[str, _Flat]]).decode
"""Of a list in a list, which no long line has, two bytes would fill sixty of memory."""
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode


class StreamDecoder:
    """Not thread-safe.

    :param complain: called with what cannot be read, and where
    """

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self.line = 0
        """The number of the latest line, for messages."""
        self.unreadable = 0
        """How many lines in a row could not be read."""
        self.origin: Origin | None = None
        """Where the snapshots are from; None until a header has come."""
        self.dropped_records = 0
        """The number of dropped records, as the ``end`` line reports it."""
        self.reset()

    def reset(self) -> None:
        """Forget the state, but not the origin: a new stream begins."""
        self._state = State(self.say)
        self._refreshes = self._begins_anew = False
        self._time_ns = 0  # the time of the collected lines, in a stream without refresh lines
        self._begin()

    def _begin(self) -> None:
        """Begin to collect the lines of the next snapshot."""
        self._count = self._bytes = 0
        self._rows: dict[int, Line] = {}
        self._side_rows: dict[str, dict[int, Line]] = {kind.id_field: {} for kind in SIDES}
        self._columns: list[tuple[int, Line]] = []
        self._states: list[tuple[int, Line]] = []
        self._waiting: list[tuple[int, Line]] = []

    def copy(self, complain: Complain) -> StreamDecoder:
        """An independent copy, which can go on from here."""
        other = copy.copy(self)
        other._complain = complain
        other._state = self._state.copy(other.say)
        other._begin()
        return other

    def drop_states(self) -> None:
        """Drop lines of the whole state without their end, which could not be read."""
        if self._states:
            self._states, self._begins_anew = [], False

    def cgroup(self, process: ProcessKey) -> str | None:
        """The control group of a process; None if no line has named it."""
        return self._state.cgroup(process)

    def take(self, text: bytes) -> Snapshot | None:
        """Decode a line; return a snapshot if the line completes one."""
        self.line += 1
        self.unreadable += 1
        try:
            snapshot = self._take(text)
            self.unreadable = 0
            return snapshot
        except BadLineError as error:
            self.say(str(error))
        return None

    def passes(self, text: bytes) -> bool:
        """Count a line without taking it; return whether it is a JSON object, and report it if not."""
        self.line += 1
        try:
            _decoded(text)
        except BadLineError as error:
            self.say(str(error))
            return False
        return True

    def say(self, problem: str, line: int | None = None) -> None:
        """Report what is wrong with a line, by default the latest one."""
        self._complain(f"line {self.line if line is None else line:,}: {fmt.printable(problem)}")

    def _take(self, text: bytes) -> Snapshot | None:
        line = _decoded(text)
        event = line.get("event")
        if len(text) > MOST_ROW_BYTES and event not in _LISTS:
            raise BadLineError(f"it is longer than {MOST_ROW_BYTES:,} bytes")
        self._count += 1
        self._bytes += len(text)
        if self._count > MOST_LINES or self._bytes > MOST_BYTES:
            much = f"{self._count:,} lines, {self._bytes:,} bytes"
            self._begin()
            raise BadLineError(f"{much} without a refresh")
        older = self._older(line) if not self._refreshes else None
        match event:
            case "open" | "sample" | "close":
                self._rows[parts.number(line, "id")] = line
            case "column":
                self._columns.append((self.line, line))
            case str() if event in self._side_rows:
                self._side_rows[event][parts.number(line, event)] = line
            case "refresh":
                self._refreshes = True
                return self._refresh(line)
            case "state":
                self._states.append((self.line, line))
            case "waiting":
                self._waiting.append((self.line, line))
            case "header":
                self._take_header(line)
            case "end":
                self.dropped_records = parts.number(line, "lost")
            case "moment":
                pass
            case _:
                raise BadLineError(f"event {str(event)[:64]!a} is not known to this version")
        return older

    # --- old streams without refresh lines: lines of the same time make a snapshot --------------------

    def _older(self, line: Line) -> Snapshot | None:
        if line.get("event") == "header":
            return self.finish()
        if line.get("event") not in ("open", "sample", "close", "listener", "waiting"):
            return None
        time_ns = parts.time(line, "time_ns")
        complete = self.finish() if time_ns != self._time_ns else None
        self._time_ns = time_ns
        return complete

    def finish(self) -> Snapshot | None:
        """In a stream without refresh lines, the snapshot of the collected lines; else None."""
        if self._refreshes or not self._rows:
            return None
        second = self._time_ns // CELL_NS
        rows = [line for _, line in sorted(self._rows.items()) if line.get("rtt_hi_us") is not None]
        cells = {"ids": [line["id"] for line in rows], "values": [line["rtt_hi_us"] for line in rows]}
        self._columns.append((self.line, {"table": "cells", "second": second, **cells}))
        times = {"time_ns": self._time_ns, "clock_ns": self._time_ns}
        return self._refresh({**times, "gone": self._state.closed(), "health": {}})

    def _take_header(self, line: Line) -> None:
        origin, version = parts.origin(line), line.get("version")
        if version != FORMAT_VERSION and self.origin is None:
            self.say(f"version {version} of the stream: its new features are not shown")
        self.origin = origin
        # Another run begins, which ends no connection of the one before; or the whole state follows.
        self._begin()
        self._refreshes, self._begins_anew = False, True

    # --- a snapshot is complete -----------------------------------------------------------------------

    def _refresh(self, line: Line) -> Snapshot:
        time_ns, clock_ns = parts.time(line, "time_ns"), parts.time(line, "clock_ns")
        health = parts.health(line.get("health"))
        try:
            if self._begins_anew or self._states:  # state lines repeat everything
                self._state, self._begins_anew = State(self.say), False
                for number, one in self._states:
                    self._guarded(number, self._state.take_state, one)
            for number, one in self._waiting:
                self._guarded(number, self._state.take_waiting, one)
            self._state.take_rows(self._rows, ids_of(line.get("gone", [])), keeps_samples=bool(self._states))
            for event, rows in self._side_rows.items():
                self._state.take_side(event, rows)
            for number, column in self._columns:
                self._guarded(number, self._state.take_column, column)
        finally:
            self._begin()
        return self._state.snapshot(time_ns, clock_ns, health)

    def _guarded(self, number: int, take: Callable[[Line], None], line: Line) -> None:
        try:
            take(line)
        except BadLineError as error:
            self.say(str(error), number)


def _decoded(text: bytes) -> Line:
    """The object in a line.

    :raises BadLineError: there is none
    """
    if len(text) > MOST_LINE_BYTES:
        raise BadLineError(f"it is longer than {MOST_LINE_BYTES:,} bytes")
    try:
        try:
            return _decode(text)
        except msgspec.ValidationError:
            if len(text) > MOST_ROW_BYTES:
                raise BadLineError("no JSON object, or lists in lists") from None
            return _decode_any(text)  # of another version, which may nest more
    except (msgspec.MsgspecError, RecursionError):
        raise BadLineError("not a JSON object") from None
    except UnicodeDecodeError:
        raise BadLineError("no UTF-8") from None
