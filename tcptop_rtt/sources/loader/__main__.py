"""The loader: ``python -m tcptop_rtt.sources.loader DESCRIPTOR REQUEST``, which hands over to that socket."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable

from tcptop_rtt.model.errors import TcptopError, remedy
from tcptop_rtt.sources.loader import cache
from tcptop_rtt.sources.loader.code import Code
from tcptop_rtt.sources.loader.compiling import compiled, compiler_flags
from tcptop_rtt.sources.loader.files import program_text
from tcptop_rtt.sources.loader.handover import Handover, Refused, Stage, send
from tcptop_rtt.sources.loader.loading import load
from tcptop_rtt.sources.loader.request import Request

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def main() -> None:
    """Load what is asked for, hand it over, and end."""
    # Whoever interrupts the terminal means the process that waits for this one, and ends it.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    descriptor, text = sys.argv[1:]
    channel, request = socket.socket(fileno=int(descriptor)), Request.from_text(text)
    _end_with(request.parent)
    try:
        send(channel, made(request, lambda stage: send(channel, Stage(stage))))
    except TcptopError as error:
        send(channel, Refused(str(error)))
    except OSError as error:
        send(channel, Refused(f"{error}{remedy(error)}"))


def made(request: Request, tell: Callable[[str], None]) -> Handover:
    """What is asked for, running in the kernel.

    :param tell: called with what takes long
    :raises TcptopError: it cannot run here, and why
    """
    for reads in request.reads:
        try:
            code = _code(request, reads, tell)
            return load(code, request.hook)
        except TcptopError:
            if reads is request.reads[-1]:
                raise
    raise TcptopError("there is no way to read")


def _code(request: Request, reads: tuple[str, ...], tell: Callable[[str], None]) -> Code:
    flags = compiler_flags(request, reads)
    key = cache.key_of(program_text(), [*flags, f"lists sockets: {request.lists_sockets}"])
    code = cache.kept(key)
    if code is None:
        tell("compiling the BPF program")
        code = compiled(flags, request.lists_sockets)
        cache.keep(key, code)
    return code


def _end_with(parent: int) -> None:
    """Let the kernel end this process as soon as the other one has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before
        sys.exit(1)


if __name__ == "__main__":
    main()
