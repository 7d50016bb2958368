"""What an output is, and how a feed is written to it: until there is enough, or nobody reads any more."""

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

    One thread calls ``begin`` once, ``show`` for each snapshot in the order of their time, and ``end`` once,
    also where there was no snapshot. An output writes to its Writer, which never raises, and flushes it at
    the end of each call. It keeps no snapshot for longer than until the next one, and closes nothing.
    """

    def begin(self, origin: Origin) -> None:
        """Write what goes before the first snapshot."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Write a snapshot, or what it changes."""
        ...

    def end(self, dropped_records: int) -> None:
        """Write what goes after the last snapshot.

        :param dropped_records: those that the source had no room for, since the start
        """
        ...


def write_all(feed: Feed, output: Output, writer: Writer, count: int | None, skipped: int = 0) -> None:
    """Write so many snapshots, or all that come, as long as somebody reads.

    :param feed: open
    :param writer: what the output writes to
    :param skipped: so many at first are not written: there is no rate in the first one
    :raises TcptopError: standard output takes no more: why, and how much has not got out
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
    """Write lines of JSON as they are, as long as somebody reads; others may have made them.

    :raises TcptopError: as :func:`write_all`; or some have been left out, as a terminal could obey them
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
    """Whether no terminal does anything but show it."""
    return line.isascii() and line.decode().isprintable()


def _in_ascii(line: bytes) -> bytes | None:
    """The same in characters that any terminal has; None: it is no JSON."""
    from tcptop_rtt.outputs.json_line import in_ascii  # few need it

    try:
        return in_ascii(json.loads(line))
    except (ValueError, RecursionError):
        return None


def complain(writer: Writer) -> None:
    """Say what could not be written.

    :raises TcptopError: standard output takes no more
    """
    if writer.failure:
        lines = _lines_are(writer.unwritten)
        raise TcptopError(f"cannot write to standard output: {writer.failure}; {lines} not written")


def _lines_are(count: int) -> str:
    return "1 line is" if count == 1 else f"{count:,} lines are"
