"""Loads code into the kernel: makes maps, loads programs, and attaches these by links."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import ExitStack, suppress
from pathlib import Path

from tcptop_rtt.model.errors import TcptopError, remedy
from tcptop_rtt.sources import bpf_call
from tcptop_rtt.sources.loader.code import Code, with_descriptors
from tcptop_rtt.sources.loader.handover import Handover
from tcptop_rtt.sources.loader.places import ALWAYS, HOOKS, SOCKETS, Place

_FTRACE_SWITCH = Path("/proc/sys/kernel/ftrace_enabled")


def load(code: Code, hook: str) -> Handover:
    """Load and attach the program.

    :param hook: ``auto``, or the hook to force
    :raises TcptopError: the kernel refuses the program, and why
    """
    _allow_locked_memory()
    # Another program may be tried after this one, so a refused program must leave nothing behind.
    with ExitStack() as opened:
        maps: dict[str, int] = {}
        links: dict[str, int] = {}
        programs: dict[str, int] = {}
        opened.callback(_close_all, maps)
        opened.callback(_close_all, links)
        opened.callback(_close_all, programs)
        for name, info in code.maps.items():
            try:
                maps[name] = bpf_call.create_map(name, info)
            except OSError as error:
                raise TcptopError(f"BPF is refused: {_cause(error)}") from error
        attaching = _Attaching(code, list(maps.values()), links, programs)
        hook, note = attaching.attach_hook(hook)
        for place in ALWAYS:
            attaching.attach(place)
        if SOCKETS.program in code.programs:
            attaching.attach(SOCKETS)
        opened.pop_all()
    return Handover(hook, note, code.lacking, maps, links, programs)


class _Attaching:
    """Loads and attaches programs one after the other.

    :param maps: descriptors of the maps, in the order of the code
    :param links: gets the descriptors of the links
    :param programs: gets the descriptors of the programs
    """

    def __init__(self, code: Code, maps: list[int], links: dict[str, int], programs: dict[str, int]) -> None:
        self._code = code
        self._maps = maps
        self._links = links
        self._programs = programs

    def attach_hook(self, wanted: str) -> tuple[str, str]:
        """Attach to the first hook that the kernel takes. Returns it, and why the one before was refused."""
        note = ""
        for hook, place in HOOKS.items():
            if wanted in ("auto", hook):
                try:
                    self._link(place)
                except OSError as error:
                    note = f"{hook} is refused: {_cause(error)}"
                else:
                    return hook, note
        raise TcptopError(note + ("; use --source tcp_probe" if wanted == "fentry" else ""))

    def attach(self, place: Place) -> None:
        """Attach to a place that the program needs."""
        try:
            self._link(place)
        except OSError as error:
            raise TcptopError(f"{place.name} is refused: {_cause(error)}") from error

    def _link(self, place: Place) -> None:
        if place.attach_type == bpf_call.TRACE_FENTRY:
            _require_ftrace()
        target = self._code.targets.get(place.name)
        if target is None:
            raise OSError(errno.ESRCH, f"{place.target} is not in this kernel")
        code = with_descriptors(self._code.programs[place.program], self._maps)
        program = bpf_call.load_program(place.program, code, place.attach_type, target)
        try:
            is_iterator = place.attach_type == bpf_call.TRACE_ITER
            attach = bpf_call.attach_iterator if is_iterator else bpf_call.attach_tracing
            self._links[place.program] = attach(program)
        except OSError:
            os.close(program)
            raise
        self._programs[place.program] = program


def _close_all(descriptors: dict[str, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


def _require_ftrace() -> None:
    """Check that ftrace is on: without it a program would be attached, but never run."""
    if _FTRACE_SWITCH.exists() and _FTRACE_SWITCH.read_text() == "0\n":
        raise OSError(errno.EOPNOTSUPP, "the sysctl kernel.ftrace_enabled is 0")


def _allow_locked_memory() -> None:
    """Lift the limit of locked memory. Before Linux 5.11 maps count as such, and the default is low."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _cause(error: OSError) -> str:
    """Why the kernel refused, as far as is known, and the way out."""
    try:
        lockdown = Path("/sys/kernel/security/lockdown").read_text()
    except OSError:
        lockdown = ""
    if "[confidentiality]" in lockdown:
        return "the kernel is locked down; boot it with lockdown=integrity"
    if error.errno == errno.EMFILE:
        return f"no file descriptor is free{remedy(error)}"
    if error.errno == errno.EPERM:
        return "not permitted on this machine (EPERM)"
    return error.strerror or str(error)
