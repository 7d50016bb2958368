"""The loader as a process: started, waited for, ended."""

from __future__ import annotations

import signal

from tcptop_rtt.helper import Helper
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.loader.handover import Handover, Refused, receive
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.requirements import require_bpf


class Loading:
    """The loader, running in a process of its own.

    :raises TcptopError: the loader cannot succeed here, and why
    """

    def __init__(self, request: Request) -> None:
        require_bpf()
        self.stage = "loading the BPF program"
        """What takes long at this moment."""
        self._helper = Helper("tcptop_rtt.sources.loader.work", request.to_text())

    def wait(self) -> Handover:
        """Wait until the program runs in the kernel, and return what the loader hands over.

        :raises TcptopError: the program cannot run here, and why
        :raises OSError: no descriptor is free
        """
        try:
            while True:
                message = receive(self._helper.channel)
                if isinstance(message, Handover):
                    return message
                if isinstance(message, Refused):
                    raise TcptopError(message.problem)
                if message is None:
                    raise TcptopError(self._ending())
                self.stage = message.text
        finally:
            self._helper.channel.close()
            self._helper.end()
            self._helper.process.wait()

    def cancel(self) -> None:
        """End the loader, and with it :meth:`wait`. Any thread may call this, at any time."""
        self._helper.end()

    def _ending(self) -> str:
        """The error message for a loader that has ended without a message."""
        code = self._helper.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        return f"what loads the BPF program was ended {how}: start tcptop-rtt again"
