"""Finds the control group of a process, and the container, pod or systemd unit that its path names."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from tcptop_rtt.model.rows import UNIT_BYTES
from tcptop_rtt.model.snapshot import ProcessKey

_KEPT = 16_384
"""The number of processes whose control groups are remembered."""
_KEPT_S = 5.0
"""After this time it is read again, as a process may be moved."""
_AGAIN_PER_S = 100
"""It is read again of at most this many processes in a second, as each costs some system calls."""

_ID = re.compile(r"[0-9a-f]{64}")
_POD = re.compile(r"pod([0-9a-f]{8})[0-9a-f_-]*")
_ENGINES = {
    "docker": "docker",
    "libpod": "podman",
    "crio": "cri-o",
    "cri-containerd": "containerd",
    "lxc": "lxc",
}


def unit_of(path: str) -> str:
    """The short name of the unit with this control group path; empty if the path is in no unit.

    ``nginx.service``, ``docker 0123456789ab``, ``pod 0a1b2c3d/0123456789ab``, ``session-3.scope``
    """
    parts = [part for part in path.split("/") if part]
    container = next((found for part in reversed(parts) if (found := _ID.search(part))), None)
    pod = next((found for part in parts if "kubepods" in path and (found := _POD.search(part))), None)
    if container:
        short = container[0][:12]
        if pod:
            return f"pod {pod[1]}/{short}"
        engine = next((name for prefix, name in _ENGINES.items() if prefix in path), "container")
        return f"{engine} {short}"
    units = [part for part in parts if part.endswith((".service", ".scope"))]
    return units[-1] if units else ""


class _Known(NamedTuple):
    path: str | None
    read_s: float


class Units:
    """Finds the control group of a process, and remembers it: for some seconds, or longer if it has ended.

    :param cgroup: returns the path of a process's control group; None if unknown; OSError: it cannot be read
        at the moment, which is not remembered
    :param clock_s: the time in seconds
    """

    def __init__(self, cgroup: Callable[[ProcessKey], str | None], clock_s: Callable[[], float]) -> None:
        self._cgroup = cgroup
        self._clock_s = clock_s
        self._known: OrderedDict[ProcessKey, _Known] = OrderedDict()
        self._second, self._again = 0, 0

    def of(self, process: ProcessKey) -> bytes:
        """The unit's name as the column holds it; empty if there is none, or it is not known.

        :raises OSError: the control group cannot be read at the moment, and never was
        """
        return unit_of(self.path(process) or "").encode("utf-8", "replace")[:UNIT_BYTES]

    def path(self, process: ProcessKey) -> str | None:
        """The path of the control group; None if it is not known.

        :raises OSError: it cannot be read at the moment, and never was
        """
        known, now_s = self._known.get(process), self._clock_s()
        # With very many processes it takes longer, until it is the turn of each.
        kept_s = max(_KEPT_S, len(self._known) / _AGAIN_PER_S)
        if known is None or (now_s >= known.read_s + kept_s and self._may_read_again(now_s)):
            known = self._known[process] = self._read(process, known, now_s)
        self._known.move_to_end(process)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known.path

    def _may_read_again(self, now_s: float) -> bool:
        if int(now_s) != self._second:
            self._second, self._again = int(now_s), 0
        self._again += 1
        return self._again <= _AGAIN_PER_S

    def _read(self, process: ProcessKey, known: _Known | None, now_s: float) -> _Known:
        try:
            path = self._cgroup(process)
        except OSError:
            if known is None:
                raise
            return known
        # Of a process that has ended nothing can be read.
        return _Known(known.path if path is None and known is not None else path, now_s)
