"""The interface of an output, and the loop that writes a feed to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from tcptop_rtt.feeds.base import Feed
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Origin, Snapshot
from tcptop_rtt.outputs.json_line import in_ascii
from tcptop_rtt.outputs.writer import Writer
from tcptop_rtt.view import format as fmt

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


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


def write_all(feed: Feed, output: Output, writer: Writer, count: int | None, skipped: int = 0) -> int:
    """Write the snapshots of a feed, as long as somebody reads, and return how many were written.

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
    return shown


def write_lines(lines: Iterable[bytes], writer: Writer) -> None:
    """Write lines of JSON as they are, but in printable ASCII, as long as somebody reads.

    :param lines: brings an empty one, which is none of them, while no others come
    :raises TcptopError: as :func:`write_all`
    """
    for line in lines:
        if not line:
            writer.flush()
            continue
        writer.write_bytes(line + b"\n" if _is_plain(line) else _escaped(line) + b"\n")
        if writer.failure or writer.gone:
            break
    writer.flush()
    complain(writer)


def _is_plain(line: bytes) -> bool:
    """Return whether the line is printable ASCII, which controls no terminal."""
    return line.isascii() and line.decode().isprintable()


def _escaped(line: bytes) -> bytes:
    """Return the line with escapes in its strings; elsewhere JSON has no such characters but white space."""

    def escape(found: re.Match[str]) -> str:
        return " " if found[0] in "\t\r" else in_ascii(found[0])[1:-1].decode()

    return _NOT_PLAIN.sub(escape, line.decode(errors="replace").strip()).encode()


def complain(writer: Writer) -> None:
    """Report lines that could not be written.

    :raises TcptopError: writing to standard output failed
    """
    if writer.failure:
        lines = f"{writer.unwritten:,} {fmt.noun(writer.unwritten, 'line is', 'lines are')}"
        raise TcptopError(f"cannot write to standard output: {writer.failure}; {lines} not written")
