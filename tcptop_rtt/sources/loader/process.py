"""The loader as a process: started, waited for, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.loader.handover import Handover, Refused, receive
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.requirements import require_bpf

_MAIN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from tcptop_rtt.sources.loader.__main__ import main
main()
"""
_ROOT = str(Path(__file__).resolve().parents[3])


class Loading:
    """The loader, at work in a process of its own.

    :raises TcptopError: there is no chance that it can load anything here, and why
    """

    def __init__(self, request: Request) -> None:
        require_bpf()
        self.stage = "loading the BPF program"
        """What takes long at this moment."""
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-IB", "-c", _MAIN, _ROOT, str(theirs.fileno()), request.to_text()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                pass_fds=[theirs.fileno()],
            )

    def wait(self) -> Handover:
        """What it hands over, once that runs in the kernel.

        :raises TcptopError: it cannot run here, and why
        :raises OSError: no descriptor is free
        """
        try:
            while True:
                message = receive(self._channel)
                if isinstance(message, Handover):
                    return message
                if isinstance(message, Refused):
                    raise TcptopError(message.problem)
                if message is None:
                    raise TcptopError(self._ending())
                self.stage = message.text
        finally:
            self._channel.close()
            self._process.wait()

    def cancel(self) -> None:
        """End it, and with it :meth:`wait`. Any thread may call this, at any time."""
        self._process.kill()

    def _ending(self) -> str:
        """What there is to say of a loader that has ended without a word."""
        code = self._process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        return f"what loads the BPF program was ended {how}: start tcptop-rtt again"
