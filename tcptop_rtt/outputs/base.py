"""The interface of an output, and the loop that writes a feed to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Protocol

from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.writer import Writer


class Output(Protocol):
    """A front end without a screen: it turns snapshots into text.

    One thread calls ``begin`` once, ``show`` for each snapshot in the order of time, and ``end`` once, even
    if there was no snapshot. An output writes to its Writer, which never raises, and flushes it at the end of
    each call. It keeps no snapshot after the next one has come, and closes nothing.
    """

    def begin(self, origin: Origin) -> None:
        """Write what goes before the first snapshot."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Write a snapshot, or its changes since the previous one."""
        ...

    def end(self, dropped_records: int) -> None:
        """Write what goes after the last snapshot.

        :param dropped_records: records that the source had no room for, since the start
        """
        ...


def write_all(feed: Feed, output: Output, writer: Writer, count: int | None, skipped: int = 0) -> None:
    """Write the snapshots of a feed, as long as somebody reads.

    :param feed: open
    :param writer: the writer of the output
    :param count: the number of snapshots to write; None for all
    :param skipped: the number of first snapshots to skip, as the first one has no rates
    :raises TcptopError: writing to standard output failed; the message says why, and how much is missing
    """
    output.begin(feed.origin)
    shown = dropped_records = 0
    if not writer.failure:
        for snapshot in feed.snapshots():
            if skipped:
                skipped -= 1
                continue
            output.show(snapshot)
            shown, dropped_records = shown + 1, snapshot.health.dropped_records
            if shown == count or writer.failure or writer.gone:
                break
    output.end(dropped_records)
    complain(writer)


def write_lines(lines: Iterable[bytes], writer: Writer) -> None:
    """Write untrusted lines of JSON, as long as somebody reads. Only printable ASCII is written unchanged.

    :raises TcptopError: as :func:`write_all`; or some lines are no JSON, and were left out
    """
    left_out: list[int] = []
    for number, line in enumerate(lines, 1):
        harmless = line if _is_plain(line) else _in_ascii(line)
        if harmless is None:
            left_out.append(number)
            continue
        writer.write_bytes(harmless + b"\n")
        if writer.failure or writer.gone:
            break
    writer.flush()
    complain(writer)
    if left_out:
        raise TcptopError(f"{_lines_are(len(left_out))} left out: line {left_out[0]:,} is no line of JSON")


def _is_plain(line: bytes) -> bool:
    """Return whether the line is printable ASCII, which controls no terminal."""
    return line.isascii() and line.decode().isprintable()


def _in_ascii(line: bytes) -> bytes | None:
    """Return the line as JSON in printable ASCII; None if it is no JSON."""
    from tcptop_rtt.outputs.json_line import in_ascii  # seldom needed

    try:
        return in_ascii(json.loads(line))
    except (ValueError, RecursionError):
        return None


def complain(writer: Writer) -> None:
    """Report lines that could not be written.

    :raises TcptopError: writing to standard output failed
    """
    if writer.failure:
        lines = _lines_are(writer.unwritten)
        raise TcptopError(f"cannot write to standard output: {writer.failure}; {lines} not written")


def _lines_are(count: int) -> str:
    return "1 line is" if count == 1 else f"{count:,} lines are"
