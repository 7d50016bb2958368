"""The command with a source made by hand: ``python -m tests.unit.fake_command [--open=HOW] [OPTIONS]``.

It runs as any user, and says "closed" on standard error when the source is closed.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from functools import partial

from tcptop_rtt import cli, start
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.base import Source
from tcptop_rtt.sources.opening import Opener
from tests.unit.fake import FakeSource, connection


class _Source(FakeSource):
    def close(self) -> None:
        sys.stderr.write("closed\n")


def _open(how: str, hook: str) -> Source:
    if how == "refused":
        raise TcptopError(f"{hook} is refused")
    if how == "without a descriptor":
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if how == "broken":
        raise ValueError("two\nlines")
    if how == "interrupted":
        os.kill(os.getpid(), signal.SIGINT)
    source = _Source()
    source.entries = [
        connection(1),
        connection(2, rport=5432),
        connection(3, family=6, laddr="2001:db8::1", raddr="2001:db8::2"),
    ]
    return source


if __name__ == "__main__":
    how = ""
    if len(sys.argv) > 1 and sys.argv[1].startswith("--open="):
        how = sys.argv.pop(1).partition("=")[2]
    sys.exit(cli.main(partial(start.run, opener=lambda options: Opener(partial(_open, how, options.source)))))
