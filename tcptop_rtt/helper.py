"""Child processes of the program: each inherits nothing but a socket, and ends with its parent."""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

_MAIN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from tcptop_rtt.helper import begin
begin()
"""
_ROOT = str(Path(__file__).resolve().parents[1])
_SETSIG = 10  # F_SETSIG in include/uapi/asm-generic/fcntl.h, which Python's fcntl lacks


class Helper:
    """A child process in a session of its own, so that no key of the terminal sends it a signal.

    :param module: the child runs ``main(channel, *arguments)`` of this module
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        """A socket on which each message arrives whole."""
        leash, self._leash = os.pipe()
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-IB",
                    "-c",
                    _MAIN,
                    _ROOT,
                    module,
                    str(theirs.fileno()),
                    str(leash),
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                pass_fds=[theirs.fileno(), leash],
                start_new_session=True,
            )
        except BaseException:
            os.close(self._leash)
            self.channel.close()
            raise
        finally:
            theirs.close()
            os.close(leash)

    def end(self) -> None:
        """Kill the child, whatever it does. Any thread may call this at any time."""
        leash, self._leash = self._leash, -1
        if leash >= 0:
            os.close(leash)


def received(channel: socket.socket, most_bytes: int, most_descriptors: int) -> tuple[bytes, list[int]]:
    """Return the next message and its descriptors; an empty message: the other end has closed.

    :raises OSError: this process has no free descriptor for those in the message
    """
    data, descriptors, flags, _ = socket.recv_fds(channel, most_bytes, most_descriptors)
    for descriptor in descriptors:  # recv_fds() of Python 3.11 leaves MSG_CMSG_CLOEXEC out
        os.set_inheritable(descriptor, False)
    if flags & socket.MSG_CTRUNC:
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return data, descriptors


def begin() -> None:
    """Run the module in the child process."""
    module, channel, leash, *arguments = sys.argv[1:]
    _end_with(int(leash))
    importlib.import_module(module).main(socket.socket(fileno=int(channel)), *arguments)


def _end_with(leash: int) -> None:
    """Have the kernel kill this process once no process holds the other end of a pipe.

    The parent may have given up the right to kill its child, and cannot act if it is killed itself.
    """
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, _SETSIG, signal.SIGKILL)
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(leash, 0)
    if poll.poll(0):  # the parent ended before
        sys.exit(1)
