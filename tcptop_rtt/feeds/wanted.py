"""The process that ``--pid`` names: whether it exists, and whether it is still running."""

from __future__ import annotations

import errno
import os
import select

from tcptop_rtt.model.errors import TcptopError


class WantedProcess:
    """A running process. It is not confused with another one that gets the same PID later.

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
                problem = f"{pid} is a thread, not a process: ps -eL lists both numbers, PID and LWP"
                raise TcptopError(problem) from error
            return  # a sandbox forbids the call: the end of the process will not be noticed
        self._ended.register(self._fd, select.POLLIN)

    def note(self) -> str:
        """Says that the process has ended; empty while it runs."""
        return f"process {self._pid} has ended" if self._ended.poll(0) else ""

    def close(self) -> None:
        """Close the descriptor of the process."""
        if self._fd is not None:
            os.close(self._fd)
