"""Which source is taken: the BPF program, or where that cannot be had the kernel's list of sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.sources.bcc_package import bcc_required
from tcptop_rtt.sources.requirements import require_bpf

if TYPE_CHECKING:
    from tcptop_rtt.sources.base import Source

WITHOUT_BPF = "sock_diag"
SOURCES = ("auto", "fentry", "tcp_probe", WITHOUT_BPF)
"""What can be asked for: ``auto`` takes the best that there is."""


def source_opener(source: str, follow: bool = False, needs_bpf: bool = False) -> Callable[[str], Source]:
    """Import what a source needs first, and return what opens it: in a thread, as it may take long.

    :param source: one of :data:`SOURCES`
    :param follow: whether it tells the connections of what descends from this process
    :param needs_bpf: whether ``auto`` is content with nothing less
    :raises TcptopError: the source that is asked for cannot be had here, and why
    """
    if source == WITHOUT_BPF:
        return lambda _: _sock_diag()
    yields = source == "auto" and not needs_bpf
    try:
        require_bpf()
        open_bpf = _bpf(follow)
    except TcptopError as error:
        if not yields:
            raise
        reason = str(error)
        return lambda _: _sock_diag(reason)
    return (lambda hook: _best(open_bpf, hook)) if yields else open_bpf


def _best(open_bpf: Callable[[str], Source], hook: str) -> Source:
    try:
        return open_bpf(hook)
    except TcptopError as error:
        from tcptop_rtt.sources.memory import release_compiler_memory

        release_compiler_memory()
        return _sock_diag(str(error))


def _sock_diag(no_bpf: str = "") -> Source:
    """
    :param no_bpf: why there can be none; empty: it is not wanted
    """
    from tcptop_rtt.sources.sock_diag import SockDiag

    try:
        return SockDiag(no_bpf or "asked for by --source")
    except TcptopError as error:
        # What the best source needs comes first: with it there is no need of this one.
        both = f"{no_bpf}; without BPF: {error}"
        raise TcptopError(both if no_bpf not in ("", str(error)) else str(error)) from error


def _bpf(follow: bool) -> Callable[[str], Source]:
    """What opens the BPF program as a source."""
    with bcc_required():
        from tcptop_rtt.sources.program import Program

    def open_source(hook: str) -> Source:
        program = Program(hook, follow=follow)
        # Not before: it needs numpy, which is imported while the program is compiled.
        from tcptop_rtt.sources.probe import Probe

        try:
            return Probe(program)
        except BaseException:
            program.close()
            raise

    return open_source
