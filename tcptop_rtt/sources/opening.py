"""Which source is taken: the BPF program, or where that cannot be had the kernel's list of sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptop_rtt.model.errors import TcptopError
from tcptop_rtt.model.reach import Reach, Rights

if TYPE_CHECKING:
    from tcptop_rtt.sources.base import Source
    from tcptop_rtt.sources.loader.process import Loading

WITHOUT_BPF = "sock_diag"
SOURCES = ("auto", "fentry", "tcp_probe", WITHOUT_BPF)
"""What can be asked for: ``auto`` takes the best that there is."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Opener:
    """The way to a source that may take long to open."""

    open: Callable[[], Source]
    """To be called once, in a thread of its own.

    :raises TcptopError: it cannot be had here, and why
    """
    stage: Callable[[], str] = str
    """What takes long at this moment; nothing: it is not known."""
    cancel: Callable[[], None] = _nothing
    """Makes ``open`` end soon; any thread may call it."""
    reach: Reach | None = None
    """Looks into processes and network namespaces; None: nobody does."""
    held: Callable[[], Rights] = tuple
    """Whose rights there are, and which."""


def source_opener(source: str, reach: Reach, follow: bool = False, needs_bpf: bool = False) -> Opener:
    """Begin with what takes long, and return the way to the source.

    :param source: one of :data:`SOURCES`
    :param reach: looks into processes and network namespaces for it
    :param follow: whether it tells the connections of what descends from this process
    :param needs_bpf: whether ``auto`` is content with nothing less
    :raises TcptopError: the source that is asked for cannot be had here, and why
    """
    if source == WITHOUT_BPF:
        return Opener(lambda: _sock_diag(reach), reach=reach)
    yields = source == "auto" and not needs_bpf
    from tcptop_rtt.sources.loader.process import Loading
    from tcptop_rtt.sources.loader.request import Request

    try:
        loading = Loading(Request(source, follow))
    except TcptopError as error:
        if not yields:
            raise
        reason = str(error)
        return Opener(lambda: _sock_diag(reach, reason), reach=reach)
    way = _best if yields else _probe
    return Opener(lambda: way(loading, reach), lambda: loading.stage, loading.cancel, reach)


def _best(loading: Loading, reach: Reach) -> Source:
    try:
        return _probe(loading, reach)
    except TcptopError as error:
        return _sock_diag(reach, str(error))


def _probe(loading: Loading, reach: Reach) -> Source:
    """The BPF program as a source."""
    made = loading.wait()
    # Not before: they need numpy, which is imported meanwhile.
    from tcptop_rtt.sources.probe import Probe
    from tcptop_rtt.sources.program import Program

    program = Program(made)
    try:
        return Probe(program, reach)
    except BaseException:
        program.close()
        raise


def _sock_diag(reach: Reach, no_bpf: str = "") -> Source:
    """
    :param no_bpf: why there can be none; empty: it is not wanted
    """
    from tcptop_rtt.sources.sock_diag import SockDiag

    try:
        return SockDiag(reach, no_bpf or "asked for by --source")
    except TcptopError as error:
        # What the best source needs comes first: with it there is no need of this one.
        both = f"{no_bpf}; without BPF: {error}"
        raise TcptopError(both if no_bpf not in ("", str(error)) else str(error)) from error
