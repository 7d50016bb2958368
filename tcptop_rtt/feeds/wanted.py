"""The process that ``--pid`` names: whether there is one, and whether it is still there."""

from __future__ import annotations

import errno
import os
import select

from tcptop_rtt.model.errors import TcptopError


class WantedProcess:
    """A process as it is now: another that gets its PID later is not taken for it.

    :raises TcptopError: no process has that PID in our PID namespace
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = select.poll()
        self._fd: int | None = None
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError as error:
            raise TcptopError(f"no process has PID {pid} here: ps -e lists those that there are") from error
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                problem = f"{pid} is no process but a thread of one: ps -eL lists both numbers, PID and LWP"
                raise TcptopError(problem) from error
            return  # a sandbox forbids the call: its end will not be known
        self._ended.register(self._fd, select.POLLIN)

    def note(self) -> str:
        """That it has ended; empty as long as it has not."""
        return f"process {self._pid} has ended" if self._ended.poll(0) else ""

    def close(self) -> None:
        """Let go of it."""
        if self._fd is not None:
            os.close(self._fd)
