"""Chooses the source: the BPF program or, where that cannot run, the kernel's list of sockets."""

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
"""The sources that can be asked for: ``auto`` takes the best one that works."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Opener:
    """Opens a source, which may take long."""

    open: Callable[[], Source]
    """To be called once, in a thread of its own.

    :raises TcptopError: the source does not work here, and why
    """
    stage: Callable[[], str] = str
    """What takes long at this moment; empty if unknown."""
    cancel: Callable[[], None] = _nothing
    """Makes ``open`` end soon; any thread may call it."""
    reach: Reach | None = None
    """Looks into processes and network namespaces; None if nothing does."""
    held: Callable[[], Rights] = tuple
    """The present rights, as pairs of holder and rights."""


def source_opener(source: str, reach: Reach, follow: bool = False, needs_bpf: bool = False) -> Opener:
    """Begin with what takes long, and return an opener of the source.

    :param source: one of :data:`SOURCES`
    :param reach: looks into processes and network namespaces for it
    :param follow: whether it marks the connections of this process's descendants
    :param needs_bpf: whether ``auto`` accepts nothing but BPF
    :raises TcptopError: the source that is asked for does not work here, and why
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
    # Imported this late because they need numpy, which is imported during the wait.
    from tcptop_rtt.sources.probe import Probe
    from tcptop_rtt.sources.program import Program

    program = Program(made)
    try:
        return Probe(program, reach)
    except BaseException:
        program.close()
        raise


def _sock_diag(reach: Reach, no_bpf: str = "") -> Source:
    """The kernel's list of sockets as a source.

    :param no_bpf: why BPF does not work; empty if it is not wanted
    """
    from tcptop_rtt.sources.sock_diag import SockDiag

    try:
        return SockDiag(reach, no_bpf or "asked for by --source")
    except TcptopError as error:
        # What BPF needs comes first: with BPF this source is not needed.
        both = f"{no_bpf}; without BPF: {error}"
        raise TcptopError(both if no_bpf not in ("", str(error)) else str(error)) from error
