"""The dashboard, taken out of the traffic's way and put back within milliseconds.

Started and ended anew, it could be compared with no program only every few seconds, and meanwhile the
speed of a machine changes by more than what is looked for.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.bpf import attached_again, program_of
from bench.traffic import SETTLE_S, unseen

GAP_S = 0.03
"""What attaching and detaching upset is over by then."""


class Switched:
    """A running dashboard: paused, its hook detached, unless :meth:`working`.

    :param pid: of its process
    :param link_fd: the only descriptor of its hook's link
    """

    def __init__(self, pid: int, link_fd: int) -> None:
        self._pid = pid
        self._program_fd = program_of(link_fd)
        os.close(link_fd)
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
        _, (link_fd,), _, _ = socket.recv_fds(ours, 1, 1)
        time.sleep(SETTLE_S)
        program = Switched(pid, link_fd)
        try:
            yield program
        finally:
            program.close()


def _run() -> None:
    """The command line's program, but its hook's link belongs to who has started it."""
    from textual.drivers.linux_driver import LinuxDriver

    from tcptop_rtt.cli import main
    from tcptop_rtt.feeds import live, pacing
    from tcptop_rtt.sources.program import Program

    channel, share = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2])
    sys.argv[1:] = ["--interval", str(1 / share)]
    pacing.RECORDS_PER_S = round(pacing.RECORDS_PER_S * share)
    pacing.EASY_RECORDS_PER_S = round(pacing.EASY_RECORDS_PER_S * share)
    pacing.EASY_INTERVAL_S /= share
    live.LONGEST_READ_S /= share
    live.SCAN_SHARE *= share
    live.EASY_SCAN_SHARE *= share
    live.EASY_SCAN_S /= share
    attach = Program._attach_hook

    def hand_over(program: Program, source: str) -> None:
        attach(program, source)
        ((place, link_fd),) = program._links.items()  # the first of all
        socket.send_fds(channel, [b"\0"], [link_fd])
        del program._links[place]
        os.close(link_fd)

    Program._attach_hook = hand_over  # type: ignore
    # It would set up the terminal once more, each time.
    LinuxDriver._sigcont_application = lambda *_: None  # type: ignore
    sys.exit(main())


if __name__ == "__main__":
    _run()
