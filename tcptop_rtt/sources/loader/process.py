"""The loader as a process: started, waited for, ended."""

from __future__ import annotations

import signal

from tcptop_rtt.helper import Helper
from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.loader.handover import Handover, Refused, receive
from tcptop_rtt.sources.loader.request import Request
from tcptop_rtt.sources.requirements import require_bpf


class Loading:
    """The loader, at work in a process of its own.

    :raises TcptopError: there is no chance that it can load anything here, and why
    """

    def __init__(self, request: Request) -> None:
        require_bpf()
        self.stage = "loading the BPF program"
        """What takes long at this moment."""
        self._helper = Helper("tcptop_rtt.sources.loader.work", request.to_text())

    def wait(self) -> Handover:
        """What it hands over, once that runs in the kernel.

        :raises TcptopError: it cannot run here, and why
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
        """End it, and with it :meth:`wait`. Any thread may call this, at any time."""
        self._helper.end()

    def _ending(self) -> str:
        """What there is to say of a loader that has ended without a word."""
        code = self._helper.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        return f"what loads the BPF program was ended {how}: start tcptop-rtt again"
