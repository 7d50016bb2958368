"""Names the container, pod or systemd unit of a process, by the path of its control group."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from tcptop_rtt.model.rows import UNIT_BYTES
from tcptop_rtt.model.snapshot import ProcessKey

_KEPT = 4_096
"""The number of processes whose units are remembered."""
_KEPT_S = 20
"""For at most so long, as a process may be moved to another unit."""

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


class Units:
    """Finds the unit of a process and remembers it for some seconds.

    :param cgroup: returns the path of a process's control group; None if unknown; OSError: it cannot be read
        at the moment, which is not remembered
    :param clock_s: the time in seconds
    """

    def __init__(self, cgroup: Callable[[ProcessKey], str | None], clock_s: Callable[[], float]) -> None:
        self._cgroup = cgroup
        self._clock_s = clock_s
        self._found = lru_cache(maxsize=_KEPT)(self._find)

    def of(self, process: ProcessKey) -> bytes:
        """The unit's name as the column holds it; empty if there is none, or it is not known."""
        return self._found(process, int(self._clock_s() // _KEPT_S))

    def _find(self, process: ProcessKey, _time: int) -> bytes:
        return unit_of(self._cgroup(process) or "").encode("utf-8", "replace")[:UNIT_BYTES]
