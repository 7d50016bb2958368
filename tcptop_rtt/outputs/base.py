"""Writing snapshots to standard output: until there are enough, or nobody reads any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.snapshot import Snapshot
from tcptop_rtt.outputs.writer import Writer


class Output(Protocol):
    """A front end without a screen."""

    def begin(self, hook: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def end(self, lost: int) -> None: ...


def write_all(
    hook: str, snapshots: Iterable[Snapshot], output: Output, writer: Writer, count: int | None
) -> None:
    """Write so many snapshots, or all that come, as long as somebody reads.

    :param writer: what the output writes to
    :raises TcptopError: standard output takes no more: why, and how much has not got out
    """
    output.begin(hook)
    shown = lost = 0
    if not writer.failure:
        for snapshot in snapshots:
            output.show(snapshot)
            shown, lost = shown + 1, snapshot.health.lost
            if shown == count or writer.failure or writer.gone:
                break
    output.end(lost)
    if writer.failure:
        lines = "1 line is" if writer.unwritten == 1 else f"{writer.unwritten:,} lines are"
        raise TcptopError(f"cannot write to standard output: {writer.failure}; {lines} not written")
