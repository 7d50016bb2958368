"""The work of the loader, in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tcptop_rtt.model.errors import TcptopError, remedy
from tcptop_rtt.sources.loader import cache
from tcptop_rtt.sources.loader.code import Code
from tcptop_rtt.sources.loader.compiling import compiled, compiler_flags
from tcptop_rtt.sources.loader.files import program_text
from tcptop_rtt.sources.loader.handover import Handover, Refused, Stage, send
from tcptop_rtt.sources.loader.loading import load
from tcptop_rtt.sources.loader.request import Request


def main(channel: socket.socket, text: str) -> None:
    """Load the requested program, and hand it over."""
    request = Request.from_text(text)
    try:
        send(channel, made(request, lambda stage: send(channel, Stage(stage))))
    except TcptopError as error:
        send(channel, Refused(str(error)))
    except OSError as error:
        send(channel, Refused(f"{error}{remedy(error)}"))


def made(request: Request, tell: Callable[[str], None]) -> Handover:
    """Load the requested program, and return it when it runs in the kernel.

    :param tell: called with a description of each step that takes long
    :raises TcptopError: the program cannot run here, and why
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
