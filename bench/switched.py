"""The dashboard, taken out of the traffic's way and put back within milliseconds.

Started and ended anew, it could be compared with no program only every few seconds, and meanwhile the
speed of a machine changes by more than what is looked for.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench.bpf import attached_again
from bench.traffic import SETTLE_S, unseen

if TYPE_CHECKING:
    from tcptop_rtt.sources.base import Source

GAP_S = 0.03
"""What attaching and detaching upset is over by then."""


class Switched:
    """A running dashboard: paused, its hook detached, unless :meth:`working`.

    :param pid: of its process
    :param program_fd: of what is attached to its hook; closed together with this
    """

    def __init__(self, pid: int, program_fd: int) -> None:
        self._pid = pid
        self._program_fd = program_fd
        os.kill(pid, signal.SIGSTOP)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Meanwhile the hook is attached and the process runs, which makes up for its pause."""
        link_fd = attached_again(self._program_fd)
        try:
            time.sleep(GAP_S)
            os.kill(self._pid, signal.SIGCONT)
            yield
            os.kill(self._pid, signal.SIGSTOP)
        finally:
            os.close(link_fd)
        time.sleep(GAP_S)

    def close(self) -> None:
        """Let the process go on, without its hook."""
        os.kill(self._pid, signal.SIGCONT)
        os.close(self._program_fd)


@contextmanager
def switched(phase_s: float) -> Iterator[Switched]:
    """The program on a terminal that nobody looks at, paused.

    It will be at work for so long at a time, and off for as long. What it does once in some time it does once
    in so much time of work.
    """
    share = phase_s / 2 / (phase_s + GAP_S)
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    command = sys.executable, "-m", "bench.switched", str(theirs.fileno()), str(share)
    with ours, theirs, unseen(*command) as pid:
        _, (program_fd,), _, _ = socket.recv_fds(ours, 1, 1)
        time.sleep(SETTLE_S)
        program = Switched(pid, program_fd)
        try:
            yield program
        finally:
            program.close()


def _run() -> None:
    """The command line's program, but who has started it attaches its hook."""
    from tcptop_rtt import cli, start
    from tcptop_rtt.feeds.budget import Budget
    from tcptop_rtt.sources.loader.request import Request
    from tcptop_rtt.sources.opening import Opener
    from tcptop_rtt.sources.program import Program
    from tcptop_rtt.terminal.driver import TerminalDriver

    channel, share = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2])
    sys.argv[1:] = ["--interval", str(1 / share)]

    def open_source(hook: str) -> Source:
        from tcptop_rtt.reach.direct import Direct
        from tcptop_rtt.sources.probe import Probe

        program = Program.loaded(Request(hook))
        socket.send_fds(channel, [b"\0"], [program.detach_hook()])
        return Probe(program, Direct())

    def opener(options: argparse.Namespace) -> Opener:
        return Opener(partial(open_source, options.source))

    usual = Budget()
    budget = dataclasses.replace(
        usual,
        max_records_per_s=usual.max_records_per_s * share,
        target_records_per_s=usual.target_records_per_s * share,
        fresh_interval_s=usual.fresh_interval_s / share,
        longest_read_s=usual.longest_read_s / share,
        max_scan_share=usual.max_scan_share * share,
        target_scan_share=usual.target_scan_share * share,
        fresh_scan_s=usual.fresh_scan_s / share,
    )
    # It would set up the terminal once more, each time.
    TerminalDriver._on_continue = lambda *_: None  # type: ignore
    sys.exit(cli.main(partial(start.run, opener=opener, budget=budget)))


if __name__ == "__main__":
    _run()
