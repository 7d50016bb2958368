"""JSON Lines: the stream, for pipes and files."""

from __future__ import annotations

from collections.abc import Callable

from tcptop_rtt.model.snapshot import Origin, ProcessKey, Snapshot
from tcptop_rtt.outputs.stream import StreamLines
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view.filter import Filter


class JsonLines:
    """Writes snapshots as a stream: a header, ``open``, ``sample``, ``close`` and other lines, an end.

    :param cgroup: returns the cgroup path of a process, or None
    """

    def __init__(self, out: Writer, chosen: Filter, cgroup: Callable[[ProcessKey], str | None]) -> None:
        self._out = out
        self._stream = StreamLines(chosen, cgroup)

    def begin(self, origin: Origin) -> None:
        """Write the header."""
        self._write(self._stream.begin(origin))

    def show(self, snapshot: Snapshot) -> None:
        """Write the changes since the previous snapshot."""
        self._write(self._stream.of(snapshot))

    def end(self, dropped_records: int) -> None:
        """Write the last line."""
        self._write(self._stream.end(dropped_records))

    def _write(self, lines: list[bytes]) -> None:
        for some in lines:
            self._out.write_bytes(some)
        self._out.flush()
